#include "sim/machine.h"

#include "repl/clock_impl.h"
#include "sim/check.h"
#include "sim/faults_disk.h"
#include "sim/machine_impl.h"
#include "sim/memory.h"
#include "sim/signed.h"
#include "sim/world.h"

#include <stdlib.h>

/* A node that wakes up so often within a second spins. */
#define SPINS_MAX 2000
/* Steps between looks at what a node keeps. */
#define LOOK_EVERY 16
/* Versions of an item: kept unless it is said how many; between looks. */
#define HISTORY_KEEP 50
#define HISTORY_LOOK 64
/* The most that one item takes in one commit; but the record of an epoch. */
#define ONE_ITEM ((size_t)160 << 10)
/* That is written as an item of `_mesh`, and as the node's own. */
#define TWO_RECORDS (2 * EPOCH_RECORD_MAX)
/* Seeds whose signatures are Ed25519; those of the others are quick. */
#define REAL_ONE_IN 128

/* The store is not the node: what it allocates does not fail here. */
static int disk_get(
    void *self, enum store_table t, struct slice key, struct slice *value)
{
    struct store_port port = machine_disk_port(&((struct machine *)self)->disk);
    int rc;

    memory_spare();
    rc = store_get(&port, t, key, value);
    memory_spare_end();
    return rc;
}

static int disk_scan(void *self, enum store_table t, struct slice prefix,
    struct slice from, store_scan_fn *fn, void *ctx)
{
    struct store_port port = machine_disk_port(&((struct machine *)self)->disk);

    return store_scan(&port, t, prefix, from, fn, ctx);
}

static int disk_commit(void *self, struct slice ops, uint64_t *no)
{
    struct machine *m = self;
    int rc;

    memory_spare();
    check_commit(m->world, m, ops);
    rc = machine_disk_commit(&m->disk, ops, no);
    if (rc == SYNCLINE_OK) {
        m->commits++;
        if (m->relay)
            check_blind(m->world, m, ops);
        ledger_commit(m->world, m, ops, *no);
    }
    memory_spare_end();
    return rc;
}

static void draw_identity(struct machine *m)
{
    const bool real = m->world->opt.seed % REAL_ONE_IN == 0;
    uint8_t seed[IDENTITY_SEED_LEN];

    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)prng_next(&m->draw);
    ENSURE((real ? identity_from_seed : identity_nominal)(&m->identity, seed) ==
        SYNCLINE_OK);
    (real ? crypto_port_seeded : crypto_port_quick)(
        &m->crypto, &m->crypto_self, m->identity, prng_next(&m->draw));
    signed_know(m->world, m->identity);
}

void machine_init(struct machine *m, struct world *w, unsigned ix, unsigned id)
{
    *m = (struct machine){ .world = w,
        .ix = ix,
        .id = id,
        .draw = draw_from(w->opt.seed, DRAW_MACHINE, id),
        .net_draw = draw_from(w->opt.seed, DRAW_CAST, id),
        .timer_us = UINT64_MAX };
    m->member = ix == 0;
    sim_file_init(m);
    machine_disk_init(&m->disk, w->opt.on_file, &m->draw);
    m->port = (struct store_port){
        .self = m, .get = disk_get, .scan = disk_scan, .commit = disk_commit
    };
    draw_identity(m);
    sim_clock_init(&m->clock, &m->draw, w->now_us,
        fault_is_on(&w->faults, FAULT_CLOCK) && id < SIM_MACHINES);
}

static void node_over(struct machine *m)
{
    if (m->node != NULL)
        tally_add_node(&m->world->tally, node_counts(m->node));
    node_free(m->node);
    m->node = NULL;
    m->unplaced = NULL;
}

void machine_close(struct machine *m)
{
    while (m->asks != NULL) {
        struct ask *a = m->asks;

        m->asks = a->next;
        free(a);
    }
    node_over(m);
    watcher_free(&m->watcher);
    sim_file_free(m);
    bits_free(&m->changed);
    machine_disk_free(&m->disk);
    identity_free(m->identity);
}

static void on_log(
    void *ctx, enum log_level level, const char *module, const char *text)
{
    struct machine *m = ctx;

    memory_spare();
    trace_log(&m->world->trace, m->world->now_us, m->ix, level, module, text);
    memory_spare_end();
}

