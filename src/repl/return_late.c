/* What comes from a peer, and was deleted or removed here: whoever brings it
 * had not heard of that, and has written it again (return.c). */
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"

/* ---- items ---- */

static bool holds(const struct item *it, const struct dot *first)
{
    for (uint32_t i = 0; i < it->changes_n; i++)
        if (dot_eq(&it->changes[i].first, first))
            return true;
    return false;
}

bool return_is_buried(
    const struct space *sp, const struct item *mine, const struct item *it)
{
    if (sp->buried.n == 0 || !item_alive(it) || it->length <= mine->length ||
        PLANTED(BURIED_FORGOTTEN))
        return false;
    for (uint32_t i = 0; i < it->changes_n; i++)
        if (vv_knows(&sp->buried, &it->changes[i]) &&
            !holds(mine, &it->changes[i].first))
            return true;
    return false;
}

/* Is it alive in an old state, from which it is still to be brought? */
static int is_to_come(
    struct node *n, const struct space *sp, struct slice key, bool *is)
{
    struct stored old;
    int rc = SYNCLINE_OK;

    *is = false;
    for (const struct returning *r = n->returning;
         r != NULL && rc == SYNCLINE_OK && !*is; r = r->next) {
        if (r->space != sp)
            continue;
        rc = return_load_old(n, r->from, key, &old);
        *is = rc == SYNCLINE_OK && item_alive(&old.item);
    }
    return rc;
}

/* What stood here stands again, beyond what has come. */
static int write_over(
    struct node *n, struct stored *st, const struct author *by)
{
    struct json *doc;
    bool wrote;
    int rc = json_parse(&doc, st->before, JSON_STRICT, &n->step, NULL);

    return rc == SYNCLINE_OK ? item_put(&st->item, doc, by, &wrote, &n->step)
                             : rc;
}

static int undo(struct node *n, struct space *sp, struct slice key,
    struct stored *st, const struct item *row, const struct author *by)
{
    struct returning r = { .space = sp, .had = sp->buried };
    struct merge_result what;
    bool wrote;
    int rc = item_join(&st->item, row, &sp->have, NULL, &what, &n->step);

    if (rc == SYNCLINE_OK)
        rc = return_end_again(n, &r, key, st, by, &wrote);
    if (rc == SYNCLINE_OK && st->was_alive)
        rc = write_over(n, st, by);
    if (rc == SYNCLINE_OK)
        rc = item_store(n, sp, key, st, space_next_lsn(sp));
    return rc == SYNCLINE_OK ? space_raise(n, sp, &by->dot) : rc;
}

/* ---- fields ---- */

/* A value that was merged here once, and lost or was removed, comes back with a
 * later stamp, since somebody has written it again: what it lost to stands. Or
 * a removal comes after such a value that it had seen. */
static bool is_stale(const struct item *mine, const struct item *row,
    const struct cell *cell, struct leaf *out)
{
    const struct change *c = &row->changes[cell->change], *by;
    const struct cell *there;

    if (cell->value.ptr != NULL &&
        (dot_eq(&c->dot, &c->first) || !vv_covers(&mine->ctx, &c->first)))
        return false; /* what an item has merged nobody signs */
    *out = (struct leaf){ cell->path, SLICE_NONE };
    there = item_find(mine, cell->path);
    if (there == NULL)
        return cell->value.ptr != NULL;
    by = &mine->changes[there->change];
    if (cell->value.ptr == NULL)
        return there->value.ptr != NULL && change_had_seen(c, by) &&
            stamp_cmp(&c->stamp, &by->stamp) < 0;
    out->value = there->value;
    return !dot_eq(&by->first, &c->first) &&
        stamp_cmp(&by->stamp, &c->stamp) < 0;
}

/* rest: the row without them. */
static int find_stale(struct node *n, const struct space *sp,
    const struct item *mine, const struct item *row, struct leaves *out,
    struct item *rest)
{
    int rc = SYNCLINE_OK;

    *out = (struct leaves){ 0 };
    *rest = *row;
    if (!item_alive(row) || mine->length != row->length ||
        PLANTED(BURIED_FORGOTTEN))
        return SYNCLINE_OK;
    for (uint32_t i = 0; i < row->cells_n && rc == SYNCLINE_OK; i++) {
        const struct cell *c = &row->cells[i];
        struct leaf leaf;
        bool is = !vv_covers(&sp->have, &row->changes[c->change].dot) &&
            is_stale(mine, row, c, &leaf);

        if (is && out->n == 0) {
            rc = item_copy(rest, row, &n->step);
            rest->cells_n = i;
            out->e = arena_alloc(&n->step, row->cells_n * sizeof *out->e);
            if (out->e == NULL)
                rc = SYNCLINE_ENOMEM;
        }
        if (rc == SYNCLINE_OK && is)
            out->e[out->n++] = leaf;
        else if (rc == SYNCLINE_OK && out->n > 0)
            rest->cells[rest->cells_n++] = *c;
    }
    return rc == SYNCLINE_OK && out->n > 0 ? item_normalise(rest, &n->step)
                                           : rc;
}

static int take_rest(struct node *n, struct space *sp, struct slice key,
    struct stored *st, const struct item *rest, const struct author *by,
    const struct leaves *stale)
{
    struct merging m = { n, sp, key, st, false, NULL };
    struct merge_sink sink = merging_sink(&m);
    struct merge_result what;
    bool wrote;
    int rc = item_join(&st->item, rest, &sp->have, &sink, &what, &n->step);

    n->counts.fields_ended_again += stale->n;
    if (rc == SYNCLINE_OK)
        rc = item_write(&st->item, stale, by, &wrote, &n->step);
    if (rc == SYNCLINE_OK)
        rc = item_store(n, sp, key, st, space_next_lsn(sp));
    return rc == SYNCLINE_OK ? space_raise(n, sp, &by->dot) : rc;
}

/* ---- both ---- */

int return_late(struct node *n, struct space *sp, struct slice key,
    struct stored *st, const struct item *row, bool *late)
{
    bool ends = return_is_buried(sp, &st->item, row), to_come;
    struct leaves stale = { 0 };
    struct item rest;
    struct author by;
    int rc = SYNCLINE_OK;

    *late = false;
    if (!ends)
        rc = find_stale(n, sp, &st->item, row, &stale, &rest);
    if (rc != SYNCLINE_OK || (!ends && stale.n == 0) ||
        !access_may_write(n, sp))
        return rc;
    rc = is_to_come(n, sp, key, &to_come);
    if (rc != SYNCLINE_OK || to_come)
        return rc;
    rc = write_begin(n, sp, &by);
    if (rc == SYNCLINE_ELIMIT) /* nothing can be written any more */
        return SYNCLINE_OK;
    if (rc != SYNCLINE_OK)
        return rc;
    *late = true;
    return ends ? undo(n, sp, key, st, row, &by)
                : take_rest(n, sp, key, st, &rest, &by, &stale);
}
