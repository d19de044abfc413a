/* I12: a watch tells each event once, in order, or says that it begins anew;
 * whoever has been told everything believes what is there. */
#include "sim/check.h"

#include "sim/world.h"

#include <inttypes.h>

struct feed_place check_watch_place(struct slice cursor)
{
    struct feed_place p = { 0 };
    struct slice rest = slice_from(cursor, 2 * RID_LEN + 1);

    while (rest.len > 0 && rest.ptr[0] != ':') {
        p.lsn = p.lsn * 10 + (uint64_t)(rest.ptr[0] - '0');
        rest = slice_from(rest, 1);
    }
    p.tail = slice_from(rest, 1);
    return p;
}

/* Hex is sorted like what it stands for. */
static int place_cmp(const struct feed_place *a, const struct feed_place *b)
{
    if (a->lsn != b->lsn)
        return a->lsn < b->lsn ? -1 : 1;
    if (a->tail.len == 0 || b->tail.len == 0)
        return (a->tail.len == 0) - (b->tail.len == 0);
    return slice_cmp(a->tail, b->tail);
}

void check_watch_event(
    struct world *w, const struct watcher *v, const struct json *event)
{
    struct slice cursor = json_get_str(event, "cursor");
    struct slice key = json_get_str(event, "key");
    struct feed_place at = check_watch_place(cursor);
    int order = place_cmp(&at, &v->at);
    bool live = json_get_bool(event, "live", false);

    if (order < 0 || (order == 0 && key.ptr != NULL))
        world_fail(w, "I12",
            "node %u: a watch of %s is told of %.*s at %.*s, after it was told "
            "up to %.*s",
            v->machine->ix, v->space, SLICE_FMT(key), SLICE_FMT(cursor),
            SLICE_FMT(buf_slice(&v->cursor)));
    if (live && v->live)
        world_fail(w, "I12", "node %u: a watch of %s is live once more",
            v->machine->ix, v->space);
    if (v->anew && !live && json_get_bool(event, "deleted", false))
        world_fail(w, "I12",
            "node %u: a watch of %s from the start is told that %.*s is "
            "deleted",
            v->machine->ix, v->space, SLICE_FMT(key));
}

const struct json *check_watch_list(const struct watcher *v, struct arena *a)
{
    struct buf b = { 0 };
    const struct json *answer;
    int rc;

    buf_printf(&b,
        "{\"op\":\"ls\",\"space\":\"%s\",\"prefix\":\"%s\",\"values\":true}",
        v->space, v->prefix);
    answer = machine_ask_now(v->machine, buf_slice(&b), a, &rc);
    buf_free(&b);
    return rc == SYNCLINE_OK ? json_get(answer, "items") : NULL;
}

static void say(struct world *w, const struct watcher *v, struct slice key,
    struct slice there, struct slice told)
{
    world_fail(w, "I12",
        "node %u: a watch of %s that has been told all up to %.*s believes "
        "that %.*s is %.*s; it is %.*s",
        v->machine->ix, v->space, SLICE_FMT(buf_slice(&v->cursor)),
        SLICE_FMT(key),
        told.ptr != NULL ? (int)(told.len < 60 ? told.len : 60) : 6,
        told.ptr != NULL ? (const char *)told.ptr : "absent",
        there.ptr != NULL ? (int)(there.len < 60 ? there.len : 60) : 6,
        there.ptr != NULL ? (const char *)there.ptr : "absent");
}

/* Both are in the order of keys. */
static void compare(
    struct world *w, const struct watcher *v, const struct json *items)
{
    const struct omap_node *told = omap_first(&v->told);
    struct buf text = { 0 };

    for (const struct json *i = items->first; i != NULL; i = i->next) {
        struct slice key = json_get_str(i, "key");

        buf_clear(&text);
        json_print(&text, json_get(i, "value"), JSON_CANONICAL);
        if (told == NULL || slice_cmp(told->key, key) > 0) {
            say(w, v, key, buf_slice(&text), SLICE_NONE);
            break;
        }
        if (!slice_eq(told->key, key))
            break; /* it says so below */
        if (!slice_eq(told->value, buf_slice(&text)))
            say(w, v, key, buf_slice(&text), told->value);
        told = omap_next(told);
    }
    if (told != NULL)
        say(w, v, told->key, SLICE_NONE, told->value);
    buf_free(&text);
}

/* Who keeps what was answered goes by the mark alone. */
static void check_mark(
    struct world *w, struct watcher *v, const struct json *items)
{
    const uint64_t mark =
        node_watch_mark(v->machine->node, slice_str(v->space));
    struct hash128 state = { 0 };
    struct buf text = { 0 };

    json_print(&text, items, JSON_CANONICAL);
    ENSURE(buf_status(&text) == SYNCLINE_OK);
    hash128_add(&state, buf_slice(&text));
    buf_free(&text);
    if (mark == v->mark && memcmp(&state, &v->state, sizeof state) != 0)
        world_fail(w, "I12",
            "node %u: %s has changed, and has the mark that it had before",
            v->machine->ix, v->space);
    v->mark = mark;
    v->state = state;
}

void check_watch(struct world *w, struct watcher *v)
{
    const struct machine *m = v->machine;
    struct arena arena = { 0 };
    const struct json *items;

    if (v->request == 0 || v->paused || w->failed || !machine_is_up(m) ||
        m->flush_planned || node_wants_flush(m->node))
        return; /* there may be more to tell */
    items = check_watch_list(v, &arena);
    if (items != NULL && !v->live)
        world_fail(w, "I12",
            "node %u: a watch of %s is not told that it is "
            "live, and nothing is left to tell",
            m->ix, v->space);
    else if (items != NULL)
        compare(w, v, items);
    if (items != NULL && !w->failed)
        check_mark(w, v, items);
    arena_free(&arena);
}

void check_watches(struct world *w)
{
    for (unsigned i = 0; i < w->machines_n && !w->failed; i++)
        if (w->machines[i].watcher.machine != NULL)
            check_watch(w, &w->machines[i].watcher);
}
