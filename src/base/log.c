#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void log_line(const struct log *log, enum log_level level, const char *module,
    const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    if (log == NULL || log->fn == NULL || level > log->level)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log->fn(log->ctx, level, module, text);
}

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };

    return (unsigned)level < 4 ? names[level] : "?";
}
