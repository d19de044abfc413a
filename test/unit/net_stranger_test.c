/* Peers that do not keep to the protocol, or who are nobody we know: a TLS
 * client written straight on OpenSSL, and bare sockets. */
#include "io/net.h"

#include <errno.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>

#include "unit/net_world.h"

#include "base/codec.h"
#include "io/clock.h"
#include "io/sockaddr.h"

static struct world w;

/* A bare TCP connection to b from 127.0.0.<host>. */
static int tcp(uint8_t host)
{
    struct netaddr from = { .family = 4, .addr = { 127, 0, 0, host } };
    struct sockaddr_storage sa;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    CHECK(fd >= 0);
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    CHECK(sockaddr_of(&sa, &from));
    CHECK(bind(fd, (struct sockaddr *)&sa, sizeof(struct sockaddr_in)) == 0);
    CHECK(sockaddr_of(&sa, &w.b.at));
    CHECK(connect(fd, (struct sockaddr *)&sa, sizeof(struct sockaddr_in)) == 0);
    return fd;
}

/* What recv says now: bytes, 0 at the end (a reset is one too), or -1. */
static ssize_t look(int fd, uint8_t *p, size_t n)
{
    ssize_t got = recv(fd, p, n, MSG_DONTWAIT);

    return got < 0 && (errno == ECONNRESET || errno == EPIPE) ? 0 : got;
}

static bool is_closed(int fd)
{
    uint8_t rest[4096];
    ssize_t n;

    while ((n = look(fd, rest, sizeof rest)) > 0)
        continue;
    return n == 0;
}

struct stranger {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    size_t piece;        /* bytes a write */
    unsigned cert_asked; /* how often a certificate was */
    unsigned tickets;    /* that were handed to it */
    bool ended;
    struct buf got; /* application bytes */
};

static int on_cert_asked(SSL *ssl, void *ctx)
{
    struct stranger *s = ctx;

    (void)ssl;
    s->cert_asked++;
    return 1;
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct stranger *s = SSL_get_app_data(ssl);

    (void)session;
    s->tickets++;
    return 0;
}

/* alpn is in wire form; identity may be NULL: no certificate. */
static void stranger_init(
    struct stranger *s, struct slice alpn, const struct identity *identity)
{
    X509 *cert;

    *s = (struct stranger){ .fd = tcp(1), .piece = 65536 };
    s->ctx = SSL_CTX_new(TLS_client_method());
    CHECK(s->ctx != NULL);
    SSL_CTX_set_cert_cb(s->ctx, on_cert_asked, s);
    SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(s->ctx, on_ticket);
    if (alpn.len > 0)
        CHECK(
            SSL_CTX_set_alpn_protos(s->ctx, alpn.ptr, (unsigned)alpn.len) == 0);
    if (identity == NULL)
        return;
    CHECK_OK(identity_certificate(identity, clock_wall_us(), &cert));
    CHECK(SSL_CTX_use_certificate(s->ctx, cert) == 1);
    CHECK(SSL_CTX_use_PrivateKey(s->ctx, identity_key(identity)) == 1);
    X509_free(cert);
}

