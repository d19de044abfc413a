#include "sim/shrink.h"

#include "sim/plan.h"
#include "sim/skip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What came of a run that was tried; shared with the process that ran it. */
struct trial {
    bool failed;
    char verdict[48];
    unsigned machines;
    uint32_t faults; /* drawn */
    uint64_t ops, strikes;
};

struct shrinking {
    struct world_options opt; /* what still fails */
    struct bits skip_ops, skip_strikes;
    struct trial *trial;
    char verdict[48];
    uint64_t until_s, tried;
};

static uint64_t now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec;
}

static void run_trial(const struct world_options *opt, struct trial *t)
{
    struct world *w = sim_alloc(1, sizeof *w);

    world_init(w, opt);
    world_run(w);
    memcpy(t->verdict, w->verdict, sizeof t->verdict);
    t->failed = w->failed;
    t->machines = w->drawn_n;
    t->faults = w->faults.on;
    t->ops = w->work.ops;
    t->strikes = w->faults.strikes;
    _exit(0);
}

/* In a process of its own: it may end by an assertion, which is a verdict. */
static void try(struct shrinking *s, const struct world_options *opt)
{
    int status = 0;
    pid_t pid;

    (void)fflush(stdout);
    *s->trial = (struct trial){ 0 };
    s->tried++;
    pid = fork();
    ENSURE(pid >= 0);
    if (pid == 0) {
        ENSURE(freopen("/dev/null", "w", stderr) != NULL);
        run_trial(opt, s->trial);
    }
    while (waitpid(pid, &status, 0) < 0)
        ;
    if (status == 0)
        return;
    s->trial->failed = true;
    (void)snprintf(s->trial->verdict, sizeof s->trial->verdict, "ended");
}

static bool is_over(const struct shrinking *s)
{
    return now_s() >= s->until_s;
}

/* Does it fail in the same way? */
static bool still_fails(struct shrinking *s, const struct world_options *opt)
{
    try(s, opt);
    return s->trial->failed && strcmp(s->trial->verdict, s->verdict) == 0;
}

static bool drop_faults(struct shrinking *s)
{
    bool any = false;

    for (unsigned f = 0; f < FAULT_END && !is_over(s); f++) {
        struct world_options less = s->opt;

        less.faults &= ~(1u << f);
        if (less.faults == s->opt.faults || !still_fails(s, &less))
            continue;
        s->opt.faults = less.faults;
        any = true;
    }
    return any;
}

static bool drop_nodes(struct shrinking *s)
{
    bool any = false;

    for (unsigned id = 1; id < s->opt.machines && !is_over(s); id++) {
        struct world_options less = s->opt;

        less.skip_nodes |= 1u << id;
        if (less.skip_nodes == s->opt.skip_nodes || !still_fails(s, &less))
            continue;
        s->opt.skip_nodes = less.skip_nodes;
        any = true;
    }
    return any;
}

/* The work ends sooner. */
static bool drop_tail(struct shrinking *s)
{
    bool any = false;

    for (unsigned step = s->opt.ops / 2; step > 0 && !is_over(s);) {
        struct world_options less = s->opt;

        less.ops -= step;
        if (still_fails(s, &less)) {
            s->opt.ops = less.ops;
            any = true;
        }
        if (step > s->opt.ops || s->opt.ops != less.ops)
            step /= 2;
    }
    return any;
}

/* Leaves out what is in [from, from + n) of the numbers that are left. */
static bool drop_chunk(struct shrinking *s, struct bits *skip,
    const uint32_t *left, uint32_t left_n, uint32_t from, uint32_t n)
{
    struct bits before = { 0 };
    bool fails;

    bits_copy(&before, skip);
    for (uint32_t i = from; i < from + n && i < left_n; i++)
        (void)bits_add(skip, left[i]);
    fails = still_fails(s, &s->opt);
    if (!fails) {
        bits_clear(skip);
        bits_copy(skip, &before);
    }
    bits_free(&before);
    return fails;
}

