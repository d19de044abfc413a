#include "repl/members.h"

#include "repl/members_impl.h"

#include <stdlib.h>

#include "base/plant.h"
#include "base/text.h"

static const char *const roles[] = {
    [ROLE_RELAY] = "relay",
    [ROLE_READER] = "reader",
    [ROLE_MEMBER] = "member",
    [ROLE_ADMIN] = "admin",
};

const char *member_role_name(enum member_role role)
{
    return roles[role];
}

enum member_role member_role_parse(struct slice text)
{
    for (int r = ROLE_RELAY; r <= ROLE_ADMIN; r++)
        if (slice_is(text, roles[r]))
            return (enum member_role)r;
    return ROLE_NONE;
}

int members_new(struct members **out, const struct crypto_port *crypto,
    const struct mesh_id *mesh)
{
    struct members *m = calloc(1, sizeof *m);
    int rc;

    if (m == NULL)
        return SYNCLINE_ENOMEM;
    m->crypto = crypto;
    m->mesh = *mesh;
    rc = members_space_token(
        &m->admins, crypto, mesh, SLICE_LIT(MEMBERS_ADMINS_SPACE));
    if (rc != SYNCLINE_OK) {
        free(m);
        return rc;
    }
    *out = m;
    return SYNCLINE_OK;
}

int members_space_token(struct space_token *out,
    const struct crypto_port *crypto, const struct mesh_id *mesh,
    struct slice name)
{
    uint8_t mac[SHA256_LEN];
    int rc = crypto->hmac_sha256(
        crypto->self, mac, SLICE(mesh->b, MESH_ID_LEN), name);

    if (rc == SYNCLINE_OK)
        memcpy(out->b, mac, SPACE_TOKEN_LEN);
    return rc;
}

static void bury(struct members *m)
{
    while (m->dead != NULL) {
        struct cert *c = m->dead;

        m->dead = c->next;
        cert_free(c);
    }
}

void members_free(struct members *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->records_n; i++) {
        for (size_t k = 0; k < CERTS_MAX; k++)
            cert_free(m->records[i].certs[k]);
        free((void *)m->records[i].key.ptr);
    }
    bury(m);
    free(m->records);
    arena_free(&m->answer.arena);
    buf_free(&m->scratch);
    free(m);
}

/* ---- records ---- */

bool members_is_key(struct slice key)
{
    struct record_key k;

    return members_read_key(&k, key, NULL) == SYNCLINE_OK;
}

