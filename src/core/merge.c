#include "core/merge.h"

#include "base/plant.h"

struct join {
    struct item *mine;
    const struct item *row;
    const struct vv *seen;
    const struct merge_sink *sink;
    struct arena *arena;
    uint32_t *to; /* row's change -> mine's, plus one; 0: not taken yet */
    bool changed;
};

static bool fresh(const struct join *j, const struct change *c)
{
    return !vv_covers(j->seen, &c->dot);
}

/* Did the change see d, by its own context? */
static bool saw(const struct change *c, const struct dot *d)
{
    if (PLANTED(FALSE_CONFLICT))
        return false;
    return vv_covers(&c->ctx, d) || vv_covers(&c->birth, d);
}

static struct contender contender_of(
    const struct change *c, const struct cell *cell)
{
    return (struct contender){ .dot = c->first,
        .stamp = c->stamp,
        .wall_us = c->wall_us,
        .path = cell != NULL ? cell->path : SLICE_NONE,
        .value = cell != NULL ? cell->value : SLICE_NONE };
}

static int report_lost(const struct join *j, const struct change *c,
    const struct cell *cell, uint64_t length)
{
    if (j->sink == NULL || j->sink->lost == NULL || cell->value.ptr == NULL)
        return SYNCLINE_OK;
    return j->sink->lost(j->sink->ctx, c, cell, length);
}

static int report_conflict(const struct join *j, const struct conflict *c)
{
    if (j->sink == NULL || j->sink->conflict == NULL || PLANTED(SILENT_LOSS))
        return SYNCLINE_OK;
    return j->sink->conflict(j->sink->ctx, c);
}

/* The change that stands for a whole life: its tombstone, or else the one
 * with the largest stamp. NULL for a life without cells. */
static const struct change *life_of(const struct item *it)
{
    const struct change *best = NULL;

    if (it->tomb >= 0)
        return &it->changes[it->tomb];
    for (uint32_t i = 0; i < it->cells_n; i++) {
        const struct change *c = &it->changes[it->cells[i].change];

        if (best == NULL || stamp_cmp(&c->stamp, &best->stamp) > 0)
            best = c;
    }
    return best;
}

/* A value of an ended life loses to the later life as a whole. */
static int lose_life(const struct join *j, const struct change *c,
    const struct cell *cell, uint64_t length, const struct item *winner)
{
    const struct change *by = life_of(winner);
    struct conflict conflict = { .length = length,
        .deletion = winner->tomb >= 0 };
    bool seen = by != NULL ? saw(by, &c->first)
                           : vv_covers(&winner->ctx, &c->first) ||
            vv_covers(&winner->birth, &c->first);
    int rc = report_lost(j, c, cell, length);

    if (rc != SYNCLINE_OK || seen || cell->value.ptr == NULL)
        return rc;
    conflict.loser = contender_of(c, cell);
    if (by != NULL)
        conflict.winner = contender_of(by, NULL);
    return report_conflict(j, &conflict);
}

/* Two values at one path. */
static int lose_path(const struct join *j, const struct change *lc,
    const struct cell *loser, const struct change *wc,
    const struct cell *winner)
{
    struct conflict conflict = { .length = j->mine->length,
        .siblings = true,
        .loser_change = lc,
        .winner_change = wc };
    int rc;

    if (dot_eq(&lc->dot, &wc->dot) || dot_eq(&lc->first, &wc->first))
        return SYNCLINE_OK;
    if (loser->value.ptr != NULL && winner->value.ptr != NULL &&
        slice_eq(loser->value, winner->value))
        return SYNCLINE_OK;
    rc = report_lost(j, lc, loser, j->mine->length);
    if (rc != SYNCLINE_OK || saw(wc, &lc->first) || loser->value.ptr == NULL)
        return rc;
    conflict.loser = contender_of(lc, loser);
    conflict.winner = contender_of(wc, winner);
    return report_conflict(j, &conflict);
}

