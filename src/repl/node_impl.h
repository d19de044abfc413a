/* node_impl.h - the inside of a node, for the files that make it up.
 *
 *   node.c      the step: event in, one batch committed, effects out
 *   node_open.c before the first step, and after the last
 *   space.c     spaces, their vectors and counters, what is durable
 *   items.c     items in the store and their indexes; history
 *   conflicts.c conflict records
 *   resolve.c   what the policies make of them
 *   write.c, group.c   local writes; those of one turn in one commit
 *   foreign.c, write_fields.c   what others wrote, by their clocks
 *   reissue.c   rows that leaked and were lost
 *   conn.c      connections: hello, numbering, heartbeats
 *   twins.c     a device that runs twice; subscribe.c: asking for spaces
 *   conn_early.c what a peer says of spaces that are to come
 *   send.c, feed.c, hold.c   rows and marks out
 *   receive.c, receive_*.c   rows and marks in; acks.c: what is durable where
 *   arrivals.c  how long changes were on their way
 *   sign.c, proofs.c, sheaves.c, leaves.c, parked.c   signatures (proofs.h)
 *   standing.c  how peers behave, and what they may do
 *   mesh.c      membership as items of `_mesh`
 *   mesh_spaces.c   spaces and policies as items of `_spaces`
 *   access.c    who may read and write what; changes that do not count;
 *   cuts.c, voided.c   what of that counts still, and what has gone for it
 *   forks.c, clocks.c   replicas that said two things at once; wrong clocks
 *   carry.c     what a relay opens, and in which form (sealed.h, border.h)
 *   heads.c     what devices say through relays (heads.h)
 *   epochs.c    the mesh's keys
 *   join.c, welcome.c, joiner.c, door.c   pairing (join_impl.h)
 *   move.c      leaving one mesh for another, replaying items
 *   collect.c   tombstones that every member has go
 *   outsiders.c those who are no members, and are waited for too
 *   silence.c   members silent for so long that they hold nobody up
 *   bootstrap.c the whole state of a space, for one that is behind
 *   return.c    what one that was behind alone had, replayed
 *   waits.c     who waits for durability, here or elsewhere
 *   watch.c     streams of events
 *   who.c       who wrote something, for people; authors.c: in older systems
 *   verify.c, compare.c   comparing fingerprints
 *   audit.c     what the audit log is told; roster.c, oversize.c: their headers
 *   request*.c  the local interface (doc/api.md)
 *
 * Pure. Law: what a failed step changed in memory is undone (node.c). */
#ifndef SYNCLINE_REPL_NODE_IMPL_H
#define SYNCLINE_REPL_NODE_IMPL_H

#include "base/pace.h"
#include "core/hlc.h"
#include "core/merge.h"
#include "crypto/envelope.h"
#include "repl/audit.h"
#include "repl/beacon.h"
#include "repl/clock_impl.h"
#include "repl/forks.h"
#include "repl/conn_impl.h"
#include "repl/copies.h"
#include "repl/frames.h"
#include "repl/keys.h"
#include "repl/members.h"
#include "repl/node.h"
#include "repl/oversize.h"
#include "repl/pair.h"
#include "repl/peers.h"
#include "repl/roster.h"
#include "repl/space_impl.h"
#include "repl/txn.h"

#define MESH_SPACE "_mesh"
#define SPACES_SPACE MEMBERS_ADMINS_SPACE
#define PARKED_PREFIX "parked/" /* + device, hex: true or false */
#define DEFAULT_SPACE "default"
#define MESH_SECRET_LEN 32
/* Beacons under so many of the last keys are read: whoever was away when a
 * key was made announces itself under an older one. */
#define BEACON_KEYS 4

/* A root that bears a device's signature. */
struct verified {
    bool known;
    struct device_id device;
    uint8_t root[SHA256_LEN];
    uint8_t sig[ED25519_SIG_LEN];
};

#define VERIFIED_MAX 64

#define SPACES_MADE_MAX 256 /* by hand */
#define SPACES_MAX 1024     /* that are opened because `_mesh` says so */

/* What other members have said is durable with them. */
struct member_ack {
    struct member_ack *next;
    struct device_id device;
    struct space *space;
    struct vv durable;
    struct arena arena;
    bool news;    /* to be passed on */
    bool stale;   /* it was no relay then, and may have forgotten it */
    uint8_t back; /* of a relay that came with less: heartbeats since, and 1 */
};

/* ---- requests under way ---- */

