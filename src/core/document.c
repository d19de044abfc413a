#include "core/document.h"

#include "base/plant.h"

#include <stdlib.h>

/* Ancestors of the cell at hand, outermost first; a pointer has at most one
 * ancestor per segment, and documents are at most JSON_DEPTH_MAX deep. */
struct lineage {
    uint32_t ix[JSON_DEPTH_MAX * 2 + 1];
    uint32_t n;
};

static const struct stamp *stamp_of(const struct item *it, uint32_t ix)
{
    return &it->changes[it->cells[ix].change].stamp;
}

static void lineage_enter(
    struct lineage *up, const struct item *it, uint32_t ix)
{
    while (up->n > 0 &&
        !path_is_above(it->cells[up->ix[up->n - 1]].path, it->cells[ix].path))
        up->n--;
}

static void lineage_push(struct lineage *up, uint32_t ix)
{
    if (up->n < sizeof up->ix / sizeof *up->ix)
        up->ix[up->n++] = ix;
}

/* An ancestor with a scalar or an array and a larger stamp hides ix. */
static bool stands(const struct lineage *up, const struct item *it, uint32_t ix)
{
    for (uint32_t i = 0; i < up->n; i++)
        if (!value_is_empty_object(it->cells[up->ix[i]].value) &&
            stamp_cmp(stamp_of(it, up->ix[i]), stamp_of(it, ix)) > 0)
            return false;
    return true;
}

/* ix stands: which of its ancestors does that hide? */
static void hide_ancestors(
    const struct lineage *up, const struct item *it, uint32_t ix, bool *marks)
{
    for (uint32_t i = 0; i < up->n; i++) {
        uint32_t above = up->ix[i];

        if (value_is_empty_object(it->cells[above].value) ||
            stamp_cmp(stamp_of(it, ix), stamp_of(it, above)) >= 0)
            marks[above] = false;
    }
}

int document_visible(const struct item *it, bool **out, struct arena *a)
{
    bool *marks = arena_zalloc(a, it->cells_n + 1, sizeof *marks);
    struct lineage up = { .n = 0 };

    if (marks == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < it->cells_n; i++) {
        lineage_enter(&up, it, i);
        if (it->cells[i].value.ptr == NULL)
            continue;
        marks[i] = stands(&up, it, i);
        if (marks[i])
            hide_ancestors(&up, it, i, marks);
        lineage_push(&up, i);
    }
    *out = marks;
    return SYNCLINE_OK;
}

/* Printing. Cells come in the order of the canonical form (path_cmp), so
 * the text is written straight through: what two neighbours share stays
 * open, the rest is closed and opened. */

/* Bytes of the longest common run of whole segments of p and q. */
static size_t shared_segments(struct slice p, struct slice q)
{
    size_t n = p.len < q.len ? p.len : q.len;
    size_t whole = 0;
    size_t i = 0;

    for (; i < n && p.ptr[i] == q.ptr[i]; i++)
        if (p.ptr[i] == '/')
            whole = i;
    if (i == n && (p.len == q.len || (p.len > n ? p : q).ptr[n] == '/'))
        whole = n;
    return whole;
}

static unsigned segments_in(struct slice p)
{
    unsigned n = 0;

    for (size_t i = 0; i < p.len; i++)
        n += p.ptr[i] == '/';
    return n;
}

static void put_key(struct buf *b, struct slice segment, struct arena *a)
{
    struct slice key = segment;

    if (segment.len > 0 && memchr(segment.ptr, '~', segment.len) != NULL) {
        uint8_t *to = arena_alloc(a, segment.len);

        key = SLICE(to, 0);
        for (size_t i = 0; to != NULL && i < segment.len; i++) {
            uint8_t c = segment.ptr[i];

            if (c == '~')
                c = segment.ptr[++i] == '1' ? '/' : '~';
            to[key.len++] = c;
        }
        if (to == NULL)
            b->status = SYNCLINE_ENOMEM;
    }
    json_print_string(b, key, false);
    buf_put_u8(b, ':');
}

/* Opens the objects for the segments of path beyond the shared ones. */
static void open_segments(
    struct buf *b, struct slice path, size_t from, struct arena *a)
{
    bool first = true;

    while (from < path.len) {
        size_t start = from + 1, end = start;

        while (end < path.len && path.ptr[end] != '/')
            end++;
        if (!first)
            buf_put_u8(b, '{');
        put_key(b, SLICE(path.ptr + start, end - start), a);
        first = false;
        from = end;
    }
}

static void put_cells(
    struct buf *b, const struct item *it, const bool *marks, struct arena *a)
{
    struct slice last = SLICE_NONE;
    bool any = false;

    buf_put_u8(b, '{');
    for (uint32_t i = 0; i < it->cells_n; i++) {
        struct slice path = it->cells[i].path;
        size_t shared;

        if (!marks[i])
            continue;
        shared = any ? shared_segments(last, path) : 0;
        for (unsigned n = segments_in(slice_from(last, shared)); n > 1; n--)
            buf_put_u8(b, '}');
        if (any)
            buf_put_u8(b, ',');
        open_segments(b, path, shared, a);
        buf_put_slice(b, it->cells[i].value);
        last = path;
        any = true;
    }
    for (unsigned n = segments_in(last); n > 1; n--)
        buf_put_u8(b, '}');
    buf_put_u8(b, '}');
}

