/* node.h - one machine's part in keeping items the same: the only door to
 * the pure core.
 *
 * Pure: no clock, socket, file or thread; the caller brings events in and
 * carries effects out, in the order given. The same code runs in the daemon
 * and, hundreds at a time, in the simulator.
 * Law: equal options, equal store and equal events give equal effects. */
#ifndef SYNCLINE_REPL_NODE_H
#define SYNCLINE_REPL_NODE_H

#include "base/histogram.h"
#include "base/log.h"
#include "core/id.h"
#include "core/json.h"
#include "core/netaddr.h"
#include "crypto/port.h"
#include "store/store.h"

struct node; /* opaque */

struct item;

/* Values that were written apart, at one path of an item. */
struct node_conflict {
    struct slice space, key, path;
    const struct json *const *siblings; /* sorted by dot */
    size_t n;
    const struct json *ancestor; /* where history has it, else NULL */
    const struct item *item;     /* as it stands here */
};

/* A resolver for the policy `custom`. Must be pure, and equal on all machines:
 * the item may be another there but for the conflict. The result lives in a.
 * NULL leaves the conflict open. Absent: FX_RESOLVE asks the shell instead. */
typedef struct json *node_resolve_fn(
    void *ctx, const struct node_conflict *c, struct arena *a);

/* What peers and local writers may do; 0: as much as they like. */
struct node_limits {
    uint64_t frames, rows, bytes; /* a second, of one peer: then it waits */
    uint64_t memory;              /* bytes kept for one peer */
    uint64_t strangers;   /* replicas of unknown devices that it may bring */
    uint64_t backoff_us;  /* longest that one is refused for breaking rules */
    uint64_t writes;      /* a second, made here: then they are refused */
    uint64_t write_bytes; /* the same */
    uint64_t keys;        /* items in a space, beyond which none is made */
};

#define NODE_LIMITS                                                    \
    {                                                                  \
        .frames = 20000, .rows = 100000, .bytes = (uint64_t)128 << 20, \
        .memory = (uint64_t)128 << 20, .strangers = 4096,              \
        .backoff_us = (uint64_t)600 * 1000000, .writes = 20000,        \
        .write_bytes = (uint64_t)64 << 20, .keys = 1000000             \
    }

/* What a schema is, the shell knows: is doc (NULL: nothing is asked of it)
 * what the schema says it must be? EINVAL, ELIMIT with a sentence. It must
 * say the same of the same. */
typedef int node_schema_fn(
    void *ctx, struct slice schema, const struct json *doc, struct errmsg *why);

struct node_options {
    struct store_port store;          /* borrowed; outlives the node */
    const struct crypto_port *crypto; /* borrowed; holds the identity */
    struct log log;
    struct slice name; /* what people call this machine; copied */
    uint16_t port;     /* where it listens, told to peers; 0: nowhere */
    uint64_t seed;     /* for jitter; replica ids come from the crypto port */
    node_resolve_fn *resolve;
    void *resolve_ctx;
    node_schema_fn *schema; /* NULL: there are none */
    void *schema_ctx;
    bool copied; /* the store is a copy of what the last stop left, or not
                    known to be that itself: a new replica, though clean */
    const struct netaddr *peers; /* to be dialled always; copied */
    size_t peers_n;

    /* 0 takes the default in brackets. */
    uint64_t heartbeat_us;   /* between pings [5 s] */
    uint64_t silence_us;     /* a peer so long silent is gone [15 s] */
    uint64_t forward_us;     /* grace before forwarding what the author
                                delivers itself [200 ms] */
    uint64_t dial_min_us;    /* first pause between dials [250 ms] */
    uint64_t dial_max_us;    /* longest [30 s] */
    uint64_t beacon_us;      /* between beacons [5 s] */
    size_t batch_bytes;      /* of a batch [256 KiB] */
    size_t window_bytes;     /* sent and not yet answered [4 MiB] */
    size_t fragment_above;   /* larger rows travel apart [512 KiB] */
    size_t fragment_bytes;   /* in pieces of [128 KiB] */
    size_t commit_bytes;     /* written at once, of what can be written in
                                pieces [16 MiB] */
    uint32_t group_max;      /* writes that may share a commit: they wait for
                                the turn's end [0: none] */
    uint32_t held_max;       /* rows held back from one peer [256] */
    uint32_t history_keep;   /* versions kept of an item [50] */
    uint64_t history_age_us; /* and for how long [0: for ever] */
    uint64_t collect_us;   /* between looks for what can be collected [10 s] */
    uint64_t retention_us; /* a member silent for so long, while we were
                              there to listen, holds up collection no
                              longer [30 days] */
    bool relay; /* takes nothing in clear, whatever role it is given */
    uint64_t clock_bound_us; /* a clock further ahead of most others' is not
                                written by; UINT64_MAX: any is [60 s] */
    struct node_limits limits;
};

