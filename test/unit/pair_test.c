#include "repl/pair.h"

#include "unit/check.h"

#include "repl/beacon.h"

#define MIN_US (60 * (uint64_t)1000000)

/* An inviter (0), a joiner (1) and a stranger (2) on a connection that the
 * first two share. */
struct scene {
    struct identity *id[3];
    struct crypto_port crypto[3];
    struct crypto_self self[3];
    uint8_t exporter[PAIR_EXPORTER_LEN];
    struct pair_link link;
    struct invites *invites;
    struct pair_code code;
    struct buf join, answer;
    struct pair_join joined;
    struct pair_welcome got;
    struct errmsg why;
};

static void new_code(struct scene *s, uint64_t now_us)
{
    struct netaddr addr = { .family = 4, .addr = { 10, 0, 0, 1 }, .port = 7 };
    struct buf text = { 0 };

    CHECK_OK(invite_open(s->invites, now_us, 0, &addr, 1, &text));
    CHECK_OK(code_decode(&s->code, buf_slice(&text), &s->why));
    CHECK(s->code.addrs_n == 1 && netaddr_eq(&s->code.addrs[0], &addr));
    buf_free(&text);
}

static void scene_init(struct scene *s)
{
    *s = (struct scene){ 0 };
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t seed[IDENTITY_SEED_LEN] = { i, 2 };

        CHECK_OK(identity_from_seed(&s->id[i], seed));
        crypto_port_seeded(&s->crypto[i], &s->self[i], s->id[i], i);
    }
    memset(s->exporter, 0x5a, sizeof s->exporter);
    s->link = (struct pair_link){ .joiner_spki = identity_spki(s->id[1]),
        .inviter_spki = identity_spki(s->id[0]),
        .exporter = s->exporter };
    CHECK_OK(invites_new(&s->invites, &s->crypto[0]));
    new_code(s, 0);
}

static void scene_free(struct scene *s)
{
    invites_free(s->invites);
    for (int i = 0; i < 3; i++)
        identity_free(s->id[i]);
    buf_free(&s->join);
    buf_free(&s->answer);
}

static void make_join(struct scene *s)
{
    buf_clear(&s->join);
    CHECK_OK(pair_put_join(&s->crypto[1], &s->code, &s->link,
        SLICE_LIT("kitchen"), 4748, &s->join, &s->why));
}

/* What the inviter makes of the JOIN that lies there. */
static enum pair_refusal try_join(
    struct scene *s, const struct pair_link *link, uint64_t now_us)
{
    enum pair_refusal refusal = PAIR_ACCEPTED;
    int rc = pair_on_join(
        s->invites, link, now_us, buf_slice(&s->join), &s->joined, &refusal);

    CHECK_INT(rc, refusal == PAIR_ACCEPTED ? SYNCLINE_OK : SYNCLINE_EDENIED);
    return refusal;
}

static void make_welcome(struct scene *s)
{
    struct pair_welcome w = { .name = SLICE_LIT("hall"), .records_n = 2 };
    struct buf records = { 0 };

    memset(w.mesh.b, 1, sizeof w.mesh.b);
    memset(w.secret, 2, sizeof w.secret);
    put_pair_record(&records, SLICE_LIT("member/a"), SLICE_LIT("[1]"));
    put_pair_record(&records, SLICE_LIT("member/b"), SLICE_LIT("[2]"));
    w.records = buf_slice(&records);
    buf_clear(&s->answer);
    CHECK_OK(pair_put_welcome(
        s->invites, s->joined.invite, &s->link, &w, &s->answer));
    buf_free(&records);
}

static int on_answer(struct scene *s, struct slice bytes)
{
    s->why.text[0] = '\0';
    return pair_on_answer(
        &s->crypto[1], &s->code, &s->link, bytes, &s->got, &s->why);
}

TEST(a_code_lets_a_machine_in)
{
    struct scene s;
    struct reader r;
    struct slice key, value;

    scene_init(&s);
    make_join(&s);
    CHECK_INT(try_join(&s, &s.link, MIN_US), PAIR_ACCEPTED);
    CHECK_SLICE(s.joined.name, "kitchen");
    CHECK_UINT(s.joined.port, 4748);
    CHECK(device_eq(&s.joined.device, identity_device(s.id[1])));
    make_welcome(&s);
    CHECK_OK(on_answer(&s, buf_slice(&s.answer)));
    CHECK_SLICE(s.got.name, "hall");
    CHECK_UINT(s.got.mesh.b[15], 1);
    CHECK_UINT(s.got.secret[31], 2);
    CHECK_UINT(s.got.records_n, 2);
    r = reader_of(s.got.records);
    get_pair_record(&r, &key, &value);
    CHECK_SLICE(key, "member/a");
    CHECK_SLICE(value, "[1]");
    get_pair_record(&r, &key, &value);
    CHECK_SLICE(key, "member/b");
    CHECK_OK(reader_end(&r));
    scene_free(&s);
}

