#include "crypto/identity.h"

#include "unit/check.h"

#include "base/text.h"
#include "crypto/port.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/x509.h>

static const uint8_t seed1[IDENTITY_SEED_LEN] = { 1 };
static const uint8_t seed2[IDENTITY_SEED_LEN] = { 2 };

/* RFC 8032, 7.1, test 2: seed, public key, signature. */
TEST(a_seed_makes_the_published_key)
{
    uint8_t seed[32], key[32], want[64], sig[64];
    struct identity *id;

    CHECK_OK(hex_decode(seed, 32,
        SLICE_LIT("4ccd089b28ff96da9db6c346ec114e0f"
                  "5b8a319f35aba624da8cf6ed4fb8a6fb")));
    CHECK_OK(hex_decode(key, 32,
        SLICE_LIT("3d4017c3e843895a92b70aa74d1b7ebc"
                  "9c982ccf2ec4968cc0cd55f12af4660c")));
    CHECK_OK(hex_decode(want, 64,
        SLICE_LIT("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223eb"
                  "db69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d"
                  "291612bb0c00")));
    CHECK_OK(identity_from_seed(&id, seed));
    CHECK_BYTES(slice_from(identity_spki(id), 12), SLICE(key, 32));
    CHECK_OK(identity_sign(id, sig, SLICE_LIT("\x72")));
    CHECK_BYTES(SLICE(sig, 64), SLICE(want, 64));
    identity_free(id);
}

TEST(a_device_id_is_the_hash_of_its_key)
{
    struct identity *a, *b, *c;
    struct device_id id;

    CHECK_OK(identity_from_seed(&a, seed1));
    CHECK_OK(identity_from_seed(&b, seed1));
    CHECK_OK(identity_from_seed(&c, seed2));
    CHECK_OK(crypto_sha256(id.b, identity_spki(a)));
    CHECK(device_eq(&id, identity_device(a)));
    CHECK(device_eq(identity_device(a), identity_device(b)));
    CHECK(!device_eq(identity_device(a), identity_device(c)));
    identity_free(a);
    identity_free(b);
    identity_free(c);
}

TEST(an_identity_survives_its_pem)
{
    struct identity *id, *back;
    struct buf pem = { 0 };
    uint8_t sig[ED25519_SIG_LEN];

    CHECK_OK(identity_generate(&id));
    CHECK_OK(identity_to_pem(id, &pem));
    CHECK(slice_has_prefix(
        buf_slice(&pem), SLICE_LIT("-----BEGIN PRIVATE KEY-----\n")));
    CHECK_OK(identity_from_pem(&back, buf_slice(&pem), NULL));
    CHECK(device_eq(identity_device(id), identity_device(back)));
    CHECK_OK(identity_sign(back, sig, SLICE_LIT("text")));
    CHECK_OK(
        crypto_verify(identity_spki(id), SLICE(sig, 64), SLICE_LIT("text")));
    identity_free(id);
    identity_free(back);
    buf_free(&pem);
}

/* The last two: an X25519 key, and an Ed25519 key with the passphrase "x". */
TEST(what_is_no_plain_ed25519_key_is_refused_and_said)
{
    static const char *const rows[] = {
        "",
        "nonsense",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VuBCIEIKjOmng97OQDn+zmxjdKQpuezUX90K0ATaolaAum82l6\n"
        "-----END PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAh72AogLLVCxwICCAAw\n"
        "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEChuy0C+r2YgK69YuDVSsZ4EQBrF\n"
        "hzvh3x36Hn5Sh0O8q/6wPo/5uJgLsjwuhe1l5eKzlzZyGDtBW2x7i7S4oiZAmDCS\n"
        "KhwnHIWzlvwY17fObtE=\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n",
    };
    struct errmsg why;

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct identity *id = NULL;

        why.text[0] = 0;
        CHECK_SAYING(identity_from_pem(&id, slice_str(rows[i]), &why) ==
                SYNCLINE_EMALFORMED,
            "row %zu", i);
        CHECK(id == NULL && why.text[0] != 0);
    }
}

/* OpenSSL's memory: it is of the system, and is refused from the nth piece on,
 * or only then. */
static long openssl_left = -1;
static bool openssl_failed, openssl_once;

static bool openssl_refuses(void)
{
    if (openssl_left != 0) {
        openssl_left -= openssl_left > 0;
        return false;
    }
    openssl_failed = true;
    openssl_left = openssl_once ? -1 : 0;
    return true;
}

static void *openssl_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return openssl_refuses() ? NULL : malloc(n);
}

