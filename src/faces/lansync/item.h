/* item.h - what LAN-sync nodes share, and an item of a space: the same thing.
 *
 * Pure. A document is the item's value as it is; what is of another type, or
 * would be taken for such, is {"item_type": ..., "data": {...}}; a value that
 * is no object is data {"value": ...} of type "value". Law: lan_item_value of
 * what lan_item_of made of a value is that value, and the other way round. */
#ifndef SYNCLINE_FACES_LANSYNC_ITEM_H
#define SYNCLINE_FACES_LANSYNC_ITEM_H

#include "core/json.h"

#define LAN_ITEM_TYPE "document"

struct lan_item {
    struct slice id, type, node;
    uint64_t time_us; /* of this change */
    uint64_t version; /* from 1 */
    bool is_deleted;
    bool returns;            /* who says it may have missed deletions */
    const struct json *data; /* an object; NULL of what is deleted */
};

/* From an element of payload.items. EMALFORMED: why says what is wrong. out
 * lends from v and a. */
NODISCARD int lan_item_read(struct lan_item *out, const struct json *v,
    struct arena *a, struct errmsg *why);
/* An element of payload.items; lends from item. NULL on memory. */
struct json *lan_item_make(const struct lan_item *item, struct arena *a);

/* The value of the space's item. NULL on memory. */
const struct json *lan_item_value(const struct lan_item *item, struct arena *a);
/* Sets type and data by that value. ENOMEM. */
NODISCARD int lan_item_of(
    struct lan_item *item, const struct json *value, struct arena *a);

#endif
