#include "faces/configsync/where.h"

#include "unit/check.h"

TEST(urls)
{
    static const struct {
        const char *text, *host, *named, *path; /* host NULL: none */
        unsigned port;
        bool is_secure;
    } rows[] = {
        { "ws://localhost:8765/sync", "localhost", "localhost:8765", "/sync",
            8765, false },
        { "wss://h/sync", "h", "h", "/sync", 443, true },
        { "ws://h", "h", "h", "/", 80, false },
        { "ws://h?a=b", "h", "h", "/?a=b", 80, false },
        { "ws://[::1]:1/s?x", "::1", "[::1]:1", "/s?x", 1, false },
        { "wss://[fe80::1]/", "fe80::1", "[fe80::1]", "/", 443, true },
        { "ws://192.168.1.100:8765/sync", "192.168.1.100", "192.168.1.100:8765",
            "/sync", 8765, false },
        { .text = "http://h/sync" },
        { .text = "ws:/h" },
        { .text = "" },
        { .text = "ws://" },
        { .text = "ws:///sync" },
        { .text = "ws://h:0/sync" },
        { .text = "ws://h:65536/sync" },
        { .text = "ws://h:/sync" },
        { .text = "ws://h:8x/sync" },
        { .text = "ws://u@h/sync" },
        { .text = "ws://h/sync#a" },
        { .text = "ws://h/sy nc" },
        { .text = "ws://h/\r\nX: y" },
        { .text = "ws://[::1/sync" },
        { .text = "ws://[::1]x/sync" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct ws_url u = { 0 };
        struct errmsg why = { "" };
        int rc = ws_url_parse(&u, slice_str(rows[i].text), &why);

        CHECK_SAYING((rc == SYNCLINE_OK) == (rows[i].host != NULL), "%s: %d",
            rows[i].text, rc);
        if (rows[i].host == NULL)
            continue;
        CHECK_SLICE(slice_str(u.host), rows[i].host);
        CHECK_SLICE(slice_str(u.named), rows[i].named);
        CHECK_SLICE(slice_str(u.path), rows[i].path);
        CHECK_UINT(u.port, rows[i].port);
        CHECK_INT(u.is_secure, rows[i].is_secure);
    }
}

TEST(networks)
{
    static const struct {
        const char *network, *addr;
        bool has;
    } rows[] = {
        { "any", "203.0.113.9", true },
        { "local", "203.0.113.9", false },
        { "local", "192.168.7.7", true },
        { "local", "127.0.0.1", true },
        { "local", "::1", true },
        { "local", "fe80::1", true },
        { "local", "fd00::1", true },
        { "local", "2001:db8::1", false },
        { "192.0.2.0/24", "192.0.2.255", true },
        { "192.0.2.0/24", "192.0.3.0", false },
        { "192.0.2.128/25", "192.0.2.127", false },
        { "192.0.2.128/25", "192.0.2.128", true },
        { "192.0.2.7", "192.0.2.7", true },
        { "192.0.2.7", "192.0.2.6", false },
        { "0.0.0.0/0", "203.0.113.9", true },
        { "0.0.0.0/0", "::1", false },
        { "2001:db8::/33", "2001:db8:7fff::", true },
        { "2001:db8::/33", "2001:db8:8000::", false },
    };
    static const char *const bad[] = { "", "x", "192.0.2.0/33", "192.0.2.0/",
        "192.0.2.0/-1", "192.0.2.0:80", "192.0.2.0/024x", "::/129" };
    struct network n;

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct netaddr at = { 0 };

        CHECK_OK(network_parse(&n, slice_str(rows[i].network), NULL));
        CHECK_OK(netaddr_parse(&at, slice_str(rows[i].addr), 0, NULL));
        CHECK_SAYING(network_has(&n, &at) == rows[i].has, "%s in %s",
            rows[i].addr, rows[i].network);
    }
    for (size_t i = 0; i < ARRAY_N(bad); i++)
        CHECK_SAYING(
            network_parse(&n, slice_str(bad[i]), NULL) == SYNCLINE_EINVAL, "%s",
            bad[i]);
}
