/* The local interface, doc/api.md: rescue. What has come back with a member
 * after its life was over lies in conflict records (CONFLICT_RETURNED); here
 * people see it by item, and take it back or let it go. */
#include "repl/request_admin.h"

#include <stdlib.h>

#define VALUES_MAX 1024 /* in one request, but always a whole item */
#define BYTES_SOON ((size_t)2 << 20) /* of a batch, after which it ends */
#define BYTES_MAX ((size_t)32 << 20)

/* The values of one item, which stand together in the list. */
static const struct found_conflict *item_end(const struct found_conflict *f)
{
    const struct found_conflict *at = f;

    while (at != NULL && at->space == f->space && slice_eq(at->key, f->key))
        at = at->next;
    return at;
}

/* ---- the list ---- */

static int put_item_head(
    struct admin *q, struct buf *b, const struct found_conflict *f)
{
    struct stored st;
    int rc = item_read(q->n, f->space, f->key, &st);

    buf_put_str(b, "{\"space\":");
    json_print_string(b, f->space->name, false);
    buf_put_str(b, ",\"key\":");
    json_print_string(b, f->key, false);
    buf_printf(b, ",\"now\":\"%s\",\"values\":[",
        rc == SYNCLINE_OK && st.was_alive ? "present" : "deleted");
    return rc;
}

static void put_value(
    struct admin *q, struct buf *b, const struct found_conflict *f)
{
    buf_printf(b, "{\"id\":\"%s\",", f->id);
    put_contender_json(q->n, b, &f->record.loser, false);
    buf_printf(b, ",\"state\":\"%s\"}",
        (f->record.state & CONFLICT_RESOLVED) != 0 ? "resolved" : "open");
}

static int put_rescued(
    struct admin *q, struct buf *b, const struct found_conflict *f)
{
    const struct found_conflict *end = item_end(f);
    int rc = put_item_head(q, b, f);

    for (const struct found_conflict *v = f; v != end; v = v->next) {
        buf_put_str(b, v != f ? "," : "");
        put_value(q, b, v);
    }
    buf_put_str(b, "]}");
    return rc;
}

/* Who names no space means all; a name that is none must not mean that. */
static int read_space(struct admin *q, struct slice *out)
{
    const struct json *v = json_get(q->args, "space");

    *out = json_get_str(q->args, "space");
    return v == NULL || out->len > 0
        ? SYNCLINE_OK
        : errmsg_set(q->why, SYNCLINE_EINVAL,
              "space: the name of a space is wanted; leave it out for all");
}

/* Of a space; empty: of all. */
static int find(struct admin *q, struct slice space, struct conflict_scan *s)
{
    struct space *sp;
    int rc = SYNCLINE_OK;

    s->n = q->n;
    s->rescue = true;
    if (space.len > 0)
        rc = admin_find_space(q, space, &sp);
    return rc == SYNCLINE_OK ? conflicts_find(s, space) : rc;
}

int admin_rescue(struct admin *q)
{
    struct conflict_scan s = { .only_key = json_get_str(q->args, "key"),
        .settled = json_get_bool(q->args, "all", false) };
    struct buf b = { 0 };
    struct slice space;
    int rc = read_space(q, &space);

    if (rc == SYNCLINE_OK)
        rc = find(q, space, &s);
    buf_put_str(&b, "{\"ok\":true,\"rescue\":[");
    for (const struct found_conflict *f = s.list;
         f != NULL && rc == SYNCLINE_OK; f = item_end(f)) {
        buf_put_str(&b, f != s.list ? "," : "");
        rc = put_rescued(q, &b, f);
    }
    buf_put_str(&b, "]}");
    if (rc != SYNCLINE_OK)
        buf_free(&b);
    return rc == SYNCLINE_OK ? admin_reply(q, &b) : rc;
}

/* ---- taking back ---- */

/* Values of an item, as they are to be written. */
struct values {
    const struct found_conflict **e;
    uint32_t n;
};

static int by_path(const void *a, const void *b)
{
    const struct found_conflict *const *x = a, *const *y = b;
    int c = path_cmp((*x)->path, (*y)->path);

    return c != 0
        ? c
        : stamp_cmp(&(*x)->record.loser.stamp, &(*y)->record.loser.stamp);
}

static int by_age(const void *a, const void *b)
{
    const struct found_conflict *const *x = a, *const *y = b;
    int c = stamp_cmp(&(*x)->record.loser.stamp, &(*y)->record.loser.stamp);

    return c != 0 ? c : path_cmp((*x)->path, (*y)->path);
}

