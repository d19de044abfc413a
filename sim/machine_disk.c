#include "sim/machine_disk.h"

#include "sim/world.h"

#include <stdlib.h>

#define FOLDER "disk"

/* Small, so that segments turn over and checkpoints happen all the time. */
static void draw_sizes(struct machine_disk *d, struct prng *p)
{
    d->opt = (struct store_file_options){
        .os = &d->disk->port,
        .vfs = d->disk->vfs,
    };
    d->opt.segment_bytes = (size_t)2048 << prng_below(p, 5);
    d->opt.checkpoint_bytes = (size_t)512 << prng_below(p, 6);
    d->opt.checkpoint_ms = 20 + prng_below(p, 2000);
    /* Nobody waits here when it is full, so it never is. */
    d->opt.overlay_bytes = (size_t)8 << 20;
}

static struct disk *new_disk(const struct disk *from, uint64_t seed)
{
    struct disk *d = sim_alloc(1, sizeof *d);

    if (from != NULL)
        disk_copy(d, from);
    else
        disk_init(d, seed);
    return d;
}

static void drop_disk(struct disk *d)
{
    if (d != NULL)
        disk_free(d);
    free(d);
}

void machine_disk_forget(struct machine_disk *d)
{
    drop_disk(d->healthy);
    d->healthy = NULL;
}

void machine_disk_init(struct machine_disk *d, bool on_file, struct prng *p)
{
    *d = (struct machine_disk){ 0 };
    ENSURE(store_mem_new(&d->mem) == SYNCLINE_OK);
    if (!on_file)
        return;
    d->disk = new_disk(NULL, prng_next(p));
    disk_vfs_register(d->disk);
    draw_sizes(d, p);
}

void machine_disk_free(struct machine_disk *d)
{
    store_file_abandon(d->file);
    drop_disk(d->disk);
    drop_disk(d->backup.disk);
    machine_disk_forget(d);
    store_mem_free(d->mem);
    store_mem_free(d->backup.mem);
}

void machine_disk_limit(struct machine_disk *d, size_t bytes)
{
    d->opt.commit_max = bytes;
    store_mem_limit(d->mem, bytes);
}

int machine_disk_open(
    struct machine_disk *d, uint64_t now_ms, struct errmsg *why)
{
    machine_disk_mend(d);
    if (d->disk == NULL)
        return SYNCLINE_OK;
    d->syncing = false;
    d->checkpoint = DISK_STILL;
    d->opt.now_ms = now_ms;
    return store_file_open(&d->file, FOLDER, &d->opt, why);
}

struct store_port machine_disk_port(struct machine_disk *d)
{
    return d->file != NULL ? store_file_port(d->file) : store_mem_port(d->mem);
}

int machine_disk_commit(struct machine_disk *d, struct slice ops, uint64_t *no)
{
    struct store_port twin = store_mem_port(d->mem);
    struct store_port port = machine_disk_port(d);
    uint64_t same;
    int rc = store_commit(&port, ops, no);

    if (rc != SYNCLINE_OK || d->file == NULL)
        return rc;
    ENSURE(store_commit(&twin, ops, &same) == SYNCLINE_OK);
    ENSURE(same == *no);
    return rc;
}

uint64_t machine_disk_last(const struct machine_disk *d)
{
    return store_mem_last(d->mem);
}

uint64_t machine_disk_durable(const struct machine_disk *d)
{
    return store_mem_durable(d->mem);
}

bool machine_disk_sync_begin(struct machine_disk *d, uint64_t *upto, int *rc)
{
    *rc = SYNCLINE_OK;
    *upto = store_mem_last(d->mem);
    if (d->file == NULL)
        return store_mem_durable(d->mem) < *upto;
    d->syncing = store_file_sync_begin(d->file, &d->sync, rc);
    return d->syncing;
}

int machine_disk_sync_end(struct machine_disk *d, uint64_t *durable)
{
    int rc = SYNCLINE_OK;

    if (d->file != NULL) {
        d->syncing = false;
        store_file_sync_run(&d->sync);
        rc = store_file_sync_end(d->file, &d->sync, durable);
    }
    if (rc == SYNCLINE_OK)
        store_mem_sync(d->mem, *durable);
    return rc;
}

int machine_disk_sync_all(struct machine_disk *d)
{
    int rc = d->file != NULL ? store_file_sync(d->file) : SYNCLINE_OK;

    if (rc == SYNCLINE_OK)
        store_mem_sync(d->mem, store_mem_last(d->mem));
    return rc;
}

