#include "app/attempts.h"

#include "unit/check.h"

#include <stdio.h>

#define T0 UINT64_C(1000000000)
#define SECOND UINT64_C(1000000)

static struct attempts a;

static struct netaddr at(const char *text)
{
    struct netaddr addr;

    CHECK_OK(netaddr_parse(&addr, slice_str(text), 0, NULL));
    return addr;
}

static void fail(const char *from, int times, uint64_t now_us)
{
    const struct netaddr addr = at(from);

    for (int i = 0; i < times; i++)
        attempts_failed(&a, &addr, now_us);
}

static uint64_t wait(const char *from, uint64_t now_us)
{
    const struct netaddr addr = at(from);

    return attempts_wait_us(&a, &addr, now_us);
}

/* Four are free; the fifth shuts the door until the first is a minute old. */
TEST(five_within_a_minute_are_enough)
{
    a = (struct attempts){ .n = 0 };
    fail("127.0.0.1:1", 1, T0);
    fail("127.0.0.1:2", 3, T0 + 10 * SECOND);
    CHECK_UINT(wait("127.0.0.1", T0 + 10 * SECOND), 0);
    fail("127.0.0.1:3", 1, T0 + 20 * SECOND);
    CHECK_UINT(wait("127.0.0.1:9", T0 + 20 * SECOND), 40 * SECOND);
    CHECK_UINT(wait("127.0.0.2", T0 + 20 * SECOND), 0);
    CHECK_UINT(wait("127.0.0.1", T0 + 60 * SECOND - 1), 1);
    CHECK_UINT(wait("127.0.0.1", T0 + 60 * SECOND), 0);
    fail("127.0.0.1", 1, T0 + 60 * SECOND); /* of four of ten seconds */
    CHECK_UINT(wait("127.0.0.1", T0 + 60 * SECOND), 10 * SECOND);
}

/* Who goes on with what may be right by now is heard when the minute is over.
 */
TEST(what_is_said_meanwhile_does_not_count)
{
    a = (struct attempts){ .n = 0 };
    fail("127.0.0.1", 5, T0);
    for (uint64_t s = 1; s < 60; s++) {
        fail("127.0.0.1", 1, T0 + s * SECOND);
        CHECK_UINT(wait("127.0.0.1", T0 + s * SECOND), (60 - s) * SECOND);
    }
    CHECK_UINT(wait("127.0.0.1", T0 + 60 * SECOND), 0);
}

TEST(slow_failures_never_shut_the_door)
{
    a = (struct attempts){ .n = 0 };
    for (uint64_t i = 0; i < 100; i++) {
        CHECK_UINT(wait("10.0.0.1", T0 + i * 15 * SECOND), 0);
        fail("10.0.0.1", 1, T0 + i * 15 * SECOND);
    }
}

/* A machine has as many addresses of its /64 as it likes. */
TEST(a_network_of_ipv6_counts_as_one)
{
    a = (struct attempts){ .n = 0 };
    fail("2001:db8::1", 3, T0);
    fail("2001:db8::ffff:2", 2, T0);
    CHECK(wait("2001:db8::3", T0) > 0);
    CHECK_UINT(wait("2001:db8:0:1::3", T0), 0);
    fail("::1", 5, T0);
    CHECK(wait("::1", T0) > 0);
    CHECK_UINT(wait("::2", T0), 0);
}

TEST(more_addresses_than_there_is_room_for)
{
    char text[32];

    a = (struct attempts){ .n = 0 };
    fail("10.9.9.9", 5, T0 + 1); /* later than all others, so it stays */
    for (int i = 0; i < 3 * ATTEMPTS_ADDRESSES; i++) {
        (void)snprintf(text, sizeof text, "10.1.%d.%d", i / 256, i % 256);
        fail(text, 1, T0);
    }
    CHECK_UINT(a.n, ATTEMPTS_ADDRESSES);
    CHECK(wait("10.9.9.9", T0 + 2) > 0);
}
