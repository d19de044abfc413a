/* No message of a LAN-sync node counts twice, whatever clocks do: ours that is
 * set, theirs that are far ahead. */
#include <stdlib.h>

#include "base/prng.h"
#include "faces/lansync/far.h"
#include "faces/lansync/protocol.h"
#include "unit/check.h"

#define SEC UINT64_C(1000000)
#define HOUR (3600 * SEC)
#define DAY (24 * HOUR)
#define NOW_US (UINT64_C(1795176000) * SEC) /* 2026-11-20T12:00:00 */

static int draw(void *ctx, uint8_t *out, size_t n)
{
    struct prng *r = ctx;

    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)prng_next(r);
    return SYNCLINE_OK;
}

/* A node that is heard, and those that it hears. */
struct clocks {
    struct prng chance;
    struct lan_protocol *here, *there;
    struct arena arena;
    uint64_t now_us;  /* goes on */
    uint64_t wall_us; /* may be set */
};

static struct lan_protocol *node_of(struct clocks *c, const char *name)
{
    const struct lan_protocol_options opt = { .node_id = name,
        .node_name = name,
        .key = SLICE_LIT("test-secret-key-1234567890123456"),
        .ctx = &c->chance,
        .random = draw };
    struct lan_protocol *p = NULL;

    CHECK_OK(lan_protocol_new(&p, &opt));
    return p;
}

static void clocks_open(struct clocks *c)
{
    *c = (struct clocks){ .now_us = 5 * SEC, .wall_us = NOW_US };
    c->chance.state = 7;
    c->here = node_of(c, "here");
    c->there = node_of(c, "there");
}

static void clocks_close(struct clocks *c)
{
    lan_protocol_free(c->here);
    lan_protocol_free(c->there);
    arena_free(&c->arena);
}

static void pass(struct clocks *c, uint64_t us)
{
    c->now_us += us;
    c->wall_us += us;
}

/* What it says at a time of its own. */
static struct lan_message said(
    struct clocks *c, struct lan_protocol *by, uint64_t at_us)
{
    const struct lan_draft draft = { .type = LAN_HEARTBEAT };
    struct buf b = { 0 };
    struct lan_message m;

    CHECK_OK(lan_protocol_put(by, &b, &draft, LAN_SECOND, at_us));
    CHECK_OK(lan_message_read(&m,
        arena_dup(&c->arena, slice_from(buf_slice(&b), LAN_FRAME_HEAD)),
        &c->arena, NULL));
    buf_free(&b);
    return m;
}

static int heard(struct clocks *c, const struct lan_message *m)
{
    enum lan_dialect d = LAN_SECOND;

    lan_protocol_set_wall(c->here, c->wall_us, c->now_us);
    return lan_protocol_check(c->here, m, true, c->now_us, &d, NULL);
}

/* ---- our clock is set ---- */

/* What had expired does not count again, and what is new does. */
TEST(our_clock_is_set_back)
{
    static const uint64_t backs[] = { 30 * SEC, 90 * SEC, 10 * 60 * SEC, HOUR,
        5 * HOUR, DAY };

    for (size_t i = 0; i < ARRAY_N(backs); i++) {
        struct lan_message all[3000];
        struct clocks c;
        size_t n = 0;

        clocks_open(&c);
        for (; n < ARRAY_N(all) / 2; n++) {
            all[n] = said(&c, c.there, c.wall_us + n % 3 * 59 * SEC);
            CHECK_OK(heard(&c, &all[n]));
            pass(&c, 10 * SEC);
        }
        c.wall_us -= backs[i];
        for (size_t j = 0; j < n; j++)
            CHECK_SAYING(
                heard(&c, &all[j]) != SYNCLINE_OK, "%zu counts again", j);
        for (; n < ARRAY_N(all); n++) {
            all[n] = said(&c, c.there, c.wall_us);
            CHECK_OK(heard(&c, &all[n]));
            pass(&c, 10 * SEC);
        }
        for (size_t j = 0; j < n; j++)
            CHECK_SAYING(
                heard(&c, &all[j]) != SYNCLINE_OK, "%zu counts again", j);
        clocks_close(&c);
    }
}

