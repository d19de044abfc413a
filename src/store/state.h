/* state.h - state.db, the SQLite file below the overlay: what people open,
 * back up and query.
 *
 * It holds, at every moment, exactly the commits up to a number that is
 * stored in it: a checkpoint is one transaction.
 * Threads: two connections. state_get and the cursor are the loop's and
 * only read; state_write is the checkpoint's and alone writes. */
#ifndef SYNCLINE_STORE_STATE_H
#define SYNCLINE_STORE_STATE_H

#include "base/omap.h"
#include "store/store_file.h"

struct state; /* opaque */

struct state_options {
    const struct os_port *os;
    const char *dir; /* in which the file is; must outlive the state */
    const char *vfs; /* may be NULL */
    store_project_fn *project; /* may be NULL */
    void *project_ctx;
    store_place_fn *place; /* may be NULL */
    uint32_t pages_max;    /* 0: no ceiling */
};

/* Opens or makes the file and brings its schema up to date. */
NODISCARD int state_open(struct state **out, const char *path,
    const struct state_options *opt, struct errmsg *why);
void state_close(struct state *st); /* NULL is fine */

/* The last commit in it; the writing side's to ask. */
uint64_t state_checkpointed(const struct state *st);

/* One read transaction over all reads until let go: the locks of one for
 * each read cost more than the reads. While it lasts the write-ahead log
 * cannot be reset, so it is let go before each state_write. */
void state_hold(struct state *st);
void state_let_go(struct state *st);

/* Lent until the next call of state_get. */
NODISCARD int state_get(struct state *st, enum store_table t, struct slice key,
    struct slice *value);
/* Begins at the first record with a key >= from. One at a time a table. */
NODISCARD int state_seek(
    struct state *st, enum store_table t, struct slice from);
/* 1 and the next record, lent until the next step; 0 at the end. */
NODISCARD int state_step(struct state *st, enum store_table t,
    struct slice *key, struct slice *value);
void state_unseek(struct state *st, enum store_table t);

/* Moves tables (TABLE_END of them; NULL values are deletes) in; afterwards
 * commits up to `upto` are durable here. On failure nothing changed. */
NODISCARD int state_write(struct state *st, const struct omap *tables,
    uint64_t upto, struct errmsg *why);
/* Bytes in the write-ahead log after the last state_write. */
uint64_t state_wal_bytes(const struct state *st);

NODISCARD int state_verify(struct state *st, struct errmsg *why);

/* A record of TABLE_META as state.db in dir has it, perhaps an older one than
 * the journal holds; appends it, and changes nothing. For a store that nobody
 * has open. */
NODISCARD int state_peek(const char *dir, struct slice key, struct buf *out);

#endif
