#include "io/tls.h"

#include "base/plant.h"
#include "io/tls_pem.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define RECORD_MAX 16384
#define LABEL "EXPORTER-syncline-pair"
/* Keys are changed long before AES-GCM's bound for one key, 2^24.5 records
 * (RFC 8446, 5.5); OpenSSL does not do it by itself. */
#define REKEY_RECORDS (1u << 22)

struct tls {
    SSL_CTX *ctx;
    SSL_CTX *web; /* NULL: nobody is let in from there */
    tls_admit_fn *admit;
    void *admit_ctx;
};

struct tls_sess {
    struct tls *tls;
    SSL *ssl;
    BIO *from_net, *to_net; /* the SSL's */
    bool inbound, pairing;
    bool web;    /* no device: it gets another certificate, and shows none */
    bool alpn;   /* one of our names has won */
    bool judged; /* the verify callback has admitted `device` */
    bool up, dead;
    uint32_t records; /* written under the present key */
    struct device_id device;
    uint8_t spki[ED25519_SPKI_LEN];
    uint8_t exporter[TLS_EXPORTER_LEN];
    char refused[96]; /* why the verify callback said no */
};

/* Who the certificate's key makes the peer. Whatever else it says is his
 * word only. */
static int read_peer(
    X509 *cert, uint8_t spki[ED25519_SPKI_LEN], struct device_id *device)
{
    EVP_PKEY *key = cert == NULL ? NULL : X509_get0_pubkey(cert);
    uint8_t *at = spki;

    if (key == NULL || !EVP_PKEY_is_a(key, "ED25519") ||
        i2d_PUBKEY(key, NULL) != ED25519_SPKI_LEN ||
        i2d_PUBKEY(key, &at) != ED25519_SPKI_LEN)
        return SYNCLINE_EDENIED;
    return device_id_of(device, SLICE(spki, ED25519_SPKI_LEN));
}

static void refuse(struct tls_sess *s, const struct device_id *device)
{
    char name[DEVICE_SHORT_TEXT];

    device_id_format_short(name, device);
    (void)snprintf(s->refused, sizeof s->refused, "device %s is not %s", name,
        s->pairing ? "expected for pairing" : "a member of this mesh");
}

