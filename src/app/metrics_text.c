#include "app/metrics_text.h"

#include "base/text.h"

#include <stdio.h>

/* A text of ours: no line ends, no backslashes, no quotes. */
void metric_family(struct metrics_text *t, enum metric_kind kind,
    const char *name, const char *unit, const char *help)
{
    static const char *const suffixes[] = { "_total", "", "_info", "" };
    static const char *const types[][2] = { { "counter", "counter" },
        { "gauge", "gauge" }, { "gauge", "info" },
        { "histogram", "histogram" } };
    bool open = t->format == METRICS_OPENMETRICS;

    t->name = name;
    t->suffix = suffixes[kind];
    buf_printf(t->b, "# HELP %s%s %s\n# TYPE %s%s %s\n", name,
        open ? "" : t->suffix, help, name, open ? "" : t->suffix,
        types[kind][open]);
    if (open && unit != NULL)
        buf_printf(t->b, "# UNIT %s %s\n", name, unit);
}

void metric_begin(struct metrics_text *t)
{
    buf_printf(t->b, "%s%s", t->name, t->suffix);
    t->labels = 0;
}

static void begin_as(struct metrics_text *t, const char *suffix)
{
    buf_printf(t->b, "%s%s", t->name, suffix);
    t->labels = 0;
}

/* At most so much, and no half of a character. */
static struct slice cut(struct slice s)
{
    size_t n = METRICS_NAME_MAX;

    if (s.len <= n)
        return s;
    while (n > 0 && (s.ptr[n] & 0xc0) == 0x80)
        n--;
    return SLICE(s.ptr, n);
}

/* Beside what the format wants, nothing that ends a reader's text or acts on
 * somebody's terminal. */
static void put_escaped(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (c == '\\' || c == '"')
            buf_put_u8(b, '\\');
        if (c == '\n')
            buf_put_str(b, "\\n");
        else if (c < 0x20 || c == 0x7f)
            buf_put_u8(b, '?');
        else
            buf_put_u8(b, c);
    }
}

void metric_label(struct metrics_text *t, const char *name, struct slice value)
{
    buf_printf(t->b, "%c%s=\"", t->labels++ == 0 ? '{' : ',', name);
    if (utf8_valid(value))
        put_escaped(t->b, cut(value));
    buf_put_u8(t->b, '"');
}

static void end_labels(struct metrics_text *t)
{
    buf_put_str(t->b, t->labels > 0 ? "} " : " ");
}

void metric_end(struct metrics_text *t, uint64_t value)
{
    end_labels(t);
    buf_printf(t->b, "%llu\n", (unsigned long long)value);
}

void metric_end_us(struct metrics_text *t, int64_t us)
{
    uint64_t size = us < 0 ? -(uint64_t)us : (uint64_t)us;

    end_labels(t);
    buf_printf(t->b, "%s%llu.%06llu\n", us < 0 ? "-" : "",
        (unsigned long long)(size / 1000000),
        (unsigned long long)(size % 1000000));
}

static void put_one(struct metrics_text *t, enum metric_kind kind,
    const char *name, const char *unit, const char *help, uint64_t value)
{
    metric_family(t, kind, name, unit, help);
    metric_begin(t);
    metric_end(t, value);
}

void metric_counter(
    struct metrics_text *t, const char *name, const char *help, uint64_t value)
{
    put_one(t, METRIC_COUNTER, name, NULL, help, value);
}

void metric_gauge(
    struct metrics_text *t, const char *name, const char *help, uint64_t value)
{
    put_one(t, METRIC_GAUGE, name, NULL, help, value);
}

void metric_gauge_bytes(
    struct metrics_text *t, const char *name, const char *help, uint64_t value)
{
    put_one(t, METRIC_GAUGE, name, "bytes", help, value);
}

void metric_of(struct metrics_text *t, const char *label, const char *value,
    uint64_t number)
{
    metric_begin(t);
    metric_label(t, label, slice_str(value));
    metric_end(t, number);
}

/* Seconds with as many places as they need, and at least one. */
static void put_bound(char *out, size_t size, uint64_t us)
{
    size_t len;

    (void)snprintf(out, size, "%llu.%06llu", (unsigned long long)(us / 1000000),
        (unsigned long long)(us % 1000000));
    len = strlen(out);
    while (out[len - 1] == '0' && out[len - 2] != '.')
        out[--len] = 0;
}

void metric_times(struct metrics_text *t, const char *name, const char *help,
    const struct histogram *h)
{
    uint64_t up_to = 0;
    char bound[48];

    metric_family(t, METRIC_TIMES, name, "seconds", help);
    for (size_t i = 0; i <= HISTOGRAM_SPANS; i++) {
        up_to += h->n[i];
        if (i < HISTOGRAM_SPANS)
            put_bound(bound, sizeof bound, histogram_bound_us(i));
        else
            (void)snprintf(bound, sizeof bound, "+Inf");
        begin_as(t, "_bucket");
        metric_label(t, "le", slice_str(bound));
        metric_end(t, up_to);
    }
    begin_as(t, "_sum");
    metric_end_us(t, (int64_t)(h->sum_us < INT64_MAX ? h->sum_us : INT64_MAX));
    begin_as(t, "_count");
    metric_end(t, up_to);
}
