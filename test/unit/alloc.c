/* The linker sends our own calls of the allocator here (--wrap), so that a
 * test can let the nth of them fail. Those of shared libraries stay theirs. */
#include "unit/check.h"

#include <stdlib.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static long left = -1;
static bool failed, is_once;

void check_alloc_fail_from(long n)
{
    left = n;
    failed = is_once = false;
}

void check_alloc_fail_once(long n)
{
    check_alloc_fail_from(n);
    is_once = true;
}

bool check_alloc_failed(void)
{
    return failed;
}

static bool must_fail(void)
{
    if (left != 0) {
        left -= left > 0;
        return false;
    }
    failed = true;
    left = is_once ? -1 : 0;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return must_fail() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return must_fail() ? NULL : __real_realloc(p, n);
}
