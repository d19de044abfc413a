/* log_sink.h - where the daemon's log goes.
 *
 * Any thread may log; a line is written before the call returns. Law: nothing
 * here fails who logs. */
#ifndef SYNCLINE_APP_LOG_SINK_H
#define SYNCLINE_APP_LOG_SINK_H

#include "base/log.h"

struct log_sink; /* opaque */

struct log_sink_options {
    bool json; /* an object a line, else text */
};

NODISCARD int log_sink_new(struct log_sink **out);
/* Nobody may log any more. NULL is fine. */
void log_sink_free(struct log_sink *s);
void log_sink_set(struct log_sink *s, const struct log_sink_options *opt);
/* What to log by. */
struct log log_sink_log(struct log_sink *s);
/* In force from the next line on. */
struct log_levels *log_sink_levels(struct log_sink *s);

#endif
