#include "repl/copies.h"

#include <stdlib.h>
#include <string.h>

void copies_free(struct copies *c)
{
    copies_keep(c, NULL, 0);
}

static struct copies_of *find(
    const struct copies *c, const struct device_id *device)
{
    struct copies_of *d = c->list;

    while (d != NULL && !device_eq(&d->device, device))
        d = d->next;
    return d;
}

static struct copies_of *add(struct copies *c, const struct device_id *device)
{
    struct copies_of *d = calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    d->device = *device;
    d->next = c->list;
    c->list = d;
    return d;
}

static size_t face_ix(const struct copies_of *d, const struct rid *replica)
{
    size_t ix = 0;

    while (ix < d->n && !rid_eq(&d->faces[ix].replica, replica))
        ix++;
    return ix;
}

/* Puts a replica to the front; the oldest goes if there is no room. */
static void show_face(
    struct copies_of *d, size_t ix, const struct rid *replica, uint64_t now_us)
{
    bool told = ix < d->n && d->faces[ix].told;

    if (ix == d->n && d->n < COPIES_FACES)
        d->n++;
    if (ix == COPIES_FACES)
        ix--;
    memmove(d->faces + 1, d->faces, ix * sizeof *d->faces);
    d->faces[0].replica = *replica;
    d->faces[0].seen_us = now_us;
    d->faces[0].told = told;
}

static void count_return(struct copies_of *d, uint64_t now_us)
{
    if (d->returns == 0 || now_us - d->since_us > COPIES_WINDOW_US) {
        d->returns = 0;
        d->since_us = now_us;
    }
    d->returns++;
}

static bool is_known(const struct copies_of *d, uint64_t now_us)
{
    return d->until_us > now_us;
}

bool copies_note(struct copies *c, const struct device_id *device,
    const struct rid *replica, uint64_t beside_us, uint64_t now_us)
{
    struct copies_of *d = find(c, device);
    bool known, returns;
    size_t ix;

    if (d == NULL)
        d = add(c, device);
    if (d == NULL)
        return false;
    known = is_known(d, now_us);
    ix = face_ix(d, replica);
    returns = ix < d->n && (ix > 0 || beside_us > d->faces[ix].seen_us);
    show_face(d, ix, replica, now_us);
    if (returns)
        count_return(d, now_us);
    if (known ? returns || beside_us > 0
              : returns && d->returns >= COPIES_RETURNS)
        d->until_us = now_us + COPIES_KEPT_US;
    if (known || !is_known(d, now_us))
        return false;
    for (size_t i = 0; i < d->n; i++)
        d->faces[i].told = false;
    return true;
}

bool copies_known(
    const struct copies *c, const struct device_id *device, uint64_t now_us)
{
    const struct copies_of *d = find(c, device);

    return d != NULL && is_known(d, now_us);
}

bool copies_tell(
    struct copies *c, const struct device_id *device, const struct rid *replica)
{
    struct copies_of *d = find(c, device);
    size_t ix = d != NULL ? face_ix(d, replica) : 0;

    if (d == NULL || ix == d->n || d->faces[ix].told)
        return false;
    d->faces[ix].told = true;
    return true;
}

const struct rid *copies_other(const struct copies *c,
    const struct device_id *device, const struct rid *replica)
{
    const struct copies_of *d = find(c, device);

    for (size_t i = 0; d != NULL && i < d->n; i++)
        if (!rid_eq(&d->faces[i].replica, replica))
            return &d->faces[i].replica;
    return NULL;
}

static bool is_among(
    const struct device_id *device, const struct device_id *ids, size_t n)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (device_cmp(&ids[mid], device) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && device_eq(&ids[lo], device);
}

void copies_keep(struct copies *c, const struct device_id *ids, size_t n)
{
    struct copies_of **at = &c->list;

    while (*at != NULL) {
        struct copies_of *d = *at;

        if (is_among(&d->device, ids, n)) {
            at = &d->next;
            continue;
        }
        *at = d->next;
        free(d);
    }
}

size_t copies_n(const struct copies *c)
{
    size_t n = 0;

    for (const struct copies_of *d = c->list; d != NULL; d = d->next)
        n++;
    return n;
}
