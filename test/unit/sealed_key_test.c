#include "crypto/sealed_key.h"

#include "unit/check.h"

#include <stdio.h>

/* As cheap as may be: these are no secrets. */
static const struct seal_cost cheap = { 64, 1, 1 };
static const uint8_t seed[IDENTITY_SEED_LEN] = { 1, 2, 3 };
static const struct seal_chance chance = {
    .salt = "salt of sixteen.",
    .nonce = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 },
};
/* doc/security.md has it too; test/interop/sealed_key.py makes it anew. */
static const char vector[] =
    "-----BEGIN SYNCLINE SEALED KEY-----\n"
    "AUAAAAABAAAAAXNhbHQgb2Ygc2l4dGVlbi4BAgMEBQYHCAkKCwwwG/0u7REw7W/x\n"
    "myigAzi6W8llC6sz8KQApyNLPKpdAI3yWJhYWV3+iIH9vUJrqgM=\n"
    "-----END SYNCLINE SEALED KEY-----\n";

static struct identity *device(void)
{
    struct identity *id;

    CHECK_OK(identity_from_seed(&id, seed));
    return id;
}

TEST(a_sealed_key_is_these_bytes)
{
    struct identity *id = device();
    struct buf b = { 0 };

    CHECK_OK(
        sealed_key_put(&b, id, SLICE_LIT("correct horse"), &cheap, &chance));
    CHECK_SLICE(buf_slice(&b), vector);
    CHECK(sealed_key_is(buf_slice(&b)));
    CHECK(!sealed_key_is(SLICE_LIT("-----BEGIN PRIVATE KEY-----")));
    buf_free(&b);
    identity_free(id);
}

TEST(only_its_passphrase_opens_it)
{
    struct identity *id = device(), *back;
    struct errmsg why = { "" };
    struct buf b = { 0 };

    CHECK_OK(sealed_key_put(&b, id, SLICE_LIT("correct horse"), &cheap, NULL));
    CHECK_OK(
        sealed_key_get(&back, buf_slice(&b), SLICE_LIT("correct horse"), &why));
    CHECK(device_eq(identity_device(id), identity_device(back)));
    identity_free(back);
    CHECK_INT(
        sealed_key_get(&back, buf_slice(&b), SLICE_LIT("correct hors"), &why),
        SYNCLINE_EDENIED);
    CHECK(strstr(why.text, "passphrase") != NULL);
    CHECK_INT(sealed_key_get(&back, buf_slice(&b), SLICE_NONE, &why),
        SYNCLINE_EDENIED);
    buf_free(&b);
    identity_free(id);
}

/* Two sealings of one key share nothing that tells so. */
TEST(each_sealing_differs)
{
    struct identity *id = device();
    struct buf a = { 0 }, b = { 0 };

    CHECK_OK(sealed_key_put(&a, id, SLICE_LIT("pass"), &cheap, NULL));
    CHECK_OK(sealed_key_put(&b, id, SLICE_LIT("pass"), &cheap, NULL));
    CHECK(!slice_eq(buf_slice(&a), buf_slice(&b)));
    buf_free(&a);
    buf_free(&b);
    identity_free(id);
}

/* Whatever is changed: a sentence, and no key. */
TEST(a_changed_file_is_refused)
{
    const size_t from = sizeof "-----BEGIN SYNCLINE SEALED KEY-----";
    const size_t to =
        sizeof vector - sizeof "-----END SYNCLINE SEALED KEY-----";
    char text[sizeof vector];

    for (size_t at = from; at < to - 1; at++) {
        struct identity *id = NULL;
        struct errmsg why = { "" };
        int rc;

        memcpy(text, vector, sizeof vector);
        text[at] = text[at] == 'A' ? 'B' : 'A';
        /* The cost's high bytes would make a very patient test. */
        if (at < from + 14)
            continue;
        rc = sealed_key_get(
            &id, slice_str(text), SLICE_LIT("correct horse"), &why);
        CHECK_SAYING(rc != SYNCLINE_OK && id == NULL && why.text[0] != 0,
            "byte %zu", at);
    }
}

/* OpenSSL fails, and says nothing of it: no memory has run out. */
TEST(a_block_of_which_nothing_is_said_is_damaged)
{
    struct identity *id = NULL;
    struct errmsg why = { "" };

    CHECK_INT(sealed_key_get(&id,
                  SLICE_LIT("-----BEGIN SYNCLINE SEALED KEY-----\nMIG:\n"
                            "-----END SYNCLINE SEALED KEY-----\n"),
                  SLICE_LIT("correct horse"), &why),
        SYNCLINE_EMALFORMED);
    CHECK(strstr(why.text, "damaged") != NULL);
}

TEST(a_cost_out_of_bounds_is_refused)
{
    static const struct seal_cost bad[] = { { 63, 1, 1 }, { 1048577, 1, 1 },
        { 64, 0, 1 }, { 64, 65537, 1 }, { 64, 1, 0 }, { 64, 1, 17 },
        { 64, 1, 9 } };
    struct identity *id = device();
    struct buf b = { 0 };

    for (size_t i = 0; i < ARRAY_N(bad); i++)
        CHECK_INT(sealed_key_put(&b, id, SLICE_LIT("pass"), &bad[i], NULL),
            SYNCLINE_EINVAL);
    CHECK_INT(
        sealed_key_put(&b, id, SLICE_NONE, &cheap, NULL), SYNCLINE_EINVAL);
    CHECK_UINT(b.len, 0);
    identity_free(id);
}

/* The same in a file: 4 TiB and 2^32 passes are not tried. */
TEST(a_file_that_asks_for_too_much_is_refused)
{
    static const char greedy[] =
        "-----BEGIN SYNCLINE SEALED KEY-----\n"
        "Af//////////AXNhbHQgb2Ygc2l4dGVlbi4BAgMEBQYHCAkKCwwAAAAAAAAAAAAA\n"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
        "-----END SYNCLINE SEALED KEY-----\n";
    struct identity *id = NULL;
    struct errmsg why = { "" };

    CHECK_INT(sealed_key_get(
                  &id, slice_str(greedy), SLICE_LIT("correct horse"), &why),
        SYNCLINE_EMALFORMED);
    CHECK(strstr(why.text, "out of bounds") != NULL);
}

TEST(memory_that_runs_out_is_returned)
{
    struct identity *id = device(), *back = NULL;
    struct errmsg why = { "" };
    struct buf b = { 0 };
    int rc;

    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = sealed_key_put(&b, id, SLICE_LIT("pass"), &cheap, NULL);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        buf_free(&b);
    }
    CHECK_OK(rc);
    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = sealed_key_get(&back, buf_slice(&b), SLICE_LIT("pass"), &why);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    identity_free(back);
    identity_free(id);
    buf_free(&b);
}
