#include "core/netaddr.h"

#include <stdio.h>

/* The longest run of two or more zero groups, the first of equals; its start
 * or -1 (RFC 5952, 4.2). */
static int zero_run(const uint16_t groups[8], int *len)
{
    int best = -1;

    *len = 1;
    for (int i = 0; i < 8; i++) {
        int n = 0;

        while (i + n < 8 && groups[i + n] == 0)
            n++;
        if (n > *len) {
            best = i;
            *len = n;
        }
        i += n;
    }
    return best;
}

static void format6(char *out, size_t room, const struct netaddr *addr)
{
    uint16_t groups[8];
    int run, run_len;
    size_t n = 0;

    for (size_t i = 0; i < 8; i++)
        groups[i] = (uint16_t)(addr->addr[2 * i] << 8 | addr->addr[2 * i + 1]);
    run = zero_run(groups, &run_len);
    for (int i = 0; i < 8; i++) {
        if (i == run) {
            n += (size_t)snprintf(out + n, room - n, "::");
            i += run_len - 1;
            continue;
        }
        n += (size_t)snprintf(out + n, room - n, "%s%x",
            i == 0 || i == run + run_len ? "" : ":", groups[i]);
    }
    if (addr->scope != 0)
        (void)snprintf(out + n, room - n, "%%%u", (unsigned)addr->scope);
}

