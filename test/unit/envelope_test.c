#include "crypto/envelope.h"

#include "unit/check.h"

#include "base/text.h"

struct world {
    struct identity *id;
    struct crypto_port crypto;
    struct crypto_self self;
    struct envelope_keys keys;
    struct mac_key salt;
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

    if (epoch != 0)
        memcpy(made.id, key, KEY_ID_LEN);
    memcpy(made.key, key, KEY_LEN);
    memcpy(made.first, secret, KEY_LEN);
    CHECK_OK(envelope_keys_make(&keys, &w->crypto, &mesh, &space, &made));
    return keys;
}

static void world_open(struct world *w)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 7 };
    static const uint8_t salt[SALT_LEN] = { 0x99 };

    *w = (struct world){
        .h = { .mesh = mesh,
            .space = space,
            .dot = { { { 0x11 } }, 5 },
            .first = { { { 0x12 } }, 4 },
            .stamp = { 1, 2, { { 0x13 } } },
            .length = 3,
            .context = { 9 },
            .type = CELL_VALUE },
        .c = { SLICE_LIT("it"), SLICE_LIT("/on"), SLICE_LIT("true") },
    };
    CHECK_OK(identity_from_seed(&w->id, seed));
    crypto_port_openssl(&w->crypto, &w->self, w->id);
    CHECK_OK(crypto_mac_key(&w->salt, SLICE(salt, sizeof salt)));
    w->keys = keys_of(w, 1, later);
}

static void world_close(struct world *w)
{
    identity_free(w->id);
}

static void tag(const struct world *w, uint8_t out[ENVELOPE_TAG_LEN])
{
    uint8_t header[ENVELOPE_HEADER_LEN];

    envelope_put_header(header, &w->h);
    CHECK_OK(envelope_tag(out, &w->crypto, &w->salt, header, &w->c));
}

static int seal(struct world *w, struct buf *out)
{
    return envelope_seal(
        out, &w->crypto, &w->keys, NULL, SLICE_LIT("what nobody may read"));
}

static int open_it(struct world *w, const struct envelope_keys *keys,
    struct slice bytes, struct buf *plain)
{
    struct envelope_seal_head h;
    int rc = envelope_read(bytes, &h);

    return rc == SYNCLINE_OK ? envelope_open(plain, &w->crypto, keys, &h) : rc;
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

/* What is kept from one text to the next changes none, whatever failed. */
TEST(seals_do_not_hang_together)
{
    uint8_t key[KEY_LEN], nonce[XAES_NONCE_LEN];
    struct buf first[4] = { { 0 } }, out = { 0 }, back = { 0 };

    for (uint8_t round = 0; round < 40; round++) {
        uint8_t which = round % 4;

        memset(key, which / 2, sizeof key);
        memset(nonce, which, sizeof nonce);
        buf_clear(&out);
        CHECK_OK(crypto_xseal(
            &out, key, nonce, SLICE(nonce, which), SLICE(key, 5u * which)));
        if (round < 4)
            buf_put_slice(&first[which], buf_slice(&out));
        CHECK_BYTES(buf_slice(&out), buf_slice(&first[which]));
        if (round % 3 == 0)
            out.ptr[out.len - 1] ^= 1;
        CHECK_INT(crypto_xopen(
                      &back, key, nonce, SLICE(nonce, which), buf_slice(&out)),
            round % 3 == 0 ? SYNCLINE_EDENIED : SYNCLINE_OK);
    }
    for (size_t i = 0; i < 4; i++)
        buf_free(&first[i]);
    buf_free(&out);
    buf_free(&back);
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
        CHECK_OK(crypto_hash_parts(b, parts, 3));
        CHECK_BYTES(SLICE(b, sizeof b), SLICE(a, sizeof a));
        CHECK_OK(crypto_hmac_sha256(a, SLICE(key, key_len), SLICE(text, n)));
        CHECK_OK(crypto_mac_key(&k, SLICE(key, key_len)));
        CHECK_OK(crypto_mac(b, &k, parts, 3));
        CHECK_BYTES(SLICE(b, sizeof b), SLICE(a, sizeof a));
    }
}

