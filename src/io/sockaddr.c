#include "io/sockaddr.h"

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
