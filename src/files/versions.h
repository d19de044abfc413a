/* versions.h - what the kept versions of a configuration file are called.
 *
 * Pure: the time comes from outside, as a clock on the wall shows it there
 * (the older system's names are local time). A name is
 * `config_YYYYMMDDhhmmss.json`; what is kept in the same second goes by
 * `config_YYYYMMDDhhmmss_001.json` and so on, which sorts behind it and
 * before the next second, so that who orders by name, as the older system
 * does, has them in order.
 * Laws: parse(name(v)) is v; names order as versions do; no name is given
 * that is taken. */
#ifndef SYNCLINE_FILES_VERSIONS_H
#define SYNCLINE_FILES_VERSIONS_H

#include "base/error.h"
#include "base/slice.h"

#define VERSION_NAME_SIZE 32 /* with its NUL */
#define VERSION_NTH_MAX 999

struct version {
    uint16_t year; /* 0 to 9999 */
    uint8_t month, day, hour, minute, second;
    uint16_t nth; /* of its second, from 0 */
};

/* Errors: EINVAL (no such time). */
NODISCARD int version_name(
    char out[VERSION_NAME_SIZE], const struct version *v);
/* Errors: EINVAL; whatever else lies in the folder is no version. */
NODISCARD int version_parse(struct version *out, struct slice name);
int version_cmp(const struct version *a, const struct version *b);

/* Sorts, the oldest first. */
void versions_sort(struct version *v, size_t n);
/* What to call one that is kept at `at` (whose nth does not matter), given
 * what is there, sorted. Errors: EINVAL, ELIMIT (a thousand in one second). */
NODISCARD int versions_next(struct version *out, const struct version *at,
    const struct version *v, size_t n);
/* The newest that is not after `at`, its second included; NULL if none. v is
 * sorted. */
const struct version *versions_at(
    const struct version *v, size_t n, const struct version *at);
/* How many of the oldest go so that `keep` stay, `just`, the one written
 * last, among them even if a clock that was set back has made it the oldest:
 * it is moved to the end of v, which is sorted, and v[0] up to what is
 * returned are to be removed. keep is at least 1; just may be NULL. */
size_t versions_excess(
    struct version *v, size_t n, size_t keep, const struct version *just);

#endif
