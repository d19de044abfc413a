/* The disk in memory as the store's port to files, and what goes wrong there.
 * */
#include "sim/disk_impl.h"

#include <errno.h>
#include <stdlib.h>

/* ---- what goes wrong ---- */

static int fail(struct disk *d, int rc)
{
    errno = rc == SYNCLINE_EFULL   ? ENOSPC
        : rc == SYNCLINE_ENOTFOUND ? ENOENT
        : rc == SYNCLINE_EEXIST    ? EEXIST
                                   : EIO;
    d->last_errno = errno;
    return rc;
}

enum kind { READS, CHANGES, TAKES_ROOM };

/* Asked at the begin of each call that can fail. *amid: the power goes now,
 * with this change under way. */
static int fault(struct disk *d, enum kind kind, bool *amid)
{
    *amid = false;
    if (d->off)
        return fail(d, SYNCLINE_EIO);
    if (kind != READS && ++d->changes == d->cut_at) {
        d->off = *amid = true;
        return fail(d, SYNCLINE_EIO);
    }
    if ((d->fail_rc == SYNCLINE_EFULL && kind != TAKES_ROOM) ||
        (d->spare_reads && kind == READS))
        return SYNCLINE_OK;
    d->calls++;
    if (d->fail_at == 0 || d->calls < d->fail_at ||
        (d->calls > d->fail_at && !d->fail_for_good))
        return SYNCLINE_OK;
    d->failed++;
    return fail(d, d->fail_rc);
}

static bool has_room(const struct disk *d, const struct disk_file *f, size_t n)
{
    return d->room == 0 || n <= f->now.n ||
        disk_bytes_taken(d) + (n - f->now.n) <= d->room;
}

/* ---- changing a file ---- */

static struct disk_write *add_write(struct disk_file *f)
{
    if (f->log_n == f->log_cap) {
        f->log_cap = f->log_cap == 0 ? 16 : f->log_cap * 2;
        f->log = disk_grow(f->log, f->log_cap, sizeof *f->log);
    }
    return &f->log[f->log_n++];
}

static void write_bytes(struct disk_file *f, size_t at, const void *p, size_t n)
{
    if (n == 0)
        return;
    *add_write(f) =
        (struct disk_write){ .at = at, .n = n, .bytes = f->log_bytes.n };
    disk_put_at(&f->log_bytes, f->log_bytes.n, p, n);
    disk_put_at(&f->now, at, p, n);
}

static void change_length(struct disk_file *f, size_t n)
{
    if (n == f->now.n)
        return;
    *add_write(f) = (struct disk_write){ .at = n, .is_new_length = true };
    disk_set_length(&f->now, n);
}

static int new_fd(struct disk *d, int file)
{
    for (int fd = 0; fd < DISK_FILES; fd++)
        if (d->fds[fd] == 0) {
            d->fds[fd] = file + 1;
            return fd;
        }
    abort();
}

/* ---- the port ---- */

static int disk_open(void *self, const char *path, enum os_open how, int *fd)
{
    struct disk *d = self;
    const struct disk_name *n = disk_find(d->now, path);
    bool amid;
    int rc = fault(d, how == OS_OPEN_CREATE ? TAKES_ROOM : READS, &amid);

    if (rc != SYNCLINE_OK && !amid)
        return rc;
    if (how == OS_OPEN_CREATE) {
        int file;

        if (n != NULL)
            return fail(d, SYNCLINE_EEXIST);
        file = disk_new_file(d);
        disk_rename_to(d, file, path);
        if (rc == SYNCLINE_OK)
            *fd = new_fd(d, file);
        return rc;
    }
    if (n == NULL)
        return fail(d, SYNCLINE_ENOTFOUND);
    *fd = new_fd(d, n->file);
    return SYNCLINE_OK;
}

/* Of a process that has ended nothing need be closed. */
static void disk_close(void *self, int fd)
{
    struct disk *d = self;

    d->fds[fd] = 0;
    if (d->lock_fd == fd)
        d->lock_fd = -1;
}

static int disk_read_at(
    void *self, int fd, void *p, size_t n, uint64_t at, size_t *got)
{
    struct disk *d = self;
    const struct disk_bytes *b = &disk_file_of(d, fd)->now;
    bool amid;
    int rc = fault(d, READS, &amid);

    if (rc != SYNCLINE_OK)
        return rc;
    *got = at >= b->n ? 0 : b->n - (size_t)at;
    if (*got > n)
        *got = n;
    if (*got > 0)
        memcpy(p, b->p + at, *got);
    return SYNCLINE_OK;
}

/* A failing write leaves half of it behind; one amid which the power goes
 * may leave any part. */
static int disk_write_at(
    void *self, int fd, const void *p, size_t n, uint64_t at)
{
    struct disk *d = self;
    struct disk_file *f = disk_file_of(d, fd);
    bool amid;
    int rc = fault(d, TAKES_ROOM, &amid);

    if (d->off && !amid)
        return rc;
    if (rc != SYNCLINE_OK && !amid)
        n /= 2;
    if (rc == SYNCLINE_OK && !has_room(d, f, (size_t)at + n)) {
        n = f->now.n > at ? f->now.n - (size_t)at : 0;
        rc = fail(d, SYNCLINE_EFULL);
    }
    write_bytes(f, (size_t)at, p, n);
    return rc;
}

