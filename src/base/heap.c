#include "base/heap.h"

#include <stdbool.h>
#include <stdlib.h>

void heap_free(struct heap *h)
{
    free(h->e);
    *h = (struct heap){ 0 };
}

static bool before(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->key < b->key || (a->key == b->key && a->order < b->order);
}

static int grow(struct heap *h)
{
    size_t cap = h->cap == 0 ? 16 : h->cap * 2;
    struct heap_entry *e;

    if (h->n < h->cap)
        return SYNCLINE_OK;
    if (cap > SIZE_MAX / sizeof *e)
        return SYNCLINE_ENOMEM;
    e = realloc(h->e, cap * sizeof *e);
    if (e == NULL)
        return SYNCLINE_ENOMEM;
    h->e = e;
    h->cap = cap;
    return SYNCLINE_OK;
}

int heap_push(struct heap *h, uint64_t key, void *what)
{
    struct heap_entry new = { key, h->arrivals, what };
    size_t at;
    int rc = grow(h);

    if (rc != SYNCLINE_OK)
        return rc;
    h->arrivals++;
    for (at = h->n++; at > 0; at = (at - 1) / 2) {
        const struct heap_entry *up = &h->e[(at - 1) / 2];

        if (!before(&new, up))
            break;
        h->e[at] = *up;
    }
    h->e[at] = new;
    return SYNCLINE_OK;
}

const struct heap_entry *heap_peek(const struct heap *h)
{
    return h->n == 0 ? NULL : &h->e[0];
}

void *heap_pop(struct heap *h)
{
    struct heap_entry last;
    void *what;
    size_t at = 0;

    if (h->n == 0)
        return NULL;
    what = h->e[0].what;
    last = h->e[--h->n];
    for (;;) {
        size_t down = 2 * at + 1;

        if (down >= h->n)
            break;
        if (down + 1 < h->n && before(&h->e[down + 1], &h->e[down]))
            down++;
        if (!before(&h->e[down], &last))
            break;
        h->e[at] = h->e[down];
        at = down;
    }
    if (h->n > 0)
        h->e[at] = last;
    return what;
}
