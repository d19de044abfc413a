/* sockaddr.h - addresses between the system's form and ours. */
#ifndef SYNCLINE_IO_SOCKADDR_H
#define SYNCLINE_IO_SOCKADDR_H

#include <sys/socket.h>

#include "core/netaddr.h"

/* False for family 0. */
bool sockaddr_of(struct sockaddr_storage *out, const struct netaddr *addr);
/* Family 0 for what is no IP; ::ffff:1.2.3.4 becomes 1.2.3.4. */
struct netaddr netaddr_of(const struct sockaddr *sa);

#endif
