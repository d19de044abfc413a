#include "repl/peers.h"

#include "unit/check.h"

#define SEC ((uint64_t)1000000)
#define MIN_PAUSE (SEC / 4)
#define MAX_PAUSE (30 * SEC)

static struct device_id device(unsigned n)
{
    return (struct device_id){ { (uint8_t)(n >> 8), (uint8_t)n, 9 } };
}

static struct netaddr addr(unsigned n)
{
    return (struct netaddr){ .family = 4,
        .addr = { 10, 0, (uint8_t)(n >> 8), (uint8_t)n },
        .port = 4748 };
}

/* Knows devices 1 to n - 1; 0 is itself. */
static struct peers *book(unsigned n)
{
    struct peers_options opt = { .self = device(0),
        .seed = 5,
        .dial_min_us = MIN_PAUSE,
        .dial_max_us = MAX_PAUSE };
    struct device_id ids[PEERS_MAX + 8];
    struct peers *p;

    for (unsigned i = 0; i < n; i++)
        ids[i] = device(i);
    CHECK_OK(peers_new(&p, &opt));
    CHECK_OK(peers_set_members(p, ids, n, 0));
    return p;
}

static void learn(struct peers *p, unsigned who, unsigned where)
{
    struct device_id d = device(who);
    struct netaddr a = addr(where);

    peers_learn(p, &d, &a, PEER_GOSSIP);
}

static void beacon(struct peers *p, unsigned who, unsigned where, uint64_t now)
{
    struct device_id d = device(who);
    struct netaddr a = addr(where);

    peers_on_beacon(p, &d, &a, now);
}

static void up(struct peers *p, uint64_t conn, unsigned who, uint64_t now)
{
    struct device_id d = device(who);

    peers_on_up(p, conn, &d, now);
}

/* The last number of the address that is dialled now, or -1. */
static int next(struct peers *p, uint64_t now, uint64_t conn)
{
    struct peers_dial dial;

    if (!peers_next(p, now, conn, &dial))
        return -1;
    return dial.addr.addr[2] << 8 | dial.addr.addr[3];
}

static struct peer_info info(const struct peers *p, unsigned who)
{
    struct device_id d = device(who);
    struct peer_info i;

    CHECK(peers_info(p, &d, &i));
    return i;
}

TEST(addresses_are_tried_in_turn_and_what_worked_comes_first)
{
    struct peers *p = book(2);

    CHECK_INT(next(p, SEC, 1), -1);
    CHECK_INT(info(p, 1).state, PEER_NO_ADDRESS);
    learn(p, 1, 11);
    learn(p, 1, 12);
    learn(p, 1, 13);
    learn(p, 1, 12);
    CHECK_INT(next(p, SEC, 1), 11);
    CHECK_INT(info(p, 1).state, PEER_DIALING);
    CHECK_INT(next(p, SEC, 2), -1); /* one at a time */
    peers_on_down(p, 1, SEC);
    CHECK_INT(next(p, SEC, 2), 12);
    up(p, 2, 1, SEC);
    CHECK_INT(info(p, 1).state, PEER_UP);
    CHECK_UINT(peers_deadline(p), UINT64_MAX);
    CHECK_INT(next(p, 99 * SEC, 3), -1);
    peers_on_down(p, 2, 100 * SEC);
    CHECK_INT(info(p, 1).state, PEER_WAITING);
    CHECK(peers_deadline(p) <= 100 * SEC + MIN_PAUSE);
    CHECK_INT(next(p, 100 * SEC + MIN_PAUSE, 3), 12);
    CHECK_INT(info(p, 1).addr.addr[3], 12);
    peers_on_down(p, 3, 101 * SEC);
    CHECK_INT(next(p, 101 * SEC, 4), 11);
    peers_on_down(p, 4, 101 * SEC);
    CHECK_INT(next(p, 101 * SEC, 5), 13);
    peers_free(p);
}

