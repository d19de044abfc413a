#include "app/error_list.h"

#include "unit/check.h"

#include <stdio.h>

#define SECOND ((uint64_t)1000 * 1000)
#define NOON (UINT64_C(1700000000) * SECOND)

static struct error_report report(const char *code, const char *where)
{
    return (struct error_report){ .code = code,
        .level = "warn",
        .where = slice_str(where),
        .what = "it is so",
        .advice = "do this" };
}

static struct error_list *list_new(void)
{
    struct error_list *l = NULL;

    CHECK_OK(error_list_new(&l));
    return l;
}

/* An examination that finds one thing, or nothing. */
static void look(
    struct error_list *l, uint64_t now_us, const struct error_report *r)
{
    error_list_begin(l);
    if (r != NULL)
        error_list_condition(l, now_us, r);
    error_list_end(l, now_us);
}

static const struct json *print(
    const struct error_list *l, bool all, struct arena *a)
{
    struct buf b = { 0 };
    struct json *v = NULL;

    error_list_print(l, &b, all);
    CHECK_OK(buf_status(&b));
    CHECK_OK(json_parse(&v, arena_dup(a, buf_slice(&b)), JSON_STRICT, a, NULL));
    buf_free(&b);
    return v;
}

static void check_first(const struct error_list *l, const char *state,
    int64_t count, uint64_t first_us, uint64_t last_us)
{
    struct arena a = { 0 };
    const struct json *e = print(l, true, &a)->first;

    CHECK(e != NULL);
    CHECK_SLICE(json_get_str(e, "state"), state);
    CHECK_INT(json_get_int(e, "count", 0), count);
    CHECK_UINT(json_get_int(e, "first", 0), first_us);
    CHECK_UINT(json_get_int(e, "last", 0), last_us);
    arena_free(&a);
}

static uint32_t told(const struct error_list *l, bool all)
{
    struct arena a = { 0 };
    uint32_t n = print(l, all, &a)->n;

    arena_free(&a);
    return n;
}

TEST(the_same_thing_is_counted)
{
    struct error_list *l = list_new();
    struct error_report r = report("login", "{\"address\":\"10.0.0.1\"}");
    struct error_report other = report("login", "{\"address\":\"10.0.0.2\"}");

    error_list_event(l, NOON, &r);
    error_list_event(l, NOON + SECOND, &r);
    CHECK_INT(error_list_open(l), 1);
    check_first(l, "open", 2, NOON, NOON + SECOND);
    error_list_event(l, NOON, &other);
    CHECK_INT(error_list_open(l), 2);
    error_list_free(l);
}

TEST(a_condition_is_over_when_it_is_not_found)
{
    struct error_list *l = list_new();
    struct error_report r = report("disk", "{}");

    look(l, NOON, &r);
    look(l, NOON + SECOND, &r);
    check_first(l, "open", 1, NOON, NOON + SECOND);
    look(l, NOON + 2 * SECOND, NULL);
    check_first(l, "cleared", 1, NOON, NOON + SECOND);
    CHECK_INT(error_list_open(l), 0);
    CHECK_INT(told(l, false), 0);
    CHECK_INT(told(l, true), 1);
    look(l, NOON + 3 * SECOND, &r);
    check_first(l, "open", 2, NOON, NOON + 3 * SECOND);
    error_list_free(l);
}

/* Each time anew. */
TEST(what_must_last_is_told_when_it_has)
{
    struct error_list *l = list_new();
    struct error_report r = report("peer", "{\"device\":\"ab\"}");
    uint64_t t = NOON;

    r.hold_us = 10 * SECOND;
    for (unsigned round = 1; round < 4; round++, t += 60 * SECOND) {
        look(l, t, &r);
        look(l, t + 9 * SECOND, &r);
        CHECK_INT(error_list_open(l), 0);
        look(l, t + 10 * SECOND, &r);
        CHECK_INT(error_list_open(l), 1);
        look(l, t + 11 * SECOND, NULL);
        check_first(l, "cleared", round, NOON + 10 * SECOND, t + 10 * SECOND);
    }
    error_list_free(l);
    l = list_new();
    look(l, NOON, &r);
    look(l, NOON + 9 * SECOND, NULL);
    look(l, NOON + 10 * SECOND, &r);
    look(l, NOON + 19 * SECOND, &r);
    CHECK_INT(told(l, true), 0);
    error_list_free(l);
}

