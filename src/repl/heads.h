/* heads.h - signed words of devices on what they have, which travel through
 * relays: a relay cannot make one, so members that never meet learn from them
 * what the others have on their disks, and what a relay keeps back.
 *
 * Pure over the crypto port. A head is of one device and one space. A relay
 * keeps the newest, in memory; a member those that came on a session.
 * Law: a head decides nothing but who is waited for with `--wait`, and what
 * people are told of a relay; neither items nor collection depend on it. */
#ifndef SYNCLINE_REPL_HEADS_H
#define SYNCLINE_REPL_HEADS_H

#include "repl/node_impl.h"

/* After so many heartbeats at which a relay lacks nothing but this. */
#define HEAD_BEATS 3

struct head {
    struct head *next;
    struct frame_head f; /* what it says; its vector is in the arena */
    struct arena arena;
    uint64_t stamp; /* at a relay: the newer, the larger */
    /* At a member: what the relay should have brought by now. */
    struct arena wants_arena;
    struct vv wants;
    uint64_t from_us; /* since then, unless something has come */
    uint32_t beats, odd_beats;
    uint64_t told_us, odd_us; /* when people were told; 0: they were not */
};

void heads_free(struct head **heads);
size_t heads_bytes(const struct head *heads);

/* What the signature of a head covers. */
void head_put_signed(
    struct buf *b, const struct mesh_id *mesh, const struct frame_head *f);

NODISCARD int receive_head(
    struct node *n, struct conn *c, const struct frame_head *f);
/* A heartbeat of a connection: what is new of this device, to a relay. */
NODISCARD int heads_tick(struct node *n, struct conn *c);
/* A relay, to members: what has come of others. all: at a heartbeat. */
NODISCARD int heads_pass_on(struct node *n, struct conn *c, bool all);
/* A relay has answered a ping: has it brought what it should have? */
NODISCARD int heads_on_pong(struct node *n, struct conn *c, uint64_t sent_us);
/* By its own signed word, does the member have it on its disk? */
bool heads_cover(const struct node *n, const struct device_id *device,
    const struct space *sp, const struct dot *d);
/* Other records count now: what does not is nothing that a relay could bring,
 * nor is it when it counts again, since all have dropped it. */
void heads_lower(struct node *n, struct space *sp);
/* `,"relays_withhold":...,"withheld":[...]` */
void heads_put_status(const struct node *n, struct buf *b);

#endif