void netaddr_format_ip(char out[NETADDR_TEXT], const struct netaddr *addr)
{
    const uint8_t *a = addr->addr;

    if (addr->family == 4)
        (void)snprintf(
            out, NETADDR_TEXT, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
    else if (addr->family == 6)
        format6(out, NETADDR_TEXT, addr);
    else
        (void)snprintf(out, NETADDR_TEXT, "none");
}

void netaddr_format(char out[NETADDR_TEXT], const struct netaddr *addr)
{
    char ip[NETADDR_TEXT];
    bool six = addr->family == 6;

    netaddr_format_ip(ip, addr);
    if (addr->family != 4 && !six)
        (void)snprintf(out, NETADDR_TEXT, "none");
    else /* an IP is at most 50 long; the limit is for the compiler */
        (void)snprintf(out, NETADDR_TEXT, "%s%.54s%s:%u", six ? "[" : "", ip,
            six ? "]" : "", (unsigned)addr->port);
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* A decimal number without leading zeros, up to max, off the front. */
static bool take_number(struct slice *in, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;
    size_t n = 0;

    while (n < in->len && is_digit(in->ptr[n]) && v <= max)
        v = v * 10 + (uint64_t)(in->ptr[n++] - '0');
    if (n == 0 || v > max || (n > 1 && in->ptr[0] == '0'))
        return false;
    *in = slice_from(*in, n);
    *out = (uint32_t)v;
    return true;
}

static bool take_char(struct slice *in, char c)
{
    if (in->len == 0 || in->ptr[0] != (uint8_t)c)
        return false;
    *in = slice_from(*in, 1);
    return true;
}

static bool take_ip4(struct slice *in, uint8_t out[4])
{
    for (size_t i = 0; i < 4; i++) {
        uint32_t v;

        if ((i > 0 && !take_char(in, '.')) || !take_number(in, 255, &v))
            return false;
        out[i] = (uint8_t)v;
    }
    return true;
}

static int hex_of(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_group(struct slice *in, uint8_t out[2])
{
    uint32_t v = 0;
    size_t n = 0;

    while (n < in->len && n < 4 && hex_of(in->ptr[n]) >= 0)
        v = v << 4 | (uint32_t)hex_of(in->ptr[n++]);
    if (n == 0)
        return false;
    *in = slice_from(*in, n);
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
    return true;
}

/* True if the text goes on as an IPv4 address: digits, then a dot. */
static bool is_dotted(struct slice in)
{
    size_t n = 0;

    while (n < in.len && is_digit(in.ptr[n]))
        n++;
    return n > 0 && n < in.len && in.ptr[n] == '.';
}

/* Groups, with "::" at most once; gap is where it stands, or -1. */
static bool take_groups(
    struct slice *in, uint8_t bytes[16], size_t *len, int *gap)
{
    size_t n = 0;

    *gap = -1;
    if (in->len >= 2 && in->ptr[0] == ':' && in->ptr[1] == ':') {
        *in = slice_from(*in, 2);
        *gap = 0;
    }
    while (n < 16 && in->len > 0 &&
        (hex_of(in->ptr[0]) >= 0 || in->ptr[0] == ':')) {
        if (n > 0 && *gap != (int)n && !take_char(in, ':'))
            return false;
        if (n > 0 && *gap < 0 && take_char(in, ':')) {
            *gap = (int)n;
            continue;
        }
        if (is_dotted(*in)) {
            if (n > 12 || !take_ip4(in, bytes + n))
                return false;
            n += 4;
            break;
        }
        if (!take_group(in, bytes + n))
            return false;
        n += 2;
    }
    *len = n;
    return true;
}

static bool take_ip6(struct slice *in, struct netaddr *out)
{
    uint8_t bytes[16];
    size_t len, head;
    int gap;

    if (!take_groups(in, bytes, &len, &gap))
        return false;
    /* "::" stands for one group at least */
    if (gap < 0 ? len != 16 : len > 14)
        return false;
    head = gap < 0 ? len : (size_t)gap;
    memcpy(out->addr, bytes, head);
    memcpy(out->addr + 16 - (len - head), bytes + head, len - head);
    if (take_char(in, '%') &&
        (!take_number(in, UINT32_MAX, &out->scope) || out->scope == 0))
        return false;
    return true;
}

static bool take_port(struct slice *in, struct netaddr *out)
{
    uint32_t port;

    if (in->len == 0)
        return true;
    if (!take_char(in, ':') || !take_number(in, 65535, &port))
        return false;
    out->port = (uint16_t)port;
    return in->len == 0;
}

static bool parse(struct netaddr *out, struct slice in)
{
    if (take_char(&in, '[')) {
        out->family = 6;
        return take_ip6(&in, out) && take_char(&in, ']') && take_port(&in, out);
    }
    if (is_dotted(in)) {
        out->family = 4;
        return take_ip4(&in, out->addr) && take_port(&in, out);
    }
    out->family = 6;
    return take_ip6(&in, out) && in.len == 0;
}

int netaddr_parse(struct netaddr *out, struct slice text, uint16_t default_port,
    struct errmsg *why)
{
    struct netaddr addr = { .port = default_port };

    if (!parse(&addr, text))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "\"%.*s\" is no address; write 192.168.1.5:4748 or "
            "[fe80::1%%2]:4748, the port may be left out",
            text.len > 80 ? 80 : (int)text.len,
            text.len > 0 ? (const char *)text.ptr : "");
    *out = addr;
    return SYNCLINE_OK;
}

int netaddr_cmp(const struct netaddr *a, const struct netaddr *b)
{
    int c;

    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    c = memcmp(a->addr, b->addr, sizeof a->addr);
    if (c != 0)
        return c;
    if (a->scope != b->scope)
        return a->scope < b->scope ? -1 : 1;
    return (a->port > b->port) - (a->port < b->port);
}

bool netaddr_same_ip(const struct netaddr *a, const struct netaddr *b)
{
    return a->family == b->family && a->scope == b->scope &&
        memcmp(a->addr, b->addr, sizeof a->addr) == 0;
}

bool netaddr_is_loopback(const struct netaddr *addr)
{
    static const uint8_t one[16] = { [15] = 1 };

    if (addr->family == 4)
        return addr->addr[0] == 127;
    return addr->family == 6 && memcmp(addr->addr, one, sizeof one) == 0;
}

bool netaddr_is_link_local(const struct netaddr *addr)
{
    if (addr->family == 4)
        return addr->addr[0] == 169 && addr->addr[1] == 254;
    return addr->family == 6 && addr->addr[0] == 0xfe &&
        (addr->addr[1] & 0xc0) == 0x80;
}
