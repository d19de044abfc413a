/* rules.h - which paths iSync keeps the same: `config.` with `._id.` in it,
 * records with `_id` in the value of some field, and further patterns.
 *
 * Pure. A path is config.RECORD.FIELD; what stands behind a third dot is none
 * of it. */
#ifndef SYNCLINE_FACES_ISYNC_RULES_H
#define SYNCLINE_FACES_ISYNC_RULES_H

#include "core/json.h"

/* `*`: anything, dots too; `?`: one byte. Borrowed. */
struct isync_rules {
    const char *const *patterns;
    size_t n;
};

/* The rule of the originals for a path alone. */
bool isync_path_syncs(struct slice path);
bool isync_pattern_takes(struct slice pattern, struct slice path);
/* Does some field's value have `_id` in its text? Of an object. */
bool isync_record_has_id(const struct json *record);
/* What an original client sends of its table `config`: it has a field `id`, and
 * its text has `._id.` or some value's has `_id`. */
bool isync_record_is_sent(const struct json *record);

/* By any of the rules; record may be NULL: not known. */
bool isync_rules_take(const struct isync_rules *rules, struct slice path,
    const struct json *record);

/* Splits a path; false: it has no record or no field. */
bool isync_path_split(
    struct slice path, struct slice *record, struct slice *field);
/* config.RECORD.FIELD, in a; ptr NULL on memory. */
struct slice isync_path_of(
    struct slice record, struct slice field, struct arena *a);

#endif
