/* held.h - packets of others that cannot be read here, kept to be passed on:
 * the newest of each source by each link, in as many parts as it has. Nobody
 * knows who has made them: what is said under a name by another link stands
 * beside what there is, as long as that link does.
 *
 * Pure: the caller passes the times. Laws:
 * - Of one source and link the later packet by its own time is kept; of equal
 *   times the greater text. One that says it is from far ahead gives way to any
 * that does not. What has come before is not taken again, as long as it is
 *   remembered, so that nothing goes round for ever.
 * - A part takes the place of the same part only; the last of a sweep, and a
 *   packet that is no part, that of all that is older of its source and link,
 *   or of links that are gone.
 * - The same part of a source is passed on once a second at most; what it says
 *   in between is passed on as one, the newest.
 * - Memory is bounded: of more packets than ISYNC_HELD_MAX, or bytes than
 *   ISYNC_HELD_BYTES_MAX, what has come longest ago of the link that has most
 * is forgotten; those that are gone are one. */
#ifndef SYNCLINE_FACES_ISYNC_HELD_H
#define SYNCLINE_FACES_ISYNC_HELD_H

#include "faces/isync/packet.h"

#define ISYNC_HELD_MAX 512
#define ISYNC_HELD_BYTES_MAX ((size_t)16 << 20)
#define ISYNC_HELD_APART_US UINT64_C(1000000)
#define ISYNC_HELD_FAR_US UINT64_C(2000000) /* a packet may be so far ahead */

struct isync_held; /* opaque */

struct isync_packet_held {
    struct slice source, text; /* JSON; lent until something is put */
    struct isync_stamp time;
    struct isync_part part;
    uint64_t from; /* the link it came by; 0: it is gone */
    uint64_t seq;  /* 0: it is not to be passed on yet */
};

NODISCARD int isync_held_new(struct isync_held **out);
void isync_held_free(struct isync_held *h); /* NULL is fine */

/* EEXIST: it has come before, or a later one has. ELIMIT: too large. */
NODISCARD int isync_held_put(struct isync_held *h,
    const struct isync_packet_held *p, uint64_t wall_us, uint64_t mono_us);
/* The link is gone. */
void isync_held_left(struct isync_held *h, uint64_t from);
/* Those whose time has come get a seq, greater than all before. */
void isync_held_tick(struct isync_held *h, uint64_t mono_us);
uint64_t isync_held_deadline(const struct isync_held *h); /* 0: none */

/* The first whose seq is greater. */
bool isync_held_next(
    const struct isync_held *h, uint64_t seq, struct isync_packet_held *out);
/* By number, below isync_held_n. */
void isync_held_at(
    const struct isync_held *h, size_t ix, struct isync_packet_held *out);
void isync_held_drop(struct isync_held *h, size_t ix);
/* All of the source was read, by that link and as of that time: what is older
 * is of no use. */
void isync_held_supersede(
    struct isync_held *h, const struct isync_packet_held *read);
size_t isync_held_n(const struct isync_held *h);

#endif
