/* Calls on their way from a program's thread to the loop, and their answers on
 * the way back. */
#include "app/answer.h"
#include "app/lib/lib.h"

#include <stdio.h>
#include <stdlib.h>

static void ask_free(struct ask *q)
{
    arena_free(&q->arena);
    free(q);
}

/* The lock is held in these. */
static void link_under_way(struct syncline *s, struct ask *q)
{
    q->next = s->under_way;
    q->at = &s->under_way;
    if (q->next != NULL)
        q->next->at = &q->next;
    s->under_way = q;
}

static void unlink_under_way(struct ask *q)
{
    *q->at = q->next;
    if (q->next != NULL)
        q->next->at = q->at;
}

static struct ask *pop_queue(struct syncline *s)
{
    struct ask *q = s->queue;

    if (q == NULL)
        return NULL;
    s->queue = q->next;
    if (s->queue == NULL)
        s->queue_end = &s->queue;
    link_under_way(s, q);
    return q;
}

static struct ask *find(struct ask *list, uint64_t id)
{
    while (list != NULL && list->id != id)
        list = list->next;
    return list;
}

/* ---- answers ---- */

/* Calls back without the lock; with it before and after. */
static void call_back(struct ask *q, const char *text, bool more)
{
    struct syncline *s = q->owner;

    if (q->muted)
        return;
    q->running = true;
    (void)pthread_mutex_unlock(&s->lock);
    q->fn(q->ctx, text, more ? 1 : 0);
    (void)pthread_mutex_lock(&s->lock);
    q->running = false;
    if (q->muted)
        (void)pthread_cond_broadcast(&s->quiet);
}

static void on_answer(void *ctx, struct slice json, bool more)
{
    struct ask *q = ctx;
    struct syncline *s = q->owner;
    struct buf *b = &s->text;
    const char *text = REFUSAL_NO_MEMORY;

    buf_clear(b);
    buf_put_slice(b, json);
    buf_put_u8(b, 0);
    if (buf_status(b) == SYNCLINE_OK)
        text = (const char *)b->ptr;
    (void)pthread_mutex_lock(&s->lock);
    call_back(q, text, more);
    if (!more)
        unlink_under_way(q);
    (void)pthread_mutex_unlock(&s->lock);
    if (!more)
        ask_free(q);
}

/* The lock is held. */
static void refuse(struct ask *q, int rc, const char *why)
{
    char text[256];

    (void)snprintf(text, sizeof text,
        "{\"ok\":false,\"code\":\"%s\",\"error\":\"%s\"}", error_name(rc), why);
    call_back(q, text, false);
}

/* The next one that was there already; what a callback asks meanwhile is for
 * the next time. */
static struct ask *next_upto(struct syncline *s, uint64_t last)
{
    struct ask *q = s->under_way;

    while (q != NULL && q->id > last)
        q = q->next;
    if (q == NULL && s->queue != NULL && s->queue->id <= last)
        q = pop_queue(s);
    return q;
}

void lib_refuse_all(struct syncline *s, int rc, const char *why)
{
    struct ask *q;
    uint64_t last;

    (void)pthread_mutex_lock(&s->lock);
    last = s->next_id;
    while ((q = next_upto(s, last)) != NULL) {
        if (q->request != 0 && s->engine != NULL)
            engine_cancel(s->engine, q->request);
        refuse(q, rc, why);
        unlink_under_way(q);
        ask_free(q);
    }
    (void)pthread_mutex_unlock(&s->lock);
}

/* ---- requests ---- */

