/* members_fuzz.c - membership records, one after the other: made by one of
 * four devices, or pieces that such a device has signed, or bytes as they are.
 *
 * Holds the law: who is a member depends on the records alone, not on the
 * order in which they come, nor on when they are folded; and whoever has no
 * certificate is none. */
#include "base/text.h"
#include "fuzz/fuzz.h"
#include "core/json.h"
#include "repl/members_impl.h"

#define PEOPLE 4
#define RECORDS_MAX 12

struct told {
    struct buf key, value;
};

struct village {
    struct identity *id[PEOPLE];
    struct crypto_port crypto[PEOPLE];
    struct crypto_self self[PEOPLE];
    struct mesh_id mesh;
    struct told founder;
};

static const struct village *village(void)
{
    static struct village v;

    if (v.id[0] != NULL)
        return &v;
    for (uint8_t i = 0; i < PEOPLE; i++) {
        const uint8_t seed[IDENTITY_SEED_LEN] = { i, 3 };

        ENSURE(identity_from_seed(&v.id[i], seed) == SYNCLINE_OK);
        crypto_port_seeded(&v.crypto[i], &v.self[i], v.id[i], i);
    }
    ENSURE(members_make_founder(&v.mesh, &v.founder.key, &v.founder.value,
               &v.crypto[0], SLICE_LIT("first"), 1000) == SYNCLINE_OK);
    return &v;
}

/* A table that has heard of the founder alone. */
static struct members *table_of(const struct village *v, unsigned who)
{
    struct members *m;
    bool changed;

    ENSURE(members_new(&m, &v->crypto[who], &v->mesh) == SYNCLINE_OK);
    ENSURE(members_set(m, buf_slice(&v->founder.key),
               buf_slice(&v->founder.value), NULL) == SYNCLINE_OK);
    ENSURE(members_fold(m, &changed) == SYNCLINE_OK && changed);
    return m;
}

static void put_key(struct buf *b, bool removed, const struct device_id *id)
{
    buf_put_str(b, removed ? REMOVED_PREFIX : MEMBER_PREFIX);
    put_hex(b, device_slice(id));
}

/* A payload with a few fields of the input's, signed as it stands. */
static void put_payload(const struct village *v, struct pieces *p, bool removed,
    unsigned who, unsigned by, struct buf *b)
{
    struct slice name = take_piece(p);

    buf_printf(
        b, "{\"at\":%llu,\"by\":\"", (unsigned long long)(take_number(p) >> 1));
    put_hex(b, device_slice(identity_device(v->id[by])));
    buf_put_str(b, "\",\"device\":\"");
    put_hex(b, device_slice(identity_device(v->id[who])));
    buf_printf(b, "\",\"gen\":%llu,\"kind\":\"%s\",\"mesh\":\"",
        (unsigned long long)(take_number(p) >> 1),
        removed ? "removed" : "member");
    put_hex(b, SLICE(v->mesh.b, MESH_ID_LEN));
    buf_put_u8(b, '"');
    if (!removed) {
        buf_put_str(b, ",\"name\":");
        json_print_string(b, name, false);
        buf_put_str(b, ",\"role\":\"admin\",\"spki\":\"");
        put_hex(b, identity_spki(v->id[who]));
        buf_put_u8(b, '"');
    }
    buf_put_u8(b, '}');
}

static void put_signed(
    const struct village *v, unsigned by, struct slice payload, struct buf *out)
{
    const struct crypto_port *crypto = &v->crypto[by];
    uint8_t sig[ED25519_SIG_LEN];
    struct buf b = { 0 };

    buf_put_str(&b, MEMBERS_SIGNED_PREFIX);
    buf_put_slice(&b, payload);
    ENSURE(crypto->sign(crypto->self, sig, written(&b)) == SYNCLINE_OK);
    buf_free(&b);
    json_print_string(out, payload, false);
    buf_put_str(out, ",\"");
    put_hex(out, SLICE(sig, sizeof sig));
    buf_put_u8(out, '"');
}

/* One or two certificates; their payloads made or given. */
static void make_signed(
    const struct village *v, struct pieces *p, struct told *out)
{
    uint8_t how = take_u8(p);
    bool removed = (how & 1) != 0;
    unsigned who = take_below(p, PEOPLE);

    put_key(&out->key, removed, identity_device(v->id[who]));
    buf_put_u8(&out->value, '[');
    for (int i = 0; i < 1 + ((how & 2) != 0); i++) {
        unsigned by = take_below(p, PEOPLE);
        struct buf payload = { 0 };

        if (i > 0)
            buf_put_u8(&out->value, ',');
        if ((how & 4) != 0)
            buf_put_slice(&payload, take_piece(p));
        else
            put_payload(v, p, removed, who, by, &payload);
        put_signed(v, by, buf_slice(&payload), &out->value);
        buf_free(&payload);
    }
    buf_put_u8(&out->value, ']');
}

