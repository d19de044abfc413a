/* cmd_sync.c - reach the others now, and wait until they hold the same. */
#include "app/cmd/cli.h"

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

/* "b, c": those of a state. */
static struct slice names_of(
    struct cli *c, const struct json *answer, const char *state)
{
    const struct json *list = json_get(answer, "peers");
    struct buf b = { 0 };
    struct slice out;

    for (const struct json *p = list ? list->first : NULL; p; p = p->next) {
        if (!slice_is(json_get_str(p, "state"), state))
            continue;
        buf_put_str(&b, b.len > 0 ? ", " : "");
        buf_put_slice(&b, cli_inert(c, cli_who(c, p)));
    }
    out = arena_dup(&c->arena, buf_slice(&b));
    buf_free(&b);
    return out;
}

static int tell_missing(struct cli *c, const struct json *answer)
{
    const struct slice away = names_of(c, answer, "unreachable");
    const struct slice behind = names_of(c, answer, "behind");

    if (away.len > 0)
        cli_say(c,
            "away, and not reached: %.*s; what they lack they get once "
            "they are back",
            SLICE_FMT(away));
    if (behind.len > 0)
        cli_say(c,
            "connected, but they do not hold the same yet: %.*s; wait "
            "longer by --wait",
            SLICE_FMT(behind));
    return CLI_FAILED;
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
    c->waits_for = "reaching the other members";
    if (rc == CLI_DONE)
        rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    rc = c->json ? cli_print_answer(c, answer) : print(c, answer);
    return rc == CLI_DONE && !json_get_bool(answer, "synced", false)
        ? tell_missing(c, answer)
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
