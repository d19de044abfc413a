#include "core/item.h"

/* The next unit of a pointer: -2 at the end, -1 for a separator, else the
 * byte that is meant. */
static int unit_at(struct slice p, size_t i)
{
    if (i >= p.len)
        return -2;
    if (p.ptr[i] == '/')
        return -1;
    if (p.ptr[i] == '~' && i + 1 < p.len)
        return p.ptr[i + 1] == '1' ? '/' : '~';
    return p.ptr[i];
}

int path_cmp(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    size_t i = 0;

    while (i < n && a.ptr[i] == b.ptr[i])
        i++;
    if (i > 0 && i < n && a.ptr[i - 1] == '~')
        i--; /* compare what the escapes mean */
    return unit_at(a, i) - unit_at(b, i);
}

bool path_is_above(struct slice p, struct slice q)
{
    return q.len > p.len && slice_has_prefix(q, p) && q.ptr[p.len] == '/';
}

int change_cmp(const struct change *a, const struct change *b)
{
    int c = dot_cmp(&a->dot, &b->dot);

    if (c == 0)
        c = stamp_cmp(&a->stamp, &b->stamp);
    return c != 0 ? c : dot_cmp(&a->first, &b->first);
}

void item_init(struct item *it)
{
    *it = (struct item){ .tomb = -1 };
}

/* Index of the first cell whose path is >= path. */
static uint32_t lower(const struct item *it, struct slice path)
{
    uint32_t lo = 0, hi = it->cells_n;

    if (hi > 0 && path_cmp(it->cells[hi - 1].path, path) < 0)
        return hi; /* cells mostly come in order */
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (path_cmp(it->cells[mid].path, path) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct cell *item_find(const struct item *it, struct slice path)
{
    uint32_t ix = lower(it, path);

    if (ix < it->cells_n && slice_eq(it->cells[ix].path, path))
        return &it->cells[ix];
    return NULL;
}

/* Doubles an array in an arena; the old one is forgotten there. */
static int grow(
    void **array, uint32_t n, uint32_t *cap, size_t size, struct arena *a)
{
    uint32_t more = *cap == 0 ? 4 : *cap * 2;
    void *p;

    if (n < *cap)
        return SYNCLINE_OK;
    p = arena_alloc(a, more * size);
    if (p == NULL)
        return SYNCLINE_ENOMEM;
    if (n > 0)
        memcpy(p, *array, n * size);
    *array = p;
    *cap = more;
    return SYNCLINE_OK;
}

int item_add_change(
    struct item *it, const struct change *c, uint32_t *ix, struct arena *a)
{
    int rc;

    for (uint32_t i = 0; i < it->changes_n; i++)
        if (change_cmp(&it->changes[i], c) == 0) {
            *ix = i;
            return SYNCLINE_OK;
        }
    rc = grow((void **)&it->changes, it->changes_n, &it->changes_cap,
        sizeof *it->changes, a);
    if (rc != SYNCLINE_OK)
        return rc;
    *ix = it->changes_n;
    it->changes[it->changes_n++] = *c;
    return SYNCLINE_OK;
}

int item_set(struct item *it, struct slice path, struct slice value,
    uint32_t change, struct arena *a)
{
    uint32_t ix = lower(it, path);
    int rc;

    if (ix < it->cells_n && slice_eq(it->cells[ix].path, path)) {
        it->cells[ix].value = value;
        it->cells[ix].change = change;
        return SYNCLINE_OK;
    }
    if (it->cells_n >= CELLS_JOINED_MAX)
        return SYNCLINE_ELIMIT;
    rc = grow(
        (void **)&it->cells, it->cells_n, &it->cells_cap, sizeof *it->cells, a);
    if (rc != SYNCLINE_OK)
        return rc;
    memmove(&it->cells[ix + 1], &it->cells[ix],
        (it->cells_n - ix) * sizeof *it->cells);
    it->cells[ix] =
        (struct cell){ .path = path, .value = value, .change = change };
    it->cells_n++;
    return SYNCLINE_OK;
}

int item_copy(struct item *out, const struct item *it, struct arena *a)
{
    struct item copy = *it;
    int rc;

    copy.changes = arena_alloc(a, it->changes_n * sizeof *it->changes);
    copy.cells = arena_alloc(a, it->cells_n * sizeof *it->cells);
    if (copy.changes == NULL || copy.cells == NULL)
        return SYNCLINE_ENOMEM;
    if (it->changes_n > 0)
        memcpy(copy.changes, it->changes, it->changes_n * sizeof *it->changes);
    if (it->cells_n > 0)
        memcpy(copy.cells, it->cells, it->cells_n * sizeof *it->cells);
    copy.changes_cap = it->changes_n;
    copy.cells_cap = it->cells_n;
    rc = vv_copy(&copy.ctx, &it->ctx, a);
    if (rc == SYNCLINE_OK)
        rc = vv_copy(&copy.birth, &it->birth, a);
    if (rc == SYNCLINE_OK)
        *out = copy;
    return rc;
}

/* Insertion sort of the changes that are used: there are few, and
 * they are nearly sorted. to[i] becomes the new index of change i. */
static void sort_changes(struct item *it, uint32_t *to, struct change *sorted)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < it->changes_n; i++) {
        uint32_t at = n;

        if (to[i] == 0)
            continue;
        while (at > 0 && change_cmp(&sorted[at - 1], &it->changes[i]) > 0) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = it->changes[i];
        n++;
    }
    for (uint32_t i = 0; i < it->changes_n; i++) {
        uint32_t lo = 0, hi = n;

        while (to[i] != 0 && hi - lo > 1) {
            uint32_t mid = lo + (hi - lo) / 2;

            if (change_cmp(&sorted[mid], &it->changes[i]) <= 0)
                lo = mid;
            else
                hi = mid;
        }
        to[i] = lo;
    }
    it->changes = sorted;
    it->changes_n = it->changes_cap = n;
}