/* The proof is over both keys, in their roles, and over the connection. */
TEST(a_proof_is_of_no_use_elsewhere)
{
    struct scene s;
    struct pair_link other;
    uint8_t exporter[PAIR_EXPORTER_LEN] = { 0 };

    for (int row = 0; row < 4; row++) {
        scene_init(&s);
        make_join(&s);
        other = s.link;
        if (row == 0)
            other.exporter = exporter;
        if (row == 1)
            other.joiner_spki = identity_spki(s.id[2]);
        if (row == 2)
            other.inviter_spki = identity_spki(s.id[2]);
        if (row == 3) {
            other.joiner_spki = s.link.inviter_spki;
            other.inviter_spki = s.link.joiner_spki;
        }
        CHECK_SAYING(try_join(&s, &other, 1) == PAIR_WRONG_CODE,
            "row %d was let in", row);
        CHECK_INT(try_join(&s, &s.link, 1), PAIR_ACCEPTED);
        make_welcome(&s);
        s.link = other;
        CHECK(on_answer(&s, buf_slice(&s.answer)) == SYNCLINE_EDENIED);
        scene_free(&s);
    }
}

TEST(three_wrong_tries_spoil_every_open_code)
{
    struct scene s;
    struct pair_code good;

    scene_init(&s);
    good = s.code;
    new_code(&s, 0);
    s.code.secret[0] ^= 1;
    make_join(&s);
    CHECK_INT(try_join(&s, &s.link, 1), PAIR_WRONG_CODE);
    CHECK_INT(try_join(&s, &s.link, 2), PAIR_WRONG_CODE);
    CHECK_INT(try_join(&s, &s.link, 3), PAIR_SPOILED);
    s.code = good;
    make_join(&s);
    CHECK_INT(try_join(&s, &s.link, 4), PAIR_SPOILED);
    new_code(&s, 5);
    make_join(&s);
    CHECK_INT(try_join(&s, &s.link, 6), PAIR_ACCEPTED);
    scene_free(&s);
}

TEST(a_code_expires)
{
    struct scene s;

    scene_init(&s);
    make_join(&s);
    CHECK(invites_expect(s.invites, 10 * MIN_US - 1));
    CHECK_INT(try_join(&s, &s.link, 10 * MIN_US), PAIR_EXPIRED);
    CHECK(invites_expect(s.invites, 20 * MIN_US - 1));
    CHECK(!invites_expect(s.invites, 20 * MIN_US));
    new_code(&s, 30 * MIN_US);
    CHECK(invites_expect(s.invites, 30 * MIN_US));
    invites_forget(s.invites);
    CHECK(!invites_expect(s.invites, 30 * MIN_US));
    scene_free(&s);
}

/* The same machine may ask again, for its WELCOME may have been lost. */
TEST(a_code_is_used_once)
{
    const struct cert_id cert = { { 7 } };
    struct scene s;
    struct pair_link other;

    scene_init(&s);
    make_join(&s);
    CHECK_INT(try_join(&s, &s.link, 1), PAIR_ACCEPTED);
    CHECK(!s.joined.is_signed);
    invite_signed(s.invites, s.joined.invite, &cert);
    CHECK_INT(try_join(&s, &s.link, 2), PAIR_ACCEPTED);
    CHECK(s.joined.is_signed);
    CHECK_INT(s.joined.cert.b[0], 7);
    make_welcome(&s);
    CHECK_OK(on_answer(&s, buf_slice(&s.answer)));
    other = s.link;
    s.link.joiner_spki = identity_spki(s.id[2]);
    make_join(&s);
    CHECK_INT(try_join(&s, &s.link, 3), PAIR_USED);
    s.link = other;
    make_join(&s);
    CHECK_INT(try_join(&s, &s.link, 10 * MIN_US), PAIR_EXPIRED);
    scene_free(&s);
}

