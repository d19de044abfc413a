/* os.h - the port through which the store reaches files.
 *
 * Law: each call returns 0 or a negative SYNCLINE_E*, and after a failure
 * errno holds the system's reason. ENOSPC and EDQUOT are EFULL; EACCES,
 * EPERM and EROFS are EDENIED; ENOENT is ENOTFOUND; EEXIST is EEXIST; the
 * rest is EIO. Calls may come from several threads, but for one descriptor
 * from one thread at a time, except sync, which may overlap with all. */
#ifndef SYNCLINE_STORE_OS_H
#define SYNCLINE_STORE_OS_H

#include "base/error.h"
#include "base/slice.h"

enum os_open {
    OS_OPEN_READ = 0,   /* must exist */
    OS_OPEN_WRITE = 1,  /* must exist */
    OS_OPEN_CREATE = 3, /* to write; must not exist; mode 0600 */
};

/* Called with each name in a folder, but . and .., in no order. */
typedef int os_name_fn(void *ctx, const char *name);

struct os_port {
    void *self;
    int (*open)(void *self, const char *path, enum os_open how, int *fd);
    void (*close)(void *self, int fd);
    /* *got < n only at the end of the file. */
    int (*read_at)(
        void *self, int fd, void *p, size_t n, uint64_t at, size_t *got);
    /* All of it or an error; after an error any part may be written. */
    int (*write_at)(void *self, int fd, const void *p, size_t n, uint64_t at);
    /* Content and length, not times (fdatasync). */
    int (*sync)(void *self, int fd);
    /* Makes the file at least n bytes long; the new ones are zeros and have
     * their room on the disk. */
    int (*reserve)(void *self, int fd, uint64_t n);
    int (*truncate)(void *self, int fd, uint64_t n);
    int (*size)(void *self, int fd, uint64_t *n);
    int (*rename)(void *self, const char *from, const char *to);
    int (*unlink)(void *self, const char *path);
    int (*list)(void *self, const char *dir, os_name_fn *fn, void *ctx);
    /* Mode 0700; 0 if it is there already. */
    int (*make_dir)(void *self, const char *path);
    /* Makes creations, renames and removals in the folder durable. */
    int (*sync_dir)(void *self, const char *path);
    /* An exclusive lock, held until fd is closed. EBUSY: *holder is the
     * process that has it, or 0. */
    int (*lock)(void *self, const char *path, int *fd, int64_t *holder);
};

/* Makes durable what an earlier process left in a file: that may be in the
 * system's cache only, and a sync alone does not help if the last one failed,
 * since then the system holds it to be on the disk. ENOTFOUND. */
NODISCARD int os_make_durable(const struct os_port *os, const char *path);

/* The operating system's own. */
const struct os_port *os_posix(void);

#endif