/* What of them may be another while the node runs. */
struct node_tuning {
    struct node_limits limits;
    uint32_t history_keep;
    uint64_t history_age_us, retention_us, collect_us, clock_bound_us;
};

enum event_type {
    EV_TIMER,     /* node_deadline_us has come */
    EV_FLUSH,     /* a turn of the loop is over: send what has gathered */
    EV_CONN_UP,   /* conn, device, spki, inbound, pairing, remote, exporter */
    EV_CONN_DOWN, /* conn */
    EV_FRAME,     /* conn, bytes: one frame, whole */
    EV_DATAGRAM,  /* bytes, remote */
    EV_REQUEST,   /* request, args: a local request */
    EV_CANCEL,    /* request: its asker has gone */
    EV_PAUSE,     /* request: its asker reads slowly; hold back events */
    EV_RESUME,    /* request */
    EV_PERSISTED, /* commit: all up to this one is durable */
    EV_RESOLVED,  /* request, args: the answer to FX_RESOLVE, or NULL */
    EV_AUDITED,   /* bytes: the audit log's head, durable; to be kept */
    EV_OUTSIDER   /* args {space, name, at, seen}: somebody who is no member is
                 told of that space, and has acknowledged up to a watch's
                 cursor; seen: when he left, else he is here. Until he has
                 it, and no longer than the retention, no record of a
                 deletion goes. No `at`: nobody waits for him */
};

struct event {
    enum event_type type;
    uint64_t now_us;  /* monotonic */
    uint64_t wall_us; /* since the Unix epoch */
    uint64_t conn;    /* the shell's for inbound, the node's for dialled */
    uint64_t request; /* never 0 */
    uint64_t commit;
    struct slice bytes;
    const struct json *args;
    struct device_id device;
    struct slice spki;
    struct netaddr remote;
    const uint8_t *exporter; /* 32 bytes */
    bool inbound;
    bool pairing;
    bool broke; /* EV_CONN_DOWN: it broke a rule of the transport */
};

enum effect_type {
    FX_COMMIT,   /* commit: the node has committed this batch to its store;
                    make it durable, then answer EV_PERSISTED */
    FX_SEND,     /* conn, bytes: one frame */
    FX_CLOSE,    /* conn, bytes: why */
    FX_DIAL,     /* conn, remote, pairing: answer EV_CONN_UP or _DOWN */
    FX_DATAGRAM, /* bytes: multicast everywhere; to remote if it has a port */
    FX_REPLY,    /* request, bytes: one JSON object; more: others follow */
    FX_RESOLVE,  /* request, bytes: JSON {space, key, path, siblings,
                    ancestor}; answer EV_RESOLVED */
    FX_MEMBERS,  /* who may connect has changed: ask node_admits again */
    FX_PACE,     /* conn, wait_us: read nothing of it for so long */
    FX_AUDIT     /* kind, bytes: JSON of details; often; by whom: request, or
                    device and remote if conn is there, or the node */
};

struct effect {
    enum effect_type type;
    bool more;
    bool pairing;
    uint64_t conn;
    uint64_t request;
    uint64_t commit;
    uint64_t wait_us;
    struct netaddr remote;
    struct slice bytes; /* the node's, valid until its next step */
    const char *kind;   /* FX_AUDIT: a literal */
    bool often;         /* others may bring it about as they like */
    struct device_id device;
};

/* What a node has done since it was opened, attempts that were undone
 * included. To count something else: its name here, and n->counts.NAME++
 * where it happens. */
