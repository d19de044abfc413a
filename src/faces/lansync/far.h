/* far.h - messages whose clocks are far ahead, which are to be known until
 * their time has come: that may take years, and there is not room for all.
 *
 * Pure. A sorted list of times and nonces; where it is full, what is furthest
 * ahead goes, and of whoever has said that it is known from when to when he
 * did. His own clock goes on, so that what he says next is beyond it. Law: what
 * was new once is not new again; where there is no room, nothing is new. */
#ifndef SYNCLINE_FACES_LANSYNC_FAR_H
#define SYNCLINE_FACES_LANSYNC_FAR_H

#include "faces/lansync/nonces.h"

#define FAR_MAX ((size_t)1 << 16) /* messages */
#define FAR_NODES 64 /* whose messages are known by their times alone */

struct far_message {
    uint64_t at_us, key; /* as of nonces_see */
    uint64_t node;       /* a hash of who says it, never 0 */
};

struct far_span {
    uint64_t node, from_us, to_us; /* node 0: there is none */
};

/* A zeroed one is a valid empty one. */
struct far {
    struct far_message *e; /* from the first on, the soonest first */
    size_t first, n, cap;
    struct far_span spans[FAR_NODES];
    uint64_t from_us, to_us; /* all spans are within */
};

void far_free(struct far *f);
/* Is one of that time, or sooner, among them? */
static inline bool far_any(const struct far *f, uint64_t at_us)
{
    return (f->n > 0 && at_us >= f->e[f->first].at_us) ||
        (f->to_us > 0 && at_us >= f->from_us);
}
/* Those whose time has come by soon_us are in `near` from now on; what was said
 * of times before old_us does not count any more. */
void far_come(struct far *f, struct nonces *near, uint64_t soon_us,
    uint64_t old_us, uint64_t now_us);

bool far_has(const struct far *f, const struct far_message *m);
/* ELIMIT, ENOMEM. */
NODISCARD int far_see(struct far *f, const struct far_message *m);

#endif
