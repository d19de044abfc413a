/* Socket.IO at the hub: who is let in to it, and what it is told. */
#include "faces/http/hub.h"

#include "unit/check.h"

#define HEAD "Host: 127.0.0.1:4748\r\n"
#define TOKEN "Authorization: Bearer good\r\n"
#define SOCKET                                         \
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"    \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " \
    "dGhlIHNhbXBsZSBub25jZQ==\r\n"

static struct {
    struct hub *hub;
    struct hub_conn *conn;
    struct buf said; /* what the port was told, a line each */
    uint64_t now_us;
    uint64_t next;
    bool expired, answers;
} w;

static int on_check(void *ctx, const struct netaddr *from, struct slice token,
    struct hub_grant *out, uint64_t *wait_us)
{
    static const struct slice spaces[] = { { (const uint8_t *)"theirs", 6 } };

    (void)ctx;
    (void)from;
    (void)wait_us;
    *out = (struct hub_grant){ .id = "t1", .scope = HUB_WRITE };
    if (slice_is(token, "reads"))
        out->scope = HUB_READ;
    if (slice_is(token, "other")) {
        out->spaces = spaces;
        out->spaces_n = 1;
    }
    return slice_is(token, "bad") || token.len == 0 ? SYNCLINE_EDENIED
                                                    : SYNCLINE_OK;
}

static int on_check_again(void *ctx, const char *id, struct hub_grant *out)
{
    (void)ctx;
    CHECK_SLICE(slice_str(id), "t1");
    *out = (struct hub_grant){ .id = "t1", .scope = HUB_WRITE };
    return w.expired ? SYNCLINE_EDENIED : SYNCLINE_OK;
}

static int on_take_place(
    void *ctx, const struct hub_conn *c, const struct hub_grant *grant)
{
    (void)ctx;
    (void)c;
    (void)grant;
    return SYNCLINE_OK;
}

static uint64_t on_wall_us(void *ctx)
{
    (void)ctx;
    return 1000000;
}

static uint64_t on_open(void *ctx, struct hub_conn *c)
{
    (void)ctx;
    CHECK(c == w.conn);
    buf_printf(&w.said, "opens %llu\n", (unsigned long long)++w.next);
    return w.next;
}

static void on_request(void *ctx, uint64_t conn, const struct http_request *r,
    const struct netaddr *from, bool is_whole)
{
    (void)ctx;
    CHECK(netaddr_is_loopback(from));
    buf_printf(&w.said, "%llu %s %s %.*s\n", (unsigned long long)conn,
        is_whole ? "asks" : "begins",
        r->is_websocket              ? "ws"
            : r->method == HTTP_POST ? "POST"
                                     : "GET",
        SLICE_FMT(r->body));
    if (!is_whole)
        return;
    if (r->is_websocket)
        hub_conn_upgrade(w.conn, 100);
    else if (w.answers)
        http_respond(hub_conn_http(w.conn), 200, "text/plain", SLICE_NONE,
            SLICE_LIT("OK"));
}

static void on_take(void *ctx, uint64_t conn, bool text, struct slice message)
{
    (void)ctx;
    CHECK(text);
    buf_printf(&w.said, "%llu says %.*s\n", (unsigned long long)conn,
        SLICE_FMT(message));
}

static void on_close(void *ctx, uint64_t conn)
{
    (void)ctx;
    buf_printf(&w.said, "%llu closes\n", (unsigned long long)conn);
}

static void begin(const char *space)
{
    const struct hub_options opt = { .port = { .check = on_check,
                                         .check_again = on_check_again,
                                         .take_place = on_take_place,
                                         .wall_us = on_wall_us },
        .tcp_port = 4748,
        .version = "9",
        .socketio = { .space = space != NULL ? slice_str(space) : SLICE_NONE,
            .open = on_open,
            .request = on_request,
            .take = on_take,
            .close = on_close } };
    const struct hub_caller who = { .remote = { .family = 4,
                                        .addr = { 127, 0, 0, 1 } },
        .local = { .family = 4, .addr = { 127, 0, 0, 1 }, .port = 4748 } };

    memset(&w, 0, sizeof w);
    w.now_us = 1000000;
    w.answers = true;
    CHECK_OK(hub_new(&w.hub, &opt));
    CHECK_OK(hub_accept(&w.conn, w.hub, &who, w.now_us));
}

static void end(void)
{
    hub_conn_free(w.conn);
    hub_free(w.hub);
    buf_free(&w.said);
}