/* Shrunken limits, so that a small run meets every path. */
static void shrink(struct node_options *opt, struct prng *p)
{
    opt->batch_bytes = 200 + prng_below(p, 4000);
    opt->window_bytes = opt->batch_bytes * (1 + prng_below(p, 4));
    opt->fragment_above = 100 + prng_below(p, 2000);
    opt->fragment_bytes = 50 + prng_below(p, 1000);
    opt->forward_us = MS_US;
    if (prng_one_in(p, 2))
        opt->forward_us += prng_below(p, SEC_US);
    opt->held_max = 1 + (uint32_t)prng_below(p, 20);
    opt->history_keep = 1 + (uint32_t)prng_below(p, 50);
    opt->dial_max_us = 500 * MS_US + prng_below(p, 10 * SEC_US);
    opt->collect_us = 100 * MS_US + prng_below(p, 10 * SEC_US);
    if (prng_one_in(p, 2))
        opt->retention_us = 20 * SEC_US + prng_below(p, 20 * SEC_US);
}

/* A peer that sends so much is read later. Not drawn, so that a seed is the
 * run that it was before there were limits. */
static void be_slow(struct node_options *opt)
{
    opt->limits.frames = 100;
    opt->limits.rows = 50;
    opt->limits.bytes = 20000;
}

/* Who is away for a while is parked, and the others collect what he lacks. */
static void be_impatient(struct node_options *opt)
{
    opt->collect_us = SEC_US;
    opt->retention_us = 20 * SEC_US;
}

/* What the disk takes in one commit: beyond what the node means to write at
 * once, as much as one item of this run may need. */
static void be_narrow(struct machine *m, struct node_options *opt)
{
    struct prng p = draw_from(m->world->opt.seed, DRAW_SIZES, m->id + m->life);

    opt->commit_bytes = 500 + prng_below(&p, 8000);
    m->commit_most = opt->commit_bytes + ONE_ITEM;
    machine_disk_limit(&m->disk, m->commit_most + TWO_RECORDS);
}

static void timer_fires(struct world *w, struct happening *h);

/* A loop's turn ends with a flush before its timers are looked at again. */
static void timer_plan(struct machine *m)
{
    struct world *w = m->world;
    uint64_t when;

    if (m->flush_planned)
        return;
    when = sim_clock_when(&m->clock, w->now_us, node_deadline_us(m->node));
    if (when >= m->timer_us)
        return;
    m->timer_us = when;
    world_at(w, when, m, timer_fires);
}

static void timer_fires(struct world *w, struct happening *h)
{
    struct machine *m = h->machine;
    struct event ev = { .type = EV_TIMER };

    if (m->timer_us > w->now_us)
        return;
    m->timer_us = UINT64_MAX;
    if (node_deadline_us(m->node) > sim_clock_mono(&m->clock, w->now_us)) {
        timer_plan(m);
        return;
    }
    if (w->now_us >= m->spins_from_us + SEC_US) {
        m->spins_from_us = w->now_us;
        m->timer_spins = 0;
    }
    m->timer_spins++;
    machine_step(m, &ev);
    if (m->timer_spins > SPINS_MAX)
        world_fail(w, "spin",
            "node %u asks for a timer that is due, again "
            "and again",
            m->ix);
}

static void sync_done(struct world *w, struct happening *h)
{
    struct event ev = { .type = EV_PERSISTED, .commit = h->a };
    struct machine *m = h->machine;

    (void)w;
    m->syncing = false;
    if (machine_disk_sync_end(&m->disk, &ev.commit) != SYNCLINE_OK)
        machine_fall(m);
    else
        machine_step(m, &ev);
}

/* As a sync thread does: one at a time, for all that is committed by now. */
static void sync_plan(struct machine *m)
{
    struct world *w = m->world;
    uint64_t upto, us = 100 + prng_below(&m->draw, 3 * MS_US);
    int rc = SYNCLINE_OK;

    if (m->syncing || !machine_disk_sync_begin(&m->disk, &upto, &rc)) {
        if (rc == SYNCLINE_EIO || machine_disk_failed(&m->disk))
            machine_fall(m);
        return;
    }
    if (fault_is_on(&w->faults, FAULT_SYNC) && !w->faults.over &&
        prng_one_in(&m->draw, 8)) {
        us += prng_below(&m->draw, 2 * SEC_US);
        w->tally.struck[FAULT_SYNC]++;
    }
    m->syncing = true;
    world_at(w, w->now_us + us, m, sync_done)->a = upto;
}

