#include "crypto/port.h"

#include "base/bytes.h"
#include "base/hash.h"

static int port_sha256(void *self, uint8_t out[SHA256_LEN], struct slice s)
{
    (void)self;
    return crypto_sha256(out, s);
}

static int port_hmac_sha256(
    void *self, uint8_t out[SHA256_LEN], struct slice key, struct slice s)
{
    (void)self;
    return crypto_hmac_sha256(out, key, s);
}

static int port_hash(
    void *self, uint8_t out[SHA256_LEN], const struct slice *parts, size_t n)
{
    (void)self;
    return crypto_hash_parts(out, parts, n);
}

static int port_hash_begin(
    void *self, struct hash_begun *out, const struct slice *parts, size_t n)
{
    (void)self;
    return crypto_hash_begin(out, parts, n);
}

static int port_hash_end(void *self, uint8_t out[SHA256_LEN],
    const struct hash_begun *begun, const struct slice *parts, size_t n)
{
    (void)self;
    return crypto_hash_end(out, begun, parts, n);
}

static int port_mac_key(void *self, struct mac_key *out, struct slice key)
{
    (void)self;
    return crypto_mac_key(out, key);
}

static int port_mac(void *self, uint8_t out[SHA256_LEN],
    const struct mac_key *key, const struct slice *parts, size_t n)
{
    (void)self;
    return crypto_mac(out, key, parts, n);
}

static int port_mac_begin(void *self, struct mac_key *out,
    const struct mac_key *key, struct slice blocks)
{
    (void)self;
    return crypto_mac_begin(out, key, blocks);
}

static int port_hkdf(void *self, uint8_t *out, size_t out_len,
    struct slice secret, struct slice salt, struct slice info)
{
    (void)self;
    return crypto_hkdf(out, out_len, secret, salt, info);
}

static int port_seal(void *self, struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice plain)
{
    (void)self;
    return crypto_seal(out, key, nonce, aad, plain);
}

static int port_open(void *self, struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice sealed)
{
    (void)self;
    return crypto_open(out, key, nonce, aad, sealed);
}

static int port_xseal(void *self, struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[XAES_NONCE_LEN], struct slice aad, struct slice plain)
{
    (void)self;
    return crypto_xseal(out, key, nonce, aad, plain);
}

static int port_xopen(void *self, struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[XAES_NONCE_LEN], struct slice aad, struct slice sealed)
{
    (void)self;
    return crypto_xopen(out, key, nonce, aad, sealed);
}

/* No more than a salt, of which each commit wants one: OpenSSL's generator
 * takes long to start and next to nothing to go on. Keys are not kept here
 * before there is a use for them. */
#define SMALL_WANT 16

static int port_random(void *self, uint8_t *out, size_t n)
{
    struct crypto_self *me = self;
    int rc = SYNCLINE_OK;

    if (n > SMALL_WANT)
        return crypto_random(out, n);
    if (me->drawn_n < n) {
        rc = crypto_random(me->drawn, sizeof me->drawn);
        me->drawn_n = rc == SYNCLINE_OK ? sizeof me->drawn : 0;
    }
    if (rc != SYNCLINE_OK)
        return rc;
    me->drawn_n -= n;
    memcpy(out, me->drawn + me->drawn_n, n);
    crypto_wipe(me->drawn + me->drawn_n, n);
    return SYNCLINE_OK;
}

static int port_sign(void *self, uint8_t out[ED25519_SIG_LEN], struct slice s)
{
    const struct crypto_self *me = self;

    return identity_sign(me->identity, out, s);
}

static int port_verify(
    void *self, struct slice spki, struct slice sig, struct slice s)
{
    (void)self;
    return crypto_verify(spki, sig, s);
}

static int port_own_key(void *self, struct slice info, uint8_t out[KEY_LEN])
{
    const struct crypto_self *me = self;

    return kx_own_key(me->identity, info, out);
}

static int port_kx_public(void *self, uint8_t out[KX_LEN])
{
    const struct crypto_self *me = self;

    return kx_public(me->identity, out);
}

static int port_kx_shared(void *self, const uint8_t peer[KX_LEN],
    struct slice info, uint8_t out[KEY_LEN])
{
    const struct crypto_self *me = self;

    return kx_shared(me->identity, peer, info, out);
}

static int seeded_block(struct crypto_self *me, uint8_t out[SHA256_LEN])
{
    uint8_t in[SHA256_LEN + 8];

    memcpy(in, me->seed, SHA256_LEN);
    for (size_t i = 0; i < 8; i++)
        in[SHA256_LEN + i] = (uint8_t)(me->block >> (8 * i));
    me->block++;
    return crypto_sha256(out, SLICE(in, sizeof in));
}

