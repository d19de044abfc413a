/* conn_impl.h - what a node keeps of its connections: the sessions on them,
 * one a space, and how each peer behaves.
 *
 * Pure. Law: what goes to a peer is what its session says that it lacks; what
 * changes of a session stirs it. */
#ifndef SYNCLINE_REPL_CONN_IMPL_H
#define SYNCLINE_REPL_CONN_IMPL_H

#include "base/pace.h"
#include "repl/node.h"
#include "repl/space_impl.h"

/* ---- connections ---- */

/* A row kept from a peer: its author will serve it, or it is large and
 * another large row is on its way. One block of memory. */
struct held {
    uint64_t due_us;
    uint64_t lsn;
    enum feed_kind kind;
    bool large;
    bool ripe; /* its time has come */
    struct slice key;
    struct vv ctx;
};

/* A large row on its way. */
struct transfer {
    struct session *session;
    uint64_t no, lsn;
    size_t offset;
    struct buf row; /* kind, bytes key, bytes item or record */
    struct held *what;
};

/* A peer without a cursor: first the index of contexts is walked, then the
 * records of conflicts, which have no dots; then the feed as usual. */
enum indexing {
    INDEXING_DONE,
    INDEXING_ITEMS,
    INDEXING_ALL,
    INDEXING_CONFLICTS
};

/* The peer is behind what we have collected: it is given the whole state. */
enum bootstrapping { BOOTSTRAP_NONE, BOOTSTRAP_SENDING, BOOTSTRAP_SENT };

struct head;

/* One space on one connection, both directions. */
struct session {
    struct session *next;
    struct space *space;
    struct arena arena;
    /* Sending. */
    bool wanted; /* the peer has subscribed */
    enum indexing indexing;
    uint64_t until;        /* and from which lsn the feed goes on */
    uint64_t pos;          /* all of the feed up to here is dealt with */
    struct buf at;         /* the next key of the index or the feed, if begun */
    struct buf records_at; /* index: the next record of the item there */
    uint64_t walked;       /* counts its steps */
    uint64_t told_cursor;  /* the last cursor sent, plus one */
    bool beat;             /* once a heartbeat, what can wait goes, too */
    uint32_t untold;       /* rows passed since it was last told */
    struct vv peer_has;    /* what the peer has, or will once it reads on */
    struct floors told_floors;
    enum bootstrapping bootstrapping;
    bool mark_sent;
    bool whole_sent; /* a mark that left nothing out */
    struct held **held;
    uint32_t held_n;
    /* Receiving. */
    struct arena acked_arena;
    struct vv acked;         /* our durable vector, as last told */
    bool subscribed;         /* the peer has the space: it can be told */
    bool ack_now, ack_later; /* what is durable: at once, or with more */
    uint64_t ack_from;       /* the first commit of what it brought, or 0 */
    bool owes_acks;          /* and has not been told yet what others have */
    struct arena claims_arena;
    struct vv claims;  /* what the peer has, by its own word alone */
    bool deaf, missed; /* to a bootstrap; what came while it was behind */
    struct arena horizon_arena;
    struct vv horizon; /* the peer's, when its bootstrap began */
    /* Marks that came after rows that are parked. */
    struct arena late_arena;
    struct vv late;
    uint8_t late_flags;
    struct floors late_floors;
    bool leaky; /* more than can be parked came, or what does not open: no mark
                   is believed */
    bool unopened; /* something that came over the border; since then, and it
                      is asked anew after the pause */
    uint64_t unopened_us, pause_us;
    uint64_t
        *left_out; /* which items' rows, by a hash of what they are called */
    uint32_t left_out_n, left_out_cap;
    /* It brought what does not count, by what we know: nothing is taken until
     * it knows as much, or we know more. */
    bool refusing;
    uint64_t refused_us;
    bool asked;                       /* we have sent SUBSCRIBE */
    uint64_t checked_lsn, checked_us; /* what was compared last, and when */
    uint32_t awaits; /* and again: what comes before its answer is old */
    /* The space's news, plus one, when a flush found nothing to say here;
     * whoever changes anything of this struct stirs it. */
    uint64_t calm_at;
    /* Signed heads (heads.h): of others, heard; ours, as last told; up to
     * where those of others were passed on. */
    struct head *heads;
    uint8_t head_told[SHA256_LEN];
    uint32_t head_beats;
    uint64_t heads_passed, heads_from_us;
};

static inline void session_stir(struct session *s)
{
    s->calm_at = 0;
}

static inline bool session_is_calm(const struct session *s)
{
    return s->calm_at == s->space->news + 1;
}

/* A large row arriving. */
struct incoming {
    uint64_t no, total;
    struct space_token space;
    struct buf row;
};

struct reach {
    struct device_id device;
    struct netaddr addr;
};

/* A SUBSCRIBE for a space that we have not opened yet. */
struct early {
    struct early *next;
    struct space_token space;
    struct buf frame;
};

/* An ASK that waits for its turn: each reads a whole range. */
struct asked_range {
    struct asked_range *next;
    uint64_t question;
    struct space_token space;
    struct buf from, to;
};

#define EARLY_MAX FRAME_MAX /* bytes of a connection */
#define PARKED_MAX FRAME_MAX
#define ASKS_MAX 32
#define ASKED_KEY_MAX (KEY_MAX + 16)

