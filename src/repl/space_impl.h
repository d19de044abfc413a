/* space_impl.h - what a node keeps of its spaces: their state, their items
 * with history, their conflict records.
 *
 * Pure. Law: memory says what the store will say once the step's batch is
 * committed; a step that fails leaves both as before. */
#ifndef SYNCLINE_REPL_SPACE_IMPL_H
#define SYNCLINE_REPL_SPACE_IMPL_H

#include "core/merge.h"
#include "repl/frames.h"
#include "repl/keys.h"

struct node;
struct head;

/* ---- spaces ---- */

/* What changes with every commit, and is restored if that fails. */
struct space_state {
    uint64_t lsn;
    uint64_t alive, deleted;   /* items */
    struct hash128 live, dead; /* sums of item prints */
    struct floors floors;
    uint64_t gone; /* the last lsn of what was collected */
};

enum policy {
    POLICY_LWW,
    POLICY_MERGE,
    POLICY_MANUAL,
    POLICY_KEEP_BOTH,
    POLICY_CUSTOM,
    POLICY_END
};

struct policy_rule {
    struct slice prefix;
    enum policy policy;
};

struct schema_rule {
    struct slice prefix, text;
};

/* How many are open in a space, and how many of them came back with a member
 * whose item had been deleted; how many records were looked at for that. */
struct conflict_counts {
    uint64_t open, rescue, records;
};

struct space {
    struct space *next;
    uint32_t id;   /* in keys; never used again */
    uint32_t past; /* the number that its history is kept under */
    struct space_token token;
    struct slice name;
    bool hidden;   /* removed by somebody */
    bool barred;   /* not granted to this device */
    bool sealed;   /* kept as a relay keeps it (sealed.h) */
    bool suspect;  /* may hold changes that do not count */
    bool clipped;  /* what somebody claimed of it was not taken at its word */
    bool lessened; /* nor is what was taken so, since records came last */
    struct space_state s;
    struct vv have;    /* V */
    struct vv durable; /* the part of it that is on the disk */
    uint64_t durable_lsn;
    struct vv horizon; /* of what was collected here */
    struct vv buried;  /* known before a bootstrap that knew less (return.c) */
    /* Collecting (collect.c). */
    struct buf collect_at;    /* where the pass goes on; empty: none */
    struct vv collected_upto; /* what the last pass could collect */
    uint64_t outsiders_upto;  /* and up to which lsn (outsiders.c) */
    struct arena collect_arena;
    /* A bootstrap on its way here (bootstrap.c). */
    struct space *staging; /* what has come of it; token and name empty */
    uint64_t staging_conn;
    uint64_t staging_us;          /* when something of it came last */
    bool staged;                  /* this is such a one */
    struct policy_rule *policies; /* longest prefix first */
    uint32_t policies_n;
    struct arena policy_arena;
    struct schema_rule *schemas; /* the same */
    uint32_t schemas_n;
    struct arena schema_arena;
    bool reissue;         /* may hold rows of lost replicas of this device */
    bool reissue_due;     /* and the MARK that tells which has come */
    bool unkeyed;         /* may hold changes under keys that do not count */
    bool untold;          /* and relays, records of conflicts */
    uint64_t held_due_us; /* when those of others are looked at; 0: never */
    bool orphans;         /* may hold rows of devices that have been removed */
    bool unsaved;         /* its name is not in the store yet */
    bool touched;
    uint64_t news; /* counts what sessions may have to tell their peers */
    struct space_state undo;
    bool echoed;        /* what this step changed is all as a peer sent it */
    bool adopting;      /* adopt.c */
    struct head *heads; /* at a relay: what devices say (heads.h) */
    /* For who asks often, and when that was. */
    struct conflict_counts counted;
    uint64_t counted_us;
};

/* A change of V in this step, so that it can be undone or made durable. It
 * goes up but where changes turn out not to count (access.c). */
struct raise {
    struct space *space;
    struct rid replica;
    uint64_t from, to;
    bool horizon; /* of the horizon, not of V */
};

/* Of the mesh itself: nobody grants it, writes there by hand, takes it along
 * to another mesh or collects anything of it. */
static inline bool space_is_inner(const struct space *sp)
{
    return sp->name.len > 0 && sp->name.ptr[0] == '_';
}

static inline bool space_shown(const struct space *sp)
{
    return !sp->hidden && !sp->barred && !sp->sealed;
}

/* Waits for EV_PERSISTED. */
struct pending {
    uint64_t commit;
    struct space *space;
    uint64_t lsn;
    struct dot dot; /* seq 0: only the lsn */
};

/* ---- space.c ---- */

struct space *space_by_name(const struct node *n, struct slice name);
struct space *space_by_token(const struct node *n, const struct space_token *t);
NODISCARD int space_open(struct node *n, struct slice name, struct space **out);
/* At a relay, which knows its token alone; that is its name, in hex. */
NODISCARD int space_open_sealed(
    struct node *n, const struct space_token *token, struct space **out);
