/* Fernet and the tokens of iSync, by the published examples. */
#include "faces/isync/keys.h"

#include <stdio.h>

#include "base/prng.h"
#include "base/text.h"
#include "crypto/cbc.h"
#include "crypto/crypto.h"
#include "unit/check.h"
#include "unit/isync_vectors.h"

#define TOKEN SLICE_LIT("my-secret-token")

TEST(keys_come_from_tokens)
{
    struct arena a = { 0 };
    const struct json *v = isync_vector(&a, "I.token_to_fernet_key");
    struct fernet_key key, back;

    for (const struct json *r = json_get(v, "rows")->first; r != NULL;
         r = r->next) {
        struct slice token = json_get_str(r, "token");
        struct buf b = { 0 };

        if (token.len == 0) {
            CHECK_INT(fernet_key_of_token(&key, token), SYNCLINE_EINVAL);
            continue;
        }
        CHECK_OK(fernet_key_of_token(&key, token));
        fernet_key_put(&b, &key);
        CHECK_BYTES(buf_slice(&b), json_get_str(r, "fernet_key"));
        CHECK(hex_is(json_get_str(r, "signing_key_hex"),
            SLICE(key.sign, sizeof key.sign)));
        CHECK(hex_is(json_get_str(r, "aes128_key_hex"),
            SLICE(key.encrypt, sizeof key.encrypt)));
        CHECK_OK(fernet_key_read(&back, buf_slice(&b)));
        CHECK(memcmp(&back, &key, sizeof key) == 0);
        buf_free(&b);
    }
    arena_free(&a);
}

TEST(a_state_is_sealed_as_the_originals_seal_it)
{
    struct arena a = { 0 };
    const struct json *v = isync_vector(&a, "I.fernet.syncstate");
    struct isync_keys keys;
    const struct isync_secret secret = { .token = json_get_str(v, "token") };
    uint8_t iv[FERNET_IV_LEN];
    uint64_t time_s = (uint64_t)json_get_int(v, "time", 0), said_s = 0;
    struct buf b = { 0 };

    CHECK_OK(isync_keys_at(&keys, &secret, time_s));
    CHECK(keys.n == 1 && keys.can_seal && keys.turns_s == 0);
    CHECK_OK(hex_decode(iv, sizeof iv, json_get_str(v, "iv_hex")));
    CHECK_OK(fernet_seal(
        &b, &keys.key[0], time_s, iv, json_get_str(v, "plaintext_utf8")));
    CHECK_BYTES(buf_slice(&b), json_get_str(v, "fernet_token"));
    buf_clear(&b);
    CHECK_OK(
        isync_seal(&b, &keys, time_s, iv, json_get_str(v, "plaintext_utf8")));
    CHECK_BYTES(buf_slice(&b), json_get_str(v, "encrypted_data"));
    buf_clear(&b);
    CHECK_OK(isync_open(&b, &keys, json_get_str(v, "encrypted_data")));
    CHECK_BYTES(buf_slice(&b), json_get_str(v, "plaintext_utf8"));
    buf_clear(&b);
    CHECK_OK(fernet_open(
        &b, &keys.key[0], json_get_str(v, "fernet_token"), &said_s));
    CHECK_UINT(said_s, time_s);
    buf_free(&b);
    arena_free(&a);
}

/* From the text of the specification itself. */
TEST(the_short_example_too)
{
    static const uint8_t iv[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
        14, 15 };
    struct fernet_key key;
    struct buf b = { 0 };

    CHECK_OK(fernet_key_of_token(&key, TOKEN));
    CHECK_OK(fernet_seal(&b, &key, 1728123456, iv, SLICE_LIT("{\"a\": 1}")));
    CHECK_SLICE(buf_slice(&b),
        "gAAAAABnARJAAAECAwQFBgcICQoLDA0ODylTQYscJf_5jV-izjdgws8a2mMRNvAbrCKH3"
        "Nc3MPAu_kGexzf6cZxP67l2OtkcOw==");
    buf_free(&b);
}

/* What is opened is what was sealed, of each length around whole blocks; and
 * nothing that one bit was changed in is opened. */
