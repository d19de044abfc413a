/* vv.h - dots, version vectors and stamps.
 *
 * Pure. A vector maps a replica to the highest sequence number seen of it
 * (Parker et al., 1983); absent means 0. Entries are kept sorted by replica
 * and never hold 0. Memory comes from the arena that the caller names, and
 * is the arena's: a vector is never freed by itself.
 * Law: join is commutative, associative, idempotent; covers() after a join
 * is true of whatever either side covered. */
#ifndef SYNCLINE_CORE_VV_H
#define SYNCLINE_CORE_VV_H

#include "base/arena.h"
#include "base/codec.h"
#include "core/id.h"

#define VV_MAX 32768 /* so that one always fits a frame */
/* Sequence numbers beyond this are refused, whoever brings them: nobody
 * counts so far, and they are told as JSON, whose integers end at 2^63. */
#define SEQ_MAX ((uint64_t)1 << 62)

/* One replica's seq-th change in a space. seq 0: no dot. */
struct dot {
    struct rid replica;
    uint64_t seq;
};

/* Decides between concurrent values; see merge.h. */
struct stamp {
    uint64_t epoch;
    uint64_t hlc;
    struct rid replica;
};

struct vv {
    struct dot *e; /* sorted by replica */
    uint32_t n, cap;
};

int dot_cmp(const struct dot *a, const struct dot *b);
int stamp_cmp(const struct stamp *a, const struct stamp *b);

static inline bool dot_eq(const struct dot *a, const struct dot *b)
{
    return a->seq == b->seq && rid_eq(&a->replica, &b->replica);
}

uint64_t vv_get(const struct vv *v, const struct rid *replica);

static inline bool vv_covers(const struct vv *v, const struct dot *d)
{
    return vv_get(v, &d->replica) >= d->seq;
}

/* True if a covers everything that b covers. */
bool vv_geq(const struct vv *a, const struct vv *b);
bool vv_eq(const struct vv *a, const struct vv *b);
/* v becomes what both cover. */
void vv_meet(struct vv *v, const struct vv *other);
/* Makes room for n entries, so that adding up to them cannot fail. */
NODISCARD int vv_reserve(struct vv *v, uint32_t n, struct arena *a);
/* Raises the entry to at least d->seq. */
NODISCARD int vv_add(struct vv *v, const struct dot *d, struct arena *a);
NODISCARD int vv_join(struct vv *v, const struct vv *other, struct arena *a);
/* Makes out a copy of v. */
NODISCARD int vv_copy(struct vv *out, const struct vv *v, struct arena *a);

/* varint n, then n of (replica, varint seq), sorted by replica. */
void put_vv(struct buf *b, const struct vv *v);
void put_dot(struct buf *b, const struct dot *d);
void put_stamp(struct buf *b, const struct stamp *s);
/* Refuses what is unsorted, doubled, zero or beyond VV_MAX entries. */
NODISCARD int get_vv(struct reader *r, struct vv *out, struct arena *a);
void get_dot(struct reader *r, struct dot *out);
void get_stamp(struct reader *r, struct stamp *out);

#endif
