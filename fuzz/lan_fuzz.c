/* lan_fuzz.c - a byte that says which end of a LAN-sync link we are, and
 * whether both have offered to compress, then steps: a byte says which, then
 * mostly a piece follows: bytes of the wire, the JSON of a frame, the payload
 * of a message that counts, an event of the space, time passes, or a body that
 * is compressed.
 *
 * Holds the laws: all that is sent is frames that count; nothing is heard of
 * who was not let in, and nothing twice; a heartbeat that asks for nothing is
 * not answered; what is told to a node is items that read as what they were;
 * what is handed on as it came is what it was read as. */
#include "faces/lansync/exchange.h"

#include "faces/deflate.h"
#include "fuzz/fuzz.h"

#define SEC UINT64_C(1000000)
#define KEY SLICE_LIT("test-secret-key-1234567890123456")

struct side {
    struct lan_protocol *ours, *theirs;
    struct lan_link *link;
    struct lan_exchange *x;
    uint64_t now_us, drawn;
    bool is_server, is_open, is_closed, is_pulse;
    bool is_torn; /* a frame may have begun */
    bool deflates;
    uint64_t tokens[64], tokens_n, watch;
};

static int draw(void *ctx, uint8_t *out, size_t n)
{
    struct side *s = ctx;

    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(++s->drawn >> (i % 4 * 8));
    return SYNCLINE_OK;
}

static struct lan_protocol *protocol(struct side *s, const char *name)
{
    const struct lan_protocol_options opt = {
        .node_id = name, .node_name = name, .key = KEY, .ctx = s, .random = draw
    };
    struct lan_protocol *p = NULL;

    ENSURE(lan_protocol_new(&p, &opt) == SYNCLINE_OK);
    return p;
}

static void check_items(const struct lan_message *m, struct arena *a)
{
    const struct json *items = json_get(m->member[LAN_PAYLOAD], "items");

    if (items == NULL || items->type != JSON_ARRAY)
        return;
    for (const struct json *v = items->first; v != NULL; v = v->next) {
        struct lan_item item;

        ENSURE(lan_item_read(&item, v, a, NULL) == SYNCLINE_OK);
        ENSURE(item.is_deleted || lan_item_value(&item, a) != NULL);
    }
}

/* What a frame says; made is of use only for what was compressed. */
static struct slice body_of(
    const struct side *s, struct slice frame, struct buf *made)
{
    struct slice body = slice_from(frame, LAN_FRAME_HEAD);

    if (body.ptr[0] != 0x78)
        return body;
    ENSURE(s->deflates && s->is_open);
    ENSURE(
        inflate_put(made, body, DEFLATE_WHOLE, LAN_MESSAGE_MAX) == SYNCLINE_OK);
    ENSURE(made->len > body.len && made->len >= 1024);
    return buf_slice(made);
}

static void on_send(void *ctx, struct slice bytes)
{
    struct side *s = ctx;
    enum lan_dialect d = lan_link_dialect(s->link);
    struct buf made = { 0 };
    struct arena a = { 0 };
    struct lan_message m;

    ENSURE(!s->is_closed && !s->is_pulse);
    ENSURE(bytes.len > LAN_FRAME_HEAD &&
        lan_frame_len(bytes.ptr) == bytes.len - LAN_FRAME_HEAD);
    ENSURE(lan_message_read(&m, body_of(s, bytes, &made), &a, NULL) ==
        SYNCLINE_OK);
    ENSURE(lan_protocol_check(s->theirs, &m, true, s->now_us, &d, NULL) ==
        SYNCLINE_OK);
    check_items(&m, &a);
    arena_free(&a);
    buf_free(&made);
}

static void on_close(void *ctx, const char *why)
{
    struct side *s = ctx;

    ENSURE(!s->is_closed && why[0] != 0);
    s->is_closed = true;
}

static void on_open(void *ctx)
{
    struct side *s = ctx;

    ENSURE(!s->is_open && !s->is_closed);
    s->is_open = true;
    ENSURE(lan_exchange_open(s->x, 1, s->link, s->now_us) == SYNCLINE_OK);
}

