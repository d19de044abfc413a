/* keys.h - the keys under which a node keeps its records (doc/store.md).
 *
 * Pure. Numbers in keys are big-endian, so that bytes sort as they do. Each
 * function appends to a cleared buffer and lends its bytes. */
#ifndef SYNCLINE_REPL_KEYS_H
#define SYNCLINE_REPL_KEYS_H

#include "core/vv.h"

enum feed_kind { FEED_ITEM = 0, FEED_CONFLICT = 1 };
/* Of one LSN the records of conflicts stand before the items. */
#define FEED_FIRST FEED_CONFLICT

/* Names in TABLE_META; those that end in '/' are followed by an id. */
#define META_FORMAT "format"     /* varint: of the records */
#define META_CLEAN "clean"       /* present: the last stop was clean */
#define META_HLC "hlc"           /* u64, varint: the clock's ceiling, epoch */
#define META_EPOCH "clock/"      /* + be64: the record that proves it */
#define META_REPLICA "replica"   /* the replica id in use */
#define META_MESH "mesh"         /* mesh id, mesh secret */
#define META_WELCOME "welcome"   /* records from pairing, of older stores */
#define META_WELCOMED "welcome/" /* + mesh id, be32: such records */
#define META_SPACE "space/"      /* + be32: token, name */
#define META_SEALED "sealed/"    /* + be32: a relay keeps it so, in this form */
#define SEALED_FORM "\1"         /* that of record format 4 was empty */
#define META_STATE "state/"      /* + be32: counters of a space */
#define META_SEEN "seen/"        /* + be32, replica: varint seq */
#define META_CURSOR "cursor/"    /* + be32, replica: varint lsn */
#define META_BOOK "book"         /* addresses of peers */
#define META_JOINING "joining/"  /* + be32: items of a mesh that was left */
#define META_HORIZON "horizon/"  /* + be32, replica: varint seq */
#define META_DEAD "dead/"        /* + be32, key: it waits for collection */
#define META_RETURNING "returning/" /* + be32: state before a bootstrap */
#define META_BURIED "buried/"       /* + be32: vector of such states */
#define META_ADOPT "adopt/"         /* + be32: where signing goes on */
#define META_REMOVED "removed"      /* by whom, u64 when: we are no member */
#define META_SILENT "silent/"       /* + device: varint, microseconds */
#define META_OLD "old/"             /* + a key of `_mesh`: document, or empty */
#define META_FORK "fork/"           /* + hash: evidence, as it was told */
#define META_REKEY "rekey"          /* changes under keys that do not count */
#define META_KEYS "keys"            /* ids of those that are held and count */
#define META_AUDIT "audit"          /* the head of the audit log */
#define META_AUTHOR "author/"       /* + replica of a stamp: whose it is */

/* Bits of a conflict record's state; a join is their union. */
#define CONFLICT_OPEN 0
#define CONFLICT_RESOLVED 1
#define CONFLICT_RETURNED 2 /* it came back with a member after its life */
#define CONFLICT_TOLD 4     /* sealed only: by who could read both values */
#define CONFLICT_STATES 7

/* name, then the space's number. */
struct slice key_meta_space(struct buf *b, const char *name, uint32_t space);
/* name, the space's number, a replica. */
struct slice key_meta_replica(
    struct buf *b, const char *name, uint32_t space, const struct rid *replica);

/* META_DEAD of an item. */
struct slice key_dead(struct buf *b, uint32_t space, struct slice key);

struct slice key_space(struct buf *b, uint32_t space);
struct slice key_item(struct buf *b, uint32_t space, struct slice key);
struct slice key_feed(struct buf *b, uint32_t space, uint64_t lsn,
    enum feed_kind kind, struct slice tail);
struct slice key_seen(
    struct buf *b, uint32_t space, const struct dot *dot, struct slice key);
/* All versions of an item; with a version, one. */
struct slice key_history_of(struct buf *b, uint32_t space, struct slice key);
struct slice key_history(
    struct buf *b, uint32_t space, struct slice key, uint64_t version);
/* All conflict records of an item; with path and dot, one. The tail (what
 * follows the space's number) names the record in the feed and to peers. */
struct slice key_conflict_of(struct buf *b, uint32_t space, struct slice key);
struct slice key_conflict_tail(
    struct buf *b, struct slice key, struct slice path, const struct dot *dot);

NODISCARD int get_feed_key(
    struct slice key, uint64_t *lsn, enum feed_kind *kind, struct slice *tail);
NODISCARD int get_seen_key(
    struct slice key, struct dot *dot, struct slice *item_key);
NODISCARD int get_conflict_tail(
    struct slice tail, struct slice *key, struct slice *path, struct dot *dot);

/* Any text that a person may give as an item's key: 1 to KEY_MAX bytes of
 * UTF-8 without control characters. */
NODISCARD int key_check(struct slice key, struct errmsg *why);

#endif
