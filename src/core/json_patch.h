/* json_patch.h - JSON Patch (RFC 6902): a list of operations upon a document.
 *
 * Pure. Laws: all of a patch is carried out or nothing; what it costs is
 * bounded by JSON_PATCH_WORK_MAX, however it copies or moves; what comes out is
 * nested no deeper than a document may be. */
#ifndef SYNCLINE_CORE_JSON_PATCH_H
#define SYNCLINE_CORE_JSON_PATCH_H

#include "core/json.h"

#define JSON_PATCH_OPS_MAX 1024
/* Values and elements passed or looked at, bytes copied. */
#define JSON_PATCH_WORK_MAX ((uint64_t)8 << 20)

/* What target becomes; it is left as it is. Errors, with which operation and
 * where: EINVAL (that is no patch), ECONFLICT (it does not fit the document: a
 * `test` failed, a place is not there), ELIMIT, ENOMEM. */
NODISCARD int json_patch(struct json **out, const struct json *target,
    const struct json *patch, struct arena *a, struct errmsg *why);

#endif
