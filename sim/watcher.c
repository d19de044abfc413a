#include "sim/watcher.h"

#include "sim/check.h"
#include "sim/world.h"

void watcher_free(struct watcher *v)
{
    buf_free(&v->cursor);
    omap_free(&v->told);
}

static void believe(struct watcher *v, struct slice key, const struct json *doc)
{
    struct buf text = { 0 };

    if (doc == NULL) {
        (void)omap_del(&v->told, key);
        return;
    }
    json_print(&text, doc, JSON_CANONICAL);
    ENSURE(buf_status(&text) == SYNCLINE_OK);
    ENSURE(omap_put(&v->told, key, buf_slice(&text)) == SYNCLINE_OK);
    buf_free(&text);
}

static void take_event(
    struct world *w, struct watcher *v, const struct json *event)
{
    struct slice key = json_get_str(event, "key");

    if (json_get_bool(event, "resync", false)) {
        omap_clear(&v->told);
        v->anew = true;
        v->live = false;
        v->at = (struct feed_place){ 0 };
    }
    check_watch_event(w, v, event);
    buf_clear(&v->cursor);
    buf_put_slice(&v->cursor, json_get_str(event, "cursor"));
    ENSURE(buf_status(&v->cursor) == SYNCLINE_OK);
    v->at = check_watch_place(buf_slice(&v->cursor));
    if (json_get_bool(event, "live", false)) {
        v->live = true;
        v->anew = false;
    }
    if (key.ptr != NULL)
        believe(v, key, json_get(event, "value"));
}

static void on_event(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    struct watcher *v = a->ctx;

    if (json_get_bool(answer, "more", false)) {
        take_event(w, v, answer);
        return;
    }
    v->request = 0;
    if (rc != SYNCLINE_ECLOSED && rc != SYNCLINE_ENOTFOUND &&
        (rc != SYNCLINE_ENOMEM || !fault_is_on(&w->faults, FAULT_MEMORY)))
        world_fail(w, "request", "node %u refuses a watch from %.*s: %d",
            v->machine->ix, SLICE_FMT(buf_slice(&v->cursor)), rc);
}

/* from NULL: from now on. */
static void open_from(struct watcher *v, struct slice from)
{
    struct machine *m = v->machine;
    struct buf b = { 0 };

    v->paused = v->live = v->anew = false;
    buf_printf(&b, "{\"op\":\"watch\",\"space\":\"%s\",\"prefix\":\"%s\"",
        v->space, v->prefix);
    if (from.ptr != NULL)
        buf_printf(&b, ",\"from\":\"%.*s\"", SLICE_FMT(from));
    buf_put_str(&b, "}");
    ENSURE(buf_status(&b) == SYNCLINE_OK);
    v->request = m->requests + 1;
    machine_watch(m, on_event, v, buf_slice(&b));
    buf_free(&b);
}

/* What he sees as he begins. */
static bool look(struct watcher *v)
{
    struct arena arena = { 0 };
    const struct json *items = check_watch_list(v, &arena);

    omap_clear(&v->told);
    for (const struct json *i = items != NULL ? items->first : NULL; i != NULL;
         i = i->next)
        believe(v, json_get_str(i, "key"), json_get(i, "value"));
    arena_free(&arena);
    return items != NULL;
}

static void open_new(struct world *w, struct watcher *v, struct prng *p)
{
    bool from_start = prng_one_in(p, 2);

    v->space = prng_one_in(p, 3) ? "config" : "default";
    v->prefix = prng_one_in(p, 4) ? "k1" : "";
    v->at = (struct feed_place){ 0 };
    v->mark = 0;
    buf_clear(&v->cursor);
    if (from_start) {
        omap_clear(&v->told);
        open_from(v, SLICE_LIT("start"));
        v->anew = true;
    } else if (look(v) && !w->failed) {
        open_from(v, SLICE_NONE);
    }
}

static void pace(struct watcher *v, bool paused)
{
    struct event ev = { .type = paused ? EV_PAUSE : EV_RESUME,
        .request = v->request };

    v->paused = paused;
    machine_step(v->machine, &ev);
}

void watcher_act(struct world *w, struct machine *m, struct prng *p)
{
    struct watcher *v = &m->watcher;
    uint64_t what = prng_below(p, 8);

    v->machine = m;
    if (!machine_is_up(m) || m->paused_until_us > w->now_us)
        return;
    if (v->request == 0 && v->cursor.len > 0 && what < 6)
        open_from(v, buf_slice(&v->cursor));
    else if (v->request == 0)
        open_new(w, v, p);
    else if (what < 2)
        machine_cancel(m, v->request);
    else if (what < 5)
        pace(v, !v->paused);
    else
        check_watch(w, v);
}

void watchers_resume(struct world *w)
{
    for (unsigned i = 0; i < w->machines_n && !w->failed; i++) {
        struct watcher *v = &w->machines[i].watcher;

        if (v->request != 0 && v->paused)
            pace(v, false);
        else if (v->request == 0 && v->cursor.len > 0)
            open_from(v, buf_slice(&v->cursor));
    }
}
