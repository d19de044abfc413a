#include "sim/shrink.h"

#include "sim/plan.h"
#include "sim/skip.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of the processor, for one run; it takes a tenth of one. */
#define TRIAL_SECONDS 20

/* What came of a run that was tried; shared with the process that ran it. */
struct trial {
    bool failed;
    char verdict[48];
    unsigned machines;
    uint32_t faults; /* drawn */
    uint64_t strikes;
};

struct shrinking {
    struct world_options opt; /* what still fails */
    struct bits skip_ops, skip_strikes;
    struct trial *trial;
    FILE *said;        /* by it, on stderr */
    struct trial last; /* that failed */
    uint64_t until_s, tried;
    bool to_terminal, cut_off; /* the time ran out */
};

/* Processor time of all runs so far: a busy machine cuts no worse. */
static uint64_t spent_s(void)
{
    struct rusage u;

    ENSURE(getrusage(RUSAGE_CHILDREN, &u) == 0);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec);
}

/* The run of this process, for whoever ends it. */
static struct world *running;
static struct trial *outcome;

static void take_down(void)
{
    outcome->machines = running->drawn_n;
    outcome->faults = running->faults.on;
    outcome->strikes = running->faults.strikes;
}

static void on_end(int no)
{
    take_down();
    (void)signal(no, SIG_DFL);
    (void)raise(no);
}

static void run_trial(const struct world_options *opt, struct trial *t)
{
    static const struct rlimit limit = { TRIAL_SECONDS, TRIAL_SECONDS + 1 };

    running = sim_alloc(1, sizeof *running);
    outcome = t;
    ENSURE(setrlimit(RLIMIT_CPU, &limit) == 0);
    (void)signal(SIGABRT, on_end);
    (void)signal(SIGSEGV, on_end);
    (void)signal(SIGXCPU, on_end);
    world_init(running, opt);
    world_run(running);
    take_down();
    memcpy(t->verdict, running->verdict, sizeof t->verdict);
    t->failed = running->failed;
    (void)fflush(stdout);
    _exit(0);
}

/* It ended as no run should: the verdict is what it said, or by what. */
static void note_end(struct shrinking *s, int status)
{
    struct trial *t = s->trial;

    t->failed = true;
    (void)fseek(s->said, 0, SEEK_SET);
    if (WTERMSIG(status) == SIGXCPU)
        (void)snprintf(t->verdict, sizeof t->verdict, "it does not end");
    else if (fgets(t->verdict, sizeof t->verdict, s->said) != NULL)
        t->verdict[strcspn(t->verdict, "\n")] = '\0';
    else
        (void)snprintf(t->verdict, sizeof t->verdict, "it ends with signal %d",
            WTERMSIG(status));
}

