/* cmd_config.c - the options in force and where each came from. */
#include "app/cli.h"

enum { CONFIG };

static const struct cli_flag flags[] = {
    { "config", "FILE", "configuration [DIR/syncline.yaml]" },
    { NULL, NULL, NULL },
};

static struct slice shown(struct cli *c, const struct json *value)
{
    struct buf b = { 0 };
    struct slice out;

    if (value == NULL || value->type != JSON_ARRAY)
        return cli_text(c, value);
    for (const struct json *v = value->first; v != NULL; v = v->next) {
        if (b.len > 0)
            buf_put_str(&b, ", ");
        buf_put_slice(&b, cli_text(c, v));
    }
    out = arena_dup(&c->arena, buf_slice(&b));
    buf_free(&b);
    return out;
}

static int print(struct cli *c, const struct json *options)
{
    static const char *const heads[] = { "OPTION", "VALUE", "FROM" };
    struct cli_table t;

    cli_table_init(&t, c, "lll", heads);
    for (const struct json *o = options ? options->first : NULL; o; o = o->next)
        cli_table_row(&t,
            (const struct slice[]){ json_get_str(o, "name"),
                shown(c, json_get(o, "value")), json_get_str(o, "source") });
    cli_table_print(&t);
    return CLI_DONE;
}

/* What a daemon that is started now would take. */
static int run_here(struct cli *c)
{
    struct errmsg why = { "" };
    struct json *answer, *options;

    if (options_load(c->options, c->flag[CONFIG], &why) != SYNCLINE_OK)
        return cli_fail(c, "%s", why.text);
    if (options_strangers(c->options)[0] != 0)
        cli_say(c, "no such option in the environment, passed over: %s",
            options_strangers(c->options));
    options = options_describe(c->options, &c->arena);
    answer = json_new(&c->arena, JSON_OBJECT);
    if (json_add(answer, SLICE_LIT("options"), options) == NULL)
        return cli_fail(c, "out of memory");
    return c->json ? cli_print_answer(c, answer) : print(c, options);
}

static int run(struct cli *c)
{
    struct errmsg why = { "" };
    struct json *answer;
    int rc;

    if (c->option_given || c->flag[CONFIG] != NULL ||
        control_open(&c->control, c->dir, &why) != SYNCLINE_OK)
        return run_here(c);
    rc = cli_call(c, cli_request(c, "config"), &answer);
    if (rc != CLI_DONE)
        return rc;
    return c->json ? cli_print_answer(c, answer)
                   : print(c, json_get(answer, "options"));
}

const struct command cmd_config = {
    .name = "config",
    .args = "[--config FILE] [--OPTION VALUE]...",
    .summary = "show the options in force and where each came from",
    .help = "With a daemon in the folder: its own. Without one, or with "
            "options on the\ncommand line: what `syncline up` would take.",
    .flags = flags,
    .takes_options = true,
    .run = run,
};
