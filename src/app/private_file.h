/* private_file.h - small files in the node's folder that are nobody else's:
 * mode 0600, written whole or not at all, durable when a write returns.
 *
 * Law: what others may read or write is refused, not used. */
#ifndef SYNCLINE_APP_PRIVATE_FILE_H
#define SYNCLINE_APP_PRIVATE_FILE_H

#include "base/buf.h"

struct private_file {
    const char *path;
    const char *what; /* in messages: "key" */
    size_t max;       /* bytes; what is beyond is not read */
    bool shared;      /* others may read it: somebody else sees to that */
};

/* Appends what it holds, to one piece of memory, so that wiping cap bytes
 * wipes all. Errors: ENOTFOUND (nothing is said then), EDENIED, EIO, ENOMEM. */
NODISCARD int private_file_read(
    struct buf *out, const struct private_file *f, struct errmsg *why);
/* By a file beside it with ".new" behind its name. EEXIST: one is there, and
 * replace is false. Only for who has the folder to himself. */
NODISCARD int private_file_write(const struct private_file *f,
    struct slice bytes, bool replace, struct errmsg *why);

/* What errno says, as a code. */
int private_file_status(void);

#endif