static void checkpoint_done(struct world *w, struct happening *h)
{
    (void)w;
    h->machine->checkpointing = false;
    machine_disk_checkpoint_end(&h->machine->disk);
    machine_settle(h->machine);
}

static void checkpoint_runs(struct world *w, struct happening *h)
{
    struct machine *m = h->machine;

    machine_disk_checkpoint_run(&m->disk);
    world_at(w, w->now_us + prng_below(&m->draw, MS_US), m, checkpoint_done);
    machine_settle(m);
}

/* As the checkpoint thread does. */
static void checkpoint_plan(struct machine *m)
{
    struct world *w = m->world;

    if (m->checkpointing ||
        !machine_disk_checkpoint_begin(
            &m->disk, sim_clock_mono(&m->clock, w->now_us) / MS_US))
        return;
    m->checkpointing = true;
    world_at(
        w, w->now_us + prng_below(&m->draw, 20 * MS_US), m, checkpoint_runs);
}

static void flush(struct world *w, struct happening *h)
{
    struct event ev = { .type = EV_FLUSH };

    (void)w;
    h->machine->flush_planned = false;
    machine_step(h->machine, &ev);
}

/* Mostly at the end of the loop's turn; sometimes the turn is long. */
static void flush_plan(struct machine *m)
{
    struct world *w = m->world;
    uint64_t us = 0;

    if (m->flush_planned || !node_wants_flush(m->node))
        return;
    if (!prng_one_in(&m->draw, 4))
        us = prng_below(&m->draw, 2 * MS_US);
    m->flush_planned = true;
    world_at(w, w->now_us + us, m, flush);
}

void machine_settle(struct machine *m)
{
    if (machine_disk_is_cut(&m->disk))
        machine_fall(m);
    if (m->failing)
        return;
    flush_plan(m);
    timer_plan(m);
    sync_plan(m);
    if (!m->failing)
        checkpoint_plan(m);
}

/* The disk as it was left, and what the ledger did not know of it. */
static void open_disk(struct machine *m)
{
    struct world *w = m->world;
    struct errmsg why = { "" };
    int rc = faults_open_disk(w, m, &why);

    if (rc != SYNCLINE_OK) {
        world_fail(w, "I16", "node %u: its disk does not open: %d %s", m->ix,
            rc, why.text);
        return;
    }
    check_store(w, m);
    if (m->wiped && !w->failed)
        ledger_wipe(w, m);
    else if (m->rewound && !w->failed)
        ledger_rewind(w, m, m->restored);
    m->rewound = m->restored = m->wiped = false;
}

/* When fewer are kept than before, the rest goes when a node looks. */
static void note_history(struct machine *m, const struct node_options *opt)
{
    uint32_t keep = opt->history_keep != 0 ? opt->history_keep : HISTORY_KEEP;

    if (m->history_keep != 0 && m->history_keep != keep)
        m->history_late = HISTORY_LOOK;
    if (m->history_keep < keep)
        m->history_keep = keep;
    if (m->history_least == 0 || m->history_least > keep)
        m->history_least = keep;
}

