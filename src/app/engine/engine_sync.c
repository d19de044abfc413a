/* The op `sync`: reaches who is not connected, and answers when each that is
 * asked for holds the same as this node, or when the time for it is over.
 *
 * It asks the node as anybody would: `dial`, then `peers` and `verify` until
 * both say so. A relay, which holds nothing in clear, has what it should have
 * when nothing of ours is missing there. */
#include "app/engine/engine_impl.h"

#include "io/clock.h"

#include <inttypes.h>
#include <stdlib.h>

#define WAIT_MS 10000
#define WAIT_MAX_MS 600000
#define PAUSE_US ((uint64_t)100 * 1000)
/* So long a dial takes at most to be worth waiting for, where no other waits.
 */
#define REACH_US ((uint64_t)3 * 1000 * 1000)

enum phase { DIAL, PEERS, VERIFY };

struct engine_sync {
    struct engine_sync *next;
    struct engine *engine;
    uint64_t request, started_us, deadline_us, next_us;
    enum phase phase;
    bool asking;
    struct buf peer;     /* whom; empty: all */
    struct buf peers;    /* what the node has told of them last */
    struct buf verified; /* the same, of what they hold */
};

static void sync_free(struct engine_sync *s)
{
    struct engine_sync **at = &s->engine->syncs;

    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    buf_free(&s->peer);
    buf_free(&s->peers);
    buf_free(&s->verified);
    free(s);
}

/* ---- what has come of it ---- */

static bool is_connected(const struct json *p)
{
    return slice_is(json_get_str(p, "state"), "connected");
}

/* Does it hold the same? A relay is in no comparison. */
static bool is_same(const struct json *p, const struct json *verified)
{
    const struct json *list = json_get(verified, "members");

    if (!is_connected(p) || json_get_int(p, "lag", 1) != 0)
        return false;
    if (slice_is(json_get_str(p, "role"), "relay"))
        return true;
    for (const struct json *m = list ? list->first : NULL; m; m = m->next)
        if (slice_eq(json_get_str(m, "device"), json_get_str(p, "device")))
            return json_get_bool(m, "agree", false);
    return false;
}

static void put_peer(
    struct buf *b, const struct json *p, const struct json *verified)
{
    const struct json *lag = json_get(p, "lag");

    buf_put_str(b, "{\"device\":");
    json_print_string(b, json_get_str(p, "device"), false);
    buf_put_str(b, ",\"name\":");
    json_print_string(b, json_get_str(p, "name"), false);
    buf_printf(b, ",\"state\":\"%s\",\"lag\":%lld}",
        is_same(p, verified)  ? "synced"
            : is_connected(p) ? "behind"
                              : "unreachable",
        (long long)(lag != NULL && lag->type == JSON_INT ? lag->i : 0));
}

struct tally {
    unsigned n, same, away;
};

static struct tally count(const struct json *peers, const struct json *verified)
{
    struct tally t = { 0 };

    for (const struct json *p = peers ? peers->first : NULL; p; p = p->next) {
        t.n++;
        t.same += is_same(p, verified);
        t.away += !is_connected(p);
    }
    return t;
}

static struct json *parse(const struct buf *b, struct arena *a)
{
    struct json *v = NULL;

    return json_parse(&v, buf_slice(b), JSON_STRICT, a, NULL) == SYNCLINE_OK
        ? v
        : NULL;
}

/* Answers, and ends it, if there is nothing to wait for. */
static bool finish(struct engine_sync *s)
{
    const uint64_t now = clock_mono_us();
    struct arena a = { 0 };
    struct json *told = parse(&s->peers, &a);
    struct json *verified = parse(&s->verified, &a);
    const struct json *peers = json_get(told, "peers");
    const struct tally t = count(peers, verified);
    struct errmsg why = { "" };
    struct buf b = { 0 };
    const bool over = t.same == t.n || now >= s->deadline_us ||
        (t.same + t.away == t.n && now - s->started_us > REACH_US);

    if (over) {
        buf_printf(&b,
            "{\"ok\":true,\"synced\":%s,\"took_ms\":%" PRIu64 ",\"peers\":[",
            t.same == t.n ? "true" : "false", (now - s->started_us) / 1000);
        for (const struct json *p = peers ? peers->first : NULL; p;
             p = p->next) {
            buf_put_str(&b, p != peers->first ? "," : "");
            put_peer(&b, p, verified);
        }
        buf_put_str(&b, "]}");
        engine_answer_buf(s->engine, s->request, &b, SYNCLINE_OK, &why);
        sync_free(s);
    }
    arena_free(&a);
    return over;
}

