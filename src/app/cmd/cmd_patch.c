/* cmd_patch.c - changes fields of an item (RFC 7396, RFC 6902). */
#include "app/cmd/cli.h"

enum { WAIT, TIMEOUT };

static const struct cli_flag flags[] = {
    { "wait", "N|all", "for that many others to have it on disk [0]" },
    { "timeout", "T", "how long to wait for them [10s]" },
    { NULL, NULL, NULL },
};

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "patch"), *patch;
    struct slice text = slice_str(c->argv[2]);
    int rc = cli_set_wait(c, request, c->flag[WAIT], c->flag[TIMEOUT]);

    if (rc == CLI_DONE && slice_is(text, "-"))
        rc = cli_read_all(c, "-", &text);
    if (rc == CLI_DONE)
        rc = cli_parse_json(c, text,
            (const char *)cli_printf(
                c, "%.100s/%.300s: the patch", c->argv[0], c->argv[1])
                .ptr,
            &patch);
    if (rc != CLI_DONE)
        return rc;
    if (patch->type != JSON_OBJECT && patch->type != JSON_ARRAY)
        return cli_usage(c,
            "%s/%s: a patch is an object that names the fields to change, as "
            "'{\"level\":3}', or a list of operations; `syncline put` "
            "replaces the whole value",
            c->argv[0], c->argv[1]);
    cli_set(c, request, "space", c->argv[0]);
    cli_set(c, request, "key", c->argv[1]);
    cli_set_json(
        request, patch->type == JSON_ARRAY ? "json_patch" : "patch", patch);
    return cli_do(c, request, NULL);
}

const struct command cmd_patch = {
    .name = "patch",
    .args = "SPACE KEY JSON|- [--wait N|all] [--timeout T]",
    .summary = "change fields of an item",
    .help = "An object is a JSON merge patch (RFC 7396): fields are set, null "
            "removes one, the\nothers stay as they are. A list is a JSON "
            "Patch (RFC 6902): add, remove, replace,\nmove, copy and test, "
            "all of them or none.",
    .flags = flags,
    .min = 3,
    .max = 3,
    .run = run,
};
