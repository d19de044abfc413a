/* helpers.h - a thread beside the loop with one queue, for what would block
 * it: syncing the journal, writing a checkpoint.
 *
 * Jobs run one after another in the order of their submission. Law: for each
 * job submitted run() is called once, on the helper, then done() once, on the
 * loop's thread; nothing else is shared. All functions belong to the loop's
 * thread. */
#ifndef SYNCLINE_IO_HELPERS_H
#define SYNCLINE_IO_HELPERS_H

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"

struct helper; /* opaque */

/* The caller's, embedded in something of his; left alone until done(). */
struct helper_job {
    void (*run)(struct helper_job *job);  /* on the helper's thread */
    void (*done)(struct helper_job *job); /* on the loop's; may free the job */
    struct helper_job *next;              /* the helper's */
};

/* name, at most 15 bytes, is what ps and gdb show. */
NODISCARD int helper_start(
    struct helper **out, uv_loop_t *loop, const char *name);
void helper_submit(struct helper *h, struct helper_job *job);
/* True if a job is queued, running or not yet done(). */
bool helper_busy(const struct helper *h);
/* Waits until everything submitted has run, calls what done() is owing, and
 * ends the thread; done() may submit no more. The memory goes when the loop
 * has run once more. NULL is fine. */
void helper_stop(struct helper *h);

#endif
