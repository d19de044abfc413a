#include "unit/store_script.h"

#include "unit/check.h"

#include <stdlib.h>

void script_on(struct script *s, const struct disk *disk)
{
    disk_copy(&s->disk, disk);
    disk_vfs_register(&s->disk);
    s->opt.os = &s->disk.port;
    s->opt.vfs = s->disk.vfs;
}

void script_copy(struct script *to, const struct script *from)
{
    *to = *from;
    script_on(to, &from->disk);
}

void script_init(struct script *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    disk_init(&s->disk, seed);
    disk_vfs_register(&s->disk);
    s->opt = (struct store_file_options){
        .os = &s->disk.port,
        .vfs = s->disk.vfs,
        .segment_bytes = 4096,
        .overlay_bytes = 64 << 10,
        .checkpoint_bytes = 8 << 10,
        .checkpoint_ms = 1000,
    };
    s->draw.state = seed;
    s->sentences = true;
    model_init(&s->model, seed);
}

void script_free(struct script *s)
{
    store_file_abandon(s->s);
    s->s = NULL;
    disk_free(&s->disk);
}

static int said(struct script *s, int rc)
{
    if (rc != SYNCLINE_OK && s->why.text[0] == 0)
        s->sentences = false;
    return rc;
}

int script_open(struct script *s)
{
    int rc;

    s->why.text[0] = 0;
    s->opt.now_ms = s->now_ms;
    rc = said(s, store_file_open(&s->s, SCRIPT_DIR, &s->opt, &s->why));
    if (rc != SYNCLINE_OK) {
        s->s = NULL;
        return rc;
    }
    s->port = store_file_port(s->s);
    return rc;
}

/* What is there is what was promised, and a prefix. */
static void resume(struct script *s)
{
    model_resume(&s->model, &s->port, store_file_last(s->s), s->durable);
    s->durable = store_file_durable(s->s);
}

void script_kill(struct script *s)
{
    bool off = s->disk.off;

    disk_off(&s->disk);
    store_file_abandon(s->s);
    s->s = NULL;
    if (!off) {
        uint64_t fail_at = s->disk.fail_at, calls = s->disk.calls;
        uint64_t failed = s->disk.failed, cut_at = s->disk.cut_at;
        uint64_t changes = s->disk.changes;
        int fail_rc = s->disk.fail_rc;
        bool for_good = s->disk.fail_for_good;

        /* What was armed goes on: it is the disk's, not the process's. */
        disk_restart(&s->disk);
        disk_arm(&s->disk, fail_at, fail_rc, for_good);
        disk_arm_cut(&s->disk, cut_at);
        s->disk.calls = calls;
        s->disk.failed = failed;
        s->disk.changes = changes;
    }
}

void script_power_loss(struct script *s, enum disk_loss how, struct prng *p)
{
    disk_off(&s->disk);
    store_file_abandon(s->s);
    s->s = NULL;
    disk_crash(&s->disk, how, p);
}

void script_must_open(struct script *s, const char *when)
{
    CHECK_SAYING(script_open(s) == SYNCLINE_OK, "%s: %s", when, s->why.text);
    resume(s);
    CHECK_SAYING(store_file_verify(s->s, &s->why) == SYNCLINE_OK, "%s: %s",
        when, s->why.text);
}

/* ---- steps ---- */

static void commit_some(struct script *s)
{
    for (uint64_t n = 1 + prng_below(&s->draw, 4); n > 0; n--)
        if (model_commit(&s->model, &s->port) != SYNCLINE_OK)
            return;
}

static void sync_some(struct script *s)
{
    struct store_sync job;
    int rc;

    if (!store_file_sync_begin(s->s, &job, &rc))
        return;
    if (prng_one_in(&s->draw, 2))
        commit_some(s); /* the loop does not wait */
    store_file_sync_run(&job);
    s->refused += store_file_sync_end(s->s, &job, &s->durable) != SYNCLINE_OK;
}

static void move_down(struct script *s)
{
    s->why.text[0] = 0;
    s->now_ms += 2000;
    if (!store_file_checkpoint_begin(s->s, s->now_ms))
        return;
    if (prng_one_in(&s->draw, 2))
        commit_some(s);
    store_file_checkpoint_run(s->s);
    if (prng_one_in(&s->draw, 2))
        commit_some(s);
    (void)said(s, store_file_checkpoint_end(s->s, &s->why));
}

/* The comparison is the test's: what it reads does not fail. */
static bool start_again(struct script *s)
{
    uint64_t fail_at = s->disk.fail_at, calls;

    /* The last calls of an opening may fail without harm. */
    if (script_open(s) != SYNCLINE_OK || s->disk.off)
        return false;
    calls = s->disk.calls;
    s->disk.fail_at = 0;
    resume(s);
    s->disk.fail_at = fail_at;
    s->disk.calls = calls;
    return true;
}

static bool reopen(struct script *s, bool cleanly)
{
    int rc;

    if (!cleanly) {
        script_kill(s);
        return start_again(s);
    }
    rc = store_file_close(s->s);
    s->s = NULL;
    if (rc == SYNCLINE_OK)
        s->durable = s->model.last;
    return start_again(s);
}

static bool step(struct script *s)
{
    switch (prng_below(&s->draw, 16)) {
    case 0:
        return reopen(s, true);
    case 1:
        return reopen(s, false);
    case 2:
    case 3:
        move_down(s);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        sync_some(s);
        break;
    case 9:
        s->refused += store_file_flush(s->s) != SYNCLINE_OK;
        break;
    default:
        commit_some(s);
    }
    if (s->disk.off)
        return false;
    /* The daemon ends when the store refuses everything. */
    return store_file_status(s->s) == SYNCLINE_OK || reopen(s, false);
}

bool script_run(struct script *s, unsigned from, unsigned to)
{
    if (from == 0 && !start_again(s))
        return false;
    for (unsigned i = from; i < to; i++)
        if (!step(s))
            return false;
    return true;
}

uint64_t script_seeds(uint64_t *first)
{
    const char *n = getenv("SYNCLINE_STORE_SEEDS");
    const char *seed = getenv("SYNCLINE_SEED");

    *first = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    return n != NULL ? strtoull(n, NULL, 10) : 1;
}

static uint64_t number_in(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 10)
                                           : otherwise;
}

bool script_takes_next(uint64_t nth)
{
    static uint64_t cases;
    uint64_t every = nth * number_in("SYNCLINE_SPARSE", 1);

    if (every < 2 || number_in("SYNCLINE_WHOLE", 0) != 0)
        return true;
    return cases++ % every == number_in("SYNCLINE_SHIFT", 0) % every;
}
