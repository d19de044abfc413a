/* disk_vfs.c - lets SQLite live on a disk in memory.
 *
 * Writes, syncs, truncations and names go through the disk's port and so meet
 * its faults. Locks and the shared memory of the write-ahead log belong to
 * the process: they are gone when that ends, as flock and an -shm file that
 * nobody holds are. */
#include "sim/disk.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define REGIONS 64 /* of shared memory, 32 KiB each */

struct disk_shm {
    uint8_t *regions[REGIONS];
    int readers[SQLITE_SHM_NLOCK]; /* -1: one that excludes all others */
    int shared;                    /* connections that may read the file */
    struct handle *reserved, *pending, *exclusive;
};

struct handle {
    sqlite3_file base;
    struct disk *disk;
    struct disk_file *file;
    int fd, level;
    bool delete_it, new_name;
    uint16_t shared, exclusive; /* slots of shared memory that it locks */
    char path[DISK_NAME];
};

static void free_regions(struct disk_shm *s)
{
    for (int i = 0; i < REGIONS; i++) {
        free(s->regions[i]);
        s->regions[i] = NULL;
    }
}

void disk_shm_free(struct disk_file *f)
{
    if (f->shm == NULL)
        return;
    free_regions(f->shm);
    free(f->shm);
    f->shm = NULL;
}

static struct disk_shm *shm_of(struct disk_file *f)
{
    if (f->shm == NULL) {
        f->shm = disk_grow(NULL, 1, sizeof *f->shm);
        memset(f->shm, 0, sizeof *f->shm);
    }
    return f->shm;
}

static struct handle *handle_of(sqlite3_file *base)
{
    return (struct handle *)base;
}

static int result(int rc, int otherwise)
{
    if (rc == SYNCLINE_OK)
        return SQLITE_OK;
    return rc == SYNCLINE_EFULL ? SQLITE_FULL : otherwise;
}

/* ---- a file ---- */

static int file_unlock(sqlite3_file *base, int level);

static void drop_slots(struct handle *h)
{
    struct disk_shm *s = shm_of(h->file);

    for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
        if ((h->exclusive >> i & 1) != 0)
            s->readers[i] = 0;
        if ((h->shared >> i & 1) != 0)
            s->readers[i]--;
    }
    h->shared = h->exclusive = 0;
}

