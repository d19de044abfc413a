/* Packets of Engine.IO and Socket.IO: the published examples, byte for byte,
 * and what is refused. */
#include "faces/socketio/socketio.h"

#include "base/text.h"
#include "faces/socketio/engineio.h"
#include "unit/check.h"
#include "unit/isync_vectors.h"

static const struct json *row_of(const struct json *vector, const char *packet)
{
    const struct json *rows = json_get(vector, "rows");
    const struct json *r = rows->first;

    while (r != NULL && !slice_is(json_get_str(r, "packet"), packet))
        r = r->next;
    CHECK_SAYING(r != NULL, "no row %s", packet);
    return r;
}

static struct slice text_of(const struct json *vector, const char *packet)
{
    return json_get_str(row_of(vector, packet), "text");
}

TEST(packets_of_engineio_are_as_published)
{
    static const struct {
        const char *name;
        enum eio_type type;
        const char *data;
    } rows[] = {
        { "close", EIO_CLOSE, "" },
        { "ping", EIO_PING, "" },
        { "pong", EIO_PONG, "" },
        { "ping probe", EIO_PING, "probe" },
        { "pong probe", EIO_PONG, "probe" },
        { "upgrade", EIO_UPGRADE, "" },
        { "noop", EIO_NOOP, "" },
        { "message text", EIO_MESSAGE, "40" },
    };
    struct arena a = { 0 };
    const struct json *v = isync_vector(&a, "I.engineio.packets");

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct slice text = text_of(v, rows[i].name);
        struct eio_packet p;
        struct buf b = { 0 };

        CHECK_OK(eio_read(&p, text));
        CHECK_INT(p.type, rows[i].type);
        CHECK_SLICE(p.data, rows[i].data);
        eio_put(&b, &p);
        CHECK_BYTES(buf_slice(&b), text);
        buf_free(&b);
    }
    CHECK_INT(json_get_int(
                  row_of(v, "max packets in one decoded payload"), "value", 0),
        EIO_PACKETS_MAX);
    arena_free(&a);
}

TEST(the_first_packet_is_as_published)
{
    struct arena a = { 0 };
    const struct json *v = isync_vector(&a, "I.engineio.packets");
    struct slice text = text_of(v, "open");
    struct eio_packet p;
    struct eio_open o;
    struct buf b = { 0 };

    CHECK_OK(eio_read(&p, text));
    CHECK_OK(eio_read_open(&o, p.data));
    CHECK(o.upgrades);
    CHECK_UINT(o.interval_ms, 25000);
    CHECK_UINT(o.timeout_ms, 20000);
    CHECK_UINT(o.payload_max, 1000000);
    buf_put_u8(&b, '0');
    eio_put_open(&b, &o);
    CHECK_BYTES(buf_slice(&b), text);
    buf_free(&b);
    arena_free(&a);
}

TEST(the_first_packet_may_say_less)
{
    static const char *const bad[] = { "", "[]", "{}", "{\"sid\":\"\"}",
        "{\"sid\":1}", "{\"sid\":\"a&b\"}", "{\"sid\":\"a/../b\"}",
        ("{\"sid\":\"012345678901234567890123456789012345678901234567890123456"
         "78901234\"}") };
    struct eio_open o;

    CHECK_OK(eio_read_open(&o,
        SLICE_LIT("{\"sid\":\"x\",\"pingInterval\":-1,\"pingTimeout\":1e99,"
                  "\"upgrades\":[1,\"pigeon\"]}")));
    CHECK(!o.upgrades);
    CHECK_UINT(o.interval_ms, 25000);
    CHECK_UINT(o.timeout_ms, 20000);
    CHECK_UINT(o.payload_max, EIO_PAYLOAD_MAX);
    for (size_t i = 0; i < ARRAY_N(bad); i++)
        CHECK_INT(eio_read_open(&o, slice_str(bad[i])), SYNCLINE_EMALFORMED);
}

