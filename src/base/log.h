/* log.h - one line of what happened, to whoever listens.
 *
 * Pure: the sink is the caller's. Laws: no secret and no value of an item is
 * ever logged; keys are, at LOG_DEBUG only. A module is one of a list
 * (log_modules), so that a person can say how much he wants to hear of it.
 * Levels may be changed on one thread while others log. */
#ifndef SYNCLINE_BASE_LOG_H
#define SYNCLINE_BASE_LOG_H

#include "base/buf.h"
#include "base/error.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

#define LOG_LEVELS_N 4
/* Tells what the audit log holds, as log_event; no other module does. */
#define LOG_SECURITY "security"

typedef void log_fn(
    void *ctx, enum log_level level, const char *module, const char *text);

/* Who did what that matters to security: a record of the audit log. who and
 * details are JSON objects. */
struct log_event {
    const char *kind;
    struct slice who, details;
    uint64_t repeated; /* so often more, lately */
};

typedef void log_event_fn(
    void *ctx, enum log_level level, const struct log_event *event);

/* The names of all modules, in order of the alphabet; NULL ends them. */
extern const char *const log_modules[];
#define LOG_MODULES_MAX 32

/* How much is wanted of each. Zeroed: errors alone. */
struct log_levels {
    uint8_t rest;                 /* of modules without a level of their own */
    uint8_t own[LOG_MODULES_MAX]; /* level + 1; 0: none */
};

struct log {
    log_fn *fn;          /* NULL: nobody listens */
    log_event_fn *event; /* NULL: fn is told in words */
    void *ctx;
    enum log_level level;            /* the most talkative level wanted */
    const struct log_levels *levels; /* in place of level, if not NULL */
};

void log_line(const struct log *log, enum log_level level, const char *module,
    const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The module is LOG_SECURITY. */
void log_security(
    const struct log *log, enum log_level level, const struct log_event *event);

const char *log_level_name(enum log_level level);
/* error, warn, info, debug, in letters of any size, and what others call
 * these: warning, critical, fatal, notice, trace and such. EINVAL. */
NODISCARD int log_level_parse(
    enum log_level *out, struct slice word, struct errmsg *why);

/* "info" or "info,net=debug,store=warn": a level, at most once (else it is
 * info), and those of modules. EINVAL says what is wrong, and *out stays. */
NODISCARD int log_levels_parse(
    struct log_levels *out, struct slice text, struct errmsg *why);
/* As log_levels_parse reads it. */
void log_levels_print(const struct log_levels *l, struct buf *out);
/* All at once would be one change too much for who reads: each by itself. */
void log_levels_copy(struct log_levels *l, const struct log_levels *from);
/* Of one module; module "" is all that have none of their own. EINVAL. */
NODISCARD int log_levels_set(struct log_levels *l, struct slice module,
    enum log_level level, struct errmsg *why);
/* The module has what the rest has. EINVAL. */
NODISCARD int log_levels_unset(
    struct log_levels *l, struct slice module, struct errmsg *why);
enum log_level log_levels_get(const struct log_levels *l, const char *module);

#endif