bool machine_disk_checkpoint_begin(struct machine_disk *d, uint64_t now_ms)
{
    bool begun = d->file != NULL &&
        store_file_wants_checkpoint(d->file, now_ms) &&
        store_file_checkpoint_begin(d->file, now_ms);

    if (begun)
        d->checkpoint = DISK_MOVING;
    return begun;
}

void machine_disk_checkpoint_run(struct machine_disk *d)
{
    d->checkpoint = DISK_MOVED;
    store_file_checkpoint_run(d->file);
}

/* A failure is tried again, as the daemon does. */
void machine_disk_checkpoint_end(struct machine_disk *d)
{
    d->checkpoint = DISK_STILL;
    if (store_file_checkpoint_end(d->file, NULL) == SYNCLINE_OK)
        d->checkpoints++;
}

bool machine_disk_failed(const struct machine_disk *d)
{
    return d->file != NULL && store_file_status(d->file) != SYNCLINE_OK;
}

/* Of the store in memory any number of commits, of the other what its files
 * make of it: that is known when it is opened. */
void machine_disk_crash(struct machine_disk *d, struct prng *p)
{
    uint64_t lost = machine_disk_last(d) - machine_disk_durable(d);

    if (d->disk == NULL) {
        ENSURE(store_mem_crash(d->mem, prng_below(p, lost + 1)) == SYNCLINE_OK);
        return;
    }
    disk_off(d->disk);
    store_file_abandon(d->file);
    d->file = NULL;
    disk_crash(d->disk, (enum disk_loss)prng_below(p, DISK_LOSS_END), p);
}

void machine_disk_kill(struct machine_disk *d, struct prng *p)
{
    if (d->disk == NULL) {
        machine_disk_crash(d, p);
        return;
    }
    disk_off(d->disk);
    store_file_abandon(d->file);
    d->file = NULL;
    disk_restart(d->disk);
}

int machine_disk_stop(struct machine_disk *d)
{
    uint64_t durable;
    int rc = SYNCLINE_OK;

    if (d->checkpoint == DISK_MOVING)
        machine_disk_checkpoint_run(d);
    if (d->checkpoint == DISK_MOVED)
        machine_disk_checkpoint_end(d);
    if (d->syncing)
        rc = machine_disk_sync_end(d, &durable);
    if (d->file != NULL && store_file_close(d->file) != SYNCLINE_OK)
        rc = SYNCLINE_EIO;
    d->file = NULL;
    if (rc == SYNCLINE_OK)
        store_mem_sync(d->mem, store_mem_last(d->mem));
    return rc;
}

/* What waits in the journal's buffer is part of it. */
bool machine_disk_save(struct machine_disk *d)
{
    if (d->file != NULL && store_file_flush(d->file) != SYNCLINE_OK)
        return false;
    drop_disk(d->backup.disk);
    store_mem_free(d->backup.mem);
    d->backup = (struct disk_backup){ NULL, NULL };
    ENSURE(store_mem_clone(&d->backup.mem, d->mem) == SYNCLINE_OK);
    if (d->disk != NULL)
        d->backup.disk = new_disk(d->disk, 0);
    return true;
}

/* SQLite and the options know the disk by its place, so that stays. */
static void take_place(struct machine_disk *d, struct disk *with)
{
    disk_free(d->disk);
    disk_copy(d->disk, with);
    disk_vfs_register(d->disk);
    d->opt.vfs = d->disk->vfs;
    drop_disk(with);
}

void machine_disk_restore(struct machine_disk *d)
{
    ENSURE(d->backup.mem != NULL && d->file == NULL);
    machine_disk_forget(d);
    store_mem_free(d->mem);
    d->mem = d->backup.mem;
    if (d->disk != NULL)
        take_place(d, d->backup.disk);
    d->backup = (struct disk_backup){ NULL, NULL };
}

void machine_disk_unflip(struct machine_disk *d)
{
    take_place(d, d->healthy);
    d->healthy = NULL;
}

void machine_disk_fill(struct machine_disk *d, struct prng *p)
{
    if (d->disk != NULL)
        d->disk->room = disk_bytes_taken(d->disk) + prng_below(p, 8192);
    else
        store_mem_fail(d->mem, SYNCLINE_EFULL, 1 + (uint32_t)prng_below(p, 4));
}

void machine_disk_mend(struct machine_disk *d)
{
    store_mem_fail(d->mem, SYNCLINE_OK, 0);
    if (d->disk == NULL)
        return;
    d->disk->room = 0;
    d->disk->lies = false;
    disk_arm(d->disk, 0, SYNCLINE_OK, false);
    if (!d->disk->off)
        disk_arm_cut(d->disk, 0);
}
