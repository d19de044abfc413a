/* cert_files.h - certificates and keys that somebody else keeps, in files of
 * their own: read with care, and read again once they have changed. */
#ifndef SYNCLINE_APP_CERT_FILES_H
#define SYNCLINE_APP_CERT_FILES_H

#include <sys/types.h>
#include <time.h>

#include "base/buf.h"

#define CERT_PEM_MAX 65536

/* What a file was like when it was last looked at. */
struct cert_mark {
    ino_t ino;
    off_t size;
    struct timespec changed;
};

/* Appends what it holds. secret: it is a key, which a group may read, too,
 * but not everybody (EDENIED). ENOTFOUND is told in why. */
NODISCARD int cert_file_read(
    struct buf *out, const char *path, bool secret, struct errmsg *why);
/* Are the files others than when this was asked before? Ask before they are
 * read: what changes meanwhile is seen the next time. NULL among the paths is
 * passed over. */
bool cert_files_changed(
    struct cert_mark *marks, const char *const *paths, size_t n);

#endif
