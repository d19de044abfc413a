/* Keys that admins make, and records of format 2. */
#include "repl/members.h"

#include "unit/village.h"

static int rotate(struct village *v, int by, struct keyring *ring,
    uint64_t epoch, struct record *r)
{
    struct members *m = v->people[by].view;
    struct members_wraps wraps = { { 0 } };
    uint8_t key[KEY_LEN] = { (uint8_t)epoch, (uint8_t)by };
    struct key_id id;
    int rc;

    CHECK_OK(keyring_put(ring, &v->people[by].crypto, epoch, key));
    CHECK_OK(keyring_id_of(&id, &v->people[by].crypto, key));
    for (size_t i = 0; i < members_n(m); i++)
        CHECK_OK(members_wraps_add(
            &wraps, m, members_at(m, i), keyring_find(ring, epoch, &id)));
    rc = members_make_key(m, &r->key, &r->value, true,
        keyring_find(ring, epoch, &id), &wraps, 5000);
    buf_free(&wraps.text);
    return rc;
}

static struct record tell_kx(struct village *v, int who)
{
    struct record r = { 0 };

    CHECK_OK(members_make_kx(v->people[who].view, &r.key, &r.value));
    tell_all(v, &r);
    return r;
}

TEST(a_new_key_is_wrapped_for_each_and_spoiled_by_a_removal)
{
    struct village v;
    struct keyring ring = { 0 }, got = { 0 };
    struct record r[8] = { { { 0 }, { 0 } } };
    struct members_wrap w;
    struct members *m;
    struct key_id id;
    uint64_t epoch = 0;

    village_init(&v);
    tell_all(&v, &v.founder);
    r[0] = told(&v, admit(&v, 0, 1));
    r[1] = told(&v, say(&v, 0, 2, ROLE_MEMBER, NULL, 0));
    for (int i = 0; i < 3; i++)
        r[2 + i] = tell_kx(&v, i);
    CHECK_OK(rotate(&v, 0, &ring, 1, &r[5]));
    tell_all(&v, &r[5]);
    m = v.people[2].view;
    CHECK(members_key_at(m, 0, &epoch, &id));
    CHECK_UINT(epoch, 1);
    CHECK(!members_key_at(m, 1, &epoch, &id));
    CHECK(!members_key_spoiled(m, 1, &id));
    CHECK(members_key_given(m, members_get(m, id_of(&v, 2)), 1, &id));
    CHECK(members_wrap_at(m, id_of(&v, 2), 0, &w));
    CHECK(!members_wrap_at(m, id_of(&v, 2), 1, &w));
    CHECK_OK(keyring_unwrap(&got, &v.people[2].crypto, &w.wrap,
        members_kx(m, &w.wrap.from), w.sealed));
    CHECK(keyring_current(&got) != NULL && keyring_current(&got)->whole);
    /* An epoch is not left out. */
    CHECK_OK(rotate(&v, 1, &ring, 3, &r[6]));
    tell_all(&v, &r[6]);
    CHECK(!members_key_at(m, 1, &epoch, &id));
    r[7] = told(&v, expel(&v, 0, 2));
    CHECK(members_key_spoiled(v.people[0].view, 1, &id));
    CHECK(members_key_spoiled(v.people[0].view, 0, &id));
    keyring_free(&ring);
    keyring_free(&got);
    records_free(r, 8);
    village_free(&v);
}

/* Whoever was given it can open what is under it. */
TEST(a_key_that_does_not_count_is_told_apart)
{
    struct village v;
    struct keyring ring = { 0 }, got = { 0 };
    struct record r[7] = { { { 0 }, { 0 } } };
    struct members_wrap w;
    struct members *m;
    struct key_id id;
    uint64_t epoch = 0;

    village_init(&v);
    tell_all(&v, &v.founder);
    r[0] = told(&v, admit(&v, 0, 1));
    r[1] = told(&v, say(&v, 0, 2, ROLE_MEMBER, NULL, 0));
    for (int i = 0; i < 3; i++)
        r[2 + i] = tell_kx(&v, i);
    CHECK_OK(rotate(&v, 1, &ring, 1, &r[5])); /* of which 0 has not heard */
    r[6] = told(&v, expel(&v, 0, 1));
    m = v.people[2].view;
    CHECK(!members_voided_key_at(m, 0, &epoch, &id));
    CHECK(!members_voided_wrap_at(m, id_of(&v, 2), 0, &w));
    CHECK_OK(set(m, &r[5]));
    CHECK(fold(m));
    CHECK(!members_key_at(m, 0, &epoch, &id));
    CHECK(!members_wrap_at(m, id_of(&v, 2), 0, &w));
    CHECK(members_voided_key_at(m, 0, &epoch, &id));
    CHECK_UINT(epoch, 1);
    CHECK(!members_voided_key_at(m, 1, &epoch, &id));
    CHECK(members_voided_wrap_at(m, id_of(&v, 2), 0, &w));
    CHECK_OK(keyring_unwrap(&got, &v.people[2].crypto, &w.wrap,
        members_kx(m, &w.wrap.from), w.sealed));
    CHECK(keyring_find(&got, 1, &id) != NULL && got.e[0].whole);
    CHECK(!members_voided_wrap_at(m, id_of(&v, 2), 1, &w));
    keyring_free(&ring);
    keyring_free(&got);
    records_free(r, 7);
    village_free(&v);
}

