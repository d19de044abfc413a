/* cmd_resolve.c - settles a conflict. */
#include "app/cmd/cli.h"

enum { TAKE, VALUE };

static const struct cli_flag flags[] = {
    { "take", "winner|loser", "this side's value" },
    { "value", "JSON", "another value (-: from standard input)" },
    { NULL, NULL, NULL },
};

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "resolve"), *value;
    const char *take = c->flag[TAKE], *given = c->flag[VALUE];
    struct slice text;
    int rc = CLI_DONE;

    if ((take == NULL) == (given == NULL))
        return cli_usage(c, "give either --take or --value");
    cli_set(c, request, "id", c->argv[0]);
    if (take != NULL) {
        if (strcmp(take, "winner") != 0 && strcmp(take, "loser") != 0)
            return cli_usage(c, "--take wants winner or loser");
        cli_set(c, request, "take", take);
        return cli_do(c, request, NULL);
    }
    text = slice_str(given);
    if (slice_is(text, "-"))
        rc = cli_read_all(c, "-", &text);
    if (rc == CLI_DONE)
        rc = cli_parse_json(c, text, "--value", &value);
    if (rc != CLI_DONE)
        return rc;
    cli_set_json(request, "value", value);
    return cli_do(c, request, NULL);
}

const struct command cmd_resolve = {
    .name = "resolve",
    .args = "ID --take winner|loser | --value JSON",
    .summary = "settle a conflict",
    .help = "ID is what `syncline conflicts` shows. --value is for the path "
            "of the conflict, or\nfor the whole item where that was deleted.",
    .flags = flags,
    .min = 1,
    .max = 1,
    .run = run,
};
