/* lib_lan.h - the inside of syncline_lan.h, shared by lib_lan*.c: a loop with
 * its thread, connections over it, and what a server and a client have in
 * common.
 *
 * Laws: what is under a struct lib_lan_end but for its loop's lock is touched
 * on the loop's thread alone, or while there is none; no lock is held while a
 * callback runs; who waits is told, whatever becomes of the loop. */
#ifndef SYNCLINE_APP_LIB_LAN_H
#define SYNCLINE_APP_LIB_LAN_H

#include <pthread.h>

#include "app/attempts.h"
#include "app/lib/lib.h"
#include "crypto/web_cert.h"
#include "faces/configsync/where.h"
#include "faces/lansync/link.h"
#include "io/clock.h"
#include "io/stream.h"
#include "syncline_lan.h"

#define LIB_LAN_ADMIT_MAX 16
#define LIB_LAN_SECRET_MAX 4096
#define LIB_LAN_PINS_MAX 16
#define LIB_LAN_SCRATCH ((size_t)64 << 10)

/* ---- lib_lan_loop.c ---- */

/* Something that a caller waits for. */
struct lib_lan_call {
    struct lib_lan_call *next;
    int (*fn)(void *arg);
    void *arg;
    int rc;
    bool is_done;
    struct errmsg why;
};

enum lib_lan_running {
    LIB_LAN_IDLE,
    LIB_LAN_STARTING, /* nobody may call yet */
    LIB_LAN_RUNNING,
    LIB_LAN_STOPPING
};

struct lib_lan_loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t tick;
    uint64_t armed_us; /* when it ticks; 0: it does not */
    pthread_t thread;
    /* Of the owner: what is due, what is to end, and what has ended. */
    void *owner;
    void (*on_tick)(void *owner);
    void (*on_stop)(void *owner);

    pthread_mutex_t lock;
    pthread_cond_t done;
    enum lib_lan_running running;
    struct lib_lan_call *calls, **last;
    unsigned callers; /* that wait for something */

    unsigned forks; /* as of forks_n, when it was made */

    struct lib_lan_loop *waits_for; /* whose thread ours waits for; under a
                                       lock of lib_lan_loop.c */
};

void lib_lan_loop_init(struct lib_lan_loop *l);
void lib_lan_loop_close(struct lib_lan_loop *l); /* it does not run */
/* begin is called before there is a thread; after a failure on_stop is, too.
 * EBUSY: it runs. */
NODISCARD int lib_lan_loop_start(
    struct lib_lan_loop *l, int (*begin)(void *owner));
/* Waits. EBUSY: from inside. */
NODISCARD int lib_lan_loop_stop(struct lib_lan_loop *l);
/* Of on_stop: nothing is open any more. */
void lib_lan_loop_ended(struct lib_lan_loop *l);
bool lib_lan_loop_inside(const struct lib_lan_loop *l);
/* Calls fn on the loop's thread and waits for it. ECLOSED: it does not run. */
NODISCARD int lib_lan_loop_call(
    struct lib_lan_loop *l, int (*fn)(void *arg), void *arg);
/* The owner's on_tick, no later than then; 0: not at all. */
void lib_lan_loop_arm(struct lib_lan_loop *l, uint64_t at_us);
/* The same, or earlier if that is what it is armed for. */
void lib_lan_loop_arm_by(struct lib_lan_loop *l, uint64_t at_us);
/* A caller that waits for more than a call: no stop returns before he is
 * done. ECLOSED: it does not run. */
NODISCARD int lib_lan_loop_enter(struct lib_lan_loop *l);
void lib_lan_loop_leave(struct lib_lan_loop *l);

/* Around whatever waits for l's thread. EBUSY: that waits for ours. */
NODISCARD int lib_lan_wait_begin(
    struct lib_lan_loop *l, struct lib_lan_loop **before);
void lib_lan_wait_end(struct lib_lan_loop *before);

/* ---- lib_lan_config.c ---- */

struct syncline_lan_handler {
    pthread_mutex_t lock; /* of protocol */
    unsigned forks;
    struct lan_protocol *protocol;
    char *node_id, *node_name;
    struct buf secret;
    enum lan_dialect dialect;
    uint64_t ttl_us, ahead_us;
};

struct lib_lan_conn;
struct lib_lan_handle;

/* What a server and a client have in common. */
struct lib_lan_end {
    struct syncline_lan_config config; /* its texts are in kept */
    struct arena kept;
    struct netaddr listen;
    struct network admit[LIB_LAN_ADMIT_MAX];
    size_t admit_n;
    struct buf secret;
    struct {
        struct tls_rules *rules; /* NULL: none is spoken */
        struct tls_pin pins[LIB_LAN_PINS_MAX];
        size_t pins_n;
        struct buf own; /* PEM of what was made here */
        struct web_cert_facts facts;
    } tls;
    struct log log;
    struct lan_protocol *protocol;
    struct lib_lan_loop loop;
    bool is_server;
    bool is_ending;     /* it stops; what is open then is dropped */
    uint64_t linger_us; /* at that time */
    uint64_t again_us;  /* of a client: when it calls again; 0: it does not */
    struct lib_lan_conn *conns;
    struct lan_halves halves;
    struct arena scratch; /* of one message that has come */
    struct buf payload;   /* of that, for a callback */
    struct stream_listener *listener;
    /* Of a server, then of a client; the others are NULL: */
    bool (*authenticate)(struct lib_lan_conn *c, const struct lan_message *m,
        struct json **data, struct arena *a);
    bool (*may_try)(const struct lib_lan_conn *c);
    void (*failed)(const struct lib_lan_conn *c);
    void (*on_open)(struct lib_lan_end *e);
    void (*on_gone)(struct lib_lan_end *e, const struct lib_lan_conn *c);

