#include "sim/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void *disk_grow(void *p, size_t n, size_t size)
{
    void *more = reallocarray(p, n, size);

    ENSURE(more != NULL);
    return more;
}

/* ---- bytes ---- */

static void set_length(struct disk_bytes *b, size_t n)
{
    if (n > b->cap) {
        size_t cap = b->cap < 1024 ? 1024 : b->cap;

        while (cap < n)
            cap *= 2;
        b->p = disk_grow(b->p, cap, 1);
        b->cap = cap;
    }
    if (n > b->n)
        memset(b->p + b->n, 0, n - b->n);
    b->n = n;
}

static void put_at(struct disk_bytes *b, size_t at, const void *p, size_t n)
{
    if (n == 0)
        return;
    if (at + n > b->n)
        set_length(b, at + n);
    memcpy(b->p + at, p, n);
}

static void become(struct disk_bytes *to, const struct disk_bytes *from)
{
    to->n = 0;
    set_length(to, from->n);
    if (from->n > 0)
        memcpy(to->p, from->p, from->n);
}

/* ---- files and names ---- */

static struct disk_name *name_of(struct disk_name *names, const char *path)
{
    for (int i = 0; i < DISK_FILES; i++)
        if (path[0] != 0 && strcmp(names[i].path, path) == 0)
            return &names[i];
    return NULL;
}

struct disk_file *disk_file_of(struct disk *d, int fd)
{
    ENSURE(fd >= 0 && fd < DISK_FILES && d->fds[fd] != 0);
    return &d->files[d->fds[fd] - 1];
}

bool disk_has(struct disk *d, const char *path)
{
    return name_of(d->now, path) != NULL;
}

/* path "": the file loses its name, else gets this one; whatever had it
 * before loses it. */
static void set_name(struct disk_name *names, int file, const char *path)
{
    struct disk_name *at = name_of(names, path);

    if (at != NULL)
        at->path[0] = 0;
    for (int i = 0; i < DISK_FILES; i++)
        if (names[i].path[0] != 0 && names[i].file == file)
            names[i].path[0] = 0;
    for (int i = 0; path[0] != 0 && i < DISK_FILES; i++) {
        if (names[i].path[0] != 0)
            continue;
        (void)snprintf(names[i].path, sizeof names[i].path, "%s", path);
        names[i].file = file;
        return;
    }
    ENSURE(path[0] == 0);
}

static void rename_to(struct disk *d, int file, const char *path)
{
    struct disk_renaming *r;

    if (d->names_n == d->names_cap) {
        d->names_cap = d->names_cap == 0 ? 16 : d->names_cap * 2;
        d->names = disk_grow(d->names, d->names_cap, sizeof *d->names);
    }
    r = &d->names[d->names_n++];
    (void)snprintf(r->path, sizeof r->path, "%s", path);
    r->file = file;
    set_name(d->now, file, path);
}

/* A file lives while a name, a name as it was synced or may yet be, or a
 * descriptor leads to it. */
static bool in_use(const struct disk *d, int file)
{
    for (int i = 0; i < DISK_FILES; i++)
        if ((d->now[i].path[0] != 0 && d->now[i].file == file) ||
            (d->synced[i].path[0] != 0 && d->synced[i].file == file) ||
            d->fds[i] == file + 1)
            return true;
    for (size_t i = 0; i < d->names_n; i++)
        if (d->names[i].file == file)
            return true;
    return false;
}

static void settle_names(struct disk *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        set_name(d->synced, d->names[i].file, d->names[i].path);
    d->names_n = 0;
}

static void clear_file(struct disk_file *f)
{
    f->now.n = f->synced.n = f->log_bytes.n = 0;
    f->log_n = 0;
    disk_shm_free(f);
}

/* Where files are short, names that nobody synced get durable by themselves,
 * as they do in time, and what lost its name is free. */
