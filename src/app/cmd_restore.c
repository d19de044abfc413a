/* cmd_restore.c - writes an old version anew. */
#include "app/cli.h"

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "restore");
    int64_t version;
    int rc = cli_integer(c, c->argv[2], "VERSION", 1, &version);

    if (rc != CLI_DONE)
        return rc;
    cli_set(c, request, "space", c->argv[0]);
    cli_set(c, request, "key", c->argv[1]);
    cli_set_int(c, request, "version", version);
    return cli_do(c, request, NULL);
}

const struct command cmd_restore = {
    .name = "restore",
    .args = "SPACE KEY VERSION",
    .summary = "bring a version of an item back, as a new one",
    .help = "`syncline history SPACE KEY` lists the versions.",
    .min = 3,
    .max = 3,
    .run = run,
};
