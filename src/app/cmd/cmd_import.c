/* cmd_import.c - stores records from lines of JSON. */
#include "app/import.h"
#include "app/import_isync.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

enum { ACKS, WAIT, TIMEOUT, FROM_FILE, ISYNC, DRY_RUN };

static const struct cli_flag flags[] = {
    { "acks", "FILE", "append each key to it once it is acknowledged" },
    { "wait", "N|all", "acknowledge what that many others have on disk [0]" },
    { "timeout", "T", "how long to wait for them [10s]" },
    { "file", "F", "the same as the argument" },
    { "isync", NULL, "FILE is iSync.iax or iControl.iax; the space [config]" },
    { "dry-run", NULL, "with --isync: only say what is in it" },
    { NULL, NULL, NULL },
};

#define CHUNK ((size_t)256 << 10)

struct source {
    int fd;
    struct buf in;
    size_t taken;
    size_t scanned; /* beyond taken, known to hold no newline */
    uint64_t line;  /* the last one read, from 1 */
    bool ended;
    int64_t started_ms, told_ms;
};

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int bad_line(struct import *im, const struct source *s, const char *what)
{
    return cli_fail(im->c, "%s:%" PRIu64 ": %s", im->file, s->line, what);
}

static int take_line(
    struct import *im, const struct source *s, struct slice text)
{
    struct arena a = { 0 };
    struct errmsg why = { "" };
    struct import_line line;
    int rc = CLI_DONE;

    if (import_line_read(&line, text, &a, &why) != SYNCLINE_OK)
        rc = bad_line(im, s, why.text);
    else if (line.value != NULL)
        rc = import_record(im, s->line, &line);
    arena_free(&a);
    return rc;
}

static void tell_progress(struct import *im, struct source *s)
{
    const int64_t now = now_ms();

    if (now - s->started_ms < 1000 || now - s->told_ms < 200)
        return;
    s->told_ms = now;
    cli_notice(im->c, "%s: %" PRIu64 " records stored", im->file, im->stored);
}

/* Reads more. When the source has nothing to give, what is gathered is sent
 * first, so that a slow one is not kept waiting for a batch to fill. */
static int fill(struct import *im, struct source *s)
{
    struct pollfd p = { .fd = s->fd, .events = POLLIN };
    uint8_t *room = buf_reserve(&s->in, CHUNK);
    ssize_t n;
    int rc = CLI_DONE;

    if (room == NULL)
        return cli_fail(im->c, "%s:%" PRIu64 ": the line is too long (64 MiB)",
            im->file, s->line + 1);
    if (poll(&p, 1, 0) == 0) {
        rc = import_flush(im);
        if (rc == CLI_DONE)
            rc = import_drain(im, true);
    }
    if (rc != CLI_DONE)
        return rc;
    do
        n = read(s->fd, room, CHUNK);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return cli_fail(im->c, "%s: %s", im->file, strerror(errno));
    s->in.len += (size_t)n;
    s->ended = n == 0;
    return CLI_DONE;
}

/* The next whole line; the last one may lack its newline. */
static bool next_line(struct source *s, struct slice *text)
{
    const struct slice rest = slice_from(buf_slice(&s->in), s->taken);
    const struct slice fresh = slice_from(rest, s->scanned);
    const uint8_t *end =
        fresh.len == 0 ? NULL : memchr(fresh.ptr, '\n', fresh.len);

    if (end == NULL && !(s->ended && rest.len > 0)) {
        buf_consume(&s->in, s->taken);
        s->taken = 0;
        s->scanned = rest.len;
        return false;
    }
    *text = end != NULL ? SLICE(rest.ptr, (size_t)(end - rest.ptr)) : rest;
    s->taken += text->len + (end != NULL);
    s->scanned = 0;
    s->line++;
    return true;
}

static int read_all(struct import *im, struct source *s)
{
    struct slice text;
    int rc = CLI_DONE;

    while (rc == CLI_DONE && im->refused.len == 0) {
        tell_progress(im, s);
        if (next_line(s, &text))
            rc = take_line(im, s, text);
        else if (s->ended)
            break;
        else
            rc = fill(im, s);
    }
    return rc;
}

static int report(struct import *im, const struct source *s, int rc)
{
    cli_notice_end(im->c);
    if (im->refused.len > 0) {
        cli_say(im->c, "not stored:\n%.*s", (int)im->refused.len - 1,
            (const char *)im->refused.ptr);
        rc = CLI_FAILED;
    }
    if (rc != CLI_DONE && im->c->flag[ISYNC] != NULL)
        (void)fprintf(stderr,
            "%" PRIu64 " records are stored; once it is mended, import again: "
            "doing it twice does no harm\n",
            im->stored);
    else if (rc != CLI_DONE)
        (void)fprintf(stderr,
            "%" PRIu64 " records of the lines up to %" PRIu64 " are stored; "
            "once it is mended, import again: doing it twice does no harm\n",
            im->stored, im->last);
    else if (im->c->json)
        (void)printf("{\"imported\":%" PRIu64 "}\n", im->stored);
    else
        (void)fprintf(stderr, "%" PRIu64 " records imported in %.*s\n",
            im->stored,
            SLICE_FMT(cli_us(im->c, (now_ms() - s->started_ms) * 1000)));
    return rc;
}