#define NODE_COUNTS(X)                                                   \
    X(steps_undone)     /* an event failed, nothing of it stands */      \
    X(pieces)           /* a step was written in more than one */        \
    X(unclean_starts)   /* and so a new replica */                       \
    X(replicas_doubted) /* a peer knew more of ours: a new one */        \
    X(conns_up)                                                          \
    X(conns_closed) /* by us */                                          \
    X(copies_found) /* devices that run more than once */                \
    X(peers_paced)  /* sent too fast: read later */                      \
    X(subscribed_by_cursor)                                              \
    X(subscribed_by_index)                                               \
    X(subscribed_from_start)                                             \
    X(rows_walked) /* entries of feeds and indexes */                    \
    X(rows_sent)                                                         \
    X(rows_part) /* of them: less than the item */                       \
    X(rows_received)                                                     \
    X(changes_late) /* that are older than who brought them is here */   \
    X(rows_parked)  /* their author was not known yet */                 \
    X(changes_refused)                                                   \
    X(commits_signed)                                                    \
    X(writes_grouped) /* several shared a commit */                      \
    X(groups_parted)  /* or one of them failed */                        \
    X(signatures_checked)                                                \
    X(proofs_shrunk)                                                     \
    X(sheaves_sent) /* commits of which a batch brought several */       \
    X(sheaves_received)                                                  \
    X(proofs_joined)                                                     \
    X(items_adopted)                                                     \
    X(rows_known)    /* of them: covered already */                      \
    X(rows_unopened) /* what a relay brought and is not ours to read */  \
    X(relays_back)   /* that have less than they had said */             \
    X(rows_held)                                                         \
    X(rows_forwarded) /* held, and nobody else brought them */           \
    X(rows_spared)    /* held, and somebody did */                       \
    X(rows_no_room)   /* could not be held: the walk stops */            \
    X(batches_sent)                                                      \
    X(marks_whole)                                                       \
    X(marks_partial) /* a row was still held back or on its way */       \
    X(cursors_sent)                                                      \
    X(larges_sent) /* rows and records, in fragments */                  \
    X(large_conflicts_sent)                                              \
    X(fragments_sent)                                                    \
    X(larges_received)                                                   \
    X(acks_sent)                                                         \
    X(acks_forwarded)                                                    \
    X(heads_sent)                                                        \
    X(heads_received)                                                    \
    X(heads_passed_on)                                                   \
    X(relays_withhold)                                                   \
    X(heads_differ)                                                      \
    X(collected)        /* tombstones */                                 \
    X(fields_collected) /* removed fields */                             \
    X(collected_behind) /* of them: a parked member lacks it */          \
    X(parked)                                                            \
    X(unparked)                                                          \
    X(bootstraps_given)                                                  \
    X(bootstraps_begun) /* received */                                   \
    X(bootstraps_taken)                                                  \
    X(bootstraps_mutual) /* both were behind the other */                \
    X(batches_refused)   /* of one that is behind */                     \
    X(rows_refused)      /* of an author who may not write there */      \
    X(vectors_lowered)   /* a change of it does not count any more */    \
    X(items_readopted)   /* such changes, written again as ours */       \
    X(spaces_refetched)  /* or the space fetched anew */                 \
    X(losses_marked)     /* or collected: stays gone */                  \
    X(items_kept)        /* of which our own changes stay then */        \
    X(keys_made)                                                         \
    X(keys_given)                                                        \
    X(items_returned)     /* replayed after a bootstrap */               \
    X(items_reborn)       /* of them: as a new life */                   \
    X(items_rescued)      /* their life was over */                      \
    X(items_ended_again)  /* deleted here, collected, and came back */   \
    X(fields_ended_again) /* and removed ones */                         \
    X(cells_restamped)    /* or a removed field might have won */        \
    X(changes_written)                                                   \
    X(items_reissued) /* of a lost replica of this device */             \
    X(items_replayed) /* taken along from another mesh */                \
    X(meshes_left)                                                       \
    X(conflicts_same_path)                                               \
    X(conflicts_removed) /* a member removed against an edit */          \
    X(conflicts_above)   /* what won hides what lies below */            \
    X(conflicts_below)   /* or replaces what stood above */              \
    X(conflicts_deleted) /* the item deleted against an edit */          \
    X(conflicts_lives)   /* of a life that was followed by another */    \
    X(conflicts_received)                                                \
    X(kept_both)                                                         \
    X(resolvers_asked)                                                   \
    X(resolvers_applied)                                                 \
    X(resolvers_late) /* something else stands there by then */          \
    X(stamps_far)     /* told as far ahead of our clock */               \
    X(compared)       /* a peer with the same vector held other items */ \
    X(forks_found)    /* two changes under one dot came here */          \
    X(forks_proven)   /* a record of such two was believed */            \
    X(epochs_entered) /* the clocks of the mesh were reset */            \
    X(watch_events)                                                      \
    X(watch_resyncs)

struct node_counts {
#define NODE_COUNT_FIELD(name) uint64_t name;
    NODE_COUNTS(NODE_COUNT_FIELD)
#undef NODE_COUNT_FIELD
};

