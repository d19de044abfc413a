#include "repl/beacon.h"

#include "unit/check.h"

struct scene {
    struct identity *id;
    struct crypto_port crypto;
    struct crypto_self self;
    struct beacon_key key, other_key;
    struct slice secret, other_secret;
    struct buf b;
};

static const struct beacon me = {
    .device = { { 1, 2, 3 } }, .port = 0x1234, .flags = 5
};

static void scene_init(struct scene *s)
{
    uint8_t seed[IDENTITY_SEED_LEN] = { 3 };

    *s = (struct scene){ .secret = SLICE_LIT("thirteen byte"),
        .other_secret = SLICE_LIT("thirteen bite") };
    CHECK_OK(identity_from_seed(&s->id, seed));
    crypto_port_seeded(&s->crypto, &s->self, s->id, 3);
    CHECK_OK(beacon_key_make(&s->key, &s->crypto, SLICE_LIT("mesh secret")));
    CHECK_OK(
        beacon_key_make(&s->other_key, &s->crypto, SLICE_LIT("mesh Secret")));
}

static void scene_free(struct scene *s)
{
    identity_free(s->id);
    buf_free(&s->b);
}

static void check_is_me(const struct beacon *got)
{
    CHECK(device_eq(&got->device, &me.device));
    CHECK_UINT(got->port, me.port);
    CHECK_UINT(got->flags, me.flags);
}

TEST(members_read_an_announce_and_nobody_else)
{
    struct scene s;
    struct beacon got = { .port = 7 };

    scene_init(&s);
    CHECK_OK(beacon_put_announce(&s.b, &s.crypto, &s.key, &me));
    CHECK_UINT(s.b.len, BEACON_LEN);
    CHECK_INT(beacon_kind(buf_slice(&s.b)), BEACON_ANNOUNCE);
    CHECK(memmem(s.b.ptr, s.b.len, me.device.b, 3) == NULL);
    CHECK_INT(
        beacon_get_announce(&got, &s.crypto, &s.other_key, buf_slice(&s.b)),
        SYNCLINE_EDENIED);
    CHECK_UINT(got.port, 7);
    CHECK_OK(beacon_get_announce(&got, &s.crypto, &s.key, buf_slice(&s.b)));
    check_is_me(&got);
    scene_free(&s);
}

/* Nobody can tell by comparing that two announces are one machine's. */
TEST(no_two_announces_are_alike)
{
    struct scene s;
    size_t same = 0;

    scene_init(&s);
    CHECK_OK(beacon_put_announce(&s.b, &s.crypto, &s.key, &me));
    CHECK_OK(beacon_put_announce(&s.b, &s.crypto, &s.key, &me));
    for (size_t i = 1; i < BEACON_LEN; i++)
        same += s.b.ptr[i] == s.b.ptr[BEACON_LEN + i];
    CHECK(same < 8);
    scene_free(&s);
}

typedef int read_fn(struct scene *s, struct slice datagram);

static struct beacon_find asked;

static int read_announce(struct scene *s, struct slice datagram)
{
    struct beacon got;

    return beacon_get_announce(&got, &s->crypto, &s->key, datagram);
}

static int read_find(struct scene *s, struct slice datagram)
{
    struct beacon_find got;

    return beacon_get_find(&got, &s->crypto, s->secret, datagram);
}

static int read_here(struct scene *s, struct slice datagram)
{
    struct beacon got;

    return beacon_get_here(&got, &s->crypto, s->secret, &asked, datagram);
}

static const struct {
    const char *name;
    read_fn *read;
} kinds[] = {
    [BEACON_ANNOUNCE] = { "announce", read_announce },
    [BEACON_FIND] = { "find", read_find },
    [BEACON_HERE] = { "here", read_here },
};

static void put_kind(struct scene *s, enum beacon_kind kind)
{
    buf_clear(&s->b);
    asked = (struct beacon_find){ .port = 9 };
    CHECK_OK(beacon_put_find(&s->b, &s->crypto, s->secret, &asked));
    if (kind == BEACON_FIND)
        return;
    buf_clear(&s->b);
    if (kind == BEACON_HERE)
        CHECK_OK(beacon_put_here(&s->b, &s->crypto, s->secret, &asked, &me));
    else
        CHECK_OK(beacon_put_announce(&s->b, &s->crypto, &s->key, &me));
}

/* Each kind, cut at every byte, one byte longer, and with every bit of it
 * changed in turn. */
