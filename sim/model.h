/* model.h - what shows of an item, worked out anew from the design's words
 * over a fold of the ledger; shares no code with the merge. */
#ifndef SYNCLINE_SIM_MODEL_H
#define SYNCLINE_SIM_MODEL_H

#include "core/json.h"
#include "sim/ledger.h"

/* The document, or NULL where the item does not live. */
struct json *model_document(const struct ledger *l, const struct view *v,
    uint32_t item, struct arena *a);
/* Does the fold's cell in this slot show? */
bool model_shows(const struct ledger *l, const struct view *v, uint32_t slot);
/* The fold's cell of the item's present life; NULL if there is none. */
const struct led_cell *model_cell(
    const struct ledger *l, const struct view *v, uint32_t slot);
/* Is p a proper ancestor of q? */
bool model_is_above(struct slice p, struct slice q);

#endif
