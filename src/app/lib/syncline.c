/* syncline.h: a handle from syncline_open to syncline_close, and its loop. */
#include "app/lib/lib.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS_MAX 16
/* libuv before 1.45 does not say when a callback has begun to watch a
 * descriptor that the backend does not know yet; so look in now and then. */
#define WAIT_MAX_MS 250

static _Thread_local struct errmsg last_error;
static _Thread_local const struct syncline *inside;

int lib_fail(int rc, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(last_error.text, sizeof last_error.text, fmt, ap);
    va_end(ap);
    return rc;
}

const char *syncline_error(void)
{
    return last_error.text;
}

const char *syncline_version(void)
{
    return SYNCLINE_VERSION;
}

void syncline_free(void *p)
{
    free(p);
}

int lib_fail_uv(int uv)
{
    if (uv == UV_ENOMEM)
        return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    return lib_fail(SYNCLINE_EIO, "no loop could be made: %s", uv_strerror(uv));
}

int lib_check_forks(unsigned forks)
{
    return forks == forks_n() ? SYNCLINE_OK
                              : lib_fail(SYNCLINE_ECLOSED,
                                    "it was made before fork(), and is not "
                                    "there in the child");
}

bool lib_inside(const struct syncline *s)
{
    return inside == s;
}

/* ---- signals ---- */

/* The loop writes to sockets whose other end may be gone. On a thread of the
 * caller's SIGPIPE is held back meanwhile, and swallowed if it was ours. */
struct pipe_guard {
    sigset_t set, old;
    bool was_pending;
};

static void guard_begin(struct pipe_guard *g)
{
    sigset_t pending;

    (void)sigemptyset(&g->set);
    (void)sigaddset(&g->set, SIGPIPE);
    (void)sigpending(&pending);
    g->was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &g->set, &g->old);
}

static void guard_end(const struct pipe_guard *g)
{
    const struct timespec none = { 0 };
    sigset_t pending;

    (void)sigpending(&pending);
    if (!g->was_pending && sigismember(&pending, SIGPIPE) == 1)
        (void)sigtimedwait(&g->set, NULL, &none);
    (void)pthread_sigmask(SIG_SETMASK, &g->old, NULL);
}

void lib_run(struct syncline *s, uv_run_mode mode)
{
    const struct syncline *outer = inside;
    struct pipe_guard g;

    guard_begin(&g);
    inside = s;
    (void)uv_run(&s->loop, mode);
    inside = outer;
    guard_end(&g);
}

/* ---- closing ---- */

static void stop_engine(struct syncline *s)
{
    s->close_rc = engine_close(s->engine);
    s->engine = NULL;
    config_face_close(s->face);
    s->face = NULL;
    lib_refuse_all(s, SYNCLINE_ECLOSED, "the node has stopped");
    uv_close((uv_handle_t *)&s->wake, NULL);
}

static bool is_closing(struct syncline *s)
{
    bool closing;

    (void)pthread_mutex_lock(&s->lock);
    closing = s->closing;
    (void)pthread_mutex_unlock(&s->lock);
    return closing;
}

static void on_wake(uv_async_t *wake)
{
    struct syncline *s = wake->data;

    if (is_closing(s))
        stop_engine(s);
    else if (s->failed)
        lib_refuse_all(s, SYNCLINE_EIO,
            "the store has failed; close the node and open it again");
    else
        lib_take(s);
}

static void free_handle(struct syncline *s)
{
    lib_orphan_watches(s);
    lib_resolvers_free(s);
    (void)uv_loop_close(&s->loop);
    (void)pthread_cond_destroy(&s->quiet);
    (void)pthread_mutex_destroy(&s->lock);
    buf_free(&s->text);
    free(s->name);
    free(s->interface);
    for (size_t i = 0; i < s->roots_n; i++)
        free((void *)s->roots[i].ptr);
    free(s->roots);
    free(s);
}

int syncline_close(struct syncline *s)
{
    int rc;

    if (s == NULL)
        return SYNCLINE_OK;
    rc = lib_check_forks(s->forks);
    if (rc != SYNCLINE_OK)
        return rc;
    if (lib_inside(s))
        return lib_fail(SYNCLINE_EBUSY, "a callback cannot close its node");
    (void)pthread_mutex_lock(&s->lock);
    s->closing = true;
    (void)uv_async_send(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    if (s->started)
        (void)pthread_join(s->thread, NULL);
    else
        lib_run(s, UV_RUN_DEFAULT);
    (void)pthread_mutex_lock(&s->lock);
    while (s->callers > 0)
        (void)pthread_cond_wait(&s->quiet, &s->lock);
    (void)pthread_mutex_unlock(&s->lock);
    rc = s->close_rc;
    free_handle(s);
    return rc == SYNCLINE_OK
        ? rc
        : lib_fail(rc, "the stop was not clean: see the log");
}

/* ---- opening ---- */

static void on_fatal(void *ctx, const char *why)
{
    struct syncline *s = ctx;

    (void)why; /* the engine has logged it */
    s->failed = true;
    (void)uv_async_send(&s->wake);
}

static void on_room(void *ctx)
{
    struct syncline *s = ctx;

    (void)uv_async_send(&s->wake);
}

static int init_handle(struct syncline *s)
{
    int rc = uv_loop_init(&s->loop);

    if (rc != 0) {
        free(s);
        return lib_fail_uv(rc);
    }
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->quiet, NULL);
    s->forks = forks_n();
    s->queue_end = &s->queue;
    s->wake.data = s;
    rc = uv_async_init(&s->loop, &s->wake, on_wake);
    if (rc != 0) {
        free_handle(s);
        return lib_fail_uv(rc);
    }
    return SYNCLINE_OK;
}

