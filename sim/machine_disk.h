/* machine_disk.h - what a machine keeps: the store in memory, or the real one
 * on a disk of its own, behind one face.
 *
 * Beside the real one runs its twin in memory, which is given the same
 * commits and must hold the same after each restart (check_store.c).
 * Law: equal seeds, equal runs, whichever it is. */
#ifndef SYNCLINE_SIM_MACHINE_DISK_H
#define SYNCLINE_SIM_MACHINE_DISK_H

#include "sim/disk.h"
#include "store/store_file.h"
#include "store/store_mem.h"

/* As it was when somebody copied it; both NULL: nobody did. */
struct disk_backup {
    struct store_mem *mem;
    struct disk *disk;
};

struct machine_disk {
    struct store_mem *mem;   /* the store, or its twin */
    struct disk *disk;       /* NULL: mem is all there is */
    struct store_file *file; /* while the machine is on */
    struct store_file_options opt;
    struct store_sync sync;
    bool syncing;
    enum { DISK_STILL, DISK_MOVING, DISK_MOVED } checkpoint;
    struct disk_backup backup;
    struct disk *healthy; /* as it was before a bit flipped, or NULL */
    bool flipped_state;   /* that was in state.db, or its WAL */
    uint64_t checkpoints; /* made on it, ever */
};

void machine_disk_init(struct machine_disk *d, bool on_file, struct prng *p);
void machine_disk_free(struct machine_disk *d);

/* Faults of an earlier life are over. */
NODISCARD int machine_disk_open(
    struct machine_disk *d, uint64_t now_ms, struct errmsg *why);
struct store_port machine_disk_port(struct machine_disk *d);
/* From its next opening on no commit may have more bytes. 0: as it is. */
void machine_disk_limit(struct machine_disk *d, size_t bytes);
/* One commit in both. */
NODISCARD int machine_disk_commit(
    struct machine_disk *d, struct slice ops, uint64_t *no);
uint64_t machine_disk_last(const struct machine_disk *d);
uint64_t machine_disk_durable(const struct machine_disk *d);

/* The sync helper's job: *upto is what it will make durable (a guess, before
 * it is done). As store_file_sync_begin and _end, with the run between. */
bool machine_disk_sync_begin(struct machine_disk *d, uint64_t *upto, int *rc);
NODISCARD int machine_disk_sync_end(struct machine_disk *d, uint64_t *durable);
/* All at once, before anything may leave. */
NODISCARD int machine_disk_sync_all(struct machine_disk *d);

/* The checkpoint helper's job. */
bool machine_disk_checkpoint_begin(struct machine_disk *d, uint64_t now_ms);
void machine_disk_checkpoint_run(struct machine_disk *d);
void machine_disk_checkpoint_end(struct machine_disk *d);

/* The store refuses everything: the daemon ends. */
bool machine_disk_failed(const struct machine_disk *d);
/* The power went amid a write. */
static inline bool machine_disk_is_cut(const struct machine_disk *d)
{
    return d->disk != NULL && d->disk->off;
}

/* The power goes: chance says what stays of what was not durable. */
void machine_disk_crash(struct machine_disk *d, struct prng *p);
/* The process ends. */
void machine_disk_kill(struct machine_disk *d, struct prng *p);
/* In good order: jobs under way come to their end. */
NODISCARD int machine_disk_stop(struct machine_disk *d);

/* Copies it, in the place of an older copy; false if that cannot be now. */
NODISCARD bool machine_disk_save(struct machine_disk *d);
/* Puts the copy in its place; it is off. */
void machine_disk_restore(struct machine_disk *d);

/* The bit that flipped is as it was before, or was harmless. */
void machine_disk_unflip(struct machine_disk *d);
void machine_disk_forget(struct machine_disk *d);

/* No room for a while, or for some commits. */
void machine_disk_fill(struct machine_disk *d, struct prng *p);
void machine_disk_mend(struct machine_disk *d);

#endif