/* A value that has just come to stand at cell ix, against each value above
 * and below it: one of the two is hidden. */
static int lose_relative(
    const struct join *j, uint32_t upper, uint32_t lower_ix)
{
    const struct item *it = j->mine;
    const struct cell *up = &it->cells[upper], *low = &it->cells[lower_ix];
    const struct change *uc = &it->changes[up->change];
    const struct change *dc = &it->changes[low->change];
    bool up_wins = stamp_cmp(&uc->stamp, &dc->stamp) > 0;
    struct conflict conflict = { .length = it->length, .stays = true };

    if (up->value.ptr == NULL || low->value.ptr == NULL ||
        value_is_empty_object(up->value) || dot_eq(&uc->first, &dc->first))
        return SYNCLINE_OK;
    if (up_wins ? saw(uc, &dc->first) : saw(dc, &uc->first))
        return SYNCLINE_OK;
    conflict.loser = up_wins ? contender_of(dc, low) : contender_of(uc, up);
    conflict.winner = up_wins ? contender_of(uc, up) : contender_of(dc, low);
    return report_conflict(j, &conflict);
}

static int meet_relatives(const struct join *j, struct slice path)
{
    const struct item *it = j->mine;
    uint32_t ix = (uint32_t)(item_find(it, path) - it->cells);
    int rc = SYNCLINE_OK;

    for (uint32_t i = ix + 1; rc == SYNCLINE_OK && i < it->cells_n &&
         path_is_above(path, it->cells[i].path);
         i++)
        rc = lose_relative(j, ix, i);
    for (size_t len = path.len; rc == SYNCLINE_OK && len-- > 0;) {
        const struct cell *up;

        if (path.ptr[len] != '/')
            continue;
        up = item_find(it, SLICE(path.ptr, len));
        if (up != NULL)
            rc = lose_relative(j, (uint32_t)(up - it->cells), ix);
    }
    return rc;
}

static int take_change(struct join *j, uint32_t row_ix, uint32_t *ix)
{
    const struct change *c = &j->row->changes[row_ix];
    int rc;

    if (j->to[row_ix] != 0) {
        *ix = j->to[row_ix] - 1;
        return SYNCLINE_OK;
    }
    rc = item_add_change(j->mine, c, ix, j->arena);
    if (rc == SYNCLINE_OK)
        j->to[row_ix] = *ix + 1;
    return rc;
}

static bool beats(const struct change *a, const struct change *b)
{
    int c = stamp_cmp(&a->stamp, &b->stamp);

    if (PLANTED(M18) && c == 0)
        return !dot_eq(&a->dot, &b->dot);
    return c != 0 ? c > 0 : dot_cmp(&a->dot, &b->dot) > 0;
}

static int join_cell(struct join *j, const struct cell *cell)
{
    const struct change *c = &j->row->changes[cell->change];
    struct cell *old = item_find(j->mine, cell->path);
    uint32_t ix;
    int rc;

    if (old != NULL) {
        const struct change *oc = &j->mine->changes[old->change];

        if (dot_eq(&oc->dot, &c->dot))
            return SYNCLINE_OK;
        if (!beats(c, oc))
            return lose_path(j, c, cell, oc, old);
        rc = lose_path(j, oc, old, c, cell);
        if (rc != SYNCLINE_OK)
            return rc;
    }
    rc = take_change(j, cell->change, &ix);
    if (rc == SYNCLINE_OK)
        rc = item_set(j->mine, cell->path, cell->value, ix, j->arena);
    if (rc != SYNCLINE_OK)
        return rc;
    j->changed = true;
    return cell->value.ptr != NULL ? meet_relatives(j, cell->path)
                                   : SYNCLINE_OK;
}

