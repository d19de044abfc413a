/* The client's end of Socket.IO: what it asks for is a line of `w.said`. */
#include "faces/socketio/sio_client.h"

#include "unit/check.h"

#define SEC UINT64_C(1000000)
#define OPEN_BOTH                                     \
    "0{\"sid\":\"abc\",\"upgrades\":[\"websocket\"]," \
    "\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000}"
#define OPEN_POLLING                                            \
    "0{\"sid\":\"abc\",\"upgrades\":[],\"pingInterval\":25000," \
    "\"pingTimeout\":20000}"

static struct {
    struct sio_client *c;
    struct buf said;
    uint64_t now_us;
} w;

static void line(const char *what, struct slice more)
{
    buf_printf(&w.said, "%s%.*s\n", what, SLICE_FMT(more));
}

/* Without what keeps caches away. */
static struct slice plain(const char *path)
{
    const char *end = strstr(path, "&t=");

    CHECK(end != NULL);
    return SLICE(path, (size_t)(end - path));
}

static void on_request(
    void *ctx, enum eio_ask which, const char *path, struct slice body)
{
    (void)ctx;
    buf_printf(&w.said, "%s %.*s %.*s\n", which == EIO_GET ? "GET" : "POST",
        SLICE_FMT(plain(path)), SLICE_FMT(body));
}

static void on_open_ws(void *ctx, const char *path)
{
    (void)ctx;
    line("ws ", plain(path));
}

static void on_send(void *ctx, bool text, struct slice message)
{
    (void)ctx;
    CHECK(text);
    line("send ", message);
}

static void on_close_ws(void *ctx)
{
    (void)ctx;
    line("close ws", SLICE_NONE);
}

static void on_reset(void *ctx)
{
    (void)ctx;
    line("reset", SLICE_NONE);
}

static void on_connected(void *ctx)
{
    (void)ctx;
    line("connected", SLICE_NONE);
}

static void on_event(void *ctx, const struct sio_event *ev)
{
    (void)ctx;
    line("event ", ev->text);
    if (slice_is(ev->name, "again"))
        CHECK_OK(sio_client_emit(w.c, SLICE_LIT("yes"), SLICE_LIT("1")));
    if (slice_is(ev->name, "enough"))
        sio_client_close(w.c);
}

static void on_closed(void *ctx, const char *why)
{
    (void)ctx;
    line("closed ", slice_str(why));
}

static unsigned failures;

static void on_failed(void *ctx, const char *why)
{
    (void)ctx;
    CHECK(why[0] != 0);
    failures++;
}

static int begin(enum eio_how how)
{
    const struct sio_client_options opt = { .request = on_request,
        .open_ws = on_open_ws,
        .send = on_send,
        .close_ws = on_close_ws,
        .reset = on_reset,
        .on_connected = on_connected,
        .on_event = on_event,
        .on_closed = on_closed,
        .on_failed = on_failed,
        .how = how,
        .seed = 1 };

    memset(&w, 0, sizeof w);
    w.now_us = 1000 * SEC;
    return sio_client_new(&w.c, &opt);
}

static void end(void)
{
    sio_client_free(w.c);
    buf_free(&w.said);
}

static void said(const char *what)
{
    CHECK_SLICE(buf_slice(&w.said), what);
    buf_clear(&w.said);
}

static void tick(uint64_t us)
{
    w.now_us += us;
    sio_client_tick(w.c, w.now_us);
}

static void answer(enum eio_ask which, const char *body)
{
    sio_client_answer(w.c, which, 200, slice_str(body), w.now_us);
}

static void message(const char *text)
{
    sio_client_ws_message(w.c, true, slice_str(text), w.now_us);
}

#define FIRST "/socket.io/?EIO=4&transport="
#define NEXT FIRST "polling&sid=abc"

static void connect_polling(void)
{
    CHECK_OK(begin(EIO_POLLING));
    tick(0);
    said("GET " FIRST "polling \n");
    answer(EIO_GET, OPEN_BOTH);
    said("POST " NEXT " 40\nGET " NEXT " \n");
    answer(EIO_POST, "OK");
    answer(EIO_GET, "40{\"sid\":\"x\"}");
    said("connected\nGET " NEXT " \n");
    CHECK(sio_client_is_connected(w.c));
}

