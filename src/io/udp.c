#include "io/udp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "base/pace.h"
#include "base/plant.h"
#include "io/sockaddr.h"

#define PORT_DEFAULT 4748
#define RESCAN_MS 5000
#define NETS_MAX 256
#define LINKS_MAX 64
#define PER_S 1000
#define PER_IP 20
#define SENDERS 256 /* remembered; more share a place */
#define AT_ONCE 32  /* datagrams a system call takes */
#define TURNS 4     /* system calls before the loop has its turn again */

/* A network that an interface is in: who in it sends is on the link. */
struct network {
    unsigned index;
    uint8_t family;
    uint8_t addr[16], mask[16];
};

/* One interface in one family. */
struct link {
    unsigned index;
    uint8_t family;
    bool present; /* in the scan under way */
    char name[IF_NAMESIZE];
};

struct door {
    struct udp *udp;
    uint8_t family;
    int fd; /* -1: the machine has no such family */
    uv_poll_t poll;
};

/* An address that has sent something lately. */
struct sender {
    struct netaddr addr;
    struct pace pace;
};

struct udp {
    struct udp_options opt;
    struct pace pace;
    struct sender senders[SENDERS];
    uint64_t dropped;
    char interface[IF_NAMESIZE];
    struct door doors[2];
    uv_timer_t rescan;
    unsigned handles;
    struct network nets[NETS_MAX];
    unsigned nets_n;
    struct link links[LINKS_MAX]; /* joined */
    unsigned links_n;
    bool warned;    /* that nothing is joined */
    bool mute;      /* nothing could be sent the last time */
    size_t largest; /* bytes of a datagram */
    struct sockaddr_in group4;
    struct sockaddr_in6 group6;
};

static bool set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* And how to do without. */
static void warn(struct udp *u, const char *what)
{
    const char *advice =
        u->opt.advice != NULL ? u->opt.advice : "name others with --peer";
    struct errmsg text;

    (void)errmsg_set(&text, 0, "discovery: %s; %s", what, advice);
    if (u->opt.on_warn != NULL)
        u->opt.on_warn(u->opt.ctx, text.text);
}

/* Group membership per interface. */
static int membership(struct udp *u, const struct link *l, bool join)
{
    struct ip_mreqn four = { .imr_multiaddr = u->group4.sin_addr,
        .imr_ifindex = (int)l->index };
    struct ipv6_mreq six = { .ipv6mr_multiaddr = u->group6.sin6_addr,
        .ipv6mr_interface = l->index };

    if (l->family == 4)
        return setsockopt(u->doors[0].fd, IPPROTO_IP,
            join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &four, sizeof four);
    return setsockopt(u->doors[1].fd, IPPROTO_IPV6,
        join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &six, sizeof six);
}

static struct link *find_link(struct udp *u, unsigned index, uint8_t family)
{
    for (unsigned i = 0; i < u->links_n; i++)
        if (u->links[i].index == index && u->links[i].family == family)
            return &u->links[i];
    return NULL;
}

static void note_link(
    struct udp *u, unsigned index, uint8_t family, const char *name)
{
    struct link *l = find_link(u, index, family);
    struct link made = { .index = index, .family = family, .present = true };

    if (l != NULL) {
        l->present = true;
        return;
    }
    if (u->links_n == LINKS_MAX || u->doors[family == 6].fd < 0)
        return;
    (void)snprintf(made.name, sizeof made.name, "%s", name);
    /* EADDRINUSE: still joined from before the link went away */
    if (membership(u, &made, true) == 0 || errno == EADDRINUSE)
        u->links[u->links_n++] = made;
}

static void note_network(
    struct udp *u, unsigned index, const struct ifaddrs *ifa)
{
    struct netaddr addr = netaddr_of(ifa->ifa_addr), mask;
    struct network *n = &u->nets[u->nets_n];

    if (u->nets_n == NETS_MAX || ifa->ifa_netmask == NULL)
        return;
    mask = netaddr_of(ifa->ifa_netmask);
    if (mask.family != addr.family)
        return;
    u->nets_n++;
    n->index = index;
    n->family = addr.family;
    memcpy(n->addr, addr.addr, sizeof n->addr);
    memcpy(n->mask, mask.addr, sizeof n->mask);
}