/* Opens a node on a store, new or used. Makes an identity for the mesh of
 * its own where the store is empty, mints a replica id where the last stop
 * was not clean, and commits what that needs through options.store (not
 * durable yet: the shell syncs before it lets anything out). */
NODISCARD int node_new(struct node **out, const struct node_options *opt,
    uint64_t now_us, uint64_t wall_us, struct errmsg *why);
/* Between two steps; zeros are the defaults, as in the options. */
void node_tune(struct node *n, const struct node_tuning *t);
void node_free(struct node *n); /* NULL is fine; writes nothing */

/* The only door. The node commits to its store by itself, a few batches
 * a step. A store that refuses leaves the node as before the event, but
 * for the answer: an FX_REPLY or FX_CLOSE that says so. A frame that breaks the
 * protocol is no error here but an FX_CLOSE. Returns ENOMEM only. */
NODISCARD int node_step(struct node *n, const struct event *ev,
    const struct effect **fx, size_t *fx_n);
/* When EV_TIMER is due, monotonic. */
uint64_t node_deadline_us(const struct node *n);
/* True if EV_FLUSH has something to do. */
bool node_wants_flush(const struct node *n);

/* Marks the stop as clean, as the last commit before the store is closed.
 * Nothing may be stepped afterwards. */
NODISCARD int node_close(struct node *n);

/* May this device connect, and for what? Pure look-up, for the TLS layer. */
bool node_admits(
    const struct node *n, const struct device_id *device, bool pairing);

/* Of a member, or of who was one; "": nobody knows it. Lent until the next
 * step. */
struct slice node_name_of(const struct node *n, const struct device_id *device);

/* Up to which of a replica's changes in a space count, by what this node has
 * heard: all, unless its device may not write there. For judges. */
uint64_t node_bound(const struct node *n, const struct space_token *space,
    const struct rid *replica);

/* Has it acted on all that it has heard of who may what? */
bool node_is_settled(const struct node *n);
/* Has a relay told it of what was deleted, which it believes members only?
 * NULL: any relay, in any space. */
bool node_waits_for_member(const struct node *n, const struct device_id *relay,
    const struct space_token *space);
/* The mesh's key as far as it has heard. */
struct node_key {
    uint64_t epoch;
    uint8_t id[16];
    bool held, spoiled;
};
void node_key(const struct node *n, struct node_key *out);
bool node_holds_key(const struct node *n, uint64_t epoch, const uint8_t id[16]);

/* A tag of some bytes that only a member can make, for connections of others.
 * ENOTFOUND: no key was given to us yet. */
#define NODE_KIN_LEN 32
NODISCARD int node_kin_tag(
    const struct node *n, struct slice of, uint8_t out[NODE_KIN_LEN]);
bool node_is_kin(const struct node *n, struct slice of, struct slice tag);
/* Another number once a watch of the space would tell something else; 0: there
 * is no such space. */
uint64_t node_watch_mark(const struct node *n, struct slice space);
/* Appends the datagram by which members find us, for other ways than
 * FX_DATAGRAM. ENOTFOUND: it is not found by any, or as above. */
NODISCARD int node_put_beacon(struct node *n, struct buf *out);

const struct device_id *node_device(const struct node *n);
const struct rid *node_replica(const struct node *n);
const struct node_counts *node_counts(const struct node *n);
/* How long changes of others took from their stamp to here; but those that are
 * counted as changes_late. */
const struct histogram *node_arrivals(const struct node *n);

/* What a node keeps now, and the most of it that it means to keep. Of lists
 * of one kind on several connections, the longest. */
struct node_sizes {
    uint64_t conns; /* up, and not about to be closed */
    uint64_t spaces;
    uint64_t waits; /* writes that are not answered yet */
    uint64_t watches;
    uint64_t resolving; /* questions that are not answered yet */
    uint64_t acks;      /* of members, a space each */
    uint64_t pending;   /* what waits for EV_PERSISTED */
    uint64_t known;     /* devices whose replicas are remembered */
    bool all_durable;   /* nothing has to */
    uint64_t held_rows, held_rows_max;
    uint64_t in_flight, in_flight_max; /* bytes */
    uint64_t asked_ranges, asked_ranges_max;
    uint64_t early_bytes, early_bytes_max;
    uint64_t parked_bytes, parked_bytes_max;
    uint64_t arriving; /* bytes of a large row */
    uint64_t vector, vector_max;
    uint64_t session_bytes, step_bytes, lasting_bytes;
};

void node_sizes(const struct node *n, struct node_sizes *out);

#endif
