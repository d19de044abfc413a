#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int errmsg_set(struct errmsg *why, int rc, const char *fmt, ...)
{
    va_list ap;

    if (why == NULL)
        return rc;
    va_start(ap, fmt);
    (void)vsnprintf(why->text, sizeof why->text, fmt, ap);
    va_end(ap);
    return rc;
}

void ensure_failed(const char *cond, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: broken assumption: %s\n", file, line, cond);
    abort();
}