TEST(damaged_datagrams_are_refused)
{
    struct scene s;

    scene_init(&s);
    for (size_t k = BEACON_ANNOUNCE; k < ARRAY_N(kinds); k++) {
        put_kind(&s, (enum beacon_kind)k);
        CHECK_OK(kinds[k].read(&s, buf_slice(&s.b)));
        for (size_t n = 0; n < BEACON_LEN; n++)
            CHECK_INT(
                kinds[k].read(&s, SLICE(s.b.ptr, n)), SYNCLINE_EMALFORMED);
        for (size_t bit = 0; bit < 8 * BEACON_LEN; bit++) {
            int rc;

            s.b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
            rc = kinds[k].read(&s, buf_slice(&s.b));
            CHECK_SAYING(rc == SYNCLINE_EDENIED || rc == SYNCLINE_EMALFORMED,
                "%s with bit %zu changed: %d", kinds[k].name, bit, rc);
            s.b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        buf_put_u8(&s.b, 0);
        CHECK_INT(kinds[k].read(&s, buf_slice(&s.b)), SYNCLINE_EMALFORMED);
        CHECK_INT(beacon_kind(buf_slice(&s.b)), 0);
    }
    scene_free(&s);
}

TEST(one_kind_is_not_another)
{
    struct scene s;

    scene_init(&s);
    for (size_t k = BEACON_ANNOUNCE; k < ARRAY_N(kinds); k++) {
        put_kind(&s, (enum beacon_kind)k);
        for (size_t other = BEACON_ANNOUNCE; other < ARRAY_N(kinds); other++) {
            int rc = kinds[other].read(&s, buf_slice(&s.b));

            CHECK_INT(rc, other == k ? SYNCLINE_OK : SYNCLINE_EMALFORMED);
            s.b.ptr[0] = (uint8_t)other; /* and if it says that it is */
            rc = kinds[other].read(&s, buf_slice(&s.b));
            CHECK((rc == SYNCLINE_OK) == (other == k));
            s.b.ptr[0] = (uint8_t)k;
        }
    }
    for (unsigned first = 0; first < 256; first++) {
        s.b.ptr[0] = (uint8_t)first;
        CHECK_INT(beacon_kind(buf_slice(&s.b)),
            first >= 1 && first <= 3 ? (int)first : 0);
    }
    scene_free(&s);
}

TEST(a_question_and_its_answer)
{
    struct scene s;
    struct beacon_find find = { .port = 0xfedc }, heard, later = find;
    struct beacon got;
    struct buf here = { 0 };

    scene_init(&s);
    CHECK_OK(beacon_put_find(&s.b, &s.crypto, s.secret, &find));
    CHECK_INT(
        beacon_get_find(&heard, &s.crypto, s.other_secret, buf_slice(&s.b)),
        SYNCLINE_EDENIED);
    CHECK_OK(beacon_get_find(&heard, &s.crypto, s.secret, buf_slice(&s.b)));
    CHECK_UINT(heard.port, 0xfedc);
    CHECK_OK(beacon_put_here(&here, &s.crypto, s.secret, &heard, &me));
    CHECK(here.len <= s.b.len); /* never an amplifier */
    CHECK_OK(
        beacon_get_here(&got, &s.crypto, s.secret, &find, buf_slice(&here)));
    check_is_me(&got);
    CHECK_INT(beacon_get_here(
                  &got, &s.crypto, s.other_secret, &find, buf_slice(&here)),
        SYNCLINE_EDENIED);
    /* An old answer is none to a new question. */
    CHECK_OK(beacon_put_find(&s.b, &s.crypto, s.secret, &later));
    CHECK_INT(
        beacon_get_here(&got, &s.crypto, s.secret, &later, buf_slice(&here)),
        SYNCLINE_EDENIED);
    buf_free(&here);
    scene_free(&s);
}

TEST(memory_that_runs_out_sends_nothing)
{
    struct scene s;
    struct beacon got;
    int rc;

    scene_init(&s);
    for (long n = 0;; n++) {
        buf_free(&s.b);
        check_alloc_fail_from(n);
        rc = beacon_put_announce(&s.b, &s.crypto, &s.key, &me);
        if (rc == SYNCLINE_OK)
            rc = beacon_get_announce(&got, &s.crypto, &s.key, buf_slice(&s.b));
        if (!check_alloc_failed())
            break;
        check_alloc_fail_from(-1);
        CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM);
        CHECK(s.b.len == 0 || s.b.len == BEACON_LEN);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    check_is_me(&got);
    scene_free(&s);
}
