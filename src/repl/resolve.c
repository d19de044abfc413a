/* What the policies `keep-both` and `custom` make of conflicts. */
#include "base/plant.h"
#include "repl/access_impl.h"

#include <stdlib.h>

#define ORIGINALS_MAX 256

/* A conflict of this step that a policy settles once the batch is in. */
struct unsettled {
    struct unsettled *next;
    struct space *space;
    struct slice key;
    struct conflict conflict;
    struct change loser, winner;
    enum policy policy;
};

/* A question to the shell (FX_RESOLVE). */
struct asked {
    struct asked *next;
    uint64_t id;
    struct space *space;
    struct arena arena;
    struct slice key, path;
    struct original *originals;
    uint32_t originals_n;
    struct dot loser;
};

int resolve_later(struct node *n, struct space *sp, struct slice key,
    const struct conflict *c, enum policy policy)
{
    struct unsettled *u;

    if (!access_may_write(n, sp))
        return SYNCLINE_OK; /* somebody who may does it */
    u = arena_zalloc(&n->step, 1, sizeof *u);
    if (u == NULL)
        return SYNCLINE_ENOMEM;
    u->space = sp;
    u->key = key;
    u->conflict = *c;
    u->policy = policy;
    if (c->siblings) {
        u->loser = *c->loser_change;
        u->winner = *c->winner_change;
    }
    u->next = n->unsettled;
    n->unsettled = u;
    return SYNCLINE_OK;
}

int conflict_mark_resolved(struct node *n, struct space *sp, struct slice tail)
{
    struct conflict_record c;
    struct slice value;
    struct reader r;
    bool changed;
    int rc = txn_get(
        &n->txn, TABLE_CONFLICT, key_item(&n->key, sp->id, tail), &value);

    if (rc != SYNCLINE_OK)
        return rc;
    value = arena_dup(&n->step, value);
    r = reader_of(slice_from(value, 8));
    rc = get_conflict_record(&r, &c);
    if (rc != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    c.state |= CONFLICT_RESOLVED;
    return conflict_join(n, sp, tail, &c, &changed);
}

static int mark_resolved(struct node *n, struct space *sp, struct slice key,
    struct slice path, const struct dot *loser)
{
    struct buf tail = { 0 };
    int rc = conflict_mark_resolved(
        n, sp, key_conflict_tail(&tail, key, path, loser));

    buf_free(&tail);
    return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
}

/* ---- keep-both ---- */

/* The loser becomes an item beside the winner. Every node that sees the
 * conflict writes the same thing under the loser's stamp. Where a schema
 * forbids it, the conflict stays open: somebody has to look. */
static int settle_keep_both(struct node *n, const struct unsettled *u)
{
    const struct contender *l = &u->conflict.loser;
    struct leaf leaf = { l->path, l->value };
    struct cells_write w = {
        .leaves = { &leaf, 1, 1 }, .stamp = &l->stamp, .wall_us = l->wall_us
    };
    struct buf key = { 0 }, tail = { 0 };
    char id[13];
    bool wrote;
    int rc;

    n->counts.kept_both++;
    rc = conflict_id(
        id, u->space, key_conflict_tail(&tail, u->key, l->path, &l->dot));
    if (rc == SYNCLINE_OK)
        buf_printf(&key, "%.*s~%s", SLICE_FMT(u->key), id);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&key);
    w.key = buf_slice(&key);
    if (rc == SYNCLINE_OK && key_check(w.key, NULL) == SYNCLINE_OK)
        rc = write_cells(n, u->space, &w, &wrote);
    buf_free(&key);
    buf_free(&tail);
    if (rc == SYNCLINE_EINVAL)
        return SYNCLINE_OK;
    return rc == SYNCLINE_OK
        ? mark_resolved(n, u->space, u->key, l->path, &l->dot)
        : rc;
}

/* ---- custom ---- */

static int add_original(
    struct original *to, uint32_t *n, const struct original *o)
{
    uint32_t at = 0;

    while (at < *n && dot_cmp(&to[at].dot, &o->dot) < 0)
        at++;
    if (at < *n && dot_eq(&to[at].dot, &o->dot))
        return SYNCLINE_OK;
    if (*n == ORIGINALS_MAX)
        return SYNCLINE_ELIMIT;
    memmove(&to[at + 1], &to[at], (*n - at) * sizeof *to);
    to[at] = *o;
    (*n)++;
    return SYNCLINE_OK;
}

