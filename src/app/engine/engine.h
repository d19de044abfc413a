/* engine.h - a node with its loop, store and network: what the daemon and
 * the library are made of.
 *
 * One thread, the loop's, does everything but syncing the journal and
 * writing checkpoints. In a turn of the loop events are stepped through the
 * node; at its end what gathered is sent, and one sync covers all commits.
 * Laws: nothing is acknowledged before it is durable; every request is
 * answered exactly once without `more`, or cancelled. */
#ifndef SYNCLINE_APP_ENGINE_H
#define SYNCLINE_APP_ENGINE_H

#include <limits.h>
#include <uv.h>

#include "app/identity_file.h"
#include "app/tokens.h"
#include "base/log.h"
#include "core/json.h"
#include "core/netaddr.h"
#include "io/net.h"
#include "repl/node.h"

struct engine; /* opaque */

/* Who asks, for the audit log. */
struct engine_asker {
    uint32_t uid;
    int32_t pid;
    char token[TOKEN_ID_LEN + 1]; /* by the hub; then the two are of nobody */
    struct netaddr from;
};

typedef bool engine_local_fn(void *ctx, const struct json *args,
    const struct engine_asker *who, struct buf *out);

/* HTTPS for guests. */
struct engine_web_options {
    bool enabled;
    const char *cert, *key;    /* files; NULL: one of our own, in dir */
    const struct slice *hosts; /* that it is good for, beside what we find */
    size_t hosts_n;
};

struct engine_options {
    uv_loop_t *loop;      /* borrowed */
    const char *dir;      /* made if it is not there */
    const char *identity; /* a key's file in place of that in dir, or NULL */
    passphrase_fn *passphrase; /* of the key, if it has one; or NULL */
    void *passphrase_ctx;
    const char *name;
    struct log log;
    const struct netaddr *listen; /* none: dials out only */
    size_t listen_n;
    const struct netaddr *peers;
    size_t peers_n;
    const struct netaddr *advertise; /* for codes; none: those found */
    size_t advertise_n;
    const char *interface; /* NULL: all */
    bool discovery;
    uint64_t beacon_us, heartbeat_us, silence_us, dial_max_us;
    uint32_t history_keep;
    uint64_t history_age_us;
    uint64_t retention_us, collect_us;
    bool tokens;             /* keeps those of the hub, in dir */
    bool relay;              /* takes nothing in clear */
    uint64_t clock_bound_us; /* UINT64_MAX: none; 0: the default */
    struct node_limits limits;
    struct net_guests guests; /* zeros: nobody but devices is let in */
    struct net_guests nodes;  /* older nodes, at the same port */
    struct engine_web_options web;
    const struct slice *files_roots; /* below which files may be bound; lent */
    size_t files_roots_n;
    bool files_http;  /* by a token, too */
    size_t files_max; /* bytes of one */
    /* One was written; not 0: that cannot be taken. changed is JSON. NULL:
     * nobody is told. */
    int (*on_file)(
        void *ctx, const char *file, struct slice changed, bool reverted);
    /* One has come to agree with its item, by whichever of the two: json is
     * what it says. NULL: nobody is told. */
    void (*on_kept)(void *ctx, const char *file, struct slice json);
    void *file_ctx; /* of both */
    size_t overlay_bytes;
    uint64_t checkpoint_ms;
    const char *resolve_command; /* NULL: none */
    node_resolve_fn *resolve;
    void *resolve_ctx;
    /* The store failed for good: close and open again. */
    void (*on_fatal)(void *ctx, const char *why);
    void *fatal_ctx;
    /* A turn of the loop is over, all its answers are given. */
    void (*on_turn)(void *ctx);
    void *turn_ctx;
    /* Answers by appending a JSON object what is not asked of the node, or
     * returns false. NULL: there is nothing such. */
    engine_local_fn *local;
    void *local_ctx;
    /* Appends a text's picture as JSON: {size, rows, svg}. NULL: none are made.
     */
    int (*picture)(struct buf *out, struct slice text);
    /* More members of `status`, each with its comma. May be NULL. */
    void (*put_status)(void *ctx, struct buf *b);
    void *status_ctx;
    /* All requests are answered; guests are sent the last that they get. */
    void (*on_closing)(void *ctx);
    void *closing_ctx;
    /* Requests may be given again after engine_is_full() was true. */
    void (*on_room)(void *ctx);
    void *room_ctx;
};

NODISCARD int engine_open(
    struct engine **out, const struct engine_options *opt, struct errmsg *why);
/* A clean stop. The loop must be run once more, until it has nothing to do.
 * NULL is fine. Returns what failed. */
int engine_close(struct engine *e);

/* One answer, a JSON object without its newline; more: others follow. Called
 * on the loop, never from within engine_request. */
typedef void engine_reply_fn(void *ctx, struct slice json, bool more);