void machine_start(struct machine *m)
{
    struct world *w = m->world;
    struct node_options opt = {
        .store = m->port,
        .crypto = &m->crypto,
        .log = { .fn = on_log,
            .ctx = m,
            .level = w->trace.to != NULL ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR },
        .port = SIM_PORT,
        .relay = m->relay,
        .seed = prng_next(&m->draw),
        .clock_bound_us = clocks_heedless(w, m->id) ? UINT64_MAX : 0,
    };
    struct event synced = { .type = EV_PERSISTED };
    char name[16];
    struct errmsg why = { "" };
    int rc;

    ENSURE(m->node == NULL);
    m->all_changed = true;
    (void)snprintf(name, sizeof name, "m%u", m->ix);
    opt.name = slice_str(name);
    if (fault_is_on(&w->faults, FAULT_SMALL) != m->odd_limits)
        shrink(&opt, &m->draw);
    m->commit_most = 0;
    machine_disk_limit(&m->disk, 0);
    if (opt.batch_bytes != 0)
        be_narrow(m, &opt);
    if (fault_is_on(&w->faults, FAULT_SMALL) && (w->opt.seed + m->ix) % 3 == 0)
        be_slow(&opt);
    if (fault_is_on(&w->faults, FAULT_AWAY))
        be_impatient(&opt);
    opt.group_max = m->world->opt.grouped ? 4 : 0;
    note_history(m, &opt);
    m->resolving = 0;
    m->failing = false;
    m->life++;
    m->timer_us = UINT64_MAX;
    m->flush_planned = m->syncing = m->checkpointing = false;
    m->paused_until_us = 0;
    sim_clock_reboot(&m->clock, &m->draw, w->now_us);
    open_disk(m); /* where a copy may be put in place of what is damaged */
    if (w->failed)
        return;
    opt.copied = m->copied;
    m->copied = false;
    rc = node_new(&m->node, &opt, sim_clock_mono(&m->clock, w->now_us),
        sim_clock_wall(&m->clock, w->now_us), &why);
    if (rc != SYNCLINE_OK) {
        m->node = NULL;
        world_fail(w, "start", "node %u does not open its store: %d %s", m->ix,
            rc, why.text);
        return;
    }
    /* The shell syncs before it lets anything out, and says so. */
    if (machine_disk_sync_all(&m->disk) != SYNCLINE_OK)
        world_fail(w, "start", "node %u cannot sync", m->ix);
    world_note(w, "machine %u is up", m->ix);
    synced.commit = machine_disk_last(&m->disk);
    machine_step(m, &synced);
    sim_file_start(m);
}

static void switched_off(struct machine *m, bool told)
{
    sim_file_down(m, m->failing || !told);
    node_over(m);
    m->failing = false;
    network_machine_down(m, told);
    machine_close_asks(m);
}

void machine_crash(struct machine *m)
{
    struct world *w = m->world;

    world_note(w, "machine %u crashes; of %llu commits %llu are durable", m->ix,
        (unsigned long long)machine_disk_last(&m->disk),
        (unsigned long long)machine_disk_durable(&m->disk));
    switched_off(m, prng_one_in(&w->fault_draw, 2));
    machine_disk_crash(&m->disk, &w->fault_draw);
    m->rewound = true;
}

static void falls(struct world *w, struct happening *h)
{
    struct machine *m = &w->machines[h->a];

    if (!m->failing)
        return;
    /* Amid a write the process alone may have died. */
    if (machine_disk_is_cut(&m->disk) && prng_one_in(&w->fault_draw, 2)) {
        machine_crash(m);
    } else {
        world_note(w, "the process of machine %u ends by itself", m->ix);
        switched_off(m, true);
        machine_disk_kill(&m->disk, &w->fault_draw);
        m->rewound = true;
    }
    faults_plan_return(w, m);
}

/* Not at once: whoever calls may have the node in hand. */
void machine_fall(struct machine *m)
{
    if (m->failing)
        return;
    m->failing = true;
    world_at(m->world, m->world->now_us, NULL, falls)->a = m->ix;
}

void machine_stop(struct machine *m)
{
    struct world *w = m->world;
    int rc;

    machine_disk_mend(&m->disk);
    rc = node_close(m->node);

    world_note(w, "machine %u stops", m->ix);
    if (rc != SYNCLINE_OK)
        world_fail(w, "stop", "node %u does not close: %d", m->ix, rc);
    switched_off(m, true);
    if (machine_disk_stop(&m->disk) != SYNCLINE_OK)
        world_fail(w, "stop", "the store of node %u does not close", m->ix);
}

bool machine_has_copy(const struct machine *m)
{
    const struct pairing *p = &m->world->pairing;

    return m->disk.backup.mem != NULL &&
        (m->ix != 0 || (!p->under_way && m->copied_at == p->changes));
}

void machine_restore(struct machine *m)
{
    ENSURE(m->node == NULL);
    world_note(m->world, "machine %u gets an old copy of its disk", m->ix);
    machine_disk_restore(&m->disk);
    sim_file_restore(m);
    m->rewound = m->restored = true;
    m->member = m->was_member;
    m->copied = true;
    if (!m->member)
        pairing_begin(m->world, m->world->pairing.done);
}

