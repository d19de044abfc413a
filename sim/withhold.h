/* withhold.h - a relay that keeps something back (R27): from one machine what
 * one device writes in one space. Its node means well, but what it sends is
 * altered on its way out. It passes on what members sign of what they have.
 *
 * Law: without the fault a run is what it was. */
#ifndef SYNCLINE_SIM_WITHHOLD_H
#define SYNCLINE_SIM_WITHHOLD_H

#include "base/buf.h"
#include "core/vv.h"

struct world;
struct machine;
struct link;
struct frame;
struct frame_head;

struct sim_withhold {
    bool begun;
    const struct machine *relay;
    struct machine *from; /* from whom it is kept */
    const struct machine *author;
    uint32_t space;            /* of the ledger */
    const struct link *honest; /* on which a bootstrap has begun */
    struct vv kept;            /* whose marks do not pass any more */
    struct arena arena;
    uint64_t rows; /* kept back */
    /* It was told that there is this. */
    bool heard;
    struct dot dot;
    const struct link *over;
    uint32_t lives[2];
    uint64_t more_us; /* when rows passed that more were to follow */
    uint64_t due_us;  /* by then it says so */
};

/* The frame without it; false: it passes as it is. out is a buffer of its own.
 */
bool withhold_frame(struct machine *relay, const struct link *l,
    struct machine *to, struct slice frame, struct buf *out);
/* Does it keep anything from that machine? Nothing else is altered there, or
 * marks would pass that tell of what is kept back. */
bool withhold_is_between(const struct machine *relay, const struct machine *to);
void withhold_finish(struct world *w);
void withhold_close(struct world *w);

/* R27: a signed word passes the relay, other frames do, and a node says that a
 * relay keeps something back (check_withheld.c). */
void check_withheld_heard(
    struct world *w, const struct link *l, const struct frame_head *f);
void check_withheld_sent(
    struct world *w, const struct link *l, const struct frame *f);
void check_withheld_note(
    struct world *w, const struct machine *m, const char *kind);

#endif
