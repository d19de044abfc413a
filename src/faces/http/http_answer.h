/* http_answer.h - heads of answers, and what the protocol itself refuses with.
 *
 * Pure. */
#ifndef SYNCLINE_FACES_HTTP_ANSWER_H
#define SYNCLINE_FACES_HTTP_ANSWER_H

#include "base/buf.h"

/* The line that an answer begins with. */
void put_status_line(struct buf *b, unsigned status);

/* A problem document (RFC 9457); detail needs no escape in JSON. */
void put_problem(struct buf *b, unsigned status, const char *detail);

#endif
