#include "sim/pairing.h"

#include "base/text.h"
#include "sim/check.h"
#include "sim/pairing_impl.h"
#include "sim/world.h"

/* In good weather; with silence and dial pauses in between a minute or so. */
#define TRIES 90

void pairing_init(struct world *w)
{
    struct pairing *p = &w->pairing;

    p->draw = draw_from(w->opt.seed, DRAW_DOOR, 0);
    p->may_ask = prng_one_in(&p->draw, 3);
}

void pairing_free(struct pairing *p)
{
    middle_free(&p->middle);
    buf_free(&p->digits);
    buf_free(&p->shown);
    buf_free(&p->code);
    buf_free(&p->text);
}

static void go_on(struct world *w, struct happening *h);

static void later(struct world *w, uint64_t us,
    void (*fn)(struct world *, struct happening *))
{
    (void)world_at(w, w->now_us + us, NULL, fn);
}

static bool is_calm(const struct world *w)
{
    return w->faults.over || !w->faults.begun;
}

void pairing_try_again(struct world *w, int rc, const struct json *answer)
{
    struct pairing *p = &w->pairing;

    if (rc == SYNCLINE_ELIMIT) { /* codes of tries that nobody heard of */
        later(w, 20 * SEC_US, go_on);
        return;
    }
    if (is_calm(w) && ++p->tries > TRIES)
        world_fail(w, "pair", "machine %u does not get into the mesh: %d %.*s",
            p->who != NULL ? p->who->ix : 0, rc,
            SLICE_FMT(json_get_str(answer, "error")));
    later(w, SEC_US, go_on);
}

bool pairing_can_ask(const struct world *w, const struct machine *m)
{
    return machine_is_up(m) && m->paused_until_us <= w->now_us;
}

/* ---- in ---- */

void pairing_joined(
    struct world *w, struct machine *m, int rc, const struct json *answer)
{
    /* The answer to an earlier try may have got lost. */
    if (rc != SYNCLINE_OK && rc != SYNCLINE_EEXIST) {
        pairing_try_again(w, rc, answer);
        return;
    }
    if (rc == SYNCLINE_OK)
        check_audit(w, &w->machines[0], "pair", &m->crypto.device);
    m->member = true;
    w->pairing.changes++;
    w->pairing.tries = 0;
    later(w, 100 * MS_US, go_on);
}

static void on_joined(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    pairing_joined(w, a->machine, rc, answer);
}

static void join(struct world *w, struct happening *h)
{
    struct pairing *p = &w->pairing;
    struct machine *m = p->who;
    bool by_address = prng_one_in(&m->draw, 2);

    (void)h;
    if (!pairing_can_ask(w, m)) {
        pairing_try_again(w, SYNCLINE_ECLOSED, NULL);
        return;
    }
    buf_clear(&p->text);
    buf_printf(&p->text, "{\"op\":\"join\",\"code\":\"%.*s\"",
        SLICE_FMT(buf_slice(&p->code)));
    /* Without an address it must be found by multicast. */
    if (by_address)
        buf_printf(&p->text, ",\"peer\":\"10.0.0.1:%d\"", SIM_PORT);
    buf_put_str(&p->text, "}");
    machine_ask(m, on_joined, NULL, buf_slice(&p->text));
}

static void on_invited(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    struct pairing *p = &w->pairing;

    (void)a;
    if (rc != SYNCLINE_OK) {
        pairing_try_again(w, rc, answer);
        return;
    }
    buf_clear(&p->code);
    buf_put_slice(&p->code, json_get_str(answer, "code"));
    later(w, 10 * MS_US, join);
}

/* ---- out ---- */

static void on_removed(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND) {
        pairing_try_again(w, rc, answer);
        return;
    }
    if (rc == SYNCLINE_OK)
        check_audit(
            w, a->machine, "remove", &w->pairing.gone[w->pairing.removed_n]);
    w->pairing.changes++;
    w->pairing.removed_n++;
    w->tally.sim.removals += rc == SYNCLINE_OK;
    later(w, 10 * MS_US, go_on);
}

static void ask_to_remove(struct world *w, const struct device_id *d)
{
    struct buf *b = &w->pairing.text;
    char hex[2 * DEVICE_ID_LEN + 1];

    hex_encode(hex, device_slice(d));
    buf_clear(b);
    buf_printf(b, "{\"op\":\"remove\",\"device\":\"%s\"}", hex);
    world_note(w, "machine 0 removes device %.8s", hex);
    machine_ask(&w->machines[0], on_removed, NULL, buf_slice(b));
}

/* ---- one after the other ---- */

static struct machine *next_outsider(struct world *w)
{
    for (unsigned i = 0; i < relays_all(w); i++)
        if (!w->machines[i].member && !w->machines[i].removed)
            return &w->machines[i];
    return NULL;
}

static void go_on(struct world *w, struct happening *h)
{
    struct pairing *p = &w->pairing;

    (void)h;
    p->who = next_outsider(w);
    if (p->who == NULL && p->removed_n == p->gone_n) {
        p->under_way = false;
        if (p->done != NULL)
            p->done(w);
    } else if (!pairing_can_ask(w, &w->machines[0])) {
        pairing_try_again(w, SYNCLINE_ECLOSED, NULL);
    } else if (p->removed_n < p->gone_n) {
        ask_to_remove(w, &p->gone[p->removed_n]);
    } else if (p->who->relay) {
        machine_ask(&w->machines[0], on_invited, NULL,
            SLICE_LIT(
                "{\"op\":\"invite\",\"expires_s\":20,\"role\":\"relay\"}"));
    } else if (p->may_ask && prng_one_in(&p->draw, 2)) {
        pairing_by_digits(w);
    } else {
        machine_ask(&w->machines[0], on_invited, NULL,
            SLICE_LIT("{\"op\":\"invite\",\"expires_s\":20}"));
    }
}

void pairing_begin(struct world *w, void (*done)(struct world *w))
{
    struct pairing *p = &w->pairing;

    p->done = done;
    p->tries = 0;
    if (p->under_way)
        return;
    p->under_way = true;
    later(w, 50 * MS_US, go_on);
}

bool pairing_is_settled(const struct world *w)
{
    for (unsigned i = 0; i < relays_all(w); i++)
        if (!w->machines[i].member || w->machines[i].removed)
            return false;
    return !w->pairing.under_way && !w->opt.lonely;
}

void pairing_remove(struct world *w, const struct device_id *device)
{
    struct pairing *p = &w->pairing;

    ENSURE(p->gone_n < PAIRING_GONE);
    p->gone[p->gone_n++] = *device;
    pairing_begin(w, p->done);
}
