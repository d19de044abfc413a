/* log_sink.h - where the daemon's log goes.
 *
 * Any thread may log; a line is written before the call returns. Laws: nothing
 * here fails who logs, or has him wait for the journal; what the journal does
 * not take is on standard error. */
#ifndef SYNCLINE_APP_LOG_SINK_H
#define SYNCLINE_APP_LOG_SINK_H

#include "base/log.h"

struct log_sink; /* opaque */

enum log_target { LOG_TO_AUTO, LOG_TO_STDERR, LOG_TO_JOURNAL };

struct log_sink_options {
    enum log_target to; /* auto: the journal, if standard error goes there */
    const char *socket; /* of the journal */
    bool json;          /* on standard error: an object a line, else text */
};

NODISCARD int log_sink_new(struct log_sink **out);
/* Nobody may log any more. NULL is fine. */
void log_sink_free(struct log_sink *s);
/* EINVAL: the socket's name is none; all else counts, and the log goes to
 * standard error. */
NODISCARD int log_sink_set(
    struct log_sink *s, const struct log_sink_options *opt, struct errmsg *why);
/* What to log by. */
struct log log_sink_log(struct log_sink *s);
/* In force from the next line on. */
struct log_levels *log_sink_levels(struct log_sink *s);

#endif
