/* disk.h - a disk in memory: files, what of them a power loss would leave,
 * and everything that can go wrong.
 *
 * For one thread. Folders are not modelled: a path is a name.
 * Laws. What was synced, and the name that a folder's sync covered, survive
 * every power loss. Of what was written since, any part does: each write
 * whole or in aligned pieces, whatever its order; of names a prefix. A bit
 * flipped by hand survives too.
 * Its memory is not the tests' failing allocator's; if that of the real
 * machine runs out the program ends. */
#ifndef SYNCLINE_SIM_DISK_H
#define SYNCLINE_SIM_DISK_H

#include "base/prng.h"
#include "store/os.h"

#define DISK_FILES 400
#define DISK_NAME 64

struct disk_bytes {
    uint8_t *p;
    size_t n, cap;
};

/* What was done to a file since it was synced. */
struct disk_write {
    size_t at, n; /* where; a new length has no n */
    size_t bytes; /* in the file's log_bytes */
    bool is_new_length;
};

struct disk_shm; /* disk_vfs.c: SQLite's locks and shared memory of a file */

struct disk_file {
    struct disk_bytes now, synced, log_bytes;
    struct disk_write *log;
    size_t log_n, log_cap;
    struct disk_shm *shm;
};

struct disk_name {
    char path[DISK_NAME]; /* "": free */
    int file;
};

/* A file got a name, or (path "") lost its own. */
struct disk_renaming {
    char path[DISK_NAME];
    int file;
};

/* What a power loss leaves of what was not synced. */
enum disk_loss {
    DISK_DROPPED,   /* nothing */
    DISK_SUBSET,    /* some of the writes, each whole */
    DISK_TORN_512,  /* some 512 bytes of each */
    DISK_TORN_4096, /* some 4 KiB of each */
    DISK_LOSS_END
};

struct disk {
    struct os_port port;
    char vfs[32]; /* the name under which SQLite finds it; "": not at all */
    void *vfs_self;
    struct disk_file files[DISK_FILES];
    struct disk_name now[DISK_FILES], synced[DISK_FILES];
    struct disk_renaming *names; /* since the folder was synced */
    size_t names_n, names_cap;
    int fds[DISK_FILES]; /* file + 1, 0: free */
    int lock_fd;
    uint64_t calls;     /* those that can fail, since the last arming */
    uint64_t fail_at;   /* 0: never */
    bool fail_for_good; /* else once */
    int fail_rc;        /* EFULL: only calls that take room fail */
    bool spare_reads;   /* what only reads does not fail */
    uint64_t failed;    /* calls that were made to fail */
    uint64_t changes;   /* writes, syncs and the like, since the last arming */
    uint64_t cut_at;    /* the power goes amid this one; 0: never */
    bool off;           /* it did: every call fails */
    bool lies;          /* the next sync of a file fails, and drops pages */
    uint64_t lied;
    uint64_t room;      /* bytes that all files may take; 0: no limit */
    struct prng chance; /* of what a failed sync leaves, and for SQLite */
    int last_errno;
};

void disk_init(struct disk *d, uint64_t seed);
void disk_free(struct disk *d);
/* A second disk with the same files, all of it synced. */
void disk_copy(struct disk *to, const struct disk *from);

uint64_t disk_bytes_taken(const struct disk *d);

/* The nth call from now fails with rc, once or for good. 0: none does. */
void disk_arm(struct disk *d, uint64_t n, int rc, bool for_good);
/* The power goes amid the nth change from now. 0: it stays. */
void disk_arm_cut(struct disk *d, uint64_t n);
/* The next sync of a file fails; what it was to make durable stays readable
 * and may be lost all the same, whatever later syncs say (as Linux does). */
void disk_arm_lie(struct disk *d);

/* The process ends: no call succeeds until disk_restart. Nothing is lost. */
void disk_off(struct disk *d);
/* Descriptors and locks of the process are gone, faults end. */
void disk_restart(struct disk *d);
/* The power is lost, too: only what that leaves is there. */
void disk_crash(struct disk *d, enum disk_loss how, struct prng *p);

/* A file's bytes as they are read, to look at or to damage, or NULL. */
struct disk_bytes *disk_content(struct disk *d, const char *path);
/* Damage that is durable too: other content (it is made, if need be), nothing
 * (p NULL removes it), one bit. */
void disk_set(struct disk *d, const char *path, const void *p, size_t n);
void disk_flip(struct disk *d, const char *path, size_t at, unsigned bit);
/* The ix-th file of those that have a name, or NULL. */
const char *disk_path(const struct disk *d, unsigned ix);
unsigned disk_paths_n(const struct disk *d);

/* disk_vfs.c: SQLite reaches it as d->vfs until disk_free. */
void disk_vfs_register(struct disk *d);
void disk_vfs_unregister(struct disk *d);
void disk_shm_free(struct disk_file *f);

/* For disk_vfs.c. */
struct disk_file *disk_file_of(struct disk *d, int fd);
bool disk_has(struct disk *d, const char *path);
void *disk_grow(void *p, size_t n, size_t size);

#endif
