#include "base/log.h"

#include "unit/check.h"

#include <stdio.h>

struct heard {
    unsigned lines;
    enum log_level level;
    char text[128];
};

static void hear(
    void *ctx, enum log_level level, const char *module, const char *text)
{
    struct heard *h = ctx;

    h->lines++;
    h->level = level;
    (void)snprintf(h->text, sizeof h->text, "%s: %s", module, text);
}

TEST(a_line_reaches_who_listens)
{
    struct heard h = { 0 };
    struct log log = { .fn = hear, .ctx = &h, .level = LOG_LEVEL_INFO };

    log_line(&log, LOG_LEVEL_WARN, "store", "%d rows", 3);
    CHECK_UINT(h.lines, 1);
    CHECK_INT(h.level, LOG_LEVEL_WARN);
    CHECK_SLICE(slice_str(h.text), "store: 3 rows");
}

TEST(what_is_too_talkative_is_not_said)
{
    struct heard h = { 0 };
    struct log log = { .fn = hear, .ctx = &h, .level = LOG_LEVEL_WARN };

    log_line(&log, LOG_LEVEL_INFO, "store", "no");
    log_line(&log, LOG_LEVEL_DEBUG, "store", "no");
    CHECK_UINT(h.lines, 0);
    log_line(&log, LOG_LEVEL_WARN, "store", "yes");
    log_line(&log, LOG_LEVEL_ERROR, "store", "yes");
    CHECK_UINT(h.lines, 2);
}

TEST(nobody_needs_to_listen)
{
    struct log log = { 0 };

    log_line(NULL, LOG_LEVEL_ERROR, "store", "no");
    log_line(&log, LOG_LEVEL_ERROR, "store", "no");
    CHECK_SLICE(slice_str(log_level_name(LOG_LEVEL_DEBUG)), "debug");
    CHECK_SLICE(slice_str(log_level_name((enum log_level)9)), "?");
}

TEST(each_module_has_its_level)
{
    struct heard h = { 0 };
    struct log_levels levels;
    struct log log = { .fn = hear, .ctx = &h, .levels = &levels };

    CHECK_OK(log_levels_parse(&levels, SLICE_LIT("warn,net=debug"), NULL));
    log_line(&log, LOG_LEVEL_INFO, "store", "no");
    log_line(&log, LOG_LEVEL_DEBUG, "net", "yes");
    log_line(&log, LOG_LEVEL_WARN, "of no list", "yes");
    CHECK_UINT(h.lines, 2);
    CHECK_OK(log_levels_set(&levels, SLICE_LIT("store"), LOG_LEVEL_INFO, NULL));
    CHECK_OK(log_levels_unset(&levels, SLICE_LIT("net"), NULL));
    log_line(&log, LOG_LEVEL_INFO, "store", "yes");
    log_line(&log, LOG_LEVEL_INFO, "net", "no");
    CHECK_UINT(h.lines, 3);
    CHECK_OK(log_levels_set(&levels, SLICE_NONE, LOG_LEVEL_DEBUG, NULL));
    CHECK_INT(log_levels_get(&levels, "net"), LOG_LEVEL_DEBUG);
    CHECK_INT(log_levels_get(&levels, "store"), LOG_LEVEL_INFO);
}

TEST(levels_are_written_as_they_are_read)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "info", "info" },
        { "WARNING", "warn" },
        { "CRITICAL", "error" },
        { "Fatal", "error" },
        { "NOTICE", "info" },
        { "trace", "debug" },
        { "net=debug", "info,net=debug" },
        { " store=Warning, error\tnet=debug,", "error,net=debug,store=warn" },
        { "net=debug,net=error", "info,net=error" },
        { "net=info", "info,net=info" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct log_levels levels;
        struct buf b = { 0 };

        CHECK_OK(log_levels_parse(&levels, slice_str(rows[i].in), NULL));
        log_levels_print(&levels, &b);
        CHECK_SLICE(buf_slice(&b), rows[i].out);
        buf_free(&b);
    }
}

TEST(wrong_levels_say_why_and_change_nothing)
{
    static const struct {
        const char *in, *why;
    } rows[] = {
        { "loud", "\"loud\" is none of error|warn|info|debug" },
        { "info,", NULL },
        { "", "no level; " },
        { " , ", "no level; " },
        { "info,debug", "\"debug\" is a second level for all" },
        { "nte=debug", "\"nte\" is no module of the log; there are access, " },
        { "=debug", "\"\" is no module" },
        { "net=", "\"\" is none of" },
        { "net=debug=info", "\"debug=info\" is none of" },
        { "Net=debug", "\"Net\" is no module" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct log_levels levels = { .rest = LOG_LEVEL_DEBUG };
        struct errmsg why = { "" };
        int rc = log_levels_parse(&levels, slice_str(rows[i].in), &why);

        CHECK_INT(rc, rows[i].why == NULL ? SYNCLINE_OK : SYNCLINE_EINVAL);
        if (rows[i].why == NULL)
            continue;
        CHECK_SAYING(strstr(why.text, rows[i].why) == why.text, "%s", why.text);
        CHECK_INT(levels.rest, LOG_LEVEL_DEBUG);
    }
}

/* A person looks for it there. */
TEST(modules_are_in_the_alphabets_order)
{
    for (size_t i = 1; log_modules[i] != NULL; i++)
        CHECK(strcmp(log_modules[i - 1], log_modules[i]) < 0);
}

TEST(who_hears_no_events_is_told_in_words)
{
    struct heard h = { 0 };
    struct log log = { .fn = hear, .ctx = &h, .level = LOG_LEVEL_INFO };
    struct log_event e = { .kind = "invite",
        .who = SLICE_LIT("{\"uid\":0}"),
        .details = SLICE_LIT("{\"expires_s\":600}") };

    log_security(&log, LOG_LEVEL_DEBUG, &e);
    CHECK_UINT(h.lines, 0);
    log_security(&log, LOG_LEVEL_INFO, &e);
    CHECK_SLICE(slice_str(h.text),
        "security: invite {\"expires_s\":600} by {\"uid\":0}");
    e.who = SLICE_LIT("{}");
    e.repeated = 3;
    log_security(&log, LOG_LEVEL_INFO, &e);
    CHECK_SLICE(slice_str(h.text),
        "security: invite, 3 times more {\"expires_s\":600}");
}

TEST(a_message_says_why_and_passes_the_code_on)
{
    struct errmsg why = { "" };

    CHECK_INT(errmsg_set(&why, SYNCLINE_EINVAL, "line %d", 7), SYNCLINE_EINVAL);
    CHECK_SLICE(slice_str(why.text), "line 7");
    CHECK_INT(errmsg_set(NULL, SYNCLINE_EIO, "line %d", 7), SYNCLINE_EIO);
}

TEST(a_message_that_is_too_long_is_cut)
{
    struct errmsg why = { "" };

    CHECK_INT(errmsg_set(&why, SYNCLINE_EIO, "%01000d", 7), SYNCLINE_EIO);
    CHECK_UINT(strlen(why.text), ERRMSG_MAX - 1);
}