static void connect_ws(void)
{
    CHECK_OK(begin(EIO_WEBSOCKET));
    tick(0);
    said("ws " FIRST "websocket\n");
    sio_client_ws_open(w.c, w.now_us);
    message(OPEN_BOTH);
    said("send 40\n");
    message("40{\"sid\":\"x\"}");
    said("connected\n");
}

TEST(it_polls)
{
    connect_polling();
    answer(EIO_GET,
        "42[\"a\",1]\x1e"
        "2\x1e"
        "42[\"again\"]");
    said(
        "event [\"a\",1]\nPOST " NEXT " 3\nevent [\"again\"]\nGET " NEXT " \n");
    CHECK_OK(sio_client_emit(w.c, SLICE_LIT("b"), SLICE_NONE));
    said("");
    answer(EIO_POST, "ok");
    said("POST " NEXT " 42[\"yes\",1]\x1e"
         "42[\"b\"]\n");
    answer(EIO_GET, "427[\"c\"]");
    answer(EIO_POST, "");
    said("event [\"c\"]\nGET " NEXT " \nPOST " NEXT " 437[]\n");
    end();
}

/* An answer that holds nothing is not asked for again at once. */
TEST(it_does_not_ask_in_a_hurry)
{
    connect_polling();
    answer(EIO_GET, "6");
    said("");
    CHECK(sio_client_deadline(w.c) > w.now_us);
    tick(sio_client_deadline(w.c) - w.now_us);
    said("GET " NEXT " \n");
    answer(EIO_GET, "");
    said("");
    end();
}

TEST(it_has_a_websocket)
{
    connect_ws();
    CHECK(sio_client_is_websocket(w.c));
    message("2");
    message("6");
    message("42[\"again\"]");
    said("send 3\nevent [\"again\"]\nsend 42[\"yes\",1]\n");
    message("41");
    said("send 1\nreset\nclosed it has sent us away\n");
    end();
}

TEST(it_upgrades)
{
    CHECK_OK(begin(EIO_UPGRADING));
    tick(0);
    answer(EIO_GET, OPEN_BOTH);
    said("GET " FIRST "polling \nws " FIRST "websocket&sid=abc\n");
    sio_client_ws_open(w.c, w.now_us);
    said("send 2probe\n");
    message("6");
    message("3probe");
    said("send 5\nsend 40\n");
    message("6");
    /* What a server says before it lets in is told after that. */
    message("42[\"node_info\",{}]");
    said("");
    message("40{\"sid\":\"x\"}");
    said("connected\nevent [\"node_info\",{}]\n");
    end();
}

TEST(it_polls_where_there_is_no_websocket)
{
    CHECK_OK(begin(EIO_UPGRADING));
    tick(0);
    answer(EIO_GET, OPEN_POLLING);
    said("GET " FIRST "polling \nPOST " NEXT " 40\nGET " NEXT " \n");
    end();
    CHECK_OK(begin(EIO_UPGRADING));
    tick(0);
    answer(EIO_GET, OPEN_BOTH);
    buf_clear(&w.said);
    sio_client_ws_end(w.c, "refused", w.now_us);
    said("POST " NEXT " 40\nGET " NEXT " \n");
    end();
    CHECK_OK(begin(EIO_UPGRADING));
    tick(0);
    answer(EIO_GET, OPEN_BOTH);
    buf_clear(&w.said);
    tick(5 * SEC);
    said("close ws\nPOST " NEXT " 40\nGET " NEXT " \n");
    sio_client_ws_open(w.c, w.now_us);
    message("3probe");
    said("");
    end();
}

/* Pings keep it, and so does any traffic. */
TEST(silence_ends_it)
{
    connect_ws();
    tick(44 * SEC);
    message("42[\"a\"]");
    tick(44 * SEC);
    said("event [\"a\"]\n");
    tick(SEC);
    said("reset\nclosed it is silent\n");
    end();
}