static void check_said(const struct lan_message *m)
{
    const struct slice said = lan_payload_said(m);
    struct arena a = { 0 };
    struct json *again;

    if (said.ptr != NULL) {
        ENSURE(
            json_parse(&again, said, JSON_TOLERANT, &a, NULL) == SYNCLINE_OK);
        ENSURE(json_equal(again, m->member[LAN_PAYLOAD]));
    }
    arena_free(&a);
}

static int on_message(void *ctx, const struct lan_message *m)
{
    struct side *s = ctx;

    ENSURE(s->is_open || !s->is_server);
    check_said(m);
    return s->is_open ? lan_exchange_take(s->x, 1, m, s->now_us)
                      : SYNCLINE_EUNSUPPORTED;
}

static void on_answer(void *ctx, uint64_t request, const struct lan_answer *a)
{
    struct side *s = ctx;

    ENSURE(a->rc != SYNCLINE_OK || a->m != NULL);
    (void)lan_exchange_answered(s->x, 1, request, a, s->now_us);
}

/* ---- the port ---- */

static int on_watch(void *ctx, uint64_t watch, const char *from)
{
    (void)from;
    ((struct side *)ctx)->watch = watch;
    return SYNCLINE_OK;
}

static void on_pace(void *ctx, uint64_t watch, bool paused)
{
    (void)ctx;
    (void)watch;
    (void)paused;
}

static void on_unwatch(void *ctx, uint64_t watch)
{
    (void)ctx;
    ENSURE(watch != 0);
}

static void on_write(void *ctx, uint64_t token, uint64_t link,
    const struct lan_item *item, const struct json *value)
{
    (void)link;
    struct side *s = ctx;

    ENSURE(item->id.len > 0 && item->version > 0);
    ENSURE(item->is_deleted == (value == NULL));
    if (s->tokens_n < 64)
        s->tokens[s->tokens_n++] = token;
}

static void on_recall(void *ctx, const char *node, char *acked, char *asked)
{
    (void)ctx;
    (void)node;
    acked[0] = asked[0] = 0;
}

static void on_keep(
    void *ctx, const char *node, const char *acked, const char *asked)
{
    (void)ctx;
    ENSURE(strlen(node) < 256 && strlen(acked) < LAN_CURSOR_MAX &&
        strlen(asked) < LAN_CURSOR_MAX);
}

static void side_open(struct side *s, bool is_server, bool deflates)
{
    const struct lan_exchange_port port = { .ctx = s,
        .watch = on_watch,
        .pace = on_pace,
        .unwatch = on_unwatch,
        .write = on_write,
        .recall = on_recall,
        .keep = on_keep };
    const struct lan_link_options opt = { .is_server = is_server,
        .needs_auth = true,
        .auth = LAN_BY_TOKEN,
        .token = KEY,
        .key = KEY,
        .message_max = 65536,
        .heartbeat_us = 30 * SEC,
        .silence_us = 90 * SEC,
        .session_us = 60 * SEC,
        .events = { .ctx = s,
            .send = on_send,
            .close = on_close,
            .on_open = on_open,
            .on_message = on_message,
            .on_answer = on_answer } };
    struct lan_link_options with = opt;

    *s = (struct side){ .now_us = UINT64_C(1795176000) * SEC,
        .is_server = is_server,
        .deflates = deflates };
    s->ours = protocol(s, "us");
    s->theirs = protocol(s, "them");
    with.protocol = s->ours;
    ENSURE(lan_exchange_new(&s->x, &port, "us") == SYNCLINE_OK);
    ENSURE(lan_link_new(&s->link, &with, s->now_us) == SYNCLINE_OK);
    if (deflates)
        lan_link_deflate(s->link);
    lan_link_begin(s->link, s->now_us);
}

static void side_close(struct side *s)
{
    lan_exchange_close(s->x, 1);
    lan_link_end(s->link);
    lan_link_free(s->link);
    lan_exchange_free(s->x);
    lan_protocol_free(s->ours);
    lan_protocol_free(s->theirs);
}

