#include "app/series.h"

#include "unit/check.h"

#include <stdio.h>

#define SECOND ((uint64_t)1000 * 1000)

static const struct json *print(
    const struct series *s, uint64_t since_us, struct arena *a)
{
    struct buf b = { 0 };
    struct json *v = NULL;

    buf_put_u8(&b, '{');
    series_print(s, &b, since_us);
    buf_put_u8(&b, '}');
    CHECK_OK(buf_status(&b));
    CHECK_OK(json_parse(&v, arena_dup(a, buf_slice(&b)), JSON_STRICT, a, NULL));
    buf_free(&b);
    return v;
}

static void check_column(
    const struct json *v, const char *name, const char *want)
{
    struct buf b = { 0 };

    json_print(&b, json_get(v, name), JSON_CANONICAL);
    CHECK_SLICE(buf_slice(&b), want);
    buf_free(&b);
}

static struct json *peers_of(const char *text, struct arena *a)
{
    struct json *v = NULL;

    CHECK_OK(json_parse(&v, slice_str(text), JSON_STRICT, a, NULL));
    return v;
}

TEST(a_sample_is_what_came_between)
{
    struct series *s = NULL;
    struct series_totals t = { .commits = 100, .bytes_in = 5000 };
    struct arena a = { 0 };
    const struct json *v;

    CHECK_OK(series_new(&s));
    series_add(s, 1 * SECOND, &t, NULL);
    check_column(print(s, 0, &a), "time", "[]");
    t.commits += 3;
    t.rows_in += 7;
    t.bytes_in += 900;
    histogram_add(&t.arrivals, 100);
    series_add(s, 2 * SECOND, &t,
        peers_of(
            "[{\"device\":\"aa\",\"name\":\"x\",\"lag\":4,\"rtt_us\":900}]",
            &a));
    series_add(s, 3 * SECOND, &t,
        peers_of(
            "[{\"device\":\"bb\",\"name\":\"y\",\"lag\":0,\"rtt_us\":null},"
            "{\"device\":\"aa\",\"name\":\"x\",\"lag\":1,\"rtt_us\":800}]",
            &a));
    v = print(s, 0, &a);
    check_column(v, "time", "[2000000,3000000]");
    check_column(v, "commits", "[3,0]");
    check_column(v, "items_in", "[7,0]");
    check_column(v, "bytes_in", "[900,0]");
    check_column(v, "arrivals", "[1,0]");
    check_column(v, "propagation_p50_us", "[50,null]");
    check_column(v, "propagation_p99_us", "[99,null]");
    check_column(v, "peers",
        "[{\"device\":\"aa\",\"lag\":[4,1],\"name\":\"x\",\"rtt_us\":[900,800]}"
        ","
        "{\"device\":\"bb\",\"lag\":[null,0],\"name\":\"y\",\"rtt_us\":[null,"
        "null]"
        "}]");
    check_column(print(s, 2 * SECOND, &a), "time", "[3000000]");
    check_column(print(s, 9 * SECOND, &a), "time", "[]");
    arena_free(&a);
    series_free(s);
}

TEST(the_oldest_goes_first)
{
    struct series *s = NULL;
    struct series_totals t = { 0 };
    struct arena a = { 0 };
    const struct json *time, *commits;
    int64_t want = 1000 - SERIES_MAX + 1;

    CHECK_OK(series_new(&s));
    for (uint64_t i = 0; i <= 1000; i++) {
        t.commits += i;
        series_add(s, i * SECOND, &t, NULL);
    }
    time = json_get(print(s, 0, &a), "time");
    commits = json_get(print(s, 0, &a), "commits");
    CHECK_UINT(time->n, SERIES_MAX);
    commits = commits->first;
    for (const struct json *v = time->first; v != NULL;
         v = v->next, commits = commits->next, want++) {
        CHECK_INT(v->i, want * (int64_t)SECOND);
        CHECK_INT(commits->i, want);
    }
    arena_free(&a);
    series_free(s);
}

TEST(there_is_room_for_so_many_members)
{
    struct series *s = NULL;
    struct series_totals t = { 0 };
    struct arena a = { 0 };
    struct buf b = { 0 };

    buf_put_u8(&b, '[');
    for (unsigned i = 0; i < 2 * SERIES_PEERS; i++)
        buf_printf(&b, "%s{\"device\":\"%064x\",\"name\":\"n\",\"lag\":%u}",
            i > 0 ? "," : "", i, i);
    buf_put(&b, "]", 2);
    CHECK_OK(series_new(&s));
    series_add(s, SECOND, &t, NULL);
    series_add(s, 2 * SECOND, &t, peers_of((const char *)b.ptr, &a));
    CHECK_UINT(json_get(print(s, 0, &a), "peers")->n, SERIES_PEERS);
    buf_free(&b);
    arena_free(&a);
    series_free(s);
}

/* Against what is so simple that it is right: all values, sorted. */
TEST(a_share_lies_within_its_span)
{
    struct histogram h = { { 0 }, 0, 0 };

    CHECK_UINT(histogram_share_us(&h, 0.5), 0);
    for (uint64_t us = 1; us <= 10000; us++)
        histogram_add(&h, us);
    for (int percent = 1; percent <= 100; percent++) {
        const uint64_t got = histogram_share_us(&h, percent / 100.0);

        CHECK_SAYING(got + 2 >= (uint64_t)percent * 100 &&
                got <= (uint64_t)percent * 100 + 2,
            "%d%%: %llu", percent, (unsigned long long)got);
    }
    h = (struct histogram){ { 0 }, 0, 0 };
    histogram_add(&h, UINT64_C(7200000000));
    CHECK_UINT(
        histogram_share_us(&h, 0.5), histogram_bound_us(HISTOGRAM_SPANS - 1));
}
