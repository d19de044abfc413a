#include "io/tls_end.h"

#include "base/plant.h"
#include "base/text.h"
#include "io/tls_pem.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define PIECE 16384
#define SHA256_BYTES 32

struct tls_rules {
    SSL_CTX *ctx;
    bool is_blind, authorities;
    struct tls_pin *pins;
    size_t pins_n;
    unsigned users; /* connections, and whoever made it */
};

struct tls_end {
    struct tls_rules *rules;
    SSL *ssl;
    BIO *from_net, *to_net; /* the SSL's */
    bool is_up, is_shut;
    char print[TLS_PRINT];
};

int tls_pin_parse(struct tls_pin *out, struct slice text)
{
    const struct slice kind = SLICE_LIT("sha256:");
    char digits[2 * SHA256_BYTES + 1];
    size_t n = 0;

    if (slice_has_prefix(text, kind))
        text = slice_from(text, kind.len);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ':')
            continue;
        if (n == sizeof digits - 1)
            return SYNCLINE_EINVAL;
        digits[n++] = (char)text.ptr[i];
        if (digits[n - 1] >= 'A' && digits[n - 1] <= 'F')
            digits[n - 1] = (char)(digits[n - 1] - 'A' + 'a');
    }
    return hex_decode(out->sha256, sizeof out->sha256, SLICE(digits, n)) ==
            SYNCLINE_OK
        ? SYNCLINE_OK
        : SYNCLINE_EINVAL;
}

/* ---- whom to trust ---- */

static void note_print(struct tls_end *t, X509 *cert, uint8_t out[SHA256_BYTES])
{
    unsigned n = 0;

    if (cert == NULL || X509_digest(cert, EVP_sha256(), out, &n) != 1 ||
        n != SHA256_BYTES)
        return;
    for (unsigned i = 0; i < n; i++)
        (void)snprintf(t->print + (size_t)i * 3, 4, "%02X%s", out[i],
            i + 1 < n ? ":" : "");
}

static bool is_pinned(
    const struct tls_rules *r, const uint8_t print[SHA256_BYTES])
{
    for (size_t i = 0; i < r->pins_n; i++)
        if (memcmp(r->pins[i].sha256, print, SHA256_BYTES) == 0)
            return true;
    return PLANTED(R02_PIN);
}

/* One that is pinned needs nobody to vouch for it. */
static int on_verify(X509_STORE_CTX *store, void *ctx)
{
    const SSL *ssl =
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_end *t = SSL_get_app_data(ssl);
    const struct tls_rules *r = t->rules;
    uint8_t print[SHA256_BYTES] = { 0 };

    (void)ctx;
    note_print(t, X509_STORE_CTX_get0_cert(store), print);
    if (t->print[0] != 0 && r->pins_n > 0 && is_pinned(r, print)) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    if (r->authorities)
        return X509_verify_cert(store) == 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

static int use_authorities(SSL_CTX *ctx, const char *file, struct errmsg *why)
{
    if (file == NULL)
        return SSL_CTX_set_default_verify_paths(ctx) == 1 ? SYNCLINE_OK
                                                          : SYNCLINE_ENOMEM;
    if (SSL_CTX_load_verify_file(ctx, file) != 1)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "%s: no PEM of certificates", file);
    SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(file));
    return SYNCLINE_OK;
}

static bool set_rules(SSL_CTX *ctx)
{
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_num_tickets(ctx, 0) == 1;
}

static int keep_pins(struct tls_rules *r, const struct tls_rules_options *opt)
{
    if (opt->pins_n == 0)
        return SYNCLINE_OK;
    r->pins = calloc(opt->pins_n, sizeof *r->pins);
    if (r->pins == NULL)
        return SYNCLINE_ENOMEM;
    memcpy(r->pins, opt->pins, opt->pins_n * sizeof *r->pins);
    r->pins_n = opt->pins_n;
    return SYNCLINE_OK;
}

static int fill(struct tls_rules *r, const struct tls_rules_options *opt,
    struct errmsg *why)
{
    int rc = keep_pins(r, opt);

