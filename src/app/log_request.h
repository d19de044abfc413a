/* log_request.h - the ops `log` and `log_level` of the control socket
 * (doc/api.md): how much is logged, and more or less of it, at once.
 *
 * Pure. */
#ifndef SYNCLINE_APP_LOG_REQUEST_H
#define SYNCLINE_APP_LOG_REQUEST_H

#include "base/log.h"
#include "core/json.h"

/* False if it is none of the two. Else out has the answer, and *changed says
 * whether levels did. configured is what they are at a start. */
bool log_request(struct log_levels *levels, const struct log_levels *configured,
    const struct json *request, struct buf *out, bool *changed);

/* What `log_level` does. module SLICE_NONE: all that have no level of their
 * own. EINVAL, and nothing is changed. */
NODISCARD int log_levels_change(struct log_levels *levels,
    const struct log_levels *configured, struct slice module, struct slice word,
    struct errmsg *why);

#endif
