#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define FIRST_BLOCK ((size_t)4096)
#define LARGEST_BLOCK ((size_t)1 << 20)

struct arena_block {
    struct arena_block *next;
    size_t cap, used;
    alignas(max_align_t) uint8_t bytes[];
};

void arena_free(struct arena *a)
{
    while (a->head != NULL) {
        struct arena_block *next = a->head->next;

        free(a->head);
        a->head = next;
    }
    *a = (struct arena){ 0 };
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = a->head;

    a->used = 0;
    if (keep == NULL)
        return;
    a->head = keep->next;
    keep->next = NULL;
    arena_free(a);
    if (keep->cap > LARGEST_BLOCK) {
        free(keep);
        return;
    }
    keep->used = 0;
    a->head = keep;
    a->held = keep->cap;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){ a->head, a->head != NULL ? a->head->used : 0,
        a->used };
}

void arena_rewind(struct arena *a, const struct arena_mark *m)
{
    while (a->head != m->head) {
        struct arena_block *next = a->head->next;

        a->held -= a->head->cap;
        free(a->head);
        a->head = next;
    }
    if (a->head != NULL)
        a->head->used = m->block_used;
    a->used = m->used;
}

static int add_block(struct arena *a, size_t n)
{
    size_t cap = a->head != NULL ? a->head->cap * 2 : FIRST_BLOCK;
    struct arena_block *b;

    if (cap > LARGEST_BLOCK)
        cap = LARGEST_BLOCK;
    if (cap < n)
        cap = n;
    b = malloc(sizeof *b + cap);
    if (b == NULL)
        return SYNCLINE_ENOMEM;
    b->cap = cap;
    b->used = 0;
    b->next = a->head;
    a->head = b;
    a->held += cap;
    return SYNCLINE_OK;
}

int arena_reserve(struct arena *a, size_t n)
{
    if (n > SIZE_MAX / 2)
        return SYNCLINE_ENOMEM;
    if (a->head != NULL && a->head->cap - a->head->used >= n)
        return SYNCLINE_OK;
    return add_block(a, n);
}

void *arena_alloc(struct arena *a, size_t n)
{
    const size_t align = alignof(max_align_t);
    struct arena_block *b = a->head;
    void *p;

    if (n > SIZE_MAX / 2)
        return NULL;
    n = (n + align - 1) / align * align;
    if (b == NULL || b->cap - b->used < n) {
        if (add_block(a, n) != SYNCLINE_OK)
            return NULL;
        b = a->head;
    }
    p = b->bytes + b->used;
    b->used += n;
    a->used += n;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n, size_t size)
{
    void *p;

    if (size != 0 && n > SIZE_MAX / 2 / size)
        return NULL;
    p = arena_alloc(a, n * size);
    if (p != NULL)
        memset(p, 0, n * size);
    return p;
}

struct slice arena_dup(struct arena *a, struct slice s)
{
    uint8_t *p = arena_alloc(a, s.len + 1);

    if (p == NULL)
        return SLICE_NONE;
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    p[s.len] = 0;
    return SLICE(p, s.len);
}
