/* store_file_impl.h - what store_file.c and store_file_open.c share. */
#ifndef SYNCLINE_STORE_STORE_FILE_IMPL_H
#define SYNCLINE_STORE_STORE_FILE_IMPL_H

#include "store/bloom.h"
#include "store/journal.h"
#include "store/overlay.h"
#include "store/state.h"
#include "store/store_file.h"

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
    bool running;       /* a checkpoint */
    bool syncing;
    bool replaying;   /* the journal's list of segments must stand still */
    bool may_release; /* segments wait for the end of a sync */
    int status;
    uint64_t checkpointed, replayed;
    uint64_t begun_ms; /* the last checkpoint */
    uint64_t checkpoints, checkpoints_failed;
    int run_rc;            /* written by checkpoint_run */
    struct errmsg run_why; /* likewise */
    struct errmsg *replay_why;
};

/* What was reserved. */
void store_file_apply(struct store_file *s, struct slice ops, uint64_t no);

#endif
