#include "crypto/envelope.h"

#include "unit/check.h"

#include "base/text.h"

/* The example of doc/protocol.md. */
struct world {
    struct identity *id;
    struct crypto_port crypto;
    struct crypto_self self;
    struct envelope_keys keys;
    struct envelope_header h;
    struct envelope_content c;
};

static const struct mesh_id mesh = { { 0xaa, 0xaa } };
static const struct space_token space = { { 0x55, 0x55 } };
static const uint8_t secret[KEY_LEN] = { 0x42 }, later[KEY_LEN] = { 0x43 };

static struct envelope_keys keys_of(
    const struct world *w, uint64_t epoch, const uint8_t key[KEY_LEN])
{
    struct envelope_secret made = { .epoch = epoch };
    struct envelope_keys keys;

    memcpy(made.id, key, KEY_ID_LEN);
    memcpy(made.key, key, KEY_LEN);
    memcpy(made.first, secret, KEY_LEN);
    CHECK_OK(envelope_keys_make(&keys, &w->crypto, &mesh, &space, &made));
    return keys;
}

static void world_open(struct world *w)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 7 };

    *w = (struct world){
        .h = { .dot = { { { 0x11 } }, 5 },
            .first = { { { 0x12 } }, 4 },
            .stamp = { 1, 2, { { 0x13 } } },
            .length = 3,
            .context = { 9 },
            .type = CELL_VALUE },
        .c = { SLICE_LIT("it"), SLICE_LIT("/on"), SLICE_LIT("true") },
    };
    CHECK_OK(identity_from_seed(&w->id, seed));
    crypto_port_openssl(&w->crypto, &w->self, w->id);
    w->keys = keys_of(w, 0, secret);
}

static void world_seal(struct world *w, struct buf *out)
{
    CHECK_OK(envelope_seal(out, &w->crypto, &w->keys, &w->h, &w->c));
}

/* C2SP, XAES-256-GCM, test vectors. */
TEST(xaes_published_vectors)
{
    static const struct {
        uint8_t key;
        const char *aad, *want;
    } rows[] = {
        { 1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271" },
        { 3, "c2sp.org/XAES-256-GCM",
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d" }
    };
    static const char nonce[] = "ABCDEFGHIJKLMNOPQRSTUVWX";

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        uint8_t key[KEY_LEN];
        struct buf out = { 0 }, back = { 0 };
        char text[57];

        memset(key, rows[i].key, sizeof key);
        CHECK_OK(crypto_xseal(&out, key, (const uint8_t *)nonce,
            slice_str(rows[i].aad), SLICE_LIT("XAES-256-GCM")));
        CHECK_UINT(out.len, 28);
        hex_encode(text, buf_slice(&out));
        CHECK_SLICE(slice_str(text), rows[i].want);
        CHECK_OK(crypto_xopen(&back, key, (const uint8_t *)nonce,
            slice_str(rows[i].aad), buf_slice(&out)));
        CHECK_SLICE(buf_slice(&back), "XAES-256-GCM");
        buf_free(&out);
        buf_free(&back);
    }
}

/* The fast ways of hashing say what the plain ones do. */
TEST(pieces_hash_as_a_whole)
{
    uint8_t key[100], text[200], a[SHA256_LEN], b[SHA256_LEN];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 7);
    memcpy(key, text, sizeof key);
    for (size_t n = 0; n <= sizeof text; n += 5) {
        struct slice parts[] = { SLICE(text, n / 3), SLICE_NONE,
            SLICE(text + n / 3, n - n / 3) };
        size_t key_len = n / 2;
        struct mac_key k;

        CHECK_OK(crypto_sha256(a, SLICE(text, n)));
        CHECK_OK(crypto_hash(b, parts, 3));
        CHECK_BYTES(SLICE(b, sizeof b), SLICE(a, sizeof a));
        CHECK_OK(crypto_hmac_sha256(a, SLICE(key, key_len), SLICE(text, n)));
        CHECK_OK(crypto_mac_key(&k, SLICE(key, key_len)));
        CHECK_OK(crypto_mac(b, &k, parts, 3));
        CHECK_BYTES(SLICE(b, sizeof b), SLICE(a, sizeof a));
    }
}

TEST(what_was_sealed_opens)
{
    static const struct {
        enum envelope_type type;
        uint64_t length;
        const char *path, *value;
    } rows[] = { { CELL_VALUE, 1, "/on", "true" }, { CELL_VALUE, 3, "", "{}" },
        { CELL_REMOVED, 1, "/on", NULL }, { CELL_TOMBSTONE, 2, "", NULL } };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf out = { 0 }, again = { 0 }, plain = { 0 };
        struct envelope_header h;
        struct envelope_content c;
        struct world w;

        world_open(&w);
        w.h.type = rows[i].type;
        w.h.length = rows[i].length;
        w.c.path = slice_str(rows[i].path);
        w.c.value =
            rows[i].value != NULL ? slice_str(rows[i].value) : SLICE_NONE;
        world_seal(&w, &out);
        world_seal(&w, &again);
        CHECK_BYTES(buf_slice(&again), buf_slice(&out));
        CHECK_OK(
            envelope_open(&h, &c, &plain, &w.crypto, &w.keys, buf_slice(&out)));
        CHECK_SLICE(c.key, "it");
        CHECK_BYTES(c.path, w.c.path);
        CHECK_BYTES(c.value, w.c.value);
        CHECK((c.value.ptr == NULL) == (rows[i].value == NULL));
        CHECK(dot_eq(&h.dot, &w.h.dot) && dot_eq(&h.first, &w.h.first));
        CHECK_INT(stamp_cmp(&h.stamp, &w.h.stamp), 0);
        CHECK_UINT(h.length, rows[i].length);
        CHECK_INT(h.type, rows[i].type);
        buf_free(&out);
        buf_free(&again);
        buf_free(&plain);
        identity_free(w.id);
    }
}

