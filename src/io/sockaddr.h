/* sockaddr.h - addresses between the system's form and ours. */
#ifndef SYNCLINE_IO_SOCKADDR_H
#define SYNCLINE_IO_SOCKADDR_H

#include <sys/socket.h>

#include "core/netaddr.h"

/* False for family 0. */
bool sockaddr_of(struct sockaddr_storage *out, const struct netaddr *addr);
/* As netaddr_parse, and the zone may be named: fe80::1%eth0. */
NODISCARD int netaddr_parse_here(struct netaddr *out, struct slice text,
    uint16_t default_port, struct errmsg *why);
/* Family 0 for what is no IP; ::ffff:1.2.3.4 becomes 1.2.3.4. */
struct netaddr netaddr_of(const struct sockaddr *sa);

#endif
