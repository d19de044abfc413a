/* cmd_invite.c - makes a code that lets one machine in. */
#include "app/cli.h"

enum { EXPIRES, ROLE, SPACE };

static const struct cli_flag flags[] = {
    { "expires", "T", "how long the code is good [10m]" },
    { "role", "R", "admin, member, reader or relay [admin]" },
    { "space", "S...", "this space and no other" },
    { NULL, NULL, NULL },
};

static const char *a_or_an(struct slice role)
{
    return slice_is(role, "admin") ? "an" : "a";
}

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
        rc = cli_set_terms(c, request, c->flag[ROLE], c->flag[SPACE]);
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
        "good once, for %s %.*s, until %.*s; on the other machine: syncline "
        "join %.*s\n",
        a_or_an(json_get_str(answer, "role")),
        SLICE_FMT(json_get_str(answer, "role")),
        SLICE_FMT(cli_time(c, json_get_int(answer, "expires", 0))),
        SLICE_FMT(code));
    return rc;
}

const struct command cmd_invite = {
    .name = "invite",
    .args = "[--expires T] [--role R] [--space S]...",
    .summary = "make a code that lets one machine into this mesh",
    .help = "The code goes to standard output. It is good once, for the "
            "machine that gives\nit to `syncline join`. Whoever reads it can "
            "join: tell it to nobody else. With --space alone it lets in a "
            "member.",
    .flags = flags,
    .run = run,
};