static void check_taken(struct village *v, const struct record *r, int rc)
{
    CHECK_INT(members_check(
                  v->people[3].view, buf_slice(&r->key), buf_slice(&r->value)),
        rc);
}

TEST(somebody_elses_word_about_a_key_does_not_count)
{
    struct village v;
    struct record mine = { 0 }, r;

    village_init(&v);
    tell_all(&v, &v.founder);
    r = told(&v, admit(&v, 0, 1));
    CHECK_OK(members_make_kx(v.people[1].view, &mine.key, &mine.value));
    check_taken(&v, &mine, SYNCLINE_OK);
    mine.value.ptr[mine.value.len - 5] ^= 1; /* of the signature */
    check_taken(&v, &mine, SYNCLINE_EMALFORMED);
    (void)set(v.people[3].view, &mine);
    (void)fold(v.people[3].view);
    CHECK(members_kx(v.people[3].view, id_of(&v, 1)) == NULL);
    record_free(&mine);
    record_free(&r);
    village_free(&v);
}

/* Meshes of format 2: their records count as they did. */
static struct record old_record(
    struct village *v, int by, int who, unsigned gen, bool removed)
{
    struct record r = { 0 };
    struct buf text = { 0 };
    uint8_t sig[ED25519_SIG_LEN];

    buf_put_str(&r.key, removed ? REMOVED_PREFIX : MEMBER_PREFIX);
    put_hex(&r.key, device_slice(id_of(v, who)));
    buf_put_str(&text, "syncline membership v1\n{\"at\":9,\"by\":\"");
    put_hex(&text, device_slice(id_of(v, by)));
    buf_put_str(&text, "\",\"device\":\"");
    put_hex(&text, device_slice(id_of(v, who)));
    buf_printf(&text, "\",\"gen\":%u,\"kind\":\"%s\",\"mesh\":\"", gen,
        removed ? "removed" : "member");
    put_hex(&text, SLICE(v->mesh.b, MESH_ID_LEN));
    if (!removed) {
        buf_put_str(
            &text, "\",\"name\":\"old\",\"role\":\"admin\",\"spki\":\"");
        put_hex(&text, identity_spki(v->people[who].identity));
    }
    buf_put_str(&text, "\"}");
    CHECK_OK(identity_sign(v->people[by].identity, sig, buf_slice(&text)));
    buf_put_u8(&r.value, '[');
    json_print_string(&r.value,
        slice_from(buf_slice(&text), sizeof "syncline membership v1\n" - 1),
        false);
    buf_put_str(&r.value, ",\"");
    put_hex(&r.value, SLICE(sig, sizeof sig));
    buf_put_str(&r.value, "\"]");
    CHECK_OK(buf_status(&r.value));
    buf_free(&text);
    return r;
}

TEST(records_of_format_2_count_as_they_did)
{
    struct village v;
    struct record r[6];

    village_init(&v);
    tell_all(&v, &v.founder);
    r[0] = told(&v, old_record(&v, 0, 1, 1, false));
    r[1] = told(&v, old_record(&v, 1, 2, 1, false));
    check_in(&v, 4, "AAA---");
    r[2] = told(&v, old_record(&v, 0, 1, 1, true));
    check_in(&v, 4, "A-A---");
    r[3] = told(&v, old_record(&v, 4, 3, 1, false)); /* 4 is none */
    check_in(&v, 4, "A-A---");
    r[4] = told(&v, admit(&v, 2, 1)); /* as it is done today */
    check_in(&v, 4, "AAA---");
    r[5] = told(&v, say(&v, 1, 2, ROLE_READER, NULL, 0));
    check_in(&v, 4, "AAr---");
    check_any_order(&v, r, 6, "AAr---");
    records_free(r, 6);
    village_free(&v);
}

/* Their keys are no hashes: what is put there must be signed. */
TEST(no_record_of_format_2_is_replaced_by_one_that_is_not_signed)
{
    struct village v;
    struct record r[3];

    village_init(&v);
    tell_all(&v, &v.founder);
    r[0] = told(&v, old_record(&v, 0, 1, 1, false));
    r[1] = told(&v, old_record(&v, 0, 1, 1, true));
    check_taken(&v, &r[0], SYNCLINE_OK);
    check_taken(&v, &r[1], SYNCLINE_OK);
    r[1].value.ptr[r[1].value.len - 5] ^= 1; /* of the signature */
    check_taken(&v, &r[1], SYNCLINE_EMALFORMED);
    r[2] = old_record(&v, 4, 2, 1, false); /* of 4 nobody has said anything */
    check_taken(&v, &r[2], SYNCLINE_EMALFORMED);
    check_in(&v, 4, "A-----");
    records_free(r, 3);
    village_free(&v);
}
