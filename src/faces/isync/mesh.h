/* mesh.h - one iSync node among its peers: what is said to each of them and
 * when, and what is made of what they say.
 *
 * Pure: no socket, no clock; events of links come in, and go out by the port.
 * A link is one Socket.IO connection, which a peer has made to us (is_caller)
 * or we to it.
 *
 *     caller   OPEN --peer_handshake--> PEER       any ---> closed
 *     called   GREETING --handshake_response--> PEER
 *
 * Laws:
 * - A peer is told all that stands here: callers 1 s, called ones 2 s after the
 *   handshake, whoever asks, and everybody every interval; what is new at once,
 *   changes within ISYNC_GATHER_US as one. What a peer has brought is not told
 *   to it as new.
 * - Where all of it fits a packet each packet has all of it, so that who keeps
 *   the newest keeps all. What is too much goes in parts that say that they are
 *   such, none larger than ISYNC_PACKET_MAX, one each ISYNC_PACE_US; of so much
 *   only what is new is told until it is told whole again (ISYNC_SWEEP_US).
 * - Without a token and not clear nothing of ours is said.
 * - What cannot be read is kept, the newest of each source by each link, with
 * all its parts, and told to all others as it came, each packet at most once.
 * What names us as its source is passed over.
 * - Nothing is written again because a peer says once more what it has said.
 * - Memory and rates are bounded, whatever peers say. */
#ifndef SYNCLINE_FACES_ISYNC_MESH_H
#define SYNCLINE_FACES_ISYNC_MESH_H

#include "base/log.h"
#include "faces/isync/keys.h"
#include "faces/isync/rules.h"
#include "faces/isync/state.h"

#define ISYNC_CALLER_US UINT64_C(1000000)    /* handshake to push, server */
#define ISYNC_CALLED_US UINT64_C(2000000)    /* the same, client */
#define ISYNC_INTERVAL_US UINT64_C(30000000) /* the default */
#define ISYNC_SWEEP_US UINT64_C(600000000)   /* all of a large state */
#define ISYNC_GATHER_US UINT64_C(50000)
#define ISYNC_PACE_US UINT64_C(100000)
#define ISYNC_LINKS_MAX 256
#define ISYNC_HEARD_BYTES UINT64_C(12000000) /* a second, of one link */
#define ISYNC_TOLD_MAX 20000 /* fields of records, by who said them */

struct isync_mesh; /* opaque */

struct isync_time {
    uint64_t wall_us; /* the time of day; stamps are of it */
    uint64_t mono_us; /* of a clock that never goes back */
};

/* Lent all of it, until the call returns. None may free the mesh or call it. */
struct isync_mesh_port {
    void *ctx;
    /* Says an event; arg NULL: it has none. */
    void (*emit)(
        void *ctx, uint64_t link, const char *name, const struct json *arg);
    /* A peer has changed a path that is kept the same by the rules. */
    void (*changed)(void *ctx, const struct isync_change *c);
    /* A packet was read and merged, whether or not anything is new. */
    void (*applied)(void *ctx, uint64_t link, struct slice source);
    /* A handshake is done; node is who the other side says it is. */
    void (*peer)(void *ctx, uint64_t link, struct slice node);
    /* The link is of no use: it is ourselves, or too many. Close it; nothing
     * more is said on it. */
    void (*drop)(void *ctx, uint64_t link, const char *why);
    /* Have both called from one place? NULL: they have. */
    bool (*is_same_place)(void *ctx, uint64_t link, uint64_t other);
    /* It said what no node says. May be NULL. */
    void (*violation)(void *ctx, uint64_t link, const char *what);
    /* Something is to be saved (isync_mesh_save). May be NULL. */
    void (*dirty)(void *ctx);
    int (*random)(void *ctx, uint8_t *out, size_t n);
    void (*log)(
        void *ctx, enum log_level level, const char *text); /* or NULL */
};

struct isync_mesh_options {
    struct isync_mesh_port port;
    const char *node;         /* our id; copied */
    struct isync_rules rules; /* copied */
    uint64_t interval_us;     /* 0: ISYNC_INTERVAL_US */
    bool is_clear;            /* what is sent is readable by everybody too */
    bool refuses_clear;       /* only what is sealed is read */
};

struct isync_mesh_counts {
    uint64_t sent, received, merged; /* packets */
    uint64_t relayed, held, unread;  /* packets of others; held: now */
    uint64_t echoes, dropped;        /* our own; too many, or not of the form */
    uint64_t registers, deleted;     /* that others have brought */
    uint64_t far, refused, left_out; /* as in struct isync_merged */
};

