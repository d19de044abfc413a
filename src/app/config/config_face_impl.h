/* config_face_impl.h - what config_face.c (the item), config_callers.c (who
 * comes), config_guests.c (by the hub) and config_peers.c (whom we call) share.
 */
#ifndef SYNCLINE_APP_CONFIG_FACE_IMPL_H
#define SYNCLINE_APP_CONFIG_FACE_IMPL_H

#include "app/config/config_face.h"
#include "faces/configsync/message.h"
#include "faces/configsync/sync.h"
#include "io/clock.h"
#include "io/stream.h"

#define FACE_LISTEN_MAX 8
#define FACE_ADMIT_MAX 16
#define FACE_PEERS_MAX 32
#define FACE_QUEUE_HIGH ((size_t)256 << 10)
#define FACE_AGENT "Syncline/" SYNCLINE_VERSION

struct config_peer; /* one that we call */
struct config_caller;
struct config_guest;

struct config_face {
    struct config_face_options opt;
    struct log log;
    char *space, *key, *roots_file;
    char instance[128];
    struct engine *engine;
    struct config_sync *sync;
    struct rate *rate;
    struct tls_rules *roots; /* NULL: no URL is wss */
    uv_timer_t tick;
    bool has_tick, is_stopping;
    uint64_t watch;          /* the request; 0: none */
    uint64_t watch_again_us; /* of the clock that never goes back; 0: not */
    bool is_live;            /* what stands is known */
    uint64_t next_link;

    struct netaddr listen[FACE_LISTEN_MAX]; /* where it does, once it does */
    struct stream_listener *listeners[FACE_LISTEN_MAX];
    struct network admit[FACE_ADMIT_MAX];
    struct config_caller *callers;
    struct config_guest *guests;
    struct config_peer *peers;
    uint64_t said_us; /* when a line about bad messages was logged */
    struct {
        uint64_t refused_network, refused_origin, refused_rate;
    } counts;
};

struct config_time face_now(void);
/* Something is due, or may be, at another time than before. */
void face_arm(struct config_face *f);

/* ---- config_callers.c ---- */

NODISCARD int callers_listen(struct config_face *f, struct errmsg *why);
/* Sends to that link. False: it is none of a caller. */
bool callers_send(struct config_face *f, uint64_t link, struct slice text);
/* Does what is due; the time of what is next, 0: nothing. */
uint64_t callers_tick(struct config_face *f, uint64_t now_ms);
void callers_stop(struct config_face *f);
void callers_close(struct config_face *f);
size_t callers_n(const struct config_face *f);
/* For the log: it is connected. */
void callers_say_come(
    struct config_face *f, const struct netaddr *from, bool is_syncline);

/* ---- config_guests.c ---- */

bool guests_send(struct config_face *f, uint64_t link, struct slice text);
void guests_close(struct config_face *f);
size_t guests_n(const struct config_face *f);

/* ---- config_peers.c ---- */

NODISCARD int peers_make(struct config_face *f);
bool peers_send(struct config_face *f, uint64_t link, struct slice text);
uint64_t peers_tick(struct config_face *f, uint64_t now_ms);
void peers_stop(struct config_face *f);
void peers_close(struct config_face *f);
/* Elements of an array. */
void peers_put(const struct config_face *f, struct buf *b, bool urls);

#endif
