/* passphrase.h - where the passphrase of the device's key comes from. */
#ifndef SYNCLINE_APP_PASSPHRASE_H
#define SYNCLINE_APP_PASSPHRASE_H

#include "base/buf.h"

/* The first of these that is there. A passphrase_fn's context. */
struct passphrase_source {
    const char *file; /* by flag, variable or configuration; NULL: none */
    bool credentials; /* a systemd credential, "syncline.passphrase" */
    bool terminal;    /* else a person is asked */
};

/* What a file holds, without a newline at its end. EINVAL: nothing, or too
 * much. Each appends to one piece of memory, which has PASSPHRASE_MAX + 3
 * bytes of room; the caller wipes it. */
NODISCARD int passphrase_from_file(
    struct buf *out, const char *path, struct errmsg *why);
/* fd is read to its end; what names it in messages. */
NODISCARD int passphrase_from_fd(
    struct buf *out, int fd, const char *what, struct errmsg *why);
/* On the terminal, without echo. EDENIED: there is none. */
NODISCARD int passphrase_from_terminal(
    struct buf *out, const char *prompt, struct errmsg *why);
/* A passphrase_fn; ctx is a struct passphrase_source. */
NODISCARD int passphrase_find(void *ctx, struct buf *out, struct errmsg *why);

/* Writes $CREDENTIALS_DIRECTORY/name if there is such a file. */
bool credential_path(char *out, size_t room, const char *name);

#endif
