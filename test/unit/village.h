/* village.h - six devices, one of which has founded a mesh, and what they say
 * of each other. For the tests of membership. */
#ifndef SYNCLINE_TEST_VILLAGE_H
#define SYNCLINE_TEST_VILLAGE_H

#include "repl/members.h"
#include "unit/check.h"

#define MAYBE_UNUSED __attribute__((unused))

#include "base/prng.h"
#include "base/text.h"
#include "core/json.h"

#define PEOPLE 6

struct person {
    struct identity *identity;
    struct crypto_port crypto;
    struct crypto_self self;
    struct members *view; /* to make records with */
};

struct record {
    struct buf key, value;
};

/* Six devices, the first of which has founded a mesh. */
struct village {
    struct person people[PEOPLE];
    struct mesh_id mesh;
    struct record founder;
};

static int (*real_verify)(
    void *self, struct slice spki, struct slice sig, struct slice s);
static unsigned verified;

static MAYBE_UNUSED int counting(
    void *self, struct slice spki, struct slice sig, struct slice s)
{
    verified++;
    return real_verify(self, spki, sig, s);
}

static MAYBE_UNUSED void village_init(struct village *v)
{
    *v = (struct village){ 0 };
    for (uint8_t i = 0; i < PEOPLE; i++) {
        struct person *p = &v->people[i];
        uint8_t seed[IDENTITY_SEED_LEN] = { i, 1 };

        CHECK_OK(identity_from_seed(&p->identity, seed));
        crypto_port_seeded(&p->crypto, &p->self, p->identity, i);
        real_verify = p->crypto.verify;
        p->crypto.verify = counting;
    }
    CHECK_OK(members_make_founder(&v->mesh, &v->founder.key, &v->founder.value,
        &v->people[0].crypto, SLICE_LIT("first"), 1000));
    for (int i = 0; i < PEOPLE; i++)
        CHECK_OK(
            members_new(&v->people[i].view, &v->people[i].crypto, &v->mesh));
}

static MAYBE_UNUSED void record_free(struct record *r)
{
    buf_free(&r->key);
    buf_free(&r->value);
}

static MAYBE_UNUSED void village_free(struct village *v)
{
    for (int i = 0; i < PEOPLE; i++) {
        members_free(v->people[i].view);
        identity_free(v->people[i].identity);
    }
    record_free(&v->founder);
}

static MAYBE_UNUSED const struct device_id *id_of(
    const struct village *v, int who)
{
    return identity_device(v->people[who].identity);
}

static MAYBE_UNUSED int set(struct members *m, const struct record *r)
{
    struct errmsg why = { "" };

    return members_set(m, buf_slice(&r->key), buf_slice(&r->value), &why);
}

static MAYBE_UNUSED bool fold(struct members *m)
{
    bool changed = false;

    CHECK_OK(members_fold(m, &changed));
    return changed;
}

/* Everybody hears of it. */
static MAYBE_UNUSED void tell_all(struct village *v, const struct record *r)
{
    for (int i = 0; i < PEOPLE; i++) {
        CHECK_OK(set(v->people[i].view, r));
        (void)fold(v->people[i].view);
    }
}

static MAYBE_UNUSED struct record told(struct village *v, struct record r)
{
    tell_all(v, &r);
    return r;
}

static MAYBE_UNUSED struct record say(struct village *v, int by, int who,
    enum member_role role, const struct space_token *spaces, uint32_t n)
{
    struct record r = { 0 };
    char name[] = "person 0";
    struct members_grant g = {
        .spki = identity_spki(v->people[who].identity),
        .role = role,
        .some_spaces = spaces != NULL,
        .spaces = spaces,
        .spaces_n = n,
    };

    name[7] = (char)('0' + who);
    g.name = slice_str(name);
    CHECK_OK(
        members_make_member(v->people[by].view, &r.key, &r.value, &g, 2000));
    return r;
}

static MAYBE_UNUSED struct record admit(struct village *v, int by, int who)
{
    return say(v, by, who, ROLE_ADMIN, NULL, 0);
}

static MAYBE_UNUSED struct record expel(struct village *v, int by, int who)
{
    struct record r = { 0 };

    CHECK_OK(members_make_removed(
        v->people[by].view, &r.key, &r.value, id_of(v, who), SLICE_NONE, 3000));
    return r;
}

/* One letter a person: what he is, as `who` sees it. */
static MAYBE_UNUSED void check_in(struct village *v, int who, const char *want)
{
    static const char letters[] = { '-', 'l', 'r', 'm', 'A' };
    char got[PEOPLE + 1] = { 0 };
    size_t n = 0;

    for (int i = 0; i < PEOPLE; i++) {
        got[i] = letters[members_role(v->people[who].view, id_of(v, i))];
        n += got[i] != '-';
    }
    CHECK_SLICE(slice_str(got), want);
    CHECK_UINT(members_n(v->people[who].view), n);
}

/* What somebody who hears a story only now, in any order, makes of it. */
static MAYBE_UNUSED void check_any_order(
    struct village *v, struct record *story, size_t n, const char *want)
{
    struct prng prng = { n };

    for (int round = 0; round < 30; round++) {
        struct members *before = v->people[5].view;

        CHECK_OK(
            members_new(&v->people[5].view, &v->people[5].crypto, &v->mesh));
        for (size_t i = n; i-- > 0;) {
            size_t k = prng_below(&prng, i + 1);
            struct record swap = story[k];

            story[k] = story[i];
            story[i] = swap;
            CHECK_OK(set(v->people[5].view, &swap));
            if (prng_one_in(&prng, 3))
                (void)fold(v->people[5].view);
        }
        CHECK_OK(set(v->people[5].view, &v->founder));
        (void)fold(v->people[5].view);
        check_in(v, 5, want);
        members_free(v->people[5].view);
        v->people[5].view = before;
    }
}

static MAYBE_UNUSED void records_free(struct record *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        record_free(&r[i]);
}

#endif
