/* store_file.h - the store of a real node: a journal, an overlay in memory,
 * and SQLite (state.db) below it. doc/store.md tells why it is durable.
 *
 *   commit -> journal (pending bytes) + active overlay
 *   sync job:        journal bytes -> disk
 *   checkpoint job:  frozen overlay -> state.db; then segments are reused
 *
 * Threads: everything is called from the loop's thread, except the two
 * functions named *_run, each of which any one other thread may call between
 * its begin and its end. */
#ifndef SYNCLINE_STORE_STORE_FILE_H
#define SYNCLINE_STORE_STORE_FILE_H

#include "base/error.h"
#include "base/log.h"
#include "store/os.h"
#include "store/store.h"

struct store_file; /* opaque */

/* What people see of a record of TABLE_ITEM when they open state.db. Lent
 * until the next call of the callback. */
struct store_row {
    struct slice space; /* its name; empty: its number is written */
    struct slice key;
    bool alive;
    uint64_t lsn;
    struct slice value; /* the document as JSON; ptr NULL: none */
};

/* Reads TABLE_META as the running checkpoint sees it; ENOTFOUND. Lent until
 * the next call. */
struct store_meta {
    void *self;
    int (*get)(void *self, struct slice key, struct slice *value);
};

/* Fills row from a record. Runs on the checkpoint's thread. An error leaves
 * the readable columns empty: they are a courtesy, the record decides. */
typedef int store_project_fn(void *ctx, const struct store_meta *meta,
    struct slice key, struct slice value, struct store_row *row);

/* Where a record of TABLE_ITEM stands among those that are read one after the
 * other. */
typedef uint64_t store_place_fn(struct slice value);

struct store_file_options {
    const struct os_port *os; /* NULL: the operating system's */
    const char *vfs; /* through which SQLite reaches the same; NULL: its own */
    store_project_fn *project; /* NULL: no readable columns */
    void *project_ctx;
    store_place_fn *place; /* NULL: they are written by key */
    struct log log;
    uint64_t now_ms;          /* at open; only differences count */
    size_t segment_bytes;     /* 0: 16 MiB */
    size_t overlay_bytes;     /* 0: 64 MiB; see store_file_full */
    size_t checkpoint_bytes;  /* 0: 8 MiB */
    uint64_t checkpoint_ms;   /* 0: 30 s */
    size_t commit_max;        /* 0: 896 MiB; a commit beyond it: ELIMIT */
    uint32_t state_pages_max; /* 0: no ceiling on state.db (for tests) */
};

/* Opens or makes the store in folder dir, which is made too. Replays the
 * journal. EBUSY: another process holds it; EVERSION; ECORRUPT; EDENIED;
 * EFULL; EIO. why names the file and what can be done. */
NODISCARD int store_file_open(struct store_file **out, const char *dir,
    const struct store_file_options *opt, struct errmsg *why);
/* Syncs, checkpoints and marks the journal as complete, then lets go of the
 * store; never leaves less than what was durable. No job may be running.
 * NULL is fine. Returns what failed, if anything. */
int store_file_close(struct store_file *s);
/* Lets go at once, as a crash would (pending bytes are dropped). */
void store_file_abandon(struct store_file *s);

struct store_port store_file_port(struct store_file *s);

/* The number of the last commit, and of the last that is on disk. */
uint64_t store_file_last(const struct store_file *s);
uint64_t store_file_durable(const struct store_file *s);
/* How many commits the open took from the journal. */
uint64_t store_file_was_replayed(const struct store_file *s);
/* 0, or why the store refuses commits until it is opened again. */
int store_file_status(const struct store_file *s);

/* Hands pending journal bytes to the system; once per turn of the loop. On
 * failure they stay pending and are tried again: EFULL, EIO. */
NODISCARD int store_file_flush(struct store_file *s);

/* Makes everything durable that was committed before begin. begin: true if
 * there is something to do; false also while a sync runs, or if the flush
 * failed (*rc says so; 0 otherwise). end: 0 and the durable number, or EIO,
 * after which the store refuses commits until opened again. */
#define STORE_SYNC_FILES 4
struct store_sync {
    const struct os_port *os;
    int fds[STORE_SYNC_FILES];
    unsigned fds_n;
    const char *dir; /* to be synced too, or NULL */
    uint64_t upto;
    int rc;
};
bool store_file_sync_begin(
    struct store_file *s, struct store_sync *job, int *rc);
void store_file_sync_run(struct store_sync *job);
NODISCARD int store_file_sync_end(
    struct store_file *s, struct store_sync *job, uint64_t *durable);

/* True if the overlay is beyond its bound: writers should wait for the end
 * of a checkpoint. */
bool store_file_full(const struct store_file *s);
bool store_file_wants_checkpoint(const struct store_file *s, uint64_t now_ms);

/* Moves what is in the overlay down to state.db. begin: false if there is
 * nothing to move or a checkpoint is running. end: 0, or why it failed
 * (EFULL, EIO, ECORRUPT); nothing is lost then and begin may be tried
 * again later. */
bool store_file_checkpoint_begin(struct store_file *s, uint64_t now_ms);
void store_file_checkpoint_run(struct store_file *s);
NODISCARD int store_file_checkpoint_end(
    struct store_file *s, struct errmsg *why);

/* Both jobs at once on this thread: for the CLI, backups and tests. */
NODISCARD int store_file_sync(struct store_file *s);
NODISCARD int store_file_checkpoint(
    struct store_file *s, uint64_t now_ms, struct errmsg *why);

/* SQLite's own examination of state.db; reads all of it. */
NODISCARD int store_file_verify(struct store_file *s, struct errmsg *why);

/* What `status` and the metrics show. */
struct store_file_stats {
    size_t active_bytes, frozen_bytes; /* of the overlay */
    uint64_t checkpointed;             /* last commit in state.db */
    uint64_t segments, spares;         /* journal files */
    uint64_t wal_bytes;                /* after the last checkpoint */
    uint64_t checkpoints, checkpoints_failed;
    uint64_t feeds_read; /* scans of a feed that asked state.db */
};
void store_file_stats(const struct store_file *s, struct store_file_stats *out);

#endif
