/* isync_conns_impl.h - what isync_conns.c (all of it), isync_callers.c (who
 * comes) and isync_calls.c (whom we call) share. */
#ifndef SYNCLINE_APP_ISYNC_CONNS_IMPL_H
#define SYNCLINE_APP_ISYNC_CONNS_IMPL_H

#include "app/isync/isync_conns.h"
#include "faces/http/hub.h"
#include "faces/socketio/sio_server.h"
#include "io/clock.h"
#include "io/stream.h"

#define ISYNC_AGENT "Syncline/" SYNCLINE_VERSION
#define ISYNC_QUEUE_HIGH ((size_t)256 << 10)
#define ISYNC_CALLED ((uint64_t)1 << 48) /* in the number of a URL */

struct isync_caller;
struct isync_guest;
struct isync_call;
struct isync_wire;

struct isync_conns {
    struct isync_conns_options opt;
    struct network admit[16];
    char *hosts[16];
    char *roots_file;
    struct tls_rules *roots; /* NULL: no URL is https yet */
    uv_timer_t tick;
    bool has_tick, is_stopping;
    bool is_ticking, is_due; /* it is, and something is due at once */

    struct stream_listener *listeners[ISYNC_LISTEN_MAX];
    struct netaddr bound[ISYNC_LISTEN_MAX]; /* where they listen */
    struct netaddr
        asked[ISYNC_LISTEN_MAX]; /* where they were to; port 0: any */
    size_t listeners_n;
    struct sio_server *server;
    struct isync_caller *callers; /* who came last is first */
    struct isync_guest *guests;
    uint64_t last_conn;

    struct isync_call *calls;
    struct isync_wire *wires;
    uint64_t last_call;
    struct {
        uint64_t refused_network, refused_page, refused_room;
    } counts;
};

static inline void isync_sooner(uint64_t *next, uint64_t due)
{
    if (due != 0 && (*next == 0 || due < *next))
        *next = due;
}

/* Something is due, or may be, at another time than before. */
void isync_arm(struct isync_conns *c);

/* ---- isync_callers.c ---- */

NODISCARD int isync_callers_make(struct isync_conns *c);
bool isync_callers_accept(void *ctx, struct stream *s,
    const struct netaddr *remote, struct stream_events *events);
/* Does what is due; when the next is, 0: nothing. */
uint64_t isync_callers_tick(struct isync_conns *c, uint64_t now_us);
void isync_callers_stop(struct isync_conns *c);
void isync_callers_close(struct isync_conns *c);

/* Other networks are admitted than before, or other addresses served. */
void isync_callers_judge(struct isync_conns *c);
/* Bytes that wait to leave by that connection. */
size_t isync_callers_waiting(const struct isync_conns *c, uint64_t conn);

/* ---- isync_guests.c ---- */

/* NULL: it is no guest's number. */
struct hub_conn *isync_guest_of(const struct isync_conns *c, uint64_t number);
void isync_guests_close(struct isync_conns *c);

/* ---- isync_calls.c ---- */

uint64_t isync_calls_tick(struct isync_conns *c, uint64_t now_us);
NODISCARD int isync_calls_emit(
    struct isync_conns *c, uint64_t link, struct slice name, struct slice args);
size_t isync_calls_waiting(const struct isync_conns *c, uint64_t link);
void isync_calls_hang_up(struct isync_conns *c, uint64_t link);
size_t isync_calls_connected(const struct isync_conns *c);
/* The longest pause is another. */
void isync_calls_hurry(struct isync_conns *c, uint64_t now_us);
void isync_calls_stop(struct isync_conns *c);
void isync_calls_close(struct isync_conns *c);

#endif