/* Neither a bit of the header, nor one of what is behind it, may be another. */
TEST(any_flipped_bit_is_refused)
{
    struct buf out = { 0 }, plain = { 0 };
    struct envelope_header h;
    struct envelope_content c;
    struct world w;

    world_open(&w);
    world_seal(&w, &out);
    for (size_t i = 0; i < 8 * out.len; i++) {
        int rc;

        out.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
        rc = envelope_open(&h, &c, &plain, &w.crypto, &w.keys, buf_slice(&out));
        CHECK_SAYING(rc == SYNCLINE_EDENIED || rc == SYNCLINE_EMALFORMED ||
                (rc == SYNCLINE_ENOTFOUND && i >= 8 && i < (size_t)8 * 57),
            "bit %zu: %d", i, rc);
        CHECK_UINT(plain.len, 0);
        out.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t n = 0; n < out.len; n++)
        CHECK(envelope_open(&h, &c, &plain, &w.crypto, &w.keys,
                  SLICE(out.ptr, n)) != SYNCLINE_OK);
    buf_free(&out);
    buf_free(&plain);
    identity_free(w.id);
}

TEST(another_key_or_epoch_is_told_before_it_is_tried)
{
    struct buf out = { 0 }, plain = { 0 };
    struct envelope_header h;
    struct envelope_content c;
    struct envelope_keys others[3];
    struct world w;

    world_open(&w);
    world_seal(&w, &out);
    others[0] = keys_of(&w, 1, secret);
    others[1] = keys_of(&w, 0, later);
    others[2] = w.keys;
    others[2].space.b[0]++;
    for (size_t i = 0; i < ARRAY_N(others); i++)
        CHECK_INT(envelope_open(
                      &h, &c, &plain, &w.crypto, &others[i], buf_slice(&out)),
            SYNCLINE_ENOTFOUND);
    buf_free(&out);
    buf_free(&plain);
    identity_free(w.id);
}

/* Whoever has the keys can seal what no author would have written. */
TEST(a_seal_that_contradicts_its_header_is_refused)
{
    static const struct {
        const char *what, *path, *value;
        enum envelope_type type;
    } rows[] = { { "a value that is none", "/on", NULL, CELL_VALUE },
        { "a removed field with a value", "/on", "1", CELL_REMOVED } };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf out = { 0 }, plain = { 0 };
        struct envelope_header h;
        struct envelope_content c;
        struct world w;

        world_open(&w);
        w.h.type = rows[i].type;
        w.c.path = slice_str(rows[i].path);
        w.c.value =
            rows[i].value != NULL ? slice_str(rows[i].value) : SLICE_NONE;
        world_seal(&w, &out);
        CHECK_SAYING(envelope_open(&h, &c, &plain, &w.crypto, &w.keys,
                         buf_slice(&out)) == SYNCLINE_EDENIED,
            "%s", rows[i].what);
        buf_free(&out);
        buf_free(&plain);
        identity_free(w.id);
    }
}

/* Tokens outlive a rotation, so that a relay can join across it; keys do not.
 */
TEST(a_new_epoch_keeps_the_tokens)
{
    struct envelope_keys next;
    uint8_t a[SHA256_LEN], b[SHA256_LEN];
    struct world w;

    world_open(&w);
    next = keys_of(&w, 1, later);
    CHECK_OK(envelope_cell_token(
        a, &w.crypto, &w.keys, SLICE_LIT("it"), SLICE_LIT("/on")));
    CHECK_OK(envelope_cell_token(
        b, &w.crypto, &next, SLICE_LIT("it"), SLICE_LIT("/on")));
    CHECK_BYTES(SLICE(a, sizeof a), SLICE(b, sizeof b));
    CHECK_OK(envelope_item_token(a, &w.crypto, &w.keys, SLICE_LIT("it")));
    CHECK_OK(envelope_item_token(b, &w.crypto, &next, SLICE_LIT("it")));
    CHECK_BYTES(SLICE(a, sizeof a), SLICE(b, sizeof b));
    CHECK(memcmp(w.keys.seal, next.seal, KEY_LEN) != 0);
    CHECK(memcmp(&w.keys.siv, &next.siv, sizeof next.siv) != 0);
    CHECK(memcmp(w.keys.id, next.id, KEY_ID_LEN) != 0);
    identity_free(w.id);
}

TEST(memory_that_runs_out_is_told)
{
    struct buf out = { 0 }, plain = { 0 };
    struct envelope_header h;
    struct envelope_content c;
    struct world w;
    int rc;

    world_open(&w);
    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = envelope_seal(&out, &w.crypto, &w.keys, &w.h, &w.c);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        buf_free(&out);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = envelope_open(&h, &c, &plain, &w.crypto, &w.keys, buf_slice(&out));
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        buf_free(&plain);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    buf_free(&out);
    buf_free(&plain);
    identity_free(w.id);
}