NODISCARD int space_rename(struct node *n, struct space *sp, struct slice name);
void space_put_token(
    const struct space_token *token, char out[2 * SPACE_TOKEN_LEN + 1]);
uint32_t spaces_n(const struct node *n);
NODISCARD int spaces_load(struct node *n, struct errmsg *why);
/* The vector kept under a name and a number, into the node's arena. */
NODISCARD int space_load_vector(
    struct node *n, const char *name, uint32_t id, struct vv *out);
void spaces_free(struct node *n);
void space_free(struct node *n, struct space *sp);
static inline void space_stir(struct space *sp)
{
    sp->news++;
}
/* Before anything of the space is changed in a step. */
void space_touch(struct space *sp);
/* Raises V to cover d; undone if the step fails. */
NODISCARD int space_raise(
    struct node *n, struct space *sp, const struct dot *d);
/* Writes what changed of spaces into the batch, at the step's end. */
NODISCARD int spaces_save(struct node *n);
/* After the commit: what waits for durability. */
NODISCARD int spaces_committed(struct node *n);
void spaces_undo(struct node *n);
void spaces_persisted(struct node *n, uint64_t commit);
/* The space's next lsn; one a step and space. */
uint64_t space_next_lsn(struct space *sp);
/* Raises the horizon to cover d; undone if the step fails. */
NODISCARD int space_raise_horizon(
    struct node *n, struct space *sp, const struct dot *d);
void space_raise_floors(
    struct node *n, struct space *sp, const struct floors *to);
/* Is a stamp so old that a removed field which it lost to may be gone? */
static inline bool space_outlived(
    const struct space *sp, const struct stamp *stamp)
{
    return stamp_cmp(stamp, &sp->s.floors.fields) <= 0;
}
/* V, or the horizon, claims no more than this of a replica. */
NODISCARD int space_lower(
    struct node *n, struct space *sp, const struct dot *to, bool horizon);
/* What waits for durability is forgotten. */
void space_forget_pending(struct node *n, const struct space *sp);
/* Makes what the last commit stored of it V, once that is durable. */
NODISCARD int space_pend_all(struct node *n, struct space *sp);
/* A space to be filled with a bootstrap of sp, under a number of its own. */
NODISCARD int space_stage(struct node *n, struct space *sp);
void space_unstage(struct node *n, struct space *sp);
/* A bootstrap on its way in is of the space that it is for. */
const struct space_token *space_token_of(
    const struct node *n, const struct space *sp);
/* schemas.c: EINVAL if the schema that the key is under forbids doc. */
NODISCARD int schemas_check(struct node *n, const struct space *sp,
    struct slice key, const struct json *doc, struct errmsg *why);
/* The same of what an item has become, before it is stored. */
NODISCARD int schemas_check_item(struct node *n, const struct space *sp,
    struct slice key, const struct item *it, struct errmsg *why);
/* A member with what it forbids of what stands there, if it does. */
NODISCARD int schemas_put_flaw(struct node *n, struct buf *b,
    const struct space *sp, struct slice key, struct slice document);
/* A member with all of a space. */
void schemas_put(struct buf *b, const struct space *sp, bool *any);
/* Can it be one? */
NODISCARD int schemas_read(
    struct node *n, struct slice text, struct errmsg *why);

enum policy space_policy(const struct space *sp, struct slice key);
const char *policy_name(enum policy p);
NODISCARD int policy_parse(struct slice text, enum policy *out);

/* ---- items.c ---- */

struct stored {
    struct item item; /* length 0: absent */
    uint64_t lsn;
    uint64_t revisions; /* entries of history this node has made */
    struct item_print print;
    struct slice before; /* the document before, once asked for */
    struct vv was;       /* its context as indexed */
    bool was_alive, existed;
    bool lasts; /* all that the item says is the step's, and stays as it is */
    struct change last;     /* the change that stood for it */
    struct slice bytes;     /* the record that was loaded */
    const struct item *row; /* what is being joined into it, if anything */
};

/* Loads an item into the step's arena: to be looked at, */
NODISCARD int item_read(
    struct node *n, struct space *sp, struct slice key, struct stored *out);
/* or to be changed and stored: its print is subtracted then. */
NODISCARD int item_load(
    struct node *n, struct space *sp, struct slice key, struct stored *out);
/* Puts it back under lsn with all indexes, counters and history. */
NODISCARD int item_store(struct node *n, struct space *sp, struct slice key,
    struct stored *st, uint64_t lsn);
/* What is kept of an item, but for its history, goes. */
NODISCARD int item_drop(
    struct node *n, uint32_t id, struct slice key, const struct stored *st);
