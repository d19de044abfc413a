/* json_make.h - documents, changes of them and texts that say them, drawn.
 *
 * Law: the same seed makes the same. */
#ifndef SYNCLINE_TEST_UNIT_JSON_MAKE_H
#define SYNCLINE_TEST_UNIT_JSON_MAKE_H

#include "base/prng.h"
#include "core/json.h"

/* Any value, or an object, nested at most so deep below. */
struct json *draw_json(struct prng *p, struct arena *a, unsigned depth);
struct json *draw_object(struct prng *p, struct arena *a, unsigned depth);
/* v with some of it changed, removed and added; perhaps none. Shares with
 * v what is the same. */
struct json *draw_change(struct prng *p, struct arena *a, const struct json *v);
/* v as somebody might have written it. */
void put_written(struct buf *b, struct prng *p, const struct json *v);

/* Parsed strictly, or the test fails. */
struct json *json_of(struct slice text, struct arena *a);

#endif
