#include "repl/members.h"

#include "unit/village.h"

TEST(a_founder_admits_and_the_admitted_admit)
{
    struct village v;
    struct record r[2];
    const struct member *m;

    village_init(&v);
    tell_all(&v, &v.founder);
    check_in(&v, 3, "A-----");
    r[0] = told(&v, admit(&v, 0, 1));
    r[1] = told(&v, admit(&v, 1, 2));
    check_in(&v, 3, "AAA---");
    m = members_get(v.people[3].view, id_of(&v, 2));
    CHECK_SLICE(m->name, "person 2");
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
    check_any_order(&v, r, 2, "AAA---");
    records_free(r, 2);
    village_free(&v);
}

TEST(only_an_admins_word_counts)
{
    struct village v;
    struct record r[3], forged = { 0 };
    struct members_grant g = { .name = SLICE_LIT("x"), .role = ROLE_ADMIN };

    village_init(&v);
    tell_all(&v, &v.founder);
    r[0] = told(&v, say(&v, 0, 1, ROLE_MEMBER, NULL, 0));
    r[1] = told(&v, say(&v, 0, 2, ROLE_READER, NULL, 0));
    r[2] = told(&v, say(&v, 0, 3, ROLE_RELAY, NULL, 0));
    check_in(&v, 4, "Amrl--");
    g.spki = identity_spki(v.people[4].identity);
    for (int i = 1; i < 4; i++) {
        CHECK_INT(members_make_member(
                      v.people[i].view, &forged.key, &forged.value, &g, 1),
            SYNCLINE_EDENIED);
        CHECK_INT(members_make_removed(v.people[i].view, &forged.key,
                      &forged.value, id_of(&v, 0), SLICE_NONE, 1),
            SYNCLINE_EDENIED);
    }
    record_free(&forged);
    check_any_order(&v, r, 3, "Amrl--");
    records_free(r, 3);
    village_free(&v);
}

/* Whom somebody let in while he was an admin stays when he is none any more;
 * whom he lets in without having heard of that does not come in. */
TEST(what_was_signed_before_counts_and_what_beside_does_not)
{
    struct village v;
    struct record r[4];

    village_init(&v);
    tell_all(&v, &v.founder);
    r[0] = told(&v, admit(&v, 0, 1));
    r[1] = told(&v, say(&v, 1, 2, ROLE_MEMBER, NULL, 0));
    r[2] = expel(&v, 0, 1);
    r[3] = say(&v, 1, 3, ROLE_MEMBER, NULL, 0); /* neither knows of the other */
    tell_all(&v, &r[3]);
    check_in(&v, 4, "AAmm--");
    tell_all(&v, &r[2]);
    check_in(&v, 4, "A-m---");
    check_any_order(&v, r, 4, "A-m---");
    records_free(r, 4);
    village_free(&v);
}

TEST(a_demotion_ends_what_an_admin_may_and_a_new_grant_begins_it)
{
    struct village v;
    struct record r[5];

    village_init(&v);
    tell_all(&v, &v.founder);
    r[0] = told(&v, admit(&v, 0, 1));
    r[1] = told(&v, say(&v, 0, 1, ROLE_READER, NULL, 0));
    check_in(&v, 4, "Ar----");
    r[2] = told(&v, admit(&v, 0, 1));
    r[3] = told(&v, say(&v, 1, 2, ROLE_MEMBER, NULL, 0));
    check_in(&v, 4, "AAm---");
    r[4] = told(&v, expel(&v, 1, 0)); /* the founder, too */
    check_in(&v, 4, "-Am---");
    check_any_order(&v, r, 5, "-Am---");
    records_free(r, 5);
    village_free(&v);
}

/* Of two who remove each other at once the senior stays. */
TEST(two_remove_each_other)
{
    struct village v;
    struct record r[4];

    village_init(&v);
    tell_all(&v, &v.founder);
    r[0] = told(&v, admit(&v, 0, 1));
    r[1] = told(&v, admit(&v, 1, 2));
    r[2] = expel(&v, 2, 1);
    r[3] = expel(&v, 1, 2);
    tell_all(&v, &r[2]);
    check_in(&v, 4, "A-A---");
    tell_all(&v, &r[3]);
    check_in(&v, 4, "AA----");
    check_any_order(&v, r, 4, "AA----");
    records_free(r, 4);
    village_free(&v);
}

