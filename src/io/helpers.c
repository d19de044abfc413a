#include "io/helpers.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A job moves  queue --run()--> finished --done()--> its owner. */
struct helper {
    uv_thread_t thread;
    uv_async_t wake; /* tells the loop that something has finished */
    char name[16];
    size_t busy; /* the loop's: submitted and not yet done() */

    uv_mutex_t lock; /* guards what follows */
    uv_cond_t come;
    struct helper_job *queue, **queue_end;
    struct helper_job *finished, **finished_end;
    bool stopping;
};

static void append(struct helper_job ***end, struct helper_job *job)
{
    job->next = NULL;
    **end = job;
    *end = &job->next;
}

/* The next job, or NULL when there is none and none will come. */
static struct helper_job *take(struct helper *h)
{
    struct helper_job *job;

    uv_mutex_lock(&h->lock);
    while (h->queue == NULL && !h->stopping)
        uv_cond_wait(&h->come, &h->lock);
    job = h->queue;
    if (job != NULL) {
        h->queue = job->next;
        if (h->queue == NULL)
            h->queue_end = &h->queue;
    }
    uv_mutex_unlock(&h->lock);
    return job;
}

/* Signals are the loop thread's; one that arrived here would interrupt an
 * fsync for nothing. */
static void block_signals(void)
{
    sigset_t all;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
}

static void work(void *ctx)
{
    struct helper *h = ctx;
    struct helper_job *job;

    block_signals();
    (void)pthread_setname_np(pthread_self(), h->name);
    while ((job = take(h)) != NULL) {
        job->run(job);
        uv_mutex_lock(&h->lock);
        append(&h->finished_end, job);
        uv_mutex_unlock(&h->lock);
        (void)uv_async_send(&h->wake);
    }
}

static void finish(struct helper *h)
{
    struct helper_job *job, *next;

    uv_mutex_lock(&h->lock);
    job = h->finished;
    h->finished = NULL;
    h->finished_end = &h->finished;
    uv_mutex_unlock(&h->lock);
    for (; job != NULL; job = next) {
        next = job->next;
        h->busy--;
        job->done(job);
    }
}

static void on_wake(uv_async_t *wake)
{
    finish(wake->data);
}

static void on_closed(uv_handle_t *wake)
{
    struct helper *h = wake->data;

    uv_cond_destroy(&h->come);
    uv_mutex_destroy(&h->lock);
    free(h);
}

int helper_start(struct helper **out, uv_loop_t *loop, const char *name)
{
    struct helper *h = calloc(1, sizeof *h);

    if (h == NULL)
        return SYNCLINE_ENOMEM;
    strncpy(h->name, name, sizeof h->name - 1);
    h->queue_end = &h->queue;
    h->finished_end = &h->finished;
    if (uv_mutex_init(&h->lock) != 0)
        goto no_lock;
    if (uv_cond_init(&h->come) != 0)
        goto no_cond;
    if (uv_async_init(loop, &h->wake, on_wake) != 0)
        goto no_wake;
    h->wake.data = h;
    if (uv_thread_create(&h->thread, work, h) != 0) {
        uv_close((uv_handle_t *)&h->wake, on_closed);
        return SYNCLINE_ENOMEM;
    }
    *out = h;
    return SYNCLINE_OK;
no_wake:
    uv_cond_destroy(&h->come);
no_cond:
    uv_mutex_destroy(&h->lock);
no_lock:
    free(h);
    return SYNCLINE_ENOMEM;
}

void helper_submit(struct helper *h, struct helper_job *job)
{
    h->busy++;
    uv_mutex_lock(&h->lock);
    ENSURE(!h->stopping);
    append(&h->queue_end, job);
    uv_mutex_unlock(&h->lock);
    uv_cond_signal(&h->come); /* not under the lock it would wait for */
}

bool helper_busy(const struct helper *h)
{
    return h->busy > 0;
}

void helper_stop(struct helper *h)
{
    if (h == NULL)
        return;
    uv_mutex_lock(&h->lock);
    h->stopping = true;
    uv_cond_signal(&h->come);
    uv_mutex_unlock(&h->lock);
    (void)uv_thread_join(&h->thread);
    finish(h);
    ENSURE(h->busy == 0);
    uv_close((uv_handle_t *)&h->wake, on_closed);
}
