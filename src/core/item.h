/* item.h - the replicated state of one item: its lives, its cells, and what
 * each of them had seen.
 *
 * Pure. Everything hangs in the arena of whoever decoded or built it.
 * Law: encode(decode(x)) is x, and two items are equal iff their encodings
 * are, so states can be compared and hashed as bytes. */
#ifndef SYNCLINE_CORE_ITEM_H
#define SYNCLINE_CORE_ITEM_H

#include "base/hash.h"
#include "core/json.h"
#include "core/vv.h"

#define KEY_MAX 1024                     /* bytes of an item's key */
#define PATH_MAX_LEN 8192                /* bytes of a cell's pointer */
#define VALUE_MAX ((size_t)16 << 20)     /* bytes of an item's document */
#define VALUE_SEALED_MAX (2 * VALUE_MAX) /* of one value as a relay has it */
#define CELLS_MAX 10000                  /* leaves that a writer may give it */
#define CELLS_JOINED_MAX 1000000 /* cells after joins, removed ones too */

/* Causal lengths, versions and floors beyond this are refused, whoever brings
 * them: there is room to count on for every writer. */
#define LENGTH_MAX ((uint64_t)1 << 62)

/* An original that a resolver's result merged (repl/resolve.c). */
struct original {
    struct dot dot;
    struct stamp stamp;
    struct slice value; /* canonical JSON; ptr NULL: nothing */
};

/* What the cells that one commit wrote in one item share. */
struct change {
    struct dot dot;
    struct dot first; /* its dot when first written; usually dot */
    struct stamp stamp;
    uint64_t wall_us;           /* the author's clock, for people only */
    struct vv ctx;              /* merged part of its context */
    struct vv birth;            /* birth part of its context */
    struct original *originals; /* of a resolver's result */
    uint32_t originals_n;
    struct slice proof; /* signature and hashes; empty until signed */
};

/* Orders changes by dot, then stamp, then first dot: replayed writes share a
 * dot but keep what else they had. */
int change_cmp(const struct change *a, const struct change *b);

/* value.ptr NULL: the cell holds nothing (a removed field). */
struct cell {
    struct slice path;  /* RFC 6901; "" is the whole of an opaque item */
    struct slice value; /* canonical JSON of a scalar, an array or "{}" */
    uint32_t change;    /* index into the item's changes */
};

struct item {
    uint64_t length;  /* causal length: odd alive, even deleted, 0 absent */
    uint64_t version; /* counts its writes; the maximum wins in a join */
    struct vv ctx;    /* all that was merged into it */
    struct vv birth;
    struct change *changes; /* by change_cmp */
    uint32_t changes_n, changes_cap;
    struct cell *cells; /* by path_cmp; none when deleted */
    uint32_t cells_n, cells_cap;
    int64_t tomb; /* index of the deleting change, or -1 */
};

static inline bool item_alive(const struct item *it)
{
    return (it->length & 1) != 0;
}

/* Orders pointers so that each is followed at once by its descendants: as
 * bytes, with '/' before every other byte. */
int path_cmp(struct slice a, struct slice b);
/* True if p is a proper ancestor of q. */
bool path_is_above(struct slice p, struct slice q);

/* True if value is "{}": an empty object hides nothing. */
static inline bool value_is_empty_object(struct slice value)
{
    return value.len == 2 && value.ptr[0] == '{' && value.ptr[1] == '}';
}

void item_init(struct item *it);
/* The cell at a path, or NULL. */
struct cell *item_find(const struct item *it, struct slice path);
/* Adds a change (borrowing what it points to) unless an equal one is there;
 * its index in *ix. */
NODISCARD int item_add_change(
    struct item *it, const struct change *c, uint32_t *ix, struct arena *a);
/* Sets the cell at path; path and value are borrowed. */
NODISCARD int item_set(struct item *it, struct slice path, struct slice value,
    uint32_t change, struct arena *a);
/* Drops changes that no cell nor the tombstone uses and sorts the rest: the
 * form in which items are compared, stored and sent. */
NODISCARD int item_normalise(struct item *it, struct arena *a);
/* A copy whose changes and cells can be altered without touching it; the
 * slices stay shared. */
NODISCARD int item_copy(
    struct item *out, const struct item *it, struct arena *a);

/* Format in doc/store.md. get_item borrows paths and
 * values from the input; it refuses whatever put_item could not have
 * written, and sets the reader's err. */
void put_item(struct buf *b, const struct item *it);
NODISCARD int get_item(struct reader *r, struct item *out, struct arena *a);
/* What get_item asks of cells, where they have come in another way. */
NODISCARD int item_check_cells(const struct item *it);
/* In two pieces: what an item is by its changes, and then its tombstone and
 * cells, which who passes an item on need not look at. get_item_cells goes on
 * where get_item_changes ended. */
void put_item_changes(struct buf *b, const struct item *it);
void put_item_cells(struct buf *b, const struct item *it);
NODISCARD int get_item_changes(
    struct reader *r, struct item *out, struct arena *a);
NODISCARD int get_item_cells(
    struct reader *r, struct item *it, struct arena *a);
/* Only how it begins: length, version and context. */
NODISCARD int get_item_head(
    struct reader *r, struct item *out, struct arena *a);

/* What a change says beside its dots and stamp, as it is hashed into the
 * headers of its cells (doc/protocol.md); of no item, so with whole names. For
 * its originals, if it has any, stands a tag of them. */
void put_change_context(
    struct buf *b, const struct change *c, struct slice originals_tag);
void put_change_originals(struct buf *b, const struct change *c);
void get_change_originals(struct reader *r, struct change *c, struct arena *a);

/* The fingerprint of (key, item): of its standing part, and, apart, of its
 * tombstone and removed fields. An all-zero hash: nothing of that kind. */
struct item_print {
    struct hash128 live, dead;
};
NODISCARD int item_print(
    struct item_print *out, struct slice key, const struct item *it);

#endif
