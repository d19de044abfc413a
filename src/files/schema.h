/* schema.h - JSON Schema, draft 7: is a document what somebody said it must
 * be?
 *
 * Pure. All keywords; `format` and the `content` ones are annotations and
 * assert nothing. `$ref` and `$id` work within the document; what leads out of
 * it is refused when the schema is read, as is everything that is wrong in it.
 * Numbers are compared and divided as the decimals they are written as, not as
 * doubles: 4.35 is a multiple of 0.01. `pattern` is ECMA-262's, translated for
 * PCRE2; what the two read differently is refused or rewritten.
 * Laws: no schema and no document takes more than SCHEMA_WORK_MAX steps, nor
 * deeper than SCHEMA_DEPTH_MAX; the same pair gets the same answer everywhere.
 */
#ifndef SYNCLINE_FILES_SCHEMA_H
#define SYNCLINE_FILES_SCHEMA_H

#include "core/json.h"

#define SCHEMA_WORK_MAX ((uint64_t)4 << 20) /* a check */
#define SCHEMA_DEPTH_MAX 512
#define SCHEMA_NODES_MAX 20000 /* schemas within one */

struct schema;

/* Reads doc, which was parsed strictly and is not needed any longer. Errors:
 * EINVAL with the pointer and what is wrong there, ELIMIT, ENOMEM. */
NODISCARD int schema_new(
    struct schema **out, const struct json *doc, struct errmsg *why);
void schema_free(struct schema *s); /* NULL is fine */

struct schema_fault {
    struct slice instance; /* pointer to what is wrong in the document */
    struct slice schema;   /* pointer to the keyword that says so */
    struct errmsg what;    /* a sentence, without the two */
};

/* Is doc, which was parsed strictly, valid? Errors: EINVAL and ELIMIT with the
 * first fault, whose pointers are in the arena; ENOMEM. */
NODISCARD int schema_check(const struct schema *s, const struct json *doc,
    struct schema_fault *fault, struct arena *a);
/* Both pointers and the sentence. */
void schema_fault_say(struct errmsg *why, const struct schema_fault *fault);

#endif
