#include "crypto/port.h"

#include "unit/check.h"

#include "base/text.h"
#include "crypto/gcm.h"
#include "crypto/identity.h"

static struct buf unhex(const char *text)
{
    struct buf b = { 0 };
    size_t n = strlen(text) / 2;
    uint8_t *to = buf_reserve(&b, n);

    CHECK(to != NULL);
    CHECK_OK(hex_decode(to, n, slice_str(text)));
    b.len = n;
    return b;
}

static void check_hex(struct slice got, const char *want)
{
    struct buf b = unhex(want);

    CHECK_BYTES(got, buf_slice(&b));
    buf_free(&b);
}

/* FIPS 180-4's own examples. */
TEST(sha256_published_vectors)
{
    uint8_t out[SHA256_LEN];

    CHECK_OK(crypto_sha256(out, SLICE_NONE));
    check_hex(SLICE(out, sizeof out),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_OK(crypto_sha256(out, SLICE_LIT("abc")));
    check_hex(SLICE(out, sizeof out),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 4231, cases 1 and 2, and the empty key and text. */
TEST(hmac_published_vectors)
{
    struct buf key = unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    uint8_t out[SHA256_LEN];

    CHECK_OK(crypto_hmac_sha256(out, buf_slice(&key), SLICE_LIT("Hi There")));
    check_hex(SLICE(out, sizeof out),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK_OK(crypto_hmac_sha256(
        out, SLICE_LIT("Jefe"), SLICE_LIT("what do ya want for nothing?")));
    check_hex(SLICE(out, sizeof out),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK_OK(crypto_hmac_sha256(out, SLICE_NONE, SLICE_NONE));
    check_hex(SLICE(out, sizeof out),
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    buf_free(&key);
}

/* RFC 5869, appendix A. */
TEST(hkdf_published_vectors)
{
    static const struct {
        const char *secret, *salt, *info, *out;
    } rows[] = {
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
            "34007208d5b887185865" },
        { "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
          "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
          "404142434445464748494a4b4c4d4e4f",
            "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
            "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
            "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
            "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
            "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
            "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
            "cc30c58179ec3e87c14c01d5c1f3434f1d87" },
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
            "9d201395faa4b61a96c8" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf secret = unhex(rows[i].secret), salt = unhex(rows[i].salt),
                   info = unhex(rows[i].info);
        uint8_t out[100];
        size_t n = strlen(rows[i].out) / 2;

        CHECK_OK(crypto_hkdf(
            out, n, buf_slice(&secret), buf_slice(&salt), buf_slice(&info)));
        check_hex(SLICE(out, n), rows[i].out);
        buf_free(&secret);
        buf_free(&salt);
        buf_free(&info);
    }
}

TEST(hkdf_ends_where_its_counter_does)
{
    static uint8_t out[HKDF_OUT_MAX + 1];

    CHECK_OK(
        crypto_hkdf(out, HKDF_OUT_MAX, SLICE_LIT("s"), SLICE_NONE, SLICE_NONE));
    CHECK_INT(crypto_hkdf(out, HKDF_OUT_MAX + 1, SLICE_LIT("s"), SLICE_NONE,
                  SLICE_NONE),
        SYNCLINE_EINVAL);
}

/* Test cases 13 to 16 of the GCM specification (McGrew, Viega). */
static const struct {
    const char *key, *nonce, *aad, *plain, *sealed;
} gcm[] = {
    { "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000", "", "",
        "530f8afbc74536b9a963b4f1c4cb738b" },
    { "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000", "", "00000000000000000000000000000000",
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919" },
    { "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888", "",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
        "b094dac5d93471bdec1a502270e3cc6c" },
    { "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b" },
};

TEST(gcm_published_vectors)
{
    for (size_t i = 0; i < ARRAY_N(gcm); i++) {
        struct buf key = unhex(gcm[i].key), nonce = unhex(gcm[i].nonce),
                   aad = unhex(gcm[i].aad), plain = unhex(gcm[i].plain),
                   out = { 0 }, back = { 0 };

        buf_put_str(&out, "before");
        CHECK_OK(crypto_seal(
            &out, key.ptr, nonce.ptr, buf_slice(&aad), buf_slice(&plain)));
        check_hex(slice_from(buf_slice(&out), 6), gcm[i].sealed);
        CHECK_OK(crypto_open(&back, key.ptr, nonce.ptr, buf_slice(&aad),
            slice_from(buf_slice(&out), 6)));
        CHECK_BYTES(buf_slice(&back), buf_slice(&plain));
        buf_free(&key);
        buf_free(&nonce);
        buf_free(&aad);
        buf_free(&plain);
        buf_free(&out);
        buf_free(&back);
    }
}

/* Every single byte counts, of key, nonce, aad, text and tag. */
TEST(a_seal_opens_only_as_it_was_made)
{
    uint8_t key[KEY_LEN] = { 1 }, nonce[GCM_NONCE_LEN] = { 2 };
    uint8_t aad[3] = { 3 };
    struct buf sealed = { 0 }, back = { 0 };
    struct {
        uint8_t *p;
        size_t n;
    } parts[] = { { key, sizeof key }, { nonce, sizeof nonce },
        { aad, sizeof aad }, { NULL, 0 } };

    CHECK_OK(
        crypto_seal(&sealed, key, nonce, SLICE(aad, 3), SLICE_LIT("the text")));
    parts[3].p = sealed.ptr;
    parts[3].n = sealed.len;
    buf_put_str(&back, "before");
    for (size_t i = 0; i < ARRAY_N(parts); i++)
        for (size_t k = 0; k < parts[i].n; k++) {
            parts[i].p[k] ^= 1;
            CHECK_INT(crypto_open(
                          &back, key, nonce, SLICE(aad, 3), buf_slice(&sealed)),
                SYNCLINE_EDENIED);
            CHECK_SLICE(buf_slice(&back), "before");
            parts[i].p[k] ^= 1;
        }
    for (size_t n = 0; n < sealed.len; n++)
        CHECK_INT(
            crypto_open(&back, key, nonce, SLICE(aad, 3), SLICE(sealed.ptr, n)),
            SYNCLINE_EDENIED);
    CHECK_OK(crypto_open(&back, key, nonce, SLICE(aad, 3), buf_slice(&sealed)));
    CHECK_SLICE(buf_slice(&back), "beforethe text");
    buf_free(&sealed);
    buf_free(&back);
}

/* Does the one open what the other made, and nothing else? */
static void check_opens(
    const struct gcm *by, struct slice aad, struct buf *sealed, size_t plain_n)
{
    static const uint8_t key[KEY_LEN] = { 5 }, nonce[GCM_NONCE_LEN] = { 6 };
    const size_t at = plain_n * 7 % sealed->len;
    uint8_t out[512];

    CHECK_OK(by->open(out, key, nonce, aad, buf_slice(sealed)));
    for (size_t i = 0; i < plain_n; i++)
        CHECK_INT(out[i], (uint8_t)(i * i));
    sealed->ptr[at] ^= 0x10;
    CHECK_INT(
        by->open(out, key, nonce, aad, buf_slice(sealed)), SYNCLINE_EDENIED);
    for (size_t i = 0; i < plain_n; i++)
        CHECK_INT(out[i], 0);
    sealed->ptr[at] ^= 0x10;
}

/* One library's seal is the other's, whatever the lengths. */
TEST(either_library_seals_alike)
{
    static const uint8_t key[KEY_LEN] = { 5 }, nonce[GCM_NONCE_LEN] = { 6 };
    const struct gcm *both[] = { &gcm_openssl, gcm_sodium() };
    const size_t both_n = both[1] != NULL ? 2 : 1;
    uint8_t plain[400], aad[300];

    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * i);
    for (size_t i = 0; i < sizeof aad; i++)
        aad[i] = (uint8_t)(3 * i);
    for (size_t n = 0; n <= sizeof plain; n++) {
        const struct slice with = SLICE(aad, n * 11 % sizeof aad);
        struct buf made[2] = { { 0 }, { 0 } };

        for (size_t i = 0; i < both_n; i++) {
            CHECK(buf_reserve(&made[i], n + GCM_TAG_LEN) != NULL);
            CHECK_OK(
                both[i]->seal(made[i].ptr, key, nonce, with, SLICE(plain, n)));
            made[i].len = n + GCM_TAG_LEN;
            CHECK_BYTES(buf_slice(&made[i]), buf_slice(&made[0]));
            check_opens(both[i], with, &made[0], n);
        }
        buf_free(&made[0]);
        buf_free(&made[1]);
    }
}

#define SPKI_START "302a300506032b6570032100"

/* RFC 8032, 7.1, tests 1 to 3. */
TEST(ed25519_published_vectors)
{
    static const struct {
        const char *key, *text, *sig;
    } rows[] = {
        { "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100"
            "b" },
        { "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c0"
            "0" },
        { "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40"
            "a" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf spki = unhex(SPKI_START), key = unhex(rows[i].key),
                   text = unhex(rows[i].text), sig = unhex(rows[i].sig);

        buf_put_slice(&spki, buf_slice(&key));
        CHECK_OK(
            crypto_verify(buf_slice(&spki), buf_slice(&sig), buf_slice(&text)));
        buf_put_u8(&text, 0);
        CHECK_INT(
            crypto_verify(buf_slice(&spki), buf_slice(&sig), buf_slice(&text)),
            SYNCLINE_EDENIED);
        buf_free(&spki);
        buf_free(&key);
        buf_free(&text);
        buf_free(&sig);
    }
}

/* More than are drawn at once, of all sizes, and none twice. */
TEST(what_is_drawn_is_given_once)
{
    uint8_t seen[100][16] = { { 0 } }, zero[16] = { 0 };
    struct identity *id;
    struct crypto_self self;
    struct crypto_port port;

    CHECK_OK(identity_generate(&id));
    crypto_port_openssl(&port, &self, id);
    for (size_t i = 0; i < ARRAY_N(seen); i++) {
        const size_t n = 12 + i % 5;

        CHECK_OK(port.random(port.self, seen[i], n));
        CHECK(memcmp(seen[i], zero, n) != 0);
        CHECK(memcmp(seen[i] + n, zero, sizeof zero - n) == 0);
        for (size_t k = 0; k < i; k++)
            CHECK(memcmp(seen[i], seen[k], 12) != 0);
    }
    identity_free(id);
}

/* Under the neutral point the signature (neutral point, 0) fits all texts. */
TEST(a_key_of_small_order_verifies_nothing)
{
    uint8_t sig[ED25519_SIG_LEN] = { 1 };
    struct buf spki = unhex(SPKI_START
        "0100000000000000000000000000000000000000000000000000000000000000");

    CHECK_INT(crypto_verify(
                  buf_slice(&spki), SLICE(sig, sizeof sig), SLICE_LIT("text")),
        SYNCLINE_EDENIED);
    buf_free(&spki);
    spki = unhex(SPKI_START
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
    CHECK_INT(crypto_verify(
                  buf_slice(&spki), SLICE(sig, sizeof sig), SLICE_LIT("text")),
        SYNCLINE_EDENIED);
    buf_free(&spki);
}

TEST(what_is_no_key_verifies_nothing)
{
    struct buf spki = unhex(SPKI_START
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    uint8_t sig[ED25519_SIG_LEN] = { 0 };

    CHECK_INT(crypto_verify(buf_slice(&spki), SLICE(sig, 64), SLICE_NONE),
        SYNCLINE_EDENIED);
    CHECK_INT(crypto_verify(buf_slice(&spki), SLICE(sig, 63), SLICE_NONE),
        SYNCLINE_EDENIED);
    for (size_t n = 0; n < spki.len; n++)
        CHECK_INT(crypto_verify(SLICE(spki.ptr, n), SLICE(sig, 64), SLICE_NONE),
            SYNCLINE_EMALFORMED);
    spki.ptr[8] ^= 1; /* another algorithm */
    CHECK_INT(crypto_verify(buf_slice(&spki), SLICE(sig, 64), SLICE_NONE),
        SYNCLINE_EMALFORMED);
    buf_free(&spki);
}

TEST(equal_is_equal)
{
    CHECK(crypto_equal(SLICE_NONE, SLICE_NONE));
    CHECK(crypto_equal(SLICE_LIT("ab"), SLICE_LIT("ab")));
    CHECK(!crypto_equal(SLICE_LIT("ab"), SLICE_LIT("ac")));
    CHECK(!crypto_equal(SLICE_LIT("ab"), SLICE_LIT("abc")));
}

TEST(random_bytes_differ)
{
    uint8_t a[32] = { 0 }, b[32] = { 0 };

    CHECK_OK(crypto_random(a, sizeof a));
    CHECK_OK(crypto_random(b, sizeof b));
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK_OK(crypto_random(a, 0));
}
