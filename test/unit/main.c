#include "unit/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TESTS_MAX 1024
#define SHOWN_MAX 200 /* bytes of a slice that a message shows */

static struct CMUnitTest tests[TESTS_MAX];
static size_t tests_n;

static void run_one(void **state)
{
    void (*run)(void) = *(void (**)(void)) * state;

    check_alloc_fail_from(-1);
    run();
    check_alloc_fail_from(-1);
}

void check_register(const char *name, void (*run)(void))
{
    static void (*runs[TESTS_MAX])(void);

    if (tests_n == TESTS_MAX)
        abort();
    runs[tests_n] = run;
    tests[tests_n] = (struct CMUnitTest){
        .name = name,
        .test_func = run_one,
        .initial_state = &runs[tests_n],
    };
    tests_n++;
}

void check_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    char text[2048];

    check_alloc_fail_from(-1);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    print_error("%s\n", text);
    _fail(file, line);
    abort(); /* _fail jumps out of the test */
}

void check_int(
    const char *file, int line, const char *what, long long got, long long want)
{
    if (got != want)
        check_fail(file, line, "%s is %lld, not %lld", what, got, want);
}

void check_uint(const char *file, int line, const char *what,
    unsigned long long got, unsigned long long want)
{
    if (got != want)
        check_fail(file, line, "%s is %llu, not %llu", what, got, want);
}

/* Printable as it is, the rest as \xNN. */
static void show(char *out, struct slice s)
{
    size_t n = s.len < SHOWN_MAX ? s.len : SHOWN_MAX;

    for (size_t i = 0; i < n; i++) {
        uint8_t c = s.ptr[i];

        if (c >= 0x20 && c < 0x7f)
            *out++ = (char)c;
        else
            out += sprintf(out, "\\x%02x", c);
    }
    strcpy(out, n < s.len ? "..." : "");
}

void check_slice(const char *file, int line, const char *what, struct slice got,
    struct slice want)
{
    char a[SHOWN_MAX * 4 + 4], b[SHOWN_MAX * 4 + 4];

    if (slice_eq(got, want))
        return;
    show(a, got);
    show(b, want);
    check_fail(file, line, "%s is \"%s\" (%zu), not \"%s\" (%zu)", what, a,
        got.len, b, want.len);
}

void check_ok(const char *file, int line, const char *what, int rc)
{
    if (rc != SYNCLINE_OK)
        check_fail(file, line, "%s failed with %d", what, rc);
}

/* With names as arguments only those tests run. */
static size_t keep_named(char **names, int names_n)
{
    size_t kept = 0;

    for (size_t i = 0; i < tests_n; i++)
        for (int j = 0; j < names_n; j++)
            if (strcmp(tests[i].name, names[j]) == 0) {
                tests[kept++] = tests[i];
                break;
            }
    return kept;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        tests_n = keep_named(argv + 1, argc - 1);
    if (tests_n == 0) {
        fprintf(stderr, "%s: no such test\n", argv[0]);
        return 2;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("unit", tests, tests_n, NULL, NULL);
}
