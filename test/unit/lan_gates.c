#include "unit/lan_gates.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY "test-secret-key-1234567890123456"
#define SEC UINT64_C(1000000)

static void want(struct gate *g, struct buf *b, uint64_t number, bool is_write)
{
    CHECK_OK(buf_status(b));
    CHECK(g->wanted_n < ASKED_MAX && g->asked_n + 1 < ASKED_MAX);
    g->asked[++g->asked_n] = (struct asked){ number, is_write, false };
    g->wanted_first[g->wanted_n] = g->asked_n;
    g->wanted[g->wanted_n++] = *b;
}

static uint64_t wall(const struct gate *g)
{
    return 1700000000000000 + g->w.now_us;
}

static void note_replies(struct gate *g, const struct effect *fx, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fx[i].type == FX_REPLY) {
            struct reply *r = &g->replies[g->replies_n++];

            CHECK(g->replies_n < ASKED_MAX);
            *r = (struct reply){ .request = fx[i].request, .more = fx[i].more };
            buf_put_slice(&r->text, fx[i].bytes);
        }
}

/* As step() of lone_node.h, but what is said is heard. */
static void gate_step(struct gate *g, struct event ev)
{
    const struct effect *fx;
    size_t n;

    g->w.now_us += 1000;
    ev.now_us = g->w.now_us;
    ev.wall_us = wall(g);
    CHECK_OK(node_step(g->w.node, &ev, &fx, &n));
    note_replies(g, fx, n);
}

/* ---- the port ---- */

static int on_watch(void *ctx, uint64_t watch, const char *from)
{
    struct buf b = { 0 };

    buf_printf(&b, "{\"op\":\"watch\",\"from\":\"%s\"}",
        from[0] != 0 ? from : "start");
    want(ctx, &b, watch, false);
    return SYNCLINE_OK;
}

static void on_pace(void *ctx, uint64_t watch, bool paused)
{
    struct gate *g = ctx;

    for (uint64_t i = 1; i <= g->asked_n; i++)
        if (g->asked[i].number == watch && !g->asked[i].is_write)
            gate_step(g,
                (struct event){
                    .type = paused ? EV_PAUSE : EV_RESUME, .request = i });
}

static void on_unwatch(void *ctx, uint64_t watch)
{
    struct gate *g = ctx;

    for (uint64_t i = 1; i <= g->asked_n; i++)
        if (g->asked[i].number == watch && !g->asked[i].is_write)
            g->asked[i].is_over = true;
}

static void on_write(void *ctx, uint64_t token, uint64_t link,
    const struct lan_item *item, const struct json *value)
{
    struct buf b = { 0 };

    (void)link;
    buf_printf(&b, "{\"op\":\"%s\",\"key\":", value != NULL ? "put" : "del");
    json_print_string(&b, item->id, false);
    if (value != NULL) {
        buf_put_str(&b, ",\"value\":");
        json_print(&b, value, JSON_CANONICAL);
    }
    buf_put_str(&b, ",\"as\":{\"face\":\"lansync\",\"node\":");
    json_print_string(&b, item->node, false);
    buf_printf(&b, ",\"time\":%llu,\"version\":%llu}}",
        (unsigned long long)item->time_us, (unsigned long long)item->version);
    want(ctx, &b, token, true);
}

static void on_recall(void *ctx, const char *node, char *acked, char *asked)
{
    struct gate *g = ctx;

    CHECK(node[0] != 0);
    memcpy(acked, g->acked, sizeof g->acked);
    memcpy(asked, g->asked_point, sizeof g->asked_point);
}

static void on_keep(
    void *ctx, const char *node, const char *acked, const char *asked)
{
    struct gate *g = ctx;

    (void)node;
    (void)snprintf(g->acked, sizeof g->acked, "%s", acked);
    (void)snprintf(g->asked_point, sizeof g->asked_point, "%s", asked);
}

static void on_lacks(
    void *ctx, const char *node, struct slice key, size_t bytes)
{
    struct gate *g = ctx;

    CHECK(node[0] != 0);
    if (!slice_is(key, "long"))
        CHECK_UINT(bytes, 0);
    if (slice_is(key, "long")) {
        g->lacks_n = bytes > 0;
        g->lacks_bytes = bytes;
    }
}

