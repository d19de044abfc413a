#include "store/store_file.h"

#include "unit/check.h"
#include "unit/store_contract.h"
#include "unit/store_temp.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 30
#define LIFE_MAX_US 40000 /* of a child */

static struct model m;

static struct store_file_options options(void)
{
    struct store_file_options opt = temp_options();

    opt.segment_bytes = 32 << 10;
    opt.checkpoint_bytes = 32 << 10;
    return opt;
}

static void *run_checkpoint(void *arg)
{
    store_file_checkpoint_run(arg);
    return NULL;
}

/* Commits without end, with a checkpoint under way nearly always, and tells
 * through the pipe what is durable. Returns only if something failed. */
static void live(const char *dir, int told)
{
    struct store_file_options opt = options();
    struct store_file *s;
    struct store_port port;
    struct errmsg why;
    pthread_t mover;

    if (store_file_open(&s, dir, &opt, &why) != SYNCLINE_OK)
        return;
    port = store_file_port(s);
    for (;;) {
        bool moving = store_file_checkpoint_begin(s, 0);

        if (moving && pthread_create(&mover, NULL, run_checkpoint, s) != 0)
            return;
        for (int i = 0; i < 30; i++) {
            uint64_t durable;

            if (m.last == MODEL_COMMITS ||
                model_commit(&m, &port) != SYNCLINE_OK)
                return;
            if (i % 6 != 0)
                continue;
            if (store_file_sync(s) != SYNCLINE_OK)
                return;
            durable = store_file_durable(s);
            if (write(told, &durable, sizeof durable) != sizeof durable)
                return;
        }
        if (moving && pthread_join(mover, NULL) != 0)
            return;
        if (moving && store_file_checkpoint_end(s, &why) != SYNCLINE_OK)
            return;
    }
}

/* The last number that came through the pipe. */
static uint64_t last_told(int fd, uint64_t before)
{
    uint64_t durable = before;

    while (read(fd, &durable, sizeof durable) == sizeof durable)
        ;
    return durable;
}

/* Lets a child live for a while and kills it. */
static uint64_t one_life(const char *dir, uint64_t us, uint64_t before)
{
    struct timespec nap = { 0, (long)us * 1000 };
    int fds[2], status;
    uint64_t durable;
    pid_t pid;

    CHECK(pipe(fds) == 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        live(dir, fds[1]);
        _exit(1);
    }
    (void)close(fds[1]);
    (void)nanosleep(&nap, NULL);
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_SAYING(WIFSIGNALED(status), "the child failed by itself");
    durable = last_told(fds[0], before);
    (void)close(fds[0]);
    return durable;
}

/* Killed at random moments, most of them within a checkpoint: what was
 * reported durable is there, and nothing but a prefix. */
TEST(killed_at_any_moment_it_keeps_what_it_acknowledged)
{
    struct store_file_options opt = options();
    struct prng p = { 99 };
    struct errmsg why;
    char dir[TEMP_MAX];
    uint64_t durable = 0;

    temp_make(dir);
    model_init(&m, 99);
    for (int i = 0; i < ROUNDS; i++) {
        struct store_file *s;
        struct store_port port;
        uint64_t last;

        durable = one_life(dir, 1000 + prng_below(&p, LIFE_MAX_US), durable);
        CHECK_SAYING(store_file_open(&s, dir, &opt, &why) == SYNCLINE_OK, "%s",
            why.text);
        port = store_file_port(s);
        last = store_file_last(s);
        /* The child drew these; so do we. */
        while (m.last < last && m.last < MODEL_COMMITS)
            m.seeds[++m.last] = prng_next(&m.prng);
        model_resume(&m, &port, last, durable);
        store_file_abandon(s);
    }
    CHECK(durable > 100);
    temp_remove(dir);
}
