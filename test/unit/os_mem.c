#include "unit/os_mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK 512

static struct os_mem_name *name_of(struct os_mem *m, const char *path)
{
    for (int i = 0; i < OS_MEM_FILES; i++)
        if (path[0] != 0 && strcmp(m->now[i].path, path) == 0)
            return &m->now[i];
    return NULL;
}

static struct os_mem_file *file_of(struct os_mem *m, int fd)
{
    ENSURE(fd >= 0 && fd < OS_MEM_FILES && m->fds[fd] != 0);
    return &m->files[m->fds[fd] - 1];
}

static int fail(int rc)
{
    errno = rc == SYNCLINE_EFULL   ? ENOSPC
        : rc == SYNCLINE_ENOTFOUND ? ENOENT
                                   : EIO;
    return rc;
}

/* Asked at the begin of each call that can fail. */
static int fault(struct os_mem *m, bool takes_room)
{
    if (m->fail_rc == SYNCLINE_EFULL && !takes_room)
        return SYNCLINE_OK;
    m->calls++;
    if (m->fail_at == 0 || m->calls < m->fail_at ||
        (m->calls > m->fail_at && !m->fail_for_good))
        return SYNCLINE_OK;
    m->failed++;
    return fail(m->fail_rc);
}

static uint64_t bytes_taken(const struct os_mem *m)
{
    uint64_t n = 0;

    for (int i = 0; i < OS_MEM_FILES; i++)
        n += m->files[i].now.len;
    return n;
}

/* Grows a file with zeros. */
static int extend(struct os_mem *m, struct os_mem_file *f, uint64_t n)
{
    uint8_t *to;
    size_t more;

    if (n <= f->now.len)
        return SYNCLINE_OK;
    more = (size_t)n - f->now.len;
    if (m->room != 0 && bytes_taken(m) + more > m->room)
        return fail(SYNCLINE_EFULL);
    to = buf_reserve(&f->now, more);
    ENSURE(to != NULL);
    memset(to, 0, more);
    f->now.len += more;
    return SYNCLINE_OK;
}

/* A file lives while a name, a name as it was synced, or a descriptor
 * leads to it. */
static bool in_use(const struct os_mem *m, int file)
{
    for (int i = 0; i < OS_MEM_FILES; i++)
        if ((m->now[i].path[0] != 0 && m->now[i].file == file) ||
            (m->synced[i].path[0] != 0 && m->synced[i].file == file) ||
            m->fds[i] == file + 1)
            return true;
    return false;
}

static int new_file(struct os_mem *m, const char *path)
{
    for (int i = 0; i < OS_MEM_FILES; i++) {
        if (in_use(m, i))
            continue;
        buf_free(&m->files[i].now);
        buf_free(&m->files[i].synced);
        for (int j = 0; j < OS_MEM_FILES; j++) {
            if (m->now[j].path[0] != 0)
                continue;
            (void)snprintf(m->now[j].path, sizeof m->now[j].path, "%s", path);
            m->now[j].file = i;
            return i;
        }
    }
    abort(); /* OS_MEM_FILES is too small for this test */
}

static int new_fd(struct os_mem *m, int file)
{
    for (int fd = 0; fd < OS_MEM_FILES; fd++) {
        if (m->fds[fd] != 0)
            continue;
        m->fds[fd] = file + 1;
        return fd;
    }
    abort();
}

static int mem_open(void *self, const char *path, enum os_open how, int *fd)
{
    struct os_mem *m = self;
    struct os_mem_name *n = name_of(m, path);
    int rc = fault(m, how == OS_OPEN_CREATE);

    if (rc != SYNCLINE_OK)
        return rc;
    if (how == OS_OPEN_CREATE) {
        if (n != NULL)
            return SYNCLINE_EEXIST;
        *fd = new_fd(m, new_file(m, path));
        return SYNCLINE_OK;
    }
    if (n == NULL)
        return fail(SYNCLINE_ENOTFOUND);
    *fd = new_fd(m, n->file);
    return SYNCLINE_OK;
}

