#include "faces/isync/held.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/plant.h"

#define SEEN_MAX 4096

struct kept {
    struct isync_packet_held p; /* in bytes */
    uint64_t came_us, due_us;   /* due: 0 once it has a seq */
    uint64_t passed_us;         /* when one of its source was passed on last */
    uint8_t *bytes;
};

struct isync_held {
    struct kept kept[ISYNC_HELD_MAX];
    size_t n, bytes;
    uint64_t seq;
    struct hash128 seen[SEEN_MAX]; /* a ring */
    size_t seen_n, seen_at;
};

int isync_held_new(struct isync_held **out)
{
    struct isync_held *h = calloc(1, sizeof *h);

    if (h == NULL)
        return SYNCLINE_ENOMEM;
    *out = h;
    return SYNCLINE_OK;
}

void isync_held_free(struct isync_held *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; i < h->n; i++)
        free(h->kept[i].bytes);
    free(h);
}

static size_t size_of(const struct isync_packet_held *p)
{
    return p->source.len + p->text.len;
}

void isync_held_drop(struct isync_held *h, size_t ix)
{
    h->bytes -= size_of(&h->kept[ix].p);
    free(h->kept[ix].bytes);
    h->kept[ix] = h->kept[--h->n];
}

static struct hash128 sum_of(struct slice text)
{
    static const uint8_t key[16] = { 0 };

    return siphash128(key, text);
}

/* Has it come before? */
static bool was_seen(const struct isync_held *h, struct slice text)
{
    struct hash128 sum = sum_of(text);

    for (size_t i = 0; i < h->seen_n; i++)
        if (h->seen[i].lo == sum.lo && h->seen[i].hi == sum.hi)
            return true;
    return false;
}

static void see(struct isync_held *h, struct slice text)
{
    h->seen[h->seen_at] = sum_of(text);
    h->seen_at = (h->seen_at + 1) % SEEN_MAX;
    if (h->seen_n < SEEN_MAX)
        h->seen_n++;
}

/* May p take its place? What has come by another link stands for itself. */
static bool is_of(
    const struct isync_packet_held *o, const struct isync_packet_held *p)
{
    return (o->from == p->from || o->from == 0 || PLANTED(R12_ISYNC_BACK)) &&
        slice_eq(o->source, p->source);
}

/* What p would take the place of. */
static struct kept *find(
    struct isync_held *h, const struct isync_packet_held *p)
{
    for (size_t i = 0; i < h->n; i++) {
        struct isync_packet_held *o = &h->kept[i].p;

        if (o->part.sweep == p->part.sweep && o->part.n == p->part.n &&
            is_of(o, p))
            return &h->kept[i];
    }
    return NULL;
}

static bool is_far(const struct isync_packet_held *p, uint64_t wall_us)
{
    return isync_stamp_us(&p->time) > wall_us + ISYNC_HELD_FAR_US;
}

static bool is_newer(const struct isync_packet_held *p,
    const struct isync_packet_held *than, uint64_t wall_us)
{
    int by_time = isync_stamp_cmp(&p->time, &than->time);

    if (is_far(than, wall_us) && !is_far(p, wall_us))
        return true;
    return by_time > 0 || (by_time == 0 && slice_cmp(p->text, than->text) > 0);
}

/* All of the source is in p, or has come with it: what is older goes. */
static void drop_older(struct isync_held *h, const struct isync_packet_held *p)
{
    if (p->part.sweep > 0 && !p->part.is_last)
        return;
    for (size_t i = h->n; i-- > 0;) {
        const struct isync_packet_held *o = &h->kept[i].p;

        if (is_of(o, p) &&
            (p->part.sweep == 0 || o->part.sweep != p->part.sweep) &&
            isync_stamp_cmp(&o->time, &p->time) < 0)
            isync_held_drop(h, i);
    }
}

static size_t share_of(const struct isync_held *h, uint64_t from, bool bytes)
{
    size_t sum = 0;

    for (size_t i = 0; i < h->n; i++)
        if (h->kept[i].p.from == from)
            sum += bytes ? size_of(&h->kept[i].p) : 1;
    return sum;
}

