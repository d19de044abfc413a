/* cli_print.c - how the commands write: values, tables, figures, notices. */
#include "app/cmd/cli.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

struct cli_row {
    struct cli_row *next;
    struct slice cell[CLI_COLUMNS_MAX];
};

int cli_print_json(struct cli *c, const struct json *v, enum json_style style)
{
    struct buf b = { 0 };

    json_print(&b, v, style);
    buf_put_u8(&b, '\n');
    if (buf_status(&b) != SYNCLINE_OK) {
        buf_free(&b);
        return cli_fail(c, "the value cannot be printed: out of memory");
    }
    (void)fwrite(b.ptr, 1, b.len, stdout);
    buf_free(&b);
    return ferror(stdout) ? cli_flush(c) : CLI_DONE;
}

int cli_print_answer(struct cli *c, struct json *answer)
{
    struct json **at = &answer->first;

    while (*at != NULL) {
        if (slice_is((*at)->key, "ok") || slice_is((*at)->key, "id") ||
            slice_is((*at)->key, "more")) {
            *at = (*at)->next;
            answer->n--;
        } else {
            at = &(*at)->next;
        }
    }
    return cli_print_json(c, answer, JSON_CANONICAL);
}

int cli_flush(struct cli *c)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CLI_DONE;
    if (errno == EPIPE || errno == EINTR || cli_reader_gone())
        return CLI_FAILED;
    return cli_fail(c, "standard output: %s", strerror(errno));
}

bool cli_reader_gone(void)
{
    struct pollfd p = { .fd = STDOUT_FILENO };

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLNVAL)) != 0;
}

struct slice cli_compact(struct cli *c, const struct json *v)
{
    struct buf b = { 0 };
    struct slice out = SLICE_NONE;

    if (v == NULL)
        return SLICE_NONE;
    json_print(&b, v, JSON_CANONICAL);
    if (buf_status(&b) == SYNCLINE_OK)
        out = arena_dup(&c->arena, buf_slice(&b));
    buf_free(&b);
    return out.ptr != NULL ? out : SLICE_NONE;
}

struct slice cli_text(struct cli *c, const struct json *v)
{
    return v != NULL && v->type == JSON_STRING ? v->s : cli_compact(c, v);
}

struct slice cli_printf(struct cli *c, const char *fmt, ...)
{
    char text[512];
    struct slice out;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    out = arena_dup(&c->arena, slice_str(text));
    return out.ptr != NULL ? out : SLICE_NONE;
}

static struct slice device_of(struct cli *c, const struct json *v)
{
    const struct slice name = cli_inert(c, json_get_str(v, "name"));
    struct slice device = json_get_str(v, "device");

    if (device.len > 12)
        device.len = 12;
    if (!json_get_bool(v, "removed", false))
        return name.len > 0 ? name : device;
    return cli_printf(c, "%.*s (removed)", SLICE_FMT(name));
}

/* Where it was written, if in an older system: it came by way of the device. */
struct slice cli_who(struct cli *c, const struct json *v)
{
    const struct slice author = json_get_str(json_get(v, "author"), "node_id");
    const struct slice device = device_of(c, v);

    return author.len == 0 ? device
                           : cli_printf(c, "%.*s (by way of %.*s)",
                                 SLICE_FMT(utf8_cut(cli_inert(c, author), 200)),
                                 SLICE_FMT(device));
}

struct slice cli_shown(struct cli *c, const struct json *v)
{
    return cli_inert(c, cli_compact(c, v));
}

struct slice cli_inert(struct cli *c, struct slice text)
{
    struct buf b = { 0 };
    struct slice out = SLICE_NONE;

    put_inert(&b, text);
    if (b.len > 0 && buf_status(&b) == SYNCLINE_OK)
        out = arena_dup(&c->arena, buf_slice(&b));
    buf_free(&b);
    return out.ptr != NULL ? out : SLICE_NONE;
}

struct slice cli_time(struct cli *c, int64_t us)
{
    const time_t seconds = (time_t)(us / 1000000);
    char text[64];
    struct tm tm;

    if (us <= 0 || localtime_r(&seconds, &tm) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        return SLICE_LIT("-");
    return cli_printf(c, "%s.%03d", text, (int)(us / 1000 % 1000));
}

struct slice cli_span(struct cli *c, int64_t seconds)
{
    if (seconds < 60)
        return cli_printf(c, "%d s", (int)seconds);
    if (seconds < 3600)
        return cli_printf(
            c, "%d min %d s", (int)(seconds / 60), (int)(seconds % 60));
    if (seconds < 86400)
        return cli_printf(
            c, "%d h %d min", (int)(seconds / 3600), (int)(seconds / 60 % 60));
    return cli_printf(
        c, "%" PRId64 " d %d h", seconds / 86400, (int)(seconds / 3600 % 24));
}

struct slice cli_bytes(struct cli *c, int64_t n)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    int64_t tenths = n * 10;
    size_t unit = 0;