/* Replaces OpenSSL's judgement by chains and dates: a device is its key. */
static int on_verify(X509_STORE_CTX *store, void *ctx)
{
    const SSL *ssl =
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_sess *s = SSL_get_app_data(ssl);

    (void)ctx;
    if (!s->alpn && s->inbound)
        goto no;
    if (read_peer(X509_STORE_CTX_get0_cert(store), s->spki, &s->device) !=
        SYNCLINE_OK) {
        (void)snprintf(s->refused, sizeof s->refused,
            "the peer's certificate holds no Ed25519 key");
        goto no;
    }
    if (!s->tls->admit(s->tls->admit_ctx, &s->device, s->pairing) &&
        !PLANTED(R01_ADMIT)) {
        refuse(s, &s->device);
        goto no;
    }
    s->judged = true;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
no:
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

static bool offers(struct slice list, struct slice name)
{
    while (list.len > 0) {
        size_t n = list.ptr[0];

        if (n + 1 > list.len)
            return false;
        if (slice_eq(SLICE(list.ptr + 1, n), name))
            return true;
        list = slice_from(list, n + 1);
    }
    return false;
}

/* The names that the client offers, without the length in front; NONE: it
 * offers none. */
static struct slice offered(SSL *ssl)
{
    const unsigned char *ext;
    size_t len;

    if (SSL_client_hello_get0_ext(ssl,
            TLSEXT_TYPE_application_layer_protocol_negotiation, &ext,
            &len) != 1 ||
        len < 2)
        return SLICE_NONE;
    return SLICE(ext + 2, len - 2);
}

/* Before anything is chosen: who shows one of our names gets the device's
 * certificate, and nobody else on the web. */
static int on_hello(SSL *ssl, int *alert, void *ctx)
{
    struct tls_sess *s = SSL_get_app_data(ssl);
    struct slice list = offered(ssl);

    (void)alert;
    (void)ctx;
    if (s->tls->web == NULL || PLANTED(R02_ALPN) ||
        offers(list, SLICE_LIT(TLS_ALPN)) ||
        offers(list, SLICE_LIT(TLS_ALPN_PAIR)) ||
        (list.len > 0 && !offers(list, SLICE_LIT(TLS_ALPN_WEB))))
        return SSL_CLIENT_HELLO_SUCCESS; /* on_alpn has the last word */
    s->web = true;
    return SSL_set_SSL_CTX(ssl, s->tls->web) != NULL ? SSL_CLIENT_HELLO_SUCCESS
                                                     : SSL_CLIENT_HELLO_ERROR;
}

static int on_web_alpn(SSL *ssl, const unsigned char **out,
    unsigned char *out_len, const unsigned char *in, unsigned in_len, void *ctx)
{
    (void)ssl;
    (void)ctx;
    if (!offers(SLICE(in, in_len), SLICE_LIT(TLS_ALPN_WEB)))
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = (const unsigned char *)TLS_ALPN_WEB;
    *out_len = sizeof TLS_ALPN_WEB - 1;
    return SSL_TLSEXT_ERR_OK;
}

/* Chooses the protocol, and asks for a certificate only now, since it is a
 * device that calls. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *ctx)
{
    struct tls_sess *s = SSL_get_app_data(ssl);
    struct slice list = SLICE(in, in_len), name = SLICE_LIT(TLS_ALPN);

    (void)ctx;
    if (!offers(list, name)) {
        name = SLICE_LIT(TLS_ALPN_PAIR);
        s->pairing = true;
        if (!offers(list, name) && !PLANTED(R02_ALPN))
            return SSL_TLSEXT_ERR_ALERT_FATAL;
        if (!offers(list, name)) {
            name = SLICE(in + 1, in[0]);
            s->pairing = false;
        }
    }
    s->alpn = true;
    SSL_set_verify(
        ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    *out = name.ptr;
    *out_len = (unsigned char)name.len;
    return SSL_TLSEXT_ERR_OK;
}

/* A resumed session would not call on_verify: there is none. */
static bool set_rules(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_max_cert_list(ctx, 8192);
    return SSL_CTX_set_min_proto_version(ctx,
               PLANTED(R02_VERSION) ? TLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384") == 1 &&
        SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
        SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
        SSL_CTX_set1_client_sigalgs_list(ctx, "ed25519") == 1;
}

static int set_identity(
    SSL_CTX *ctx, const struct identity *identity, uint64_t wall_us)
{
    X509 *cert = NULL;
    int rc = identity_certificate(identity, wall_us, &cert);

    if (rc == SYNCLINE_OK &&
        (SSL_CTX_use_certificate(ctx, cert) != 1 ||
            SSL_CTX_use_PrivateKey(ctx, identity_key(identity)) != 1))
        rc = SYNCLINE_ENOMEM;
    X509_free(cert);
    return rc;
}

int tls_new(struct tls **out, const struct identity *identity, uint64_t wall_us,
    tls_admit_fn *admit, void *admit_ctx)
{
    struct tls *t = calloc(1, sizeof *t);
    int rc = SYNCLINE_ENOMEM;

    if (t == NULL)
        return rc;
    t->admit = admit;
    t->admit_ctx = admit_ctx;
    t->ctx = SSL_CTX_new(TLS_method());
    if (t->ctx == NULL || !set_rules(t->ctx))
        goto fail;
    rc = set_identity(t->ctx, identity, wall_us);
    if (rc != SYNCLINE_OK)
        goto fail;
    SSL_CTX_set_client_hello_cb(t->ctx, on_hello, NULL);
    SSL_CTX_set_alpn_select_cb(t->ctx, on_alpn, NULL);
    SSL_CTX_set_cert_verify_callback(t->ctx, on_verify, NULL);
    *out = t;
    return SYNCLINE_OK;
fail:
    ERR_clear_error();
    tls_free(t);
    return rc;
}

void tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    SSL_CTX_free(t->ctx);
    SSL_CTX_free(t->web);
    free(t);
}

int tls_set_web(
    struct tls *t, struct slice cert, struct slice key, struct errmsg *why)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    int rc = SYNCLINE_OK;

    if (ctx == NULL || !set_rules(ctx))
        rc = SYNCLINE_ENOMEM;
    else
        rc = tls_pem_use(ctx, cert, key, why);
    ERR_clear_error();
    if (rc != SYNCLINE_OK) {
        SSL_CTX_free(ctx);
        return rc;
    }
    SSL_CTX_set_alpn_select_cb(ctx, on_web_alpn, NULL);
    SSL_CTX_free(t->web); /* sessions have it as long as they need it */
    t->web = ctx;
    return SYNCLINE_OK;
}

static int sess_new(struct tls_sess **out, struct tls *t, bool inbound)
{
    struct tls_sess *s = calloc(1, sizeof *s);

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    s->tls = t;
    s->inbound = inbound;
    s->ssl = SSL_new(t->ctx);
    s->from_net = BIO_new(BIO_s_mem());
    s->to_net = BIO_new(BIO_s_mem());
    if (s->ssl == NULL || s->from_net == NULL || s->to_net == NULL) {
        BIO_free(s->from_net);
        BIO_free(s->to_net);
        tls_sess_free(s);
        ERR_clear_error();
        return SYNCLINE_ENOMEM;
    }
    SSL_set_bio(s->ssl, s->from_net, s->to_net);
    SSL_set_app_data(s->ssl, s);
    *out = s;
    return SYNCLINE_OK;
}

