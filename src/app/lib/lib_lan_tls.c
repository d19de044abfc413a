/* TLS of syncline_lan.h: what is shown, and whom to trust. */
#include "app/lib/lib_lan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/cert_files.h"
#include "app/private_file.h"
#include "crypto/crypto.h"

#define HOST_MAX 256
#define CERT_NAME "localhost"

static int no_memory(void)
{
    return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
}

static void wipe(struct buf *b)
{
    if (b->ptr != NULL)
        crypto_wipe(b->ptr, b->cap);
    buf_free(b);
}

/* ---- what is said ---- */

static int copy(struct lib_lan_end *e, const char **text)
{
    if (*text == NULL)
        return SYNCLINE_OK;
    *text = (const char *)arena_dup(&e->kept, slice_str(*text)).ptr;
    return *text != NULL ? SYNCLINE_OK : no_memory();
}

static int take_pins(struct lib_lan_end *e)
{
    const char *const *list = e->config.ssl_pins;

    for (; list != NULL && *list != NULL; list++) {
        if (e->tls.pins_n == LIB_LAN_PINS_MAX)
            return lib_fail(
                SYNCLINE_EINVAL, "ssl_pins: more than %d", LIB_LAN_PINS_MAX);
        if (tls_pin_parse(&e->tls.pins[e->tls.pins_n++], slice_str(*list)) !=
            SYNCLINE_OK)
            return lib_fail(SYNCLINE_EINVAL,
                "ssl_pins: %.100s: no SHA-256 of a certificate", *list);
    }
    e->config.ssl_pins = NULL;
    return SYNCLINE_OK;
}

int lib_lan_tls_take(struct lib_lan_end *e)
{
    struct syncline_lan_config *c = &e->config;
    int rc = take_pins(e);

    if (rc == SYNCLINE_OK && c->ssl_key != NULL && c->ssl_cert == NULL)
        rc = lib_fail(SYNCLINE_EINVAL, "ssl_key: without ssl_cert");
    if (rc == SYNCLINE_OK && c->verify_ssl == 0 &&
        (c->ssl_ca != NULL || e->tls.pins_n > 0))
        rc = lib_fail(SYNCLINE_EINVAL,
            "ssl_ca, ssl_pins: they say whom to trust, and verify_ssl is 0");
    if (rc == SYNCLINE_OK)
        rc = copy(e, &c->ssl_cert);
    if (rc == SYNCLINE_OK)
        rc = copy(e, &c->ssl_key);
    if (rc == SYNCLINE_OK)
        rc = copy(e, &c->ssl_ca);
    return rc;
}

/* ---- what is shown ---- */

static int make_cert(struct buf *pem)
{
    char host[HOST_MAX] = "";
    struct slice names[2] = { SLICE_LIT(CERT_NAME), SLICE_NONE };

    (void)gethostname(host, sizeof host - 1);
    names[1] = slice_str(host);
    return web_cert_make(pem, SLICE_NONE, names, host[0] != 0 ? 2 : 1,
               clock_wall_us()) == SYNCLINE_OK
        ? SYNCLINE_OK
        : lib_fail(SYNCLINE_ENOMEM, "no certificate could be made");
}

/* Into the file that was named and is not there. */
static int make_file(struct lib_lan_end *e, struct buf *pem)
{
    const struct private_file file = {
        .path = e->config.ssl_cert, .what = "certificate", .max = CERT_PEM_MAX
    };
    struct errmsg why = { "" };
    int rc = make_cert(pem);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = private_file_write(&file, buf_slice(pem), false, &why);
    return rc == SYNCLINE_OK ? rc : lib_fail(rc, "ssl_cert: %s", why.text);
}

static bool may_make_file(const struct lib_lan_end *e)
{
    return e->is_server && e->config.ssl_key == NULL &&
        access(e->config.ssl_cert, F_OK) != 0 && errno == ENOENT;
}

static int read_files(struct lib_lan_end *e, struct buf *cert, struct buf *key)
{
    const struct syncline_lan_config *c = &e->config;
    const char *key_file = c->ssl_key != NULL ? c->ssl_key : c->ssl_cert;
    struct errmsg why = { "" };
    int rc = cert_file_read(cert, c->ssl_cert, c->ssl_key == NULL, &why);

    if (rc != SYNCLINE_OK)
        return lib_fail(rc, "ssl_cert: %s", why.text);
    rc = cert_file_read(key, key_file, true, &why);
    return rc == SYNCLINE_OK ? rc : lib_fail(rc, "ssl_key: %s", why.text);
}

/* A client that names no certificate shows none; a server has one of its own
 * for as long as it is there. */
static int read_shown(struct lib_lan_end *e, struct buf *cert, struct buf *key)
{
    int rc = SYNCLINE_OK;

    if (e->config.ssl_cert != NULL && !may_make_file(e))
        return read_files(e, cert, key);
    if (!e->is_server)
        return rc;
    if (e->tls.own.len == 0)
        rc = e->config.ssl_cert != NULL ? make_file(e, &e->tls.own)
                                        : make_cert(&e->tls.own);
    if (rc != SYNCLINE_OK)
        return rc;
    buf_put_slice(cert, buf_slice(&e->tls.own));
    buf_put_slice(key, buf_slice(&e->tls.own));
    return buf_status(cert) == SYNCLINE_OK && buf_status(key) == SYNCLINE_OK
        ? SYNCLINE_OK
        : no_memory();
}

/* ---- all of it ---- */

static int make_rules(
    struct lib_lan_end *e, struct slice cert, struct slice key)
{
    const bool says_whom = e->config.ssl_ca != NULL || e->tls.pins_n > 0;
    const struct tls_rules_options opt = { .cert = cert,
        .key = key,
        .anybody = e->config.verify_ssl == 0 || (e->is_server && !says_whom),
        .authorities = e->config.ssl_ca != NULL || !says_whom,
        .ca = e->config.ssl_ca,
        .pins = e->tls.pins,
        .pins_n = e->tls.pins_n };
    struct errmsg why = { "memory ran out" };
    struct tls_rules *rules;
    int rc = SYNCLINE_OK;

    if (cert.len > 0)
        rc = web_cert_read(cert, &e->tls.facts, &why);
    if (rc == SYNCLINE_OK)
        rc = tls_rules_new(&rules, &opt, &why);
    if (rc != SYNCLINE_OK)
        return lib_fail(rc, "ssl_cert, ssl_key, ssl_ca: %.400s", why.text);
    tls_rules_free(e->tls.rules);
    e->tls.rules = rules;
    return SYNCLINE_OK;
}

int lib_lan_tls_open(struct lib_lan_end *e)
{
    struct buf cert = { 0 }, key = { 0 };
    int rc;

    if (e->config.use_ssl == 0)
        return SYNCLINE_OK;
    rc = read_shown(e, &cert, &key);
    if (rc == SYNCLINE_OK)
        rc = make_rules(e, buf_slice(&cert), buf_slice(&key));
    wipe(&cert);
    wipe(&key);
    return rc;
}

void lib_lan_tls_close(struct lib_lan_end *e)
{
    tls_rules_free(e->tls.rules);
    wipe(&e->tls.own);
}
