/* answer.h - what an answer of the local interface (doc/api.md) says about
 * how it went. Pure. */
#ifndef SYNCLINE_APP_ANSWER_H
#define SYNCLINE_APP_ANSWER_H

#include "core/json.h"

/* 0 if the answer says ok or is one of a stream, else its code and its
 * sentence. */
NODISCARD int answer_status(const struct json *answer, struct errmsg *why);

/* An answer that says no, in place of what b holds. why may be NULL. */
void put_refusal(struct buf *b, int rc, const struct errmsg *why);

/* The same as a literal, of literals that JSON can say as they are. */
#define REFUSAL(code, sentence) \
    "{\"ok\":false,\"code\":\"" code "\",\"error\":\"" sentence "\"}"
#define REFUSAL_NO_MEMORY REFUSAL("ENOMEM", "memory ran out")

#endif
