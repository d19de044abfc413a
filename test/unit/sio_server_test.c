/* The server's end of Socket.IO, told what comes in and asked what goes out:
 * each thing is a line of `w.said`. */
#include "faces/socketio/sio_server.h"

#include <stdio.h>

#include "unit/check.h"

#define SEC UINT64_C(1000000)

static struct {
    struct sio_server *s;
    struct buf said;
    uint64_t now_us;
    struct netaddr from;
    bool is_known;
    uint8_t drawn;
    char sid[EIO_SID_LEN + 1]; /* of the session that was opened last */
} w;

static int on_random(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    memset(out, ++w.drawn, n);
    return SYNCLINE_OK;
}

static void on_respond(void *ctx, uint64_t conn, unsigned status,
    const char *type, struct slice body)
{
    (void)ctx;
    (void)type;
    if (slice_has_prefix(body, SLICE_LIT("0{\"sid\":\""))) {
        memcpy(w.sid, body.ptr + 9, EIO_SID_LEN);
        body = SLICE_LIT("OPEN");
    }
    if (slice_has_prefix(body, SLICE_LIT("40{\"sid\":\"")))
        body = SLICE_LIT("40");
    buf_printf(&w.said, "%llu %u %.*s\n", (unsigned long long)conn, status,
        SLICE_FMT(body));
}

static void on_upgrade(void *ctx, uint64_t conn)
{
    (void)ctx;
    buf_printf(&w.said, "%llu upgrade\n", (unsigned long long)conn);
}

static void on_send(void *ctx, uint64_t conn, bool text, struct slice message)
{
    (void)ctx;
    if (slice_has_prefix(message, SLICE_LIT("0{\"sid\":\"")))
        message = SLICE_LIT("OPEN");
    if (slice_has_prefix(message, SLICE_LIT("40{\"sid\":\"")))
        message = SLICE_LIT("40");
    buf_printf(&w.said, "%llu %s %.*s\n", (unsigned long long)conn,
        text ? "sends" : "binary", SLICE_FMT(message));
}

static void on_close(void *ctx, uint64_t conn, uint16_t code)
{
    (void)ctx;
    buf_printf(
        &w.said, "%llu closes %u\n", (unsigned long long)conn, (unsigned)code);
}

static void on_connected(void *ctx, uint64_t link, const struct netaddr *from)
{
    (void)ctx;
    CHECK(netaddr_eq(from, &w.from));
    buf_printf(&w.said, "connected %llu\n", (unsigned long long)link);
}

static void on_event(void *ctx, uint64_t link, const struct sio_event *ev)
{
    (void)ctx;
    buf_printf(&w.said, "event %llu %.*s\n", (unsigned long long)link,
        SLICE_FMT(ev->text));
    if (slice_is(ev->name, "echo"))
        (void)!sio_server_emit(w.s, link, SLICE_LIT("echo"), SLICE_LIT("1,2"));
    if (slice_is(ev->name, "throw"))
        sio_server_hang_up(w.s, link);
}

static void on_closed(void *ctx, uint64_t link, const char *why)
{
    (void)ctx;
    buf_printf(&w.said, "closed %llu %s\n", (unsigned long long)link, why);
}

static int begin(size_t queue_max)
{
    const struct sio_server_options opt = {
        .eio = { .port = { .random = on_random,
                     .respond = on_respond,
                     .upgrade = on_upgrade,
                     .send = on_send,
                     .close = on_close },
            .sessions_max = 8,
            .of_a_place_max = 4,
            .payload_max = 1000,
            .queue_max = queue_max },
        .on_connected = on_connected,
        .on_event = on_event,
        .on_closed = on_closed,
    };

    memset(&w, 0, sizeof w);
    w.now_us = 1000 * SEC;
    w.from = (struct netaddr){ .family = 4, .addr = { 192, 0, 2, 1 } };
    return sio_server_new(&w.s, &opt);
}

static void end(void)
{
    sio_server_free(w.s);
    buf_free(&w.said);
}