/* What a side stands for: the originals that it merged, or itself. */
static int add_side(struct original *to, uint32_t *n, const struct change *c,
    const struct contender *side)
{
    struct original self = { side->dot, side->stamp, side->value };
    int rc = SYNCLINE_OK;

    if (c->originals_n == 0 || PLANTED(M21))
        return add_original(to, n, &self);
    for (uint32_t i = 0; i < c->originals_n && rc == SYNCLINE_OK; i++)
        rc = add_original(to, n, &c->originals[i]);
    return rc;
}

struct ancestry {
    const struct unsettled *u;
    struct arena *arena;
    struct json *found;
};

/* The last document in the history that both sides had seen. */
static int look_at_version(void *ctx, struct slice key, struct slice value)
{
    struct ancestry *a = ctx;
    struct history_entry e = { 0 };
    struct json *doc;

    (void)key;
    if (history_decode(value, &e) != SYNCLINE_OK || e.what != HISTORY_PUT ||
        !vv_covers(&a->u->loser.ctx, &e.dot) ||
        !vv_covers(&a->u->winner.ctx, &e.dot))
        return SYNCLINE_OK;
    value = arena_dup(a->arena, e.value);
    if (value.ptr == NULL)
        return SYNCLINE_ENOMEM;
    if (json_parse(&doc, value, JSON_STRICT, a->arena, NULL) == SYNCLINE_OK)
        a->found = json_pointer_get(doc, a->u->conflict.loser.path, a->arena);
    return SYNCLINE_OK;
}

static int find_ancestor(
    struct node *n, const struct unsettled *u, struct json **out)
{
    struct ancestry a = { u, &n->step, NULL };
    struct buf prefix = { 0 };
    int rc = store_scan(&n->opt.store, TABLE_HISTORY,
        key_history_of(&prefix, u->space->past, u->key), SLICE_NONE,
        look_at_version, &a);

    buf_free(&prefix);
    *out = a.found;
    return rc;
}

/* Planted: what was written here goes before what was not. */
static void local_first(const struct node *n, const struct original *o,
    uint32_t o_n, const struct json **v)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < o_n; i++) {
        const struct json *local = v[i];

        if (!node_is_mine(n, &o[i].dot.replica))
            continue;
        memmove(&v[at + 1], &v[at], (i - at) * sizeof *v);
        v[at++] = local;
    }
}

static int parse_siblings(struct node *n, const struct original *o,
    uint32_t o_n, const struct json ***out)
{
    static const struct json nothing = { .type = JSON_NULL };
    const struct json **v = arena_alloc(&n->step, (o_n + 1) * sizeof *v);

    if (v == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < o_n; i++) {
        struct json *doc = NULL;
        int rc = SYNCLINE_OK;

        if (o[i].value.ptr != NULL)
            rc = json_parse(&doc, o[i].value, JSON_STRICT, &n->step, NULL);
        if (rc != SYNCLINE_OK)
            return rc;
        v[i] = doc != NULL ? doc : &nothing;
    }
    if (PLANTED(M20))
        local_first(n, o, o_n, v);
    *out = v;
    return SYNCLINE_OK;
}

static int apply_result(struct node *n, struct space *sp, struct slice key,
    struct slice path, const struct dot *loser, const struct json *result,
    const struct original *originals, uint32_t originals_n)
{
    struct cells_write w = {
        .key = key, .originals = originals, .originals_n = originals_n
    };
    struct buf text = { 0 };
    struct leaf leaf = { path, SLICE_NONE };
    bool wrote;
    int rc;

    json_print(&text, result, JSON_CANONICAL);
    leaf.value = arena_dup(&n->step, buf_slice(&text));
    rc = buf_status(&text);
    buf_free(&text);
    if (rc != SYNCLINE_OK)
        return rc;
    if ((result->type == JSON_OBJECT && result->n > 0) ||
        leaf.value.len > VALUE_MAX - path.len)
        return SYNCLINE_OK; /* no leaf holds that: it stays open */
    w.leaves = (struct leaves){ &leaf, 1, 1 };
    rc = write_cells(n, sp, &w, &wrote);
    if (rc == SYNCLINE_EINVAL)
        return SYNCLINE_OK; /* a schema forbids it: it stays open */
    n->counts.resolvers_applied++;
    return rc == SYNCLINE_OK ? mark_resolved(n, sp, key, path, loser) : rc;
}

