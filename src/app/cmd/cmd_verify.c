/* cmd_verify.c - proves that the members agree, or names what differs. */
#include "app/cmd/cli.h"

static void print_differing(struct cli *c, const struct json *member)
{
    const struct json *differ = json_get(member, "differ");

    for (const struct json *d = differ ? differ->first : NULL; d; d = d->next)
        (void)printf("    %.*s/%.*s\n", SLICE_FMT(json_get_str(d, "space")),
            SLICE_FMT(cli_inert(c, json_get_str(d, "key"))));
}

static void print_all(struct cli *c, const struct json *answer)
{
    const struct json *spaces = json_get(answer, "spaces");
    const struct json *members = json_get(answer, "members");

    for (const struct json *s = spaces ? spaces->first : NULL; s; s = s->next)
        (void)printf("%.*s  %.*s\n",
            SLICE_FMT(cli_text(c, json_get(s, "fingerprint"))),
            SLICE_FMT(json_get_str(s, "name")));
    for (const struct json *m = members ? members->first : NULL; m;
         m = m->next) {
        const bool agrees = json_get_bool(m, "agree", false);
        struct slice device = json_get_str(m, "device");

        if (device.len > 12)
            device.len = 12;
        (void)printf("  %.*s (%.*s): %s\n",
            SLICE_FMT(cli_inert(c, json_get_str(m, "name"))), SLICE_FMT(device),
            !json_get_bool(m, "reachable", false) ? "not reachable"
                : agrees                          ? "agrees"
                                                  : "differs");
        print_differing(c, m);
    }
}

static unsigned out_of_reach(const struct json *answer, unsigned *others)
{
    const struct json *members = json_get(answer, "members");
    unsigned n = 0;

    *others = members != NULL ? members->n : 0;
    for (const struct json *m = members ? members->first : NULL; m; m = m->next)
        n += !json_get_bool(m, "reachable", false);
    return n;
}

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "verify"), *answer;
    unsigned missing, others;
    bool agree;
    int rc;

    cli_set(c, request, "space", c->argv[0]);
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    agree = json_get_bool(answer, "agree", false);
    if (c->json)
        rc = cli_print_answer(c, answer);
    else
        print_all(c, answer);
    if (!agree)
        return cli_fail(c,
            "not every member agrees; if nobody has just written, look at "
            "`syncline status` there and here");
    missing = out_of_reach(answer, &others);
    if (missing > 0 && missing == others)
        return cli_fail(c, "no other member could be asked");
    if (others == 0 && !c->json)
        cli_say(c, "this device is alone: there is nobody to compare with");
    if (missing > 0)
        cli_say(c, "%u of %u others could not be asked", missing, others);
    return rc;
}

const struct command cmd_verify = {
    .name = "verify",
    .args = "[SPACE]",
    .summary = "prove that all members hold the same, or name what differs",
    .help = "Exit status 0 only if every member that can be reached agrees, "
            "and one\ncan, if there are others at all.",
    .max = 1,
    .run = run,
};