struct wait {
    struct wait *next;
    uint64_t request, commit;
    struct space *space;
    struct dot dot;
    bool durable, all, batch;
    uint32_t want;
    uint64_t deadline_us;
    uint64_t version;
    uint32_t changed;
    char *also; /* further members of the answer */
};

struct watch {
    struct watch *next;
    uint64_t request;
    struct slice space_name, prefix; /* in the heap */
    struct space *space;
    uint64_t pos;  /* told up to this lsn */
    struct buf at; /* the next key of the feed */
    bool paused;
    bool resync;    /* the whole state is to be told again */
    bool resumed;   /* from a cursor: deletions are told */
    bool told_live; /* has been told that it is up to date */
    bool times;     /* of each field is told when it was written */
    bool gateway;   /* it goes on to who merges by times alone */
};

struct gone {
    uint64_t items, fields; /* that collection took, for the audit log */
};

struct unsettled; /* resolve.c */
struct asked;
struct verify;  /* verify.c */
struct joining; /* joiner.c */
struct door;    /* door.c */
struct welcoming;
struct leaving; /* move.c */
struct silence; /* collect_impl.h */
struct returning;

struct node {
    struct node_options opt;
    struct log log;
    struct prng prng;
    struct hlc clock;
    struct clock_at ceiling, undo_ceiling, undo_clock;
    struct far_stamps far;
    uint64_t now_us, wall_us;
    struct device_id device;
    struct rid replica;
    struct mesh_id mesh;
    uint8_t mesh_secret[MESH_SECRET_LEN];
    uint32_t next_space;
    uint64_t epoch; /* of the clock; proven */

    struct space *spaces;
    struct conn *conns;
    struct members *members;
    struct forks forks;
    struct invites *invites;
    struct peers *peers;
    struct standing *standings;
    struct pace wrote, wrote_bytes; /* by local requests */
    uint64_t again_us; /* when one that is refused for them may be made again */
    struct member_ack *acks;
    uint64_t head_number;            /* of the last one that we have signed */
    uint64_t heads_n;                /* that were taken, ever */
    uint32_t strange_acks;           /* of devices not known as members, ever */
    bool acks_news;                  /* some are to be passed on */
    uint64_t acks_due_us;            /* of ours, to who can wait for them */
    struct wait *waits, **waits_end; /* for durability here, oldest first */
    struct wait *acking;             /* for durability elsewhere */
    uint32_t waits_added;            /* by what is being done */
    struct waiting *group, **group_end; /* writes that wait for each other */
    uint32_t group_n;
    struct arena group_arena;
    bool grouping;    /* they are being done */
    bool group_wrote; /* and one of them has changed something */
    struct watch *watches;
    struct outsider *outsiders;
    struct node_author **authors;
    size_t authors_n, authors_kept; /* kept: should the step fail */
    struct verify *verifies;
    uint64_t next_question;
    struct unsettled *unsettled; /* of this step */
    struct asked *asked;         /* FX_RESOLVE without an answer yet */
    uint64_t next_asked, asked_kept;
    struct joining *joining;
    struct door *door; /* NULL: was never opened */
    struct welcoming *welcoming;
    struct leaving *replay;      /* spaces of a mesh that was left */
    struct returning *returning; /* spaces as they were before a bootstrap */
    struct silence *silences;
    uint64_t collect_due_us;
    struct gone gone, gone_kept; /* not told yet; should the step fail */
    uint64_t gone_due_us;
    uint64_t rescued, rescued_kept; /* onto the rescue list, not told yet */
    uint64_t rescued_due_us;
    uint64_t chores_from_us; /* the store refused something before */

