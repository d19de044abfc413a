/* cmd_versions.c - what a bound file was before. */
#include "app/cmd/cli.h"

#include <stdlib.h>
#include <time.h>

static int show(struct cli *c)
{
    struct json *request = cli_request(c, "versions"), *answer;
    int rc;

    cli_set(c, request, "file", cli_whole_path(c, c->argv[0]));
    cli_set(c, request, "version", c->argv[1]);
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    return c->json ? cli_print_answer(c, answer)
                   : cli_print_json(c, json_get(answer, "value"), JSON_PRETTY);
}

static int run_versions(struct cli *c)
{
    struct json *request, *answer;
    const struct json *list;
    int rc;

    if (c->argc == 2)
        return show(c);
    request = cli_request(c, "versions");
    cli_set(c, request, "file", cli_whole_path(c, c->argv[0]));
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    list = json_get(answer, "versions");
    for (const struct json *v = list ? list->first : NULL; v; v = v->next)
        (void)printf("%.*s\n", SLICE_FMT(v->s));
    return CLI_DONE;
}

const struct command cmd_versions = {
    .name = "versions",
    .args = "FILE [NAME]",
    .summary = "list the kept versions of a bound file, or show one",
    .help = "The oldest first. NAME is one of them, or latest. They are in "
            "config_versions beside\nthe file; `syncline history` tells of "
            "the item, with who wrote what.",
    .min = 1,
    .max = 2,
    .run = run_versions,
};

/* "2026-11-28 14:05", with seconds or without, as this machine tells time; or
 * how long ago. */
static int parse_time(struct cli *c, const char *text, int64_t *us)
{
    static const char *const forms[] = { "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M" };
    int64_t ms = 0;
    int rc;

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm t = { .tm_isdst = -1 };
        const char *end = strptime(text, forms[i], &t);

        if (end == NULL || *end != 0)
            continue;
        *us = (int64_t)mktime(&t) * 1000000 + (i > 1 ? 59999999 : 999999);
        return CLI_DONE;
    }
    if (strchr(text, '-') != NULL || strchr(text, ':') != NULL)
        return cli_usage(c,
            "\"%.60s\" is not a time, as \"2026-11-28 14:05\" or 10m (ago)",
            text);
    rc = cli_duration_ms(c, text, &ms);
    *us = ((int64_t)time(NULL) * 1000 - ms) * 1000;
    return rc;
}

enum { TO };

static const struct cli_flag flags[] = {
    { "to", "TIME", "the last version that is not younger" },
    { NULL, NULL, NULL },
};

static int run_rollback(struct cli *c)
{
    struct json *request, *answer;
    int64_t us = 0;
    int rc;

    if ((c->argc == 2) == (c->flag[TO] != NULL))
        return cli_usage(c, "name a version, or a time with --to");
    request = cli_request(c, "rollback");
    cli_set(c, request, "file", cli_whole_path(c, c->argv[0]));
    if (c->argc == 2) {
        cli_set(c, request, "version", c->argv[1]);
    } else {
        rc = parse_time(c, c->flag[TO], &us);
        if (rc != CLI_DONE)
            return rc;
        cli_set_int(c, request, "to", us);
    }
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    (void)printf("%.*s\n", SLICE_FMT(json_get_str(answer, "version")));
    return CLI_DONE;
}

const struct command cmd_rollback = {
    .name = "rollback",
    .args = "FILE [NAME]",
    .summary = "make a bound file what it was, everywhere",
    .help = "A change as any other: it goes to all members, and can be rolled "
            "back again. Prints\nthe name of the version. TIME is \"2026-11-28 "
            "14:05\", or 10m for ten minutes ago.",
    .flags = flags,
    .min = 1,
    .max = 2,
    .run = run_rollback,
};
