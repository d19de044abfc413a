/* stamp.h - when a register was written, as iSync nodes say it: seconds since
 * 1970, an integer or a double.
 *
 * Pure. Law: a stamp is printed as it was read, bit for bit; the order is that
 * of the numbers, exact also between an integer and a double. */
#ifndef SYNCLINE_FACES_ISYNC_STAMP_H
#define SYNCLINE_FACES_ISYNC_STAMP_H

#include "core/json.h"

struct isync_stamp {
    bool is_int;
    union {
        int64_t i;
        double d; /* finite */
    };
};

/* Is it finite, and does another follow? */
bool isync_stamp_is_sound(const struct isync_stamp *s);
/* EMALFORMED: no number, or none that is sound. */
NODISCARD int isync_stamp_read(struct isync_stamp *out, const struct json *v);
struct json *isync_stamp_make(const struct isync_stamp *s, struct arena *a);
int isync_stamp_cmp(const struct isync_stamp *a, const struct isync_stamp *b);

/* Microseconds since 1970, as near as a double comes. */
struct isync_stamp isync_stamp_of(uint64_t us);
/* Back; 0 before 1970, UINT64_MAX beyond what can be said. */
uint64_t isync_stamp_us(const struct isync_stamp *s);
/* The next double, which need not be sound. */
struct isync_stamp isync_stamp_after(const struct isync_stamp *s);

#endif