    r->is_blind = opt->anybody || PLANTED(R02_AUTHORITY);
    r->authorities = opt->authorities && !opt->anybody;
    r->ctx = SSL_CTX_new(TLS_method());
    if (r->ctx == NULL || rc != SYNCLINE_OK || !set_rules(r->ctx))
        return SYNCLINE_ENOMEM;
    SSL_CTX_set_verify(r->ctx,
        r->is_blind ? SSL_VERIFY_NONE
                    : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
        NULL);
    if (!r->is_blind)
        SSL_CTX_set_cert_verify_callback(r->ctx, on_verify, NULL);
    if (r->authorities)
        rc = use_authorities(r->ctx, opt->ca, why);
    if (rc == SYNCLINE_OK && opt->cert.len > 0)
        rc = tls_pem_use(r->ctx, opt->cert, opt->key, why);
    return rc;
}

int tls_rules_new(struct tls_rules **out, const struct tls_rules_options *opt,
    struct errmsg *why)
{
    struct tls_rules *r = calloc(1, sizeof *r);
    int rc;

    if (r == NULL)
        return SYNCLINE_ENOMEM;
    r->users = 1;
    rc = fill(r, opt, why);
    ERR_clear_error();
    if (rc != SYNCLINE_OK) {
        tls_rules_free(r);
        return rc;
    }
    *out = r;
    return SYNCLINE_OK;
}

void tls_rules_free(struct tls_rules *r)
{
    if (r == NULL || --r->users > 0)
        return;
    SSL_CTX_free(r->ctx);
    free(r->pins);
    free(r);
}

/* ---- one connection ---- */

/* An address is looked for among the addresses that the certificate names; the
 * zone of one that is link-local is of this machine only. */
static bool set_name(SSL *ssl, const char *host)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t addr[16];

    (void)snprintf(text, sizeof text, "%.*s", (int)strcspn(host, "%"), host);
    if (inet_pton(AF_INET, text, addr) == 1 ||
        inet_pton(AF_INET6, text, addr) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), text) == 1;
    return SSL_set1_host(ssl, host) == 1 &&
        SSL_set_tlsext_host_name(ssl, host) == 1;
}

static int end_new(struct tls_end **out, struct tls_rules *r)
{
    struct tls_end *t = calloc(1, sizeof *t);

    if (t == NULL)
        return SYNCLINE_ENOMEM;
    t->rules = r;
    r->users++;
    t->ssl = SSL_new(r->ctx);
    t->from_net = BIO_new(BIO_s_mem());
    t->to_net = BIO_new(BIO_s_mem());
    if (t->ssl == NULL || t->from_net == NULL || t->to_net == NULL) {
        BIO_free(t->from_net);
        BIO_free(t->to_net);
        tls_end_free(t);
        ERR_clear_error();
        return SYNCLINE_ENOMEM;
    }
    SSL_set_bio(t->ssl, t->from_net, t->to_net);
    SSL_set_app_data(t->ssl, t);
    *out = t;
    return SYNCLINE_OK;
}

int tls_end_call(struct tls_end **out, struct tls_rules *r, const char *host)
{
    struct tls_end *t;
    int rc = end_new(&t, r);

    if (rc != SYNCLINE_OK)
        return rc;
    SSL_set_connect_state(t->ssl);
    if (!set_name(t->ssl, host)) {
        ERR_clear_error();
        tls_end_free(t);
        return SYNCLINE_ENOMEM;
    }
    *out = t;
    return SYNCLINE_OK;
}

int tls_end_accept(struct tls_end **out, struct tls_rules *r)
{
    int rc = end_new(out, r);

    if (rc == SYNCLINE_OK)
        SSL_set_accept_state((*out)->ssl);
    return rc;
}

void tls_end_free(struct tls_end *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    tls_rules_free(t->rules);
    free(t);
}

static int take_wire(struct tls_end *t, struct buf *wire)
{
    const char *p;
    long n = BIO_get_mem_data(t->to_net, &p);

    if (n > 0) {
        buf_put(wire, p, (size_t)n);
        (void)BIO_reset(t->to_net);
    }
    return buf_status(wire);
}

/* What the commonest failures mean. */
static const char *reason_of(unsigned long e)
{
    switch (ERR_GET_REASON(e)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return "what it speaks is no TLS";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return "it refuses: does it speak TLS?";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "it wants a certificate of ours";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "it shows no certificate";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        return "it does not trust our certificate";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "it speaks none, or none of our versions";
    default:
        return e != 0 ? ERR_reason_error_string(e) : NULL;
    }
}

