/* Opening a node on its store, and freeing it. */
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"
#include "repl/mesh_impl.h"
#include "repl/proofs.h"
#include "repl/secret.h"

#include <stdlib.h>

#define RECORD_FORMAT 5
#define FORMAT_SIGNED 4 /* and later: what is kept is signed as it is today */
#define FORMAT_SPACES 4 /* and later: `_spaces` stands beside `_mesh` */

static uint64_t or_default(uint64_t v, uint64_t fallback)
{
    return v != 0 ? v : fallback;
}

static void set_defaults(struct node_options *o)
{
    o->heartbeat_us = or_default(o->heartbeat_us, 5000000);
    o->silence_us = or_default(o->silence_us, 15000000);
    o->forward_us = or_default(o->forward_us, 200000);
    o->dial_min_us = or_default(o->dial_min_us, 250000);
    o->dial_max_us = or_default(o->dial_max_us, 30000000);
    o->beacon_us = or_default(o->beacon_us, 5000000);
    o->batch_bytes = (size_t)or_default(o->batch_bytes, 256 << 10);
    o->window_bytes = (size_t)or_default(o->window_bytes, 4 << 20);
    o->fragment_above = (size_t)or_default(o->fragment_above, 512 << 10);
    o->fragment_bytes = (size_t)or_default(o->fragment_bytes, 128 << 10);
    o->commit_bytes = (size_t)or_default(o->commit_bytes, 16 << 20);
    o->held_max = (uint32_t)or_default(o->held_max, 256);
    o->history_keep = (uint32_t)or_default(o->history_keep, 50);
    o->collect_us = or_default(o->collect_us, 10000000);
    o->retention_us = or_default(o->retention_us, 30ull * 86400 * 1000000);
    o->clock_bound_us = or_default(o->clock_bound_us, CLOCK_BOUND_US);
}

void node_tune(struct node *n, const struct node_tuning *t)
{
    n->opt.limits = t->limits;
    n->opt.history_keep = t->history_keep;
    n->opt.history_age_us = t->history_age_us;
    n->opt.retention_us = t->retention_us;
    n->opt.collect_us = t->collect_us;
    n->opt.clock_bound_us = t->clock_bound_us;
    set_defaults(&n->opt);
}

static int check_format(
    struct node *n, bool *fresh, uint64_t *is, struct errmsg *why)
{
    struct slice value;
    struct reader r;
    uint64_t format;
    int rc =
        store_get(&n->opt.store, TABLE_META, SLICE_LIT(META_FORMAT), &value);

    *fresh = rc == SYNCLINE_ENOTFOUND;
    if (rc != SYNCLINE_OK)
        return *fresh ? SYNCLINE_OK : rc;
    r = reader_of(value);
    format = get_varint(&r);
    if (reader_end(&r) != SYNCLINE_OK || format == 0)
        return errmsg_set(
            why, SYNCLINE_ECORRUPT, "the store's format record is damaged");
    if (format > RECORD_FORMAT)
        return errmsg_set(why, SYNCLINE_EVERSION,
            "the store was written by a newer version (format %llu, this one "
            "reads up to %d); update syncline",
            (unsigned long long)format, RECORD_FORMAT);
    *is = format;
    return SYNCLINE_OK;
}

enum start {
    START_CLEAN,
    START_UNCLEAN,
    START_COPIED /* the last stop was clean, and left other files */
};

static int load_replica(struct node *n, enum start *start, struct errmsg *why)
{
    struct slice value;
    int rc =
        store_get(&n->opt.store, TABLE_META, SLICE_LIT(META_CLEAN), &value);

    *start = rc != SYNCLINE_OK ? START_UNCLEAN
        : n->opt.copied        ? START_COPIED
                               : START_CLEAN;
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND)
        return rc;
    rc = store_get(&n->opt.store, TABLE_META, SLICE_LIT(META_REPLICA), &value);
    if (rc != SYNCLINE_OK)
        return rc;
    if (value.len != RID_LEN)
        return SYNCLINE_ECORRUPT;
    memcpy(n->replica.b, value.ptr, RID_LEN);
    if (!node_is_mine(n, &n->replica))
        return errmsg_set(why, SYNCLINE_EDENIED,
            "this store belongs to another device: put its identity.pem back "
            "beside it, or choose another folder");
    return SYNCLINE_OK;
}

/* An older version of this program must not open it after us. */
static int save_format(struct node *n)
{
    struct buf b = { 0 };

    put_varint(&b, RECORD_FORMAT);
    txn_put_buf(&n->txn, TABLE_META, SLICE_LIT(META_FORMAT), &b);
    buf_free(&b);
    return txn_status(&n->txn);
}

