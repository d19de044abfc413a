#include "app/log_request.h"

#include "unit/check.h"

static void ask(struct log_levels *levels, const char *request, bool *changed,
    struct buf *out, bool known)
{
    const struct log_levels configured = { .rest = LOG_LEVEL_INFO };
    struct arena a = { 0 };
    struct json *v;

    CHECK_OK(json_parse(&v, slice_str(request), JSON_STRICT, &a, NULL));
    CHECK_SAYING(log_request(levels, &configured, v, out, changed) == known,
        "%s", request);
    CHECK_OK(buf_status(out));
    arena_free(&a);
}

static void check_levels(const struct log_levels *levels, const char *want)
{
    struct buf b = { 0 };

    log_levels_print(levels, &b);
    CHECK_SLICE(buf_slice(&b), want);
    buf_free(&b);
}

TEST(levels_change_and_go_back)
{
    static const struct {
        const char *request, *levels;
    } rows[] = {
        { "{\"op\":\"log\"}", "info" },
        { "{\"op\":\"log_level\",\"level\":\"WARNING\"}", "warn" },
        { "{\"op\":\"log_level\",\"module\":\"net\",\"level\":\"debug\"}",
            "warn,net=debug" },
        { "{\"op\":\"log_level\",\"module\":\"join\",\"level\":\"error\"}",
            "warn,join=error,net=debug" },
        { "{\"op\":\"log_level\",\"module\":\"net\",\"level\":\"default\"}",
            "warn,join=error" },
        { "{\"op\":\"log_level\",\"level\":\"default\"}", "info" },
    };
    struct log_levels levels = { .rest = LOG_LEVEL_INFO };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf out = { 0 };
        bool changed;

        ask(&levels, rows[i].request, &changed, &out, true);
        CHECK(changed == (i > 0));
        check_levels(&levels, rows[i].levels);
        CHECK(slice_has_prefix(
            buf_slice(&out), SLICE_LIT("{\"ok\":true,\"levels\":\"")));
        buf_free(&out);
    }
}

TEST(the_answer_tells_of_every_module)
{
    struct log_levels levels = { .rest = LOG_LEVEL_WARN };
    struct arena a = { 0 };
    struct buf out = { 0 };
    const struct json *modules;
    struct json *v;
    bool changed;

    ask(&levels,
        "{\"op\":\"log_level\",\"module\":\"store\",\"level\":\"debug\"}",
        &changed, &out, true);
    CHECK_OK(json_parse(&v, buf_slice(&out), JSON_STRICT, &a, NULL));
    CHECK_SLICE(json_get_str(v, "levels"), "warn,store=debug");
    CHECK_SLICE(json_get_str(v, "configured"), "info");
    modules = json_get(v, "modules");
    CHECK(modules != NULL && log_modules[modules->n] == NULL);
    for (const struct json *m = modules->first; m != NULL; m = m->next) {
        const bool own = slice_is(json_get_str(m, "name"), "store");

        CHECK(json_get_bool(m, "own", !own) == own);
        CHECK_SLICE(json_get_str(m, "level"), own ? "debug" : "warn");
    }
    arena_free(&a);
    buf_free(&out);
}

TEST(what_is_wrong_changes_nothing)
{
    static const char *const rows[] = {
        "{\"op\":\"log_level\"}",
        "{\"op\":\"log_level\",\"level\":7}",
        "{\"op\":\"log_level\",\"level\":\"loud\"}",
        "{\"op\":\"log_level\",\"level\":\"\"}",
        "{\"op\":\"log_level\",\"level\":\"debug\",\"module\":\"nte\"}",
        "{\"op\":\"log_level\",\"level\":\"default\",\"module\":\"nte\"}",
        "{\"op\":\"log_level\",\"level\":\"debug\",\"module\":\"\"}",
        "{\"op\":\"log_level\",\"level\":\"debug\",\"module\":null}",
    };
    struct log_levels levels = { .rest = LOG_LEVEL_WARN };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf out = { 0 };
        bool changed;

        ask(&levels, rows[i], &changed, &out, true);
        CHECK(!changed);
        check_levels(&levels, "warn");
        CHECK_SAYING(
            slice_has_prefix(buf_slice(&out), SLICE_LIT("{\"ok\":false,")),
            "%s", rows[i]);
        buf_free(&out);
    }
}

TEST(other_requests_are_others)
{
    struct log_levels levels = { 0 };
    struct buf out = { 0 };
    bool changed;

    ask(&levels, "{\"op\":\"config\"}", &changed, &out, false);
    ask(&levels, "{}", &changed, &out, false);
    CHECK_UINT(out.len, 0);
}
