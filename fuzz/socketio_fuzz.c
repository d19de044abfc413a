/* socketio_fuzz.c - a server and a client of Socket.IO, and what others may do
 * to them: a byte says what, to which of four connections.
 *
 * Holds the laws: each request is answered exactly once; nothing is done to a
 * connection that it is not in the state for; links come and go by turns;
 * sessions are bounded; a client has at most one request of a kind under way.
 */
#include "faces/socketio/sio_client.h"
#include "faces/socketio/sio_server.h"

#include "fuzz/fuzz.h"

#define CONNS 4
#define LINKS 64

enum state { FREE, ASKING, SOCKET };

struct side {
    struct sio_server *server;
    struct sio_client *client;
    enum state conns[CONNS + 1];
    bool is_link[LINKS];
    char sid[EIO_SID_LEN + 1];
    uint64_t now_us;
    uint8_t drawn;
    bool asked[2], has_ws, is_connected;
};

static struct side *side; /* of this input */

static int on_random(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    memset(out, ++side->drawn, n);
    return SYNCLINE_OK;
}

static void on_respond(void *ctx, uint64_t conn, unsigned status,
    const char *type, struct slice body)
{
    (void)ctx;
    ENSURE(conn >= 1 && conn <= CONNS && side->conns[conn] == ASKING);
    ENSURE(status >= 200 && type != NULL && body.len > 0);
    side->conns[conn] = FREE;
    if (slice_has_prefix(body, SLICE_LIT("0{\"sid\":\"")))
        memcpy(side->sid, body.ptr + 9, EIO_SID_LEN);
}

static void on_upgrade(void *ctx, uint64_t conn)
{
    (void)ctx;
    ENSURE(conn >= 1 && conn <= CONNS && side->conns[conn] == ASKING);
    side->conns[conn] = SOCKET;
}

static void on_send(void *ctx, uint64_t conn, bool text, struct slice message)
{
    (void)ctx;
    ENSURE(side->conns[conn] == SOCKET && text && message.len > 0);
}

static void on_close(void *ctx, uint64_t conn, uint16_t code)
{
    (void)ctx;
    ENSURE(side->conns[conn] == SOCKET && code == 1000);
    side->conns[conn] = FREE;
}

static void on_connected(void *ctx, uint64_t link, const struct netaddr *from)
{
    (void)ctx;
    ENSURE(from->family == 4);
    if (link < LINKS) {
        ENSURE(!side->is_link[link]);
        side->is_link[link] = true;
    }
}

static void on_event(void *ctx, uint64_t link, const struct sio_event *ev)
{
    (void)ctx;
    ENSURE(link >= LINKS || side->is_link[link]);
    if (slice_is(ev->name, "e")) {
        ENSURE(sio_server_emit(side->server, link, ev->name, SLICE_NONE) ==
            SYNCLINE_OK);
    } else if (slice_is(ev->name, "h")) {
        sio_server_hang_up(side->server, link);
        if (link < LINKS)
            side->is_link[link] = false;
    }
}

static void on_closed(void *ctx, uint64_t link, const char *why)
{
    (void)ctx;
    ENSURE(why[0] != 0);
    if (link < LINKS) {
        ENSURE(side->is_link[link]);
        side->is_link[link] = false;
    }
}

/* ---- the client's ---- */

static void on_request(
    void *ctx, enum eio_ask which, const char *path, struct slice body)
{
    (void)ctx;
    ENSURE(!side->asked[which] && path[0] == '/');
    ENSURE((body.len > 0) == (which == EIO_POST));
    side->asked[which] = true;
}

static void on_open_ws(void *ctx, const char *path)
{
    (void)ctx;
    ENSURE(!side->has_ws && path[0] == '/');
    side->has_ws = true;
}

static void on_send_ws(void *ctx, bool text, struct slice message)
{
    (void)ctx;
    ENSURE(text && message.len > 0);
}

static void on_close_ws(void *ctx)
{
    (void)ctx;
    side->has_ws = false;
}

static void on_reset(void *ctx)
{
    (void)ctx;
    side->has_ws = side->asked[0] = side->asked[1] = false;
}

static void on_let_in(void *ctx)
{
    (void)ctx;
    ENSURE(!side->is_connected);
    side->is_connected = true;
}

static void on_told(void *ctx, const struct sio_event *ev)
{
    (void)ctx;
    ENSURE(side->is_connected);
    if (slice_is(ev->name, "e"))
        (void)!sio_client_emit(side->client, ev->name, SLICE_NONE);
}

static void on_out(void *ctx, const char *why)
{
    (void)ctx;
    ENSURE(side->is_connected && why[0] != 0);
    side->is_connected = false;
}

