/* cmd_pending.c - who is at the door without a code, and what becomes of it. */
#include "app/cmd/cli.h"

#include <poll.h>

#define LOOK_MS 300

enum { OPEN, WATCH, FORCE };

static const struct cli_flag flags[] = {
    { "open", "T", "let devices ask for so long; 0: no more" },
    { "watch", NULL, "go on looking as long as devices may ask" },
    { "force", NULL, "though a member says that this device was removed" },
    { NULL, NULL, NULL },
};

static struct slice state_of(const struct json *p)
{
    /* It has lost its store, or what it was answered. */
    if (json_get_bool(p, "member", false) &&
        !json_get_bool(p, "approved", false))
        return SLICE_LIT("is a member already");
    if (!json_get_bool(p, "confirmed", false))
        return json_get_bool(p, "approved", false)
            ? SLICE_LIT("approved here, not yet confirmed there")
            : SLICE_LIT("not yet confirmed there");
    return json_get_bool(p, "approved", false) ? SLICE_LIT("approved")
                                               : SLICE_LIT("confirmed there");
}

static void print_pending(struct cli *c, const struct json *list)
{
    static const char *const heads[] = { "DIGITS", "NAME", "DEVICE", "ADDRESS",
        "SINCE", "STATE" };
    struct cli_table t;

    cli_table_init(&t, c, "llllll", heads);
    for (const struct json *p = list->first; p != NULL; p = p->next) {
        struct slice digits = json_get_str(p, "digits");
        struct slice device = json_get_str(p, "device");

        if (device.len > 12)
            device.len = 12;
        if (digits.len == 6)
            digits = cli_printf(c, "%.3s %.3s", (const char *)digits.ptr,
                (const char *)digits.ptr + 3);
        cli_table_row(&t,
            (const struct slice[]){ digits,
                cli_inert(c, json_get_str(p, "name")), device,
                json_get_str(p, "address"),
                cli_time(c, json_get_int(p, "since", 0)), state_of(p) });
    }
    cli_table_print(&t);
}

/* What is there, unless it is what was shown last. */
static int show(struct cli *c, struct json *answer, struct buf *shown)
{
    const struct json *list = json_get(answer, "pending");
    const struct slice now = cli_compact(c, list);
    int rc = CLI_DONE;

    if (list == NULL || slice_eq(buf_slice(shown), now))
        return CLI_DONE;
    buf_clear(shown);
    buf_put_slice(shown, now);
    if (c->json)
        rc = cli_print_answer(c, answer);
    else if (list->first != NULL)
        print_pending(c, list);
    else if (json_get_int(answer, "open_s", 0) > 0)
        (void)fprintf(stderr,
            "nobody is at the door; for %.*s devices may "
            "ask: syncline join\n",
            SLICE_FMT(cli_span(c, json_get_int(answer, "open_s", 0))));
    else
        (void)fprintf(stderr,
            "nobody is at the door, and nobody may ask; "
            "--open 2m lets devices ask\n");
    return rc == CLI_DONE ? cli_flush(c) : rc;
}

static int look(struct cli *c, struct buf *shown, bool *over)
{
    const struct arena outer = c->arena;
    struct json *answer, *list;
    int rc;

    c->arena = (struct arena){ 0 };
    rc = cli_call(c, cli_request(c, "pending"), &answer);
    if (rc == CLI_DONE) {
        list = json_get(answer, "pending");
        *over = json_get_int(answer, "open_s", 0) == 0 &&
            (list == NULL || list->first == NULL);
        rc = show(c, answer, shown);
    }
    arena_free(&c->arena);
    c->arena = outer;
    return rc;
}

static int open_door(struct cli *c)
{
    struct json *request = cli_request(c, "pending_open"), *answer;
    int64_t ms;
    int rc = cli_duration_ms(c, c->flag[OPEN], &ms);

    if (rc != CLI_DONE)
        return rc;
    cli_set_int(c, request, "for_s", (ms + 999) / 1000);
    if (c->flag[FORCE] != NULL)
        cli_set_json(request, "force", json_new_bool(&c->arena, true));
    return cli_call(c, request, &answer);
}

static int run(struct cli *c)
{
    struct buf shown = { 0 };
    bool over = false;
    int rc = c->flag[OPEN] != NULL ? open_door(c) : CLI_DONE;

    if (rc == CLI_DONE)
        rc = look(c, &shown, &over);
    while (rc == CLI_DONE && c->flag[WATCH] != NULL && !over) {
        if (cli_reader_gone())
            break;
        (void)poll(NULL, 0, LOOK_MS);
        rc = look(c, &shown, &over);
    }
    buf_free(&shown);
    return rc;
}

const struct command cmd_pending = {
    .name = "pending",
    .args = "[--open T [--force]] [--watch]",
    .summary = "list who asks to be let in without a code",
    .help = "Devices may ask only while --open says so, for up to an hour; one "
            "at a time, three\nin all, and each is at the door for two "
            "minutes. Compare the digits with those\nthat the other machine "
            "shows, then `syncline approve` or `deny` them. The name is\nwhat "
            "the device says of itself.",
    .flags = flags,
    .run = run,
};
