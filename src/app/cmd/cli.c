#include "app/cmd/cli.h"

#include "base/text.h"

#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

const struct command *const cli_commands[] = {
    &cmd_up,
    &cmd_stop,
    &cmd_key,
    &cmd_status,
    &cmd_doctor,
    &cmd_errors,
    &cmd_config,
    &cmd_log,
    &cmd_invite,
    &cmd_isync,
    &cmd_configsync,
    &cmd_join,
    &cmd_pending,
    &cmd_approve,
    &cmd_deny,
    &cmd_peers,
    &cmd_members,
    &cmd_grant,
    &cmd_revoke,
    &cmd_remove,
    &cmd_clock,
    &cmd_rotate,
    &cmd_sync,
    &cmd_verify,
    &cmd_audit,
    &cmd_metrics,
    &cmd_token,
    &cmd_dashboard,
    &cmd_space,
    &cmd_policy,
    &cmd_put,
    &cmd_get,
    &cmd_del,
    &cmd_patch,
    &cmd_ls,
    &cmd_watch,
    &cmd_import,
    &cmd_export,
    &cmd_history,
    &cmd_restore,
    &cmd_conflicts,
    &cmd_resolve,
    &cmd_rescue,
    &cmd_bind,
    &cmd_unbind,
    &cmd_bindings,
    &cmd_versions,
    &cmd_rollback,
    &cmd_help,
    NULL,
};

/* What getopt_long returns for a long flag: a kind and an index. */
enum {
    GOT_FLAG = 0x100,
    GOT_OPTION = 0x200,
    GOT_DIR = 0x300,
    GOT_JSON,
    GOT_HELP,
    GOT_ARGUMENT = 1
};

#define LONG_MAX_N 128

/* Stands before an argument such as -5, which is a number and no flag. */
#define NUMBER_MARK '\001'