static void mem_close(void *self, int fd)
{
    struct os_mem *m = self;

    (void)file_of(m, fd);
    m->fds[fd] = 0;
    if (m->lock_fd == fd)
        m->lock_fd = -1;
}

static int mem_read_at(
    void *self, int fd, void *p, size_t n, uint64_t at, size_t *got)
{
    struct os_mem *m = self;
    const struct buf *b = &file_of(m, fd)->now;
    int rc = fault(m, false);

    if (rc != SYNCLINE_OK)
        return rc;
    *got = at >= b->len ? 0 : b->len - (size_t)at;
    if (*got > n)
        *got = n;
    if (*got > 0)
        memcpy(p, b->ptr + at, *got);
    return SYNCLINE_OK;
}

/* A failing write leaves half of it behind. */
static int mem_write_at(
    void *self, int fd, const void *p, size_t n, uint64_t at)
{
    struct os_mem *m = self;
    struct os_mem_file *f = file_of(m, fd);
    int rc = fault(m, true);

    if (rc != SYNCLINE_OK)
        n /= 2;
    if (extend(m, f, at + n) != SYNCLINE_OK)
        return SYNCLINE_EFULL;
    if (n > 0)
        memcpy(f->now.ptr + at, p, n);
    return rc == SYNCLINE_OK ? rc : fail(rc);
}

static void copy(struct buf *to, const struct buf *from)
{
    buf_clear(to);
    buf_put_slice(to, buf_slice(from));
    ENSURE(buf_status(to) == SYNCLINE_OK);
}

static int mem_sync(void *self, int fd)
{
    struct os_mem *m = self;
    struct os_mem_file *f = file_of(m, fd);
    int rc = fault(m, false);

    if (rc == SYNCLINE_OK)
        copy(&f->synced, &f->now);
    return rc;
}

static int mem_reserve(void *self, int fd, uint64_t n)
{
    struct os_mem *m = self;
    int rc = fault(m, true);

    return rc == SYNCLINE_OK ? extend(m, file_of(m, fd), n) : rc;
}

static int mem_truncate(void *self, int fd, uint64_t n)
{
    struct os_mem *m = self;
    struct os_mem_file *f = file_of(m, fd);
    int rc = fault(m, true);

    if (rc != SYNCLINE_OK)
        return rc;
    if (n < f->now.len)
        f->now.len = (size_t)n;
    return extend(m, f, n);
}

static int mem_size(void *self, int fd, uint64_t *n)
{
    struct os_mem *m = self;
    int rc = fault(m, false);

    if (rc == SYNCLINE_OK)
        *n = file_of(m, fd)->now.len;
    return rc;
}

static int mem_rename(void *self, const char *from, const char *to)
{
    struct os_mem *m = self;
    struct os_mem_name *n = name_of(m, from), *old = name_of(m, to);
    int rc = fault(m, false);

    if (rc != SYNCLINE_OK)
        return rc;
    if (n == NULL)
        return fail(SYNCLINE_ENOTFOUND);
    if (old != NULL)
        old->path[0] = 0;
    (void)snprintf(n->path, sizeof n->path, "%s", to);
    return SYNCLINE_OK;
}

static int mem_unlink(void *self, const char *path)
{
    struct os_mem *m = self;
    struct os_mem_name *n = name_of(m, path);
    int rc = fault(m, false);

    if (rc != SYNCLINE_OK)
        return rc;
    if (n == NULL)
        return fail(SYNCLINE_ENOTFOUND);
    n->path[0] = 0;
    return SYNCLINE_OK;
}

