/* syncline-sim - runs seeds, and says which of them break a rule.
 *
 * Prints TAP with --tap, a line a failing seed otherwise. Exit: 0 all held,
 * 1 some rule was broken, 2 usage. */
#include "sim/planting.h"
#include "sim/world.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

struct plan {
    struct world_options opt;
    uint64_t first, last;
    uint64_t per_point; /* seeds a line of TAP; 0: no TAP */
    bool hash, twice, json;
    const char *faults_text;
    uint64_t failed, events;
    uint64_t at_least; /* how often each thing must have happened */
    struct tally tally;
};

static const char usage[] =
    "usage: syncline-sim [options]\n"
    "  --seed N         one seed\n"
    "  --seeds A..B     all from A to B\n"
    "  --nodes N        machines (drawn by the seed: 2 to 5)\n"
    "  --ops N          operations of the workload (200)\n"
    "  --faults LIST    which may happen: names with commas, all, none, or\n"
    "                   -name for all but that (all)\n"
    "  --forced         all of them happen in every seed, not a random few\n"
    "  --lonely         nobody is paired\n"
    "  --store KIND     mem, or file: the real one, on disks in memory (mem)\n"
    "  --trace          prints what happens\n"
    "  --hash           prints each seed's number, equal in equal runs\n"
    "  --twice          runs each seed twice and compares the numbers\n"
    "  --plant ID       switches a planted bug on; M30:JUDGE blinds one; list\n"
    "  --tap N          prints TAP, a line every N seeds\n"
    "  --json           prints what was met as one JSON object\n"
    "  --at-least N     fails if anything was met fewer than N times\n";

static void print_replay(const struct plan *p, uint64_t seed)
{
    (void)printf("syncline-sim --seed %" PRIu64 " --ops %u", seed, p->opt.ops);
    if (p->opt.machines != 0)
        (void)printf(" --nodes %u", p->opt.machines);
    if (p->faults_text != NULL)
        (void)printf(" --faults %s", p->faults_text);
    planting_print();
    (void)printf("%s%s%s", p->opt.forced ? " --forced" : "",
        p->opt.lonely ? " --lonely" : "",
        p->opt.on_file ? " --store file" : "");
}

static uint64_t run_once(
    struct plan *p, uint64_t seed, bool *held, struct errmsg *why)
{
    struct world *w = sim_alloc(1, sizeof *w);
    struct world_options opt = p->opt;
    uint64_t hash;

    opt.seed = seed;
    world_init(w, &opt);
    world_run(w);
    *held = !w->failed;
    *why = w->why;
    hash = w->trace.hash;
    p->events += w->trace.events;
    world_close(w); /* what the last nodes counted comes with it */
    tally_add(&p->tally, &w->tally);
    free(w);
    return hash;
}

static bool run_seed(struct plan *p, uint64_t seed)
{
    struct errmsg why;
    bool held;
    uint64_t hash = run_once(p, seed, &held, &why);

    if (held && p->twice && run_once(p, seed, &held, &why) != hash) {
        held = false;
        (void)errmsg_set(&why, SYNCLINE_OK, "two runs of it differ");
    }
    if (p->hash)
        (void)printf("%" PRIu64 " %016" PRIx64 "\n", seed, hash);
    if (!held) {
        p->failed++;
        (void)printf("%s", p->per_point != 0 ? "# " : "");
        print_replay(p, seed);
        (void)printf("  # %s\n", why.text);
        (void)fflush(stdout);
    }
    return held;
}

static void run_tap(struct plan *p)
{
    uint64_t points = (p->last - p->first) / p->per_point + 1;
    uint64_t seed = p->first;

    (void)printf("1..%" PRIu64 "\n", points);
    for (uint64_t i = 1; i <= points; i++) {
        uint64_t from = seed;
        bool held = true;

        for (; seed <= p->last && seed < from + p->per_point; seed++)
            held = run_seed(p, seed) && held;
        (void)printf("%s %" PRIu64 " - seeds %" PRIu64 " to %" PRIu64 "%s\n",
            held ? "ok" : "not ok", i, from, seed - 1,
            p->twice ? ", twice, run alike" : "");
        (void)fflush(stdout);
    }
}

