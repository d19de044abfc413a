/* The certificate that is shown on the web: one of our own, DIR/web.pem, or
 * the files that somebody has named and keeps up to date. */
#include "app/engine/engine_impl.h"

#include "app/cert_files.h"
#include "app/private_file.h"
#include "crypto/crypto.h"
#include "io/clock.h"
#include "io/sockaddr.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define DAY_US (UINT64_C(86400) * 1000000)
#define RENEW_US (30 * DAY_US) /* before its end */
#define OWN_LOOK_US (DAY_US / 24)
#define HOST_MAX 256

/* ---- names ---- */

static void add_name(struct engine_web *w, struct slice name)
{
    if (name.len == 0 || w->names_n == ENGINE_WEB_NAMES)
        return;
    for (size_t i = 0; i < w->names_n; i++)
        if (slice_eq(w->names[i], name))
            return;
    name = arena_dup(&w->text, name);
    if (name.ptr != NULL)
        w->names[w->names_n++] = name;
}

/* As others on the network may call it. */
static void add_hosts(struct engine *e)
{
    struct engine_web *w = &e->web;
    char host[HOST_MAX + sizeof ".local"];

    if (gethostname(host, HOST_MAX) != 0)
        return;
    host[HOST_MAX - 1] = 0;
    add_name(w, slice_str(host));
    if (strchr(host, '.') == NULL && host[0] != 0) {
        (void)strcat(host, ".local");
        add_name(w, slice_str(host));
    }
}

/* "name:port" or "name", of http.hosts: the name. */
static struct slice without_port(struct slice host)
{
    const uint8_t *colon = memchr(host.ptr, ':', host.len);

    return colon != NULL ? SLICE(host.ptr, (size_t)(colon - host.ptr)) : host;
}

static void add_address(struct engine_web *w, const struct netaddr *a)
{
    static const uint8_t any[16];
    char text[NETADDR_TEXT];

    if (a->family == 0 || memcmp(a->addr, any, sizeof any) == 0)
        return;
    netaddr_format_ip(text, a);
    add_name(w, slice_str(text));
}

/* IPv6 is said if there is room: its addresses come and go by the day, and a
 * certificate that lacks one is still good for all others. */
static void add_interfaces(struct engine_web *w, uint8_t family)
{
    uv_interface_address_t *list;
    int n;

    if (uv_interface_addresses(&list, &n) != 0)
        return;
    for (int i = 0; i < n; i++) {
        struct netaddr a =
            netaddr_of((const struct sockaddr *)&list[i].address);

        if (!list[i].is_internal && a.family == family &&
            !netaddr_is_link_local(&a))
            add_address(w, &a);
    }
    uv_free_interface_addresses(list, n);
}

static void find_names(struct engine *e)
{
    struct engine_web *w = &e->web;

    add_hosts(e);
    w->hosts_n = w->names_n;
    add_name(w, SLICE_LIT("localhost"));
    add_name(w, SLICE_LIT("127.0.0.1"));
    add_name(w, SLICE_LIT("::1"));
    for (size_t i = 0; i < e->opt.web.hosts_n; i++)
        add_name(w, without_port(e->opt.web.hosts[i]));
    for (size_t i = 0; i < e->opt.advertise_n; i++)
        add_address(w, &e->opt.advertise[i]);
    for (size_t i = 0; i < e->listening_n; i++)
        add_address(w, &e->listening[i]);
    add_interfaces(w, 4);
    w->must_n = w->names_n;
    add_interfaces(w, 6);
}

/* ---- putting one in force ---- */

static int fail(struct engine *e, int rc, const struct errmsg *why)
{
    e->web.trouble = *why;
    log_line(&e->opt.log, LOG_LEVEL_ERROR, "http",
        "%s; HTTPS goes on with what it had (%s)", why->text,
        e->web.facts.sha256[0] != 0 ? e->web.facts.sha256 : "nothing");
    return rc;
}

static int show(
    struct engine *e, struct slice cert, struct slice key, const char *path)
{
    struct web_cert_facts facts = { .from_us = 0 };
    struct errmsg why = { "memory ran out" }, said = { "memory ran out" };
    int rc = web_cert_read(cert, &facts, &why);

    if (rc == SYNCLINE_OK)
        rc = net_set_web(e->net, cert, key, &why);
    if (rc != SYNCLINE_OK) {
        (void)errmsg_set(&said, rc, "%s: %s", path, why.text);
        return fail(e, rc, &said);
    }
    e->web.trouble.text[0] = 0;
    if (strcmp(e->web.facts.sha256, facts.sha256) != 0)
        log_line(&e->opt.log, LOG_LEVEL_INFO, "http",
            "HTTPS shows the certificate %s (%s)", facts.sha256, path);
    e->web.facts = facts;
    return SYNCLINE_OK;
}

static void wipe(struct buf *b)
{
    if (b->ptr != NULL)
        crypto_wipe(b->ptr, b->cap);
    buf_free(b);
}

/* ---- our own ---- */

