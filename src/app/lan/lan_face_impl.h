/* lan_face_impl.h - what lan_face.c (beginning and end), lan_space.c (the
 * space), lan_conns.c (connections), lan_wire.c (what carries them), lan_tls.c
 * (certificates), lan_near.c (who is near) and lan_kept.c (what is known of
 * nodes) share. */
#ifndef SYNCLINE_APP_LAN_FACE_IMPL_H
#define SYNCLINE_APP_LAN_FACE_IMPL_H

#include "app/attempts.h"
#include "app/lan/lan_face.h"
#include "base/pace.h"
#include "faces/lansync/exchange.h"
#include "io/clock.h"
#include "io/stream.h"

#define LAN_LISTEN_MAX OPTIONS_BIND_MAX
#define LAN_ADMIT_MAX OPTIONS_ADMIT_MAX
#define LAN_FACE_NAME "lansync"
#define LAN_KNOWN_MAX 256
#define LAN_REFUSED_MAX 32
#define LAN_QUEUE_MAX ((size_t)64 << 20) /* unsent, of one connection */

struct lan_watch;
struct lan_write;
struct lan_past;
struct lan_conn;
struct lan_peer;
struct lan_kept;
struct lan_near;
struct lan_tls;
struct lan_wire;

struct lan_face {
    struct lan_face_options opt;
    struct log log;
    char *space, *node_name, *strategy;
    char node_id[128];
    struct buf secret;
    struct engine *engine;
    struct lan_protocol *protocol;
    struct lan_exchange *exchange;
    struct attempts attempts;
    struct lan_caller {
        uint64_t net;
        struct pace calls;
    } callers[256];
    uv_timer_t tick;
    bool has_tick, is_stopping;

    struct netaddr listen[LAN_LISTEN_MAX]; /* where it does, once it does */
    struct stream_listener *listeners[LAN_LISTEN_MAX];
    struct network admit[LAN_ADMIT_MAX];
    struct lan_conn *conns;
    struct lan_wire *nodes; /* those of the port of the mesh */
    struct lan_peer *peers;
    uint64_t next_number;
    struct netaddr told_us[LAN_KNOWN_MAX]; /* from there it was said to us */
    size_t told_us_n;                      /* in all; the oldest goes */
    struct lan_watch *watches;
    struct lan_write *writes;
    struct lan_past *pasts;
    struct lan_near *near; /* NULL: nobody is looked for */
    char *interface;
    struct lan_tls *tls; /* NULL: there is none */
    uint64_t mesh_mark;  /* when it was last looked who is of the mesh */
    struct lan_kept *kept;
    bool kept_changed, kept_lacks;     /* kept_lacks: some node may lack some */
    uint64_t kept_due_us, told_due_us; /* to the file, to the engine */
    struct lan_deflated deflated;
    struct lan_halves halves;
    struct lan_refused {
        struct netaddr from;
        char node[256]; /* "": it has not said who it is */
        char why[200];
        uint64_t times, last_us; /* 0: there is none */
        uint64_t told_us;        /* to the log; 0: not yet */
    } refused[LAN_REFUSED_MAX];
    struct pace near_calls, near_lines; /* of who only says that he is near */
    unsigned refused_lines;             /* in the log */
    uint64_t refused_told_us;
    struct {
        uint64_t refused_network, refused_room, refused_tls, failures;
    } counts;
};

/* Something is due, or may be, at another time than before. */
void lan_arm(struct lan_face *f);

/* ---- lan_space.c ---- */

struct lan_exchange_port lan_space_port(struct lan_face *f);
void lan_space_begin(struct lan_face *f);
/* Does what is due; when the next is, 0: nothing. */
uint64_t lan_space_tick(struct lan_face *f, uint64_t now_us);
void lan_space_close(struct lan_face *f);

/* ---- lan_conns.c ---- */

NODISCARD int lan_conns_make(struct lan_face *f);
NODISCARD int lan_conns_listen(struct lan_face *f, struct errmsg *why);
uint64_t lan_conns_tick(struct lan_face *f, uint64_t now_us);
void lan_conns_stop(struct lan_face *f);
void lan_conns_close(struct lan_face *f);
/* Somebody has come to the port of the mesh; false: he is not let in. */
bool lan_conns_node(
    struct lan_face *f, uint64_t conn, const struct netaddr *remote);
/* Is the other end of that link one of ours, though of another mesh? */
bool lan_conns_is_syncline(const struct lan_face *f, uint64_t number);
/* Elements of an array. */
void lan_conns_put(const struct lan_face *f, struct buf *b);
void lan_peers_put(const struct lan_face *f, struct buf *b);