int tls_accept(struct tls_sess **out, struct tls *t)
{
    int rc = sess_new(out, t, true);

    if (rc == SYNCLINE_OK)
        SSL_set_accept_state((*out)->ssl);
    return rc;
}

int tls_connect(struct tls_sess **out, struct tls *t, bool pairing)
{
    static const uint8_t offer[] = "\x0a" TLS_ALPN;
    static const uint8_t offer_pair[] = "\x0f" TLS_ALPN_PAIR;
    const uint8_t *name = pairing ? offer_pair : offer;
    size_t name_len = pairing ? sizeof offer_pair - 1 : sizeof offer - 1;
    struct tls_sess *s;
    int rc = sess_new(&s, t, false);

    if (rc != SYNCLINE_OK)
        return rc;
    s->pairing = pairing;
    SSL_set_connect_state(s->ssl);
    SSL_set_verify(s->ssl, SSL_VERIFY_PEER, NULL);
    if (SSL_set_alpn_protos(s->ssl, name, (unsigned)name_len) != 0 ||
        SSL_set1_sigalgs_list(s->ssl, "ed25519") != 1) {
        tls_sess_free(s);
        ERR_clear_error();
        return SYNCLINE_ENOMEM;
    }
    *out = s;
    return SYNCLINE_OK;
}

void tls_sess_free(struct tls_sess *s)
{
    if (s == NULL)
        return;
    SSL_free(s->ssl);
    crypto_wipe(s->exporter, sizeof s->exporter);
    free(s);
}

/* The calls that follow ask OpenSSL's queue what went wrong. Mostly it is
 * empty, and to clear it takes as long as a hundred of its entries. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* Moves what OpenSSL wants sent to wire. */
static int drain(struct tls_sess *s, struct buf *wire)
{
    size_t n;

    while ((n = BIO_ctrl_pending(s->to_net)) > 0) {
        uint8_t *to = buf_reserve(wire, n);
        int got;

        if (to == NULL)
            return buf_status(wire);
        got = BIO_read(s->to_net, to, n > INT_MAX ? INT_MAX : (int)n);
        if (got <= 0)
            return SYNCLINE_ENOMEM;
        wire->len += (size_t)got;
    }
    return SYNCLINE_OK;
}

/* Why the last call failed, in words for the log. */
static int explain(struct tls_sess *s, struct errmsg *why)
{
    unsigned long e = ERR_peek_error();
    const char *text = ERR_reason_error_string(e);
    int reason = ERR_GET_REASON(e);

    ERR_clear_error();
    s->dead = true;
    if (s->refused[0] != 0)
        return errmsg_set(why, SYNCLINE_EDENIED, "%s", s->refused);
    if (reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE)
        return errmsg_set(
            why, SYNCLINE_EDENIED, "the peer does not admit this device");
    if (reason == ERR_R_MALLOC_FAILURE)
        return SYNCLINE_ENOMEM;
    return errmsg_set(why, SYNCLINE_EMALFORMED, "TLS: %s",
        text != NULL ? text : "the connection broke off");
}

static bool has_alpn(const struct tls_sess *s)
{
    const unsigned char *name;
    unsigned name_len;

    if (PLANTED(R02_ALPN))
        return true;
    SSL_get0_alpn_selected(s->ssl, &name, &name_len);
    return slice_is(
        SLICE(name, name_len), s->pairing ? TLS_ALPN_PAIR : TLS_ALPN);
}

/* The second look, which trusts nothing that the first has noted. */
static int check_peer(struct tls_sess *s, struct errmsg *why)
{
    uint8_t spki[ED25519_SPKI_LEN];
    struct device_id device;

    if ((SSL_version(s->ssl) != TLS1_3_VERSION && !PLANTED(R02_VERSION)) ||
        SSL_session_reused(s->ssl))
        return errmsg_set(
            why, SYNCLINE_EDENIED, "TLS: no full handshake of version 1.3");
    if (s->web)
        return SYNCLINE_OK;
    if (!has_alpn(s))
        return errmsg_set(
            why, SYNCLINE_EDENIED, "the peer does not speak " TLS_ALPN);
    if (read_peer(SSL_get0_peer_certificate(s->ssl), spki, &device) !=
        SYNCLINE_OK)
        return errmsg_set(
            why, SYNCLINE_EDENIED, "the peer has shown no certificate");
    if (!s->judged || !device_eq(&device, &s->device) ||
        memcmp(spki, s->spki, sizeof spki) != 0 ||
        (!s->tls->admit(s->tls->admit_ctx, &device, s->pairing) &&
            !PLANTED(R01_ADMIT))) {
        refuse(s, &device);
        return errmsg_set(why, SYNCLINE_EDENIED, "%s", s->refused);
    }
    return SYNCLINE_OK;
}