static void stranger_begin(struct stranger *s)
{
    s->ssl = SSL_new(s->ctx);
    CHECK(s->ssl != NULL);
    SSL_set_bio(s->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(s->ssl);
    SSL_set_app_data(s->ssl, s);
}

static void stranger_free(struct stranger *s)
{
    SSL_free(s->ssl);
    SSL_CTX_free(s->ctx);
    buf_free(&s->got);
    (void)close(s->fd);
}

/* Moves bytes both ways once, and gives the loop a turn for each piece. */
static void stranger_step(struct stranger *s)
{
    uint8_t bytes[65536];
    ssize_t n;
    int m;

    if (!SSL_is_init_finished(s->ssl))
        (void)SSL_do_handshake(s->ssl);
    while ((m = SSL_read(s->ssl, bytes, sizeof bytes)) > 0)
        buf_put(&s->got, bytes, (size_t)m);
    while ((m = BIO_read(SSL_get_wbio(s->ssl), bytes, (int)s->piece)) > 0) {
        (void)send(s->fd, bytes, (size_t)m, MSG_NOSIGNAL);
        uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    uv_run(&w.loop, UV_RUN_NOWAIT);
    n = look(s->fd, bytes, sizeof bytes);
    if (n > 0)
        CHECK(BIO_write(SSL_get_rbio(s->ssl), bytes, (int)n) == n);
    s->ended = s->ended || n == 0;
}

#define STEP_UNTIL(s, what)                            \
    do {                                               \
        world_limit(&w);                               \
        while (!(what)) {                              \
            CHECK_SAYING(!w.late, "never: %s", #what); \
            stranger_step(s);                          \
        }                                              \
    } while (0)

#define OUR_ALPN SLICE_LIT("\x0asyncline/1")

/* Runs a stranger to its end: it must get nothing and b must not notice. */
static void turned_away(struct stranger *s)
{
    stranger_begin(s);
    STEP_UNTIL(s, s->ended);
    stranger_step(s);
    CHECK_UINT(s->got.len, 0);
    CHECK_UINT(w.b.ups, 0);
    CHECK_UINT(w.b.frames, 0);
    CHECK_UINT(net_stats(w.b.net)->half_open, 0);
    CHECK_UINT(net_stats(w.b.net)->refused, 1);
    stranger_free(s);
    world_close(&w);
}

TEST(no_client_certificate)
{
    struct stranger s;

    world_init(&w, "127.0.0.1:0", NULL);
    stranger_init(&s, OUR_ALPN, NULL);
    stranger_begin(&s);
    STEP_UNTIL(&s, s.ended);
    CHECK(s.cert_asked > 0);
    CHECK_UINT(w.b.asked, 0);
    SSL_free(s.ssl);
    CHECK_UINT(net_stats(w.b.net)->refused, 1);
    (void)close(s.fd);
    SSL_CTX_free(s.ctx);
    stranger_init(&s, SLICE_LIT("\x0fsyncline-pair/1"), NULL);
    stranger_begin(&s);
    STEP_UNTIL(&s, s.ended);
    CHECK_UINT(s.got.len, 0);
    CHECK_UINT(w.b.ups, 0);
    stranger_free(&s);
    world_close(&w);
}

/* Also: a browser is not asked for a certificate. */
TEST(another_alpn)
{
    struct stranger s;

    world_init(&w, "127.0.0.1:0", NULL);
    stranger_init(&s, SLICE_LIT("\x02h2\x08http/1.1"), w.a.identity);
    turned_away(&s);
    CHECK_UINT(s.cert_asked, 0);
}

TEST(no_alpn)
{
    struct stranger s;

    world_init(&w, "127.0.0.1:0", NULL);
    stranger_init(&s, SLICE_NONE, w.a.identity);
    turned_away(&s);
    CHECK_UINT(s.cert_asked, 0);
}

TEST(an_alpn_that_only_begins_like_ours)
{
    struct stranger s;

    world_init(&w, "127.0.0.1:0", NULL);
    stranger_init(&s, SLICE_LIT("\x0bsyncline/10\x09syncline/"), w.a.identity);
    turned_away(&s);
}

TEST(tls_1_2)
{
    struct stranger s;

    world_init(&w, "127.0.0.1:0", NULL);
    stranger_init(&s, OUR_ALPN, w.a.identity);
    CHECK(SSL_CTX_set_max_proto_version(s.ctx, TLS1_2_VERSION) == 1);
    turned_away(&s);
}

TEST(another_cipher)
{
    struct stranger s;

    world_init(&w, "127.0.0.1:0", NULL);
    stranger_init(&s, OUR_ALPN, w.a.identity);
    CHECK(SSL_CTX_set_ciphersuites(s.ctx,
              "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256") == 1);
    turned_away(&s);
}

/* An ECDSA key is no device's, whatever admit() would say. */
TEST(a_certificate_of_another_kind)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    struct stranger s;

    CHECK(key != NULL && cert != NULL);
    CHECK(X509_set_version(cert, X509_VERSION_3) == 1);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(cert), 0) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(cert), 3600) != NULL);
    CHECK(X509_set_pubkey(cert, key) == 1);
    CHECK(X509_sign(cert, key, EVP_sha256()) != 0);
    world_init(&w, "127.0.0.1:0", NULL);
    stranger_init(&s, OUR_ALPN, NULL);
    CHECK(SSL_CTX_use_certificate(s.ctx, cert) == 1);
    CHECK(SSL_CTX_use_PrivateKey(s.ctx, key) == 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    turned_away(&s);
    CHECK_UINT(w.b.asked, 0);
}

