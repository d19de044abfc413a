/* net_impl.h - what net.c (listening, the turn of the loop) and net_conn.c
 * (one connection) know of each other. Nobody else includes it. */
#ifndef SYNCLINE_IO_NET_IMPL_H
#define SYNCLINE_IO_NET_IMPL_H

#include "base/pace.h"
#include "io/listener.h"
#include "io/net.h"

#define LISTENERS_MAX 8
#define READ_MAX 65536
#define CALLERS 256    /* remembered; more share a place */
#define FIRST_MAX 4096 /* of what somebody says first is read at once */

/*  inbound:  FIRST --0x16--> HANDSHAKE --admitted--> UP --net_close--> CLOSING
 *              | `--too many--> WAITING --room--> HANDSHAKE
 *              `--'A'..'Z', loopback; a length and '{'--> UP (a guest)
 *  dialled:  DIALLING -----> HANDSHAKE
 *  from any: --failure--> DOOMED --next turn--> on_down, closed, freed  */
enum conn_state {
    CONN_FIRST,     /* its first byte has yet to come */
    CONN_WAITING,   /* it wants a handshake, others are at it: not read */
    CONN_DIALLING,  /* TCP is not connected yet */
    CONN_HANDSHAKE, /* TLS, peer not admitted yet */
    CONN_UP,
    CONN_CLOSING, /* sends what is queued, reads and forgets */
    CONN_DOOMED,  /* the next turn ends it */
};

struct conn {
    struct net *net;
    uint64_t id;
    enum conn_state state;
    bool inbound, pairing;
    bool guest;                    /* no frames, maybe no TLS */
    const struct net_guests *host; /* a guest's */
    bool held;                     /* not read for now */
    bool rests;                    /* not read in this turn any more */
    size_t read_n;                 /* bytes, since it rested */
    bool told;                     /* dialled or was up: owes an on_down */
    bool reading;
    bool denied; /* for what it is, not for trouble on the way */
    bool shut;   /* everything was sent, and our end of TCP is closed */
    struct netaddr remote;
    struct tls_sess *tls;
    struct buf in;        /* plaintext, less than a frame once it is pumped;
                             what it said first, in FIRST and WAITING */
    struct buf out;       /* frames that are not encrypted yet */
    size_t writing;       /* bytes that libuv holds */
    size_t taken;         /* bytes read before the peer was known */
    uint64_t in_n, out_n; /* bytes, ever */
    uint64_t deadline_ms; /* of the loop's clock; 0: none */
    uint64_t wait_ms;     /* not read before; 0: now */
    bool broke;           /* a rule of the transport */
    char reason[192];
    uv_tcp_t tcp;
    uv_connect_t connecting;
    uv_shutdown_t shutting;
};

/* How often an address, or a network of IPv6, has called lately. */
struct caller {
    uint64_t net; /* its first 64 bits, and the family */
    struct pace calls;
};

struct net {
    struct net_options opt;
    struct tls *tls;
    uv_idle_t turn;  /* runs while there is work for the loop's next turn */
    uv_timer_t tick; /* at the earliest deadline */
    struct listener listeners[LISTENERS_MAX];
    uint32_t listeners_n;
    struct conn **conns; /* sorted by id */
    uint32_t conns_n, conns_cap;
    uint64_t last_inbound;
    uint32_t handles; /* open or closing, all kinds */
    struct pace calls;
    struct caller callers[CALLERS];
    bool paused, dying;
    struct net_stats stats;
    struct buf wire; /* scratch: encrypted, on its way out */
    uint8_t read[READ_MAX];
};

static inline bool conn_is_half_open(const struct conn *c)
{
    return c->inbound &&
        (c->state == CONN_FIRST || c->state == CONN_WAITING ||
            c->state == CONN_HANDSHAKE);
}

/* net.c */

/* Asks for a turn: deferred ends, flushes, frames that were held back. */
void net_want_turn(struct net *n);
/* Some deadline has changed. */
void net_arm(struct net *n);
/* May this one begin a handshake, or must it wait? */
enum net_room { ROOM_NOW, ROOM_LATER, ROOM_NONE };
enum net_room net_room(const struct net *n, const struct netaddr *remote);
/* Does it, counted with this call, call more often than is allowed? */
bool net_is_hasty(struct net *n, const struct netaddr *remote);
/* Counts a handle as closed; frees a dying net with its last. */
void net_handle_closed(struct net *n);

/* net_conn.c */

/* Makes a connection whose handle is open; it is in no table yet. */
NODISCARD int conn_new(struct conn **out, struct net *n);
/* Closes the handle and frees the connection when that is done. */
void conn_destroy(struct conn *c);
/* Its first byte decides; only for accepted ones. */
void conn_begin(struct conn *c);
void conn_dial(struct conn *c);
/* One that was WAITING has room for its handshake now. */
void conn_go_on(struct conn *c);
/* Encrypts and writes what is queued, as much as the system takes. */
void conn_flush(struct conn *c);
/* Hands whole frames on, unless paused. */
void conn_pump(struct conn *c);
/* Starts or stops reading, as state and pause want it. */
void conn_set_reading(struct conn *c);
/* From here on only on_down is left for it. */
void conn_doom(struct conn *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
