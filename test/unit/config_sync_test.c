/* Who is told of what: stories of links to instances. */
#include "faces/configsync/sync.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "faces/configsync/message.h"
#include "unit/check.h"

#define SEC UINT64_C(1000000)
#define T0 (UINT64_C(1795220000) * SEC)

struct world {
    struct config_sync *s;
    struct config_time now;
    struct buf said;    /* "LINK:TYPE:DATA;" */
    struct buf written; /* "INSTANCE@SECONDS:CONFIG;" */
    struct buf log;
};

static void on_send(void *ctx, uint64_t link, struct slice text)
{
    static const char *const names[] = { "update", "request", "response",
        "heartbeat", "other" };
    struct world *w = ctx;
    struct config_message m;
    struct arena a = { 0 };

    if (message_read(&m, text, &a, NULL) != SYNCLINE_OK) {
        CHECK(check_alloc_failed());
        arena_free(&a);
        return;
    }
    buf_printf(&w->said, "%u:%s", (unsigned)link, names[m.type]);
    if (m.data != NULL) {
        buf_put_u8(&w->said, ':');
        json_print(&w->said, m.data, JSON_CANONICAL);
    }
    buf_put_u8(&w->said, ';');
    arena_free(&a);
}

static void on_write(void *ctx, const struct config_write *c)
{
    struct world *w = ctx;

    buf_printf(&w->written, "%.*s@%d:", SLICE_FMT(c->instance),
        (int)((c->time_us - T0) / SEC));
    json_print(&w->written, c->config, JSON_CANONICAL);
    buf_put_u8(&w->written, ';');
}

static void on_log(void *ctx, enum log_level level, const char *text)
{
    struct world *w = ctx;

    buf_printf(&w->log, "%d %s;", level, text);
}

static void open_world(struct world *w)
{
    const struct config_sync_options opt = {
        .port = { w, on_send, on_write, on_log },
        .instance = "us",
        .batch_us = SEC / 10,
        .heartbeat_us = 30 * SEC,
        .adopts = true,
    };

    *w = (struct world){ .now = { T0, SEC } };
    CHECK_OK(config_sync_new(&w->s, &opt));
}

static void close_world(struct world *w)
{
    config_sync_free(w->s);
    buf_free(&w->said);
    buf_free(&w->written);
    buf_free(&w->log);
}

static void link_up(struct world *w, uint64_t id, bool is_caller)
{
    CHECK_OK(config_sync_open(w->s, id, is_caller, NULL, w->now));
}

static void stands(struct world *w, const char *config, int at)
{
    struct arena a = { 0 };
    struct json *v = NULL;

    CHECK_OK(json_parse(&v, slice_str(config), JSON_STRICT, &a, NULL));
    CHECK_OK(config_sync_stands(w->s, v, T0 + (uint64_t)at * SEC, w->now));
    arena_free(&a);
}

static void hear(struct world *w, uint64_t link, const char *text)
{
    config_sync_take(w->s, link, true, slice_str(text), w->now);
}

static void hear_config(struct world *w, uint64_t link, const char *type,
    const char *who, double at, const char *config)
{
    char text[512];

    (void)snprintf(text, sizeof text,
        "{\"type\": \"%s\", \"timestamp\": %.1f, \"instance_id\": \"%s\", "
        "\"config_hash\": \"\", \"config_data\": %s}",
        type, (double)(T0 / SEC) + at, who, config);
    hear(w, link, text);
}

static void hear_update(struct world *w, uint64_t link, const char *who,
    double at, const char *config)
{
    hear_config(w, link, "config_update", who, at, config);
}

static void done(struct world *w, int rc)
{
    config_sync_written(w->s, rc, rc == SYNCLINE_OK ? NULL : "why", w->now);
}

static void pass(struct world *w, double seconds)
{
    w->now.wall_us += (uint64_t)(seconds * 1e6);
    w->now.mono_us += (uint64_t)(seconds * 1e6);
    config_sync_tick(w->s, w->now);
}

static void check_buf(struct buf *b, const char *want)
{
    CHECK_SLICE(buf_slice(b), want);
    buf_clear(b);
}

