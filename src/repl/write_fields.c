/* Fields of one item that others wrote, each by its own author's clock: one
 * commit, a change for each stamp. The op `put_fields`, for faces whose systems
 * keep a time for each field. */
#include "repl/request_admin.h"

#define FIELDS_MAX 1024

struct fields {
    struct node *n;
    struct space *sp;
    struct slice key, face;
    struct stored st;
    struct author by;
    struct vv seen;    /* the context that each change has */
    struct buf *older; /* those that are not written: what stands is later */
    uint32_t wrote, older_n;
    struct errmsg *why;
};

/* ---- one field ---- */

static bool is_at(struct slice path, struct slice cell)
{
    return slice_eq(path, cell) || path_is_above(path, cell);
}

/* Does something stand at the path, or above it, that is later? A field that
 * was removed counts. */
static bool is_late(
    const struct item *it, struct slice path, const struct stamp *stamp)
{
    if (!item_alive(it))
        return it->tomb >= 0 &&
            stamp_cmp(&it->changes[it->tomb].stamp, stamp) > 0;
    for (uint32_t i = 0; i < it->cells_n; i++) {
        const struct cell *c = &it->cells[i];

        if ((is_at(path, c->path) ||
                (c->path.len == 0 && c->value.ptr != NULL &&
                    !value_is_empty_object(c->value))) &&
            stamp_cmp(&it->changes[c->change].stamp, stamp) > 0)
            return true;
    }
    return false;
}

static const struct leaf *find_leaf(const struct leaves *l, struct slice path)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (slice_eq(l->e[i].path, path))
            return &l->e[i];
    return NULL;
}

/* What is not there yet as it should be, and what should not be there. */
static int differing(struct fields *f, struct slice path,
    const struct leaves *want, struct leaves *out)
{
    const struct item *it = &f->st.item;

    *out = (struct leaves){ .cap = want->n + it->cells_n };
    out->e = arena_alloc(&f->n->step, (out->cap + 1) * sizeof *out->e);
    if (out->e == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < it->cells_n; i++)
        if (it->cells[i].value.ptr != NULL && is_at(path, it->cells[i].path) &&
            find_leaf(want, it->cells[i].path) == NULL)
            out->e[out->n++] = (struct leaf){ it->cells[i].path, SLICE_NONE };
    for (uint32_t i = 0; i < want->n; i++) {
        const struct cell *c = item_find(it, want->e[i].path);

        if (c == NULL || c->value.ptr == NULL ||
            !slice_eq(c->value, want->e[i].value))
            out->e[out->n++] = want->e[i];
    }
    return SYNCLINE_OK;
}

/* The top level of a document, as the pointer to one of its members. */
static int path_of(struct fields *f, struct slice name, struct slice *out)
{
    struct buf b = { 0 };
    int rc;

    json_pointer_put(&b, name);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK) {
        *out = arena_dup(&f->n->step, buf_slice(&b));
        rc = out->ptr != NULL ? rc : SYNCLINE_ENOMEM;
    }
    buf_free(&b);
    return rc;
}

/* What stands where it was not written, for who asked for it. */
static void tell_older(struct fields *f, struct slice name)
{
    struct buf doc = { 0 };
    struct json *v = NULL;
    const struct json *now;

    buf_put_str(f->older, f->older_n++ > 0 ? "," : "");
    json_print_string(f->older, name, false);
    buf_put_str(f->older, ":{");
    put_document(&doc, &f->st.item, &f->n->step);
    if (buf_status(&doc) == SYNCLINE_OK && doc.len > 0 &&
        json_parse(&v, buf_slice(&doc), JSON_STRICT, &f->n->step, NULL) ==
            SYNCLINE_OK) {
        now = json_get_slice(v, name);
        if (now != NULL) {
            buf_put_str(f->older, "\"value\":");
            json_print(f->older, now, JSON_CANONICAL);
        }
    }
    buf_put_u8(f->older, '}');
    buf_free(&doc);
}

/* Each is a change by itself: none of them has seen the others. */
static int write_leaves(
    struct fields *f, const struct leaves *l, const struct author *by)
{
    const uint64_t version = f->st.item.version;
    bool wrote = false;
    int rc = vv_copy(&f->st.item.ctx, &f->seen, &f->n->step);

