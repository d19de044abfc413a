/* file_versions.h - what a configuration file was before, kept beside it, or
 * where somebody has said.
 *
 * Blocks. By the names of files/versions.h, in a folder of their own, and as
 * JSON: so the older system keeps and reads them. Law: what is kept is
 * whole, and of what was kept last the newest stay. */
#ifndef SYNCLINE_IO_FILE_VERSIONS_H
#define SYNCLINE_IO_FILE_VERSIONS_H

#include "base/arena.h"
#include "files/versions.h"
#include "io/config_file.h"

#define FILE_VERSIONS_FOLDER "config_versions"

struct file_versions {
    const struct config_file *file;
    const char *root;   /* a folder; NULL: the one that the file is in */
    const char *folder; /* below it; as config_file.path */
    unsigned keep;
};

/* Nothing is written if the newest one says the same. */
NODISCARD int file_versions_keep(const struct file_versions *v,
    struct slice text, int64_t wall_us, struct errmsg *why);
/* Sorted, the oldest first; none if there is no folder. */
NODISCARD int file_versions_list(const struct file_versions *v,
    struct version **out, size_t *n, struct arena *a, struct errmsg *why);
NODISCARD int file_versions_read(struct buf *out, const struct file_versions *v,
    const struct version *which, struct errmsg *why);
/* A time as these names tell it. */
NODISCARD int file_versions_time(struct version *out, int64_t wall_us);

#endif
