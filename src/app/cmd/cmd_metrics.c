/* cmd_metrics.c - what Prometheus would be told. */
#include "app/cmd/cli.h"

enum { OPENMETRICS };

static const struct cli_flag flags[] = {
    { "openmetrics", NULL, "in the format of OpenMetrics" },
    { NULL, NULL, NULL },
};

static int run(struct cli *c)
{
    struct json *request = cli_request(c, "metrics"), *answer;
    struct slice text;
    int rc;

    if (c->flag[OPENMETRICS] != NULL)
        cli_set(c, request, "format", "openmetrics");
    rc = cli_call(c, request, &answer);
    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    text = json_get_str(answer, "text");
    (void)fwrite(text.ptr, 1, text.len, stdout);
    return cli_flush(c);
}

const struct command cmd_metrics = {
    .name = "metrics",
    .args = "[--openmetrics]",
    .summary = "print counters and times, in the text format of Prometheus",
    .help = "For a file that node_exporter's textfile collector reads, and for "
            "who\nwants to look. With --json an object: content_type, text.",
    .flags = flags,
    .run = run,
};
