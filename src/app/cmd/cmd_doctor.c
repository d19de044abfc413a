/* cmd_doctor.c - looks for what commonly stands in the way. */
#include "app/cmd/cli.h"

static bool is_bad(const struct json *check)
{
    const struct slice level = json_get_str(check, "level");

    return !json_get_bool(check, "ok", false) && !slice_is(level, "warn") &&
        !slice_is(level, "info");
}

/* The daemon tells whether the log is written; here it is read. */
static void add_audit(struct cli *c, struct json *checks, const char *wrong)
{
    struct slice text = cli_printf(c,
        "%s; keep a copy of the log and see who can write to the folder: if it "
        "was none of you, remove this device and let it join anew. Told as "
        "long as that file is kept",
        wrong);
    struct json *check = json_append(checks, json_new(&c->arena, JSON_OBJECT));

    cli_set(c, check, "name", "audit");
    cli_set_json(check, "ok", json_new_bool(&c->arena, false));
    cli_set(c, check, "level", "error");
    cli_set_json(check, "text", json_new_str(&c->arena, text));
}

static int run(struct cli *c)
{
    struct json *answer, *checks;
    struct errmsg wrong = { "" };
    bool bad = false;
    int rc;

    /* First: an answer is good until the next one. What keeps it from being
     * read, it says. */
    (void)cli_audit_wrong(c, &wrong);
    rc = cli_call(c, cli_request(c, "doctor"), &answer);
    if (rc != CLI_DONE)
        return rc;
    checks = json_get(answer, "checks");
    if (wrong.text[0] != 0 && checks != NULL)
        add_audit(c, checks, wrong.text);
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
                SLICE_FMT(cli_inert(c, json_get_str(k, "text"))));
    }
    if (c->json)
        rc = cli_print_answer(c, answer);
    return bad ? CLI_FAILED : rc;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .args = "",
    .summary = "check ports, multicast, clocks, the disk and the audit log",
    .help = "Exit status 1 if something is wrong; a warning is not.",
    .run = run,
};
