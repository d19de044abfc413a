/* cmd_del.c - deletes an item. */
#include "app/cmd/cli.h"

enum { WAIT, TIMEOUT };

static const struct cli_flag flags[] = {
    { "wait", "N|all", "for that many others to have it on disk [0]" },
    { "timeout", "T", "how long to wait for them [10s]" },
    { NULL, NULL, NULL },
};

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "del");
    int rc = cli_set_wait(c, request, c->flag[WAIT], c->flag[TIMEOUT]);

    if (rc != CLI_DONE)
        return rc;
    cli_set(c, request, "space", c->argv[0]);
    cli_set(c, request, "key", c->argv[1]);
    return cli_do(c, request, NULL);
}

const struct command cmd_del = {
    .name = "del",
    .args = "SPACE KEY [--wait N|all] [--timeout T]",
    .summary = "delete an item",
    .help = "Its versions stay in its history; `syncline restore` brings one "
            "back.",
    .flags = flags,
    .min = 2,
    .max = 2,
    .run = run,
};
