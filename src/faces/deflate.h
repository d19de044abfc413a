/* deflate.h - bytes that are compressed by zlib, each message by itself, so
 * that neither end keeps anything of those before.
 *
 * Pure. Law: what is inflated is at most max bytes, and at most DEFLATE_FREE
 * and DEFLATE_RATIO times what came; it costs no more than that to find out. */
#ifndef SYNCLINE_FACES_DEFLATE_H
#define SYNCLINE_FACES_DEFLATE_H

#include "base/buf.h"

/* Nothing is sent that would be refused. */
#define DEFLATE_FREE ((size_t)64 << 10)
#define DEFLATE_RATIO 100

#define DEFLATE_BITS_MIN 9 /* zlib has no raw window of 8 */
#define DEFLATE_BITS_MAX 15

enum deflate_form {
    DEFLATE_PIECE, /* RFC 7692: no head; the flush that ends it is left out */
    DEFLATE_WHOLE  /* RFC 1950: a head, an end, a checksum, nothing behind */
};

enum deflate_speed { DEFLATE_SMALL, DEFLATE_FAST };

/* Appends what comes of in. */
NODISCARD int deflate_put(struct buf *out, struct slice in,
    enum deflate_form form, enum deflate_speed speed, uint8_t window_bits);
/* What may come of so much. */
size_t inflate_most(size_t len, size_t max);
/* And back, by whatever window. ELIMIT: it is more than it may be. EMALFORMED:
 * it is nothing, cut short, or more stands behind it. */
NODISCARD int inflate_put(
    struct buf *out, struct slice in, enum deflate_form form, size_t max);

#endif
