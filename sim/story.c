#include "sim/story.h"

#include "repl/frames.h"
#include "sim/peek.h"
#include "sim/world.h"

#include <inttypes.h>

#define SHOWN_MAX 60 /* bytes of a value */

/* ---- names ---- */

static unsigned machine_of(const struct story *s, const struct rid *r)
{
    for (unsigned i = 0; i < relays_all(s->world); i++)
        if (rid_is_of(r, &s->world->machines[i].crypto.device))
            return i;
    return SIM_MACHINES;
}

/* Which incarnation of its machine it is, from 0. */
static unsigned incarnation(struct story *s, const struct rid *r)
{
    unsigned before = 0, i = 0;

    for (; i < s->replicas_n && !rid_eq(&s->replicas[i], r); i++)
        before += machine_of(s, &s->replicas[i]) == machine_of(s, r);
    if (i == s->replicas_n && i < STORY_REPLICAS)
        s->replicas[s->replicas_n++] = *r;
    return before;
}

static void put_replica(struct story *s, struct buf *b, const struct rid *r)
{
    unsigned which = incarnation(s, r);

    buf_printf(b, "m%u%c", machine_of(s, r), 'a' + (int)(which % 26));
}

static void put_dot_name(struct story *s, struct buf *b, const struct dot *d)
{
    put_replica(s, b, &d->replica);
    buf_printf(b, ":%" PRIu64, d->seq);
}

static void put_vector(struct story *s, struct buf *b, const struct vv *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        buf_put_str(b, i > 0 ? " " : "");
        put_dot_name(s, b, &v->e[i]);
    }
    if (v->n == 0)
        buf_put_str(b, "nothing");
}

static void put_space(
    struct story *s, struct buf *b, const struct space_token *token)
{
    const struct ledger *l = &s->world->ledger;

    for (uint32_t i = 0; i < l->spaces_n; i++)
        if (space_token_eq(&l->spaces[i].token, token)) {
            buf_put_slice(b, l->spaces[i].name);
            return;
        }
    buf_put_str(b, "a space");
}

static void put_value(struct buf *b, struct slice v)
{
    if (v.ptr == NULL)
        buf_put_str(b, "nothing");
    else if (v.len <= SHOWN_MAX)
        buf_put_slice(b, v);
    else
        buf_printf(
            b, "%.*s... (%zu bytes)", SHOWN_MAX, (const char *)v.ptr, v.len);
}

/* ---- what a batch holds ---- */

static void put_row(struct story *s, struct buf *b, struct slice key,
    struct slice bytes, struct arena *a)
{
    struct reader r = reader_of(bytes);
    struct item it;

    buf_printf(b, " %.*s", SLICE_FMT(key));
    if (get_item(&r, &it, a) != SYNCLINE_OK) {
        buf_put_str(b, "(?)");
        return;
    }
    buf_printf(b, "(life %" PRIu64, it.length);
    if (it.tomb >= 0) {
        buf_put_str(b, ", ended by ");
        put_dot_name(s, b, &it.changes[it.tomb].dot);
    }
    for (uint32_t i = 0; i < it.cells_n; i++) {
        buf_printf(b, ", %.*s=", SLICE_FMT(it.cells[i].path));
        put_value(b, it.cells[i].value);
        buf_put_str(b, " of ");
        put_dot_name(s, b, &it.changes[it.cells[i].change].dot);
    }
    buf_put_str(b, "; knows ");
    put_vector(s, b, &it.ctx);
    buf_put_str(b, ")");
}

/* The record travels without the lsn that peek_conflict expects. */
static void put_conflict(
    struct story *s, struct buf *b, struct slice tail, struct slice record)
{
    struct buf key = { 0 }, value = { 0 };
    struct peek_conflict p;

