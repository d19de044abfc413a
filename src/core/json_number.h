/* json_number.h - numbers between text and machine.
 *
 * Pure. Independent of the locale: the texts that
 * strtod reads here hold no decimal point, and the one that snprintf writes
 * is skipped whatever it is. */
#ifndef SYNCLINE_CORE_JSON_NUMBER_H
#define SYNCLINE_CORE_JSON_NUMBER_H

#include "core/json.h"

/* Halfway between two doubles lie at most 767 digits; one more, not zero,
 * stands for all that follow. */
#define DECIMAL_DIGITS_MAX 800
#define DOUBLE_DIGITS_MAX 17
#define BIGINT_DIGITS_MAX 4300

/* 0.DIGITS times ten to the exp; no leading or trailing zeros; n is 0 for
 * zero. */
struct decimal {
    size_t n;
    int64_t exp;
    char digits[DECIMAL_DIGITS_MAX];
};

/* Reads the number that begins at *at (a digit or "-"), and moves *at beyond
 * it or, on failure, to where what is wrong. out gets type and value. Errors:
 * EMALFORMED, ELIMIT. */
NODISCARD int json_number_read(struct json *out, const uint8_t **at,
    const uint8_t *end, enum json_mode mode, const char **what);

/* The double nearest to d; infinity if d is too large. */
double decimal_to_double(const struct decimal *d);
/* The shortest digits that read back as a, a finite double above zero. */
void decimal_shortest(struct decimal *d, double a);

#endif
