#include "repl/keyring.h"

#include "unit/check.h"

#include "base/text.h"

#define PEOPLE 3

struct person {
    struct identity *identity;
    struct crypto_port crypto;
    struct crypto_self self;
    uint8_t kx[KX_LEN];
};

static void people_init(struct person p[PEOPLE])
{
    for (uint8_t i = 0; i < PEOPLE; i++) {
        uint8_t seed[IDENTITY_SEED_LEN] = { i, 9 };

        CHECK_OK(identity_from_seed(&p[i].identity, seed));
        crypto_port_seeded(&p[i].crypto, &p[i].self, p[i].identity, i);
        CHECK_OK(p[i].crypto.kx_public(p[i].crypto.self, p[i].kx));
    }
}

static void people_free(struct person p[PEOPLE])
{
    for (int i = 0; i < PEOPLE; i++)
        identity_free(p[i].identity);
}

static const uint8_t k1[KEY_LEN] = { 1, 1 }, k2[KEY_LEN] = { 2, 2 };

TEST(the_public_key_is_a_function_of_the_identity)
{
    struct person p[PEOPLE];
    uint8_t want[KX_LEN];

    people_init(p);
    CHECK_OK(hex_decode(want, KX_LEN,
        SLICE_LIT("2dab8443152deb16c7b445e65129120f"
                  "01b56e2fc0e6b1305f8f169aa2de9f19")));
    CHECK_BYTES(SLICE(p[0].kx, KX_LEN), SLICE(want, KX_LEN));
    CHECK(memcmp(p[0].kx, p[1].kx, KX_LEN) != 0);
    people_free(p);
}

TEST(two_devices_share_what_a_third_does_not)
{
    struct person p[PEOPLE];
    uint8_t a[KEY_LEN], b[KEY_LEN], c[KEY_LEN];
    static const uint8_t zeros[KX_LEN];

    people_init(p);
    CHECK_OK(
        p[0].crypto.kx_shared(p[0].crypto.self, p[1].kx, SLICE_LIT("x"), a));
    CHECK_OK(
        p[1].crypto.kx_shared(p[1].crypto.self, p[0].kx, SLICE_LIT("x"), b));
    CHECK_OK(
        p[2].crypto.kx_shared(p[2].crypto.self, p[0].kx, SLICE_LIT("x"), c));
    CHECK_BYTES(SLICE(a, KEY_LEN), SLICE(b, KEY_LEN));
    CHECK(memcmp(a, c, KEY_LEN) != 0);
    CHECK_OK(
        p[1].crypto.kx_shared(p[1].crypto.self, p[0].kx, SLICE_LIT("y"), b));
    CHECK(memcmp(a, b, KEY_LEN) != 0);
    CHECK_INT(p[0].crypto.kx_shared(p[0].crypto.self, zeros, SLICE_LIT("x"), a),
        SYNCLINE_EDENIED);
    people_free(p);
}

/* The ring does not care which of two rotations it heard of first. */
TEST(two_keys_of_one_epoch_are_kept_and_one_is_current)
{
    struct person p[PEOPLE];
    struct keyring a = { 0 }, b = { 0 };
    struct key_id id1, id2;
    const struct keyring_key *larger;

    people_init(p);
    CHECK(keyring_current(&a) == NULL && keyring_held(&a) == NULL);
    CHECK_OK(keyring_id_of(&id1, &p[0].crypto, k1));
    CHECK_OK(keyring_id_of(&id2, &p[0].crypto, k2));
    CHECK_OK(keyring_put(&a, &p[0].crypto, 4, k1));
    CHECK_OK(keyring_put(&a, &p[0].crypto, 4, k2));
    CHECK_OK(keyring_put(&b, &p[0].crypto, 4, k2));
    CHECK_OK(keyring_put(&b, &p[0].crypto, 4, k1));
    CHECK_UINT(a.n, 2);
    larger = keyring_current(&a);
    CHECK(larger != NULL);
    CHECK(memcmp(larger->id.b, keyring_current(&b)->id.b, KEY_ID_LEN) == 0);
    CHECK(
        keyring_find(&a, 4, &id1) != NULL && keyring_find(&a, 4, &id2) != NULL);
    CHECK(keyring_find(&a, 3, &id1) == NULL);
    /* One that an outsider holds gives way. */
    id1 = larger->id;
    CHECK_OK(keyring_note(&a, 4, &id1, true));
    CHECK(memcmp(keyring_current(&a)->id.b, id1.b, KEY_ID_LEN) != 0);
    /* One that we have not been given is no current one, but we go on. */
    CHECK_OK(keyring_note(&a, 5, &id1, false));
    CHECK(keyring_current(&a) == NULL);
    CHECK_UINT(keyring_held(&a)->epoch, 4);
    keyring_free(&a);
    keyring_free(&b);
    people_free(p);
}

