#include "sim/options.h"

#include "sim/planting.h"
#include "sim/skip.h"

#include <getopt.h>
#include <stdlib.h>
#include <sys/random.h>

static const char usage[] =
    "usage: syncline-sim [options]\n"
    "  --seed N         one seed\n"
    "  --seeds A..B     all from A to B\n"
    "  --seeds-from N   from N on; `random`: from anywhere, or from where\n"
    "                   $SYNCLINE_SHIFT says\n"
    "  --for SECONDS    begins no seed after that time\n"
    "  --every N        a sample: each Nth of the seeds. $SYNCLINE_SHIFT says\n"
    "                   from which of the first N on; $SYNCLINE_SPARSE is how\n"
    "                   much fewer; with $SYNCLINE_WHOLE=1 it takes all\n"
    "  --jobs N         shared by N processes (1)\n"
    "  --nodes N        machines, 2 to 8 (drawn by the seed: 2 to 5)\n"
    "  --ops N          operations of the workload, up to 1000000 (200)\n"
    "  --keys N         keys that are written to, 1 to 10000 (drawn: 1 to 4)\n"
    "  --policy NAME    what is done about conflicts: merge, manual, "
    "keep-both,\n"
    "                   custom (drawn)\n"
    "  --faults LIST    which may happen: names with commas, all, none, or\n"
    "                   -name for all but that (all, which is without fork,\n"
    "                   withhold)\n"
    "  --forced         all of them happen in every seed, not a random few\n"
    "  --lonely         nobody is paired\n"
    "  --roles          who may what changes, and keys\n"
    "  --relays N       blind relays, 0 to 3; some machines meet only there\n"
    "  --files          each machine has a file that is bound to an item\n"
    "  --grouped        writes of one turn are one commit, if they can be\n"
    "  --alloc-of SEED  runs SEED without faults, but that the Nth allocation\n"
    "                   fails, for each N of --seeds\n"
    "  --store KIND     mem, or file: the real one, on disks in memory (mem)\n"
    "  --skip-ops LIST  leaves operations out: 3,5-9\n"
    "  --skip-strikes LIST   and strikes of faults\n"
    "  --skip-nodes LIST     and machines, never 0\n"
    "  --shrink         cuts the first seed that fails to a short story\n"
    "  --shrink-seconds N    for so much processor time (120)\n"
    "  --plant ID       switches a planted bug on; M30:JUDGE blinds one; list\n"
    "  --trace          prints what happens\n"
    "  --story          the same in words, and less of it\n"
    "  --hash           prints each seed's number, equal in equal runs\n"
    "  --twice          runs each seed twice and compares the numbers\n"
    "  --json FILE      writes how often each thing was met (script/met)\n"
    "  --tap N          prints TAP, a line every N seeds\n"
    "  --check          runs nothing: are these options right?\n"
    "  --help           prints this, and the names of faults\n"
    "faults:";

/* strtoull takes signs and blanks, and says nothing of what is too much. */
static bool parse_digits(const char **text, uint64_t *out)
{
    uint64_t n = 0;
    const char *at = *text;

    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = 10 * n + digit;
    }
    if (at == *text)
        return false;
    *out = n;
    *text = at;
    return true;
}

static bool parse_number(const char *text, uint64_t most, uint64_t *out)
{
    return parse_digits(&text, out) && *text == '\0' && *out <= most;
}

static bool parse_range(struct plan *p, const char *text)
{
    return parse_digits(&text, &p->first) && strncmp(text, "..", 2) == 0 &&
        parse_number(text + 2, UINT64_MAX, &p->last) && p->last >= p->first;
}

static bool number_in(const char *name, uint64_t otherwise, uint64_t *out)
{
    const char *text = getenv(name);

    *out = otherwise;
    return text == NULL || text[0] == '\0' ||
        parse_number(text, UINT32_MAX, out);
}

/* Anywhere: far from the seeds that people write down, easy to read. */
static bool parse_from(struct plan *p, const char *text)
{
    uint32_t r = 0;
    uint64_t shift;

    p->last = UINT64_MAX;
    if (strcmp(text, "random") != 0)
        return parse_number(text, UINT64_MAX, &p->first);
    if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r ||
        !number_in("SYNCLINE_SHIFT", r, &shift))
        return false;
    p->first = 1000000 + shift;
    return true;
}

/* How dense a sample is, and where it begins, is a matter of how much time
 * there is: script/test's and the night's, so it is in the environment. */
static bool take_sample(struct plan *p, const char *arg)
{
    uint64_t n, sparse, whole;

    if (!parse_number(arg, UINT32_MAX, &n) || n == 0 ||
        !number_in("SYNCLINE_SPARSE", 1, &sparse) || sparse == 0 ||
        !number_in("SYNCLINE_WHOLE", 0, &whole) ||
        !number_in("SYNCLINE_SHIFT", 0, &p->shift))
        return false;
    p->every = whole != 0 ? 1 : n * sparse;
    return true;
}

