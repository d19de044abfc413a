/* cmd_space.c - the spaces of the mesh. */
#include "app/cmd/cli.h"

enum { YES };

static const struct cli_flag flags[] = {
    { "yes", NULL, "with rm: do it, nobody is asked" },
    { NULL, NULL, NULL },
};

static int list(struct cli *c)
{
    static const char *const heads[] = { "SPACE", "ITEMS", "DELETED",
        "CONFLICTS" };
    struct cli_table t;
    struct json *answer;
    const struct json *spaces;
    int rc = cli_call(c, cli_request(c, "spaces"), &answer);

    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    cli_table_init(&t, c, "lrrr", heads);
    spaces = json_get(answer, "spaces");
    for (const struct json *s = spaces ? spaces->first : NULL; s; s = s->next)
        cli_table_row(&t,
            (const struct slice[]){ json_get_str(s, "name"),
                cli_count(c, json_get_int(s, "items", 0)),
                cli_count(c, json_get_int(s, "deleted", 0)),
                cli_count(c, json_get_int(s, "conflicts", 0)) });
    cli_table_print(&t);
    return CLI_DONE;
}

static int remove_space(struct cli *c, const char *name)
{
    struct json *request = cli_request(c, "space_rm"), *answer;
    int rc = cli_confirm(c, c->flag[YES] != NULL,
        "this deletes the space %.64s and all its items, on every member",
        name);

    cli_set(c, request, "name", name);
    if (rc == CLI_DONE)
        rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    (void)printf("removed the space %s; items deleted: %.*s\n", name,
        SLICE_FMT(cli_count(c, json_get_int(answer, "items", 0))));
    return CLI_DONE;
}

static int run(struct cli *c)
{
    struct json *request;
    const char *what = c->argc > 0 ? c->argv[0] : "list";
    const bool add = strcmp(what, "add") == 0;

    if (c->flag[YES] != NULL && strcmp(what, "rm") != 0)
        return cli_usage(c, "--yes goes with rm");
    if (strcmp(what, "list") == 0 && c->argc < 2)
        return list(c);
    if (!add && strcmp(what, "rm") != 0)
        return cli_usage(c, "\"%.60s\" is none of list, add and rm", what);
    if (c->argc < 2)
        return cli_usage(c, "%s which space?", what);
    if (!add)
        return remove_space(c, c->argv[1]);
    request = cli_request(c, "space_add");
    cli_set(c, request, "name", c->argv[1]);
    return cli_do(c, request, "made");
}

const struct command cmd_space = {
    .name = "space",
    .args = "[list | add NAME | rm NAME [--yes]]",
    .summary = "list, make or remove spaces",
    .help = "`rm` deletes the items of the space on every member; it asks, or "
            "wants --yes where\nthere is no terminal.",
    .flags = flags,
    .max = 2,
    .run = run,
};
