/* What the records that count say: who may what, under which key. */
#include "repl/members_impl.h"

#include "base/text.h"

#include <stdlib.h>

/* ---- who may what ---- */

enum member_role members_role(
    const struct members *m, const struct device_id *device)
{
    const struct member *found = members_get(m, device);

    return found == NULL ? ROLE_NONE : found->role;
}

static bool is_among(
    const struct space_token *space, const struct space_token *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (space_token_eq(&list[i], space))
            return true;
    return false;
}

/* Whatever it was granted, the names of spaces are among it. */
static bool has(const struct members *m, const struct member *who,
    const struct space_token *space)
{
    return !who->some_spaces || space_token_eq(space, &m->admins) ||
        is_among(space, who->spaces, who->spaces_n);
}

static bool reads(const struct members *m, const struct member *who,
    const struct space_token *space)
{
    return who != NULL && who->role >= ROLE_READER && has(m, who, space);
}

bool members_carries(const struct members *m, const struct device_id *device,
    const struct space_token *space)
{
    const struct member *who = members_get(m, device);

    return who != NULL && who->role == ROLE_RELAY && has(m, who, space);
}

bool members_may_read(const struct members *m, const struct device_id *device,
    const struct space_token *space)
{
    return reads(m, members_get(m, device), space);
}

bool members_lets_write(const struct members *m, enum member_role role,
    bool some_spaces, const struct space_token *spaces, uint32_t spaces_n,
    const struct space_token *space)
{
    if (space_token_eq(space, &m->admins))
        return role == ROLE_ADMIN;
    return role >= ROLE_MEMBER &&
        (!some_spaces || is_among(space, spaces, spaces_n));
}

bool members_may_write(const struct members *m, const struct device_id *device,
    const struct space_token *space)
{
    const struct member *who = members_get(m, device);

    return who != NULL &&
        members_lets_write(
            m, who->role, who->some_spaces, who->spaces, who->spaces_n, space);
}

