/* I4 at quiet: all machines show and say the same, and it is what the ledger's
 * model says. */
#include "sim/check.h"

#include "sim/model.h"
#include "sim/peek.h"
#include "sim/world.h"

/* ---- what the nodes say of themselves ---- */

/* The spaces of `status`, each as name, fingerprint, vector. */
static void tell_spaces(
    struct world *w, struct buf *out, const struct json *status)
{
    const struct json *spaces = json_get(status, "spaces");
    static const char *const members[] = { "name", "items", "deleted",
        "fingerprint", "conflicts", "vector" };

    for (const struct json *s = spaces != NULL ? spaces->first : NULL;
         s != NULL; s = s->next) {
        for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
            const struct json *v = json_get(s, members[i]);

            /* Each collects in its own time. */
            if (w->ledger.collected && strcmp(members[i], "deleted") == 0)
                continue;
            buf_printf(out, " %s ", members[i]);
            if (v != NULL)
                json_print(out, v, JSON_CANONICAL);
        }
        buf_put_str(out, ";");
    }
    ENSURE(buf_status(out) == SYNCLINE_OK);
}

/* From the space on in which the two differ. */
static struct slice from_difference(struct slice a, struct slice b)
{
    size_t start = 0;

    for (size_t i = 0; i < a.len && i < b.len && a.ptr[i] == b.ptr[i]; i++)
        if (a.ptr[i] == ';')
            start = i + 1;
    a = slice_from(a, start);
    return a.len > 180 ? SLICE(a.ptr, 180) : a;
}

static void compare_status(
    struct world *w, unsigned other, struct slice a, struct slice b)
{
    if (!slice_eq(a, b))
        world_fail(w, "I4", "status of nodes 0 and %u:%.*s and%.*s", other,
            SLICE_FMT(from_difference(a, b)), SLICE_FMT(from_difference(b, a)));
}

static void check_status(struct world *w)
{
    struct buf first = { 0 }, other = { 0 };

    for (unsigned i = 0; i < w->machines_n && !w->failed; i++) {
        struct arena arena = { 0 };
        struct buf *b = i == 0 ? &first : &other;
        int rc;

        buf_clear(b);
        tell_spaces(w, b,
            machine_ask_now(&w->machines[i], SLICE_LIT("{\"op\":\"status\"}"),
                &arena, &rc));
        if (i > 0)
            compare_status(w, i, buf_slice(&first), buf_slice(&other));
        arena_free(&arena);
    }
    buf_free(&first);
    buf_free(&other);
}

/* ---- rows, from the stores ---- */

static void fail_orphan(struct world *w, const struct machine *m,
    const struct led_item *li, const struct dot *dot)
{
    uint32_t ix = ledger_find(&w->ledger, li->space, dot);
    const struct led_change *c =
        ix != LEDGER_NONE ? &w->ledger.changes[ix] : NULL;

    world_fail(w, "I4",
        "node %u, %.*s: at rest it holds change %llu of replica %02x%02x of "
        "node %d, beyond its vector%s",
        m->ix, SLICE_FMT(li->key), (unsigned long long)dot->seq,
        dot->replica.b[0], dot->replica.b[1],
        c != NULL ? (int)c->author->ix : -1,
        c != NULL && c->lost ? "; its author has lost it" : "");
}

static void check_orphans(struct world *w, struct machine *m, uint32_t item)
{
    const struct led_item *li = &w->ledger.items[item];
    const struct view_space *vs =
        view_by_space(&w->ledger.views[m->ix], li->space);
    struct arena arena = { 0 };
    struct item it;

    item_init(&it);
    if (vs != NULL)
        ENSURE(peek_load(&m->port, vs->number, li->key, &it, &arena) ==
            SYNCLINE_OK);
    for (uint32_t i = 0; i < it.changes_n && !w->failed; i++)
        if (!vv_covers(&vs->have, &it.changes[i].dot))
            fail_orphan(w, m, li, &it.changes[i].dot);
    arena_free(&arena);
}

/* ---- documents ---- */

static void check_document(struct world *w, struct machine *m, uint32_t item)
{
    const struct led_item *li = &w->ledger.items[item];
    const struct led_space *ls = &w->ledger.spaces[li->space];
    struct arena arena = { 0 };
    struct buf text = { 0 };
    const struct json *want =
        model_document(&w->ledger, &w->ledger.views[0], item, &arena);

    if (fork_contests(w, m, item) ||
        view_by_space(&w->ledger.views[m->ix], li->space) == NULL ||
        (ls->name.len > 0 && ls->name.ptr[0] == '_')) {
        arena_free(&arena);
        return; /* left, or the mesh's own */
    }
    if (want != NULL)
        json_print(&text, want, JSON_CANONICAL);
    check_read(w, m, ls->name, li->key, buf_slice(&text));
    buf_free(&text);
    arena_free(&arena);
}