TEST(eight_codes_may_be_open)
{
    struct scene s;
    struct buf text = { 0 };

    scene_init(&s);
    for (int i = 1; i < INVITES_MAX; i++)
        new_code(&s, 0);
    CHECK_INT(invite_open(s.invites, 1, 0, NULL, 0, &text), SYNCLINE_ELIMIT);
    CHECK_INT(
        invite_open(s.invites, 1, UINT64_MAX, NULL, 0, &text), SYNCLINE_EINVAL);
    /* All of them expire; two generations of spent ones make room. */
    for (uint64_t t = 1; t < 4; t++)
        for (int i = 0; i < INVITES_MAX; i++)
            new_code(&s, t * 11 * MIN_US);
    make_join(&s);
    CHECK_INT(try_join(&s, &s.link, 33 * MIN_US), PAIR_ACCEPTED);
    buf_free(&text);
    scene_free(&s);
}

TEST(one_at_the_door_and_not_for_long)
{
    struct scene s;

    scene_init(&s);
    CHECK_UINT(invites_deadline(s.invites), UINT64_MAX);
    CHECK_INT(invites_knock(s.invites, 7, 0), PAIR_ACCEPTED);
    CHECK_INT(invites_knock(s.invites, 8, 1), PAIR_BUSY);
    CHECK(invites_deadline(s.invites) <= 120 * (uint64_t)1000000);
    CHECK_UINT(invites_overdue(s.invites, PAIR_DOOR_US - 1), 0);
    CHECK_UINT(invites_overdue(s.invites, PAIR_DOOR_US), 7);
    invites_leave(s.invites, 8);
    CHECK_INT(invites_knock(s.invites, 8, 2), PAIR_BUSY);
    invites_leave(s.invites, 7);
    CHECK_INT(invites_knock(s.invites, 8, 3), PAIR_ACCEPTED);
    CHECK_UINT(invites_overdue(s.invites, PAIR_DOOR_US), 0);
    scene_free(&s);
}

/* The joiner tells nothing to a device that the code does not name. */
TEST(another_device_than_the_code_names)
{
    struct scene s;

    scene_init(&s);
    s.link.inviter_spki = identity_spki(s.id[2]);
    CHECK_INT(pair_put_join(&s.crypto[1], &s.code, &s.link, SLICE_LIT("x"), 1,
                  &s.join, &s.why),
        SYNCLINE_EDENIED);
    CHECK_SLICE(slice_str(s.why.text), pair_refusal_text(PAIR_WRONG_DEVICE));
    CHECK_UINT(s.join.len, 0);
    CHECK_INT(on_answer(&s, SLICE_LIT("\x02\x01")), SYNCLINE_EDENIED);
    scene_free(&s);
}

TEST(a_join_cut_anywhere)
{
    struct scene s;
    struct buf whole = { 0 };

    scene_init(&s);
    make_join(&s);
    buf_put_slice(&whole, buf_slice(&s.join));
    for (size_t n = 0; n < whole.len; n++) {
        s.join.len = n;
        CHECK_INT(try_join(&s, &s.link, 1), PAIR_BROKEN);
    }
    s.join.len = whole.len;
    buf_put_u8(&s.join, 0);
    CHECK_INT(try_join(&s, &s.link, 1), PAIR_BROKEN);
    s.join.len--;
    s.join.ptr[1] = PAIR_VERSION + 1;
    CHECK_INT(try_join(&s, &s.link, 1), PAIR_OTHER_VERSION);
    s.join.ptr[1] = PAIR_VERSION;
    CHECK_INT(try_join(&s, &s.link, 1), PAIR_ACCEPTED); /* no try was lost */
    buf_free(&whole);
    scene_free(&s);
}

/* Cut, or with any one byte changed, nothing of it is believed. */
TEST(a_welcome_that_is_damaged)
{
    struct scene s;

    scene_init(&s);
    make_join(&s);
    CHECK_INT(try_join(&s, &s.link, 1), PAIR_ACCEPTED);
    make_welcome(&s);
    s.got.records_n = 77;
    for (size_t n = 0; n < s.answer.len; n++) {
        int rc = on_answer(&s, SLICE(s.answer.ptr, n));

        CHECK(rc == SYNCLINE_EDENIED || rc == SYNCLINE_EMALFORMED);
        CHECK(s.why.text[0] != '\0');
        s.answer.ptr[n] ^= 0x10;
        rc = on_answer(&s, buf_slice(&s.answer));
        CHECK_SAYING(rc != SYNCLINE_OK, "byte %zu", n);
        s.answer.ptr[n] ^= 0x10;
    }
    s.answer.ptr[1] = PAIR_VERSION + 1;
    CHECK_INT(on_answer(&s, buf_slice(&s.answer)), SYNCLINE_EVERSION);
    CHECK_UINT(s.got.records_n, 77);
    scene_free(&s);
}

