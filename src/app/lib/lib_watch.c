/* syncline.h: watches. */
#include "app/answer.h"
#include "app/lib/lib.h"

#include <stdlib.h>

struct syncline_watch {
    struct syncline_watch *next, **at;
    struct syncline *owner; /* NULL: it has been closed */
    uint64_t id;
    syncline_watch_fn *fn;
    void *ctx;
};

/* A member's text with a NUL behind it, or NULL. */
static const char *text_of(
    const struct json *v, const char *name, struct arena *a)
{
    const struct json *m = json_get(v, name);

    if (m == NULL || m->type != JSON_STRING)
        return NULL;
    return (const char *)arena_dup(a, m->s).ptr;
}

static enum syncline_event_type type_of(const struct json *v)
{
    if (json_get_bool(v, "live", false))
        return SYNCLINE_EVENT_LIVE;
    if (json_get_bool(v, "resync", false))
        return SYNCLINE_EVENT_RESYNC;
    return json_get_bool(v, "deleted", false) ? SYNCLINE_EVENT_DELETED
                                              : SYNCLINE_EVENT_PUT;
}

static int read_event(const struct json *v, struct syncline_event *out,
    struct arena *a, struct buf *value)
{
    const struct json *doc = json_get(v, "value");

    *out = (struct syncline_event){ .type = type_of(v) };
    out->cursor = text_of(v, "cursor", a);
    out->key = text_of(v, "key", a);
    out->device = text_of(v, "device", a);
    out->version = (uint64_t)json_get_int(v, "version", 0);
    out->time_us = json_get_int(v, "time", 0);
    if (doc != NULL) {
        json_print(value, doc, JSON_CANONICAL);
        buf_put_u8(value, 0);
        out->value = (const char *)value->ptr;
    }
    return out->cursor == NULL ? SYNCLINE_ENOMEM : buf_status(value);
}

/* The watch may be gone once fn has been called. */
static void on_event(void *ctx, const char *answer, int more)
{
    struct syncline_watch *w = ctx;
    struct arena a = { 0 };
    struct buf value = { 0 };
    struct errmsg why = { "" };
    struct syncline_event ev;
    struct json *v = NULL;
    int rc = json_parse(&v, slice_str(answer), JSON_TOLERANT, &a, &why);

    if (rc == SYNCLINE_OK && more)
        rc = read_event(v, &ev, &a, &value);
    else if (rc == SYNCLINE_OK)
        rc = answer_status(v, &why);
    if (rc != SYNCLINE_OK && more)
        lib_cancel(w->owner, w->id); /* an event is lost: nothing after it */
    if (rc != SYNCLINE_OK || !more)
        ev = (struct syncline_event){ .type = SYNCLINE_EVENT_END,
            .status = rc,
            .error = rc == SYNCLINE_OK ? NULL : why.text };
    w->fn(w->ctx, &ev);
    buf_free(&value);
    arena_free(&a);
}

static void keep_watch(struct syncline *s, struct syncline_watch *w)
{
    (void)pthread_mutex_lock(&s->lock);
    w->next = s->watches;
    w->at = &s->watches;
    if (w->next != NULL)
        w->next->at = &w->next;
    s->watches = w;
    (void)pthread_mutex_unlock(&s->lock);
}

static void drop_watch(struct syncline_watch *w)
{
    struct syncline *s = w->owner;

    if (s != NULL) {
        (void)pthread_mutex_lock(&s->lock);
        *w->at = w->next;
        if (w->next != NULL)
            w->next->at = w->at;
        (void)pthread_mutex_unlock(&s->lock);
    }
    free(w);
}

static void add_text(
    struct json *args, const char *name, const char *text, struct arena *a)
{
    if (text != NULL)
        (void)json_add(args, slice_str(name),
            json_new_str(a, arena_dup(a, slice_str(text))));
}

int syncline_watch(struct syncline_watch **out, struct syncline *s,
    const char *space, const char *prefix, const char *from,
    syncline_watch_fn *fn, void *ctx)
{
    struct syncline_watch *w, *before = *out;
    struct arena a = { 0 };
    struct json *args;
    int rc = fn == NULL ? lib_fail(SYNCLINE_EINVAL, "fn: missing")
                        : lib_check_forks(s->forks);

    if (rc != SYNCLINE_OK)
        return rc;
    w = malloc(sizeof *w);
    if (w == NULL)
        return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    *w = (struct syncline_watch){ .owner = s, .fn = fn, .ctx = ctx };
    args = json_new(&a, JSON_OBJECT);
    add_text(args, "op", "watch", &a);
    add_text(args, "space", space, &a);
    add_text(args, "prefix", prefix, &a);
    add_text(args, "from", from, &a);
    keep_watch(s, w);
    *out = w; /* fn may be called at once, and want it */
    rc = lib_post(s, &a, args, on_event, w, &w->id);
    if (rc != SYNCLINE_OK) {
        *out = before;
        drop_watch(w);
    }
    return rc;
}

void syncline_unwatch(struct syncline_watch *w)
{
    if (w == NULL)
        return;
    if (w->owner != NULL && w->owner->forks != forks_n())
        return;
    if (w->owner != NULL)
        lib_cancel(w->owner, w->id);
    drop_watch(w);
}

void lib_orphan_watches(struct syncline *s)
{
    for (struct syncline_watch *w = s->watches; w != NULL; w = w->next)
        w->owner = NULL;
}
