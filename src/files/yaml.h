/* yaml.h - a YAML text as a person wrote it, read as a JSON document, and made
 * to say another one.
 *
 * Pure. Plain words mean what they mean in YAML 1.1 as Home Assistant reads it:
 * `on` is true, `0x1f` is 31, `12:30` is 750, `1e3` is a string. Keys are
 * strings, as they are written. A value with a tag of its own (`!secret x`,
 * `!include y`) is an opaque leaf: the string of its text, tag and all; hence a
 * string that begins with "!" is refused, as it could not be told from one.
 * Aliases are read as what they stand for; merge keys, keys that are no words
 * and more than one document are refused. So is a change that cannot be made
 * in the text; it is not guessed at. All with line and column.
 * What does not change keeps every byte, comments and order too. What is new
 * comes at the end of its mapping; what is gone takes its lines along, and the
 * comments on them.
 * Laws: what yaml_splice writes, read, is the document it was given; given the
 * document that the text says already, it writes the text. */
#ifndef SYNCLINE_FILES_YAML_H
#define SYNCLINE_FILES_YAML_H

#include "core/json.h"

#define YAML_NODES_MAX 200000 /* what aliases stand for counts each time */

/* An empty text is null. Strings are in the arena. Errors: EMALFORMED, ELIMIT,
 * EUNSUPPORTED (YAML, but nothing that is read here), ENOMEM. */
NODISCARD int yaml_read(
    struct json **out, struct slice text, struct arena *a, struct errmsg *why);

/* Appends the text that says doc. Errors: those of yaml_read, of the text;
 * EUNSUPPORTED, where the text is written in a way that cannot be changed to
 * say it: then nothing is appended. */
NODISCARD int yaml_splice(struct buf *out, struct slice text,
    const struct json *doc, struct arena *a, struct errmsg *why);

#endif