TEST(a_circle_of_three_is_cut_where_the_most_senior_is)
{
    struct village v;
    struct record r[6];

    village_init(&v);
    tell_all(&v, &v.founder);
    r[0] = told(&v, admit(&v, 0, 1));
    r[1] = told(&v, admit(&v, 1, 2));
    r[2] = told(&v, admit(&v, 2, 3));
    r[3] = expel(&v, 1, 2);
    r[4] = say(&v, 2, 3, ROLE_READER, NULL, 0);
    r[5] = expel(&v, 3, 1);
    for (int i = 3; i < 6; i++)
        tell_all(&v, &r[i]);
    /* 1 is senior: 2 goes; so its word about 3 is void, and 3's about 1
     * counts: it is no admin's whose right was taken. */
    check_in(&v, 4, "A--A--");
    check_any_order(&v, r, 6, "A--A--");
    records_free(r, 6);
    village_free(&v);
}

/* Who was removed cannot come in by somebody whom he lets in. */
TEST(a_removed_device_does_not_admit_itself)
{
    struct village v;
    struct record r[4];

    village_init(&v);
    tell_all(&v, &v.founder);
    r[0] = told(&v, admit(&v, 0, 1));
    r[1] = expel(&v, 0, 1);
    /* It goes on without having heard. */
    r[2] = admit(&v, 1, 2);
    for (int i = 1; i < 3; i++) {
        CHECK_OK(set(v.people[i].view, &r[2]));
        (void)fold(v.people[i].view);
    }
    r[3] = admit(&v, 2, 1);
    tell_all(&v, &r[1]);
    tell_all(&v, &r[2]);
    tell_all(&v, &r[3]);
    check_in(&v, 4, "A-----");
    check_any_order(&v, r, 4, "A-----");
    records_free(r, 4);
    village_free(&v);
}

/* Two admins say different things of a device at once. */
TEST(of_what_is_said_at_once_the_least_stands)
{
    static const struct space_token shed = { "shed............" };
    struct village v;
    struct record r[6];

    village_init(&v);
    tell_all(&v, &v.founder);
    r[0] = told(&v, admit(&v, 0, 1));
    r[1] = told(&v, say(&v, 0, 2, ROLE_MEMBER, NULL, 0));
    r[2] = say(&v, 0, 2, ROLE_MEMBER, &shed, 1);
    r[3] = say(&v, 1, 2, ROLE_READER, NULL, 0);
    tell_all(&v, &r[2]);
    tell_all(&v, &r[3]);
    check_in(&v, 4, "AAr---");
    CHECK(members_may_read(v.people[4].view, id_of(&v, 2), &shed));
    CHECK(!members_may_write(v.people[4].view, id_of(&v, 2), &shed));
    r[4] = say(&v, 0, 2, ROLE_MEMBER, NULL, 0);
    r[5] = expel(&v, 1, 2);
    tell_all(&v, &r[4]);
    tell_all(&v, &r[5]);
    check_in(&v, 4, "AA----");
    check_any_order(&v, r, 6, "AA----");
    records_free(r, 6);
    village_free(&v);
}

TEST(spaces_are_granted_by_their_tokens)
{
    static const struct space_token shed = { "shed............" },
                                    attic = { "attic..........." };
    struct village v;
    struct record r;
    struct members *m;

    village_init(&v);
    tell_all(&v, &v.founder);
    r = told(&v, say(&v, 0, 1, ROLE_MEMBER, &shed, 1));
    m = v.people[4].view;
    CHECK(members_may_write(m, id_of(&v, 1), &shed));
    CHECK(!members_may_write(m, id_of(&v, 1), &attic));
    CHECK(!members_may_read(m, id_of(&v, 1), &attic));
    CHECK(members_may_read(m, id_of(&v, 0), &attic));
    CHECK(!members_may_read(m, id_of(&v, 2), &attic));
    record_free(&r);
    village_free(&v);
}

static struct rid replica_of(const struct village *v, int who, uint8_t no)
{
    struct rid r = { { 0 } };

    memcpy(r.b, id_of(v, who)->b, RID_DEVICE_LEN);
    r.b[15] = no;
    return r;
}