int item_normalise(struct item *it, struct arena *a)
{
    uint32_t *to = arena_zalloc(a, it->changes_n + 1, sizeof *to);
    struct change *sorted =
        arena_alloc(a, (it->changes_n + 1) * sizeof *sorted);

    if (to == NULL || sorted == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < it->cells_n; i++)
        to[it->cells[i].change] = 1;
    if (it->tomb >= 0)
        to[it->tomb] = 1;
    sort_changes(it, to, sorted);
    for (uint32_t i = 0; i < it->cells_n; i++)
        it->cells[i].change = to[it->cells[i].change];
    if (it->tomb >= 0)
        it->tomb = to[it->tomb];
    return SYNCLINE_OK;
}

/* Fingerprints. The key is fixed: they are compared between members only,
 * who could lie anyway. */
static const uint8_t print_key[16] = "syncline-print-1";

#define PRINT_BYTES 512 /* enough for most items */

static void put_print_change(struct buf *b, const struct change *c)
{
    put_dot(b, &c->dot);
    put_stamp(b, &c->stamp);
}

static bool is_in_part(const struct cell *c, bool standing)
{
    return (c->value.ptr != NULL) == standing;
}

/* Nothing of most items is dead. */
static bool has_part(const struct item *it, bool standing)
{
    if (standing ? item_alive(it) : it->tomb >= 0)
        return true;
    for (uint32_t i = 0; i < it->cells_n; i++)
        if (is_in_part(&it->cells[i], standing))
            return true;
    return false;
}

/* Cells of one change mostly stand side by side: it is put before the first
 * of them only. */
static void put_print_cells(struct buf *b, const struct item *it, bool standing)
{
    const struct cell *last = NULL;

    for (uint32_t i = 0; i < it->cells_n; i++) {
        const struct cell *c = &it->cells[i];

        if (!is_in_part(c, standing))
            continue;
        buf_put_u8(b, last == NULL || last->change != c->change);
        if (last == NULL || last->change != c->change)
            put_print_change(b, &it->changes[c->change]);
        put_bytes(b, c->path);
        put_bytes(b, c->value);
        last = c;
    }
}

static int print_part(struct hash128 *out, struct buf *b, struct slice key,
    const struct item *it, bool standing)
{
    if (!has_part(it, standing)) {
        *out = (struct hash128){ 0, 0 };
        return SYNCLINE_OK;
    }
    buf_clear(b);
    put_bytes(b, key);
    put_varint(b, it->length);
    put_print_cells(b, it, standing);
    if (!standing && it->tomb >= 0)
        put_print_change(b, &it->changes[it->tomb]);
    *out = siphash128(print_key, buf_slice(b));
    return buf_status(b);
}

int item_print(struct item_print *out, struct slice key, const struct item *it)
{
    struct item_print p = { { 0, 0 }, { 0, 0 } };
    struct buf b = { 0 };
    int rc;

    (void)buf_reserve(&b, PRINT_BYTES);
    rc = print_part(&p.live, &b, key, it, true);

    if (rc == SYNCLINE_OK)
        rc = print_part(&p.dead, &b, key, it, false);
    buf_free(&b);
    if (rc == SYNCLINE_OK)
        *out = p;
    return rc;
}