static void *openssl_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return openssl_refuses() ? NULL : realloc(p, n);
}

static void openssl_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

/* Before OpenSSL has asked for any. */
__attribute__((constructor(101))) static void take_over(void)
{
    (void)CRYPTO_set_mem_functions(
        openssl_malloc, openssl_realloc, openssl_free);
}

/* Whoever hears that his key is none moves it away. */
TEST(a_key_that_there_is_no_memory_for_is_not_called_broken)
{
    struct identity *id;
    struct buf pem = { 0 };

    CHECK_OK(identity_from_seed(&id, seed1));
    CHECK_OK(identity_to_pem(id, &pem));
    identity_free(id);
    for (int once = 0; once < 2; once++) {
        bool failed = true;
        long n = 0;

        for (; failed; n++) {
            struct errmsg why = { "" };
            int rc;

            id = NULL;
            openssl_once = once;
            openssl_failed = false;
            openssl_left = n;
            rc = identity_from_pem(&id, buf_slice(&pem), &why);
            failed = openssl_failed;
            openssl_left = -1;
            CHECK_SAYING(rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM,
                "%ld: %d %s", n, rc, why.text);
            CHECK(failed || rc == SYNCLINE_OK);
            identity_free(id);
        }
        CHECK(n > 10);
    }
    buf_free(&pem);
}

TEST(a_certificate_is_self_signed_and_valid_for_long)
{
    const uint64_t wall_us = 1700000000ull * 1000000;
    time_t early = 1700000000 - 3600, late = 1700000000 + 19 * 31536000l;
    struct identity *id;
    struct x509_st *cert;
    char name[64];

    CHECK_OK(identity_from_seed(&id, seed1));
    CHECK_OK(identity_certificate(id, wall_us, &cert));
    CHECK_INT(X509_verify(cert, identity_key(id)), 1);
    CHECK_INT(X509_get_version(cert), X509_VERSION_3);
    CHECK(X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
              name, sizeof name) > 0);
    CHECK_SLICE(slice_str(name), "syncline");
    CHECK(X509_cmp_time(X509_get0_notBefore(cert), &early) < 0);
    CHECK(X509_cmp_time(X509_get0_notAfter(cert), &late) > 0);
    X509_free(cert);
    identity_free(id);
}

static struct device_id count_up(void)
{
    struct device_id id;

    for (size_t i = 0; i < sizeof id.b; i++)
        id.b[i] = (uint8_t)(i * 7 + 1);
    return id;
}

/* Computed by hand (a few lines of another language) from the definition. */
TEST(the_text_of_a_device_id)
{
    struct device_id id = count_up(), zero = { { 0 } };
    char text[DEVICE_TEXT], brief[DEVICE_SHORT_TEXT];

    device_id_format(text, &id);
    CHECK_SLICE(slice_str(text),
        "AEEA6FQ5EQVTEW-OKAI5HFKXDDNJF-YXQ74GRWKJXIVB-JWC335ROM2PNAX");
    device_id_format_short(brief, &id);
    CHECK_SLICE(slice_str(brief), "AEEA6FQ");
    device_id_format(text, &zero);
    CHECK_SLICE(slice_str(text),
        "AAAAAAAAAAAAAA-AAAAAAAAAAAAAA-AAAAAAAAAAAAAA-AAAAAAAAAAAAAA");
}

TEST(a_device_id_is_read_however_it_is_typed)
{
    struct device_id id = count_up(), back;
    char text[DEVICE_TEXT], typed[200];
    size_t n = 0;

    device_id_format(text, &id);
    CHECK_OK(device_id_parse(&back, slice_str(text), NULL));
    CHECK(device_eq(&id, &back));
    for (size_t i = 0; text[i] != 0; i++) {
        if (text[i] == '-')
            continue;
        typed[n++] = (char)(text[i] >= 'A' ? text[i] | 0x20 : text[i]);
        if (i % 5 == 0)
            typed[n++] = i % 2 ? ' ' : '-';
    }
    CHECK_OK(device_id_parse(&back, SLICE(typed, n), NULL));
    CHECK(device_eq(&id, &back));
}

/* Any one digit wrong, in any group, is noticed, and the group is named. */
TEST(a_wrong_digit_names_its_group)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    struct device_id id = count_up(), back;
    char text[DEVICE_TEXT], want[32];
    struct errmsg why;

    device_id_format(text, &id);
    for (size_t i = 0; i < DEVICE_TEXT - 1; i++) {
        char right = text[i];

        if (right == '-')
            continue;
        for (size_t k = 0; k < 32; k++) {
            if (digits[k] == right)
                continue;
            text[i] = digits[k];
            CHECK_SAYING(device_id_parse(&back, slice_str(text), &why) ==
                    SYNCLINE_EMALFORMED,
                "%s", text);
            snprintf(want, sizeof want, "group %zu ", i / 15 + 1);
            CHECK_SAYING(
                strstr(why.text, want) != NULL, "%s: %s", text, why.text);
        }
        text[i] = right;
    }
}