static void said(const char *what)
{
    CHECK_SLICE(buf_slice(&w.said), what);
    buf_clear(&w.said);
}

static void request(uint64_t conn, enum http_method method, const char *query,
    bool ws, const char *body)
{
    const struct http_request r = { .method = method,
        .path = SLICE_LIT(EIO_PATH),
        .query = slice_str(query),
        .body = slice_str(body),
        .has_body = body[0] != 0,
        .is_websocket = ws };

    if (w.is_known)
        eio_server_let_in(sio_server_eio(w.s), conn, &r, &w.from, w.now_us);
    else
        eio_server_request(sio_server_eio(w.s), conn, &r, &w.from, w.now_us);
}

static const char *with_sid(const char *transport)
{
    static char query[100];

    (void)snprintf(
        query, sizeof query, "EIO=4&transport=%s&sid=%s&t=x", transport, w.sid);
    return query;
}

static void get(uint64_t conn)
{
    request(conn, HTTP_GET, with_sid("polling"), false, "");
}

static void post(uint64_t conn, const char *body)
{
    request(conn, HTTP_POST, with_sid("polling"), false, body);
}

static void message(uint64_t conn, const char *text)
{
    eio_server_message(
        sio_server_eio(w.s), conn, true, slice_str(text), w.now_us);
}

static void tick(uint64_t us)
{
    w.now_us += us;
    eio_server_tick(sio_server_eio(w.s), w.now_us);
}

static void open_polling(void)
{
    request(1, HTTP_GET, "EIO=4&transport=polling", false, "");
    said("1 200 OPEN\n");
}

static void connect_polling(void)
{
    open_polling();
    post(1, "40{}");
    get(1);
    said("1 200 OK\nconnected 1\n1 200 40\n");
}

static void connect_ws(uint64_t conn, const char *link)
{
    char text[100];

    request(conn, HTTP_GET, "EIO=4&transport=websocket", true, "");
    message(conn, "40");
    (void)snprintf(text, sizeof text,
        "%llu upgrade\n%llu sends OPEN\n%llu sends 40\nconnected %s\n",
        (unsigned long long)conn, (unsigned long long)conn,
        (unsigned long long)conn, link);
    said(text);
}

TEST(a_caller_polls)
{
    CHECK_OK(begin(0));
    connect_polling();
    get(2); /* is held */
    said("");
    post(1, "42[\"echo\",{}]");
    said("1 200 OK\nevent 1 [\"echo\",{}]\n2 200 42[\"echo\",1,2]\n");
    post(1, "425[\"ask\"]");
    get(2);
    said("1 200 OK\nevent 1 [\"ask\"]\n2 200 435[]\n");
    post(1, "41");
    said("1 200 OK\nclosed 1 it has left\n");
    post(1, "42[\"late\"]");
    post(1, "40");
    get(2);
    said("1 200 OK\n1 200 OK\nconnected 2\n2 200 40\n");
    post(1, "1");
    said("1 200 OK\nclosed 2 it has said that it goes\n");
    get(2);
    said("2 400 \"Invalid session\"\n");
    CHECK_UINT(eio_server_n(sio_server_eio(w.s)), 0);
    end();
}

TEST(a_caller_has_a_websocket)
{
    CHECK_OK(begin(0));
    connect_ws(7, "1");
    message(7, "42[\"echo\"]");
    said("event 1 [\"echo\"]\n7 sends 42[\"echo\",1,2]\n");
    message(7, "6");
    message(7, "2");
    message(7, "x");
    message(7, "5");
    said("");
    message(7, "1");
    said("7 sends 1\n7 closes 1000\nclosed 1 it has said that it goes\n");
    connect_ws(8, "2");
    eio_server_gone(sio_server_eio(w.s), 8, w.now_us);
    said("closed 2 its connection has ended\n");
    connect_ws(9, "3");
    sio_server_hang_up(w.s, 3);
    said("9 sends 41\n9 sends 1\n9 closes 1000\n");
    CHECK_INT(
        sio_server_emit(w.s, 3, SLICE_LIT("x"), SLICE_NONE), SYNCLINE_ECLOSED);
    connect_ws(10, "4");
    message(10, "427[\"throw\"]");
    said("event 4 [\"throw\"]\n10 sends 41\n10 sends 1\n10 closes 1000\n");
    end();
}

