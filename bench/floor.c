/* floor.c - the least that two nodes could do, as a measure for what ours do:
 * a driver hands records to A, A appends them to its log and sends them on
 * over TLS 1.3, B appends them to its own and hands them to a watcher.
 * A forwards before it syncs and acknowledges after; B shows a record before
 * it syncs and says afterwards how far it got. No merging, no index, no state.
 *
 *   floor DIR paced N RATE     N records, RATE a second
 *   floor DIR write N BATCH    N records in batches, as fast as they go
 *
 * Driver and watcher are one process, A and B one each. Prints one JSON
 * object. Logs go to DIR. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD VALUE_MAX_BYTES
#define ROOM ((size_t)1 << 20)
#define TLS_PIECE 16384
#define WINDOW 65536 /* records not yet durable at both */

/* Bytes that come in any pieces and are used a record at a time. */
struct intake {
    char *bytes;
    size_t len;
};

static void intake_open(struct intake *in)
{
    *in = (struct intake){ .bytes = malloc(ROOM) };
    if (in->bytes == NULL)
        die("memory ran out");
}

static size_t whole(const struct intake *in)
{
    return in->len - in->len % RECORD;
}

static void used(struct intake *in, size_t n)
{
    memmove(in->bytes, in->bytes + n, in->len - n);
    in->len -= n;
}

static void write_whole(int fd, const void *bytes, size_t n)
{
    for (const char *p = bytes; n > 0;) {
        ssize_t done = write(fd, p, n);

        if (done <= 0)
            _exit(1);
        p += done;
        n -= (size_t)done;
    }
}

static int log_open(const char *dir, const char *name)
{
    char path[4096];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (fd < 0)
        die("%s: %s", path, strerror(errno));
    return fd;
}

/* Says how many records are durable at `who`: a record of its own kind. */
static void tell_durable(int fd, char who, uint64_t n)
{
    char note[RECORD] = { 0 };

    note[0] = who;
    memcpy(note + 8, &n, sizeof n);
    write_whole(fd, note, sizeof note);
}

/* ---- the two nodes ---- */

static void run_a(const char *dir, SSL *tls, int driver)
{
    int log = log_open(dir, "a.log");
    struct intake in;
    uint64_t n = 0;
    ssize_t got;

    intake_open(&in);
    while ((got = read(driver, in.bytes + in.len, ROOM - in.len)) > 0) {
        size_t len;

        in.len += (size_t)got;
        len = whole(&in);
        if (len == 0)
            continue;
        write_whole(log, in.bytes, len);
        for (size_t at = 0; at < len; at += TLS_PIECE) {
            size_t piece = len - at < TLS_PIECE ? len - at : TLS_PIECE;

            if (SSL_write(tls, in.bytes + at, (int)piece) <= 0)
                _exit(1);
        }
        if (fdatasync(log) != 0)
            _exit(1);
        n += len / RECORD;
        tell_durable(driver, 'A', n);
        used(&in, len);
    }
    _exit(0);
}

/* All that has come, but no more than there is room for. */
static int read_tls(SSL *tls, struct intake *in)
{
    do {
        int got = SSL_read(tls, in->bytes + in->len, (int)(ROOM - in->len));

        if (got <= 0)
            return -1;
        in->len += (size_t)got;
    } while (SSL_pending(tls) > 0 && ROOM - in->len > TLS_PIECE);
    return 0;
}

static void run_b(const char *dir, SSL *tls, int watcher)
{
    int log = log_open(dir, "b.log");
    struct intake in;
    uint64_t n = 0;

    intake_open(&in);
    while (read_tls(tls, &in) == 0) {
        size_t len = whole(&in);

        if (len == 0)
            continue;
        write_whole(log, in.bytes, len);
        write_whole(watcher, in.bytes, len);
        if (fdatasync(log) != 0)
            _exit(1);
        n += len / RECORD;
        tell_durable(watcher, 'B', n);
        used(&in, len);
    }
    _exit(0);
}

/* ---- the link ---- */

static void no_delay(int fd)
{
    const int yes = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static EVP_PKEY *make_key(X509 **cert)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    *cert = X509_new();
    if (key == NULL || *cert == NULL)
        die("no key could be made");
    (void)X509_set_version(*cert, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(*cert), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(*cert), 0);
    (void)X509_gmtime_adj(X509_getm_notAfter(*cert), 3600);
    (void)X509_set_pubkey(*cert, key);
    if (X509_sign(*cert, key, NULL) == 0)
        die("no certificate could be made");
    return key;
}

static SSL *tls_open(int fd, bool server)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    X509 *cert;
    EVP_PKEY *key = make_key(&cert);
    SSL *tls;

    (void)SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    (void)SSL_CTX_use_certificate(ctx, cert);
    (void)SSL_CTX_use_PrivateKey(ctx, key);
    tls = SSL_new(ctx);
    (void)SSL_set_fd(tls, fd);
    no_delay(fd);
    if ((server ? SSL_accept(tls) : SSL_connect(tls)) <= 0)
        die("the TLS handshake failed");
    return tls;
}

static int listen_anywhere(struct sockaddr_in *at)
{
    socklen_t len = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *at = (struct sockaddr_in){ .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (bind(fd, (const void *)at, sizeof *at) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (void *)at, &len) != 0)
        die("cannot listen on loopback");
    return fd;
}