/* Ours was wrong, and is set right; somebody's had been wrong with it. */
TEST(our_clock_was_years_ahead)
{
    struct clocks c;
    struct lan_message wrong;

    clocks_open(&c);
    for (unsigned i = 0; i < 100; i++) {
        struct lan_message m = said(&c, c.there, c.wall_us);

        CHECK_OK(heard(&c, &m));
        pass(&c, 30 * SEC);
    }
    c.wall_us += 3650 * DAY;
    wrong = said(&c, c.there, c.wall_us);
    CHECK_OK(heard(&c, &wrong));
    pass(&c, 10 * SEC);
    c.wall_us -= 3650 * DAY;
    for (unsigned i = 0; i < 20000; i++) {
        struct lan_message m = said(&c, c.there, c.wall_us);

        CHECK_OK(heard(&c, &m));
        arena_reset(&c.arena);
        pass(&c, 30 * SEC);
    }
    clocks_close(&c);
}

/* ---- so many that not all are known ---- */

static struct nonces *nonces(void)
{
    static const uint8_t seed[16] = { 1 };
    struct nonces *n = NULL;

    CHECK_OK(nonces_new(&n, 120 * SEC, seed));
    return n;
}

/* 1000 a minute, for ten hours; a time is a number, too. */
static void see_many(struct nonces *n, uint64_t from_us, uint32_t from)
{
    for (uint32_t i = 0; i < 600000; i++)
        CHECK_OK(nonces_see(n, 2 * (from + i) + 1,
            from_us + i * UINT64_C(60000), from_us + i * UINT64_C(60000)));
}

/* Where nobody knows any more it does not count; elsewhere it does. */
TEST(what_is_forgotten_does_not_count)
{
    struct nonces *n = nonces();
    unsigned known = 0;

    see_many(n, NOW_US, 0);
    for (uint32_t i = 0; i < 600000; i += 7) {
        int rc = nonces_look(n, 2 * i + 1, NOW_US + i * UINT64_C(60000));

        CHECK(rc == SYNCLINE_EEXIST || rc == SYNCLINE_ETIMEOUT);
        known += rc == SYNCLINE_EEXIST;
    }
    CHECK(known > 600000 / 7 / 4);
    CHECK_INT(nonces_look(n, 2, NOW_US + HOUR), SYNCLINE_ETIMEOUT);
    CHECK_OK(nonces_look(n, 2, NOW_US + 9 * HOUR));
    CHECK_OK(nonces_look(n, 2, NOW_US - HOUR));
    CHECK_OK(nonces_look(n, 2, NOW_US + 11 * HOUR));
    nonces_free(n);
}

TEST(times_that_are_forgotten_are_few)
{
    struct nonces *n = nonces();
    struct prng r;
    uint64_t at[500];

    r.state = 3;
    for (size_t i = 0; i < ARRAY_N(at); i++) {
        at[i] = NOW_US + prng_next(&r) % (2000 * DAY);
        nonces_lose(n, at[i], at[i] + prng_next(&r) % HOUR);
        for (size_t j = 0; j <= i; j++)
            CHECK_INT(nonces_look(n, 2, at[j]), SYNCLINE_ETIMEOUT);
    }
    CHECK_OK(nonces_look(n, 2, NOW_US - DAY));
    CHECK_OK(nonces_look(n, 2, NOW_US + 2001 * DAY));
    nonces_free(n);
}

/* ---- their clocks are far ahead ---- */

/* However many they say: nobody is kept out, and nothing counts twice, not when
 * its time comes either. */
TEST(a_node_that_is_far_ahead_says_much)
{
    static const uint64_t aheads[] = { 300 * SEC, HOUR, 400 * DAY };

    for (size_t i = 0; i < ARRAY_N(aheads); i++) {
        struct lan_message *all = calloc(70000, sizeof *all);
        struct clocks c;

        CHECK(all != NULL);
        clocks_open(&c);
        for (unsigned j = 0; j < 70000; j++) {
            all[j] = said(&c, c.there, c.wall_us + aheads[i]);
            CHECK_OK(heard(&c, &all[j]));
            pass(&c, 1000);
        }
        for (unsigned turn = 0; turn < 3; turn++) {
            struct lan_message m = said(&c, c.there, c.wall_us);

            for (unsigned j = 0; j < 70000; j += 6)
                CHECK_INT(heard(&c, &all[j]), SYNCLINE_EEXIST);
            m = said(&c, c.there, c.wall_us);
            if (turn == 0)
                CHECK_OK(heard(&c, &m));
            if (turn == 0)
                pass(&c, aheads[i] - 90 * SEC);
            else
                pass(&c, 40 * SEC);
        }
        free(all);
        clocks_close(&c);
    }
}

