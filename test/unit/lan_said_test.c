/* What others say: signatures of the second dialect, checked over the bytes
 * that came, payloads as they came, and names that are no text. */
#include "faces/lansync/message.h"

#include <stdlib.h>

#include "base/text.h"
#include "faces/lansync/discovery.h"
#include "unit/check.h"

static const char said[] =
    "{\"message_id\":\"m\",\"message_type\":"
    "\"SYNC_REQUEST\",\"nonce\":\"n\",\"payload\":{\"data\":\"M\\u00fc x\"},"
    "\"timestamp\":\"2026-11-20T12:00:00\"}";

static enum lan_dialect dialect_in(struct slice text, const struct mac_key *key)
{
    enum lan_dialect found = LAN_UNDECIDED;
    struct arena a = { 0 };
    struct lan_message m;

    if (lan_message_read(&m, text, &a, NULL) == SYNCLINE_OK)
        CHECK_OK(lan_message_verify(&found, &m, LAN_UNDECIDED, key));
    arena_free(&a);
    return found;
}

/* The text with the signature of these bytes as its last member. */
static void put_sealed(
    struct buf *b, struct slice text, const struct mac_key *key)
{
    uint8_t mac[SHA256_LEN];

    CHECK_OK(crypto_mac(mac, key, &text, 1));
    buf_put(b, text.ptr, text.len - 1);
    buf_put_str(b, ",\"signature\":\"");
    put_hex(b, SLICE(mac, sizeof mac));
    buf_put_str(b, "\"}");
}

/* Those bytes were signed, however they would be printed again. */
TEST(what_was_signed_is_what_was_said)
{
    struct mac_key key;
    struct buf b = { 0 };

    CHECK_OK(crypto_mac_key(&key, SLICE_LIT("secret")));
    put_sealed(&b, slice_str(said), &key);
    CHECK_INT(dialect_in(buf_slice(&b), &key), LAN_SECOND);
    for (size_t i = 0; i < b.len; i++) {
        b.ptr[i] ^= 1;
        CHECK_SAYING(dialect_in(buf_slice(&b), &key) == LAN_UNDECIDED,
            "byte %zu was changed", i);
        b.ptr[i] ^= 1;
    }
    CHECK_OK(crypto_mac_key(&key, SLICE_LIT("another")));
    CHECK_INT(dialect_in(buf_slice(&b), &key), LAN_UNDECIDED);
    buf_free(&b);
}

/* What the first dialect signs does not count as the second, and a signature
 * that stands elsewhere, or twice, is looked for in what is printed. */
TEST(a_signature_in_another_place)
{
    static const char *const none[] = {
        "{\"message_id\": \"m\", \"message_type\": \"HEARTBEAT\", "
        "\"payload\": {}}",
        "{\"destination\":null,\"message_id\":\"m\",\"message_type\":"
        "\"HEARTBEAT\",\"payload\":{}}",
    };
    struct mac_key key;
    struct buf b = { 0 };

    CHECK_OK(crypto_mac_key(&key, SLICE_LIT("secret")));
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        buf_clear(&b);
        put_sealed(&b, slice_str(none[i]), &key);
        CHECK_INT(dialect_in(buf_slice(&b), &key), LAN_UNDECIDED);
    }
    buf_clear(&b);
    put_sealed(&b,
        SLICE_LIT("{\"message_id\":\"m\",\"message_type\":\"HEARTBEAT\","
                  "\"payload\":{}}"),
        &key);
    buf_put_u8(&b, ' ');
    CHECK_INT(dialect_in(buf_slice(&b), &key), LAN_SECOND);
    buf_free(&b);
}

/* Anybody can send a datagram; what it says is told, and kept in C's strings.
 */
/* A payload is handed on as it came, unless others might read another one. */
TEST(payloads_as_they_came)
{
    static const struct {
        const char *rest, *said; /* behind the type */
    } rows[] = {
        { ",\"payload\":{\"b\":1,\"a\":\"}\"},\"x\":1}",
            "{\"b\":1,\"a\":\"}\"}" },
        { " , \"x\" : {} , \"payload\" : { \"a\": [{}] } } ",
            "{ \"a\": [{}] }" },
        { ",\"payload\":{} , \"x\":{}}", "{}" },
        { ",\"payload\":{\"u\":\"\\ud800\"}}", "{\"u\":\"\\ud800\"}" },
        { ",\"payload\":{\"a\":1,\"a\":2}}", NULL },
        { ",\"payload\":{},\"x\":1,\"x\":2}", NULL },
        { ",\"p\\u0061yload\":{}}", NULL },
        { ",\"payload\":{},\"\\u0061\":{}}", NULL },
        { ",\"payload\":[]}", NULL },
        { ",\"payload\":null}", NULL },
        { "}", NULL },
    };
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf text = { 0 };
        struct lan_message m;
        struct slice payload;

        buf_printf(&text, "{\"message_type\":\"SYNC_ACK\"%s", rows[i].rest);
        CHECK_OK(lan_message_read(&m, buf_slice(&text), &a, NULL));
        payload = lan_payload_said(&m);
        CHECK_SAYING((payload.ptr != NULL) == (rows[i].said != NULL), "%s",
            rows[i].rest);
        if (rows[i].said != NULL)
            CHECK_SLICE(payload, rows[i].said);
        buf_free(&text);
    }
    arena_free(&a);
}

TEST(a_device_whose_name_is_no_text)
{
    static const char *const ids[] = { "a\\u0000b", "\\ud800", "x\\udfff" };
    struct lan_devices *d = calloc(1, sizeof *d);
    const struct netaddr from = { .family = 4, .addr = { 10, 0, 0, 7 } };
    struct lan_beacon b = { SLICE_LIT("n"), SLICE_NONE, 5001, NULL };
    const struct lan_device *at;
    char longer[LAN_NAME_MAX + 2];
    enum lan_heard what;

    CHECK(d != NULL);
    for (size_t i = 0; i < ARRAY_N(ids); i++) {
        struct lan_beacon heard;
        struct arena a = { 0 };
        struct buf text = { 0 };

        buf_printf(
            &text, "{\"type\":\"discovery\",\"node_id\":\"%s\"}", ids[i]);
        CHECK_OK(lan_beacon_read(&heard, buf_slice(&text), &a));
        CHECK_SAYING(lan_devices_hear(d, &heard, &from, 1, &what) == NULL,
            "taken: %s", ids[i]);
        buf_free(&text);
        arena_free(&a);
    }
    for (size_t i = 0; i + 1 < sizeof longer; i += 2)
        memcpy(longer + i, "\xc3\xa9", 2);
    b.node_name = SLICE(longer, sizeof longer);
    at = lan_devices_hear(d, &b, &from, 1, &what);
    CHECK(at != NULL && strlen(at->node_name) == LAN_NAME_MAX - 2);
    CHECK(utf8_valid(slice_str(at->node_name)));
    b.node_name = SLICE_LIT("\xed\xa0\x80");
    CHECK_SLICE(
        slice_str(lan_devices_hear(d, &b, &from, 1, &what)->node_name), "");
    free(d);
}