static const struct standing *owner_of_replica(
    const struct members *m, const struct rid *replica)
{
    size_t from = 0, to = m->answer.standings_n;

    while (from < to) {
        size_t mid = from + (to - from) / 2;
        const struct standing *s = &m->answer.standings[mid];

        if (device_cmp_rid(&s->device, replica) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from < m->answer.standings_n &&
            rid_is_of(replica, &m->answer.standings[from].device)
        ? &m->answer.standings[from]
        : NULL;
}

bool members_stands_by(const struct members *m, const struct device_id *device,
    const struct cert_id *id)
{
    const struct standing *s = members_standing(m, device);

    return s != NULL && members_has(m, device) &&
        cert_id_cmp(&s->top->id, id) == 0;
}

int members_cert_id(struct cert_id *out, struct slice key)
{
    struct record_key k;
    int rc = members_read_key(&k, key, NULL);

    if (rc == SYNCLINE_OK && (k.old || k.kind == CERT_KX))
        rc = SYNCLINE_EINVAL;
    if (rc == SYNCLINE_OK)
        *out = k.id;
    return rc;
}

uint64_t members_bound(const struct members *m, const struct rid *replica,
    const struct space_token *space, bool *known)
{
    const struct standing *s = owner_of_replica(m, replica);
    uint64_t bound = 0;

    *known = s != NULL;
    if (s == NULL)
        return 0;
    if (s->top->kind == CERT_MEMBER &&
        members_lets_write(m, s->top->role, s->top->some_spaces, s->top->spaces,
            s->top->spaces_n, space))
        return UINT64_MAX;
    for (uint32_t i = 0; i < s->tops_n; i++) {
        const struct cert *c = s->tops[i];

        if (c->old && c->kind == CERT_REMOVED)
            return UINT64_MAX; /* it says nothing of that */
        for (uint32_t k = 0; k < c->cut_n; k++)
            if (space_token_eq(&c->cut[k].space, space) &&
                rid_eq(&c->cut[k].upto.replica, replica) &&
                c->cut[k].upto.seq > bound)
                bound = c->cut[k].upto.seq;
    }
    return bound;
}

size_t members_admins(const struct members *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->answer.n; i++)
        n += m->answer.list[i].role == ROLE_ADMIN;
    return n;
}

/* ---- keys ---- */

const uint8_t *members_kx(
    const struct members *m, const struct device_id *device)
{
    for (size_t i = 0; i < m->answer.counting_n; i++) {
        const struct cert *c = m->answer.counting[i];

        if (c->kind == CERT_KX && device_eq(&c->device, device))
            return c->kx;
    }
    return NULL;
}

static bool key_at(const struct cert *const *certs, size_t n, size_t ix,
    uint64_t *epoch, struct key_id *id)
{
    for (size_t i = 0; i < n; i++) {
        if (certs[i]->kind != CERT_ROTATE || ix-- > 0)
            continue;
        *epoch = certs[i]->epoch;
        *id = certs[i]->key_id;
        return true;
    }
    return false;
}

bool members_key_at(
    const struct members *m, size_t ix, uint64_t *epoch, struct key_id *id)
{
    return key_at(m->answer.counting, m->answer.counting_n, ix, epoch, id);
}

bool members_voided_key_at(
    const struct members *m, size_t ix, uint64_t *epoch, struct key_id *id)
{
    return key_at(m->answer.voided, m->answer.voided_n, ix, epoch, id);
}

static bool is_of(const struct cert *c, uint64_t epoch, const struct key_id *id)
{
    return cert_is_of_key(c) && c->epoch == epoch &&
        memcmp(c->key_id.b, id->b, KEY_ID_LEN) == 0;
}

static bool wrap_at(const struct cert *const *certs, size_t n,
    const struct device_id *to, size_t *ix, struct members_wrap *out)
{
    for (size_t i = 0; i < n; i++) {
        const struct cert *c = certs[i];

        for (uint32_t k = 0; k < c->wraps_n; k++) {
            if (!device_eq(&c->wraps[k].to, to) || (*ix)-- > 0)
                continue;
            *out = (struct members_wrap){ { c->by, *to, c->epoch, c->key_id },
                c->wraps[k].sealed };
            return true;
        }
    }
    return false;
}

bool members_wrap_at(const struct members *m, const struct device_id *to,
    size_t ix, struct members_wrap *out)
{
    return wrap_at(m->answer.counting, m->answer.counting_n, to, &ix, out);
}

bool members_voided_wrap_at(const struct members *m, const struct device_id *to,
    size_t ix, struct members_wrap *out)
{
    return wrap_at(m->answer.voided, m->answer.voided_n, to, &ix, out) ||
        wrap_at(m->answer.counting, m->answer.counting_n, to, &ix, out);
}

/* May it still have all that was wrapped for it? */
static bool may_have(
    const struct members *all, const struct member *m, struct slice what)
{
    if (m == NULL)
        return false;
    if (member_reads_all(m))
        return true;
    if (slice_is(what, "*"))
        return false;
    while (what.len >= 2 * SPACE_TOKEN_LEN) {
        struct space_token space;

        if (hex_decode(space.b, SPACE_TOKEN_LEN,
                SLICE(what.ptr, 2 * SPACE_TOKEN_LEN)) != SYNCLINE_OK ||
            !reads(all, m, &space))
            return false;
        what = slice_from(what, 2 * SPACE_TOKEN_LEN);
    }
    return true;
}

/* Whoever was let in to read everything was given the mesh's secret. */
static bool secret_is_out(const struct members *m)
{
    for (size_t i = 0; i < m->answer.counting_n; i++) {
        const struct cert *c = m->answer.counting[i];

        if (c->kind == CERT_MEMBER && c->role >= ROLE_READER &&
            !c->some_spaces &&
            !may_have(m, members_get(m, &c->device), SLICE_LIT("*")))
            return true;
    }
    return false;
}

bool members_key_spoiled(
    const struct members *m, uint64_t epoch, const struct key_id *id)
{
    if (epoch == 0 && secret_is_out(m))
        return true;
    for (size_t i = 0; i < m->answer.counting_n; i++) {
        const struct cert *c = m->answer.counting[i];

        if (!is_of(c, epoch, id))
            continue;
        if (members_role(m, &c->by) != ROLE_ADMIN)
            return true; /* who made it knows it */
        for (uint32_t k = 0; k < c->wraps_n; k++)
            if (!may_have(m, members_get(m, &c->wraps[k].to), c->wraps[k].what))
                return true;
    }
    return false;
}

uint32_t members_spaces_of(const struct members *m, const struct member *who,
    struct space_token out[MEMBER_SPACES_MAX + 1])
{
    uint32_t n = 0;
    bool put = false;

    if (who->role < ROLE_READER || !who->some_spaces)
        return 0;
    for (uint32_t i = 0; i < who->spaces_n; i++) {
        int order = memcmp(who->spaces[i].b, m->admins.b, SPACE_TOKEN_LEN);

        if (order > 0 && !put)
            out[n++] = m->admins;
        put = put || order >= 0;
        out[n++] = who->spaces[i];
    }
    if (!put)
        out[n++] = m->admins;
    return n;
}

void members_put_what(
    struct buf *b, const struct members *m, const struct member *who)
{
    struct space_token spaces[MEMBER_SPACES_MAX + 1];
    uint32_t n = members_spaces_of(m, who, spaces);

    if (member_reads_all(who))
        buf_put_u8(b, '*');
    for (uint32_t i = 0; i < n; i++)
        put_hex(b, SLICE(spaces[i].b, SPACE_TOKEN_LEN));
}

/* Was it let in to read everything, and so told the mesh's secret? */
static bool knows_secret(const struct members *m, const struct member *to)
{
    for (size_t i = 0; i < m->answer.counting_n; i++) {
        const struct cert *c = m->answer.counting[i];

        if (c->kind == CERT_MEMBER && device_eq(&c->device, &to->device) &&
            (c->role < ROLE_READER || c->some_spaces))
            return false;
    }
    return true;
}

bool members_key_given(const struct members *m, const struct member *to,
    uint64_t epoch, const struct key_id *id)
{
    struct buf want = { 0 };
    bool given = epoch == 0 && member_reads_all(to) && knows_secret(m, to);

    members_put_what(&want, m, to);
    for (size_t i = 0; i < m->answer.counting_n && !given; i++) {
        const struct cert *c = m->answer.counting[i];

        for (uint32_t k = 0; k < c->wraps_n && is_of(c, epoch, id); k++)
            given = given ||
                (device_eq(&c->wraps[k].to, &to->device) &&
                    slice_eq(c->wraps[k].what, buf_slice(&want)));
    }
    given = given || buf_status(&want) != SYNCLINE_OK;
    buf_free(&want);
    return given;
}