/* Of a few it is known from when to when they were; of no more. */
TEST(many_nodes_that_are_far_ahead)
{
    struct far f = { .n = 0 };
    struct far_message m = { 0, 1, 1 };

    for (uint64_t i = 0; i < FAR_MAX; i++) {
        m.at_us = NOW_US + i;
        CHECK_OK(far_see(&f, &m));
    }
    for (m.node = 1; m.node <= FAR_NODES; m.node++) {
        m.at_us = NOW_US + DAY + m.node;
        CHECK_OK(far_see(&f, &m));
        CHECK(far_has(&f, &m));
        m.at_us++;
        CHECK(!far_has(&f, &m));
        CHECK_OK(far_see(&f, &m));
        CHECK(far_has(&f, &m));
    }
    CHECK_INT(far_see(&f, &m), SYNCLINE_ELIMIT);
    CHECK_UINT(f.n, FAR_MAX);
    {
        struct nonces *n = nonces();

        far_come(&f, n, NOW_US + 2 * DAY, NOW_US + 2 * DAY, DAY);
        CHECK_UINT(f.n, 0);
        CHECK_OK(far_see(&f, &m));
        CHECK_INT(nonces_look(n, 1, NOW_US + 3), SYNCLINE_EEXIST);
        CHECK_INT(nonces_look(n, 5, NOW_US + DAY + 3), SYNCLINE_ETIMEOUT);
        nonces_free(n);
    }
    far_free(&f);
}

/* ---- whatever clocks do ---- */

static uint64_t some_span(struct prng *r)
{
    static const uint64_t spans[] = { SEC, 20 * SEC, 59 * SEC, 61 * SEC,
        119 * SEC, 300 * SEC, HOUR, DAY, 400 * DAY };

    return spans[prng_next(r) % ARRAY_N(spans)];
}

/* Against a list of all that has counted. */
TEST(nothing_counts_twice_whatever_clocks_do)
{
    enum { N = 4000 };
    struct lan_message *all = calloc(N, sizeof *all);
    bool *counted = calloc(N, sizeof *counted);
    unsigned fresh = 0;
    struct clocks c;

    CHECK(all != NULL && counted != NULL);
    clocks_open(&c);
    for (unsigned i = 0; i < N; i++) {
        const uint64_t off = some_span(&c.chance);
        const bool is_ahead = prng_next(&c.chance) % 2 == 0;
        int rc;

        all[i] = said(&c, prng_next(&c.chance) % 2 == 0 ? c.there : c.here,
            is_ahead || off > 60 * SEC ? c.wall_us + off : c.wall_us - off);
        counted[i] = heard(&c, &all[i]) == SYNCLINE_OK;
        fresh += counted[i];
        for (unsigned j = 0; j < 10; j++) {
            const unsigned k = (unsigned)(prng_next(&c.chance) % (i + 1));

            rc = heard(&c, &all[k]);
            CHECK_SAYING(rc != SYNCLINE_OK || !counted[k],
                "%u of %u counts again", k, i);
            counted[k] = counted[k] || rc == SYNCLINE_OK;
        }
        pass(&c, prng_next(&c.chance) % (90 * SEC));
        if (prng_next(&c.chance) % 50 == 0)
            c.wall_us += some_span(&c.chance);
        if (prng_next(&c.chance) % 50 == 0)
            c.wall_us -= some_span(&c.chance);
    }
    CHECK(fresh > N * 9 / 10);
    free(all);
    free(counted);
    clocks_close(&c);
}

TEST(memory_that_runs_out_lets_nothing_count_twice)
{
    enum { N = 600 };

    for (long k = 0;; k++) {
        struct lan_message all[N];
        bool counted[N];
        struct clocks c;
        bool failed;

        clocks_open(&c);
        for (unsigned i = 0; i < N; i++)
            all[i] = said(
                &c, c.there, NOW_US + i * SEC + (i % 3 == 0 ? 300 * SEC : 0));
        check_alloc_fail_from(k);
        for (unsigned i = 0; i < N; i++) {
            counted[i] = heard(&c, &all[i]) == SYNCLINE_OK;
            pass(&c, SEC);
        }
        failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        for (unsigned turn = 0; turn < 3; turn++) {
            for (unsigned i = 0; i < N; i++) {
                int rc = heard(&c, &all[i]);

                CHECK_SAYING(rc != SYNCLINE_OK || !counted[i],
                    "%u counts again after %ld", i, k);
                counted[i] = counted[i] || rc == SYNCLINE_OK;
            }
            c.wall_us -= 300 * SEC;
        }
        clocks_close(&c);
        if (!failed)
            break;
    }
}