/* What a member sends arrives whole however the network cuts it, and it is
 * given no ticket to come back with. */
TEST(a_member_byte_by_byte)
{
    struct buf frames = { 0 };
    struct stranger s;

    world_init(&w, "127.0.0.1:0", NULL);
    stranger_init(&s, OUR_ALPN, w.a.identity);
    s.piece = 1;
    stranger_begin(&s);
    STEP_UNTIL(&s, w.b.ups == 1 && SSL_is_init_finished(s.ssl));
    CHECK(device_eq(&w.b.device, identity_device(w.a.identity)));
    put_u32(&frames, 5);
    buf_put_str(&frames, "hello");
    put_u32(&frames, 0);
    put_u32(&frames, 3);
    buf_put_str(&frames, "you");
    for (size_t i = 0; i < frames.len; i++)
        CHECK(SSL_write(s.ssl, frames.ptr + i, 1) == 1);
    STEP_UNTIL(&s, w.b.frames == 3);
    CHECK_UINT(w.b.bytes, 8);
    CHECK_SLICE(buf_slice(&w.b.last), "you");
    CHECK_OK(net_send(w.b.net, w.b.conn, SLICE_LIT("back")));
    STEP_UNTIL(&s, s.got.len == 8);
    CHECK_BYTES(buf_slice(&s.got), SLICE_LIT("\4\0\0\0back"));
    CHECK_UINT(s.tickets, 0);
    buf_free(&frames);
    stranger_free(&s);
    world_close(&w);
}

/* R30: its length alone ends it. The frame before it still counts. */
TEST(a_frame_too_long)
{
    struct buf frames = { 0 };
    struct stranger s;

    world_init(&w, "127.0.0.1:0", NULL);
    stranger_init(&s, OUR_ALPN, w.a.identity);
    stranger_begin(&s);
    STEP_UNTIL(&s, w.b.ups == 1 && SSL_is_init_finished(s.ssl));
    put_u32(&frames, 2);
    buf_put_str(&frames, "ok");
    put_u32(&frames, NET_FRAME_MAX + 1);
    CHECK(SSL_write(s.ssl, frames.ptr, (int)frames.len) > 0);
    STEP_UNTIL(&s, w.b.downs == 1 && s.ended);
    CHECK_UINT(w.b.frames, 1);
    CHECK(strstr(w.b.reason, "allowed") != NULL);
    buf_free(&frames);
    stranger_free(&s);
    world_close(&w);
}

/* A record altered on the way ends the session. */
TEST(a_broken_record)
{
    static const uint8_t junk[] = { 23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9,
        10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 };
    struct stranger s;

    world_init(&w, "127.0.0.1:0", NULL);
    stranger_init(&s, OUR_ALPN, w.a.identity);
    stranger_begin(&s);
    STEP_UNTIL(&s, w.b.ups == 1);
    CHECK(send(s.fd, junk, sizeof junk, MSG_NOSIGNAL) == sizeof junk);
    STEP_UNTIL(&s, w.b.downs == 1 && s.ended);
    CHECK(strstr(w.b.reason, "TLS: ") != NULL);
    stranger_free(&s);
    world_close(&w);
}

/* Who says nothing costs little: where there are too many of them, who has been
 * silent for longest goes. */
