#include "sim/disk.h"

#include "sim/disk_impl.h"

#include <stdio.h>
#include <stdlib.h>

void *disk_grow(void *p, size_t n, size_t size)
{
    void *more = reallocarray(p, n, size);

    ENSURE(more != NULL);
    return more;
}

/* ---- bytes ---- */

void disk_set_length(struct disk_bytes *b, size_t n)
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

void disk_put_at(struct disk_bytes *b, size_t at, const void *p, size_t n)
{
    if (n == 0)
        return;
    if (at + n > b->n)
        disk_set_length(b, at + n);
    memcpy(b->p + at, p, n);
}

static void become(struct disk_bytes *to, const struct disk_bytes *from)
{
    to->n = 0;
    disk_set_length(to, from->n);
    if (from->n > 0)
        memcpy(to->p, from->p, from->n);
}

/* ---- files and names ---- */

struct disk_name *disk_find(struct disk_name *names, const char *path)
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
    return disk_find(d->now, path) != NULL;
}

/* path "": the file loses its name, else gets this one; whatever had it
 * before loses it. */
static void set_name(struct disk_name *names, int file, const char *path)
{
    struct disk_name *at = disk_find(names, path);

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

void disk_rename_to(struct disk *d, int file, const char *path)
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

void disk_settle_names(struct disk *d, size_t n)
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
int disk_new_file(struct disk *d)
{
    for (int tries = 0; tries < 2; tries++) {
        for (int i = 0; i < DISK_FILES; i++)
            if (!in_use(d, i)) {
                clear_file(&d->files[i]);
                return i;
            }
        disk_settle_names(d, d->names_n);
    }
    abort(); /* DISK_FILES is too small */
}

/* ---- what becomes durable ---- */

/* Brings a write to the platter, whole or in aligned pieces that chance
 * chooses: each of size bytes stays with odds of keep in 8. */
static void settle_write(struct disk_file *f, const struct disk_write *w,
    size_t size, unsigned keep, struct prng *p)
{
    size_t end = w->at + w->n;
    const uint8_t *bytes;

    if (size == 0 || w->is_new_length)
        if (keep < 8 && prng_below(p, 8) >= keep)
            return;
    if (w->is_new_length) {
        disk_set_length(&f->synced, w->at);
        return;
    }
    bytes = f->log_bytes.p + w->bytes;
    if (size == 0) {
        disk_put_at(&f->synced, w->at, bytes, w->n);
        return;
    }
    for (size_t at = w->at; at < end;) {
        size_t next = at - at % size + size;
        size_t n = (next < end ? next : end) - at;

        if (prng_below(p, 8) < keep)
            disk_put_at(&f->synced, at, bytes + (at - w->at), n);
        at += n;
    }
}

void disk_settle(
    struct disk_file *f, size_t size, unsigned keep, struct prng *p)
{
    for (size_t i = 0; i < f->log_n; i++)
        settle_write(f, &f->log[i], size, keep, p);
    f->log_n = 0;
    f->log_bytes.n = 0;
}

uint64_t disk_bytes_taken(const struct disk *d)
{
    uint64_t n = 0;

    for (int i = 0; i < DISK_FILES; i++)
        n += d->files[i].now.n > 0 && in_use(d, i) ? d->files[i].now.n : 0;
    return n;
}

/* ---- the whole disk ---- */

void disk_init(struct disk *d, uint64_t seed)
{
    *d = (struct disk){ .lock_fd = -1, .chance = { seed } };
    disk_set_port(d);
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
    disk_settle_names(
        d, keep == 0 ? 0 : (size_t)prng_below(p, (uint64_t)d->names_n + 1));
    memcpy(d->now, d->synced, sizeof d->now);
    for (int i = 0; i < DISK_FILES; i++) {
        struct disk_file *f = &d->files[i];

        if ((f->now.n == 0 && f->synced.n == 0 && f->log_n == 0) ||
            !in_use(d, i))
            continue;
        if (keep > 0)
            disk_settle(f, size, keep, p);
        f->log_n = 0;
        f->log_bytes.n = 0;
        become(&f->now, &f->synced);
    }
}

/* ---- damage ---- */

struct disk_bytes *disk_content(struct disk *d, const char *path)
{
    struct disk_name *n = disk_find(d->now, path);

    return n != NULL ? &d->files[n->file].now : NULL;
}

void disk_set(struct disk *d, const char *path, const void *p, size_t n)
{
    const struct disk_name *name = disk_find(d->now, path);
    struct disk_file *f;
    int file;

    disk_settle_names(d, d->names_n);
    if (p == NULL) {
        if (name != NULL)
            set_name(d->now, name->file, "");
        memcpy(d->synced, d->now, sizeof d->now);
        return;
    }
    file = name != NULL ? name->file : disk_new_file(d);
    set_name(d->now, file, path);
    set_name(d->synced, file, path);
    f = &d->files[file];
    disk_settle(f, 0, 8, NULL);
    f->now.n = 0;
    disk_put_at(&f->now, 0, p, n);
    become(&f->synced, &f->now);
}

void disk_flip(struct disk *d, const char *path, size_t at, unsigned bit)
{
    const struct disk_name *n = disk_find(d->now, path);
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
