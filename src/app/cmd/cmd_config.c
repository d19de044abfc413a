/* cmd_config.c - the options in force, where each came from, and changes. */
#include "app/cmd/cli.h"

#include "app/options/options_edit.h"

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

/* With what it will be, if it waits for that. */
static struct slice in_force(struct cli *c, const struct json *o)
{
    const struct json *next = json_get(o, "next");
    const struct slice now = shown(c, json_get(o, "value"));

    return next == NULL ? now
                        : cli_printf(c, "%.*s  (from the next start on: %.*s)",
                              SLICE_FMT(now), SLICE_FMT(shown(c, next)));
}

/* One alone: its value, for programs. */
static int print_one(
    struct cli *c, const struct json *options, const char *name)
{
    const struct json *o = options != NULL ? options->first : NULL;
    struct slice value;

    while (o != NULL && !slice_is(json_get_str(o, "name"), name))
        o = o->next;
    if (o == NULL)
        return cli_fail(c, "%s: the daemon has no such option", name);
    if (c->json)
        return cli_print_json(c, o, JSON_CANONICAL);
    value = shown(c, json_get(o, "value"));
    (void)printf("%.*s\n", SLICE_FMT(value));
    value = shown(c, json_get(o, "next"));
    if (json_get(o, "next") != NULL)
        cli_say(c, "from the next start on it is %.*s", SLICE_FMT(value));
    return CLI_DONE;
}

static int print(struct cli *c, const struct json *options)
{
    static const char *const heads[] = { "OPTION", "VALUE", "FROM" };
    struct cli_table t;

    cli_table_init(&t, c, "lll", heads);
    for (const struct json *o = options ? options->first : NULL; o; o = o->next)
        cli_table_row(&t,
            (const struct slice[]){ json_get_str(o, "name"), in_force(c, o),
                json_get_str(o, "source") });
    cli_table_print(&t);
    return CLI_DONE;
}

/* What a daemon that is started now would take. */
static int run_here(struct cli *c, const char *name)
{
    struct errmsg why = { "" };
    struct json *answer, *options;

    if (options_load(c->options, c->flag[CONFIG], &why) != SYNCLINE_OK)
        return cli_fail(c, "%s", why.text);
    if (options_strangers(c->options)[0] != 0)
        cli_say(c, "no such option in the environment, passed over: %s",
            options_strangers(c->options));
    options = options_describe(c->options, c->options, &c->arena);
    answer = json_new(&c->arena, JSON_OBJECT);
    if (json_add(answer, SLICE_LIT("options"), options) == NULL)
        return cli_fail(c, "out of memory");
    if (name != NULL)
        return print_one(c, options, name);
    return c->json ? cli_print_answer(c, answer) : print(c, options);
}

/* name NULL: all. */
static int show(struct cli *c, const char *name)
{
    struct errmsg why = { "" };
    struct json *answer;
    int rc;

    if (c->option_given || c->flag[CONFIG] != NULL ||
        control_open(&c->control, c->dir, &why) != SYNCLINE_OK)
        return run_here(c, name);
    rc = cli_call(c, cli_request(c, "config"), &answer);
    if (rc != CLI_DONE)
        return rc;
    if (name != NULL)
        return print_one(c, json_get(answer, "options"), name);
    return c->json ? cli_print_answer(c, answer)
                   : print(c, json_get(answer, "options"));
}

static int no_option(struct cli *c, const char *name)
{
    return cli_fail(c,
        "%.60s: there is no such option; `syncline config` lists them all",
        name);
}

/* ---- changes ---- */

static int change_here(struct cli *c, const struct json *value)
{
    struct option_edit edits[OPTION_CHANGES_MAX];
    struct options *changed = NULL;
    struct errmsg why = { "" };
    size_t n;
    int rc = options_load(c->options, c->flag[CONFIG], &why);

    if (rc == SYNCLINE_OK)
        rc = options_edits_of(edits, &n, value, &c->arena, &why);
    if (rc == SYNCLINE_OK)
        rc = options_change(&changed, c->options, edits, n, &why);
    options_free(changed);
    return rc == SYNCLINE_OK ? CLI_DONE : cli_fail(c, "%s", why.text);
}

/* The daemon's file, by its daemon, which then knows; else the file alone. */
static int change(struct cli *c, struct json *value)
{
    const char *name = options_find(c->argv[1]);
    struct errmsg why = { "" };
    struct json *request = cli_request(c, "config_set"), *answer;
    int rc;

    if (name == NULL)
        return no_option(c, c->argv[1]);
    if (c->flag[CONFIG] != NULL ||
        control_open(&c->control, c->dir, &why) != SYNCLINE_OK)
        rc = change_here(c, value);
    else {
        cli_set_json(request, "value", value);
        rc = cli_call(c, request, &answer);
        if (rc == CLI_DONE && c->json)
            return cli_print_answer(c, answer);
        if (rc == CLI_DONE && json_get(answer, "trouble") != NULL)
            return cli_fail(c, "it is in the file, but does not hold: %.*s",
                SLICE_FMT(json_get_str(answer, "trouble")));
        if (rc == CLI_DONE && json_get_bool(answer, "restart", false))
            (void)fprintf(stderr,
                "%s is in the file, and in force from the next start of the "
                "daemon on\n",
                name);
    }
    return rc;
}

static int run(struct cli *c)
{
    const char *what = c->argc > 0 ? c->argv[0] : "show";
    struct json *value = json_new(&c->arena, JSON_OBJECT);

    if (strcmp(what, "show") == 0 && c->argc < 2)
        return show(c, NULL);
    if (strcmp(what, "get") == 0 && c->argc == 2)
        return options_find(c->argv[1]) != NULL
            ? show(c, options_find(c->argv[1]))
            : no_option(c, c->argv[1]);
    if (strcmp(what, "set") == 0 && c->argc == 3) {
        cli_set(c, value, c->argv[1], c->argv[2]);
        return change(c, value);
    }
    if (strcmp(what, "unset") == 0 && c->argc == 2) {
        cli_set_json(value, c->argv[1], json_new(&c->arena, JSON_NULL));
        return change(c, value);
    }
    return cli_usage(
        c, "wants nothing, `get OPTION`, `set OPTION VALUE` or `unset OPTION`");
}

const struct command cmd_config = {
    .name = "config",
    .args = "[get OPTION | set OPTION VALUE | unset OPTION] [--config FILE] "
            "[--OPTION VALUE]...",
    .summary = "show the options in force and where each came from; change one",
    .help = "With a daemon in the folder: its own. Without one, or with "
            "options on the\ncommand line: what `syncline up` would take. "
            "`set` and `unset` change the file and\nleave all else in it as "
            "it is; log.*, limits.*, history.*, retention,\ncollect.interval, "
            "clock.bound and most of isync.* are in force at once, the rest\n"
            "from the next start on: it is said which.",
    .flags = flags,
    .max = 3,
    .takes_options = true,
    .run = run,
};