static uint64_t pause_us(void)
{
    return sio_client_deadline(w.c) - w.now_us;
}

/* As an option that is changed while it runs: an hour's pause is not sat out.
 */
TEST(another_longest_pause_counts_at_once)
{
    CHECK_OK(begin(EIO_POLLING));
    sio_client_set_dial_max(w.c, 3600 * SEC, w.now_us);
    for (int i = 0; i < 12; i++) {
        tick(i == 0 ? 0 : pause_us());
        sio_client_failed(w.c, EIO_GET, "nobody is there", w.now_us);
    }
    CHECK(pause_us() > 600 * SEC);
    sio_client_set_dial_max(w.c, 2 * SEC, w.now_us);
    CHECK(pause_us() <= 2 * SEC);
    tick(pause_us());
    sio_client_failed(w.c, EIO_GET, "nobody is there", w.now_us);
    CHECK(pause_us() <= 3 * SEC);
    sio_client_set_dial_max(w.c, 0, w.now_us);
    for (int i = 0; i < 4; i++) {
        tick(pause_us());
        sio_client_failed(w.c, EIO_GET, "nobody is there", w.now_us);
    }
    CHECK(pause_us() >= 5 * SEC / 2);
    buf_clear(&w.said);
    end();
}

TEST(it_calls_again_after_pauses_that_grow)
{
    static const uint64_t bases[] = { 1, 2, 4, 5, 5, 5 };

    CHECK_OK(begin(EIO_POLLING));
    failures = 0;
    for (size_t i = 0; i < ARRAY_N(bases); i++) {
        tick(i == 0 ? 0 : pause_us());
        CHECK_UINT(sio_client_began_us(w.c), w.now_us);
        said("GET " FIRST "polling \n");
        sio_client_failed(w.c, EIO_GET, "nobody is there", w.now_us);
        said("reset\n");
        CHECK_SLICE(slice_str(sio_client_why(w.c)), "nobody is there");
        CHECK_UINT(failures, i + 1); /* each at once */
        CHECK(pause_us() >= bases[i] * SEC / 2);
        CHECK(pause_us() <= bases[i] * SEC * 3 / 2);
    }
    tick(pause_us());
    answer(EIO_GET, OPEN_POLLING);
    answer(EIO_GET, "40");
    CHECK_SLICE(slice_str(sio_client_why(w.c)), "");
    sio_client_failed(w.c, EIO_GET, "gone", w.now_us);
    CHECK(pause_us() <= SEC * 3 / 2);
    CHECK_UINT(failures, ARRAY_N(bases)); /* it was connected: it has closed */
    end();
}

