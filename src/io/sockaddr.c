#include "io/sockaddr.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <netinet/in.h>

bool sockaddr_of(struct sockaddr_storage *out, const struct netaddr *addr)
{
    memset(out, 0, sizeof *out);
    if (addr->family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;

        in->sin_family = AF_INET;
        in->sin_port = htons(addr->port);
        memcpy(&in->sin_addr, addr->addr, 4);
        return true;
    }
    if (addr->family == 6) {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)out;

        in->sin6_family = AF_INET6;
        in->sin6_port = htons(addr->port);
        in->sin6_scope_id = addr->scope;
        memcpy(&in->sin6_addr, addr->addr, 16);
        return true;
    }
    return false;
}

int netaddr_parse_here(struct netaddr *out, struct slice text,
    uint16_t default_port, struct errmsg *why)
{
    const uint8_t *at = memchr(text.ptr, '%', text.len);
    char zone[IF_NAMESIZE], spelled[NETADDR_TEXT];
    struct slice before, name, behind;
    unsigned index = 0;
    int n;

    if (at == NULL)
        return netaddr_parse(out, text, default_port, why);
    before = SLICE(text.ptr, (size_t)(at - text.ptr));
    name = slice_from(text, before.len + 1);
    at = memchr(name.ptr, ']', name.len);
    behind =
        at != NULL ? slice_from(name, (size_t)(at - name.ptr)) : SLICE_NONE;
    name.len -= behind.len;
    if (name.len < sizeof zone) {
        (void)snprintf(zone, sizeof zone, "%.*s", SLICE_FMT(name));
        index = if_nametoindex(zone);
    }
    if (index == 0) /* it is a number, or nothing here */
        return netaddr_parse(out, text, default_port, why);
    n = snprintf(spelled, sizeof spelled, "%.*s%%%u%.*s", SLICE_FMT(before),
        index, SLICE_FMT(behind));
    return netaddr_parse(out,
        SLICE(spelled, (size_t)n < sizeof spelled ? (size_t)n : 0),
        default_port, why);
}

struct netaddr netaddr_of(const struct sockaddr *sa)
{
    struct netaddr addr = { 0 };
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (sa->sa_family == AF_INET) {
        memcpy(&in, sa, sizeof in);
        addr.family = 4;
        addr.port = ntohs(in.sin_port);
        memcpy(addr.addr, &in.sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&in6, sa, sizeof in6);
        addr.port = ntohs(in6.sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
            addr.family = 4;
            memcpy(addr.addr, in6.sin6_addr.s6_addr + 12, 4);
        } else {
            addr.family = 6;
            addr.scope = in6.sin6_scope_id;
            memcpy(addr.addr, &in6.sin6_addr, 16);
        }
    }
    return addr;
}
