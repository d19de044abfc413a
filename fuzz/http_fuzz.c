/* http_fuzz.c - a byte that says whether it begins as a WebSocket, a piece
 * with the sizes in which bytes arrive, then what a client sends.
 *
 * Holds the laws: what is asked, what is answered and whether it is over does
 * not depend on those sizes (but how a WebSocket is closed may); each request
 * is what http_conn.h says that it is; on_request and on_gone come when they
 * may. */
#include "faces/http/http_conn.h"
#include "fuzz/fuzz.h"

#define BODY_MAX 600

static const char greeting[] =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct side {
    struct http_conn *c;
    struct buf said; /* requests and messages */
    struct buf out;
    bool waits;   /* a request, for its answer */
    bool is_open; /* its WebSocket */
    bool was_websocket;
    bool awaits; /* somebody asked for a 100, which depends on the sizes */
    unsigned gone;
};

static void check_field(const struct http_field *f)
{
    ENSURE(f->name.len > 0 && f->value.ptr != NULL);
    for (size_t i = 0; i < f->name.len; i++) {
        uint8_t c = f->name.ptr[i];

        ENSURE(c > ' ' && c < 0x7f && c != ':' && !(c >= 'A' && c <= 'Z'));
    }
    for (size_t i = 0; i < f->value.len; i++) {
        uint8_t c = f->value.ptr[i];

        ENSURE((c >= ' ' || c == '\t') && c != 0x7f);
    }
}

static void check_request(const struct http_request *r)
{
    struct buf value = { 0 };
    int rc = http_query(r, "a", &value);

    ENSURE(rc == SYNCLINE_OK || rc == SYNCLINE_ENOTFOUND ||
        rc == SYNCLINE_EMALFORMED);
    ENSURE(rc == SYNCLINE_OK || value.len == 0);
    buf_free(&value);
    ENSURE(r->path.len > 0 &&
        (r->path.ptr[0] == '/' ||
            (slice_is(r->path, "*") && r->method == HTTP_OPTIONS)));
    ENSURE(r->body.len <= BODY_MAX && (r->has_body || r->body.len == 0));
    ENSURE(!r->is_websocket || (r->method == HTTP_GET && r->body.len == 0));
    for (size_t i = 0; i < r->fields_n; i++)
        check_field(&r->fields[i]);
}

static void answer(struct side *s, struct slice path, bool is_websocket)
{
    uint8_t how = path.len > 1 ? path.ptr[1] % 4 : 0;

    s->waits = false;
    s->is_open = is_websocket;
    s->was_websocket = is_websocket;
    if (is_websocket) {
        http_upgrade(s->c, NULL);
    } else if (how == 1) {
        http_stream(s->c, 200, "text/plain", SLICE_NONE);
        http_send(s->c, path);
        http_end(s->c);
    } else {
        http_respond(
            s->c, how == 2 ? 204 : 200, "text/plain", SLICE_NONE, path);
    }
}

static void on_request(
    void *ctx, struct http_conn *c, const struct http_request *r)
{
    struct side *s = ctx;

    ENSURE(s->c == c && !s->waits && !s->is_open && s->gone == 0);
    check_request(r);
    s->waits = true;
    s->awaits = s->awaits || http_field(r, "expect").ptr != NULL;
    buf_put_u8(&s->said, (uint8_t)r->method);
    put_bytes(&s->said, r->path);
    put_bytes(&s->said, r->query);
    put_bytes(&s->said, r->host);
    put_bytes(&s->said, r->body);
    for (size_t i = 0; i < r->fields_n; i++) {
        put_bytes(&s->said, r->fields[i].name);
        put_bytes(&s->said, r->fields[i].value);
    }
    if (r->path.len < 3 || r->path.ptr[2] != '-') /* else it is later */
        answer(s, r->path, r->is_websocket);
    else
        buf_put_u8(&s->said, r->is_websocket);
}

/* Of a body that is not whole yet; whether it is, depends on the sizes. */
static void on_head(
    void *ctx, struct http_conn *c, const struct http_request *r)
{
    struct side *s = ctx;

    ENSURE(s->c == c && !s->waits && !s->is_open && s->gone == 0);
    ENSURE(r->has_body && r->body.len == 0);
    check_request(r);
}

static void on_message(
    void *ctx, struct http_conn *c, bool text, struct slice message)
{
    struct side *s = ctx;

    ENSURE(s->is_open && s->gone == 0 && message.len <= BODY_MAX);
    put_bytes(&s->said, message);
    http_send_message(c, text, message);
    if (message.len > 0 && message.ptr[0] == '!' && !http_conn_is_over(c)) {
        http_close_websocket(c, 1000, "told to");
        s->is_open = false;
    }
}

static void on_gone(void *ctx, struct http_conn *c)
{
    struct side *s = ctx;

    ENSURE(http_conn_is_over(c) && (s->waits || s->is_open));
    s->waits = s->is_open = false;
    ENSURE(++s->gone == 1);
}

static void side_open(struct side *s)
{
    const struct http_events events = { .ctx = s,
        .on_request = on_request,
        .on_head = on_head,
        .on_message = on_message,
        .on_gone = on_gone };
    const struct http_limits limits = { .head_max = 400,
        .fields_max = 8,
        .body_max = BODY_MAX,
        .message_max = BODY_MAX };

    ENSURE(http_conn_new(&s->c, &events, &limits, 1) == SYNCLINE_OK);
}

static void take_out(struct side *s)
{
    struct buf *out = http_conn_out(s->c);

    buf_put_slice(&s->out, written(out));
    buf_consume(out, out->len);
}

/* Whoever was not answered at once is answered when all has come that comes
 * with its request, and what waits behind it is taken up. */
static void feed(struct side *s, struct slice in)
{
    http_conn_feed(s->c, in, 1);
    take_out(s);
    while (s->waits) {
        ENSURE(http_conn_is_busy(s->c));
        answer(s, SLICE_LIT("/a"), s->said.ptr[s->said.len - 1] == 1);
        http_conn_tick(s->c, 1);
        take_out(s);
    }
    ENSURE(!http_conn_is_busy(s->c));
}

/* What is wrong in a close (a code that is none, a text that is no UTF-8) wslay
 * finds, or not, by the sizes; nobody hears anything after it. */
static bool has_closed(const struct side *s)
{
    return s->was_websocket && http_conn_is_over(s->c);
}

static void check_alike(const struct side *a, const struct side *b)
{
    ENSURE(slice_eq(written(&a->said), written(&b->said)));
    if (has_closed(a) || has_closed(b))
        return;
    ENSURE(a->awaits || slice_eq(written(&a->out), written(&b->out)));
    ENSURE(http_conn_is_over(a->c) == http_conn_is_over(b->c));
}

static void side_close(struct side *s)
{
    bool was_open = s->is_open;

    http_conn_end(s->c);
    ENSURE(http_conn_is_over(s->c) && (!was_open || s->gone == 1));
    http_conn_free(s->c);
    buf_free(&s->said);
    buf_free(&s->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    bool begins = take_u8(&p) % 2 == 1;
    struct pieces sizes = { take_piece(&p) };
    struct side whole = { 0 }, cut = { 0 };

    side_open(&whole);
    side_open(&cut);
    if (begins) {
        feed(&whole, slice_str(greeting));
        feed(&cut, slice_str(greeting));
    }
    feed(&whole, p.in);
    while (take_more(&p))
        feed(&cut,
            take_bytes(
                &p, take_more(&sizes) ? take_u8(&sizes) + 1u : p.in.len));
    check_alike(&whole, &cut);
    side_close(&whole);
    side_close(&cut);
    return 0;
}