TEST(bodies_of_engineio_are_as_published)
{
    struct arena a = { 0 };
    const struct json *v = isync_vector(&a, "I.engineio.packets");
    struct slice text = text_of(v, "payload of two"), rest = text, piece;
    struct buf bytes = { 0 }, body = { 0 };
    struct eio_queue q = { .n = 0 };
    struct eio_packet p;

    CHECK_OK(eio_body_check(text, 2));
    CHECK_INT(eio_body_check(text, 1), SYNCLINE_ELIMIT);
    for (int i = 0; i < 2; i++) {
        CHECK(eio_body_next(&rest, &piece));
        CHECK_OK(eio_read_piece(&p, piece, &bytes));
        CHECK_INT(p.type, EIO_MESSAGE);
        CHECK_SLICE(p.data, i == 0 ? "42[\"a\"]" : "42[\"b\"]");
        eio_queue_put(&q, &p);
    }
    CHECK(!eio_body_next(&rest, &piece));
    eio_queue_body(&q, &body, EIO_PAYLOAD_MAX);
    CHECK_BYTES(buf_slice(&body), text);
    CHECK_UINT(q.n, 0);
    buf_clear(&body);

    text = text_of(v, "binary message in polling");
    CHECK_OK(eio_read_piece(&p, text, &bytes));
    CHECK(p.is_binary);
    CHECK_BYTES(p.data, SLICE_LIT("\x01\x02\xff"));
    eio_queue_put(&q, &p);
    eio_queue_body(&q, &body, EIO_PAYLOAD_MAX);
    CHECK_BYTES(buf_slice(&body), text);
    eio_queue_free(&q);
    buf_free(&body);
    buf_free(&bytes);
    arena_free(&a);
}

TEST(binary_data_of_any_length_comes_back)
{
    static const uint8_t data[] = { 0, 1, 2, 253, 254, 255 };
    struct buf bytes = { 0 }, body = { 0 };

    for (size_t n = 0; n <= sizeof data; n++) {
        const struct eio_packet p = {
            .type = EIO_MESSAGE, .is_binary = true, .data = SLICE(data, n)
        };
        struct eio_queue q = { .n = 0 };
        struct eio_packet got;

        eio_queue_put(&q, &p);
        buf_clear(&body);
        eio_queue_body(&q, &body, 100);
        CHECK_OK(eio_read_piece(&got, buf_slice(&body), &bytes));
        CHECK(got.is_binary);
        CHECK_BYTES(got.data, p.data);
        eio_queue_free(&q);
    }
    for (const char *const *s = (const char *const[]){ "b=", "b====", "b*",
             "bA", "bAAAAA", "bAQL=/", NULL };
         *s != NULL; s++) {
        struct eio_packet got;

        CHECK_INT(
            eio_read_piece(&got, slice_str(*s), &bytes), SYNCLINE_EMALFORMED);
    }
    buf_free(&body);
    buf_free(&bytes);
}

TEST(a_body_holds_sixteen_packets_and_no_more_bytes_than_are_taken)
{
    const struct eio_packet small = { .type = EIO_NOOP };
    struct eio_queue q = { .n = 0 };
    struct buf body = { 0 };
    uint8_t much[60] = { 0 };

    for (int i = 0; i < 20; i++)
        eio_queue_put(&q, &small);
    eio_queue_body(&q, &body, 1000);
    CHECK_UINT(body.len, 31);
    CHECK_UINT(q.n, 4);
    eio_queue_free(&q);
    memset(much, 'x', sizeof much);
    for (int i = 0; i < 3; i++)
        eio_queue_put(&q,
            &(struct eio_packet){
                .type = EIO_MESSAGE, .data = SLICE(much, sizeof much) });
    buf_clear(&body);
    eio_queue_body(&q, &body, 123);
    CHECK_UINT(body.len, 123);
    CHECK_UINT(q.n, 1);
    buf_clear(&body);
    eio_queue_body(&q, &body, 10);
    CHECK_UINT(body.len, 61);
    eio_queue_free(&q);
    buf_free(&body);
}

TEST(what_is_no_packet_of_engineio_is_refused)
{
    struct eio_packet p;

    CHECK_INT(eio_read(&p, SLICE_LIT("")), SYNCLINE_EMALFORMED);
    CHECK_INT(eio_read(&p, SLICE_LIT("7")), SYNCLINE_EMALFORMED);
    CHECK_INT(eio_read(&p, SLICE_LIT("x")), SYNCLINE_EMALFORMED);
    CHECK_INT(eio_body_check(SLICE_LIT("4\xff"), 9), SYNCLINE_EMALFORMED);
}

