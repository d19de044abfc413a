/* net.h - authenticated connections that carry frames, and guests that carry
 * bytes, on a caller's loop.
 *
 * One listener port serves all comers; the first byte says who: 0x16 is TLS
 * and so a device or, by the names that it offers, a guest; a capital letter is
 * HTTP, 0x00 or 0x01 a length followed by JSON: an older node. On TLS a
 * device's frame is its length as u32, little-endian, at most NET_FRAME_MAX,
 * and its bytes. Limits before a peer is known: so many handshakes at once and
 * a second, in all and from one address, so many bytes, so much time. Who would
 * begin one too many waits, unread. Of those who say nothing at all, which
 * costs next to nothing, the one who has for longest goes when there are too
 * many. Laws: on_up at most once a connection, and before any on_frame; on_down
 * exactly once for each connection that was up or dialled, net_close
 * included, and nothing after it. Callbacks come from the loop only, never
 * from within a function of this header. All of it belongs to the loop's
 * thread, on which net_new blocks SIGPIPE (libuv writes without MSG_NOSIGNAL,
 * and a library leaves the host's signal handlers alone). */
#ifndef SYNCLINE_IO_NET_H
#define SYNCLINE_IO_NET_H

#include <uv.h>

#include "base/log.h"
#include "core/netaddr.h"
#include "io/tls.h"

#define NET_FRAME_MAX ((size_t)1 << 20)
/* The first message of an older node. */
#define NET_NODE_MAX ((size_t)16 << 20)
/* Inbound connections have numbers with this bit; a dialler chooses among
 * those without it. */
#define NET_INBOUND ((uint64_t)1 << 63)

struct net; /* opaque */

struct net_peer {
    struct device_id device;
    struct slice spki; /* lent */
    struct netaddr remote;
    const uint8_t *exporter; /* TLS_EXPORTER_LEN bytes, lent */
    bool inbound;
    bool pairing;
};

struct net_events {
    void *ctx;
    tls_admit_fn *admit; /* pure look-up; called amid a handshake */
    void (*on_up)(void *ctx, uint64_t conn, const struct net_peer *peer);
    void (*on_frame)(void *ctx, uint64_t conn, struct slice frame);
    /* broke: it sent what the transport never lets pass. */
    void (*on_down)(void *ctx, uint64_t conn, const char *reason, bool broke);
    /* Somebody who speaks plain HTTP or JSON, and how he began, where nobody
     * listens to such: the connection is closed afterwards. May be NULL. */
    void (*on_plain)(
        void *ctx, const struct netaddr *remote, struct slice first);
    /* An inbound connection that had begun with TLS, or was one too many,
     * was not let in; device NULL: it has not shown a key of one. May be NULL.
     */
    void (*on_refused)(void *ctx, const struct netaddr *remote,
        const struct device_id *device, const char *reason);
};

struct net_guest {
    struct netaddr remote, local; /* both ends */
    bool secure;                  /* by TLS */
};

/* Guests: whoever on this machine begins as HTTP does, without TLS, and whoever
 * by TLS is on the web (tls.h), once there is a certificate for them. What they
 * say is not looked at here. on_down once for each that was taken; there is no
 * other callback for them. */
struct net_guests {
    void *ctx;
    /* False: it is not let in. NULL: nobody is. How many there may be is for
     * who is asked. */
    bool (*on_up)(void *ctx, uint64_t conn, const struct net_guest *guest);
    void (*on_bytes)(void *ctx, uint64_t conn, struct slice bytes);
    void (*on_down)(void *ctx, uint64_t conn);
    size_t queue_max; /* unsent, of one of them; 0: as of a peer */
};

struct net_options {
    uv_loop_t *loop;                 /* borrowed */
    const struct identity *identity; /* borrowed */
    struct net_events events;
    struct net_guests guests;
    struct net_guests nodes; /* the same of older nodes, from anywhere */
    struct log log;
    uint64_t wall_us; /* dates the certificate */

    /* 0 takes the default in brackets. */
    uint64_t handshake_ms;     /* until a peer must be known [5,000] */
    uint64_t linger_ms;        /* for what is queued at net_close [2,000] */
    uint32_t half_open_max;    /* inbound handshakes at once [32] */
    uint32_t half_open_per_ip; /* the same, from one address [4] */
    uint32_t waiting_max;      /* would begin one, and are not read [32] */
    uint32_t waiting_per_ip;   /* [8] */
    uint32_t silent_max;       /* have sent nothing yet [64] */
    uint32_t silent_per_ip;    /* [16] */
    size_t half_open_bytes;    /* taken from one not yet known [64 KiB] */
    uint64_t calls_per_s;      /* inbound, let to a handshake [200] */
    uint64_t calls_per_ip;     /* the same, from one address [20] */
    size_t queue_max;          /* unsent: beyond it one more frame drops the
                                  connection [4 MiB] */
};

struct net_stats {
    uint64_t bytes_in, bytes_out; /* on the wire, but those of guests */
    uint64_t guest_bytes_in, guest_bytes_out;
    uint64_t sessions_total; /* that were ever up */
    uint64_t refused;        /* inbound that never came up */
    uint64_t hasty;     /* of them: before a handshake, for coming too often */
    uint32_t sessions;  /* up now */
    uint32_t half_open; /* inbound, not yet known */
    uint32_t guests;
};

NODISCARD int net_new(struct net **out, const struct net_options *opt);
/* As tls_set_web; from the first time on there are guests by TLS. */
NODISCARD int net_set_web(
    struct net *n, struct slice cert, struct slice key, struct errmsg *why);
/* Closes everything, without any more callbacks; the memory goes when the
 * loop has run the closing. Not from within a callback of ours. NULL is
 * fine. */
void net_free(struct net *n);

/* Port 0 takes a free one; *bound (may be NULL) is where it really listens.
 * "0.0.0.0" and "[::]" are two listeners and may stand side by side. EBUSY:
 * somebody else has the port. */
NODISCARD int net_listen(struct net *n, const struct netaddr *addr,
    struct netaddr *bound, struct errmsg *why);

/* The outcome comes as on_up or on_down. EEXIST: conn is in use. */
NODISCARD int net_dial(
    struct net *n, uint64_t conn, const struct netaddr *remote, bool pairing);
/* Queues one frame, at most NET_FRAME_MAX (EINVAL); what was queued in one
 * turn of the loop leaves together. A connection that is gone or is not up
 * is passed over: its on_down is on its way. */
NODISCARD int net_send(struct net *n, uint64_t conn, struct slice frame);
/* The same for bytes to a guest. */
void net_send_bytes(struct net *n, uint64_t conn, struct slice bytes);
/* Of what was given to either, so much has not left yet. */
size_t net_queued(const struct net *n, uint64_t conn);
/* Nothing of it is read, or again. */
void net_hold(struct net *n, uint64_t conn, bool held);
/* Sends what is queued now rather than at the turn's end. */
void net_flush(struct net *n);
/* Sends what is queued, then closes; no more on_frame comes. */
void net_close(struct net *n, uint64_t conn, const char *reason);
/* Without what is queued. */
void net_drop(struct net *n, uint64_t conn, const char *reason);
/* Membership has changed: closes whom admit() no longer admits. */
void net_recheck(struct net *n);
/* Nothing of this one is read for so long, and no frame of it told. */
void net_wait(struct net *n, uint64_t conn, uint64_t wait_us);
/* While paused nothing is read, so that peers wait. */
void net_pause(struct net *n, bool paused);

const struct net_stats *net_stats(const struct net *n);

#endif
