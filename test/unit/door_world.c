#include "unit/door_world.h"

#include "unit/check.h"

#define WALL_US ((uint64_t)1700000000 * 1000000)
#define INBOUND 9000
#define EXPORTER 0xee

static void start(struct world *w, unsigned who)
{
    static const char *const names[] = { "hall", "kitchen" };
    struct side *s = &w->side[who];
    struct node_options opt = { .store = s->port,
        .crypto = &s->crypto,
        .name = slice_str(names[who]),
        .port = 4748,
        .seed = who };
    struct errmsg why;

    CHECK_OK(node_new(&s->node, &opt, w->now_us, WALL_US, &why));
}

void world_init(struct world *w)
{
    *w = (struct world){ .now_us = 1000000, .fail_step = -1 };
    for (uint8_t i = 0; i < PEOPLE; i++) {
        const uint8_t seed[IDENTITY_SEED_LEN] = { i, 5 };
        struct side *s = &w->side[i];

        CHECK_OK(identity_from_seed(&s->id, seed));
        crypto_port_seeded(&s->crypto, &s->self, s->id, i);
        if (i == MIDDLE)
            continue;
        CHECK_OK(store_mem_new(&s->disk));
        s->port = store_mem_port(s->disk);
        start(w, i);
    }
    world_pass(w, 1000);
}

void world_free(struct world *w)
{
    for (unsigned i = 0; i < PEOPLE; i++) {
        struct side *s = &w->side[i];

        node_free(s->node);
        store_mem_free(s->disk);
        identity_free(s->id);
        for (size_t k = 0; k < REQUESTS_MAX; k++)
            buf_free(&s->answers[k]);
        for (size_t k = 0; k < FRAMES_MAX; k++)
            buf_free(&s->said[k].bytes);
        buf_free(&s->event);
        buf_free(&s->datagram);
    }
    arena_free(&w->arena);
}

static void keep(struct buf *b, struct slice bytes)
{
    buf_clear(b);
    buf_put_slice(b, bytes);
    CHECK_OK(buf_status(b));
}

static void carry_out(struct side *s, const struct effect *fx)
{
    switch (fx->type) {
    case FX_SEND:
        CHECK(s->said_n < FRAMES_MAX);
        s->said[s->said_n].conn = fx->conn;
        keep(&s->said[s->said_n++].bytes, fx->bytes);
        break;
    case FX_CLOSE:
        s->closed = fx->conn;
        break;
    case FX_DIAL:
        if (fx->pairing)
            s->dialled = fx->conn;
        break;
    case FX_REPLY:
        CHECK(fx->request < REQUESTS_MAX);
        /* Each is answered once. */
        CHECK(fx->more || s->answers[fx->request].len == 0);
        keep(fx->more ? &s->event : &s->answers[fx->request], fx->bytes);
        break;
    case FX_DATAGRAM:
        keep(&s->datagram, fx->bytes);
        break;
    default:
        break;
    }
}

static void step_once(struct world *w, unsigned who, struct event *ev)
{
    const bool fails = w->steps++ == w->fail_step;
    struct side *s = &w->side[who];
    const struct effect *fx;
    size_t fx_n;
    int rc;

    if (w->broken)
        return;
    ev->now_us = w->now_us;
    ev->wall_us = WALL_US + w->now_us;
    check_alloc_fail_from(fails ? w->fail_alloc : -1);
    rc = node_step(s->node, ev, &fx, &fx_n);
    w->failed = w->failed || check_alloc_failed();
    check_alloc_fail_from(-1);
    w->broken = rc != SYNCLINE_OK;
    if (!fails)
        CHECK_OK(rc);
    for (size_t i = 0; i < fx_n && !w->broken; i++)
        carry_out(s, &fx[i]);
}

void world_step(struct world *w, unsigned who, struct event *ev)
{
    struct side *s = &w->side[who];
    struct event done = { .type = EV_PERSISTED };
    struct event flush = { .type = EV_FLUSH };

    step_once(w, who, ev);
    while (store_mem_durable(s->disk) < store_mem_last(s->disk)) {
        done.commit = store_mem_last(s->disk);
        store_mem_sync(s->disk, done.commit);
        step_once(w, who, &done);
    }
    for (int i = 0; i < 16 && node_wants_flush(s->node); i++)
        step_once(w, who, &flush);
}

void world_pass(struct world *w, uint64_t us)
{
    const uint64_t end = w->now_us + us;

    for (int spins = 0; !w->broken; spins++) {
        struct event timer = { .type = EV_TIMER };
        unsigned who = MEMBER;
        uint64_t due;

        CHECK(spins < 100000);
        if (node_deadline_us(w->side[JOINER].node) <
            node_deadline_us(w->side[MEMBER].node))
            who = JOINER;
        due = node_deadline_us(w->side[who].node);
        if (due > end)
            break;
        if (due > w->now_us)
            w->now_us = due;
        world_step(w, who, &timer);
    }
    w->now_us = end;
}

