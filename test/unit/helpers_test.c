#include "io/helpers.h"

#include <stdatomic.h>
#include <pthread.h>

#include "unit/check.h"

#include "io/clock.h"

#define JOBS 500

struct counted {
    struct helper_job job;
    int no;
    bool on_other_thread;
    int ran_as, done_as;
};

static atomic_int ran;
static int done;
static pthread_t loop_thread;

static void count_run(struct helper_job *job)
{
    struct counted *c = (struct counted *)job;

    c->on_other_thread = !pthread_equal(pthread_self(), loop_thread);
    c->ran_as = atomic_fetch_add(&ran, 1);
}

static void count_done(struct helper_job *job)
{
    struct counted *c = (struct counted *)job;

    c->done_as = done++;
}

static struct counted jobs[JOBS];

static void submit_all(struct helper *h)
{
    loop_thread = pthread_self();
    atomic_store(&ran, 0);
    done = 0;
    for (int i = 0; i < JOBS; i++) {
        jobs[i] =
            (struct counted){ .job = { .run = count_run, .done = count_done },
                .no = i };
        helper_submit(h, &jobs[i].job);
    }
    CHECK(helper_busy(h));
}

static void check_all(void)
{
    CHECK_INT(done, JOBS);
    for (int i = 0; i < JOBS; i++) {
        CHECK_INT(jobs[i].ran_as, i);
        CHECK_INT(jobs[i].done_as, i);
        CHECK(jobs[i].on_other_thread);
    }
}

static void close_loop(uv_loop_t *loop)
{
    CHECK_INT(uv_run(loop, UV_RUN_DEFAULT), 0);
    CHECK_INT(uv_loop_close(loop), 0);
}

TEST(jobs_run_elsewhere_in_order_and_are_done_here)
{
    uv_loop_t loop;
    struct helper *h;

    CHECK_INT(uv_loop_init(&loop), 0);
    CHECK_OK(helper_start(&h, &loop, "jobs"));
    submit_all(h);
    while (helper_busy(h))
        uv_run(&loop, UV_RUN_ONCE);
    check_all();
    helper_stop(h);
    close_loop(&loop);
}

TEST(stopping_loses_no_job)
{
    uv_loop_t loop;
    struct helper *h;

    CHECK_INT(uv_loop_init(&loop), 0);
    CHECK_OK(helper_start(&h, &loop, "jobs"));
    submit_all(h);
    helper_stop(h);
    check_all();
    close_loop(&loop);
    helper_stop(NULL);
}

TEST(clocks_go_on)
{
    uint64_t a = clock_mono_us(), b = clock_mono_us();

    CHECK(a > 0 && b >= a);
    CHECK(clock_wall_us() > 1600000000ull * 1000000);
}