TEST(a_cut_says_what_counts_still)
{
    static const struct space_token attic = { "attic..........." },
                                    shed = { "shed............" };
    struct village v;
    struct record r1, r2 = { 0 };
    struct members_cut cut = { .any = false };
    struct rid a, b;
    struct members *m;
    bool known;

    village_init(&v);
    tell_all(&v, &v.founder);
    r1 = told(&v, admit(&v, 0, 1));
    a = replica_of(&v, 1, 1);
    b = replica_of(&v, 1, 2);
    m = v.people[4].view;
    CHECK_UINT(members_bound(m, &a, &shed, &known), UINT64_MAX);
    members_cut_add(&cut, &attic, &(struct dot){ a, 3 });
    members_cut_add(&cut, &shed, &(struct dot){ a, 7 });
    members_cut_add(&cut, &shed, &(struct dot){ b, 1 });
    CHECK_OK(members_make_removed(v.people[0].view, &r2.key, &r2.value,
        id_of(&v, 1), members_cut_end(&cut), 1));
    tell_all(&v, &r2);
    check_in(&v, 4, "A-----");
    CHECK_UINT(members_bound(m, &a, &attic, &known), 3);
    CHECK_UINT(members_bound(m, &a, &shed, &known), 7);
    CHECK_UINT(members_bound(m, &b, &shed, &known), 1);
    CHECK_UINT(members_bound(m, &b, &attic, &known), 0);
    CHECK(known);
    b = replica_of(&v, 3, 1);
    CHECK_UINT(members_bound(m, &b, &attic, &known), 0);
    CHECK(!known);
    buf_free(&cut.text);
    record_free(&r1);
    record_free(&r2);
    village_free(&v);
}

