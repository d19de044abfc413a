#include "repl/members.h"

#include "unit/check.h"

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

static int counting(
    void *self, struct slice spki, struct slice sig, struct slice s)
{
    verified++;
    return real_verify(self, spki, sig, s);
}

static void village_init(struct village *v)
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

static void record_free(struct record *r)
{
    buf_free(&r->key);
    buf_free(&r->value);
}

static void village_free(struct village *v)
{
    for (int i = 0; i < PEOPLE; i++) {
        members_free(v->people[i].view);
        identity_free(v->people[i].identity);
    }
    record_free(&v->founder);
}

static const struct device_id *id_of(const struct village *v, int who)
{
    return identity_device(v->people[who].identity);
}

static int set(struct members *m, const struct record *r)
{
    struct errmsg why = { "" };

    return members_set(m, buf_slice(&r->key), buf_slice(&r->value), &why);
}

static bool fold(struct members *m)
{
    bool changed = false;

    CHECK_OK(members_fold(m, &changed));
    return changed;
}

/* Everybody hears of it. */
static void tell_all(struct village *v, const struct record *r)
{
    for (int i = 0; i < PEOPLE; i++) {
        CHECK_OK(set(v->people[i].view, r));
        (void)fold(v->people[i].view);
    }
}

static struct record told(struct village *v, struct record r)
{
    tell_all(v, &r);
    return r;
}

static struct record admit(struct village *v, int by, int who)
{
    struct record r = { 0 };
    char name[] = "person 0";

    name[7] = (char)('0' + who);
    CHECK_OK(members_make_member(v->people[by].view, &r.key, &r.value,
        identity_spki(v->people[who].identity), slice_str(name), 2000));
    return r;
}

static struct record expel(struct village *v, int by, int who)
{
    struct record r = { 0 };

    CHECK_OK(members_make_removed(
        v->people[by].view, &r.key, &r.value, id_of(v, who), 3000));
    return r;
}

/* One letter a person: is he in, as `who` sees it. */
static void check_in(struct village *v, int who, const char *want)
{
    char got[PEOPLE + 1] = { 0 };
    size_t n = 0;

    for (int i = 0; i < PEOPLE; i++)
        if (members_has(v->people[who].view, id_of(v, i)))
            got[n++] = (char)('0' + i);
    CHECK_SLICE(slice_str(got), want);
    CHECK_UINT(members_n(v->people[who].view), n);
}

TEST(a_founder_admits_and_the_admitted_admit)
{
    struct village v;
    struct record r1, r2;
    const struct member *m;

    village_init(&v);
    tell_all(&v, &v.founder);
    check_in(&v, 3, "0");
    r1 = admit(&v, 0, 1);
    tell_all(&v, &r1);
    r2 = admit(&v, 1, 2);
    tell_all(&v, &r2);
    check_in(&v, 3, "012");
    m = members_get(v.people[3].view, id_of(&v, 2));
    CHECK_SLICE(m->name, "person 2");
    CHECK_SLICE(m->role, "admin");
    CHECK_UINT(m->gen, 1);
    CHECK_UINT(m->at, 2000);
    CHECK(device_eq(&m->by, id_of(&v, 1)));
    CHECK_BYTES(members_spki(v.people[3].view, id_of(&v, 2)),
        identity_spki(v.people[2].identity));
    for (size_t i = 0; i < 3; i++) {
        m = members_at(v.people[3].view, i);
        CHECK(device_eq(&m->device, &members_ids(v.people[3].view)[i]));
        CHECK(i == 0 || device_cmp(&(m - 1)->device, &m->device) < 0);
    }
    CHECK(members_at(v.people[3].view, 3) == NULL);
    record_free(&r1);
    record_free(&r2);
    village_free(&v);
}

/* The whole story in any order gives the same answer. */
TEST(order_does_not_matter)
{
    struct village v;
    struct record story[7];
    struct prng prng = { 7 };

    village_init(&v);
    tell_all(&v, &v.founder);
    story[0] = told(&v, admit(&v, 0, 1));
    story[1] = told(&v, admit(&v, 1, 2));
    story[2] = told(&v, admit(&v, 2, 3));
    story[3] = told(&v, expel(&v, 0, 1));
    story[4] = told(&v, admit(&v, 3, 4));
    story[5] = told(&v, expel(&v, 4, 2));
    story[6] = v.founder;
    check_in(&v, 0, "034");
    for (int round = 0; round < 20; round++) {
        struct members *m;

        CHECK_OK(members_new(&m, &v.people[5].crypto, &v.mesh));
        for (size_t i = 7; i-- > 0;) {
            size_t k = prng_below(&prng, i + 1);
            struct record swap = story[k];

            story[k] = story[i];
            story[i] = swap;
            CHECK_OK(set(m, &swap));
            if (prng_one_in(&prng, 2))
                (void)fold(m);
        }
        (void)fold(m);
        CHECK_UINT(members_n(m), 3);
        for (size_t i = 0; i < 3; i++)
            CHECK(device_eq(
                &members_ids(m)[i], &members_ids(v.people[0].view)[i]));
        members_free(m);
    }
    v.founder = (struct record){ 0 };
    for (int i = 0; i < 7; i++)
        record_free(&story[i]);
    village_free(&v);
}

