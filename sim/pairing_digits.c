/* Pairing without a code: people at both machines, who compare digits, and
 * now and then a machine in between. */
#include "sim/pairing_impl.h"

#include "base/text.h"
#include "sim/check.h"
#include "sim/world.h"

/* Who waits for digits at machine 0 looks so often, and not for ever. */
#define LOOK_US (100 * MS_US)
#define PATIENCE_US (40 * SEC_US)

static void note_digits(struct buf *b, const struct json *v)
{
    buf_clear(b);
    buf_put_slice(b, json_get_str(v, "digits"));
    ENSURE(buf_status(b) == SYNCLINE_OK);
}

static void on_nothing(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    (void)w;
    (void)a;
    (void)rc;
    (void)answer;
}

static void ask(struct world *w, struct machine *m, const char *op,
    const char *name, struct slice value)
{
    struct buf *b = &w->pairing.text;

    buf_clear(b);
    buf_printf(
        b, "{\"op\":\"%s\",\"%s\":\"%.*s\"}", op, name, SLICE_FMT(value));
    machine_ask(m, on_nothing, NULL, buf_slice(b));
}

/* ---- the member's side ---- */

/* Both say yes if what they read is the same, else both say no. */
static void decide(struct world *w)
{
    struct pairing *p = &w->pairing;
    struct slice here = buf_slice(&p->shown), there = buf_slice(&p->digits);
    bool same = slice_eq(here, there);

    world_note(w, "people read %.*s at 0 and %.*s at %u", SLICE_FMT(here),
        SLICE_FMT(there), p->who->ix);
    w->tally.sim.digits_equal += same;
    w->tally.sim.digits_differ += !same;
    p->decided = true;
    if (pairing_can_ask(w, &w->machines[0]))
        ask(w, &w->machines[0], same ? "approve" : "deny", "who", here);
    if (pairing_can_ask(w, p->who))
        ask(w, p->who, "confirm", "digits", same ? there : SLICE_LIT("no"));
}

static void look(struct world *w, struct happening *h);

/* Or of an earlier one, of which the member has not heard that it is over? */
static bool is_of_attempt(const struct pairing *p, const struct json *asker)
{
    const struct device_id *device = p->middle.way != MIDDLE_NONE
        ? &p->middle.crypto.device
        : &p->who->crypto.device;
    char hex[2 * DEVICE_ID_LEN + 1];

    hex_encode(hex, device_slice(device));
    return slice_is(json_get_str(asker, "device"), hex);
}

static void on_pending(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    struct pairing *p = &w->pairing;
    const struct json *list = json_get(answer, "pending");

    (void)a;
    if (rc == SYNCLINE_OK && list != NULL && list->first != NULL &&
        is_of_attempt(p, list->first))
        note_digits(&p->shown, list->first);
}

/* The people at both machines look at what is there. */
static void look(struct world *w, struct happening *h)
{
    struct pairing *p = &w->pairing;

    if (p->attempt != h->a || p->joining == 0)
        return; /* it is over */
    check_middle(w);
    if (w->now_us > p->since_us + PATIENCE_US) {
        if (machine_is_up(p->who))
            machine_cancel(p->who, p->joining);
        return;
    }
    if (!p->decided && pairing_can_ask(w, &w->machines[0])) {
        buf_clear(&p->shown);
        machine_ask(&w->machines[0], on_pending, NULL,
            SLICE_LIT("{\"op\":\"pending\"}"));
        check_digits(w, p->middle.way, buf_slice(&p->shown));
    }
    if (!p->decided && p->shown.len > 0 && p->digits.len > 0)
        decide(w);
    world_at(w, w->now_us + LOOK_US, NULL, look)->a = p->attempt;
}

/* ---- the joiner's ---- */

static void on_joined(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    struct pairing *p = &w->pairing;

    if (json_get_bool(answer, "more", false)) {
        note_digits(&p->digits, answer);
        return;
    }
    p->joining = 0;
    if (rc == SYNCLINE_OK)
        check_joined(w, a->machine, p->middle.way);
    p->middle.way = MIDDLE_NONE;
    pairing_joined(w, a->machine, rc, answer);
}

static void join(struct world *w, struct happening *h)
{
    struct pairing *p = &w->pairing;
    struct prng *draw = &p->draw;

    (void)h;
    if (!pairing_can_ask(w, p->who)) {
        pairing_try_again(w, SYNCLINE_ECLOSED, NULL);
        return;
    }
    middle_act(&p->middle,
        prng_one_in(draw, 4)
            ? (enum middle_way)(1 + prng_below(draw, MIDDLE_WAYS - 1))
            : MIDDLE_NONE);
    buf_clear(&p->text);
    buf_put_str(&p->text, "{\"op\":\"join\"");
    if (prng_one_in(draw, 2))
        buf_printf(&p->text, ",\"peer\":\"10.0.0.1:%d\"", SIM_PORT);
    buf_put_str(&p->text, "}");
    buf_clear(&p->digits);
    buf_clear(&p->shown);
    p->decided = false;
    p->since_us = w->now_us;
    p->attempt++;
    p->joining = p->who->requests + 1;
    world_at(w, w->now_us + LOOK_US, NULL, look)->a = p->attempt;
    machine_watch(p->who, on_joined, NULL, buf_slice(&p->text));
}

static void on_open(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    (void)a;
    if (rc != SYNCLINE_OK) {
        pairing_try_again(w, rc, answer);
        return;
    }
    (void)world_at(w, w->now_us + 10 * MS_US, NULL, join);
}

void pairing_by_digits(struct world *w)
{
    machine_ask(&w->machines[0], on_open, NULL,
        SLICE_LIT("{\"op\":\"pending_open\",\"for_s\":60}"));
}
