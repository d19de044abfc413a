/* envelope.h - one cell as it is signed, and as it travels to whoever may not
 * read it.
 *
 * Pure over the crypto port; no state. The layouts are in doc/protocol.md. A
 * cell's header says everything about it but what it is called and holds; its
 * tag is a MAC over header and content, the nonce of its seal is the tag's
 * beginning. So sealing is a function of the cell: whoever may read it makes
 * the same bytes.
 * Law: what opens is what was sealed, header and all; keys are told apart by
 * their id and never tried. */
#ifndef SYNCLINE_CRYPTO_ENVELOPE_H
#define SYNCLINE_CRYPTO_ENVELOPE_H

#include "core/vv.h"
#include "crypto/port.h"

#define ENVELOPE_SUITE 1
#define ENVELOPE_HEADER_LEN 243
#define ENVELOPE_TAG_LEN SHA256_LEN
#define KEY_ID_LEN 16

/* A space's key of an epoch (repl/keyring.h makes it from the mesh's), and that
 * which its tokens are made with. */
struct envelope_secret {
    uint64_t epoch;
    uint8_t id[KEY_ID_LEN]; /* of the mesh's key of that epoch */
    uint8_t key[KEY_LEN], first[KEY_LEN];
};

/* What a space's cells of one epoch are made with. Secret. */
struct envelope_keys {
    struct mesh_id mesh;
    struct space_token space;
    uint64_t epoch;
    uint8_t id[KEY_ID_LEN];
    uint8_t seal[KEY_LEN];
    struct mac_key siv;
    struct mac_key index; /* the same in all epochs */
};

/* Of epoch 0: made of names only, for cells that are signed and never sealed.
 * Its id is zeros. */
NODISCARD int envelope_clear_secret(struct envelope_secret *out,
    const struct crypto_port *crypto, const struct mesh_id *mesh,
    const struct space_token *space);
NODISCARD int envelope_keys_make(struct envelope_keys *out,
    const struct crypto_port *crypto, const struct mesh_id *mesh,
    const struct space_token *space, const struct envelope_secret *secret);

enum envelope_type { CELL_VALUE = 0, CELL_REMOVED = 1, CELL_TOMBSTONE = 2 };

struct envelope_header {
    struct mesh_id mesh;
    struct space_token space;
    uint64_t epoch;
    uint8_t key_id[KEY_ID_LEN];
    struct dot dot, first;
    struct stamp stamp;
    uint64_t length;
    uint8_t context[SHA256_LEN]; /* hash of what else its change says */
    enum envelope_type type;
    uint8_t item[SHA256_LEN], cell[SHA256_LEN]; /* tokens */
};

/* What the header calls by tokens, and what the cell holds: ptr NULL for a
 * removed field and a tombstone; a tombstone's path is empty. */
struct envelope_content {
    struct slice key, path, value;
};

NODISCARD int envelope_item_token(uint8_t out[SHA256_LEN],
    const struct crypto_port *crypto, const struct envelope_keys *keys,
    struct slice key);
NODISCARD int envelope_cell_token(uint8_t out[SHA256_LEN],
    const struct crypto_port *crypto, const struct envelope_keys *keys,
    struct slice key, struct slice path);

void envelope_put_header(
    uint8_t out[ENVELOPE_HEADER_LEN], const struct envelope_header *h);
/* EMALFORMED: what envelope_put_header could not have written. */
NODISCARD int envelope_get_header(
    struct slice bytes, struct envelope_header *out);

/* The tag of a cell whose header is put. */
NODISCARD int envelope_tag(uint8_t out[ENVELOPE_TAG_LEN],
    const struct crypto_port *crypto, const struct envelope_keys *keys,
    const uint8_t header[ENVELOPE_HEADER_LEN],
    const struct envelope_content *c);

/* Appends header, tag, sealed content. The header's mesh, space, epoch, key id
 * and tokens are set from the keys and the content. */
NODISCARD int envelope_seal(struct buf *out, const struct crypto_port *crypto,
    const struct envelope_keys *keys, struct envelope_header *h,
    const struct envelope_content *c);
/* The content is appended to plain, and lent from there. ENOTFOUND: sealed
 * under another key than this. EMALFORMED: no envelope. EDENIED: header, tag
 * or content are not those that were sealed. */
NODISCARD int envelope_open(struct envelope_header *h,
    struct envelope_content *c, struct buf *plain,
    const struct crypto_port *crypto, const struct envelope_keys *keys,
    struct slice bytes);

#endif
