/* nats.c - loads a bucket of NATS KV at one server, and watches it at another.
 *
 *   nats make A REPLICAS        the bucket, once the servers can keep it
 *   nats mirror B DOMAIN        a copy of the bucket of that domain
 *   nats paced A B N RATE       N puts at A, RATE a second, seen at B
 *   nats write A N              N puts at A, as far as A has acknowledged them
 *   nats touch A N OF           changes N of OF, evenly spread
 *   nats has B N [SEQ]          waits until the copy holds N, up to that one
 *   nats last A                 the number of the last change
 *
 * A and B are ports of loopback. Prints one JSON object. */
#include "../bench.h"

#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET "bench"
#define STREAM "KV_" BUCKET
#define UNDER_WAY 4000
#define PATIENCE_MS 120000

static void need(natsStatus s, const char *what)
{
    if (s != NATS_OK)
        die("%s: %s", what, natsStatus_GetText(s));
}

struct server {
    natsConnection *conn;
    jsCtx *js;
    kvStore *kv; /* NULL: not asked for */
};

static atomic_uint_fast64_t refused_n;

static void on_refused(jsCtx *js, jsPubAckErr *why, void *ctx)
{
    (void)js;
    (void)why;
    (void)ctx;
    refused_n++;
}

static void connect_to(struct server *s, const char *port, bool bucket)
{
    char url[64];
    jsOptions o;

    (void)snprintf(url, sizeof url, "nats://127.0.0.1:%s", port);
    *s = (struct server){ NULL, NULL, NULL };
    need(natsConnection_ConnectTo(&s->conn, url), url);
    need(jsOptions_Init(&o), "options");
    o.PublishAsync.MaxPending = UNDER_WAY;
    o.PublishAsync.StallWait = PATIENCE_MS;
    o.PublishAsync.ErrHandler = on_refused;
    need(natsConnection_JetStream(&s->js, s->conn, &o), "JetStream");
    if (bucket)
        need(js_KeyValue(&s->kv, s->js, BUCKET), "the bucket");
}

static void leave(struct server *s)
{
    kvStore_Destroy(s->kv);
    jsCtx_Destroy(s->js);
    natsConnection_Destroy(s->conn);
}

static void pause_for(uint64_t ns)
{
    struct timespec t = { .tv_sec = (time_t)(ns / 1000000000u),
        .tv_nsec = (long)(ns % 1000000000u) };

    (void)nanosleep(&t, NULL);
}

/* Servers that have just met may not be ready to keep anything. */
static void until_done(natsStatus (*try)(void *ctx), void *ctx, uint64_t every)
{
    uint64_t limit = now_ns() + PATIENCE_MS * 1000000ull;
    natsStatus s;

    while ((s = try(ctx)) != NATS_OK) {
        if (now_ns() > limit)
            need(s, "never");
        pause_for(every);
    }
}

struct making {
    struct server at;
    int replicas;
    char *prefix; /* of the other domain's calls */
};

static natsStatus make_bucket(void *ctx)
{
    struct making *m = ctx;
    kvConfig c;
    natsStatus s = kvConfig_Init(&c);

    c.Bucket = BUCKET;
    c.Replicas = m->replicas;
    c.History = 1;
    return s == NATS_OK ? js_CreateKeyValue(&m->at.kv, m->at.js, &c) : s;
}

static void make(const char *port, int replicas)
{
    struct making m = { .replicas = replicas };

    connect_to(&m.at, port, false);
    until_done(make_bucket, &m, 100000000);
    (void)printf("{}\n");
    leave(&m.at);
}

static natsStatus make_mirror(void *ctx)
{
    struct making *m = ctx;
    jsExternalStream there = { .APIPrefix = m->prefix, .DeliverPrefix = "" };
    jsStreamSource of = { .Name = STREAM, .External = &there };
    jsStreamConfig c;
    natsStatus s = jsStreamConfig_Init(&c);

    c.Name = STREAM;
    c.Mirror = &of;
    return s == NATS_OK ? js_AddStream(NULL, m->at.js, &c, NULL, NULL) : s;
}

static void mirror(const char *port, const char *domain)
{
    char prefix[128];
    struct making m = { .prefix = prefix };

    (void)snprintf(prefix, sizeof prefix, "$JS.%s.API", domain);
    connect_to(&m.at, port, false);
    until_done(make_mirror, &m, 100000000);
    (void)printf("{}\n");
    leave(&m.at);
}

/* ---- writes ---- */

static void write_all(const char *port, uint64_t n, uint64_t step)
{
    struct server a;
    uint64_t t;

    connect_to(&a, port, false);
    t = now_ns();
    for (uint64_t i = 0; i < n; i++) {
        char subject[64], value[VALUE_MAX_BYTES];
        size_t len = value_make(value, now_ns(), i * step);

        (void)snprintf(subject, sizeof subject, "$KV." BUCKET ".item.%08llu",
            (unsigned long long)(i * step));
        need(js_PublishAsync(a.js, subject, value, (int)len, NULL), "a write");
    }
    need(js_PublishAsyncComplete(a.js, NULL), "the writes");
    t = now_ns() - t;
    if (refused_n > 0)
        die("%llu of %llu writes were refused", (unsigned long long)refused_n,
            (unsigned long long)n);
    (void)printf("{\"n\":%llu,\"seconds\":%.4f,\"per_second\":%.0f}\n",
        (unsigned long long)n, (double)t / 1e9, (double)n * 1e9 / (double)t);
    leave(&a);
}