    if (rc == SYNCLINE_OK)
        rc = item_write(&f->st.item, l, by, &wrote, &f->n->step);
    if (f->wrote > 0)
        f->st.item.version = version; /* of one commit there is one */
    f->wrote += wrote;
    return rc;
}

/* The latest of what stands at the path; is there anything beside it? */
static const struct stamp *latest_at(
    const struct item *it, struct slice path, bool *others)
{
    const struct stamp *latest = NULL;

    *others = false;
    for (uint32_t i = 0; i < it->cells_n; i++) {
        const struct cell *c = &it->cells[i];
        const struct stamp *at = &it->changes[c->change].stamp;

        if (c->value.ptr == NULL)
            continue;
        if (!is_at(path, c->path))
            *others = true;
        else if (latest == NULL || stamp_cmp(at, latest) > 0)
            latest = at;
    }
    return latest;
}

/* What is removed is what stands here, and no more: it loses to whatever was
 * written after that, here or elsewhere, and is the same write whoever removes
 * the same. So it may be older than removed fields that are gone: what it would
 * have lost to were those, which are no more than it. */
static int remove_field(
    struct fields *f, struct slice path, const struct foreign *whose)
{
    struct leaf whole = { SLICE_LIT(""), SLICE_LIT("{}") };
    struct leaves want = { .e = &whole }, write;
    struct author by = f->by;
    bool others;
    const struct stamp *latest = latest_at(&f->st.item, path, &others);
    int rc;

    if (latest == NULL)
        return SYNCLINE_OK;
    want.n = others ? 0 : 1; /* an item stays, if it is an empty one */
    rc = foreign_stamp(f->n, whose, &by.stamp);
    by.stamp.epoch = latest->epoch;
    by.stamp.hlc = latest->hlc + 1;
    if (rc == SYNCLINE_OK)
        rc = differing(f, path, &want, &write);
    if (rc == SYNCLINE_OK)
        rc = write_leaves(f, &write, &by);
    return rc == SYNCLINE_OK && write.n > 0 ? author_note(f->n, whose) : rc;
}

static int write_field(struct fields *f, const struct json *field)
{
    const struct foreign whose = { .face = f->face,
        .node = json_get_str(field, "node"),
        .time_us = (uint64_t)json_get_int(field, "time", 0) };
    const struct slice name = json_get_str(field, "name");
    struct author by = f->by;
    struct leaves want, write;
    struct slice path;
    int rc = path_of(f, name, &path);

    if (rc == SYNCLINE_OK && json_get_bool(field, "remove", false))
        return remove_field(f, path, &whose);
    if (rc == SYNCLINE_OK && whose.time_us > 0)
        rc = foreign_stamp(f->n, &whose, &by.stamp);
    if (rc == SYNCLINE_OK)
        rc = leaves_at(f->n, path, json_get(field, "value"), &want);
    if (rc == SYNCLINE_OK && is_late(&f->st.item, path, &by.stamp)) {
        tell_older(f, name);
        return SYNCLINE_OK;
    }
    if (rc == SYNCLINE_OK)
        rc = differing(f, path, &want, &write);
    if (rc == SYNCLINE_OK && f->st.item.cells_n + write.n > CELLS_MAX)
        rc = SYNCLINE_ELIMIT;
    if (rc != SYNCLINE_OK || write.n == 0)
        return rc;
    /* Had it lost to a removed field that is gone since, nobody here would
     * know: then it is written as of now. */
    if (whose.time_us > 0 && space_outlived(f->sp, &by.stamp))
        by.stamp = f->by.stamp;
    else if (whose.time_us > 0)
        by.wall_us = whose.time_us;
    node_see_stamp(f->n, &by.stamp);
    rc = write_leaves(f, &write, &by);
    return rc == SYNCLINE_OK ? author_note(f->n, &whose) : rc;
}

/* ---- all of them ---- */

static int check_fields(const struct json *list, struct errmsg *why)
{
    if (list == NULL || list->type != JSON_ARRAY || list->n == 0 ||
        list->n > FIELDS_MAX)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "fields: needs an array of 1 to %d objects", FIELDS_MAX);
    for (const struct json *v = list->first; v != NULL; v = v->next) {
        const struct json *name = json_get(v, "name");

        if (name == NULL || name->type != JSON_STRING ||
            (json_get(v, "value") == NULL) !=
                json_get_bool(v, "remove", false) ||
            json_get_int(v, "time", 0) < 0)
            return errmsg_set(why, SYNCLINE_EINVAL,
                "fields: each needs a name, a value (or remove), a node and a "
                "time");
        if (json_get(v, "value") != NULL &&
            json_depth(json_get(v, "value")) >= JSON_DEPTH_MAX)
            return errmsg_set(why, SYNCLINE_ELIMIT,
                "fields: a value nested deeper than %d levels",
                JSON_DEPTH_MAX - 1);
    }
    return SYNCLINE_OK;
}