const struct command *cli_find(const char *name)
{
    for (size_t i = 0; cli_commands[i] != NULL; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

void cli_say(struct cli *c, const char *fmt, ...)
{
    va_list ap;

    cli_notice_end(c);
    (void)fflush(stdout);
    (void)fprintf(stderr, "syncline%s%s: ", c->command != NULL ? " " : "",
        c->command != NULL ? c->command->name : "");
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
}

int cli_fail(struct cli *c, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cli_say(c, "%s", text);
    return CLI_FAILED;
}

int cli_usage(struct cli *c, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cli_say(c, "%s", text);
    (void)fprintf(stderr, "usage: syncline %s%s%s\n", c->command->name,
        c->command->args[0] != 0 ? " " : "", c->command->args);
    return CLI_USAGE;
}

static void add_long(
    struct option *out, size_t *n, const char *name, bool has_value, int val)
{
    ENSURE(*n < LONG_MAX_N);
    out[(*n)++] = (struct option){ .name = name,
        .has_arg = has_value ? required_argument : no_argument,
        .val = val };
}

static size_t make_long(const struct command *command, struct option *out)
{
    struct option_help h;
    size_t n = 0;

    add_long(out, &n, "dir", true, GOT_DIR);
    add_long(out, &n, "json", false, GOT_JSON);
    add_long(out, &n, "help", false, GOT_HELP);
    for (int i = 0; command->flags && command->flags[i].name != NULL; i++)
        add_long(out, &n, command->flags[i].name,
            command->flags[i].value != NULL, GOT_FLAG + i);
    for (size_t ix = 1; command->takes_options && options_help(ix, &h); ix++)
        add_long(out, &n, h.name, true, GOT_OPTION + (int)ix);
    out[n] = (struct option){ 0 };
    return n;
}

static char *unmarked(char *arg)
{
    return arg != NULL && arg[0] == NUMBER_MARK ? arg + 1 : arg;
}

/* A copy of argv in which numbers below zero do not look like flags. */
static char **mark_numbers(struct cli *c, int argc, char **argv)
{
    char **out = arena_zalloc(&c->arena, (size_t)argc + 1, sizeof *out);

    for (int i = 0; out != NULL && i < argc; i++) {
        out[i] = argv[i];
        if (argv[i][0] != '-' || !isdigit((unsigned char)argv[i][1]))
            continue;
        out[i] = arena_alloc(&c->arena, strlen(argv[i]) + 2);
        if (out[i] == NULL)
            return NULL;
        out[i][0] = NUMBER_MARK;
        (void)stpcpy(out[i] + 1, argv[i]);
    }
    return out;
}

static int take_option(struct cli *c, const char *name, const char *text)
{
    struct errmsg why;
    int rc = options_read_flag(c->options, name, text, &why);

    if (rc == SYNCLINE_OK)
        return CLI_DONE;
    if (rc == SYNCLINE_ENOMEM)
        return cli_fail(c, "%s", why.text);
    return cli_usage(c, "%s", why.text);
}

/* NULL: memory ran out. */
static char *more_of(struct cli *c, const char *had, const char *more)
{
    size_t len = strlen(had) + strlen(more) + 2;
    char *both = arena_alloc(&c->arena, len);

    if (both != NULL)
        (void)snprintf(both, len, "%s,%s", had, more);
    return both;
}

static int take_flag(struct cli *c, int got, char *value)
{
    struct option_help h;

    if (got == GOT_DIR)
        return take_option(c, "dir", value);
    if (got == GOT_JSON) {
        c->json = true;
        return CLI_DONE;
    }
    if (got >= GOT_OPTION) {
        ENSURE(options_help((size_t)(got - GOT_OPTION), &h));
        c->option_given = true;
        return take_option(c, h.name, value);
    }
    if (value != NULL && c->flag[got - GOT_FLAG] != NULL &&
        strstr(c->command->flags[got - GOT_FLAG].value, "...") != NULL)
        value = more_of(c, c->flag[got - GOT_FLAG], value);
    c->flag[got - GOT_FLAG] = value != NULL ? value : "";
    return CLI_DONE;
}

/* Reads what follows the command's name. *help is set by --help. */
static int parse(struct cli *c, int argc, char **argv, bool *help)
{
    struct option longs[LONG_MAX_N + 1];
    char **marked = mark_numbers(c, argc, argv);
    int got, rc;

    (void)make_long(c->command, longs);
    c->argv = arena_zalloc(&c->arena, (size_t)argc + 1, sizeof *c->argv);
    if (marked == NULL || c->argv == NULL)
        return cli_fail(c, "out of memory");
    optind = 1;
    opterr = 0;
    while ((got = getopt_long(argc, marked, "-:h", longs, NULL)) != -1) {
        if (got == GOT_HELP || got == 'h')
            *help = true;
        else if (got == GOT_ARGUMENT)
            c->argv[c->argc++] = unmarked(optarg);
        else if (got == ':')
            return cli_usage(c, "%s wants a value", marked[optind - 1]);
        else if (got == '?')
            return cli_usage(c, "there is no flag %s", marked[optind - 1]);
        else if ((rc = take_flag(c, got, unmarked(optarg))) != CLI_DONE)
            return rc;
    }
    while (optind < argc)
        c->argv[c->argc++] = unmarked(marked[optind++]);
    return CLI_DONE;
}

static int check_arguments(struct cli *c)
{
    if (c->argc < c->command->min)
        return cli_usage(c,
            c->argc == 0 ? "arguments are missing" : "an argument is missing");
    if (c->argc > c->command->max)
        return cli_usage(c, "\"%.200s\" is too much", c->argv[c->command->max]);
    for (int i = 0; i < c->argc; i++)
        if (!utf8_valid(slice_str(c->argv[i])))
            return cli_fail(
                c, "argument %d is not valid UTF-8; nothing was done", i + 1);
    return CLI_DONE;
}

/* The folder when neither a flag nor SYNCLINE_DIR names one. */
static void default_dir(char *out, size_t n)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");

    if (state != NULL && state[0] == '/')
        (void)snprintf(out, n, "%s/syncline", state);
    else if (geteuid() == 0 || home == NULL || home[0] == 0)
        (void)snprintf(out, n, "/var/lib/syncline");
    else
        (void)snprintf(out, n, "%s/.local/state/syncline", home);
}

/* Options with the environment in them. Most commands need the folder only,
 * but a wrong SYNCLINE_* is better told than passed over. */
static int make_options(struct cli *c)
{
    char hostname[256] = "", dir[4096];
    struct options_host host = { hostname, dir };
    struct errmsg why = { "" };
    int rc;

    if (gethostname(hostname, sizeof hostname - 1) != 0 || hostname[0] == 0)
        (void)stpcpy(hostname, "syncline");
    hostname[strcspn(hostname, ".")] = 0;
    default_dir(dir, sizeof dir);
    rc = options_new(&c->options, &host, &why);
    if (rc == SYNCLINE_OK)
        rc = options_read_env(c->options, environ, &why);
    return rc == SYNCLINE_OK ? CLI_DONE : cli_fail(c, "%s", why.text);
}

static int run(struct cli *c, int argc, char **argv)
{
    bool help = false;
    int rc = make_options(c);

    if (rc == CLI_DONE)
        rc = parse(c, argc, argv, &help);
    if (rc == CLI_DONE && help) {
        cli_help(stdout, c->command);
        return cli_flush(c);
    }
    if (rc == CLI_DONE)
        rc = check_arguments(c);
    if (rc != CLI_DONE)
        return rc;
    c->dir = options_str(c->options, "dir");
    /* What reads stdout may go away at any time. */
    if (c->command != &cmd_up)
        (void)signal(SIGPIPE, SIG_IGN);
    rc = c->command->run(c);
    cli_notice_end(c);
    if (rc == CLI_DONE)
        rc = cli_flush(c);
    return rc;
}

static int no_command(struct cli *c, const char *name)
{
    const size_t n = strlen(name);

    cli_say(c, "there is no command %.60s", name);
    for (size_t i = 0; cli_commands[i] != NULL; i++)
        if (strncmp(cli_commands[i]->name, name, n < 2 ? n : 2) == 0)
            (void)fprintf(stderr, "  perhaps: syncline %s%s%s\n",
                cli_commands[i]->name, cli_commands[i]->args[0] ? " " : "",
                cli_commands[i]->args);
    (void)fputs("`syncline --help` lists all commands\n", stderr);
    return CLI_USAGE;
}

int cli_main(int argc, char **argv)
{
    struct cli c = { 0 };
    int rc;

    if (argc < 2) {
        cli_help(stderr, NULL);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("syncline " SYNCLINE_VERSION);
        return cli_flush(&c);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        cli_help(stdout, NULL);
        return cli_flush(&c);
    }
    c.command = cli_find(argv[1]);
    rc = c.command == NULL ? no_command(&c, argv[1])
                           : run(&c, argc - 1, argv + 1);
    control_close(c.control);
    options_free(c.options);
    arena_free(&c.arena);
    return rc;
}
