/* overlay.h - what was committed and is not in state.db yet: one ordered map
 * a table, where a NULL value hides the record below.
 *
 * Pure. Law: after overlay_reserve, overlay_apply of that batch cannot
 * fail, so a batch is applied as a whole or not at all. */
#ifndef SYNCLINE_STORE_OVERLAY_H
#define SYNCLINE_STORE_OVERLAY_H

#include "base/omap.h"
#include "store/store.h"

struct overlay {
    struct omap tables[TABLE_END];
    uint64_t last; /* number of the last commit in it, or 0 */
};

void overlay_free(struct overlay *o); /* leaves a valid empty one */
size_t overlay_bytes(const struct overlay *o);
/* Reads the batch through; EMALFORMED, ENOMEM. */
NODISCARD int overlay_reserve(struct overlay *o, struct slice ops);
void overlay_apply(struct overlay *o, struct slice ops, uint64_t no);

#endif
