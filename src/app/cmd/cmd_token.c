/* cmd_token.c - tokens for programs that use the HTTP interface. */
#include "app/cmd/cli.h"

enum { NAME, SCOPE, SPACE, EXPIRES };

static const struct cli_flag flags[] = {
    { "name", "N", "with create: what the token is called" },
    { "scope", "S", "read, write or admin [read]" },
    { "space", "S...", "this space and no other" },
    { "expires", "T", "for how long it is good: 90m, 12h, 30d [for ever]" },
    { NULL, NULL, NULL },
};

static struct slice time_or(struct cli *c, const struct json *k,
    const char *name, const char *otherwise)
{
    const int64_t us = json_get_int(k, name, 0);

    return us > 0 ? cli_time(c, us) : slice_str(otherwise);
}

static int show(struct cli *c)
{
    static const char *const heads[] = { "NAME", "ID", "SCOPE", "SPACES",
        "CREATED", "EXPIRES", "USED" };
    struct cli_table t;
    struct json *answer;
    const struct json *k;
    int rc = cli_call(c, cli_request(c, "token_list"), &answer);

    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    cli_table_init(&t, c, "lllllll", heads);
    k = json_get(answer, "tokens");
    for (k = k != NULL ? k->first : NULL; k != NULL; k = k->next)
        cli_table_row(&t,
            (const struct slice[]){ json_get_str(k, "name"),
                json_get_str(k, "id"), json_get_str(k, "scope"),
                cli_rights(c, k, "spaces"), time_or(c, k, "created", "-"),
                json_get_bool(k, "expired", false)
                    ? SLICE_LIT("has expired")
                    : time_or(c, k, "expires", "never"),
                time_or(c, k, "used", "not since the start") });
    cli_table_print(&t);
    return CLI_DONE;
}

/* The token alone goes to standard output: a script keeps it. */
static int print_made(struct cli *c, struct json *answer)
{
    const struct json *k = json_get(answer, "token");
    int rc;

    if (c->json)
        return cli_print_answer(c, answer);
    (void)printf("%.*s\n", SLICE_FMT(json_get_str(answer, "secret")));
    rc = cli_flush(c);
    (void)fprintf(stderr,
        "scope %.*s, spaces %.*s, good until %.*s; it is shown this once\n",
        SLICE_FMT(json_get_str(k, "scope")),
        SLICE_FMT(cli_rights(c, k, "spaces")),
        SLICE_FMT(time_or(c, k, "expires", "it is revoked")));
    return rc;
}

static int make(struct cli *c)
{
    struct json *request = cli_request(c, "token_create"), *answer;
    int64_t ms;
    int rc;

    if (c->argc > 1 || c->flag[NAME] == NULL)
        return cli_usage(c, "create wants --name N, and no other words");
    cli_set(c, request, "name", c->flag[NAME]);
    if (c->flag[SCOPE] != NULL)
        cli_set(c, request, "scope", c->flag[SCOPE]);
    rc = cli_set_terms(c, request, NULL, c->flag[SPACE]);
    if (rc == CLI_DONE && c->flag[EXPIRES] != NULL) {
        rc = cli_duration_ms(c, c->flag[EXPIRES], &ms);
        if (rc == CLI_DONE)
            cli_set_int(c, request, "expires_s", (ms + 999) / 1000);
    }
    if (rc == CLI_DONE)
        rc = cli_call(c, request, &answer);
    return rc == CLI_DONE ? print_made(c, answer) : rc;
}

static int take_back(struct cli *c)
{
    struct json *request = cli_request(c, "token_revoke"), *answer;
    int rc;

    if (c->argc < 2)
        return cli_usage(c, "revoke which token?");
    cli_set(c, request, "who", c->argv[1]);
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    if (json_get_bool(answer, "replaced", false))
        (void)fprintf(stderr, "another one is in %s/token\n", c->dir);
    return CLI_DONE;
}

static bool has_flags(const struct cli *c)
{
    return c->flag[NAME] != NULL || c->flag[SCOPE] != NULL ||
        c->flag[SPACE] != NULL || c->flag[EXPIRES] != NULL;
}

static int run(struct cli *c)
{
    const char *what = c->argc > 0 ? c->argv[0] : "list";

    if (strcmp(what, "create") == 0)
        return make(c);
    if (has_flags(c))
        return cli_usage(c,
            "--name, --scope, --space and --expires go with "
            "create");
    if (strcmp(what, "list") == 0 && c->argc < 2)
        return show(c);
    if (strcmp(what, "revoke") == 0)
        return take_back(c);
    return cli_usage(c, "\"%.60s\" is none of create, list and revoke", what);
}

const struct command cmd_token = {
    .name = "token",
    .args = "[list | create --name N [--scope S] [--space S]... [--expires T] "
            "|\n       revoke NAME|ID]",
    .summary = "let programs use the HTTP interface, or no longer",
    .help = "`create` prints the token, once: what is kept of it is a hash. "
            "An admin's may do all\nthat the command line may; write and read "
            "are of items, where --space is given of\nthose spaces only. "
            "`local` stands in DIR/token, an admin's, for programs of this\n"
            "account; revoked, it is replaced by another.",
    .flags = flags,
    .max = 2,
    .run = run,
};
