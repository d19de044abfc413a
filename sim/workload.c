#include "sim/workload.h"

#include "sim/check.h"
#include "sim/operation.h"
#include "sim/phases.h"
#include "sim/skip.h"
#include "sim/world.h"

/* Values are told apart by a number; an operation writes a few. */
#define VALUES_AN_OP 16

void workload_init(struct world *w)
{
    struct prng *p = &w->work_draw;

    *p = draw_from(w->opt.seed, DRAW_WORK, 0);
    w->work = (struct workload){ .keys = 1 + (unsigned)prng_below(p, 4),
        .own_items = prng_one_in(p, 4),
        .third_space = prng_one_in(p, 3),
        .gap_us = 500 * MS_US };
    if (w->opt.keys != 0)
        w->work.keys = w->opt.keys;
    for (unsigned halvings = (unsigned)prng_below(p, 10); halvings > 0;
         halvings--)
        w->work.gap_us /= 2;
}

static void later(struct world *w, uint64_t us,
    void (*fn)(struct world *, struct happening *))
{
    (void)world_at(w, w->now_us + us, NULL, fn);
}

/* ---- running ---- */

/* Now and then somebody sees to his watch, at any machine. */
static void watch_random(struct world *w, uint64_t no)
{
    struct prng p = draw_from(w->opt.seed, DRAW_WATCH, no);
    struct machine *m = world_machine(w, prng_below(&p, w->drawn_n));

    if (m != NULL && !w->failed && prng_one_in(&p, 4))
        watcher_act(w, m, &p);
}

static void next_op(struct world *w, struct happening *h)
{
    uint64_t gap_us, no = w->work.ops;
    struct machine *m;

    (void)h;
    if (no == w->opt.ops) {
        phases_begin(w);
        return;
    }
    w->work.ops++;
    w->work.values = (SIM_MACHINES + no) * VALUES_AN_OP;
    w->work_draw = draw_from(w->opt.seed, DRAW_OP, no);
    gap_us = prng_below(&w->work_draw, 2 * w->work.gap_us + 1);
    m = world_machine(w, prng_below(&w->work_draw, w->drawn_n));
    if (m != NULL && !skip_has(w->opt.skip_ops, no)) {
        operation_random(w, m);
        watch_random(w, no);
        sim_file_act(w, no);
        clocks_act(w, no);
        if (!w->failed)
            check_far(w, m);
    }
    later(w, gap_us, next_op);
}

static void begin_run(struct world *w, struct happening *h)
{
    (void)h;
    world_note(w, "chaos: the work begins");
    faults_begin(w);
    next_op(w, NULL);
}

/* Going down amid it is no answer; memory may run out; a clock be too wrong to
 * write by. */
static bool is_wrong(const struct world *w, int rc)
{
    return rc != SYNCLINE_OK && rc != SYNCLINE_ECLOSED &&
        (rc != SYNCLINE_EDENIED || !fault_is_on(&w->faults, FAULT_CLOCK)) &&
        (rc != SYNCLINE_ENOMEM || !fault_is_on(&w->faults, FAULT_MEMORY));
}

static void on_space_added(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    (void)a;
    (void)answer;
    if (is_wrong(w, rc))
        world_fail(w, "request", "a space cannot be added: %d", rc);
}

static void on_policy(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    (void)a;
    (void)answer;
    if (is_wrong(w, rc))
        world_fail(w, "request", "a policy cannot be set: %d", rc);
}

/* In every third run, one for a space or for one of its keys; or as the
 * options say. */
static void set_policies(struct world *w)
{
    static const char *const spaces[] = { "default", "config" };
    static const char *const names[] = { "merge", "manual", "keep-both",
        "custom" };
    struct prng draw = draw_from(w->opt.seed, DRAW_WORK, 1), *p = &draw;

    if (!prng_one_in(p, 3) && w->opt.policy == NULL)
        return;
    for (unsigned i = 0; i < 2; i++) {
        /* Draws of their own: arguments are evaluated in no fixed order. */
        const char *prefix = prng_one_in(p, 2) ? "" : "k1";
        const char *policy = names[prng_below(p, 4)];
        struct buf b = { 0 };

        if (w->opt.policy != NULL) {
            prefix = "";
            policy = w->opt.policy;
        }
        buf_printf(&b,
            "{\"op\":\"policy_set\",\"space\":\"%s\",\"prefix\":\"%s\","
            "\"policy\":\"%s\"}",
            spaces[i], prefix, policy);
        ENSURE(buf_status(&b) == SYNCLINE_OK);
        machine_ask(&w->machines[0], on_policy, NULL, buf_slice(&b));
        buf_free(&b);
    }
}

static void formed(struct world *w)
{
    w->pairing.done = NULL;
    if (w->work.third_space)
        machine_ask(&w->machines[0], on_space_added, NULL,
            SLICE_LIT("{\"op\":\"space_add\",\"name\":\"extra\"}"));
    set_policies(w);
    later(w, 2 * SEC_US, begin_run);
}

void workload_begin(struct world *w)
{
    for (unsigned i = 0; w->work.own_items && i < w->machines_n; i++) {
        w->work_draw = draw_from(w->opt.seed, DRAW_OWN, w->machines[i].id);
        w->work.values = w->machines[i].id * VALUES_AN_OP;
        operation_random(w, &w->machines[i]);
    }
    for (unsigned i = 0; w->opt.lonely && i < w->machines_n; i++)
        w->machines[i].member = true;
    pairing_begin(w, formed);
}
