#include "core/netaddr.h"

#include "unit/check.h"

#include "base/prng.h"

TEST(addresses_are_written_as_people_write_them)
{
    static const struct {
        const char *text, *back;
    } rows[] = {
        { "1.2.3.4:4748", "1.2.3.4:4748" },
        { "1.2.3.4", "1.2.3.4:99" },
        { "0.0.0.0:0", "0.0.0.0:0" },
        { "255.255.255.255:65535", "255.255.255.255:65535" },
        { "[::]:1", "[::]:1" },
        { "::", "[::]:99" },
        { "::1", "[::1]:99" },
        { "[::1]", "[::1]:99" },
        { "[fe80::1%2]:4748", "[fe80::1%2]:4748" },
        { "fe80::1%4294967295", "[fe80::1%4294967295]:99" },
        { "FE80::aBc", "[fe80::abc]:99" },
        { "1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:99" },
        { "1::", "[1::]:99" },
        { "1:0:0:2:0:0:0:3", "[1:0:0:2::3]:99" },
        { "1:0:0:2:0:0:3:4", "[1::2:0:0:3:4]:99" }, /* first of equals */
        { "1:0:2:3:4:5:6:7", "[1:0:2:3:4:5:6:7]:99" },
        { "1:2:3:4:5:6:0:0", "[1:2:3:4:5:6::]:99" },
        { "0:0:0:0:0:0:0:0", "[::]:99" },
        { "::ffff:1.2.3.4", "[::ffff:102:304]:99" },
        { "1:2:3:4:5:6:1.2.3.4", "[1:2:3:4:5:6:102:304]:99" },
        { "2001:0db8::0001", "[2001:db8::1]:99" },
        { "12::", "[12::]:99" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct netaddr addr;
        char text[NETADDR_TEXT];
        int rc = netaddr_parse(&addr, slice_str(rows[i].text), 99, NULL);

        CHECK_SAYING(rc == SYNCLINE_OK, "\"%s\" refused", rows[i].text);
        netaddr_format(text, &addr);
        CHECK_SLICE(slice_str(text), rows[i].back);
    }
}

TEST(what_is_no_address_is_refused_and_said)
{
    static const char *const rows[] = { "", "1", "1.2.3", "1.2.3.4.5",
        "256.1.1.1", "01.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:07",
        "1.2.3.4 ", " 1.2.3.4", "1.2.3.4:-1", "a.b.c.d", "host:4748", "[::1",
        "::1]", "[::1]4748", "[::1]:", "[1.2.3.4]:1", ":::", "1:::2",
        "::1::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7:8", "12345::", "fe80::1%",
        "fe80::1%0", "fe80::1%eth0", "fe80::1%4294967296", "1.2.3.4%1",
        "::1.2.3", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4",
        "g::", "99999999999999999999.1.1.1" };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct netaddr addr = { .family = 77 };
        struct errmsg why = { "" };

        CHECK_SAYING(netaddr_parse(&addr, slice_str(rows[i]), 1, &why) ==
                SYNCLINE_EINVAL,
            "\"%s\" accepted", rows[i]);
        CHECK_UINT(addr.family, 77);
        CHECK(why.text[0] != 0);
    }
}

TEST(random_addresses_come_back)
{
    struct prng p = { 5 };

    for (int i = 0; i < 5000; i++) {
        struct netaddr addr = { .family = prng_one_in(&p, 2) ? 4 : 6 }, back;
        char text[NETADDR_TEXT];

        for (size_t k = 0; k < (addr.family == 4 ? 4 : 16); k++)
            addr.addr[k] =
                prng_one_in(&p, 2) ? 0 : (uint8_t)prng_below(&p, 256);
        addr.port = (uint16_t)prng_next(&p);
        if (addr.family == 6 && prng_one_in(&p, 3))
            addr.scope = (uint32_t)prng_next(&p);
        netaddr_format(text, &addr);
        CHECK_OK(netaddr_parse(&back, slice_str(text), 0, NULL));
        CHECK_SAYING(netaddr_eq(&addr, &back), "%s", text);
    }
}

TEST(kinds_of_addresses)
{
    static const struct {
        const char *text;
        bool loopback, link_local;
    } rows[] = {
        { "127.0.0.1", true, false },
        { "127.9.9.9", true, false },
        { "128.0.0.1", false, false },
        { "169.254.1.1", false, true },
        { "169.253.1.1", false, false },
        { "::1", true, false },
        { "::2", false, false },
        { "fe80::1", false, true },
        { "febf::1", false, true },
        { "fec0::1", false, false },
    };
    static const struct netaddr none;
    char text[NETADDR_TEXT];

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct netaddr addr;

        CHECK_OK(netaddr_parse(&addr, slice_str(rows[i].text), 1, NULL));
        CHECK_SAYING(netaddr_is_loopback(&addr) == rows[i].loopback &&
                netaddr_is_link_local(&addr) == rows[i].link_local,
            "%s", rows[i].text);
    }
    netaddr_format(text, &none);
    CHECK_SLICE(slice_str(text), "none");
    CHECK(!netaddr_is_loopback(&none) && !netaddr_is_link_local(&none));
}

TEST(order_and_likeness)
{
    struct netaddr a, b;

    CHECK_OK(netaddr_parse(&a, SLICE_LIT("1.2.3.4:5"), 0, NULL));
    CHECK_OK(netaddr_parse(&b, SLICE_LIT("1.2.3.4:6"), 0, NULL));
    CHECK(netaddr_cmp(&a, &b) < 0 && netaddr_cmp(&b, &a) > 0);
    CHECK(netaddr_same_ip(&a, &b) && !netaddr_eq(&a, &b));
    CHECK_OK(netaddr_parse(&b, SLICE_LIT("[fe80::1%2]:1"), 0, NULL));
    CHECK(netaddr_cmp(&a, &b) < 0);
    a = b;
    a.scope = 3;
    CHECK(netaddr_cmp(&a, &b) > 0 && !netaddr_same_ip(&a, &b));
}