static int mem_list(void *self, const char *dir, os_name_fn *fn, void *ctx)
{
    struct os_mem *m = self;
    size_t len = strlen(dir);
    int rc = fault(m, false);

    for (int i = 0; i < OS_MEM_FILES && rc == SYNCLINE_OK; i++)
        if (strncmp(m->now[i].path, dir, len) == 0 &&
            m->now[i].path[len] == '/')
            rc = fn(ctx, m->now[i].path + len + 1);
    return rc;
}

static int mem_make_dir(void *self, const char *path)
{
    (void)path;
    return fault(self, true);
}

static int mem_sync_dir(void *self, const char *path)
{
    struct os_mem *m = self;
    int rc = fault(m, false);

    (void)path;
    if (rc == SYNCLINE_OK)
        memcpy(m->synced, m->now, sizeof m->now);
    return rc;
}

static int mem_lock(void *self, const char *path, int *fd, int64_t *holder)
{
    struct os_mem *m = self;
    struct os_mem_name *n = name_of(m, path);
    int rc = fault(m, true);

    if (rc != SYNCLINE_OK)
        return rc;
    *holder = 42;
    if (m->lock_fd >= 0)
        return SYNCLINE_EBUSY;
    *fd = new_fd(m, n != NULL ? n->file : new_file(m, path));
    m->lock_fd = *fd;
    return SYNCLINE_OK;
}

void os_mem_init(struct os_mem *m)
{
    *m = (struct os_mem){ .lock_fd = -1 };
    m->port = (struct os_port){
        .self = m,
        .open = mem_open,
        .close = mem_close,
        .read_at = mem_read_at,
        .write_at = mem_write_at,
        .sync = mem_sync,
        .reserve = mem_reserve,
        .truncate = mem_truncate,
        .size = mem_size,
        .rename = mem_rename,
        .unlink = mem_unlink,
        .list = mem_list,
        .make_dir = mem_make_dir,
        .sync_dir = mem_sync_dir,
        .lock = mem_lock,
    };
}

void os_mem_free(struct os_mem *m)
{
    for (int i = 0; i < OS_MEM_FILES; i++) {
        buf_free(&m->files[i].now);
        buf_free(&m->files[i].synced);
    }
}

void os_mem_arm(struct os_mem *m, uint64_t n, int rc, bool for_good)
{
    m->calls = m->failed = 0;
    m->fail_at = n;
    m->fail_rc = rc;
    m->fail_for_good = for_good;
}

/* Block by block, the written one or the synced one. */
static void lose(struct os_mem_file *f, struct prng *p)
{
    size_t len = p != NULL && prng_one_in(p, 2) ? f->now.len : f->synced.len;
    struct buf left = { 0 };
    uint8_t *to = buf_reserve(&left, len + 1);

    ENSURE(to != NULL);
    memset(to, 0, len);
    left.len = len;
    for (size_t at = 0; at < len; at += BLOCK) {
        bool stays = p != NULL && prng_one_in(p, 2);
        const struct buf *from = stays ? &f->now : &f->synced;
        size_t n = len - at < BLOCK ? len - at : BLOCK;

        if (from->len > at)
            memcpy(to + at, from->ptr + at,
                from->len - at < n ? from->len - at : n);
    }
    buf_free(&f->now);
    f->now = left;
    copy(&f->synced, &f->now);
}

void os_mem_crash(struct os_mem *m, struct prng *p)
{
    bool keep_names = p != NULL && prng_one_in(p, 2);

    memcpy(keep_names ? m->synced : m->now, keep_names ? m->now : m->synced,
        sizeof m->now);
    memset(m->fds, 0, sizeof m->fds);
    m->lock_fd = -1;
    for (int i = 0; i < OS_MEM_FILES; i++)
        if (in_use(m, i))
            lose(&m->files[i], p);
    os_mem_arm(m, 0, SYNCLINE_OK, false);
}

struct buf *os_mem_content(struct os_mem *m, const char *path)
{
    struct os_mem_name *n = name_of(m, path);

    return n != NULL ? &m->files[n->file].now : NULL;
}