TEST(nothing_that_was_changed_is_opened)
{
    struct fernet_key key, other;
    uint8_t iv[FERNET_IV_LEN] = { 7 }, plain[70];
    struct prng p = { 1 };

    CHECK_OK(fernet_key_of_token(&key, TOKEN));
    CHECK_OK(fernet_key_of_token(&other, SLICE_LIT("another")));
    for (size_t n = 0; n < sizeof plain; n++) {
        struct buf sealed = { 0 }, open = { 0 };

        plain[n] = (uint8_t)prng_next(&p);
        CHECK_OK(fernet_seal(&sealed, &key, 5, iv, SLICE(plain, n)));
        CHECK_OK(fernet_open(&open, &key, buf_slice(&sealed), NULL));
        CHECK_BYTES(buf_slice(&open), SLICE(plain, n));
        buf_clear(&open);
        CHECK_INT(fernet_open(&open, &other, buf_slice(&sealed), NULL),
            SYNCLINE_EDENIED);
        for (size_t i = 0; i < sealed.len; i++) {
            uint8_t was = sealed.ptr[i];

            sealed.ptr[i] = was == 'A' ? 'B' : 'A';
            CHECK(fernet_open(&open, &key, buf_slice(&sealed), NULL) !=
                SYNCLINE_OK);
            sealed.ptr[i] = was;
            if (i % 9 == 0)
                CHECK(fernet_open(&open, &key, SLICE(sealed.ptr, i), NULL) !=
                    SYNCLINE_OK);
        }
        CHECK_UINT(open.len, 0);
        buf_free(&sealed);
        buf_free(&open);
    }
}

/* Signed as it must be, but of another version. */
TEST(another_version_is_no_token)
{
    const uint8_t iv[FERNET_IV_LEN] = { 1 };
    uint8_t raw[73];
    struct fernet_key key;
    struct buf b = { 0 }, open = { 0 };

    CHECK_OK(fernet_key_of_token(&key, TOKEN));
    CHECK_OK(fernet_seal(&b, &key, 5, iv, SLICE_LIT("x")));
    CHECK_OK(base64url_decode(raw, sizeof raw, SLICE(b.ptr, b.len - 2)));
    for (int version = 0x80; version <= 0x81; version++) {
        raw[0] = (uint8_t)version;
        CHECK_OK(crypto_hmac_sha256(raw + sizeof raw - SHA256_LEN,
            SLICE(key.sign, sizeof key.sign),
            SLICE(raw, sizeof raw - SHA256_LEN)));
        buf_clear(&b);
        put_base64url(&b, SLICE(raw, sizeof raw));
        buf_put_str(&b, "==");
        CHECK_INT(fernet_open(&open, &key, buf_slice(&b), NULL),
            version == 0x80 ? SYNCLINE_OK : SYNCLINE_EMALFORMED);
    }
    buf_free(&b);
    buf_free(&open);
}

TEST(blocks_that_are_none_are_refused)
{
    const uint8_t key[CBC_KEY_LEN] = { 1 }, iv[CBC_BLOCK_LEN] = { 2 };
    uint8_t blocks[32] = { 3 };
    struct buf b = { 0 };

    CHECK_INT(crypto_cbc_open(&b, key, iv, SLICE_NONE), SYNCLINE_EMALFORMED);
    CHECK_INT(
        crypto_cbc_open(&b, key, iv, SLICE(blocks, 17)), SYNCLINE_EMALFORMED);
    CHECK_INT(
        crypto_cbc_open(&b, key, iv, SLICE(blocks, 32)), SYNCLINE_EDENIED);
    CHECK_UINT(b.len, 0);
    buf_free(&b);
}

TEST(what_is_no_base64_is_malformed)
{
    static const char *const bad[] = { "", "a", "abc",
        "ab?=", "====", "Z0FBQUFB!!==" };
    struct isync_keys keys;
    const struct isync_secret secret = { .token = TOKEN };
    struct buf b = { 0 };

    CHECK_OK(isync_keys_at(&keys, &secret, 0));
    for (size_t i = 0; i < ARRAY_N(bad); i++)
        CHECK_SAYING(
            isync_open(&b, &keys, slice_str(bad[i])) == SYNCLINE_EMALFORMED,
            "%s", bad[i]);
    buf_free(&b);
}

TEST(a_new_token_is_44_letters_of_base64)
{
    uint8_t random[ISYNC_TOKEN_RANDOM];
    struct buf b = { 0 }, back = { 0 };

    CHECK_OK(crypto_random(random, sizeof random));
    isync_token_put(&b, random);
    CHECK_UINT(b.len, ISYNC_TOKEN_LEN);
    CHECK(b.ptr[b.len - 1] == '=');
    CHECK_OK(base64_decode(&back, SLICE(b.ptr, b.len - 1)));
    CHECK_BYTES(buf_slice(&back), SLICE(random, sizeof random));
    buf_free(&b);
    buf_free(&back);
}

/* ---- rotation ---- */

#define DAY UINT64_C(86400)

/* Sealed at one time, by whoever holds the secret; can it be opened at
 * another? */
