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

/* By the code, without its sign. */
static const char *const names[] = { "OK", "ENOMEM", "EINVAL", "EMALFORMED",
    "ESHORT", "ELIMIT", "ENOTFOUND", "EEXIST", "ECONFLICT", "EIO", "EFULL",
    "ECORRUPT", "EVERSION", "EBUSY", "EDENIED", "ECLOSED", "ETIMEOUT",
    "EUNSUPPORTED" };
_Static_assert(
    sizeof names / sizeof *names == -SYNCLINE_EUNSUPPORTED + 1, "all of them");

const char *error_name(int rc)
{
    return rc <= 0 && rc >= SYNCLINE_EUNSUPPORTED ? names[-rc] : "EIO";
}

int error_by_name(struct slice name)
{
    for (int i = 1; i <= -SYNCLINE_EUNSUPPORTED; i++)
        if (slice_is(name, names[i]))
            return -i;
    return SYNCLINE_OK;
}

void ensure_failed(const char *cond, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: broken assumption: %s\n", file, line, cond);
    abort();
}