/* ---- the link ---- */

static int draw(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    return crypto_random(out, n);
}

static void on_send(void *ctx, struct slice bytes)
{
    buf_put_slice(&((struct gate *)ctx)->out, bytes);
}

static void on_close(void *ctx, const char *why)
{
    (void)ctx;
    CHECK_SAYING(false, "closed: %s", why);
}

static void on_open(void *ctx)
{
    (void)ctx;
}

static int on_message(void *ctx, const struct lan_message *m)
{
    struct gate *g = ctx;
    const struct json *items = json_get(m->member[LAN_PAYLOAD], "items");

    if (items != NULL && items->n > g->batch_most)
        g->batch_most = items->n;
    return lan_exchange_take(g->x, g->number, m, wall(g));
}

static void on_answer(void *ctx, uint64_t request, const struct lan_answer *a)
{
    struct gate *g = ctx;

    CHECK(lan_exchange_answered(g->x, g->number, request, a, wall(g)));
}

static void link_make(struct gate *g, bool is_server)
{
    const struct lan_link_options opt = { .protocol = g->protocol,
        .is_server = is_server,
        .needs_auth = true,
        .auth = LAN_BY_TOKEN,
        .token = SLICE_LIT(KEY),
        .key = SLICE_LIT(KEY),
        .request_us = UINT64_MAX / 4,
        .events = { .ctx = g,
            .send = on_send,
            .close = on_close,
            .on_open = on_open,
            .on_message = on_message,
            .on_answer = on_answer } };

    CHECK_OK(lan_link_new(&g->link, &opt, wall(g)));
}

/* ---- a gate ---- */

static void gate_open(struct gate *g, const char *name)
{
    const struct lan_exchange_port port = { .ctx = g,
        .watch = on_watch,
        .pace = on_pace,
        .unwatch = on_unwatch,
        .write = on_write,
        .recall = on_recall,
        .keep = on_keep,
        .lacks = on_lacks };
    const struct lan_protocol_options protocol = { .node_id = name,
        .node_name = name,
        .key = SLICE_LIT(KEY),
        .ttl_us = UINT64_MAX / 4, /* their clocks have nothing in common */
        .random = draw };

    lone_open(&g->w);
    CHECK_OK(lan_exchange_new(&g->x, &port, name));
    CHECK_OK(lan_protocol_new(&g->protocol, &protocol));
}

static void gate_close(struct gate *g)
{
    lan_link_free(g->link);
    lan_exchange_free(g->x);
    lan_protocol_free(g->protocol);
    for (uint64_t i = g->made_n; i < g->wanted_n; i++)
        buf_free(&g->wanted[i]);
    buf_free(&g->out);
    lone_close(&g->w);
    free(g);
}

static void gate_settle(struct gate *g)
{
    gate_step(g, (struct event){ .type = EV_FLUSH });
    store_mem_sync(g->w.disk, store_mem_last(g->w.disk));
    gate_step(g,
        (struct event){
            .type = EV_PERSISTED, .commit = store_mem_durable(g->w.disk) });
    gate_step(g, (struct event){ .type = EV_FLUSH });
}

static bool make_wanted(struct gate *g)
{
    bool any = g->made_n < g->wanted_n;

    while (g->made_n < g->wanted_n) {
        struct buf *b = &g->wanted[g->made_n];
        struct event ev = { .type = EV_REQUEST,
            .request = g->wanted_first[g->made_n++] };
        struct json *args = NULL;
        struct arena a = { 0 };

        CHECK_OK(json_parse(&args, buf_slice(b), JSON_WRAPPED, &a, NULL));
        ev.args = args;
        gate_step(g, ev);
        arena_free(&a);
        buf_free(b);
    }
    if (any)
        gate_settle(g);
    return any;
}

/* What a watch that goes on has to tell. */
static bool go_on(struct gate *g)
{
    const bool any = node_wants_flush(g->w.node);

    if (any)
        gate_step(g, (struct event){ .type = EV_FLUSH });
    return any;
}

