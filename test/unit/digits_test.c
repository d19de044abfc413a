#include "repl/digits.h"

#include "unit/check.h"

#include "base/text.h"

/* A joiner (0) and a member (1) on one connection. */
struct scene {
    struct identity *id[2];
    struct crypto_port crypto;
    struct crypto_self self;
    uint8_t exporter[PAIR_EXPORTER_LEN];
    uint8_t nonce_j[DIGITS_NONCE_LEN], nonce_m[DIGITS_NONCE_LEN];
    struct pair_link link;
};

static void scene_init(struct scene *s)
{
    *s = (struct scene){ 0 };
    for (uint8_t i = 0; i < 2; i++) {
        uint8_t seed[IDENTITY_SEED_LEN] = { i, 3 };

        CHECK_OK(identity_from_seed(&s->id[i], seed));
    }
    crypto_port_seeded(&s->crypto, &s->self, s->id[0], 1);
    memset(s->exporter, 0xee, sizeof s->exporter);
    memset(s->nonce_j, 0xaa, sizeof s->nonce_j);
    memset(s->nonce_m, 0xbb, sizeof s->nonce_m);
    s->link = (struct pair_link){ .joiner_spki = identity_spki(s->id[0]),
        .inviter_spki = identity_spki(s->id[1]),
        .exporter = s->exporter };
}

static void scene_free(struct scene *s)
{
    identity_free(s->id[0]);
    identity_free(s->id[1]);
}

static void compute(
    struct scene *s, uint8_t commit[SHA256_LEN], struct digits *digits)
{
    struct digits_seen seen = { commit, s->nonce_j, s->nonce_m };

    CHECK_OK(digits_commit(commit, &s->crypto, &s->link, s->nonce_j));
    CHECK_OK(digits_make(digits, &s->crypto, &s->link, &seen));
}

/* With keys that are no keys, so that anybody can compute it again. */
TEST(the_digits_of_doc_protocol)
{
    struct scene s;
    uint8_t commit[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];
    struct digits digits;

    scene_init(&s);
    s.link.joiner_spki = SLICE_LIT("joiner");
    s.link.inviter_spki = SLICE_LIT("member");
    compute(&s, commit, &digits);
    hex_encode(hex, SLICE(commit, sizeof commit));
    CHECK_SLICE(slice_str(hex),
        "ad87fae981f524a8b446fc4c9510b86e0f3aa64145af9f1436f5d819547a0c38");
    CHECK_SLICE(slice_str(digits.text), "021861");
    scene_free(&s);
}

/* Whatever differs between two connections, or between what two sides have
 * seen, differs in the digits. */
TEST(digits_are_of_one_connection_only)
{
    struct scene s;
    uint8_t commit[SHA256_LEN], other[SHA256_LEN];
    struct digits digits, again;
    struct slice key;

    scene_init(&s);
    compute(&s, commit, &digits);
    compute(&s, other, &again);
    CHECK_SLICE(slice_str(again.text), digits.text);
    s.exporter[31] ^= 1;
    compute(&s, other, &again);
    CHECK(memcmp(commit, other, sizeof commit) != 0);
    CHECK(strcmp(digits.text, again.text) != 0);
    s.exporter[31] ^= 1;
    s.nonce_m[0] ^= 1;
    compute(&s, other, &again);
    CHECK(memcmp(commit, other, sizeof commit) == 0);
    CHECK(strcmp(digits.text, again.text) != 0);
    s.nonce_m[0] ^= 1;
    s.nonce_j[0] ^= 1;
    compute(&s, other, &again);
    CHECK(memcmp(commit, other, sizeof commit) != 0);
    CHECK(strcmp(digits.text, again.text) != 0);
    s.nonce_j[0] ^= 1;
    key = s.link.joiner_spki;
    s.link.joiner_spki = s.link.inviter_spki;
    s.link.inviter_spki = key; /* roles count */
    compute(&s, other, &again);
    CHECK(memcmp(commit, other, sizeof commit) != 0);
    CHECK(strcmp(digits.text, again.text) != 0);
    scene_free(&s);
}

/* Every digit takes every value, and small numbers keep their zeros. */
TEST(digits_are_six_and_even)
{
    struct scene s;
    uint8_t commit[SHA256_LEN];
    struct digits digits;
    unsigned seen[DIGITS_N][10] = { { 0 } };

    scene_init(&s);
    for (unsigned n = 0; n < 1000; n++) {
        s.nonce_j[1] = (uint8_t)n;
        s.nonce_j[2] = (uint8_t)(n >> 8);
        compute(&s, commit, &digits);
        CHECK_UINT(strlen(digits.text), DIGITS_N);
        for (int i = 0; i < DIGITS_N; i++)
            seen[i][digits.text[i] - '0']++;
    }
    for (int i = 0; i < DIGITS_N; i++)
        for (int d = 0; d < 10; d++)
            CHECK(seen[i][d] > 60 && seen[i][d] < 140);
    scene_free(&s);
}

TEST(digits_as_people_write_them)
{
    static const struct {
        const char *text;
        bool same;
    } rows[] = {
        { "012345", true },
        { "012 345", true },
        { " 012-345 ", true },
        { "0 1 2 3 4 5", true },
        { "", false },
        { "12345", false },
        { "01234", false },
        { "0123456", false },
        { "012346", false },
        { "no", false },
    };
    const struct digits digits = { "012345" };

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        CHECK_SAYING(
            digits_are(&digits, slice_str(rows[i].text)) == rows[i].same,
            "row %zu", i);
    /* Before there are any, nothing is equal to them. */
    CHECK(!digits_are(&(struct digits){ "" }, SLICE_LIT("")));
}

/* ---- messages ---- */

