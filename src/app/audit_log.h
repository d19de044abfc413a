/* audit_log.h - writes the audit log, beside the loop.
 *
 * add composes records in memory; a job (begin on the loop, run on a helper,
 * end on the loop) appends and syncs them and moves a full file aside. What
 * cannot be written waits, up to a bound, and is tried again; what had no
 * room is counted and told. Laws: nothing here fails a caller; a record is
 * in the file before a head that counts it is given out. */
#ifndef SYNCLINE_APP_AUDIT_LOG_H
#define SYNCLINE_APP_AUDIT_LOG_H

#include "app/audit_chain.h"
#include "base/log.h"

struct audit_log; /* opaque */

struct audit_log_options {
    const char *dir;         /* borrowed */
    struct audit_head known; /* what the store says; seq 0: nothing */
    struct log log;
    uint64_t now_us, wall_us;
    /* 0 takes the default in brackets. */
    size_t file_bytes; /* after which a file is set aside [1 MiB] */
    size_t wait_bytes; /* that may wait for room on the disk [256 KiB] */
    uint64_t often_us; /* for which equal ones are counted [10 min] */
};

/* Reads how the log ends, and tells in it what is wrong with it. A file that
 * cannot be read or written is trouble, and no failure; ENOMEM. */
NODISCARD int audit_log_open(
    struct audit_log **out, const struct audit_log_options *opt);
/* Writes what waits; *head is the last that is durable. NULL is fine. */
void audit_log_close(struct audit_log *l, uint64_t now_us, uint64_t wall_us,
    struct audit_head *head);

/* often: equal ones that come soon are counted in one record. */
void audit_log_add(struct audit_log *l, uint64_t now_us,
    const struct audit_entry *e, bool often);
/* The last record that was made. */
uint64_t audit_log_seq(const struct audit_log *l);
const struct audit_head *audit_log_durable(const struct audit_log *l);
/* Why writing fails; NULL: it does not. */
const char *audit_log_trouble(const struct audit_log *l);
/* When begin has something to do; UINT64_MAX: never. */
uint64_t audit_log_deadline(const struct audit_log *l);

bool audit_log_begin(struct audit_log *l, uint64_t now_us, uint64_t wall_us);
void audit_log_run(struct audit_log *l);
/* True: the durable head has moved. */
bool audit_log_end(struct audit_log *l, uint64_t now_us);

#endif
