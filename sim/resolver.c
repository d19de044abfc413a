#include "sim/resolver.h"

#include "sim/check.h"
#include "sim/world.h"

/* Of the siblings the one whose text is largest. */
static const struct json *largest(const struct json *siblings, struct arena *a)
{
    const struct json *best = NULL;
    struct slice best_text = SLICE_NONE;
    struct buf text = { 0 };

    for (const struct json *s = siblings->first; s != NULL; s = s->next) {
        buf_clear(&text);
        json_print(&text, s, JSON_CANONICAL);
        if (best != NULL && slice_cmp(buf_slice(&text), best_text) <= 0)
            continue;
        best = s;
        best_text = arena_dup(a, buf_slice(&text));
    }
    buf_free(&text);
    return best;
}

/* All of them, in the order in which they are given. */
static const struct json *all_of(const struct json *siblings, struct arena *a)
{
    struct json *all = json_new(a, JSON_ARRAY);
    struct buf text = { 0 };

    ENSURE(all != NULL);
    for (const struct json *s = siblings->first; s != NULL; s = s->next) {
        struct json *copy;

        buf_clear(&text);
        json_print(&text, s, JSON_CANONICAL);
        ENSURE(json_parse(&copy, arena_dup(a, buf_slice(&text)), JSON_STRICT, a,
                   NULL) == SYNCLINE_OK);
        ENSURE(json_append(all, copy) != NULL);
    }
    buf_free(&text);
    return all;
}

/* A resolver is a function of what it is given, order and all. */
static const struct json *resolve(
    struct world *w, const struct json *siblings, struct arena *a)
{
    const struct json *all;

    switch (w->opt.seed % 3) {
    case 0:
        return siblings->first;
    case 1:
        all = all_of(siblings, a);
        check_siblings_note(w, all);
        return all;
    default:
        return largest(siblings, a);
    }
}

static void answer(struct world *w, struct happening *h)
{
    struct event ev = { .type = EV_RESOLVED, .request = h->a };
    struct arena arena = { 0 };
    struct json *question;
    struct errmsg why = { "" };

    if (json_parse(&question, buf_slice(&h->bytes), JSON_STRICT, &arena,
            &why) != SYNCLINE_OK ||
        json_get(question, "siblings") == NULL) {
        world_fail(w, "resolve", "node %u asks nonsense: %s", h->machine->ix,
            why.text);
    } else {
        h->machine->resolving--;
        check_siblings(w, h->machine, json_get(question, "siblings"));
        ev.args = resolve(w, json_get(question, "siblings"), &arena);
        machine_step(h->machine, &ev);
    }
    arena_free(&arena);
}

void resolver_ask(struct machine *m, const struct effect *fx)
{
    struct world *w = m->world;
    struct happening *h =
        world_at(w, w->now_us + prng_below(&m->draw, 50 * MS_US), m, answer);

    m->resolving++;
    h->a = fx->request;
    buf_put_slice(&h->bytes, fx->bytes);
    ENSURE(buf_status(&h->bytes) == SYNCLINE_OK);
}
