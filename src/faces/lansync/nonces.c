#include "faces/lansync/nonces.h"

#include <stdlib.h>

#include "base/hash.h"

#define FEW 256
#define OLD_MAX 64                  /* older sets */
#define OLD_SMALL ((size_t)1 << 12) /* such are put together */
#define LOST_MAX 64
#define NEAR_US UINT64_C(3600000000) /* times so near each other are one */

/* Of nonces by their keys, which are never 0; half of it stays empty. */
struct set {
    uint64_t *e;
    size_t cap, n;           /* cap: a power of two */
    uint64_t from_us, to_us; /* the times that their messages say */
};

struct span {
    uint64_t from_us, to_us;
};

struct nonces {
    uint64_t window_us, begun_us;
    uint8_t seed[16];
    struct set now, before;
    uint64_t old_us;         /* nothing below says a later time */
    struct set old[OLD_MAX]; /* the oldest first */
    size_t old_n, kept;      /* sets, and nonces in them */
    struct span lost[LOST_MAX];
    size_t lost_n;
};

int nonces_new(struct nonces **out, uint64_t window_us, const uint8_t seed[16])
{
    struct nonces *n = calloc(1, sizeof *n);

    if (n == NULL)
        return SYNCLINE_ENOMEM;
    n->window_us = window_us;
    memcpy(n->seed, seed, sizeof n->seed);
    *out = n;
    return SYNCLINE_OK;
}

void nonces_free(struct nonces *n)
{
    if (n == NULL)
        return;
    free(n->now.e);
    free(n->before.e);
    for (size_t i = 0; i < n->old_n; i++)
        free(n->old[i].e);
    free(n);
}

/* ---- sets ---- */

/* Where it is, or where it would be. */
static uint64_t *slot_of(const struct set *s, uint64_t key)
{
    size_t i = (size_t)key & (s->cap - 1);

    while (s->e[i] != 0 && s->e[i] != key)
        i = (i + 1) & (s->cap - 1);
    return &s->e[i];
}

static bool has(const struct set *s, uint64_t key)
{
    return s->cap > 0 && *slot_of(s, key) != 0;
}

static int grow(struct set *s)
{
    struct set wider = *s;

    wider.cap = s->cap == 0 ? FEW : 2 * s->cap;
    wider.e = calloc(wider.cap, sizeof *wider.e);
    if (wider.e == NULL)
        return SYNCLINE_ENOMEM;
    for (size_t i = 0; i < s->cap; i++)
        if (s->e[i] != 0)
            *slot_of(&wider, s->e[i]) = s->e[i];
    free(s->e);
    *s = wider;
    return SYNCLINE_OK;
}

static void widen(struct set *s, uint64_t from_us, uint64_t to_us)
{
    if (s->n == 0 || from_us < s->from_us)
        s->from_us = from_us;
    if (s->n == 0 || to_us > s->to_us)
        s->to_us = to_us;
}

static int put(struct set *s, uint64_t key)
{
    uint64_t *at;
    int rc = 2 * s->n >= s->cap ? grow(s) : SYNCLINE_OK;

    if (rc != SYNCLINE_OK)
        return rc;
    at = slot_of(s, key);
    s->n += *at == 0;
    *at = key;
    return SYNCLINE_OK;
}

/* ---- what is forgotten ---- */

static void close_up(struct nonces *n, size_t i)
{
    if (n->lost[i + 1].to_us > n->lost[i].to_us)
        n->lost[i].to_us = n->lost[i + 1].to_us;
    n->lost_n--;
    memmove(&n->lost[i + 1], &n->lost[i + 2],
        (n->lost_n - i - 1) * sizeof n->lost[0]);
}

/* Of too many the two that are nearest become one. */
static void make_room(struct nonces *n)
{
    uint64_t least = UINT64_MAX;
    size_t at = 0;

    for (size_t i = 0; i + 1 < n->lost_n; i++) {
        const uint64_t gap = n->lost[i + 1].from_us - n->lost[i].to_us;

        if (gap < least) {
            least = gap;
            at = i;
        }
    }
    close_up(n, at);
}

/* They are in order, and not near each other. */
void nonces_lose(struct nonces *n, uint64_t from_us, uint64_t to_us)
{
    size_t i = 0;

    if (n->lost_n == LOST_MAX)
        make_room(n);
    while (i < n->lost_n && n->lost[i].from_us <= from_us)
        i++;
    memmove(&n->lost[i + 1], &n->lost[i], (n->lost_n - i) * sizeof n->lost[0]);
    n->lost[i] = (struct span){ from_us, to_us };
    n->lost_n++;
    if (to_us > n->old_us)
        n->old_us = to_us;
    if (i > 0)
        i--;
    while (i + 1 < n->lost_n && n->lost[i].from_us <= to_us)
        if (n->lost[i + 1].from_us <= n->lost[i].to_us ||
            n->lost[i + 1].from_us - n->lost[i].to_us < NEAR_US)
            close_up(n, i);
        else
            i++;
}

