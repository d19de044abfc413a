/* cmd_configsync.c - config-sync instances: who is connected, and that all are
 * told what stands. */
#include "app/cmd/cmd_peers.h"

void configsync_print(
    struct cli *c, const struct json *answer, const char *before)
{
    const struct slice trouble = json_get_str(answer, "trouble");
    const struct json *peers = json_get(answer, "peers");

    (void)printf("%.*s/%.*s",
        SLICE_FMT(cli_inert(c, json_get_str(answer, "space"))),
        SLICE_FMT(cli_inert(c, json_get_str(answer, "key"))));
    if (json_get_bool(answer, "server_enabled", false))
        (void)printf(", served on port %lld, %lld connected",
            (long long)json_get_int(answer, "server_port", 0),
            (long long)json_get_int(answer, "callers", 0));
    (void)putchar('\n');
    if (trouble.len > 0)
        (void)printf("%s%.*s\n", before, SLICE_FMT(cli_inert(c, trouble)));
    for (const struct json *p = peers ? peers->first : NULL; p; p = p->next) {
        const struct slice why = json_get_str(p, "trouble");

        (void)printf("%s%.*s: %.*s\n", before,
            SLICE_FMT(cli_inert(c, json_get_str(p, "url"))),
            SLICE_FMT(json_get_bool(p, "connected", false)
                    ? SLICE_LIT("connected")
                    : why.len > 0 ? cli_inert(c, why)
                                  : SLICE_LIT("not reached yet")));
    }
}

static int run(struct cli *c)
{
    const bool forces = c->argc > 0;
    struct json *answer;
    int rc;

    if (forces && strcmp(c->argv[0], "force") != 0)
        return cli_usage(c, "\"%.60s\" is not force", c->argv[0]);
    rc = cli_call(
        c, cli_request(c, forces ? "configsync_force" : "configsync"), &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    configsync_print(c, answer, "  ");
    return CLI_DONE;
}

const struct command cmd_configsync = {
    .name = "configsync",
    .args = "[force]",
    .summary = "config-sync instances; tell all of them what stands here",
    .help = "Shows the item that they share, how they are served and whom we "
            "reach. With force all\nthat are connected are told what stands, "
            "whatever they know; it does not wait for them.",
    .max = 1,
    .run = run,
};
