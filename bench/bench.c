#include "bench.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char stamp[] = "\"at\":\"";

uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

size_t value_make(char out[VALUE_MAX_BYTES], uint64_t at_ns, uint64_t n)
{
    int len = snprintf(out, VALUE_MAX_BYTES,
        "{%s%020" PRIu64 "\",\"number\":%" PRIu64
        ",\"name\":\"device-%06" PRIu64 "\",\"enabled\":%s,\"mode\":\"auto\","
        "\"tags\":[\"kitchen\",\"ceiling\",\"white\"],\"limits\":{\"load\":"
        "0.75,\"memory\":1073741824},\"note\":\"set by the night shift\"}",
        stamp, at_ns, n, n * 2654435761u % 1000000,
        n % 3 == 0 ? "false" : "true");

    return (size_t)len;
}

uint64_t value_at(const char *text, size_t len)
{
    const char *at = memmem(text, len, stamp, sizeof stamp - 1);

    return at == NULL ? 0 : strtoull(at + sizeof stamp - 1, NULL, 10);
}

void samples_open(struct samples *s, size_t max)
{
    s->ns = calloc(max + 1, sizeof *s->ns);
    s->n = 0;
    s->max = max;
    if (s->ns == NULL)
        die("memory ran out");
}

void samples_add(struct samples *s, uint64_t ns)
{
    if (s->n < s->max)
        s->ns[s->n++] = ns;
}

void samples_close(struct samples *s)
{
    free(s->ns);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static double part(const struct samples *s, size_t percent)
{
    size_t at = s->n * percent / 100;

    return s->n == 0 ? 0 : (double)s->ns[at < s->n ? at : s->n - 1] / 1000;
}

void samples_print(struct samples *s, const char *name)
{
    qsort(s->ns, s->n, sizeof *s->ns, compare);
    (void)printf("\"%s\":{\"n\":%zu,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}",
        name, s->n, part(s, 50), part(s, 99), part(s, 100));
}

void die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    exit(1);
}
