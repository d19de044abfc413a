/* bench.h - what the bench programs share: the clock, the values, sorting
 * what was measured. */
#ifndef SYNCLINE_BENCH_H
#define SYNCLINE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_MAX_BYTES 256

uint64_t now_ns(void);
/* A JSON object of some 200 bytes that says when it was made. */
size_t value_make(char out[VALUE_MAX_BYTES], uint64_t at_ns, uint64_t n);
/* When; 0 if there is no such thing in text. */
uint64_t value_at(const char *text, size_t len);

/* Durations in nanoseconds. */
struct samples {
    uint64_t *ns;
    size_t n, max;
};

void samples_open(struct samples *s, size_t max);
void samples_add(struct samples *s, uint64_t ns);
void samples_close(struct samples *s);
/* Prints "name":{"n":..,"p50":..,"p99":..,"max":..} in microseconds. */
void samples_print(struct samples *s, const char *name);

/* Ends the program with a sentence. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