/* Pauses double from the shortest to the longest, less up to half. */
TEST(pauses_grow)
{
    struct peers *p = book(2);
    uint64_t now = SEC, want = MIN_PAUSE;

    learn(p, 1, 11);
    for (uint64_t conn = 1; conn < 40; conn++) {
        uint64_t due;

        CHECK_INT(next(p, now, conn), 11);
        peers_on_down(p, conn, now);
        due = peers_deadline(p);
        CHECK_SAYING(due - now <= want && due - now >= want / 2,
            "pause %llu: %llu", (unsigned long long)conn,
            (unsigned long long)(due - now));
        CHECK_INT(next(p, due - 1, 99), -1);
        now = due;
        want = want * 2 < MAX_PAUSE ? want * 2 : MAX_PAUSE;
    }
    CHECK_UINT(info(p, 1).rounds, 39);
    peers_free(p);
}

/* Also where the peer answers each time and hangs up at once. */
TEST(pauses_grow_when_the_peer_hangs_up)
{
    struct peers *p = book(2);
    uint64_t now = SEC;

    learn(p, 1, 11);
    for (uint64_t conn = 1; conn < 12; conn++) {
        CHECK_INT(next(p, now, conn), 11);
        up(p, conn, 1, now);
        peers_on_down(p, conn, now + 1000);
        now = peers_deadline(p);
    }
    CHECK(peers_deadline(p) > 100 * SEC);
    /* A connection that lasts makes it short again. */
    CHECK_INT(next(p, now, 50), 11);
    up(p, 50, 1, now);
    peers_on_down(p, 50, now + 2 * SEC);
    CHECK(peers_deadline(p) <= now + 2 * SEC + MIN_PAUSE);
    peers_free(p);
}

TEST(a_beacon_brings_a_dial_forward)
{
    struct peers *p = book(3);
    uint64_t now = SEC;

    learn(p, 1, 11);
    for (uint64_t conn = 1; conn < 10; conn++) {
        CHECK_INT(next(p, now, conn), 11);
        peers_on_down(p, conn, now);
        now = peers_deadline(p);
    }
    now -= 5 * SEC;
    CHECK_INT(next(p, now, 20), -1);
    beacon(p, 1, 12, now);
    CHECK_UINT(peers_deadline(p), now);
    CHECK_INT(next(p, now, 20), 12);
    peers_on_down(p, 20, now);
    CHECK(peers_deadline(p) <= now + MIN_PAUSE);
    /* Played back by somebody, it is heard once a second at most. */
    for (uint64_t i = 0; i < 1000; i++) {
        beacon(p, 1, 12, now + i);
        CHECK_INT(next(p, now + i, 21), -1);
    }
    /* Nor does it matter to one that is connected. */
    up(p, 30, 2, now);
    beacon(p, 2, 22, now);
    CHECK_INT(info(p, 2).state, PEER_UP);
    CHECK_INT(info(p, 2).addr.addr[3], 22);
    CHECK_INT(next(p, now, 31), -1);
    peers_free(p);
}

/* Ten thousand forged names leave nothing behind. */
TEST(strangers_are_never_dialled)
{
    struct peers *p = book(2);
    struct device_id self = device(0);
    struct netaddr a = addr(1);
    struct peer_info i;

    for (unsigned n = 2; n < 10000; n++) {
        beacon(p, n, n, SEC);
        learn(p, n, n);
    }
    peers_on_beacon(p, &self, &a, SEC);
    CHECK_UINT(peers_deadline(p), UINT64_MAX);
    CHECK_INT(next(p, 2 * SEC, 1), -1);
    CHECK(!peers_info(p, &self, &i));
    CHECK(!peers_take_changed(p));
    peers_free(p);
}

