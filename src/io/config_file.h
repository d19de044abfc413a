/* config_file.h - a configuration file that is somebody else's: read, and
 * replaced in one go.
 *
 * Blocks. The file lies below a root, and is found there without following a
 * symbolic link: neither it nor a folder on the way may be one. Only a regular
 * file with one name is taken: a second one may be where the root does not
 * reach.
 * Laws: who reads meanwhile finds the old text or the new one; mode, owner and
 * extended attributes stay; what is not what was expected is not replaced;
 * what a write returns OK for is durable. */
#ifndef SYNCLINE_IO_CONFIG_FILE_H
#define SYNCLINE_IO_CONFIG_FILE_H

#include "base/buf.h"

/* What stands behind a file's name beside it. */
#define CONFIG_FILE_BACKUP ".backup"  /* the one before */
#define CONFIG_FILE_TEMP ".syncline~" /* the next one, while it is written */

struct config_file {
    const char *root; /* a folder; may be named through links */
    const char *path; /* below it: no "", "." or ".." in it */
    size_t max;       /* bytes */
};

/* Is path such a one? */
bool config_path_ok(const char *path);
/* The name, without folders. */
const char *config_file_name(const struct config_file *f);

/* The folder that the file is in, for the caller to close. ENOTFOUND. */
NODISCARD int config_file_folder(
    const struct config_file *f, int *fd, struct errmsg *why);

/* Whether somebody has it open for writing. */
enum config_file_use {
    CONFIG_FILE_UNSURE, /* that cannot be told */
    CONFIG_FILE_BUSY,
    CONFIG_FILE_ALONE /* nobody had, all the while that it was read */
};

/* Appends the text. Errors: ENOTFOUND (nothing is said), EDENIED, ELIMIT, EIO,
 * ENOMEM. */
NODISCARD int config_file_read(struct buf *out, enum config_file_use *use,
    const struct config_file *f, struct errmsg *why);

/* expected NULL: there is no such file yet. The one before stays beside it.
 * ECONFLICT: it is another, or somebody is writing it; then nothing has
 * changed. */
NODISCARD int config_file_write(const struct config_file *f, struct slice text,
    const struct slice *expected, struct errmsg *why);

#endif