TEST(silent_ones_make_room_for_one_another)
{
    struct net_options opt = { .handshake_ms = 300 };
    int fd[64], n = 0, more;

    world_init(&w, "127.0.0.1:0", &opt);
    for (int i = 0; i < 8; i++)
        for (uint8_t host = 1; host <= 8; host++)
            fd[n++] = tcp(host);
    AWAIT(&w, net_stats(w.b.net)->half_open == 64);
    more = tcp(99);
    AWAIT(&w, is_closed(fd[0]));
    AWAIT(&w, net_stats(w.b.net)->half_open == 64);
    CHECK(!is_closed(more) && !is_closed(fd[1]));
    (void)close(more);
    AWAIT(&w, net_stats(w.b.net)->half_open == 0);
    for (int i = 0; i < n; i++) {
        AWAIT(&w, is_closed(fd[i]));
        (void)close(fd[i]);
    }
    world_close(&w);
}

TEST(of_one_address_fewer_are_silent)
{
    int fd[17];

    world_init(&w, "127.0.0.1:0", NULL);
    for (int i = 0; i < 16; i++)
        fd[i] = tcp(5);
    AWAIT(&w, net_stats(w.b.net)->half_open == 16);
    fd[16] = tcp(6);
    AWAIT(&w, net_stats(w.b.net)->half_open == 17);
    (void)close(fd[16]);
    AWAIT(&w, net_stats(w.b.net)->half_open == 16);
    fd[16] = tcp(5);
    AWAIT(&w, is_closed(fd[0]));
    for (int i = 1; i < 17; i++)
        CHECK(!is_closed(fd[i]));
    world_connect(&w); /* and who knows what to say is not kept out */
    for (int i = 0; i < 17; i++)
        (void)close(fd[i]);
    world_close(&w);
}

/* Begins a handshake and goes no further. */
static int begins(uint8_t host)
{
    int fd = tcp(host);

    CHECK(send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL) == 3);
    return fd;
}

/* R1: there are four handshakes of one address at a time. Eight more wait their
 * turn, and beyond those it is over at once. */
TEST(handshakes_of_one_address_wait_for_one_another)
{
    struct net_options opt = { .handshake_ms = 5000 };
    struct stranger s;
    int fd[4], late[8];

    world_init(&w, "127.0.0.1:0", &opt);
    for (int i = 0; i < 4; i++)
        fd[i] = begins(1);
    AWAIT(&w, net_stats(w.b.net)->bytes_in == 12);
    stranger_init(&s, OUR_ALPN, w.a.identity);
    stranger_begin(&s);
    for (int i = 0; i < 200; i++)
        stranger_step(&s);
    CHECK_UINT(net_stats(w.b.net)->half_open, 5);
    CHECK_UINT(w.b.ups, 0);
    CHECK(!s.ended && !SSL_is_init_finished(s.ssl));
    for (int i = 0; i < 7; i++)
        late[i] = begins(1);
    AWAIT(&w, net_stats(w.b.net)->half_open == 12);
    late[7] = begins(1);
    AWAIT(&w, is_closed(late[7]));
    (void)close(fd[2]);
    STEP_UNTIL(&s, w.b.ups == 1); /* who came first of those who waited */
    (void)close(fd[0]);
    (void)close(fd[1]);
    (void)close(fd[3]);
    for (int i = 0; i < 8; i++)
        (void)close(late[i]);
    stranger_free(&s);
    world_close(&w);
}

TEST(handshakes_are_few_in_all)
{
    struct net_options opt = { .handshake_ms = 300 };
    int fd[32], n = 0, more;

    world_init(&w, "127.0.0.1:0", &opt);
    for (uint8_t host = 1; host <= 8; host++)
        for (int i = 0; i < 4; i++)
            fd[n++] = begins(host);
    AWAIT(&w, net_stats(w.b.net)->bytes_in == 96);
    more = begins(99);
    AWAIT(&w, net_stats(w.b.net)->half_open == 33);
    CHECK(!is_closed(more));
    (void)close(more);
    AWAIT(&w, net_stats(w.b.net)->half_open == 0);
    for (int i = 0; i < n; i++) {
        AWAIT(&w, is_closed(fd[i]));
        (void)close(fd[i]);
    }
    world_connect(&w); /* and those who are known come in again */
    world_close(&w);
}

