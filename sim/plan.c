#include "sim/plan.h"

#include "sim/planting.h"
#include "sim/shrink.h"
#include "sim/skip.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *mark_of(const struct plan *p)
{
    return p->per_point != 0 ? "# " : "";
}

static void put_skip(struct buf *b, const char *option, const struct bits *set)
{
    size_t before = b->len, after;

    if (set == NULL)
        return;
    buf_printf(b, " --skip-%s ", option);
    after = b->len;
    skip_print(b, set);
    if (b->len == after) /* of nothing there is no list */
        b->len = before;
}

static void put_skips(struct buf *b, const struct world_options *opt)
{
    struct bits nodes = { 0 };

    for (unsigned id = 0; id < SIM_MACHINES; id++)
        if ((opt->skip_nodes >> id & 1) != 0)
            (void)bits_add(&nodes, id);
    put_skip(b, "ops", opt->skip_ops);
    put_skip(b, "strikes", opt->skip_strikes);
    put_skip(b, "nodes", &nodes);
    bits_free(&nodes);
}

void plan_print_line(const struct world_options *opt)
{
    struct buf b = { 0 };

    buf_printf(
        &b, "script/sim --seed %" PRIu64 " --ops %u", opt->seed, opt->ops);
    if (opt->machines != 0)
        buf_printf(&b, " --nodes %u", opt->machines);
    if (opt->keys != 0)
        buf_printf(&b, " --keys %u", opt->keys);
    if (opt->policy != NULL)
        buf_printf(&b, " --policy %s", opt->policy);
    if (opt->faults != FAULTS_ALL) {
        buf_put_str(&b, " --faults ");
        faults_print(&b, opt->faults);
    }
    if (opt->by_alloc)
        buf_printf(&b, " --alloc-of %" PRIu64, opt->alloc_of);
    put_skips(&b, opt);
    buf_put_u8(&b, '\0');
    ENSURE(buf_status(&b) == SYNCLINE_OK);
    (void)fputs((const char *)b.ptr, stdout);
    buf_free(&b);
    planting_print();
    if (opt->relays > 0)
        (void)printf(" --relays %u", opt->relays);
    (void)printf("%s%s%s%s%s%s", opt->forced ? " --forced" : "",
        opt->lonely ? " --lonely" : "", opt->roles ? " --roles" : "",
        opt->grouped ? " --grouped" : "", opt->files ? " --files" : "",
        opt->on_file ? " --store file" : "");
}

static void note_failed(
    const struct plan *p, struct outcome *o, uint64_t seed, const char *what)
{
    struct world_options opt = p->opt;

    if (o->failed++ == 0)
        o->first_failed = seed;
    opt.seed = seed;
    (void)fputs(mark_of(p), stdout);
    plan_print_line(&opt);
    (void)printf("  # %s\n", what);
    (void)fflush(stdout);
}

static uint64_t run_once(const struct plan *p, struct outcome *o, uint64_t seed,
    bool *held, struct errmsg *why)
{
    struct world *w = sim_alloc(1, sizeof *w);
    struct world_options opt = p->opt;
    uint64_t hash;

    opt.seed = seed;
    opt.numbered = p->hash || p->twice;
    world_init(w, &opt);
    world_run(w);
    *held = !w->failed;
    *why = w->why;
    hash = w->trace.hash;
    o->events += w->trace.events;
    world_close(w); /* what the last nodes counted comes with it */
    tally_add(&o->tally, &w->tally);
    free(w);
    return hash;
}

static void run_seed(const struct plan *p, struct outcome *o, uint64_t seed)
{
    struct errmsg why;
    bool held;
    uint64_t hash;

    o->seed = seed;
    o->seeds++;
    hash = run_once(p, o, seed, &held, &why);
    if (held && p->twice && run_once(p, o, seed, &held, &why) != hash) {
        held = false;
        (void)errmsg_set(&why, SYNCLINE_OK, "two runs of it differ");
    }
    if (p->hash)
        (void)printf("%" PRIu64 " %016" PRIx64 "\n", seed, hash);
    if (held)
        return;
    note_failed(p, o, seed, why.text);
}

static bool is_sampled(const struct plan *p, uint64_t seed)
{
    return p->every < 2 || (seed - p->first) % p->every == p->shift % p->every;
}

/* A line of TAP for every per_point seeds. */
static void run_tap(const struct plan *p, struct outcome *o)
{
    uint64_t points = (p->last - p->first) / p->per_point + 1;
    uint64_t seed = p->first;

    (void)printf("1..%" PRIu64 "\n", points);
    for (uint64_t i = 1; i <= points; i++) {
        uint64_t failed = o->failed, from = seed, ran = o->seeds;

        for (; seed <= p->last && seed - from < p->per_point; seed++)
            if (is_sampled(p, seed))
                run_seed(p, o, seed);
        (void)printf("%s %" PRIu64 " - seeds %" PRIu64 " to %" PRIu64,
            o->failed == failed ? "ok" : "not ok", i, from, seed - 1);
        if (p->every > 1)
            (void)printf(", %" PRIu64 " of them", o->seeds - ran);
        (void)printf("%s\n", p->twice ? ", twice, run alike" : "");
        (void)fflush(stdout);
    }
}

