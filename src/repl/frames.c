#include "repl/frames.h"

#include "base/plant.h"
#include "core/item.h"

static void put_hello(struct buf *b, const struct frame *f)
{
    put_varint(b, f->hello.version);
    buf_put(b, f->hello.mesh.b, MESH_ID_LEN);
    buf_put(b, f->hello.replica.b, RID_LEN);
    put_u64(b, f->hello.wall_us);
    put_varint(b, f->hello.port);
    put_bytes(b, f->hello.name);
}

static void get_hello(struct reader *r, struct frame *f, struct arena *a)
{
    (void)a;
    f->hello.version = (uint32_t)get_varint_max(r, UINT32_MAX);
    if (r->err == 0 && f->hello.version != PROTOCOL_VERSION &&
        !PLANTED(R34_VERSION))
        r->err = SYNCLINE_EVERSION;
    get_into(r, f->hello.mesh.b, MESH_ID_LEN);
    get_into(r, f->hello.replica.b, RID_LEN);
    f->hello.wall_us = get_u64(r);
    f->hello.port = (uint16_t)get_varint_max(r, UINT16_MAX);
    f->hello.name = get_bytes(r);
    if (r->err == 0 &&
        (f->hello.name.len > 255 || rid_is_none(&f->hello.replica)))
        r->err = SYNCLINE_EMALFORMED;
}

static void put_token(struct buf *b, const struct space_token *t)
{
    buf_put(b, t->b, SPACE_TOKEN_LEN);
}

static void get_token(struct reader *r, struct space_token *out)
{
    get_into(r, out->b, SPACE_TOKEN_LEN);
}

static void put_subscribe(struct buf *b, const struct frame *f)
{
    put_token(b, &f->subscribe.space);
    put_vv(b, &f->subscribe.have);
    put_varint(b, f->subscribe.has_cursor ? f->subscribe.cursor + 1 : 0);
    buf_put_u8(b, f->subscribe.flags);
}

static void get_subscribe(struct reader *r, struct frame *f, struct arena *a)
{
    uint64_t cursor;

    get_token(r, &f->subscribe.space);
    (void)!get_vv(r, &f->subscribe.have, a);
    cursor = get_varint(r);
    f->subscribe.has_cursor = cursor > 0;
    f->subscribe.cursor = cursor > 0 ? cursor - 1 : 0;
    f->subscribe.flags = get_u8(r);
    if (r->err == 0 && f->subscribe.flags > SUBSCRIBE_FLAGS)
        r->err = SYNCLINE_EMALFORMED;
}

void put_floors(struct buf *b, const struct floors *f)
{
    put_varint(b, f->length);
    put_varint(b, f->version);
    put_stamp(b, &f->fields);
}

void get_floors(struct reader *r, struct floors *out)
{
    out->length = get_varint_max(r, LENGTH_MAX);
    out->version = get_varint_max(r, LENGTH_MAX);
    get_stamp(r, &out->fields);
}

static void put_batch(struct buf *b, const struct frame *f)
{
    put_token(b, &f->batch.space);
    buf_put_u8(b, f->batch.flags);
    put_varint(b, f->batch.cursor);
    if ((f->batch.flags & BATCH_FLOORS) != 0)
        put_floors(b, &f->batch.floors);
    if ((f->batch.flags & BATCH_SHEAVES) != 0) {
        put_varint(b, f->batch.sheaves_n);
        put_bytes(b, f->batch.sheaves);
    }
    put_varint(b, f->batch.rows_n);
    put_bytes(b, f->batch.rows);
    put_varint(b, f->batch.conflicts_n);
    put_bytes(b, f->batch.conflicts);
    put_vv(b, &f->batch.mark);
}

static void get_batch(struct reader *r, struct frame *f, struct arena *a)
{
    get_token(r, &f->batch.space);
    f->batch.flags = get_u8(r);
    f->batch.cursor = get_varint(r);
    if ((f->batch.flags & BATCH_FLOORS) != 0)
        get_floors(r, &f->batch.floors);
    if ((f->batch.flags & BATCH_SHEAVES) != 0) {
        f->batch.sheaves_n = (uint32_t)get_varint_max(r, FRAME_MAX);
        f->batch.sheaves = get_bytes(r);
    }
    f->batch.rows_n = (uint32_t)get_varint_max(r, FRAME_MAX);
    f->batch.rows = get_bytes(r);
    f->batch.conflicts_n = (uint32_t)get_varint_max(r, FRAME_MAX);
    f->batch.conflicts = get_bytes(r);
    (void)!get_vv(r, &f->batch.mark, a);
    if (r->err == 0 && f->batch.flags > BATCH_FLAGS)
        r->err = SYNCLINE_EMALFORMED;
}

static void put_fragment(struct buf *b, const struct frame *f)
{
    put_token(b, &f->fragment.space);
    put_varint(b, f->fragment.transfer);
    put_varint(b, f->fragment.total);
    put_varint(b, f->fragment.offset);
    put_bytes(b, f->fragment.bytes);
}

