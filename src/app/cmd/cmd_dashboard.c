/* cmd_dashboard.c - a link by which a browser on this machine signs in. */
#include "app/cmd/cli.h"
#include "app/dashboard.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPEN, SIGN_OUT };

static const struct cli_flag flags[] = {
    { "open", NULL, "open it in this desktop's browser" },
    { "sign-out", NULL, "make none, but end all sessions and links" },
    { NULL, NULL, NULL },
};

static bool has_desktop(void)
{
    return getenv("DISPLAY") != NULL || getenv("WAYLAND_DISPLAY") != NULL;
}

/* The link stands in the browser's command line for a moment; it is good
 * once, and the browser is quicker. */
static int open_browser(struct cli *c, const char *url)
{
    int status;
    pid_t child;

    child = fork();
    if (child == 0) {
        (void)execlp("xdg-open", "xdg-open", url, (char *)NULL);
        _exit(127);
    }
    if (child < 0)
        return cli_fail(c, "no browser could be started: %s", strerror(errno));
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return CLI_DONE;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
        ? CLI_DONE
        : cli_fail(c, "xdg-open failed; open the link yourself");
}

static int sign_out(struct cli *c)
{
    struct json *answer;
    int rc;

    if (c->flag[OPEN] != NULL)
        return cli_usage(c, "give --open or --sign-out, not both");
    rc = cli_call(c, cli_request(c, "session_end_all"), &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    (void)fprintf(stderr, "%lld sessions have ended\n",
        (long long)json_get_int(answer, "ended", 0));
    return CLI_DONE;
}

static int run(struct cli *c)
{
    struct json *answer;
    struct slice url;
    char text[256];
    int rc;

    if (c->flag[SIGN_OUT] != NULL)
        return sign_out(c);
    if (dashboard_pages_n == 0)
        return cli_fail(c,
            "this syncline was built without its dashboard; see "
            "-Ddashboard in meson_options.txt");
    if (c->flag[OPEN] != NULL && !has_desktop())
        return cli_fail(c,
            "there is no desktop here; leave out --open, and "
            "open the link yourself");
    rc = cli_call(c, cli_request(c, "session_link"), &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    url = json_get_str(answer, "url");
    (void)printf("%.*s\n", SLICE_FMT(url));
    rc = cli_flush(c);
    (void)fprintf(stderr,
        "good once, for %.*s; whoever opens it may do everything here\n",
        SLICE_FMT(cli_span(c, json_get_int(answer, "expires_s", 0))));
    if (json_get_str(answer, "fingerprint").len > 0)
        (void)fprintf(stderr,
            "from another machine: the same with https:// and this one's "
            "address; its certificate\nhas the SHA-256 %.*s\n",
            SLICE_FMT(json_get_str(answer, "fingerprint")));
    if (rc != CLI_DONE || c->flag[OPEN] == NULL)
        return rc;
    (void)snprintf(text, sizeof text, "%.*s", SLICE_FMT(url));
    return open_browser(c, text);
}

const struct command cmd_dashboard = {
    .name = "dashboard",
    .args = "[--open | --sign-out]",
    .summary = "make a link that opens the dashboard in a browser",
    .help =
        "The link goes to standard output. It signs in one browser, within "
        "five minutes, for\ntwelve hours or until nobody has used it for "
        "two. Whoever has it may do all that\nthe command line may: tell it "
        "to nobody.",
    .flags = flags,
    .run = run,
};
