/* splice.h - a JSON text as a person wrote it, made to say something else.
 *
 * Pure. What does not change keeps every byte: white space, the order of
 * members, the spelling of numbers and strings, line ends, a byte order mark.
 * A value that changes is replaced where it stands; what is new comes at the
 * end of its object and looks like its neighbours: indentation, the space
 * around colons, one line or many; what is gone takes its comma along. Of
 * arrays the ends that are equal are left alone.
 * Laws: what splice_json writes, parsed, is the document it was given; given
 * the document that the text says already, it writes the text. */
#ifndef SYNCLINE_FILES_SPLICE_H
#define SYNCLINE_FILES_SPLICE_H

#include "core/json.h"

/* What a text says: strictly JSON, behind a byte order mark if it has one.
 * Strings are borrowed from text. Errors: as json_parse. */
NODISCARD int splice_parse(
    struct json **out, struct slice text, struct arena *a, struct errmsg *why);

/* Appends the text that says doc, which is what a strict parser can make. An
 * empty text is nobody's style: two spaces, and a line's end. Errors: those of
 * splice_parse, of the text; of the buffer. */
NODISCARD int splice_json(struct buf *out, struct slice text,
    const struct json *doc, struct arena *a, struct errmsg *why);

#endif