/* Where the record of that key is, or would be. */
static size_t record_ix(const struct members *m, struct slice key)
{
    size_t from = 0, to = m->records_n;

    while (from < to) {
        size_t mid = from + (to - from) / 2;

        if (slice_cmp(m->records[mid].key, key) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

/* NULL: memory ran out. */
static struct record *record_add(struct members *m, struct slice key)
{
    size_t ix = record_ix(m, key);
    struct record *r;
    uint8_t *copy;

    if (ix < m->records_n && slice_eq(m->records[ix].key, key))
        return &m->records[ix];
    if (m->records_n == m->records_cap) {
        size_t cap = m->records_cap == 0 ? 16 : 2 * m->records_cap;

        r = realloc(m->records, cap * sizeof *r);
        if (r == NULL)
            return NULL;
        m->records = r;
        m->records_cap = cap;
    }
    copy = malloc(key.len);
    if (copy == NULL)
        return NULL;
    memcpy(copy, key.ptr, key.len);
    r = &m->records[ix];
    memmove(r + 1, r, (m->records_n - ix) * sizeof *r);
    *r = (struct record){ .key = SLICE(copy, key.len) };
    m->records_n++;
    return r;
}

static void record_drop_if_empty(struct members *m, struct record *r)
{
    size_t ix = (size_t)(r - m->records);

    if (r->certs[0] != NULL)
        return;
    free((void *)r->key.ptr);
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

static int store_record(
    struct members *m, struct slice key, struct cert *certs[CERTS_MAX])
{
    struct record *r = record_add(m, key);

    if (r == NULL)
        return SYNCLINE_ENOMEM;
    for (size_t i = 0; i < CERTS_MAX; i++)
        for (size_t k = 0; k < CERTS_MAX; k++)
            inherit(certs[i], r->certs[k]);
    for (size_t i = 0; i < CERTS_MAX; i++)
        replace(m, &r->certs[i], certs[i]);
    record_drop_if_empty(m, r);
    return SYNCLINE_OK;
}

bool members_weighs(const struct members *m, struct slice key)
{
    size_t ix = record_ix(m, key);
    bool weighs = false;

    if (ix < m->records_n && slice_eq(m->records[ix].key, key))
        for (size_t i = 0; i < CERTS_MAX; i++)
            weighs = weighs ||
                (m->records[ix].certs[i] != NULL &&
                    m->records[ix].certs[i]->ready);
    return weighs;
}

static const uint8_t *spki_of(
    const struct members *m, const struct device_id *device)
{
    for (size_t i = 0; i < m->records_n; i++)
        for (size_t k = 0; k < CERTS_MAX; k++) {
            const struct cert *c = m->records[i].certs[k];

            if (c != NULL && c->kind == CERT_MEMBER &&
                device_eq(&c->device, device))
                return c->spki;
        }
    return NULL;
}

/* Nobody sends such a one who has not its signer's certificate. */
static int check_old(struct members *m, struct cert *c)
{
    const uint8_t *spki = spki_of(m, &c->by);
    int rc = spki == NULL ? SYNCLINE_EMALFORMED : cert_verify(m, c, spki);

    if (rc != SYNCLINE_OK)
        return rc;
    return c->verdict == GOOD ? SYNCLINE_OK : SYNCLINE_EMALFORMED;
}

int members_check(struct members *m, struct slice key, struct slice value)
{
    struct cert *certs[CERTS_MAX] = { NULL };
    struct record_key k;
    int rc = members_read_key(&k, key, NULL);

    if (rc == SYNCLINE_OK)
        rc = members_read_value(m, certs, value, &k, NULL);
    for (size_t i = 0; i < CERTS_MAX; i++) {
        if (rc == SYNCLINE_OK && certs[i] != NULL && k.old)
            rc = check_old(m, certs[i]);
        cert_free(certs[i]);
    }
    return rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM ? rc
                                                      : SYNCLINE_EMALFORMED;
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
    if (PLANTED(FOLD_BY_ARRIVAL) && rc == SYNCLINE_OK && certs[0] != NULL &&
        m->answer.n > 0 && certs[0]->kind != CERT_KX &&
        members_role(m, &certs[0]->by) != ROLE_ADMIN)
        rc = SYNCLINE_EMALFORMED;
    if (rc == SYNCLINE_OK) {
        rc = store_record(m, key, certs);
        if (rc == SYNCLINE_OK)
            return rc;
    }
    for (size_t i = 0; i < CERTS_MAX; i++)
        cert_free(certs[i]);
    if (rc != SYNCLINE_EMALFORMED)
        return rc;
    stored = store_record(m, key, (struct cert *[CERTS_MAX]){ NULL });
    return stored == SYNCLINE_OK ? rc : stored;
}

/* ---- the answer ---- */

static bool answers_differ(const struct answer *a, const struct answer *b)
{
    bool differ = a->counting_n != b->counting_n || a->voided_n != b->voided_n;

    for (size_t i = 0; i < a->counting_n && !differ; i++)
        differ = cert_id_cmp(&a->counting[i]->id, &b->counting[i]->id) != 0;
    for (size_t i = 0; i < a->voided_n && !differ; i++)
        differ = cert_id_cmp(&a->voided[i]->id, &b->voided[i]->id) != 0;
    return differ;
}

bool member_has_less(const struct member *now, const struct member *before)
{
    if (now->role < before->role || (now->some_spaces && !before->some_spaces))
        return true;
    for (uint32_t i = 0; now->some_spaces && i < before->spaces_n; i++) {
        bool kept = false;

        for (uint32_t k = 0; k < now->spaces_n && !kept; k++)
            kept = space_token_eq(&now->spaces[k], &before->spaces[i]);
        if (!kept)
            return true;
    }
    return false;
}

/* Both are sorted by device. */
static bool is_lessened(const struct answer *now, const struct answer *before)
{
    size_t k = 0;

    for (size_t i = 0; i < before->n; i++) {
        const struct member *was = &before->list[i];

        while (k < now->n && device_cmp(&now->ids[k], &was->device) < 0)
            k++;
        if (k == now->n || !device_eq(&now->ids[k], &was->device) ||
            member_has_less(&now->list[k], was))
            return true;
    }
    return false;
}

bool members_lessened(struct members *m)
{
    bool lessened = m->lessened;

    m->lessened = false;
    return lessened;
}

int members_fold(struct members *m, bool *changed)
{
    struct answer fresh = { .n = 0 };
    int rc = fold_answer(m, &fresh);

    if (rc != SYNCLINE_OK) {
        arena_free(&fresh.arena);
        return rc;
    }
    *changed = answers_differ(&fresh, &m->answer);
    m->lessened = m->lessened || is_lessened(&fresh, &m->answer);
    arena_free(&m->answer.arena);
    m->answer = fresh;
    bury(m);
    return SYNCLINE_OK;
}

static int by_device(const void *key, const void *member)
{
    return device_cmp(key, &((const struct member *)member)->device);
}

static int by_standing(const void *key, const void *standing)
{
    return device_cmp(key, &((const struct standing *)standing)->device);
}

const struct member *members_get(
    const struct members *m, const struct device_id *device)
{
    const struct answer *a = &m->answer;

    return a->n == 0
        ? NULL
        : bsearch(device, a->list, a->n, sizeof *a->list, by_device);
}

const struct standing *members_standing(
    const struct members *m, const struct device_id *device)
{
    const struct answer *a = &m->answer;

    return a->standings_n == 0 ? NULL
                               : bsearch(device, a->standings, a->standings_n,
                                     sizeof *a->standings, by_standing);
}

bool members_has(const struct members *m, const struct device_id *device)
{
    return members_get(m, device) != NULL;
}

size_t members_n(const struct members *m)
{
    return m->answer.n;
}

const struct member *members_at(const struct members *m, size_t ix)
{
    return ix < m->answer.n ? &m->answer.list[ix] : NULL;
}

const struct device_id *members_ids(const struct members *m)
{
    return m->answer.ids;
}

struct slice members_spki(
    const struct members *m, const struct device_id *device)
{
    const struct member *found = members_get(m, device);

    return found == NULL ? SLICE_NONE : found->spki;
}

static bool take_author(
    const struct cert *c, const struct rid *replica, struct author_key *out)
{
    if (c == NULL || c->kind != CERT_MEMBER || !rid_is_of(replica, &c->device))
        return false;
    out->device = c->device;
    out->spki = SLICE(c->spki, ED25519_SPKI_LEN);
    return true;
}

/* Mostly of whom something counts; but `_mesh` holds what others wrote, too,
 * before they ceased to count. A key belongs to its device by itself. */
int members_author(
    const struct members *m, const struct rid *replica, struct author_key *out)
{
    const struct answer *a = &m->answer;
    size_t lo = 0, hi = a->standings_n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (device_cmp_rid(&a->standings[mid].device, replica) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < a->standings_n &&
        take_author(a->standings[lo].named, replica, out))
        return SYNCLINE_OK;
    for (size_t i = 0; i < m->records_n; i++)
        for (size_t k = 0; k < CERTS_MAX; k++)
            if (take_author(m->records[i].certs[k], replica, out))
                return SYNCLINE_OK;
    return SYNCLINE_ENOTFOUND;
}

bool members_removed_at(const struct members *m, size_t ix, struct member *out)
{
    for (size_t i = 0; i < m->answer.standings_n; i++) {
        const struct standing *s = &m->answer.standings[i];

        if (s->top->kind != CERT_REMOVED || s->named == NULL || ix-- > 0)
            continue;
        *out = (struct member){ .device = s->device,
            .by = s->top->by,
            .name = s->named->name,
            .spki = SLICE(s->named->spki, ED25519_SPKI_LEN),
            .at = s->top->at };
        return true;
    }
    return false;
}
