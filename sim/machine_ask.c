#include "sim/machine_impl.h"

#include <stdlib.h>

static int code_of(const struct json *answer)
{
    static const char *const names[] = { "OK", "ENOMEM", "EINVAL", "EMALFORMED",
        "ESHORT", "ELIMIT", "ENOTFOUND", "EEXIST", "ECONFLICT", "EIO", "EFULL",
        "ECORRUPT", "EVERSION", "EBUSY", "EDENIED", "ECLOSED", "ETIMEOUT",
        "EUNSUPPORTED" };
    struct slice code = json_get_str(answer, "code");

    if (json_get_bool(answer, "ok", false))
        return SYNCLINE_OK;
    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
        if (slice_is(code, names[i]))
            return -(int)i;
    return SYNCLINE_EMALFORMED;
}

void machine_take_reply(struct machine *m, const struct effect *fx)
{
    struct arena arena = { 0 };
    struct errmsg why = { "" };
    struct json *answer = NULL;
    struct ask **at = &m->asks;

    while (*at != NULL && (*at)->request != fx->request)
        at = &(*at)->next;
    if (*at == NULL) {
        world_fail(
            m->world, "reply", "node %u answers a request that is over", m->ix);
        return;
    }
    if (json_parse(&answer, fx->bytes, JSON_STRICT, &arena, &why) !=
        SYNCLINE_OK) {
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

static void ask(
    struct machine *m, ask_fn *fn, void *ctx, struct slice json, bool stream)
{
    struct event ev = { .type = EV_REQUEST, .request = ++m->requests };
    struct arena arena = { 0 };
    struct errmsg why = { "" };
    struct ask *a = sim_alloc(1, sizeof *a);
    struct json *args;

    *a = (struct ask){ .next = m->asks,
        .machine = m,
        .request = ev.request,
        .fn = fn,
        .stream = stream,
        .ctx = ctx };
    m->asks = a;
    if (json_parse(&args, json, JSON_STRICT, &arena, &why) != SYNCLINE_OK)
        world_fail(m->world, "sim", "a request that is no JSON: %s", why.text);
    ev.args = args;
    machine_step_saying(m, &ev, json);
    arena_free(&arena);
}

void machine_ask(struct machine *m, ask_fn *fn, void *ctx, struct slice json)
{
    ask(m, fn, ctx, json, false);
}

void machine_watch(struct machine *m, ask_fn *fn, void *ctx, struct slice json)
{
    ask(m, fn, ctx, json, true);
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
    struct arena *arena;
    struct json *answer;
    int rc;
    bool came;
};

static void take_now(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    struct now *now = a->ctx;
    struct buf text = { 0 };
    struct errmsg why;

    now->came = true;
    now->rc = rc;
    if (rc != SYNCLINE_OK)
        return;
    json_print(&text, answer, JSON_CANONICAL);
    ENSURE(buf_status(&text) == SYNCLINE_OK);
    if (json_parse(&now->answer, arena_dup(now->arena, buf_slice(&text)),
            JSON_STRICT, now->arena, &why) != SYNCLINE_OK)
        world_fail(w, "sim", "printed JSON is no JSON: %s", why.text);
    buf_free(&text);
}

struct json *machine_ask_now(
    struct machine *m, struct slice json, struct arena *a, int *rc)
{
    struct now now = { .arena = a, .rc = SYNCLINE_ECLOSED };

    m->spared = true;
    machine_ask(m, take_now, &now, json);
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