/* ---- lan_refused.c ---- */

/* Elements of an array. */
void lan_refused_put(const struct lan_face *f, struct buf *b);

/* ---- lan_peers.c ---- */

/* Somebody is near, or not any more. */
void lan_peer_found(
    struct lan_face *f, const char *node, const struct netaddr *at);
void lan_peer_lost(struct lan_face *f, const char *node);
/* Of a line about who is near: level, or that of debugging when there were many
 * such lines. */
enum log_level lan_near_level(struct lan_face *f, enum log_level level);

/* ---- lan_wire.c ---- */

struct lan_wire_events {
    void *ctx;
    void (*on_open)(void *ctx); /* it may be sent to; of one that has come in
                                   clear it is not called: it may at once */
    void (*on_bytes)(void *ctx, struct slice bytes);
    void (*on_end)(void *ctx, const char *why); /* once, but after a drop */
};

NODISCARD int lan_wire_call(struct lan_wire **out, struct lan_face *f,
    const char *host, uint16_t port, bool secure,
    const struct lan_wire_events *ev);
/* One that has come; of_stream is to be given to it. */
NODISCARD int lan_wire_take(struct lan_wire **out, struct lan_face *f,
    struct stream *s, struct stream_events *of_stream,
    const struct lan_wire_events *ev);
/* One that the net has. */
NODISCARD int lan_wire_node(struct lan_wire **out, struct lan_face *f,
    uint64_t conn, const struct lan_wire_events *ev);
void lan_wire_send(struct lan_wire *w, struct slice bytes);
/* Nothing of it is read, or again. */
void lan_wire_hold(struct lan_wire *w, bool held);
size_t lan_wire_queued(const struct lan_wire *w);
bool lan_wire_is_open(const struct lan_wire *w);
/* What is queued is sent; then on_end. */
void lan_wire_close(struct lan_wire *w);
void lan_wire_drop(struct lan_wire *w);
/* It has come by TLS, or without, and may not. */
bool lan_wire_is_refused(const struct lan_wire *w);
/* Whom we have called; family 0: nobody has answered yet. */
struct netaddr lan_wire_remote(const struct lan_wire *w);
bool lan_wire_is_secure(const struct lan_wire *w);
/* As stream_binding. */
NODISCARD int lan_wire_binding(
    const struct lan_wire *w, uint8_t out[TLS_BINDING]);
/* Of the certificate that the other end has shown; "" if none. */
const char *lan_wire_print(const struct lan_wire *w);

/* ---- lan_tls.c ---- */

NODISCARD int lan_tls_make(struct lan_face *f);
NODISCARD int lan_tls_open(struct lan_face *f, struct errmsg *why);
/* Reads files again that have changed. */
uint64_t lan_tls_tick(struct lan_face *f, uint64_t now_us);
void lan_tls_close(struct lan_face *f);
/* NULL: no TLS is spoken. */
struct tls_rules *lan_tls_rules(struct lan_face *f);
bool lan_tls_verifies(const struct lan_face *f);
bool lan_tls_takes_plain(const struct lan_face *f);
/* By TLS? tried: that has failed, the last time. */
bool lan_tls_calls(const struct lan_face *f, bool tried);
/* Members of the status, with their comma in front. */
void lan_tls_put(const struct lan_face *f, struct buf *b);

/* ---- lan_near.c ---- */

NODISCARD int lan_near_open(struct lan_face *f, struct errmsg *why);
uint64_t lan_near_tick(struct lan_face *f, uint64_t now_us);
void lan_near_close(struct lan_face *f);
/* Elements of an array. */
void lan_near_put(const struct lan_face *f, struct buf *b);

/* ---- lan_kept.c ---- */

NODISCARD int lan_kept_open(struct lan_face *f, struct errmsg *why);
void lan_kept_recall(
    const struct lan_face *f, const char *node, char *acked, char *asked);
void lan_kept_note(
    struct lan_face *f, const char *node, const char *acked, const char *asked);
/* It is here, by one link more, or less. */
void lan_kept_here(struct lan_face *f, const char *node, bool is_here);
/* The node is not told of that item, which takes so many bytes; 0: it is. */
void lan_kept_lacks(
    struct lan_face *f, const char *node, struct slice key, size_t bytes);
/* Members, with their comma in front: such items, of many the first, and how
 * many there are, of how many nodes. */
void lan_kept_put_lacks(const struct lan_face *f, struct buf *b);
/* Writes what has changed; when it is due, 0: it is written. */
uint64_t lan_kept_tick(struct lan_face *f, uint64_t now_us);
void lan_kept_close(struct lan_face *f);

#endif