static void note(struct udp *u, const struct ifaddrs *ifa)
{
    unsigned index;
    bool chosen;

    if (ifa->ifa_addr == NULL || (ifa->ifa_flags & IFF_UP) == 0 ||
        (ifa->ifa_addr->sa_family != AF_INET &&
            ifa->ifa_addr->sa_family != AF_INET6))
        return;
    index = if_nametoindex(ifa->ifa_name);
    if (index == 0)
        return;
    note_network(u, index, ifa);
    chosen = u->opt.interface == NULL
        ? (ifa->ifa_flags & IFF_MULTICAST) != 0 &&
            (ifa->ifa_flags & IFF_LOOPBACK) == 0
        : strcmp(u->interface, ifa->ifa_name) == 0;
    if (chosen)
        note_link(u, index, ifa->ifa_addr->sa_family == AF_INET ? 4 : 6,
            ifa->ifa_name);
}

/* Leaves where the link has gone, so that it can be joined again later. */
static void forget_absent(struct udp *u)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < u->links_n; i++) {
        if (u->links[i].present)
            u->links[kept++] = u->links[i];
        else
            (void)membership(u, &u->links[i], false);
    }
    u->links_n = kept;
}

static void scan(struct udp *u)
{
    struct ifaddrs *all = NULL;

    if (getifaddrs(&all) != 0)
        return; /* as it was */
    for (unsigned i = 0; i < u->links_n; i++)
        u->links[i].present = false;
    u->nets_n = 0;
    for (const struct ifaddrs *ifa = all; ifa != NULL; ifa = ifa->ifa_next)
        note(u, ifa);
    freeifaddrs(all);
    forget_absent(u);
    if (u->links_n == 0 && !u->warned)
        warn(u,
            u->opt.interface != NULL
                ? "the interface that --interface names is missing, down or "
                  "cannot multicast"
                : "no interface here can multicast (a container without host "
                  "networking?)");
    u->warned = u->links_n == 0;
}

static void on_rescan(uv_timer_t *timer)
{
    scan(timer->data);
}

/* In a network of the interface it came by, or this machine itself. */
static bool is_on_link(
    const struct udp *u, unsigned index, const struct netaddr *from)
{
    if (from->family == 6 && netaddr_is_link_local(from))
        return true;
    for (unsigned i = 0; i < u->nets_n; i++) {
        const struct network *n = &u->nets[i];
        bool inside = n->family == from->family;

        if (inside && memcmp(n->addr, from->addr, sizeof n->addr) == 0)
            return true;
        for (size_t k = 0; k < sizeof n->addr && inside; k++)
            inside = ((n->addr[k] ^ from->addr[k]) & n->mask[k]) == 0;
        if (inside && n->index == index)
            return true;
    }
    return false;
}

struct arrival {
    unsigned index;
    int ttl; /* -1: not told */
};

static struct arrival arrival_of(struct msghdr *m)
{
    struct arrival a = { 0, -1 };

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
         c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            a.index = (unsigned)info.ipi_ifindex;
        } else if (c->cmsg_level == IPPROTO_IPV6 &&
            c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            a.index = info.ipi6_ifindex;
        } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
            memcpy(&a.ttl, CMSG_DATA(c), sizeof a.ttl);
        }
    }
    return a;
}

/* Each costs an attempt to open it. Who sends much is told apart from the
 * rest, so that these are heard; who makes addresses up is not. */
static bool is_flood(struct udp *u, const struct netaddr *from)
{
    const struct pace_rule all = { u->opt.per_s, u->opt.per_s };
    const struct pace_rule one = { u->opt.per_ip, 2 * u->opt.per_ip };
    uint64_t now_us = uv_now(u->opt.loop) * 1000;
    uint32_t place = crc32c(0, SLICE(from->addr, sizeof from->addr)) % SENDERS;
    struct sender *s = &u->senders[place];

    if (PLANTED(R04_FLOOD))
        return false;
    if (!netaddr_same_ip(&s->addr, from) &&
        pace_late_us(&s->pace, &one, now_us) == 0)
        *s = (struct sender){ .addr = *from };
    if (pace_may(&s->pace, &one, 1, now_us) &&
        pace_may(&u->pace, &all, 1, now_us))
        return false;
    u->dropped++;
    return true;
}

/* The TTL alone proves little, since a sender far off chooses what is left
 * of it on arrival; the network of the source has to fit as well. */
static void take(struct udp *u, struct msghdr *m, struct slice bytes)
{
    struct netaddr from = netaddr_of(m->msg_name);
    struct arrival a = arrival_of(m);

    if ((m->msg_flags & MSG_TRUNC) != 0 || (a.ttl != 1 && !PLANTED(R03_TTL)) ||
        !is_on_link(u, a.index, &from) || is_flood(u, &from))
        return;
    u->opt.on_datagram(u->opt.ctx, &from, bytes);
}

struct inbox {
    struct mmsghdr msgs[AT_ONCE];
    struct iovec vecs[AT_ONCE];
    struct sockaddr_storage from[AT_ONCE];
    _Alignas(struct cmsghdr) char control[AT_ONCE][128];
    uint8_t bytes[AT_ONCE][UDP_LARGEST];
};

