/* doctor.h - looks for what commonly stands in the way of a node. */
#ifndef SYNCLINE_APP_DOCTOR_H
#define SYNCLINE_APP_DOCTOR_H

#include "app/engine.h"

/* Is the folder open to others? Then what to do about it. */
bool doctor_folder(const char *dir, char *text, size_t size);
/* Appends {"ok":true,"checks":[...]} from what the engine can see, and from
 * status, the node's answer to `status`. */
void doctor_examine(
    const struct engine *e, const struct json *status, struct buf *out);

#endif