/* ---- steps ---- */

static void ask(struct side *s, uint64_t conn, struct pieces *p, unsigned how)
{
    static const char *const ends[] = { "", "polling", "websocket", "x" };
    static const enum http_method methods[] = { HTTP_GET, HTTP_POST, HTTP_GET,
        HTTP_POST, HTTP_GET, HTTP_OPTIONS, HTTP_PUT, HTTP_HEAD };
    const struct netaddr from = { .family = 4, .addr = { 1, 2, 3, 1 } };
    struct buf query = { 0 };
    struct http_request r = { .method = methods[how % 8],
        .path = SLICE_LIT(EIO_PATH),
        .is_websocket = how % 8 == 4 };

    if (s->conns[conn] != FREE)
        return;
    buf_printf(&query, "EIO=4&transport=%s", ends[how / 8 % 4]);
    if (how / 32 % 2 == 1)
        buf_printf(&query, "&sid=%s", s->sid);
    r.query = written(&query);
    if (r.method == HTTP_POST)
        r.body = take_piece(p);
    s->conns[conn] = ASKING;
    eio_server_request(sio_server_eio(s->server), conn, &r, &from, s->now_us);
    buf_free(&query);
}

static void step_server(struct side *s, struct pieces *p, unsigned what)
{
    struct eio_server *e = sio_server_eio(s->server);
    uint64_t conn = 1 + what % CONNS;

    switch (what / CONNS % 4) {
    case 0:
        ask(s, conn, p, take_u8(p));
        break;
    case 1:
        if (s->conns[conn] == SOCKET)
            eio_server_message(e, conn, what < 128, take_piece(p), s->now_us);
        break;
    case 2:
        if (s->conns[conn] != FREE) {
            s->conns[conn] = FREE;
            eio_server_gone(e, conn, s->now_us);
        }
        break;
    default:
        s->now_us += take_u8(p) * UINT64_C(200000);
        eio_server_tick(e, s->now_us);
        break;
    }
    ENSURE(eio_server_n(e) <= 4);
}

static void step_client(struct side *s, struct pieces *p, unsigned what)
{
    enum eio_ask which = what % 2 == 0 ? EIO_GET : EIO_POST;

    switch (what / 2 % 8) {
    case 0:
    case 1:
    case 2:
        if (s->asked[which]) {
            s->asked[which] = false;
            sio_client_answer(s->client, which, what < 240 ? 200 : 400,
                take_piece(p), s->now_us);
        }
        break;
    case 3:
        if (s->asked[which]) {
            s->asked[which] = false;
            sio_client_failed(s->client, which, "failed", s->now_us);
        }
        break;
    case 4:
        if (s->has_ws)
            sio_client_ws_open(s->client, s->now_us);
        break;
    case 5:
        if (s->has_ws)
            sio_client_ws_message(
                s->client, what < 128, take_piece(p), s->now_us);
        break;
    case 6:
        if (s->has_ws) {
            s->has_ws = false;
            sio_client_ws_end(s->client, "ended", s->now_us);
        }
        break;
    default:
        s->now_us += take_u8(p) * UINT64_C(200000);
        sio_client_tick(s->client, s->now_us);
        break;
    }
}

static void make(struct side *s, unsigned how)
{
    const struct sio_server_options server = {
        .eio = { .port = { .random = on_random,
                     .respond = on_respond,
                     .upgrade = on_upgrade,
                     .send = on_send,
                     .close = on_close },
            .sessions_max = 4,
            .payload_max = 4096 },
        .on_connected = on_connected,
        .on_event = on_event,
        .on_closed = on_closed,
    };
    const struct sio_client_options client = { .request = on_request,
        .open_ws = on_open_ws,
        .send = on_send_ws,
        .close_ws = on_close_ws,
        .reset = on_reset,
        .on_connected = on_let_in,
        .on_event = on_told,
        .on_closed = on_out,
        .how = (enum eio_how)(how % 3) };

    ENSURE(sio_server_new(&s->server, &server) == SYNCLINE_OK);
    ENSURE(sio_client_new(&s->client, &client) == SYNCLINE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    struct side s = { .now_us = 1000000000 };
    unsigned how = take_u8(&p);

    side = &s;
    make(&s, how);
    while (take_more(&p)) {
        unsigned what = take_u8(&p);

        if (how / 3 % 2 == 0)
            step_server(&s, &p, what);
        else
            step_client(&s, &p, what);
    }
    sio_server_stop(s.server);
    for (int i = 1; i <= CONNS; i++)
        ENSURE(s.conns[i] == FREE);
    sio_server_free(s.server);
    sio_client_free(s.client);
    return 0;
}