TEST(the_table_has_an_end)
{
    struct peers *p = book(PEERS_MAX + 8);
    struct device_id last = device(PEERS_MAX + 1);
    struct peer_info i;
    int dials = 0;

    CHECK(!peers_info(p, &last, &i));
    last = device(PEERS_MAX);
    CHECK(peers_info(p, &last, &i));
    for (unsigned n = 1; n <= PEERS_MAX; n++)
        learn(p, n, n);
    while (next(p, SEC, (uint64_t)dials + 1) >= 0)
        dials++;
    CHECK_INT(dials, PEERS_DIALS_MAX);
    CHECK_UINT(peers_deadline(p), UINT64_MAX);
    peers_on_down(p, 1, SEC);
    CHECK(next(p, SEC, 99) >= 0);
    peers_free(p);
}

/* What once worked is not driven out by hearsay, until it has failed. */
TEST(an_address_list_that_is_full)
{
    struct peers *p = book(2);
    struct device_id d = device(1);
    struct netaddr fixed = addr(50);
    uint64_t now = SEC;

    learn(p, 1, 11);
    CHECK_INT(next(p, now, 1), 11);
    up(p, 1, 1, now);
    peers_learn(p, &d, &fixed, PEER_STATIC);
    for (unsigned n = 100; n < 200; n++)
        learn(p, 1, n);
    peers_on_down(p, 1, now + 10 * SEC);
    now = peers_deadline(p);
    CHECK_INT(next(p, now, 2), 11);
    peers_on_down(p, 2, now);
    CHECK_INT(next(p, now, 3), 50);
    peers_on_down(p, 3, now);
    for (uint64_t conn = 4; conn < 10; conn++) {
        CHECK(next(p, now, conn) >= 100);
        peers_on_down(p, conn, now);
    }
    CHECK_INT(next(p, now, 10), -1); /* that were eight */
    peers_free(p);
}

/* Goes once through all addresses in vain. Was this one among them? */
static bool round_has(struct peers *p, int where, uint64_t *now)
{
    uint32_t rounds = info(p, 1).rounds;
    bool has = false;

    *now = peers_deadline(p);
    while (info(p, 1).rounds == rounds) {
        has |= next(p, *now, 1000) == where;
        peers_on_down(p, 1000, *now);
    }
    return has;
}

TEST(addresses_that_have_all_worked)
{
    struct peers *p = book(2);
    uint64_t now = SEC;

    for (unsigned n = 1; n <= PEER_ADDRS_MAX; n++) {
        now += 10 * SEC;
        beacon(p, 1, n, now);
        CHECK_INT(next(p, now, n), (int)n);
        up(p, n, 1, now);
        now += 10 * SEC;
        peers_on_down(p, n, now);
    }
    learn(p, 1, 99);
    CHECK(!round_has(p, 99, &now));
    CHECK(round_has(p, 1, &now));
    learn(p, 1, 99);
    CHECK(!round_has(p, 99, &now));
    learn(p, 1, 99); /* in vain for three rounds */
    CHECK(round_has(p, 99, &now));
    CHECK(!round_has(p, 1, &now)); /* the one that worked longest ago went */
    peers_free(p);
}

TEST(addresses_of_no_use)
{
    static const struct netaddr rows[] = {
        { .family = 0, .port = 1 },
        { .family = 4, .addr = { 10, 0, 0, 1 }, .port = 0 },
        { .family = 4, .addr = { 169, 254, 0, 1 }, .port = 1 },
        { .family = 6, .addr = { 0xfe, 0x80, [15] = 1 }, .port = 1 },
        { .family = 6,
            .addr = { 0xfe, 0x80, [15] = 1 },
            .port = 1,
            .scope = 2 },
    };
    struct peers *p = book(2);
    struct device_id d = device(1);

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        peers_learn(p, &d, &rows[i], PEER_GOSSIP);
    CHECK_INT(info(p, 1).state, PEER_NO_ADDRESS);
    CHECK_INT(peers_add_static(p, &rows[0], 0), SYNCLINE_EINVAL);
    peers_on_beacon(p, &d, &rows[3], SEC);
    CHECK_INT(info(p, 1).state, PEER_NO_ADDRESS);
    peers_on_beacon(p, &d, &rows[4], SEC); /* the interface is known */
    CHECK_UINT(info(p, 1).addr.scope, 2);
    peers_free(p);
}

