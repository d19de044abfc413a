/* driver.c - loads two running nodes through their control sockets.
 *
 *   driver paced A B N RATE        N puts at A, RATE a second; a watch at B
 *   driver write A N BATCH WINDOW  N items in batches, WINDOW of them under
 *                                  way, each waiting until durable on a peer
 *   driver fill A N                N items, as fast as A takes them
 *   driver touch A N OF            changes N of OF items, evenly spread
 *
 * A and B are folders of nodes. Prints one JSON object. */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IN_MAX ((size_t)4 << 20)
#define OUT_MAX ((size_t)1 << 20)
#define FILL_BATCH 500

struct link {
    int fd;
    char *in, *out;
    size_t start, len, out_len;
};

static void link_open(struct link *l, const char *dir)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/control.sock", dir);
    *l = (struct link){ .fd = socket(AF_UNIX, SOCK_STREAM, 0),
        .in = malloc(IN_MAX),
        .out = malloc(OUT_MAX) };
    if (l->fd < 0 || l->in == NULL || l->out == NULL ||
        connect(l->fd, (const void *)&at, sizeof at) != 0)
        die("%s: %s", at.sun_path, strerror(errno));
}

static void link_close(struct link *l)
{
    (void)close(l->fd);
    free(l->in);
    free(l->out);
}

static void flush_out(struct link *l)
{
    for (size_t done = 0; done < l->out_len;) {
        ssize_t n = write(l->fd, l->out + done, l->out_len - done);

        if (n <= 0)
            die("the node hung up: %s", strerror(errno));
        done += (size_t)n;
    }
    l->out_len = 0;
}

static void put(struct link *l, const char *text, size_t len)
{
    if (l->out_len + len > OUT_MAX)
        die("a request that is too long");
    memcpy(l->out + l->out_len, text, len);
    l->out_len += len;
}

static void put_str(struct link *l, const char *text)
{
    put(l, text, strlen(text));
}