static int seeded_random(void *self, uint8_t *out, size_t n)
{
    struct crypto_self *me = self;

    while (n > 0) {
        uint8_t block[SHA256_LEN];
        size_t part = n < sizeof block ? n : sizeof block;
        int rc = seeded_block(me, block);

        if (rc != SYNCLINE_OK)
            return rc;
        memcpy(out, block, part);
        out += part;
        n -= part;
    }
    return SYNCLINE_OK;
}

void crypto_port_openssl(struct crypto_port *out, struct crypto_self *self,
    const struct identity *identity)
{
    *self = (struct crypto_self){ .identity = identity };
    *out = (struct crypto_port){
        .self = self,
        .device = *identity_device(identity),
        .spki = identity_spki(identity),
        .sha256 = port_sha256,
        .hmac_sha256 = port_hmac_sha256,
        .hash = port_hash,
        .hash_begin = port_hash_begin,
        .hash_end = port_hash_end,
        .mac_key = port_mac_key,
        .mac = port_mac,
        .mac_begin = port_mac_begin,
        .hkdf = port_hkdf,
        .seal = port_seal,
        .open = port_open,
        .xseal = port_xseal,
        .xopen = port_xopen,
        .random = port_random,
        .sign = port_sign,
        .verify = port_verify,
        .own_key = port_own_key,
        .kx_public = port_kx_public,
        .kx_shared = port_kx_shared,
    };
}

void crypto_port_seeded(struct crypto_port *out, struct crypto_self *self,
    const struct identity *identity, uint64_t seed)
{
    crypto_port_openssl(out, self, identity);
    out->random = seeded_random;
    for (size_t i = 0; i < 8; i++)
        self->seed[i] = (uint8_t)(seed >> (8 * i));
}

/* As long as what it stands in for; every bit of the parts tells. */
static void quick_chain(uint8_t out[SHA256_LEN], struct hash128 h,
    const struct slice *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hash128_add(&h, parts[i]);
    for (size_t i = 0; i < SHA256_LEN; i += sizeof h.hi) {
        hash128_add_word(&h, i);
        memcpy(out + i, &h.hi, sizeof h.hi);
    }
}

static int quick_hash(
    void *self, uint8_t out[SHA256_LEN], const struct slice *parts, size_t n)
{
    (void)self;
    quick_chain(out, (struct hash128){ 0, 0 }, parts, n);
    return SYNCLINE_OK;
}

static int quick_hmac(
    void *self, uint8_t out[SHA256_LEN], struct slice key, struct slice s)
{
    const struct slice parts[] = { key, s };

    (void)self;
    quick_chain(out, (struct hash128){ 6, 0 }, parts, 2);
    return SYNCLINE_OK;
}

static int quick_hkdf(void *self, uint8_t *out, size_t out_len,
    struct slice secret, struct slice salt, struct slice info)
{
    const struct slice parts[] = { secret, salt, info };
    uint8_t block[SHA256_LEN];

    (void)self;
    for (size_t i = 0; i < out_len; i++) {
        if (i % sizeof block == 0)
            quick_chain(block, (struct hash128){ 7, i }, parts, 3);
        out[i] = block[i % sizeof block];
    }
    return SYNCLINE_OK;
}

static struct hash_begun quick_keep(const struct hash128 *h)
{
    struct hash_begun b = { .taken = 0 };

    memcpy(b.h, h, sizeof *h);
    return b;
}

static struct hash128 quick_go_on(const struct hash_begun *b)
{
    struct hash128 h;

    memcpy(&h, b->h, sizeof h);
    return h;
}

static int quick_hash_begin(
    void *self, struct hash_begun *out, const struct slice *parts, size_t n)
{
    struct hash128 h = { 0, 0 };

    (void)self;
    for (size_t i = 0; i < n; i++)
        hash128_add(&h, parts[i]);
    *out = quick_keep(&h);
    return SYNCLINE_OK;
}

static int quick_hash_end(void *self, uint8_t out[SHA256_LEN],
    const struct hash_begun *begun, const struct slice *parts, size_t n)
{
    (void)self;
    quick_chain(out, quick_go_on(begun), parts, n);
    return SYNCLINE_OK;
}

static int quick_mac_key(void *self, struct mac_key *out, struct slice key)
{
    struct hash128 h = { 3, 0 };

    (void)self;
    hash128_add(&h, key);
    *out = (struct mac_key){ .inner = quick_keep(&h) };
    return SYNCLINE_OK;
}

static int quick_mac_begin(void *self, struct mac_key *out,
    const struct mac_key *key, struct slice blocks)
{
    struct hash128 h = quick_go_on(&key->inner);

    (void)self;
    hash128_add(&h, blocks);
    *out = (struct mac_key){ .inner = quick_keep(&h) };
    return SYNCLINE_OK;
}

static int quick_mac(void *self, uint8_t out[SHA256_LEN],
    const struct mac_key *key, const struct slice *parts, size_t n)
{
    return quick_hash_end(self, out, &key->inner, parts, n);
}