static int ask_shell(struct node *n, const struct unsettled *u,
    const struct original *o, uint32_t o_n, const struct json *const *siblings,
    const struct json *ancestor)
{
    struct asked *a = calloc(1, sizeof *a);
    struct effect *fx;
    struct buf text = { 0 };
    int rc;

    if (a == NULL)
        return SYNCLINE_ENOMEM;
    a->id = ++n->next_asked;
    a->space = u->space;
    a->loser = u->conflict.loser.dot;
    a->key = arena_dup(&a->arena, u->key);
    a->path = arena_dup(&a->arena, u->conflict.loser.path);
    a->originals = arena_alloc(&a->arena, (o_n + 1) * sizeof *o);
    a->next = n->asked;
    n->asked = a;
    n->counts.resolvers_asked++;
    if (a->key.ptr == NULL || a->path.ptr == NULL || a->originals == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < o_n; i++) {
        a->originals[a->originals_n] = o[i];
        if (o[i].value.ptr != NULL)
            a->originals[a->originals_n].value =
                arena_dup(&a->arena, o[i].value);
        a->originals_n++;
    }
    buf_put_str(&text, "{\"space\":");
    json_print_string(&text, u->space->name, false);
    buf_put_str(&text, ",\"key\":");
    json_print_string(&text, u->key, false);
    buf_put_str(&text, ",\"path\":");
    json_print_string(&text, a->path, false);
    buf_put_str(&text, ",\"siblings\":[");
    for (uint32_t i = 0; i < o_n; i++) {
        buf_put_str(&text, i > 0 ? "," : "");
        json_print(&text, siblings[i], JSON_CANONICAL);
    }
    buf_put_str(&text, "],\"ancestor\":");
    if (ancestor != NULL)
        json_print(&text, ancestor, JSON_CANONICAL);
    else
        buf_put_str(&text, "null");
    buf_put_str(&text, "}");
    rc = buf_status(&text);
    fx = rc == SYNCLINE_OK ? fx_add(n, FX_RESOLVE) : NULL;
    if (rc == SYNCLINE_OK && fx == NULL)
        rc = SYNCLINE_ENOMEM;
    if (rc == SYNCLINE_OK) {
        fx->request = a->id;
        rc = fx_bytes(n, fx, buf_slice(&text));
    }
    buf_free(&text);
    return rc;
}

static int settle_custom(struct node *n, const struct unsettled *u)
{
    struct original originals[ORIGINALS_MAX];
    uint32_t originals_n = 0;
    const struct json **siblings;
    struct json *ancestor = NULL, *result;
    struct node_conflict c;
    struct stored st;
    int rc = add_side(originals, &originals_n, &u->loser, &u->conflict.loser);

    if (rc == SYNCLINE_OK)
        rc = add_side(originals, &originals_n, &u->winner, &u->conflict.winner);
    if (rc == SYNCLINE_ELIMIT)
        return SYNCLINE_OK; /* too many to merge: it stays open */
    if (rc == SYNCLINE_OK)
        rc = parse_siblings(n, originals, originals_n, &siblings);
    if (rc == SYNCLINE_OK)
        rc = find_ancestor(n, u, &ancestor);
    if (rc != SYNCLINE_OK)
        return rc;
    if (n->opt.resolve == NULL)
        return ask_shell(n, u, originals, originals_n, siblings, ancestor);
    rc = item_read(n, u->space, u->key, &st);
    if (rc != SYNCLINE_OK)
        return rc;
    c = (struct node_conflict){ u->space->name, u->key, u->conflict.loser.path,
        siblings, originals_n, ancestor, &st.item };
    result = n->opt.resolve(n->opt.resolve_ctx, &c, &n->step);
    if (result == NULL)
        return SYNCLINE_OK;
    return apply_result(n, u->space, u->key, u->conflict.loser.path,
        &u->conflict.loser.dot, result, originals, originals_n);
}

int resolve_settle(struct node *n)
{
    int rc = SYNCLINE_OK;

    while (n->unsettled != NULL && rc == SYNCLINE_OK) {
        const struct unsettled *u = n->unsettled;

        n->unsettled = u->next;
        rc = u->policy == POLICY_CUSTOM ? settle_custom(n, u)
                                        : settle_keep_both(n, u);
        if (rc == SYNCLINE_ELIMIT) /* no clock goes further: it stays open */
            rc = SYNCLINE_OK;
    }
    n->unsettled = NULL;
    return rc;
}

