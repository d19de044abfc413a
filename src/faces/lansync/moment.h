/* moment.h - times as LAN-sync nodes write them: ISO 8601 in UTC that names no
 * zone, "2026-11-20T12:34:56.789012".
 *
 * Pure. Law: read(text(t)) is t, for every microsecond of the years 1970 to
 * 9999. */
#ifndef SYNCLINE_FACES_LANSYNC_MOMENT_H
#define SYNCLINE_FACES_LANSYNC_MOMENT_H

#include "base/error.h"
#include "base/slice.h"

#define MOMENT_MAX 26

/* Microseconds since 1970. Reads what Python 3.11 does of a time without a
 * zone: with or without '-' and ':', any character between day and hour, '.' or
 * ',' before a fraction; of that six digits count. EMALFORMED: none of these, a
 * zone, or before 1970. */
NODISCARD int moment_read(uint64_t *out_us, struct slice text);
/* How many bytes of out it takes; no NUL follows. The fraction has six digits,
 * or is left out where it is zero. */
size_t moment_text(char out[MOMENT_MAX], uint64_t us);

#endif
