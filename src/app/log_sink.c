#include "app/log_sink.h"

#include "app/log_format.h"
#include "io/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct log_sink {
    pthread_mutex_t lock; /* of all but levels */
    bool json;
    int fd; /* to the journal; -1: none is wanted */
    struct sockaddr_un journal;
    bool refused; /* it has, and that was told */
    struct log_levels levels;
};

static void put_on_stderr(const struct log_sink *s, const struct log_record *r)
{
    struct buf b = { 0 };

    if (s->json)
        log_put_json(&b, r);
    else
        log_put_text(&b, r);
    if (buf_status(&b) == SYNCLINE_OK)
        (void)!write(STDERR_FILENO, b.ptr, b.len);
    buf_free(&b);
}

static int put_in_journal(struct log_sink *s, const struct log_record *r)
{
    struct buf b = { 0 };
    int error = 0;

    log_put_journal(&b, r);
    if (buf_status(&b) != SYNCLINE_OK)
        error = ENOMEM;
    else if (sendto(s->fd, b.ptr, b.len, MSG_DONTWAIT | MSG_NOSIGNAL,
                 (const struct sockaddr *)&s->journal, sizeof s->journal) < 0)
        error = errno;
    buf_free(&b);
    return error;
}

static void tell_refused(struct log_sink *s, uint64_t wall_us, int error)
{
    char text[300];
    struct log_record r = {
        .wall_us = wall_us, .level = LOG_LEVEL_WARN, .module = "daemon"
    };

    if (s->refused)
        return;
    s->refused = true;
    (void)snprintf(text, sizeof text,
        "the journal at %s does not take the log: %s; what it does not take "
        "is here",
        s->journal.sun_path, strerror(error));
    r.text = slice_str(text);
    put_on_stderr(s, &r);
}

static void put_record(struct log_sink *s, struct log_record *r)
{
    int error = -1; /* 0: the journal has it */

    r->wall_us = clock_wall_us();
    (void)pthread_mutex_lock(&s->lock);
    if (s->fd >= 0)
        error = put_in_journal(s, r);
    if (error > 0)
        tell_refused(s, r->wall_us, error);
    if (error != 0)
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
    s->fd = -1;
    *out = s;
    return SYNCLINE_OK;
}

static void close_journal(struct log_sink *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

void log_sink_free(struct log_sink *s)
{
    if (s == NULL)
        return;
    close_journal(s);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* systemd says which file it has made standard error, so that who starts us
 * and redirects it is not mistaken for it. */
static bool stderr_is_journal(void)
{
    const char *said = getenv("JOURNAL_STREAM");
    char is[64];
    struct stat st;

    if (said == NULL || fstat(STDERR_FILENO, &st) != 0)
        return false;
    (void)snprintf(is, sizeof is, "%llu:%llu", (unsigned long long)st.st_dev,
        (unsigned long long)st.st_ino);
    return strcmp(is, said) == 0;
}

static int open_journal(
    struct log_sink *s, const char *path, struct errmsg *why)
{
    const size_t len = strlen(path);

    if (path[0] != '/' || len >= sizeof s->journal.sun_path)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "log.socket: \"%.120s\" is not the whole path of a socket, of at "
            "most %zu bytes; the log goes to standard error",
            path, sizeof s->journal.sun_path - 1);
    s->journal = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(s->journal.sun_path, path, len + 1);
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return s->fd >= 0 ? SYNCLINE_OK
                      : errmsg_set(why, SYNCLINE_EIO, "log.to: no socket: %s",
                            strerror(errno));
}

int log_sink_set(
    struct log_sink *s, const struct log_sink_options *opt, struct errmsg *why)
{
    int rc = SYNCLINE_OK;

    (void)pthread_mutex_lock(&s->lock);
    close_journal(s);
    s->json = opt->json;
    s->refused = false;
    if (opt->to == LOG_TO_JOURNAL ||
        (opt->to == LOG_TO_AUTO && stderr_is_journal()))
        rc = open_journal(s, opt->socket, why);
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
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
