#include "sim/trace.h"

#include "base/codec.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdarg.h>

static const char *const event_names[] = {
    [EV_TIMER] = "timer",
    [EV_FLUSH] = "flush",
    [EV_CONN_UP] = "conn up",
    [EV_CONN_DOWN] = "conn down",
    [EV_FRAME] = "frame",
    [EV_DATAGRAM] = "datagram",
    [EV_REQUEST] = "request",
    [EV_CANCEL] = "cancel",
    [EV_PAUSE] = "pause",
    [EV_RESUME] = "resume",
    [EV_PERSISTED] = "persisted",
    [EV_RESOLVED] = "resolved",
    [EV_AUDITED] = "audited",
    [EV_OUTSIDER] = "outsider",
};

static const char *const effect_names[] = {
    [FX_COMMIT] = "commit",
    [FX_SEND] = "send",
    [FX_CLOSE] = "close",
    [FX_DIAL] = "dial",
    [FX_DATAGRAM] = "datagram",
    [FX_REPLY] = "reply",
    [FX_RESOLVE] = "resolve",
    [FX_MEMBERS] = "members",
    [FX_PACE] = "pace",
    [FX_AUDIT] = "audit",
};

void trace_free(struct trace *t)
{
    buf_free(&t->text);
}

/* The number so far is the key under which the next step is hashed. */
static void mix(struct trace *t)
{
    uint8_t key[16] = { 0 };

    ENSURE(buf_status(&t->text) == SYNCLINE_OK);
    memcpy(key, &t->hash, sizeof t->hash);
    t->hash = siphash128(key, buf_slice(&t->text)).lo;
}

static void put_head(struct trace *t, uint64_t now_us, unsigned machine,
    unsigned what, uint64_t conn, uint64_t request, uint64_t commit)
{
    buf_clear(&t->text);
    put_u64(&t->text, now_us);
    put_u32(&t->text, machine);
    put_u32(&t->text, what);
    put_u64(&t->text, conn);
    put_u64(&t->text, request);
    put_u64(&t->text, commit);
}

/* Text is shown as it is, anything else by its first bytes. */
static void show_bytes(FILE *to, struct slice s)
{
    bool is_text = s.len > 0 && s.ptr[0] == '{';
    size_t shown = is_text ? 400 : 24;

    for (size_t i = 0; i < s.len && i < shown; i++)
        if (is_text)
            (void)fputc(s.ptr[i] >= ' ' ? s.ptr[i] : '.', to);
        else
            (void)fprintf(to, "%02x", s.ptr[i]);
    if (s.len > shown)
        (void)fprintf(to, "... (%zu bytes)", s.len);
}

static void show(struct trace *t, uint64_t now_us, unsigned machine,
    const char *arrow, const char *what, uint64_t conn, uint64_t request,
    uint64_t commit, struct slice bytes)
{
    if (t->to == NULL)
        return;
    (void)fprintf(t->to, "%4" PRIu64 ".%06" PRIu64 " %u %s %-9s",
        now_us / 1000000, now_us % 1000000, machine, arrow, what);
    if (conn != 0)
        (void)fprintf(t->to, " c%" PRIx64, conn);
    if (request != 0)
        (void)fprintf(t->to, " r%" PRIu64, request);
    if (commit != 0)
        (void)fprintf(t->to, " #%" PRIu64, commit);
    if (bytes.len > 0)
        (void)fputc(' ', t->to);
    show_bytes(t->to, bytes);
    (void)fputc('\n', t->to);
}

void trace_event(struct trace *t, uint64_t now_us, unsigned machine,
    const struct event *ev, struct slice text)
{
    struct slice bytes = text.ptr != NULL ? text : ev->bytes;

    t->events++;
    if (t->numbered) {
        put_head(
            t, now_us, machine, ev->type, ev->conn, ev->request, ev->commit);
        put_u64(&t->text, ev->now_us);
        put_u64(&t->text, ev->wall_us);
        buf_put_slice(&t->text, bytes);
        mix(t);
    }
    if (t->story.world != NULL)
        story_event(&t->story, machine, ev, text);
    else
        show(t, now_us, machine, "<-", event_names[ev->type], ev->conn,
            ev->request, ev->commit, bytes);
}

void trace_effect(
    struct trace *t, uint64_t now_us, unsigned machine, const struct effect *fx)
{
    t->effects++;
    if (t->numbered) {
        put_head(t, now_us, machine, 256 + fx->type, fx->conn, fx->request,
            fx->commit);
        buf_put_slice(&t->text, fx->bytes);
        mix(t);
    }
    if (t->story.world != NULL)
        story_effect(&t->story, machine, fx);
    else
        show(t, now_us, machine, "->", effect_names[fx->type], fx->conn,
            fx->request, fx->commit, fx->bytes);
}

void trace_note(struct trace *t, uint64_t now_us, const char *fmt, ...)
{
    va_list args;

    if (t->to == NULL)
        return;
    (void)fprintf(t->to, "%4" PRIu64 ".%06" PRIu64 " * ", now_us / 1000000,
        now_us % 1000000);
    va_start(args, fmt);
    (void)vfprintf(t->to, fmt, args);
    va_end(args);
    (void)fputc('\n', t->to);
}

void trace_log(struct trace *t, uint64_t now_us, unsigned machine,
    enum log_level level, const char *module, const char *text)
{
    if (t->to == NULL || (t->story.world != NULL && level > LOG_LEVEL_WARN))
        return;
    (void)fprintf(t->to, "%4" PRIu64 ".%06" PRIu64 " %u    %s %s: %s\n",
        now_us / 1000000, now_us % 1000000, machine, log_level_name(level),
        module, text);
}
