#include "app/attempts.h"

static struct attempts_of key_of(const struct netaddr *from)
{
    struct attempts_of key = { .family = from->family };

    memcpy(key.from, from->addr,
        from->family == 6 && !netaddr_is_loopback(from) ? 8 : 16);
    return key;
}

static size_t find(const struct attempts *a, const struct netaddr *from)
{
    const struct attempts_of key = key_of(from);
    size_t i = 0;

    while (i < a->n &&
        (a->of[i].family != key.family ||
            memcmp(a->of[i].from, key.from, sizeof key.from) != 0))
        i++;
    return i;
}

/* A place for one more. */
static size_t quietest(const struct attempts *a)
{
    size_t best = 0;

    for (size_t i = 1; i < a->n; i++)
        if (a->of[i].at_us[0] < a->of[best].at_us[0])
            best = i;
    return best;
}

uint64_t attempts_wait_us(
    const struct attempts *a, const struct netaddr *from, uint64_t now_us)
{
    const size_t i = find(a, from);
    const uint64_t first = i < a->n ? a->of[i].at_us[ATTEMPTS_MAX - 1] : 0;

    return first != 0 && now_us - first < ATTEMPTS_US
        ? ATTEMPTS_US - (now_us - first)
        : 0;
}

void attempts_failed(
    struct attempts *a, const struct netaddr *from, uint64_t now_us)
{
    size_t i = find(a, from);
    struct attempts_of *of;

    if (attempts_wait_us(a, from, now_us) > 0)
        return;
    if (i == a->n) {
        i = a->n < ATTEMPTS_ADDRESSES ? a->n++ : quietest(a);
        a->of[i] = key_of(from);
    }
    of = &a->of[i];
    memmove(
        &of->at_us[1], &of->at_us[0], (ATTEMPTS_MAX - 1) * sizeof of->at_us[0]);
    of->at_us[0] = now_us;
}
