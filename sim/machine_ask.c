/* What is asked of a machine's node, and what becomes of the answers. */
#include "sim/machine_impl.h"

#include <stdlib.h>

static int code_of(const struct json *answer)
{
    const int rc = error_by_name(json_get_str(answer, "code"));

    if (json_get_bool(answer, "ok", false))
        return SYNCLINE_OK;
    return rc != SYNCLINE_OK ? rc : SYNCLINE_EMALFORMED;
}

void machine_take_reply(struct machine *m, const struct effect *fx)
{
    struct arena arena = { 0 }, *to = &arena;
    struct errmsg why = { "" };
    struct json *answer = NULL;
    struct ask **at = &m->asks;
    struct slice text;

    while (*at != NULL && (*at)->request != fx->request)
        at = &(*at)->next;
    if (*at == NULL) {
        world_fail(
            m->world, "reply", "node %u answers a request that is over", m->ix);
        return;
    }
    if ((*at)->arena != NULL)
        to = (*at)->arena;
    text = arena_dup(to, fx->bytes);
    if (json_parse(&answer, text, JSON_STRICT, to, &why) != SYNCLINE_OK) {
        world_fail(m->world, "reply", "node %u: no JSON: %s", m->ix, why.text);
    } else if (fx->more) {
        if ((*at)->stream)
            (*at)->fn(m->world, *at, SYNCLINE_OK, answer);
    } else {
        struct ask *a = *at;

        *at = a->next;
        a->fn(m->world, a, code_of(answer), answer);
        free(a);
    }
    arena_free(&arena);
}

void machine_close_asks(struct machine *m)
{
    while (m->asks != NULL) {
        struct ask *a = m->asks;

        m->asks = a->next;
        a->fn(m->world, a, SYNCLINE_ECLOSED, NULL);
        free(a);
    }
}

static void ask(struct machine *m, const struct ask *asker, struct slice json)
{
    struct event ev = { .type = EV_REQUEST, .request = ++m->requests };
    struct arena arena = { 0 };
    struct errmsg why = { "" };
    struct ask *a = sim_alloc(1, sizeof *a);
    struct json *args;

    *a = *asker;
    a->next = m->asks;
    a->machine = m;
    a->request = ev.request;
    m->asks = a;
    if (json_parse(&args, json, JSON_STRICT, &arena, &why) != SYNCLINE_OK)
        world_fail(m->world, "sim", "a request that is no JSON: %s", why.text);
    ev.args = args;
    machine_step_saying(m, &ev, json);
    arena_free(&arena);
}

void machine_ask(struct machine *m, ask_fn *fn, void *ctx, struct slice json)
{
    ask(m, &(struct ask){ .fn = fn, .ctx = ctx }, json);
}

void machine_watch(struct machine *m, ask_fn *fn, void *ctx, struct slice json)
{
    ask(m, &(struct ask){ .fn = fn, .ctx = ctx, .stream = true }, json);
}

void machine_cancel(struct machine *m, uint64_t request)
{
    struct event ev = { .type = EV_CANCEL, .request = request };
    struct ask **at = &m->asks, *a;

    while (*at != NULL && (*at)->request != request)
        at = &(*at)->next;
    a = *at;
    if (a == NULL)
        return;
    *at = a->next;
    a->fn(m->world, a, SYNCLINE_ECLOSED, NULL);
    free(a);
    machine_step(m, &ev);
}

struct now {
    const struct json *answer;
    int rc;
    bool came;
};

static void take_now(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    struct now *now = a->ctx;

    (void)w;
    now->came = true;
    now->rc = rc;
    if (rc == SYNCLINE_OK)
        now->answer = answer;
}

const struct json *machine_ask_now(
    struct machine *m, struct slice json, struct arena *a, int *rc)
{
    struct now now = { .rc = SYNCLINE_ECLOSED };

    m->spared = true;
    ask(m, &(struct ask){ .fn = take_now, .ctx = &now, .arena = a }, json);
    m->spared = false;
    if (!now.came) {
        if (m->asks != NULL && m->asks->ctx == &now) {
            struct ask *late = m->asks;

            m->asks = late->next;
            free(late);
        }
        world_fail(m->world, "reply", "node %u keeps a reader waiting: %.*s",
            m->ix, SLICE_FMT(json));
    }
    *rc = now.rc;
    return now.answer;
}