/* ---- conflicts ---- */

struct collecting {
    struct view *view;
    struct omap *to;
    struct buf name;
};

static int add_conflict(void *ctx, struct slice key, struct slice value)
{
    struct collecting *c = ctx;
    const struct view_space *vs;
    struct slice tail;
    uint32_t number;

    if (!peek_space_number(key, &number, &tail))
        return SYNCLINE_ECORRUPT;
    vs = view_by_number(c->view, number);
    if (vs == NULL)
        return SYNCLINE_OK;
    buf_clear(&c->name);
    put_be32(&c->name, vs->space);
    buf_put_slice(&c->name, tail);
    /* Without its first eight bytes: those are the local lsn. */
    return omap_put(c->to, buf_slice(&c->name), slice_from(value, 8));
}

static void collect_conflicts(
    struct world *w, unsigned machine, struct omap *to)
{
    struct collecting c = { .view = &w->ledger.views[machine], .to = to };

    ENSURE(store_scan(&w->machines[machine].port, TABLE_CONFLICT, SLICE_NONE,
               SLICE_NONE, add_conflict, &c) == SYNCLINE_OK);
    buf_free(&c.name);
}

static void describe(struct errmsg *out, const struct omap_node *n)
{
    struct buf value = { 0 };
    struct peek_conflict p;

    (void)errmsg_set(out, SYNCLINE_OK, "none");
    if (n == NULL)
        return;
    put_be64(&value, 0); /* in the place of the lsn */
    buf_put_slice(&value, n->value);
    if (peek_conflict(n->key, buf_slice(&value), &p) == SYNCLINE_OK)
        (void)errmsg_set(out, SYNCLINE_OK,
            "of %.*s%.*s, change %llu of %02x, beaten by %.*s=%.*s of change "
            "%llu of %02x with %llx, resolved %d, returned %d, life %llu",
            SLICE_FMT(p.key), SLICE_FMT(p.loser.path),
            (unsigned long long)p.loser.dot.seq, p.loser.dot.replica.b[0],
            SLICE_FMT(p.winner.path),
            (int)(p.winner.value.len < 20 ? p.winner.value.len : 20),
            (const char *)p.winner.value.ptr,
            (unsigned long long)p.winner.dot.seq, p.winner.dot.replica.b[0],
            (unsigned long long)p.winner.stamp.hlc, p.resolved, p.returned,
            (unsigned long long)p.life);
    buf_free(&value);
}

static void compare_conflicts(
    struct world *w, unsigned other, const struct omap *a, const struct omap *b)
{
    const struct omap_node *x = omap_first(a), *y = omap_first(b);
    struct errmsg mine, theirs;

    for (; x != NULL && y != NULL; x = omap_next(x), y = omap_next(y))
        if (!slice_eq(x->key, y->key) || !slice_eq(x->value, y->value))
            break;
    if (x == NULL && y == NULL)
        return;
    describe(&mine, x);
    describe(&theirs, y);
    world_fail(w, "I4", "nodes 0 and %u: %zu and %zu conflict records: %s, %s",
        other, a->n, b->n, mine.text, theirs.text);
}

static void check_conflicts(struct world *w)
{
    struct omap first = { 0 };

    collect_conflicts(w, 0, &first);
    for (unsigned i = 1; i < w->machines_n && !w->failed; i++) {
        struct omap other = { 0 };

        collect_conflicts(w, i, &other);
        compare_conflicts(w, i, &first, &other);
        omap_free(&other);
    }
    omap_free(&first);
}

/* All states are alike, if they are, by their fingerprints: once all machines
 * have been read from, one for each item says the same. */
static bool is_read(const struct world *w, unsigned machine, uint32_t item)
{
    return w->converged == 0 ||
        (item + w->converged) % w->machines_n == machine;
}

void check_converge(struct world *w)
{
    check_heal(w);
    for (unsigned i = 0; i < w->machines_n; i++)
        for (uint32_t item = 0; item < w->ledger.items_n && !w->failed;
             item++) {
            view_grow(&w->ledger.views[i], &w->ledger);
            check_orphans(w, &w->machines[i], item);
            if (!w->failed && is_read(w, i, item))
                check_document(w, &w->machines[i], item);
        }
    w->converged++;
    if (!w->failed)
        check_conflicts(w);
    if (!w->failed)
        check_status(w);
}
