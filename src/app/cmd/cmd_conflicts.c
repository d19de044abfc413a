/* cmd_conflicts.c - values that were written without seeing each other. */
#include "app/cmd/cli.h"

enum { ALL };

static const struct cli_flag flags[] = {
    { "all", NULL, "those that are settled, too" },
    { NULL, NULL, NULL },
};

static void print_side(
    struct cli *c, const char *which, const struct json *side)
{
    const struct json *value = json_get(side, "value");
    const struct slice path = cli_inert(c, json_get_str(side, "path"));
    struct slice none = json_get_bool(side, "large", false)
        ? SLICE_LIT("(large)")
        : SLICE_LIT("(deleted)");
    const struct slice by = cli_who(c, side);

    (void)printf("  %-6s  %.*s%s%.*s\n", which, SLICE_FMT(path),
        path.len > 0 ? " = " : "",
        SLICE_FMT(value != NULL ? cli_shown(c, value) : none));
    if (by.len > 0) /* else who deleted it has been collected */
        (void)printf("          by %.*s, %.*s\n", SLICE_FMT(by),
            SLICE_FMT(cli_time(c, json_get_int(side, "time", 0))));
}

/* Whose value it is by now, of one that is settled. */
static void print_now(struct cli *c, const struct json *conflict)
{
    static const char *const sides[] = { "winner", "loser" };
    const struct json *now = json_get(conflict, "now");
    const struct json *value = json_get(now, "value");
    const struct slice by = cli_who(c, now);
    const char *whose = "";

    if (now == NULL)
        return;
    for (int i = 0; i < 2 && value != NULL; i++)
        if (json_equal(value, json_get(json_get(conflict, sides[i]), "value")))
            whose = i == 0 ? "  (the winner's)" : "  (the loser's)";
    (void)printf("  now     %.*s%s\n",
        SLICE_FMT(value != NULL                      ? cli_shown(c, value)
                : json_get_bool(now, "other", false) ? SLICE_LIT("(an item)")
                                                     : SLICE_LIT("(deleted)")),
        whose);
    if (by.len > 0)
        (void)printf("          by %.*s, %.*s\n", SLICE_FMT(by),
            SLICE_FMT(cli_time(c, json_get_int(now, "time", 0))));
}

static void print_conflict(struct cli *c, const struct json *conflict)
{
    const struct slice state = json_get_str(conflict, "state");
    const struct slice id = cli_text(c, json_get(conflict, "id"));
    const struct slice path = cli_inert(c, json_get_str(conflict, "path"));
    const struct slice key = cli_inert(c, json_get_str(conflict, "key"));

    (void)printf("%.*s  %.*s/%.*s%s%.*s  %.*s%s\n", SLICE_FMT(id),
        SLICE_FMT(json_get_str(conflict, "space")), SLICE_FMT(key),
        path.len > 0 ? " " : "", SLICE_FMT(path), SLICE_FMT(state),
        json_get_bool(conflict, "returned", false) ? ", returned" : "");
    print_side(c, "winner", json_get(conflict, "winner"));
    print_side(c, "loser", json_get(conflict, "loser"));
    print_now(c, conflict);
}

/* What can be done about them. */
static void print_ways(const struct json *list)
{
    bool returned = false, superseded = false, other = false;

    for (const struct json *k = list->first; k; k = k->next) {
        const struct slice state = json_get_str(k, "state");
        const bool open = slice_is(state, "open");
        const bool came_back = json_get_bool(k, "returned", false);

        superseded = superseded || slice_is(state, "superseded");
        returned = returned || (open && came_back);
        other = other || (open && !came_back);
    }
    if (other)
        (void)fputs("settle one with: syncline resolve ID --take winner|loser, "
                    "or --value JSON\n",
            stderr);
    if (returned)
        (void)fputs("returned: an edit of an item that had been deleted "
                    "meanwhile; see: syncline rescue\n",
            stderr);
    if (superseded)
        (void)fputs("superseded: a later write had seen both; there is "
                    "nothing to do\n",
            stderr);
}

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "conflicts"), *answer;
    const struct json *list;
    int rc;

    cli_set(c, request, "space", c->argv[0]);
    if (c->argc > 1)
        cli_set(c, request, "key", c->argv[1]);
    if (c->flag[ALL] != NULL)
        cli_set_json(request, "all", json_new_bool(&c->arena, true));
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    list = json_get(answer, "conflicts");
    if (c->json)
        return list != NULL
            ? cli_print_json(c, list, JSON_CANONICAL)
            : cli_fail(c, "the daemon sent no list; is it of another version?");
    for (const struct json *k = list ? list->first : NULL; k; k = k->next)
        print_conflict(c, k);
    if (list != NULL)
        print_ways(list);
    return CLI_DONE;
}

const struct command cmd_conflicts = {
    .name = "conflicts",
    .args = "[SPACE [KEY]] [--all]",
    .summary = "list values that were written without seeing each other",
    .help = "Both values of each; the winner of an open one is in effect. Of "
            "one that is settled\n`now` is what is in effect and whose it is; "
            "`syncline audit` on the machine where\nsomebody chose says who. "
            "One is open, "
            "resolved (somebody\nchose) or superseded (a later write had seen "
            "both: nothing is to be done).\nReturned is what a member brings "
            "back of an item that was deleted while it was\naway; `syncline "
            "rescue` lists these and takes them back or lets them go. With\n"
            "--json one array.",
    .flags = flags,
    .max = 2,
    .run = run,
};
