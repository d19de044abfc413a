/* ws_client_fuzz.c - a byte that says whether the greeting is answered as it
 * should be, a piece with the sizes in which bytes arrive, then what a server
 * sends.
 *
 * Holds the laws: what is told does not depend on those sizes; on_open comes
 * once and first; all that is sent behind the greeting is masked frames. */
#include "faces/http/ws_client.h"

#include "faces/http/ws.h"
#include "base/text.h"
#include "fuzz/fuzz.h"

#define MESSAGE_MAX 600

struct side {
    struct ws_client *c;
    struct buf said;
    unsigned opens;
    size_t greeting; /* bytes of it */
};

static void on_open(void *ctx, struct slice server)
{
    struct side *s = ctx;

    ENSURE(++s->opens == 1 && ws_client_is_open(s->c));
    put_bytes(&s->said, server);
}

static void on_message(void *ctx, bool text, struct slice message)
{
    struct side *s = ctx;

    ENSURE(s->opens == 1 && message.len <= MESSAGE_MAX);
    buf_put_u8(&s->said, text);
    put_bytes(&s->said, message);
    ws_client_send(s->c, message);
}

static int on_random(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    memset(out, 7, n);
    return SYNCLINE_OK;
}

static void side_open(struct side *s)
{
    const struct ws_client_options opt = { .host = "a",
        .path = "/sync",
        .agent = "b",
        .message_max = MESSAGE_MAX,
        .greeting_ms = 1000,
        .ping_ms = 1000,
        .ctx = s,
        .on_open = on_open,
        .on_message = on_message,
        .random = on_random };

    ENSURE(ws_client_new(&s->c, &opt, 1) == SYNCLINE_OK);
    s->greeting = ws_client_out(s->c)->len;
}

static void side_close(struct side *s)
{
    struct slice out = slice_from(buf_slice(ws_client_out(s->c)), s->greeting);

    ENSURE(out.len == 0 || (out.len >= 6 && (out.ptr[1] & 0x80) != 0));
    ws_client_free(s->c);
    buf_free(&s->said);
}

static void put_answer(struct buf *b)
{
    struct buf key = { 0 };

    put_base64(&key, SLICE("\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7", 16));
    buf_put_str(&key, "==");
    buf_put_str(b,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
        "connection: keep-alive, upgrade\r\nServer: c\r\n"
        "Sec-WebSocket-Accept: ");
    ENSURE(ws_accept(b, buf_slice(&key)) == SYNCLINE_OK);
    buf_put_str(b, "\r\n\r\n");
    buf_free(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    struct side whole = { 0 }, cut = { 0 };
    bool answered = take_u8(&p) % 2 == 1;
    struct pieces sizes = { take_piece(&p) };
    struct buf all = { 0 };
    struct pieces rest;

    if (answered)
        put_answer(&all);
    buf_put_slice(&all, p.in);
    side_open(&whole);
    side_open(&cut);
    ws_client_feed(whole.c, buf_slice(&all), 2);
    rest = (struct pieces){ buf_slice(&all) };
    while (take_more(&rest))
        ws_client_feed(cut.c,
            take_bytes(
                &rest, take_more(&sizes) ? take_u8(&sizes) + 1u : rest.in.len),
            2);
    ENSURE(!answered || whole.opens == 1);
    ENSURE(slice_eq(buf_slice(&whole.said), buf_slice(&cut.said)));
    side_close(&whole);
    side_close(&cut);
    buf_free(&all);
    return 0;
}
