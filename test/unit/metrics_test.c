#include "app/metrics.h"

#include "unit/check.h"

#include <stdio.h>

static const struct node_counts counts = { .rows_sent = 7 };
static const struct node_sizes sizes = { .waits = 3 };
static const struct net_stats net = { .refused = 5, .hasty = 2 };
static const struct store_file_stats store = { .segments = 4 };
static const struct histogram none;

static struct metrics_view view(const struct json *status)
{
    return (struct metrics_view){ .status = status,
        .counts = &counts,
        .sizes = &sizes,
        .net = &net,
        .store = &store,
        .arrivals = &none,
        .sync = &none,
        .checkpoint = &none };
}

/* The metrics of a node with that status, as a string. */
static const char *printed(
    struct buf *b, enum metrics_format format, const char *status)
{
    struct arena a = { 0 };
    struct metrics_view v;
    struct json *s;

    CHECK_OK(json_parse(&s, slice_str(status), JSON_STRICT, &a, NULL));
    v = view(s);
    metrics_print(b, format, &v);
    buf_put_u8(b, 0);
    arena_free(&a);
    CHECK_OK(buf_status(b));
    return (const char *)b->ptr;
}

static bool has_line(const char *text, const char *line)
{
    const size_t len = strlen(line);

    for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return true;
    return false;
}

#define CHECK_LINE(text, line) \
    CHECK_SAYING(has_line(text, line), "no line %s", line)

TEST(a_time_is_counted_once_and_at_its_bound)
{
    struct histogram h = { .count = 0 };

    histogram_add(&h, 0);
    histogram_add(&h, 100);
    histogram_add(&h, 101);
    histogram_add(&h, UINT64_C(3600000001));
    CHECK_UINT(h.n[0], 2);
    CHECK_UINT(h.n[1], 1);
    CHECK_UINT(h.n[HISTOGRAM_SPANS], 1);
    CHECK_UINT(h.count, 4);
    for (size_t i = 1; i < HISTOGRAM_SPANS; i++)
        CHECK(histogram_bound_us(i - 1) < histogram_bound_us(i));
}

TEST(spans_add_up_and_are_told_in_seconds)
{
    struct histogram h = { .count = 0 };
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct metrics_view v = view(json_new(&a, JSON_OBJECT));
    const char *text;

    histogram_add(&h, 240);
    histogram_add(&h, 1200000);
    histogram_add(&h, UINT64_C(7200000000));
    v.sync = &h;
    metrics_print(&b, METRICS_PROMETHEUS, &v);
    buf_put_u8(&b, 0);
    text = (const char *)b.ptr;
    CHECK_LINE(text, "# TYPE syncline_journal_sync_seconds histogram");
    CHECK_LINE(text, "syncline_journal_sync_seconds_bucket{le=\"0.0001\"} 0");
    CHECK_LINE(text, "syncline_journal_sync_seconds_bucket{le=\"0.00025\"} 1");
    CHECK_LINE(text, "syncline_journal_sync_seconds_bucket{le=\"1.0\"} 1");
    CHECK_LINE(text, "syncline_journal_sync_seconds_bucket{le=\"2.5\"} 2");
    CHECK_LINE(text, "syncline_journal_sync_seconds_bucket{le=\"+Inf\"} 3");
    CHECK_LINE(text, "syncline_journal_sync_seconds_sum 7201.200240");
    CHECK_LINE(text, "syncline_journal_sync_seconds_count 3");
    buf_free(&b);
    arena_free(&a);
}

TEST(the_two_formats_name_a_counter_each_in_its_way)
{
    struct buf b = { 0 };
    const char *text = printed(&b, METRICS_PROMETHEUS, "{}");

    CHECK_LINE(text, "# TYPE syncline_rows_total counter");
    CHECK_LINE(text, "syncline_rows_total{direction=\"sent\"} 7");
    CHECK_LINE(text, "# TYPE syncline_build_info gauge");
    CHECK_LINE(text, "syncline_connections_refused_total{reason=\"other\"} 3");
    CHECK_LINE(text, "syncline_queue_length{queue=\"writes\"} 3");
    CHECK_LINE(text, "syncline_node_events_total{event=\"rows_sent\"} 7");
    CHECK(strstr(text, "# EOF") == NULL);
    CHECK(strstr(text, "# UNIT") == NULL);
    buf_free(&b);
    text = printed(&b, METRICS_OPENMETRICS, "{}");
    CHECK_LINE(text, "# TYPE syncline_rows counter");
    CHECK_LINE(text, "syncline_rows_total{direction=\"sent\"} 7");
    CHECK_LINE(text, "# TYPE syncline_build info");
    CHECK_LINE(text, "# UNIT syncline_store_bytes bytes");
    CHECK_SLICE(SLICE(b.ptr + b.len - 7, 6), "# EOF\n");
    buf_free(&b);
}