TEST(what_is_no_device_id)
{
    static const char *const rows[] = { "", "A",
        "AAAAAAAAAAAAAA-AAAAAAAAAAAAAA-AAAAAAAAAAAAAA-AAAAAAAAAAAAA",
        "AAAAAAAAAAAAAA-AAAAAAAAAAAAAA-AAAAAAAAAAAAAA-AAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAA-AAAAAAAAAAAAAA-AAAAAAAAAAAAAA-AAAAAAAAAAAAB7",
        "AAAAAAAAAAAAAA-1AAAAAAAAAAAAA-AAAAAAAAAAAAAA-AAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAA_AAAAAAAAAAAAAA_AAAAAAAAAAAAAA_AAAAAAAAAAAAAA" };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct device_id id = { { 9 } };
        struct errmsg why = { "" };

        CHECK_INT(device_id_parse(&id, slice_str(rows[i]), &why),
            SYNCLINE_EMALFORMED);
        CHECK_UINT(id.b[0], 9);
        CHECK(why.text[0] != 0);
    }
}

TEST(the_seeded_port_repeats_itself)
{
    struct identity *id;
    struct crypto_port p;
    struct crypto_self self;
    uint8_t a[100], b[100], c[100];

    CHECK_OK(identity_from_seed(&id, seed1));
    crypto_port_seeded(&p, &self, id, 42);
    CHECK_OK(p.random(p.self, a, sizeof a));
    CHECK_OK(p.random(p.self, c, sizeof c));
    CHECK(memcmp(a, c, sizeof a) != 0);
    crypto_port_seeded(&p, &self, id, 42);
    CHECK_OK(p.random(p.self, b, sizeof b));
    CHECK_BYTES(SLICE(a, sizeof a), SLICE(b, sizeof b));
    crypto_port_seeded(&p, &self, id, 43);
    CHECK_OK(p.random(p.self, b, sizeof b));
    CHECK(memcmp(a, b, sizeof a) != 0);
    identity_free(id);
}

TEST(a_port_does_what_the_functions_do)
{
    static const uint8_t key[KEY_LEN], nonce[GCM_NONCE_LEN];
    struct identity *id;
    struct crypto_port p;
    struct crypto_self self;
    struct buf sealed = { 0 }, plain = { 0 };
    uint8_t a[64], b[64];

    CHECK_OK(identity_from_seed(&id, seed2));
    crypto_port_openssl(&p, &self, id);
    CHECK(device_eq(&p.device, identity_device(id)));
    CHECK_OK(p.sign(p.self, a, SLICE_LIT("t")));
    CHECK_OK(p.verify(p.self, p.spki, SLICE(a, 64), SLICE_LIT("t")));
    CHECK_OK(p.sha256(p.self, a, SLICE_LIT("abc")));
    CHECK_OK(crypto_sha256(b, SLICE_LIT("abc")));
    CHECK_BYTES(SLICE(a, 32), SLICE(b, 32));
    CHECK_OK(p.hmac_sha256(p.self, a, SLICE_LIT("k"), SLICE_LIT("t")));
    CHECK_OK(crypto_hmac_sha256(b, SLICE_LIT("k"), SLICE_LIT("t")));
    CHECK_BYTES(SLICE(a, 32), SLICE(b, 32));
    CHECK_OK(
        p.hkdf(p.self, a, 64, SLICE_LIT("k"), SLICE_LIT("s"), SLICE_LIT("i")));
    CHECK_OK(
        crypto_hkdf(b, 64, SLICE_LIT("k"), SLICE_LIT("s"), SLICE_LIT("i")));
    CHECK_BYTES(SLICE(a, 64), SLICE(b, 64));
    CHECK_OK(p.seal(p.self, &sealed, key, nonce, SLICE_NONE, SLICE_LIT("t")));
    CHECK_OK(
        p.open(p.self, &plain, key, nonce, SLICE_NONE, buf_slice(&sealed)));
    CHECK_SLICE(buf_slice(&plain), "t");
    CHECK_OK(p.random(p.self, a, 64));
    buf_free(&sealed);
    buf_free(&plain);
    identity_free(id);
}
