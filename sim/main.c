/* syncline-sim - runs seeds, and says which of them break a rule.
 *
 * Prints TAP with --tap, a line a failing seed otherwise, and at the end how
 * often each thing was met. Exit: 0 all held, 1 some rule was broken, 2
 * usage. */
#include "sim/options.h"

#include <time.h>

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct plan p = { .opt = { .ops = 200, .faults = FAULTS_ALL },
        .first = 1,
        .last = 1,
        .jobs = 1,
        .shrink_seconds = 120 };
    struct outcome o;
    double from = now_s();

    options_read(&p, argc, argv);
    plan_run(&p, &o);
    return plan_sum(&p, &o, now_s() - from) ? 0 : 1;
}
