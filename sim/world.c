#include "sim/world.h"

#include "sim/planting.h"

#include <stdarg.h>
#include <stdlib.h>

/* A run that is not over by then never will be. */
#define END_US (100000 * SEC_US)

void *sim_alloc(size_t n, size_t size)
{
    void *p = calloc(n, size);

    ENSURE(p != NULL);
    return p;
}

void *sim_grow(void *p, size_t n, size_t size)
{
    void *more = reallocarray(p, n, size);

    ENSURE(more != NULL);
    return more;
}

void world_init(struct world *w, const struct world_options *opt)
{
    *w = (struct world){ .opt = *opt,
        .trace = { .to = opt->trace, .numbered = opt->numbered } };
    if (opt->by_alloc) {
        w->alloc = opt->seed;
        w->opt.seed = opt->alloc_of;
    }
    w->trace.story.world = opt->story && opt->trace != NULL ? w : NULL;
    w->draw = draw_from(opt->seed, DRAW_WORLD, 0);
    w->drawn_n = 2 + (unsigned)prng_below(&w->draw, 4);
    if (opt->machines != 0)
        w->drawn_n = opt->machines;
    faults_draw(w);
    network_init(w);
    pairing_init(w);
    workload_init(w);
    for (unsigned id = 0; id < w->drawn_n; id++) {
        struct machine *m = &w->machines[w->machines_n];

        if (id > 0 && (opt->skip_nodes >> id & 1) != 0)
            continue;
        machine_init(m, w, w->machines_n++, id);
    }
    relays_init(w);
    if (w->alloc != 0) /* the machines' by turns */
        w->machines[w->alloc % w->machines_n].memory_fails =
            (uint32_t)(w->alloc / w->machines_n) + 1;
    for (unsigned i = 0; i < w->machines_n && !w->failed; i++)
        machine_start(&w->machines[i]);
    relays_start(w);
}

/* With the room that its bytes had. */
static void happening_end(struct world *w, struct happening *h)
{
    buf_clear(&h->bytes);
    *h = (struct happening){ .bytes = h->bytes, .next = w->spare };
    w->spare = h;
}

static void happening_free(struct happening *h)
{
    buf_free(&h->bytes);
    free(h);
}

void world_close(struct world *w)
{
    struct happening *h;

    while ((h = heap_pop(&w->queue)) != NULL)
        happening_free(h);
    heap_free(&w->queue);
    while ((h = w->spare) != NULL) {
        w->spare = h->next;
        happening_free(h);
    }
    for (unsigned i = 0; i < relays_all(w); i++)
        machine_close(&w->machines[i]);
    network_close(w);
    withhold_close(w);
    pairing_free(&w->pairing);
    ledger_free(&w->ledger);
    omap_free(&w->results);
    omap_free(&w->devices);
    omap_free(&w->audited);
    omap_free(&w->told);
    omap_free(&w->judged);
    omap_free(&w->siblings);
    trace_free(&w->trace);
}

struct machine *world_machine(struct world *w, uint64_t id)
{
    for (unsigned i = 0; i < w->machines_n; i++)
        if (w->machines[i].id == id)
            return &w->machines[i];
    return NULL;
}

struct happening *world_at(struct world *w, uint64_t when_us,
    struct machine *machine, void (*fn)(struct world *, struct happening *))
{
    struct happening *h = w->spare;

    ENSURE(when_us >= w->now_us); /* time never runs back */
    if (h != NULL)
        w->spare = h->next;
    else
        h = sim_alloc(1, sizeof *h);
    h->next = NULL;
    h->fn = fn;
    h->machine = machine;
    h->life = machine != NULL ? machine->life : 0;
    ENSURE(heap_push(&w->queue, when_us, h) == SYNCLINE_OK);
    return h;
}

/* True if h is kept for later. */
static bool must_wait(struct world *w, struct happening *h)
{
    const struct machine *m = h->machine;

    if (m == NULL || m->paused_until_us <= w->now_us)
        return false;
    ENSURE(heap_push(&w->queue, m->paused_until_us, h) == SYNCLINE_OK);
    return true;
}

static bool is_stale(const struct happening *h)
{
    return h->machine != NULL &&
        (!machine_is_up(h->machine) || h->machine->life != h->life);
}

void world_run(struct world *w)
{
    if (!w->failed)
        workload_begin(w);
    while (!w->failed && !w->work.over) {
        const struct heap_entry *e = heap_peek(&w->queue);
        struct happening *h;

        if (e == NULL || e->key > END_US) {
            world_fail(w, "end", "nothing more happens");
            return;
        }
        w->now_us = e->key;
        h = heap_pop(&w->queue);
        if (!is_stale(h)) {
            if (must_wait(w, h))
                continue;
            h->fn(w, h);
        }
        happening_end(w, h);
    }
}

/* sim/check_lost.c is the judge check_lost. */
static struct slice judge_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    struct slice name = slice_str(slash != NULL ? slash + 1 : file);

    return SLICE(name.ptr, name.len > 2 ? name.len - 2 : name.len);
}

void world_fail_at(
    struct world *w, const char *file, const char *rule, const char *fmt, ...)
{
    struct slice judge = judge_of(file);
    char text[ERRMSG_MAX - 96];
    va_list args;

    if (w->failed || planting_blinds(judge, rule))
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    w->failed = true;
    (void)snprintf(
        w->verdict, sizeof w->verdict, "%s (%.*s)", rule, SLICE_FMT(judge));
    errmsg_set(&w->why, SYNCLINE_OK, "%s at %.6f s: %s (%.*s)", rule,
        (double)w->now_us / 1e6, text, SLICE_FMT(judge));
    trace_note(&w->trace, w->now_us, "FAILED %s: %s", rule, text);
}

void world_note(struct world *w, const char *fmt, ...)
{
    char text[ERRMSG_MAX];
    va_list args;

    if (w->trace.to == NULL)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    trace_note(&w->trace, w->now_us, "%s", text);
}