static const char ask_hex[] =
    "0402aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "076b69746368656e8c25";

TEST(messages_as_bytes)
{
    struct pair_ask ask = { .name = SLICE_LIT("kitchen"), .port = 4748 };
    struct pair_ask got;
    uint8_t nonce[DIGITS_NONCE_LEN];
    struct scene s;
    struct buf b = { 0 }, hex = { 0 };

    scene_init(&s);
    memset(ask.commit, 0xaa, sizeof ask.commit);
    CHECK_OK(put_pair_ask(&b, &ask));
    put_hex(&hex, buf_slice(&b));
    CHECK_SLICE(buf_slice(&hex), ask_hex);
    CHECK_OK(get_pair_ask(buf_slice(&b), &got));
    CHECK_SLICE(got.name, "kitchen");
    CHECK_UINT(got.port, 4748);
    CHECK(memcmp(got.commit, ask.commit, sizeof got.commit) == 0);
    buf_clear(&b);
    CHECK_OK(put_pair_nonce(&b, PAIR_REVEAL, s.nonce_j));
    CHECK_UINT(b.len, 2 + DIGITS_NONCE_LEN);
    CHECK(b.ptr[0] == 6 && b.ptr[1] == PAIR_VERSION);
    CHECK_OK(get_pair_nonce(buf_slice(&b), PAIR_REVEAL, nonce));
    CHECK(memcmp(nonce, s.nonce_j, sizeof nonce) == 0);
    CHECK_INT(
        get_pair_nonce(buf_slice(&b), PAIR_NONCE, nonce), SYNCLINE_EMALFORMED);
    buf_clear(&b);
    CHECK_OK(put_pair_word(&b, PAIR_CONFIRM));
    CHECK_SLICE(buf_slice(&b), "\x07\x02");
    CHECK_OK(get_pair_word(buf_slice(&b), PAIR_CONFIRM));
    CHECK_INT(get_pair_word(buf_slice(&b), PAIR_STILL), SYNCLINE_EMALFORMED);
    buf_free(&b);
    buf_free(&hex);
    scene_free(&s);
}

/* Cut anywhere, or with a byte too many, it is none. */
TEST(messages_that_are_damaged)
{
    struct pair_ask ask = { .name = SLICE_LIT("kitchen"), .port = 4748 };
    struct pair_welcome w = { .name = SLICE_LIT("hall") }, in;
    uint8_t nonce[DIGITS_NONCE_LEN] = { 1 }, kind;
    struct errmsg why;
    struct buf b = { 0 };
    struct pair_ask got;

    CHECK_OK(put_pair_ask(&b, &ask));
    for (size_t n = 0; n < b.len; n++)
        CHECK_INT(get_pair_ask(SLICE(b.ptr, n), &got), SYNCLINE_EMALFORMED);
    buf_put_u8(&b, 0);
    CHECK_INT(get_pair_ask(buf_slice(&b), &got), SYNCLINE_EMALFORMED);
    buf_clear(&b);
    CHECK_OK(put_pair_nonce(&b, PAIR_NONCE, nonce));
    for (size_t n = 0; n < b.len; n++)
        CHECK_INT(get_pair_nonce(SLICE(b.ptr, n), PAIR_NONCE, nonce),
            SYNCLINE_EMALFORMED);
    buf_put_u8(&b, 0);
    CHECK_INT(
        get_pair_nonce(buf_slice(&b), PAIR_NONCE, nonce), SYNCLINE_EMALFORMED);
    buf_clear(&b);
    CHECK_OK(put_pair_admit(&b, &w));
    CHECK_OK(get_pair_admit(buf_slice(&b), &in, &why));
    CHECK_SLICE(in.name, "hall");
    for (size_t n = 0; n < b.len; n++)
        CHECK_INT(
            get_pair_admit(SLICE(b.ptr, n), &in, &why), SYNCLINE_EMALFORMED);
    CHECK_INT(digits_kind(SLICE_LIT("\x04\x01"), &kind), SYNCLINE_EVERSION);
    CHECK_UINT(kind, PAIR_ASK);
    CHECK_INT(digits_kind(SLICE_LIT("\x04"), &kind), SYNCLINE_EMALFORMED);
    buf_free(&b);
}

TEST(names_that_do_not_fit)
{
    char name[PAIR_NAME_MAX + 1];
    struct pair_ask ask = { .name = SLICE(name, sizeof name) };
    struct buf b = { 0 };

    memset(name, 'n', sizeof name);
    CHECK_INT(put_pair_ask(&b, &ask), SYNCLINE_EINVAL);
    ask.name = SLICE_LIT("\xff");
    CHECK_INT(put_pair_ask(&b, &ask), SYNCLINE_EINVAL);
    CHECK_UINT(b.len, 0);
    buf_free(&b);
}

TEST(memory_that_runs_out)
{
    struct scene s;
    bool done = false;

    scene_init(&s);
    for (long n = 0; !done; n++) {
        uint8_t commit[SHA256_LEN] = { 0 };
        struct digits_seen seen = { commit, s.nonce_j, s.nonce_m };
        struct pair_ask ask = { .name = SLICE_LIT("x") };
        struct digits digits = { "" };
        struct buf b = { 0 };
        int rc;

        check_alloc_fail_from(n);
        rc = digits_commit(commit, &s.crypto, &s.link, s.nonce_j);
        if (rc == SYNCLINE_OK)
            rc = digits_make(&digits, &s.crypto, &s.link, &seen);
        if (rc == SYNCLINE_OK)
            rc = put_pair_ask(&b, &ask);
        check_alloc_fail_from(-1);
        CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM);
        done = rc == SYNCLINE_OK;
        CHECK(!done || digits.text[0] != 0);
        buf_free(&b);
    }
    scene_free(&s);
}