static int file_close(sqlite3_file *base)
{
    struct handle *h = handle_of(base);
    struct disk *d = h->disk;

    (void)file_unlock(base, SQLITE_LOCK_NONE);
    drop_slots(h);
    d->port.close(d, h->fd);
    if (h->delete_it)
        (void)d->port.unlink(d, h->path);
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *p, int n, sqlite3_int64 at)
{
    struct handle *h = handle_of(base);
    size_t got = 0;
    int rc =
        h->disk->port.read_at(h->disk, h->fd, p, (size_t)n, (uint64_t)at, &got);

    if (rc != SYNCLINE_OK)
        return SQLITE_IOERR_READ;
    if (got == (size_t)n)
        return SQLITE_OK;
    memset((uint8_t *)p + got, 0, (size_t)n - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(
    sqlite3_file *base, const void *p, int n, sqlite3_int64 at)
{
    struct handle *h = handle_of(base);

    return result(
        h->disk->port.write_at(h->disk, h->fd, p, (size_t)n, (uint64_t)at),
        SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 n)
{
    struct handle *h = handle_of(base);

    return result(h->disk->port.truncate(h->disk, h->fd, (uint64_t)n),
        SQLITE_IOERR_TRUNCATE);
}

/* As SQLite's own: the name of a new log or journal is made durable with its
 * first sync, and a failure of that is not told. */
static int file_sync(sqlite3_file *base, int flags)
{
    struct handle *h = handle_of(base);
    int rc = h->disk->port.sync(h->disk, h->fd);

    (void)flags;
    if (rc == SYNCLINE_OK && h->new_name) {
        h->new_name = false;
        (void)h->disk->port.sync_dir(h->disk, "");
    }
    return result(rc, SQLITE_IOERR_FSYNC);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *n)
{
    struct handle *h = handle_of(base);
    uint64_t size = 0;
    int rc = h->disk->port.size(h->disk, h->fd, &size);

    *n = (sqlite3_int64)size;
    return rc == SYNCLINE_OK ? SQLITE_OK : SQLITE_IOERR_FSTAT;
}

static int file_lock(sqlite3_file *base, int level)
{
    struct handle *h = handle_of(base);
    struct disk_shm *s = shm_of(h->file);

    if (h->level >= level)
        return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
        if (s->pending != NULL || s->exclusive != NULL)
            return SQLITE_BUSY;
        s->shared++;
    } else if (level == SQLITE_LOCK_RESERVED) {
        if (s->reserved != NULL && s->reserved != h)
            return SQLITE_BUSY;
        s->reserved = h;
    } else { /* exclusive */
        if ((s->reserved != NULL && s->reserved != h) ||
            (s->pending != NULL && s->pending != h))
            return SQLITE_BUSY;
        s->pending = h;
        if (s->shared > 1) {
            h->level = SQLITE_LOCK_PENDING;
            return SQLITE_BUSY;
        }
        s->exclusive = h;
    }
    h->level = level;
    return SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int level)
{
    struct handle *h = handle_of(base);
    struct disk_shm *s = shm_of(h->file);

    if (h->level <= level)
        return SQLITE_OK;
    if (s->exclusive == h)
        s->exclusive = NULL;
    if (s->pending == h)
        s->pending = NULL;
    if (s->reserved == h)
        s->reserved = NULL;
    if (level == SQLITE_LOCK_NONE && h->level >= SQLITE_LOCK_SHARED)
        s->shared--;
    h->level = level;
    return SQLITE_OK;
}

static int file_is_reserved(sqlite3_file *base, int *out)
{
    *out = shm_of(handle_of(base)->file)->reserved != NULL;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
    (void)base;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int sector_size(sqlite3_file *base)
{
    (void)base;
    return 4096;
}

/* What SQLite takes for granted of Unix files. */
static int characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- shared memory ---- */

static int shm_map(
    sqlite3_file *base, int ix, int size, int extend, void volatile **out)
{
    struct disk_shm *s = shm_of(handle_of(base)->file);

    if (ix >= REGIONS)
        return SQLITE_IOERR_SHMMAP;
    if (s->regions[ix] == NULL && extend != 0) {
        s->regions[ix] = disk_grow(NULL, (size_t)size, 1);
        memset(s->regions[ix], 0, (size_t)size);
    }
    *out = s->regions[ix];
    return SQLITE_OK;
}

static bool slots_are_free(const struct handle *h, const struct disk_shm *s,
    int from, int n, int flags)
{
    for (int i = from; i < from + n; i++) {
        int mine = h->shared >> i & 1;

        if ((h->exclusive >> i & 1) != 0)
            continue;
        if (s->readers[i] < 0)
            return false;
        if ((flags & SQLITE_SHM_EXCLUSIVE) != 0 && s->readers[i] > mine)
            return false;
    }
    return true;
}

static void let_slot_go(struct handle *h, struct disk_shm *s, int i)
{
    uint16_t bit = (uint16_t)(1u << i);

    if ((h->exclusive & bit) != 0)
        s->readers[i] = 0;
    else if ((h->shared & bit) != 0)
        s->readers[i]--;
    h->exclusive &= (uint16_t)~bit;
    h->shared &= (uint16_t)~bit;
}

static int shm_lock(sqlite3_file *base, int from, int n, int flags)
{
    struct handle *h = handle_of(base);
    struct disk_shm *s = shm_of(h->file);

    if ((flags & SQLITE_SHM_LOCK) != 0 && !slots_are_free(h, s, from, n, flags))
        return SQLITE_BUSY;
    for (int i = from; i < from + n; i++) {
        if ((flags & SQLITE_SHM_UNLOCK) != 0) {
            let_slot_go(h, s, i);
        } else if ((flags & SQLITE_SHM_EXCLUSIVE) != 0) {
            s->readers[i] = -1;
            h->exclusive |= (uint16_t)(1u << i);
        } else if ((h->shared >> i & 1) == 0) {
            s->readers[i]++;
            h->shared |= (uint16_t)(1u << i);
        }
    }
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int shm_unmap(sqlite3_file *base, int delete_it)
{
    struct handle *h = handle_of(base);

    drop_slots(h);
    if (delete_it != 0)
        free_regions(shm_of(h->file));
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_is_reserved,
    .xFileControl = file_control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- the file system ---- */

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base,
    int flags, int *out_flags)
{
    struct handle *h = handle_of(base);
    struct disk *d = vfs->pAppData;
    bool may_make = (flags & SQLITE_OPEN_CREATE) != 0, made = false;
    int rc = SYNCLINE_ENOTFOUND;

    *h = (struct handle){ .disk = d };
    if (name == NULL)
        (void)snprintf(h->path, sizeof h->path, "temp-%016llx",
            (unsigned long long)prng_next(&d->chance));
    else
        (void)snprintf(h->path, sizeof h->path, "%s", name);
    if (!may_make || disk_has(d, h->path))
        rc = d->port.open(d, h->path, OS_OPEN_WRITE, &h->fd);
    else {
        rc = d->port.open(d, h->path, OS_OPEN_CREATE, &h->fd);
        made = rc == SYNCLINE_OK;
    }
    if (rc != SYNCLINE_OK)
        return result(rc, SQLITE_CANTOPEN);
    h->file = disk_file_of(d, h->fd);
    h->delete_it = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    h->new_name = made &&
        (flags &
            (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL |
                SQLITE_OPEN_SUPER_JOURNAL)) != 0;
    if (out_flags != NULL)
        *out_flags = flags;
    base->pMethods = &methods;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    struct disk *d = vfs->pAppData;
    int rc = d->port.unlink(d, name);

    if (rc == SYNCLINE_ENOTFOUND)
        return SQLITE_IOERR_DELETE_NOENT;
    if (rc == SYNCLINE_OK && sync_dir != 0)
        rc = d->port.sync_dir(d, "");
    return rc == SYNCLINE_OK ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

/* Like SQLite's own, what exists but holds nothing counts as absent. */
static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    const struct disk_bytes *b = disk_content(vfs->pAppData, name);

    *out = b != NULL && (flags != SQLITE_ACCESS_EXISTS || b->n > 0);
    return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    (void)snprintf(out, (size_t)n, "%s", name);
    return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int n, char *out)
{
    struct disk *d = vfs->pAppData;

    for (int i = 0; i < n; i++)
        out[i] = (char)prng_next(&d->chance);
    return n;
}

/* Nobody else runs while SQLite waits: what is locked stays locked. */
static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static int vfs_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *ms)
{
    (void)vfs;
    *ms = (sqlite3_int64)212000000000000; /* some day; nothing asks for it */
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)n;
    (void)out;
    return ((struct disk *)vfs->pAppData)->last_errno;
}

void disk_vfs_register(struct disk *d)
{
    static unsigned made;
    sqlite3_vfs *vfs = disk_grow(NULL, 1, sizeof *vfs);

    (void)snprintf(d->vfs, sizeof d->vfs, "syncline-disk-%u", ++made);
    *vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = (int)sizeof(struct handle),
        .mxPathname = DISK_NAME,
        .zName = d->vfs,
        .pAppData = d,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_name,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time_ms,
    };
    d->vfs_self = vfs;
    ENSURE(sqlite3_vfs_register(vfs, 0) == SQLITE_OK);
}

void disk_vfs_unregister(struct disk *d)
{
    (void)sqlite3_vfs_unregister(d->vfs_self);
    free(d->vfs_self);
    d->vfs_self = NULL;
    d->vfs[0] = 0;
}