static int join_tomb(struct join *j)
{
    const struct change *c = &j->row->changes[j->row->tomb];
    uint32_t ix;
    int rc;

    if (j->mine->tomb >= 0 && !beats(c, &j->mine->changes[j->mine->tomb]))
        return SYNCLINE_OK;
    rc = take_change(j, (uint32_t)j->row->tomb, &ix);
    if (rc != SYNCLINE_OK)
        return rc;
    j->mine->tomb = ix;
    j->changed = true;
    return SYNCLINE_OK;
}

/* Row belongs to a later life: what mine holds is over. */
static int end_life(struct join *j)
{
    struct item *it = j->mine;

    for (uint32_t i = 0; i < it->cells_n; i++) {
        int rc = lose_life(j, &it->changes[it->cells[i].change], &it->cells[i],
            it->length, j->row);

        if (rc != SYNCLINE_OK)
            return rc;
    }
    it->length = j->row->length;
    it->cells_n = 0;
    it->tomb = -1;
    j->changed = true;
    return SYNCLINE_OK;
}

static int join_cells(struct join *j)
{
    for (uint32_t i = 0; i < j->row->cells_n; i++) {
        const struct cell *cell = &j->row->cells[i];
        const struct change *c = &j->row->changes[cell->change];
        int rc;

        if (!fresh(j, c))
            continue;
        rc = j->row->length < j->mine->length
            ? lose_life(j, c, cell, j->row->length, j->mine)
            : join_cell(j, cell);
        if (rc != SYNCLINE_OK)
            return rc;
    }
    return SYNCLINE_OK;
}

static int join_header(struct join *j, bool *grew)
{
    struct item *it = j->mine;
    int rc = SYNCLINE_OK;

    *grew = !vv_geq(&it->ctx, &j->row->ctx) ||
        !vv_geq(&it->birth, &j->row->birth) || it->version < j->row->version;
    if (it->version < j->row->version ||
        (PLANTED(VERSION_BACK) && j->row->version > 0))
        it->version = j->row->version;
    if (*grew)
        rc = vv_join(&it->ctx, &j->row->ctx, j->arena);
    if (*grew && rc == SYNCLINE_OK)
        rc = vv_join(&it->birth, &j->row->birth, j->arena);
    return rc;
}

/* Nothing here yet and nothing to leave out: the row is the item. What its
 * own cells did to each other was recorded where they met. */
static bool is_all_new(const struct join *j)
{
    if (j->mine->length != 0 || j->row->length == 0)
        return false;
    for (uint32_t i = 0; i < j->row->changes_n; i++)
        if (!fresh(j, &j->row->changes[i]))
            return false;
    return true;
}

/* Planted: row is of a life whose end is not claimed by the vector yet. */
static bool revives(const struct join *j)
{
    return j->mine->tomb >= 0 && item_alive(j->row) &&
        fresh(j, &j->mine->changes[j->mine->tomb]);
}

int item_join(struct item *mine, const struct item *row, const struct vv *seen,
    const struct merge_sink *sink, struct merge_result *out, struct arena *a)
{
    struct join j = { mine, row, seen, sink, a, NULL, false };
    bool grew = false;
    int rc = SYNCLINE_OK;

    if (is_all_new(&j)) {
        rc = item_copy(mine, row, a);
        if (rc == SYNCLINE_OK)
            *out = (struct merge_result){ true, true };
        return rc;
    }
    j.to = arena_zalloc(a, row->changes_n + 1, sizeof *j.to);
    if (j.to == NULL)
        return SYNCLINE_ENOMEM;
    if (row->length > mine->length || (PLANTED(UNDELETE) && revives(&j)))
        rc = end_life(&j);
    if (rc == SYNCLINE_OK)
        rc = join_cells(&j);
    if (rc == SYNCLINE_OK && row->length == mine->length && row->tomb >= 0 &&
        fresh(&j, &row->changes[row->tomb]))
        rc = join_tomb(&j);
    if (rc == SYNCLINE_OK)
        rc = join_header(&j, &grew);
    if (rc == SYNCLINE_OK && j.changed)
        rc = item_normalise(mine, a);
    if (rc == SYNCLINE_OK)
        *out = (struct merge_result){ j.changed, grew };
    return rc;
}