/* What begins alike may share its beginning, if that is whole blocks. */
TEST(hashes_are_gone_on_with)
{
    uint8_t text[200], a[SHA256_LEN], b[SHA256_LEN];
    struct mac_key k;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 11);
    CHECK_OK(crypto_mac_key(&k, SLICE(text, 16)));
    for (size_t n = 0; n <= sizeof text; n++) {
        struct slice parts[] = { SLICE(text, n / 2),
            SLICE(text + n / 2, n - n / 2) };
        struct slice rest = SLICE(text + n, sizeof text - n);
        struct hash_begun begun;
        struct mac_key going;

        CHECK_INT(crypto_hash_begin(&begun, parts, 2),
            n % 64 == 0 ? SYNCLINE_OK : SYNCLINE_EINVAL);
        CHECK_INT(crypto_mac_begin(&going, &k, SLICE(text, n)),
            n % 64 == 0 ? SYNCLINE_OK : SYNCLINE_EINVAL);
        if (n % 64 != 0)
            continue;
        CHECK_OK(crypto_sha256(a, SLICE(text, sizeof text)));
        for (int again = 0; again < 2; again++) {
            CHECK_OK(crypto_hash_end(b, &begun, &rest, 1));
            CHECK_BYTES(SLICE(b, sizeof b), SLICE(a, sizeof a));
        }
        CHECK_OK(
            crypto_hmac_sha256(a, SLICE(text, 16), SLICE(text, sizeof text)));
        CHECK_OK(crypto_mac(b, &going, &rest, 1));
        CHECK_BYTES(SLICE(b, sizeof b), SLICE(a, sizeof a));
    }
}

/* Whatever a cell says, its tag or its header says it. */
TEST(each_field_is_in_the_tag)
{
    uint8_t first[ENVELOPE_TAG_LEN], now[ENVELOPE_TAG_LEN];
    struct world w, was;

    world_open(&w);
    was = w;
    tag(&w, first);
    for (int i = 0; i < 18; i++) {
        w = was;
        switch (i) {
        case 0:
            w.h.mesh.b[15]++;
            break;
        case 1:
            w.h.space.b[15]++;
            break;
        case 2:
            w.h.epoch++;
            break;
        case 3:
            w.h.key_id[15]++;
            break;
        case 4:
            w.h.dot.replica.b[15]++;
            break;
        case 5:
            w.h.dot.seq++;
            break;
        case 6:
            w.h.first.replica.b[15]++;
            break;
        case 7:
            w.h.first.seq++;
            break;
        case 8:
            w.h.stamp.epoch++;
            break;
        case 9:
            w.h.stamp.hlc++;
            break;
        case 10:
            w.h.stamp.replica.b[15]++;
            break;
        case 11:
            w.h.length += 2;
            break;
        case 12:
            w.h.context[31]++;
            break;
        case 13:
            w.h.type = CELL_REMOVED;
            break;
        case 14:
            w.c.key = SLICE_LIT("it/");
            break;
        case 15:
            w.c.path = SLICE_LIT("/o");
            break;
        case 16:
            w.c.value = SLICE_LIT("false");
            break;
        default:
            w.salt = w.keys.siv;
            break;
        }
        tag(&w, now);
        CHECK_SAYING(memcmp(first, now, sizeof now) != 0, "field %d", i);
    }
    world_close(&was);
}

TEST(a_header_is_read_as_it_was_put)
{
    uint8_t bytes[ENVELOPE_HEADER_LEN], again[ENVELOPE_HEADER_LEN];
    struct envelope_header h;
    struct world w;

    world_open(&w);
    envelope_put_header(bytes, &w.h);
    CHECK_OK(envelope_get_header(SLICE(bytes, sizeof bytes), &h));
    envelope_put_header(again, &h);
    CHECK_BYTES(SLICE(again, sizeof again), SLICE(bytes, sizeof bytes));
    for (size_t n = 0; n < sizeof bytes; n++)
        CHECK_INT(
            envelope_get_header(SLICE(bytes, n), &h), SYNCLINE_EMALFORMED);
    bytes[ENVELOPE_HEADER_LEN - 1] = 1; /* a flag */
    CHECK_INT(envelope_get_header(SLICE(bytes, sizeof bytes), &h),
        SYNCLINE_EMALFORMED);
    w.h.type = CELL_TOMBSTONE; /* of a life that is not over */
    envelope_put_header(bytes, &w.h);
    CHECK_INT(envelope_get_header(SLICE(bytes, sizeof bytes), &h),
        SYNCLINE_EMALFORMED);
    world_close(&w);
}

