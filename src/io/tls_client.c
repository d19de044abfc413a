#include "io/tls_client.h"

#include "base/plant.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define PIECE 16384

struct tls_roots {
    SSL_CTX *ctx;
};

struct tls_client {
    SSL *ssl;
    BIO *from_net, *to_net; /* the SSL's */
    bool is_up;
};

int tls_roots_new(struct tls_roots **out, const char *file, struct errmsg *why)
{
    struct tls_roots *r = calloc(1, sizeof *r);
    int rc = SYNCLINE_ENOMEM;

    if (r == NULL)
        return rc;
    r->ctx = SSL_CTX_new(TLS_client_method());
    if (r->ctx == NULL ||
        SSL_CTX_set_min_proto_version(r->ctx, TLS1_2_VERSION) != 1)
        goto fail;
    SSL_CTX_set_verify(r->ctx,
        PLANTED(R02_AUTHORITY) ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(r->ctx, SSL_MODE_RELEASE_BUFFERS);
    if (file != NULL && SSL_CTX_load_verify_file(r->ctx, file) != 1) {
        rc = errmsg_set(
            why, SYNCLINE_EINVAL, "%s: no PEM of certificates", file);
        goto fail;
    }
    if (file == NULL && SSL_CTX_set_default_verify_paths(r->ctx) != 1)
        goto fail;
    *out = r;
    return SYNCLINE_OK;
fail:
    ERR_clear_error();
    tls_roots_free(r);
    return rc;
}

void tls_roots_free(struct tls_roots *r)
{
    if (r == NULL)
        return;
    SSL_CTX_free(r->ctx);
    free(r);
}

/* An address is looked for among the addresses that the certificate names. */
static bool set_name(SSL *ssl, const char *host)
{
    uint8_t addr[16];

    if (inet_pton(AF_INET, host, addr) == 1 ||
        inet_pton(AF_INET6, host, addr) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set1_host(ssl, host) == 1 &&
        SSL_set_tlsext_host_name(ssl, host) == 1;
}

int tls_client_new(
    struct tls_client **out, struct tls_roots *r, const char *host)
{
    struct tls_client *c = calloc(1, sizeof *c);

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    c->ssl = SSL_new(r->ctx);
    c->from_net = BIO_new(BIO_s_mem());
    c->to_net = BIO_new(BIO_s_mem());
    if (c->ssl == NULL || c->from_net == NULL || c->to_net == NULL) {
        BIO_free(c->from_net);
        BIO_free(c->to_net);
        goto fail;
    }
    SSL_set_bio(c->ssl, c->from_net, c->to_net);
    SSL_set_connect_state(c->ssl);
    if (!set_name(c->ssl, host))
        goto fail;
    *out = c;
    return SYNCLINE_OK;
fail:
    ERR_clear_error();
    tls_client_free(c);
    return SYNCLINE_ENOMEM;
}

void tls_client_free(struct tls_client *c)
{
    if (c == NULL)
        return;
    SSL_free(c->ssl);
    free(c);
}

static int take_wire(struct tls_client *c, struct buf *wire)
{
    const char *p;
    long n = BIO_get_mem_data(c->to_net, &p);

    if (n > 0) {
        buf_put(wire, p, (size_t)n);
        (void)BIO_reset(c->to_net);
    }
    return buf_status(wire);
}

static int failed(const struct tls_client *c, struct errmsg *why)
{
    long verdict = SSL_get_verify_result(c->ssl);
    unsigned long e = ERR_peek_last_error();
    const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;

    if (verdict != X509_V_OK)
        errmsg_set(why, 0, "its certificate: %s",
            X509_verify_cert_error_string(verdict));
    else
        errmsg_set(why, 0, "TLS: %s", reason != NULL ? reason : "it failed");
    ERR_clear_error();
    return verdict != X509_V_OK ? SYNCLINE_EDENIED : SYNCLINE_EMALFORMED;
}

static int read_plain(
    struct tls_client *c, struct buf *plain, struct errmsg *why)
{
    for (;;) {
        uint8_t *to = buf_reserve(plain, PIECE);
        int n = to == NULL ? 0 : SSL_read(c->ssl, to, PIECE), e;

        if (to == NULL)
            return buf_status(plain);
        if (n > 0) {
            plain->len += (size_t)n;
            continue;
        }
        e = SSL_get_error(c->ssl, n);
        if (e == SSL_ERROR_WANT_READ)
            return SYNCLINE_OK;
        if (e == SSL_ERROR_ZERO_RETURN)
            return SYNCLINE_ECLOSED;
        return failed(c, why);
    }
}

int tls_client_feed(struct tls_client *c, struct slice in, struct buf *plain,
    struct buf *wire, struct errmsg *why)
{
    int rc = SYNCLINE_OK, wrote;

    ERR_clear_error();
    if (in.len > INT_MAX)
        return SYNCLINE_ELIMIT;
    if (in.len > 0 &&
        BIO_write(c->from_net, in.ptr, (int)in.len) != (int)in.len)
        return SYNCLINE_ENOMEM;
    if (!c->is_up) {
        int n = SSL_do_handshake(c->ssl);

        c->is_up = n == 1;
        if (n != 1 && SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ)
            rc = failed(c, why);
    }
    if (rc == SYNCLINE_OK && c->is_up)
        rc = read_plain(c, plain, why);
    wrote = take_wire(c, wire);
    return rc == SYNCLINE_OK ? wrote : rc;
}

int tls_client_write(struct tls_client *c, struct slice plain, struct buf *wire)
{
    ENSURE(c->is_up);
    ERR_clear_error();
    while (plain.len > 0) {
        size_t n = plain.len < PIECE ? plain.len : PIECE;

        if (SSL_write(c->ssl, plain.ptr, (int)n) != (int)n) {
            ERR_clear_error();
            return SYNCLINE_EIO;
        }
        plain = slice_from(plain, n);
    }
    return take_wire(c, wire);
}

bool tls_client_is_up(const struct tls_client *c)
{
    return c->is_up;
}