/* Takes a request (doc/api.md); args are lent until it returns. Its number,
 * for the calls below; 0: no memory, and there will be no answer. asker NULL:
 * this process itself. */
uint64_t engine_request(struct engine *e, const struct json *args,
    const struct engine_asker *asker, engine_reply_fn *fn, void *ctx);
/* No more answers, please. */
void engine_cancel(struct engine *e, uint64_t request);
/* The asker reads slowly (again fast): hold back (go on with) its stream. */
void engine_pace(struct engine *e, uint64_t request, bool paused);
/* EV_OUTSIDER, of which it has the arguments. */
void engine_outsider(struct engine *e, const struct json *args);
/* The overlay is beyond its bound: who can should wait for on_room. */
bool engine_is_full(const struct engine *e);

/* Of the connections that engine_options.guests was told of; see io/net.h. */
void engine_guest_send(struct engine *e, uint64_t conn, struct slice bytes);
size_t engine_guest_queued(const struct engine *e, uint64_t conn);
void engine_guest_hold(struct engine *e, uint64_t conn, bool held);
void engine_guest_close(struct engine *e, uint64_t conn, const char *reason);
/* Answers that nobody has been given yet, in bytes; and gives them now, in
 * place of at the turn's end. Not from within an answer. */
size_t engine_answers_bytes(const struct engine *e);
void engine_give(struct engine *e);
/* Without what is queued. */
void engine_guest_drop(struct engine *e, uint64_t conn, const char *reason);
/* Members that are met on another system's connections: see node_kin_tag. */
NODISCARD int engine_kin_tag(
    const struct engine *e, struct slice of, uint8_t out[NODE_KIN_LEN]);
bool engine_is_kin(const struct engine *e, struct slice of, struct slice tag);
/* Another number once the mesh or its key is another; never 0. */
uint64_t engine_mesh_mark(const struct engine *e);
/* The same of what a watch of the space would tell; 0: there is none. */
uint64_t engine_watch_mark(const struct engine *e, struct slice space);
/* A beacon for them, and one of theirs, as if it had come by multicast. */
NODISCARD int engine_put_beacon(struct engine *e, struct buf *out);
void engine_hear(
    struct engine *e, const struct netaddr *from, struct slice beacon);
/* Names of this machine, which those who come by TLS may ask it for. */
const struct slice *engine_web_hosts(const struct engine *e, size_t *n);
/* Appends the certificate that this machine has made for itself, with its key,
 * as PEM, and says where it is; it is made if need be. Wipe both. */
NODISCARD int engine_web_own(
    struct engine *e, struct buf *out, char path[PATH_MAX], struct errmsg *why);
/* Now and then: is there another certificate to show? */
void engine_web_look(struct engine *e);
/* Whom a token lets in by the hub, from an address. EDENIED: there is none such
 * (or, not counted as a failure, an empty one was presented); ETIMEOUT: it has
 * expired; EBUSY: too many from there have failed, and nothing, or from
 * loopback nothing wrong, is looked at for *wait_us; EUNSUPPORTED: no tokens
 * are kept. Failures are audited. */
NODISCARD int engine_admit(struct engine *e, const struct netaddr *from,
    struct slice presented, struct token_grant *out, uint64_t *wait_us);
/* The same of who was let in, as long as he stays. */
NODISCARD int engine_still_admits(
    const struct engine *e, const char *id, struct token_grant *out);

/* Whom the two secrets of a session of the dashboard let in: EDENIED,
 * ETIMEOUT, EUNSUPPORTED. They are no guesses of anybody: not counted. */
NODISCARD int engine_admit_session(struct engine *e, struct slice cookie,
    struct slice page, struct token_grant *out);

/* From now on, in place of what the options said. */
void engine_tune(struct engine *e, const struct node_tuning *t);

/* How many versions are kept of the files that are bound to an item. */
size_t engine_versions_n(
    const struct engine *e, struct slice space, struct slice key);

const char *engine_dir(const struct engine *e);
/* "syncline_" and the device's id, shortened; room for 64. */
void engine_short_name(const struct engine *e, char *out, size_t room);
/* Where it really listens. */
const struct netaddr *engine_listening(const struct engine *e, size_t *n);
/* Interfaces and families on which beacons are joined. */
unsigned engine_multicast(const struct engine *e);
int engine_store_status(const struct engine *e);
/* Why the audit log cannot be written; NULL: it can. */
const char *engine_audit_trouble(const struct engine *e);
/* Tells the audit log; details is a canonical JSON object. */
void engine_audit(struct engine *e, const char *kind, struct slice details);
/* The same, of what somebody asked for; who shows no token may do so as often
 * as he likes: what is equal is told once, and counted. */
void engine_audit_by(struct engine *e, const struct engine_asker *who,
    const char *kind, struct slice details);

#endif
