/* TLS of LAN sync: what we show, and whom we trust. */
#include "app/lan/lan_face_impl.h"

#include <stdlib.h>

#include "app/cert_files.h"
#include "base/plant.h"
#include "crypto/crypto.h"
#include "crypto/web_cert.h"

#define LOOK_US UINT64_C(60000000)
#define FILES 3

struct lan_tls {
    struct tls_rules *rules;
    struct web_cert_facts facts; /* of what we show */
    char *cert, *key, *ca;       /* files; NULL: one of our own, none */
    struct tls_pin *pins;
    struct cert_mark marks[FILES];
    uint64_t look_us;
};

static void wipe(struct buf *b)
{
    if (b->ptr != NULL)
        crypto_wipe(b->ptr, b->cap);
    buf_free(b);
}

static int copy(char **out, const char *text)
{
    if (text == NULL)
        return SYNCLINE_OK;
    *out = strdup(text);
    return *out != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

/* What the options lend, is ours from now on. */
int lan_tls_make(struct lan_face *f)
{
    struct lan_face_options *o = &f->opt;
    struct lan_tls *t;
    int rc;

    if (o->tls == LAN_TLS_OFF)
        return SYNCLINE_OK;
    f->tls = t = calloc(1, sizeof *t);
    if (t == NULL)
        return SYNCLINE_ENOMEM;
    t->pins = calloc(o->tls_pins_n + 1, sizeof *t->pins);
    if (t->pins == NULL)
        return SYNCLINE_ENOMEM;
    if (o->tls_pins_n > 0)
        memcpy(t->pins, o->tls_pins, o->tls_pins_n * sizeof *t->pins);
    rc = copy(&t->cert, o->tls_cert);
    if (rc == SYNCLINE_OK)
        rc = copy(&t->key, o->tls_key);
    if (rc == SYNCLINE_OK)
        rc = copy(&t->ca, o->tls_ca);
    return rc;
}

/* ---- what we show ---- */

static bool holds_key(struct slice pem)
{
    const struct slice mark = SLICE_LIT("PRIVATE KEY-----");

    return pem.len > mark.len &&
        memmem(pem.ptr, pem.len, mark.ptr, mark.len) != NULL;
}

static int read_given(
    struct lan_tls *t, struct buf *cert, struct buf *key, struct errmsg *why)
{
    struct errmsg what = { "memory ran out" };
    int rc = cert_file_read(cert, t->cert, false, &what);

    if (rc != SYNCLINE_OK)
        return errmsg_set(why, rc, "lansync.tls_cert: %.400s", what.text);
    if (strcmp(t->cert, t->key) == 0 && !holds_key(buf_slice(cert)))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "lansync.tls_cert: %s holds no private key: name the file that "
            "does by lansync.tls_key",
            t->cert);
    rc = cert_file_read(key, t->key, true, &what);
    if (rc != SYNCLINE_OK)
        return errmsg_set(why, rc, "lansync.tls_key: %.400s", what.text);
    return SYNCLINE_OK;
}

static int read_shown(
    struct lan_face *f, struct buf *cert, struct buf *key, struct errmsg *why)
{
    char path[PATH_MAX];
    int rc;

    if (f->tls->cert != NULL)
        return read_given(f->tls, cert, key, why);
    rc = engine_web_own(f->engine, cert, path, why);
    if (rc == SYNCLINE_OK)
        buf_put_slice(key, buf_slice(cert));
    return rc == SYNCLINE_OK ? buf_status(key) : rc;
}

static void tell_shown(struct lan_face *f, const struct web_cert_facts *was)
{
    const struct web_cert_facts *is = &f->tls->facts;

    if (strcmp(was->sha256, is->sha256) == 0)
        return;
    log_line(&f->log, LOG_LEVEL_INFO, "lansync",
        "LAN-sync nodes are shown the certificate %s", is->sha256);
    if (is->until_us < clock_wall_us())
        log_line(&f->log, LOG_LEVEL_WARN, "lansync",
            "%s: this certificate has expired: nodes that look will not take "
            "it; write a new one there",
            f->tls->cert);
}

static int make_rules(struct lan_face *f, struct tls_rules **out,
    struct web_cert_facts *facts, struct errmsg *why)
{
    struct lan_tls *t = f->tls;
    struct buf cert = { 0 }, key = { 0 };
    struct errmsg what = { "memory ran out" };
    const bool system = t->ca != NULL && strcmp(t->ca, "system") == 0;
    struct tls_rules_options opt = { .anybody = !lan_tls_verifies(f),
        .authorities = t->ca != NULL,
        .ca = system ? NULL : t->ca,
        .pins = t->pins,
        .pins_n = f->opt.tls_pins_n };
    int rc = read_shown(f, &cert, &key, why);

