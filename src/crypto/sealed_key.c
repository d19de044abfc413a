#include "crypto/sealed_key.h"

#include <argon2.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/codec.h"
#include "crypto/pem.h"

#define NAME "SYNCLINE SEALED KEY"
#define VERSION 1
#define HEAD_LEN (1 + 4 + 4 + 1 + SEALED_SALT_LEN + GCM_NONCE_LEN)
#define WHOLE_LEN (HEAD_LEN + IDENTITY_SEED_LEN + GCM_TAG_LEN)
#define FILE_MAX 4096

static const struct seal_cost usual = { 65536, 3, 1 };

/* KiB times passes: twenty times the usual, some seconds. */
#define WORK_MAX ((uint64_t)4 << 20)

static bool cost_is_bounded(const struct seal_cost *c)
{
    return c->kib >= 64 && c->kib <= 1048576 && c->passes >= 1 &&
        (uint64_t)c->kib * c->passes <= WORK_MAX && c->lanes >= 1 &&
        c->lanes <= 16 && c->kib >= 8u * c->lanes;
}

/* The key that a passphrase makes. ENOMEM: also where the system has not so
 * much memory as the cost says. */
static int stretch(uint8_t key[KEY_LEN], struct slice passphrase,
    const struct seal_cost *cost, const uint8_t salt[SEALED_SALT_LEN])
{
    return argon2id_hash_raw(cost->passes, cost->kib, cost->lanes,
               passphrase.ptr, passphrase.len, salt, SEALED_SALT_LEN, key,
               KEY_LEN) == ARGON2_OK
        ? SYNCLINE_OK
        : SYNCLINE_ENOMEM;
}

static int seed_of(const struct identity *id, uint8_t seed[IDENTITY_SEED_LEN])
{
    size_t len = IDENTITY_SEED_LEN;

    if (EVP_PKEY_get_raw_private_key(identity_key(id), seed, &len) == 1 &&
        len == IDENTITY_SEED_LEN)
        return SYNCLINE_OK;
    ERR_clear_error();
    return SYNCLINE_ENOMEM;
}

static int put_pem(struct buf *out, struct slice bytes)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int rc = SYNCLINE_ENOMEM;
    char *text;
    long n;

    if (bio != NULL &&
        PEM_write_bio(bio, NAME, "", bytes.ptr, (long)bytes.len) > 0) {
        n = BIO_get_mem_data(bio, &text);
        buf_put(out, text, (size_t)n);
        rc = buf_status(out);
    }
    BIO_free(bio);
    if (rc != SYNCLINE_OK)
        ERR_clear_error();
    return rc;
}

static void put_head(struct buf *b, const struct seal_cost *cost,
    const struct seal_chance *chance)
{
    buf_put_u8(b, VERSION);
    put_u32(b, cost->kib);
    put_u32(b, cost->passes);
    buf_put_u8(b, cost->lanes);
    buf_put(b, chance->salt, SEALED_SALT_LEN);
    buf_put(b, chance->nonce, GCM_NONCE_LEN);
}

int sealed_key_put(struct buf *out, const struct identity *id,
    struct slice passphrase, const struct seal_cost *cost,
    const struct seal_chance *chance)
{
    uint8_t key[KEY_LEN] = { 0 }, seed[IDENTITY_SEED_LEN] = { 0 };
    struct seal_chance fresh;
    struct buf b = { 0 };
    int rc = SYNCLINE_OK;

    cost = cost != NULL ? cost : &usual;
    if (!cost_is_bounded(cost) || passphrase.len == 0 ||
        passphrase.len > PASSPHRASE_MAX)
        return SYNCLINE_EINVAL;
    if (chance == NULL) {
        rc = crypto_random((uint8_t *)&fresh, sizeof fresh);
        chance = &fresh;
    }
    if (rc == SYNCLINE_OK)
        rc = seed_of(id, seed);
    if (rc == SYNCLINE_OK)
        rc = stretch(key, passphrase, cost, chance->salt);
    if (rc != SYNCLINE_OK)
        goto out;
    put_head(&b, cost, chance);
    /* One piece of memory, or what is sealed would move. */
    if (buf_reserve(&b, WHOLE_LEN) == NULL) {
        rc = SYNCLINE_ENOMEM;
        goto out;
    }
    rc = crypto_seal(
        &b, key, chance->nonce, buf_slice(&b), SLICE(seed, sizeof seed));
    if (rc == SYNCLINE_OK)
        rc = put_pem(out, buf_slice(&b));
out:
    crypto_wipe(key, sizeof key);
    crypto_wipe(seed, sizeof seed);
    buf_free(&b);
    return rc;
}