/* Of each path the newest, and then the oldest first. */
static int collect_values(struct admin *q, const struct found_conflict *f,
    const struct found_conflict *end, struct values *out)
{
    uint32_t n = 0, kept = 0;

    for (const struct found_conflict *v = f; v != end; v = v->next)
        n++;
    out->e = arena_alloc(&q->n->step, (n + 1) * sizeof(void *));
    if (out->e == NULL)
        return SYNCLINE_ENOMEM;
    n = 0;
    for (const struct found_conflict *v = f; v != end; v = v->next)
        if (v->record.loser.value.ptr != NULL)
            out->e[n++] = v;
    qsort(out->e, n, sizeof(void *), by_path);
    for (uint32_t i = 0; i < n; i++)
        if (i + 1 == n || !slice_eq(out->e[i]->path, out->e[i + 1]->path))
            out->e[kept++] = out->e[i];
    qsort(out->e, kept, sizeof(void *), by_age);
    out->n = kept;
    return SYNCLINE_OK;
}

/* Leaves of one write, of which none hides another. */
struct layer {
    struct space *space;
    struct cells_write write;
    struct item *trial; /* NULL: they are written */
    struct author by;   /* of a trial */
};

static int say_why(struct admin *q, const struct layer *l, int rc)
{
    if (rc == SYNCLINE_ELIMIT)
        return errmsg_set(q->why, rc,
            "%.*s/%.*s: these values cannot all be written: the item would "
            "be too large, or the mesh's clock is at its end",
            SLICE_FMT(l->space->name), SLICE_FMT(l->write.key));
    if (rc == SYNCLINE_ECLOSED)
        return errmsg_set(q->why, rc,
            "this store was rolled back and is becoming a new replica; try "
            "again");
    return rc;
}

static int flush_layer(struct admin *q, struct layer *l)
{
    bool wrote;
    int rc = SYNCLINE_OK;

    if (l->write.leaves.n > 0 && l->trial != NULL)
        rc =
            item_write(l->trial, &l->write.leaves, &l->by, &wrote, &q->n->step);
    else if (l->write.leaves.n > 0)
        rc = write_cells(q->n, l->space, &l->write, &wrote);
    l->write.leaves.n = 0;
    return say_why(q, l, rc);
}

static bool nests(const struct leaves *l, struct slice path)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (path_is_above(l->e[i].path, path) ||
            path_is_above(path, l->e[i].path))
            return true;
    return false;
}

static int add_leaf(struct admin *q, struct layer *l, const struct leaf *leaf)
{
    struct leaves *to = &l->write.leaves;

    if (to->n == to->cap) {
        uint32_t cap = to->cap == 0 ? 16 : 2 * to->cap;
        struct leaf *e = arena_alloc(&q->n->step, cap * sizeof *e);

        if (e == NULL)
            return SYNCLINE_ENOMEM;
        for (uint32_t i = 0; i < to->n; i++)
            e[i] = to->e[i];
        to->e = e;
        to->cap = cap;
    }
    to->e[to->n++] = *leaf;
    return SYNCLINE_OK;
}

static int add_value(
    struct admin *q, struct layer *l, const struct found_conflict *f)
{
    struct leaves leaves;
    struct json *value;
    int rc = json_parse(
        &value, f->record.loser.value, JSON_STRICT, &q->n->step, q->why);

    if (rc == SYNCLINE_OK)
        rc = leaves_at(q->n, f->path, value, &leaves);
    if (rc == SYNCLINE_OK && nests(&l->write.leaves, f->path))
        rc = flush_layer(q, l);
    for (uint32_t i = 0; rc == SYNCLINE_OK && i < leaves.n; i++)
        rc = add_leaf(q, l, &leaves.e[i]);
    return rc;
}

/* One change, or a few where newer values stand above or below older ones:
 * those come after. */
static int write_back(struct admin *q, struct layer *l,
    const struct found_conflict *f, const struct found_conflict *end)
{
    struct values v;
    int rc = collect_values(q, f, end, &v);

    for (uint32_t i = 0; rc == SYNCLINE_OK && i < v.n; i++) {
        rc = add_value(q, l, v.e[i]);
        if (rc == SYNCLINE_OK && q->n->txn.batch.ops.len > BYTES_MAX)
            rc = errmsg_set(q->why, SYNCLINE_ELIMIT,
                "%.*s/%.*s: more than fits one batch; take its values back "
                "one by one, with `syncline resolve`",
                SLICE_FMT(f->space->name), SLICE_FMT(f->key));
    }
    return rc == SYNCLINE_OK ? flush_layer(q, l) : rc;
}

/* What the item would be is asked of its schema, not what it is half way. */
static int try_back(struct admin *q, const struct found_conflict *f,
    const struct found_conflict *end)
{
    struct layer l = { .space = f->space, .write = { .key = f->key } };
    struct stored st;
    int rc = SYNCLINE_OK;

    if (f->space->schemas_n == 0)
        return SYNCLINE_OK;
    rc = write_begin(q->n, f->space, &l.by);
    if (rc != SYNCLINE_OK)
        return say_why(q, &l, rc);
    rc = item_read(q->n, f->space, f->key, &st);
    l.trial = &st.item;
    if (rc == SYNCLINE_OK)
        rc = write_back(q, &l, f, end);
    return rc == SYNCLINE_OK
        ? schemas_check_item(q->n, f->space, f->key, &st.item, q->why)
        : rc;
}

