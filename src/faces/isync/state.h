/* state.h - what iSync nodes keep the same: registers, of which the last write
 * wins, keys that are deleted for ever, and a vector clock.
 *
 * Pure: the caller passes the time of day. Laws:
 * - The later stamp wins, then the greater node id (by bytes); if both are the
 *   same, what stands here. A deleted key never comes back, whatever the
 *   stamps. The clock decides nothing: it is kept and told.
 * - What is loaded is what was saved, stamps bit for bit.
 * - Two states that have merged the same, in any order and however often, hold
 *   the same registers and deletions, as long as no two writes have the same
 *   stamp and node.
 * - Memory is bounded: what is beyond a limit is left out and counted, never
 *   cut short. Stamps from far ahead are no reason: they are told as such. */
#ifndef SYNCLINE_FACES_ISYNC_STATE_H
#define SYNCLINE_FACES_ISYNC_STATE_H

#include "faces/isync/stamp.h"

#define ISYNC_REGISTERS_MAX 100000
#define ISYNC_DELETED_MAX 200000
#define ISYNC_CLOCK_MAX \
    1024 /* nodes in the clock; a restart may be a new one */
#define ISYNC_CLOCK_BYTES_MAX \
    ((size_t)65536)        /* of them as JSON: it goes with what is said */
#define ISYNC_KEY_MAX 1024 /* bytes */
#define ISYNC_NODE_MAX 255
#define ISYNC_VALUE_MAX ((size_t)256 << 10) /* as JSON */
#define ISYNC_VALUE_DEPTH_MAX 48
#define ISYNC_STATE_BYTES_MAX ((size_t)256 << 20)
#define ISYNC_STATE_TEXT_MAX ((size_t)320 << 20) /* as it is saved, about */
#define ISYNC_STATE_NODES_MAX 2000000   /* of JSON, in all values together */
#define ISYNC_FAR_US UINT64_C(60000000) /* a clock may be so far ahead */

struct isync_state; /* opaque */

/* Lent until the state is touched. */
struct isync_register {
    struct slice key, node;
    struct isync_stamp stamp;
    struct slice value; /* JSON, raw UTF-8 */
};

/* What others have changed here. All of it is lent. */
struct isync_change {
    struct slice key;
    struct slice node;        /* who has written it; deleted: who told of it */
    struct isync_stamp stamp; /* deleted: it has none, and this is now */
    uint64_t time_us;         /* the stamp; now, if it is far ahead */
    const struct json *value; /* NULL: deleted */
    bool is_same;             /* that value stood here: the stamp is new */
    bool is_far;              /* ahead by more than ISYNC_FAR_US */
};

struct isync_watcher {
    void *ctx;
    void (*changed)(void *ctx, const struct isync_change *c); /* may be NULL */
};

struct isync_merged {
    size_t registers, deleted; /* that are new here */
    size_t far;                /* of these from far ahead */
    size_t refused;            /* not of the form */
    size_t left_out;           /* beyond a limit */
};

struct isync_counts {
    size_t registers, deleted, nodes; /* nodes: in the clock */
    size_t bytes;
};

/* node: our own id; copied. */
NODISCARD int isync_state_new(struct isync_state **out, const char *node);
void isync_state_free(struct isync_state *s); /* NULL is fine */
const char *isync_state_node(const struct isync_state *s);

/* v is a SyncState; EMALFORMED: it is none, and nothing has changed. Where
 * memory runs out (ENOMEM) a part is in, and merging again does the rest. from
 * is kept beside what it brings (isync_state_export); 0: nobody. */
NODISCARD int isync_state_merge(struct isync_state *s, const struct json *v,
    uint64_t from, uint64_t wall_us, const struct isync_watcher *w,
    struct isync_merged *out, struct errmsg *why);
/* One register of somebody, by the same rule. EEXIST: it does not win. EDENIED:
 * the key is deleted. EMALFORMED, ELIMIT. */
NODISCARD int isync_state_take(struct isync_state *s,
    const struct isync_change *c, uint64_t from, uint64_t wall_us,
    const struct isync_watcher *w);

/* Our own write. EEXIST: that value stands there already, and nothing changes.
 * ECONFLICT: what stands there is as late or later. has_seen: it was seen
 * before this was written, so that this wins, by a stamp just beyond it if
 * need be. EDENIED: the key is deleted for ever. EMALFORMED. ELIMIT: it is too
 * much, or no stamp comes after the one that stands there. */
NODISCARD int isync_state_put(struct isync_state *s, struct slice key,
    const struct json *value, struct isync_stamp stamp, bool has_seen);
/* For ever. EEXIST: it is already. */
NODISCARD int isync_state_del(struct isync_state *s, struct slice key);

/* ENOTFOUND; EDENIED: deleted. */
NODISCARD int isync_state_get(
    const struct isync_state *s, struct slice key, struct isync_register *out);
bool isync_state_is_deleted(const struct isync_state *s, struct slice key);
/* The first register, or deleted key, that is not before key. */
bool isync_state_seek(
    const struct isync_state *s, struct slice key, struct isync_register *out);
bool isync_state_seek_deleted(
    const struct isync_state *s, struct slice key, struct slice *out);
struct isync_counts isync_state_counts(const struct isync_state *s);
/* Grows with every change of a register or a deletion. */
uint64_t isync_state_head(const struct isync_state *s);

struct isync_cut {
    uint64_t after;  /* what has changed since; 0: all. Moved on. */
    uint64_t not_of; /* leaves out what `from` has brought; 0: nothing */
    /* How much the texts of one packet may come to; at least one register is
     * taken. 0: no limit. */
    size_t bytes;
    bool is_last; /* set: nothing is left */
    size_t n;     /* set: registers and deletions */
};

/* A SyncState of a part of the state, which others merge as a whole one; the
 * clock is in the last part. Lives in a, and lends from s. NULL on memory. */
struct json *isync_state_export(
    const struct isync_state *s, struct isync_cut *cut, struct arena *a);

/* All of it as a SyncState of which nothing is lost. */
NODISCARD int isync_state_save(const struct isync_state *s, struct buf *out);
/* Into a state that is new; the node's id stays the one it has been given.
 * ECORRUPT: why says what is wrong. */
NODISCARD int isync_state_load(
    struct isync_state *s, const struct json *v, struct errmsg *why);

#endif
