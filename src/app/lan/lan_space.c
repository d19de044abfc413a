/* The space that LAN-sync nodes share: its watches and writes. */
#include "app/lan/lan_face_impl.h"

#include <stdlib.h>

#include "base/text.h"

#define AGAIN_US UINT64_C(1000000) /* for a space that is not there yet */

struct lan_watch {
    struct lan_watch *next;
    struct lan_face *face;
    uint64_t number, request; /* 0: it is to be begun at again_us */
    uint64_t again_us;
    bool is_over, is_told; /* it is being told of something */
    bool has_failed;
    char from[LAN_CURSOR_MAX];
};

struct lan_past {
    struct lan_past *next, **at; /* where it hangs */
    struct lan_face *face;
    uint64_t link;
};

struct lan_write {
    struct lan_write *next, **at; /* where it hangs */
    struct lan_face *face;
    uint64_t token;
    char key[41]; /* as much of it as is told */
};

/* ---- writing ---- */

static int code_of(struct slice code)
{
    if (slice_is(code, "ECONFLICT"))
        return SYNCLINE_ECONFLICT;
    return slice_is(code, "ENOTFOUND") ? SYNCLINE_ENOTFOUND : SYNCLINE_EINVAL;
}

static struct lan_write *write_new(
    struct lan_face *f, uint64_t token, struct slice key)
{
    struct lan_write *w = malloc(sizeof *w);

    if (w == NULL)
        return NULL;
    *w = (struct lan_write){ f->writes, &f->writes, f, token, "" };
    key = utf8_valid(key) ? utf8_cut(key, sizeof w->key - 1) : SLICE_NONE;
    if (key.len > 0)
        memcpy(w->key, key.ptr, key.len);
    if (w->next != NULL)
        w->next->at = &w->next;
    f->writes = w;
    return w;
}

static void write_free(struct lan_write *w)
{
    if (w == NULL)
        return;
    *w->at = w->next;
    if (w->next != NULL)
        w->next->at = w->at;
    free(w);
}

/* What is to be deleted, and is not there, is as it is to be; nothing is where
 * there is no space. */
static bool has_space(const struct lan_face *f)
{
    return f->engine == NULL ||
        engine_watch_mark(f->engine, slice_str(f->space)) != 0;
}

static void on_written(void *ctx, struct slice answer, bool more)
{
    struct lan_write *w = ctx;
    struct lan_face *f = w->face;
    struct errmsg why = { "the node gave no answer" };
    struct arena a = { 0 };
    struct json *v = NULL;
    int rc = json_parse(&v, answer, JSON_STRICT, &a, NULL);

    (void)more;
    if (rc == SYNCLINE_OK && !json_get_bool(v, "ok", false)) {
        rc = code_of(json_get_str(v, "code"));
        if (rc == SYNCLINE_ENOTFOUND && !has_space(f))
            rc = SYNCLINE_EINVAL;
        errmsg_set(
            &why, 0, "%s: %.*s", w->key, SLICE_FMT(json_get_str(v, "error")));
    }
    lan_exchange_written(f->exchange, w->token, rc, why.text, clock_mono_us());
    arena_free(&a);
    write_free(w);
    lan_arm(f);
}

/* Of two that both insist none would give in. */
static void put_write(const struct lan_face *f, struct buf *b, uint64_t link,
    const struct lan_item *item, const struct json *value)
{
    buf_printf(b, "{\"op\":\"%s\",\"space\":", value != NULL ? "put" : "del");
    json_print_string(b, slice_str(f->space), false);
    buf_put_str(b, ",\"key\":");
    json_print_string(b, item->id, false);
    buf_put_str(b, ",\"as\":{\"face\":\"" LAN_FACE_NAME "\",\"node\":");
    json_print_string(b, item->node, false);
    buf_printf(b, ",\"time\":%llu,\"version\":%llu,\"strategy\":\"%s\"%s}",
        (unsigned long long)(item->time_us < INT64_MAX ? item->time_us
                                                       : INT64_MAX),
        (unsigned long long)(item->version < INT64_MAX ? item->version
                                                       : INT64_MAX),
        lan_conns_is_syncline(f, link) ? "join" : f->strategy,
        item->returns ? ",\"returns\":true" : "");
    if (value != NULL) {
        buf_put_str(b, ",\"value\":");
        json_print(b, value, JSON_CANONICAL);
    }
    buf_put_u8(b, '}');
}

static bool ask(struct lan_face *f, struct slice text, engine_reply_fn *fn,
    void *ctx, uint64_t *request, struct errmsg *why)
{
    struct arena a = { 0 };
    struct json *args = NULL;
    uint64_t number = 0;

    if (json_parse(&args, text, JSON_WRAPPED, &a, why) == SYNCLINE_OK)
        number = engine_request(f->engine, args, NULL, fn, ctx);
    arena_free(&a);
    if (request != NULL)
        *request = number;
    return number != 0;
}