/* ---- a copy ---- */

static uint64_t last_of(struct server *s, uint64_t *held)
{
    jsStreamInfo *i = NULL;
    uint64_t last = 0;

    *held = 0;
    if (js_GetStreamInfo(&i, s->js, STREAM, NULL, NULL) != NATS_OK)
        return 0; /* not there yet */
    last = i->State.LastSeq;
    *held = i->State.Msgs;
    jsStreamInfo_Destroy(i);
    return last;
}

static void last(const char *port)
{
    struct server a;
    uint64_t held;

    connect_to(&a, port, false);
    (void)printf("{\"last\":%llu}\n", (unsigned long long)last_of(&a, &held));
    leave(&a);
}

static void has(const char *port, uint64_t n, uint64_t seq)
{
    uint64_t limit = now_ns() + PATIENCE_MS * 1000000ull, held;
    struct server b;

    connect_to(&b, port, false);
    while (last_of(&b, &held) < seq || held < n) {
        if (now_ns() > limit)
            die("never: %llu of %llu", (unsigned long long)held,
                (unsigned long long)n);
        pause_for(2000000);
    }
    (void)printf("{}\n");
    leave(&b);
}

/* ---- propagation ---- */

/* What is there already comes first, and then nothing, once. */
static void skip_old(kvWatcher *w)
{
    kvEntry *e = NULL;

    do {
        kvEntry_Destroy(e);
        e = NULL;
        need(kvWatcher_Next(&e, w, PATIENCE_MS), "a watch");
    } while (e != NULL);
}

struct watching {
    kvWatcher *watcher;
    struct samples seen;
};

static void *watch(void *ctx)
{
    struct watching *w = ctx;

    while (w->seen.n < w->seen.max) {
        kvEntry *e = NULL;
        uint64_t at;

        if (kvWatcher_Next(&e, w->watcher, 5000) != NATS_OK)
            break;
        at = e != NULL ? value_at(kvEntry_Value(e), (size_t)kvEntry_ValueLen(e))
                       : 0;
        if (at != 0)
            samples_add(&w->seen, now_ns() - at);
        kvEntry_Destroy(e);
    }
    return NULL;
}

static void paced(const char *from, const char *to, uint64_t n, uint64_t rate)
{
    struct watching w;
    struct server a, b;
    uint64_t start;
    pthread_t at_b;

    connect_to(&a, from, true);
    connect_to(&b, to, true);
    samples_open(&w.seen, n);
    need(kvStore_WatchAll(&w.watcher, b.kv, NULL), "a watch");
    skip_old(w.watcher);
    if (pthread_create(&at_b, NULL, watch, &w) != 0)
        die("no thread");
    start = now_ns();
    for (uint64_t i = 0; i < n; i++) {
        uint64_t due = start + i * 1000000000u / rate, now = now_ns();
        char key[32], value[VALUE_MAX_BYTES];
        size_t len;

        if (now < due)
            pause_for(due - now);
        len = value_make(value, now_ns(), i);
        (void)snprintf(key, sizeof key, "item.%08llu", (unsigned long long)i);
        need(kvStore_Put(NULL, a.kv, key, value, (int)len), "a write");
    }
    (void)pthread_join(at_b, NULL);
    (void)printf("{");
    samples_print(&w.seen, "seen_us");
    (void)printf("}\n");
    samples_close(&w.seen);
    kvWatcher_Destroy(w.watcher);
    leave(&a);
    leave(&b);
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
    const char *what = argc > 2 ? argv[1] : "";

    if (strcmp(what, "make") == 0 && argc == 4)
        make(argv[2], (int)number(argv[3]));
    else if (strcmp(what, "mirror") == 0 && argc == 4)
        mirror(argv[2], argv[3]);
    else if (strcmp(what, "paced") == 0 && argc == 6)
        paced(argv[2], argv[3], number(argv[4]), number(argv[5]));
    else if (strcmp(what, "write") == 0 && argc == 4)
        write_all(argv[2], number(argv[3]), 1);
    else if (strcmp(what, "touch") == 0 && argc == 5)
        write_all(argv[2], number(argv[3]), number(argv[4]) / number(argv[3]));
    else if (strcmp(what, "has") == 0 && (argc == 4 || argc == 5))
        has(argv[2], number(argv[3]), argc == 5 ? number(argv[4]) : 1);
    else if (strcmp(what, "last") == 0 && argc == 3)
        last(argv[2]);
    else
        die("usage: see the top of bench/peers/nats.c");
    nats_Close();
    return 0;
}