static bool take_number(struct plan *p, int c, const char *arg)
{
    uint64_t n = 0;
    bool fine = true;

    switch (c) {
    case 's':
        fine = parse_number(arg, UINT64_MAX, &p->first);
        p->last = p->first;
        return fine;
    case 'n':
        fine = parse_number(arg, SIM_MACHINES, &n) && n > 1;
        p->opt.machines = (unsigned)n;
        return fine;
    case 'o':
        fine = parse_number(arg, 1000000, &n);
        p->opt.ops = (unsigned)n;
        return fine;
    case 'k':
        fine = parse_number(arg, 10000, &n) && n > 0;
        p->opt.keys = (unsigned)n;
        return fine;
    case 'j':
        fine = parse_number(arg, 256, &n) && n > 0;
        p->jobs = (unsigned)n;
        return fine;
    case 'A':
        p->opt.by_alloc = true;
        return parse_number(arg, UINT64_MAX, &p->opt.alloc_of);
    case 'd':
        return parse_number(arg, UINT32_MAX, &p->seconds) && p->seconds > 0;
    case 'p':
        return parse_number(arg, UINT64_MAX, &p->per_point) && p->per_point > 0;
    case 'W':
        return parse_number(arg, UINT32_MAX, &p->shrink_seconds);
    case 'e':
        return take_sample(p, arg);
    default:
        return false;
    }
}

static bool take_nodes(uint32_t *set, const char *arg)
{
    struct bits nodes = { 0 };
    bool fine = skip_parse(&nodes, arg) && !bits_has(&nodes, 0);

    for (unsigned id = 1; id < SIM_MACHINES; id++)
        *set |= (uint32_t)bits_has(&nodes, id) << id;
    bits_free(&nodes);
    return fine;
}

/* What is left out lives as long as the program. */
static bool take_skip(struct plan *p, int c, const char *arg)
{
    static struct bits ops, strikes;

    switch (c) {
    case 'o' + 256:
        p->opt.skip_ops = &ops;
        return skip_parse(&ops, arg);
    case 's' + 256:
        p->opt.skip_strikes = &strikes;
        return skip_parse(&strikes, arg);
    case 'n' + 256:
        return take_nodes(&p->opt.skip_nodes, arg);
    default:
        return take_number(p, c, arg);
    }
}

static bool is_policy(const char *arg)
{
    static const char *const names[] = { "merge", "manual", "keep-both",
        "custom" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], arg) == 0)
            return true;
    return false;
}

static bool take_option(struct plan *p, int c, const char *arg)
{
    uint64_t n;

    switch (c) {
    case 'S':
        return parse_range(p, arg);
    case 'r':
        return parse_from(p, arg);
    case 'f':
        return faults_parse(slice_str(arg), &p->opt.faults);
    case 'F':
        p->opt.forced = true;
        return true;
    case 'l':
        p->opt.lonely = true;
        return true;
    case 'R':
        p->opt.roles = true;
        return true;
    case 'L':
        if (!parse_number(arg, 3, &n))
            return false;
        p->opt.relays = (unsigned)n;
        return true;
    case 'G':
        p->opt.grouped = true;
        return true;
    case 'B':
        p->opt.files = true;
        return true;
    case 't':
        p->opt.trace = stdout;
        return true;
    case 'y':
        p->opt.trace = stdout;
        p->opt.story = true;
        return true;
    case 'h':
        p->hash = true;
        return true;
    case '2':
        p->twice = true;
        return true;
    case 'J':
        p->json = arg;
        return true;
    case 'D':
        p->opt.on_file = strcmp(arg, "file") == 0;
        return p->opt.on_file || strcmp(arg, "mem") == 0;
    case 'y' + 256:
        p->opt.policy = arg;
        return is_policy(arg);
    case 'w':
        p->shrink = true;
        return true;
    default:
        return take_skip(p, c, arg);
    }
}

/* What an option wants, for whoever gave it something else. */
static void put_wanted(struct buf *b, int c)
{
    switch (c) {
    case 'S':
        buf_put_str(b, "two numbers, the first not above the second: 1..1000");
        break;
    case 'r':
        buf_put_str(b, "a number, or `random`");
        break;
    case 'n':
        buf_printf(b, "a number from 2 to %d", SIM_MACHINES);
        break;
    case 'o':
        buf_put_str(b, "a number up to 1000000");
        break;
    case 'k':
        buf_put_str(b, "a number from 1 to 10000");
        break;
    case 'j':
        buf_put_str(b, "a number from 1 to 256");
        break;
    case 'e':
        buf_put_str(b,
            "a number above 0, and of SYNCLINE_SPARSE (above 0), "
            "SYNCLINE_SHIFT and SYNCLINE_WHOLE numbers, if anything");
        break;
    case 'd':
    case 'p':
        buf_put_str(b, "a number above 0");
        break;
    case 'f':
        buf_put_str(b, "all, none, or with commas, each with or without -: ");
        faults_print(b, FAULTS_KNOWN);
        break;
    case 'L':
        buf_put_str(b, "a number up to 3");
        break;
    case 'D':
        buf_put_str(b, "mem or file");
        break;
    case 'y' + 256:
        buf_put_str(b, "merge, manual, keep-both or custom");
        break;
    case 'o' + 256:
    case 's' + 256:
        buf_put_str(b, "numbers below 1000000 and ranges: 3,5-9");
        break;
    case 'n' + 256:
        buf_printf(b,
            "numbers from 1 to %d and ranges: 1,3-4; machine 0 is always there",
            SIM_MACHINES - 1);
        break;
    default:
        buf_put_str(b, "a number");
        break;
    }
}

