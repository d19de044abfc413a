#include "unit/store_script.h"

#include "unit/check.h"

#include <stdio.h>

/* Of about five thousand cases a change is tested with each so manieth; not
 * divisible by the number of ways, so that each way has its turn. */
#define EVERY 4

/* Where the run stands, for messages. */
static char where[128];

static void at(uint64_t seed, uint64_t nth, const char *what)
{
    (void)snprintf(where, sizeof where, "seed %llu, call %llu, %s",
        (unsigned long long)seed, (unsigned long long)nth, what);
}

/* A few more commits, promised, and the power goes again: what the first
 * recovery found must have been made durable by it. */
static void live_on(struct script *s, struct prng *p)
{
    for (int i = 0; i < 12; i++)
        CHECK_OK(model_commit(&s->model, &s->port));
    CHECK_OK(store_file_sync(s->s));
    s->durable = s->model.last;
    script_power_loss(s, DISK_DROPPED, NULL);
    script_must_open(s, where);
    if (prng_one_in(p, 2))
        CHECK_SAYING(script_run(s, 1, 10), "%s", where);
    script_power_loss(s, DISK_SUBSET, p);
    script_must_open(s, where);
}

static uint64_t changes_of(uint64_t seed)
{
    static struct script s;
    uint64_t n;

    script_init(&s, seed);
    CHECK(script_run(&s, 0, SCRIPT_STEPS));
    n = s.disk.changes;
    script_free(&s);
    return n;
}

static void cut_at(uint64_t seed, uint64_t nth, int how)
{
    static const char *const names[] = { "all dropped", "some writes stay",
        "torn at 512", "torn at 4096", "killed, power lost later" };
    static struct script s;
    struct prng p = { seed * 1000003 + nth };

    at(seed, nth, names[how]);
    script_init(&s, seed);
    disk_arm_cut(&s.disk, nth);
    CHECK_SAYING(!script_run(&s, 0, SCRIPT_STEPS), "%s: not cut", where);
    CHECK_SAYING(s.sentences, "%s: a failure without a sentence", where);
    if (how == DISK_LOSS_END) {
        script_kill(&s);
        disk_restart(&s.disk);
    } else {
        script_power_loss(&s, (enum disk_loss)how, &p);
    }
    script_must_open(&s, where);
    live_on(&s, &p);
    script_free(&s);
}

/* The power goes amid every write, sync, rename and removal. */
TEST(the_power_goes_at_every_change)
{
    uint64_t first, n = script_seeds(&first);

    for (uint64_t seed = first; seed < first + n; seed++) {
        uint64_t changes = changes_of(seed);

        CHECK(changes > 150);
        for (uint64_t nth = 1; nth <= changes; nth++)
            for (int how = 0; how <= DISK_LOSS_END; how++)
                if (script_takes_next(EVERY))
                    cut_at(seed, nth, how);
    }
}

/* ---- calls that fail ---- */

static uint64_t calls_of(uint64_t seed, int rc)
{
    static struct script s;
    uint64_t n;

    script_init(&s, seed);
    disk_arm(&s.disk, UINT64_MAX, rc, false);
    CHECK(script_run(&s, 0, SCRIPT_STEPS));
    n = s.disk.calls;
    script_free(&s);
    return n;
}

static void fail_at(uint64_t seed, uint64_t nth, int rc, bool for_good)
{
    static struct script s;
    struct prng p = { seed * 1000003 + nth };

    at(seed, nth, for_good ? "from there on" : "once");
    script_init(&s, seed);
    disk_arm(&s.disk, nth, rc, for_good);
    (void)script_run(&s, 0, SCRIPT_STEPS);
    CHECK_SAYING(s.sentences, "%s: a failure without a sentence", where);
    disk_arm(&s.disk, 0, SYNCLINE_OK, false);
    if (s.s != NULL && store_file_status(s.s) == SYNCLINE_OK) {
        /* With the disk mended it goes on without a restart. */
        CHECK_SAYING(
            model_commit(&s.model, &s.port) == SYNCLINE_OK, "%s", where);
        CHECK_SAYING(store_file_sync(s.s) == SYNCLINE_OK, "%s", where);
        s.durable = s.model.last;
    }
    if (prng_one_in(&p, 2))
        script_power_loss(
            &s, (enum disk_loss)prng_below(&p, DISK_LOSS_END), &p);
    else
        script_kill(&s);
    script_must_open(&s, where);
    live_on(&s, &p);
    script_free(&s);
}

static void fail_everywhere(int rc, bool for_good)
{
    uint64_t first, n = script_seeds(&first);

    for (uint64_t seed = first; seed < first + n; seed++) {
        uint64_t calls = calls_of(seed, rc);

        CHECK(calls > 100);
        for (uint64_t nth = 1; nth <= calls; nth++)
            if (script_takes_next(EVERY))
                fail_at(seed, nth, rc, for_good);
    }
}

/* A segment's name was lost, and its bytes were not: the next start gave the
 * same file the same name, and read an old commit in place of a new one. */
TEST(a_name_that_was_lost)
{
    fail_at(11800016, 266, SYNCLINE_EFULL, true);
    fail_at(11800016, 266, SYNCLINE_EIO, true);
}

TEST(every_call_fails_once)
{
    fail_everywhere(SYNCLINE_EIO, false);
}

TEST(every_call_fails_from_there_on)
{
    fail_everywhere(SYNCLINE_EIO, true);
}

TEST(every_call_that_takes_room_finds_none_once)
{
    fail_everywhere(SYNCLINE_EFULL, false);
}

TEST(every_call_that_takes_room_finds_none_from_there_on)
{
    fail_everywhere(SYNCLINE_EFULL, true);
}