static void get_fragment(struct reader *r, struct frame *f, struct arena *a)
{
    (void)a;
    get_token(r, &f->fragment.space);
    f->fragment.transfer = get_varint(r);
    f->fragment.total = get_varint(r);
    f->fragment.offset = get_varint(r);
    f->fragment.bytes = get_bytes(r);
}

static void put_credit(struct buf *b, const struct frame *f)
{
    put_varint(b, f->credit);
}

static void get_credit(struct reader *r, struct frame *f, struct arena *a)
{
    (void)a;
    f->credit = get_varint(r);
}

static void put_ack(struct buf *b, const struct frame *f)
{
    put_token(b, &f->ack.space);
    buf_put(b, f->ack.device.b, DEVICE_ID_LEN);
    put_vv(b, &f->ack.durable);
}

static void get_ack(struct reader *r, struct frame *f, struct arena *a)
{
    get_token(r, &f->ack.space);
    get_into(r, f->ack.device.b, DEVICE_ID_LEN);
    (void)!get_vv(r, &f->ack.durable, a);
}

static void put_bootstrap(struct buf *b, const struct frame *f)
{
    put_token(b, &f->bootstrap.space);
    buf_put_u8(b, f->bootstrap.stage);
    put_vv(b, &f->bootstrap.vector);
    if (f->bootstrap.stage == BOOTSTRAP_ENDS)
        put_floors(b, &f->bootstrap.floors);
}

static void get_bootstrap(struct reader *r, struct frame *f, struct arena *a)
{
    get_token(r, &f->bootstrap.space);
    f->bootstrap.stage = get_u8(r);
    if (r->err == 0 && f->bootstrap.stage > BOOTSTRAP_ENDS)
        r->err = SYNCLINE_EMALFORMED;
    (void)!get_vv(r, &f->bootstrap.vector, a);
    if (f->bootstrap.stage == BOOTSTRAP_ENDS)
        get_floors(r, &f->bootstrap.floors);
}

static void put_epoch(struct buf *b, const struct frame *f)
{
    put_varint(b, f->epoch.epoch);
    put_bytes(b, f->epoch.record);
}

static void get_epoch(struct reader *r, struct frame *f, struct arena *a)
{
    (void)a;
    f->epoch.epoch = get_varint(r);
    f->epoch.record = get_bytes(r);
}

static void put_ping(struct buf *b, const struct frame *f)
{
    put_u64(b, f->ping.sent_us);
    put_u64(b, f->ping.wall_us);
}

static void get_ping(struct reader *r, struct frame *f, struct arena *a)
{
    (void)a;
    f->ping.sent_us = get_u64(r);
    f->ping.wall_us = get_u64(r);
}

static void put_reach(struct buf *b, const struct frame *f)
{
    put_varint(b, f->reach.n);
    buf_put_slice(b, f->reach.devices);
}

static void get_reach(struct reader *r, struct frame *f, struct arena *a)
{
    struct reader check;

    (void)a;
    f->reach.n = (uint32_t)get_varint_max(r, REACH_MAX);
    f->reach.devices = r->in;
    check = *r;
    for (uint32_t i = 0; i < f->reach.n && check.err == 0; i++) {
        struct netaddr addr;

        (void)get_fixed(&check, DEVICE_ID_LEN);
        get_netaddr(&check, &addr);
    }
    *r = check;
}

static void put_ask(struct buf *b, const struct frame *f)
{
    put_varint(b, f->ask.question);
    put_token(b, &f->ask.space);
    put_bytes(b, f->ask.from);
    put_bytes(b, f->ask.to);
}

static void get_ask(struct reader *r, struct frame *f, struct arena *a)
{
    (void)a;
    f->ask.question = get_varint(r);
    get_token(r, &f->ask.space);
    f->ask.from = get_bytes(r);
    f->ask.to = get_bytes(r);
}

static void put_tell(struct buf *b, const struct frame *f)
{
    put_varint(b, f->tell.question);
    put_bytes(b, f->tell.body);
}

static void get_tell(struct reader *r, struct frame *f, struct arena *a)
{
    (void)a;
    f->tell.question = get_varint(r);
    f->tell.body = get_bytes(r);
}

static void put_check(struct buf *b, const struct frame *f)
{
    put_token(b, &f->check.space);
    buf_put(b, f->check.vector, CHECK_PRINT_LEN);
    put_varint(b, f->check.alive);
    put_u64(b, f->check.sum.lo);
    put_u64(b, f->check.sum.hi);
}

static void get_check(struct reader *r, struct frame *f, struct arena *a)
{
    (void)a;
    get_token(r, &f->check.space);
    get_into(r, f->check.vector, CHECK_PRINT_LEN);
    f->check.alive = get_varint(r);
    f->check.sum.lo = get_u64(r);
    f->check.sum.hi = get_u64(r);
}

static void put_show(struct buf *b, const struct frame *f)
{
    put_token(b, &f->show.space);
    put_bytes(b, f->show.key);
    put_bytes(b, f->show.row);
}