TEST(what_somebody_knows_is_open_again_if_it_comes_back)
{
    struct error_list *l = list_new();
    struct error_report happens = report("login", "{}");
    struct error_report is = report("disk", "{}");
    struct arena a = { 0 };
    const struct json *e;
    unsigned n = 0;

    error_list_event(l, NOON + 1, &happens);
    look(l, NOON, &is);
    CHECK_OK(error_list_ack(
        l, NOON + SECOND, SLICE_LIT("all"), true, "Anna (uid 0)", &n));
    CHECK_INT(n, 2);
    CHECK_INT(error_list_open(l), 0);
    CHECK_INT(told(l, false), 2);
    e = print(l, false, &a)->first;
    CHECK_SLICE(json_get_str(e, "by"), "Anna (uid 0)");
    CHECK_UINT(json_get_int(e, "at", 0), NOON + SECOND);
    look(l, NOON + 2 * SECOND, &is); /* as it was */
    CHECK_INT(error_list_open(l), 0);
    look(l, NOON + 3 * SECOND, NULL);
    look(l, NOON + 4 * SECOND, &is);
    CHECK_INT(error_list_open(l), 1);
    error_list_event(l, NOON + 5 * SECOND, &happens);
    CHECK_INT(error_list_open(l), 2);
    e = print(l, false, &a)->first;
    CHECK(json_get(e, "by")->type == JSON_NULL);
    CHECK_OK(error_list_ack(l, NOON, json_get_str(e, "id"), true, "uid 0", &n));
    CHECK_INT(error_list_open(l), 1);
    CHECK_OK(
        error_list_ack(l, NOON, json_get_str(e, "id"), false, "uid 0", &n));
    CHECK_INT(error_list_open(l), 2);
    CHECK_INT(error_list_ack(l, NOON, SLICE_LIT("x"), true, "", &n),
        SYNCLINE_ENOTFOUND);
    arena_free(&a);
    error_list_free(l);
}

TEST(an_event_is_over_after_a_day)
{
    struct error_list *l = list_new();
    struct error_report r = report("login", "{}");

    error_list_event(l, NOON, &r);
    look(l, NOON + ERROR_CALM_US, NULL);
    CHECK_INT(error_list_open(l), 1);
    look(l, NOON + ERROR_CALM_US + 1, NULL);
    check_first(l, "cleared", 1, NOON, NOON);
    error_list_free(l);
}

/* Many addresses are one entry in the end, and push out nothing else. */
TEST(it_is_bounded_whatever_comes)
{
    struct error_list *l = list_new();
    struct error_report disk = report("disk", "{}");
    char where[64], code[16];

    look(l, NOON, &disk);
    for (unsigned i = 0; i < 1000; i++) {
        struct error_report r = report("stranger", where);

        (void)snprintf(where, sizeof where, "{\"address\":\"10.0.%u.%u\"}",
            i >> 8, i & 255);
        r.where = slice_str(where);
        error_list_event(l, NOON + 1 + i, &r);
    }
    CHECK_INT(told(l, true), 1 + ERRORS_OF_CODE);
    check_first(l, "open", 1000 - (ERRORS_OF_CODE - 1), NOON + ERRORS_OF_CODE,
        NOON + 1000);
    for (unsigned i = 0; i < 1000; i++) {
        struct error_report r = report(code, "{}");

        code[0] = 'x';
        for (unsigned k = 1, v = i; k < 5; k++, v /= 10)
            code[k] = (char)('a' + v % 10);
        code[5] = 0;
        error_list_event(l, NOON + 2000 + i, &r);
    }
    CHECK_INT(told(l, true), ERRORS_MAX);
    error_list_begin(l);
    error_list_condition(l, NOON + SECOND, &disk);
    error_list_end(l, NOON + SECOND);
    check_first(l, "open", 1, NOON, NOON + SECOND);
    error_list_free(l);
}

