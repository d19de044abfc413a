#include "faces/isync/choose.h"

#include <math.h>
#include <stdlib.h>

#define KNOWN_MAX 1000
#define VIOLATION_WEIGHT 3.0
#define COUNT_MAX 1e6

struct known {
    char *url;
    struct isync_standing at; /* as of last_us */
};

struct isync_repute {
    struct known known[KNOWN_MAX];
    size_t n;
};

/* ---- what is known ---- */

int isync_repute_new(struct isync_repute **out)
{
    struct isync_repute *r = calloc(1, sizeof *r);

    if (r == NULL)
        return SYNCLINE_ENOMEM;
    *out = r;
    return SYNCLINE_OK;
}

void isync_repute_free(struct isync_repute *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->n; i++)
        free(r->known[i].url);
    free(r);
}

static struct known *find(const struct isync_repute *r, struct slice url)
{
    for (size_t i = 0; r != NULL && i < r->n; i++)
        if (slice_is(url, r->known[i].url))
            return (struct known *)&r->known[i];
    return NULL;
}

/* In the place of the one that nothing was heard of for longest, if need be. */
static struct known *add(struct isync_repute *r, struct slice url)
{
    struct known *k = r->known;
    char *text;

    if (url.len == 0 || url.len > ISYNC_URL_MAX ||
        memchr(url.ptr, 0, url.len) != NULL)
        return NULL;
    text = strndup((const char *)url.ptr, url.len);
    if (text == NULL)
        return NULL;
    if (r->n < KNOWN_MAX) {
        k = &r->known[r->n++];
    } else {
        for (size_t i = 1; i < r->n; i++)
            if (r->known[i].at.last_us < k->at.last_us)
                k = &r->known[i];
        free(k->url);
    }
    *k = (struct known){ .url = text };
    return k;
}

static double left_of(double n, uint64_t since_us, uint64_t half_us)
{
    return n * exp2(-(double)since_us / (double)half_us);
}

/* A clock that was set back lets nothing be forgotten. */
static struct isync_standing as_of(
    const struct isync_standing *s, uint64_t wall_us)
{
    struct isync_standing now = *s;
    uint64_t since = wall_us > s->last_us ? wall_us - s->last_us : 0;

    now.failures = left_of(s->failures, since, ISYNC_FAILURE_HALF_US);
    now.violations = left_of(s->violations, since, ISYNC_VIOLATION_HALF_US);
    return now;
}

void isync_repute_note(struct isync_repute *r, struct slice url,
    enum isync_deed deed, uint64_t latency_us, uint64_t wall_us)
{
    struct known *k = find(r, url);

    if (k == NULL)
        k = add(r, url);
    if (k == NULL)
        return;
    k->at = as_of(&k->at, wall_us);
    k->at.last_us = wall_us;
    switch (deed) {
    case ISYNC_DEED_FAILED:
        k->at.failures = fmin(k->at.failures + 1, COUNT_MAX);
        break;
    case ISYNC_DEED_VIOLATED:
        k->at.violations = fmin(k->at.violations + 1, COUNT_MAX);
        break;
    case ISYNC_DEED_ANSWERED:
        k->at.failures = 0;
        k->at.latency_us = k->at.latency_us == 0
            ? latency_us
            : k->at.latency_us - k->at.latency_us / 4 + latency_us / 4;
        break;
    }
}

struct isync_standing isync_repute_of(
    const struct isync_repute *r, struct slice url, uint64_t wall_us)
{
    const struct known *k = find(r, url);

    return k != NULL ? as_of(&k->at, wall_us) : (struct isync_standing){ 0 };
}

static void add_double(
    struct json *obj, struct slice key, double d, struct arena *a)
{
    struct json *v = json_new(a, JSON_DOUBLE);

    if (v != NULL)
        v->d = d;
    json_add(obj, key, v);
}

