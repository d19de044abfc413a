/* cmd_doctor.c - looks for what commonly stands in the way. */
#include "app/cli.h"

static bool is_bad(const struct json *check)
{
    const struct slice level = json_get_str(check, "level");

    return !json_get_bool(check, "ok", false) && !slice_is(level, "warn") &&
        !slice_is(level, "info");
}

static int run(struct cli *c)
{
    struct json *answer;
    const struct json *checks;
    bool bad = false;
    int rc = cli_call(c, cli_request(c, "doctor"), &answer);

    if (rc != CLI_DONE)
        return rc;
    checks = json_get(answer, "checks");
    for (const struct json *k = checks ? checks->first : NULL; k; k = k->next) {
        const bool ok = json_get_bool(k, "ok", false);
        const struct slice level = json_get_str(k, "level");

        bad = bad || is_bad(k);
        if (!c->json)
            (void)printf("%-6.*s %-12.*s %.*s\n",
                SLICE_FMT(ok             ? SLICE_LIT("ok")
                        : level.len == 0 ? SLICE_LIT("error")
                                         : level),
                SLICE_FMT(json_get_str(k, "name")),
                SLICE_FMT(json_get_str(k, "text")));
    }
    if (c->json)
        rc = cli_print_answer(c, answer);
    return bad ? CLI_FAILED : rc;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .args = "",
    .summary = "check ports, multicast, clocks and the disk",
    .help = "Exit status 1 if something is wrong; a warning is not.",
    .run = run,
};