/* Where in our own text it is helps nobody. */
static void tell_unwritten(struct errmsg *out, const struct lan_write *w,
    const struct errmsg *why, int rc)
{
    const char *end = strstr(why->text, " at line ");
    const size_t len =
        end != NULL ? (size_t)(end - why->text) : strlen(why->text);

    if (rc == SYNCLINE_OK)
        errmsg_set(out, 0, "%s: %.*s", w->key, (int)len, why->text);
    else if (rc != SYNCLINE_ENOMEM)
        errmsg_set(out, 0, "%s: half of a surrogate pair is no text", w->key);
}

/* What was read tolerantly is read strictly once more. */
static void on_write(void *ctx, uint64_t token, uint64_t link,
    const struct lan_item *item, const struct json *value)
{
    struct lan_face *f = ctx;
    struct lan_write *w = write_new(f, token, item->id);
    struct errmsg why = { "memory ran out" }, told = why;
    struct buf b = { 0 };
    bool done = false;

    put_write(f, &b, link, item, value);
    if (w != NULL && buf_status(&b) == SYNCLINE_OK)
        done = ask(f, buf_slice(&b), on_written, w, NULL, &why);
    if (!done && w != NULL)
        tell_unwritten(&told, w, &why, buf_status(&b));
    buf_free(&b);
    if (done)
        return;
    write_free(w);
    lan_exchange_written(
        f->exchange, token, SYNCLINE_EINVAL, told.text, clock_mono_us());
}

/* ---- watching ---- */

static struct lan_watch *watch_of(struct lan_face *f, uint64_t number)
{
    struct lan_watch *w = f->watches;

    while (w != NULL && (w->number != number || w->is_over))
        w = w->next;
    return w;
}

static void drop(struct lan_watch *w)
{
    struct lan_watch **at = &w->face->watches;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (w->request != 0 && w->face->engine != NULL)
        engine_cancel(w->face->engine, w->request);
    free(w);
}

static void tell_trouble(struct lan_watch *w, const struct json *v)
{
    struct lan_face *f = w->face;
    struct slice code = json_get_str(v, "code");
    const bool again = w->has_failed;
    struct errmsg why;

    w->has_failed = true;
    w->request = 0;
    w->again_us = clock_mono_us() + AGAIN_US;
    if (slice_is(code, "EINVAL")) {
        w->from[0] = 0; /* no watch of ours has given such a cursor */
        return;
    }
    if (w->is_over || f->is_stopping || slice_is(code, "ECLOSED"))
        return;
    errmsg_set(&why, 0, "the space %s cannot be watched: %.*s", f->space,
        SLICE_FMT(v != NULL ? json_get_str(v, "error")
                            : SLICE_LIT("memory ran out")));
    if (!again)
        log_line(&f->log, LOG_LEVEL_WARN, "lansync", "%s", why.text);
    else /* it may have been about to be made */
        lan_exchange_unseen(f->exchange, w->number, why.text, clock_mono_us());
}

static void on_watch(void *ctx, struct slice answer, bool more)
{
    struct lan_watch *w = ctx;
    struct lan_face *f = w->face;
    struct arena a = { 0 };
    struct json *v = NULL;

    if (json_parse(&v, answer, JSON_WRAPPED, &a, NULL) != SYNCLINE_OK)
        v = NULL;
    w->is_told = true;
    if (!more)
        tell_trouble(w, v);
    else if (v != NULL && !w->is_over)
        lan_exchange_event(f->exchange, w->number, v, clock_mono_us());
    w->is_told = false;
    if (w->is_over)
        drop(w);
    arena_free(&a);
    lan_arm(f);
}

static void begin(struct lan_watch *w)
{
    struct slice from = slice_str(w->from[0] != 0 ? w->from : "start");
    struct arena a = { 0 };
    struct json *args = json_new(&a, JSON_OBJECT);

    w->again_us = 0;
    json_add(args, SLICE_LIT("op"), json_new_str(&a, SLICE_LIT("watch")));
    json_add(
        args, SLICE_LIT("space"), json_new_str(&a, slice_str(w->face->space)));
    json_add(args, SLICE_LIT("gateway"), json_new_bool(&a, true));
    json_add(args, SLICE_LIT("from"), json_new_str(&a, from));
    if (utf8_valid(from) && !a.failed)
        w->request = engine_request(w->face->engine, args, NULL, on_watch, w);
    if (w->request == 0)
        w->again_us = clock_mono_us() + AGAIN_US;
    arena_free(&a);
}

static int on_watch_begin(void *ctx, uint64_t number, const char *from)
{
    struct lan_face *f = ctx;
    struct lan_watch *w = malloc(sizeof *w); /* most of it is room */

    if (w == NULL)
        return SYNCLINE_ENOMEM;
    w->face = f;
    w->number = number;
    w->request = w->again_us = 0;
    w->is_over = w->is_told = w->has_failed = false;
    memcpy(w->from, from, strlen(from) + 1);
    w->next = f->watches;
    f->watches = w;
    begin(w);
    return SYNCLINE_OK;
}

