/* hub.h - the HTTP API of a node: who may ask what, and how it is asked of the
 * node. Pages, metrics and tokens come from outside, through the port.
 *
 * Bytes in, bytes out (http_conn.h), requests of doc/api.md through the port;
 * no socket, no clock, no file. Laws (security.md, R7 to R12): a foreign Host
 * or Origin is refused before anything else is looked at; whatever tells of
 * the mesh wants a token, on loopback too; whatever changes something wants
 * one that may write and a body of JSON; GET changes nothing. */
#ifndef SYNCLINE_FACES_HTTP_HUB_H
#define SYNCLINE_FACES_HTTP_HUB_H

#include "core/json.h"
#include "core/netaddr.h"
#include "faces/http/http_conn.h"

enum hub_scope { HUB_OPEN, HUB_READ, HUB_WRITE, HUB_ADMIN };

#define HUB_TOKEN_ID 16 /* its public name, with a NUL */

/* What a token is good for; lent until the check's caller returns. */
struct hub_grant {
    char id[HUB_TOKEN_ID];
    enum hub_scope scope;
    const struct slice *spaces; /* NULL: all */
    size_t spaces_n;
};

/* As engine_reply_fn: an object, more to follow or not. */
typedef void hub_reply_fn(void *ctx, struct slice json, bool more);

/* Who asks, for the audit log: by which token, and where from. */
struct hub_asker {
    const char *token; /* its id; "": by none */
    const struct netaddr *from;
};

/* A file of the dashboard, as it is sent. */
struct hub_page {
    const char *path, *type, *etag;
    bool is_fixed;              /* what changes gets another path */
    const uint8_t *begin, *end; /* gzip */
};

struct hub_conn; /* opaque: one caller's connection */

struct hub_port {
    void *ctx;
    /* Never answers from within; 0: no memory, and no answer comes. */
    uint64_t (*request)(void *ctx, const struct hub_asker *who,
        const struct json *args, hub_reply_fn *fn, void *fn_ctx);
    void (*cancel)(void *ctx, uint64_t request);
    void (*pace)(void *ctx, uint64_t request, bool paused);
    /* EDENIED: no such token. ETIMEOUT: it has expired. EBUSY: too many were
     * wrong from there, none is looked at for *wait_us. */
    int (*check)(void *ctx, const struct netaddr *from, struct slice token,
        struct hub_grant *out, uint64_t *wait_us);
    /* The same of the two secrets of a session: the browser's and the page's.
     * EDENIED, ETIMEOUT. */
    int (*check_session)(void *ctx, struct slice cookie, struct slice page,
        struct hub_grant *out);
    /* The same of a token, or session, that was good before. */
    int (*check_again)(void *ctx, const char *id, struct hub_grant *out);
    /* May this connection take a place of that token? ELIMIT: it has as many
     * as one may. EBUSY: what is left is for admins. */
    int (*take_place)(
        void *ctx, const struct hub_conn *c, const struct hub_grant *grant);
    uint64_t (*wall_us)(void *ctx); /* since the Unix epoch */
};

/* Config-sync instances that come to /sync (faces/configsync): JSON both ways,
 * by whoever may write in that space. */
struct hub_instances {
    void *ctx;
    struct slice space; /* ptr NULL: none are served */
    size_t message_max;
    bool compresses; /* for who offers it */
    /* Who it is from now on; 0: none may come now. */
    uint64_t (*open)(void *ctx, struct hub_conn *c, const struct netaddr *from,
        bool is_syncline);
    void (*take)(void *ctx, uint64_t link, bool text, struct slice message);
    void (*close)(void *ctx, uint64_t link);
};

/* Socket.IO at /socket.io/ (faces/socketio): requests and WebSockets of whoever
 * may write in that space. They are answered by hub_conn_http and
 * hub_conn_upgrade, then or later, until close. */
struct hub_socketio_port {
    void *ctx;
    struct slice space; /* ptr NULL: it is not spoken */
    /* Who this connection is from now on; 0: none may come now. */
    uint64_t (*open)(void *ctx, struct hub_conn *c);
    /* Before its body has come, too; then it need not be answered. */
    void (*request)(void *ctx, uint64_t conn, const struct http_request *r,
        const struct netaddr *from, bool is_whole);
    void (*take)(void *ctx, uint64_t conn, bool text, struct slice message);
    void (*close)(void *ctx, uint64_t conn);
};

struct hub_options {
    struct hub_port port;
    uint16_t tcp_port;         /* that hosts are named with */
    const struct slice *hosts; /* names allowed beside those of loopback; one
                                  with a port is meant with that port */
    size_t hosts_n;
    const struct slice *tls_hosts; /* and by TLS these */
    size_t tls_hosts_n;
    const char *version;
    const struct hub_page *pages; /* borrowed; none: there is no dashboard */
    size_t pages_n;
    struct hub_instances instances;
    struct hub_socketio_port socketio;
};

struct hub; /* opaque */

/* The options' slices are borrowed. */
NODISCARD int hub_new(struct hub **out, const struct hub_options *opt);
void hub_free(struct hub *h); /* after its connections; NULL is fine */

struct hub_caller {
    struct netaddr remote, local; /* the ends of his connection */
    bool secure;                  /* it is by TLS */
};

/* now in microseconds of a clock that never goes back. What there is to say is
 * in hub_conn_http's buffer after any of these, and after an answer. */
NODISCARD int hub_accept(struct hub_conn **out, struct hub *h,
    const struct hub_caller *who, uint64_t now_us);
void hub_conn_free(struct hub_conn *c); /* cancels what it asked for */
void hub_conn_feed(struct hub_conn *c, struct slice in, uint64_t now_us);
void hub_conn_end(struct hub_conn *c);
void hub_conn_tick(struct hub_conn *c, uint64_t now_us);
/* The node stops, and has answered all that it was asked: what is open says so,
 * and nothing more is asked. */
void hub_conn_stop(struct hub_conn *c);
/* Its socket takes no more for now, or does again. */
void hub_conn_pace(struct hub_conn *c, bool slow);
/* By which token it has its place, for as long as that is good; "": it has
 * shown none. */
const char *hub_conn_place(const struct hub_conn *c);
/* To an instance, as long as it is one. Nobody is called back. */
void hub_conn_tell(struct hub_conn *c, struct slice text);
/* The request becomes a WebSocket of Socket.IO. */
void hub_conn_upgrade(struct hub_conn *c, size_t message_max);
struct http_conn *hub_conn_http(struct hub_conn *c);

#endif