NODISCARD int isync_mesh_new(
    struct isync_mesh **out, const struct isync_mesh_options *opt);
void isync_mesh_free(struct isync_mesh *m); /* NULL is fine */
/* Copied. To be said again when they turn (keys->turns_s). */
void isync_mesh_keys(struct isync_mesh *m, const struct isync_keys *keys);
/* As in the options, from now on. */
void isync_mesh_set_clear(
    struct isync_mesh *m, bool is_clear, bool refuses_clear);
/* ENOMEM: they are as they were. */
NODISCARD int isync_mesh_set_rules(
    struct isync_mesh *m, const struct isync_rules *rules);
/* Is it shared, by the rules, and by what stands here of its record? value,
 * record: NULL is not known. */
bool isync_mesh_takes(const struct isync_mesh *m, struct slice path,
    const struct json *value, const struct json *record);
void isync_mesh_set_interval(
    struct isync_mesh *m, uint64_t interval_us, struct isync_time now);
const struct isync_state *isync_mesh_state(const struct isync_mesh *m);
const struct isync_mesh_counts *isync_mesh_counts(const struct isync_mesh *m);

/* The connection of Socket.IO stands: as server, `40{"sid"}` was sent; as
 * client, it has come. link: a number that no link has that is open; not 0.
 * ELIMIT: there are too many. */
NODISCARD int isync_mesh_open(
    struct isync_mesh *m, uint64_t link, bool is_caller, struct isync_time now);
/* An event of so many bytes has come. False: the link is not open, or was
 * dropped, or says more than ISYNC_HEARD_BYTES, or 30 events, a second: it need
 * not even be parsed. */
bool isync_mesh_hears(
    struct isync_mesh *m, uint64_t link, size_t bytes, struct isync_time now);
/* args: the array behind the name, which may be empty. Of a link that is not
 * open, or was dropped, nothing is heard. */
void isync_mesh_event(struct isync_mesh *m, uint64_t link, struct slice name,
    const struct json *args, struct isync_time now);
void isync_mesh_close(struct isync_mesh *m, uint64_t link);
/* While much waits to leave, nothing more is said on the link but answers. */
void isync_mesh_pace(struct isync_mesh *m, uint64_t link, bool is_paused);
/* Peers whose handshake is done. */
size_t isync_mesh_peers(const struct isync_mesh *m);
/* Of the other side; "": it has not said it. While it is dropped, too. */
const char *isync_mesh_node_of(const struct isync_mesh *m, uint64_t link);
/* What it said last itself was sealed by a token that we have not. */
bool isync_mesh_is_unread(const struct isync_mesh *m, uint64_t link);
/* Of whom something is kept that cannot be read here; of more than room only
 * the number. Lent until an event comes. */
size_t isync_mesh_unread(
    const struct isync_mesh *m, struct slice *sources, size_t room);

/* Our own write, at the time of day that it was made: see isync_state_put.
 * record: the object that the field is of, or NULL. EUNSUPPORTED: the rules do
 * not take it. */
NODISCARD int isync_mesh_put(struct isync_mesh *m, struct slice path,
    const struct json *value, const struct json *record, uint64_t time_us,
    bool has_seen, struct isync_time now);
NODISCARD int isync_mesh_del(
    struct isync_mesh *m, struct slice path, struct isync_time now);
/* All peers are told all of it, now; or a second after they were last. */
void isync_mesh_push(struct isync_mesh *m, struct isync_time now);

void isync_mesh_tick(struct isync_mesh *m, struct isync_time now);
/* As mono_us; 0: none. */
uint64_t isync_mesh_deadline(const struct isync_mesh *m);

/* The state and the foreign packets, as JSON text: appended. */
NODISCARD int isync_mesh_save(const struct isync_mesh *m, struct buf *out);
/* Into a mesh that is new. ECORRUPT, EVERSION: why says what is wrong. */
NODISCARD int isync_mesh_load(
    struct isync_mesh *m, struct slice text, struct errmsg *why);
NODISCARD int isync_mesh_load_tree(
    struct isync_mesh *m, const struct json *v, struct errmsg *why);
/* Registers that were heard after that, as a SyncState: nobody is told, and
 * nothing is deleted. EMALFORMED, ENOMEM. */
NODISCARD int isync_mesh_recall(struct isync_mesh *m, const struct json *state);

#endif
