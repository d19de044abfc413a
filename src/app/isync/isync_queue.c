/* Records of which something is to be written into the space, each once: those
 * whose turn it is, first come first served, and those that are tried again
 * later. Only some are written at a time, so that whoever else writes here does
 * not wait for all of them. */
#include "app/isync/isync_face_impl.h"

#include <stdlib.h>

#include "base/hash.h"

struct isync_record *isync_queue_find(struct isync_face *f, struct slice name)
{
    struct isync_queue *q = &f->queue;
    const uint64_t hash = siphash128(q->secret, name).lo;
    struct isync_record **at = &q->buckets[hash % ISYNC_QUEUE_BUCKETS], *r;

    for (r = *at; r != NULL; r = r->in_bucket)
        if (slice_eq(isync_record_name(r), name))
            return r;
    r = calloc(1, sizeof *r + name.len + 1);
    if (r == NULL)
        return NULL;
    r->face = f;
    r->len = name.len;
    memcpy(r->name, name.ptr, name.len);
    r->in_bucket = *at;
    r->bucket = at;
    *at = r;
    isync_queue_put(r);
    return r;
}

static void append(struct isync_queue *q, struct isync_record *r)
{
    r->next = NULL;
    if (q->last != NULL)
        q->last->next = r;
    else
        q->first = r;
    q->last = r;
}

void isync_queue_put(struct isync_record *r)
{
    struct isync_queue *q = &r->face->queue;

    if (r->again_us == 0) {
        append(q, r);
        return;
    }
    r->next = q->later;
    q->later = r;
    if (q->later_us == 0 || r->again_us < q->later_us)
        q->later_us = r->again_us;
}

static void wake(struct isync_queue *q, uint64_t now_us)
{
    struct isync_record *r = q->later, *next;

    if (q->later_us == 0 || q->later_us > now_us)
        return;
    q->later = NULL;
    q->later_us = 0;
    for (; r != NULL; r = next) {
        next = r->next;
        if (r->again_us <= now_us)
            r->again_us = 0;
        isync_queue_put(r);
    }
}

struct isync_record *isync_queue_take(struct isync_face *f, uint64_t now_us)
{
    struct isync_queue *q = &f->queue;
    struct isync_record *r;

    wake(q, now_us);
    r = q->first;
    if (r == NULL || q->flying >= ISYNC_FLYING_MAX ||
        q->flying_bytes >= ISYNC_FLYING_BYTES)
        return NULL;
    q->first = r->next;
    if (q->first == NULL)
        q->last = NULL;
    return r;
}

void isync_queue_flies(struct isync_record *r, size_t bytes)
{
    r->bytes = bytes;
    r->face->queue.flying++;
    r->face->queue.flying_bytes += bytes;
}

void isync_queue_landed(struct isync_record *r)
{
    r->face->queue.flying--;
    r->face->queue.flying_bytes -= r->bytes;
    isync_queue_put(r);
}

void isync_queue_drop(struct isync_record *r)
{
    struct isync_record **at = r->bucket;

    while (*at != r)
        at = &(*at)->in_bucket;
    *at = r->in_bucket;
    free(r);
}

uint64_t isync_queue_deadline(const struct isync_face *f)
{
    return f->queue.later_us;
}

void isync_queue_free(struct isync_face *f)
{
    struct isync_queue *q = &f->queue;

    for (size_t i = 0; i < ISYNC_QUEUE_BUCKETS; i++)
        while (q->buckets[i] != NULL)
            isync_queue_drop(q->buckets[i]);
}
