/* state_impl.h - what state.c and state_open.c share. */
#ifndef SYNCLINE_STORE_STATE_IMPL_H
#define SYNCLINE_STORE_STATE_IMPL_H

#include "store/state.h"

#include <sqlite3.h>

struct state {
    char *path;
    struct state_options opt;
    sqlite3 *reader, *writer;
    sqlite3_stmt *get[TABLE_END], *scan[TABLE_END];            /* reader's */
    sqlite3_stmt *put[TABLE_END], *del[TABLE_END];             /* writer's */
    sqlite3_stmt *begin, *commit, *rollback, *upto, *meta_get; /* writer's */
    sqlite3_stmt *get_id;  /* reader's: an item by where it stands */
    int64_t last_id;       /* of the item that was read last */
    unsigned in_row;       /* so many stood just behind the one before */
    struct buf value;      /* of the last state_get */
    struct buf meta_value; /* of the projector's last look */
    struct buf meta_key;   /* in this write, and what it found: most
                              rows ask for the same */
    struct slice meta_seen;
    bool has_looked;
    const struct omap *meta_over; /* TABLE_META of the running write */
    uint64_t checkpointed, wal_bytes;
    int64_t page; /* of the file, in bytes */
};

/* Names of the tables in the file. */
extern const char *const state_tables[TABLE_END];

/* What an SQLite failure is in this house; the message names the file and
 * says what can be done. */
int state_failed(
    const struct state *st, sqlite3 *db, struct errmsg *why, const char *what);

static inline int state_bind(sqlite3_stmt *q, int ix, struct slice s)
{
    return sqlite3_bind_blob64(
        q, ix, s.ptr != NULL ? (const void *)s.ptr : "", s.len, SQLITE_STATIC);
}

static inline struct slice state_column(sqlite3_stmt *q, int ix)
{
    const void *p = sqlite3_column_blob(q, ix);

    return SLICE(p != NULL ? p : "", (size_t)sqlite3_column_bytes(q, ix));
}

#endif