    opt.cert = buf_slice(&cert);
    opt.key = buf_slice(&key);
    if (rc == SYNCLINE_OK) {
        rc = web_cert_read(opt.cert, facts, &what);
        if (rc == SYNCLINE_OK)
            rc = tls_rules_new(out, &opt, &what);
        if (rc == SYNCLINE_EINVAL)
            rc = errmsg_set(why, rc,
                "lansync.tls_ca: %.300s; name a file that holds the "
                "certificates of your authority, or `system`",
                what.text);
        else if (rc != SYNCLINE_OK)
            rc = errmsg_set(why, rc,
                "lansync.tls_cert (%.150s) and lansync.tls_key (%.150s): "
                "%.150s; name both, or neither: then one is made",
                t->cert != NULL ? t->cert : "our own",
                t->key != NULL ? t->key : "our own", what.text);
    }
    wipe(&cert);
    wipe(&key);
    return rc;
}

/* Connections that are open keep what they began with. */
static int load(struct lan_face *f, struct errmsg *why)
{
    struct lan_tls *t = f->tls;
    struct web_cert_facts facts = { .from_us = 0 };
    const struct web_cert_facts was = t->facts;
    struct tls_rules *rules = NULL;
    int rc = make_rules(f, &rules, &facts, why);

    if (rc != SYNCLINE_OK)
        return rc;
    tls_rules_free(t->rules);
    t->rules = rules;
    t->facts = facts;
    tell_shown(f, &was);
    return SYNCLINE_OK;
}

static bool has_changed(struct lan_tls *t)
{
    const char *const paths[FILES] = { t->cert, t->key, t->ca };

    return cert_files_changed(t->marks, paths, FILES);
}

int lan_tls_open(struct lan_face *f, struct errmsg *why)
{
    if (f->tls == NULL)
        return SYNCLINE_OK;
    (void)has_changed(f->tls);
    f->tls->look_us = clock_mono_us() + LOOK_US;
    return load(f, why);
}

/* Our own is made anew, in time, by whoever reads it. */
static bool is_due(struct lan_face *f)
{
    const uint64_t month_us = UINT64_C(30) * 86400 * 1000000;

    return has_changed(f->tls) ||
        (f->tls->cert == NULL &&
            f->tls->facts.until_us < clock_wall_us() + month_us);
}

uint64_t lan_tls_tick(struct lan_face *f, uint64_t now_us)
{
    struct errmsg why = { "memory ran out" };

    if (f->tls == NULL)
        return 0;
    if (now_us >= f->tls->look_us) {
        f->tls->look_us = now_us + LOOK_US;
        if (is_due(f) && load(f, &why) != SYNCLINE_OK)
            log_line(&f->log, LOG_LEVEL_ERROR, "lansync",
                "%s; it goes on with the certificate %s", why.text,
                f->tls->facts.sha256);
    }
    return f->tls->look_us;
}

/* ---- who asks ---- */

struct tls_rules *lan_tls_rules(struct lan_face *f)
{
    return f->tls != NULL ? f->tls->rules : NULL;
}

bool lan_tls_verifies(const struct lan_face *f)
{
    return f->tls != NULL && (f->tls->ca != NULL || f->opt.tls_pins_n > 0);
}

bool lan_tls_takes_plain(const struct lan_face *f)
{
    return f->opt.tls != LAN_TLS_ON || PLANTED(R02_LAN);
}

/* Who is to be known by a certificate is not called without. */
bool lan_tls_calls(const struct lan_face *f, bool tried)
{
    if (f->opt.tls == LAN_TLS_OFF || PLANTED(R02_LAN))
        return false;
    return f->opt.tls == LAN_TLS_ON || !tried || lan_tls_verifies(f);
}

void lan_tls_put(const struct lan_face *f, struct buf *b)
{
    static const char *const modes[] = { "false", "true", "\"both\"" };

    buf_printf(b, ",\"tls\":%s,\"fingerprint\":", modes[f->opt.tls]);
    if (f->tls != NULL && f->tls->facts.sha256[0] != 0)
        buf_printf(b, "\"%s\"", f->tls->facts.sha256);
    else
        buf_put_str(b, "null");
}

void lan_tls_close(struct lan_face *f)
{
    struct lan_tls *t = f->tls;

    if (t == NULL)
        return;
    tls_rules_free(t->rules);
    free(t->cert);
    free(t->key);
    free(t->ca);
    free(t->pins);
    free(t);
    f->tls = NULL;
}