/* Made by one who knows the code, and still not well-formed. */
TEST(a_welcome_whose_records_do_not_add_up)
{
    struct scene s;
    struct pair_welcome w = { .name = SLICE_LIT("hall"),
        .records_n = 3,
        .records = SLICE_LIT("\x01k\x01v") };

    scene_init(&s);
    make_join(&s);
    CHECK_INT(try_join(&s, &s.link, 1), PAIR_ACCEPTED);
    CHECK_OK(
        pair_put_welcome(s.invites, s.joined.invite, &s.link, &w, &s.answer));
    CHECK_INT(on_answer(&s, buf_slice(&s.answer)), SYNCLINE_EMALFORMED);
    CHECK_INT(pair_put_welcome(s.invites, 99, &s.link, &w, &s.answer),
        SYNCLINE_ENOTFOUND);
    scene_free(&s);
}

TEST(refusals_are_sentences)
{
    static const struct {
        enum pair_refusal refusal;
        int rc;
    } rows[] = {
        { PAIR_WRONG_CODE, SYNCLINE_EDENIED },
        { PAIR_EXPIRED, SYNCLINE_EDENIED },
        { PAIR_USED, SYNCLINE_EDENIED },
        { PAIR_SPOILED, SYNCLINE_EDENIED },
        { PAIR_OTHER_VERSION, SYNCLINE_EVERSION },
        { PAIR_WRONG_DEVICE, SYNCLINE_EDENIED },
        { PAIR_BUSY, SYNCLINE_EBUSY },
        { PAIR_BROKEN, SYNCLINE_EMALFORMED },
        { PAIR_FAILED, SYNCLINE_EIO },
        { PAIR_TOO_LATE, SYNCLINE_ETIMEOUT },
        { (enum pair_refusal)99, SYNCLINE_EDENIED },
    };
    struct scene s;

    scene_init(&s);
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        buf_clear(&s.answer);
        pair_put_refuse(&s.answer, rows[i].refusal);
        CHECK_INT(on_answer(&s, buf_slice(&s.answer)), rows[i].rc);
        CHECK_SLICE(slice_str(s.why.text), pair_refusal_text(rows[i].refusal));
        CHECK(strlen(s.why.text) > 20);
    }
    CHECK_INT(on_answer(&s, SLICE_LIT("\x03\x01")), SYNCLINE_EMALFORMED);
    CHECK_INT(on_answer(&s, SLICE_LIT("\x09\x01")), SYNCLINE_EMALFORMED);
    scene_free(&s);
}

/* Who shouts for the maker of a code is told where it is, by nobody else. */
TEST(a_joiner_finds_its_inviter)
{
    struct scene s;
    struct beacon_find find = { .port = 5353 };
    struct slice secret;
    struct beacon here;

    scene_init(&s);
    secret = SLICE(s.code.secret, CODE_SECRET_LEN);
    new_code(&s, 0); /* another one beside it */
    CHECK_OK(beacon_put_find(
        &s.join, &s.crypto[1], SLICE(s.code.secret, CODE_SECRET_LEN), &find));
    CHECK_OK(
        invites_answer_find(s.invites, 1, buf_slice(&s.join), 4748, &s.answer));
    CHECK(s.answer.len <= s.join.len);
    CHECK_OK(beacon_get_here(
        &here, &s.crypto[1], secret, &find, buf_slice(&s.answer)));
    CHECK(device_eq(&here.device, identity_device(s.id[0])));
    CHECK_UINT(here.port, 4748);
    CHECK_INT(invites_answer_find(
                  s.invites, 10 * MIN_US, buf_slice(&s.join), 4748, &s.answer),
        SYNCLINE_EDENIED);
    s.join.ptr[20] ^= 1;
    CHECK_INT(
        invites_answer_find(s.invites, 1, buf_slice(&s.join), 4748, &s.answer),
        SYNCLINE_EDENIED);
    scene_free(&s);
}
