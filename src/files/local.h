/* local.h - the parts of a file that stay on this machine.
 *
 * Pure. A part is named by a JSON pointer through objects: an array is one
 * value. What is published is the document without the parts; what is applied
 * is the remote document with this file's own ones put back.
 * Laws: local_strip leaves nothing at or below a pointer, whatever the file
 * holds; local_keep gives each part the value that the file has, or none if it
 * has none, whatever the remote document holds; and stripped again that is the
 * stripped remote document, but for scalars and arrays of it that stood on the
 * way to a part, which made room. Hence a change is the diff of what
 * local_strip gave of the file before and after. */
#ifndef SYNCLINE_FILES_LOCAL_H
#define SYNCLINE_FILES_LOCAL_H

#include "core/json.h"

struct local_parts {
    const struct slice *pointers;
    size_t n;
};

/* Errors: EINVAL, with what a pointer looks like; the whole document cannot
 * be local. */
NODISCARD int local_check(
    struct slice pointer, struct arena *a, struct errmsg *why);

/* doc without the parts, and without the objects on the way to one that hold
 * nothing else. Errors: EINVAL (a pointer leads into an array), ENOMEM. */
NODISCARD int local_strip(struct json **out, const struct json *doc,
    const struct local_parts *l, struct arena *a, struct errmsg *why);

/* remote with the file's parts. Errors: as local_strip, of the file. */
NODISCARD int local_keep(struct json **out, const struct json *remote,
    const struct json *file, const struct local_parts *l, struct arena *a,
    struct errmsg *why);

#endif