/* Has it anything that waits for collection? */
static inline bool print_has_dead(const struct item_print *p)
{
    return p->dead.lo != 0 || p->dead.hi != 0;
}
/* Its deletion becomes an entry of the history, before its record goes. */
NODISCARD int history_deleted(
    struct node *n, struct space *sp, struct slice key, struct stored *st);
/* Sets how many versions were before this one, of an item that came again. */
NODISCARD int history_count(struct node *n, const struct space *sp,
    struct slice key, struct stored *st);
/* Adds a value that never was current to the history. */
NODISCARD int history_lost(struct node *n, struct space *sp, struct slice key,
    struct stored *st, const struct change *by, const struct cell *cell);
/* What an older version signed is as good as not signed. */
void stored_drop_old(struct item *it);
/* Decodes a stored row without loading its item's indexes. */
NODISCARD int stored_decode(
    struct slice value, struct stored *out, struct arena *a);

#define HISTORY_PUT 1
#define HISTORY_DELETE 2
#define HISTORY_LOST 3

struct history_entry {
    uint64_t version;
    uint8_t what;
    struct dot dot;
    struct stamp stamp;
    uint64_t wall_us;
    struct slice path, value;
};

NODISCARD int history_decode(struct slice value, struct history_entry *out);

/* A member's clock may say anything, and the integers of JSON end here. */
static inline unsigned long long time_told(uint64_t wall_us)
{
    return wall_us < INT64_MAX ? wall_us : INT64_MAX;
}

/* ---- conflicts.c ---- */

struct conflict_record {
    uint64_t lsn; /* local */
    uint8_t state;
    bool read; /* at a relay: it comes from who could read it; not stored */
    uint64_t length;
    struct contender loser, winner;
};

void put_conflict_record(struct buf *b, const struct conflict_record *c);
NODISCARD int get_conflict_record(
    struct reader *r, struct conflict_record *out);
/* Joins a record into the store; gives it lsn if that changed anything. */
NODISCARD int conflict_join(struct node *n, struct space *sp, struct slice tail,
    const struct conflict_record *c, bool *changed);
NODISCARD int conflict_known(
    struct node *n, struct space *sp, struct slice tail, bool *known);
/* What lost stays where it is, by what is told of it: it is hidden by what
 * stands elsewhere. */
bool conflict_hides(const struct conflict_record *c);
/* What lost, and does not stay: is it in the past of its item? With its first
 * record it went there, unless that was told of what was hidden. */
NODISCARD int conflict_in_past(struct node *n, struct space *sp,
    struct slice key, struct slice tail, bool *is);
/* A relay tells of it without the value of what won, which whoever told it
 * could not open, and which is known here, or of another cell of what won, for
 * it cannot order paths: it is told again. */
NODISCARD int conflict_correct(struct node *n, struct space *sp,
    struct slice tail, const struct conflict_record *told);
/* A later change had seen both sides, or what lost is hidden no more. */
bool conflict_superseded(
    const struct item *it, const struct conflict_record *c);
/* What lost is in the item, hidden or not. */
bool conflict_loser_is_there(
    const struct item *it, const struct conflict_record *c);
/* To everybody: a relay may have them under keys that do not count any more. */
NODISCARD int conflicts_tell_again(struct node *n, struct space *sp);
/* What has settled an item's conflicts is about to be collected: they are
 * marked as resolved, or they would be open again. */
NODISCARD int conflicts_settle(
    struct node *n, struct space *sp, struct slice key, const struct item *it);
/* Twelve hex digits that name a record to people. */
NODISCARD int conflict_id(
    char out[13], const struct space *sp, struct slice tail);
/* An item as it was stored, and which of its cells showed. */
struct merged_before {
    struct item item;
    bool *shown;
};

/* The sink for item_join while `key` is being merged. */
struct merging {
    struct node *node;
    struct space *space;
    struct slice key;
    struct stored *stored;
    bool returned; /* what an ended life holds has come back with a member */
    struct merged_before *before; /* NULL: nobody asked yet */
};
struct merge_sink merging_sink(struct merging *m);

/* ---- write.c ---- */

enum foreign_strategy {
    FOREIGN_JOINS, /* as the space's policies say */
    FOREIGN_LOSES, /* what stands here stays, and is written again */
    FOREIGN_WINS   /* it is written as of now */
};

/* Whom an older system's face writes for. */
struct foreign {
    struct slice face, node;
    uint64_t time_us; /* by its own clock */
    /* By its own count, beyond which ours goes then; 0: it counts nothing.
     * Whoever counts has seen what stands here if his count and his time are
     * beyond it. */
    uint64_t version;
    enum foreign_strategy strategy; /* if he has not */
    bool returns; /* deletions whose records went he has not heard of */
};