void machine_wipe(struct machine *m)
{
    bool on_file = m->disk.disk != NULL;

    ENSURE(m->node == NULL);
    world_note(m->world, "machine %u loses its store", m->ix);
    machine_disk_free(&m->disk);
    machine_disk_init(&m->disk, on_file, &m->draw);
    sim_file_wipe(m);
    m->history_keep = m->history_least = m->history_late = 0;
    m->wiped = true;
    m->member = false;
}

void machine_renew(struct machine *m)
{
    world_note(m->world, "machine %u is another device from now on", m->ix);
    identity_free(m->identity);
    draw_identity(m);
}

/* The node has committed by itself; the number must be the store's. */
static void committed(struct machine *m, const struct effect *fx)
{
    if (fx->commit > machine_disk_last(&m->disk))
        world_fail(m->world, "commit",
            "node %u speaks of batch %llu, the store holds %llu", m->ix,
            (unsigned long long)fx->commit,
            (unsigned long long)machine_disk_last(&m->disk));
}

static void carry_out(struct machine *m, const struct effect *fx)
{
    trace_effect(&m->world->trace, m->world->now_us, m->ix, fx);
    switch (fx->type) {
    case FX_COMMIT:
        committed(m, fx);
        break;
    case FX_SEND:
        network_send(m, fx->conn, fx->bytes);
        break;
    case FX_CLOSE:
        network_hang_up(m, fx->conn);
        break;
    case FX_DIAL:
        network_dial(m, fx);
        break;
    case FX_DATAGRAM:
        network_cast(m, fx);
        break;
    case FX_REPLY:
        machine_take_reply(m, fx);
        break;
    case FX_RESOLVE:
        resolver_ask(m, fx);
        break;
    case FX_MEMBERS:
        network_review(m);
        break;
    case FX_PACE:
        m->late_us = m->world->now_us;
        network_wait(m, fx->conn, fx->wait_us);
        break;
    case FX_AUDIT:
        check_audit_note(m->world, m, fx);
        break;
    }
}

void machine_step_saying(struct machine *m, struct event *ev, struct slice text)
{
    struct world *w = m->world;
    const struct effect *fx = NULL;
    size_t fx_n = 0;
    int rc;

    if (!machine_is_up(m) || w->failed)
        return;
    if (machine_disk_is_cut(&m->disk)) {
        machine_fall(m);
        return;
    }
    ev->now_us = sim_clock_mono(&m->clock, w->now_us);
    ev->wall_us = sim_clock_wall(&m->clock, w->now_us);
    trace_event(&w->trace, w->now_us, m->ix, ev, text);
    memory_arm(m->spared ? 0 : m->memory_fails);
    m->asked = ev->type == EV_REQUEST || ev->type == EV_RESOLVED ||
        m->was_asked; /* it waited until now */
    m->was_asked = ev->type == EV_REQUEST && w->opt.grouped;
    rc = node_step(m->node, ev, &fx, &fx_n);
    m->memory_fails = m->spared ? m->memory_fails : memory_disarm();
    /* The daemon ends when that happens outside a request or a frame; with the
     * power gone nobody hears how it would have gone on. */
    if ((rc == SYNCLINE_ENOMEM && fault_is_on(&w->faults, FAULT_MEMORY)) ||
        (rc != SYNCLINE_OK && machine_disk_is_cut(&m->disk))) {
        machine_fall(m);
        return;
    }
    if (rc != SYNCLINE_OK)
        world_fail(w, "step", "node %u fails with %d", m->ix, rc);
    /* With the power gone amid a commit nothing leaves any more. */
    if (machine_disk_is_cut(&m->disk))
        fx_n = 0;
    for (size_t i = 0; i < fx_n && rc == SYNCLINE_OK && !w->failed; i++)
        carry_out(m, &fx[i]);
    if (!w->failed && ++m->steps % LOOK_EVERY == 0 && machine_is_up(m))
        check_limits(w, m);
    if (!w->failed && m->steps % LOOK_EVERY == 0 && machine_is_up(m))
        check_rights(w, m);
    if (!w->failed)
        machine_settle(m);
}

void machine_step(struct machine *m, struct event *ev)
{
    machine_step_saying(m, ev, SLICE_NONE);
}
