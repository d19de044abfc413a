/* cmd_get.c - reads an item. */
#include "app/cmd/cli.h"

enum { PRETTY };

static const struct cli_flag flags[] = {
    { "pretty", NULL, "over several lines" },
    { NULL, NULL, NULL },
};

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "get"), *answer;
    const struct json *value;
    int rc;

    cli_set(c, request, "space", c->argv[0]);
    cli_set(c, request, "key", c->argv[1]);
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    value = json_get(answer, "value");
    if (value == NULL)
        return cli_fail(c,
            "%s/%s: the daemon sent no value; is it of another "
            "version?",
            c->argv[0], c->argv[1]);
    return cli_print_json(
        c, value, c->flag[PRETTY] ? JSON_PRETTY : JSON_CANONICAL);
}

const struct command cmd_get = {
    .name = "get",
    .args = "SPACE KEY [--pretty]",
    .summary = "print an item as one line of JSON",
    .help = "With --json also its version, time and the device that wrote it.",
    .flags = flags,
    .min = 2,
    .max = 2,
    .run = run,
};
