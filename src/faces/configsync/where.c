#include "faces/configsync/where.h"

#include <stdio.h>

#include "faces/configsync/rate.h"

static int bad_url(struct errmsg *why, struct slice text)
{
    /* There may be a password in it. */
    if (text.len > 0 && memchr(text.ptr, '@', text.len) != NULL)
        text = SLICE_LIT("with an @ in it");
    return errmsg_set(why, SYNCLINE_EINVAL,
        "%.*s: no URL of a WebSocket; write ws://name:8765/sync or "
        "wss://name/sync",
        SLICE_FMT(text));
}

static bool is_graph(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f || s.ptr[i] == '#' ||
            s.ptr[i] == '@' || s.ptr[i] == '\\')
            return false;
    return true;
}

static size_t find(struct slice s, const char *any)
{
    size_t i = 0;

    while (i < s.len && strchr(any, s.ptr[i]) == NULL)
        i++;
    return i;
}

static bool read_port(struct slice s, uint16_t *out)
{
    unsigned port = 0;

    if (s.len == 0 || s.len > 5)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        port = port * 10 + (unsigned)(s.ptr[i] - '0');
    }
    *out = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

/* host[:port], the host in brackets if it holds colons. */
static bool read_authority(struct ws_url *out, struct slice s)
{
    struct slice host, port = SLICE_NONE;
    size_t n;

    if (s.len > 0 && s.ptr[0] == '[') {
        n = find(s, "]");
        if (n == s.len)
            return false;
        host = SLICE(s.ptr + 1, n - 1);
        s = slice_from(s, n + 1);
        if (s.len > 0 && s.ptr[0] != ':')
            return false;
        n = 0;
    } else {
        n = find(s, ":");
        host = SLICE(s.ptr, n);
        s = slice_from(s, n);
    }
    if (s.len > 0)
        port = slice_from(s, 1);
    if (host.len == 0 || host.len >= URL_HOST_MAX ||
        (s.len > 0 && !read_port(port, &out->port)))
        return false;
    memcpy(out->host, host.ptr, host.len);
    out->host[host.len] = 0;
    return true;
}

static void name_host(struct ws_url *u)
{
    const char *form = strchr(u->host, ':') != NULL ? "[%s]" : "%s";
    char host[URL_HOST_MAX + 2];

    (void)snprintf(host, sizeof host, form, u->host);
    if (u->port == (u->is_secure ? 443 : 80))
        (void)snprintf(u->named, sizeof u->named, "%s", host);
    else
        (void)snprintf(u->named, sizeof u->named, "%s:%u", host, u->port);
}

int ws_url_parse(struct ws_url *out, struct slice text, struct errmsg *why)
{
    struct ws_url u = { .port = 80, .path = "/" };
    struct slice s = text, path;
    size_t n;

    if (slice_has_prefix(s, SLICE_LIT("wss://"))) {
        u.is_secure = true;
        u.port = 443;
        s = slice_from(s, 6);
    } else if (slice_has_prefix(s, SLICE_LIT("ws://"))) {
        s = slice_from(s, 5);
    } else {
        return bad_url(why, text);
    }
    n = find(s, "/?");
    path = slice_from(s, n);
    if (!is_graph(s) || !read_authority(&u, SLICE(s.ptr, n)) ||
        path.len + 2 > sizeof u.path)
        return bad_url(why, text);
    if (path.len > 0)
        (void)snprintf(u.path, sizeof u.path, "%s%.*s",
            path.ptr[0] == '?' ? "/" : "", SLICE_FMT(path));
    name_host(&u);
    *out = u;
    return SYNCLINE_OK;
}

static int bad_network(struct errmsg *why, struct slice text)
{
    return errmsg_set(why, SYNCLINE_EINVAL,
        "%.*s: no network; write any, local, 192.0.2.7 or 192.0.2.0/24",
        SLICE_FMT(text));
}

int network_parse(struct network *out, struct slice text, struct errmsg *why)
{
    struct network n = { .is_any = slice_is(text, "any"),
        .is_local = slice_is(text, "local") };
    size_t slash = find(text, "/");
    uint16_t bits = 0;
    uint8_t most;

    if (n.is_any || n.is_local) {
        *out = n;
        return SYNCLINE_OK;
    }
    if (netaddr_parse(&n.base, SLICE(text.ptr, slash), 0, NULL) !=
            SYNCLINE_OK ||
        n.base.port != 0)
        return bad_network(why, text);
    most = n.base.family == 6 ? 128 : 32;
    n.bits = most;
    if (slash < text.len) {
        struct slice digits = slice_from(text, slash + 1);

        if (!slice_is(digits, "0") &&
            (!read_port(digits, &bits) || bits > most))
            return bad_network(why, text);
        n.bits = (uint8_t)bits;
    }
    *out = n;
    return SYNCLINE_OK;
}

/* fc00::/7 */
static bool is_private_6(const struct netaddr *addr)
{
    return addr->family == 6 && (addr->addr[0] & 0xfe) == 0xfc;
}

bool network_has(const struct network *n, const struct netaddr *addr)
{
    uint8_t rest = n->bits % 8;

    if (n->is_any)
        return true;
    if (n->is_local)
        return netaddr_is_loopback(addr) || rate_is_local(addr) ||
            netaddr_is_link_local(addr) || is_private_6(addr);
    if (addr->family != n->base.family ||
        memcmp(addr->addr, n->base.addr, n->bits / 8) != 0)
        return false;
    return rest == 0 ||
        ((addr->addr[n->bits / 8] ^ n->base.addr[n->bits / 8]) >> (8 - rest)) ==
        0;
}
