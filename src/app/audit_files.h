/* audit_files.h - the audit log's files: DIR/audit.log, and the older ones,
 * audit.log.1 (the newest) to audit.log.16. */
#ifndef SYNCLINE_APP_AUDIT_FILES_H
#define SYNCLINE_APP_AUDIT_FILES_H

#include "base/buf.h"

#define AUDIT_FILES 16 /* older ones that are kept */

struct audit_place {
    unsigned file; /* 0: audit.log */
    uint64_t line; /* from 1 */
    bool whole;    /* it has its newline */
};

/* Without a newline. What it returns ends the reading, unless it is 0. */
typedef int audit_line_fn(
    void *ctx, const struct audit_place *at, struct slice line);

/* Writes DIR/audit.log or DIR/audit.log.N; false: too long. */
bool audit_file_name(char *out, size_t room, const char *dir, unsigned file);
/* Reads a file whole; ENOTFOUND if it is not there. */
NODISCARD int audit_file_read(
    struct buf *out, const char *dir, unsigned file, struct errmsg *why);
/* Every line of the newest files, the oldest line first; from: the oldest
 * file, AUDIT_FILES for all. */
NODISCARD int audit_files_read(const char *dir, unsigned from,
    audit_line_fn *fn, void *ctx, struct errmsg *why);

#endif
