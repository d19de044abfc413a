/* cmd_approve.c - lets in, or turns away, who is at the door. */
#include "app/cmd/cli.h"

enum { ROLE, SPACE };

static const struct cli_flag flags[] = {
    { "role", "R", "admin, member, reader or relay [admin]" },
    { "space", "S...", "this space and no other" },
    { NULL, NULL, NULL },
};

static int decide(struct cli *c, const char *op, const char *done)
{
    struct json *request = cli_request(c, op), *answer;
    char digits[32];
    int rc = cli_set_terms(c, request, c->flag[ROLE], c->flag[SPACE]);

    /* The digits are shown as two groups, and copied so. */
    if (c->argc > 1)
        (void)snprintf(digits, sizeof digits, "%s %s", c->argv[0], c->argv[1]);
    cli_set(c, request, "who", c->argc > 1 ? digits : c->argv[0]);
    if (rc == CLI_DONE)
        rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    (void)printf("%s %.*s\n", done, SLICE_FMT(json_get_str(answer, "device")));
    return CLI_DONE;
}

static int approve(struct cli *c)
{
    return decide(c, "approve", "let in");
}

static int deny(struct cli *c)
{
    return decide(c, "deny", "turned away");
}

const struct command cmd_approve = {
    .name = "approve",
    .args = "DIGITS|DEVICE [--role R] [--space S]...",
    .flags = flags,
    .summary = "let in the device that shows these digits",
    .help = "Only after the digits were compared with those on the other "
            "machine, with\nor without their space. DEVICE is its whole id, as "
            "`syncline pending --json` shows it.\nWaits until somebody there "
            "has said y as well; breaking off before that takes it\nback.",
    .min = 1,
    .max = 2,
    .run = approve,
};

const struct command cmd_deny = {
    .name = "deny",
    .args = "DIGITS|DEVICE",
    .summary = "turn away a device that asks to be let in",
    .min = 1,
    .max = 2,
    .run = deny,
};
