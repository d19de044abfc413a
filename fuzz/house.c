#include "fuzz/house.h"

#include "fuzz/fuzz.h"
#include "repl/beacon.h"

#define SPINS_MAX 2000
#define SEC_US ((uint64_t)1000000)

const uint8_t house_exporter[32] = { 0x5a };

static const char *const names[DEVICES] = { "home", "kitchen", "garage",
    "nobody" };

/* ---- laws ---- */

static void check_frame(struct house *h, const struct effect *fx)
{
    struct house_conn *c = house_conn(h, fx->conn);
    struct arena a = { 0 };
    struct frame f;

    ENSURE(fx->bytes.len <= FRAME_MAX);
    if (c != NULL && !c->pairing) {
        ENSURE(get_frame(fx->bytes, &f, &a) == SYNCLINE_OK);
        ENSURE(f.no == ++c->heard_no);
    }
    arena_free(&a);
}

static void check_json(struct slice text)
{
    struct arena a = { 0 };
    struct errmsg why;
    struct json *v;

    ENSURE(json_parse(&v, text, JSON_WRAPPED, &a, &why) == SYNCLINE_OK);
    ENSURE(v->type == JSON_OBJECT);
    arena_free(&a);
}

static void check_effect(struct house *h, const struct effect *fx)
{
    switch (fx->type) {
    case FX_COMMIT:
        ENSURE(fx->commit <= store_mem_last(h->disk));
        break;
    case FX_SEND:
        check_frame(h, fx);
        break;
    case FX_DIAL:
        ENSURE(fx->remote.family != 0 && fx->conn != 0);
        break;
    case FX_DATAGRAM:
        ENSURE(fx->bytes.len == BEACON_LEN);
        break;
    case FX_REPLY:
    case FX_RESOLVE:
    case FX_AUDIT:
        check_json(fx->bytes);
        break;
    default:
        break;
    }
}

/* ---- one node ---- */

static void start(struct house *h)
{
    struct node_options opt = { .store = h->port,
        .crypto = &h->crypto,
        .name = slice_str(names[h->who]),
        .port = 4748,
        .seed = h->who,
        .batch_bytes = 600,
        .window_bytes = 2000,
        .fragment_above = 300,
        .fragment_bytes = 100,
        .held_max = 4,
        .history_keep = 4,
        .limits = { .frames = 50,
            .rows = 50,
            .bytes = 20000,
            .memory = 1 << 20,
            .strangers = 4,
            .keys = 50 } };
    int rc = node_new(&h->node, &opt, h->now_us, h->wall_us, &h->why);

    ENSURE(rc == SYNCLINE_OK);
    store_mem_sync(h->disk, store_mem_last(h->disk));
}

void house_open(struct house *h, unsigned who, struct store_mem *disk)
{
    *h = (struct house){ .who = who,
        .disk = disk,
        .port = store_mem_port(disk),
        .now_us = SEC_US,
        .wall_us = 1700000000 * SEC_US };
    crypto_port_seeded(&h->crypto, &h->self, house_identity(who), who);
    start(h);
}

void house_drop(struct house *h)
{
    node_free(h->node);
    store_mem_free(h->disk);
}

void house_restart(struct house *h, bool clean)
{
    if (clean) {
        ENSURE(node_close(h->node) == SYNCLINE_OK);
        store_mem_sync(h->disk, store_mem_last(h->disk));
    }
    node_free(h->node);
    memset(h->conns, 0, sizeof h->conns);
    if (!clean)
        ENSURE(store_mem_crash(h->disk, 0) == SYNCLINE_OK);
    start(h);
}

static void must_be_ok(struct house *h, const struct effect *fx)
{
    if (fx->type != FX_REPLY)
        return;
    ENSURE(slice_has_prefix(fx->bytes, SLICE_LIT("{\"ok\":true")));
    ++*(unsigned *)h->ctx;
}

void house_close(struct house *h)
{
    unsigned answers = 0;

    h->on_effect = NULL;
    house_restart(h, true);
    h->on_effect = must_be_ok;
    h->ctx = &answers;
    ENSURE(house_ask(h, SLICE_LIT("{\"op\":\"status\"}")));
    ENSURE(house_ask(h, SLICE_LIT("{\"op\":\"peers\"}")));
    ENSURE(house_ask(h, SLICE_LIT("{\"op\":\"spaces\"}")));
    ENSURE(house_ask(h, SLICE_LIT("{\"op\":\"ls\",\"space\":\"_mesh\"}")));
    ENSURE(answers == 4);
    house_drop(h);
}

static void carry_out(struct house *h, const struct effect *fx)
{
    struct house_conn *c;

    check_effect(h, fx);
    if (fx->type != FX_COMMIT && h->on_effect != NULL)
        h->on_effect(h, fx);
    c = fx->type == FX_CLOSE ? house_conn(h, fx->conn) : NULL;
    if (c != NULL)
        c->id = 0; /* told below, when the step is over */
}