    if (n < 1024)
        return cli_printf(c, "%" PRId64 " bytes", n);
    for (tenths = n / 1024 * 10 + n % 1024 * 10 / 1024, unit = 1;
         tenths >= 10240 && unit < 4; unit++)
        tenths /= 1024;
    return cli_printf(
        c, "%" PRId64 ".%d %s", tenths / 10, (int)(tenths % 10), units[unit]);
}

struct slice cli_us(struct cli *c, int64_t us)
{
    const char *sign = us < 0 ? "-" : "";
    const int64_t n = us < 0 ? -us : us;

    if (n < 1000)
        return cli_printf(c, "%s%d us", sign, (int)n);
    if (n < 1000000)
        return cli_printf(
            c, "%s%d.%d ms", sign, (int)(n / 1000), (int)(n / 100 % 10));
    return cli_printf(
        c, "%s%" PRId64 ".%d s", sign, n / 1000000, (int)(n / 100000 % 10));
}

struct slice cli_count(struct cli *c, int64_t n)
{
    char digits[32], text[48];
    int len = snprintf(digits, sizeof digits, "%" PRId64, n);
    size_t out = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && digits[i - 1] != '-' && (len - i) % 3 == 0)
            text[out++] = ',';
        text[out++] = digits[i];
    }
    text[out] = 0;
    return cli_printf(c, "%s", text);
}

void cli_table_init(struct cli_table *t, struct cli *c, const char *align,
    const char *const *heads)
{
    struct slice cells[CLI_COLUMNS_MAX];

    *t = (struct cli_table){ .c = c, .right = align };
    t->columns = strlen(align);
    ENSURE(t->columns <= CLI_COLUMNS_MAX);
    t->last = &t->first;
    for (size_t i = 0; i < t->columns; i++)
        cells[i] = slice_str(heads[i]);
    cli_table_row(t, cells);
}

void cli_table_row(struct cli_table *t, const struct slice *cells)
{
    struct cli_row *row = arena_zalloc(&t->c->arena, 1, sizeof *row);

    if (row == NULL)
        return;
    for (size_t i = 0; i < t->columns; i++)
        row->cell[i] = cli_inert(t->c, cells[i]);
    *t->last = row;
    t->last = &row->next;
}

/* Characters, as far as a terminal without wide ones goes. */
static size_t width(struct slice s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += (s.ptr[i] & 0xc0) != 0x80;
    return n;
}

void cli_table_print(const struct cli_table *t)
{
    size_t widths[CLI_COLUMNS_MAX] = { 0 };

    for (const struct cli_row *r = t->first; r != NULL; r = r->next)
        for (size_t i = 0; i < t->columns; i++)
            if (width(r->cell[i]) > widths[i])
                widths[i] = width(r->cell[i]);
    for (const struct cli_row *r = t->first; r != NULL; r = r->next) {
        for (size_t i = 0; i < t->columns; i++) {
            const int pad = (int)(widths[i] - width(r->cell[i]));
            const bool right = t->right[i] == 'r';
            const bool last = i + 1 == t->columns;

            (void)printf("%*s", right ? pad : 0, "");
            (void)printf("%.*s", SLICE_FMT(r->cell[i]));
            (void)printf("%*s", right || last ? 0 : pad, "");
            (void)fputs(last ? "\n" : "  ", stdout);
        }
    }
}

void cli_notice(struct cli *c, const char *fmt, ...)
{
    va_list ap;

    if (!isatty(STDERR_FILENO))
        return;
    (void)fputs("\r\033[K", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fflush(stderr);
    c->waiting = true;
}

void cli_notice_end(struct cli *c)
{
    if (c->waiting)
        (void)fputs("\r\033[K", stderr);
    c->waiting = false;
}

void cli_notice_waiting(struct cli *c, int seconds)
{
    if (isatty(STDERR_FILENO))
        cli_notice(c, "%s, %d s",
            c->waits_for != NULL ? c->waits_for : "waiting for the daemon",
            seconds);
    else if (c->waits_for != NULL && seconds == 1)
        cli_say(c, "%s", c->waits_for);
}
