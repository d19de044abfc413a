/* envelope.h - one cell as it is signed, and as it travels to whoever may not
 * read it.
 *
 * Pure over the crypto port; no state. The layouts are in doc/protocol.md. A
 * cell's header says everything about it but what it is called and holds. Its
 * tag is a MAC over header and content under a salt, which members are told and
 * others are not: so whoever has header and tag can check who signed them, and
 * learns nothing of the content, not even by guessing. Signing and checking
 * need no key that somebody might lack; sealing does.
 *
 * What is sealed carries the tag in clear, whose beginning is the nonce. So
 * sealing is a function of the cell: whoever may read it makes the same bytes.
 * Law: what opens is what was sealed, tag and all; keys are told apart by
 * their id and never tried. */
#ifndef SYNCLINE_CRYPTO_ENVELOPE_H
#define SYNCLINE_CRYPTO_ENVELOPE_H

#include "core/vv.h"
#include "crypto/port.h"

#define ENVELOPE_SUITE 1
#define ENVELOPE_HEADER_LEN 179
/* Whole blocks of a hash, and the same for all cells of a change: all but the
 * type is. */
#define ENVELOPE_COMMON_LEN 128
#define ENVELOPE_TAG_LEN SHA256_LEN
#define SALT_LEN 16
#define KEY_ID_LEN 16

/* ---- what is signed ---- */

enum envelope_type { CELL_VALUE = 0, CELL_REMOVED = 1, CELL_TOMBSTONE = 2 };

struct envelope_header {
    struct mesh_id mesh;
    struct space_token space;
    /* The key that it is to be sealed under; epoch 0, id zeros: the mesh's
     * first secret. */
    uint64_t epoch;
    uint8_t key_id[KEY_ID_LEN];
    struct dot dot, first;
    struct stamp stamp;
    uint64_t length;
    uint8_t context[SHA256_LEN]; /* hash of what else its change says */
    enum envelope_type type;
};

/* What a cell is called and holds: ptr NULL for a removed field and a
 * tombstone; a tombstone's path is empty. */
struct envelope_content {
    struct slice key, path, value;
};

void envelope_put_header(
    uint8_t out[ENVELOPE_HEADER_LEN], const struct envelope_header *h);
/* EMALFORMED: what envelope_put_header could not have written. */
NODISCARD int envelope_get_header(
    struct slice bytes, struct envelope_header *out);
/* The tag of a cell whose header is put; salt is the MAC's key. */
NODISCARD int envelope_tag(uint8_t out[ENVELOPE_TAG_LEN],
    const struct crypto_port *crypto, const struct mac_key *salt,
    const uint8_t header[ENVELOPE_HEADER_LEN],
    const struct envelope_content *c);
/* The same in two steps, the first of which serves for all headers that begin
 * as this one. */
NODISCARD int envelope_tag_begin(struct mac_key *out,
    const struct crypto_port *crypto, const struct mac_key *salt,
    const uint8_t header[ENVELOPE_HEADER_LEN]);
NODISCARD int envelope_tag_end(uint8_t out[ENVELOPE_TAG_LEN],
    const struct crypto_port *crypto, const struct mac_key *begun,
    const uint8_t header[ENVELOPE_HEADER_LEN],
    const struct envelope_content *c);
/* Of the originals of a resolver's result, as put_change_originals has them:
 * it stands for them in the change's context. */
NODISCARD int envelope_originals_tag(uint8_t out[ENVELOPE_TAG_LEN],
    const struct crypto_port *crypto, const struct mac_key *salt,
    struct slice originals);

/* ---- what is sealed ---- */

/* A space's key of an epoch (repl/keyring.h makes it from the mesh's), and that
 * which its tokens are made with, of epoch 0. */
struct envelope_secret {
    uint64_t epoch;
    uint8_t id[KEY_ID_LEN]; /* of the mesh's key of that epoch */
    uint8_t key[KEY_LEN], first[KEY_LEN];
};

/* What a space's cells of one epoch are sealed with. Secret. */
struct envelope_keys {
    uint64_t epoch;
    uint8_t id[KEY_ID_LEN];
    uint8_t seal[KEY_LEN];
    struct mac_key siv;
    struct mac_key index; /* the same in all epochs */
};

NODISCARD int envelope_keys_make(struct envelope_keys *out,
    const struct crypto_port *crypto, const struct mesh_id *mesh,
    const struct space_token *space, const struct envelope_secret *secret);

/* What items and cells are called where nobody may know their names. */
NODISCARD int envelope_item_token(uint8_t out[SHA256_LEN],
    const struct crypto_port *crypto, const struct envelope_keys *keys,
    struct slice key);
NODISCARD int envelope_cell_token(uint8_t out[SHA256_LEN],
    const struct crypto_port *crypto, const struct envelope_keys *keys,
    struct slice key, struct slice path);

/* What a seal says without being opened. Borrows from the bytes. */
struct envelope_seal_head {
    uint64_t epoch;
    uint8_t key_id[KEY_ID_LEN];
    uint8_t tag[ENVELOPE_TAG_LEN];
    struct slice clear;  /* all of that, as it stands there */
    struct slice sealed; /* what comes behind */
};
/* EMALFORMED: what envelope_seal could not have written. */
NODISCARD int envelope_read(struct slice bytes, struct envelope_seal_head *out);
#define ENVELOPE_CLEAR_MAX (1 + 10 + KEY_ID_LEN + ENVELOPE_TAG_LEN)
/* Appends it. tag NULL: a MAC of the plain bytes under the keys' own; else it
 * must be one of a MAC that covers them, or two texts would be sealed under
 * one nonce. */
NODISCARD int envelope_seal(struct buf *out, const struct crypto_port *crypto,
    const struct envelope_keys *keys, const uint8_t tag[ENVELOPE_TAG_LEN],
    struct slice plain);
/* Appends what was sealed. ENOTFOUND: under another key than this. EDENIED:
 * something of it is not what was sealed. */
NODISCARD int envelope_open(struct buf *plain, const struct crypto_port *crypto,
    const struct envelope_keys *keys, const struct envelope_seal_head *h);
/* Is a seal's tag the keys' own of what came out of it? */
NODISCARD int envelope_own_tag(uint8_t out[ENVELOPE_TAG_LEN],
    const struct crypto_port *crypto, const struct envelope_keys *keys,
    struct slice plain);

#endif
