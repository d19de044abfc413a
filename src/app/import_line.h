/* import_line.h - a line of a file to be imported, and the same as an op of a
 * batch.
 *
 * Pure. Law: what import_line_put writes of a line, import_line_read takes as
 * the same record. */
#ifndef SYNCLINE_APP_IMPORT_LINE_H
#define SYNCLINE_APP_IMPORT_LINE_H

#include "core/json.h"

struct import_line {
    struct slice key;
    const struct json *value; /* NULL: the line is empty */
};

/* Without its newline. Lends from text and a; what is wrong is said in why. */
NODISCARD int import_line_read(struct import_line *out, struct slice text,
    struct arena *a, struct errmsg *why);
/* Appends {"key":...,"value":...}. */
void import_line_put(struct buf *b, const struct import_line *line);

#endif