    struct pending *pending; /* ring */
    uint32_t pending_n, pending_at, pending_cap;
    uint64_t commit;    /* number of the last batch */
    uint64_t persisted; /* of the last durable one */
    uint64_t next_conn;
    uint64_t beacon_due_us;
    struct keyring keyring;
    struct keyring voided; /* keys that do not count any more: they open */
    /* The first is for our own; those of others may be older. */
    struct beacon_key beacon_keys[BEACON_KEYS];
    uint32_t beacon_keys_n;
    bool rekeying;     /* spaces may be unkeyed */
    uint64_t key_lsn;  /* of `_mesh`, when this node made a key last, or 0 */
    bool keys_came;    /* some that were not held before */
    bool rotate_due;   /* the mesh is to have a new key */
    bool epochs_due;   /* somebody may lack one, or has come or gone */
    bool access_due;   /* spaces may hold what does not count */
    bool rights_due;   /* what each may has changed */
    bool mint_due;     /* changes of this replica do not count any more */
    bool removed_told; /* a member has said that we are none any more */
    struct device_id removed_by; /* that member */
    uint64_t removed_at;
    uint64_t mesh_seen;   /* items of `_mesh` up to this lsn are acted on */
    uint64_t spaces_seen; /* and of `_spaces` */
    bool spaces_due;      /* some of before it may not stand there yet */
    bool mesh_changed;    /* items of either changed in this step */
    bool mesh_due;        /* or in an earlier piece, and are in the store */
    bool members_changed;
    bool want_flush;
    bool reach_changed;
    struct oversize oversize;
    struct copies copies;    /* devices that run more than once */
    struct roster roster;    /* who the audit log knows as members */
    uint64_t tell_full_us;   /* before that the log holds its peace about it */
    uint64_t doubt_from_us;  /* claims before this are not believed */
    bool bad_restart;        /* the replica id must be minted anew */
    bool broken;             /* memory does not say what the store says */
    bool started;            /* a step has been made */
    const char *new_replica; /* why, while the audit log has to be told */
    uint64_t actor_request, actor_conn; /* whose event this is; 0: nobody's */
    struct node_counts counts;
    struct histogram arrivals;
    struct verified verified[VERIFIED_MAX];
    /* The last salt that was worked up: rows of one commit share it. */
    struct {
        bool known;
        uint8_t salt[SALT_LEN];
        struct mac_key key;
    } salted;

    /* The step at hand. */
    struct errmsg refusal; /* why what came is not taken */
    struct arena arena;    /* for long-lived things that only grow */
    struct arena step;
    struct txn txn;
    struct raise *raises;
    uint32_t raises_n, raises_cap;
    struct effect *fx;
    size_t fx_n, fx_cap, fx_kept; /* kept: should the step fail */
    struct buf key;               /* scratch for keys */
    struct buf out;               /* scratch for records and replies */
    struct buf frame;             /* what goes out */
};

/* ---- node.c ---- */

struct effect *fx_add(struct node *n, enum effect_type type);
/* Copies bytes into the step's arena and lends them. */
NODISCARD int fx_bytes(struct node *n, struct effect *fx, struct slice bytes);
NODISCARD int fx_reply(
    struct node *n, uint64_t request, struct slice json, bool more);
NODISCARD int fx_error(
    struct node *n, uint64_t request, int rc, const struct errmsg *why);
/* What a person is told of a failure that has no better words. */
const char *node_status_text(int rc);
/* The same of what a peer sent. */
const char *refusal_text(const struct node *n, int rc);
/* Commits what the step has gathered so far; nothing, if that is nothing. */
NODISCARD int node_commit(struct node *n);
/* What the step has written since its last commit is as if it had not been,
 * in memory, too. */
void node_undo_writes(struct node *n);
NODISCARD int node_mint_replica(struct node *n);
/* A peer claims to know more of this replica than its store does. 0: that may
 * be, the step ends with a new replica id; EDENIED: it has been so lately, and
 * is not believed again. */
NODISCARD int node_doubt(struct node *n);
static inline bool node_is_mine(const struct node *n, const struct rid *replica)
{
    return rid_is_of(replica, &n->device);
}

/* ---- arrivals.c ---- */

/* A row is taken that this space may not have had. */
void arrivals_note(struct node *n, const struct conn *c, const struct space *sp,
    const struct item *row);

/* ---- resolve.c ---- */

/* A conflict that a policy will settle at the end of this step. */
NODISCARD int resolve_later(struct node *n, struct space *sp, struct slice key,
    const struct conflict *c, enum policy policy);
NODISCARD int resolve_settle(struct node *n);
/* The answer to an FX_RESOLVE. */
NODISCARD int resolve_on_answer(struct node *n, const struct event *ev);
/* Marks a record as resolved. */
NODISCARD int conflict_mark_resolved(
    struct node *n, struct space *sp, struct slice tail);
void resolves_free(struct node *n);
/* The step failed: what it asked is not asked. */
void resolves_undo(struct node *n);
/* Questions without an answer yet. */
uint32_t resolves_n(const struct node *n);

/* ---- send.c ---- */

/* no: the frame's number, by which the answer names it. */
NODISCARD int send_on_subscribe(struct node *n, struct conn *c,
    const struct frame_subscribe *f, uint32_t no);
/* Sends what it can on every session. */
NODISCARD int send_flush(struct node *n);
/* Is there something that the peer does not know? Or that can wait, and has
 * not been told? */
bool send_has_news(const struct session *s);
bool send_has_to_tell(const struct session *s);
/* The peer has got some of what is held back for it meanwhile. */
bool send_spare(struct node *n, struct session *s);
/* Forgets what was about to be sent on a session. */
void send_forget(struct conn *c, struct session *s);
/* Rows held back whose time has come. */
void send_tick(struct node *n);
uint64_t send_deadline(const struct node *n);

