/* member_fuzz.c - what two members say to a node, frame after frame, and what
 * happens to it meanwhile. Frames are bytes under the number that is due, or
 * are made: rows, conflicts, vectors and membership records that are whole in
 * their form (odd.h).
 *
 * Holds the laws of house.h: whatever a member sends, the node stays up, and
 * so does its store. */
#include "base/text.h"
#include "fuzz/house.h"
#include "fuzz/odd.h"
#include "repl/members.h"
#include "repl/node_impl.h"

#define STEPS_MAX 64

struct play {
    struct house house;
    struct odd odd;
    struct arena arena;
    struct pieces in;
    unsigned speaker; /* KITCHEN or GARAGE */
    uint64_t dialled; /* a dial that nobody has answered; 0: none */
};

static const char *const spaces[] = { "default", "notes", "_mesh", "config",
    "new", "none", "_spaces" };

static struct space_token take_space(struct play *p, unsigned *ix)
{
    *ix = take_below(&p->in, sizeof spaces / sizeof *spaces);
    return house_token(spaces[*ix]);
}

static void on_effect(struct house *h, const struct effect *fx)
{
    struct play *p = h->ctx;

    if (fx->type == FX_DIAL)
        p->dialled = fx->conn;
}

/* The speaker's connection, greeted; one that was closed is made anew. */
static struct house_conn *line(struct play *p)
{
    struct house_conn *c = NULL;

    for (size_t i = 0; i < HOUSE_CONNS; i++)
        if (p->house.conns[i].id != 0 && p->house.conns[i].who == p->speaker)
            c = &p->house.conns[i];
    if (c == NULL)
        c = house_up(&p->house, p->speaker, false, 0);
    if (c != NULL && !c->greeted)
        house_greet(&p->house, c);
    return c != NULL && c->id != 0 ? c : NULL;
}

static void say(struct play *p, struct frame *f)
{
    struct house_conn *c = line(p);

    if (c != NULL)
        house_hear_frame(&p->house, c, f);
}

/* ---- rows ---- */

static void put_name(struct buf *b, struct play *p)
{
    put_hex(b,
        device_slice(
            identity_device(house_identity(take_below(&p->in, DEVICES)))));
}

/* An item of `_mesh` or `_spaces`: a record, a space or a policy. */
static struct slice mesh_value(struct play *p, struct buf *key)
{
    static const char *const others[] = { "true", "\"custom\"", "\"merge\"",
        "\"keep-both\"", "\"none\"", "[]", "1" };
    unsigned which = take_below(&p->in, 8);
    struct slice name, value;

    if (which < HOUSE_RECORDS) {
        value = house_record(which, &name);
        buf_put_slice(key, name);
        return value;
    }
    if (which == 3)
        buf_printf(key, "space/%s", spaces[take_below(&p->in, 7)]);
    else if (which == 4)
        buf_printf(key, "policy/%s/%s", spaces[take_below(&p->in, 7)],
            take_below(&p->in, 2) == 0 ? "" : "k/");
    else if (which == 5)
        buf_put_str(key, MEMBER_PREFIX);
    else
        buf_put_str(key, REMOVED_PREFIX);
    if (which > 4)
        put_name(key, p);
    value = take_below(&p->in, 2) == 0 ? take_piece(&p->in) : SLICE_NONE;
    return value.len > 0 ? value : slice_str(others[take_below(&p->in, 7)]);
}

static void take_key(struct play *p, struct buf *key)
{
    static const char *const keys[] = { "a", "gone", "m/x", "k/1", "c/1",
        "fresh", "k/2" };
    unsigned ix = take_below(&p->in, 8);

    if (ix < 7)
        buf_put_str(key, keys[ix]);
    else
        buf_put_slice(key, take_piece(&p->in));
}

/* Key and item, or now and then bytes. */
static void put_row(struct play *p, unsigned space, struct buf *b)
{
    struct buf key = { 0 }, row = { 0 };
    struct item it;

    if (space == 2 || space == 6) { /* _mesh, _spaces */
        struct slice value = mesh_value(p, &key);

        odd_item(
            &p->odd, &p->in, take_below(&p->in, 4) == 0 ? NULL : &value, &it);
    } else {
        take_key(p, &key);
        odd_item(&p->odd, &p->in, NULL, &it);
    }
    put_item(&row, &it);
    if (take_below(&p->in, 16) == 15) {
        buf_clear(&row);
        buf_put_slice(&row, take_piece(&p->in));
    }
    put_bytes(b, written(&key));
    put_bytes(b, written(&row));
    buf_free(&key);
    buf_free(&row);
}

static void put_conflict(struct play *p, struct buf *b)
{
    struct conflict_record c = { .state = take_u8(&p->in) % 3 == 2 };
    struct buf key = { 0 }, tail = { 0 }, record = { 0 };

    c.length = take_below(&p->in, 4);
    odd_contender(&p->odd, &p->in, &c.loser);
    odd_contender(&p->odd, &p->in, &c.winner);
    take_key(p, &key);
    (void)key_conflict_tail(&tail, written(&key), c.loser.path, &c.loser.dot);
    put_conflict_record(&record, &c);
    put_bytes(b, written(&tail));
    put_bytes(b, written(&record));
    buf_free(&key);
    buf_free(&tail);
    buf_free(&record);
}

