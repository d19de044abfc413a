/* http_parse.h - one request after the other, taken apart by llhttp.
 *
 * Pure. It is given heads that are whole, and never sees a method: those that
 * it does not know are no error here, and those that change how it reads
 * (CONNECT, PRI) are not its business. Apart from http_conn.h, whose names for
 * methods are llhttp's as well. */
#ifndef SYNCLINE_FACES_HTTP_PARSE_H
#define SYNCLINE_FACES_HTTP_PARSE_H

#include "base/buf.h"
#include "faces/http/http_field.h"

struct http_parse; /* opaque */

NODISCARD int http_parse_new(struct http_parse **out, size_t fields_max);
void http_parse_free(struct http_parse *p); /* NULL is fine */

/* Begins a request. rest is its head from the blank behind the method to the
 * empty line, and is lent until the next. EMALFORMED, or ELIMIT: too many
 * fields. */
NODISCARD int http_parse_head(struct http_parse *p, struct slice rest);
/* Of the last head, names as they came. */
struct http_field *http_parse_fields(struct http_parse *p, size_t *n);

/* Takes from in what belongs to the body, appending to body what it says: 1 if
 * that was its end, 0 if more is to come. ELIMIT: more than max, or a framing
 * that is much larger than what it frames. */
NODISCARD int http_parse_body(struct http_parse *p, struct slice in,
    size_t *used, struct buf *body, size_t max);

#endif