/* ---- steps ---- */

static void feed_frame(struct side *s, struct slice text)
{
    const uint8_t head[] = { 0, 0, (uint8_t)(text.len >> 8),
        (uint8_t)text.len };

    lan_link_feed(s->link, SLICE(head, sizeof head), s->now_us);
    lan_link_feed(s->link, text, s->now_us);
}

/* One that counts, and then the same once more. */
static void feed_signed(struct side *s, struct pieces *p)
{
    enum lan_type type = (enum lan_type)(1 + take_below(p, LAN_TYPES - 1));
    enum lan_dialect d = take_below(p, 2) == 0 ? LAN_FIRST : LAN_SECOND;
    struct lan_draft draft = { .type = type };
    struct arena a = { 0 };
    struct json *payload = NULL;
    struct buf b = { 0 };

    if (json_parse(&payload, take_piece(p), JSON_TOLERANT, &a, NULL) ==
            SYNCLINE_OK &&
        payload->type == JSON_OBJECT)
        draft.payload = payload;
    if (lan_protocol_put(s->theirs, &b, &draft, d, s->now_us) == SYNCLINE_OK &&
        b.len < 65536) {
        s->is_pulse = !s->is_torn && type == LAN_HEARTBEAT &&
            json_get_str(payload, "request_id").len == 0;
        lan_link_feed(s->link, buf_slice(&b), s->now_us);
        s->is_pulse = false;
    }
    buf_free(&b);
    arena_free(&a);
}

/* A few bytes may be changed, or lacking. */
static void feed_packed(struct side *s, struct pieces *p)
{
    struct slice text = take_piece(p);
    struct buf b = { 0 };
    size_t at, less;

    ENSURE(deflate_put(&b, text, DEFLATE_WHOLE, DEFLATE_FAST,
               DEFLATE_BITS_MAX) == SYNCLINE_OK);
    at = take_u8(p);
    less = take_below(p, 8);
    if (at > 0 && at < b.len)
        b.ptr[at] = take_u8(p);
    if (b.len - less < 65536)
        feed_frame(s, SLICE(b.ptr, b.len - less));
    buf_free(&b);
}

static void tell_event(struct side *s, struct slice text)
{
    struct arena a = { 0 };
    struct json *v = NULL;

    if (s->watch != 0 &&
        json_parse(&v, text, JSON_STRICT, &a, NULL) == SYNCLINE_OK &&
        v->type == JSON_OBJECT && json_get_int(v, "version", 1) > 0 &&
        json_get_int(v, "time", 0) >= 0 && s->is_open)
        lan_exchange_event(s->x, s->watch, v, s->now_us);
    arena_free(&a);
}

static void step(struct side *s, struct pieces *p)
{
    switch (take_below(p, s->deflates ? 7 : 6)) {
    case 0:
        s->is_torn = true;
        lan_link_feed(s->link, take_piece(p), s->now_us);
        break;
    case 1:
        feed_frame(s, take_piece(p));
        break;
    case 2:
        feed_signed(s, p);
        break;
    case 3:
        tell_event(s, take_piece(p));
        break;
    case 4:
        if (s->tokens_n > 0)
            lan_exchange_written(s->x, s->tokens[--s->tokens_n],
                take_below(p, 2) == 0 ? SYNCLINE_OK : SYNCLINE_EINVAL, "why",
                s->now_us);
        break;
    case 6:
        feed_packed(s, p);
        break;
    default:
        s->now_us += take_u8(p) * SEC;
        lan_link_tick(s->link, s->now_us);
        ENSURE(lan_link_is_over(s->link) ||
            lan_link_deadline(s->link) > s->now_us);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    struct side s;
    unsigned how;

    how = (unsigned)take_below(&p, 4);
    side_open(&s, how % 2 == 0, how >= 2);
    while (take_more(&p) && !s.is_closed)
        step(&s, &p);
    side_close(&s);
    return 0;
}