TEST(what_a_caller_says_goes_to_the_other_callers_and_is_written)
{
    struct world w;

    open_world(&w);
    link_up(&w, 1, true);
    link_up(&w, 2, true);
    link_up(&w, 3, false);
    check_buf(&w.said, "3:request;");
    hear_update(&w, 1, "a", 1, "{\"x\":1}");
    check_buf(&w.said, "2:update:{\"x\":1};");
    check_buf(&w.written, "a@1:{\"x\":1};");
    stands(&w, "{\"x\":1}", 1);
    done(&w, SYNCLINE_OK);
    pass(&w, 1); /* whom we call was not told yet; the callers know */
    check_buf(&w.said, "3:update:{\"x\":1};");
    pass(&w, 1);
    check_buf(&w.said, "");
    close_world(&w);
}

/* The bytes that go on are those of the original server. */
struct bytes {
    struct buf b;
};

static void on_bytes(void *ctx, uint64_t link, struct slice text)
{
    struct bytes *p = ctx;

    (void)link;
    buf_put_slice(&p->b, text);
}

static void on_nothing(void *ctx, const struct config_write *c)
{
    (void)ctx;
    (void)c;
}

TEST(what_is_passed_on_is_printed_as_the_original_does)
{
    static const struct {
        const char *in, *out; /* out NULL: nothing */
    } rows[] = {
        { "{\"config_hash\":\"\",\"type\":\"config_update\",\"timestamp\":7,"
          "\"instance_id\":\"a\"}",
            "{\"type\": \"config_update\", \"timestamp\": 7, \"instance_id\": "
            "\"a\", \"config_hash\": \"\", \"config_data\": null, "
            "\"conflict_resolution\": \"last_write_wins\"}" },
        { "{\"type\":\"config_update\",\"timestamp\":\"x\",\"instance_id\":[],"
          "\"config_hash\":null,\"config_data\":{\"b\":1E5,\"a\":\"\xc3\xa9\","
          "\"b\":123456789012345678901234567890},"
          "\"conflict_resolution\":false}",
            "{\"type\": \"config_update\", \"timestamp\": \"x\", "
            "\"instance_id\": [], \"config_hash\": null, \"config_data\": "
            "{\"b\": 123456789012345678901234567890, \"a\": \"\\u00e9\"}, "
            "\"conflict_resolution\": false}" },
        { "{\"type\":\"config_update\",\"timestamp\":7,\"instance_id\":\"a\"}",
            NULL },
        { "{\"type\":\"config_update\",\"timestamp\":7,\"instance_id\":\"a\","
          "\"config_hash\":\"\",\"more\":1}",
            NULL },
        { "[]", NULL },
        { "", NULL },
        { "{\"type\":\"heartbeat\",\"timestamp\":7,\"instance_id\":\"a\","
          "\"config_hash\":\"\"}",
            NULL },
        { "{\"type\":\"config_response\",\"timestamp\":7,\"instance_id\":"
          "\"a\",\"config_hash\":\"\",\"config_data\":{\"a\":1}}",
            NULL },
    };
    const struct config_time at = { T0, SEC };
    struct bytes p = { .b = { 0 } };
    const struct config_sync_options opt = {
        .port = { &p, on_bytes, on_nothing, NULL }, .instance = "us"
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct config_sync *s;

        CHECK_OK(config_sync_new(&s, &opt));
        CHECK_OK(config_sync_open(s, 1, true, NULL, at));
        CHECK_OK(config_sync_open(s, 2, true, NULL, at));
        config_sync_take(s, 1, true, slice_str(rows[i].in), at);
        CHECK_SLICE(buf_slice(&p.b), rows[i].out != NULL ? rows[i].out : "");
        buf_clear(&p.b);
        config_sync_take(s, 1, false, slice_str(rows[0].in), at);
        CHECK_UINT(p.b.len, 0);
        config_sync_free(s);
    }
    buf_free(&p.b);
}

TEST(changes_of_a_moment_are_one_message)
{
    struct world w;

    open_world(&w);
    link_up(&w, 1, true);
    stands(&w, "{\"x\":1}", 1);
    stands(&w, "{\"x\":2}", 1);
    pass(&w, 0.05);
    stands(&w, "{\"x\":3}", 2);
    check_buf(&w.said, "");
    CHECK(config_sync_deadline(w.s) > w.now.mono_us);
    pass(&w, 0.06);
    check_buf(&w.said, "1:update:{\"x\":3};");
    stands(&w, "{\"x\":3}", 9); /* the same again */
    pass(&w, 1);
    check_buf(&w.said, "");
    close_world(&w);
}

