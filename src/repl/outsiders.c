/* What waits for somebody who is no member: a gateway tells deletions to nodes
 * of an older system, and until one of them has acknowledged a deletion its
 * record stays, as it does for a member that is away. Who has been silent for
 * longer than the retention is not waited for. */
#include "repl/collect_impl.h"

#include <stdlib.h>

#define OUTSIDERS_MAX 512

struct outsider {
    struct outsider *next;
    struct slice space, name, cursor; /* in the heap */
    uint64_t seen_us;                 /* when it left, wall; 0: it is here */
};

static void outsider_free(struct outsider *h)
{
    free((void *)h->space.ptr);
    free((void *)h->name.ptr);
    free((void *)h->cursor.ptr);
    free(h);
}

void outsiders_free(struct node *n)
{
    while (n->outsiders != NULL) {
        struct outsider *next = n->outsiders->next;

        outsider_free(n->outsiders);
        n->outsiders = next;
    }
}

static bool copy(struct slice *out, struct slice s)
{
    uint8_t *p = malloc(s.len + 1);

    if (p == NULL)
        return false;
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    *out = SLICE(p, s.len);
    return true;
}

static void drop(struct node *n, struct slice space, struct slice name)
{
    struct outsider **at = &n->outsiders, *h;

    while (*at != NULL &&
        !(slice_eq((*at)->space, space) && slice_eq((*at)->name, name)))
        at = &(*at)->next;
    h = *at;
    if (h == NULL)
        return;
    *at = h->next;
    outsider_free(h);
}

/* Without memory nothing waits for it: it is told when it comes back. */
int outsider_on(struct node *n, const struct event *ev)
{
    const struct slice space = json_get_str(ev->args, "space"),
                       name = json_get_str(ev->args, "name"),
                       cursor = json_get_str(ev->args, "at");
    struct outsider *h;
    size_t count = 0;

    drop(n, space, name);
    for (h = n->outsiders; h != NULL; h = h->next)
        count++;
    if (json_get(ev->args, "at") == NULL || count >= OUTSIDERS_MAX)
        return SYNCLINE_OK;
    h = calloc(1, sizeof *h);
    if (h == NULL)
        return SYNCLINE_OK;
    if (!copy(&h->space, space) || !copy(&h->name, name) ||
        !copy(&h->cursor, cursor)) {
        outsider_free(h);
        return SYNCLINE_OK;
    }
    h->seen_us = (uint64_t)json_get_int(ev->args, "seen", 0);
    h->next = n->outsiders;
    n->outsiders = h;
    return SYNCLINE_OK;
}

static bool is_waited_for(const struct node *n, const struct outsider *h)
{
    return h->seen_us == 0 || n->wall_us < h->seen_us ||
        n->wall_us - h->seen_us < n->opt.retention_us;
}

uint64_t outsiders_upto(struct node *n, const struct space *sp)
{
    uint64_t least = UINT64_MAX;

    for (const struct outsider *h = n->outsiders; h != NULL; h = h->next) {
        uint64_t lsn;

        if (!slice_eq(h->space, sp->name) || !is_waited_for(n, h))
            continue;
        lsn = watch_told_upto(n, sp, h->cursor);
        if (lsn < least)
            least = lsn;
    }
    return least;
}
