#include "faces/configsync/rate.h"

#include "base/plant.h"

#include <stdlib.h>

#define US UINT64_C(1000000)
#define WINDOW_US (60 * US)

struct caller {
    struct netaddr who;  /* family 0: nobody */
    uint64_t blocked_us; /* until then */
    uint64_t last_us;
    uint32_t at, n; /* of the ring: the oldest, and how many */
    uint64_t *asked_us;
};

struct rate {
    struct rate_options opt;
    uint32_t most;
    struct caller callers[RATE_ADDRESSES];
};

int rate_new(struct rate **out, const struct rate_options *opt)
{
    struct rate *r = calloc(1, sizeof *r);

    if (r == NULL)
        return SYNCLINE_ENOMEM;
    r->opt = *opt;
    r->most = opt->per_minute + RATE_BURST;
    *out = r;
    return SYNCLINE_OK;
}

void rate_free(struct rate *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < RATE_ADDRESSES; i++)
        free(r->callers[i].asked_us);
    free(r);
}

bool rate_is_local(const struct netaddr *addr)
{
    const uint8_t *a = addr->addr;

    return addr->family == 4 &&
        (a[0] == 127 || a[0] == 10 || (a[0] == 192 && a[1] == 168) ||
            (a[0] == 172 && a[1] >= 16 && a[1] < 32));
}

/* One machine has all of a /64 for itself. */
static bool is_same(const struct netaddr *a, const struct netaddr *b)
{
    return a->family == b->family &&
        memcmp(a->addr, b->addr, a->family == 6 ? 8 : 4) == 0;
}

static struct caller *caller_of(struct rate *r, const struct netaddr *from)
{
    struct caller *oldest = &r->callers[0];

    for (size_t i = 0; i < RATE_ADDRESSES; i++) {
        struct caller *c = &r->callers[i];

        if (c->who.family != 0 && is_same(&c->who, from))
            return c;
        if (c->last_us < oldest->last_us)
            oldest = c;
    }
    if (oldest->asked_us == NULL)
        oldest->asked_us = calloc(r->most, sizeof *oldest->asked_us);
    if (oldest->asked_us == NULL)
        return NULL;
    oldest->who = *from;
    oldest->blocked_us = 0;
    oldest->at = oldest->n = 0;
    return oldest;
}

int rate_ask(struct rate *r, const struct netaddr *from, uint64_t now_us,
    struct errmsg *why)
{
    struct caller *c;

    if (r->opt.per_minute == 0 || PLANTED(R21_CONFIG) ||
        (r->opt.local_is_exempt &&
            (rate_is_local(from) || netaddr_is_loopback(from))))
        return SYNCLINE_OK;
    c = caller_of(r, from);
    if (c == NULL)
        return errmsg_set(why, SYNCLINE_EBUSY, "memory ran out");
    c->last_us = now_us + 1;
    if (now_us < c->blocked_us)
        return errmsg_set(why, SYNCLINE_EBUSY,
            "IP temporarily blocked for %llu seconds",
            (unsigned long long)((c->blocked_us - now_us) / US));
    while (c->n > 0 && now_us - c->asked_us[c->at] >= WINDOW_US) {
        c->at = (c->at + 1) % r->most;
        c->n--;
    }
    if (c->n == r->most) {
        c->blocked_us = now_us + r->opt.block_us;
        return errmsg_set(why, SYNCLINE_EBUSY,
            "Rate limit exceeded. Too many requests per minute.");
    }
    c->asked_us[(c->at + c->n++) % r->most] = now_us;
    return SYNCLINE_OK;
}
