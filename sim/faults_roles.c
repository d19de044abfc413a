/* Who may what changes while the work goes on: members are made readers and
 * members again, by whoever is an admin then, at once in several places; keys
 * are made. Machine 0 stays an admin: it lets the others in again, and makes
 * all of them admins once the faults are over. */
#include "sim/faults_roles.h"

#include "base/text.h"
#include "sim/world.h"

#define TRIES 90

static void later(struct world *w, uint64_t us,
    void (*fn)(struct world *, struct happening *))
{
    (void)world_at(w, w->now_us + us, NULL, fn);
}

/* Whoever asks may be none that may, by now. */
static void on_changed(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    (void)a;
    (void)answer;
    w->tally.sim.roles += rc == SYNCLINE_OK;
}

static void ask_grant(
    struct machine *by, struct machine *of, const char *role, ask_fn *fn)
{
    struct buf b = { 0 };
    char hex[2 * DEVICE_ID_LEN + 1];

    hex_encode(hex, device_slice(&of->crypto.device));
    buf_printf(&b,
        "{\"op\":\"grant\",\"device\":\"%s\",\"role\":\"%s\",\"force\":true}",
        hex, role);
    ENSURE(buf_status(&b) == SYNCLINE_OK);
    machine_ask(by, fn, of, buf_slice(&b));
    buf_free(&b);
}

static bool can_ask(const struct world *w, const struct machine *m)
{
    return machine_is_up(m) && m->member && m->paused_until_us <= w->now_us;
}

static void strike(struct world *w, struct happening *h)
{
    static const char *const names[] = { "reader", "reader", "member",
        "admin" };
    struct roles *r = &w->roles;
    struct machine *by, *of;
    uint64_t what;

    (void)h;
    if (w->faults.over)
        return;
    by = world_machine(w, prng_below(&r->draw, w->drawn_n));
    of = world_machine(w, prng_below(&r->draw, w->drawn_n));
    what = prng_below(&r->draw, 6);
    later(w, prng_below(&r->draw, 6 * SEC_US), strike);
    if (by == NULL || of == NULL || !can_ask(w, by))
        return;
    if (what >= 4) {
        world_note(w, "machine %u makes a key", by->ix);
        machine_ask(by, on_changed, NULL, SLICE_LIT("{\"op\":\"rotate\"}"));
    } else if (of->ix != 0 && of->member && !of->removed) {
        world_note(w, "machine %u is to be a %s, says %u", of->ix, names[what],
            by->ix);
        of->role_changed = true;
        ask_grant(by, of, names[what], on_changed);
    }
}

void faults_roles_begin(struct world *w)
{
    w->roles.draw = draw_from(w->opt.seed, DRAW_ROLES, 0);
    w->roles.on = w->opt.roles && !w->opt.by_alloc && !w->opt.lonely;
    if (w->roles.on)
        later(w, prng_below(&w->roles.draw, 4 * SEC_US), strike);
}

/* ---- all are admins again ---- */

static void restore(struct world *w, struct happening *h);

static void on_restored(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    struct machine *of = a->ctx;

    if (rc == SYNCLINE_OK)
        of->role_changed = false;
    else if (++w->roles.tries > TRIES)
        world_fail(w, "roles", "machine %u is made no admin again: %d %.*s",
            of->ix, rc, SLICE_FMT(json_get_str(answer, "error")));
    later(w, rc == SYNCLINE_OK ? 10 * MS_US : SEC_US, restore);
}

static void restore(struct world *w, struct happening *h)
{
    (void)h;
    for (unsigned i = 0; i < w->machines_n; i++) {
        if (!w->machines[i].role_changed)
            continue;
        if (machine_is_up(&w->machines[0]))
            ask_grant(&w->machines[0], &w->machines[i], "admin", on_restored);
        else
            later(w, SEC_US, restore);
        return;
    }
    w->roles.done(w);
}

void faults_roles_finish(struct world *w, void (*done)(struct world *w))
{
    w->roles.done = done;
    w->roles.tries = 0;
    /* Not before the last words of the faults have got round: a demotion that
     * stands beside what comes now would win. */
    later(w, w->roles.on ? 20 * SEC_US : 0, restore);
}
