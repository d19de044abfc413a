/* cmd_history.c - the versions of an item. */
#include "app/cmd/cli.h"

#define PAGE 1000

/* All pages as one answer: all of it may be more than is told at once. */
static int ask(struct cli *c, struct json **answer)
{
    struct json *all = NULL, *last = NULL, *page, *list;
    bool more = true;

    *answer = NULL;
    while (more) {
        struct json *request = cli_request(c, "history");
        int rc;

        cli_set(c, request, "space", c->argv[0]);
        cli_set(c, request, "key", c->argv[1]);
        cli_set_int(c, request, "after", json_get_int(last, "version", 0));
        cli_set_int(c, request, "limit", PAGE);
        rc = cli_call(c, request, &page);
        if (rc != CLI_DONE)
            return rc;
        page = json_copy(page, &c->arena); /* it is lent until the next */
        if (page == NULL)
            return cli_fail(c, "out of memory");
        list = json_get(page, "versions");
        more = list != NULL && list->first != NULL &&
            json_get_bool(page, "more_versions", false);
        if (*answer == NULL) {
            *answer = page;
            all = list;
        } else if (list != NULL) {
            last->next = list->first;
            all->last = NULL;
            all->n += list->n;
        }
        for (struct json *v = list ? list->first : NULL; v; v = v->next)
            last = v;
    }
    page = json_get(*answer, "more_versions");
    if (page != NULL)
        page->type = JSON_FALSE;
    return CLI_DONE;
}

static int run(struct cli *c)
{
    static const char *const heads[] = { "VERSION", "TIME", "WHAT", "DEVICE",
        "PATH", "VALUE" };
    struct json *answer;
    const struct json *versions;
    struct cli_table t;
    int rc = ask(c, &answer);

    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    cli_table_init(&t, c, "rlllll", heads);
    versions = json_get(answer, "versions");
    for (const struct json *v = versions ? versions->first : NULL; v;
         v = v->next) {
        cli_table_row(&t,
            (const struct slice[]){ cli_compact(c, json_get(v, "version")),
                cli_time(c, json_get_int(v, "time", 0)),
                json_get_str(v, "what"), cli_who(c, v), json_get_str(v, "path"),
                cli_compact(c, json_get(v, "value")) });
    }
    cli_table_print(&t);
    return CLI_DONE;
}

const struct command cmd_history = {
    .name = "history",
    .args = "SPACE KEY",
    .summary = "list the versions of an item, the oldest first",
    .help =
        "WHAT is put (a patch is one, too: each version is the whole item), "
        "delete, or lost\nfor a value that a concurrent one beat. TIME and "
        "DEVICE are of the newest of what stands\nin a version. A change that "
        "came later and is older than that is in a version of its\nown, under "
        "the newer one's name: `conflicts --all` and the histories of other\n"
        "members say whose it was.",
    .min = 2,
    .max = 2,
    .run = run,
};