/* ---- what is said ---- */

/* Signed by nobody; what the rows' proofs say of them is the input's. */
static void take_sheaves(struct play *p, struct frame_batch *f, struct buf *out)
{
    static const uint8_t head[1 + ED25519_SIG_LEN];

    f->flags |= BATCH_SHEAVES;
    f->sheaves_n = 1 + take_below(&p->in, 3);
    for (uint32_t i = 0; i < f->sheaves_n; i++) {
        struct buf one = { 0 };

        buf_put(&one, head, sizeof head);
        buf_put_slice(&one, take_piece(&p->in));
        put_bytes(out, written(&one));
        buf_free(&one);
    }
    f->sheaves = written(out);
}

static void say_batch(struct play *p)
{
    struct frame f = { .type = FRAME_BATCH };
    struct buf rows = { 0 }, conflicts = { 0 }, sheaves = { 0 };
    uint8_t how = take_u8(&p->in);
    unsigned space;

    f.batch.space = take_space(p, &space);
    f.batch.flags = take_u8(&p->in) & BATCH_FLAGS & ~BATCH_SHEAVES;
    f.batch.cursor = (how & 128) != 0 ? take_number(&p->in) : 0;
    f.batch.floors.length = (how & 64) != 0 ? take_number(&p->in) : 0;
    for (; f.batch.rows_n < how % 4u; f.batch.rows_n++)
        put_row(p, space, &rows);
    if ((how & 16) != 0)
        take_sheaves(p, &f.batch, &sheaves);
    for (; f.batch.conflicts_n < how / 4u % 4u; f.batch.conflicts_n++)
        put_conflict(p, &conflicts);
    f.batch.rows = written(&rows);
    f.batch.conflicts = written(&conflicts);
    f.batch.mark = odd_vv(&p->odd, &p->in);
    say(p, &f);
    buf_free(&rows);
    buf_free(&conflicts);
    buf_free(&sheaves);
}

/* A row in pieces; how many are left out or said twice is the input's. */
static void say_fragments(struct play *p)
{
    struct frame f = { .type = FRAME_FRAGMENT };
    uint8_t how = take_u8(&p->in);
    struct buf row = { 0 };
    unsigned space;

    f.fragment.space = take_space(p, &space);
    f.fragment.transfer = take_number(&p->in);
    buf_put_u8(&row, (how & 1) != 0);
    if ((how & 1) != 0)
        put_conflict(p, &row);
    else
        put_row(p, space, &row);
    f.fragment.total = (how & 6) == 6 ? take_number(&p->in) : written(&row).len;
    while (f.fragment.offset < row.len) {
        struct slice rest =
            slice_from(buf_slice(&row), (size_t)f.fragment.offset);
        size_t n = 1 + take_u8(&p->in);

        f.fragment.bytes = SLICE(rest.ptr, n < rest.len ? n : rest.len);
        say(p, &f);
        if ((how & 24) != 24 || take_below(&p->in, 4) != 0)
            f.fragment.offset += f.fragment.bytes.len;
        else if (!take_more(&p->in))
            break;
    }
    buf_free(&row);
}

static void say_vector(struct play *p)
{
    struct frame f = { .type = FRAME_SUBSCRIBE };
    uint8_t how = take_u8(&p->in);
    unsigned space;

    if ((how & 1) != 0) {
        f.type = FRAME_ACK;
        f.ack.space = take_space(p, &space);
        f.ack.device =
            *identity_device(house_identity(take_below(&p->in, DEVICES)));
        f.ack.durable = odd_vv(&p->odd, &p->in);
    } else {
        f.subscribe.space = take_space(p, &space);
        f.subscribe.have = odd_vv(&p->odd, &p->in);
        f.subscribe.has_cursor = (how & 2) != 0;
        f.subscribe.cursor = (how & 2) != 0 ? take_number(&p->in) : 0;
        f.subscribe.flags = how >> 2 & SUBSCRIBE_FLAGS;
    }
    say(p, &f);
}

static void say_reach(struct play *p)
{
    struct frame f = { .type = FRAME_REACH };
    struct buf b = { 0 };

    for (unsigned n = take_below(&p->in, 5); n > 0; n--) {
        struct netaddr addr = { .family = 4, .addr = { 10, 0, 0, 9 } };

        addr.addr[3] = take_u8(&p->in);
        addr.port = (uint16_t)take_number(&p->in);
        buf_put(&b,
            identity_device(house_identity(take_below(&p->in, DEVICES)))->b,
            DEVICE_ID_LEN);
        put_netaddr(&b, &addr);
        f.reach.n++;
    }
    f.reach.devices = written(&b);
    say(p, &f);
    buf_free(&b);
}