static void said(const char *what)
{
    CHECK_SLICE(buf_slice(&w.said), what);
    buf_clear(&w.said);
}

/* The status of the answer to what is sent; 0: none yet. */
static unsigned ask(const char *text)
{
    struct buf *out = http_conn_out(hub_conn_http(w.conn));
    unsigned status = 0;

    hub_conn_feed(w.conn, slice_str(text), w.now_us);
    if (out->len > 12)
        status = (unsigned)(out->ptr[9] - '0') * 100 +
            (unsigned)(out->ptr[10] - '0') * 10 +
            (unsigned)(out->ptr[11] - '0');
    buf_consume(out, out->len);
    return status;
}

static unsigned get(const char *fields)
{
    struct buf b = { 0 };
    unsigned status;

    buf_printf(&b,
        "GET /socket.io/?EIO=4&transport=polling&odd=1 HTTP/1.1\r\n%s\r\n",
        fields);
    buf_put_u8(&b, 0);
    status = ask((const char *)b.ptr);
    buf_free(&b);
    return status;
}

TEST(who_may_write_there_is_let_in)
{
    begin("ours");
    CHECK_UINT(get(HEAD), 401);
    CHECK_UINT(get(HEAD "Authorization: Bearer bad\r\n"), 401);
    CHECK_UINT(get(HEAD "Authorization: Bearer reads\r\n"), 403);
    CHECK_UINT(get(HEAD "Authorization: Bearer other\r\n"), 403);
    CHECK_UINT(get("Host: evil.example\r\n" TOKEN), 421);
    CHECK_UINT(get(HEAD TOKEN "Origin: http://evil.example\r\n"), 403);
    CHECK_UINT(get(HEAD TOKEN "Sec-Fetch-Site: cross-site\r\n"), 403);
    said("");
    CHECK_UINT(get(HEAD TOKEN), 200);
    said("opens 1\n1 asks GET \n");
    CHECK_UINT(get(HEAD TOKEN "Origin: http://127.0.0.1:4748\r\n"), 200);
    said("1 asks GET \n");
    end();
}

TEST(bodies_are_text_and_their_heads_are_shown)
{
    begin("ours");
    CHECK_UINT(ask("POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n" HEAD
                   "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n"),
        401);
    end();
    begin("ours");
    CHECK_UINT(
        ask("POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n" HEAD TOKEN
            "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n"),
        0);
    said("opens 1\n1 begins POST \n");
    CHECK_UINT(ask("40"), 200);
    said("1 asks POST 40\n");
    hub_conn_end(w.conn);
    said("");
    hub_conn_free(w.conn);
    w.conn = NULL;
    said("1 closes\n");
    end();
}

TEST(a_request_that_waits_is_given_up_with_its_connection)
{
    begin("ours");
    w.answers = false;
    CHECK_UINT(get(HEAD TOKEN), 0);
    said("opens 1\n1 asks GET \n");
    hub_conn_end(w.conn);
    said("1 closes\n");
    end();
}

TEST(a_websocket_says_things_as_long_as_it_may)
{
    /* Masked by zeros, for once. */
    static const char frame[] = "\x81\x82\0\0\0\0"
                                "42";
    struct buf *out;

    begin("ours");
    CHECK_UINT(
        ask("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" HEAD TOKEN
                SOCKET "\r\n"),
        101);
    said("opens 1\n1 asks ws \n");
    hub_conn_feed(w.conn, SLICE(frame, sizeof frame - 1), w.now_us);
    said("1 says 42\n");
    hub_conn_tell(w.conn, SLICE_LIT("3"));
    out = http_conn_out(hub_conn_http(w.conn));
    CHECK_BYTES(buf_slice(out),
        SLICE_LIT("\x81\x01"
                  "3"));
    buf_consume(out, out->len);
    w.expired = true;
    hub_conn_feed(w.conn, SLICE(frame, sizeof frame - 1), w.now_us);
    said("1 closes\n");
    CHECK_BYTES(SLICE(out->ptr, 1), SLICE_LIT("\x88"));
    end();
}

TEST(all_are_ended_when_the_node_stops)
{
    begin("ours");
    CHECK_UINT(
        ask("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" HEAD TOKEN
                SOCKET "\r\n"),
        101);
    buf_clear(&w.said);
    hub_conn_stop(w.conn);
    said("1 closes\n");
    end();
}

TEST(where_it_is_not_spoken_there_is_no_such_path)
{
    begin(NULL);
    CHECK_UINT(get(HEAD TOKEN), 404);
    end();
}