/* Is what stands at the path still made of the originals we asked about? */
static bool still_stands(const struct asked *a, const struct item *it)
{
    const struct cell *cell = item_find(it, a->path);
    const struct change *c;

    if (cell == NULL || !item_alive(it))
        return false;
    c = &it->changes[cell->change];
    for (uint32_t i = 0; i < a->originals_n; i++)
        if (dot_eq(&a->originals[i].dot, &c->first) ||
            (c->originals_n > 0 &&
                dot_eq(&a->originals[i].dot, &c->originals[0].dot)))
            return true;
    return PLANTED(RESOLVER_LATE);
}

int resolve_on_answer(struct node *n, const struct event *ev)
{
    struct asked **at = &n->asked, *a;
    struct stored st;
    int rc = SYNCLINE_OK;

    while (*at != NULL && (*at)->id != ev->request)
        at = &(*at)->next;
    a = *at;
    if (a == NULL)
        return SYNCLINE_OK;
    *at = a->next;
    if (ev->args != NULL)
        rc = item_load(n, a->space, a->key, &st);
    if (ev->args != NULL && rc == SYNCLINE_OK && !still_stands(a, &st.item)) {
        n->counts.resolvers_late++;
    } else if (ev->args != NULL && rc == SYNCLINE_OK) {
        /* The originals live until the commit: in the step's arena. */
        struct original *o =
            arena_alloc(&n->step, (a->originals_n + 1) * sizeof *o);

        if (o == NULL)
            rc = SYNCLINE_ENOMEM;
        else
            memcpy(o, a->originals, a->originals_n * sizeof *o);
        if (rc == SYNCLINE_OK)
            rc = apply_result(n, a->space, a->key, a->path, &a->loser, ev->args,
                o, a->originals_n);
    }
    arena_free(&a->arena);
    free(a);
    return rc;
}

/* Those asked after one; the newest come first. */
static void forget_asked(struct node *n, uint64_t after)
{
    while (n->asked != NULL && n->asked->id > after) {
        struct asked *a = n->asked;

        n->asked = a->next;
        arena_free(&a->arena);
        free(a);
    }
}

void resolves_undo(struct node *n)
{
    forget_asked(n, n->asked_kept);
}

void resolves_free(struct node *n)
{
    forget_asked(n, 0);
}

uint32_t resolves_n(const struct node *n)
{
    uint32_t asked = 0;

    for (const struct asked *a = n->asked; a != NULL; a = a->next)
        asked++;
    return asked;
}

/* A change that had seen the loser, and is not just what beat it. */
static bool knew(const struct change *c, const struct conflict_record *r)
{
    return !dot_eq(&c->first, &r->winner.dot) &&
        (vv_covers(&c->ctx, &r->loser.dot) ||
            vv_covers(&c->birth, &r->loser.dot));
}

/* Nobody has looked at a result, and its resolver was asked about its own path
 * only: what that hides, it has not seen. */
static bool was_shown(
    const struct change *c, struct slice path, const struct conflict_record *r)
{
    return c->originals_n == 0 || slice_eq(path, r->loser.path);
}

bool conflict_loser_is_there(
    const struct item *it, const struct conflict_record *r)
{
    const struct cell *c = item_find(it, r->loser.path);

    return c != NULL && c->value.ptr != NULL &&
        dot_eq(&it->changes[c->change].first, &r->loser.dot);
}

/* What had hidden it was taken away by somebody who need not have seen it. */
static bool is_unhidden(const struct item *it, const struct conflict_record *r)
{
    const struct cell *c = item_find(it, r->winner.path);

    return conflict_loser_is_there(it, r) &&
        (c == NULL || c->value.ptr == NULL || value_is_empty_object(c->value));
}

bool conflict_superseded(const struct item *it, const struct conflict_record *r)
{
    const struct slice paths[2] = { r->loser.path, r->winner.path };

    if (it->tomb >= 0)
        return knew(&it->changes[it->tomb], r);
    if (it->length > r->length + 1) {
        for (uint32_t i = 0; i < it->changes_n; i++)
            if (knew(&it->changes[i], r))
                return true;
        return false;
    }
    for (int i = 0; i < 2; i++) {
        const struct cell *c = item_find(it, paths[i]);

        if (c != NULL && knew(&it->changes[c->change], r) &&
            was_shown(&it->changes[c->change], paths[i], r))
            return true;
    }
    return is_unhidden(it, r);
}