/* Who says two things at once is not sent back the first. */
TEST(no_echo_of_what_is_being_written)
{
    struct world w;

    open_world(&w);
    link_up(&w, 1, true);
    hear_update(&w, 1, "a", 1, "{\"x\":1}");
    hear_update(&w, 1, "a", 2, "{\"x\":2}");
    hear_update(&w, 1, "a", 3, "{\"x\":3}");
    check_buf(&w.written, "a@1:{\"x\":1};");
    stands(&w, "{\"x\":1}", 1);
    pass(&w, 1);
    check_buf(&w.said, "");
    done(&w, SYNCLINE_OK);
    check_buf(&w.written, "a@3:{\"x\":3};"); /* the one between is past */
    stands(&w, "{\"x\":3}", 3);
    done(&w, SYNCLINE_OK);
    pass(&w, 1);
    check_buf(&w.said, "");
    close_world(&w);
}

TEST(what_is_refused_leaves_what_stood)
{
    struct world w;

    open_world(&w);
    link_up(&w, 1, true);
    link_up(&w, 2, false);
    stands(&w, "{\"x\":1}", 1);
    pass(&w, 1);
    buf_clear(&w.said);
    hear_update(&w, 1, "a", 5, "{\"x\":2}");
    check_buf(&w.written, "a@5:{\"x\":2};");
    done(&w, SYNCLINE_EINVAL);
    CHECK_SLICE(slice_str(config_sync_trouble(w.s)), "an update of a: why");
    CHECK_UINT(config_sync_last_us(w.s), 0);
    pass(&w, 1);
    check_buf(&w.said, "");                  /* nobody is argued with */
    hear_update(&w, 1, "a", 3, "{\"x\":3}"); /* newer than what stands */
    check_buf(&w.written, "a@3:{\"x\":3};");
    stands(&w, "{\"x\":3}", 3);
    done(&w, SYNCLINE_OK);
    CHECK_SLICE(slice_str(config_sync_trouble(w.s)), "");
    close_world(&w);
}

/* Older instances know of objects alone: who writes something else here must
 * not believe that they have it. */
TEST(what_no_instance_takes_is_told_to_none_and_said)
{
    struct world w;

    open_world(&w);
    link_up(&w, 1, true);
    stands(&w, "[1]", 1);
    pass(&w, 1);
    check_buf(&w.said, "");
    CHECK_SLICE(slice_str(config_sync_trouble(w.s)),
        "the configuration is no JSON object, which is all that instances "
        "take: none is told of it");
    CHECK(w.log.len > 0);
    stands(&w, "{\"x\":1}", 2);
    CHECK_SLICE(slice_str(config_sync_trouble(w.s)), "");
    pass(&w, 1);
    check_buf(&w.said, "1:update:{\"x\":1};");
    close_world(&w);
}

TEST(what_an_item_cannot_hold_is_refused_and_passed_on)
{
    struct world w;

    open_world(&w);
    link_up(&w, 1, true);
    link_up(&w, 2, true);
    hear_update(&w, 1, "a", 1, "{\"x\":1e400}");
    hear_update(&w, 1, "a", 2, "{\"x\":99999999999999999999}");
    hear_update(&w, 1, "a", 3, "{\"x\":\"\\ud800\"}");
    check_buf(&w.written, "");
    CHECK_UINT(config_sync_counts(w.s)->refused, 3);
    CHECK_UINT(config_sync_counts(w.s)->relayed, 3);
    close_world(&w);
}

TEST(at_equal_times_the_larger_name_wins)
{
    struct world w;

    open_world(&w);
    link_up(&w, 1, true);
    hear_update(&w, 1, "b", 5, "{\"x\":1}");
    stands(&w, "{\"x\":1}", 5);
    done(&w, SYNCLINE_OK);
    buf_clear(&w.written);
    hear_update(&w, 1, "a", 5, "{\"x\":2}");
    check_buf(&w.written, "");
    hear_update(&w, 1, "c", 5, "{\"x\":3}");
    check_buf(&w.written, "c@5:{\"x\":3};");
    CHECK_UINT(config_sync_counts(w.s)->older, 1);
    close_world(&w);
}

TEST(a_clock_that_is_far_ahead_does_not_freeze_anything)
{
    struct world w;

    open_world(&w);
    link_up(&w, 1, true);
    hear_update(&w, 1, "a", 1e8, "{\"x\":1}");
    check_buf(&w.written, "a@0:{\"x\":1};"); /* as if it were now */
    stands(&w, "{\"x\":1}", 0);
    done(&w, SYNCLINE_OK);
    pass(&w, 2);
    hear_update(&w, 1, "b", 1, "{\"x\":2}");
    check_buf(&w.written, "b@1:{\"x\":2};");
    close_world(&w);
}

