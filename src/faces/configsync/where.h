/* where.h - whom a face calls and whom it lets in: URLs of WebSockets, and
 * networks.
 *
 * Pure: names are never looked up. */
#ifndef SYNCLINE_FACES_CONFIGSYNC_WHERE_H
#define SYNCLINE_FACES_CONFIGSYNC_WHERE_H

#include "core/netaddr.h"

#define URL_HOST_MAX 256
#define URL_PATH_MAX 512

struct ws_url {
    bool is_secure;
    char host[URL_HOST_MAX];       /* without brackets, for a look-up */
    char named[URL_HOST_MAX + 10]; /* for the field Host */
    uint16_t port;
    char path[URL_PATH_MAX]; /* begins with '/', a query behind it */
};

/* "ws://name:8765/sync" or "wss://...": no user, no fragment; without a port
 * 80 or 443, without a path "/". EINVAL: why says what a good one is like. */
NODISCARD int ws_url_parse(
    struct ws_url *out, struct slice text, struct errmsg *why);

struct network {
    bool is_any, is_local;
    struct netaddr base;
    uint8_t bits;
};

/* "any", "local" (loopback, private networks and one's own link), an address,
 * or an address and how many of its bits count: "192.0.2.0/24". */
NODISCARD int network_parse(
    struct network *out, struct slice text, struct errmsg *why);
bool network_has(const struct network *n, const struct netaddr *addr);

#endif
