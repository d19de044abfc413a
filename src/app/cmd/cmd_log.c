/* cmd_log.c - how much the daemon logs, and more or less of it at once. */
#include "app/cmd/cli.h"

static int show(struct cli *c, struct json *answer)
{
    static const char *const heads[] = { "MODULE", "LEVEL", "" };
    const struct json *modules = json_get(answer, "modules");
    const struct slice now = json_get_str(answer, "levels");
    const struct slice first = json_get_str(answer, "configured");
    struct cli_table t;

    if (c->json)
        return cli_print_answer(c, answer);
    (void)printf("log.level  %.*s\n", SLICE_FMT(now));
    if (!slice_eq(now, first))
        (void)printf(
            "           %.*s after the next start\n", SLICE_FMT(first));
    (void)putchar('\n');
    cli_table_init(&t, c, "lll", heads);
    for (const struct json *m = modules ? modules->first : NULL; m; m = m->next)
        cli_table_row(&t,
            (const struct slice[]){ json_get_str(m, "name"),
                json_get_str(m, "level"),
                json_get_bool(m, "own", false) ? SLICE_LIT("of its own")
                                               : SLICE_LIT("") });
    cli_table_print(&t);
    return CLI_DONE;
}

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "log"), *answer;
    int rc;

    if (c->argc > 0 && strcmp(c->argv[0], "level") != 0)
        return cli_usage(c, "\"%.60s\" is not level", c->argv[0]);
    if (c->argc > 1) {
        request = cli_request(c, "log_level");
        if (c->argc > 2)
            cli_set(c, request, "module", c->argv[1]);
        cli_set(c, request, "level", c->argv[c->argc - 1]);
    }
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->argc < 2 || c->json)
        return show(c, answer);
    (void)printf("%.*s\n", SLICE_FMT(json_get_str(answer, "levels")));
    return CLI_DONE;
}

const struct command cmd_log = {
    .name = "log",
    .args = "[level [[MODULE] LEVEL]]",
    .summary = "show how much the daemon logs of what; change it at once",
    .help = "LEVEL is error, warn, info or debug. Without MODULE it is that "
            "of all modules\nthat have none of their own. `default` takes it "
            "back: of a module it is what the\nothers have, alone it is what "
            "the configuration says. What is changed here lasts\nuntil the "
            "next start or SIGHUP; the option log.level lasts.",
    .max = 3,
    .run = run,
};
