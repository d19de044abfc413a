/* cmd_invite.c - makes a code that lets one machine in. */
#include "app/cmd/cli.h"
#include "app/qr.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS 80

enum { EXPIRES, QR, NO_QR, ROLE, SPACE, FORCE };

static const struct cli_flag flags[] = {
    { "expires", "T", "how long the code can be used: 90s, 30m, 2h [10m]" },
    { "qr", NULL, "show it as a picture, too [on a terminal]" },
    { "no-qr", NULL, "do not" },
    { "role", "R", "admin, member, reader or relay [admin]" },
    { "space", "S...", "this space and no other" },
    { "force", NULL, "though a member says that this device was removed" },
    { NULL, NULL, NULL },
};

static unsigned columns(void)
{
    struct winsize size = { 0 };

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0
        ? size.ws_col
        : COLUMNS;
}

/* Beside what is for programs. A picture that does not fit is left out: there
 * is the code. */
static int show_qr(struct cli *c, struct slice code)
{
    const bool terminal = isatty(STDERR_FILENO) == 1;
    struct buf b = { 0 };
    int rc;

    if (c->flag[NO_QR] != NULL || (c->flag[QR] == NULL && !terminal))
        return CLI_DONE;
    rc = put_qr(&b, code, columns(), terminal);
    if (rc == SYNCLINE_OK)
        (void)fwrite(b.ptr, 1, b.len, stderr);
    buf_free(&b);
    if (rc == SYNCLINE_OK || c->flag[QR] == NULL)
        return CLI_DONE;
    return cli_fail(c, "%s",
        rc == SYNCLINE_ELIMIT ? "the picture of the code is wider than the "
                                "terminal"
                              : "out of memory");
}

static const char *a_or_an(struct slice role)
{
    return slice_is(role, "admin") ? "an" : "a";
}

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "invite"), *answer;
    struct slice code;
    int64_t ms;
    int rc = CLI_DONE;

    if (c->flag[QR] != NULL && c->flag[NO_QR] != NULL)
        return cli_usage(c, "give --qr or --no-qr, not both");
    if (c->flag[EXPIRES] != NULL) {
        rc = cli_duration_ms(c, c->flag[EXPIRES], &ms);
        if (rc == CLI_DONE)
            cli_set_int(c, request, "expires_s", (ms + 999) / 1000);
    }
    if (c->flag[FORCE] != NULL)
        cli_set_json(request, "force", json_new_bool(&c->arena, true));
    if (rc == CLI_DONE)
        rc = cli_set_terms(c, request, c->flag[ROLE], c->flag[SPACE]);
    if (rc == CLI_DONE)
        rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    code = json_get_str(answer, "code");
    (void)printf("%.*s\n", SLICE_FMT(code));
    rc = cli_flush(c);
    (void)fprintf(stderr,
        "good once, for %s %.*s, until %.*s; on the other machine: syncline "
        "join %.*s\n",
        a_or_an(json_get_str(answer, "role")),
        SLICE_FMT(json_get_str(answer, "role")),
        SLICE_FMT(cli_time(c, json_get_int(answer, "expires", 0))),
        SLICE_FMT(code));
    return rc == CLI_DONE ? show_qr(c, code) : rc;
}

const struct command cmd_invite = {
    .name = "invite",
    .args =
        "[--expires T] [--role R] [--space S]... [--qr] [--no-qr] [--force]",
    .summary = "make a code that lets one machine into this mesh",
    .help = "The code goes to standard output. It is good once, for the "
            "machine that gives\nit to `syncline join`. Whoever reads it can "
            "join: tell it to nobody else. With --space alone it lets in a "
            "member.",
    .flags = flags,
    .run = run,
};