static int receive(int fd, struct inbox *in, size_t largest)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        in->vecs[i] = (struct iovec){ in->bytes[i], largest };
        in->msgs[i].msg_hdr = (struct msghdr){
            .msg_name = &in->from[i],
            .msg_namelen = sizeof in->from[i],
            .msg_iov = &in->vecs[i],
            .msg_iovlen = 1,
            .msg_control = &in->control[i],
            .msg_controllen = sizeof in->control[i],
        };
    }
    return recvmmsg(fd, in->msgs, AT_ONCE, MSG_DONTWAIT, NULL);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct door *d = poll->data;
    struct inbox in;

    (void)events;
    if (status != 0)
        return;
    for (int turn = 0; turn < TURNS; turn++) {
        int n = receive(d->fd, &in, d->udp->largest);

        for (int i = 0; i < n; i++)
            take(d->udp, &in.msgs[i].msg_hdr,
                SLICE(in.bytes[i], in.msgs[i].msg_len));
        if (n < AT_ONCE)
            return;
    }
}

static bool set_options4(int fd)
{
    return set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1) &&
        set(fd, IPPROTO_IP, IP_TTL, 1) &&
        set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1) &&
        set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) &&
        set(fd, IPPROTO_IP, IP_PKTINFO, 1) &&
        set(fd, IPPROTO_IP, IP_RECVTTL, 1);
}

static bool set_options6(int fd)
{
    return set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
        set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1) &&
        set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 1) &&
        set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1) &&
        set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
        set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
}