TEST(one_new_record_costs_one_signature)
{
    struct village v;
    struct record r1, r2, r3;
    struct members *m;

    village_init(&v);
    m = v.people[5].view;
    tell_all(&v, &v.founder);
    r1 = told(&v, admit(&v, 0, 1));
    r2 = told(&v, admit(&v, 1, 2));
    r3 = admit(&v, 2, 3);
    verified = 0;
    CHECK(!fold(m));
    CHECK_UINT(verified, 0);
    CHECK_OK(set(m, &r3));
    CHECK_OK(set(m, &r1)); /* once more, unchanged */
    CHECK(fold(m));
    CHECK_UINT(verified, 1);
    CHECK(!fold(m));
    CHECK_UINT(verified, 1);
    record_free(&r1);
    record_free(&r2);
    record_free(&r3);
    village_free(&v);
}

/* A removal from before does not hold against a later admission, and whom
 * the removed had let in stays, also when one of those lets him in again. */
TEST(readmission_outlives_an_old_removal)
{
    struct village v;
    struct record r1, r2, out1, in2, out2;

    village_init(&v);
    tell_all(&v, &v.founder);
    r1 = told(&v, admit(&v, 0, 1));
    r2 = told(&v, admit(&v, 1, 2));
    out1 = told(&v, expel(&v, 0, 1));
    check_in(&v, 5, "02");
    tell_all(&v, &r1); /* his first certificate, replayed */
    check_in(&v, 5, "02");
    in2 = told(&v, admit(&v, 2, 1));
    check_in(&v, 5, "012");
    CHECK_UINT(members_get(v.people[5].view, id_of(&v, 1))->gen, 2);
    tell_all(&v, &out1); /* the old removal, replayed */
    check_in(&v, 5, "012");
    out2 = told(&v, expel(&v, 0, 1));
    check_in(&v, 5, "02");
    record_free(&r1);
    record_free(&r2);
    record_free(&out1);
    record_free(&in2);
    record_free(&out2);
    village_free(&v);
}

/* Even the founder can be removed and let in again by somebody else. */
TEST(a_founder_comes_back)
{
    struct village v;
    struct record r1, out0, in0;

    village_init(&v);
    tell_all(&v, &v.founder);
    r1 = told(&v, admit(&v, 0, 1));
    out0 = told(&v, expel(&v, 1, 0));
    check_in(&v, 5, "1");
    in0 = told(&v, admit(&v, 1, 0));
    check_in(&v, 5, "01");
    CHECK_UINT(members_get(v.people[5].view, id_of(&v, 0))->gen, 2);
    record_free(&r1);
    record_free(&out0);
    record_free(&in0);
    village_free(&v);
}

/* Puts `who` in the place of person 0 as the record's signer. */
static void sign_instead(struct village *v, int who, struct record *r)
{
    struct buf text = { 0 }, value = { 0 }, rest = { 0 };
    struct arena a = { 0 };
    char from[2 * DEVICE_ID_LEN + 1], to[2 * DEVICE_ID_LEN + 1];
    uint8_t sig[ED25519_SIG_LEN];
    struct json *pair, *first;
    uint8_t *at;

    CHECK_OK(json_parse(&pair, buf_slice(&r->value), JSON_STRICT, &a, NULL));
    first = pair->first;
    buf_put_str(&text, "syncline membership v1\n");
    buf_put_slice(&text, first->s);
    hex_encode(from, device_slice(id_of(v, 0)));
    hex_encode(to, device_slice(id_of(v, who)));
    at = memmem(text.ptr, text.len, from, strlen(from));
    CHECK(at != NULL);
    memcpy(at, to, strlen(to));
    CHECK_OK(identity_sign(v->people[who].identity, sig, buf_slice(&text)));
    first->s =
        slice_from(buf_slice(&text), sizeof "syncline membership v1\n" - 1);
    buf_put_u8(&value, '[');
    json_print_string(&value, first->s, false);
    buf_put_str(&value, ",\"");
    put_hex(&value, SLICE(sig, sizeof sig));
    buf_put_str(&value, "\",");
    pair->first = first->next->next; /* the certificate carried along */
    pair->n -= 2;
    json_print(&rest, pair, JSON_CANONICAL);
    buf_put_slice(&value, slice_from(buf_slice(&rest), 1));
    CHECK_OK(buf_status(&value));
    buf_free(&rest);
    buf_free(&r->value);
    r->value = value;
    buf_free(&text);
    arena_free(&a);
}