    put_be32(&key, 0);
    buf_put_slice(&key, tail);
    put_be64(&value, 0);
    buf_put_slice(&value, record);
    if (peek_conflict(buf_slice(&key), buf_slice(&value), &p) == SYNCLINE_OK) {
        buf_printf(b, " conflict at %.*s%.*s: ", SLICE_FMT(p.key),
            SLICE_FMT(p.loser.path));
        put_dot_name(s, b, &p.loser.dot);
        buf_put_str(b, " lost to ");
        put_dot_name(s, b, &p.winner.dot);
        buf_put_str(b, p.returned ? ", returned" : "");
        buf_put_str(b, p.resolved ? ", resolved" : "");
    }
    buf_free(&key);
    buf_free(&value);
}

static void put_batch(struct story *s, struct buf *b,
    const struct frame_batch *f, struct arena *a)
{
    struct reader rows = reader_of(f->rows);
    struct reader conflicts = reader_of(f->conflicts);

    buf_put_str(b, "batch of ");
    put_space(s, b, &f->space);
    buf_put_str(b, ":");
    for (uint32_t i = 0; i < f->rows_n && rows.err == 0; i++) {
        struct slice key = get_bytes(&rows);

        put_row(s, b, key, get_bytes(&rows), a);
    }
    for (uint32_t i = 0; i < f->conflicts_n && conflicts.err == 0; i++) {
        struct slice tail = get_bytes(&conflicts);

        put_conflict(s, b, tail, get_bytes(&conflicts));
    }
    if ((f->flags & BATCH_MARK) != 0) {
        buf_put_str(b, " mark ");
        put_vector(s, b, &f->mark);
        buf_put_str(b, (f->flags & BATCH_WHOLE) != 0 ? ", that is all" : "");
    }
    if ((f->flags & BATCH_CURSOR) != 0)
        buf_printf(b, " cursor %" PRIu64, f->cursor);
}

/* ---- frames ---- */

static void put_bootstrap(
    struct story *s, struct buf *b, const struct frame_bootstrap *f)
{
    bool begins = f->stage == BOOTSTRAP_BEGINS;

    buf_put_str(b, begins ? "all of " : "that is all of ");
    put_space(s, b, &f->space);
    buf_put_str(b, begins ? " follows, its horizon " : ", it has ");
    put_vector(s, b, &f->vector);
}

static void put_subscribe(
    struct story *s, struct buf *b, const struct frame_subscribe *f)
{
    buf_put_str(b, "subscribes to ");
    put_space(s, b, &f->space);
    buf_put_str(b, ", has ");
    put_vector(s, b, &f->have);
    if (f->has_cursor)
        buf_printf(b, ", cursor %" PRIu64, f->cursor);
}

static void put_ack(struct story *s, struct buf *b, const struct frame_ack *f)
{
    buf_put_str(b, "durable of ");
    put_space(s, b, &f->space);
    for (unsigned i = 0; i < relays_all(s->world); i++)
        if (device_eq(&f->device, &s->world->machines[i].crypto.device))
            buf_printf(b, " at %u", i);
    buf_put_str(b, ": ");
    put_vector(s, b, &f->durable);
}

/* False: not worth a line. */
static bool put_said(
    struct story *s, struct buf *b, struct slice bytes, struct arena *a)
{
    struct frame f;

