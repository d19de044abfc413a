#include "app/log_format.h"

#include "core/json.h"
#include "unit/check.h"

/* 2026-11-27T20:14:03.120Z */
#define WHEN UINT64_C(1795810443120000)

static const struct log_event invite = { .kind = "invite",
    .who = { (const uint8_t *)"{\"uid\":0}", 9 },
    .details = { (const uint8_t *)"{\"expires_s\":600}", 17 },
    .repeated = 2 };

typedef void put_fn(struct buf *b, const struct log_record *r);

static void check_line(
    put_fn *put, const struct log_record *r, const char *wanted)
{
    struct buf b = { 0 };

    put(&b, r);
    CHECK_OK(buf_status(&b));
    CHECK_SLICE(buf_slice(&b), wanted);
    buf_free(&b);
}

static struct log_record record(struct slice text)
{
    return (struct log_record){
        .wall_us = WHEN, .level = LOG_LEVEL_WARN, .module = "net", .text = text
    };
}

TEST(a_line_of_text)
{
    const struct log_record r = record(SLICE_LIT("h\xc3\xb6rt nichts"));

    check_line(log_put_text, &r,
        "2026-11-27T20:14:03.120Z warn  net: h\xc3\xb6rt nichts\n");
}

TEST(a_line_of_json)
{
    const struct log_record r = record(SLICE_LIT("\"h\xc3\xb6rt\""));

    check_line(log_put_json, &r,
        "{\"time\":\"2026-11-27T20:14:03.120Z\",\"level\":\"warn\","
        "\"module\":\"net\",\"text\":\"\\\"h\\u00f6rt\\\"\"}\n");
}

TEST(an_event_keeps_its_members)
{
    struct log_record r = { .wall_us = WHEN,
        .level = LOG_LEVEL_INFO,
        .module = LOG_SECURITY,
        .event = &invite };

    check_line(log_put_text, &r,
        "2026-11-27T20:14:03.120Z info  security: invite, 2 times more "
        "{\"expires_s\":600} by {\"uid\":0}\n");
    check_line(log_put_json, &r,
        "{\"time\":\"2026-11-27T20:14:03.120Z\",\"level\":\"info\","
        "\"module\":\"security\",\"text\":\"invite, 2 times more "
        "{\\\"expires_s\\\":600} by {\\\"uid\\\":0}\",\"event\":\"invite\","
        "\"details\":{\"expires_s\":600},\"who\":{\"uid\":0},"
        "\"repeated\":2}\n");
}

TEST(an_entry_of_the_journal)
{
    struct log_record r = record(SLICE_LIT("a\nb"));

    check_line(log_put_journal, &r,
        "PRIORITY=4\nSYSLOG_IDENTIFIER=syncline\nSYNCLINE_MODULE=net\n"
        "MESSAGE=net: a\\u000ab\n");
    r = (struct log_record){
        .level = LOG_LEVEL_INFO, .module = LOG_SECURITY, .event = &invite
    };
    check_line(log_put_journal, &r,
        "PRIORITY=6\nSYSLOG_IDENTIFIER=syncline\nSYNCLINE_MODULE=security\n"
        "MESSAGE=security: invite, 2 times more {\"expires_s\":600} by "
        "{\"uid\":0}\nSYNCLINE_EVENT=invite\n"
        "SYNCLINE_DETAILS={\"expires_s\":600}\nSYNCLINE_WHO={\"uid\":0}\n"
        "SYNCLINE_REPEATED=2\n");
}

/* What a peer says of itself cannot begin a line, nor move the cursor. */
TEST(a_stranger_cannot_write_a_line_of_his_own)
{
    const struct log_record r =
        record(SLICE_LIT("a\nb\r\x1b[2J\x7f\xc2\x9b\xe2\x80\xae"));

    check_line(log_put_text, &r,
        "2026-11-27T20:14:03.120Z warn  net: "
        "a\\u000ab\\u000d\\u001b[2J\\u007f\\u009b\\u202e\n");
}

/* A text that was cut in the middle of a letter, and worse. */
TEST(every_line_of_json_is_json)
{
    static const char *const texts[] = { "\xc3", "a\xe2\x80", "\xff\xfe",
        "\xed\xa0\x80", "\xf0\x9f\x98\x80", "\"\\", "" };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct log_record r = record(slice_str(texts[i]));
        struct arena a = { 0 };
        struct buf b = { 0 };
        struct json *v;

        log_put_json(&b, &r);
        CHECK_OK(buf_status(&b));
        CHECK(b.ptr[b.len - 1] == '\n');
        CHECK_OK(
            json_parse(&v, SLICE(b.ptr, b.len - 1), JSON_STRICT, &a, NULL));
        CHECK_SLICE(json_get_str(v, "module"), "net");
        arena_free(&a);
        buf_free(&b);
    }
}

TEST(memory_that_runs_out_fails_the_line)
{
    const struct log_record r = record(SLICE_LIT("text"));

    for (long n = 0;; n++) {
        struct buf b = { 0 };

        check_alloc_fail_from(n);
        log_put_json(&b, &r);
        if (!check_alloc_failed()) {
            CHECK_OK(buf_status(&b));
            buf_free(&b);
            break;
        }
        CHECK_INT(buf_status(&b), SYNCLINE_ENOMEM);
        buf_free(&b);
    }
    check_alloc_fail_from(-1);
}