/* Whose link takes most of it loses what has come longest ago. */
static size_t to_be_forgotten(const struct isync_held *h, bool bytes)
{
    uint64_t whose = h->kept[0].p.from;
    size_t most = share_of(h, whose, bytes), oldest = h->n;

    for (size_t i = 1; i < h->n; i++) {
        const uint64_t from = h->kept[i].p.from;
        const size_t share = from != whose ? share_of(h, from, bytes) : 0;

        if (share > most) {
            most = share;
            whose = from;
        }
    }
    for (size_t i = 0; i < h->n; i++)
        if ((h->kept[i].p.from == whose || PLANTED(R30_ISYNC_SHARE)) &&
            (oldest == h->n || h->kept[i].came_us < h->kept[oldest].came_us))
            oldest = i;
    return oldest;
}

void isync_held_supersede(
    struct isync_held *h, const struct isync_packet_held *read)
{

    drop_older(h, read);
}

static void forget_for(struct isync_held *h, size_t more)
{
    while (h->n > 0 &&
        (h->n >= ISYNC_HELD_MAX || h->bytes + more > ISYNC_HELD_BYTES_MAX))
        isync_held_drop(h, to_be_forgotten(h, h->n < ISYNC_HELD_MAX));
}

/* p in memory of its own. */
static uint8_t *own(struct isync_packet_held *p)
{
    uint8_t *bytes = malloc(size_of(p));

    if (bytes == NULL)
        return NULL;
    memcpy(bytes, p->source.ptr, p->source.len);
    memcpy(bytes + p->source.len, p->text.ptr, p->text.len);
    p->source.ptr = bytes;
    p->text.ptr = bytes + p->source.len;
    return bytes;
}

int isync_held_put(struct isync_held *h, const struct isync_packet_held *p,
    uint64_t wall_us, uint64_t mono_us)
{
    struct kept *old = find(h, p), made = { .p = *p };

    if (p->source.len == 0 || p->text.len == 0 ||
        size_of(p) > ISYNC_HELD_BYTES_MAX)
        return SYNCLINE_ELIMIT;
    if (was_seen(h, p->text) || (old != NULL && !is_newer(p, &old->p, wall_us)))
        return SYNCLINE_EEXIST;
    made.p.seq = 0;
    made.came_us = made.due_us = mono_us > 0 ? mono_us : 1;
    made.bytes = own(&made.p);
    if (made.bytes == NULL)
        return SYNCLINE_ENOMEM;
    see(h, p->text);
    if (old != NULL) {
        made.passed_us = old->passed_us;
        if (old->due_us > 0)
            made.due_us = old->due_us;
        else if (made.due_us < old->passed_us + ISYNC_HELD_APART_US)
            made.due_us = old->passed_us + ISYNC_HELD_APART_US;
        isync_held_drop(h, (size_t)(old - h->kept));
    }
    drop_older(h, &made.p);
    forget_for(h, size_of(&made.p));
    h->bytes += size_of(&made.p);
    h->kept[h->n++] = made;
    return SYNCLINE_OK;
}

void isync_held_left(struct isync_held *h, uint64_t from)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->kept[i].p.from == from)
            h->kept[i].p.from = 0;
}

void isync_held_tick(struct isync_held *h, uint64_t mono_us)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->kept[i].due_us > 0 && h->kept[i].due_us <= mono_us) {
            h->kept[i].due_us = 0;
            h->kept[i].passed_us = mono_us;
            h->kept[i].p.seq = ++h->seq;
        }
}

uint64_t isync_held_deadline(const struct isync_held *h)
{
    uint64_t at = 0;

    for (size_t i = 0; i < h->n; i++)
        if (h->kept[i].due_us > 0 && (at == 0 || h->kept[i].due_us < at))
            at = h->kept[i].due_us;
    return at;
}

bool isync_held_next(
    const struct isync_held *h, uint64_t seq, struct isync_packet_held *out)
{
    const struct kept *next = NULL;

    for (size_t i = 0; i < h->n; i++)
        if (h->kept[i].p.seq > seq &&
            (next == NULL || h->kept[i].p.seq < next->p.seq))
            next = &h->kept[i];
    if (next != NULL)
        *out = next->p;
    return next != NULL;
}

void isync_held_at(
    const struct isync_held *h, size_t ix, struct isync_packet_held *out)
{
    *out = h->kept[ix].p;
}

size_t isync_held_n(const struct isync_held *h)
{
    return h->n;
}
