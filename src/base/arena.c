#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define FIRST_BLOCK ((size_t)4096)
#define LARGEST_BLOCK ((size_t)1 << 20)
/* Blocks to spare are let go when so many resets have not needed them. */
#define SPARED_FOR 256

struct arena_block {
    struct arena_block *next;
    size_t cap, used;
    alignas(max_align_t) uint8_t bytes[];
};

static void free_all(struct arena *a, struct arena_block **list)
{
    while (*list != NULL) {
        struct arena_block *next = (*list)->next;

        a->held -= (*list)->cap;
        free(*list);
        *list = next;
    }
}

void arena_free(struct arena *a)
{
    free_all(a, &a->head);
    free_all(a, &a->spare);
    a->used = a->spared = 0;
    a->failed = false;
}

/* Of a block that nothing is in any more. */
static void give_back(struct arena *a, struct arena_block *b)
{
    if (b->cap > LARGEST_BLOCK || b->cap > a->keep - a->spared) {
        a->held -= b->cap;
        free(b);
        return;
    }
    b->next = a->spare;
    a->spare = b;
    a->spared += b->cap;
}

/* Down to a block, or to none. */
static void give_back_to(struct arena *a, const struct arena_block *last)
{
    while (a->head != last) {
        struct arena_block *next = a->head->next;

        give_back(a, a->head);
        a->head = next;
    }
}

void arena_reset(struct arena *a)
{
    struct arena_block *first = a->head;

    a->used = 0;
    a->failed = false;
    a->resets = first != NULL && first->next != NULL ? 0 : a->resets + 1;
    if (first != NULL) {
        a->head = first->next;
        give_back_to(a, NULL);
        if (first->cap > LARGEST_BLOCK) {
            a->held -= first->cap;
            free(first);
        } else {
            first->next = NULL;
            first->used = 0;
            a->head = first;
        }
    }
    if (a->resets >= SPARED_FOR) {
        free_all(a, &a->spare);
        a->spared = 0;
    }
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){ a->head, a->head != NULL ? a->head->used : 0,
        a->used };
}

void arena_rewind(struct arena *a, const struct arena_mark *m)
{
    give_back_to(a, m->head);
    if (a->head != NULL)
        a->head->used = m->block_used;
    a->used = m->used;
}

static struct arena_block *take_spare(struct arena *a, size_t n)
{
    for (struct arena_block **at = &a->spare; *at != NULL; at = &(*at)->next)
        if ((*at)->cap >= n) {
            struct arena_block *b = *at;

            *at = b->next;
            a->spared -= b->cap;
            return b;
        }
    return NULL;
}

static struct arena_block *new_block(struct arena *a, size_t n)
{
    size_t cap = a->head != NULL ? a->head->cap * 2 : FIRST_BLOCK;
    struct arena_block *b;

    if (cap > LARGEST_BLOCK)
        cap = LARGEST_BLOCK;
    if (cap < n)
        cap = n;
    b = malloc(sizeof *b + cap);
    if (b == NULL)
        return NULL;
    b->cap = cap;
    a->held += cap;
    return b;
}

static int add_block(struct arena *a, size_t n)
{
    struct arena_block *b = take_spare(a, n);

    if (b == NULL)
        b = new_block(a, n);
    if (b == NULL)
        return SYNCLINE_ENOMEM;
    b->used = 0;
    b->next = a->head;
    a->head = b;
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

    if (n > SIZE_MAX / 2) {
        a->failed = true;
        return NULL;
    }
    n = (n + align - 1) / align * align;
    if (b == NULL || b->cap - b->used < n) {
        if (add_block(a, n) != SYNCLINE_OK) {
            a->failed = true;
            return NULL;
        }
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