/* Everything before a bad line is stored, nothing from it on. */
static int import_all(struct import *im, struct source *s)
{
    int rc, sent = CLI_DONE;

    s->started_ms = now_ms();
    rc = read_all(im, s);
    if (im->refused.len == 0 && !im->lost)
        sent = import_flush(im);
    /* Even of a lost connection what was answered can still be read. */
    if (sent == CLI_DONE || im->lost)
        sent = import_drain(im, true);
    return report(im, s, rc != CLI_DONE ? rc : sent);
}

static int open_files(struct import *im, struct source *s, const char *path)
{
    const char *acks = im->c->flag[ACKS];

    im->file = path != NULL ? path : "standard input";
    s->fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (s->fd < 0)
        return cli_fail(im->c, "%s: %s", path, strerror(errno));
    if (acks == NULL)
        return CLI_DONE;
    im->acks = fopen(acks, "ae");
    if (im->acks == NULL)
        return cli_fail(im->c, "%s: %s", acks, strerror(errno));
    return CLI_DONE;
}

/* The whole file is read first: what is no JSON is not half stored. */
static int import_tables(struct import *im, struct source *s, const char *path)
{
    int rc, sent = CLI_DONE;

    im->file = path;
    s->started_ms = now_ms();
    rc = import_isync(im, path, im->c->flag[DRY_RUN] != NULL);
    if (im->c->flag[DRY_RUN] != NULL)
        return rc;
    if (im->refused.len == 0 && !im->lost)
        sent = import_flush(im);
    if (sent == CLI_DONE || im->lost)
        sent = import_drain(im, true);
    return report(im, s, rc != CLI_DONE ? rc : sent);
}

static int run_isync(struct cli *c)
{
    struct json *extra = json_new(&c->arena, JSON_OBJECT);
    struct import im = {
        .c = c, .space = c->argc > 1 ? c->argv[0] : "config", .wait = extra
    };
    struct source s = { .fd = -1 };
    int rc = cli_set_wait(c, extra, c->flag[WAIT], c->flag[TIMEOUT]);

    if (rc == CLI_DONE && c->flag[DRY_RUN] == NULL)
        rc = cli_connect(c);
    if (rc == CLI_DONE)
        rc = import_tables(&im, &s, c->argv[c->argc - 1]);
    import_close(&im);
    return rc;
}

static int run(struct cli *c)
{
    const char *path = c->argc > 1 ? c->argv[1] : c->flag[FROM_FILE];
    struct json *extra = json_new(&c->arena, JSON_OBJECT);
    struct import im = { .c = c, .space = c->argv[0], .wait = extra };
    struct source s = { .fd = -1, .in = { .max = CONTROL_LINE_MAX } };
    int rc;

    if (c->argc > 1 && c->flag[FROM_FILE] != NULL)
        return cli_usage(c, "name the file once");
    if (c->flag[ISYNC] != NULL)
        return run_isync(c);
    if (c->flag[DRY_RUN] != NULL)
        return cli_usage(c, "--dry-run goes with --isync");
    if (path != NULL && strcmp(path, "-") == 0)
        path = NULL;
    rc = cli_set_wait(c, extra, c->flag[WAIT], c->flag[TIMEOUT]);
    if (rc == CLI_DONE)
        rc = open_files(&im, &s, path);
    if (rc == CLI_DONE)
        rc = cli_connect(c);
    if (rc == CLI_DONE)
        rc = import_all(&im, &s);
    if (im.acks != NULL && fclose(im.acks) != 0 && rc == CLI_DONE)
        rc = cli_fail(c, "%s: %s", c->flag[ACKS], strerror(errno));
    if (path != NULL && s.fd >= 0)
        (void)close(s.fd);
    buf_free(&s.in);
    import_close(&im);
    return rc;
}

const struct command cmd_import = {
    .name = "import",
    .args = "SPACE [FILE] [--acks FILE] [--wait N|all] [--timeout T] [--isync]",
    .summary = "store records from lines {\"key\":...,\"value\":...}",
    .help = "From standard input if there is no FILE. Records are stored in "
            "batches of up to\n256, each whole or not at all, and are durable "
            "when acknowledged. At a line that\nis wrong it stops: all before "
            "it is stored and nothing after it.\n`syncline import --isync "
            "FILE` takes the tables of iSync and iControl in their place: a "
            "record\nof `config` becomes the item with its id, one of another "
            "table TABLE/ID.",
    .flags = flags,
    .min = 1,
    .max = 2,
    .run = run,
};