    if (get_frame(bytes, &f, a) != SYNCLINE_OK) {
        buf_printf(b, "%zu bytes of pairing", bytes.len);
        return true;
    }
    switch (f.type) {
    case FRAME_PING:
    case FRAME_PONG:
    case FRAME_CREDIT:
    case FRAME_REACH:
        return false;
    case FRAME_BATCH:
        put_batch(s, b, &f.batch, a);
        return true;
    case FRAME_SUBSCRIBE:
        put_subscribe(s, b, &f.subscribe);
        return true;
    case FRAME_ACK:
        put_ack(s, b, &f.ack);
        return true;
    case FRAME_HELLO:
        buf_put_str(b, "hello, I am ");
        put_replica(s, b, &f.hello.replica);
        return true;
    case FRAME_FRAGMENT:
        buf_printf(b,
            "bytes %" PRIu64 " to %" PRIu64 " of %" PRIu64
            " of large row %" PRIu64,
            f.fragment.offset, f.fragment.offset + f.fragment.bytes.len,
            f.fragment.total, f.fragment.transfer);
        return true;
    case FRAME_BYE:
        buf_printf(b, "bye: %.*s", SLICE_FMT(f.bye.text));
        return true;
    case FRAME_BOOTSTRAP:
        put_bootstrap(s, b, &f.bootstrap);
        return true;
    case FRAME_EPOCH:
        buf_printf(b, "epoch %" PRIu64 "%s", f.epoch.epoch,
            f.epoch.record.len > 0 ? ", with a proof of one" : "");
        return true;
    default:
        buf_put_str(b, frame_name(f.type));
        return true;
    }
}

/* ---- lines ---- */

#define COLUMNS 100
#define INDENT 18

/* As many bytes of it as go on this line: up to a blank. */
static size_t that_fits(struct slice text, size_t room)
{
    size_t n = text.len < room ? text.len : room;

    while (n > 0 && n < text.len && text.ptr[n] != ' ')
        n--;
    if (n > 0)
        return n;
    while (n < text.len && text.ptr[n] != ' ')
        n++; /* a word that is too long for any */
    return n;
}

static void line(
    struct story *s, unsigned machine, const char *who, const struct buf *b)
{
    struct world *w = s->world;
    struct slice text = buf_slice(b);
    int head = fprintf(w->trace.to, "%4" PRIu64 ".%06" PRIu64 " %u %s ",
        w->now_us / SEC_US, w->now_us % SEC_US, machine, who);
    size_t room = COLUMNS - (head > 0 ? (size_t)head : 0);

    while (text.len > room) {
        size_t n = that_fits(text, room);

        (void)fprintf(w->trace.to, "%.*s\n", (int)n, (const char *)text.ptr);
        text = slice_from(text, n < text.len ? n + 1 : n);
        if (text.len == 0)
            return;
        (void)fprintf(w->trace.to, "%*s", INDENT, "");
        room = COLUMNS - INDENT;
    }
    (void)fprintf(w->trace.to, "%.*s\n", SLICE_FMT(text));
}

static void put_peer(
    const struct story *s, struct buf *b, unsigned machine, uint64_t conn)
{
    const struct machine *m = &s->world->machines[machine];
    const struct machine *peer = network_peer(m, conn);

    if (peer != NULL)
        buf_printf(b, "from %u: ", peer->ix);
}

void story_event(struct story *s, unsigned machine, const struct event *ev,
    struct slice text)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    bool told = false;

    switch (ev->type) {
    case EV_FRAME:
        put_peer(s, &b, machine, ev->conn);
        told = put_said(s, &b, ev->bytes, &a);
        break;
    case EV_REQUEST:
        buf_put_str(&b, "asked: ");
        put_value(&b, text);
        told = true;
        break;
    case EV_CONN_UP:
    case EV_CONN_DOWN:
        put_peer(s, &b, machine, ev->conn);
        buf_put_str(
            &b, ev->type == EV_CONN_UP ? "connected" : "the connection ended");
        told = true;
        break;
    default:
        break;
    }
    if (told)
        line(s, machine, "<-", &b);
    buf_free(&b);
    arena_free(&a);
}

void story_effect(struct story *s, unsigned machine, const struct effect *fx)
{
    static const char *const what[] = {
        [FX_REPLY] = "answers ", [FX_CLOSE] = "closes: ", [FX_RESOLVE] = "asks "
    };
    struct buf b = { 0 };

    if (fx->type != FX_REPLY && fx->type != FX_CLOSE && fx->type != FX_RESOLVE)
        return;
    buf_put_str(&b, what[fx->type]);
    put_value(&b, fx->bytes);
    line(s, machine, "->", &b);
    buf_free(&b);
}