/* ---- older sets ---- */

static void drop_oldest(struct nonces *n)
{
    nonces_lose(n, n->old[0].from_us, n->old[0].to_us);
    n->kept -= n->old[0].n;
    free(n->old[0].e);
    n->old_n--;
    memmove(&n->old[0], &n->old[1], n->old_n * sizeof n->old[0]);
}

static bool is_near(const struct set *a, const struct set *b)
{
    return a->from_us <= b->to_us + NEAR_US && b->from_us <= a->to_us + NEAR_US;
}

/* Into the last one, if both are small. */
static bool put_together(struct nonces *n, const struct set *s)
{
    struct set *last = n->old_n > 0 ? &n->old[n->old_n - 1] : NULL;
    const size_t before = last != NULL ? last->n : 0;
    int rc = SYNCLINE_OK;

    if (last == NULL || last->n + s->n > OLD_SMALL || !is_near(last, s))
        return false;
    for (size_t i = 0; i < s->cap && rc == SYNCLINE_OK; i++)
        if (s->e[i] != 0)
            rc = put(last, s->e[i]);
    widen(last, s->from_us, s->to_us);
    n->kept += last->n - before;
    return rc == SYNCLINE_OK; /* that some are there twice does no harm */
}

static void keep(struct nonces *n, const struct set *s)
{
    if (s->to_us > n->old_us)
        n->old_us = s->to_us;
    if (put_together(n, s)) {
        free(s->e);
        return;
    }
    while (n->old_n == OLD_MAX ||
        (n->old_n > 0 && n->kept + s->n > NONCES_KEPT_MAX))
        drop_oldest(n);
    n->old[n->old_n++] = *s;
    n->kept += s->n;
}

/* Nothing of it is needed as long as the time of day goes on. */
static void retire(struct nonces *n, struct set *s)
{
    if (s->n > NONCES_KEPT_MAX)
        nonces_lose(n, s->from_us, s->to_us);
    if (s->n == 0 || s->n > NONCES_KEPT_MAX)
        free(s->e);
    else
        keep(n, s);
    *s = (struct set){ 0 };
}

static int look_back(const struct nonces *n, uint64_t key, uint64_t at_us)
{
    for (size_t i = n->old_n; i-- > 0;)
        if (at_us >= n->old[i].from_us && at_us <= n->old[i].to_us &&
            has(&n->old[i], key))
            return SYNCLINE_EEXIST;
    for (size_t i = 0; i < n->lost_n; i++)
        if (at_us >= n->lost[i].from_us && at_us <= n->lost[i].to_us)
            return SYNCLINE_ETIMEOUT;
    return SYNCLINE_OK;
}

/* ---- all of them ---- */

static void turn(struct nonces *n, uint64_t now_us)
{
    retire(n, &n->before);
    n->before = n->now;
    n->now = (struct set){ 0 };
    n->begun_us = now_us;
}

/* The time of day was set: what was said before says times that are not near
 * those that are said now. */
static bool is_elsewhere(const struct nonces *n, uint64_t at_us)
{
    const struct set *s = &n->now;
    const uint64_t reach_us = 4 * n->window_us;

    return s->n > 0 &&
        (at_us > s->from_us + reach_us || at_us + reach_us < s->to_us);
}

static void fetch(const struct set *s, uint64_t key)
{
    if (s->cap > 0)
        __builtin_prefetch(&s->e[(size_t)key & (s->cap - 1)]);
}

uint64_t nonces_key(const struct nonces *n, struct slice nonce)
{
    const uint64_t key = siphash128(n->seed, nonce).lo | 1;

    fetch(&n->now, key);
    fetch(&n->before, key);
    return key;
}

int nonces_look(const struct nonces *n, uint64_t key, uint64_t at_us)
{
    if (has(&n->now, key) || has(&n->before, key))
        return SYNCLINE_EEXIST;
    return at_us <= n->old_us ? look_back(n, key, at_us) : SYNCLINE_OK;
}

int nonces_see(struct nonces *n, uint64_t key, uint64_t at_us, uint64_t now_us)
{
    int rc;

    if (now_us >= n->begun_us && now_us - n->begun_us >= n->window_us) {
        const bool is_silent = now_us - n->begun_us >= 2 * n->window_us;

        turn(n, now_us);
        if (is_silent)
            turn(n, now_us);
    }
    rc = nonces_look(n, key, at_us);
    if (rc != SYNCLINE_OK)
        return rc;
    if (is_elsewhere(n, at_us))
        turn(n, now_us);
    if (n->now.n >= NONCES_MAX)
        return SYNCLINE_ELIMIT;
    widen(&n->now, at_us, at_us);
    return put(&n->now, key);
}
