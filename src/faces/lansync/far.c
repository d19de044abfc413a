#include "faces/lansync/far.h"

#include <stdlib.h>

void far_free(struct far *f)
{
    free(f->e);
    *f = (struct far){ 0 };
}

/* Behind those that are sooner than that. */
static size_t place_of(const struct far *f, uint64_t at_us)
{
    size_t low = f->first, high = f->first + f->n;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (f->e[mid].at_us < at_us)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* ---- what has gone ---- */

static struct far_span *span_of(const struct far *f, uint64_t node)
{
    for (size_t i = 0; i < FAR_NODES; i++)
        if (f->spans[i].node == node)
            return (struct far_span *)&f->spans[i];
    return NULL;
}

static bool let_go(struct far *f, const struct far_message *m)
{
    struct far_span *s = span_of(f, m->node);

    if (s == NULL) {
        s = span_of(f, 0);
        if (s == NULL)
            return false;
        *s = (struct far_span){ m->node, m->at_us, m->at_us };
    }
    if (m->at_us < s->from_us)
        s->from_us = m->at_us;
    if (m->at_us > s->to_us)
        s->to_us = m->at_us;
    if (f->to_us == 0 || m->at_us < f->from_us)
        f->from_us = m->at_us;
    if (m->at_us > f->to_us)
        f->to_us = m->at_us;
    return true;
}

/* Of who has gone past all of it, whatever clock it was. */
static void spans_come(struct far *f, struct nonces *near, uint64_t by_us)
{
    uint64_t from_us = UINT64_MAX, to_us = 0;

    for (size_t i = 0; i < FAR_NODES; i++) {
        struct far_span *s = &f->spans[i];

        if (s->node != 0 && s->to_us < by_us) {
            nonces_lose(near, s->from_us, s->to_us);
            s->node = 0;
        }
        if (s->node != 0 && s->from_us < from_us)
            from_us = s->from_us;
        if (s->node != 0 && s->to_us > to_us)
            to_us = s->to_us;
    }
    f->from_us = to_us > 0 ? from_us : 0;
    f->to_us = to_us;
}

/* ---- what is known ---- */

void far_come(struct far *f, struct nonces *near, uint64_t soon_us,
    uint64_t old_us, uint64_t now_us)
{
    while (f->n > 0 && f->e[f->first].at_us <= soon_us) {
        const struct far_message *m = &f->e[f->first];
        int rc = nonces_see(near, m->key, m->at_us, now_us);

        if (rc == SYNCLINE_ELIMIT || rc == SYNCLINE_ENOMEM)
            break; /* it stays where it is */
        f->first++;
        f->n--;
    }
    if (f->n == 0) {
        free(f->e);
        f->e = NULL;
        f->first = f->cap = 0;
    }
    if (f->to_us > 0 && f->from_us < old_us)
        spans_come(f, near, old_us);
}

bool far_has(const struct far *f, const struct far_message *m)
{
    const struct far_span *s = span_of(f, m->node);

    if (s != NULL && m->at_us >= s->from_us && m->at_us <= s->to_us)
        return true;
    for (size_t i = place_of(f, m->at_us);
         i < f->first + f->n && f->e[i].at_us == m->at_us; i++)
        if (f->e[i].key == m->key)
            return true;
    return false;
}

static int make_room(struct far *f)
{
    const size_t cap = f->cap == 0 ? 16 : 2 * f->cap;
    struct far_message *e;

    if (f->first + f->n < f->cap)
        return SYNCLINE_OK;
    if (f->first > f->n) {
        memmove(f->e, f->e + f->first, f->n * sizeof *f->e);
        f->first = 0;
        return SYNCLINE_OK;
    }
    e = realloc(f->e, cap * sizeof *e);
    if (e == NULL)
        return SYNCLINE_ENOMEM;
    f->e = e;
    f->cap = cap;
    return SYNCLINE_OK;
}

int far_see(struct far *f, const struct far_message *m)
{
    const struct far_message *last;
    size_t at, end;
    int rc = make_room(f);

    if (rc != SYNCLINE_OK)
        return rc;
    if (f->n == FAR_MAX) {
        last = &f->e[f->first + f->n - 1];
        if (!let_go(f, last->at_us > m->at_us ? last : m))
            return SYNCLINE_ELIMIT;
        if (last->at_us <= m->at_us)
            return SYNCLINE_OK;
        f->n--;
    }
    at = place_of(f, m->at_us);
    end = f->first + f->n;
    memmove(f->e + at + 1, f->e + at, (end - at) * sizeof *f->e);
    f->e[at] = *m;
    f->n++;
    return SYNCLINE_OK;
}