static int open_used(struct node *n, uint64_t format, struct errmsg *why)
{
    enum start start = START_UNCLEAN;
    int rc = load_replica(n, &start, why);

    if (rc == SYNCLINE_OK)
        rc = clock_load(n);
    if (rc == SYNCLINE_OK)
        rc = mesh_load(n, why);
    if (rc == SYNCLINE_OK && start != START_CLEAN && !PLANTED(M5)) {
        log_line(&n->log, LOG_LEVEL_WARN, "node",
            start == START_COPIED
                ? "these files are not those that the last stop left: this "
                  "store is a new replica now"
                : "the last stop was not clean: this store is a new replica "
                  "now");
        n->counts.unclean_starts++;
        n->new_replica = start == START_COPIED ? "copied" : "unclean-stop";
        rc = node_mint_replica(n);
    }
    if (rc == SYNCLINE_OK)
        txn_del(&n->txn, TABLE_META, SLICE_LIT(META_CLEAN));
    if (rc == SYNCLINE_OK)
        rc = save_format(n);
    if (rc == SYNCLINE_OK && format < FORMAT_SIGNED)
        rc = adopt_all(n);
    if (rc == SYNCLINE_OK && format < FORMAT_SPACES)
        rc = mesh_keep_old(n);
    return rc;
}

static int open_fresh(struct node *n)
{
    int rc = save_format(n);

    if (rc == SYNCLINE_OK)
        rc = node_mint_replica(n);
    return rc == SYNCLINE_OK ? mesh_found(n) : rc;
}

/* What a step needs that fills a peer's window: first syncs have many. */
#define STEP_KEEP ((size_t)8 << 20)

int node_new(struct node **out, const struct node_options *opt, uint64_t now_us,
    uint64_t wall_us, struct errmsg *why)
{
    struct node *n = calloc(1, sizeof *n);
    bool fresh = false;
    uint64_t format = RECORD_FORMAT;
    int rc = SYNCLINE_ENOMEM;

    if (n == NULL)
        return SYNCLINE_ENOMEM;
    n->opt = *opt;
    n->frame.max = FRAME_MAX;
    set_defaults(&n->opt);
    n->log = opt->log;
    n->step.keep = STEP_KEEP;
    n->prng.state = opt->seed;
    n->now_us = now_us;
    n->wall_us = wall_us;
    n->device = opt->crypto->device;
    n->txn.store = &n->opt.store;
    n->next_space = 1;
    n->opt.name = arena_dup(&n->arena, opt->name);
    if (n->opt.name.ptr == NULL || mesh_init(n) != SYNCLINE_OK)
        goto fail;
    rc = check_format(n, &fresh, &format, why);
    if (rc == SYNCLINE_OK)
        rc = fresh ? open_fresh(n) : open_used(n, format, why);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc == SYNCLINE_OK)
        rc = mesh_refresh(n);
    if (rc == SYNCLINE_OK)
        rc = access_load_removed(n);
    if (rc == SYNCLINE_OK)
        rc = mesh_load_book(n);
    if (rc == SYNCLINE_OK)
        rc = join_load(n);
    if (rc == SYNCLINE_OK)
        rc = silences_load(n);
    if (rc == SYNCLINE_OK)
        rc = authors_load(n);
    if (rc == SYNCLINE_OK)
        rc = returns_load(n);
    if (rc == SYNCLINE_OK)
        rc = rekey_load(n);
    if (rc == SYNCLINE_OK)
        rc = adopts_load(n);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc != SYNCLINE_OK)
        goto fail;
    n->beacon_due_us = now_us;
    n->collect_due_us = now_us + n->opt.collect_us;
    n->acks_due_us = UINT64_MAX;
    *out = n;
    return SYNCLINE_OK;
fail:
    if (why != NULL && why->text[0] == 0)
        (void)errmsg_set(why, rc, "%s", node_status_text(rc));
    node_free(n);
    return rc;
}

void node_free(struct node *n)
{
    if (n == NULL)
        return;
    conns_free(n);
    standings_free(n);
    waits_free(n);
    acks_free(n);
    watches_free(n);
    outsiders_free(n);
    authors_free(n);
    verifies_free(n);
    resolves_free(n);
    join_free(n);
    returns_free(n);
    silences_free(n);
    mesh_free(n);
    spaces_free(n);
    txn_free(&n->txn);
    arena_free(&n->arena);
    arena_free(&n->step);
    arena_free(&n->group_arena);
    buf_free(&n->key);
    buf_free(&n->out);
    buf_free(&n->frame);
    secret_wipe(n->mesh_secret, sizeof n->mesh_secret);
    free(n->raises);
    free(n->fx);
    free(n);
}

const struct device_id *node_device(const struct node *n)
{
    return &n->device;
}

const struct node_counts *node_counts(const struct node *n)
{
    return &n->counts;
}

const struct rid *node_replica(const struct node *n)
{
    return &n->replica;
}