static void on_pace(void *ctx, uint64_t number, bool paused)
{
    struct lan_face *f = ctx;
    struct lan_watch *w = watch_of(f, number);

    if (w != NULL && w->request != 0 && f->engine != NULL)
        engine_pace(f->engine, w->request, paused);
}

static void on_unwatch(void *ctx, uint64_t number)
{
    struct lan_watch *w = watch_of(ctx, number);

    if (w == NULL)
        return;
    w->is_over = true;
    if (!w->is_told)
        drop(w);
}

static uint64_t on_mark(void *ctx)
{
    const struct lan_face *f = ctx;

    return f->engine != NULL ? engine_watch_mark(f->engine, slice_str(f->space))
                             : 0;
}

/* ---- the port ---- */

static void on_recall(void *ctx, const char *node, char *acked, char *asked)
{
    lan_kept_recall(ctx, node, acked, asked);
}

static void on_keep(
    void *ctx, const char *node, const char *acked, const char *asked)
{
    lan_kept_note(ctx, node, acked, asked);
}

static void past_free(struct lan_past *p)
{
    if (p == NULL)
        return;
    *p->at = p->next;
    if (p->next != NULL)
        p->next->at = p->at;
    free(p);
}

static void on_past_told(void *ctx, struct slice answer, bool more)
{
    struct lan_past *p = ctx;
    struct lan_face *f = p->face;
    struct arena a = { 0 };
    struct json *v = NULL;

    (void)more;
    if (json_parse(&v, answer, JSON_WRAPPED, &a, NULL) != SYNCLINE_OK)
        v = NULL;
    lan_exchange_past(f->exchange, p->link, v, clock_mono_us());
    arena_free(&a);
    past_free(p);
    lan_arm(f);
}

static void on_past(void *ctx, uint64_t link, struct slice after)
{
    struct lan_face *f = ctx;
    struct lan_past *p = malloc(sizeof *p);
    struct buf b = { 0 };

    buf_put_str(
        &b, "{\"op\":\"deleted\",\"gone\":true,\"limit\":100,\"space\":");
    json_print_string(&b, slice_str(f->space), false);
    buf_put_str(&b, ",\"after\":");
    json_print_string(&b, after, false);
    buf_put_u8(&b, '}');
    if (p != NULL) {
        *p = (struct lan_past){ f->pasts, &f->pasts, f, link };
        if (p->next != NULL)
            p->next->at = &p->next;
        f->pasts = p;
    }
    if (p == NULL || buf_status(&b) != SYNCLINE_OK ||
        !ask(f, buf_slice(&b), on_past_told, p, NULL, NULL)) {
        log_line(&f->log, LOG_LEVEL_ERROR, "lansync",
            "memory ran out: a node is not told yet of what was deleted");
        past_free(p);
        lan_exchange_past(f->exchange, link, NULL, clock_mono_us());
    }
    buf_free(&b);
}

static void on_lacks(
    void *ctx, const char *node, struct slice key, size_t bytes)
{
    lan_kept_lacks(ctx, node, key, bytes);
}

static void on_log(void *ctx, const char *text)
{
    struct lan_face *f = ctx;

    log_line(&f->log, LOG_LEVEL_WARN, "lansync", "%s", text);
}

struct lan_exchange_port lan_space_port(struct lan_face *f)
{
    return (struct lan_exchange_port){ .ctx = f,
        .watch = on_watch_begin,
        .pace = on_pace,
        .unwatch = on_unwatch,
        .mark = on_mark,
        .write = on_write,
        .recall = on_recall,
        .keep = on_keep,
        .past = on_past,
        .lacks = on_lacks,
        .log = on_log };
}

/* ---- beginning and end ---- */

static void on_space_made(void *ctx, struct slice answer, bool more)
{
    (void)ctx;
    (void)answer; /* it is there already, or others have to make it */
    (void)more;
}

void lan_space_begin(struct lan_face *f)
{
    struct buf b = { 0 };

    buf_put_str(&b, "{\"op\":\"space_add\",\"name\":");
    json_print_string(&b, slice_str(f->space), false);
    buf_put_u8(&b, '}');
    if (buf_status(&b) == SYNCLINE_OK)
        (void)ask(f, buf_slice(&b), on_space_made, f, NULL, NULL);
    buf_free(&b);
}

uint64_t lan_space_tick(struct lan_face *f, uint64_t now_us)
{
    uint64_t next = 0;

    for (struct lan_watch *w = f->watches; w != NULL; w = w->next) {
        if (w->request == 0 && w->again_us <= now_us)
            begin(w);
        if (w->again_us != 0 && (next == 0 || w->again_us < next))
            next = w->again_us;
    }
    return next;
}

/* The engine is closed, and calls nobody any more. */
void lan_space_close(struct lan_face *f)
{
    while (f->watches != NULL) {
        struct lan_watch *next = f->watches->next;

        free(f->watches);
        f->watches = next;
    }
    while (f->writes != NULL)
        write_free(f->writes);
    while (f->pasts != NULL) {
        struct lan_past *next = f->pasts->next;

        free(f->pasts);
        f->pasts = next;
    }
}