/* ---- Socket.IO ---- */

TEST(packets_of_socketio_are_as_published)
{
    static const struct {
        const char *name;
        enum sio_type type;
        const char *nsp, *json;
        int id, attachments;
    } rows[] = {
        { "CONNECT default ns no auth", SIO_CONNECT, "/", "", -1, 0 },
        { "CONNECT default ns empty auth (as the python client sends)",
            SIO_CONNECT, "/", "{}", -1, 0 },
        { "CONNECT ack", SIO_CONNECT, "/", "{\"sid\":\"eCCOttzlL9F4ahL1AAAC\"}",
            -1, 0 },
        { "CONNECT /x with auth", SIO_CONNECT, "/x", "{\"token\":\"1\"}", -1,
            0 },
        { "DISCONNECT", SIO_DISCONNECT, "/", "", -1, 0 },
        { "EVENT", SIO_EVENT, "/",
            "[\"peer_handshake\",{\"node_id\":\"icontrol-1728123456\"}]", -1,
            0 },
        { "EVENT no args", SIO_EVENT, "/", "[\"request_sync\"]", -1, 0 },
        { "EVENT with ack id 7", SIO_EVENT, "/", "[\"request_sync\"]", 7, 0 },
        { "ACK 7", SIO_ACK, "/", "[]", 7, 0 },
        { "CONNECT_ERROR", SIO_CONNECT_ERROR, "/x", "\"Unable to connect\"", -1,
            0 },
        { "EVENT unicode", SIO_EVENT, "/",
            "[\"sync_data\",{\"t\":\"\\u00f1\"}]", -1, 0 },
    };
    struct arena a = { 0 };
    const struct json *v = isync_vector(&a, "I.socketio.packets");

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct slice text = text_of(v, rows[i].name);
        struct sio_packet p;
        struct buf b = { 0 };

        CHECK_OK(sio_read(&p, text));
        CHECK_INT(p.type, rows[i].type);
        CHECK_SLICE(p.nsp, rows[i].nsp);
        CHECK_SLICE(p.json, rows[i].json);
        CHECK(p.has_id == (rows[i].id >= 0));
        CHECK(!p.has_id || p.id == (uint64_t)rows[i].id);
        CHECK_UINT(p.attachments, (unsigned)rows[i].attachments);
        sio_put(&b, &p);
        CHECK_BYTES(buf_slice(&b), text);
        buf_free(&b);
    }
    arena_free(&a);
}

TEST(events_are_put_as_published)
{
    static const struct {
        const char *row, *name, *args;
        int id;
    } rows[] = {
        { "EVENT no args", "request_sync", "", -1 },
        { "EVENT with ack id 7", "request_sync", "", 7 },
        { "node_info", "node_info",
            "{\"node_id\":\"465a4ae7-41ec-4e9c-b944-aee74c3bd004\"}", -1 },
        { "handshake_response", "handshake_response",
            "{\"node_id\":\"465a4ae7-41ec-4e9c-b944-aee74c3bd004\","
            "\"status\":\"accepted\"}",
            -1 },
        { "EVENT unicode", "sync_data", "{\"t\":\"\\u00f1\"}", -1 },
    };
    struct arena a = { 0 };
    const struct json *v = isync_vector(&a, "I.socketio.packets");

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct slice text = text_of(v, rows[i].row);
        const uint64_t id = (uint64_t)rows[i].id;
        struct sio_packet p;
        struct sio_event ev;
        struct buf b = { 0 };

        sio_put_event(&b, slice_str(rows[i].name), slice_str(rows[i].args),
            rows[i].id >= 0 ? &id : NULL);
        CHECK_BYTES(buf_slice(&b), text);
        CHECK_OK(sio_read(&p, text));
        CHECK_OK(sio_event_read(&ev, &p, &a));
        CHECK_SLICE(ev.name, rows[i].name);
        CHECK_UINT(ev.n, rows[i].args[0] != 0);
        CHECK((ev.first != NULL) == (ev.n > 0));
        CHECK(ev.wants_ack == (rows[i].id >= 0));
        buf_free(&b);
    }
    arena_free(&a);
}

