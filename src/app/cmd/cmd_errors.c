/* cmd_errors.c - what went wrong, and that somebody knows. */
#include "app/cmd/cli.h"

enum { ALL, ACK, REOPEN, BY };

static const struct cli_flag flags[] = {
    { "all", NULL, "those that are over, too" },
    { "ack", "ID|all", "somebody knows of it" },
    { "reopen", "ID|all", "nobody has seen to it after all" },
    { "by", "NAME", "who knows of it" },
    { NULL, NULL, NULL },
};

static struct slice places(struct cli *c, const struct json *where)
{
    struct buf b = { 0 };
    struct slice out;

    for (const struct json *v = where ? where->first : NULL; v; v = v->next)
        buf_printf(&b, "%s%.*s %.*s", b.len > 0 ? ", " : "", SLICE_FMT(v->key),
            SLICE_FMT(cli_text(c, v)));
    out = arena_dup(&c->arena, buf_slice(&b));
    buf_free(&b);
    return out;
}

static void print_one(struct cli *c, const struct json *e)
{
    const struct slice by = json_get_str(e, "by");
    const struct slice advice = json_get_str(e, "advice");
    const struct slice where = places(c, json_get(e, "where"));
    const int64_t count = json_get_int(e, "count", 1);

    (void)printf("%.*s  %-5.*s %.*s", SLICE_FMT(json_get_str(e, "id")),
        SLICE_FMT(json_get_str(e, "level")),
        SLICE_FMT(json_get_str(e, "state")));
    if (by.len > 0)
        (void)printf(" by %.*s", SLICE_FMT(cli_inert(c, by)));
    (void)printf("  %.*s", SLICE_FMT(cli_time(c, json_get_int(e, "first", 0))));
    if (json_get_int(e, "last", 0) != json_get_int(e, "first", 0))
        (void)printf(
            " to %.*s", SLICE_FMT(cli_time(c, json_get_int(e, "last", 0))));
    if (count > 1)
        (void)printf(", %lld times", (long long)count);
    (void)printf("\n  %.*s: %.*s\n", SLICE_FMT(json_get_str(e, "code")),
        SLICE_FMT(cli_inert(c, json_get_str(e, "what"))));
    if (where.len > 0)
        (void)printf("  at %.*s\n", SLICE_FMT(cli_inert(c, where)));
    if (advice.len > 0)
        (void)printf("  -> %.*s\n", SLICE_FMT(cli_inert(c, advice)));
}

static int show(struct cli *c)
{
    struct json *request = cli_request(c, "errors"), *answer;
    const struct json *list;
    int rc;

    if (c->flag[ALL] != NULL)
        cli_set_json(request, "all", json_new_bool(&c->arena, true));
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    list = json_get(answer, "errors");
    for (const struct json *e = list ? list->first : NULL; e; e = e->next)
        print_one(c, e);
    return CLI_DONE;
}

static int run(struct cli *c)
{
    const bool ack = c->flag[ACK] != NULL;
    const char *id = ack ? c->flag[ACK] : c->flag[REOPEN];
    struct json *request;

    if (ack && c->flag[REOPEN] != NULL)
        return cli_usage(c, "--ack and --reopen are two things");
    if (c->flag[BY] != NULL && !ack)
        return cli_usage(c, "--by goes with --ack");
    if (id == NULL)
        return show(c);
    request = cli_request(c, "error_ack");
    cli_set(c, request, "id", id);
    cli_set(c, request, "by", c->flag[BY]);
    cli_set_json(request, "ack", json_new_bool(&c->arena, ack));
    return cli_do(c, request, NULL);
}

const struct command cmd_errors = {
    .name = "errors",
    .args = "[--all] [--ack ID|all [--by NAME]] [--reopen ID|all]",
    .summary = "show what went wrong and what to do; acknowledge it",
    .help = "What happened, and what is so until it is over; the same thing "
            "is counted. It is\nkept over restarts. What somebody has "
            "acknowledged is open again if it comes back.",
    .flags = flags,
    .run = run,
};
