/* isync_conns.h - the connections of the iSync face, at both ends: Socket.IO
 * over HTTP polling and WebSocket, on a port of its own and on the hub's, and
 * to the URLs that it calls. sio_server.h and sio_client.h with a loop and
 * sockets.
 *
 * A link is a number below 2^53: a caller that has connected, or a URL that is
 * called again and again until it is hung up. Laws: on_connected and on_closed
 * take turns for a link, and no on_event but between them, whatever the other
 * side sends first; a caller's number never comes back, a URL's stays the same.
 * Callbacks come from the loop only, never from within a function of this
 * header, and may call emit, hang_up and dial. On the loop's thread, where
 * SIGPIPE is blocked (net.h). Whoever comes is of a network that is admitted
 * and does not come out of a web page of somebody else. */
#ifndef SYNCLINE_APP_ISYNC_CONNS_H
#define SYNCLINE_APP_ISYNC_CONNS_H

#include <uv.h>

#include "base/log.h"
#include "core/netaddr.h"
#include "faces/configsync/where.h"
#include "faces/http/hub.h"
#include "faces/socketio/socketio.h"

struct isync_conns; /* opaque */

#define ISYNC_LISTEN_MAX 8
#define ISYNC_URLS_MAX 32

/* Who a link is; lent. */
struct isync_who {
    bool is_called;        /* by us */
    const char *url;       /* of one that is called; else NULL */
    struct netaddr remote; /* of a caller; else family 0 */
    const char *transport; /* "polling" or "websocket", for now */
    uint64_t began_us;     /* one that is called: when this call was begun */
};

struct isync_events {
    void *ctx;
    void (*on_connected)(void *ctx, uint64_t link, const struct isync_who *who);
    /* An ack that is asked for is sent when it returns, empty. */
    void (*on_event)(void *ctx, uint64_t link, const struct sio_event *ev);
    void (*on_closed)(void *ctx, uint64_t link, const char *why);
    /* A URL leads to where we listen ourselves: nothing is said there, and the
     * call fails. May be NULL. */
    void (*on_ourselves)(void *ctx, uint64_t link);
    /* A call has failed; it is tried again. May be NULL. */
    void (*on_failed)(void *ctx, uint64_t link, const char *why);
    /* What came to our port for any path but /socket.io/, and is no page of
     * somebody else. To be answered before it returns: http_respond. NULL: all
     * such gets 404. */
    void (*on_request)(void *ctx, struct http_conn *c,
        const struct http_request *r, const struct netaddr *from);
};

/* All is copied but the loop, the log and the callbacks' ctx. */
struct isync_conns_options {
    uv_loop_t *loop;
    struct log log; /* module "isync" */
    struct isync_events events;
    const struct network *admit; /* beside loopback */
    size_t admit_n;
    /* Names that a Host may say, beside "localhost" and any address by its
     * number. A page that lets its own name mean our address has none of them.
     */
    const char *const *hosts;
    size_t hosts_n;
    const char *roots;  /* file of authorities for https; NULL: the system's */
    size_t callers_max; /* sessions at once; 0: 64 */
    size_t message_max; /* taken from a URL; 0: 4 MiB. Callers: 1,000,000 */
    uint64_t dial_max_us; /* the longest pause between calls; 0: 5 s */
};

NODISCARD int isync_conns_new(
    struct isync_conns **out, const struct isync_conns_options *opt);
/* Port 0 takes a free one; *bound is where it really listens. EBUSY: somebody
 * else has the port. ELIMIT: ISYNC_LISTEN_MAX. */
NODISCARD int isync_conns_listen(struct isync_conns *c,
    const struct netaddr *at, struct netaddr *bound, struct errmsg *why);
/* Callers are served at these from now on, wherever that was before. Who is
 * connected stays, if his end of ours is still served, at whatever port; else
 * he goes. On an error it is as it was. */
NODISCARD int isync_conns_serve(struct isync_conns *c, const struct netaddr *at,
    size_t n, struct errmsg *why);
/* Where they really are; at most ISYNC_LISTEN_MAX. */
size_t isync_conns_bound(const struct isync_conns *c, struct netaddr *out);

/* What may change while it runs; all is copied. Callers who would not be let in
 * any more go. ENOMEM, ELIMIT: it is as it was. */
struct isync_conns_tuning {
    const struct network *admit;
    size_t admit_n;
    const char *const *hosts;
    size_t hosts_n;
    uint64_t dial_max_us;
};
NODISCARD int isync_conns_tune(
    struct isync_conns *c, const struct isync_conns_tuning *t);

/* For the hub, where whoever may write in that space may come. at: where the
 * connections will be, or NULL; the hub ends before they do. */
struct hub_socketio_port isync_conns_hub(
    struct isync_conns *const *at, struct slice space);

enum isync_transport {
    ISYNC_UPGRADE,   /* polling, then WebSocket if the other can */
    ISYNC_WEBSOCKET, /* at once; also of ws:// and wss:// */
    ISYNC_POLLING
};

/* A URL is "http://host:5342", or https, ws, wss; a path but "/" is in place
 * of /socket.io/. EINVAL: why says what a good one is like. ELIMIT:
 * ISYNC_URLS_MAX. It is called from the next turn of the loop on. */
NODISCARD int isync_conns_dial(struct isync_conns *c, const char *url,
    enum isync_transport how, uint64_t *link, struct errmsg *why);
/* is_strange: somebody else named it, so it is called at no address of this
 * machine or its link, whatever its name means at that moment. */
void isync_conns_guard(struct isync_conns *c, uint64_t link, bool is_strange);
/* Is it one? Without calling it. EINVAL. */
NODISCARD int isync_url_check(const char *url, struct errmsg *why);
/* Does it say an address, or the name, of this machine or its link? */
bool isync_url_is_here(const char *url);

/* args: JSON values, compact, with commas between; or NONE. ECLOSED: it is not
 * connected. ELIMIT: larger than the other side takes at once. */
NODISCARD int isync_conns_emit(
    struct isync_conns *c, uint64_t link, const char *name, struct slice args);
/* Bytes that were said on it and have not left. */
size_t isync_conns_waiting(const struct isync_conns *c, uint64_t link);
/* A caller has said who he is: he makes no room for others any more. */
void isync_conns_settle(struct isync_conns *c, uint64_t link);
/* A caller is sent away; a URL is called no more, and its number is gone. No
 * on_closed comes for it. */
void isync_conns_hang_up(struct isync_conns *c, uint64_t link);
/* Of a URL: why it is not connected; "" when it is, or nothing is known. */
const char *isync_conns_trouble(const struct isync_conns *c, uint64_t link);

struct isync_conns_counts {
    size_t callers, called; /* connected now */
    size_t sessions;        /* of callers, connected or not */
    uint64_t refused_network, refused_page, refused_room;
};

struct isync_conns_counts isync_conns_counts(const struct isync_conns *c);

/* The daemon stops: all are told, while that can be sent. Nothing is called
 * back any more. */
void isync_conns_stop(struct isync_conns *c);
/* The memory goes when the loop has run the closing. NULL is fine. */
void isync_conns_close(struct isync_conns *c);

#endif
