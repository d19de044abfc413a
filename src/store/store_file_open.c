/* A store from files: found, replayed, opened, closed. */
#include "base/plant.h"
#include "store/store_file_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SEGMENT_BYTES ((size_t)16 << 20)
#define OVERLAY_BYTES ((size_t)64 << 20)
#define CHECKPOINT_BYTES ((size_t)8 << 20)
#define CHECKPOINT_MS 30000
#define SPARES_MAX 4
#define ITEMS_FEW 1000 /* to read their keys at each start */
#define PATH_ROOM 4200

static void fill_defaults(struct store_file_options *opt)
{
    if (opt->os == NULL)
        opt->os = os_posix();
    if (opt->segment_bytes == 0)
        opt->segment_bytes = SEGMENT_BYTES;
    if (opt->overlay_bytes == 0)
        opt->overlay_bytes = OVERLAY_BYTES;
    if (opt->checkpoint_bytes == 0)
        opt->checkpoint_bytes = CHECKPOINT_BYTES;
    if (opt->checkpoint_ms == 0)
        opt->checkpoint_ms = CHECKPOINT_MS;
}

static const char *remedy(int rc)
{
    if (rc == SYNCLINE_EDENIED)
        return "; its owner must be able to read and write it";
    return rc == SYNCLINE_EFULL ? "; make room on the disk" : "";
}

static int take_folder(struct store_file *s, struct errmsg *why)
{
    char path[PATH_ROOM];
    int64_t holder = 0;
    int rc = s->os->make_dir(s->os->self, s->dir);

    if (rc != SYNCLINE_OK)
        return errmsg_set(why, rc, "cannot make folder %s: %s%s", s->dir,
            strerror(errno), remedy(rc));
    (void)snprintf(path, sizeof path, "%s/lock", s->dir);
    rc = s->os->lock(s->os->self, path, &s->lock_fd, &holder);
    if (rc == SYNCLINE_OK)
        return SYNCLINE_OK;
    if (rc != SYNCLINE_EBUSY)
        return errmsg_set(
            why, rc, "cannot lock %s: %s%s", path, strerror(errno), remedy(rc));
    if (holder > 0)
        return errmsg_set(why, rc,
            "%s is in use by process %" PRId64 "; stop that one first", s->dir,
            holder);
    return errmsg_set(why, rc,
        "%s is in use by another process; stop that one first", s->dir);
}

/* Takes a commit from the journal up into the overlay, and that down when
 * it has become large. */
static int on_replayed(void *ctx, uint64_t no, struct slice ops)
{
    struct store_file *s = ctx;
    int rc = overlay_reserve(&s->active, ops);

    if (PLANTED(REPLAY_SKIPS) && no == s->checkpointed + 1)
        return SYNCLINE_OK;
    if (rc == SYNCLINE_EMALFORMED)
        return errmsg_set(s->replay_why, SYNCLINE_ECORRUPT,
            "the journal in %s holds a batch that cannot be read, commit "
            "%" PRIu64 "; restore this folder from a backup, or set it aside "
            "and join again",
            s->dir, no);
    if (rc != SYNCLINE_OK)
        return rc;
    store_file_apply(s, ops, no);
    s->replayed++;
    /* A frozen overlay is one that a full disk refused. */
    if (s->frozen.last != 0 ||
        overlay_bytes(&s->active) <= s->opt.checkpoint_bytes)
        return SYNCLINE_OK;
    rc = store_file_checkpoint(s, s->opt.now_ms, s->replay_why);
    return rc == SYNCLINE_EFULL ? SYNCLINE_OK : rc;
}

static int replay(struct store_file *s, struct errmsg *why)
{
    int rc;

    s->replay_why = why;
    s->replaying = true;
    rc = journal_replay(s->journal, s->checkpointed, on_replayed, s, why);
    if (rc == SYNCLINE_OK)
        rc = store_file_checkpoint(s, s->opt.now_ms, why);
    /* A full disk must not keep people from reading: the journal still has
     * what the checkpoint could not move. */
    if (rc == SYNCLINE_EFULL) {
        log_line(&s->opt.log, LOG_LEVEL_WARN, "store", "%s", why->text);
        rc = SYNCLINE_OK;
    }
    s->replaying = false;
    s->replay_why = NULL;
    if (rc == SYNCLINE_OK)
        journal_release(s->journal, s->checkpointed);
    return rc;
}