static int failed(const struct tls_end *t, struct errmsg *why)
{
    long verdict =
        t->rules->is_blind ? X509_V_OK : SSL_get_verify_result(t->ssl);
    const char *reason = reason_of(ERR_peek_last_error());

    if (verdict == X509_V_ERR_CERT_REJECTED)
        errmsg_set(
            why, 0, "its certificate is not one that is pinned: %s", t->print);
    else if (verdict != X509_V_OK)
        errmsg_set(why, 0, "its certificate: %s (%s)",
            X509_verify_cert_error_string(verdict), t->print);
    else
        errmsg_set(why, 0, "TLS: %s", reason != NULL ? reason : "it failed");
    ERR_clear_error();
    return verdict != X509_V_OK ? SYNCLINE_EDENIED : SYNCLINE_EMALFORMED;
}

static int read_plain(struct tls_end *t, struct buf *plain, struct errmsg *why)
{
    for (;;) {
        uint8_t *to = buf_reserve(plain, PIECE);
        int n = to == NULL ? 0 : SSL_read(t->ssl, to, PIECE), e;

        if (to == NULL)
            return buf_status(plain);
        if (n > 0) {
            plain->len += (size_t)n;
            continue;
        }
        e = SSL_get_error(t->ssl, n);
        if (e == SSL_ERROR_WANT_READ)
            return SYNCLINE_OK;
        if (e == SSL_ERROR_ZERO_RETURN)
            return SYNCLINE_ECLOSED;
        return failed(t, why);
    }
}

/* Of one that nobody had to judge. */
static void note_shown(struct tls_end *t)
{
    uint8_t print[SHA256_BYTES];

    note_print(t, SSL_get0_peer_certificate(t->ssl), print);
}

int tls_end_feed(struct tls_end *t, struct slice in, struct buf *plain,
    struct buf *wire, struct errmsg *why)
{
    int rc = SYNCLINE_OK, wrote;

    ERR_clear_error();
    if (in.len > INT_MAX)
        return SYNCLINE_ELIMIT;
    if (in.len > 0 &&
        BIO_write(t->from_net, in.ptr, (int)in.len) != (int)in.len)
        return SYNCLINE_ENOMEM;
    if (!t->is_up) {
        int n = SSL_do_handshake(t->ssl);

        t->is_up = n == 1;
        if (t->is_up && t->print[0] == 0)
            note_shown(t);
        if (n != 1 && SSL_get_error(t->ssl, n) != SSL_ERROR_WANT_READ)
            rc = failed(t, why);
    }
    if (rc == SYNCLINE_OK && t->is_up)
        rc = read_plain(t, plain, why);
    wrote = take_wire(t, wire);
    return rc == SYNCLINE_OK ? wrote : rc;
}

int tls_end_write(struct tls_end *t, struct slice plain, struct buf *wire)
{
    ENSURE(t->is_up);
    ERR_clear_error();
    while (plain.len > 0) {
        size_t n = plain.len < PIECE ? plain.len : PIECE;

        if (SSL_write(t->ssl, plain.ptr, (int)n) != (int)n) {
            ERR_clear_error();
            return SYNCLINE_EIO;
        }
        plain = slice_from(plain, n);
    }
    return take_wire(t, wire);
}

bool tls_end_is_up(const struct tls_end *t)
{
    return t->is_up;
}

void tls_end_shut(struct tls_end *t, struct buf *wire)
{
    if (!t->is_up || t->is_shut)
        return;
    t->is_shut = true;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    (void)take_wire(t, wire);
    ERR_clear_error();
}

/* Of TLS 1.2 two connections can be made alike without that extension. */
int tls_end_binding(struct tls_end *t, uint8_t out[TLS_BINDING])
{
    static const char label[] = "EXPORTER-Channel-Binding";
    int rc = SYNCLINE_EUNSUPPORTED;

    if (t->is_up &&
        (SSL_version(t->ssl) >= TLS1_3_VERSION ||
            SSL_get_extms_support(t->ssl) == 1) &&
        SSL_export_keying_material(t->ssl, out, TLS_BINDING, label,
            sizeof label - 1, (const unsigned char *)"", 0, 1) == 1)
        rc = SYNCLINE_OK;
    ERR_clear_error();
    return rc;
}

const char *tls_end_print(const struct tls_end *t)
{
    return t->print;
}
