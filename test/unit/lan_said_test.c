/* Signatures of the second dialect, checked over the bytes that came. */
#include "base/text.h"
#include "faces/lansync/message.h"
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