void house_step(struct house *h, struct event *ev)
{
    uint64_t closed[HOUSE_CONNS];
    const struct effect *fx;
    size_t fx_n, closed_n = 0;

    ev->now_us = h->now_us;
    ev->wall_us = h->wall_us;
    ENSURE(node_step(h->node, ev, &fx, &fx_n) == SYNCLINE_OK);
    for (size_t i = 0; i < fx_n; i++) {
        if (fx[i].type == FX_CLOSE && closed_n < HOUSE_CONNS &&
            house_conn(h, fx[i].conn) != NULL)
            closed[closed_n++] = fx[i].conn;
        carry_out(h, &fx[i]);
    }
    for (size_t i = 0; i < closed_n; i++) {
        struct event down = { .type = EV_CONN_DOWN, .conn = closed[i] };

        house_step(h, &down);
    }
}

bool house_ask(struct house *h, struct slice text)
{
    struct event ev = { .type = EV_REQUEST, .request = ++h->requests };
    struct arena a = { 0 };
    struct json *args = NULL;
    bool ok = json_parse(&args, text, JSON_WRAPPED, &a, NULL) == SYNCLINE_OK &&
        args->type == JSON_OBJECT;

    ev.args = args;
    if (ok)
        house_step(h, &ev);
    arena_free(&a);
    return ok;
}

void house_settle(struct house *h)
{
    for (int spins = 0; node_wants_flush(h->node) ||
         store_mem_durable(h->disk) < store_mem_last(h->disk);
         spins++) {
        struct event flush = { .type = EV_FLUSH };
        struct event done = { .type = EV_PERSISTED };

        ENSURE(spins < SPINS_MAX);
        if (node_wants_flush(h->node))
            house_step(h, &flush);
        done.commit = store_mem_last(h->disk);
        store_mem_sync(h->disk, done.commit);
        house_step(h, &done);
    }
}

void house_pass(struct house *h, uint64_t us)
{
    uint64_t until = h->now_us + us;
    int spins = 0;

    while (node_deadline_us(h->node) <= until) {
        struct event ev = { .type = EV_TIMER };
        uint64_t due = node_deadline_us(h->node);

        ENSURE(++spins < SPINS_MAX);
        if (due > h->now_us) {
            h->wall_us += due - h->now_us;
            h->now_us = due;
        }
        house_step(h, &ev);
        house_settle(h);
    }
    h->wall_us += until - h->now_us;
    h->now_us = until;
}

/* ---- connections ---- */

struct house_conn *house_conn(struct house *h, uint64_t id)
{
    for (size_t i = 0; i < HOUSE_CONNS; i++)
        if (h->conns[i].id == id)
            return &h->conns[i];
    return NULL;
}

struct house_conn *house_up(
    struct house *h, unsigned who, bool pairing, uint64_t conn)
{
    struct house_conn *c = house_conn(h, 0);
    struct event ev = { .type = EV_CONN_UP,
        .conn = conn != 0 ? conn : ++h->conns_made,
        .inbound = conn == 0,
        .pairing = pairing,
        .device = *identity_device(house_identity(who)),
        .spki = identity_spki(house_identity(who)),
        .remote = { .family = 4, .addr = { 10, 0, 0, 1 }, .port = 4748 },
        .exporter = house_exporter };

    if (c == NULL)
        return NULL;
    ev.remote.addr[3] = (uint8_t)(who + 1);
    *c = (struct house_conn){ ev.conn, who, pairing, false, 0, 0 };
    house_step(h, &ev);
    return house_conn(h, ev.conn);
}

void house_down(struct house *h, struct house_conn *c)
{
    struct event ev = { .type = EV_CONN_DOWN, .conn = c->id };

    c->id = 0;
    house_step(h, &ev);
}

void house_hear(struct house *h, struct house_conn *c, struct slice bytes)
{
    struct event ev = { .type = EV_FRAME, .conn = c->id, .bytes = bytes };

    house_step(h, &ev);
}

void house_hear_frame(struct house *h, struct house_conn *c, struct frame *f)
{
    struct buf b = { .max = FRAME_MAX };

    f->no = c->said_no + 1;
    put_frame(&b, f);
    if (buf_status(&b) == SYNCLINE_OK) {
        c->said_no++;
        house_hear(h, c, buf_slice(&b));
    }
    buf_free(&b);
}

void house_greet(struct house *h, struct house_conn *c)
{
    struct frame f = { .type = FRAME_HELLO,
        .hello = { .version = PROTOCOL_VERSION,
            .mesh = *house_mesh(),
            .replica = *house_replica(c->who),
            .wall_us = h->wall_us,
            .port = 4748,
            .name = slice_str(names[c->who]) } };

    c->greeted = true;
    house_hear_frame(h, c, &f);
}

struct space_token house_token(const char *space)
{
    struct space_token t;
    uint8_t mac[SHA256_LEN];

    ENSURE(crypto_hmac_sha256(mac, SLICE(house_mesh()->b, MESH_ID_LEN),
               slice_str(space)) == SYNCLINE_OK);
    memcpy(t.b, mac, SPACE_TOKEN_LEN);
    return t;
}