/* Whatever has come, without waiting. */
static void receive(struct link *l)
{
    ssize_t n;

    if (l->start > 0) {
        memmove(l->in, l->in + l->start, l->len - l->start);
        l->len -= l->start;
        l->start = 0;
    }
    n = recv(l->fd, l->in + l->len, IN_MAX - l->len, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        die("the node hung up");
    l->len += n > 0 ? (size_t)n : 0;
}

/* The next whole line, or NULL. */
static const char *line(struct link *l, size_t *len)
{
    const char *from = l->in + l->start;
    const char *end = memchr(from, '\n', l->len - l->start);

    if (end == NULL)
        return NULL;
    *len = (size_t)(end - from);
    l->start += *len + 1;
    return from;
}

static bool has(const char *text, size_t len, const char *what)
{
    return memmem(text, len, what, strlen(what)) != NULL;
}

/* Counts answers; a refusal ends the program. */
static size_t answers(struct link *l)
{
    size_t n = 0, len;
    const char *text;

    while ((text = line(l, &len)) != NULL) {
        if (!has(text, len, "\"ok\":true"))
            die("refused: %.*s", (int)len, text);
        n++;
    }
    return n;
}

static void wait_answers(struct link *l, size_t *under_way, size_t at_most)
{
    struct pollfd p = { .fd = l->fd, .events = POLLIN };

    while (*under_way > at_most) {
        if (poll(&p, 1, 60000) <= 0)
            die("no answer for a minute");
        receive(l);
        *under_way -= answers(l);
    }
}

/* ---- writes ---- */

static void put_item(struct link *l, uint64_t key, uint64_t at)
{
    char head[64], value[VALUE_MAX_BYTES];
    size_t len = value_make(value, at, key);

    (void)snprintf(head, sizeof head,
        "\"key\":\"item/%08llu\",\"value\":", (unsigned long long)key);
    put_str(l, head);
    put(l, value, len);
}

static void put_batch(
    struct link *l, uint64_t from, uint64_t n, uint64_t step, const char *wait)
{
    if (n == 1) {
        put_str(l, "{\"op\":\"put\",");
        put_item(l, from, now_ns());
    } else {
        put_str(l, "{\"op\":\"batch\",\"ops\":[");
        for (uint64_t i = 0; i < n; i++) {
            put_str(l, i > 0 ? ",{" : "{");
            put_item(l, from + i * step, now_ns());
            put_str(l, "}");
        }
        put_str(l, "]");
    }
    put_str(l, wait);
    put_str(l, "}\n");
    flush_out(l);
}

static void write_all(const char *dir, uint64_t n, uint64_t step,
    uint64_t batch, size_t window, const char *wait)
{
    size_t under_way = 0;
    struct link a;
    uint64_t t;

    link_open(&a, dir);
    t = now_ns();
    for (uint64_t i = 0; i < n; i += batch) {
        put_batch(&a, i * step, n - i < batch ? n - i : batch, step, wait);
        under_way++;
        wait_answers(&a, &under_way, window - 1);
    }
    wait_answers(&a, &under_way, 0);
    t = now_ns() - t;
    (void)printf("{\"n\":%llu,\"seconds\":%.4f,\"per_second\":%.0f}\n",
        (unsigned long long)n, (double)t / 1e9, (double)n * 1e9 / (double)t);
    link_close(&a);
}

/* ---- propagation ---- */

struct paced {
    struct link a, b;
    struct samples seen, acked;
    uint64_t *sent; /* when; by order, as answers come in order */
    size_t acks;
};

/* Until the watch says that it tells what happens from now on. */
static void start_watch(struct link *b)
{
    struct pollfd p = { .fd = b->fd, .events = POLLIN };
    const char *text = NULL;
    size_t len = 0;

    put_str(b, "{\"op\":\"watch\"}\n");
    flush_out(b);
    while (text == NULL || !has(text, len, "\"live\":true")) {
        if (poll(&p, 1, 60000) <= 0)
            die("no watch for a minute");
        receive(b);
        text = line(b, &len);
    }
}

static void on_events(struct paced *p)
{
    const char *text;
    size_t len;

    receive(&p->b);
    while ((text = line(&p->b, &len)) != NULL) {
        uint64_t at = value_at(text, len);

        if (at != 0)
            samples_add(&p->seen, now_ns() - at);
    }
}

static void on_acks(struct paced *p)
{
    size_t n;

    receive(&p->a);
    for (n = answers(&p->a); n > 0; n--)
        samples_add(&p->acked, now_ns() - p->sent[p->acks++]);
}

static void run_until(struct paced *p, uint64_t due)
{
    struct pollfd fds[2] = { { .fd = p->b.fd, .events = POLLIN },
        { .fd = p->a.fd, .events = POLLIN } };
    uint64_t now;

    while ((now = now_ns()) < due && p->seen.n < p->seen.max) {
        struct timespec wait = { .tv_sec = (time_t)((due - now) / 1000000000),
            .tv_nsec = (long)((due - now) % 1000000000) };

        if (ppoll(fds, 2, &wait, NULL) <= 0)
            continue;
        if (fds[0].revents != 0)
            on_events(p);
        if (fds[1].revents != 0)
            on_acks(p);
    }
}

static void paced(const char *a, const char *b, uint64_t n, uint64_t rate)
{
    struct paced p;
    uint64_t start;

    link_open(&p.a, a);
    link_open(&p.b, b);
    samples_open(&p.seen, n);
    samples_open(&p.acked, n);
    p.acks = 0;
    p.sent = calloc(n, sizeof *p.sent);
    if (p.sent == NULL)
        die("memory ran out");
    start_watch(&p.b);
    start = now_ns();
    for (uint64_t i = 0; i < n; i++) {
        run_until(&p, start + i * 1000000000u / rate);
        p.sent[i] = now_ns();
        put_batch(&p.a, i, 1, 1, "");
    }
    run_until(&p, now_ns() + 2000000000u);
    (void)printf("{");
    samples_print(&p.seen, "seen_us");
    (void)printf(",");
    samples_print(&p.acked, "acked_us");
    (void)printf("}\n");
    samples_close(&p.seen);
    samples_close(&p.acked);
    free(p.sent);
    link_close(&p.a);
    link_close(&p.b);
}

static uint64_t number(const char *text)
{
    uint64_t n = strtoull(text, NULL, 10);

    if (n == 0)
        die("%s: not a number above zero", text);
    return n;
}

int main(int argc, char **argv)
{
    const char *what = argc > 3 ? argv[1] : "";

    if (strcmp(what, "paced") == 0 && argc == 6)
        paced(argv[2], argv[3], number(argv[4]), number(argv[5]));
    else if (strcmp(what, "write") == 0 && argc == 6)
        write_all(argv[2], number(argv[3]), 1, number(argv[4]), number(argv[5]),
            ",\"wait\":1,\"wait_ms\":60000");
    else if (strcmp(what, "fill") == 0 && argc == 4)
        write_all(argv[2], number(argv[3]), 1, FILL_BATCH, 8, "");
    else if (strcmp(what, "touch") == 0 && argc == 5)
        write_all(argv[2], number(argv[3]), number(argv[4]) / number(argv[3]),
            1, 64, "");
    else
        die("usage: see the top of bench/driver.c");
    return 0;
}
