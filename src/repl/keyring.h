/* keyring.h - the keys of a mesh's epochs, as one member holds them.
 *
 * Epoch 0's key is the mesh's secret; each ROTATE record (members.h) makes
 * another one. From an epoch's key K come
 *   its id         HMAC-SHA256(K, "kid"), the first 16 bytes
 *   beacon key     HKDF-SHA256(K, no salt, "syncline beacon v1\n")
 *   space's key    HKDF-SHA256(K, no salt, "syncline space v1\n", token)
 * A member that may read every space has K itself; one that may read some has
 * the keys of those and the beacon key; a relay has the beacon key.
 *
 * Pure. Law: what is held depends on what was put, not on its order. Two keys
 * of one epoch, of rotations at the same time, are both kept; the current one
 * is that of the largest epoch, there one that nobody outside holds before one
 * that somebody does, then the one with the larger id. */
#ifndef SYNCLINE_REPL_KEYRING_H
#define SYNCLINE_REPL_KEYRING_H

#include "base/codec.h"
#include "crypto/port.h"

#define KEY_ID_LEN 16
#define KEYRING_VOIDED_MAX 64
#define KEYRING_EPOCH_MAX ((uint64_t)1 << 40)

struct key_id {
    uint8_t b[KEY_ID_LEN];
};

struct keyring_space {
    struct space_token space;
    uint8_t key[KEY_LEN];
};

struct keyring_key {
    uint64_t epoch;
    struct key_id id;
    bool spoiled; /* held by a device that may not read all of it any more */
    bool whole;   /* key is the epoch's; else what follows is all there is */
    uint8_t key[KEY_LEN];
    bool has_beacon;
    uint8_t beacon[KEY_LEN];
    struct keyring_space *spaces; /* sorted */
    uint32_t spaces_n;
};

/* All zeros is an empty one. */
struct keyring {
    struct keyring_key *e; /* by epoch, then id */
    uint32_t n, cap;
};

void keyring_free(struct keyring *k); /* and wipes it */

NODISCARD int keyring_id_of(struct key_id *out,
    const struct crypto_port *crypto, const uint8_t key[KEY_LEN]);

/* The mesh has this key, whether we hold it or not. */
NODISCARD int keyring_note(
    struct keyring *k, uint64_t epoch, const struct key_id *id, bool spoiled);
NODISCARD int keyring_put(struct keyring *k, const struct crypto_port *crypto,
    uint64_t epoch, const uint8_t key[KEY_LEN]);

/* NULL: not of this mesh, as far as we have heard. */
const struct keyring_key *keyring_find(
    const struct keyring *k, uint64_t epoch, const struct key_id *id);
/* What is to be used for anything new; NULL: the mesh has one that has not
 * been given to us yet. */
const struct keyring_key *keyring_current(const struct keyring *k);
/* The same, held or not; NULL: there is none. */
const struct keyring_key *keyring_best(const struct keyring *k);
/* The best of those of which we hold anything; NULL: none. */
const struct keyring_key *keyring_held(const struct keyring *k);
static inline bool keyring_holds(const struct keyring_key *key)
{
    return key->whole || key->has_beacon || key->spaces_n > 0;
}

bool keyring_has_space(
    const struct keyring_key *key, const struct space_token *space);
/* ENOTFOUND: it was not given to us. */
NODISCARD int keyring_space_key(const struct keyring_key *key,
    const struct crypto_port *crypto, const struct space_token *space,
    uint8_t out[KEY_LEN]);
NODISCARD int keyring_beacon_key(const struct keyring_key *key,
    const struct crypto_port *crypto, uint8_t out[KEY_LEN]);

/* ---- what a member is given ---- */

/* Of whom a wrap is, for whom, and of which key. */
struct wrap {
    struct device_id from, to;
    uint64_t epoch;
    struct key_id id;
};

/* May read all of it; else these spaces, sorted, maybe none. */
struct entitlement {
    bool whole;
    const struct space_token *spaces;
    uint32_t spaces_n;
};

/* Appends nonce 12, sealed, tag 16: the parts of key that e allows, for the
 * device whose key for exchanges is peer. */
NODISCARD int keyring_wrap(struct buf *out, const struct crypto_port *crypto,
    const struct wrap *w, const uint8_t peer[KX_LEN],
    const struct keyring_key *key, const struct entitlement *e);
/* Takes what was wrapped for us by the device whose key for exchanges is
 * peer. EDENIED or EMALFORMED leave the ring as it was. */
NODISCARD int keyring_unwrap(struct keyring *k,
    const struct crypto_port *crypto, const struct wrap *w,
    const uint8_t peer[KX_LEN], struct slice sealed);

#endif
