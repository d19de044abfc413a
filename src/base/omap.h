/* omap.h - an ordered map from bytes to bytes, in an arena: a skip list
 * (Pugh, 1990) with heights from a fixed seed, and beside it a table of where
 * keys were found last, by their hash: a hint only, so that keys that collide
 * cost no more than the search that the list makes anyway.
 *
 * Pure. Keys are copied in; so are values. A replaced value keeps its room
 * if the new one fits, and is otherwise forgotten until the map is cleared.
 * Law: iteration is in slice_cmp order, never in any other. */
#ifndef SYNCLINE_BASE_OMAP_H
#define SYNCLINE_BASE_OMAP_H

#include "base/arena.h"
#include "base/prng.h"

#define OMAP_LEVELS 20

/* How a key begins, as numbers in its order: what tells most keys apart is in
 * the node, beside the links. */
struct omap_head {
    uint64_t hi, lo;
};

struct omap_node {
    struct omap_head head;
    struct slice key;
    struct slice value; /* ptr NULL: a tombstone, if the user wants such */
    uint32_t room;      /* bytes that value may be replaced within */
    uint16_t levels;
    uint16_t tag; /* the user's */
    struct omap_node *next[];
};

struct omap {
    struct arena arena;
    struct prng prng;
    struct omap_node *first[OMAP_LEVELS];
    int levels; /* in use */
    size_t n;
    struct omap_node **hints; /* NULL: none yet */
    size_t hints_n;           /* a power of two */
};

/* A zeroed struct omap is a valid empty one. */
void omap_free(struct omap *m);
void omap_clear(struct omap *m);
/* After it the next n puts, of so many bytes of keys and values together,
 * cannot fail. */
NODISCARD int omap_reserve(struct omap *m, size_t n, size_t bytes);
/* Sets key to value; SLICE_NONE stores a NULL value. */
NODISCARD int omap_put(struct omap *m, struct slice key, struct slice value);
struct omap_node *omap_get(const struct omap *m, struct slice key);
/* Takes the key out; its memory returns with the arena. True if it was in. */
bool omap_del(struct omap *m, struct slice key);
/* The first node whose key is >= key, or NULL. */
struct omap_node *omap_seek(const struct omap *m, struct slice key);

static inline struct omap_node *omap_first(const struct omap *m)
{
    return m->first[0];
}

static inline struct omap_node *omap_next(const struct omap_node *n)
{
    return n->next[0];
}

/* Bytes of memory in use. */
static inline size_t omap_bytes(const struct omap *m)
{
    return m->arena.used;
}

#endif