TEST(a_caller_upgrades)
{
    CHECK_OK(begin(0));
    connect_polling();
    get(2);
    request(3, HTTP_GET, with_sid("websocket"), true, "");
    said("3 upgrade\n");
    CHECK(!sio_server_is_websocket(w.s, 1));
    request(4, HTTP_GET, with_sid("websocket"), true, "");
    said("4 400 \"Invalid websocket upgrade\"\n");
    message(3, "2probe");
    said("3 sends 3probe\n2 200 6\n");
    get(2);
    said("2 200 6\n");
    CHECK_OK(sio_server_emit(w.s, 1, SLICE_LIT("a"), SLICE_NONE));
    get(2);
    said("2 200 42[\"a\"]\n");
    CHECK_OK(sio_server_emit(w.s, 1, SLICE_LIT("b"), SLICE_NONE));
    message(3, "5");
    said("3 sends 42[\"b\"]\n");
    CHECK(sio_server_is_websocket(w.s, 1));
    message(3, "42[\"c\"]");
    said("event 1 [\"c\"]\n");
    get(2);
    said("2 200 6\n");
    request(4, HTTP_GET, with_sid("websocket"), true, "");
    said("4 400 \"Invalid websocket upgrade\"\n");
    eio_server_gone(sio_server_eio(w.s), 3, w.now_us);
    said("closed 1 its connection has ended\n");
    end();
}

/* A probe that comes to nothing leaves the session as it was. */
TEST(a_probe_that_fails)
{
    CHECK_OK(begin(0));
    connect_polling();
    request(3, HTTP_GET, with_sid("websocket"), true, "");
    message(3, "5");
    said("3 upgrade\n3 closes 1000\n");
    request(4, HTTP_GET, with_sid("websocket"), true, "");
    message(4, "2probe");
    eio_server_gone(sio_server_eio(w.s), 4, w.now_us);
    said("4 upgrade\n4 sends 3probe\n");
    request(5, HTTP_GET, with_sid("websocket"), true, "");
    said("5 upgrade\n");
    tick(10 * SEC);
    said("5 closes 1000\n");
    get(2);
    said("");
    CHECK_OK(sio_server_emit(w.s, 1, SLICE_LIT("a"), SLICE_NONE));
    said("2 200 42[\"a\"]\n");
    end();
}

TEST(what_is_wrong_with_a_request_is_said)
{
    static const char unsupported[] =
        "1 400 \"The client is using an unsupported version of the Socket.IO "
        "or Engine.IO protocols\"\n";

    CHECK_OK(begin(0));
    memcpy(w.sid, "AAAAAAAAAAAAAAAAAAAA", EIO_SID_LEN);
    request(1, HTTP_GET, "transport=polling", false, "");
    said(unsupported);
    request(1, HTTP_GET, "EIO=3&transport=polling", false, "");
    said(unsupported);
    request(1, HTTP_GET, "EIO=4&EIO=4", false, "");
    said(unsupported);
    request(1, HTTP_GET, "EIO=4&transport=pigeon", false, "");
    said("1 400 \"Invalid transport\"\n");
    get(1);
    said("1 400 \"Invalid session\"\n");
    post(1, "40");
    said("1 400 \"Invalid session\"\n");
    request(1, HTTP_POST, "EIO=4&transport=polling", false, "40");
    said("1 400 \"Invalid session\"\n");
    request(1, HTTP_GET, "EIO=4&transport=websocket", false, "");
    said("1 400 \"Invalid websocket upgrade\"\n");
    request(1, HTTP_PUT, "EIO=4", false, "");
    said("1 405 Method Not Found\n");
    request(1, HTTP_OPTIONS, "EIO=4", false, "");
    said("1 200 OK\n");
    open_polling();
    request(1, HTTP_GET, with_sid("websocket"), false, "");
    said("1 400 \"Invalid websocket upgrade\"\n");
    end();
}

