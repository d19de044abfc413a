/* cmd_policy.c - what becomes of conflicts. */
#include "app/cmd/cli.h"

static bool is_policy(const char *word)
{
    static const char *const words[] = { "lww", "merge", "manual", "keep-both",
        "custom" };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

/* Is anything set for keys that begin with prefix (NULL: any at all)? */
static bool is_set(const struct json *list, const char *prefix)
{
    for (const struct json *p = list ? list->first : NULL; p; p = p->next)
        if (prefix == NULL || slice_is(json_get_str(p, "prefix"), prefix))
            return true;
    return false;
}

static int list(struct cli *c, const char *prefix)
{
    static const char *const heads[] = { "SPACE", "PREFIX", "POLICY" };
    struct json *request = cli_request(c, "policies"), *answer;
    const struct json *policies;
    struct cli_table t;
    int rc;

    cli_set(c, request, "space", c->argv[0]);
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    /* It may be a policy that is mistyped: that was not set is not hidden. */
    if (prefix != NULL && !is_set(json_get(answer, "policies"), prefix) &&
        !is_set(json_get(answer, "schemas"), prefix))
        return cli_fail(c,
            "\"%.60s\" is no policy, and nothing is set for keys that begin "
            "so; `syncline help policy` says which there are",
            prefix);
    if (c->json)
        return cli_print_answer(c, answer);
    cli_table_init(&t, c, "lll", heads);
    policies = json_get(answer, "policies");
    for (const struct json *p = policies ? policies->first : NULL; p;
         p = p->next) {
        const struct slice at = json_get_str(p, "prefix");

        if (prefix == NULL || slice_is(at, prefix))
            cli_table_row(&t,
                (const struct slice[]){ json_get_str(p, "space"),
                    at.len > 0 ? at : SLICE_LIT("(all keys)"),
                    json_get_str(p, "policy") });
    }
    policies = json_get(answer, "schemas");
    for (const struct json *p = policies ? policies->first : NULL; p;
         p = p->next) {
        const struct slice at = json_get_str(p, "prefix");

        if (prefix == NULL || slice_is(at, prefix))
            cli_table_row(&t,
                (const struct slice[]){ json_get_str(p, "space"),
                    at.len > 0 ? at : SLICE_LIT("(all keys)"),
                    cli_printf(c, "schema %.*s",
                        SLICE_FMT(cli_compact(c, json_get(p, "schema")))) });
    }
    cli_table_print(&t);
    return CLI_DONE;
}

enum { SCHEMA };

static const struct cli_flag flags[] = {
    { "schema", "FILE",
        "JSON Schema that documents must keep; none: there is "
        "none any more" },
    { NULL, NULL, NULL },
};

static int set_schema(struct cli *c)
{
    struct json *request = cli_request(c, "schema_set"), *schema;
    struct slice text;
    int rc = CLI_DONE;

    if (strcmp(c->flag[SCHEMA], "none") == 0) {
        schema = json_new(&c->arena, JSON_NULL);
    } else {
        rc = cli_read_all(c, c->flag[SCHEMA], &text);
        if (rc == CLI_DONE)
            rc = cli_parse_json(c, text, c->flag[SCHEMA], &schema);
    }
    if (rc != CLI_DONE)
        return rc;
    cli_set(c, request, "space", c->argv[0]);
    cli_set(c, request, "prefix", c->argc > 1 ? c->argv[1] : "");
    cli_set_json(request, "schema", schema);
    return cli_do(c, request, NULL);
}

static int run(struct cli *c)
{
    const char *last = c->argv[c->argc - 1];
    struct json *request;

    if (c->flag[SCHEMA] != NULL && c->argc == 3)
        return cli_usage(c, "a schema and a policy are set one at a time");
    if (c->flag[SCHEMA] != NULL)
        return set_schema(c);
    if (c->argc == 1 || (c->argc == 2 && !is_policy(last)))
        return list(c, c->argc == 2 ? last : NULL);
    if (!is_policy(last))
        return cli_usage(c,
            "\"%.60s\" is none of lww, merge, manual, keep-both and custom",
            last);
    request = cli_request(c, "policy_set");
    cli_set(c, request, "space", c->argv[0]);
    cli_set(c, request, "prefix", c->argc == 3 ? c->argv[1] : "");
    cli_set(c, request, "policy", last);
    return cli_do(c, request, NULL);
}

const struct command cmd_policy = {
    .name = "policy",
    .args = "SPACE [PREFIX] [POLICY]",
    .summary = "show or set what becomes of conflicts, and what is valid",
    .help =
        "For all keys of a space or those that begin with PREFIX:\n"
        "  lww        of each field the latest value wins (the default)\n"
        "  merge      the same; a whole value that lost stays open, beside it\n"
        "  manual     the winner is in effect, the conflict stays open\n"
        "  keep-both  the loser becomes an item beside the winner\n"
        "  custom     the program of the option resolve.command decides\n"
        "With --schema: what is written on any member must keep to it; of "
        "several the longest\nprefix counts. What is there already, or comes "
        "from a member that does not know it\nyet, stays, is told by `get`, "
        "and is written into no bound file.",
    .flags = flags,
    .min = 1,
    .max = 3,
    .run = run,
};
