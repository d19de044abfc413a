/* cmd_remove.c - shuts a member out. */
#include "app/cmd/cli.h"

enum { FORCE };

static const struct cli_flag flags[] = {
    { "force", NULL, "even if no admin is left, or this device was removed" },
    { NULL, NULL, NULL },
};

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "remove"), *answer;
    int rc;

    cli_set(c, request, "device", c->argv[0]);
    if (c->flag[FORCE] != NULL)
        cli_set_json(request, "force", json_new_bool(&c->arena, true));
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    (void)printf("removed %.*s (%.*s)\n",
        SLICE_FMT(json_get_str(answer, "name")),
        SLICE_FMT(json_get_str(answer, "device")));
    cli_tell_effects(answer);
    return CLI_DONE;
}

const struct command cmd_remove = {
    .name = "remove",
    .args = "DEVICE [--force]",
    .summary = "shut a member out of the mesh",
    .help = "DEVICE is its id, at least the first seven characters, or its "
            "name if no other\nmember has that. What it holds already, it "
            "keeps; the mesh gets a new key.",
    .flags = flags,
    .min = 1,
    .max = 1,
    .run = run,
};