/* ---- receive.c ---- */

NODISCARD int receive_batch(
    struct node *n, struct conn *c, const struct frame_batch *f);
NODISCARD int receive_fragment(
    struct node *n, struct conn *c, const struct frame_fragment *f);
/* What was parked, and the marks after it. */
NODISCARD int receive_again(struct node *n, struct conn *c, struct space *sp,
    struct slice key, struct slice row);
NODISCARD int receive_late(
    struct node *n, struct conn *c, const struct frame_batch *f);

/* ---- acks.c ---- */

/* What is known of a member in a space; NULL: nothing. */
struct member_ack *acks_of(const struct node *n, const struct device_id *device,
    const struct space *sp);
/* What a member has said to have on its disk. */
const struct vv *acked_by(const struct node *n, const struct device_id *device,
    const struct space *sp);
void acks_forget(struct node *n, const struct space *sp);
/* anew: it takes the place of what was known. */
NODISCARD int ack_learn(struct node *n, const struct device_id *device,
    struct space *sp, const struct vv *durable, bool anew);
/* The member has no more than this any more. */
NODISCARD int ack_lower(struct node *n, const struct device_id *device,
    const struct space *sp, const struct vv *have);
/* What it had before it became a relay it forgets by its own rule (sp NULL: in
 * all spaces). */
void acks_excuse(struct node *n, const struct device_id *device,
    const struct space *sp, bool stale);
void acks_free(struct node *n);

/* The peer has brought something, and may wait until that is durable here. */
void ack_hasten(const struct node *n, struct session *s);
/* Tells a peer what is durable here that it has not heard of, if it may be
 * waiting for that, or the time has come. */
NODISCARD int ack_tell(struct node *n, struct conn *c, struct session *s);
void acks_tick(struct node *n);
/* What others have said is durable with them, to peers that do not reach them
 * themselves: the news, and all of it once a session. */
NODISCARD int acks_pass_on(struct node *n);
/* Is there a peer, besides the device itself, that does not reach it? */
bool acks_are_wanted(const struct node *n, const struct device_id *d);
NODISCARD int receive_ack(
    struct node *n, struct conn *c, const struct frame_ack *f);

/* ---- mesh.c ---- */

NODISCARD int mesh_init(struct node *n);
void mesh_free(struct node *n);
NODISCARD int mesh_take_records(struct node *n, struct slice records);
/* The records of a WELCOME stand in until `_mesh` is here (welcome.c). Keeping
 * commits. */
NODISCARD int welcome_keep(struct node *n, const struct pair_welcome *w);
NODISCARD int welcome_load(struct node *n);
/* Reads the items of `_mesh` that changed and acts on them. */
NODISCARD int mesh_refresh(struct node *n);
/* Writes an item of `_mesh`, or of `_spaces` if it belongs there; json
 * SLICE_NONE deletes it. */
NODISCARD int mesh_put_text(
    struct node *n, struct slice key, struct slice json);
/* One that every node has, and that nobody can remove. */
bool space_is_fixed(struct slice name);
NODISCARD int mesh_token(
    const struct node *n, struct slice name, struct space_token *out);
NODISCARD int mesh_tick(struct node *n);
uint64_t mesh_deadline(const struct node *n);
NODISCARD int mesh_save_book(struct node *n);
NODISCARD int mesh_load_book(struct node *n);
/* The member whose replica it is; NULL: nobody's who is a member now. */
const struct device_id *owner_of(const struct node *n, const struct rid *r);

/* ---- join.c, joiner.c ---- */

bool join_admits(const struct node *n, const struct device_id *device);
NODISCARD int join_on_conn(struct node *n, struct conn *c);
NODISCARD int join_on_dial_failed(struct node *n, uint64_t conn);
NODISCARD int join_on_conn_down(struct node *n, struct conn *c);
NODISCARD int join_on_frame(struct node *n, struct conn *c, struct slice bytes);
NODISCARD int join_on_datagram(struct node *n, const struct event *ev);
NODISCARD int join_persisted(struct node *n);
void join_cancel(struct node *n, uint64_t request);
NODISCARD int join_tick(struct node *n);
uint64_t join_deadline(const struct node *n);
void join_free(struct node *n);
NODISCARD int request_invite(
    struct node *n, uint64_t request, const struct json *args);
NODISCARD int request_join(
    struct node *n, uint64_t request, const struct json *args);