static void hear(struct gate *g, const struct reply *r)
{
    const struct asked *a = &g->asked[r->request];
    struct json *v = NULL;
    struct arena arena = { 0 };

    CHECK_OK(json_parse(&v, buf_slice(&r->text), JSON_WRAPPED, &arena, NULL));
    if (a->is_write) {
        bool ok = json_get_bool(v, "ok", false);
        bool is_late = slice_is(json_get_str(v, "code"), "ECONFLICT") ||
            slice_is(json_get_str(v, "code"), "ENOTFOUND");

        CHECK_SAYING(ok || is_late, "%.*s", SLICE_FMT(buf_slice(&r->text)));
        lan_exchange_written(g->x, a->number,
            ok ? SYNCLINE_OK : SYNCLINE_ECONFLICT, "", wall(g));
    } else if (!a->is_over && r->more) {
        lan_exchange_event(g->x, a->number, v, wall(g));
    }
    arena_free(&arena);
}

static bool hear_all(struct gate *g)
{
    bool any = g->replies_n > 0;

    for (uint64_t i = 0; i < g->replies_n; i++) {
        hear(g, &g->replies[i]);
        buf_free(&g->replies[i].text);
    }
    g->replies_n = 0;
    return any;
}

static bool carry(struct gate *from, struct gate *to)
{
    struct buf b = from->out;
    bool any = b.len > 0;

    from->out = (struct buf){ 0 };
    if (any && to->link != NULL)
        lan_link_feed(to->link, buf_slice(&b), wall(to));
    buf_free(&b);
    return any;
}

unsigned long gates_run(struct gate *a, struct gate *b)
{
    unsigned long rounds = 0;
    bool any = true;

    for (; any; rounds++) {
        any = make_wanted(a);
        any = make_wanted(b) || any;
        any = go_on(a) || any;
        any = go_on(b) || any;
        any = hear_all(a) || any;
        any = hear_all(b) || any;
        any = carry(a, b) || any;
        any = carry(b, a) || any;
        CHECK_SAYING(rounds < 5000, "they never stop");
    }
    return rounds;
}

void gates_connect(struct gate *a, struct gate *b)
{
    link_make(a, true);
    link_make(b, false);
    lan_link_begin(b->link, wall(b));
    (void)gates_run(a, b);
    CHECK(lan_link_is_open(a->link) && lan_link_is_open(b->link));
    CHECK_OK(lan_exchange_open(a->x, ++a->number, a->link, wall(a)));
    CHECK_OK(lan_exchange_open(b->x, ++b->number, b->link, wall(b)));
    (void)gates_run(a, b);
}

void gate_cut(struct gate *g)
{
    lan_exchange_close(g->x, g->number);
    lan_link_end(g->link);
    lan_link_free(g->link);
    g->link = NULL;
    buf_clear(&g->out);
}

void gate_local(
    struct gate *g, const char *op, const char *key, const char *value)
{
    struct buf b = { 0 };

    if (value != NULL)
        buf_printf(&b, "{\"op\":\"%s\",\"key\":\"%s\",\"value\":%s}%c", op, key,
            value, 0);
    else
        buf_printf(&b, "{\"op\":\"%s\",\"key\":\"%s\"}%c", op, key, 0);
    b.len--;
    gate_ask(g, &b);
}

void gate_check_value(struct gate *g, const char *key, const char *want_text)
{
    struct space *sp = space_by_name(g->w.node, SLICE_LIT("default"));
    struct stored st;

    CHECK_OK(item_load(g->w.node, sp, slice_str(key), &st));
    CHECK_SAYING(slice_is(st.before, want_text), "%s: %.*s, not %s", key,
        SLICE_FMT(st.before), want_text);
}

struct two two_open(void)
{
    struct two t = { calloc(1, sizeof *t.a), calloc(1, sizeof *t.b) };

    CHECK(t.a != NULL && t.b != NULL);
    gate_open(t.a, "node-a");
    gate_open(t.b, "node-b");
    return t;
}

void two_close(struct two *t)
{
    gate_close(t->a);
    gate_close(t->b);
}

void gate_ask(struct gate *g, struct buf *b)
{
    want(g, b, 0, true);
    (void)make_wanted(g);
    (void)hear_all(g);
}