static void print_sum(const struct plan *p, double seconds)
{
    double n = (double)(p->last - p->first + 1);
    const char *mark = p->per_point != 0 ? "# " : "";

    (void)printf("%s%.0f seeds in %.1f s (%.0f a minute), %" PRIu64 " failed\n",
        mark, n, seconds, n * 60 / seconds, p->failed);
    (void)printf("%s%" PRIu64 " events, %" PRIu64 " writes\n", mark, p->events,
        p->tally.sim.writes);
    if (p->json)
        tally_print_json(&p->tally, stdout);
    else if (p->first != p->last)
        tally_print(&p->tally, stdout, mark);
}

static bool parse_range(struct plan *p, const char *text)
{
    char *end;

    p->first = strtoull(text, &end, 10);
    if (end == text || strncmp(end, "..", 2) != 0)
        return false;
    text = end + 2;
    p->last = strtoull(text, &end, 10);
    return end != text && *end == '\0' && p->last >= p->first;
}

static bool parse_number(const char *text, uint64_t most, uint64_t *out)
{
    char *end;

    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0' && *out <= most;
}

static bool take_option(struct plan *p, int c, const char *arg)
{
    uint64_t n = 0;
    bool fine = true;

    switch (c) {
    case 's':
        fine = parse_number(arg, UINT64_MAX, &p->first);
        p->last = p->first;
        return fine;
    case 'S':
        return parse_range(p, arg);
    case 'n':
        fine = parse_number(arg, SIM_MACHINES, &n) && n > 0;
        p->opt.machines = (unsigned)n;
        return fine;
    case 'o':
        fine = parse_number(arg, 1000000, &n);
        p->opt.ops = (unsigned)n;
        return fine;
    case 'f':
        p->faults_text = arg;
        return faults_parse(slice_str(arg), &p->opt.faults);
    case 'p':
        return parse_number(arg, UINT64_MAX, &p->per_point) && p->per_point > 0;
    case 'F':
        p->opt.forced = true;
        return true;
    case 'l':
        p->opt.lonely = true;
        return true;
    case 'd':
        p->opt.on_file = strcmp(arg, "file") == 0;
        return p->opt.on_file || strcmp(arg, "mem") == 0;
    case 't':
        p->opt.trace = stdout;
        return true;
    case 'j':
        p->json = true;
        return true;
    case 'a':
        return parse_number(arg, UINT64_MAX, &p->at_least);
    case 'h':
        p->hash = true;
        return true;
    case 'P':
        return planting_take(arg);
    case '2':
        p->twice = true;
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "seed", required_argument, NULL, 's' },
        { "seeds", required_argument, NULL, 'S' },
        { "nodes", required_argument, NULL, 'n' },
        { "ops", required_argument, NULL, 'o' },
        { "faults", required_argument, NULL, 'f' },
        { "forced", no_argument, NULL, 'F' },
        { "lonely", no_argument, NULL, 'l' },
        { "store", required_argument, NULL, 'd' },
        { "trace", no_argument, NULL, 't' },
        { "hash", no_argument, NULL, 'h' },
        { "twice", no_argument, NULL, '2' },
        { "tap", required_argument, NULL, 'p' },
        { "json", no_argument, NULL, 'j' },
        { "at-least", required_argument, NULL, 'a' },
        { "plant", required_argument, NULL, 'P' },
        { NULL, 0, NULL, 0 },
    };
    struct plan p = {
        .opt = { .ops = 200, .faults = FAULTS_ALL }, .first = 1, .last = 1
    };
    struct timespec from, to;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(&p, c, optarg)) {
            (void)fputs(usage, stderr);
            return 2;
        }
    if (!p.opt.on_file)
        p.opt.faults &= ~FAULTS_OF_FILE;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    if (p.per_point != 0)
        run_tap(&p);
    else
        for (uint64_t seed = p.first; seed <= p.last; seed++)
            (void)run_seed(&p, seed);
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    print_sum(&p,
        (double)(to.tv_sec - from.tv_sec) +
            (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    if (!tally_reaches(&p.tally, p.at_least, p.opt.faults, stdout,
            p.per_point != 0 ? "# " : ""))
        return 1;
    return p.failed > 0 ? 1 : 0;
}