static const struct space_token shed = { "shed............" },
                                attic = { "attic..........." };

static int give(struct person *from, struct person *to,
    const struct keyring_key *key, const struct entitlement *e, struct wrap *w,
    struct buf *sealed)
{
    *w = (struct wrap){ *identity_device(from->identity),
        *identity_device(to->identity), key->epoch, key->id };
    return keyring_wrap(sealed, &from->crypto, w, to->kx, key, e);
}

TEST(a_member_gets_what_it_may_read_and_no_more)
{
    struct person p[PEOPLE];
    struct keyring ring = { 0 }, got = { 0 }, other = { 0 };
    struct entitlement whole = { .whole = true };
    struct entitlement some = { .spaces = &shed, .spaces_n = 1 };
    struct buf sealed = { 0 };
    uint8_t a[KEY_LEN], b[KEY_LEN];
    struct wrap w;
    const struct keyring_key *key;

    people_init(p);
    CHECK_OK(keyring_put(&ring, &p[0].crypto, 1, k1));
    key = keyring_current(&ring);
    CHECK_OK(give(&p[0], &p[1], key, &some, &w, &sealed));
    CHECK_INT(
        keyring_unwrap(&other, &p[2].crypto, &w, p[0].kx, buf_slice(&sealed)),
        SYNCLINE_EDENIED);
    CHECK_UINT(other.n, 0);
    CHECK_OK(
        keyring_unwrap(&got, &p[1].crypto, &w, p[0].kx, buf_slice(&sealed)));
    CHECK_UINT(got.n, 1);
    CHECK(!got.e[0].whole);
    CHECK_OK(keyring_space_key(key, &p[0].crypto, &shed, a));
    CHECK_OK(keyring_space_key(&got.e[0], &p[1].crypto, &shed, b));
    CHECK_BYTES(SLICE(a, KEY_LEN), SLICE(b, KEY_LEN));
    CHECK_INT(keyring_space_key(&got.e[0], &p[1].crypto, &attic, b),
        SYNCLINE_ENOTFOUND);
    CHECK_OK(keyring_beacon_key(key, &p[0].crypto, a));
    CHECK_OK(keyring_beacon_key(&got.e[0], &p[1].crypto, b));
    CHECK_BYTES(SLICE(a, KEY_LEN), SLICE(b, KEY_LEN));
    /* Who has a part has no whole to give. */
    buf_clear(&sealed);
    CHECK_INT(
        give(&p[1], &p[2], &got.e[0], &whole, &w, &sealed), SYNCLINE_ENOTFOUND);
    buf_clear(&sealed);
    CHECK_OK(give(&p[0], &p[2], key, &whole, &w, &sealed));
    CHECK_OK(
        keyring_unwrap(&other, &p[2].crypto, &w, p[0].kx, buf_slice(&sealed)));
    CHECK(other.e[0].whole);
    CHECK_BYTES(SLICE(other.e[0].key, KEY_LEN), SLICE(k1, KEY_LEN));
    /* Of another key than it says. */
    CHECK_OK(keyring_id_of(&w.id, &p[0].crypto, k2));
    buf_clear(&sealed);
    CHECK_OK(keyring_wrap(&sealed, &p[0].crypto, &w, p[2].kx, key, &whole));
    CHECK_INT(
        keyring_unwrap(&other, &p[2].crypto, &w, p[0].kx, buf_slice(&sealed)),
        SYNCLINE_EMALFORMED);
    CHECK_UINT(other.n, 1);
    keyring_free(&ring);
    keyring_free(&got);
    keyring_free(&other);
    buf_free(&sealed);
    people_free(p);
}

TEST(memory_that_runs_out_leaves_a_ring_that_can_be_used)
{
    struct person p[PEOPLE];
    int rc = SYNCLINE_ENOMEM;

    people_init(p);
    for (long n = 0; rc == SYNCLINE_ENOMEM && n < 50; n++) {
        struct keyring ring = { 0 };

        check_alloc_fail_from(n);
        rc = keyring_put(&ring, &p[0].crypto, 1, k1);
        if (rc == SYNCLINE_OK)
            rc = keyring_put(&ring, &p[0].crypto, 2, k2);
        check_alloc_fail_from(-1);
        keyring_free(&ring);
    }
    CHECK_OK(rc);
    people_free(p);
}
