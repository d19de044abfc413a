/* json_parts.h - where in a text each of its values stands.
 *
 * Pure. For who changes a text and leaves alone what does not change.
 * Law: the parts of a container, in order, with the commas between them and
 * the white space after the last, are all that is between its brackets. */
#ifndef SYNCLINE_FILES_JSON_PARTS_H
#define SYNCLINE_FILES_JSON_PARTS_H

#include "core/json.h"

struct part {
    const struct json *v;
    size_t from;       /* behind the comma or bracket before it */
    size_t key;        /* of a member: its key's first byte; else as at */
    size_t key_end;    /* of a member: behind its key; else as at */
    size_t at, end;    /* the value */
    struct part *kids; /* v->n of them */
};

/* v is what json_parse made of text, strictly, without a byte order mark.
 * Errors: ENOMEM. */
NODISCARD int json_parts(
    struct part *out, struct slice text, const struct json *v, struct arena *a);

#endif