/* ---- config-sync ---- */

static bool on_local(void *ctx, const struct json *request,
    const struct engine_asker *who, struct buf *out)
{
    struct syncline *s = ctx;

    (void)who;
    return s->face != NULL && config_face_answer(s->face, request, out);
}

static void put_status(void *ctx, struct buf *b)
{
    struct syncline *s = ctx;

    config_face_put_status(s->face, b);
}

static void on_closing(void *ctx)
{
    struct syncline *s = ctx;

    if (s->face != NULL)
        config_face_stop(s->face);
}

static void on_kept(void *ctx, const char *file, struct slice json)
{
    struct syncline *s = ctx;

    if (s->config != NULL)
        lib_config_kept(s->config, file, json);
}

static void hook(struct syncline *s, struct engine_options *opt)
{
    opt->on_fatal = on_fatal;
    opt->on_room = on_room;
    opt->local = on_local;
    opt->put_status = put_status;
    opt->on_closing = on_closing;
    opt->on_kept = on_kept;
    opt->fatal_ctx = opt->room_ctx = opt->local_ctx = s;
    opt->status_ctx = opt->closing_ctx = s;
}

static int open_engine(struct syncline *s, const struct syncline_options *given)
{
    struct engine_options opt;
    struct errmsg why = { "" };
    struct pipe_guard g;
    int rc = lib_options(s, given, &opt);

    if (rc != SYNCLINE_OK)
        return rc;
    opt.loop = &s->loop;
    hook(s, &opt);
    guard_begin(&g); /* and so the mask stays the caller's */
    rc = engine_open(&s->engine, &opt, &why);
    guard_end(&g);
    return rc == SYNCLINE_OK ? rc : lib_fail(rc, "%s", why.text);
}

int syncline_open(struct syncline **out, const struct syncline_options *opt)
{
    struct syncline *s = calloc(1, sizeof *s);
    int rc = s == NULL ? lib_fail(SYNCLINE_ENOMEM, "memory ran out")
                       : init_handle(s);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = open_engine(s, opt);
    if (rc != SYNCLINE_OK) {
        uv_close((uv_handle_t *)&s->wake, NULL);
        lib_run(s, UV_RUN_DEFAULT);
        free_handle(s);
        return rc;
    }
    *out = s;
    return SYNCLINE_OK;
}

/* ---- running ---- */

static void *run_thread(void *arg)
{
    struct syncline *s = arg;

    inside = s;
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    return NULL;
}

int syncline_start(struct syncline *s)
{
    sigset_t all, old;
    int rc = lib_check_forks(s->forks);

    if (rc != SYNCLINE_OK)
        return rc;
    if (s->started)
        return lib_fail(SYNCLINE_EBUSY, "the node has its thread already");
    if (lib_inside(s))
        return lib_fail(SYNCLINE_EBUSY, "not from a callback");
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    s->started = true;
    rc = pthread_create(&s->thread, NULL, run_thread, s);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        return SYNCLINE_OK;
    s->started = false;
    return lib_fail(SYNCLINE_ENOMEM, "no thread to be had: %s", strerror(rc));
}

int syncline_fd(const struct syncline *s)
{
    return uv_backend_fd(&s->loop);
}

int syncline_timeout_ms(const struct syncline *s)
{
    int ms = uv_backend_timeout(&s->loop);

    return ms < 0 || ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms;
}

static bool is_ready(const struct syncline *s)
{
    struct pollfd p = { .fd = uv_backend_fd(&s->loop), .events = POLLIN };

    return poll(&p, 1, 0) > 0;
}

int syncline_run_once(struct syncline *s)
{
    bool ready = true;
    int rc = lib_check_forks(s->forks);

    if (rc != SYNCLINE_OK)
        return rc;
    if (s->started || lib_inside(s))
        return lib_fail(SYNCLINE_EBUSY,
            s->started ? "the node has its own thread" : "not from a callback");
    uv_update_time(&s->loop);
    /* One round more than there were events, for what these began to watch. */
    for (int i = 0; i < ROUNDS_MAX && ready; i++) {
        ready = is_ready(s);
        lib_run(s, UV_RUN_NOWAIT);
    }
    return s->failed
        ? lib_fail(SYNCLINE_EIO, "the store has failed; close and open again")
        : SYNCLINE_OK;
}