TEST(a_static_address_is_dialled_until_somebody_answers)
{
    struct peers *p = book(3);
    struct netaddr a = addr(70);
    struct peers_dial dial;
    uint64_t now = SEC;

    CHECK_OK(peers_add_static(p, &a, 0));
    CHECK_OK(peers_add_static(p, &a, 0));
    CHECK(peers_next(p, now, 1, &dial));
    CHECK(!dial.known);
    CHECK(netaddr_eq(&dial.addr, &a));
    CHECK(!peers_next(p, now, 2, &dial));
    peers_on_down(p, 1, now);
    now = peers_deadline(p);
    CHECK_INT(next(p, now, 2), 70);
    up(p, 2, 1, now);
    CHECK_UINT(peers_deadline(p), UINT64_MAX);
    /* From now on it is one of that device's addresses. */
    peers_on_down(p, 2, now + 10 * SEC);
    now = peers_deadline(p);
    CHECK(peers_next(p, now, 3, &dial));
    CHECK(dial.known && netaddr_eq(&dial.addr, &a));
    CHECK(!peers_next(p, now, 4, &dial));
    /* When that device leaves, it is for itself again. */
    CHECK_OK(peers_set_members(p, NULL, 0, now));
    peers_on_down(p, 3, now);
    CHECK(peers_next(p, now + SEC, 5, &dial));
    CHECK(!dial.known);
    peers_free(p);
}

TEST(an_address_that_leads_to_oneself)
{
    struct peers *p = book(2);
    struct netaddr a = addr(70);
    uint64_t now = SEC;

    learn(p, 1, 11);
    CHECK_INT(next(p, now, 1), 11);
    up(p, 1, 0, now);
    peers_on_down(p, 1, now);
    CHECK_INT(info(p, 1).state, PEER_NO_ADDRESS);
    CHECK_OK(peers_add_static(p, &a, now));
    for (uint64_t conn = 2; conn < 20; conn++) {
        now = peers_deadline(p);
        CHECK_INT(next(p, now, conn), 70);
        up(p, conn, 0, now);
        peers_on_down(p, conn, now);
    }
    CHECK(peers_deadline(p) >= now + MAX_PAUSE / 2);
    peers_free(p);
}

/* Another member answers where one was expected. */
TEST(machines_that_have_changed_places)
{
    struct peers *p = book(3);

    learn(p, 1, 11);
    CHECK_INT(next(p, SEC, 1), 11);
    up(p, 1, 2, SEC);
    CHECK_INT(info(p, 2).state, PEER_UP);
    CHECK_INT(info(p, 2).addr.addr[3], 11);
    CHECK_INT(info(p, 1).state, PEER_WAITING);
    CHECK_UINT(info(p, 1).rounds, 1);
    peers_free(p);
}

/* Both dial each other: one of two connections goes, nothing is dialled. */
TEST(two_connections_to_one_device)
{
    struct peers *p = book(2);

    learn(p, 1, 11);
    CHECK_INT(next(p, SEC, 1), 11);
    up(p, 77, 1, SEC);
    up(p, 1, 1, SEC);
    peers_on_down(p, 1, SEC);
    CHECK_INT(info(p, 1).state, PEER_UP);
    CHECK_INT(next(p, 99 * SEC, 2), -1);
    peers_on_down(p, 77, 99 * SEC);
    CHECK_INT(next(p, 100 * SEC, 2), 11);
    peers_on_down(p, 12345, 100 * SEC); /* heard of by nobody */
    peers_on_down(p, 0, 100 * SEC);
    CHECK_INT(info(p, 1).state, PEER_DIALING);
    peers_free(p);
}

