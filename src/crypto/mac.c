/* SHA-256 over pieces, and HMAC under a key that is worked up once. The calls
 * of OpenSSL that look an algorithm up by name take several times as long as
 * the hashing of a leaf itself, and those that keep count for us still as long
 * as a block or two; the one that takes a block does not. Of many it costs a
 * tenth more than the one that takes them all. Neither can fail. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/crypto.h"

#include <openssl/sha.h>

#define BLOCK_LEN 64

struct sum {
    SHA256_CTX ctx; /* it is given whole blocks alone, and keeps none */
    uint64_t taken;
    uint8_t block[BLOCK_LEN]; /* what is not a whole one yet */
};

static size_t waiting(const struct sum *s)
{
    return (size_t)(s->taken % BLOCK_LEN);
}

static void take(struct sum *s, struct slice part)
{
    size_t at = waiting(s), n = BLOCK_LEN - at;

    s->taken += part.len;
    if (at > 0 && part.len >= n) {
        memcpy(s->block + at, part.ptr, n);
        SHA256_Transform(&s->ctx, s->block);
        part = slice_from(part, n);
        at = 0;
    }
    if (part.len >= 2 * BLOCK_LEN) {
        const size_t whole = part.len - part.len % BLOCK_LEN;

        (void)SHA256_Update(&s->ctx, part.ptr, whole);
        part = slice_from(part, whole);
    } else if (part.len >= BLOCK_LEN) {
        SHA256_Transform(&s->ctx, part.ptr);
        part = slice_from(part, BLOCK_LEN);
    }
    if (part.len > 0)
        memcpy(s->block + at, part.ptr, part.len);
}

static void take_all(struct sum *s, const struct slice *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (parts[i].len > 0)
            take(s, parts[i]);
}

static void put_be32(uint8_t *to, uint32_t v)
{
    for (size_t i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* FIPS 180-4: a bit, zeros, and the length in bits at a block's end. */
static void end(struct sum *s, uint8_t out[SHA256_LEN])
{
    const size_t length_at = BLOCK_LEN - 8;
    size_t at = waiting(s);

    s->block[at++] = 0x80;
    if (at > length_at) {
        memset(s->block + at, 0, BLOCK_LEN - at);
        SHA256_Transform(&s->ctx, s->block);
        at = 0;
    }
    memset(s->block + at, 0, length_at - at);
    put_be32(s->block + length_at, (uint32_t)(s->taken >> 29));
    put_be32(s->block + length_at + 4, (uint32_t)(s->taken << 3));
    SHA256_Transform(&s->ctx, s->block);
    for (size_t i = 0; i < SHA256_LEN / 4; i++)
        put_be32(out + 4 * i, (uint32_t)s->ctx.h[i]);
    crypto_wipe(s->block, sizeof s->block);
}

static void go_on(struct sum *s, const struct hash_begun *from)
{
    s->ctx = (SHA256_CTX){ .num = 0 };
    memcpy(s->ctx.h, from->h, sizeof from->h);
    s->taken = from->taken;
}

static int keep(struct hash_begun *out, const struct sum *s)
{
    if (waiting(s) != 0)
        return SYNCLINE_EINVAL;
    memcpy(out->h, s->ctx.h, sizeof out->h);
    out->taken = s->taken;
    return SYNCLINE_OK;
}

static int start(struct sum *s)
{
    s->taken = 0;
    return SHA256_Init(&s->ctx) == 1 ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

int crypto_hash_parts(
    uint8_t out[SHA256_LEN], const struct slice *parts, size_t n)
{
    struct sum s;
    int rc = start(&s);

    if (rc != SYNCLINE_OK)
        return rc;
    take_all(&s, parts, n);
    end(&s, out);
    return SYNCLINE_OK;
}

int crypto_hash_begin(
    struct hash_begun *out, const struct slice *parts, size_t n)
{
    struct sum s;
    int rc = start(&s);

    if (rc != SYNCLINE_OK)
        return rc;
    take_all(&s, parts, n);
    return keep(out, &s);
}

int crypto_hash_end(uint8_t out[SHA256_LEN], const struct hash_begun *begun,
    const struct slice *parts, size_t n)
{
    struct sum s;

    go_on(&s, begun);
    take_all(&s, parts, n);
    end(&s, out);
    return SYNCLINE_OK;
}

/* RFC 2104: the key, padded, xored with a byte, is the first block. */
static int begin(
    struct hash_begun *out, const uint8_t padded[BLOCK_LEN], uint8_t byte)
{
    uint8_t block[BLOCK_LEN];
    const struct slice whole = SLICE(block, sizeof block);
    int rc;

    for (size_t i = 0; i < BLOCK_LEN; i++)
        block[i] = padded[i] ^ byte;
    rc = crypto_hash_begin(out, &whole, 1);
    crypto_wipe(block, sizeof block);
    return rc;
}

int crypto_mac_key(struct mac_key *out, struct slice key)
{
    uint8_t padded[BLOCK_LEN] = { 0 };
    struct mac_key made = { .inner.taken = 0 };
    int rc = SYNCLINE_OK;

    if (key.len > BLOCK_LEN)
        rc = crypto_hash_parts(padded, &key, 1);
    else if (key.len > 0)
        memcpy(padded, key.ptr, key.len);
    if (rc == SYNCLINE_OK)
        rc = begin(&made.inner, padded, 0x36);
    if (rc == SYNCLINE_OK)
        rc = begin(&made.outer, padded, 0x5c);
    if (rc == SYNCLINE_OK)
        *out = made;
    crypto_wipe(padded, sizeof padded);
    crypto_wipe(&made, sizeof made);
    return rc;
}

int crypto_mac_begin(
    struct mac_key *out, const struct mac_key *key, struct slice blocks)
{
    struct sum s;
    int rc;

    go_on(&s, &key->inner);
    take_all(&s, &blocks, 1);
    rc = keep(&out->inner, &s);
    if (rc == SYNCLINE_OK)
        out->outer = key->outer;
    return rc;
}

int crypto_mac(uint8_t out[SHA256_LEN], const struct mac_key *key,
    const struct slice *parts, size_t n)
{
    uint8_t inner[SHA256_LEN];
    struct slice sum = SLICE(inner, sizeof inner);
    int rc = crypto_hash_end(inner, &key->inner, parts, n);

    return rc == SYNCLINE_OK ? crypto_hash_end(out, &key->outer, &sum, 1) : rc;
}
