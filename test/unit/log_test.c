#include "base/log.h"

#include "unit/check.h"

#include <stdio.h>

struct heard {
    unsigned lines;
    enum log_level level;
    char text[64];
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
    struct log log = { hear, &h, LOG_LEVEL_INFO };

    log_line(&log, LOG_LEVEL_WARN, "store", "%d rows", 3);
    CHECK_UINT(h.lines, 1);
    CHECK_INT(h.level, LOG_LEVEL_WARN);
    CHECK_SLICE(slice_str(h.text), "store: 3 rows");
}

TEST(what_is_too_talkative_is_not_said)
{
    struct heard h = { 0 };
    struct log log = { hear, &h, LOG_LEVEL_WARN };

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