static int handshake(struct tls_sess *s, struct errmsg *why)
{
    int n, rc;

    ERR_clear_error();
    n = SSL_do_handshake(s->ssl);
    if (n != 1)
        return SSL_get_error(s->ssl, n) == SSL_ERROR_WANT_READ
            ? SYNCLINE_OK
            : explain(s, why);
    rc = check_peer(s, why);
    if (rc == SYNCLINE_OK &&
        SSL_export_keying_material(s->ssl, s->exporter, TLS_EXPORTER_LEN, LABEL,
            sizeof LABEL - 1, NULL, 0, 0) != 1)
        rc = SYNCLINE_ENOMEM;
    s->up = rc == SYNCLINE_OK;
    s->dead = !s->up;
    return rc;
}

/* Reading once more would say the same, but takes as long as a small record. */
static bool has_more(const struct tls_sess *s)
{
    return SSL_has_pending(s->ssl) == 1 || BIO_ctrl_pending(s->from_net) > 0;
}

static int read_all(struct tls_sess *s, struct buf *plain, struct errmsg *why)
{
    for (;;) {
        uint8_t *to = buf_reserve(plain, RECORD_MAX);
        size_t got;

        if (to == NULL) {
            s->dead = true;
            return buf_status(plain);
        }
        forget_errors();
        if (SSL_read_ex(s->ssl, to, RECORD_MAX, &got) == 1) {
            plain->len += got;
            if (has_more(s))
                continue;
            return SYNCLINE_OK;
        }
        switch (SSL_get_error(s->ssl, 0)) {
        case SSL_ERROR_WANT_READ:
            return SYNCLINE_OK;
        case SSL_ERROR_ZERO_RETURN:
            s->dead = true;
            return errmsg_set(
                why, SYNCLINE_ECLOSED, "the peer has closed the connection");
        default:
            return explain(s, why);
        }
    }
}

int tls_feed(struct tls_sess *s, struct slice in, struct buf *plain,
    struct buf *wire, struct errmsg *why)
{
    int rc = SYNCLINE_OK, drained;

    if (s->dead)
        return SYNCLINE_ECLOSED;
    if (in.len > INT_MAX)
        return SYNCLINE_EINVAL;
    if (in.len > 0 &&
        BIO_write(s->from_net, in.ptr, (int)in.len) != (int)in.len) {
        s->dead = true;
        return SYNCLINE_ENOMEM;
    }
    if (!s->up)
        rc = handshake(s, why);
    if (rc == SYNCLINE_OK && s->up)
        rc = read_all(s, plain, why);
    drained = drain(s, wire);
    return rc != SYNCLINE_OK ? rc : drained;
}

int tls_write(struct tls_sess *s, struct slice plain, struct buf *wire)
{
    ENSURE(s->up);
    while (plain.len > 0 && !s->dead) {
        size_t n = plain.len < RECORD_MAX ? plain.len : RECORD_MAX, done;

        forget_errors();
        if (++s->records >= REKEY_RECORDS) {
            s->records = 0;
            if (SSL_key_update(s->ssl, SSL_KEY_UPDATE_REQUESTED) != 1)
                s->dead = true;
        }
        if (SSL_write_ex(s->ssl, plain.ptr, n, &done) != 1 ||
            drain(s, wire) != SYNCLINE_OK) {
            ERR_clear_error();
            s->dead = true;
            break;
        }
        plain = slice_from(plain, done);
    }
    return s->dead ? SYNCLINE_ECLOSED : SYNCLINE_OK;
}

void tls_shut(struct tls_sess *s, struct buf *wire)
{
    if (!s->up || s->dead)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(s->ssl);
    (void)drain(s, wire);
    ERR_clear_error();
    s->dead = true;
}

bool tls_is_web(const struct tls_sess *s)
{
    return s->web;
}

bool tls_is_up(const struct tls_sess *s)
{
    return s->up;
}

bool tls_is_pairing(const struct tls_sess *s)
{
    return s->pairing;
}

const struct device_id *tls_device(const struct tls_sess *s)
{
    return &s->device;
}

struct slice tls_spki(const struct tls_sess *s)
{
    return SLICE(s->spki, sizeof s->spki);
}

const uint8_t *tls_exporter(const struct tls_sess *s)
{
    return s->exporter;
}
