/* beacon.h - datagrams by which members find each other on a link, and a
 * joiner its inviter. They name nobody to those who lack the key.
 *
 *   announce  1, nonce 12, sealed (device 32, port, flags), tag 16
 *   find      2, nonce 16, mac 16, port, zeros up to BEACON_LEN
 *   here      3, nonce 12, sealed (device 32, port, flags), tag 16
 *
 * All are BEACON_LEN long, so no answer is larger than its question. Ports
 * are little-endian. `announce` is sealed under a key from the mesh's secret,
 * `here` under one from the code's secret, for the nonce of one `find`.
 * Pure. Law: what was not made with the same key is refused: EMALFORMED by
 * its shape, EDENIED by its key. */
#ifndef SYNCLINE_REPL_BEACON_H
#define SYNCLINE_REPL_BEACON_H

#include "base/buf.h"
#include "crypto/port.h"

#define BEACON_LEN 64
#define BEACON_FIND_NONCE_LEN 16

enum beacon_kind { BEACON_ANNOUNCE = 1, BEACON_FIND = 2, BEACON_HERE = 3 };

/* What kind it looks like; 0: none. */
int beacon_kind(struct slice datagram);

/* Derived once, since anybody can make a node open datagrams. */
struct beacon_key {
    uint8_t b[KEY_LEN];
};

NODISCARD int beacon_key_make(struct beacon_key *out,
    const struct crypto_port *crypto, struct slice mesh_secret);

struct beacon {
    struct device_id device;
    uint16_t port;
    uint8_t flags; /* 0 today; others are to be ignored */
};

NODISCARD int beacon_put_announce(struct buf *out,
    const struct crypto_port *crypto, const struct beacon_key *key,
    const struct beacon *b);
NODISCARD int beacon_get_announce(struct beacon *out,
    const struct crypto_port *crypto, const struct beacon_key *key,
    struct slice datagram);

struct beacon_find {
    uint8_t nonce[BEACON_FIND_NONCE_LEN];
    uint16_t port; /* where the joiner listens for the answer, UDP */
};

/* Draws the nonce; out->port is the caller's. */
NODISCARD int beacon_put_find(struct buf *out, const struct crypto_port *crypto,
    struct slice code_secret, struct beacon_find *find);
NODISCARD int beacon_get_find(struct beacon_find *out,
    const struct crypto_port *crypto, struct slice code_secret,
    struct slice datagram);

NODISCARD int beacon_put_here(struct buf *out, const struct crypto_port *crypto,
    struct slice code_secret, const struct beacon_find *find,
    const struct beacon *b);
/* find is the joiner's own question. */
NODISCARD int beacon_get_here(struct beacon *out,
    const struct crypto_port *crypto, struct slice code_secret,
    const struct beacon_find *find, struct slice datagram);

#endif