uint64_t world_ask(struct world *w, unsigned who, const char *text)
{
    struct side *s = &w->side[who];
    struct event ev = { .type = EV_REQUEST, .request = ++s->requests };
    struct json *args;

    CHECK_OK(json_parse(&args, slice_str(text), JSON_STRICT, &w->arena, NULL));
    ev.args = args;
    world_step(w, who, &ev);
    return ev.request;
}

const struct json *world_answer(struct world *w, unsigned who, uint64_t no)
{
    struct slice text = buf_slice(&w->side[who].answers[no]);
    struct json *v;

    if (text.len == 0)
        return NULL;
    CHECK_OK(json_parse(
        &v, arena_dup(&w->arena, text), JSON_STRICT, &w->arena, NULL));
    return v;
}

static const char *text_of(struct world *w, struct slice s)
{
    char *text = arena_alloc(&w->arena, s.len + 1);

    CHECK(text != NULL);
    memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    return text;
}

const char *world_result(struct world *w, unsigned who, uint64_t no)
{
    const struct json *v = world_answer(w, who, no);

    if (v == NULL)
        return "";
    return json_get_bool(v, "ok", false) ? "OK"
                                         : text_of(w, json_get_str(v, "code"));
}

/* ---- connections ---- */

/* The node gives numbers beyond all that a shell gives. */
static bool was_dialled(uint64_t conn)
{
    return conn > UINT32_MAX;
}

void world_up(struct world *w, unsigned who, unsigned whom, uint64_t conn,
    uint8_t exporter)
{
    uint8_t bytes[PAIR_EXPORTER_LEN];
    struct event ev = { .type = EV_CONN_UP,
        .conn = conn,
        .device = *identity_device(w->side[whom].id),
        .spki = identity_spki(w->side[whom].id),
        .remote = { .family = 4, .addr = { 10, 0, 0, 1 }, .port = 4748 },
        .exporter = bytes,
        .inbound = !was_dialled(conn),
        .pairing = true };

    memset(bytes, exporter, sizeof bytes);
    CHECK(node_admits(w->side[who].node, &ev.device, true));
    world_step(w, who, &ev);
}

void world_down(struct world *w, unsigned who, uint64_t conn)
{
    struct event ev = { .type = EV_CONN_DOWN, .conn = conn };

    world_step(w, who, &ev);
}

void world_hear(
    struct world *w, unsigned who, uint64_t conn, struct slice bytes)
{
    struct event ev = { .type = EV_FRAME, .conn = conn, .bytes = bytes };

    world_step(w, who, &ev);
}

struct slice world_next(struct world *w, unsigned who)
{
    struct side *s = &w->side[who];

    return s->passed_n < s->said_n ? buf_slice(&s->said[s->passed_n++].bytes)
                                   : SLICE_NONE;
}

void world_connect(struct world *w)
{
    w->side[MEMBER].closed = w->side[JOINER].closed = 0;
    world_up(w, MEMBER, JOINER, INBOUND, EXPORTER);
    world_up(w, JOINER, MEMBER, w->side[JOINER].dialled, EXPORTER);
}

static bool pass_on(struct world *w, unsigned from)
{
    const unsigned to = from == MEMBER ? JOINER : MEMBER;
    struct slice bytes = world_next(w, from);

    if (bytes.ptr == NULL)
        return false;
    if (w->side[to].closed == 0)
        world_hear(
            w, to, to == MEMBER ? INBOUND : w->side[JOINER].dialled, bytes);
    return true;
}

void world_talk(struct world *w)
{
    bool any = true;

    world_pass(w, 1000);
    while (any && !w->broken) {
        any = pass_on(w, JOINER);
        any = pass_on(w, MEMBER) || any;
        world_pass(w, 1000);
    }
    if (w->side[MEMBER].closed == 0 && w->side[JOINER].closed == 0)
        return;
    world_down(w, MEMBER, INBOUND);
    world_down(w, JOINER, w->side[JOINER].dialled);
    world_pass(w, 1000);
}

/* ---- what people see ---- */

const char *world_digits(struct world *w, unsigned who)
{
    const struct json *list, *v;

    if (who == JOINER) {
        struct slice event = buf_slice(&w->side[JOINER].event);
        struct json *e;

        if (event.len == 0)
            return "";
        CHECK_OK(json_parse(
            &e, arena_dup(&w->arena, event), JSON_STRICT, &w->arena, NULL));
        return text_of(w, json_get_str(e, "digits"));
    }
    v = world_answer(w, who, world_ask(w, who, "{\"op\":\"pending\"}"));
    list = json_get(v, "pending");
    return list->first == NULL
        ? ""
        : text_of(w, json_get_str(list->first, "digits"));
}

bool world_is_member(struct world *w, unsigned who)
{
    return node_admits(
        w->side[MEMBER].node, identity_device(w->side[who].id), false);
}
