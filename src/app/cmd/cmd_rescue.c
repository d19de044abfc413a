/* cmd_rescue.c - what came back with a member after its item was deleted. */
#include "app/cmd/cli.h"

enum { APPLY, DROP, ALL, WAIT, TIMEOUT };

static const struct cli_flag flags[] = {
    { "apply", NULL, "write the values back, as new ones" },
    { "drop", NULL, "let them go: they are not listed any more" },
    { "all", NULL, "every item; in a list: those that are settled, too" },
    { "wait", "N|all", "for that many others to have it on disk [0]" },
    { "timeout", "T", "how long to wait for them [10s]" },
    { NULL, NULL, NULL },
};

/* ---- the list ---- */

static void print_value(struct cli *c, const struct json *v)
{
    const struct slice path = cli_inert(c, json_get_str(v, "path"));
    const struct slice state = json_get_str(v, "state");

    (void)printf("  %.*s  %.*s%s%.*s%s\n", SLICE_FMT(json_get_str(v, "id")),
        SLICE_FMT(path), path.len > 0 ? " = " : "",
        SLICE_FMT(cli_shown(c, json_get(v, "value"))),
        slice_is(state, "resolved") ? "  (settled)" : "");
    (void)printf("                by %.*s, %.*s\n", SLICE_FMT(cli_who(c, v)),
        SLICE_FMT(cli_time(c, json_get_int(v, "time", 0))));
}

static void print_item(struct cli *c, const struct json *item)
{
    const struct json *values = json_get(item, "values");

    (void)printf("%.*s/%.*s  now %.*s\n",
        SLICE_FMT(json_get_str(item, "space")),
        SLICE_FMT(cli_inert(c, json_get_str(item, "key"))),
        SLICE_FMT(json_get_str(item, "now")));
    for (const struct json *v = values ? values->first : NULL; v; v = v->next)
        print_value(c, v);
}

static void name_items(struct cli *c, struct json *request)
{
    if (c->argc > 0)
        cli_set(c, request, "space", c->argv[0]);
    if (c->argc > 1)
        cli_set(c, request, "key", c->argv[1]);
    if (c->flag[ALL] != NULL)
        cli_set_json(request, "all", json_new_bool(&c->arena, true));
}

static int list(struct cli *c)
{
    struct json *request = cli_request(c, "rescue"), *answer;
    const struct json *found;
    int rc;

    name_items(c, request);
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    found = json_get(answer, "rescue");
    if (found == NULL)
        return cli_fail(
            c, "the daemon sent no list; is it of another version?");
    if (c->json)
        return cli_print_json(c, found, JSON_CANONICAL);
    for (const struct json *item = found->first; item; item = item->next)
        print_item(c, item);
    if (found->n > 0)
        (void)fputs("take an item back with: syncline rescue SPACE KEY "
                    "--apply, or let it go with --drop\n",
            stderr);
    return CLI_DONE;
}

/* ---- settling ---- */

struct total {
    int64_t items, values, refused;
    struct json *why;
};

/* The daemon takes some at a time. */
static int settle(struct cli *c, struct total *done)
{
    bool more = true;
    int rc = CLI_DONE;

    while (more && rc == CLI_DONE) {
        struct json *request = cli_request(c, "rescue_apply"), *answer;

        name_items(c, request);
        cli_set(c, request, "take", c->flag[APPLY] != NULL ? "apply" : "drop");
        rc = cli_set_wait(c, request, c->flag[WAIT], c->flag[TIMEOUT]);
        if (rc == CLI_DONE)
            rc = cli_call(c, request, &answer);
        if (rc != CLI_DONE)
            break;
        done->items += json_get_int(answer, "items", 0);
        done->values += json_get_int(answer, "values", 0);
        more = json_get_bool(answer, "more_items", false);
        done->refused = json_get_int(answer, "refused", 0);
        done->why = json_get(answer, "why");
    }
    return rc;
}

static int check(struct cli *c)
{
    const bool all = c->flag[ALL] != NULL;

    if (c->flag[APPLY] != NULL && c->flag[DROP] != NULL)
        return cli_usage(c, "give either --apply or --drop");
    if (c->argc < 2 && !all)
        return cli_usage(c, "name an item by SPACE and KEY, or say --all");
    if (c->argc == 2 && all)
        return cli_usage(c, "--all is for every item; leave the KEY out");
    return CLI_DONE;
}

/* They wait as before. */
static int tell_refused(struct cli *c, const struct total *done)
{
    if (done->refused == 0 || done->why == NULL)
        return CLI_DONE;
    return cli_fail(c, "%lld item%s stayed; the first: %.*s",
        (long long)done->refused, done->refused == 1 ? "" : "s",
        SLICE_FMT(done->why->s));
}

static int run(struct cli *c)
{
    struct total done = { 0, 0, 0, NULL };
    int rc;

    if (c->flag[APPLY] == NULL && c->flag[DROP] == NULL) {
        if (c->flag[WAIT] != NULL || c->flag[TIMEOUT] != NULL)
            return cli_usage(c, "--wait and --timeout go with --apply");
        return list(c);
    }
    rc = check(c);
    if (rc == CLI_DONE)
        rc = settle(c, &done);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        (void)printf("{\"items\":%lld,\"values\":%lld}\n",
            (long long)done.items, (long long)done.values);
    else
        (void)fprintf(stderr, "%lld value%s of %lld item%s %s\n",
            (long long)done.values, done.values == 1 ? "" : "s",
            (long long)done.items, done.items == 1 ? "" : "s",
            c->flag[APPLY] != NULL ? "written back" : "let go");
    return tell_refused(c, &done);
}

const struct command cmd_rescue = {
    .name = "rescue",
    .args = "[SPACE [KEY]] [--apply | --drop] [--all] [--wait N|all] "
            "[--timeout T]",
    .summary = "list or take back edits of items deleted meanwhile",
    .help = "A member that was away for longer than the option retention may "
            "bring edits of\nitems that were deleted meanwhile. They are kept "
            "here and not in effect: by item,\nwith the fields that only that "
            "member had. --apply writes them back, which makes\nthe item "
            "again where it is gone; --drop lets them go. Either holds for "
            "all members.\nWith --json one array.",
    .flags = flags,
    .max = 2,
    .run = run,
};
