#include "faces/lansync/nonces.h"

#include <stdlib.h>

#include "base/hash.h"

#define FEW 256

/* Of nonces by their keys, which are never 0; half of it stays empty. */
struct set {
    uint64_t *e;
    size_t cap, n; /* cap: a power of two */
};

struct nonces {
    uint64_t window_us, begun_us;
    uint8_t seed[16];
    struct set now, before;
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
    free(n);
}

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
    struct set wider = { .cap = s->cap == 0 ? FEW : 2 * s->cap, .n = s->n };

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

/* After a silence of two windows nothing is known any more. */
static void turn(struct nonces *n, uint64_t now_us)
{
    if (now_us < n->begun_us || now_us - n->begun_us < n->window_us)
        return;
    free(n->before.e);
    n->before = (struct set){ 0 };
    if (now_us - n->begun_us < 2 * n->window_us)
        n->before = n->now;
    else
        free(n->now.e);
    n->now = (struct set){ 0 };
    n->begun_us = now_us;
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

bool nonces_has(const struct nonces *n, uint64_t key)
{
    return has(&n->now, key) || has(&n->before, key);
}

int nonces_see(struct nonces *n, uint64_t key, uint64_t now_us)
{
    int rc = SYNCLINE_OK;

    turn(n, now_us);
    if (nonces_has(n, key))
        return SYNCLINE_EEXIST;
    if (n->now.n >= NONCES_MAX)
        return SYNCLINE_ELIMIT;
    if (2 * n->now.n >= n->now.cap)
        rc = grow(&n->now);
    if (rc == SYNCLINE_OK) {
        *slot_of(&n->now, key) = key;
        n->now.n++;
    }
    return rc;
}