/* As the node itself makes them. */
static void make_proper(const struct village *v, struct members *view,
    struct pieces *p, struct told *out)
{
    unsigned who = take_below(p, PEOPLE);
    const struct device_id *id = identity_device(v->id[who]);
    static const struct space_token shed = { "shed............" };
    struct members_grant g = { .spki = identity_spki(v->id[who]),
        .name = SLICE_LIT("somebody"),
        .role = (enum member_role)take_below(p, ROLE_ADMIN + 1),
        .spaces = &shed };
    int rc;

    g.some_spaces = take_below(p, 4) == 0;
    g.spaces_n = g.some_spaces;
    if (g.role == ROLE_NONE)
        rc = members_make_removed(
            view, &out->key, &out->value, id, SLICE_NONE, 7);
    else
        rc = members_make_member(view, &out->key, &out->value, &g, 7);
    ENSURE(rc == SYNCLINE_OK || rc == SYNCLINE_EINVAL ||
        rc == SYNCLINE_EDENIED || rc == SYNCLINE_ENOTFOUND);
    if (rc != SYNCLINE_OK) {
        buf_clear(&out->key);
        put_key(&out->key, true, id);
    }
}

static void make(const struct village *v, struct members *view,
    struct pieces *p, struct told *out)
{
    switch (take_below(p, 4)) {
    case 0:
        make_signed(v, p, out);
        break;
    case 1:
        buf_put_slice(&out->key, take_piece(p));
        buf_put_slice(&out->value, take_piece(p));
        break;
    case 2: /* the last one is taken back */
        put_key(&out->key, take_below(p, 2) == 1,
            identity_device(v->id[take_below(p, PEOPLE)]));
        break;
    default:
        make_proper(v, view, p, out);
    }
}

static void hear(struct members *m, const struct told *t, bool fold)
{
    struct errmsg why = { "" };
    bool changed;
    int rc = members_set(m, buf_slice(&t->key),
        t->value.len > 0 ? buf_slice(&t->value) : SLICE_NONE, &why);

    ENSURE(rc == SYNCLINE_OK || rc == SYNCLINE_EINVAL ||
        rc == SYNCLINE_EMALFORMED);
    ENSURE(rc == SYNCLINE_OK || why.text[0] != 0);
    if (fold)
        ENSURE(members_fold(m, &changed) == SYNCLINE_OK);
}

static void check_same(const struct members *a, const struct members *b)
{
    ENSURE(members_n(a) == members_n(b));
    for (size_t i = 0; i < members_n(a); i++) {
        const struct member *x = members_at(a, i), *y = members_at(b, i);

        ENSURE(device_eq(&x->device, &y->device) && x->role == y->role);
        ENSURE(x->some_spaces == y->some_spaces && x->spaces_n == y->spaces_n);
        ENSURE(device_eq(&x->by, &y->by) && x->at == y->at);
        ENSURE(slice_eq(x->name, y->name) && slice_eq(x->spki, y->spki));
        ENSURE(members_has(a, &x->device) && x->role != ROLE_NONE);
    }
}

/* Only the last word under each key counts: those, from the last to the
 * first, to somebody who folds once. */
static void check_order(const struct village *v, const struct told *told,
    size_t n, const struct members *heard)
{
    struct members *m = table_of(v, 3);
    bool changed;

    for (size_t i = n; i-- > 0;) {
        bool last = true;

        for (size_t k = i + 1; k < n; k++)
            last = last &&
                !slice_eq(buf_slice(&told[i].key), buf_slice(&told[k].key));
        if (last)
            hear(m, &told[i], false);
    }
    ENSURE(members_fold(m, &changed) == SYNCLINE_OK);
    check_same(heard, m);
    members_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct village *v = village();
    struct pieces p = pieces_of(data, size);
    struct told told[RECORDS_MAX] = { 0 };
    struct members *views[PEOPLE];
    size_t n = 0;

    for (unsigned i = 0; i < PEOPLE; i++)
        views[i] = table_of(v, i);
    for (; n < RECORDS_MAX && take_more(&p); n++) {
        make(v, views[take_below(&p, PEOPLE)], &p, &told[n]);
        for (int i = 0; i < PEOPLE; i++)
            hear(views[i], &told[n], true);
    }
    check_same(views[0], views[1]);
    check_order(v, told, n, views[0]);
    for (int i = 0; i < PEOPLE; i++)
        members_free(views[i]);
    for (size_t i = 0; i < n; i++) {
        buf_free(&told[i].key);
        buf_free(&told[i].value);
    }
    return 0;
}
