/* The store of a running node: what its two helpers, sync and checkpoint, are
 * to do, and what follows from it. */
#include "app/doctor.h"
#include "app/engine/engine_impl.h"
#include "app/stop_mark.h"
#include "base/plant.h"
#include "io/clock.h"

#define OWNER(job, field) \
    ((struct engine *)((char *)(job)-offsetof(struct engine, field)))

int engine_store_open(struct engine *e, struct errmsg *why)
{
    struct store_file_options opt = { .project = project_row,
        .project_ctx = &e->project,
        .place = project_place,
        .log = e->opt.log,
        .now_ms = clock_mono_us() / 1000,
        .overlay_bytes = e->opt.overlay_bytes,
        .checkpoint_ms = e->opt.checkpoint_ms };
    char text[512];
    int rc;

    if (doctor_folder(e->dir, text, sizeof text))
        log_line(&e->opt.log, LOG_LEVEL_WARN, "folder", "%s", text);
    e->copied = !stop_mark_take(e->dir) && /* opening changes the files */
        !PLANTED(R17_COPIED);
    rc = store_file_open(&e->store, e->dir, &opt, why);
    if (rc == SYNCLINE_OK)
        e->port = store_file_port(e->store);
    return rc;
}

void engine_fail(struct engine *e, const char *why)
{
    if (e->failed)
        return;
    e->failed = true;
    log_line(&e->opt.log, LOG_LEVEL_ERROR, "store", "%s", why);
    if (e->opt.on_fatal != NULL)
        e->opt.on_fatal(e->opt.fatal_ctx, why);
}

/* ---- the sync helper ---- */

static void run_sync(struct helper_job *job)
{
    struct engine *e = OWNER(job, sync_job);
    const uint64_t from_us = clock_mono_us();

    store_file_sync_run(&e->sync);
    e->measured.sync_us = clock_mono_us() - from_us;
}

static void done_sync(struct helper_job *job)
{
    struct engine *e = OWNER(job, sync_job);
    struct event ev = { .type = EV_PERSISTED };

    e->syncing = false;
    histogram_add(&e->measured.sync, e->measured.sync_us);
    if (store_file_sync_end(e->store, &e->sync, &ev.commit) != SYNCLINE_OK)
        engine_fail(e,
            "syncing the journal failed; nothing more is accepted "
            "until the store is opened again");
    else
        engine_step(e, &ev);
}

/* ---- the checkpoint helper ---- */

static void run_checkpoint(struct helper_job *job)
{
    struct engine *e = OWNER(job, checkpoint_job);
    const uint64_t from_us = clock_mono_us();

    store_file_checkpoint_run(e->store);
    e->measured.checkpoint_us = clock_mono_us() - from_us;
}

static void done_checkpoint(struct helper_job *job)
{
    struct engine *e = OWNER(job, checkpoint_job);
    struct errmsg why = { "" };

    e->checkpointing = false;
    histogram_add(&e->measured.checkpoint, e->measured.checkpoint_us);
    if (store_file_checkpoint_end(e->store, &why) == SYNCLINE_OK) {
        e->stuck = false;
    } else if (!e->stuck) {
        e->stuck = true;
        log_line(&e->opt.log, LOG_LEVEL_ERROR, "store",
            "moving changes into state.db failed, tried again every second: "
            "%s",
            why.text);
    }
    /* Writers that wait for room would wait for ever: let the store take
     * what it can and refuse the rest, and readers read on. */
    if (e->full && (e->stuck || !store_file_full(e->store))) {
        e->full = false;
        net_pause(e->net, false);
        if (e->opt.on_room != NULL)
            e->opt.on_room(e->opt.room_ctx);
    }
}

int engine_store_start(struct engine *e)
{
    int rc = helper_start(&e->sync_helper, e->opt.loop, "syncline-sync");

    if (rc == SYNCLINE_OK)
        rc = helper_start(&e->checkpoint_helper, e->opt.loop, "syncline-ckpt");
    e->sync_job = (struct helper_job){ .run = run_sync, .done = done_sync };
    e->checkpoint_job =
        (struct helper_job){ .run = run_checkpoint, .done = done_checkpoint };
    return rc;
}

void engine_store_turn(struct engine *e)
{
    uint64_t now_ms = clock_mono_us() / 1000;
    int rc = SYNCLINE_OK;

    if (e->failed)
        return;
    if (!e->syncing && store_file_sync_begin(e->store, &e->sync, &rc)) {
        e->syncing = true;
        helper_submit(e->sync_helper, &e->sync_job);
    }
    if (rc == SYNCLINE_EIO || store_file_status(e->store) != SYNCLINE_OK)
        engine_fail(e,
            "writing the journal failed; nothing more is accepted "
            "until the store is opened again");
    if (!e->full && !e->stuck && store_file_full(e->store)) {
        e->full = true;
        net_pause(e->net, true);
    }
    if (!e->checkpointing &&
        (e->full || store_file_wants_checkpoint(e->store, now_ms)) &&
        store_file_checkpoint_begin(e->store, now_ms)) {
        e->checkpointing = true;
        helper_submit(e->checkpoint_helper, &e->checkpoint_job);
    }
}

void engine_store_stop(struct engine *e)
{
    helper_stop(e->sync_helper);
    helper_stop(e->checkpoint_helper);
    e->sync_helper = e->checkpoint_helper = NULL;
}