/* Two halves, so that it is as long as a signature. */
static void quick_signature(
    uint8_t out[ED25519_SIG_LEN], struct slice spki, struct slice s)
{
    const struct slice parts[] = { spki, s, spki };

    quick_chain(out, (struct hash128){ 1, 0 }, parts, 2);
    quick_chain(out + SHA256_LEN, (struct hash128){ 1, 1 }, parts + 1, 2);
}

static int quick_sign(void *self, uint8_t out[ED25519_SIG_LEN], struct slice s)
{
    const struct crypto_self *me = self;

    quick_signature(out, identity_spki(me->identity), s);
    return SYNCLINE_OK;
}

static int quick_verify(
    void *self, struct slice spki, struct slice sig, struct slice s)
{
    uint8_t want[ED25519_SIG_LEN];

    (void)self;
    quick_signature(want, spki, s);
    return slice_eq(sig, SLICE(want, sizeof want)) ? SYNCLINE_OK
                                                   : SYNCLINE_EDENIED;
}

/* A stream, and a tag over all that the seal is of. */
static int quick_stream(struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice in)
{
    const struct slice parts[] = { SLICE(key, KEY_LEN),
        SLICE(nonce, GCM_NONCE_LEN) };
    uint8_t pad[SHA256_LEN];

    for (size_t i = 0; i < in.len; i++) {
        if (i % sizeof pad == 0)
            quick_chain(pad, (struct hash128){ 4, i }, parts, 2);
        buf_put_u8(out, in.ptr[i] ^ pad[i % sizeof pad]);
    }
    return buf_status(out);
}

static void quick_tag(uint8_t out[SHA256_LEN], const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice sealed)
{
    const struct slice parts[] = { SLICE(key, KEY_LEN),
        SLICE(nonce, GCM_NONCE_LEN), aad, sealed };

    quick_chain(out, (struct hash128){ 5, 0 }, parts, 4);
}

static int quick_seal(void *self, struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice plain)
{
    const size_t before = out->len;
    uint8_t tag[SHA256_LEN];
    int rc = quick_stream(out, key, nonce, plain);

    (void)self;
    if (rc != SYNCLINE_OK)
        return rc;
    quick_tag(tag, key, nonce, aad, slice_from(buf_slice(out), before));
    buf_put(out, tag, GCM_TAG_LEN);
    return buf_status(out);
}

static int quick_open(void *self, struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice sealed)
{
    uint8_t tag[SHA256_LEN];

    (void)self;
    if (sealed.len < GCM_TAG_LEN)
        return SYNCLINE_EDENIED;
    sealed.len -= GCM_TAG_LEN;
    quick_tag(tag, key, nonce, aad, sealed);
    if (memcmp(tag, sealed.ptr + sealed.len, GCM_TAG_LEN) != 0)
        return SYNCLINE_EDENIED;
    return quick_stream(out, key, nonce, sealed);
}

static int quick_kx_public(void *self, uint8_t out[KX_LEN])
{
    const struct crypto_self *me = self;
    const struct slice spki = identity_spki(me->identity);

    quick_chain(out, (struct hash128){ 2, 0 }, &spki, 1);
    return SYNCLINE_OK;
}

static int quick_kx_shared(void *self, const uint8_t peer[KX_LEN],
    struct slice info, uint8_t out[KEY_LEN])
{
    uint8_t own[KX_LEN];
    bool first;

    (void)!quick_kx_public(self, own);
    first = memcmp(own, peer, KX_LEN) < 0;
    quick_chain(out, (struct hash128){ 2, 1 },
        (const struct slice[]){ SLICE(first ? own : peer, KX_LEN),
            SLICE(first ? peer : own, KX_LEN), info },
        3);
    return SYNCLINE_OK;
}

static int quick_own_key(void *self, struct slice info, uint8_t out[KEY_LEN])
{
    const struct crypto_self *me = self;
    const struct slice parts[] = { identity_spki(me->identity), info };

    quick_chain(out, (struct hash128){ 2, 2 }, parts, 2);
    return SYNCLINE_OK;
}

void crypto_port_quick(struct crypto_port *out, struct crypto_self *self,
    const struct identity *identity, uint64_t seed)
{
    crypto_port_seeded(out, self, identity, seed);
    out->hash = quick_hash;
    out->hmac_sha256 = quick_hmac;
    out->hkdf = quick_hkdf;
    out->mac_key = quick_mac_key;
    out->hash_begin = quick_hash_begin;
    out->hash_end = quick_hash_end;
    out->mac = quick_mac;
    out->mac_begin = quick_mac_begin;
    out->seal = quick_seal;
    out->open = quick_open;
    out->kx_public = quick_kx_public;
    out->kx_shared = quick_kx_shared;
    out->own_key = quick_own_key;
    out->sign = quick_sign;
    out->verify = quick_verify;
}