TEST(a_handshake_that_stops_midway_has_a_deadline)
{
    struct net_options opt = { .handshake_ms = 60 };
    uint64_t before;
    int fd;

    world_init(&w, "127.0.0.1:0", &opt);
    before = clock_mono_us();
    fd = tcp(1);
    CHECK(send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL) == 3);
    AWAIT(&w, is_closed(fd));
    CHECK(clock_mono_us() - before >= 50 * 1000);
    (void)close(fd);
    world_close(&w);
}

/* A listener that accepts and is silent, where a dialler hopes for TLS. */
TEST(a_dial_that_is_never_answered_has_a_deadline)
{
    struct net_options opt = { .handshake_ms = 60 };
    struct netaddr at = { .family = 4, .addr = { 127, 0, 0, 1 } };
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(sockaddr_of(&sa, &at));
    CHECK(bind(fd, (struct sockaddr *)&sa, sizeof(struct sockaddr_in)) == 0);
    CHECK(listen(fd, 1) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
    at = netaddr_of((struct sockaddr *)&sa);
    world_init(&w, "127.0.0.1:0", &opt);
    CHECK_OK(net_dial(w.a.net, 4, &at, false));
    AWAIT(&w, w.a.downs == 1);
    CHECK(strstr(w.a.reason, "no handshake within 60 ms") != NULL);
    (void)close(fd);
    world_close(&w);
}

TEST(a_stranger_may_not_make_us_take_much)
{
    struct net_options opt = { .half_open_bytes = 100 };
    struct stranger s;

    world_init(&w, "127.0.0.1:0", &opt);
    w.b.admits = true;
    stranger_init(&s, OUR_ALPN, w.a.identity);
    turned_away(&s); /* its hello is longer than that */
}

TEST(plain_visitors_are_noticed_and_turned_away)
{
    static const struct {
        const char *text;
        size_t len;
        unsigned plains;
    } rows[] = {
        { "GET / HTTP/1.1\r\n", 16, 1 },
        { "\0\0\0\x10{", 5, 1 },
        { "\x01\0\0\0{", 5, 1 },
        { "\x80\x01", 2, 0 },
        { "get", 3, 0 },
        { "\x02", 1, 0 },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        uint8_t got[16];
        int fd;

        world_init(&w, "127.0.0.1:0", NULL);
        fd = tcp(1);
        CHECK(send(fd, rows[i].text, rows[i].len, MSG_NOSIGNAL) ==
            (ssize_t)rows[i].len);
        AWAIT(&w, net_stats(w.b.net)->refused == 1);
        CHECK_UINT(w.b.plains, rows[i].plains);
        if (rows[i].plains > 0)
            CHECK_UINT(w.b.first, (uint8_t)rows[i].text[0]);
        world_run_ms(&w, 1);
        CHECK(look(fd, got, sizeof got) == 0);
        CHECK_UINT(w.b.ups + w.b.downs, 0);
        (void)close(fd);
        world_close(&w);
    }
}

/* Wherever memory runs out, the two ends meet or are told, and meet the next
 * time. */
TEST(memory_that_runs_out_while_two_meet)
{
    bool failed = true;

    for (long n = 0; failed; n++) {
        world_init(&w, "127.0.0.1:0", NULL);
        check_alloc_fail_from(n);
        if (net_dial(w.a.net, 7, &w.b.at, false) == SYNCLINE_OK) {
            for (int i = 0; i < 200 && w.b.frames == 0 && w.a.downs == 0; i++) {
                CHECK_OK(net_send(w.a.net, 7, SLICE_LIT("frame")));
                world_run_ms(&w, 1);
                failed = check_alloc_failed();
                if (failed)
                    break;
            }
        }
        failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        if (!failed)
            CHECK(w.b.frames > 0);
        CHECK_OK(net_dial(w.a.net, 8, &w.b.at, false));
        AWAIT(&w, w.a.conn == 8 && w.b.ups > 0);
        world_close(&w);
    }
}
