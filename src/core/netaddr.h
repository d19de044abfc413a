/* netaddr.h - where a machine listens: an IP address and a port.
 *
 * Pure: text and bytes only, names are never looked up. Law: parse(format(x))
 * is x, but for family 0, which is nowhere and has no text to parse. */
#ifndef SYNCLINE_CORE_NETADDR_H
#define SYNCLINE_CORE_NETADDR_H

#include "base/error.h"
#include "base/slice.h"

struct netaddr {
    uint8_t family;   /* 4, 6, or 0: none */
    uint8_t addr[16]; /* family 4 uses the first four, the rest is zero */
    uint16_t port;
    uint32_t scope; /* family 6: the interface's index, 0 where none is named */
};

/* Room for "[8 groups%4294967295]:65535" and a NUL. */
#define NETADDR_TEXT 64

/* "1.2.3.4:4748", "[fe80::1%2]:4748" (RFC 5952), or "none". */
void netaddr_format(char out[NETADDR_TEXT], const struct netaddr *addr);
/* The address alone: "1.2.3.4", "fe80::1%2", or "none". */
void netaddr_format_ip(char out[NETADDR_TEXT], const struct netaddr *addr);
/* Reads either form; an IPv6 address with a port needs its brackets. A port
 * of 0 may be written. EINVAL: why says what a good one looks like. */
NODISCARD int netaddr_parse(struct netaddr *out, struct slice text,
    uint16_t default_port, struct errmsg *why);

/* Orders by family, address, scope, port. */
int netaddr_cmp(const struct netaddr *a, const struct netaddr *b);

static inline bool netaddr_eq(const struct netaddr *a, const struct netaddr *b)
{
    return netaddr_cmp(a, b) == 0;
}

/* The same address, whatever the port. */
bool netaddr_same_ip(const struct netaddr *a, const struct netaddr *b);
/* 127.0.0.0/8 or ::1. */
bool netaddr_is_loopback(const struct netaddr *addr);
/* fe80::/10 or 169.254.0.0/16: of no use beyond its link. */
bool netaddr_is_link_local(const struct netaddr *addr);

#endif