/* Writes. */

static int begin_change(
    struct item *it, const struct author *by, uint32_t *ix, struct arena *a)
{
    struct change c = { .dot = by->dot,
        .first = by->dot,
        .stamp = by->stamp,
        .wall_us = by->wall_us,
        .originals = (struct original *)by->originals,
        .originals_n = by->originals_n };
    int rc = SYNCLINE_OK;

    if (!item_alive(it) && it->version < by->version_floor)
        it->version = by->version_floor;
    it->version = item_next_version(it->version);
    for (*ix = 0; *ix < it->changes_n; ++*ix)
        if (change_cmp(&it->changes[*ix], &c) == 0)
            return SYNCLINE_OK; /* its commit wrote here before */
    if (it->length == 0 && by->birth != NULL)
        rc = vv_copy(&it->birth, by->birth, a);
    if (rc == SYNCLINE_OK)
        rc = vv_copy(&c.ctx, &it->ctx, a);
    if (rc == SYNCLINE_OK)
        rc = vv_copy(&c.birth, &it->birth, a);
    if (rc == SYNCLINE_OK)
        rc = vv_add(&it->ctx, &by->dot, a);
    if (rc == SYNCLINE_OK)
        rc = item_add_change(it, &c, ix, a);
    return rc;
}

/* Does the path hold what beats the author? A write that keeps an older time
 * must not replace it here, since it would do so nowhere else. */
static bool holds_later(
    const struct item *it, struct slice path, const struct author *by)
{
    const struct change as = { .dot = by->dot, .stamp = by->stamp };
    const struct cell *c = item_find(it, path);

    return c != NULL && beats(&it->changes[c->change], &as);
}

static bool has_news(
    const struct item *it, const struct leaves *leaves, const struct author *by)
{
    for (uint32_t i = 0; i < leaves->n; i++)
        if (!holds_later(it, leaves->e[i].path, by))
            return true;
    return false;
}

int item_write(struct item *it, const struct leaves *leaves,
    const struct author *by, bool *wrote, struct arena *a)
{
    uint32_t ix;
    int rc;

    *wrote = false;
    if (!has_news(it, leaves, by))
        return SYNCLINE_OK;
    if (!item_alive(it) && item_next_life(it->length, by->floor) > LENGTH_MAX)
        return SYNCLINE_ELIMIT;
    rc = begin_change(it, by, &ix, a);
    if (rc == SYNCLINE_OK && !item_alive(it)) {
        it->length = item_next_life(it->length, by->floor);
        it->tomb = -1;
    }
    for (uint32_t i = 0; i < leaves->n && rc == SYNCLINE_OK; i++)
        if (!holds_later(it, leaves->e[i].path, by))
            rc = item_set(it, leaves->e[i].path, leaves->e[i].value, ix, a);
    if (rc == SYNCLINE_OK)
        rc = item_normalise(it, a);
    *wrote = rc == SYNCLINE_OK;
    return rc;
}

int item_put(struct item *it, const struct json *doc, const struct author *by,
    bool *wrote, struct arena *a)
{
    struct leaves write;
    int rc = document_diff(it, doc, &write, a);

    *wrote = false;
    if (rc != SYNCLINE_OK)
        return rc;
    return item_write(it, &write, by, wrote, a);
}

int item_delete(
    struct item *it, const struct author *by, bool *wrote, struct arena *a)
{
    uint32_t ix;
    int rc;

    *wrote = false;
    if (!item_alive(it))
        return SYNCLINE_OK;
    if (it->length >= LENGTH_MAX)
        return SYNCLINE_ELIMIT;
    rc = begin_change(it, by, &ix, a);
    if (rc != SYNCLINE_OK)
        return rc;
    it->length++;
    it->cells_n = 0;
    it->tomb = ix;
    rc = item_normalise(it, a);
    *wrote = rc == SYNCLINE_OK;
    return rc;
}
