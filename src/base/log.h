/* log.h - one line of what happened, to whoever listens.
 *
 * Pure: the sink is the caller's. Law: no secret and no value of an item is
 * ever logged; keys are, at LOG_DEBUG only. */
#ifndef SYNCLINE_BASE_LOG_H
#define SYNCLINE_BASE_LOG_H

#include "base/error.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

typedef void log_fn(
    void *ctx, enum log_level level, const char *module, const char *text);

struct log {
    log_fn *fn; /* NULL: nobody listens */
    void *ctx;
    enum log_level level; /* the most talkative level wanted */
};

void log_line(const struct log *log, enum log_level level, const char *module,
    const char *fmt, ...) PRINTF_LIKE(4, 5);
const char *log_level_name(enum log_level level);

#endif
