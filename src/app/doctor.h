/* doctor.h - looks for what commonly stands in the way of a node. */
#ifndef SYNCLINE_APP_DOCTOR_H
#define SYNCLINE_APP_DOCTOR_H

#include "app/engine/engine.h"

/* Is the folder open to others? Then what to do about it. */
bool doctor_folder(const char *dir, char *text, size_t size);

struct doctor_finding {
    const char *name;   /* of what was looked at */
    const char *level;  /* "info", "warn", "error"; NULL: it is well */
    const char *what;   /* a sentence, and what to do about it, or NULL */
    const char *advice; /* both are lent until the call returns */
    struct slice where; /* a canonical JSON object: device, ... */
};
typedef void doctor_fn(void *ctx, const struct doctor_finding *f);

/* Tells what there is to say, by what the engine can see and by status, the
 * node's answer to `status`. */
void doctor_look(const struct engine *e, const struct json *status,
    doctor_fn *fn, void *ctx);
/* The same, appended as {"ok":true,"checks":[...]}. */
void doctor_examine(
    const struct engine *e, const struct json *status, struct buf *out);

#endif
