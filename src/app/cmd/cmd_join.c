/* cmd_join.c - takes this machine into another one's mesh, by a code or by
 * digits that two people compare. */
#include "app/cmd/cli.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define STEP_MS 100

enum { PEER, DISCARD, LEAVE, YES_DIGITS };

static const struct cli_flag flags[] = {
    { "peer", "A:P", "where the other machine is, if it cannot be found" },
    { "discard", NULL, "drop this machine's items instead of taking them" },
    { "leave", NULL, "leave a mesh that other machines share" },
    { "yes-digits", "D", "say yes for a join that waits, if it shows D" },
    { NULL, NULL, NULL },
};

/* Our requests on the one connection. */
enum { JOIN = 1, CONFIRM };

/* A join without a code, as seen from the terminal. */
struct asking {
    struct cli *c;
    char digits[16]; /* "": not yet */
    bool prompted;   /* a person is being asked */
    struct json *answer;
};

static int tell(struct cli *c, struct json *answer)
{
    const int64_t kept = json_get_int(answer, "kept", 0);

    if (c->json)
        return cli_print_answer(c, answer);
    (void)printf("joined the mesh %.*s through %.*s (%.*s)\n",
        SLICE_FMT(json_get_str(answer, "mesh")),
        SLICE_FMT(cli_inert(c, json_get_str(answer, "name"))),
        SLICE_FMT(json_get_str(answer, "device")));
    if (json_get_str(answer, "role").len > 0)
        (void)printf("this machine is a%s %.*s there; spaces: %.*s\n",
            slice_is(json_get_str(answer, "role"), "admin") ? "n" : "",
            SLICE_FMT(json_get_str(answer, "role")),
            SLICE_FMT(cli_rights(c, answer, "spaces")));
    if (kept > 0)
        (void)printf("%.*s items of this machine came along\n",
            SLICE_FMT(cli_count(c, kept)));
    return CLI_DONE;
}

static struct json *request_of(struct cli *c)
{
    struct json *request = cli_request(c, "join");

    if (c->argc > 0)
        cli_set(c, request, "code", c->argv[0]);
    cli_set(c, request, "peer", c->flag[PEER]);
    if (c->flag[DISCARD] != NULL)
        cli_set_json(request, "discard", json_new_bool(&c->arena, true));
    if (c->flag[LEAVE] != NULL)
        cli_set_json(request, "leave", json_new_bool(&c->arena, true));
    return request;
}

/* ---- digits ---- */

static int send_request(struct cli *c, struct json *request, int64_t id)
{
    struct errmsg why = { "" };

    cli_set_int(c, request, "id", id);
    if (control_send_json(c->control, request, &why) != SYNCLINE_OK)
        return cli_fail(c, "%s", why.text);
    return CLI_DONE;
}

static int confirm(struct asking *a, const char *digits)
{
    struct json *request = cli_request(a->c, "confirm");

    cli_set(a->c, request, "digits", digits);
    return send_request(a->c, request, CONFIRM);
}

static int show_digits(struct asking *a, struct json *event)
{
    struct cli *c = a->c;
    const struct slice digits = json_get_str(event, "digits");

    cli_notice_end(c);
    if (digits.len != 6)
        return cli_fail(c,
            "the daemon shows no digits; is it of another "
            "version?");
    (void)snprintf(a->digits, sizeof a->digits, "%.*s", SLICE_FMT(digits));
    a->prompted = isatty(STDIN_FILENO) == 1 && !c->json;
    if (c->json) {
        int rc = cli_print_answer(c, event);

        return rc == CLI_DONE ? cli_flush(c) : rc;
    }
    (void)printf("%.3s %s\n", a->digits, a->digits + 3);
    (void)fflush(stdout);
    (void)fprintf(stderr,
        "asked %.*s at %.*s; there, `syncline pending` shows six digits\n",
        SLICE_FMT(json_get_str(event, "device")),
        SLICE_FMT(json_get_str(event, "address")));
    if (a->prompted)
        (void)fprintf(stderr, "do the digits match? [y/N] ");
    else
        (void)fprintf(stderr,
            "if they are the same: syncline join --yes-digits DIGITS\n");
    return CLI_DONE;
}

