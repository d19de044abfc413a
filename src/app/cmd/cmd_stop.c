/* cmd_stop.c - stops the daemon and waits until it has gone. */
#include "app/cmd/cli.h"

#define STOP_MS 60000

static int run(struct cli *c)
{
    struct errmsg why = { "" };
    struct json *answer;
    struct slice line;
    int rc = cli_call(c, cli_request(c, "stop"), &answer);

    if (rc != CLI_DONE)
        return rc;
    do
        rc = control_read(c->control, &line, STOP_MS, &why);
    while (rc == SYNCLINE_OK);
    if (rc == SYNCLINE_ETIMEOUT)
        return cli_fail(c,
            "%s: the daemon has not stopped within 60 s; see its log", c->dir);
    return c->json ? cli_print_answer(c, answer) : CLI_DONE;
}

const struct command cmd_stop = {
    .name = "stop",
    .args = "",
    .summary = "stop the daemon cleanly and wait for it",
    .run = run,
};
