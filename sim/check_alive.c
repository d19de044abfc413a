/* After quiet: what a node writes, every other one shows. */
#include "sim/check.h"

#include "sim/world.h"

#include <inttypes.h>

static void alive_key(struct buf *b, const struct machine *m)
{
    buf_clear(b);
    buf_printf(b, "alive%u", m->id);
}

static void on_answer(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    struct machine *m = a->machine;

    (void)answer;
    if (rc == SYNCLINE_OK)
        return;
    m->alive = 0;
    /* A clock too wrong to write by: its owner has to set it first. */
    if (rc != SYNCLINE_EDENIED || !fault_is_on(&w->faults, FAULT_CLOCK))
        world_fail(
            w, "live", "node %u refuses to write at rest: %d", m->ix, rc);
}

void check_alive_begin(struct world *w, struct machine *m)
{
    struct buf key = { 0 }, b = { 0 };

    m->alive = ++w->work.values;
    alive_key(&key, m);
    buf_printf(&b,
        "{\"op\":\"put\",\"space\":\"default\",\"key\":\"%.*s\",\"value\":"
        "%" PRIu64 "}",
        SLICE_FMT(buf_slice(&key)), m->alive);
    ENSURE(buf_status(&b) == SYNCLINE_OK);
    machine_ask(m, on_answer, NULL, buf_slice(&b));
    buf_free(&key);
    buf_free(&b);
}

/* Does one machine show what another wrote last? */
static bool shows(struct machine *m, const struct machine *author)
{
    struct buf key = { 0 }, b = { 0 };
    struct arena arena = { 0 };
    const struct json *answer;
    int64_t value = 0;
    int rc;

    alive_key(&key, author);
    buf_printf(&b, "{\"op\":\"get\",\"space\":\"default\",\"key\":\"%.*s\"}",
        SLICE_FMT(buf_slice(&key)));
    answer = machine_ask_now(m, buf_slice(&b), &arena, &rc);
    if (rc == SYNCLINE_OK)
        value = json_get_int(answer, "value", 0);
    arena_free(&arena);
    buf_free(&key);
    buf_free(&b);
    return value == (int64_t)author->alive;
}

/* The first that somebody does not show. */
static bool find_missing(
    struct world *w, struct machine **at, struct machine **author)
{
    for (unsigned i = 0; i < w->machines_n; i++)
        for (unsigned j = 0; j < w->machines_n && !w->failed; j++) {
            *author = &w->machines[i];
            *at = &w->machines[j];
            if ((*author)->alive != 0 && (i == j || !w->opt.lonely) &&
                !shows(*at, *author))
                return true;
        }
    return false;
}

void check_alive(struct world *w)
{
    struct machine *at, *author;

    if (find_missing(w, &at, &author))
        world_fail(w, "live",
            "node %u does not show what node %u wrote %.1f s ago", at->ix,
            author->ix, (double)(w->now_us - w->work.phase_us) / 1e6);
}