/* ---- asking the node ---- */

static struct engine_sync *find(struct engine *e, uint64_t request)
{
    struct engine_sync *s = e->syncs;

    while (s != NULL && s->request != request)
        s = s->next;
    return s;
}

/* Of a request that may have been given up since. */
struct step {
    struct engine *engine;
    uint64_t request;
};

static void pass_on(struct engine_sync *s, struct slice refusal)
{
    engine_answer(s->engine, s->request, refusal, false);
    sync_free(s);
}

static void on_told(void *ctx, struct slice answer, bool more)
{
    struct step step = *(struct step *)ctx;
    struct engine_sync *s = find(step.engine, step.request);
    struct buf *to;

    (void)more;
    free(ctx);
    if (s == NULL)
        return;
    s->asking = false;
    s->next_us = clock_mono_us();
    if (!slice_has_prefix(answer, SLICE_LIT("{\"ok\":true"))) {
        pass_on(s, answer);
        return;
    }
    to = s->phase == VERIFY ? &s->verified : &s->peers;
    buf_clear(to);
    buf_put_slice(to, answer);
    if (s->phase == VERIFY) {
        s->phase = PEERS;
        if (!finish(s))
            s->next_us += PAUSE_US;
    } else {
        s->phase = VERIFY;
    }
}

static void ask(struct engine_sync *s)
{
    static const char *const ops[] = { "dial", "peers", "verify" };
    struct step *step = calloc(1, sizeof *step);
    struct arena a = { 0 };
    struct json *args = json_new(&a, JSON_OBJECT);

    (void)json_add(
        args, SLICE_LIT("op"), json_new_str(&a, slice_str(ops[s->phase])));
    if (s->phase != VERIFY && s->peer.len > 0)
        (void)json_add(
            args, SLICE_LIT("peer"), json_new_str(&a, buf_slice(&s->peer)));
    if (step != NULL && args != NULL) {
        *step = (struct step){ s->engine, s->request };
        s->asking = true;
        if (engine_request(s->engine, args, NULL, on_told, step) != 0)
            step = NULL;
        else
            s->asking = false;
    }
    s->next_us = clock_mono_us() + PAUSE_US;
    free(step);
    arena_free(&a);
}

void engine_sync_turn(struct engine *e)
{
    struct engine_sync *s = e->syncs;

    while (s != NULL) {
        struct engine_sync *next = s->next;

        if (engine_call(e, s->request) == NULL)
            sync_free(s); /* nobody waits for it any more */
        else if (!s->asking && clock_mono_us() >= s->next_us)
            ask(s);
        s = next;
    }
}

uint64_t engine_sync_deadline(const struct engine *e)
{
    uint64_t due = UINT64_MAX;

    for (const struct engine_sync *s = e->syncs; s != NULL; s = s->next)
        if (!s->asking && s->next_us < due)
            due = s->next_us;
    return due;
}

void engine_sync_close(struct engine *e)
{
    while (e->syncs != NULL)
        sync_free(e->syncs);
}

bool engine_sync_take(struct engine *e, struct call *c, const struct json *args)
{
    const struct json *peer = json_get(args, "peer");
    const int64_t ms = json_get_int(args, "wait_ms", WAIT_MS);
    struct errmsg why = { "" };
    struct buf b = { 0 };
    struct engine_sync *s;
    int rc;

    if (ms < 0 || ms > WAIT_MAX_MS ||
        (peer != NULL && (peer->type != JSON_STRING || peer->s.len == 0))) {
        rc = errmsg_set(&why, SYNCLINE_EINVAL,
            "peer: a device's name or id; wait_ms: 0 to %d", WAIT_MAX_MS);
        engine_answer_buf(e, c->id, &b, rc, &why);
        return true;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        engine_answer_buf(e, c->id, &b, SYNCLINE_ENOMEM, &why);
        return true;
    }
    s->engine = e;
    s->request = c->id;
    s->started_us = clock_mono_us();
    s->deadline_us = s->started_us + (uint64_t)ms * 1000;
    if (peer != NULL)
        buf_put_slice(&s->peer, peer->s);
    s->next = e->syncs;
    e->syncs = s;
    ask(s);
    return true;
}