TEST(what_is_saved_loads_as_it_was)
{
    struct error_list *l = list_new(), *again = list_new();
    struct error_report r = report("login",
        "{\"name\":\"K\xc3\xbc"
        "che\"}");
    struct error_report held = report("peer", "{}");
    struct buf saved = { 0 }, first = { 0 }, second = { 0 };
    unsigned n;

    held.hold_us = SECOND;
    CHECK_INT(error_list_changed(l), 0);
    error_list_event(l, NOON, &r);
    CHECK_INT(error_list_changed(l), 2);
    look(l, NOON, &held);
    CHECK_OK(error_list_ack(l, NOON, SLICE_LIT("all"), true, "uid 0", &n));
    error_list_save(l, &saved);
    CHECK_INT(error_list_changed(l), 0);
    CHECK_OK(error_list_load(again, NOON + SECOND, buf_slice(&saved)));
    error_list_print(l, &first, true);
    error_list_print(again, &second, true);
    CHECK_BYTES(buf_slice(&second), buf_slice(&first));
    error_list_event(again, NOON + SECOND, &r);
    check_first(again, "open", 2, NOON, NOON + SECOND);
    buf_free(&saved);
    buf_free(&first);
    buf_free(&second);
    error_list_free(l);
    error_list_free(again);
}

TEST(what_is_no_list_is_refused)
{
    static const char *const rows[] = { "", "{}", "[]",
        "{\"format\":2,\"errors\":[]}", "{\"format\":1}",
        "{\"format\":1,\"errors\":[{}]}",
        "{\"format\":1,\"errors\":[{\"code\":\"A\",\"level\":\"warn\","
        "\"where\":{}}]}",
        "{\"format\":1,\"errors\":[{\"code\":\"a\",\"level\":\"warn\","
        "\"where\":1}]}" };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct error_list *l = list_new();

        CHECK_SAYING(
            error_list_load(l, NOON, slice_str(rows[i])) == SYNCLINE_ECORRUPT,
            "row %zu", i);
        CHECK_INT(told(l, true), 0);
        error_list_free(l);
    }
}

/* One entry as save writes it, but for what a row says. */
static void put_kept(struct buf *b, const char *id, const char *state,
    const char *first, const char *count)
{
    buf_printf(b,
        "{\"id\":\"%s\",\"code\":\"login\",\"level\":\"warn\","
        "\"state\":\"%s\",\"what\":\"x\",\"advice\":null,"
        "\"where\":{},\"first\":%s,\"last\":2000,\"count\":%s,"
        "\"by\":null,\"at\":null,\"condition\":false}",
        id, state, first, count);
}

static int load_kept(const char *id, const char *state, const char *first,
    const char *count, unsigned n)
{
    struct error_list *l = list_new();
    struct buf b = { 0 };
    int rc;

    buf_put_str(&b, "{\"format\":1,\"errors\":[");
    for (unsigned i = 0; i < n; i++) {
        buf_put_str(&b, i > 0 ? "," : "");
        put_kept(&b, id, state, first, count);
    }
    buf_put_str(&b, "]}");
    rc = error_list_load(l, NOON, buf_slice(&b));
    CHECK_INT(told(l, true), rc == SYNCLINE_OK ? 1 : 0);
    buf_free(&b);
    error_list_free(l);
    return rc;
}

/* Nothing is believed that this program has not written. */
TEST(a_list_that_somebody_has_made_up_is_refused)
{
    static const char id[] = "be6b90fd";

    CHECK_OK(load_kept(id, "open", "1000", "1", 1));
    CHECK_INT(load_kept(id, "open", "1000", "1", 2), SYNCLINE_ECORRUPT);
    CHECK_INT(load_kept("00000000", "open", "1000", "1", 1), SYNCLINE_ECORRUPT);
    CHECK_INT(load_kept(id, "new", "1000", "1", 1), SYNCLINE_ECORRUPT);
    CHECK_INT(load_kept(id, "open", "3000", "1", 1), SYNCLINE_ECORRUPT);
    CHECK_INT(load_kept(id, "open", "1000", "0", 1), SYNCLINE_ECORRUPT);
}

/* A clock that was ahead does not hold an entry on top for ever. */
TEST(what_is_kept_of_the_future_was_now)
{
    struct error_list *l = list_new(), *again = list_new();
    struct error_report r = report("login", "{}");
    struct buf saved = { 0 };

    error_list_event(l, NOON + 1000 * SECOND, &r);
    error_list_save(l, &saved);
    CHECK_OK(error_list_load(again, NOON, buf_slice(&saved)));
    check_first(again, "open", 1, NOON, NOON);
    buf_free(&saved);
    error_list_free(l);
    error_list_free(again);
}
