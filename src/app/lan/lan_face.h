/* lan_face.h - LAN-sync nodes and one space, kept the same: exchange.h and
 * link.h with a loop, sockets and an engine.
 *
 * It serves a port of its own, and calls those that it was given, or that are
 * near, again and again. On the loop's thread. Laws: whoever comes is of a
 * network that is admitted; whoever fails to come in too often is not heard for
 * a while; who was not let in takes no room for long. */
#ifndef SYNCLINE_APP_LAN_FACE_H
#define SYNCLINE_APP_LAN_FACE_H

#include "app/engine/engine.h"
#include "app/options/options.h"
#include "faces/configsync/where.h"
#include "io/tls_end.h"

struct lan_face; /* opaque */

enum lan_tls_mode {
    LAN_TLS_OFF,
    LAN_TLS_ON,  /* whoever comes or is called */
    LAN_TLS_BOTH /* whoever comes as he likes; others are called by it first */
};

/* Whom we call, and who cannot be asked for a challenge, is told the secret. */
enum lan_say {
    LAN_SAY_KNOWN, /* who was named, is vouched for by TLS, or has said it at
                      that address */
    LAN_SAY_ALWAYS,
    LAN_SAY_NEVER
};

/* All is copied but the loop and the log. */
struct lan_face_options {
    uv_loop_t *loop;
    struct log log;
    const char *space;
    const char *node_id; /* NULL: one of the device's */
    const char *node_name;
    struct slice secret;  /* the key of all signatures */
    const char *strategy; /* doc/api.md, `as` */
    enum lan_say say_secret;
    bool needs_auth;
    const struct netaddr *listen;
    size_t listen_n;
    const struct network *admit;
    size_t admit_n;
    const struct option_addr *peers;
    size_t peers_n;
    enum lan_tls_mode tls;
    const char *tls_cert, *tls_key; /* files; NULL: one of our own */
    const char *tls_ca; /* a file, or "system": who is vouched for; or NULL */
    const struct tls_pin *tls_pins; /* or shows one of these */
    size_t tls_pins_n;
    bool discovery;        /* says where we are, and calls whom it hears */
    const char *interface; /* NULL: all */
    uint64_t discovery_us, device_us;
    uint64_t ttl_us, ahead_us, request_us;
    uint64_t connect_us, auth_us, dial_max_us;
    uint64_t heartbeat_us, heartbeat_wait_us, idle_us;
    unsigned misses_max; /* heartbeats */
    uint64_t rate;       /* messages a second of a node; 0: any number */
    bool compress;       /* to and from nodes that offer it, too */
};

NODISCARD int lan_face_new(
    struct lan_face **out, const struct lan_face_options *opt);
bool lan_face_has_secret(const struct lan_face *f, struct slice secret);
/* Who comes to the port of the mesh. For engine_options. */
struct net_guests lan_face_nodes(struct lan_face *f);
/* The engine is open. EBUSY: somebody else has the port. */
NODISCARD int lan_face_start(
    struct lan_face *f, struct engine *e, struct errmsg *why);
/* The engine has done something: is the mesh another one? */
void lan_face_turn(struct lan_face *f);
/* The engine closes. */
void lan_face_stop(struct lan_face *f);
/* After engine_close. The memory goes when the loop has run the closing. NULL
 * is fine. */
void lan_face_close(struct lan_face *f);

/* Answers the op lansync; false: it is another. */
bool lan_face_answer(
    struct lan_face *f, const struct json *request, struct buf *out);
/* A member of `status`, with its comma; NULL is fine. */
void lan_face_put_status(const struct lan_face *f, struct buf *b);

#endif