static int disk_sync(void *self, int fd)
{
    struct disk *d = self;
    struct disk_file *f = disk_file_of(d, fd);
    bool amid;
    int rc = fault(d, CHANGES, &amid);

    if (rc != SYNCLINE_OK && !amid && !d->off && rc == SYNCLINE_EIO)
        disk_settle(
            f, 4096, 4, &d->chance); /* and clean they are from now on */
    if (rc != SYNCLINE_OK)
        return rc;
    if (d->lies && f->log_n > 0) {
        d->lies = false;
        d->lied++;
        disk_settle(
            f, 4096, (unsigned)prng_below(&d->chance, 2) * 4, &d->chance);
        return fail(d, SYNCLINE_EIO);
    }
    disk_settle(f, 0, 8, NULL);
    return SYNCLINE_OK;
}

static int disk_reserve(void *self, int fd, uint64_t n)
{
    struct disk *d = self;
    struct disk_file *f = disk_file_of(d, fd);
    bool amid;
    int rc = fault(d, TAKES_ROOM, &amid);

    if (rc != SYNCLINE_OK && !amid)
        return rc;
    if (rc == SYNCLINE_OK && !has_room(d, f, (size_t)n))
        return fail(d, SYNCLINE_EFULL);
    if (n > f->now.n)
        change_length(f, (size_t)n);
    return rc;
}

static int disk_truncate(void *self, int fd, uint64_t n)
{
    struct disk *d = self;
    struct disk_file *f = disk_file_of(d, fd);
    bool amid;
    int rc = fault(d, n > f->now.n ? TAKES_ROOM : CHANGES, &amid);

    if (rc != SYNCLINE_OK && !amid)
        return rc;
    if (rc == SYNCLINE_OK && !has_room(d, f, (size_t)n))
        return fail(d, SYNCLINE_EFULL);
    change_length(f, (size_t)n);
    return rc;
}

static int disk_size(void *self, int fd, uint64_t *n)
{
    struct disk *d = self;
    bool amid;
    int rc = fault(d, READS, &amid);

    if (rc == SYNCLINE_OK)
        *n = disk_file_of(d, fd)->now.n;
    return rc;
}

static int disk_rename(void *self, const char *from, const char *to)
{
    struct disk *d = self;
    const struct disk_name *n = disk_find(d->now, from);
    bool amid;
    int rc = fault(d, CHANGES, &amid);

    if (rc != SYNCLINE_OK && !amid)
        return rc;
    if (n == NULL)
        return fail(d, SYNCLINE_ENOTFOUND);
    disk_rename_to(d, n->file, to);
    return rc;
}

static int disk_unlink(void *self, const char *path)
{
    struct disk *d = self;
    const struct disk_name *n = disk_find(d->now, path);
    bool amid;
    int rc = fault(d, CHANGES, &amid);

    if (rc != SYNCLINE_OK && !amid)
        return rc;
    if (n == NULL)
        return fail(d, SYNCLINE_ENOTFOUND);
    disk_rename_to(d, n->file, "");
    return rc;
}

static int disk_list(void *self, const char *dir, os_name_fn *fn, void *ctx)
{
    struct disk *d = self;
    size_t len = strlen(dir);
    bool amid;
    int rc = fault(d, READS, &amid);

    for (int i = 0; i < DISK_FILES && rc == SYNCLINE_OK; i++)
        if (strncmp(d->now[i].path, dir, len) == 0 &&
            d->now[i].path[len] == '/')
            rc = fn(ctx, d->now[i].path + len + 1);
    return rc;
}

static int disk_make_dir(void *self, const char *path)
{
    bool amid;

    (void)path;
    return fault(self, TAKES_ROOM, &amid);
}

static int disk_sync_dir(void *self, const char *path)
{
    struct disk *d = self;
    bool amid;
    int rc = fault(d, CHANGES, &amid);

    (void)path;
    if (rc == SYNCLINE_OK)
        disk_settle_names(d, d->names_n);
    return rc;
}

static int disk_lock(void *self, const char *path, int *fd, int64_t *holder)
{
    struct disk *d = self;
    const struct disk_name *n = disk_find(d->now, path);
    int file = n != NULL ? n->file : -1;
    bool amid;
    int rc = fault(d, TAKES_ROOM, &amid);

    if (rc != SYNCLINE_OK)
        return rc;
    *holder = 42;
    if (d->lock_fd >= 0)
        return SYNCLINE_EBUSY;
    if (file < 0) {
        file = disk_new_file(d);
        disk_rename_to(d, file, path);
    }
    *fd = new_fd(d, file);
    d->lock_fd = *fd;
    return SYNCLINE_OK;
}

void disk_set_port(struct disk *d)
{
    d->port = (struct os_port){
        .self = d,
        .open = disk_open,
        .close = disk_close,
        .read_at = disk_read_at,
        .write_at = disk_write_at,
        .sync = disk_sync,
        .reserve = disk_reserve,
        .truncate = disk_truncate,
        .size = disk_size,
        .rename = disk_rename,
        .unlink = disk_unlink,
        .list = disk_list,
        .make_dir = disk_make_dir,
        .sync_dir = disk_sync_dir,
        .lock = disk_lock,
    };
}