bool sealed_key_is(struct slice pem)
{
    return slice_has_prefix(pem, SLICE_LIT("-----BEGIN " NAME "-----"));
}

static int broken(struct errmsg *why)
{
    return errmsg_set(why, SYNCLINE_EMALFORMED,
        "the sealed device key is damaged; restore it from a backup");
}

struct block {
    unsigned char *bytes;
    long n;
};

/* A PEM block of ours, and nothing after it that matters. */
static bool read_block(BIO *bio, void *ctx)
{
    struct block *b = ctx;
    char *name = NULL, *header = NULL;
    bool good = PEM_read_bio(bio, &name, &header, &b->bytes, &b->n) == 1 &&
        strcmp(name, NAME) == 0 && b->n > 0;

    if (!good) {
        OPENSSL_free(b->bytes);
        b->bytes = NULL;
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    return good;
}

static int get_pem(struct slice pem, uint8_t out[WHOLE_LEN], struct errmsg *why)
{
    struct block b = { NULL, 0 };
    int rc = pem.len > FILE_MAX ? SYNCLINE_EMALFORMED
                                : pem_read(pem, read_block, &b);

    if (rc == SYNCLINE_EMALFORMED)
        rc = broken(why);
    else if (rc == SYNCLINE_OK && b.bytes[0] != VERSION)
        rc = errmsg_set(why, SYNCLINE_EVERSION,
            "the device key was sealed by a newer version; update syncline");
    else if (rc == SYNCLINE_OK && b.n != WHOLE_LEN)
        rc = broken(why);
    else if (rc == SYNCLINE_OK)
        memcpy(out, b.bytes, WHOLE_LEN);
    OPENSSL_free(b.bytes);
    return rc;
}

static int open_seed(struct identity **out, const uint8_t whole[WHOLE_LEN],
    const uint8_t key[KEY_LEN], struct errmsg *why)
{
    const uint8_t *nonce = whole + HEAD_LEN - GCM_NONCE_LEN;
    struct buf seed = { 0 };
    int rc = crypto_open(&seed, key, nonce, SLICE(whole, HEAD_LEN),
        SLICE(whole + HEAD_LEN, WHOLE_LEN - HEAD_LEN));

    if (rc == SYNCLINE_EDENIED)
        (void)errmsg_set(why, rc,
            "the passphrase does not open the device key, or its file was "
            "changed");
    if (rc == SYNCLINE_OK)
        rc = identity_from_seed(out, seed.ptr);
    crypto_wipe(seed.ptr, seed.cap);
    buf_free(&seed);
    return rc;
}

int sealed_key_get(struct identity **out, struct slice pem,
    struct slice passphrase, struct errmsg *why)
{
    uint8_t whole[WHOLE_LEN], key[KEY_LEN] = { 0 };
    struct reader r;
    struct seal_cost cost;
    int rc = get_pem(pem, whole, why);

    if (rc != SYNCLINE_OK)
        return rc;
    r = reader_of(SLICE(whole, HEAD_LEN));
    (void)get_u8(&r);
    cost.kib = get_u32(&r);
    cost.passes = get_u32(&r);
    cost.lanes = get_u8(&r);
    if (!cost_is_bounded(&cost))
        return errmsg_set(why, SYNCLINE_EMALFORMED,
            "the sealed device key asks for %u KiB, %u passes and %u lanes, "
            "which is out of bounds: its file was changed",
            cost.kib, cost.passes, cost.lanes);
    if (passphrase.len > PASSPHRASE_MAX)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "the passphrase is longer than %d bytes", PASSPHRASE_MAX);
    rc = stretch(key, passphrase, &cost, get_fixed(&r, SEALED_SALT_LEN).ptr);
    if (rc != SYNCLINE_OK)
        (void)errmsg_set(why, rc,
            "opening the device key needs %u MiB of memory, which are not "
            "there",
            cost.kib >> 10);
    if (rc == SYNCLINE_OK)
        rc = open_seed(out, whole, key, why);
    crypto_wipe(key, sizeof key);
    return rc;
}
