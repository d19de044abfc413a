/* check.h - how a unit test is written here.
 *
 *     #include "unit/check.h"
 *
 *     TEST(a_prefix_sorts_first)
 *     {
 *         CHECK(slice_cmp(SLICE_LIT("ab"), SLICE_LIT("abc")) < 0);
 *     }
 *
 * A test registers itself; main.c runs them in the order of the file and
 * prints TAP. A failed check ends its test and says what was found. */
#ifndef SYNCLINE_TEST_UNIT_CHECK_H
#define SYNCLINE_TEST_UNIT_CHECK_H

#include "base/error.h"
#include "base/slice.h"

void check_register(const char *name, void (*run)(void));

_Noreturn void check_fail(const char *file, int line, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void check_int(const char *file, int line, const char *what, long long got,
    long long want);
void check_uint(const char *file, int line, const char *what,
    unsigned long long got, unsigned long long want);
void check_slice(const char *file, int line, const char *what, struct slice got,
    struct slice want);
void check_ok(const char *file, int line, const char *what, int rc);

#define TEST(name)                                                       \
    static void name(void);                                              \
    __attribute__((constructor)) static void check_register_##name(void) \
    {                                                                    \
        check_register(#name, name);                                     \
    }                                                                    \
    static void name(void)

#define CHECK(cond) \
    ((cond) ? (void)0 : check_fail(__FILE__, __LINE__, "not true: %s", #cond))

/* Like CHECK, with a sentence about the case at hand (a seed, a row). */
#define CHECK_SAYING(cond, ...) \
    ((cond) ? (void)0 : check_fail(__FILE__, __LINE__, __VA_ARGS__))

#define CHECK_INT(got, want) \
    check_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))

#define CHECK_UINT(got, want)                                       \
    check_uint(__FILE__, __LINE__, #got, (unsigned long long)(got), \
        (unsigned long long)(want))

/* A slice against a C string. */
#define CHECK_SLICE(got, want) \
    check_slice(__FILE__, __LINE__, #got, (got), slice_str(want))

/* A slice against a slice. */
#define CHECK_BYTES(got, want) \
    check_slice(__FILE__, __LINE__, #got, (got), (want))

#define CHECK_OK(rc) check_ok(__FILE__, __LINE__, #rc, (rc))

/* Memory that runs out: from the nth allocation on (0 is the next one) every
 * one fails; -1, which each test begins with, lets all succeed. Story:
 *
 *     for (long n = 0;; n++) {
 *         check_alloc_fail_from(n);
 *         rc = thing_new(&thing);
 *         if (!check_alloc_failed())
 *             break;
 *         CHECK_INT(rc, SYNCLINE_ENOMEM);
 *     }
 *     check_alloc_fail_from(-1); */
void check_alloc_fail_from(long n);
/* Only the nth one fails. */
void check_alloc_fail_once(long n);
/* True if one failed since. */
bool check_alloc_failed(void);

/* For loops over a table of cases. */
#define ARRAY_N(a) (sizeof(a) / sizeof((a)[0]))

#endif