static int64_t capped(uint64_t v)
{
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

struct json *isync_repute_save(const struct isync_repute *r, struct arena *a)
{
    struct json *all = json_new(a, JSON_OBJECT);

    for (size_t i = 0; i < r->n && all != NULL; i++) {
        const struct known *k = &r->known[i];
        struct json *one = json_new(a, JSON_OBJECT);

        add_double(one, SLICE_LIT("failures"), k->at.failures, a);
        add_double(one, SLICE_LIT("violations"), k->at.violations, a);
        json_add(one, SLICE_LIT("latency_us"),
            json_new_int(a, capped(k->at.latency_us)));
        if (json_add(one, SLICE_LIT("last_us"),
                json_new_int(a, capped(k->at.last_us))) == NULL ||
            json_add(all, slice_str(k->url), one) == NULL)
            return NULL;
    }
    return all;
}

static double count_of(const struct json *v, const char *name)
{
    const struct json *m = json_get(v, name);
    double d = 0;

    if (m != NULL && m->type == JSON_DOUBLE)
        d = m->d;
    else if (m != NULL && m->type == JSON_INT)
        d = (double)m->i;
    return d >= 0 && d <= COUNT_MAX ? d : 0;
}

static uint64_t us_of(const struct json *v, const char *name)
{
    int64_t us = json_get_int(v, name, 0);

    return us > 0 ? (uint64_t)us : 0;
}

void isync_repute_load(struct isync_repute *r, const struct json *v)
{
    if (v == NULL || v->type != JSON_OBJECT)
        return;
    for (const struct json *m = v->first; m != NULL; m = m->next) {
        struct known *k = find(r, m->key);

        if (m->type != JSON_OBJECT)
            continue;
        if (k == NULL)
            k = add(r, m->key);
        if (k == NULL)
            continue;
        k->at = (struct isync_standing){ .failures = count_of(m, "failures"),
            .violations = count_of(m, "violations"),
            .latency_us = us_of(m, "latency_us"),
            .last_us = us_of(m, "last_us") };
    }
}

/* ---- the choice ---- */

/* What Python takes for true. */
static bool is_truthy(const struct json *v)
{
    if (v == NULL)
        return false;
    switch (v->type) {
    case JSON_NULL:
    case JSON_FALSE:
        return false;
    case JSON_INT:
        return v->i != 0;
    case JSON_DOUBLE:
        return v->d < 0 || v->d > 0 || isnan(v->d);
    case JSON_STRING:
        return v->s.len > 0;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return v->n > 0;
    default:
        return true;
    }
}

/* All of a list, as it stands there. */
static size_t isync_list_read(
    struct isync_peer *out, size_t max, const struct json *list)
{
    size_t n = 0;

    if (list == NULL || list->type != JSON_ARRAY)
        return 0;
    for (const struct json *v = list->first; v != NULL && n < max; v = v->next)
        if (v->type == JSON_OBJECT)
            out[n++] = (struct isync_peer){ .name = json_get_str(v, "name"),
                .url = json_get_str(v, "url"),
                .description = json_get_str(v, "description"),
                .location = json_get_str(v, "location"),
                .is_verified = is_truthy(json_get(v, "verified")) };
    return n;
}

struct candidate {
    struct isync_peer peer;
    long penalty;
    unsigned slow; /* how many times slower than a quick one, roughly */
    size_t ix;
};

static unsigned slowness(uint64_t latency_us)
{
    unsigned n = 0;

    for (uint64_t quick = 100000; latency_us > quick && n < 10; quick *= 2)
        n++;
    return n;
}

static int by_rank(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;
    int by_name;

    if (a->penalty != b->penalty)
        return a->penalty < b->penalty ? -1 : 1;
    if (a->peer.is_verified != b->peer.is_verified)
        return a->peer.is_verified ? -1 : 1;
    if (a->slow != b->slow)
        return a->slow < b->slow ? -1 : 1;
    by_name = slice_cmp(a->peer.name, b->peer.name);
    if (by_name != 0)
        return by_name;
    return a->ix < b->ix ? -1 : 1;
}

void isync_rank(struct isync_peer *peers, size_t n,
    const struct isync_repute *r, uint64_t wall_us)
{
    struct candidate *c = n > 1 ? calloc(n, sizeof *c) : NULL;

    if (c == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        struct isync_standing s = isync_repute_of(r, peers[i].url, wall_us);

        c[i] = (struct candidate){ .peer = peers[i],
            .penalty = lround(s.failures + VIOLATION_WEIGHT * s.violations),
            .slow = slowness(s.latency_us),
            .ix = i };
    }
    qsort(c, n, sizeof *c, by_rank);
    for (size_t i = 0; i < n; i++)
        peers[i] = c[i].peer;
    free(c);
}

size_t isync_choose(struct isync_peer *out, size_t max, const struct json *list,
    const struct isync_repute *r, uint64_t wall_us)
{
    struct isync_peer *all = calloc(ISYNC_LIST_MAX, sizeof *all);
    size_t n = 0, chosen = 0;

    if (all != NULL)
        n = isync_list_read(all, ISYNC_LIST_MAX, list);
    isync_rank(all, n, r, wall_us);
    for (size_t i = 0; i < n && i < max; i++)
        if (all[i].url.len > 0)
            out[chosen++] = all[i];
    free(all);
    return chosen;
}
