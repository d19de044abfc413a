/* cmd_put.c - writes an item. */
#include "app/cmd/cli.h"

enum { FROM_FILE, WAIT, TIMEOUT };

static const struct cli_flag flags[] = {
    { "file", "F", "read the value from this file" },
    { "wait", "N|all", "for that many others to have it on disk [0]" },
    { "timeout", "T", "how long to wait for them [10s]" },
    { NULL, NULL, NULL },
};

/* The value's text and what messages call it. */
static int read_value(struct cli *c, struct slice *text, const char **where)
{
    const char *given = c->argc == 3 ? c->argv[2] : NULL;
    const char *file = c->flag[FROM_FILE];

    if ((given == NULL) == (file == NULL))
        return cli_usage(c, "give a value, or - for standard input, or --file");
    if (file == NULL && strcmp(given, "-") == 0)
        file = "-";
    if (file == NULL) {
        *text = slice_str(given);
        *where = "the value";
        return CLI_DONE;
    }
    *where = strcmp(file, "-") == 0 ? "standard input" : file;
    return cli_read_all(c, file, text);
}

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "put"), *value;
    const char *where = "";
    struct slice text;
    int rc = read_value(c, &text, &where);

    if (rc == CLI_DONE)
        rc = cli_set_wait(c, request, c->flag[WAIT], c->flag[TIMEOUT]);
    if (rc == CLI_DONE)
        rc = cli_parse_json(c, text,
            (const char *)cli_printf(
                c, "%.100s/%.300s: %s", c->argv[0], c->argv[1], where)
                .ptr,
            &value);
    if (rc != CLI_DONE)
        return rc;
    cli_set(c, request, "space", c->argv[0]);
    cli_set(c, request, "key", c->argv[1]);
    cli_set_json(request, "value", value);
    return cli_do(c, request, NULL);
}

const struct command cmd_put = {
    .name = "put",
    .args = "SPACE KEY JSON|- [--file F] [--wait N|all] [--timeout T]",
    .summary = "write an item",
    .help = "Returns when the value is durable here and, with --wait, on other "
            "members.\nWhen --timeout passes before that, the exit status is "
            "1 and the value stands.",
    .flags = flags,
    .min = 2,
    .max = 3,
    .run = run,
};
