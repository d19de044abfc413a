#include "repl/members.h"

#include "repl/members_impl.h"

#include <stdlib.h>

int members_new(struct members **out, const struct crypto_port *crypto,
    const struct mesh_id *mesh)
{
    struct members *m = calloc(1, sizeof *m);

    if (m == NULL)
        return SYNCLINE_ENOMEM;
    m->crypto = crypto;
    m->mesh = *mesh;
    *out = m;
    return SYNCLINE_OK;
}

static void bury(struct members *m)
{
    while (m->dead != NULL) {
        struct cert *c = m->dead;

        m->dead = c->next;
        free(c);
    }
}

void members_free(struct members *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->records_n; i++) {
        for (size_t k = 0; k < CERTS_MAX; k++)
            free(m->records[i].admitted[k]);
        free(m->records[i].removed);
    }
    bury(m);
    free(m->records);
    free(m->list);
    free(m->ids);
    buf_free(&m->scratch);
    free(m);
}

/* ---- records ---- */

/* Where the device's record is, or would be. */
static size_t record_ix(const struct members *m, const struct device_id *device)
{
    size_t from = 0, to = m->records_n;

    while (from < to) {
        size_t mid = from + (to - from) / 2;

        if (device_cmp(&m->records[mid].device, device) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

struct record *members_record(
    const struct members *m, const struct device_id *device)
{
    size_t ix = record_ix(m, device);

    return ix < m->records_n && device_eq(&m->records[ix].device, device)
        ? &m->records[ix]
        : NULL;
}

static struct record *record_add(
    struct members *m, const struct device_id *device)
{
    struct record *r = members_record(m, device);
    size_t ix = record_ix(m, device);

    if (r != NULL)
        return r;
    if (m->records_n == m->records_cap) {
        size_t cap = m->records_cap == 0 ? 16 : 2 * m->records_cap;

        r = realloc(m->records, cap * sizeof *r);
        if (r == NULL)
            return NULL;
        m->records = r;
        m->records_cap = cap;
    }
    r = &m->records[ix];
    memmove(r + 1, r, (m->records_n - ix) * sizeof *r);
    *r = (struct record){ .device = *device };
    m->records_n++;
    return r;
}

static void record_drop_if_empty(struct members *m, struct record *r)
{
    size_t ix = (size_t)(r - m->records);

    if (r->admitted[0] != NULL || r->removed != NULL)
        return;
    m->records_n--;
    memmove(r, r + 1, (m->records_n - ix) * sizeof *r);
}

/* Puts c, which may be NULL, in the place of *at. */
static void replace(struct members *m, struct cert **at, struct cert *c)
{
    if (*at != NULL) {
        (*at)->next = m->dead;
        m->dead = *at;
    }
    *at = c;
}

/* A signature that was verified once need not be again. */
static void inherit(struct cert *c, const struct cert *old)
{
    if (c != NULL && old != NULL && c->payload_len == old->payload_len &&
        memcmp(c->payload, old->payload, c->payload_len) == 0 &&
        memcmp(c->sig, old->sig, sizeof c->sig) == 0)
        c->verdict = old->verdict;
}

static int store_record(struct members *m, const struct record_key *key,
    struct cert *certs[CERTS_MAX])
{
    struct record *r = record_add(m, &key->device);

    if (r == NULL)
        return SYNCLINE_ENOMEM;
    if (key->removed) {
        inherit(certs[0], r->removed);
        replace(m, &r->removed, certs[0]);
    } else {
        for (size_t i = 0; i < CERTS_MAX; i++)
            for (size_t k = 0; k < CERTS_MAX; k++)
                inherit(certs[i], r->admitted[k]);
        for (size_t i = 0; i < CERTS_MAX; i++)
            replace(m, &r->admitted[i], certs[i]);
    }
    record_drop_if_empty(m, r);
    return SYNCLINE_OK;
}

int members_set(
    struct members *m, struct slice key, struct slice value, struct errmsg *why)
{
    struct cert *certs[CERTS_MAX] = { NULL };
    struct record_key k;
    int rc = members_read_key(&k, key, why), stored;

    if (rc != SYNCLINE_OK)
        return rc;
    if (value.ptr != NULL)
        rc = members_read_value(m, certs, value, &k, why);
    if (rc == SYNCLINE_OK) {
        rc = store_record(m, &k, certs);
        if (rc == SYNCLINE_OK)
            return rc;
    }
    for (size_t i = 0; i < CERTS_MAX; i++)
        free(certs[i]);
    if (rc != SYNCLINE_EMALFORMED)
        return rc;
    stored = store_record(m, &k, (struct cert *[CERTS_MAX]){ NULL });
    return stored == SYNCLINE_OK ? rc : stored;
}

/* ---- folding ---- */

static int verify(struct members *m, struct cert *c)
{
    const struct record *by = members_record(m, &c->by);
    int rc;

    if (c->verdict != UNTRIED || by == NULL || by->admitted[0] == NULL)
        return SYNCLINE_OK;
    buf_clear(&m->scratch);
    buf_put_slice(&m->scratch, SLICE_LIT(MEMBERS_SIGNED_PREFIX));
    buf_put(&m->scratch, c->payload, c->payload_len);
    if (buf_status(&m->scratch) != SYNCLINE_OK)
        return buf_status(&m->scratch);
    rc = m->crypto->verify(m->crypto->self,
        SLICE(by->admitted[0]->spki, ED25519_SPKI_LEN),
        SLICE(c->sig, sizeof c->sig), buf_slice(&m->scratch));
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    c->verdict = rc == SYNCLINE_OK ? GOOD : BAD;
    return SYNCLINE_OK;
}

/* Nobody but the founder vouches for himself, or a removed device could
 * admit itself again. */
static bool is_vouched_for(
    const struct members *m, const struct cert *c, const struct record *r)
{
    const struct record *by;

    if (c->root)
        return true;
    if (device_eq(&c->by, &r->device))
        return false;
    by = members_record(m, &c->by);
    return by != NULL && by->counts;
}

bool members_cert_counts(
    const struct members *m, const struct cert *c, const struct record *r)
{
    return c != NULL && c->verdict == GOOD && is_vouched_for(m, c, r);
}

/* Tries what has become worth trying. Sets *more if r counts from now on. */
static int count_record(struct members *m, struct record *r, bool *more)
{
    for (size_t i = 0; i < CERTS_MAX; i++) {
        struct cert *c = r->admitted[i];
        int rc;

        if (c == NULL || !is_vouched_for(m, c, r))
            continue;
        rc = verify(m, c);
        if (rc != SYNCLINE_OK)
            return rc;
        if (c->verdict == GOOD && !r->counts) {
            r->counts = true;
            *more = true;
        }
    }
    return SYNCLINE_OK;
}

/* From the founder outwards, so a circle never begins to count. */
static int count_all(struct members *m)
{
    bool more = true;

    for (size_t i = 0; i < m->records_n; i++)
        m->records[i].counts = false;
    while (more) {
        more = false;
        for (size_t i = 0; i < m->records_n; i++) {
            int rc = count_record(m, &m->records[i], &more);

            if (rc != SYNCLINE_OK)
                return rc;
        }
    }
    for (size_t i = 0; i < m->records_n; i++) {
        struct cert *c = m->records[i].removed;
        const struct record *by = c == NULL ? NULL : members_record(m, &c->by);
        int rc = by != NULL && by->counts ? verify(m, c) : SYNCLINE_OK;

        if (rc != SYNCLINE_OK)
            return rc;
    }
    return SYNCLINE_OK;
}

const struct cert *members_best(const struct members *m, const struct record *r)
{
    const struct cert *best = NULL;

    for (size_t i = 0; i < CERTS_MAX; i++)
        if (members_cert_counts(m, r->admitted[i], r) &&
            (best == NULL || r->admitted[i]->gen > best->gen))
            best = r->admitted[i];
    return best;
}

uint64_t members_removed_up_to(const struct members *m, const struct record *r)
{
    const struct cert *c = r->removed;
    const struct record *by = c == NULL ? NULL : members_record(m, &c->by);

    return by != NULL && by->counts && c->verdict == GOOD ? c->gen : 0;
}

static struct member member_from(const struct record *r, const struct cert *c)
{
    return (struct member){
        .device = r->device,
        .by = c->by,
        .name = SLICE(c->name, c->name_len),
        .spki = SLICE(c->spki, sizeof c->spki),
        .role = SLICE_LIT(MEMBER_ROLE_ADMIN),
        .gen = c->gen,
        .at = c->at,
    };
}

static bool member_differs(const struct member *a, const struct member *b)
{
    return !device_eq(&a->device, &b->device) || !device_eq(&a->by, &b->by) ||
        !slice_eq(a->name, b->name) || a->gen != b->gen || a->at != b->at;
}

int members_fold(struct members *m, bool *changed)
{
    struct member *list = calloc(m->records_n + 1, sizeof *list);
    struct device_id *ids = calloc(m->records_n + 1, sizeof *ids);
    bool differs;
    size_t n = 0;
    int rc = list == NULL || ids == NULL ? SYNCLINE_ENOMEM : count_all(m);

    if (rc != SYNCLINE_OK) {
        free(list);
        free(ids);
        return rc;
    }
    for (size_t i = 0; i < m->records_n; i++) {
        const struct record *r = &m->records[i];
        const struct cert *best = members_best(m, r);

        if (best == NULL || best->gen <= members_removed_up_to(m, r))
            continue;
        list[n] = member_from(r, best);
        ids[n++] = r->device;
    }
    differs = n != m->n;
    for (size_t i = 0; i < n && !differs; i++)
        differs = member_differs(&list[i], &m->list[i]);
    free(m->list);
    free(m->ids);
    m->list = list;
    m->ids = ids;
    m->n = n;
    bury(m);
    *changed = differs;
    return SYNCLINE_OK;
}

/* ---- the answer ---- */

static int by_device(const void *key, const void *member)
{
    return device_cmp(key, &((const struct member *)member)->device);
}

const struct member *members_get(
    const struct members *m, const struct device_id *device)
{
    return m->n == 0
        ? NULL
        : bsearch(device, m->list, m->n, sizeof *m->list, by_device);
}

bool members_has(const struct members *m, const struct device_id *device)
{
    return members_get(m, device) != NULL;
}

size_t members_n(const struct members *m)
{
    return m->n;
}

const struct member *members_at(const struct members *m, size_t ix)
{
    return ix < m->n ? &m->list[ix] : NULL;
}

const struct device_id *members_ids(const struct members *m)
{
    return m->ids;
}

struct slice members_spki(
    const struct members *m, const struct device_id *device)
{
    const struct member *found = members_get(m, device);

    return found == NULL ? SLICE_NONE : found->spki;
}

bool members_removed_at(const struct members *m, size_t ix, struct member *out)
{
    for (size_t i = 0; i < m->records_n; i++) {
        const struct record *r = &m->records[i];
        const struct cert *best = members_best(m, r);

        if (best == NULL || best->gen > members_removed_up_to(m, r) || ix-- > 0)
            continue;
        *out = member_from(r, best);
        out->by = r->removed->by;
        out->at = r->removed->at;
        return true;
    }
    return false;
}
