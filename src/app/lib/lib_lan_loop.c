/* A thread with a loop, and calls that others make on it. */
#include "app/lib/lib_lan.h"

#include <signal.h>
#include <stdio.h>

static _Thread_local struct lib_lan_loop *inside;

void lib_lan_loop_init(struct lib_lan_loop *l)
{
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_cond_init(&l->done, NULL);
    l->last = &l->calls;
    l->forks = forks_n();
}

void lib_lan_loop_close(struct lib_lan_loop *l)
{
    (void)pthread_cond_destroy(&l->done);
    (void)pthread_mutex_destroy(&l->lock);
}

bool lib_lan_loop_inside(const struct lib_lan_loop *l)
{
    return inside == l;
}

/* ---- who waits for whom ---- */

/* A callback may call another object, and wait for its thread; but not for one
 * whose thread waits for its own, by however many in between. */
static pthread_mutex_t waits_lock = PTHREAD_MUTEX_INITIALIZER;

int lib_lan_wait_begin(struct lib_lan_loop *l, struct lib_lan_loop **before)
{
    const struct lib_lan_loop *x = l;

    *before = NULL;
    if (l->forks != forks_n())
        return lib_check_forks(l->forks);
    if (inside == NULL || inside == l || inside->forks != l->forks)
        return SYNCLINE_OK;
    (void)pthread_mutex_lock(&waits_lock);
    while (x != NULL && x != inside)
        x = x->waits_for;
    if (x == NULL) {
        *before = inside->waits_for;
        inside->waits_for = l;
    }
    (void)pthread_mutex_unlock(&waits_lock);
    return x == NULL
        ? SYNCLINE_OK
        : lib_fail(SYNCLINE_EBUSY, "it waits for this callback to return");
}

void lib_lan_wait_end(struct lib_lan_loop *before)
{
    if (inside == NULL || inside->forks != forks_n())
        return;
    (void)pthread_mutex_lock(&waits_lock);
    inside->waits_for = before;
    (void)pthread_mutex_unlock(&waits_lock);
}

/* ---- on the loop ---- */

static struct lib_lan_call *next_call(struct lib_lan_loop *l)
{
    struct lib_lan_call *c = l->calls;

    if (c == NULL)
        return NULL;
    l->calls = c->next;
    if (l->calls == NULL)
        l->last = &l->calls;
    return c;
}

static void run_call(struct lib_lan_call *c)
{
    c->rc = c->fn(c->arg);
    if (c->rc != SYNCLINE_OK)
        (void)snprintf(c->why.text, sizeof c->why.text, "%s", syncline_error());
}

static void on_wake(uv_async_t *wake)
{
    struct lib_lan_loop *l = wake->data;
    struct lib_lan_call *c;
    bool is_stopping;

    (void)pthread_mutex_lock(&l->lock);
    while ((c = next_call(l)) != NULL) {
        (void)pthread_mutex_unlock(&l->lock);
        run_call(c);
        (void)pthread_mutex_lock(&l->lock);
        c->is_done = true;
        (void)pthread_cond_broadcast(&l->done);
    }
    is_stopping = l->running == LIB_LAN_STOPPING;
    (void)pthread_mutex_unlock(&l->lock);
    if (is_stopping)
        l->on_stop(l->owner);
}

static void on_tick(uv_timer_t *tick)
{
    struct lib_lan_loop *l = tick->data;

    l->armed_us = 0;
    l->on_tick(l->owner);
}

void lib_lan_loop_arm(struct lib_lan_loop *l, uint64_t at_us)
{
    uint64_t now_us = clock_mono_us();

    if (uv_is_closing((uv_handle_t *)&l->tick))
        return;
    l->armed_us = at_us;
    if (at_us == 0)
        (void)uv_timer_stop(&l->tick);
    else
        (void)uv_timer_start(&l->tick, on_tick,
            at_us > now_us ? (at_us - now_us) / 1000 + 1 : 0, 0);
}

void lib_lan_loop_arm_by(struct lib_lan_loop *l, uint64_t at_us)
{
    if (at_us != 0 && (l->armed_us == 0 || at_us < l->armed_us))
        lib_lan_loop_arm(l, at_us);
}

void lib_lan_loop_ended(struct lib_lan_loop *l)
{
    if (uv_is_closing((uv_handle_t *)&l->wake))
        return;
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->tick, NULL);
}