int lib_post(struct syncline *s, struct arena *a, const struct json *args,
    syncline_answer_fn *fn, void *ctx, uint64_t *id)
{
    struct ask *q = args == NULL ? NULL : calloc(1, sizeof *q);
    int rc = q == NULL ? lib_fail(SYNCLINE_ENOMEM, "memory ran out")
                       : lib_check_forks(s->forks);

    if (rc != SYNCLINE_OK) {
        free(q);
        arena_free(a);
        return rc;
    }
    *q = (struct ask){ .owner = s, .args = args, .fn = fn, .ctx = ctx };
    q->arena = *a;
    *a = (struct arena){ 0 };
    (void)pthread_mutex_lock(&s->lock);
    if (s->closing) {
        (void)pthread_mutex_unlock(&s->lock);
        ask_free(q);
        return lib_fail(SYNCLINE_ECLOSED, "the node is being closed");
    }
    q->id = ++s->next_id;
    if (id != NULL)
        *id = q->id;
    *s->queue_end = q;
    s->queue_end = &q->next;
    (void)uv_async_send(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    return SYNCLINE_OK;
}

static struct ask *take_next(struct syncline *s)
{
    struct ask *q;

    (void)pthread_mutex_lock(&s->lock);
    q = pop_queue(s);
    (void)pthread_mutex_unlock(&s->lock);
    return q;
}

static void hand_over(struct syncline *s, struct ask *q)
{
    q->request = engine_request(s->engine, q->args, NULL, on_answer, q);
    if (q->request != 0) {
        arena_free(&q->arena);
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    refuse(q, SYNCLINE_ENOMEM, "memory ran out");
    unlink_under_way(q);
    (void)pthread_mutex_unlock(&s->lock);
    ask_free(q);
}

/* One that was cancelled and is not amid its callback, taken off its list. */
static struct ask *take_muted(struct syncline *s)
{
    struct ask *q;

    (void)pthread_mutex_lock(&s->lock);
    for (q = s->under_way; q != NULL; q = q->next)
        if (q->muted && !q->running)
            break;
    if (q != NULL)
        unlink_under_way(q);
    s->any_muted = q != NULL;
    (void)pthread_mutex_unlock(&s->lock);
    return q;
}

static bool any_muted(struct syncline *s)
{
    bool any;

    (void)pthread_mutex_lock(&s->lock);
    any = s->any_muted;
    (void)pthread_mutex_unlock(&s->lock);
    return any;
}

void lib_take(struct syncline *s)
{
    struct ask *q;

    while (
        !s->failed && !engine_is_full(s->engine) && (q = take_next(s)) != NULL)
        hand_over(s, q);
    while (any_muted(s) && (q = take_muted(s)) != NULL) {
        if (q->request != 0)
            engine_cancel(s->engine, q->request);
        ask_free(q);
    }
}

void lib_cancel(struct syncline *s, uint64_t id)
{
    struct ask *q;

    if (s->forks != forks_n())
        return;
    (void)pthread_mutex_lock(&s->lock);
    q = find(s->under_way, id);
    if (q == NULL)
        q = find(s->queue, id);
    if (q != NULL) {
        q->muted = s->any_muted = true;
        if (!s->closing)
            (void)uv_async_send(&s->wake);
        while (!lib_inside(s) && q != NULL && q->running) {
            (void)pthread_cond_wait(&s->quiet, &s->lock);
            q = find(s->under_way, id); /* it may be over and freed */
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
}

/* ---- requests that wait ---- */

struct waiting {
    struct syncline *s;
    pthread_cond_t come;
    struct buf *text;
    bool done;
};

static void on_awaited(void *ctx, const char *answer, int more)
{
    struct waiting *w = ctx;

    if (more)
        return;
    buf_put(w->text, answer, strlen(answer) + 1);
    (void)pthread_mutex_lock(&w->s->lock);
    w->done = true;
    (void)pthread_cond_signal(&w->come);
    (void)pthread_mutex_unlock(&w->s->lock);
}

static void await(struct waiting *w)
{
    struct syncline *s = w->s;

    if (!s->started) {
        while (!w->done)
            lib_run(s, UV_RUN_ONCE);
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    while (!w->done)
        (void)pthread_cond_wait(&w->come, &s->lock);
    (void)pthread_mutex_unlock(&s->lock);
}

static void count_callers(struct syncline *s, int by)
{
    (void)pthread_mutex_lock(&s->lock);
    s->callers += (unsigned)by;
    if (s->callers == 0)
        (void)pthread_cond_broadcast(&s->quiet);
    (void)pthread_mutex_unlock(&s->lock);
}

int lib_call(struct syncline *s, struct arena *a, const struct json *args,
    struct buf *text)
{
    struct waiting w = { .s = s, .text = text };
    int rc = lib_check_forks(s->forks);

    if (rc == SYNCLINE_OK && lib_inside(s))
        rc = lib_fail(SYNCLINE_EBUSY,
            "a callback of the node cannot wait for it; use syncline_send");
    if (rc != SYNCLINE_OK) {
        arena_free(a);
        return rc;
    }
    (void)pthread_cond_init(&w.come, NULL);
    count_callers(s, 1);
    rc = lib_post(s, a, args, on_awaited, &w, NULL);
    if (rc == SYNCLINE_OK)
        await(&w);
    count_callers(s, -1);
    (void)pthread_cond_destroy(&w.come);
    if (rc != SYNCLINE_OK)
        return rc;
    if (buf_status(text) != SYNCLINE_OK)
        return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    text->len--; /* the NUL does not count */
    return SYNCLINE_OK;
}
