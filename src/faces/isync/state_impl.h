/* state_impl.h - what state.c (registers and deletions), state_merge.c (what
 * comes as JSON) and state_text.c (what leaves as such) share. */
#ifndef SYNCLINE_FACES_ISYNC_STATE_IMPL_H
#define SYNCLINE_FACES_ISYNC_STATE_IMPL_H

#include "base/omap.h"
#include "faces/isync/state.h"

/* A register, or a key that is deleted. */
struct isync_entry {
    struct isync_entry *before, *after; /* in the order of the last change */
    uint64_t seq, from;
    bool is_deleted;
    struct isync_stamp stamp;
    uint32_t nodes;                /* of JSON, in its value */
    size_t text;                   /* what it takes in a file, at most */
    struct slice key, node, value; /* in bytes */
    uint8_t bytes[];
};

struct isync_state {
    char *node;
    struct omap registers, deleted; /* key: an entry */
    struct omap clock;              /* node: an int64_t */
    struct isync_entry *first, *last;
    uint64_t head; /* the greatest seq */
    size_t bytes, text, nodes, clock_bytes;
};

/* Of what a map holds. */
struct isync_entry *isync_entry_of(const struct omap_node *n);
/* EMALFORMED, ELIMIT: may it be a key, a node's id, a value? Of the value text
 * is made. */
NODISCARD int isync_key_check(struct slice key);
NODISCARD int isync_node_check(struct slice node);
NODISCARD int isync_value_text(struct buf *out, const struct json *value);
/* Is it what stands in e, whatever the order of members? text: of v. */
bool isync_value_stands(
    const struct isync_entry *e, const struct json *v, struct slice text);

/* What c says is put there, whatever stands. ELIMIT, ENOMEM: nothing is. */
NODISCARD int isync_entry_put(struct isync_state *s,
    const struct isync_change *c, struct slice text, uint64_t from);
NODISCARD int isync_entry_delete(
    struct isync_state *s, struct slice key, uint64_t from);

/* The greater counts. What is beyond a limit is not kept, but ourselves are. */
NODISCARD int isync_clock_see(
    struct isync_state *s, struct slice node, int64_t n);
NODISCARD int isync_clock_bump(struct isync_state *s); /* our own */

#endif
