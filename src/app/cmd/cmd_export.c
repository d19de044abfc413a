/* cmd_export.c - prints a space as lines that `import` reads. */
#include "app/pages.h"

enum { PREFIX };

static const struct cli_flag flags[] = {
    { "prefix", "P", "keys that begin with P" },
    { NULL, NULL, NULL },
};

static int print(struct cli *c, const struct json *item)
{
    const struct slice key = json_get_str(item, "key");
    const struct json *value = json_get(item, "value");
    struct buf b = { 0 };

    if (value == NULL)
        return cli_fail(c,
            "%.*s: the daemon sent no value; is it of another "
            "version?",
            SLICE_FMT(key));
    buf_put_str(&b, "{\"key\":");
    json_print_string(&b, key, false);
    buf_put_str(&b, ",\"value\":");
    json_print(&b, value, JSON_CANONICAL);
    buf_put_str(&b, "}\n");
    if (buf_status(&b) != SYNCLINE_OK) {
        buf_free(&b);
        return cli_fail(c, "%.*s: out of memory", SLICE_FMT(key));
    }
    (void)fwrite(b.ptr, 1, b.len, stdout);
    buf_free(&b);
    return ferror(stdout) ? cli_flush(c) : CLI_DONE;
}

static int run(struct cli *c)
{
    const struct pages p = {
        .space = c->argv[0], .prefix = c->flag[PREFIX], .values = true
    };

    return pages_walk(c, &p, print);
}

const struct command cmd_export = {
    .name = "export",
    .args = "[SPACE] [--prefix P]",
    .summary = "print items as lines {\"key\":...,\"value\":...}, sorted",
    .help = "`syncline import` reads them. What is written meanwhile may or "
            "may not be in it.",
    .flags = flags,
    .max = 1,
    .run = run,
};
