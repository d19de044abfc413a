/* peek.h - reads what nodes keep in their stores (doc/store.md), for judges.
 *
 * The one place of the simulator that knows how records look. */
#ifndef SYNCLINE_SIM_PEEK_H
#define SYNCLINE_SIM_PEEK_H

#include "core/item.h"
#include "store/store.h"

/* Splits the space's local number off a key of TABLE_ITEM, _HISTORY, ...;
 * what is left is the tail. False: too short. */
bool peek_space_number(struct slice key, uint32_t *number, struct slice *tail);
/* A record of TABLE_ITEM. */
NODISCARD int peek_item(struct slice value, struct item *out, struct arena *a);
/* The item's bytes in it, copied into the arena; SLICE_NONE if absent. */
NODISCARD int peek_row(const struct store_port *s, uint32_t number,
    struct slice key, struct slice *out, struct arena *a);
/* The item, length 0 if absent. */
NODISCARD int peek_load(const struct store_port *s, uint32_t number,
    struct slice key, struct item *out, struct arena *a);

enum peek_meta {
    PEEK_OTHER,
    PEEK_SPACE,    /* number, token, name */
    PEEK_SEEN,     /* number, dot */
    PEEK_HORIZON,  /* the same */
    PEEK_JOINING,  /* number, name: into which its items are replayed */
    PEEK_RETURNING /* number, into, mutual: before and after a bootstrap */
};

struct peek {
    enum peek_meta what;
    uint32_t number, into;
    bool mutual;
    bool anew; /* no bootstrap: it is fetched from the beginning */
    struct space_token token;
    struct slice name;
    struct dot dot;
};

/* Under which number the space has its history; false: none yet. */
bool peek_past(const struct store_port *s, uint32_t number, uint32_t *past);
NODISCARD int peek_versions(const struct store_port *s, uint32_t past,
    struct slice key, store_scan_fn *fn, void *ctx);

/* A record of TABLE_META; value NULL: its end. */
NODISCARD int peek_meta(struct slice key, struct slice value, struct peek *out);

struct peek_side {
    struct dot dot;
    struct stamp stamp;
    struct slice path, value;
};

/* A record of TABLE_CONFLICT. */
struct peek_conflict {
    uint32_t number;
    struct slice key;
    bool resolved, returned;
    uint64_t life;
    struct peek_side loser, winner;
};
NODISCARD int peek_conflict(
    struct slice key, struct slice value, struct peek_conflict *out);

#endif