TEST(a_removed_device_cannot_admit_itself)
{
    struct village v;
    struct record r1, out1, again = { 0 };

    village_init(&v);
    tell_all(&v, &v.founder);
    r1 = told(&v, admit(&v, 0, 1));
    out1 = told(&v, expel(&v, 0, 1));
    CHECK_INT(members_make_member(v.people[1].view, &again.key, &again.value,
                  identity_spki(v.people[1].identity), SLICE_LIT("me"), 1),
        SYNCLINE_EINVAL);
    /* Nor by what another one would write, signed with its own key. */
    again = admit(&v, 0, 1);
    sign_instead(&v, 1, &again);
    tell_all(&v, &again);
    check_in(&v, 5, "0");
    /* The same from one who is a member does it. */
    record_free(&again);
    again = admit(&v, 0, 1);
    tell_all(&v, &again);
    check_in(&v, 5, "01");
    record_free(&r1);
    record_free(&out1);
    record_free(&again);
    village_free(&v);
}

/* Two strangers who vouch for each other are no members. */
TEST(a_circle_counts_for_nothing)
{
    struct village v;
    struct record mine = { 0 }, bill, ben;
    struct mesh_id other;

    village_init(&v);
    /* A view in which 1 and 2 believe that they belong to the mesh. */
    CHECK_OK(members_make_founder(&other, &mine.key, &mine.value,
        &v.people[1].crypto, SLICE_LIT("x"), 1));
    bill = admit(&v, 1, 2);
    ben = admit(&v, 2, 1);
    tell_all(&v, &v.founder);
    tell_all(&v, &bill);
    tell_all(&v, &ben);
    check_in(&v, 5, "0");
    /* And the certificate of a founder of another mesh is kept out. */
    CHECK_INT(set(v.people[5].view, &mine), SYNCLINE_EMALFORMED);
    (void)fold(v.people[5].view);
    check_in(&v, 5, "0");
    record_free(&mine);
    record_free(&bill);
    record_free(&ben);
    village_free(&v);
}

/* What the founder says of another mesh of his means nothing here. */
TEST(a_certificate_of_another_mesh)
{
    struct village v, other;
    struct record r;

    village_init(&v);
    village_init(&other);
    other.mesh.b[0] ^= 1;
    members_free(other.people[0].view);
    CHECK_OK(members_new(
        &other.people[0].view, &other.people[0].crypto, &other.mesh));
    r = admit(&other, 0, 1);
    tell_all(&v, &v.founder);
    CHECK_INT(set(v.people[5].view, &r), SYNCLINE_EMALFORMED);
    (void)fold(v.people[5].view);
    check_in(&v, 5, "0");
    record_free(&r);
    village_free(&other);
    village_free(&v);
}

/* Replaces the first `from` in the record's value. */
static void forge(struct record *r, const char *from, const char *to)
{
    uint8_t *at = memmem(r->value.ptr, r->value.len, from, strlen(from));

    CHECK(at != NULL && strlen(from) == strlen(to));
    memcpy(at, to, strlen(to));
}

TEST(forgeries)
{
    static const struct {
        const char *from, *to;
        int rc;
    } rows[] = {
        { "person 1", "person 2", SYNCLINE_OK }, /* the signature fails */
        { "\\\"gen\\\":1", "\\\"gen\\\":9", SYNCLINE_OK },
        { "\\\"gen\\\":1", "\\\"gen\\\":0", SYNCLINE_EMALFORMED },
        { "\\\"kind\\\":\\\"member", "\\\"kind\\\":\\\"nember",
            SYNCLINE_EMALFORMED },
        { "\\\"role\\\":\\\"admin", "\\\"role\\\":\\\"adnim",
            SYNCLINE_EMALFORMED },
        { "\\\"spki\\\":\\\"302a", "\\\"spki\\\":\\\"302b",
            SYNCLINE_EMALFORMED },
        { "\\\"at\\\":2000", "\\\"at\\\":02e3", SYNCLINE_EMALFORMED },
        { "\\\"by\\\":", "\\\"bv\\\":", SYNCLINE_EMALFORMED },
        { "[\"{", "{\"{", SYNCLINE_EMALFORMED },
        { "{\\\"at", " \\\"at", SYNCLINE_EMALFORMED },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct village v;
        struct record r;
        int rc;

        village_init(&v);
        tell_all(&v, &v.founder);
        r = admit(&v, 0, 1);
        forge(&r, rows[i].from, rows[i].to);
        rc = set(v.people[5].view, &r);
        CHECK_SAYING(rc == rows[i].rc, "row %zu: %d", i, rc);
        (void)fold(v.people[5].view);
        check_in(&v, 5, "0");
        record_free(&r);
        village_free(&v);
    }
}