static bool opens(const struct isync_secret *from, uint64_t sealed_s,
    const struct isync_secret *to, uint64_t opened_s)
{
    const uint8_t iv[FERNET_IV_LEN] = { 1 };
    struct isync_keys keys;
    struct buf sealed = { 0 }, open = { 0 };
    int rc;

    CHECK_OK(isync_keys_at(&keys, from, sealed_s));
    CHECK_OK(isync_seal(&sealed, &keys, sealed_s, iv, SLICE_LIT("x")));
    CHECK_OK(isync_keys_at(&keys, to, opened_s));
    rc = isync_open(&open, &keys, buf_slice(&sealed));
    CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_EDENIED);
    buf_free(&sealed);
    buf_free(&open);
    return rc == SYNCLINE_OK;
}

TEST(around_a_turn_both_tokens_count)
{
    const struct isync_secret s = {
        .token = TOKEN, .period_s = 7 * DAY, .overlap_s = DAY
    };
    const uint64_t turn = 7 * DAY * 3000;

    CHECK(opens(&s, turn - 5, &s, turn + 5));
    CHECK(opens(&s, turn - 5, &s, turn + DAY - 1));
    CHECK(!opens(&s, turn - 5, &s, turn + DAY));
    CHECK(opens(&s, turn + 5, &s, turn - 5)); /* a clock that is behind */
    CHECK(opens(&s, turn + 5, &s, turn - DAY));
    CHECK(!opens(&s, turn + 5, &s, turn - DAY - 1));
    CHECK(opens(&s, turn + 5, &s, turn + 7 * DAY - 1));
    CHECK(!opens(&s, turn - 8 * DAY, &s, turn + 5));
}

TEST(keys_are_asked_for_again_when_they_turn)
{
    const struct isync_secret s = {
        .token = TOKEN, .period_s = 7 * DAY, .overlap_s = DAY
    };
    const uint64_t turn = 7 * DAY * 3000;
    struct isync_keys keys;

    CHECK_OK(isync_keys_at(&keys, &s, turn));
    CHECK(keys.n == 2 && keys.turns_s == turn + DAY);
    CHECK_OK(isync_keys_at(&keys, &s, turn + DAY));
    CHECK(keys.n == 1 && keys.turns_s == turn + 6 * DAY);
    CHECK_OK(isync_keys_at(&keys, &s, turn + 6 * DAY));
    CHECK(keys.n == 2 && keys.turns_s == turn + 7 * DAY);
}

/* The token that people type into an original for a week is what seals. */
TEST(the_token_in_force_is_what_an_original_can_be_given)
{
    const struct isync_secret s = { .token = TOKEN, .period_s = 7 * DAY };
    struct buf now = { 0 }, later = { 0 };
    struct isync_secret plain = { 0 };

    CHECK_OK(isync_token_at(&now, &s, 100 * DAY));
    CHECK_OK(isync_token_at(&later, &s, 108 * DAY));
    CHECK_UINT(now.len, ISYNC_TOKEN_LEN);
    CHECK(!slice_eq(buf_slice(&now), buf_slice(&later)));
    plain.token = buf_slice(&now);
    CHECK(opens(&s, 100 * DAY, &plain, 100 * DAY));
    CHECK(opens(&plain, 100 * DAY, &s, 100 * DAY));
    plain.token = buf_slice(&later);
    CHECK(!opens(&s, 100 * DAY, &plain, 100 * DAY));
    buf_free(&now);
    buf_free(&later);
}

TEST(a_secret_that_was_replaced_opens_for_a_while_and_never_seals)
{
    const struct isync_secret old = { .token = SLICE_LIT("old") };
    const struct isync_secret s = {
        .token = SLICE_LIT("new"),
        .before = SLICE_LIT("old"),
        .before_until = 1000,
    };
    const struct isync_secret none = { .before = SLICE_LIT("old") };
    struct isync_keys keys;
    const uint8_t iv[FERNET_IV_LEN] = { 1 };
    struct buf b = { 0 };

    CHECK(opens(&old, 5, &s, 999));
    CHECK(!opens(&old, 5, &s, 1000));
    CHECK(!opens(&s, 5, &old, 5));
    CHECK_OK(isync_keys_at(&keys, &s, 5));
    CHECK(keys.turns_s == 1000);
    CHECK_OK(isync_keys_at(&keys, &none, 5));
    CHECK(keys.n == 1 && !keys.can_seal);
    CHECK_INT(
        isync_seal(&b, &keys, 5, iv, SLICE_LIT("x")), SYNCLINE_EUNSUPPORTED);
    buf_free(&b);
}