static void get_show(struct reader *r, struct frame *f, struct arena *a)
{
    (void)a;
    get_token(r, &f->show.space);
    f->show.key = get_bytes(r);
    f->show.row = get_bytes(r);
}

static void put_head(struct buf *b, const struct frame *f)
{
    put_token(b, &f->head.space);
    buf_put(b, f->head.device.b, DEVICE_ID_LEN);
    put_varint(b, f->head.number);
    buf_put(b, f->head.print, HEAD_PRINT_LEN);
    buf_put(b, f->head.sig, ED25519_SIG_LEN);
    put_vv(b, &f->head.durable);
}

static void get_head(struct reader *r, struct frame *f, struct arena *a)
{
    get_token(r, &f->head.space);
    get_into(r, f->head.device.b, DEVICE_ID_LEN);
    f->head.number = get_varint_max(r, SEQ_MAX);
    get_into(r, f->head.print, HEAD_PRINT_LEN);
    get_into(r, f->head.sig, ED25519_SIG_LEN);
    (void)!get_vv(r, &f->head.durable, a);
}

static void put_bye(struct buf *b, const struct frame *f)
{
    put_varint(b, (uint64_t)-f->bye.code);
    put_bytes(b, f->bye.text);
}

static void get_bye(struct reader *r, struct frame *f, struct arena *a)
{
    (void)a;
    f->bye.code = -(int32_t)get_varint_max(r, 1000);
    f->bye.text = get_bytes(r);
}

static const struct {
    const char *name;
    void (*put)(struct buf *b, const struct frame *f);
    void (*get)(struct reader *r, struct frame *f, struct arena *a);
} frames[FRAME_END] = {
    [FRAME_HELLO] = { "hello", put_hello, get_hello },
    [FRAME_SUBSCRIBE] = { "subscribe", put_subscribe, get_subscribe },
    [FRAME_BATCH] = { "batch", put_batch, get_batch },
    [FRAME_FRAGMENT] = { "fragment", put_fragment, get_fragment },
    [FRAME_CREDIT] = { "credit", put_credit, get_credit },
    [FRAME_ACK] = { "ack", put_ack, get_ack },
    [FRAME_PING] = { "ping", put_ping, get_ping },
    [FRAME_PONG] = { "pong", put_ping, get_ping },
    [FRAME_REACH] = { "reach", put_reach, get_reach },
    [FRAME_ASK] = { "ask", put_ask, get_ask },
    [FRAME_TELL] = { "tell", put_tell, get_tell },
    [FRAME_BYE] = { "bye", put_bye, get_bye },
    [FRAME_BOOTSTRAP] = { "bootstrap", put_bootstrap, get_bootstrap },
    [FRAME_EPOCH] = { "epoch", put_epoch, get_epoch },
    [FRAME_CHECK] = { "check", put_check, get_check },
    [FRAME_SHOW] = { "show", put_show, get_show },
    [FRAME_HEAD] = { "head", put_head, get_head },
};

const char *frame_name(enum frame_type type)
{
    return type > 0 && type < FRAME_END ? frames[type].name : "unknown";
}

void put_frame(struct buf *b, const struct frame *f)
{
    buf_put_u8(b, (uint8_t)f->type);
    put_varint(b, f->no);
    frames[f->type].put(b, f);
}

int get_frame(struct slice bytes, struct frame *out, struct arena *a)
{
    struct reader r = reader_of(bytes);
    struct frame f = { 0 };
    uint8_t type = get_u8(&r);
    int rc;

    f.no = (uint32_t)get_varint_max(&r, UINT32_MAX);
    if (r.err == 0 && (type == 0 || type >= FRAME_END))
        r.err = SYNCLINE_EMALFORMED;
    if (r.err != 0)
        return r.err;
    f.type = (enum frame_type)type;
    frames[type].get(&r, &f, a);
    rc = reader_end(&r);
    if (rc == SYNCLINE_OK || rc == SYNCLINE_EVERSION)
        *out = f;
    return rc;
}

void put_netaddr(struct buf *b, const struct netaddr *addr)
{
    buf_put_u8(b, (uint8_t)addr->family);
    if (addr->family == 0)
        return;
    buf_put(b, addr->addr, addr->family == 4 ? 4 : 16);
    put_u32(b, addr->port);
}

void get_netaddr(struct reader *r, struct netaddr *out)
{
    struct netaddr addr = { 0 };
    uint8_t family = get_u8(r);
    uint32_t port;

    if (r->err == 0 && family != 0 && family != 4 && family != 6)
        r->err = SYNCLINE_EMALFORMED;
    if (family != 0 && r->err == 0) {
        addr.family = family;
        get_into(r, addr.addr, family == 4 ? 4 : 16);
        port = get_u32(r);
        addr.port = (uint16_t)port;
        if (r->err == 0 && port > UINT16_MAX)
            r->err = SYNCLINE_EMALFORMED;
    }
    *out = addr;
}
