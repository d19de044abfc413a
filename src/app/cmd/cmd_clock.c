/* cmd_clock.c - how this machine's clock compares, and the way back when one
 * was wrong. */
#include "app/cmd/cli.h"

enum { YES, FORCE };

static const struct cli_flag flags[] = {
    { "yes", NULL, "with reset: do it" },
    { "force", NULL, "though a member says that this device was removed" },
    { NULL, NULL, NULL },
};

/* "+1.25 ms", "-3652 d 4 h". */
static struct slice apart(struct cli *c, int64_t us)
{
    const int64_t most = us < 0 ? -us : us;
    const char *sign = us < 0 ? "-" : "+";

    return most < 120000000
        ? cli_printf(c, "%s%.*s", sign, SLICE_FMT(cli_us(c, most)))
        : cli_printf(c, "%s%.*s", sign, SLICE_FMT(cli_span(c, most / 1000000)));
}

static struct slice name_of(const struct json *who)
{
    const struct slice name = json_get_str(who, "name");

    return name.len > 0 ? name : SLICE_LIT("a device that is no member");
}

static void print_peers(struct cli *c, const struct json *peers)
{
    static const char *const heads[] = { "NAME", "CLOCK", "ROUND TRIP", "" };
    struct cli_table t;

    if (peers == NULL || peers->n == 0)
        return;
    cli_table_init(&t, c, "lrrl", heads);
    for (const struct json *p = peers->first; p != NULL; p = p->next)
        cli_table_row(&t,
            (const struct slice[]){ name_of(p),
                apart(c, json_get_int(p, "offset_us", 0)),
                cli_us(c, json_get_int(p, "rtt_us", 0)),
                json_get_bool(p, "wrong", false) ? SLICE_LIT("wrong")
                                                 : SLICE_LIT("") });
    (void)putchar('\n');
    cli_table_print(&t);
}

static void print_stamped(struct cli *c, const struct json *list)
{
    for (const struct json *s = list ? list->first : NULL; s; s = s->next)
        (void)printf("a change of %.*s at %.*s is stamped %.*s\n",
            SLICE_FMT(cli_inert(c, name_of(s))),
            SLICE_FMT(cli_inert(c, json_get_str(s, "item"))),
            SLICE_FMT(apart(c, json_get_int(s, "ahead_us", 0))));
}

static int show(struct cli *c)
{
    struct json *answer;
    const struct json *k;
    int rc = cli_call(c, cli_request(c, "clock"), &answer);

    if (rc != CLI_DONE)
        return rc;
    k = json_get(answer, "clock");
    if (k == NULL)
        return cli_fail(
            c, "the daemon sent no clock; is it of another version?");
    if (c->json)
        return cli_print_json(c, k, JSON_CANONICAL);
    (void)printf("this machine  %.*s\n",
        SLICE_FMT(cli_time(c, json_get_int(k, "time", 0))));
    (void)printf("stamps        %.*s%s\n",
        SLICE_FMT(cli_time(c, json_get_int(k, "stamps", 0))),
        json_get_bool(k, "far", false) ? "  (far ahead)" : "");
    (void)printf(
        "epoch         %lld\n", (long long)json_get_int(k, "epoch", 0));
    (void)printf("writes        %s\n",
        json_get_bool(k, "writes", true) ? "yes"
                                         : "refused until the clock is right");
    print_peers(c, json_get(k, "peers"));
    (void)putchar('\n');
    print_stamped(c, json_get(k, "stamped"));
    (void)printf("%.*s\n", SLICE_FMT(cli_inert(c, json_get_str(k, "verdict"))));
    return CLI_DONE;
}

static const char what_it_does[] =
    "lets the clocks of this mesh start again from the time of day, on every\n"
    "member:\n"
    "  - from here on every change beats every change made before, seen or "
    "not;\n"
    "  - values stay as they are, and nothing is deleted;\n"
    "  - what a member writes that is away and has not heard of it loses\n"
    "    against what it has not seen; that is kept as a conflict.\n"
    "Set all clocks right first. It cannot be taken back.\n";

static int reset(struct cli *c)
{
    struct json *request = cli_request(c, "clock_reset"), *answer;
    int rc;

    if (c->flag[YES] == NULL) {
        (void)fputs("`syncline clock reset --yes` ", stderr);
        (void)fputs(what_it_does, stderr);
        return CLI_FAILED;
    }
    if (c->flag[FORCE] != NULL)
        cli_set_json(request, "force", json_new_bool(&c->arena, true));
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    (void)printf("epoch %lld\n", (long long)json_get_int(answer, "epoch", 0));
    return CLI_DONE;
}

static int run(struct cli *c)
{
    if (c->argc == 0 && (c->flag[YES] != NULL || c->flag[FORCE] != NULL))
        return cli_usage(c, "--yes and --force go with reset");
    if (c->argc == 0)
        return show(c);
    if (strcmp(c->argv[0], "reset") != 0)
        return cli_usage(c, "\"%.60s\" is not reset", c->argv[0]);
    return reset(c);
}

const struct command cmd_clock = {
    .name = "clock",
    .args = "[reset [--yes] [--force]]",
    .summary = "compare clocks; let them start again after one was wrong",
    .help = "Shows the time of day here, how far the stamps of changes have "
            "got, each\nconnected member's clock, and which of them is wrong. "
            "`reset` lets all\nclocks of the mesh start again from real time; "
            "without --yes it only says\nwhat that does. Admins only.",
    .flags = flags,
    .max = 1,
    .run = run,
};