    /* Under the loop's lock: */
    struct lib_lan_handle *handles;
    syncline_lan_state_fn *on_state;
    void *state_ctx;
};

/* e is empty; loop, protocol and options of it are made. */
NODISCARD int lib_lan_end_init(struct lib_lan_end *e,
    const struct syncline_lan_config *config,
    const struct syncline_lan_handler *h);
void lib_lan_end_close(struct lib_lan_end *e); /* it does not run */
/* Does a text say one JSON object? Its value lives in a, of which it lends. */
NODISCARD int lib_lan_object(
    struct json **out, const char *text, const char *what, struct arena *a);
/* A text of its own for a caller. */
NODISCARD int lib_lan_text(char **out, struct buf *b);
bool lib_lan_type_ok(const char *type);

/* ---- lib_lan_tls.c ---- */

/* Copies what the configuration says of it. */
NODISCARD int lib_lan_tls_take(struct lib_lan_end *e);
/* Reads the files, for connections from now on. */
NODISCARD int lib_lan_tls_open(struct lib_lan_end *e);
void lib_lan_tls_close(struct lib_lan_end *e);

/* ---- lib_lan_conn.c ---- */

struct lib_lan_wait;

struct lib_lan_conn {
    struct lib_lan_conn *next;
    struct lib_lan_end *end;
    struct stream *stream;
    struct lan_link *link;
    struct lib_lan_wait *waits;
    char id[LAN_UUID_LEN + 1]; /* "": we have called */
    struct netaddr remote;
    uint64_t since_us;
    bool was_up;   /* the stream was open */
    bool is_begun; /* something has come by it */
    bool is_open, is_over, is_refused;
    char why[200], said[200]; /* said: by a server that does not want us */
};

/* Of e->conns, whose stream is to be set; opt without protocol and events. */
NODISCARD int lib_lan_conn_new(struct lib_lan_conn **out, struct lib_lan_end *e,
    struct lan_link_options *opt);
void lib_lan_conn_events(struct lib_lan_conn *c, struct stream_events *events);
void lib_lan_conn_free(struct lib_lan_conn *c); /* before it has a stream */
/* What was sent leaves yet. */
void lib_lan_conn_close(struct lib_lan_conn *c, const char *why);
void lib_lan_tell_state(
    struct lib_lan_conn *c, enum syncline_lan_state state, const char *why);
void lib_lan_conns_tick(struct lib_lan_end *e, uint64_t now_us);
/* on_stop of a loop: ends what is open, and then the loop. */
void lib_lan_conns_stop(void *end);
/* Something is due, or may be, at another time than before. */
void lib_lan_arm(struct lib_lan_end *e);
/* The same of one alone: what was due and is not any more is noticed then. */
void lib_lan_arm_for(const struct lib_lan_conn *c);

/* ---- lib_lan_say.c ---- */

NODISCARD int lib_lan_handle(struct lib_lan_end *e, const char *type,
    syncline_lan_handle_fn *fn, void *ctx);
void lib_lan_handles_free(struct lib_lan_end *e);
NODISCARD int lib_lan_on_state(
    struct lib_lan_end *e, syncline_lan_state_fn *fn, void *ctx);
bool lib_lan_knows(struct lib_lan_end *e, struct slice name);
/* on_message and on_answer of a link. */
int lib_lan_take(struct lib_lan_conn *c, const struct lan_message *m);
void lib_lan_answered(
    struct lib_lan_conn *c, uint64_t request, const struct lan_answer *a);
void lib_lan_waits_free(struct lib_lan_conn *c);

/* A message as callbacks see it, until the next one; its texts are in a, but
 * for the payload. */
NODISCARD int lib_lan_view(struct syncline_lan_message *out,
    struct lib_lan_conn *c, const struct lan_message *m, struct arena *a);

/* What is to be said, and to whom: pick finds the connections, on the loop. */
struct lib_lan_saying {
    struct lib_lan_end *end;
    const char *client_id; /* server; NULL: all. Client: NULL */
    const char *type, *payload;
    uint32_t timeout_ms;
    syncline_lan_answer_fn *fn; /* with it, an answer is waited for */
    void *ctx;
    unsigned sent;
    struct json *value; /* of the payload */
    struct arena arena;
};

/* Sends; from any thread. */
NODISCARD int lib_lan_say(struct lib_lan_saying *s);
/* And waits for the answer, whose payload is *answer. judge, if not NULL, says
 * what counts as yes. */
typedef int lib_lan_judge_fn(int status, const struct syncline_lan_message *m,
    struct buf *answer, struct errmsg *why);
NODISCARD int lib_lan_ask(
    struct lib_lan_saying *s, lib_lan_judge_fn *judge, char **answer);

#endif