static uint32_t *list_left(const struct bits *skip, uint64_t n, uint32_t *out_n)
{
    uint32_t *left = sim_alloc((size_t)n + 1, sizeof *left);

    *out_n = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!bits_has(skip, i))
            left[(*out_n)++] = i;
    return left;
}

/* Large pieces first, then smaller ones. */
static bool drop_numbers(struct shrinking *s, struct bits *skip, uint64_t n)
{
    bool any = false;
    uint32_t left_n, *left = list_left(skip, n, &left_n);

    for (uint32_t size = left_n; size > 0 && !is_over(s); size /= 2) {
        for (uint32_t from = 0; from < left_n && !is_over(s);) {
            if (!drop_chunk(s, skip, left, left_n, from, size)) {
                from += size;
                continue;
            }
            any = true;
            free(left);
            left = list_left(skip, n, &left_n);
        }
    }
    free(left);
    return any;
}

static void shrink(struct shrinking *s, uint64_t strikes)
{
    bool any = true;

    s->opt.skip_ops = &s->skip_ops;
    s->opt.skip_strikes = &s->skip_strikes;
    while (any && !is_over(s)) {
        any = drop_nodes(s);
        any = drop_tail(s) || any;
        any = drop_faults(s) || any;
        any = drop_numbers(s, &s->skip_strikes, strikes) || any;
        any = drop_numbers(s, &s->skip_ops, s->opt.ops) || any;
    }
}

/* How many of n are left. */
static uint64_t left_of(const struct bits *skip, uint64_t n)
{
    uint64_t left = 0;

    for (uint32_t i = 0; i < n; i++)
        left += !bits_has(skip, i);
    return left;
}

static void tell(struct shrinking *s, uint64_t ops, uint64_t strikes)
{
    struct world *w = sim_alloc(1, sizeof *w);
    unsigned nodes = 0;

    for (unsigned id = 0; id < s->opt.machines; id++)
        nodes += (s->opt.skip_nodes >> id & 1) == 0;
    (void)printf("# shrunk in %" PRIu64 " runs: %u of %u machines, %" PRIu64
                 " of %" PRIu64 " operations, %" PRIu64 " of %" PRIu64
                 " strikes\n",
        s->tried, nodes, s->opt.machines, left_of(&s->skip_ops, s->opt.ops),
        ops, left_of(&s->skip_strikes, strikes), strikes);
    plan_print_line(&s->opt);
    (void)printf("  # %s\n", s->verdict);
    (void)fflush(stdout);
    if (strcmp(s->verdict, "ended") == 0) {
        free(w);
        return; /* its trace would end us, too */
    }
    s->opt.trace = stdout;
    s->opt.story = true;
    world_init(w, &s->opt);
    world_run(w);
    world_close(w);
    free(w);
}

void shrink_tell(const struct world_options *opt, uint64_t seconds)
{
    struct shrinking s = { .opt = *opt, .until_s = now_s() + seconds };
    struct bits none = { 0 };
    uint64_t strikes;

    s.trial = mmap(NULL, sizeof *s.trial, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ENSURE(s.trial != MAP_FAILED);
    s.opt.trace = NULL;
    bits_copy(&s.skip_ops, opt->skip_ops != NULL ? opt->skip_ops : &none);
    bits_copy(
        &s.skip_strikes, opt->skip_strikes != NULL ? opt->skip_strikes : &none);
    try(&s, &s.opt);
    memcpy(s.verdict, s.trial->verdict, sizeof s.verdict);
    strikes = s.trial->strikes;
    if (s.trial->machines != 0) {
        s.opt.machines = s.trial->machines;
        s.opt.faults &= s.trial->faults;
    }
    if (s.trial->failed)
        shrink(&s, strikes);
    tell(&s, opt->ops, strikes);
    bits_free(&s.skip_ops);
    bits_free(&s.skip_strikes);
    (void)munmap(s.trial, sizeof *s.trial);
}
