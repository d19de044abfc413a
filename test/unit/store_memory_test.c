#include "unit/store_script.h"

#include "unit/check.h"

#include <sqlite3.h>
#include <stdlib.h>

/* SQLite's allocations count, too: they come here, and from here go through
 * the allocator that fails on demand. Its size is kept in front. */
#define HEAD 16

static void *sq_malloc(int n)
{
    char *p = malloc((size_t)n + HEAD);

    if (p == NULL)
        return NULL;
    memcpy(p, &n, sizeof n);
    return p + HEAD;
}

static void sq_free(void *p)
{
    free(p != NULL ? (char *)p - HEAD : NULL);
}

static int sq_size(void *p)
{
    int n = 0;

    if (p != NULL)
        memcpy(&n, (char *)p - HEAD, sizeof n);
    return n;
}

static void *sq_realloc(void *old, int n)
{
    char *p = realloc((char *)old - HEAD, (size_t)n + HEAD);

    if (p == NULL)
        return NULL;
    memcpy(p, &n, sizeof n);
    return p + HEAD;
}

static int sq_round(int n)
{
    return (n + 7) & ~7;
}

static int sq_init(void *data)
{
    (void)data;
    return SQLITE_OK;
}

static void sq_shutdown(void *data)
{
    (void)data;
}

__attribute__((constructor)) static void use_our_allocator(void)
{
    static const sqlite3_mem_methods methods = { sq_malloc, sq_free, sq_realloc,
        sq_size, sq_round, sq_init, sq_shutdown, NULL };

    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK)
        abort();
}

/* Of the allocations a change is tested with each so manieth. */
#define EVERY 2

/* What memory runs out in: does it, tells what failed (0: nothing). */
typedef int scenario_fn(struct script *s);

static int opening(struct script *s)
{
    return script_open(s);
}

/* Made beforehand, with memory to be had. */
#define READY 30
static struct batch ready[READY];
static uint64_t ready_seeds[READY];

static int committing(struct script *s)
{
    int rc = SYNCLINE_OK;

    for (int i = 0; i < READY && rc == SYNCLINE_OK; i++) {
        uint64_t no;

        rc = store_commit(&s->port, buf_slice(&ready[i].ops), &no);
        if (rc == SYNCLINE_OK)
            s->model.seeds[++s->model.last] = ready_seeds[i];
    }
    return rc;
}

static int moving_down(struct script *s)
{
    s->why.text[0] = 0;
    return store_file_checkpoint(s->s, 5000, &s->why);
}

static int ignore(void *ctx, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(unsigned *)ctx;
    return 0;
}

static int reading(struct script *s)
{
    unsigned n = 0;
    int rc = SYNCLINE_OK;

    for (int t = 0; t < TABLE_END && rc == SYNCLINE_OK; t++) {
        struct slice value;

        rc = store_get(&s->port, (enum store_table)t, SLICE_LIT("kk2"), &value);
        if (rc == SYNCLINE_OK || rc == SYNCLINE_ENOTFOUND)
            rc = store_scan(&s->port, (enum store_table)t, SLICE_NONE,
                SLICE_NONE, ignore, &n);
    }
    return rc;
}

/* A killed store with something in state.db and in the journal. */
static void prepare(struct script *s)
{
    script_init(s, 77);
    CHECK(script_run(s, 0, SCRIPT_STEPS));
    for (int i = 0; i < 25; i++)
        CHECK_OK(model_commit(&s->model, &s->port));
    CHECK_OK(store_file_sync(s->s));
    s->durable = s->model.last;
    script_kill(s);
}

/* Open, with something in the overlay too. */
static void open_full(struct script *s)
{
    script_must_open(s, "before");
    for (int i = 0; i < 25; i++)
        CHECK_OK(model_commit(&s->model, &s->port));
}

/* The nth allocation and all after it fail: an error, nothing lost; then
 * there is memory again, and it goes on. */
static void run_short(scenario_fn *fn, bool is_open)
{
    static struct script whole, s;
    bool failed = true;
    long n;

    prepare(&whole);
    for (n = 0; failed; n++) {
        int rc;

        CHECK(n < 5000);
        if (!script_takes_next(EVERY))
            continue;
        script_copy(&s, &whole);
        if (is_open)
            open_full(&s);
        check_alloc_fail_from(n);
        rc = fn(&s);
        failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        CHECK_SAYING(rc == SYNCLINE_OK || failed, "failed with %d", rc);
        CHECK_SAYING(rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM,
            "allocation %ld: %d %s", n, rc, s.why.text);
        if (s.s == NULL)
            script_must_open(&s, "with memory again");
        else
            model_check(&s.model, &s.port, s.model.last);
        CHECK_OK(model_commit(&s.model, &s.port));
        CHECK_OK(store_file_sync(s.s));
        CHECK_OK(store_file_checkpoint(s.s, 9000, &s.why));
        s.durable = s.model.last;
        script_power_loss(&s, DISK_DROPPED, NULL);
        script_must_open(&s, "after a power loss");
        script_free(&s);
    }
    CHECK(n > 3);
    script_free(&whole);
}

TEST(memory_runs_out_while_opening)
{
    run_short(opening, false);
}

TEST(memory_runs_out_while_committing)
{
    struct prng p = { 5 };

    for (int i = 0; i < READY; i++) {
        ready_seeds[i] = prng_next(&p);
        model_batch(&ready[i], ready_seeds[i]);
    }
    run_short(committing, true);
    for (int i = 0; i < READY; i++)
        buf_free(&ready[i].ops);
}

TEST(memory_runs_out_amid_a_checkpoint)
{
    run_short(moving_down, true);
}

TEST(memory_runs_out_while_reading)
{
    run_short(reading, true);
}
