/* cmd_restore.c - writes an old version anew, or brings back what was
 * deleted. */
#include "app/cmd/cli.h"

#include <time.h>

#define AT_ONCE 500
#define BATCH_BYTES ((size_t)256 << 10) /* of values */

enum { DELETED, PREFIX, SINCE, BY, DRY_RUN, YES };

static const struct cli_flag flags[] = {
    { "deleted", NULL, "every item that is deleted, as it was before" },
    { "prefix", "P", "only those whose key begins so" },
    { "since", "T", "only what was deleted within this time: 10m, 2h" },
    { "by", "DEVICE", "only what that device deleted: its name, or id" },
    { "dry-run", NULL, "list them, and bring nothing back" },
    { "yes", NULL, "do not ask" },
    { NULL, NULL, NULL },
};

/* ---- one version ---- */

static int restore_version(struct cli *c)
{
    struct json *request = cli_request(c, "restore");
    int64_t version;
    int rc;

    if (c->argc != 3)
        return cli_usage(c, "name SPACE, KEY and VERSION, or say --deleted");
    rc = cli_integer(c, c->argv[2], "VERSION", 1, &version);
    if (rc != CLI_DONE)
        return rc;
    cli_set(c, request, "space", c->argv[0]);
    cli_set(c, request, "key", c->argv[1]);
    cli_set_int(c, request, "version", version);
    return cli_do(c, request, NULL);
}

/* ---- all that is deleted ---- */

struct terms {
    int64_t since_us;
    bool lists; /* and brings nothing back */
    int64_t n;
};

static int read_since(struct cli *c, int64_t *out)
{
    int64_t ms;
    int rc;

    *out = 0;
    if (c->flag[SINCE] == NULL)
        return CLI_DONE;
    rc = cli_duration_ms(c, c->flag[SINCE], &ms);
    if (rc == CLI_DONE)
        *out = ((int64_t)time(NULL) * 1000 - ms) * 1000;
    return rc;
}

/* As many of the list as one batch takes; the rest of it. */
static const struct json *put_ops(
    struct cli *c, struct json *ops, const struct json *v)
{
    size_t bytes = 0;

    for (; v != NULL; v = v->next) {
        const struct json *value = json_get(v, "value");
        struct json *op = json_new(&c->arena, JSON_OBJECT);

        bytes += cli_compact(c, value).len;
        if (ops->n > 0 && bytes > BATCH_BYTES)
            break;
        json_add(op, SLICE_LIT("key"),
            json_new_str(&c->arena, json_get_str(v, "key")));
        json_add(op, SLICE_LIT("value"), json_copy(value, &c->arena));
        json_add(op, SLICE_LIT("new"), json_new_bool(&c->arena, true));
        json_append(ops, op);
    }
    return v;
}

static int write_back(struct cli *c, const struct json *list)
{
    const struct json *rest = list->first;
    int rc = CLI_DONE;

    while (rest != NULL && rc == CLI_DONE) {
        struct json *request = cli_request(c, "batch"), *answer;
        struct json *ops = json_new(&c->arena, JSON_ARRAY);

        if (ops == NULL)
            return cli_fail(c, "memory ran out");
        rest = put_ops(c, ops, rest);
        cli_set(c, request, "space", c->argv[0]);
        cli_set_json(request, "ops", ops);
        rc = cli_call(c, request, &answer);
    }
    return rc;
}

static int take(struct cli *c, struct terms *t, const struct json *list)
{
    int rc = CLI_DONE;

    if (t->lists && c->json)
        for (const struct json *v = list->first; v != NULL; v = v->next)
            (void)cli_print_json(c, v, JSON_CANONICAL);
    else if (t->lists)
        for (const struct json *v = list->first; v != NULL; v = v->next)
            (void)printf("%.*s  by %.*s, %.*s\n",
                SLICE_FMT(cli_inert(c, json_get_str(v, "key"))),
                SLICE_FMT(cli_who(c, v)),
                SLICE_FMT(cli_time(c, json_get_int(v, "time", 0))));
    else if (list->n > 0)
        rc = write_back(c, list);
    t->n += list->n;
    return rc;
}

static struct json *ask(struct cli *c, const struct terms *t, const char *after)
{
    struct json *request = cli_request(c, "deleted");

    cli_set(c, request, "space", c->argv[0]);
    cli_set_int(c, request, "limit", AT_ONCE);
    cli_set_int(c, request, "since", t->since_us);
    if (c->flag[PREFIX] != NULL)
        cli_set(c, request, "prefix", c->flag[PREFIX]);
    if (c->flag[BY] != NULL)
        cli_set(c, request, "by", c->flag[BY]);
    if (after[0] != 0)
        cli_set(c, request, "after", after);
    return request;
}

static int each(struct cli *c, struct terms *t)
{
    const char *after = "";
    bool more = true;

    while (more) {
        struct json *answer;
        const struct json *list;
        struct slice next;
        int rc = cli_call(c, ask(c, t, after), &answer);

        if (rc != CLI_DONE)
            return rc;
        list = json_get(answer, "deleted");
        if (list == NULL)
            return cli_fail(
                c, "the daemon sent no list; is it of another version?");
        rc = take(c, t, list);
        if (rc != CLI_DONE)
            return rc;
        cli_notice(c, "%lld items", (long long)t->n);
        more = json_get_bool(answer, "more_items", false);
        next = arena_dup(&c->arena, json_get_str(answer, "after"));
        after = next.ptr != NULL ? (const char *)next.ptr : "";
    }
    cli_notice_end(c);
    return CLI_DONE;
}

static int restore_deleted(struct cli *c)
{
    struct terms t = { .lists = c->flag[DRY_RUN] != NULL };
    int rc;

    if (c->argc != 1)
        return cli_usage(c, "--deleted is for a SPACE; --prefix for some keys");
    rc = read_since(c, &t.since_us);
    if (rc == CLI_DONE && !t.lists)
        rc = cli_confirm(c, c->flag[YES] != NULL,
            "this brings back deleted items of %s, for all members",
            c->argv[0]);
    if (rc == CLI_DONE)
        rc = each(c, &t);
    if (rc == CLI_DONE && !t.lists && c->json)
        (void)printf("{\"items\":%lld}\n", (long long)t.n);
    else if (rc == CLI_DONE && !t.lists)
        (void)fprintf(stderr, "%lld item%s brought back\n", (long long)t.n,
            t.n == 1 ? "" : "s");
    return rc;
}

static int run(struct cli *c)
{
    if (c->flag[DELETED] != NULL)
        return restore_deleted(c);
    for (int i = PREFIX; i <= YES; i++)
        if (c->flag[i] != NULL)
            return cli_usage(c, "--%s goes with --deleted", flags[i].name);
    return restore_version(c);
}

const struct command cmd_restore = {
    .name = "restore",
    .args = "SPACE KEY VERSION | SPACE --deleted [--prefix P] [--since T] "
            "[--by DEVICE] [--dry-run] [--yes]",
    .summary = "bring a version of an item back, or what was deleted",
    .help = "`syncline history SPACE KEY` lists the versions; what is brought "
            "back is a new one.\n--deleted brings back every item of a space "
            "that is deleted, as far as this\nmachine's history has it: all "
            "that a device deleted, or that was deleted within\na time. What "
            "was made anew meanwhile stays as it is.",
    .flags = flags,
    .min = 1,
    .max = 3,
    .run = run,
};
