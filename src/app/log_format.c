#include "app/log_format.h"

#include "base/text.h"
#include "core/json.h"

#include <time.h>

static void put_time(struct buf *b, uint64_t wall_us)
{
    const time_t s = (time_t)(wall_us / 1000000);
    char when[40];
    struct tm tm;

    if (gmtime_r(&s, &tm) == NULL ||
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        when[0] = 0;
    buf_printf(b, "%s.%03uZ", when, (unsigned)(wall_us / 1000 % 1000));
}

/* The sentence alone; an event in words. */
static void log_put_sentence(struct buf *b, const struct log_record *r)
{
    const struct log_event *e = r->event;

    if (e == NULL) {
        put_inert(b, r->text);
        return;
    }
    buf_put_str(b, e->kind);
    if (e->repeated > 0)
        buf_printf(b, ", %llu times more", (unsigned long long)e->repeated);
    buf_put_u8(b, ' ');
    put_inert(b, e->details);
    if (slice_is(e->who, "{}"))
        return; /* its own doing */
    buf_put_str(b, " by ");
    put_inert(b, e->who);
}

void log_put_text(struct buf *b, const struct log_record *r)
{
    put_time(b, r->wall_us);
    buf_printf(b, " %-5s %s: ", log_level_name(r->level), r->module);
    log_put_sentence(b, r);
    buf_put_u8(b, '\n');
}

static void put_event(struct buf *b, const struct log_event *e)
{
    buf_printf(b, ",\"event\":\"%s\",\"details\":", e->kind);
    buf_put_slice(b, e->details);
    buf_put_str(b, ",\"who\":");
    buf_put_slice(b, e->who);
    if (e->repeated > 0)
        buf_printf(b, ",\"repeated\":%llu", (unsigned long long)e->repeated);
}

void log_put_json(struct buf *b, const struct log_record *r)
{
    struct buf sentence = { 0 };

    log_put_sentence(&sentence, r);
    if (buf_status(&sentence) != SYNCLINE_OK)
        b->status = buf_status(&sentence);
    buf_put_str(b, "{\"time\":\"");
    put_time(b, r->wall_us);
    buf_printf(b, "\",\"level\":\"%s\",\"module\":\"%s\",\"text\":",
        log_level_name(r->level), r->module);
    json_print_string(b, buf_slice(&sentence), true);
    if (r->event != NULL)
        put_event(b, r->event);
    buf_put_str(b, "}\n");
    buf_free(&sentence);
}

/* No field has a newline in it: then that is its end. */
void log_put_journal(struct buf *b, const struct log_record *r)
{
    static const char priority[LOG_LEVELS_N] = { '3', '4', '6', '7' };
    const struct log_event *e = r->event;

    buf_printf(
        b, "PRIORITY=%c\nSYSLOG_IDENTIFIER=syncline\n", priority[r->level]);
    buf_printf(b, "SYNCLINE_MODULE=%s\nMESSAGE=%s: ", r->module, r->module);
    log_put_sentence(b, r);
    buf_put_u8(b, '\n');
    if (e == NULL)
        return;
    buf_printf(b, "SYNCLINE_EVENT=%s\nSYNCLINE_DETAILS=", e->kind);
    buf_put_slice(b, e->details);
    buf_put_str(b, "\nSYNCLINE_WHO=");
    buf_put_slice(b, e->who);
    buf_put_u8(b, '\n');
    if (e->repeated > 0)
        buf_printf(
            b, "SYNCLINE_REPEATED=%llu\n", (unsigned long long)e->repeated);
}
