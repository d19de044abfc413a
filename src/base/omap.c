#include "base/omap.h"

#include "base/bytes.h"
#include "base/hash.h"

#include <stdalign.h>

void omap_free(struct omap *m)
{
    arena_free(&m->arena);
    *m = (struct omap){ 0 };
}

void omap_clear(struct omap *m)
{
    arena_reset(&m->arena);
    memset(m->first, 0, sizeof m->first);
    m->levels = 0;
    m->n = 0;
    m->hints = NULL;
    m->hints_n = 0;
}

/* Shorter keys are filled up with zeros. */
static struct omap_head head_of(struct slice key)
{
    uint8_t b[16] = { 0 };

    if (key.len > 0)
        memcpy(b, key.ptr, key.len < sizeof b ? key.len : sizeof b);
    return (struct omap_head){ be64_at(b), be64_at(b + 8) };
}

static bool is_below(
    const struct omap_node *n, const struct omap_head *head, struct slice key)
{
    if (n->head.hi != head->hi)
        return n->head.hi < head->hi;
    if (n->head.lo != head->lo)
        return n->head.lo < head->lo;
    return slice_cmp(n->key, key) < 0;
}

/* For each level the link that leads to the first node >= key. */
static struct omap_node *find(
    const struct omap *m, struct slice key, struct omap_node ***links)
{
    const struct omap_head head = head_of(key);
    struct omap_node **at = ((struct omap *)m)->first;

    for (int level = m->levels - 1; level >= 0; level--) {
        while (at[level] != NULL && is_below(at[level], &head, key))
            at = at[level]->next;
        if (links != NULL)
            links[level] = &at[level];
    }
    return at[0];
}

/* ---- hints ---- */

#define HINTS_FROM 16 /* fewer keys are found as fast without */

/* Where the key was found last, if anywhere; NULL without hints. Keys differ
 * where they begin and end: more of them would tell little more. */
static struct omap_node **hint_of(const struct omap *m, struct slice key)
{
    struct hash128 h = { 0 };
    struct omap_head head;

    if (m->hints == NULL)
        return NULL;
    head = head_of(key);
    hash128_add_word(&h, head.hi);
    hash128_add_word(&h, head.lo);
    if (key.len > sizeof head)
        hash128_add_word(&h, le64_at(key.ptr + key.len - 8) ^ key.len);
    return &m->hints[h.hi & (m->hints_n - 1)];
}

static bool is_right(struct omap_node *const *hint, struct slice key)
{
    return hint != NULL && *hint != NULL && slice_eq((*hint)->key, key);
}

/* Without memory the old ones do. */
static void grow_hints(struct omap *m)
{
    size_t n = m->hints_n > 0 ? 2 * m->hints_n : 4 * HINTS_FROM;
    struct omap_node **hints;

    if (m->n < HINTS_FROM || 2 * m->n < m->hints_n)
        return;
    hints = arena_zalloc(&m->arena, n, sizeof(struct omap_node *));
    if (hints == NULL)
        return;
    m->hints = hints;
    m->hints_n = n;
    for (struct omap_node *at = m->first[0]; at != NULL; at = at->next[0])
        *hint_of(m, at->key) = at;
}

static uint16_t draw_levels(struct omap *m)
{
    uint64_t bits = prng_next(&m->prng);
    uint16_t levels = 1;

    while (levels < OMAP_LEVELS && (bits & 3) == 0) {
        levels++;
        bits >>= 2;
    }
    return levels;
}

static int set_value(struct omap *m, struct omap_node *n, struct slice value)
{
    if (value.ptr == NULL) {
        n->value = SLICE_NONE;
        return SYNCLINE_OK;
    }
    if (n->value.ptr == NULL || n->room < value.len) {
        struct slice copy = arena_dup(&m->arena, value);

        if (copy.ptr == NULL)
            return SYNCLINE_ENOMEM;
        n->value = copy;
        n->room = (uint32_t)value.len;
        return SYNCLINE_OK;
    }
    memmove((uint8_t *)n->value.ptr, value.ptr, value.len);
    n->value.len = value.len;
    return SYNCLINE_OK;
}

int omap_put(struct omap *m, struct slice key, struct slice value)
{
    struct omap_node **links[OMAP_LEVELS], **hint = hint_of(m, key), *n;
    uint16_t levels;
    uint8_t *copy;

    if (value.len > UINT32_MAX)
        return SYNCLINE_ELIMIT;
    if (is_right(hint, key))
        return set_value(m, *hint, value);
    n = find(m, key, links);
    if (n != NULL && slice_eq(n->key, key))
        return set_value(m, n, value);
    levels = draw_levels(m);
    for (; m->levels < levels; m->levels++)
        links[m->levels] = &m->first[m->levels];
    n = arena_zalloc(
        &m->arena, 1, sizeof *n + levels * sizeof(void *) + key.len);
    if (n == NULL)
        return SYNCLINE_ENOMEM;
    copy = (uint8_t *)&n->next[levels];
    if (key.len > 0)
        memcpy(copy, key.ptr, key.len);
    n->key = SLICE(copy, key.len);
    n->head = head_of(n->key);
    n->levels = levels;
    if (set_value(m, n, value) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    for (int level = 0; level < levels; level++) {
        n->next[level] = *links[level];
        *links[level] = n;
    }
    m->n++;
    if (hint != NULL)
        *hint = n;
    grow_hints(m);
    return SYNCLINE_OK;
}

int omap_reserve(struct omap *m, size_t n, size_t bytes)
{
    /* A node and its value are rounded up; the value has a NUL behind it. */
    const size_t each = sizeof(struct omap_node) +
        OMAP_LEVELS * sizeof(void *) + 2 * alignof(max_align_t) + 1;

    if (n > (SIZE_MAX / 2 - bytes) / each)
        return SYNCLINE_ENOMEM;
    return arena_reserve(&m->arena, n * each + bytes);
}

struct omap_node *omap_get(const struct omap *m, struct slice key)
{
    struct omap_node **hint = hint_of(m, key), *n;

    if (is_right(hint, key))
        return *hint;
    n = find(m, key, NULL);
    if (n == NULL || !slice_eq(n->key, key))
        return NULL;
    if (hint != NULL)
        *hint = n;
    return n;
}

bool omap_del(struct omap *m, struct slice key)
{
    struct omap_node **links[OMAP_LEVELS], **hint = hint_of(m, key);
    struct omap_node *n = find(m, key, links);

    if (is_right(hint, key))
        *hint = NULL;
    if (n == NULL || !slice_eq(n->key, key))
        return false;
    for (int level = 0; level < n->levels; level++)
        *links[level] = n->next[level];
    m->n--;
    return true;
}

struct omap_node *omap_seek(const struct omap *m, struct slice key)
{
    return find(m, key, NULL);
}
