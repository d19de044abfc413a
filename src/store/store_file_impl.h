/* store_file_impl.h - what store_file.c and store_file_open.c share. */
#ifndef SYNCLINE_STORE_STORE_FILE_IMPL_H
#define SYNCLINE_STORE_STORE_FILE_IMPL_H

#include "store/bloom.h"
#include "store/journal.h"
#include "store/overlay.h"
#include "store/state.h"
#include "store/store_file.h"

/* As a key of TABLE_FEED begins: the space, and the lsn behind it. */
#define FEED_SPACE_LEN 4
#define FEED_PLACE_LEN 12
#define FEED_ENDS_N 8 /* spaces that are written to at a time */

/* Behind this place the file has no more of that space's feed. Who follows a
 * feed looks there for each commit, and what it finds is in the overlay: to
 * ask SQLite, too, takes longer than all the rest of it. */
struct feed_end {
    bool known;
    uint8_t place[FEED_PLACE_LEN];
};

/*  active --checkpoint_begin--> frozen, waiting --begin--> frozen, running
 *                                  ^----------- end failed -----'   |
 *  (gone) <------------------------ end -----------------------------'
 * Only while running does the helper read the frozen overlay; nobody
 * changes it. */
struct store_file {
    struct store_file_options opt; /* defaults filled in */
    const struct os_port *os;
    char *dir;
    int lock_fd;
    struct journal *journal;
    struct state *state;
    struct overlay active, frozen; /* frozen.last 0: there is none */
    struct bloom items; /* has all keys of items, here or in the file */
    struct feed_end feed_ends[FEED_ENDS_N];
    bool running; /* a checkpoint */
    bool syncing;
    bool replaying;   /* the journal's list of segments must stand still */
    bool may_release; /* segments wait for the end of a sync */
    int status;
    uint64_t checkpointed, replayed;
    uint64_t begun_ms; /* the last checkpoint */
    uint64_t checkpoints, checkpoints_failed, feeds_read;
    int run_rc;            /* written by checkpoint_run */
    struct errmsg run_why; /* likewise */
    struct errmsg *replay_why;
};

/* What was reserved. */
void store_file_apply(struct store_file *s, struct slice ops, uint64_t no);

#endif
