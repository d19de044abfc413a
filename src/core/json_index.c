#include "core/json_index.h"

#include <stdlib.h>

static bool in_order(struct json *const *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (slice_cmp(v[i - 1]->key, v[i]->key) > 0)
            return false;
    return true;
}

static void insertion_sort(struct json **v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct json *m = v[i];
        size_t k = i;

        for (; k > 0 && slice_cmp(v[k - 1]->key, m->key) > 0; k--)
            v[k] = v[k - 1];
        v[k] = m;
    }
}

/* Joins the sorted halves of v, of which the left one is moved to spare. */
static void join_halves(
    struct json **v, size_t half, size_t n, struct json **spare)
{
    size_t l = 0, r = half, to = 0;

    memcpy(spare, v, half * sizeof *v);
    while (l < half && r < n)
        v[to++] =
            slice_cmp(spare[l]->key, v[r]->key) <= 0 ? spare[l++] : v[r++];
    while (l < half)
        v[to++] = spare[l++];
}

/* A merge sort of our own: stable, and never quadratic. */
static void sort(struct json **v, size_t n, struct json **spare)
{
    if (n <= JSON_INDEX_SMALL / 2) {
        insertion_sort(v, n);
        return;
    }
    sort(v, n / 2, spare);
    sort(v + n / 2, n - n / 2, spare);
    join_halves(v, n / 2, n, spare);
}

int json_index_init(struct json_index *ix, const struct json *obj)
{
    size_t n = obj != NULL && obj->type == JSON_OBJECT ? obj->n : 0;
    size_t i = 0;

    ix->n = n;
    ix->sorted = ix->small;
    if (n + n / 2 > JSON_INDEX_SMALL) /* the half is for the sort */
        ix->sorted = malloc((n + n / 2) * sizeof(struct json *));
    if (ix->sorted == NULL)
        return SYNCLINE_ENOMEM;
    for (struct json *m = n > 0 ? obj->first : NULL; m != NULL; m = m->next)
        ix->sorted[i++] = m;
    if (!in_order(ix->sorted, n))
        sort(ix->sorted, n, ix->sorted + n);
    return SYNCLINE_OK;
}

void json_index_close(struct json_index *ix)
{
    if (ix->sorted != ix->small)
        free(ix->sorted);
}

struct json *json_index_find(const struct json_index *ix, struct slice key)
{
    size_t low = 0, high = ix->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = slice_cmp(ix->sorted[mid]->key, key);

        if (c == 0)
            return ix->sorted[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}