/* A static address answers while another one of the same device is dialled:
 * what comes of that dial is still told of the right one. */
TEST(two_dials_that_lead_to_one_device)
{
    struct peers *p = book(2);
    struct netaddr a = addr(70);

    learn(p, 1, 11);
    CHECK_INT(next(p, SEC, 1), 11);
    CHECK_OK(peers_add_static(p, &a, SEC));
    CHECK_INT(next(p, 2 * SEC, 2), 70);
    up(p, 2, 1, 2 * SEC);
    CHECK_INT(info(p, 1).addr.addr[3], 70);
    peers_on_down(p, 1, 2 * SEC);
    CHECK_UINT(info(p, 1).rounds, 1);
    CHECK_INT(info(p, 1).state, PEER_UP);
    peers_free(p);
}

/* The dial of a device that was removed meanwhile comes to nothing. */
TEST(members_come_and_go)
{
    struct peers *p = book(4);
    struct device_id ids[] = { device(0), device(2), device(5) };
    struct device_id gone = device(1);
    struct peer_info i;

    learn(p, 1, 11);
    CHECK_INT(next(p, SEC, 1), 11);
    learn(p, 2, 12);
    CHECK(peers_take_changed(p));
    CHECK(!peers_take_changed(p));
    CHECK_OK(peers_set_members(p, ids, 3, SEC));
    CHECK(peers_take_changed(p));
    CHECK(!peers_info(p, &gone, &i));
    peers_on_down(p, 1, SEC);
    up(p, 1, 1, SEC);
    CHECK_INT(next(p, SEC, 2), 12);
    learn(p, 5, 15);
    CHECK_INT(next(p, 2 * SEC, 3), 15);
    peers_free(p);
}

TEST(a_book_survives_a_restart)
{
    struct peers *p = book(4), *q = book(3);
    struct netaddr a = addr(70);
    struct buf b = { 0 };

    learn(p, 1, 11);
    learn(p, 1, 12);
    learn(p, 2, 21);
    learn(p, 3, 31);
    CHECK_OK(peers_add_static(p, &a, 0));
    up(p, 1, 2, 0);
    up(p, 2, 3, 0);
    for (uint64_t conn = 3; info(p, 1).state != PEER_UP; conn++) {
        int where = next(p, SEC, conn);

        if (where == 12)
            up(p, conn, 1, SEC);
        else
            peers_on_down(p, conn, SEC);
    }
    peers_save(p, &b);
    for (size_t n = 0; n < b.len; n++) {
        CHECK(peers_load(q, SLICE(b.ptr, n)) != SYNCLINE_OK);
        CHECK_INT(info(q, 1).state, PEER_NO_ADDRESS);
    }
    CHECK_OK(peers_load(q, buf_slice(&b)));
    CHECK_INT(info(q, 1).addr.addr[3], 12); /* what worked is first */
    CHECK_INT(info(q, 2).addr.addr[3], 21);
    b.ptr[0]++;
    CHECK_INT(peers_load(q, buf_slice(&b)), SYNCLINE_EVERSION);
    buf_free(&b);
    peers_free(p);
    peers_free(q);
}

TEST(memory_that_runs_out_leaves_the_table)
{
    struct peers *p = book(3);
    struct device_id ids[] = { device(1), device(7), device(8) };
    struct device_id d = device(2);
    struct peer_info i;
    int rc;

    learn(p, 1, 11);
    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = peers_set_members(p, ids, 3, SEC);
        if (!check_alloc_failed())
            break;
        check_alloc_fail_from(-1);
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        CHECK(peers_info(p, &d, &i));
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    CHECK(!peers_info(p, &d, &i));
    CHECK_INT(info(p, 1).addr.addr[3], 11);
    peers_free(p);
}
