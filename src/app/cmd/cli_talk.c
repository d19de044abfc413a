/* cli_talk.c - how the commands ask the daemon, and read what they ask. */
#include "app/cmd/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define READ_MAX (CONTROL_LINE_MAX - 4096)

int cli_connect(struct cli *c)
{
    struct errmsg why = { "" };
    int rc;

    if (c->control != NULL)
        return CLI_DONE;
    rc = control_open(&c->control, c->dir, &why);
    if (rc == SYNCLINE_OK)
        return CLI_DONE;
    cli_say(c, "%s", why.text);
    return rc == SYNCLINE_ENOTFOUND ? CLI_NO_DAEMON : CLI_FAILED;
}

struct json *cli_request(struct cli *c, const char *op)
{
    struct json *request = json_new(&c->arena, JSON_OBJECT);

    cli_set(c, request, "op", op);
    return request;
}

void cli_set(
    struct cli *c, struct json *request, const char *name, const char *text)
{
    if (text != NULL)
        cli_set_json(request, name, json_new_str(&c->arena, slice_str(text)));
}

void cli_set_int(
    struct cli *c, struct json *request, const char *name, int64_t number)
{
    cli_set_json(request, name, json_new_int(&c->arena, number));
}

/* Arena memory that runs out is fatal here: the caller would have to check
 * after every member, and there is nothing else a command could do. */
void cli_set_json(struct json *request, const char *name, struct json *value)
{
    if (json_add(request, slice_str(name), value) != NULL)
        return;
    (void)fputs("syncline: out of memory\n", stderr);
    exit(CLI_FAILED);
}

/* After a second of silence a person is told that we wait. */
static int read_answer(struct cli *c, struct json **answer, struct errmsg *why)
{
    for (int waited = 0;; waited++) {
        int rc = control_read_json(c->control, answer, &c->arena, 1000, why);
        if (rc != SYNCLINE_ETIMEOUT) {
            cli_notice_end(c);
            return rc;
        }
        cli_notice_waiting(c, waited + 1);
    }
}

int cli_try(struct cli *c, struct json *request, struct json **answer,
    int *status, struct errmsg *why)
{
    int rc = cli_connect(c);

    if (rc != CLI_DONE)
        return rc;
    rc = control_send_json(c->control, request, why);
    if (rc == SYNCLINE_OK)
        rc = read_answer(c, answer, why);
    if (rc != SYNCLINE_OK)
        return cli_fail(c, "%s", why->text);
    *status = control_status(*answer, why);
    return CLI_DONE;
}

int cli_call(struct cli *c, struct json *request, struct json **answer)
{
    struct errmsg why = { "" };
    int status = SYNCLINE_OK;
    int rc = cli_try(c, request, answer, &status, &why);

    if (rc == CLI_DONE && status != SYNCLINE_OK)
        return cli_fail(c, "%s", why.text);
    return rc;
}

int cli_do(struct cli *c, struct json *request, const char *done)
{
    struct json *answer;
    int rc = cli_call(c, request, &answer);

    if (rc != CLI_DONE)
        return rc;
    if (c->json)
        return cli_print_answer(c, answer);
    if (done != NULL)
        (void)fprintf(stderr, "%s\n", done);
    return CLI_DONE;
}

int cli_integer(struct cli *c, const char *text, const char *what, int64_t min,
    int64_t *out)
{
    char *end;
    long long n;

    errno = 0;
    n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || n < min)
        return cli_usage(c,
            "%s wants a whole number from %" PRId64 " up, not \"%.100s\"", what,
            min, text);
    *out = n;
    return CLI_DONE;
}

int cli_duration_ms(struct cli *c, const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = { { "", 1000 }, { "s", 1000 }, { "ms", 1 }, { "m", 60000 },
        { "h", 3600000 }, { "d", 86400000 } };
    char *end;
    long long n;

    errno = 0;
    n = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (errno == 0 && end != text && n >= 0 && n < INT32_MAX &&
            strcmp(end, units[i].unit) == 0) {
            *ms = n * units[i].ms;
            return CLI_DONE;
        }
    return cli_usage(c, "\"%.100s\" is not a time, as 10s, 500ms or 2m", text);
}

int cli_set_wait(
    struct cli *c, struct json *request, const char *wait, const char *timeout)
{
    int64_t n = 0;
    int rc = CLI_DONE;

    if (timeout != NULL && wait == NULL)
        return cli_usage(c, "--timeout says how long to --wait; give both");
    if (wait != NULL && strcmp(wait, "all") == 0) {
        cli_set(c, request, "wait", "all");
    } else if (wait != NULL) {
        rc = cli_integer(c, wait, "--wait (or all)", 0, &n);
        if (rc == CLI_DONE)
            cli_set_int(c, request, "wait", n);
    }
    if (rc == CLI_DONE && timeout != NULL) {
        rc = cli_duration_ms(c, timeout, &n);
        if (rc == CLI_DONE)
            cli_set_int(c, request, "wait_ms", n);
    }
    return rc;
}

/* A word, where JSON has quotes around it that shells take away. */
static bool is_bare_word(struct slice text)
{
    return text.len > 0 && text.len < 40 &&
        memchr("{[\"", text.ptr[0], 3) == NULL &&
        memchr(text.ptr, '"', text.len) == NULL;
}

int cli_parse_json(
    struct cli *c, struct slice text, const char *where, struct json **out)
{
    struct errmsg why = { "" };

    if (json_parse(out, text, JSON_STRICT, &c->arena, &why) == SYNCLINE_OK)
        return CLI_DONE;
    if (is_bare_word(text))
        return cli_fail(c,
            "%s: %s; nothing was changed. This is read as JSON: a text is "
            "'\"%.*s\"', with both kinds of quotes; a field is '{\"name\":1}'",
            where, why.text, SLICE_FMT(text));
    return cli_fail(c, "%s: %s; nothing was changed", where, why.text);
}

int cli_read_all(struct cli *c, const char *path, struct slice *out)
{
    const bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "re");
    struct buf b = { .max = READ_MAX };
    uint8_t *room;
    int rc = CLI_DONE;

    if (f == NULL)
        return cli_fail(c, "%s: %s", path, strerror(errno));
    do {
        room = buf_reserve(&b, (size_t)64 << 10);
        if (room != NULL)
            b.len += fread(room, 1, (size_t)64 << 10, f);
    } while (room != NULL && !feof(f) && !ferror(f));
    if (ferror(f))
        rc = cli_fail(
            c, "%s: %s", standard ? "standard input" : path, strerror(errno));
    else if (room == NULL)
        rc = cli_fail(c, "%s: larger than 64 MiB", path);
    *out = arena_dup(&c->arena, buf_slice(&b));
    if (rc == CLI_DONE && out->ptr == NULL)
        rc = cli_fail(c, "out of memory");
    if (!standard)
        (void)fclose(f);
    buf_free(&b);
    return rc;
}

int cli_confirm(struct cli *c, bool yes, const char *fmt, ...)
{
    char what[256], line[16];
    va_list ap;

    if (yes)
        return CLI_DONE;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (isatty(STDIN_FILENO) != 1 || c->json)
        return cli_usage(c, "%s; --yes says that it is meant", what);
    (void)fprintf(stderr, "%s; do it? [y/N] ", what);
    if (fgets(line, sizeof line, stdin) != NULL &&
        (line[0] == 'y' || line[0] == 'Y'))
        return CLI_DONE;
    return cli_fail(c, "nothing was changed");
}