/* The digits that a person has read on the other machine. */
NODISCARD int request_confirm(
    struct node *n, uint64_t request, const struct json *args);

/* ---- move.c ---- */

/* Leaves this mesh for the one that has welcomed us, durably once the commit
 * n->commit is; *kept items will be taken along. book: where its members may
 * be, in the form of peers_save. A store that refuses leaves everything as it
 * was. */
NODISCARD int move_to_mesh(struct node *n, const struct pair_welcome *w,
    struct slice book, bool discard, uint64_t *kept);
NODISCARD int join_load(struct node *n);
NODISCARD int join_on_mark(struct node *n, struct space *sp);
NODISCARD int replay_tick(struct node *n);
bool replay_wants_tick(const struct node *n);
/* Is there an item that was brought along and is not written here yet? */
bool replay_waits(const struct node *n);
void replay_free(struct node *n);
/* Deletes all that is kept under a number, some of it at each tick. With the
 * batch of the step; the record in the store says so. */
NODISCARD int leaving_drop(struct node *n, uint32_t id);

/* ---- waits.c ---- */

/* Is `wait`, if there, of a kind that wait_add understands? */
NODISCARD int wait_check(
    const struct node *n, const struct json *args, struct errmsg *why);
NODISCARD int wait_add(struct node *n, uint64_t request,
    const struct json *args, struct space *sp, const struct write_result *w,
    bool batch);
/* Gives the wait just added further members for its answer. */
NODISCARD int wait_also(struct node *n, struct slice members);
NODISCARD int waits_check(struct node *n);
uint64_t waits_deadline(const struct node *n);
void waits_free(struct node *n);
/* The step failed: nobody waits for its commit. */
void waits_undo(struct node *n);
/* The spaces have gone: answers who waits for other members. */
NODISCARD int waits_abandon(struct node *n);
/* A member has said that it has more: whoever waited for that is answered. */
NODISCARD int waits_acked(struct node *n);

/* ---- watch.c ---- */

NODISCARD int request_watch(
    struct node *n, uint64_t request, const struct json *args);
NODISCARD int watches_flush(struct node *n);
void watches_free(struct node *n);
/* Up to where a cursor says that all was told; 0: it is of another past. */
uint64_t watch_told_upto(
    struct node *n, const struct space *sp, struct slice cursor);
struct watch *watch_by_request(const struct node *n, uint64_t request);
void watch_cancel(struct node *n, uint64_t request);
void watches_space_gone(struct node *n, const struct space *sp);

/* ---- verify.c ---- */

NODISCARD int request_verify(
    struct node *n, uint64_t request, const struct json *args);
NODISCARD int verify_on_ask(
    struct node *n, struct conn *c, const struct frame_ask *f);
/* Answers one ASK a turn and connection. */
NODISCARD int verify_flush(struct node *n);
void asks_free(struct conn *c);
NODISCARD int verify_on_tell(
    struct node *n, struct conn *c, const struct frame_tell *f);
NODISCARD int verifies_tick(struct node *n);
uint64_t verifies_deadline(const struct node *n);
void verifies_conn_gone(struct node *n, const struct conn *c);
void verifies_free(struct node *n);

/* ---- audit.c ---- */

/* Tells of the new replica id, if that is still to be told. */
NODISCARD int audit_replica(struct node *n);
/* This device has left a mesh for the one that it is in now. */
NODISCARD int audit_join(struct node *n, const struct device_id *inviter,
    struct slice name, const struct mesh_id *left, uint64_t kept);

/* ---- who.c ---- */

void put_device_hex(struct buf *b, const struct device_id *d);
/* "device", "name", and "removed" of who is no member any more. Without a
 * certificate the device is told by the first bytes of its id, its name is
 * null. */
void put_who(const struct node *n, struct buf *b, const struct rid *r);

/* ---- authors.c ---- */

struct foreign;

/* A gateway has written for him; the step commits it. */
NODISCARD int author_note(struct node *n, const struct foreign *f);
NODISCARD int authors_load(struct node *n);
void authors_undo(struct node *n);
void authors_free(struct node *n);
/* put_who of the device by which it was written; and "author", if by its stamp
 * somebody has written it in an older system, and it is known here who. */
void put_writer(const struct node *n, struct buf *b, const struct rid *by,
    const struct stamp *stamp);

/* ---- request.c ---- */

NODISCARD int request_on(struct node *n, const struct event *ev);
/* request_admin.c: whatever request.c does not know. */
NODISCARD int request_admin(struct node *n, uint64_t request,
    const struct json *args, struct errmsg *why);

#endif