TEST(no_record_is_made_that_nobody_takes)
{
    const struct space_token attic = { "attic..........." };
    struct village v;
    struct record r1, r2 = { 0 };
    struct members_cut cut = { .any = false };

    village_init(&v);
    tell_all(&v, &v.founder);
    r1 = told(&v, admit(&v, 0, 1));
    for (unsigned i = 0; i < 30000; i++) {
        const struct rid a = replica_of(&v, 1, 1);

        members_cut_add(&cut, &attic, &(struct dot){ a, i + 1 });
    }
    CHECK_INT(members_make_removed(v.people[0].view, &r2.key, &r2.value,
                  id_of(&v, 1), members_cut_end(&cut), 1),
        SYNCLINE_ELIMIT);
    buf_free(&cut.text);
    record_free(&r1);
    record_free(&r2);
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

/* What a device signs that nobody ever made an admin costs no signature, and
 * is not passed on to who joins. */
TEST(records_that_never_count_cost_next_to_nothing)
{
    struct village v;
    struct record member, secret, junk;
    struct members *m;

    village_init(&v);
    m = v.people[5].view;
    tell_all(&v, &v.founder);
    member = told(&v, say(&v, 0, 3, ROLE_MEMBER, NULL, 0));
    secret = admit(&v, 0, 3); /* so that 3 has something to go on */
    CHECK_OK(set(v.people[3].view, &secret));
    CHECK(fold(v.people[3].view));
    verified = 0;
    for (int i = 0; i < 4; i++) {
        junk = admit(&v, 3, i);
        CHECK_OK(set(m, &junk));
        CHECK(!fold(m));
        CHECK(!members_weighs(m, buf_slice(&junk.key)));
        record_free(&junk);
    }
    CHECK_UINT(verified, 0);
    check_in(&v, 5, "A--m--");
    CHECK(members_weighs(m, buf_slice(&v.founder.key)));
    CHECK(members_weighs(m, buf_slice(&member.key)));
    /* It was only that nobody knew. */
    CHECK_OK(set(m, &secret));
    CHECK(fold(m));
    check_in(&v, 5, "AAAA--");
    record_free(&member);
    record_free(&secret);
    village_free(&v);
}

/* Puts another digit in the place of one, somewhere in the record. */
TEST(no_changed_record_counts)
{
    struct village v;
    struct record r;

    village_init(&v);
    tell_all(&v, &v.founder);
    r = admit(&v, 0, 1);
    for (size_t i = 0; i < r.value.len; i++) {
        uint8_t was = r.value.ptr[i];

        r.value.ptr[i] = was == '1' ? '2' : '1';
        (void)set(v.people[5].view, &r);
        (void)fold(v.people[5].view);
        CHECK_SAYING(was == r.value.ptr[i] || members_n(v.people[5].view) == 1,
            "byte %zu", i);
        r.value.ptr[i] = was;
    }
    CHECK_OK(set(v.people[5].view, &r));
    (void)fold(v.people[5].view);
    check_in(&v, 5, "AA----");
    record_free(&r);
    village_free(&v);
}

TEST(names_and_keys_that_do_not_fit_are_refused)
{
    struct village v;
    struct record r = { 0 };
    struct buf name = { 0 };
    struct members_grant g = { .role = ROLE_ADMIN };
    static const struct space_token shed = { "shed............" };

    village_init(&v);
    tell_all(&v, &v.founder);
    for (int i = 0; i <= MEMBER_NAME_MAX; i++)
        buf_put_u8(&name, 'x');
    g.spki = identity_spki(v.people[1].identity);
    g.name = buf_slice(&name);
    CHECK_INT(members_make_member(v.people[0].view, &r.key, &r.value, &g, 1),
        SYNCLINE_EINVAL);
    g.name = SLICE_LIT("\xff");
    CHECK_INT(members_make_member(v.people[0].view, &r.key, &r.value, &g, 1),
        SYNCLINE_EINVAL);
    g.name = SLICE_LIT("x");
    g.spki = SLICE_LIT("short");
    CHECK_INT(members_make_member(v.people[0].view, &r.key, &r.value, &g, 1),
        SYNCLINE_EINVAL);
    g.spki = identity_spki(v.people[1].identity);
    g.some_spaces = true;
    g.spaces = &shed;
    g.spaces_n = 1;
    CHECK_INT(members_make_member(v.people[0].view, &r.key, &r.value, &g, 1),
        SYNCLINE_EINVAL);
    CHECK_INT(members_make_removed(v.people[0].view, &r.key, &r.value,
                  id_of(&v, 1), SLICE_NONE, 1),
        SYNCLINE_ENOTFOUND);
    CHECK_INT(members_set(v.people[0].view, SLICE_LIT("policy/x"),
                  SLICE_LIT("[]"), NULL),
        SYNCLINE_EINVAL);
    CHECK_INT(members_set(v.people[0].view, SLICE_LIT("cert/12"),
                  SLICE_LIT("[]"), NULL),
        SYNCLINE_EMALFORMED);
    buf_free(&name);
    record_free(&r);
    village_free(&v);
}

/* By whoever may write in the space: the same words, signed by nobody. */
TEST(no_other_signature_is_taken_under_a_certificate)
{
    struct village v;
    struct record r, forged = { 0 };
    struct members *m;

    village_init(&v);
    tell_all(&v, &v.founder);
    r = told(&v, admit(&v, 0, 1));
    m = v.people[3].view;
    buf_put_slice(&forged.value, buf_slice(&r.value));
    CHECK_OK(members_check(m, buf_slice(&r.key), buf_slice(&forged.value)));
    memset(forged.value.ptr + forged.value.len - 2 - 2 * ED25519_SIG_LEN, '0',
        (size_t)2 * ED25519_SIG_LEN);
    CHECK_INT(members_check(m, buf_slice(&r.key), buf_slice(&forged.value)),
        SYNCLINE_EMALFORMED);
    check_in(&v, 3, "AA----");
    record_free(&forged);
    record_free(&r);
    village_free(&v);
}

TEST(memory_that_runs_out_changes_nothing)
{
    struct village v;
    struct record r;
    struct members *m;
    bool changed;

    village_init(&v);
    tell_all(&v, &v.founder);
    r = admit(&v, 0, 1);
    m = v.people[5].view;
    for (long n = 0; n < 200; n++) {
        int rc;

        check_alloc_fail_from(n);
        rc = set(m, &r);
        if (rc == SYNCLINE_OK)
            rc = members_fold(m, &changed);
        check_alloc_fail_from(-1);
        if (rc == SYNCLINE_OK)
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        check_in(&v, 5, "A-----");
    }
    check_in(&v, 5, "AA----");
    record_free(&r);
    village_free(&v);
}

/* Byte by byte as doc/protocol.md has it. */
TEST(a_founders_record_is_these_bytes)
{
    struct village v;
    struct buf want = { 0 };

    village_init(&v);
    buf_put_str(&want, "[\"{\\\"after\\\":[],\\\"at\\\":1000,\\\"by\\\":\\\"");
    put_hex(&want, device_slice(id_of(&v, 0)));
    buf_put_str(&want, "\\\",\\\"device\\\":\\\"");
    put_hex(&want, device_slice(id_of(&v, 0)));
    buf_put_str(&want, "\\\",\\\"kind\\\":\\\"member\\\",\\\"mesh\\\":\\\"");
    put_hex(&want, SLICE(v.mesh.b, MESH_ID_LEN));
    buf_put_str(&want, "\\\",\\\"name\\\":\\\"first\\\",\\\"nonce\\\":\\\"");
    CHECK(slice_has_prefix(buf_slice(&v.founder.value), buf_slice(&want)));
    CHECK(slice_has_prefix(buf_slice(&v.founder.key), SLICE_LIT("cert/")));
    buf_free(&want);
    village_free(&v);
}
