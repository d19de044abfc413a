/* error.h - how this house says that something failed.
 *
 * Pure. A function returns 0 or a negative SYNCLINE_E*; where a person will
 * read about it, it also fills a struct errmsg: what, where, what to do.
 * ENSURE is for our own mistakes only; nothing a peer sends may reach it. */
#ifndef SYNCLINE_BASE_ERROR_H
#define SYNCLINE_BASE_ERROR_H

#include "base/slice.h"
#include "syncline.h"

#define NODISCARD __attribute__((warn_unused_result))
/* What is needed less often is not to slow down what is needed most. */
#define NOINLINE __attribute__((noinline))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

#define ERRMSG_MAX 512

struct errmsg {
    char text[ERRMSG_MAX]; /* "" when nothing was said */
};

/* Formats into why; a NULL why is fine. Returns rc, so that a caller may
 * write `return errmsg_set(why, SYNCLINE_EINVAL, "...")`. */
int errmsg_set(struct errmsg *why, int rc, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* "EINVAL" and such, as answers and the log have it; what is no code is "EIO".
 */
const char *error_name(int rc);
/* The code of a name; 0: there is none such. */
int error_by_name(struct slice name);

/* Aborts with file, line and the broken condition; stays on in release. */
#define ENSURE(cond) \
    ((cond) ? (void)0 : ensure_failed(#cond, __FILE__, __LINE__))

_Noreturn void ensure_failed(const char *cond, const char *file, int line);

#endif