TEST(who_comes_is_told_and_who_comes_again_is_asked)
{
    char known[CONFIG_HASH_LEN + 1];
    struct world w;

    open_world(&w);
    stands(&w, "{\"x\":1}", 1);
    link_up(&w, 1, true);
    link_up(&w, 2, false);
    check_buf(&w.said, "1:update:{\"x\":1};2:request;2:update:{\"x\":1};");
    (void)snprintf(known, sizeof known, "%s", config_sync_known(w.s, 2));
    CHECK_UINT(strlen(known), CONFIG_HASH_LEN);
    config_sync_close(w.s, 2);
    CHECK_SLICE(slice_str(config_sync_known(w.s, 2)), "");
    CHECK_OK(config_sync_open(w.s, 2, false, known, w.now));
    check_buf(&w.said, "2:request;"); /* nothing has changed since */
    config_sync_close(w.s, 2);
    stands(&w, "{\"x\":2}", 2);
    pass(&w, 1);
    check_buf(&w.said, "1:update:{\"x\":2};");
    CHECK_OK(config_sync_open(w.s, 3, false, known, w.now));
    check_buf(&w.said, "3:request;3:update:{\"x\":2};");
    hear_config(&w, 3, "config_response", "b", 7, "{\"x\":7}");
    check_buf(&w.written, "b@7:{\"x\":7};");
    stands(&w, "{\"x\":7}", 7);
    done(&w, SYNCLINE_OK);
    hear_config(&w, 3, "config_response", "b", 8, "{\"x\":8}");
    check_buf(&w.written, ""); /* it was not asked */
    close_world(&w);
}

/* Somebody sets the clock back by a day: what is due comes as soon as ever, and
 * what is written after that still wins by its own time alone. */
TEST(a_wall_clock_that_is_set_back_delays_nothing)
{
    struct world w;

    open_world(&w);
    link_up(&w, 1, true);
    stands(&w, "{\"x\":1}", 0);
    w.now.wall_us -= 86400 * SEC;
    CHECK(config_sync_deadline(w.s) <= w.now.mono_us + SEC);
    pass(&w, 0.2);
    check_buf(&w.said, "1:update:{\"x\":1};");
    pass(&w, 30);
    check_buf(&w.said, "1:heartbeat;");
    w.now.wall_us -= 86400 * SEC;
    stands(&w, "{\"x\":2}", 1);
    pass(&w, 0.2);
    check_buf(&w.said, "1:update:{\"x\":2};");
    w.now.wall_us += 5 * 86400 * SEC; /* and forward: nothing comes early */
    stands(&w, "{\"x\":3}", 2);
    pass(&w, 0.05);
    check_buf(&w.said, "");
    pass(&w, 0.06);
    check_buf(&w.said, "1:update:{\"x\":3};");
    close_world(&w);
}

TEST(requests_are_answered_and_hearts_beat)
{
    struct world w;

    open_world(&w);
    link_up(&w, 1, true);
    hear(&w, 1,
        "{\"type\":\"config_request\",\"timestamp\":7,\"instance_id\":\"a\","
        "\"config_hash\":\"\"}");
    check_buf(&w.said, "1:response;");
    stands(&w, "{\"x\":1}", 1);
    pass(&w, 1);
    buf_clear(&w.said);
    hear(&w, 1,
        "{\"type\":\"config_request\",\"timestamp\":7,\"instance_id\":\"a\","
        "\"config_hash\":\"\"}");
    check_buf(&w.said, "1:response:{\"x\":1};");
    pass(&w, 30);
    check_buf(&w.said, "1:heartbeat;");
    config_sync_force(w.s, w.now);
    pass(&w, 1);
    check_buf(&w.said, "1:update:{\"x\":1};");
    close_world(&w);
}

TEST(memory_that_runs_out)
{
    for (long n = 0;; n++) {
        struct world w;
        bool failed;

        open_world(&w);
        link_up(&w, 1, true);
        link_up(&w, 2, true);
        check_alloc_fail_from(n);
        hear_update(&w, 1, "a", 1, "{\"x\":[1,2,{}]}");
        pass(&w, 31);
        failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        hear_update(&w, 1, "a", 9, "{\"x\":9}");
        buf_clear(&w.said);
        if (w.written.len > 0)
            done(&w, SYNCLINE_OK);
        close_world(&w);
        if (!failed)
            break;
    }
}
