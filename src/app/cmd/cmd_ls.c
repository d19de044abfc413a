/* cmd_ls.c - lists the keys of a space. */
#include "app/pages.h"

enum { PREFIX, VALUES, AFTER, LIMIT };

static const struct cli_flag flags[] = {
    { "prefix", "P", "keys that begin with P" },
    { "values", NULL, "the value too, after a tab" },
    { "after", "KEY", "keys that sort after KEY" },
    { "limit", "N", "at most N" },
    { NULL, NULL, NULL },
};

static int print(struct cli *c, const struct json *item)
{
    const struct json *value = json_get(item, "value");
    const struct slice key = json_get_str(item, "key");

    if (c->json)
        return cli_print_json(c, item, JSON_CANONICAL);
    (void)fwrite(key.ptr, 1, key.len, stdout);
    if (value == NULL) {
        (void)putchar('\n');
        return ferror(stdout) ? cli_flush(c) : CLI_DONE;
    }
    (void)putchar('\t');
    return cli_print_json(c, value, JSON_CANONICAL);
}

static int run(struct cli *c)
{
    struct pages p = { .space = c->argv[0],
        .prefix = c->flag[PREFIX],
        .after = c->flag[AFTER],
        .values = c->flag[VALUES] != NULL };
    int rc = CLI_DONE;

    if (c->flag[LIMIT] != NULL)
        rc = cli_integer(c, c->flag[LIMIT], "--limit", 1, &p.limit);
    return rc == CLI_DONE ? pages_walk(c, &p, print) : rc;
}

const struct command cmd_ls = {
    .name = "ls",
    .args = "[SPACE] [--prefix P] [--values] [--after KEY] [--limit N]",
    .summary = "list keys, one a line, sorted",
    .help = "SPACE is default if it is left out. With --json an object a "
            "line.",
    .flags = flags,
    .max = 1,
    .run = run,
};
