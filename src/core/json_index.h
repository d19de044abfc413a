/* json_index.h - an object's members in the order of their keys.
 *
 * Pure. For who looks up many. Law: the order is slice_cmp, equal keys stay
 * as the text had them, and the cost is O(n log n) whatever the keys are. */
#ifndef SYNCLINE_CORE_JSON_INDEX_H
#define SYNCLINE_CORE_JSON_INDEX_H

#include "core/json.h"

#define JSON_INDEX_SMALL 32

struct json_index {
    struct json **sorted;
    size_t n;
    struct json *small[JSON_INDEX_SMALL]; /* spares most objects the heap */
};

/* NULL or what is no object gives an empty index. Errors: ENOMEM. */
NODISCARD int json_index_init(struct json_index *ix, const struct json *obj);
void json_index_close(struct json_index *ix);
/* The member of that key, or NULL. */
struct json *json_index_find(const struct json_index *ix, struct slice key);

#endif