/* ENOTFOUND: another has to be made. */
static int check_own(const struct engine *e, struct slice pem, uint64_t now_us)
{
    struct web_cert_facts facts = { .from_us = 0 };
    int rc = web_cert_read(pem, &facts, NULL);

    if (rc == SYNCLINE_OK &&
        (facts.until_us <= now_us + RENEW_US || facts.from_us > now_us))
        return SYNCLINE_ENOTFOUND;
    if (rc == SYNCLINE_OK)
        rc = web_cert_covers(pem, e->web.names, e->web.must_n);
    return rc == SYNCLINE_EMALFORMED ? SYNCLINE_ENOTFOUND : rc;
}

/* Made anew when it lacks a name, or nears its end. */
int engine_web_own(
    struct engine *e, struct buf *out, char path[PATH_MAX], struct errmsg *why)
{
    const struct private_file file = {
        .path = path, .what = "certificate's key", .max = CERT_PEM_MAX
    };
    const uint64_t now_us = clock_wall_us();
    struct buf old = { 0 };
    int rc;

    (void)snprintf(path, PATH_MAX, "%s/web.pem", e->dir);
    if (e->web.names_n == 0)
        find_names(e);
    rc = private_file_read(&old, &file, why);
    if (rc == SYNCLINE_OK)
        rc = check_own(e, buf_slice(&old), now_us);
    if (rc == SYNCLINE_OK) {
        *out = old;
        return SYNCLINE_OK;
    }
    if (rc == SYNCLINE_ENOTFOUND)
        rc = web_cert_make(
            out, buf_slice(&old), e->web.names, e->web.names_n, now_us);
    if (rc == SYNCLINE_OK)
        rc = private_file_write(&file, buf_slice(out), true, why);
    wipe(&old);
    return rc;
}

static int own(struct engine *e)
{
    char path[PATH_MAX];
    struct buf pem = { 0 };
    struct errmsg why = { "memory ran out" };
    int rc = engine_web_own(e, &pem, path, &why);

    rc = rc == SYNCLINE_OK ? show(e, buf_slice(&pem), buf_slice(&pem), path)
                           : fail(e, rc, &why);
    wipe(&pem);
    return rc;
}

/* ---- somebody's ---- */

static bool has_changed(struct engine *e)
{
    const char *const paths[] = { e->opt.web.cert, e->opt.web.key };

    return cert_files_changed(e->web.files, paths, 2);
}

static int given(struct engine *e)
{
    struct buf cert = { 0 }, key = { 0 };
    struct errmsg why = { "memory ran out" };
    int rc = cert_file_read(&cert, e->opt.web.cert, false, &why);

    if (rc == SYNCLINE_OK)
        rc = cert_file_read(&key, e->opt.web.key, true, &why);
    rc = rc == SYNCLINE_OK
        ? show(e, buf_slice(&cert), buf_slice(&key), e->opt.web.cert)
        : fail(e, rc, &why);
    buf_free(&cert);
    wipe(&key);
    return rc;
}

/* ---- from outside ---- */

/* A certificate that cannot be had stops nobody's sync: it is told, and looked
 * for again. */
int engine_web_open(struct engine *e, struct errmsg *why)
{
    const bool cert = e->opt.web.cert != NULL, key = e->opt.web.key != NULL;

    if (!e->opt.web.enabled)
        return SYNCLINE_OK;
    if (cert != key)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "tls.%s is named without tls.%s: either both are, or neither",
            cert ? "cert" : "key", cert ? "key" : "cert");
    find_names(e);
    engine_web_look(e);
    return SYNCLINE_OK;
}

void engine_web_look(struct engine *e)
{
    const uint64_t now_us = clock_mono_us();

    if (!e->opt.web.enabled || e->failed)
        return;
    if (e->opt.web.cert != NULL) {
        if (has_changed(e))
            (void)!given(e); /* it has been told */
    } else if (now_us >= e->web.look_us) {
        e->web.look_us = now_us + OWN_LOOK_US;
        (void)!own(e);
    }
}

void engine_web_close(struct engine *e)
{
    arena_free(&e->web.text);
}

const struct slice *engine_web_hosts(const struct engine *e, size_t *n)
{
    *n = e->web.hosts_n;
    return e->web.names;
}

void engine_put_web(const struct engine *e, struct buf *b)
{
    const struct engine_web *w = &e->web;

    if (!e->opt.web.enabled) {
        buf_put_str(b, "\"https\":null,");
        return;
    }
    buf_put_str(b, "\"https\":{\"fingerprint\":");
    if (w->facts.sha256[0] != 0)
        buf_printf(b, "\"%s\",\"expires\":%llu,", w->facts.sha256,
            (unsigned long long)w->facts.until_us);
    else
        buf_put_str(b, "null,\"expires\":null,");
    buf_printf(b,
        "\"own\":%s,\"trouble\":", e->opt.web.cert == NULL ? "true" : "false");
    if (w->trouble.text[0] != 0)
        json_print_string(b, slice_str(w->trouble.text), false);
    else
        buf_put_str(b, "null");
    buf_put_str(b, "},");
}