static void *run_thread(void *arg)
{
    struct lib_lan_loop *l = arg;

    inside = l;
    (void)uv_run(&l->uv, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- beginning and end ---- */

static int open_loop(struct lib_lan_loop *l)
{
    int rc = uv_loop_init(&l->uv);

    if (rc != 0)
        return lib_fail_uv(rc);
    rc = uv_async_init(&l->uv, &l->wake, on_wake);
    if (rc != 0) {
        (void)uv_loop_close(&l->uv);
        return lib_fail_uv(rc);
    }
    (void)uv_timer_init(&l->uv, &l->tick);
    l->armed_us = 0;
    l->wake.data = l->tick.data = l;
    return SYNCLINE_OK;
}

static int begin_thread(struct lib_lan_loop *l)
{
    sigset_t all, old;
    int rc;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&l->thread, NULL, run_thread, l);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc == 0 ? SYNCLINE_OK
                   : lib_fail(SYNCLINE_ENOMEM, "no thread to be had");
}

static void set_running(struct lib_lan_loop *l, enum lib_lan_running running)
{
    (void)pthread_mutex_lock(&l->lock);
    l->running = running;
    (void)pthread_mutex_unlock(&l->lock);
}

/* What was begun is ended without a thread. */
static void give_up(struct lib_lan_loop *l)
{
    struct lib_lan_loop *outer = inside;

    inside = l;
    l->on_stop(l->owner);
    (void)uv_run(&l->uv, UV_RUN_DEFAULT);
    inside = outer;
    (void)uv_loop_close(&l->uv);
    set_running(l, LIB_LAN_IDLE);
}

int lib_lan_loop_start(struct lib_lan_loop *l, int (*begin)(void *owner))
{
    bool is_free;
    int rc = lib_check_forks(l->forks);

    if (rc != SYNCLINE_OK)
        return rc;
    (void)pthread_mutex_lock(&l->lock);
    is_free = l->running == LIB_LAN_IDLE;
    if (is_free)
        l->running = LIB_LAN_STARTING;
    (void)pthread_mutex_unlock(&l->lock);
    if (!is_free)
        return lib_fail(SYNCLINE_EBUSY, "it runs already");
    rc = open_loop(l);
    if (rc != SYNCLINE_OK) {
        set_running(l, LIB_LAN_IDLE);
        return rc;
    }
    rc = begin(l->owner);
    if (rc == SYNCLINE_OK)
        rc = begin_thread(l);
    if (rc == SYNCLINE_OK)
        set_running(l, LIB_LAN_RUNNING);
    else
        give_up(l);
    return rc;
}

static void stop(struct lib_lan_loop *l)
{
    bool is_running;

    (void)pthread_mutex_lock(&l->lock);
    is_running = l->running == LIB_LAN_RUNNING;
    if (is_running) {
        l->running = LIB_LAN_STOPPING;
        (void)uv_async_send(&l->wake);
    }
    (void)pthread_mutex_unlock(&l->lock);
    if (!is_running)
        return;
    (void)pthread_join(l->thread, NULL);
    (void)uv_loop_close(&l->uv);
    (void)pthread_mutex_lock(&l->lock);
    while (l->callers > 0)
        (void)pthread_cond_wait(&l->done, &l->lock);
    l->running = LIB_LAN_IDLE;
    (void)pthread_mutex_unlock(&l->lock);
}

int lib_lan_loop_stop(struct lib_lan_loop *l)
{
    struct lib_lan_loop *before;
    int rc;

    if (lib_lan_loop_inside(l))
        return lib_fail(SYNCLINE_EBUSY, "not from a callback");
    rc = lib_lan_wait_begin(l, &before);
    if (rc != SYNCLINE_OK)
        return rc;
    stop(l);
    lib_lan_wait_end(before);
    return SYNCLINE_OK;
}

/* ---- calls ---- */

int lib_lan_loop_enter(struct lib_lan_loop *l)
{
    bool is_running;

    (void)pthread_mutex_lock(&l->lock);
    is_running = l->running == LIB_LAN_RUNNING;
    l->callers += is_running;
    (void)pthread_mutex_unlock(&l->lock);
    return is_running ? SYNCLINE_OK
                      : lib_fail(SYNCLINE_ECLOSED, "it does not run");
}

void lib_lan_loop_leave(struct lib_lan_loop *l)
{
    (void)pthread_mutex_lock(&l->lock);
    if (--l->callers == 0)
        (void)pthread_cond_broadcast(&l->done);
    (void)pthread_mutex_unlock(&l->lock);
}

/* False: it does not run. */
static bool queue(struct lib_lan_loop *l, struct lib_lan_call *c)
{
    if (l->running != LIB_LAN_RUNNING)
        return false;
    l->callers++;
    *l->last = c;
    l->last = &c->next;
    (void)uv_async_send(&l->wake);
    return true;
}

static int call_and_wait(struct lib_lan_loop *l, struct lib_lan_call *c)
{
    bool is_running;

    (void)pthread_mutex_lock(&l->lock);
    is_running = queue(l, c);
    while (is_running && !c->is_done)
        (void)pthread_cond_wait(&l->done, &l->lock);
    if (is_running && --l->callers == 0)
        (void)pthread_cond_broadcast(&l->done);
    (void)pthread_mutex_unlock(&l->lock);
    if (!is_running)
        return lib_fail(SYNCLINE_ECLOSED, "it does not run");
    return c->rc == SYNCLINE_OK ? c->rc : lib_fail(c->rc, "%s", c->why.text);
}

int lib_lan_loop_call(struct lib_lan_loop *l, int (*fn)(void *arg), void *arg)
{
    struct lib_lan_call c = { .fn = fn, .arg = arg };
    struct lib_lan_loop *before;
    int rc;

    rc = lib_check_forks(l->forks);
    if (rc != SYNCLINE_OK)
        return rc;
    if (lib_lan_loop_inside(l))
        return fn(arg);
    rc = lib_lan_wait_begin(l, &before);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = call_and_wait(l, &c);
    lib_lan_wait_end(before);
    return rc;
}