struct write_op {
    struct slice key;
    const struct json *doc;   /* NULL: delete */
    const struct foreign *as; /* NULL: ourselves */
    bool only_new;            /* what is there stays */
    bool unseen; /* doc is by somebody who had not seen what stands */
};

struct write_result {
    struct dot dot;
    uint64_t version; /* of the last item */
    uint32_t changed;
};

/* One change over all ops: one dot, one stamp, one lsn. */
NODISCARD int write_local(struct node *n, struct space *sp,
    const struct write_op *ops, uint32_t ops_n, struct write_result *out,
    struct errmsg *why);
/* Cells of one item as one change; with a stamp of their own if given.
 * Cells that are there already, with equal stamp and value, are left out.
 * EINVAL: a schema forbids it; nothing was stored. */
struct cells_write {
    struct slice key;
    struct leaves leaves;
    const struct stamp *stamp; /* NULL: a new one */
    uint64_t wall_us;          /* of that stamp */
    const struct original *originals;
    uint32_t originals_n;
    bool was_tried;     /* no schema is asked any more */
    struct errmsg *why; /* of a schema */
};
NODISCARD int write_cells(
    struct node *n, struct space *sp, const struct cells_write *w, bool *wrote);
/* An item as somebody else wrote it, under a dot of ours (joining). lsn 0: the
 * next one, if it writes anything. */
NODISCARD int write_replay(struct node *n, struct space *sp, struct slice key,
    const struct item *old, const struct dot *dot, uint64_t lsn);
/* ---- foreign.c ---- */

/* Reads {face, node, time, version, strategy}; out lends from it. EINVAL. */
NODISCARD int foreign_read(
    struct foreign *out, const struct json *as, struct errmsg *why);
/* The stamp that all gateways give what he wrote then. */
NODISCARD int foreign_stamp(
    const struct node *n, const struct foreign *f, struct stamp *out);
/* Makes by the author of a write for f into it; *apart: f had not seen what
 * stands, and is to be joined with it. ECONFLICT: it is not to be written. */
NODISCARD int foreign_author(struct node *n, const struct space *sp,
    const struct foreign *f, const struct item *it, struct author *by,
    bool *apart, struct errmsg *why);
/* Of an item that is not there. *over: it was deleted, before he wrote that or
 * without his having heard of it: it stays so, which he is told, and what is
 * new of it waits to be rescued. */
NODISCARD int foreign_return(struct node *n, struct space *sp,
    const struct write_op *op, const struct author *by, struct stored *st,
    bool *over, bool *wrote);
/* What stands is written once more, beyond what he has, so that he takes it;
 * his goes to the history. */
NODISCARD int foreign_outdo(struct node *n, struct space *sp,
    const struct write_op *op, const struct author *by, struct stored *st,
    bool *wrote);
/* As the write of a member would be: field by field the later value stands, the
 * other is a conflict; a deletion beats what it meets. *wrote: there was
 * something in it that was not here. */
NODISCARD int foreign_join(struct node *n, struct space *sp,
    const struct write_op *op, const struct author *by, struct stored *st,
    bool *wrote);

/* ---- write.c ---- */

/* ELIMIT: it holds more than VALUE_MAX, and more than before. */
NODISCARD int write_check_size(const struct space *sp, struct slice key,
    const struct item *it, size_t before, struct errmsg *why);
/* Who writes, under the next dot and a new stamp. */
NODISCARD int write_begin(struct node *n, struct space *sp, struct author *by);

/* ---- reissue.c ---- */

/* Rows of this device's lost replicas, which nobody vouches for: again. */
NODISCARD int reissue_mine(struct node *n, struct space *sp);
/* Are there any beyond V, which nobody else may have? */
NODISCARD int reissue_is_beyond(struct node *n, struct space *sp, bool *is);
/* And of devices that have been removed. */
NODISCARD int orphans_tick(struct node *n);
/* A key that was held does not count any more: what this device, or one that
 * has left, wrote under it is written again, once it may; also later. So is,
 * some time after that, what others wrote and did not write again. */
NODISCARD int rekey_begin(struct node *n);
/* It may hold such changes: of lost replicas, as the record of a key can have
 * been lost with a disk, and what was written under it not; of anybody, if they
 * came after it was heard that the key does not count. */
NODISCARD int rekey_later(struct node *n, struct space *sp);
NODISCARD int rekey_look(
    struct node *n, struct space *sp, const struct change *c);
/* A relay had told of a conflict under such a key. */
NODISCARD int rekey_record(struct node *n, struct space *sp);
NODISCARD int rekey_load(struct node *n); /* what an earlier run has left */
NODISCARD int rekey_tick(struct node *n);
/* What does not count, as a change of our own. */
NODISCARD int reissue_foreign(struct node *n, struct space *sp, bool *more);
/* Is there any? */
NODISCARD int reissue_would(struct node *n, struct space *sp, bool *any);

#endif
