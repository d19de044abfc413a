#include "repl/secret.h"

#include "base/text.h"
#include "unit/check.h"

static const uint8_t seed1[IDENTITY_SEED_LEN] = { 1, 2, 3 };
static const uint8_t seed2[IDENTITY_SEED_LEN] = { 4 };
static const struct mesh_id mesh = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
    13, 14, 15, 16 } };
static const uint8_t secret[KEY_LEN] = "thirty-two bytes, and no secret";

struct device {
    struct identity *id;
    struct crypto_port crypto;
    struct crypto_self self;
};

static void open_device(struct device *d, const uint8_t seed[IDENTITY_SEED_LEN])
{
    CHECK_OK(identity_from_seed(&d->id, seed));
    crypto_port_openssl(&d->crypto, &d->self, d->id);
}

/* doc/store.md; test/interop/sealed_key.py opens it by other means. */
TEST(a_sealed_secret_is_these_bytes)
{
    struct device d;
    struct buf b = { 0 }, hex = { 0 };

    open_device(&d, seed1);
    CHECK_OK(secret_put(&b, &d.crypto, &mesh, secret));
    put_hex(&hex, buf_slice(&b));
    CHECK_SLICE(buf_slice(&hex),
        "0102030405060708090a0b0c0d0e0f10"
        "a3ca31d1d49b09847dbdd951"
        "bfe0e24f1a228a22cbb943726d6d6e1c10f732cc58ffa2f9"
        "b7c368451d68ded8cdef3126babb73790656498196cb5c11");
    buf_free(&b);
    buf_free(&hex);
    identity_free(d.id);
}

TEST(only_its_device_opens_it)
{
    struct device a, b;
    struct buf sealed = { 0 };
    struct mesh_id which;
    uint8_t back[KEY_LEN] = { 0 };
    bool bare = true;

    open_device(&a, seed1);
    open_device(&b, seed2);
    CHECK_OK(secret_put(&sealed, &a.crypto, &mesh, secret));
    CHECK_OK(secret_get(buf_slice(&sealed), &a.crypto, &which, back, &bare));
    CHECK(!bare && memcmp(back, secret, KEY_LEN) == 0);
    CHECK(memcmp(which.b, mesh.b, MESH_ID_LEN) == 0);
    CHECK_INT(secret_get(buf_slice(&sealed), &b.crypto, &which, back, &bare),
        SYNCLINE_EDENIED);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.ptr[i] ^= 1;
        CHECK_INT(
            secret_get(buf_slice(&sealed), &a.crypto, &which, back, &bare),
            SYNCLINE_EDENIED);
        sealed.ptr[i] ^= 1;
    }
    for (size_t n = 0; n < sealed.len; n++)
        if (n != MESH_ID_LEN + KEY_LEN)
            CHECK_INT(secret_get(
                          SLICE(sealed.ptr, n), &a.crypto, &which, back, &bare),
                SYNCLINE_ECORRUPT);
    buf_free(&sealed);
    identity_free(a.id);
    identity_free(b.id);
}

/* As formats 1 and 2 had it. */
TEST(one_that_was_not_sealed_is_read)
{
    uint8_t old[MESH_ID_LEN + KEY_LEN], back[KEY_LEN];
    struct mesh_id which;
    struct device d;
    bool bare = false;

    open_device(&d, seed1);
    memcpy(old, mesh.b, MESH_ID_LEN);
    memcpy(old + MESH_ID_LEN, secret, KEY_LEN);
    CHECK_OK(
        secret_get(SLICE(old, sizeof old), &d.crypto, &which, back, &bare));
    CHECK(bare && memcmp(back, secret, KEY_LEN) == 0);
    identity_free(d.id);
}

TEST(memory_that_runs_out_is_returned)
{
    uint8_t back[KEY_LEN];
    struct mesh_id which;
    struct device d;
    struct buf b = { 0 };
    bool bare;
    int rc;

    open_device(&d, seed1);
    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = secret_put(&b, &d.crypto, &mesh, secret);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        buf_free(&b);
    }
    CHECK_OK(rc);
    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = secret_get(buf_slice(&b), &d.crypto, &which, back, &bare);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    buf_free(&b);
    identity_free(d.id);
}
