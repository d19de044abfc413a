#include "app/log_sink.h"

#include "app/log_format.h"
#include "io/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct log_sink {
    pthread_mutex_t lock; /* of all but levels */
    struct log_sink_options opt;
    struct log_levels levels;
};

static void put_on_stderr(const struct log_sink *s, const struct log_record *r)
{
    struct buf b = { 0 };

    if (s->opt.json)
        log_put_json(&b, r);
    else
        log_put_text(&b, r);
    if (buf_status(&b) == SYNCLINE_OK)
        (void)!write(STDERR_FILENO, b.ptr, b.len);
    buf_free(&b);
}

static void put_record(struct log_sink *s, struct log_record *r)
{
    r->wall_us = clock_wall_us();
    (void)pthread_mutex_lock(&s->lock);
    put_on_stderr(s, r);
    (void)pthread_mutex_unlock(&s->lock);
}

static void on_line(
    void *ctx, enum log_level level, const char *module, const char *text)
{
    struct log_record r = {
        .level = level, .module = module, .text = slice_str(text)
    };

    put_record(ctx, &r);
}

static void on_event(
    void *ctx, enum log_level level, const struct log_event *event)
{
    struct log_record r = {
        .level = level, .module = LOG_SECURITY, .event = event
    };

    put_record(ctx, &r);
}

int log_sink_new(struct log_sink **out)
{
    struct log_sink *s = calloc(1, sizeof *s);

    if (s == NULL || pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return SYNCLINE_ENOMEM;
    }
    *out = s;
    return SYNCLINE_OK;
}

void log_sink_free(struct log_sink *s)
{
    if (s == NULL)
        return;
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

void log_sink_set(struct log_sink *s, const struct log_sink_options *opt)
{
    (void)pthread_mutex_lock(&s->lock);
    s->opt = *opt;
    (void)pthread_mutex_unlock(&s->lock);
}

struct log log_sink_log(struct log_sink *s)
{
    return (struct log){
        .fn = on_line, .event = on_event, .ctx = s, .levels = &s->levels
    };
}

struct log_levels *log_sink_levels(struct log_sink *s)
{
    return &s->levels;
}