struct conn {
    struct conn *next;
    uint64_t id;
    struct device_id device;
    struct netaddr remote;
    bool inbound, up, pairing, greeted, closing;
    uint8_t exporter[32];
    struct buf spki;
    struct rid replica; /* the peer's */
    struct slice name;
    uint16_t port;
    uint32_t sent_no, seen_no, undo_no;
    uint64_t heard_us, ping_due_us, opened_us;
    uint64_t rtt_us;
    int64_t clock_base_us; /* its time of day less our monotonic time */
    bool measured, never_set, epoch_known;
    uint64_t epoch;         /* that it is in, or has the proof of from us */
    size_t in_flight, owed; /* bytes of batches sent; of batches dealt with */
    bool hurry;             /* the peer waits for credit */
    uint64_t transfers;
    struct transfer *transfer;
    struct incoming incoming;
    struct reach *reach;
    uint32_t reach_n;
    struct session *sessions;
    struct early *early;
    struct parked *parked; /* parked.c */
    struct asked_range *asks;
    uint64_t compare_from_us; /* not before that again */
    uint32_t shows;           /* items that we want to be shown */
    uint64_t rows_us;         /* when rows came, and more were to */
    struct arena arena;
};

#define VECTOR_MAX (VV_MAX / 2) /* entries that peers may bring it to */
#define REPLICAS_OWN_MAX 4096   /* of one device, by its own connection */

/* A device that has connected, since this node was started. */
struct standing {
    struct standing *next;
    struct device_id device;
    struct pace frames, rows, bytes;
    uint64_t delays;  /* how often it was made to wait */
    uint64_t told_us; /* when the log last said so */
    uint64_t strangers;
    uint32_t broke; /* how many rules */
    uint64_t pause_us, refused_until_us;
    char why[80]; /* the last one */
};

/* ---- conn.c ---- */

struct conn *conn_by_id(const struct node *n, uint64_t id);
/* The live connection to a device, or NULL. */
struct conn *conn_of(const struct node *n, const struct device_id *device);
/* By its own word, is it connected to that device? */
bool conn_reaches(const struct conn *c, const struct device_id *d);
NODISCARD int conn_on_up(struct node *n, const struct event *ev);
NODISCARD int conn_on_down(struct node *n, const struct event *ev);
NODISCARD int conn_on_frame(struct node *n, const struct event *ev);
NODISCARD int conn_send(struct node *n, struct conn *c, struct frame *f);
/* Says why, and asks the shell to close. */
void conn_close(struct node *n, struct conn *c, int code, const char *text);
/* Acks, credits and reach that a turn of the loop has gathered. */
NODISCARD int conns_flush(struct node *n);
NODISCARD int conns_tick(struct node *n);
uint64_t conns_deadline(const struct node *n);
void conns_free(struct node *n);
/* Every session of every connection starts anew: our replica id changed. */
void conns_restart(struct node *n, const char *why);
/* Of several connections to a device one stays. */
void conn_close_doubles(struct node *n, struct conn *c);
/* The session of a space, made if there is none; stirred. */
struct session *session_of(struct conn *c, const struct space *sp);
struct session *session_find(const struct conn *c, const struct space *sp);
NODISCARD int conn_ping(struct node *n, struct conn *c);

/* ---- subscribe.c ---- */

NODISCARD int conn_subscribe(struct node *n, struct conn *c, struct space *sp);
/* The same, but what we lack is to be looked for, wherever it stands. */
NODISCARD int conn_subscribe_anew(
    struct node *n, struct conn *c, struct space *sp);
/* And what it has asked for before it might is answered. */
NODISCARD int conn_open_session(
    struct node *n, struct conn *c, struct space *sp);
NODISCARD int conns_subscribe_all(struct node *n, struct space *sp);
void session_drop(struct conn *c, struct space *sp);

/* ---- standing.c ---- */

struct standing *standing_of(
    const struct node *n, const struct device_id *device);
NODISCARD int standing_open(
    struct node *n, const struct device_id *device, struct standing **out);
void standings_free(struct node *n);
/* For how long yet it is not let in; 0: it is. */
uint64_t standing_refused_us(
    const struct node *n, const struct device_id *device);
/* It broke a rule. */
void standing_broke(
    struct node *n, const struct device_id *device, const char *why);
/* A frame, and rows in it, have come: FX_PACE if that was too fast. */
NODISCARD int standing_frame(struct node *n, struct conn *c, size_t bytes);
NODISCARD int standing_rows(struct node *n, struct conn *c, uint32_t rows);
/* What is kept for a connection. */
size_t conn_bytes(const struct conn *c);
NODISCARD int conn_check_bytes(const struct node *n, const struct conn *c);
/* May a peer make V cover these? ELIMIT: there are too many new names. */
NODISCARD int standing_vector(struct node *n, const struct conn *c,
    const struct space *sp, const struct vv *v);
/* May a request write, and make an item? */
NODISCARD int standing_may_write(
    struct node *n, const struct space *sp, struct errmsg *why);
NODISCARD int standing_may_make(struct node *n, const struct space *sp,
    struct slice key, struct errmsg *why);
void standing_wrote(struct node *n, size_t bytes);

/* ---- twins.c ---- */

/* Which of the two stays is not for conn_close_doubles to say: they are, or
 * may be, two replicas of a device that runs twice. */
bool twins_are_apart(
    const struct node *n, const struct conn *c, const struct conn *o);
/* Its replica is known now. Closes it if another one has the turn. */
NODISCARD int twins_on_hello(struct node *n, struct conn *c);
void twins_on_bye(struct node *n, const struct conn *c, struct slice text);
/* Does the device, maybe this one, run more than once? */
bool twins_run(const struct node *n, const struct device_id *device);

#endif
