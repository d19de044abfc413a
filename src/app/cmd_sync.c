/* cmd_sync.c - reach the others now, and wait until they hold the same. */
#include "app/cli.h"

enum { PEER, WAIT };

static const struct cli_flag flags[] = {
    { "peer", "NAME|ID", "one of them [all]" },
    { "wait", "T", "for how long at most [10s]" },
    { NULL, NULL, NULL },
};

static int print(struct cli *c, const struct json *answer)
{
    static const char *const heads[] = { "PEER", "STATE", "LAG" };
    const struct json *list = json_get(answer, "peers");
    struct cli_table t;

    cli_table_init(&t, c, "llr", heads);
    for (const struct json *p = list ? list->first : NULL; p; p = p->next)
        cli_table_row(&t,
            (const struct slice[]){ cli_who(c, p), json_get_str(p, "state"),
                cli_count(c, json_get_int(p, "lag", 0)) });
    cli_table_print(&t);
    return CLI_DONE;
}

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "sync"), *answer;
    int64_t ms;
    int rc = CLI_DONE;

    cli_set(c, request, "peer", c->flag[PEER]);
    if (c->flag[WAIT] != NULL)
        rc = cli_duration_ms(c, c->flag[WAIT], &ms);
    if (rc == CLI_DONE && c->flag[WAIT] != NULL)
        cli_set_int(c, request, "wait_ms", ms);
    if (rc == CLI_DONE)
        rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    rc = c->json ? cli_print_answer(c, answer) : print(c, answer);
    return rc == CLI_DONE && !json_get_bool(answer, "synced", false)
        ? CLI_FAILED
        : rc;
}

const struct command cmd_sync = {
    .name = "sync",
    .args = "[--peer NAME|ID] [--wait T]",
    .summary = "reach the others now and wait until they hold the same",
    .help = "Members are in sync by themselves; this does not wait for the "
            "next try to reach who\nis away. Exit status 1 if somebody was "
            "not reached, or does not hold the same yet.",
    .flags = flags,
    .run = run,
};