static _Noreturn void refuse(const char *name, int c, const char *arg)
{
    struct buf b = { 0 };

    put_wanted(&b, c);
    buf_put_u8(&b, '\0');
    ENSURE(buf_status(&b) == SYNCLINE_OK);
    (void)fprintf(stderr, "syncline-sim: --%s %s: it wants %s\n", name, arg,
        (const char *)b.ptr);
    exit(2);
}

static _Noreturn void refuse_all(const char *why, const char *what)
{
    (void)fprintf(
        stderr, "syncline-sim: %s%s; see script/sim --help\n", what, why);
    exit(2);
}

static _Noreturn void help(void)
{
    struct buf b = { 0 };

    faults_print(&b, FAULTS_KNOWN);
    for (size_t i = 0; i < b.len; i++)
        b.ptr[i] = b.ptr[i] == ',' ? ' ' : b.ptr[i];
    buf_put_u8(&b, '\0');
    ENSURE(buf_status(&b) == SYNCLINE_OK);
    (void)printf("%s %s\n", usage, (const char *)b.ptr);
    exit(0);
}

static const struct option options[] = {
    { "seed", required_argument, NULL, 's' },
    { "seeds", required_argument, NULL, 'S' },
    { "seeds-from", required_argument, NULL, 'r' },
    { "for", required_argument, NULL, 'd' },
    { "every", required_argument, NULL, 'e' },
    { "jobs", required_argument, NULL, 'j' },
    { "nodes", required_argument, NULL, 'n' },
    { "ops", required_argument, NULL, 'o' },
    { "keys", required_argument, NULL, 'k' },
    { "policy", required_argument, NULL, 'y' + 256 },
    { "faults", required_argument, NULL, 'f' },
    { "forced", no_argument, NULL, 'F' },
    { "lonely", no_argument, NULL, 'l' },
    { "roles", no_argument, NULL, 'R' },
    { "grouped", no_argument, NULL, 'G' },
    { "files", no_argument, NULL, 'B' },
    { "relays", required_argument, NULL, 'L' },
    { "trace", no_argument, NULL, 't' },
    { "story", no_argument, NULL, 'y' },
    { "hash", no_argument, NULL, 'h' },
    { "twice", no_argument, NULL, '2' },
    { "json", required_argument, NULL, 'J' },
    { "store", required_argument, NULL, 'D' },
    { "plant", required_argument, NULL, 'P' },
    { "skip-ops", required_argument, NULL, 'o' + 256 },
    { "skip-strikes", required_argument, NULL, 's' + 256 },
    { "skip-nodes", required_argument, NULL, 'n' + 256 },
    { "alloc-of", required_argument, NULL, 'A' },
    { "shrink", no_argument, NULL, 'w' },
    { "shrink-seconds", required_argument, NULL, 'W' },
    { "tap", required_argument, NULL, 'p' },
    { "check", no_argument, NULL, 'c' },
    { "help", no_argument, NULL, 'H' },
    { NULL, 0, NULL, 0 },
};

static bool says_which(int c)
{
    return c == 's' || c == 'S' || c == 'r';
}

void options_read(struct plan *p, int argc, char **argv)
{
    bool which = false, check = false;
    int c, ix = 0;

    while ((c = getopt_long(argc, argv, "", options, &ix)) != -1) {
        if (c == 'H')
            help();
        if (c == '?') /* getopt has said what */
            refuse_all("that cannot be read", "");
        if (c == 'c') {
            check = true;
            continue;
        }
        if (says_which(c) && which)
            refuse_all(": which seeds has been said already", options[ix].name);
        which = which || says_which(c);
        if (c == 'P' && !planting_take(optarg)) /* it says what */
            exit(2);
        if (c != 'P' && !take_option(p, c, optarg))
            refuse(options[ix].name, c, optarg);
    }
    if (optind < argc)
        refuse_all(": every word belongs to an option", argv[optind]);
    if (p->last == UINT64_MAX && p->seconds == 0)
        refuse_all(": say --for SECONDS, or it has no end", "--seeds-from");
    if (check)
        exit(0);
}