/* A store that is filled is asked for many items that it lacks, and to look for
 * them in the file takes long. Where there are many already, their keys are not
 * read for that. A failure only makes it slower. */
static void know_items(struct store_file *s)
{
    struct slice key, value;
    uint32_t n = 0;
    int rc = bloom_init(&s->items);

    if (rc == SYNCLINE_OK)
        rc = state_seek(s->state, TABLE_ITEM, SLICE_LIT(""));
    if (rc != SYNCLINE_OK) {
        bloom_free(&s->items);
        return;
    }
    while ((rc = state_step(s->state, TABLE_ITEM, &key, &value)) == 1 &&
        n++ < ITEMS_FEW)
        bloom_add(&s->items, key);
    state_unseek(s->state, TABLE_ITEM);
    if (rc != 0)
        bloom_free(&s->items);
}

static int open_all(struct store_file *s, struct errmsg *why)
{
    struct state_options below = { s->os, s->dir, s->opt.vfs, s->opt.project,
        s->opt.project_ctx, s->opt.place, s->opt.state_pages_max };
    struct journal_options beside = { s->os, s->dir, s->opt.segment_bytes,
        SPARES_MAX, s->opt.commit_max };
    char path[PATH_ROOM];
    int rc = take_folder(s, why);

    (void)snprintf(path, sizeof path, "%s/state.db", s->dir);
    if (rc == SYNCLINE_OK)
        rc = state_open(&s->state, path, &below, why);
    if (rc != SYNCLINE_OK)
        return rc;
    s->checkpointed = state_checkpointed(s->state);
    know_items(s);
    rc = journal_open(&s->journal, &beside, why);
    if (rc == SYNCLINE_OK)
        rc = replay(s, why);
    if (rc == SYNCLINE_OK) {
        state_let_go(s->state); /* a checkpoint of the replay holds one */
        state_hold(s->state);
    }
    return rc;
}

int store_file_open(struct store_file **out, const char *dir,
    const struct store_file_options *opt, struct errmsg *why)
{
    struct store_file *s = calloc(1, sizeof *s);
    struct errmsg unread = { "" };
    int rc;

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    why = why != NULL ? why : &unread;
    why->text[0] = 0;
    s->lock_fd = -1;
    s->opt = *opt;
    fill_defaults(&s->opt);
    s->os = s->opt.os;
    s->begun_ms = s->opt.now_ms;
    s->dir = strdup(dir);
    rc = s->dir != NULL ? open_all(s, why) : SYNCLINE_ENOMEM;
    if (rc != SYNCLINE_OK) {
        if (why->text[0] == 0)
            errmsg_set(why, rc, "cannot open the store in %s", dir);
        store_file_abandon(s);
        return rc;
    }
    *out = s;
    return SYNCLINE_OK;
}

void store_file_abandon(struct store_file *s)
{
    if (s == NULL)
        return;
    journal_free(s->journal);
    state_close(s->state);
    overlay_free(&s->active);
    overlay_free(&s->frozen);
    bloom_free(&s->items);
    if (s->lock_fd >= 0)
        s->os->close(s->os->self, s->lock_fd);
    free(s->dir);
    free(s);
}

int store_file_close(struct store_file *s)
{
    struct errmsg why = { "" };
    int rc;

    if (s == NULL)
        return SYNCLINE_OK;
    ENSURE(!s->running && !s->syncing);
    rc = s->status;
    if (rc == SYNCLINE_OK)
        rc = store_file_sync(s);
    if (rc == SYNCLINE_OK)
        rc = store_file_checkpoint(s, s->begun_ms, &why);
    if (rc != SYNCLINE_OK)
        log_line(&s->opt.log, LOG_LEVEL_ERROR, "store",
            "%s was not closed cleanly (%d) %s", s->dir, rc, why.text);
    store_file_abandon(s);
    return rc;
}