static int new_file(struct disk *d)
{
    for (int tries = 0; tries < 2; tries++) {
        for (int i = 0; i < DISK_FILES; i++)
            if (!in_use(d, i)) {
                clear_file(&d->files[i]);
                return i;
            }
        settle_names(d, d->names_n);
    }
    abort(); /* DISK_FILES is too small */
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

uint64_t disk_bytes_taken(const struct disk *d)
{
    uint64_t n = 0;

    for (int i = 0; i < DISK_FILES; i++)
        n += d->files[i].now.n > 0 && in_use(d, i) ? d->files[i].now.n : 0;
    return n;
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
    put_at(&f->log_bytes, f->log_bytes.n, p, n);
    put_at(&f->now, at, p, n);
}

static void change_length(struct disk_file *f, size_t n)
{
    if (n == f->now.n)
        return;
    *add_write(f) = (struct disk_write){ .at = n, .is_new_length = true };
    set_length(&f->now, n);
}

/* Brings a write to the platter, whole or in aligned pieces that chance
 * chooses: each of size bytes stays with odds of keep in 8. */
static void settle_write(struct disk_file *f, const struct disk_write *w,
    size_t size, unsigned keep, struct prng *p)
{
    const uint8_t *bytes = f->log_bytes.p + w->bytes;
    size_t end = w->at + w->n;

    if (size == 0 || w->is_new_length) {
        if (keep < 8 && prng_below(p, 8) >= keep)
            return;
        if (w->is_new_length)
            set_length(&f->synced, w->at);
        else
            put_at(&f->synced, w->at, bytes, w->n);
        return;
    }
    for (size_t at = w->at; at < end;) {
        size_t next = at - at % size + size;
        size_t n = (next < end ? next : end) - at;

        if (prng_below(p, 8) < keep)
            put_at(&f->synced, at, bytes + (at - w->at), n);
        at += n;
    }
}

static void settle(
    struct disk_file *f, size_t size, unsigned keep, struct prng *p)
{
    for (size_t i = 0; i < f->log_n; i++)
        settle_write(f, &f->log[i], size, keep, p);
    f->log_n = 0;
    f->log_bytes.n = 0;
}

/* ---- the port ---- */

static int disk_open(void *self, const char *path, enum os_open how, int *fd)
{
    struct disk *d = self;
    const struct disk_name *n = name_of(d->now, path);
    bool amid;
    int rc = fault(d, how == OS_OPEN_CREATE ? TAKES_ROOM : READS, &amid);

    if (rc != SYNCLINE_OK && !amid)
        return rc;
    if (how == OS_OPEN_CREATE) {
        int file;

        if (n != NULL)
            return fail(d, SYNCLINE_EEXIST);
        file = new_file(d);
        rename_to(d, file, path);
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
        settle(f, 4096, 4, &d->chance); /* and clean they are from now on */
    if (rc != SYNCLINE_OK)
        return rc;
    if (d->lies && f->log_n > 0) {
        d->lies = false;
        d->lied++;
        settle(f, 4096, (unsigned)prng_below(&d->chance, 2) * 4, &d->chance);
        return fail(d, SYNCLINE_EIO);
    }
    settle(f, 0, 8, NULL);
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
    const struct disk_name *n = name_of(d->now, from);
    bool amid;
    int rc = fault(d, CHANGES, &amid);

    if (rc != SYNCLINE_OK && !amid)
        return rc;
    if (n == NULL)
        return fail(d, SYNCLINE_ENOTFOUND);
    rename_to(d, n->file, to);
    return rc;
}

static int disk_unlink(void *self, const char *path)
{
    struct disk *d = self;
    const struct disk_name *n = name_of(d->now, path);
    bool amid;
    int rc = fault(d, CHANGES, &amid);

    if (rc != SYNCLINE_OK && !amid)
        return rc;
    if (n == NULL)
        return fail(d, SYNCLINE_ENOTFOUND);
    rename_to(d, n->file, "");
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
        settle_names(d, d->names_n);
    return rc;
}

static int disk_lock(void *self, const char *path, int *fd, int64_t *holder)
{
    struct disk *d = self;
    const struct disk_name *n = name_of(d->now, path);
    int file = n != NULL ? n->file : -1;
    bool amid;
    int rc = fault(d, TAKES_ROOM, &amid);

    if (rc != SYNCLINE_OK)
        return rc;
    *holder = 42;
    if (d->lock_fd >= 0)
        return SYNCLINE_EBUSY;
    if (file < 0) {
        file = new_file(d);
        rename_to(d, file, path);
    }
    *fd = new_fd(d, file);
    d->lock_fd = *fd;
    return SYNCLINE_OK;
}

static void set_port(struct disk *d)
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

/* ---- the whole disk ---- */

void disk_init(struct disk *d, uint64_t seed)
{
    *d = (struct disk){ .lock_fd = -1, .chance = { seed } };
    set_port(d);
}

void disk_free(struct disk *d)
{
    if (d->vfs[0] != 0)
        disk_vfs_unregister(d);
    for (int i = 0; i < DISK_FILES; i++) {
        struct disk_file *f = &d->files[i];

        disk_shm_free(f);
        free(f->now.p);
        free(f->synced.p);
        free(f->log_bytes.p);
        free(f->log);
    }
    free(d->names);
}

void disk_copy(struct disk *to, const struct disk *from)
{
    uint64_t seed = from->chance.state;

    disk_init(to, prng_next(&(struct prng){ seed }));
    memcpy(to->now, from->now, sizeof to->now);
    memcpy(to->synced, from->now, sizeof to->synced);
    for (int i = 0; i < DISK_FILES; i++) {
        if (from->files[i].now.n == 0 || !in_use(to, i))
            continue;
        become(&to->files[i].now, &from->files[i].now);
        become(&to->files[i].synced, &from->files[i].now);
    }
}

void disk_arm(struct disk *d, uint64_t n, int rc, bool for_good)
{
    d->calls = d->failed = 0;
    d->fail_at = n;
    d->fail_rc = rc;
    d->fail_for_good = for_good;
}

void disk_arm_cut(struct disk *d, uint64_t n)
{
    d->changes = 0;
    d->cut_at = n;
}

void disk_arm_lie(struct disk *d)
{
    d->lies = true;
}

void disk_off(struct disk *d)
{
    d->off = true;
}

void disk_restart(struct disk *d)
{
    memset(d->fds, 0, sizeof d->fds);
    d->lock_fd = -1;
    d->off = d->lies = false;
    for (int i = 0; i < DISK_FILES; i++)
        disk_shm_free(&d->files[i]);
    disk_arm(d, 0, SYNCLINE_OK, false);
    disk_arm_cut(d, 0);
}

void disk_crash(struct disk *d, enum disk_loss how, struct prng *p)
{
    static const unsigned odds[] = { 4, 1, 7 };
    unsigned keep = how == DISK_DROPPED ? 0 : odds[prng_below(p, 3)];
    size_t size = how == DISK_TORN_512 ? 512 : how == DISK_TORN_4096 ? 4096 : 0;

    disk_restart(d);
    settle_names(
        d, keep == 0 ? 0 : (size_t)prng_below(p, (uint64_t)d->names_n + 1));
    memcpy(d->now, d->synced, sizeof d->now);
    for (int i = 0; i < DISK_FILES; i++) {
        struct disk_file *f = &d->files[i];

        if ((f->now.n == 0 && f->synced.n == 0 && f->log_n == 0) ||
            !in_use(d, i))
            continue;
        if (keep > 0)
            settle(f, size, keep, p);
        f->log_n = 0;
        f->log_bytes.n = 0;
        become(&f->now, &f->synced);
    }
}

/* ---- damage ---- */

struct disk_bytes *disk_content(struct disk *d, const char *path)
{
    struct disk_name *n = name_of(d->now, path);

    return n != NULL ? &d->files[n->file].now : NULL;
}

void disk_set(struct disk *d, const char *path, const void *p, size_t n)
{
    const struct disk_name *name = name_of(d->now, path);
    struct disk_file *f;
    int file;

    settle_names(d, d->names_n);
    if (p == NULL) {
        if (name != NULL)
            set_name(d->now, name->file, "");
        memcpy(d->synced, d->now, sizeof d->now);
        return;
    }
    file = name != NULL ? name->file : new_file(d);
    set_name(d->now, file, path);
    set_name(d->synced, file, path);
    f = &d->files[file];
    settle(f, 0, 8, NULL);
    f->now.n = 0;
    put_at(&f->now, 0, p, n);
    become(&f->synced, &f->now);
}

void disk_flip(struct disk *d, const char *path, size_t at, unsigned bit)
{
    const struct disk_name *n = name_of(d->now, path);
    struct disk_file *f;

    ENSURE(n != NULL);
    f = &d->files[n->file];
    ENSURE(at < f->now.n);
    f->now.p[at] ^= (uint8_t)(1u << bit);
    if (at < f->synced.n)
        f->synced.p[at] ^= (uint8_t)(1u << bit);
    for (size_t i = 0; i < f->log_n; i++)
        if (at >= f->log[i].at && at - f->log[i].at < f->log[i].n)
            f->log_bytes.p[f->log[i].bytes + at - f->log[i].at] ^=
                (uint8_t)(1u << bit);
}

unsigned disk_paths_n(const struct disk *d)
{
    unsigned n = 0;

    for (int i = 0; i < DISK_FILES; i++)
        n += d->now[i].path[0] != 0;
    return n;
}

const char *disk_path(const struct disk *d, unsigned ix)
{
    for (int i = 0; i < DISK_FILES; i++)
        if (d->now[i].path[0] != 0 && ix-- == 0)
            return d->now[i].path;
    return NULL;
}