/* Nor does it matter where a key ends and a path begins. */
TEST(key_and_path_are_told_apart)
{
    uint8_t a[ENVELOPE_TAG_LEN], b[ENVELOPE_TAG_LEN];
    struct world w;

    world_open(&w);
    w.c.key = SLICE_LIT("a/b");
    w.c.path = SLICE_LIT("/c");
    tag(&w, a);
    w.c.key = SLICE_LIT("a");
    w.c.path = SLICE_LIT("/b/c");
    tag(&w, b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK_OK(envelope_originals_tag(a, &w.crypto, &w.salt, SLICE_LIT("x")));
    CHECK_OK(envelope_originals_tag(b, &w.crypto, &w.salt, SLICE_LIT("y")));
    CHECK(memcmp(a, b, sizeof a) != 0);
    world_close(&w);
}

TEST(what_was_sealed_opens)
{
    struct buf out = { 0 }, again = { 0 }, plain = { 0 };
    uint8_t given[ENVELOPE_TAG_LEN] = { 3 };
    struct envelope_seal_head h;
    struct world w;

    world_open(&w);
    CHECK_OK(seal(&w, &out));
    CHECK_OK(seal(&w, &again));
    CHECK_BYTES(buf_slice(&again), buf_slice(&out));
    CHECK_OK(open_it(&w, &w.keys, buf_slice(&out), &plain));
    CHECK_SLICE(buf_slice(&plain), "what nobody may read");
    CHECK_OK(envelope_read(buf_slice(&out), &h));
    CHECK_OK(envelope_own_tag(given, &w.crypto, &w.keys, buf_slice(&plain)));
    CHECK_BYTES(SLICE(h.tag, sizeof h.tag), SLICE(given, sizeof given));
    given[0]++;
    buf_clear(&out);
    CHECK_OK(envelope_seal(&out, &w.crypto, &w.keys, given, buf_slice(&plain)));
    CHECK_OK(envelope_read(buf_slice(&out), &h));
    CHECK_BYTES(SLICE(h.tag, sizeof h.tag), SLICE(given, sizeof given));
    CHECK_UINT(h.epoch, 1);
    buf_free(&out);
    buf_free(&again);
    buf_free(&plain);
    world_close(&w);
}

TEST(any_flipped_bit_is_refused)
{
    struct buf out = { 0 }, plain = { 0 };
    struct world w;

    world_open(&w);
    CHECK_OK(seal(&w, &out));
    for (size_t i = 0; i < 8 * out.len; i++) {
        out.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
        CHECK_SAYING(
            open_it(&w, &w.keys, buf_slice(&out), &plain) != SYNCLINE_OK,
            "bit %zu", i);
        CHECK_UINT(plain.len, 0);
        out.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t n = 0; n < out.len; n++)
        CHECK(open_it(&w, &w.keys, SLICE(out.ptr, n), &plain) != SYNCLINE_OK);
    buf_free(&out);
    buf_free(&plain);
    world_close(&w);
}

TEST(another_key_or_epoch_is_told_before_it_is_tried)
{
    struct buf out = { 0 }, plain = { 0 };
    struct envelope_keys others[3];
    struct world w;

    world_open(&w);
    CHECK_OK(seal(&w, &out));
    others[0] = keys_of(&w, 2, later);
    others[1] = keys_of(&w, 1, secret);
    others[2] = keys_of(&w, 0, secret);
    for (size_t i = 0; i < ARRAY_N(others); i++)
        CHECK_INT(open_it(&w, &others[i], buf_slice(&out), &plain),
            SYNCLINE_ENOTFOUND);
    buf_free(&out);
    buf_free(&plain);
    world_close(&w);
}

/* Tokens outlive a rotation, so that a relay can join across it; keys do not.
 */
TEST(a_new_epoch_keeps_the_tokens)
{
    struct envelope_keys next;
    uint8_t a[SHA256_LEN], b[SHA256_LEN];
    struct world w;

    world_open(&w);
    next = keys_of(&w, 2, secret);
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
    world_close(&w);
}

TEST(memory_that_runs_out_is_told)
{
    struct buf out = { 0 }, plain = { 0 };
    struct world w;
    int rc;

    world_open(&w);
    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = seal(&w, &out);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        CHECK_UINT(out.len, 0);
        buf_free(&out);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = open_it(&w, &w.keys, buf_slice(&out), &plain);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        buf_free(&plain);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    buf_free(&out);
    buf_free(&plain);
    world_close(&w);
}