static void say_small(struct play *p)
{
    struct frame f = { .type = FRAME_CREDIT };
    unsigned space;

    switch (take_below(&p->in, 5)) {
    case 0:
        f.credit = take_number(&p->in);
        break;
    case 1:
        f.type = take_below(&p->in, 2) == 0 ? FRAME_PING : FRAME_PONG;
        f.ping.sent_us = take_number(&p->in);
        f.ping.wall_us = take_number(&p->in);
        break;
    case 2:
        f.type = FRAME_ASK;
        f.ask.question = take_number(&p->in);
        f.ask.space = take_space(p, &space);
        f.ask.from = take_piece(&p->in);
        f.ask.to = take_piece(&p->in);
        break;
    case 3:
        f.type = FRAME_TELL;
        f.tell.question = take_number(&p->in);
        f.tell.body = take_piece(&p->in);
        break;
    default:
        say_reach(p);
        return;
    }
    say(p, &f);
}

static void say_bytes(struct play *p)
{
    uint8_t how = take_u8(&p->in);
    struct slice body = take_piece(&p->in);
    struct house_conn *c = line(p);
    struct buf b = { 0 };

    if (c != NULL && how < 128) {
        buf_put_u8(&b, how % (FRAME_END + 1));
        put_varint(&b, ++c->said_no);
        buf_put_slice(&b, body);
        house_hear(&p->house, c, written(&b));
    } else if (c != NULL) {
        house_hear(&p->house, c, body);
    }
    buf_free(&b);
}

/* ---- the world ---- */

static void ask(struct play *p)
{
    static const char *const asks[] = {
        "{\"op\":\"put\",\"key\":\"a\",\"value\":{\"a\":9,\"b\":{}}}",
        "{\"op\":\"put\",\"key\":\"fresh\",\"value\":[1],\"wait\":\"all\"}",
        "{\"op\":\"del\",\"key\":\"a\"}",
        "{\"op\":\"put\",\"space\":\"notes\",\"key\":\"k/1\",\"value\":3}",
        "{\"op\":\"verify\"}",
        "{\"op\":\"conflicts\"}",
        "{\"op\":\"remove\",\"device\":\"garage\"}",
        "{\"op\":\"space_add\",\"name\":\"new\"}",
        "{\"op\":\"space_rm\",\"name\":\"notes\"}",
        "{\"op\":\"watch\",\"space\":\"notes\"}",
        "{\"op\":\"history\",\"key\":\"a\"}",
        "{\"op\":\"restore\",\"key\":\"a\",\"version\":1}",
    };
    const unsigned n = sizeof asks / sizeof *asks;
    unsigned ix = take_below(&p->in, n + 1);

    (void)!house_ask(
        &p->house, ix < n ? slice_str(asks[ix]) : take_piece(&p->in));
}

static void answer_dial(struct play *p)
{
    struct event down = { .type = EV_CONN_DOWN, .conn = p->dialled };

    if (p->dialled == 0)
        return;
    if (take_below(&p->in, 2) == 0 ||
        house_up(&p->house, p->speaker, false, p->dialled) == NULL)
        house_step(&p->house, &down);
    p->dialled = 0;
}

static void happen(struct play *p)
{
    struct house_conn *c;

    switch (take_below(&p->in, 8)) {
    case 0:
        c = line(p);
        if (c != NULL)
            house_down(&p->house, c);
        break;
    case 1:
        p->speaker = p->speaker == KITCHEN ? GARAGE : KITCHEN;
        break;
    case 2:
        answer_dial(p);
        break;
    case 3:
        house_pass(&p->house, (uint64_t)take_u8(&p->in) * 100000);
        break;
    case 4:
        p->dialled = 0;
        house_restart(&p->house, take_below(&p->in, 2) == 0);
        break;
    case 5:
        (void)house_up(&p->house, p->speaker, false, 0);
        break;
    default:
        house_settle(&p->house);
    }
}

static void (*const steps[])(struct play *p) = { say_batch, say_batch,
    say_batch, say_fragments, say_vector, say_small, say_bytes, ask, happen,
    happen };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play p = { .in = pieces_of(data, size), .speaker = KITCHEN };

    house_open(&p.house, HOME, house_disk());
    p.house.on_effect = on_effect;
    p.house.ctx = &p;
    odd_init(&p.odd, &p.arena);
    p.odd.rid[0] = *house_replica(KITCHEN);
    p.odd.rid[1] = *house_replica(GARAGE);
    p.odd.rid[2] = *house_replica(HOME);
    p.odd.rid[3] = *house_replica(STRANGER);
    p.odd.rid[4] = *house_replica(HOME);
    p.odd.rid[4].b[RID_LEN - 1] ^= 1; /* one that was lost */
    for (int i = 0; i < STEPS_MAX && take_more(&p.in); i++)
        steps[take_below(&p.in, sizeof steps / sizeof *steps)](&p);
    house_settle(&p.house);
    house_close(&p.house);
    arena_free(&p.arena);
    return 0;
}