/* In a process of its own: it may end by an assertion, or not at all. */
static void try(struct shrinking *s, const struct world_options *opt)
{
    int status = 0, fd = fileno(s->said);
    pid_t pid;

    (void)fflush(stdout);
    *s->trial = (struct trial){ 0 };
    s->tried++;
    ENSURE(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    pid = fork();
    ENSURE(pid >= 0);
    if (pid == 0) {
        ENSURE(dup2(fd, STDERR_FILENO) >= 0);
        run_trial(opt, s->trial);
    }
    while (waitpid(pid, &status, 0) < 0)
        ;
    if (status != 0)
        note_end(s, status);
}

static bool is_over(const struct shrinking *s)
{
    return spent_s() >= s->until_s;
}

/* Over and over on one line of a terminal. */
static void show_progress(const struct shrinking *s)
{
    uint64_t spent = spent_s();

    if (s->to_terminal)
        (void)fprintf(stderr,
            "\rshrinking: %" PRIu64 " runs, %u operations at most, %" PRIu64
            " s left   ",
            s->tried, s->opt.ops, s->until_s > spent ? s->until_s - spent : 0);
}

static void end_progress(const struct shrinking *s)
{
    if (s->to_terminal)
        (void)fputs("\r\033[K", stderr);
}

/* Does it fail in the same way? */
static bool still_fails(struct shrinking *s, const struct world_options *opt)
{
    show_progress(s);
    try(s, opt);
    if (!s->trial->failed || strcmp(s->trial->verdict, s->last.verdict) != 0)
        return false;
    s->last = *s->trial;
    return true;
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
        } else {
            step /= 2;
        }
        while (step > s->opt.ops)
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

static void shrink(struct shrinking *s)
{
    bool any = true;

    s->opt.skip_ops = &s->skip_ops;
    s->opt.skip_strikes = &s->skip_strikes;
    while (any && !is_over(s)) {
        any = drop_nodes(s);
        any = drop_tail(s) || any;
        any = drop_faults(s) || any;
        any = drop_numbers(s, &s->skip_strikes, s->last.strikes) || any;
        any = drop_numbers(s, &s->skip_ops, s->opt.ops) || any;
    }
    s->cut_off = is_over(s);
}

/* Numbers that the run no longer comes to need not be left out. */
static void trim(struct bits *skip, uint64_t n)
{
    struct bits kept = { 0 };

    for (uint32_t i = 0; i < n; i++)
        if (bits_has(skip, i))
            (void)bits_add(&kept, i);
    bits_free(skip);
    *skip = kept;
}

/* How many of n are left. */
static uint64_t left_of(const struct bits *skip, uint64_t n)
{
    uint64_t left = 0;

    for (uint32_t i = 0; i < n; i++)
        left += !bits_has(skip, i);
    return left;
}

static void say_what_is_left(const struct shrinking *s,
    const struct world_options *first, uint64_t strikes)
{
    unsigned nodes = 0;

    for (unsigned id = 0; id < s->opt.machines; id++)
        nodes += (s->opt.skip_nodes >> id & 1) == 0;
    if (s->cut_off)
        (void)puts("# the time ran out before nothing more could be left out; "
                   "give it more: --shrink-seconds");
    (void)printf("# shrunk in %" PRIu64 " runs: %u of %u machines, %" PRIu64
                 " of %u operations, %" PRIu64 " of %" PRIu64 " strikes\n",
        s->tried, nodes, s->opt.machines, left_of(&s->skip_ops, s->opt.ops),
        first->ops, left_of(&s->skip_strikes, s->last.strikes), strikes);
    plan_print_line(&s->opt);
    (void)printf("  # %s\n", s->last.verdict);
}

static void tell(struct shrinking *s)
{
    s->opt.trace = stdout;
    s->opt.story = true;
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (!still_fails(s, &s->opt))
        (void)printf(
            "# and now it does not fail like that: %s\n", s->trial->verdict);
}

static void shrink_and_tell(struct shrinking *s)
{
    struct world_options as_it_was = s->opt;
    uint64_t strikes = s->last.strikes;

    s->opt.machines = s->last.machines;
    s->opt.faults &= s->last.faults;
    shrink(s);
    end_progress(s);
    s->to_terminal = false;
    trim(&s->skip_ops, s->opt.ops);
    trim(&s->skip_strikes, s->last.strikes);
    say_what_is_left(s, &as_it_was, strikes);
    tell(s);
}

void shrink_tell(const struct world_options *opt, uint64_t seconds)
{
    struct shrinking s = { .opt = *opt,
        .until_s = spent_s() + seconds,
        .to_terminal = isatty(STDERR_FILENO) == 1 };
    struct bits none = { 0 };

    s.said = tmpfile();
    s.trial = mmap(NULL, sizeof *s.trial, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ENSURE(s.said != NULL && s.trial != MAP_FAILED);
    s.opt.trace = NULL;
    bits_copy(&s.skip_ops, opt->skip_ops != NULL ? opt->skip_ops : &none);
    bits_copy(
        &s.skip_strikes, opt->skip_strikes != NULL ? opt->skip_strikes : &none);
    try(&s, &s.opt);
    s.last = *s.trial;
    if (s.last.failed)
        shrink_and_tell(&s);
    else
        (void)printf("# it holds\n");
    bits_free(&s.skip_ops);
    bits_free(&s.skip_strikes);
    (void)munmap(s.trial, sizeof *s.trial);
    (void)fclose(s.said);
}