/* Has the person typed a line? */
static int read_person(struct asking *a)
{
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
    char line[64] = "";
    bool yes;

    if (!a->prompted || poll(&p, 1, 0) != 1)
        return CLI_DONE;
    a->prompted = false;
    yes = fgets(line, sizeof line, stdin) != NULL &&
        (line[0] == 'y' || line[0] == 'Y');
    if (yes)
        (void)fprintf(stderr, "waiting for somebody at the other machine\n");
    return confirm(a, yes ? a->digits : "no");
}

static int await(struct asking *a, bool *over)
{
    struct cli *c = a->c;
    struct errmsg why = { "" };
    struct json *answer;
    int rc = control_read_json(c->control, &answer, &c->arena, STEP_MS, &why);

    if (rc == SYNCLINE_ETIMEOUT)
        return read_person(a);
    if (rc != SYNCLINE_OK)
        return cli_fail(c, "%s", why.text);
    if (json_get_int(answer, "id", 0) == CONFIRM)
        return CLI_DONE; /* what comes of it, the other answer says */
    if (json_get_bool(answer, "more", false))
        return show_digits(a, answer);
    *over = true;
    if (a->prompted)
        (void)fputc('\n', stderr);
    if (control_status(answer, &why) != SYNCLINE_OK)
        return cli_fail(c, "%s", why.text);
    return tell(c, answer);
}

static int join_by_digits(struct cli *c)
{
    struct asking a = { .c = c };
    bool over = false;
    int rc = cli_connect(c);

    c->waits_for = "looking for a machine that lets others ask";
    if (rc == CLI_DONE)
        rc = send_request(c, request_of(c), JOIN);
    for (int waited = 0; rc == CLI_DONE && !over; waited++) {
        rc = await(&a, &over);
        if (rc == CLI_DONE && !over && a.digits[0] == 0 &&
            (waited + 1) % (1000 / STEP_MS) == 0)
            cli_notice_waiting(c, (waited + 1) / (1000 / STEP_MS));
    }
    return rc;
}

static int run(struct cli *c)
{
    struct json *answer;
    int rc;

    if (c->flag[YES_DIGITS] != NULL) {
        struct json *request = cli_request(c, "confirm");

        if (c->argc > 0 || c->flag[PEER] != NULL)
            return cli_usage(c,
                "--yes-digits answers for the `syncline join` that waits; "
                "give it alone");
        cli_set(c, request, "digits", c->flag[YES_DIGITS]);
        return cli_do(c, request, NULL);
    }
    if (c->argc == 0)
        return join_by_digits(c);
    c->waits_for = "looking for the machine that made this code";
    rc = cli_call(c, request_of(c), &answer);
    return rc == CLI_DONE ? tell(c, answer) : rc;
}

const struct command cmd_join = {
    .name = "join",
    .args = "[CODE] [--peer A:P] [--discard] [--leave] | --yes-digits D",
    .summary = "take this machine into another one's mesh",
    .help =
        "CODE is what `syncline invite` printed there. Without a code it asks "
        "at a member\nthat lets others ask (`syncline pending --open 2m` "
        "there): both show six digits,\nsomebody compares them, says y here "
        "and `syncline approve DIGITS` there.\n--yes-digits says y from "
        "elsewhere, and no if the digits are others. Items that\nthis machine "
        "holds are kept and join those of spaces with the same name, unless\n"
        "--discard is given. A machine that shares a mesh with others already "
        "refuses\nwithout --leave; with it the items of that mesh come along "
        "too, and what waits to\nbe written there.",
    .flags = flags,
    .max = 1,
    .run = run,
};