/* Forks one node; returns the end to talk to it. */
static int spawn(const char *dir, int listener, const struct sockaddr_in *at)
{
    int ends[2], fd;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        die("no socket to be had");
    if (fork() != 0) {
        (void)close(ends[1]);
        return ends[0];
    }
    (void)close(ends[0]);
    if (listener >= 0) {
        fd = accept(listener, NULL, NULL);
        run_b(dir, tls_open(fd, true), ends[1]);
    }
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const void *)at, sizeof *at) != 0)
        die("cannot connect on loopback");
    run_a(dir, tls_open(fd, false), ends[1]);
    _exit(1);
}

/* ---- driver and watcher ---- */

struct run {
    int a, b;
    struct intake in_a, in_b;
    uint64_t durable_a, durable_b, sent;
    struct samples seen, acked;
    uint64_t *sent_at;
};

static void take_record(struct run *r, const char *record)
{
    uint64_t n;

    memcpy(&n, record + 8, sizeof n);
    if (record[0] == 'A') {
        for (; r->durable_a < n; r->durable_a++)
            samples_add(&r->acked, now_ns() - r->sent_at[r->durable_a]);
    } else if (record[0] == 'B') {
        r->durable_b = n;
    } else {
        samples_add(&r->seen, now_ns() - value_at(record, RECORD));
    }
}

static void take(struct run *r, int fd, struct intake *in)
{
    ssize_t got = recv(fd, in->bytes + in->len, ROOM - in->len, MSG_DONTWAIT);
    size_t len;

    if (got <= 0)
        die("a node of the floor ended");
    in->len += (size_t)got;
    len = whole(in);
    for (size_t at = 0; at < len; at += RECORD)
        take_record(r, in->bytes + at);
    used(in, len);
}

/* Takes what comes until then, or until something has come. */
static void run_until(struct run *r, uint64_t due)
{
    struct pollfd fds[2] = { { .fd = r->b, .events = POLLIN },
        { .fd = r->a, .events = POLLIN } };
    uint64_t now = now_ns(), left = due > now ? due - now : 0;
    struct timespec wait = { .tv_sec = (time_t)(left / 1000000000),
        .tv_nsec = (long)(left % 1000000000) };

    if (ppoll(fds, 2, &wait, NULL) <= 0)
        return;
    if (fds[0].revents != 0)
        take(r, r->b, &r->in_b);
    if (fds[1].revents != 0)
        take(r, r->a, &r->in_a);
}

/* Takes what comes while A has no room, or all would wait for each other. */
static void hand_over(struct run *r, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = send(r->a, bytes, n, MSG_DONTWAIT);

        if (done < 0 && errno != EAGAIN)
            die("a node of the floor ended");
        if (done <= 0) {
            run_until(r, now_ns() + 1000000);
            continue;
        }
        bytes += done;
        n -= (size_t)done;
    }
}

static void send_batch(struct run *r, uint64_t n)
{
    static char batch[256 * RECORD];

    for (uint64_t i = 0; i < n; i++) {
        uint64_t now = now_ns();

        memset(batch + i * RECORD, 0, RECORD);
        (void)value_make(batch + i * RECORD, now, r->sent);
        r->sent_at[r->sent++] = now;
    }
    hand_over(r, batch, n * RECORD);
}

static void paced(struct run *r, uint64_t n, uint64_t rate)
{
    uint64_t start = now_ns();

    for (uint64_t i = 0; i < n; i++) {
        uint64_t due = start + i * 1000000000u / rate;

        while (now_ns() < due)
            run_until(r, due);
        send_batch(r, 1);
    }
    while (r->durable_a < n || r->durable_b < n)
        run_until(r, UINT64_MAX / 2);
    (void)printf("{");
    samples_print(&r->seen, "seen_us");
    (void)printf(",");
    samples_print(&r->acked, "acked_us");
    (void)printf("}\n");
}

static uint64_t durable(const struct run *r)
{
    return r->durable_a < r->durable_b ? r->durable_a : r->durable_b;
}

static void write_all(struct run *r, uint64_t n, uint64_t batch)
{
    uint64_t start = now_ns();

    while (r->sent < n) {
        while (r->sent - durable(r) >= WINDOW)
            run_until(r, UINT64_MAX / 2);
        send_batch(r, n - r->sent < batch ? n - r->sent : batch);
        run_until(r, 0);
    }
    while (durable(r) < n)
        run_until(r, UINT64_MAX / 2);
    (void)printf("{\"per_second\":%.0f}\n",
        (double)n * 1e9 / (double)(now_ns() - start));
}

int main(int argc, char **argv)
{
    struct run r = { 0 };
    struct sockaddr_in at;
    uint64_t n, arg;
    int listener;

    n = argc == 5 ? strtoull(argv[3], NULL, 10) : 0;
    arg = argc == 5 ? strtoull(argv[4], NULL, 10) : 0;
    if (n == 0 || arg == 0 || arg > 100000)
        die("usage: see the top of bench/floor.c");
    (void)signal(SIGPIPE, SIG_IGN);
    listener = listen_anywhere(&at);
    r.b = spawn(argv[1], listener, &at);
    r.a = spawn(argv[1], -1, &at);
    intake_open(&r.in_a);
    intake_open(&r.in_b);
    samples_open(&r.seen, n);
    samples_open(&r.acked, n);
    r.sent_at = calloc(n, sizeof *r.sent_at);
    if (r.sent_at == NULL)
        die("memory ran out");
    if (strcmp(argv[2], "paced") == 0)
        paced(&r, n, arg);
    else
        write_all(&r, n, arg > 256 ? 256 : arg);
    (void)close(r.a); /* A ends, then its link, then B */
    (void)waitpid(-1, NULL, 0);
    (void)waitpid(-1, NULL, 0);
    return 0;
}