static int settle(struct admin *q, const struct found_conflict *f,
    const struct found_conflict *end, bool apply)
{
    struct layer l = { .space = f->space,
        .write = { .key = f->key, .was_tried = true } };
    int rc = apply ? write_back(q, &l, f, end) : SYNCLINE_OK;

    for (; f != end && rc == SYNCLINE_OK; f = f->next)
        rc = conflict_mark_resolved(q->n, f->space, f->tail);
    return rc;
}

/* ---- the answer ---- */

struct settled {
    struct space *space;
    uint64_t version; /* of the last item */
    uint32_t items, values, refused;
    bool more;
    struct errmsg why; /* of the first that was refused */
};

/* Of all items those that their schemas forbid are left where they are; of
 * one that was named, it is an error. */
static int may_settle(struct admin *q, const struct found_conflict *f,
    const struct found_conflict *end, bool all, struct settled *out)
{
    int rc = try_back(q, f, end);

    if (rc != SYNCLINE_EINVAL || !all)
        return rc;
    if (out->refused++ == 0)
        out->why = *q->why;
    return rc;
}

/* As many items as one batch should hold, of one space: whoever waits for
 * other members waits for that. */
static int settle_some(struct admin *q, const struct found_conflict *f,
    bool apply, bool all, struct settled *out)
{
    struct stored st;
    int rc = SYNCLINE_OK;

    while (f != NULL && rc == SYNCLINE_OK) {
        const struct found_conflict *end = item_end(f);

        if (out->items > 0 &&
            (f->space != out->space || out->values >= VALUES_MAX ||
                q->n->txn.batch.ops.len > BYTES_SOON)) {
            out->more = true;
            return SYNCLINE_OK;
        }
        if (apply)
            rc = may_settle(q, f, end, all, out);
        if (rc == SYNCLINE_EINVAL && all) {
            rc = SYNCLINE_OK;
            f = end;
            continue;
        }
        out->space = f->space;
        out->items++;
        if (rc == SYNCLINE_OK)
            rc = settle(q, f, end, apply);
        if (rc == SYNCLINE_OK)
            rc = item_read(q->n, f->space, f->key, &st);
        if (rc == SYNCLINE_OK)
            out->version = st.item.version;
        for (; f != end; f = f->next)
            out->values++;
    }
    return rc;
}

static int audit_rescue(
    struct node *n, const struct settled *s, struct slice take)
{
    const struct audit_field fields[] = { AUDIT_TEXT("take", take),
        AUDIT_TEXT("space", s->space->name), AUDIT_NUMBER("items", s->items),
        AUDIT_NUMBER("values", s->values), AUDIT_END };

    return s->values > 0 ? node_audit(n, "rescue", fields) : SYNCLINE_OK;
}

static int answer(struct admin *q, const struct settled *s)
{
    struct buf also = { 0 };
    int rc = admin_reply_durable(q, s->space, s->version);

    buf_printf(&also, ",\"items\":%u,\"values\":%u,\"more_items\":%s", s->items,
        s->values, s->more ? "true" : "false");
    if (s->refused > 0) {
        buf_printf(&also, ",\"refused\":%u,\"why\":", s->refused);
        json_print_string(&also, slice_str(s->why.text), false);
    }
    if (rc == SYNCLINE_OK)
        rc = buf_status(&also);
    if (rc == SYNCLINE_OK)
        rc = wait_also(q->n, buf_slice(&also));
    buf_free(&also);
    return rc;
}

int admin_rescue_apply(struct admin *q)
{
    struct slice take = json_get_str(q->args, "take");
    struct conflict_scan s = { .only_key = json_get_str(q->args, "key") };
    struct slice space;
    bool all = json_get_bool(q->args, "all", false);
    struct settled done = { .items = 0 };
    int rc;

    if (!slice_is(take, "apply") && !slice_is(take, "drop"))
        return errmsg_set(q->why, SYNCLINE_EINVAL,
            "take: \"apply\" writes the values back, \"drop\" lets them go");
    if (all == (s.only_key.len > 0))
        return errmsg_set(
            q->why, SYNCLINE_EINVAL, "say which: a space and a key, or all");
    rc = read_space(q, &space);
    if (rc == SYNCLINE_OK)
        rc = admin_find_space(q, space, &done.space);
    if (rc == SYNCLINE_OK)
        rc = find(q, all ? space : done.space->name, &s);
    if (rc == SYNCLINE_OK && s.list == NULL && !all)
        rc = errmsg_set(q->why, SYNCLINE_ENOTFOUND,
            "%.*s/%.*s: nothing of it waits to be rescued; `syncline rescue` "
            "lists what does",
            SLICE_FMT(done.space->name), SLICE_FMT(s.only_key));
    if (rc == SYNCLINE_OK)
        rc = settle_some(q, s.list, slice_is(take, "apply"), all, &done);
    if (rc == SYNCLINE_OK)
        rc = audit_rescue(q->n, &done, take);
    return rc == SYNCLINE_OK ? answer(q, &done) : rc;
}