/* Shares the port: several nodes on one machine hear the same beacons. */
static int open_door(struct door *d, uint16_t port, struct errmsg *why)
{
    struct netaddr any = { .family = d->family, .port = port };
    struct sockaddr_storage sa;
    int family = d->family == 4 ? AF_INET : AF_INET6;
    int err;

    d->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->fd < 0)
        return SYNCLINE_OK; /* a machine without this family */
    (void)sockaddr_of(&sa, &any);
    if (set(d->fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
        set(d->fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
        (d->family == 4 ? set_options4(d->fd) : set_options6(d->fd)) &&
        bind(d->fd, (struct sockaddr *)&sa,
            d->family == 4 ? sizeof(struct sockaddr_in)
                           : sizeof(struct sockaddr_in6)) == 0)
        return SYNCLINE_OK;
    err = errno;
    (void)close(d->fd);
    d->fd = -1;
    if (err == EADDRINUSE)
        return errmsg_set(why, SYNCLINE_EBUSY,
            "discovery: UDP port %u is in use by another program (ss -lunp "
            "shows it)",
            (unsigned)port);
    return errmsg_set(why, SYNCLINE_EIO, "discovery: UDP port %u: %s",
        (unsigned)port, strerror(err));
}

static void on_closed(uv_handle_t *handle)
{
    struct udp *u = handle->data;

    if (--u->handles == 0)
        free(u);
}

static void on_door_closed(uv_handle_t *handle)
{
    struct door *d = handle->data;
    struct udp *u = d->udp;

    (void)close(d->fd);
    if (--u->handles == 0)
        free(u);
}

static int watch(struct udp *u, struct door *d)
{
    if (d->fd < 0)
        return SYNCLINE_OK;
    if (uv_poll_init(u->opt.loop, &d->poll, d->fd) != 0) {
        (void)close(d->fd);
        d->fd = -1;
        return SYNCLINE_EIO;
    }
    u->handles++;
    d->poll.data = d;
    return uv_poll_start(&d->poll, UV_READABLE, on_readable) == 0
        ? SYNCLINE_OK
        : SYNCLINE_EIO;
}

static int start(struct udp *u, struct errmsg *why)
{
    const size_t doors = u->opt.group4 != NULL && u->opt.group6 == NULL ? 1 : 2;
    int rc = SYNCLINE_OK;

    for (size_t i = 0; i < doors && rc == SYNCLINE_OK; i++) {
        rc = open_door(&u->doors[i], u->opt.port, why);
        if (rc == SYNCLINE_OK)
            rc = watch(u, &u->doors[i]);
    }
    if (rc != SYNCLINE_OK)
        return rc;
    scan(u);
    return uv_timer_start(
               &u->rescan, on_rescan, u->opt.rescan_ms, u->opt.rescan_ms) == 0
        ? SYNCLINE_OK
        : SYNCLINE_EIO;
}

int udp_new(struct udp **out, const struct udp_options *opt, struct errmsg *why)
{
    struct udp *u = calloc(1, sizeof *u);
    int rc;

    if (u == NULL)
        return SYNCLINE_ENOMEM;
    u->opt = *opt;
    u->opt.port = opt->port != 0 ? opt->port : PORT_DEFAULT;
    u->opt.per_s = opt->per_s != 0 ? opt->per_s : PER_S;
    u->opt.per_ip = opt->per_ip != 0 ? opt->per_ip : PER_IP;
    u->opt.rescan_ms = opt->rescan_ms != 0 ? opt->rescan_ms : RESCAN_MS;
    if (opt->interface != NULL)
        (void)snprintf(u->interface, sizeof u->interface, "%s", opt->interface);
    u->group4.sin_family = AF_INET;
    u->group4.sin_port = htons(u->opt.port);
    u->largest = opt->group4 != NULL ? UDP_LARGEST : UDP_DATAGRAM_MAX;
    if (inet_pton(AF_INET, opt->group4 != NULL ? opt->group4 : UDP_GROUP4,
            &u->group4.sin_addr) != 1) {
        free(u);
        return errmsg_set(why, SYNCLINE_EINVAL, "discovery: no such group");
    }
    u->group6.sin6_family = AF_INET6;
    u->group6.sin6_port = htons(u->opt.port);
    (void)inet_pton(AF_INET6, opt->group6 != NULL ? opt->group6 : UDP_GROUP6,
        &u->group6.sin6_addr);
    u->doors[0] = (struct door){ .udp = u, .family = 4, .fd = -1 };
    u->doors[1] = (struct door){ .udp = u, .family = 6, .fd = -1 };
    (void)uv_timer_init(opt->loop, &u->rescan);
    u->rescan.data = u;
    u->handles = 1;
    rc = start(u, why);
    if (rc != SYNCLINE_OK) {
        udp_free(u);
        return rc;
    }
    *out = u;
    return SYNCLINE_OK;
}

void udp_free(struct udp *u)
{
    if (u == NULL)
        return;
    for (size_t i = 0; i < 2; i++)
        if (u->doors[i].fd >= 0)
            uv_close((uv_handle_t *)&u->doors[i].poll, on_door_closed);
    uv_close((uv_handle_t *)&u->rescan, on_closed);
}

/* A group is reached through one interface at a time, which is named in the
 * message: the socket's own default would be one for all. */
static bool multicast_on(
    struct udp *u, const struct link *l, struct slice bytes)
{
    _Alignas(
        struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {
        0
    };
    struct in_pktinfo four = { .ipi_ifindex = (int)l->index };
    struct in6_pktinfo six = { .ipi6_ifindex = l->index };
    bool is4 = l->family == 4;
    size_t info_len = is4 ? sizeof four : sizeof six;
    struct iovec vec = { (void *)(uintptr_t)bytes.ptr, bytes.len };
    struct msghdr m = {
        .msg_name = is4 ? (void *)&u->group4 : (void *)&u->group6,
        .msg_namelen = is4 ? sizeof u->group4 : sizeof u->group6,
        .msg_iov = &vec,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = CMSG_SPACE(info_len),
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = is4 ? IPPROTO_IP : IPPROTO_IPV6;
    c->cmsg_type = is4 ? IP_PKTINFO : IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(info_len);
    memcpy(CMSG_DATA(c), is4 ? (void *)&four : (void *)&six, info_len);
    return sendmsg(u->doors[is4 ? 0 : 1].fd, &m, MSG_NOSIGNAL) >= 0;
}

int udp_multicast(struct udp *u, struct slice bytes)
{
    bool sent = false;

    if (bytes.len > u->largest)
        return SYNCLINE_EINVAL;
    for (unsigned i = 0; i < u->links_n; i++)
        sent = multicast_on(u, &u->links[i], bytes) || sent;
    if (!sent && u->links_n > 0 && !u->mute)
        warn(u,
            "the system sends no multicast (a missing route or a firewall?)");
    u->mute = !sent;
    return SYNCLINE_OK;
}

int udp_send(struct udp *u, const struct netaddr *to, struct slice bytes)
{
    struct sockaddr_storage sa;
    int fd = u->doors[to->family == 6].fd;

    if (bytes.len > u->largest || !sockaddr_of(&sa, to))
        return SYNCLINE_EINVAL;
    if (fd >= 0)
        (void)sendto(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL,
            (struct sockaddr *)&sa,
            to->family == 4 ? sizeof(struct sockaddr_in)
                            : sizeof(struct sockaddr_in6));
    return SYNCLINE_OK;
}

unsigned udp_joined(const struct udp *u)
{
    return u->links_n;
}

uint64_t udp_dropped(const struct udp *u)
{
    return u->dropped;
}
