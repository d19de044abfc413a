/* cmd_watch.c - prints what changes, as it changes. */
#include "app/cmd/cli.h"

#include <unistd.h>

enum { FROM, PREFIX, SPACE, COUNT, LIVE };

static const struct cli_flag flags[] = {
    { "from", "CURSOR", "go on after this cursor; start: tell all [now]" },
    { "prefix", "P", "keys that begin with P" },
    { "space", "S", "the same as the argument" },
    { "count", "N", "end after N changes" },
    { "live", NULL, "also say once that everything up to now is told" },
    { NULL, NULL, NULL },
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* The mask under which a wait is made, and the one around it. Signals are
 * held from the look at `stopped` until the wait begins, so that none slips
 * through between them. */
struct signals {
    sigset_t open, held;
};

static void catch_signals(struct cli *c, struct signals *s)
{
    struct sigaction action = { .sa_handler = on_signal };

    (void)sigprocmask(SIG_SETMASK, NULL, &s->open);
    (void)sigdelset(&s->open, SIGINT);
    (void)sigdelset(&s->open, SIGTERM);
    s->held = s->open;
    (void)sigaddset(&s->held, SIGINT);
    (void)sigaddset(&s->held, SIGTERM);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    control_interrupt(c->control, &s->open, STDOUT_FILENO);
}

static int await_event(struct cli *c, const struct signals *s,
    struct json **event, struct errmsg *why)
{
    int rc = SYNCLINE_ETIMEOUT;

    (void)sigprocmask(SIG_SETMASK, &s->held, NULL);
    if (!stopped)
        rc = control_read_json(c->control, event, &c->arena, -1, why);
    (void)sigprocmask(SIG_SETMASK, &s->open, NULL);
    return rc;
}

static int print_event(struct cli *c, struct json *event, int64_t *left)
{
    const bool live = json_get_bool(event, "live", false);
    int rc;

    if (live && c->flag[LIVE] == NULL)
        return CLI_DONE;
    rc = cli_print_answer(c, event);
    if (rc == CLI_DONE)
        rc = cli_flush(c);
    if (!live && !json_get_bool(event, "resync", false) && *left > 0)
        (*left)--;
    return rc;
}

static int next_event(
    struct cli *c, const struct signals *s, int64_t *left, bool *over)
{
    struct errmsg why = { "" };
    struct json *event;
    int rc = await_event(c, s, &event, &why);

    if (rc == SYNCLINE_ETIMEOUT && (stopped || cli_reader_gone())) {
        *over = true;
        return CLI_DONE;
    }
    if (rc == SYNCLINE_ETIMEOUT)
        return CLI_DONE;
    if (rc == SYNCLINE_OK)
        rc = control_status(event, &why);
    if (rc != SYNCLINE_OK)
        return cli_fail(c, "%s", why.text);
    if (!json_get_bool(event, "more", false)) {
        *over = true;
        return CLI_DONE;
    }
    rc = print_event(c, event, left);
    *over = *left == 0 || stopped;
    return rc;
}

static int follow(struct cli *c, const struct signals *s, int64_t left)
{
    const struct arena outer = c->arena;
    bool over = false;
    int rc = CLI_DONE;

    c->arena = (struct arena){ 0 };
    while (rc == CLI_DONE && !over) {
        rc = next_event(c, s, &left, &over);
        arena_reset(&c->arena);
    }
    arena_free(&c->arena);
    c->arena = outer;
    /* A reader that stands still held up what was to be written, and would
     * hold up the end of the program too. */
    if (stopped && ferror(stdout))
        _exit(CLI_DONE);
    /* Whoever read this has read enough. */
    return stopped || cli_reader_gone() ? CLI_DONE : rc;
}

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "watch");
    struct errmsg why = { "" };
    int64_t left = -1;
    struct signals signals;
    int rc = CLI_DONE;

    if (c->argc > 0 && c->flag[SPACE] != NULL)
        return cli_usage(c, "give the space once");
    if (c->flag[COUNT] != NULL)
        rc = cli_integer(c, c->flag[COUNT], "--count", 1, &left);
    cli_set(c, request, "space", c->argc > 0 ? c->argv[0] : c->flag[SPACE]);
    cli_set(c, request, "prefix", c->flag[PREFIX]);
    cli_set(c, request, "from", c->flag[FROM]);
    if (rc == CLI_DONE)
        rc = cli_connect(c);
    if (rc != CLI_DONE)
        return rc;
    catch_signals(c, &signals);
    if (control_send_json(c->control, request, &why) != SYNCLINE_OK)
        return cli_fail(c, "%s", why.text);
    rc = follow(c, &signals, left);
    control_interrupt(c->control, NULL, -1);
    return rc;
}

const struct command cmd_watch = {
    .name = "watch",
    .args = "[SPACE] [--prefix P] [--from CURSOR|start] [--count N] [--live]",
    .summary = "print changes as they come, one JSON object a line",
    .help = "Each has a cursor; --from goes on after it. An item that changed "
            "twice meanwhile\nis told once. {\"resync\":true} says that the "
            "cursor is of a past that this node\nlost: what follows is the "
            "whole state. Ends with 0 on SIGINT or SIGTERM.",
    .flags = flags,
    .max = 1,
    .run = run,
};
