#include "sim/faults_disk.h"

#include "sim/world.h"
#include "store/digest.h"

#include <stdlib.h>

/* ---- while it is on ---- */

static void has_room_again(struct world *w, struct happening *h)
{
    struct machine *m = &w->machines[h->a];

    if (m->disk.disk != NULL)
        m->disk.disk->room = 0;
}

void faults_disk_full(struct world *w, struct machine *m)
{
    machine_disk_fill(&m->disk, &w->fault_draw);
    world_note(w, "the disk of machine %u is full", m->ix);
    if (m->disk.disk != NULL)
        world_at(w, w->now_us + prng_below(&w->fault_draw, 5 * SEC_US), NULL,
            has_room_again)
            ->a = m->ix;
}

static void fail_a_write(struct world *w, struct machine *m)
{
    struct machine_disk *d = &m->disk;
    uint64_t n = 1 + prng_below(&w->fault_draw, 20);

    world_note(w, "the disk of machine %u will fail once", m->ix);
    if (d->disk == NULL) {
        store_mem_fail(d->mem, SYNCLINE_EIO, 1 + (uint32_t)(n % 4));
        return;
    }
    d->disk->spare_reads = true;
    disk_arm(d->disk, n, SYNCLINE_EIO, false);
}

static void fail_a_sync(struct world *w, struct machine *m)
{
    world_note(w, "a sync of machine %u fails, and later ones lie", m->ix);
    if (m->disk.disk != NULL)
        disk_arm_lie(m->disk.disk);
    else
        machine_fall(m);
}

/* ---- while it is off ---- */

static bool may_flip(const char *path)
{
    return strstr(path, "/journal-") != NULL ||
        strstr(path, "/state.db") != NULL;
}

/* One bit of a file that holds something. */
static bool flip(struct world *w, struct machine *m)
{
    struct machine_disk *d = &m->disk;
    struct prng *p = &w->fault_draw;
    const char *path =
        disk_path(d->disk, (unsigned)prng_below(p, disk_paths_n(d->disk)));
    struct disk_bytes *b = disk_content(d->disk, path);
    size_t at;

    if (!may_flip(path) || b->n == 0)
        return false;
    at = (size_t)prng_below(p, b->n);
    d->healthy = sim_alloc(1, sizeof *d->healthy);
    disk_copy(d->healthy, d->disk);
    disk_flip(d->disk, path, at, (unsigned)prng_below(p, 8));
    d->flipped_state = strstr(path, "/state.db") != NULL;
    world_note(
        w, "a bit flips at byte %zu of %s of machine %u", at, path, m->ix);
    return true;
}

static bool switch_off_and_flip(struct world *w, struct machine *m)
{
    bool flipped;

    if (prng_one_in(&w->fault_draw, 3))
        machine_stop(m);
    else
        machine_crash(m);
    if (w->failed)
        return false;
    flipped = flip(w, m);
    faults_plan_return(w, m);
    return flipped;
}

bool faults_disk_strike(struct world *w, enum fault f, struct machine *m)
{
    if (!machine_is_up(m))
        return false;
    switch (f) {
    case FAULT_LIE:
        fail_a_sync(w, m);
        return true;
    case FAULT_EIO:
        fail_a_write(w, m);
        return true;
    case FAULT_TORN:
        world_note(w, "machine %u will end amid a write", m->ix);
        disk_arm_cut(m->disk.disk, 1 + prng_below(&w->fault_draw, 30));
        return true;
    default:
        return switch_off_and_flip(w, m);
    }
}

/* ---- when it comes back ---- */

struct summary {
    uint64_t last;
    struct hash128 digests[TABLE_END];
};

static bool summarize(struct store_file *s, struct summary *out)
{
    struct store_port port = store_file_port(s);

    memset(out, 0, sizeof *out);
    out->last = store_file_last(s);
    for (int t = 0; t < TABLE_END; t++)
        if (store_digest(&port, (enum store_table)t, &out->digests[t]) !=
            SYNCLINE_OK)
            return false;
    return true;
}

/* What the disk would have held, had no bit flipped. */
static void expect(const struct machine_disk *d, struct summary *out)
{
    struct disk *copy = sim_alloc(1, sizeof *copy);
    struct store_file_options opt = d->opt;
    struct store_file *s;
    struct errmsg why;

    disk_copy(copy, d->healthy);
    disk_vfs_register(copy);
    opt.os = &copy->port;
    opt.vfs = copy->vfs;
    ENSURE(store_file_open(&s, "disk", &opt, &why) == SYNCLINE_OK);
    ENSURE(summarize(s, out));
    store_file_abandon(s);
    disk_free(copy);
    free(copy);
}

/* What the store made of the flip; true if it did no harm. */
static bool judge_flip(
    struct world *w, struct machine *m, int rc, const struct errmsg *why)
{
    struct machine_disk *d = &m->disk;
    struct summary want, got;

    if (rc != SYNCLINE_OK) {
        world_note(w, "machine %u notices: %s", m->ix, why->text);
        if (strstr(why->text, "disk/") == NULL)
            world_fail(
                w, "I16", "node %u names no file: %d %s", m->ix, rc, why->text);
        return false;
    }
    expect(d, &want);
    if (!summarize(d->file, &got) ||
        store_file_verify(d->file, NULL) != SYNCLINE_OK)
        return false; /* noticed by who reads or examines it */
    if (memcmp(&want, &got, sizeof got) == 0)
        return true;
    /* Nothing covers the pages of state.db, or those of its WAL that were being
     * copied there; and rot in what was written last
     * looks like a torn tail. */
    if (!d->flipped_state && got.last >= want.last)
        world_fail(w, "I16",
            "node %u takes a flipped bit for data: commit %llu of %llu", m->ix,
            (unsigned long long)got.last, (unsigned long long)want.last);
    world_note(w, "machine %u cannot know that a bit flipped", m->ix);
    return false;
}

int faults_open_disk(struct world *w, struct machine *m, struct errmsg *why)
{
    struct machine_disk *d = &m->disk;
    uint64_t now_ms = sim_clock_mono(&m->clock, w->now_us) / MS_US;
    int rc = machine_disk_open(d, now_ms, why);
    bool harmless;

    if (d->healthy == NULL)
        return rc;
    harmless = judge_flip(w, m, rc, why);
    if (!harmless && rc == SYNCLINE_OK)
        machine_disk_kill(d, &w->fault_draw);
    if (harmless || w->failed) {
        machine_disk_forget(d);
        return rc;
    }
    if (machine_has_copy(m) && prng_one_in(&w->fault_draw, 2))
        machine_restore(m);
    else
        machine_disk_unflip(d);
    return machine_disk_open(d, now_ms, why);
}
