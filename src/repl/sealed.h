/* sealed.h - items and records of conflicts as a relay keeps them, which may
 * not read them (doc/relay.md).
 *
 * Pure over the crypto port. A sealed item is an item, so that it is joined,
 * sent and kept by what does so with all others; it has the proofs of the one
 * that it was made of, and a relay checks them by the tags that it shows.
 * Law: sealing is a function of the item, so whoever may read it makes the
 * same bytes; what opens is what sealing would have made.
 *
 *   sealed.c         items, sealed
 *   sealed_open.c    and opened
 *   sealed_record.c  records of conflicts
 *   sealed_read.c    what a relay sees of them */
#ifndef SYNCLINE_REPL_SEALED_H
#define SYNCLINE_REPL_SEALED_H

#include "crypto/envelope.h"
#include "repl/node_impl.h"

/* Who seals and opens what is of a space. */
struct sealer {
    struct node *node;
    const struct space *space;
    const struct envelope_keys *keys; /* those that are held, maybe none */
    uint32_t keys_n;
    uint32_t voided_n; /* behind them: what opens, and is not sealed under */
    uint32_t current;  /* of them: for what names none */
};

/* An item under a key and, in the arena, what a relay has of it. ENOTFOUND: a
 * change is sealed under a key that is not held, or is not signed yet. ELIMIT:
 * something is larger than VALUE_SEALED_MAX. */
NODISCARD int sealed_make(const struct sealer *s, struct slice key,
    const struct item *it, struct slice *name, struct item *out,
    struct arena *a);
/* And back: its key, and bytes that would be sealed to just this. Whether they
 * are those of an item get_item tells. ENOTFOUND: a key is not held, or it has
 * no change, which alone tells what it is called. EDENIED, EMALFORMED: it is
 * not what sealed_make could have made. */
NODISCARD int sealed_open(const struct sealer *s, struct slice name,
    const struct item *it, struct slice *key, struct slice *bytes,
    struct arena *a);
/* The same, but as an item: its cells may be none that get_item would take
 * (item_check_cells), all else is. */
NODISCARD int sealed_open_item(const struct sealer *s, struct slice name,
    const struct item *it, struct slice *key, struct item *out,
    struct arena *a);

/* A record of a conflict, under its name. Codes as above. */
struct sealed_record {
    struct slice tail, bytes;
};
NODISCARD int sealed_record_make(const struct sealer *s,
    const struct sealed_record *clear, struct sealed_record *out,
    struct arena *a);
/* What a relay took for a conflict may be none for who can read it: then the
 * tail is empty. */
NODISCARD int sealed_record_open(const struct sealer *s,
    const struct sealed_record *sealed, struct sealed_record *out,
    struct arena *a);
/* The same where the key of what won does not count, as far as this node has
 * heard: its value is left out, and its path, if it is another one than that of
 * what lost. What lost is to be told whatever beat it. */
NODISCARD int sealed_record_open_loser(const struct sealer *s,
    const struct sealed_record *sealed, struct sealed_record *out,
    struct arena *a);

/* A record that is under a key that is not held, and V does not cover what
 * lost. All of it is borrowed. */
struct sealed_lock {
    struct slice name; /* of the item */
    struct conflict_record record;
    bool lost;   /* what lost is; else only what won */
    bool counts; /* the mesh has the key, as far as this node has heard */
};
NODISCARD int sealed_record_lock(const struct sealer *s,
    const struct sealed_record *sealed, struct sealed_lock *out, bool *locked);

/* Is any of it under a key that the mesh has not? Whoever comes new is not
 * given that. */
NODISCARD int sealed_record_voided(
    const struct sealer *s, const struct sealed_record *sealed, bool *voided);

/* ---- what names and values are made of ---- */

#define SEALED_NAME_LEN (2 * SHA256_LEN)
#define SEALED_PATH_LEN (1 + SEALED_NAME_LEN)

/* NULL: it is not held. */
const struct envelope_keys *sealer_keys(
    const struct sealer *s, uint64_t epoch, const uint8_t id[KEY_ID_LEN]);
/* To open what is there. */
const struct envelope_keys *sealer_opens(
    const struct sealer *s, uint64_t epoch, const uint8_t id[KEY_ID_LEN]);
NODISCARD int sealed_item_name(const struct sealer *s, struct slice key,
    struct slice *out, struct arena *a);
NODISCARD int sealed_cell_path(const struct sealer *s, struct slice key,
    struct slice path, struct slice *out, struct arena *a);
/* A cell's value; tag NULL: the keys' own. */
NODISCARD int sealed_cell_value(const struct sealer *s,
    const struct envelope_keys *keys, const uint8_t tag[ENVELOPE_TAG_LEN],
    uint32_t place, const struct envelope_content *c, struct slice *out,
    struct arena *a);
NODISCARD int sealed_cell_open(const struct sealer *s, struct slice value,
    struct envelope_content *out, struct arena *a);

/* ---- sealed_read.c: without a key ---- */

/* What is read borrows from what it is read from. EMALFORMED. */
struct sealed_cell {
    bool removed;
    struct envelope_seal_head seal;
};
NODISCARD int sealed_read_cell(struct slice value, struct sealed_cell *out);
/* What stands before its seal. */
void put_sealed_cell(struct buf *b, bool removed, uint32_t place);

/* Is it, by what it says of its changes, not in the form that it should be? A
 * row without any is in either. */
bool sealed_is_other(const struct item *it, bool sealed);
/* Are its key and its paths names, in form at least? */
bool sealed_is_named(struct slice key, const struct item *it);
/* Does a record of that key stand as a relay has it? */
bool sealed_is_record(struct slice key, const struct contender *loser,
    const struct contender *winner);

/* Of a field that was removed: no conflict, whatever it lost to. */
bool sealed_is_removed(const struct contender *c);

struct sealed_change {
    const uint8_t *originals, *tombstone; /* tags; NULL: it has none */
    struct envelope_seal_head seal;
};
NODISCARD int sealed_read_change(
    const struct change *c, struct sealed_change *out);
/* Can all of an item be read so? */
NODISCARD int sealed_check(const struct item *it);
/* What stands before its seal. */
void put_sealed_change(
    struct buf *b, const uint8_t *originals, const uint8_t *tombstone);

/* Where a cell's leaf stands in its commit, in bytes that sort as numbers do.
 * Short of that: what is no such cell. */
#define SEALED_PLACE_LEN 3
struct slice sealed_place_of(const struct cell *c);
/* Does a cell tell this place? */
bool sealed_is_at(const struct cell *c, uint32_t place);

#endif
