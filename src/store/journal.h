/* journal.h - what was committed, in order, on its way to the disk: a row of
 * preallocated files, each with its serial in its name.
 *
 *   journal-<serial>  live, the one with the highest serial is written
 *   spare-<serial>    released, to be reused under a new serial
 *
 * Law: what journal_replay hands back is a prefix of what was appended, and
 * it contains all that a sync covered, or else it says ECORRUPT.
 * Threads: the loop's, but the descriptors that journal_sync_begin lends. */
#ifndef SYNCLINE_STORE_JOURNAL_H
#define SYNCLINE_STORE_JOURNAL_H

#include "base/buf.h"
#include "store/os.h"

struct journal; /* opaque */

struct journal_options {
    const struct os_port *os;
    const char *dir; /* must outlive the journal */
    size_t segment_bytes;
    unsigned spares_max;
    size_t record_max; /* bytes of a commit; 0: RECORD_PAYLOAD_MAX */
};

/* Lists the folder and reads the headers. */
NODISCARD int journal_open(struct journal **out,
    const struct journal_options *opt, struct errmsg *why);
/* Lets go; pending bytes are dropped. NULL is fine. */
void journal_free(struct journal *j);

typedef int journal_replay_fn(void *ctx, uint64_t no, struct slice payload);

/* Once, before the first append: hands out the commits after number `after`
 * and makes durable what it found. Appends go to a new segment from there. */
NODISCARD int journal_replay(struct journal *j, uint64_t after,
    journal_replay_fn *fn, void *ctx, struct errmsg *why);

/* Takes a commit in; *no is its number. Bytes may stay pending until the
 * flush. On failure nothing was taken in: EFULL, EIO, ELIMIT, ENOMEM. */
NODISCARD int journal_append(
    struct journal *j, struct slice payload, uint64_t *no);
/* Hands pending bytes to the system. On failure they stay pending. */
NODISCARD int journal_flush(struct journal *j);

uint64_t journal_last(const struct journal *j);
uint64_t journal_synced(const struct journal *j);

/* What must be synced, in this order, so that commits up to *upto are
 * durable; at most max files. No file: nothing to do. The descriptors are
 * lent until journal_sync_end. */
NODISCARD int journal_sync_begin(struct journal *j, int *fds, unsigned max,
    unsigned *n, bool *dir, uint64_t *upto);
/* ok: it was done. Otherwise nothing is claimed. */
void journal_sync_end(struct journal *j, bool ok, bool dir, uint64_t upto);

/* Commits up to this one are durable elsewhere: segments that hold nothing
 * else are kept as spares or removed. Not while a sync is under way. */
void journal_release(struct journal *j, uint64_t upto);

void journal_count(const struct journal *j, uint64_t *live, uint64_t *spare);

#endif