/* Cut anywhere, or with any bit of its key's name changed, it is no record;
 * and it takes an older one out, on every node alike. */
TEST(damaged_records_are_kept_out)
{
    struct village v;
    struct record r;
    struct members *m;
    struct slice key, value;

    village_init(&v);
    m = v.people[5].view;
    tell_all(&v, &v.founder);
    r = admit(&v, 0, 1);
    key = buf_slice(&r.key);
    value = buf_slice(&r.value);
    for (size_t n = 0; n < value.len; n++) {
        struct errmsg why = { "" };

        CHECK_OK(set(m, &r));
        CHECK_INT(members_set(m, key, SLICE(value.ptr, n), &why),
            SYNCLINE_EMALFORMED);
        CHECK(why.text[0] != '\0');
    }
    (void)fold(m);
    check_in(&v, 5, "0");
    CHECK_INT(members_set(m, SLICE(key.ptr, key.len - 1), value, NULL),
        SYNCLINE_EMALFORMED);
    CHECK_INT(
        members_set(m, SLICE_LIT("policy/x"), value, NULL), SYNCLINE_EINVAL);
    r.key.ptr[r.key.len - 1] = r.key.ptr[r.key.len - 1] == '0' ? '1' : '0';
    CHECK_INT(set(m, &r), SYNCLINE_EMALFORMED);
    record_free(&r);
    village_free(&v);
}

TEST(a_record_that_is_gone_counts_no_more)
{
    struct village v;
    struct record r;
    struct members *m;

    village_init(&v);
    m = v.people[5].view;
    tell_all(&v, &v.founder);
    r = told(&v, admit(&v, 0, 1));
    CHECK_OK(members_set(m, buf_slice(&r.key), SLICE_NONE, NULL));
    check_in(&v, 5, "01"); /* until it is folded */
    CHECK_SLICE(members_get(m, id_of(&v, 1))->name, "person 1");
    CHECK(fold(m));
    check_in(&v, 5, "0");
    record_free(&r);
    village_free(&v);
}

/* Names with quotes and signs of other tongues go through unchanged. */
TEST(names_are_text)
{
    struct village v;
    struct record r = { 0 };
    struct buf long_name = { 0 };
    struct slice name = SLICE_LIT("k\xc3\xbc"
                                  "che \"\\\x01");
    struct slice spki;

    village_init(&v);
    spki = identity_spki(v.people[1].identity);
    tell_all(&v, &v.founder);
    CHECK_OK(
        members_make_member(v.people[0].view, &r.key, &r.value, spki, name, 1));
    tell_all(&v, &r);
    CHECK_BYTES(members_get(v.people[5].view, id_of(&v, 1))->name, name);
    for (int i = 0; i <= MEMBER_NAME_MAX; i++)
        buf_put_u8(&long_name, 'n');
    CHECK_INT(members_make_member(v.people[0].view, &r.key, &r.value, spki,
                  buf_slice(&long_name), 1),
        SYNCLINE_EINVAL);
    CHECK_INT(members_make_member(v.people[0].view, &r.key, &r.value, spki,
                  SLICE_LIT("\xff"), 1),
        SYNCLINE_EINVAL);
    CHECK_INT(members_make_removed(
                  v.people[0].view, &r.key, &r.value, id_of(&v, 4), 1),
        SYNCLINE_ENOTFOUND);
    buf_free(&long_name);
    record_free(&r);
    village_free(&v);
}

TEST(memory_that_runs_out_leaves_the_last_answer)
{
    struct village v;
    struct record r;
    struct members *m;
    bool changed = false;
    int rc = SYNCLINE_OK;

    village_init(&v);
    m = v.people[5].view;
    tell_all(&v, &v.founder);
    r = admit(&v, 0, 1);
    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = set(m, &r);
        if (rc == SYNCLINE_OK)
            rc = members_fold(m, &changed);
        if (!check_alloc_failed())
            break;
        check_alloc_fail_from(-1);
        if (rc != SYNCLINE_OK) {
            CHECK_INT(rc, SYNCLINE_ENOMEM);
            check_in(&v, 5, "0");
        }
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    CHECK(changed);
    check_in(&v, 5, "01");
    record_free(&r);
    village_free(&v);
}