static bool is_object(const struct stored *st)
{
    return !st->was_alive || (st->before.len > 0 && st->before.ptr[0] == '{');
}

static int begin(struct fields *f)
{
    int rc = write_begin(f->n, f->sp, &f->by);

    if (rc == SYNCLINE_OK)
        rc = item_load(f->n, f->sp, f->key, &f->st);
    if (rc == SYNCLINE_OK && !is_object(&f->st))
        rc = errmsg_set(f->why, SYNCLINE_EINVAL,
            "%.*s/%.*s: is no object, and has no fields",
            SLICE_FMT(f->sp->name), SLICE_FMT(f->key));
    if (rc == SYNCLINE_OK && !f->st.was_alive)
        rc = standing_may_make(f->n, f->sp, f->key, f->why);
    if (rc == SYNCLINE_OK)
        rc = vv_copy(&f->seen, &f->st.item.ctx, &f->n->step);
    return rc;
}

static int end(struct fields *f)
{
    struct node *n = f->n;
    size_t before = n->txn.batch.ops.len;
    int rc = vv_add(&f->st.item.ctx, &f->by.dot, &n->step);

    if (rc == SYNCLINE_OK)
        rc = schemas_check_item(n, f->sp, f->key, &f->st.item, f->why);
    if (rc == SYNCLINE_OK)
        rc = write_check_size(f->sp, f->key, &f->st.item, 0, f->why);
    if (rc == SYNCLINE_OK)
        rc = item_store(n, f->sp, f->key, &f->st, space_next_lsn(f->sp));
    if (rc != SYNCLINE_OK)
        return rc;
    n->counts.changes_written++;
    standing_wrote(n, n->txn.batch.ops.len - before);
    return space_raise(n, f->sp, &f->by.dot);
}

static int write_all(struct fields *f, const struct json *list)
{
    int rc = begin(f);

    for (const struct json *v = list->first; v != NULL && rc == SYNCLINE_OK;
         v = v->next)
        rc = write_field(f, v);
    if (rc == SYNCLINE_ELIMIT && f->why->text[0] == 0)
        (void)errmsg_set(f->why, rc, "%.*s/%.*s: more than %d fields",
            SLICE_FMT(f->sp->name), SLICE_FMT(f->key), CELLS_MAX);
    return rc == SYNCLINE_OK && f->wrote > 0 ? end(f) : rc;
}

int admin_put_fields(struct admin *q)
{
    const struct json *list = json_get(q->args, "fields");
    struct buf older = { 0 }, b = { 0 };
    struct fields f = { .n = q->n,
        .key = json_get_str(q->args, "key"),
        .face = json_get_str(q->args, "face"),
        .older = &older,
        .why = q->why };
    int rc = admin_find_space(q, json_get_str(q->args, "space"), &f.sp);

    if (rc == SYNCLINE_OK && space_is_inner(f.sp))
        rc = errmsg_set(q->why, SYNCLINE_EDENIED, "%.*s: is the mesh's own",
            SLICE_FMT(f.sp->name));
    if (rc == SYNCLINE_OK)
        rc = key_check(f.key, q->why);
    if (rc == SYNCLINE_OK)
        rc = check_fields(list, q->why);
    if (rc == SYNCLINE_OK)
        rc = access_check_write(q->n, f.sp, q->why);
    if (rc == SYNCLINE_OK)
        rc = standing_may_write(q->n, f.sp, q->why);
    if (rc == SYNCLINE_OK)
        rc = write_all(&f, list);
    buf_printf(&b, "{\"ok\":true,\"changed\":%u,\"older\":{", f.wrote);
    buf_put_slice(&b, buf_slice(&older));
    buf_put_str(&b, "}}");
    if (rc == SYNCLINE_OK)
        rc = buf_status(&older);
    buf_free(&older);
    if (rc != SYNCLINE_OK)
        buf_free(&b);
    return rc == SYNCLINE_OK ? admin_reply(q, &b) : rc;
}