TEST(a_peer_is_told_with_what_is_known_of_it)
{
    struct buf b = { 0 };
    const char *text = printed(&b, METRICS_PROMETHEUS,
        "{\"peers\":[{\"device\":\"d1\",\"name\":\"a\",\"state\":\"connected\","
        "\"lag\":12,\"rtt_us\":1500,\"offset_us\":-2500000,\"parked\":false},"
        "{\"device\":\"d2\",\"name\":\"b\",\"state\":\"waiting\",\"lag\":0,"
        "\"rtt_us\":null,\"offset_us\":null,\"parked\":true}]}");

    CHECK_LINE(text, "syncline_peer_connected{device=\"d1\",name=\"a\"} 1");
    CHECK_LINE(text, "syncline_peer_connected{device=\"d2\",name=\"b\"} 0");
    CHECK_LINE(text, "syncline_peer_lag_changes{device=\"d1\",name=\"a\"} 12");
    CHECK_LINE(text,
        "syncline_peer_round_trip_seconds{device=\"d1\",name=\"a\"} 0.001500");
    CHECK_LINE(text,
        "syncline_peer_clock_offset_seconds{device=\"d1\",name=\"a\"} "
        "-2.500000");
    CHECK(strstr(text, "round_trip_seconds{device=\"d2\"") == NULL);
    CHECK_LINE(text, "syncline_peer_parked{device=\"d2\",name=\"b\"} 1");
    buf_free(&b);
}

/* Somebody else has chosen it. */
TEST(no_name_makes_a_line_or_a_label)
{
    static const struct {
        const char *json, *shown;
    } names[] = {
        { "a\\nsyncline_items 9", "a\\nsyncline_items 9" },
        { "a\\\"} 9", "a\\\"} 9" },
        { "a\\\\", "a\\\\" },
        { "a\\u0000b\\u001b[2J\\rc", "a?b?[2J?c" },
        { "\\u00e9\\u65e5", "\xc3\xa9\xe6\x97\xa5" },
    };

    for (size_t i = 0; i < ARRAY_N(names); i++) {
        struct buf b = { 0 };
        char status[200], line[200];

        (void)snprintf(status, sizeof status,
            "{\"peers\":[{\"device\":\"d\",\"name\":\"%s\"}]}", names[i].json);
        (void)snprintf(line, sizeof line,
            "syncline_peer_connected{device=\"d\",name=\"%s\"} 0",
            names[i].shown);
        CHECK_LINE(printed(&b, METRICS_PROMETHEUS, status), line);
        buf_free(&b);
    }
}

TEST(a_long_name_is_cut_between_characters)
{
    struct buf status = { 0 }, line = { 0 }, b = { 0 };

    buf_put_str(&status, "{\"spaces\":[{\"items\":3,\"name\":\"x");
    buf_put_str(&line, "syncline_items{space=\"x");
    for (int i = 0; i < 60; i++)
        buf_put_str(&status, "\xc3\xa9");
    for (int i = 0; i < (METRICS_NAME_MAX - 1) / 2; i++)
        buf_put_str(&line, "\xc3\xa9");
    buf_put_str(&status, "\"}]}");
    buf_put_str(&line, "\"} 3");
    buf_put_u8(&status, 0);
    buf_put_u8(&line, 0);
    CHECK_LINE(printed(&b, METRICS_PROMETHEUS, (const char *)status.ptr),
        (const char *)line.ptr);
    buf_free(&status);
    buf_free(&line);
    buf_free(&b);
}

TEST(many_spaces_are_not_all_told)
{
    struct buf status = { 0 }, b = { 0 };
    size_t told = 0;

    buf_put_str(&status, "{\"spaces\":[");
    for (int i = 0; i < METRICS_EACH_MAX + 50; i++)
        buf_printf(&status, "%s{\"name\":\"s%d\"}", i > 0 ? "," : "", i);
    buf_put_str(&status, "]}");
    buf_put_u8(&status, 0);
    for (const char *at =
             printed(&b, METRICS_PROMETHEUS, (const char *)status.ptr);
         (at = strstr(at, "syncline_items{")) != NULL; at++)
        told++;
    CHECK_UINT(told, METRICS_EACH_MAX);
    CHECK_LINE((const char *)b.ptr, "syncline_spaces 250");
    buf_free(&status);
    buf_free(&b);
}

TEST(what_is_wrong_is_told)
{
    struct buf b = { 0 };
    const char *text = printed(&b, METRICS_PROMETHEUS,
        "{\"copies\":true,\"forks\":[{}],\"oversize\":null,\"withheld\":[],"
        "\"clock\":{\"ok\":false,\"writes\":true,\"ahead_us\":5}}");

    CHECK_LINE(text, "syncline_trouble{kind=\"copies\"} 1");
    CHECK_LINE(text, "syncline_trouble{kind=\"forks\"} 1");
    CHECK_LINE(text, "syncline_trouble{kind=\"clock\"} 1");
    CHECK_LINE(text, "syncline_trouble{kind=\"oversize\"} 0");
    CHECK_LINE(text, "syncline_trouble{kind=\"relay\"} 0");
    CHECK_LINE(text, "syncline_trouble{kind=\"writes-refused\"} 0");
    CHECK_LINE(text, "syncline_stamps_ahead_seconds 0.000005");
    buf_free(&b);
}

TEST(memory_that_runs_out_is_told)
{
    struct arena a = { 0 };
    struct metrics_view v = view(json_new(&a, JSON_OBJECT));

    for (long n = 0;; n++) {
        struct buf b = { 0 };

        check_alloc_fail_from(n);
        metrics_print(&b, METRICS_PROMETHEUS, &v);
        if (!check_alloc_failed()) {
            CHECK_OK(buf_status(&b));
            buf_free(&b);
            break;
        }
        CHECK_INT(buf_status(&b), SYNCLINE_ENOMEM);
        buf_free(&b);
    }
    check_alloc_fail_from(-1);
    arena_free(&a);
}