/* What the jobs share: each takes the next seed when it is done with one. */
struct turns {
    _Atomic uint64_t taken;
    struct outcome outcomes[];
};

static void run_share(
    const struct plan *p, struct outcome *o, _Atomic uint64_t *taken)
{
    struct timespec now;
    uint64_t from, seed;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    from = (uint64_t)now.tv_sec;
    while ((seed = p->first + (*taken)++) <= p->last) {
        if (is_sampled(p, seed))
            run_seed(p, o, seed);
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (p->seconds != 0 && (uint64_t)now.tv_sec - from >= p->seconds)
            break;
    }
}

/* One line of TAP for as many seeds as there is time for. */
static void run_tap_for(const struct plan *p, struct outcome *o)
{
    _Atomic uint64_t taken = 0;

    (void)printf("1..1\n");
    run_share(p, o, &taken);
    (void)printf("%s 1 - seeds %" PRIu64 " to %" PRIu64 "\n",
        o->failed == 0 ? "ok" : "not ok", p->first, o->seed);
}

/* A process that ended by a signal, or an assertion, was at some seed. */
static void await_jobs(const struct plan *p, struct outcome *o, pid_t *pids)
{
    for (unsigned j = 0; j < p->jobs; j++) {
        int status = 0;

        while (waitpid(pids[j], &status, 0) < 0)
            ;
        if (status == 0)
            continue;
        note_failed(p, &o[j], o[j].seed, "the simulator ended amid it");
    }
}

static void run_jobs(const struct plan *p, struct outcome *out)
{
    size_t size = sizeof(struct turns) + p->jobs * sizeof *out;
    pid_t *pids = sim_alloc(p->jobs, sizeof *pids);
    struct turns *t = mmap(
        NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct outcome *o = t->outcomes;

    ENSURE(t != MAP_FAILED);
    (void)fflush(stdout);
    for (unsigned j = 0; j < p->jobs; j++) {
        pids[j] = fork();
        ENSURE(pids[j] >= 0);
        if (pids[j] == 0) {
            run_share(p, &o[j], &t->taken);
            (void)fflush(stdout);
            _exit(0);
        }
    }
    await_jobs(p, o, pids);
    for (unsigned j = 0; j < p->jobs; j++) {
        if (o[j].failed != 0 &&
            (out->failed == 0 || o[j].first_failed < out->first_failed))
            out->first_failed = o[j].first_failed;
        out->seeds += o[j].seeds;
        out->failed += o[j].failed;
        out->events += o[j].events;
        tally_add(&out->tally, &o[j].tally);
    }
    (void)munmap(t, size);
    free(pids);
}

void plan_run(const struct plan *p, struct outcome *out)
{
    struct world_options opt = p->opt;
    _Atomic uint64_t taken = 0;

    *out = (struct outcome){ 0 };
    if (p->per_point != 0 && p->seconds != 0)
        run_tap_for(p, out);
    else if (p->per_point != 0)
        run_tap(p, out);
    else if (p->jobs > 1 || p->shrink) /* which outlives a seed that does not */
        run_jobs(p, out);
    else
        run_share(p, out, &taken);
    opt.seed = out->first_failed;
    if (p->shrink && out->failed > 0)
        shrink_tell(&opt, p->shrink_seconds);
}

static bool write_json(const char *path, const struct tally *t)
{
    FILE *to = fopen(path, "w");

    if (to != NULL) {
        tally_print_json(t, to);
        if (fclose(to) == 0)
            return true;
    }
    (void)fprintf(stderr, "%s: cannot be written\n", path);
    return false;
}

bool plan_sum(const struct plan *p, const struct outcome *o, double seconds)
{
    (void)printf("%s%" PRIu64 " seeds from %" PRIu64
                 " on in %.1f s (%.0f a minute), %" PRIu64 " failed\n",
        mark_of(p), o->seeds, p->first, seconds,
        (double)o->seeds * 60 / seconds, o->failed);
    (void)printf("%s%" PRIu64 " events, %" PRIu64 " writes\n", mark_of(p),
        o->events, o->tally.sim.writes);
    if (p->first != p->last)
        tally_print(&o->tally, stdout, mark_of(p));
    if (p->json != NULL && !write_json(p->json, &o->tally))
        return false;
    return o->failed == 0;
}
