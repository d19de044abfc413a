/* qr.h - a code as a picture: of half blocks for a terminal, or as data and
 * SVG for a page.
 *
 * Two modules of the picture are one character, above and below. Light and
 * dark are both painted, so that it can be read on any background. */
#ifndef SYNCLINE_APP_QR_H
#define SYNCLINE_APP_QR_H

#include "base/buf.h"

/* Appends the lines of the picture: with colours for a terminal, else plain
 * blocks, where ink is light. ENOMEM; ELIMIT: wider than columns. */
NODISCARD int put_qr(
    struct buf *out, struct slice text, unsigned columns, bool colours);

/* Appends {"rows":["0110..."],"size":N,"svg":"<svg ..."}: a row of modules
 * each, with the quiet ones around them; 1 is dark. ENOMEM, ELIMIT. */
NODISCARD int put_qr_json(struct buf *out, struct slice text);

#endif