TEST(what_is_binary_is_read_as_far_as_it_goes)
{
    struct arena a = { 0 };
    const struct json *v = isync_vector(&a, "I.socketio.packets");
    const struct json *texts = json_get(row_of(v, "BINARY_EVENT"), "text");
    struct sio_packet p;
    struct buf b = { 0 };

    CHECK_OK(sio_read(&p, texts->first->s));
    CHECK_INT(p.type, SIO_BINARY_EVENT);
    CHECK_UINT(p.attachments, 1);
    CHECK_SLICE(p.json, "[\"b\",{\"_placeholder\":true,\"num\":0}]");
    sio_put(&b, &p);
    CHECK_BYTES(buf_slice(&b), texts->first->s);
    buf_free(&b);
    arena_free(&a);
}

TEST(what_is_no_packet_of_socketio_is_refused)
{
    static const struct {
        const char *text;
        int rc;
    } rows[] = {
        { "", SYNCLINE_EMALFORMED },
        { "7", SYNCLINE_EMALFORMED },
        { "x[]", SYNCLINE_EMALFORMED },
        { "5[\"b\"]", SYNCLINE_EMALFORMED },
        { "5-[\"b\"]", SYNCLINE_EMALFORMED },
        { "51[\"b\"]", SYNCLINE_EMALFORMED },
        { "517-[\"b\"]", SYNCLINE_ELIMIT },
        { "599999999999999999999-[]", SYNCLINE_ELIMIT },
        { "29007199254740993[]", SYNCLINE_ELIMIT },
        { "2999999999999999999999999[]", SYNCLINE_ELIMIT },
        { "516-[\"b\"]", SYNCLINE_OK },
        { "29007199254740992[]", SYNCLINE_OK },
        { "0/x", SYNCLINE_OK },
    };
    struct sio_packet p;
    struct buf b = { 0 };

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        CHECK_INT(sio_read(&p, slice_str(rows[i].text)), rows[i].rc);
    buf_put_str(&b, "0/");
    for (int i = 0; i < SIO_NAMESPACE_MAX; i++)
        buf_put_u8(&b, 'x');
    CHECK_INT(sio_read(&p, buf_slice(&b)), SYNCLINE_ELIMIT);
    buf_free(&b);
    CHECK_OK(sio_read(&p, SLICE_LIT("0/x?a=1,{}")));
    CHECK_SLICE(p.nsp, "/x");
}

TEST(what_is_no_event_is_refused)
{
    static const struct {
        const char *text;
        int rc;
    } rows[] = {
        { "2", SYNCLINE_EMALFORMED },
        { "2[]", SYNCLINE_EMALFORMED },
        { "2{}", SYNCLINE_EMALFORMED },
        { "2[1]", SYNCLINE_EMALFORMED },
        { "2[\"a\"", SYNCLINE_EMALFORMED },
        { "2[\"a\"]x", SYNCLINE_EMALFORMED },
        { "2 [ \"a\" , 1 ] ", SYNCLINE_OK },
        { "2[\"a\",NaN,{\"b\":1,\"b\":2}]", SYNCLINE_OK },
        { "37[]", SYNCLINE_OK },
        { "37[1,2]", SYNCLINE_OK },
        { "37{}", SYNCLINE_EMALFORMED },
    };
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct sio_packet p;
    struct sio_event ev;

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        CHECK_OK(sio_read(&p, slice_str(rows[i].text)));
        CHECK_INT(sio_event_read(&ev, &p, &a), rows[i].rc);
    }
    buf_put_str(&b, "2[\"a\",");
    for (int i = 0; i < 100000; i++)
        buf_put_u8(&b, '[');
    CHECK_OK(sio_read(&p, buf_slice(&b)));
    CHECK_INT(sio_event_read(&ev, &p, &a), SYNCLINE_ELIMIT);
    buf_clear(&b);
    buf_put_str(&b, "2[\"");
    for (int i = 0; i <= SIO_NAME_MAX; i++)
        buf_put_u8(&b, 'n');
    buf_put_str(&b, "\"]");
    CHECK_OK(sio_read(&p, buf_slice(&b)));
    CHECK_INT(sio_event_read(&ev, &p, &a), SYNCLINE_ELIMIT);
    buf_free(&b);
    arena_free(&a);
}