TEST(other_namespaces_are_not_there)
{
    CHECK_OK(begin(0));
    open_polling();
    post(1, "40/x,{\"a\":1}");
    get(1);
    said("1 200 OK\n1 200 44/x,\"Unable to connect\"\n");
    post(1, "40");
    get(1);
    said("1 200 OK\nconnected 1\n1 200 40\n");
    post(1, "42/x,[\"a\"]");
    post(1, "41/x,");
    post(1, "40");
    said("1 200 OK\n1 200 OK\n1 200 OK\n");
    end();
}

TEST(pings_are_sent_and_must_be_answered)
{
    CHECK_OK(begin(0));
    connect_ws(7, "1");
    tick(25 * SEC - 1);
    said("");
    tick(1);
    said("7 sends 2\n");
    tick(10 * SEC);
    message(7, "3");
    message(7, "3");
    tick(25 * SEC - 1);
    said("");
    CHECK_UINT(eio_server_deadline(sio_server_eio(w.s)), w.now_us + 1);
    tick(1);
    said("7 sends 2\n");
    tick(20 * SEC - 1);
    said("");
    tick(1);
    said("7 sends 1\n7 closes 1000\nclosed 1 it does not answer pings\n");
    CHECK_UINT(eio_server_deadline(sio_server_eio(w.s)), 0);
    end();
}

TEST(who_does_not_connect_goes)
{
    CHECK_OK(begin(0));
    open_polling();
    get(2);
    tick(20 * SEC);
    said("2 200 1\n");
    CHECK_UINT(eio_server_n(sio_server_eio(w.s)), 0);
    connect_polling();
    post(1, "41");
    said("1 200 OK\nclosed 1 it has left\n");
    tick(20 * SEC);
    CHECK_UINT(eio_server_n(sio_server_eio(w.s)), 0);
    end();
}

/* Who keeps no session makes room for others, those of his own place first;
 * then who has connected and is of no use; who is stays. */
TEST(sessions_are_bounded)
{
    CHECK_OK(begin(0));
    for (int i = 0; i < 20; i++) {
        request(1, HTTP_GET, "EIO=4", false, "");
        CHECK(eio_server_n(sio_server_eio(w.s)) <= 4);
    }
    buf_clear(&w.said);
    post(1, "40");
    said("1 200 OK\nconnected 1\n");
    for (int place = 2; place < 9; place++) {
        w.from.addr[3] = (uint8_t)place;
        request(1, HTTP_GET, "EIO=4", false, "");
        post(1, "40");
        CHECK(eio_server_n(sio_server_eio(w.s)) <= 8);
    }
    for (uint64_t link = 2; link < 9; link++)
        sio_server_settle(w.s, link);
    buf_clear(&w.said);
    w.from.addr[3] = 9;
    request(1, HTTP_GET, "EIO=4", false, "");
    said("closed 1 others have come\n1 200 OPEN\n");
    post(1, "40");
    sio_server_settle(w.s, 9);
    buf_clear(&w.said);
    w.from.addr[3] = 99;
    request(1, HTTP_GET, "EIO=4", false, "");
    said("1 503 \"Too many sessions\"\n");
    CHECK_UINT(sio_server_n(w.s), 8);
    CHECK_UINT(eio_server_refused(sio_server_eio(w.s)), 1);
    /* Others do not take the room of who has shown who he is. */
    w.is_known = true;
    request(1, HTTP_GET, "EIO=4", false, "");
    said("1 200 OPEN\n");
    w.is_known = false;
    end();
}

