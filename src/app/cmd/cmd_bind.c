/* cmd_bind.c - keeps configuration files and items the same. */
#include "app/cmd/cli.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* The daemon has a folder of its own: it is told the whole path, in which no
 * folder is a link. The file itself may be gone, or a link: that is looked at
 * there. */
const char *cli_whole_path(struct cli *c, const char *path)
{
    char folder[PATH_MAX], real[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;

    (void)snprintf(folder, sizeof folder, "%.*s",
        slash == NULL ? 1 : (int)(slash - path) + (slash == path),
        slash == NULL ? "." : path);
    if (realpath(folder, real) == NULL) {
        /* Of one that was bound and has gone with its folder, or mistyped. */
        return path[0] == '/' || getcwd(real, sizeof real) == NULL
            ? path
            : (const char *)cli_printf(c, "%s/%s", real, path).ptr;
    }
    return (const char *)cli_printf(
        c, "%s%s%s", strcmp(real, "/") == 0 ? "" : real, "/", name)
        .ptr;
}

/* ---- bind ---- */

enum {
    SPACE,
    KEY,
    PREFER,
    FORMAT,
    SCHEMA,
    LOCAL,
    ON_CHANGE,
    REVERT,
    TIMEOUT,
    VERSIONS,
    RESTORE
};

static const struct cli_flag bind_flags[] = {
    { "space", "S", "the item's space [default]" },
    { "key", "K", "the item's key" },
    { "prefer", "WHICH", "if both are there and differ: file, item or merge" },
    { "format", "F", "json or yaml [by the name: .yaml and .yml are YAML]" },
    { "schema", "FILE", "JSON Schema that whatever is taken must keep" },
    { "local", "POINTER...", "stays on this machine; may be given again" },
    { "on-change", "CMD", "run this when the file was written" },
    { "revert-on-failure", NULL, "and take the change back if that fails" },
    { "timeout", "T", "so long that may take [10s]" },
    { "versions", "N", "so many are kept beside the file [10]" },
    { "restore", NULL, "of a bound file: make it what its item says" },
    { NULL, NULL, NULL },
};

static int set_local(struct cli *c, struct json *request)
{
    struct json *list = json_new(&c->arena, JSON_ARRAY);
    const char *at = c->flag[LOCAL];

    while (at != NULL && *at != 0) {
        const size_t n = strcspn(at, ",");

        (void)json_append(list, json_new_str(&c->arena, SLICE(at, n)));
        at += n + (at[n] == ',');
    }
    if (c->flag[LOCAL] != NULL)
        cli_set_json(request, "local", list);
    return CLI_DONE;
}

static int set_schema(struct cli *c, struct json *request)
{
    struct json *schema;
    struct slice text;
    int rc;

    if (c->flag[SCHEMA] == NULL)
        return CLI_DONE;
    rc = cli_read_all(c, c->flag[SCHEMA], &text);
    if (rc == CLI_DONE)
        rc = cli_parse_json(c, text, c->flag[SCHEMA], &schema);
    if (rc == CLI_DONE)
        cli_set_json(request, "schema", schema);
    return rc;
}

static int set_numbers(struct cli *c, struct json *request)
{
    int64_t n;
    int rc = CLI_DONE;

    if (c->flag[TIMEOUT] != NULL) {
        rc = cli_duration_ms(c, c->flag[TIMEOUT], &n);
        if (rc == CLI_DONE)
            cli_set_int(c, request, "timeout_ms", n);
    }
    if (rc == CLI_DONE && c->flag[VERSIONS] != NULL) {
        rc = cli_integer(c, c->flag[VERSIONS], "--versions", 0, &n);
        if (rc == CLI_DONE)
            cli_set_int(c, request, "versions", n);
    }
    return rc;
}

static void say_troubles(const struct json *v)
{
    const struct json *list = json_get(v, "troubles");

    for (const struct json *t = list ? list->first : NULL; t; t = t->next)
        (void)fprintf(stderr, "%.*s: %.*s\n",
            SLICE_FMT(json_get_str(v, "file")),
            SLICE_FMT(json_get_str(t, "text")));
}

static int finish(struct cli *c, struct json *request)
{
    struct json *answer;
    int rc = cli_call(c, request, &answer);

    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    say_troubles(answer);
    if (isatty(2))
        (void)fprintf(stderr, "%.*s and %.*s/%.*s: %.*s\n",
            SLICE_FMT(json_get_str(answer, "file")),
            SLICE_FMT(json_get_str(answer, "space")),
            SLICE_FMT(json_get_str(answer, "key")),
            SLICE_FMT(json_get_str(answer, "state")));
    return CLI_DONE;
}

static int run_restore(struct cli *c)
{
    struct json *request = cli_request(c, "bind_restore");

    for (int i = 0; i < RESTORE; i++)
        if (c->flag[i] != NULL)
            return cli_usage(c,
                "--restore is of a file that is bound, and goes with nothing "
                "else");
    cli_set(c, request, "file", cli_whole_path(c, c->argv[0]));
    return finish(c, request);
}

static int run_bind(struct cli *c)
{
    static const struct {
        int flag;
        const char *name;
    } texts[] = { { SPACE, "space" }, { KEY, "key" }, { PREFER, "prefer" },
        { FORMAT, "format" }, { ON_CHANGE, "on_change" } };
    struct json *request;
    int rc;

    if (c->flag[RESTORE] != NULL)
        return run_restore(c);
    if (c->flag[KEY] == NULL)
        return cli_usage(
            c, "--key is missing: the item to keep it the same as");
    if (c->flag[ON_CHANGE] == NULL &&
        (c->flag[REVERT] != NULL || c->flag[TIMEOUT] != NULL))
        return cli_usage(c,
            "--revert-on-failure and --timeout are of a command: --on-change");
    request = cli_request(c, "bind");
    cli_set(c, request, "file", cli_whole_path(c, c->argv[0]));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (c->flag[texts[i].flag] != NULL)
            cli_set(c, request, texts[i].name, c->flag[texts[i].flag]);
    if (c->flag[REVERT] != NULL)
        cli_set_json(request, "revert", json_new_bool(&c->arena, true));
    rc = set_local(c, request);
    if (rc == CLI_DONE)
        rc = set_schema(c, request);
    if (rc == CLI_DONE)
        rc = set_numbers(c, request);
    return rc == CLI_DONE ? finish(c, request) : rc;
}

const struct command cmd_bind = {
    .name = "bind",
    .args = "FILE --key K",
    .summary = "keep a configuration file and an item the same",
    .help =
        "From then on what is saved in FILE is written to the item, and what "
        "comes for the\nitem is written into FILE, whose comments, order and "
        "indentation stay. The folder must\nbe below one that the option "
        "files.root names. CMD is run by sh when Syncline has\nwritten the "
        "file, with {\"file\":F,\"changed\":[POINTER,...]} on its standard "
        "input.\nA FILE that is deleted is not deleted elsewhere.",
    .flags = bind_flags,
    .min = 1,
    .max = 1,
    .run = run_bind,
};

/* ---- unbind, bindings ---- */

static int run_unbind(struct cli *c)
{
    struct json *request = cli_request(c, "unbind");

    cli_set(c, request, "file", cli_whole_path(c, c->argv[0]));
    return cli_do(c, request, "not bound any more; the file and its item stay");
}

const struct command cmd_unbind = {
    .name = "unbind",
    .args = "FILE",
    .summary = "no longer keep a file and its item the same",
    .min = 1,
    .max = 1,
    .run = run_unbind,
};

static int run_bindings(struct cli *c)
{
    static const char *const heads[] = { "FILE", "SPACE", "KEY", "STATE",
        "TROUBLE" };
    struct json *answer;
    const struct json *list;
    struct cli_table t;
    int rc = cli_call(c, cli_request(c, "bindings"), &answer);

    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    cli_table_init(&t, c, "lllll", heads);
    list = json_get(answer, "bindings");
    for (const struct json *f = list ? list->first : NULL; f; f = f->next) {
        const struct json *troubles = json_get(f, "troubles");
        const struct json *first = troubles ? troubles->first : NULL;

        cli_table_row(&t,
            (const struct slice[]){ json_get_str(f, "file"),
                json_get_str(f, "space"), json_get_str(f, "key"),
                json_get_str(f, "state"),
                first != NULL ? cli_inert(c, json_get_str(first, "text"))
                              : SLICE_NONE });
    }
    cli_table_print(&t);
    return CLI_DONE;
}

const struct command cmd_bindings = {
    .name = "bindings",
    .args = "",
    .summary = "list the files that are bound, and what is wrong with them",
    .max = 0,
    .run = run_bindings,
};