TEST(it_is_not_let_in)
{
    static const struct {
        unsigned status;
        const char *body, *why;
    } rows[] = {
        { 400, "\"no\"", "it answers 400 \"no\"" },
        { 200, "", "what it answers is not Engine.IO" },
        { 200, "<html>", "what it answers is not Engine.IO" },
        { 200, "6", "what it answers is not Engine.IO" },
        { 200, "0{}", "what it says first is not Engine.IO" },
        { 200, "\xff", "what it answers is not Engine.IO" },
        { 200,
            OPEN_POLLING "\x1e"
                         "1",
            "it has said that it goes" },
        { 200,
            OPEN_POLLING "\x1e"
                         "44\"Unable to connect\"",
            "it does not let us in: \"Unable to connect\"" },
        { 200,
            OPEN_POLLING "\x1e"
                         "4x",
            "it does not speak Socket.IO" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        CHECK_OK(begin(EIO_POLLING));
        tick(0);
        sio_client_answer(
            w.c, EIO_GET, rows[i].status, slice_str(rows[i].body), w.now_us);
        CHECK_SLICE(slice_str(sio_client_why(w.c)), rows[i].why);
        CHECK(!sio_client_is_connected(w.c));
        end();
    }
    CHECK_OK(begin(EIO_POLLING));
    tick(0);
    tick(10 * SEC);
    CHECK_SLICE(slice_str(sio_client_why(w.c)), "it does not answer");
    end();
    CHECK_OK(begin(EIO_POLLING));
    tick(0);
    answer(EIO_GET, OPEN_POLLING);
    tick(10 * SEC);
    CHECK_SLICE(slice_str(sio_client_why(w.c)), "it does not let us in");
    end();
}

TEST(what_is_larger_than_the_server_takes_is_not_sent)
{
    static char text[1001];

    connect_ws();
    memset(text, '1', 1000);
    /* 42["e",...] has eight bytes beside it. */
    CHECK_OK(sio_client_emit(w.c, SLICE_LIT("e"), SLICE(text, 992)));
    CHECK_INT(sio_client_emit(w.c, SLICE_LIT("e"), SLICE(text, 993)),
        SYNCLINE_ELIMIT);
    end();
}

TEST(it_is_hung_up)
{
    connect_ws();
    sio_client_close(w.c);
    said("send 41\nsend 1\n");
    tick(100 * SEC);
    message("42[\"a\"]");
    said("");
    CHECK_UINT(sio_client_deadline(w.c), 0);
    end();
    connect_polling();
    sio_client_close(w.c);
    said("POST " NEXT " 41\n");
    end();
    connect_ws();
    message("425[\"enough\"]");
    said("event [\"enough\"]\nsend 41\nsend 1\n");
    end();
}

/* Memory that runs out anywhere ends a session at most: it is called again. */
TEST(memory_that_runs_out)
{
    bool all = false;

    for (long n = 0; !all; n++) {
        check_alloc_fail_from(-1);
        CHECK_OK(begin(EIO_POLLING));
        buf_reserve(&w.said, 4096);
        check_alloc_fail_from(n);
        tick(0);
        answer(EIO_GET, OPEN_POLLING);
        answer(EIO_POST, "OK");
        answer(EIO_GET,
            "42[\"early\"]\x1e"
            "40{\"sid\":\"x\"}\x1e"
            "2");
        answer(EIO_GET, "421[\"late\",{}]");
        all = !check_alloc_failed();
        check_alloc_fail_from(-1);
        CHECK(!all || memmem(w.said.ptr, w.said.len, "late", 4) != NULL);
        for (int i = 0; i < 10 && !sio_client_is_connected(w.c); i++) {
            tick(20 * SEC);
            answer(EIO_GET, OPEN_POLLING);
            answer(EIO_GET, "40{\"sid\":\"x\"}");
        }
        CHECK(sio_client_is_connected(w.c));
        end();
    }
}

TEST(urls_are_read)
{
    static const struct {
        const char *text, *host, *path;
        unsigned port;
        bool is_secure;
        enum eio_how how;
    } rows[] = {
        { "http://a:5342", "a", "/socket.io/", 5342, false, EIO_POLLING },
        { "https://a", "a", "/socket.io/", 443, true, EIO_POLLING },
        { "ws://[::1]:1/", "::1", "/socket.io/", 1, false, EIO_WEBSOCKET },
        { "wss://a.b/io/", "a.b", "/io/", 443, true, EIO_WEBSOCKET },
        { "http://192.0.2.1/x?y=1", "192.0.2.1", "/x?y=1", 80, false,
            EIO_POLLING },
    };
    static const char *const bad[] = { "", "a:5342", "ftp://a", "http://",
        "http://a:0", "http://u@a", "http://a/#b", "http://a\r\nb" };
    struct ws_url url;

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        enum eio_how how = EIO_POLLING;

        CHECK_OK(sio_url_parse(&url, &how, slice_str(rows[i].text), NULL));
        CHECK_SLICE(slice_str(url.host), rows[i].host);
        CHECK_SLICE(slice_str(url.path), rows[i].path);
        CHECK_UINT(url.port, rows[i].port);
        CHECK(url.is_secure == rows[i].is_secure);
        CHECK_INT(how, rows[i].how);
    }
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        enum eio_how how = EIO_POLLING;
        struct errmsg why = { "" };

        CHECK_INT(sio_url_parse(&url, &how, slice_str(bad[i]), &why),
            SYNCLINE_EINVAL);
        CHECK(why.text[0] != 0);
    }
}