TEST(what_waits_is_bounded)
{
    int n = 0;

    CHECK_OK(begin(2000));
    connect_polling();
    while (sio_server_emit(w.s, 1, SLICE_LIT("some"), SLICE_LIT("\"text\"")) ==
        SYNCLINE_OK)
        CHECK(n++ < 200);
    said("closed 1 it does not ask for what waits for it\n");
    end();
}

/* Seventeen wait: sixteen go, then one. */
TEST(an_answer_holds_sixteen)
{
    CHECK_OK(begin(0));
    connect_polling();
    for (int i = 0; i < 17; i++)
        CHECK_OK(sio_server_emit(w.s, 1, SLICE_LIT("e"), SLICE_NONE));
    get(1);
    CHECK_UINT(w.said.len, 6 + 16 * 8);
    buf_clear(&w.said);
    get(1);
    said("1 200 42[\"e\"]\n");
    get(1);
    get(2);
    said("1 200 6\n");
    end();
}

TEST(what_is_too_much_ends_a_session)
{
    static char much[1002];
    static const char *const packets[] = { "451000-[\"a\"]", "4", "4x",
        "42[\"a\"", "42{}", "bAQID" };

    CHECK_OK(begin(0));
    memset(much, '6', 1001);
    connect_polling();
    post(1, much);
    said("1 413 \"Too much in one body\"\n"
         "closed 1 what it sent is more, or other, than is taken\n");
    for (int i = 0; i < 2 * EIO_PACKETS_TAKEN; i += 2) {
        much[i] = '6';
        much[i + 1] = '\x1e';
    }
    much[2 * EIO_PACKETS_TAKEN] = 0;
    open_polling();
    post(1, much);
    said("1 413 \"Too much in one body\"\n");
    much[2 * EIO_PACKETS_TAKEN - 1] = 0;
    open_polling();
    post(1, much);
    said("1 200 OK\n");
    post(1, "4\xff");
    said("1 400 \"Invalid body\"\n");
    for (size_t i = 0; i < ARRAY_N(packets); i++) {
        open_polling();
        post(1, "40");
        buf_clear(&w.said);
        post(1, packets[i]);
        get(1);
        CHECK_SAYING(memmem(w.said.ptr, w.said.len, "\nclosed", 7) != NULL,
            "after %s: %.*s", packets[i], SLICE_FMT(buf_slice(&w.said)));
        buf_clear(&w.said);
    }
    end();
}

/* Of an event with binary data nothing is told, nor of the data. */
TEST(binary_data_is_passed_over)
{
    CHECK_OK(begin(0));
    connect_polling();
    post(1,
        "451-[\"b\",{\"_placeholder\":true,\"num\":0}]\x1e"
        "bAQID\x1e"
        "42[\"a\"]");
    said("1 200 OK\nevent 1 [\"a\"]\n");
    end();
}

TEST(all_are_told_when_it_stops)
{
    CHECK_OK(begin(0));
    connect_ws(7, "1");
    open_polling();
    get(1);
    sio_server_stop(w.s);
    said("1 200 1\n7 sends 1\n7 closes 1000\n");
    tick(1);
    CHECK_UINT(eio_server_n(sio_server_eio(w.s)), 0);
    end();
}

/* Memory that runs out anywhere ends a session at most. */
TEST(memory_that_runs_out)
{
    bool all = false;

    for (long n = 0; !all; n++) {
        check_alloc_fail_from(-1);
        CHECK_OK(begin(0));
        buf_reserve(&w.said, 4096);
        memcpy(w.sid, "AQEBAQEBAQEBAQEBAQEB", EIO_SID_LEN);
        check_alloc_fail_from(n);
        request(1, HTTP_GET, "EIO=4&transport=polling", false, "");
        post(1,
            "40\x1e"
            "42[\"echo\",{}]");
        get(1);
        tick(25 * SEC);
        all = !check_alloc_failed();
        check_alloc_fail_from(-1);
        CHECK(!all || memmem(w.said.ptr, w.said.len, "event 1", 7) != NULL);
        end();
    }
}