void put_document(struct buf *b, const struct item *it, struct arena *a)
{
    bool *marks;
    int rc;

    if (!item_alive(it))
        return;
    rc = document_visible(it, &marks, a);
    if (rc != SYNCLINE_OK) {
        b->status = rc;
        return;
    }
    if (it->cells_n > 0 && it->cells[0].path.len == 0 && marks[0])
        buf_put_slice(b, it->cells[0].value);
    else
        put_cells(b, it, marks, a);
}

/* Leaves. */

struct leaf_walk {
    struct leaves *out;
    struct arena *arena;
    struct buf path, text;
};

static int add_leaf(struct leaf_walk *w, const struct json *v)
{
    struct leaves *l = w->out;
    struct leaf leaf;

    if (l->n >= CELLS_MAX || w->path.len > PATH_MAX_LEN)
        return SYNCLINE_ELIMIT;
    if (l->n == l->cap) {
        uint32_t cap = l->cap == 0 ? 16 : l->cap * 2;
        struct leaf *e = arena_alloc(w->arena, cap * sizeof *e);

        if (e == NULL)
            return SYNCLINE_ENOMEM;
        if (l->n > 0)
            memcpy(e, l->e, l->n * sizeof *e);
        l->e = e;
        l->cap = cap;
    }
    buf_clear(&w->text);
    json_print(&w->text, v, JSON_CANONICAL);
    if (buf_status(&w->text) != SYNCLINE_OK)
        return buf_status(&w->text);
    leaf.path = arena_dup(w->arena, buf_slice(&w->path));
    leaf.value = arena_dup(w->arena, buf_slice(&w->text));
    if (leaf.path.ptr == NULL || leaf.value.ptr == NULL)
        return SYNCLINE_ENOMEM;
    l->e[l->n++] = leaf;
    return SYNCLINE_OK;
}

static int walk_leaves(struct leaf_walk *w, const struct json *v)
{
    if (v->type != JSON_OBJECT || v->n == 0)
        return add_leaf(w, v);
    for (const struct json *m = v->first; m != NULL; m = m->next) {
        size_t len = w->path.len;
        int rc;

        json_pointer_put(&w->path, m->key);
        rc = buf_status(&w->path);
        if (rc == SYNCLINE_OK)
            rc = walk_leaves(w, m);
        if (rc != SYNCLINE_OK)
            return rc;
        w->path.len = len;
    }
    return SYNCLINE_OK;
}

static int leaf_cmp(const void *a, const void *b)
{
    return path_cmp(
        ((const struct leaf *)a)->path, ((const struct leaf *)b)->path);
}

/* Most documents have so few that calling for the order of two takes longer
 * than moving them. */
#define FEW_LEAVES 16

static void sort_leaves(struct leaves *l)
{
    if (l->n > FEW_LEAVES) {
        qsort(l->e, l->n, sizeof *l->e, leaf_cmp);
        return;
    }
    for (uint32_t i = 1; i < l->n; i++) {
        const struct leaf leaf = l->e[i];
        uint32_t at = i;

        for (; at > 0 && path_cmp(leaf.path, l->e[at - 1].path) < 0; at--)
            l->e[at] = l->e[at - 1];
        l->e[at] = leaf;
    }
}

int document_leaves(const struct json *doc, struct leaves *out, struct arena *a)
{
    struct leaves l = { 0 };
    struct leaf_walk w = { .out = &l, .arena = a };
    int rc = walk_leaves(&w, doc);
    bool sorted = true;

    buf_free(&w.path);
    buf_free(&w.text);
    if (rc != SYNCLINE_OK)
        return rc;
    for (uint32_t i = 1; i < l.n && sorted; i++)
        sorted = leaf_cmp(&l.e[i - 1], &l.e[i]) < 0;
    if (!sorted)
        sort_leaves(&l);
    *out = l;
    return SYNCLINE_OK;
}

/* Both sides are sorted: one walk over each. A cell that shows the right
 * value is left alone; any other cell with a value, hidden or not, that the
 * document lacks is emptied, so that nothing can surface. */
int document_diff(const struct item *it, const struct json *doc,
    struct leaves *out, struct arena *a)
{
    struct leaves want, write;
    uint32_t i = 0, j = 0;
    bool *marks;
    int rc = document_leaves(doc, &want, a);

    if (rc == SYNCLINE_OK)
        rc = document_visible(it, &marks, a);
    if (rc != SYNCLINE_OK)
        return rc;
    write = (struct leaves){ .cap = want.n + it->cells_n };
    write.e = arena_alloc(a, (write.cap + 1) * sizeof *write.e);
    if (write.e == NULL)
        return SYNCLINE_ENOMEM;
    while (i < it->cells_n || j < want.n) {
        int c = i == it->cells_n ? 1
            : j == want.n        ? -1
                                 : path_cmp(it->cells[i].path, want.e[j].path);

        if (c > 0) {
            write.e[write.n++] = want.e[j++];
        } else if (c < 0) {
            if (it->cells[i].value.ptr != NULL &&
                !(PLANTED(DIFF_SHOWN) && !marks[i]))
                write.e[write.n++] =
                    (struct leaf){ it->cells[i].path, SLICE_NONE };
            i++;
        } else {
            if (!marks[i] || !slice_eq(it->cells[i].value, want.e[j].value) ||
                PLANTED(M22))
                write.e[write.n++] = want.e[j];
            i++;
            j++;
        }
    }
    *out = write;
    return SYNCLINE_OK;
}
