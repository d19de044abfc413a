/* cmd_invite.c - makes a code that lets one machine in. */
#include "app/cli.h"

enum { EXPIRES };

static const struct cli_flag flags[] = {
    { "expires", "T", "how long the code is good [10m]" },
    { NULL, NULL, NULL },
};

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "invite"), *answer;
    struct slice code;
    int64_t ms;
    int rc = CLI_DONE;

    if (c->flag[EXPIRES] != NULL) {
        rc = cli_duration_ms(c, c->flag[EXPIRES], &ms);
        if (rc == CLI_DONE)
            cli_set_int(c, request, "expires_s", (ms + 999) / 1000);
    }
    if (rc == CLI_DONE)
        rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    code = json_get_str(answer, "code");
    (void)printf("%.*s\n", SLICE_FMT(code));
    rc = cli_flush(c);
    (void)fprintf(stderr,
        "good once, until %.*s; on the other machine: syncline join %.*s\n",
        SLICE_FMT(cli_time(c, json_get_int(answer, "expires", 0))),
        SLICE_FMT(code));
    return rc;
}

const struct command cmd_invite = {
    .name = "invite",
    .args = "[--expires T]",
    .summary = "make a code that lets one machine into this mesh",
    .help = "The code goes to standard output. It is good once, for the "
            "machine that gives\nit to `syncline join`. Whoever reads it can "
            "join: tell it to nobody else.",
    .flags = flags,
    .run = run,
};
