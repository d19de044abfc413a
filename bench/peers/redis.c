/* redis.c - loads a Redis and watches its replica.
 *
 *   redis paced A B N RATE   N writes at A, RATE a second, seen at B
 *   redis write A N          N writes at A, until B has acknowledged them
 *   redis fill A N           N writes at A
 *   redis touch A N OF       changes N of OF, evenly spread
 *
 * A and B are ports of loopback. A value is set and published, so that who
 * watches at the replica gets it, and not only its name. Prints one JSON
 * object. */
#include "../bench.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 5000 /* under way, when nobody is waited for */

static redisContext *connect_to(const char *port)
{
    redisContext *c = redisConnect("127.0.0.1", atoi(port));

    if (c == NULL || c->err != 0)
        die("port %s: %s", port, c != NULL ? c->errstr : "memory ran out");
    return c;
}

static void need(const redisContext *c, int rc)
{
    if (rc != REDIS_OK)
        die("it hung up: %s", c->errstr);
}

static void flush_out(redisContext *c)
{
    int done = 0;

    while (done == 0)
        need(c, redisBufferWrite(c, &done));
}

static redisReply *answer(redisContext *c)
{
    void *reply = NULL;

    need(c, redisGetReply(c, &reply));
    if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
        die("refused: %s", ((redisReply *)reply)->str);
    return reply;
}

static void skip_answers(redisContext *c, uint64_t n)
{
    for (; n > 0; n--)
        freeReplyObject(answer(c));
}

static void put(redisContext *c, uint64_t key)
{
    char value[VALUE_MAX_BYTES];
    size_t len = value_make(value, now_ns(), key);

    need(c,
        redisAppendCommand(
            c, "SET item/%08llu %b", (unsigned long long)key, value, len));
}

static void print_rate(uint64_t n, uint64_t ns)
{
    (void)printf("{\"n\":%llu,\"seconds\":%.4f,\"per_second\":%.0f}\n",
        (unsigned long long)n, (double)ns / 1e9, (double)n * 1e9 / (double)ns);
}

/* waits: for the replica, after each batch, while the next one is under way. */
static void write_all(const char *port, uint64_t n, uint64_t step, bool waits)
{
    redisContext *a = connect_to(port);
    uint64_t t = now_ns(), before = 0;

    for (uint64_t i = 0; i < n;) {
        uint64_t batch = n - i < BATCH ? n - i : BATCH, asked = batch;

        for (; batch > 0; batch--, i++)
            put(a, i * step);
        if (waits) {
            need(a, redisAppendCommand(a, "WAIT 1 0"));
            asked++;
        }
        flush_out(a);
        skip_answers(a, before);
        before = asked;
    }
    skip_answers(a, before);
    print_rate(n, now_ns() - t);
    redisFree(a);
}

/* ---- propagation ---- */

static void note_seen(redisContext *b, struct samples *seen)
{
    void *reply = NULL;

    need(b, redisBufferRead(b));
    while (redisGetReplyFromReader(b, &reply) == REDIS_OK && reply != NULL) {
        const redisReply *r = reply;
        const redisReply *text = r->elements == 3 ? r->element[2] : NULL;
        uint64_t at = text != NULL && text->str != NULL
            ? value_at(text->str, text->len)
            : 0;

        if (at != 0)
            samples_add(seen, now_ns() - at);
        freeReplyObject(reply);
        reply = NULL;
    }
}

static void take_answers(redisContext *a)
{
    void *reply = NULL;

    need(a, redisBufferRead(a));
    while (redisGetReplyFromReader(a, &reply) == REDIS_OK && reply != NULL) {
        freeReplyObject(reply);
        reply = NULL;
    }
}

static void run_until(
    redisContext *a, redisContext *b, struct samples *seen, uint64_t due)
{
    struct pollfd fds[2] = { { .fd = b->fd, .events = POLLIN },
        { .fd = a->fd, .events = POLLIN } };
    uint64_t now;

    while ((now = now_ns()) < due && seen->n < seen->max) {
        struct timespec wait = { .tv_sec = (time_t)((due - now) / 1000000000),
            .tv_nsec = (long)((due - now) % 1000000000) };

        if (ppoll(fds, 2, &wait, NULL) <= 0)
            continue;
        if (fds[0].revents != 0)
            note_seen(b, seen);
        if (fds[1].revents != 0)
            take_answers(a);
    }
}

static void put_and_publish(redisContext *a, uint64_t key)
{
    char value[VALUE_MAX_BYTES];
    size_t len = value_make(value, now_ns(), key);

    need(a,
        redisAppendCommand(
            a, "SET item/%08llu %b", (unsigned long long)key, value, len));
    need(a, redisAppendCommand(a, "PUBLISH items %b", value, len));
    flush_out(a);
}

static void paced(const char *from, const char *to, uint64_t n, uint64_t rate)
{
    redisContext *a = connect_to(from), *b = connect_to(to);
    struct samples seen;
    uint64_t start;

    samples_open(&seen, n);
    need(b, redisAppendCommand(b, "SUBSCRIBE items"));
    flush_out(b);
    skip_answers(b, 1);
    start = now_ns();
    for (uint64_t i = 0; i < n; i++) {
        run_until(a, b, &seen, start + i * 1000000000u / rate);
        put_and_publish(a, i);
    }
    run_until(a, b, &seen, now_ns() + 2000000000u);
    (void)printf("{");
    samples_print(&seen, "seen_us");
    (void)printf("}\n");
    samples_close(&seen);
    redisFree(a);
    redisFree(b);
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
    else if (strcmp(what, "write") == 0 && argc == 4)
        write_all(argv[2], number(argv[3]), 1, true);
    else if (strcmp(what, "fill") == 0 && argc == 4)
        write_all(argv[2], number(argv[3]), 1, false);
    else if (strcmp(what, "touch") == 0 && argc == 5)
        write_all(
            argv[2], number(argv[3]), number(argv[4]) / number(argv[3]), false);
    else
        die("usage: see the top of bench/peers/redis.c");
    return 0;
}
