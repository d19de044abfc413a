/* Clocks that are wrong: who is refused, who is named, and the way back. */
#include "repl/collect_impl.h"
#include "repl/node_impl.h"

#include "unit/check.h"

#include "sim/world.h"

#include <stdlib.h>

#define MIN_US ((int64_t)60 * 1000 * 1000)
#define NOW_US (UINT64_C(1800000000) * 1000 * 1000)

/* ---- who may write ---- */

/* A node that is connected to peers whose clocks are so far ahead of its. */
static void connect(
    struct node *n, struct conn *conns, const int64_t *minutes, size_t peers_n)
{
    *n = (struct node){ .now_us = 5000, .wall_us = NOW_US };
    n->opt.clock_bound_us = CLOCK_BOUND_US;
    for (size_t i = 0; i < peers_n; i++) {
        struct conn *c = &conns[i];

        *c = (struct conn){ .greeted = true, .next = n->conns };
        clock_measured(
            n, c, n->now_us, (uint64_t)((int64_t)NOW_US + minutes[i] * MIN_US));
        n->conns = c;
    }
}

static const struct {
    const char *what;
    size_t n;
    int64_t minutes[5];
    bool ahead;
} majorities[] = {
    { "nobody is there to say", 0, { 0 }, false },
    { "one says so", 1, { -5 }, true },
    { "one is ahead itself", 1, { 5 }, false },
    { "one is as far as may be", 1, { -1 }, false },
    { "one of two says so", 2, { -5, 0 }, false },
    { "both say so", 2, { -5, -5 }, true },
    { "two of three say so", 3, { -5, 0, -5 }, true },
    { "two of four say so", 4, { -5, 0, -5, 0 }, false },
    { "three of five say so", 5, { 0, -5, 9, -5, -99 }, true },
    { "one that was never set is no witness", 1, { -20000000 }, false },
    { "and does not outvote one that was", 2, { -20000000, -5 }, true },
};

TEST(who_is_ahead_of_most_may_not_write)
{
    struct conn conns[5];
    struct node n;

    for (size_t i = 0; i < sizeof majorities / sizeof *majorities; i++) {
        connect(&n, conns, majorities[i].minutes, majorities[i].n);
        CHECK_SAYING(clock_is_ahead(&n) == majorities[i].ahead, "%s",
            majorities[i].what);
        n.opt.clock_bound_us = UINT64_MAX;
        CHECK_SAYING(!clock_is_ahead(&n), "no bound: %s", majorities[i].what);
    }
}

/* A clock that is set is believed at once, and one that jumps is not. */
TEST(an_offset_follows_the_clock_here)
{
    const int64_t minutes[] = { 0 };
    struct conn conn;
    struct node n;

    connect(&n, &conn, minutes, 1);
    CHECK(!clock_is_ahead(&n));
    n.wall_us += (uint64_t)(2 * MIN_US);
    CHECK(clock_is_ahead(&n));
    CHECK_INT(clock_offset_us(&n, &conn), -2 * MIN_US);
    n.now_us += (uint64_t)(3 * MIN_US); /* time goes by for both */
    n.wall_us += (uint64_t)(3 * MIN_US);
    CHECK_INT(clock_offset_us(&n, &conn), -2 * MIN_US);
    n.wall_us -= (uint64_t)(2 * MIN_US);
    CHECK(!clock_is_ahead(&n));
}

/* An answer that took long proves less. */
TEST(a_slow_answer_is_given_the_doubt)
{
    const int64_t minutes[] = { 0 };
    struct conn conn;
    struct node n;

    connect(&n, &conn, minutes, 1);
    n.now_us = (uint64_t)(10 * MIN_US);
    clock_measured(&n, &conn, n.now_us - (uint64_t)(4 * MIN_US),
        NOW_US - (uint64_t)(4 * MIN_US));
    CHECK_INT(clock_offset_us(&n, &conn), -2 * MIN_US);
    CHECK(!clock_is_ahead(&n));
    clock_measured(&n, &conn, n.now_us, UINT64_MAX); /* nonsense is a number */
    CHECK(clock_offset_us(&n, &conn) > 0);
    CHECK(!clock_is_ahead(&n));
}

TEST(spans_in_words)
{
    static const struct {
        uint64_t us;
        const char *text;
    } spans[] = { { 0, "0.0 s" }, { 61500000, "61.5 s" },
        { 125000000, "2 min 5 s" }, { 7200000000, "2 h 0 min" },
        { UINT64_C(315360000000000), "3650 days 0 h" } };

    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        char out[CLOCK_SPAN_TEXT];

        clock_span(out, spans[i].us);
        CHECK_SLICE(slice_str(out), spans[i].text);
    }
}

/* ---- a mesh ---- */

/* Three machines that have met; machine 2 heeds nobody's clock. */
static struct world *mesh(void)
{
    struct world_options opt = { .seed = 1, .machines = 3, .ops = 0 };
    struct world *w = sim_alloc(1, sizeof *w);

    world_init(w, &opt);
    world_run(w);
    CHECK_SAYING(!w->failed, "%s", w->why.text);
    w->machines[2].node->opt.clock_bound_us = UINT64_MAX;
    return w;
}

static void close_mesh(struct world *w)
{
    world_close(w);
    free(w);
}

static void run_for(struct world *w, uint64_t us)
{
    const uint64_t until = w->now_us + us;
    const struct heap_entry *e;

    while ((e = heap_peek(&w->queue)) != NULL && e->key <= until) {
        struct happening *h;

        w->now_us = e->key;
        h = heap_pop(&w->queue);
        if (h->machine == NULL ||
            (machine_is_up(h->machine) && h->machine->life == h->life))
            h->fn(w, h);
        buf_free(&h->bytes);
        free(h);
    }
    w->now_us = until;
    CHECK_SAYING(!w->failed, "%s", w->why.text);
}

struct answer {
    bool came;
    int rc;
};

static void note(
    struct world *w, struct ask *a, int rc, const struct json *json)
{
    (void)w;
    (void)json;
    *(struct answer *)a->ctx = (struct answer){ true, rc };
}

static int ask(struct world *w, unsigned machine, const char *request)
{
    struct answer got = { false, 0 };

    machine_ask(&w->machines[machine], note, &got, slice_str(request));
    for (int i = 0; i < 100 && !got.came; i++)
        run_for(w, 10 * MS_US);
    CHECK(got.came);
    return got.rc;
}

static int64_t value(struct world *w, unsigned machine)
{
    struct arena a = { 0 };
    int rc;
    const struct json *answer = machine_ask_now(&w->machines[machine],
        SLICE_LIT("{\"op\":\"get\",\"space\":\"default\",\"key\":\"k\"}"), &a,
        &rc);
    int64_t v = rc == SYNCLINE_OK ? json_get_int(answer, "value", -1) : -1;

    arena_free(&a);
    return v;
}

static int put(struct world *w, unsigned machine, int v)
{
    char request[100];

    (void)snprintf(request, sizeof request,
        "{\"op\":\"put\",\"space\":\"default\",\"key\":\"k\",\"value\":%d}", v);
    return ask(w, machine, request);
}

static void all_show(struct world *w, int64_t v)
{
    run_for(w, 2 * SEC_US);
    for (unsigned i = 0; i < 3; i++)
        CHECK_INT(value(w, i), v);
}

#define RESET "{\"op\":\"clock_reset\"}"

/* A member pushes all clocks to the end of time: nobody can write after that,
 * until an admin says so. */
TEST(a_clock_at_its_end_is_survived_by_a_reset)
{
    struct world *w = mesh();

    w->machines[2].node->clock.last = UINT64_MAX - 1;
    w->clocks.latest[0] = hlc_wall_us(UINT64_MAX); /* the judge is told */
    CHECK_OK(put(w, 2, 1));
    all_show(w, 1);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_UINT(w->machines[i].node->clock.last, UINT64_MAX);
        CHECK_INT(put(w, i, 2), SYNCLINE_ELIMIT);
    }
    CHECK_OK(ask(w, 1, RESET));
    run_for(w, 2 * SEC_US);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_UINT(w->machines[i].node->epoch, 1);
        CHECK(clock_lead_us(w->machines[i].node) < (uint64_t)MIN_US);
        CHECK_OK(put(w, i, 10 + (int)i));
        all_show(w, 10 + i);
    }
    close_mesh(w);
}

/* The ceiling is that of its epoch, the epoch is kept, and none comes back. */
TEST(an_epoch_outlives_a_stop_and_a_crash)
{
    struct world *w = mesh();

    w->machines[2].clock.date_off_us += 1000 * MIN_US;
    CHECK_OK(put(w, 2, 1));
    all_show(w, 1);
    CHECK(clock_lead_us(w->machines[0].node) > (uint64_t)(900 * MIN_US));
    w->machines[2].clock.date_off_us -= 1000 * MIN_US;
    run_for(w, 10 * SEC_US);
    CHECK_OK(ask(w, 0, RESET));
    CHECK_OK(ask(w, 0, RESET));
    run_for(w, 2 * SEC_US);
    for (unsigned i = 0; i < 2; i++) {
        machine_stop(&w->machines[i]);
        machine_start(&w->machines[i]);
        CHECK_UINT(w->machines[i].node->epoch, 2);
        CHECK(clock_lead_us(w->machines[i].node) < (uint64_t)MIN_US);
        machine_crash(&w->machines[i]);
        machine_start(&w->machines[i]);
        CHECK_UINT(w->machines[i].node->epoch, 2);
        CHECK(clock_lead_us(w->machines[i].node) < (uint64_t)MIN_US);
    }
    run_for(w, 40 * SEC_US);
    CHECK_OK(put(w, 0, 2));
    all_show(w, 2);
    close_mesh(w);
}

/* What a node writes for itself, it stamps without a clock that is far ahead.
 */
TEST(a_wrong_clock_does_not_push_the_others_by_what_must_be_written)
{
    struct world *w = mesh();
    struct stamp s;
    struct node *n = w->machines[1].node;
    uint64_t before;

    w->machines[1].clock.date_off_us += 1000 * MIN_US;
    run_for(w, SEC_US);
    CHECK_INT(put(w, 1, 1), SYNCLINE_EDENIED);
    before = n->clock.last;
    CHECK_OK(node_stamp(n, &s));
    CHECK_UINT(s.hlc, before + 1);
    close_mesh(w);
}

/* ---- proofs ---- */

/* The record of epoch 1, as it stands in the store. */
static struct slice proof(struct world *w, unsigned machine, struct arena *a)
{
    struct buf key = { 0 };
    struct slice value;

    buf_put_str(&key, META_EPOCH);
    put_be64(&key, 1);
    CHECK_OK(store_get(
        &w->machines[machine].port, TABLE_META, buf_slice(&key), &value));
    buf_free(&key);
    return arena_dup(a, value);
}

static int take(struct node *n, struct slice record)
{
    struct errmsg why = { "" };
    bool raised = false;
    uint64_t before = n->epoch;
    int rc = epoch_take(n, record, &raised, &why);

    CHECK(raised == (n->epoch != before));
    CHECK(rc != SYNCLINE_EMALFORMED || why.text[0] != 0);
    txn_reset(&n->txn);
    return rc;
}

/* A node of the same mesh that has not heard of it. */
static void unaware(struct world *w, struct node *n)
{
    *n = *w->machines[1].node;
    n->epoch = 0;
    n->txn = (struct txn){ .store = &n->opt.store };
    n->step = (struct arena){ 0 };
    n->key = n->out = (struct buf){ 0 };
    n->fx = NULL;
    n->fx_n = n->fx_cap = 0;
}

static void forget(struct node *n)
{
    txn_free(&n->txn);
    arena_free(&n->step);
    buf_free(&n->key);
    buf_free(&n->out);
    free(n->fx);
}

TEST(a_record_that_was_tampered_with_proves_nothing)
{
    struct world *w = mesh();
    struct arena a = { 0 };
    struct slice record;
    struct node n;

    CHECK_OK(ask(w, 2, RESET));
    run_for(w, 2 * SEC_US);
    record = proof(w, 0, &a);
    unaware(w, &n);
    for (size_t i = 0; i < record.len; i++) {
        struct slice odd = arena_dup(&a, record);

        ((uint8_t *)odd.ptr)[i] ^= 1;
        CHECK_SAYING(take(&n, odd) == SYNCLINE_EMALFORMED && n.epoch == 0,
            "byte %zu of %zu", i, record.len);
        CHECK_SAYING(take(&n, SLICE(record.ptr, i)) == SYNCLINE_EMALFORMED,
            "cut after %zu", i);
    }
    CHECK_OK(take(&n, record));
    CHECK_UINT(n.epoch, 1);
    CHECK_OK(take(&n, record)); /* known: nothing new */
    CHECK_UINT(n.epoch, 1);
    n.epoch = 0;
    n.mesh.b[0] ^= 1;
    CHECK_INT(take(&n, record), SYNCLINE_EMALFORMED);
    forget(&n);
    arena_free(&a);
    close_mesh(w);
}

/* By one at a time, or somebody could spend them all. */
TEST(an_epoch_cannot_be_skipped)
{
    struct world *w = mesh();
    struct arena a = { 0 };
    struct buf key = { 0 };
    struct slice second;
    struct node n;

    CHECK_OK(ask(w, 0, RESET));
    CHECK_OK(ask(w, 0, RESET));
    run_for(w, 2 * SEC_US);
    buf_put_str(&key, META_EPOCH);
    put_be64(&key, 2);
    CHECK_OK(
        store_get(&w->machines[1].port, TABLE_META, buf_slice(&key), &second));
    second = arena_dup(&a, second);
    unaware(w, &n);
    CHECK_INT(take(&n, second), SYNCLINE_EMALFORMED);
    CHECK_OK(take(&n, proof(w, 1, &a)));
    CHECK_OK(take(&n, second));
    CHECK_UINT(n.epoch, 2);
    forget(&n);
    buf_free(&key);
    arena_free(&a);
    close_mesh(w);
}

TEST(memory_that_runs_out_raises_nothing)
{
    struct world *w = mesh();
    struct arena a = { 0 };
    struct slice record;
    struct node n;
    int rc = SYNCLINE_ENOMEM;

    CHECK_OK(ask(w, 0, RESET));
    run_for(w, 2 * SEC_US);
    record = proof(w, 1, &a);
    for (unsigned i = 0; rc == SYNCLINE_ENOMEM; i++) {
        unaware(w, &n);
        check_alloc_fail_from((long)i);
        rc = epoch_take(&n, record, &(bool){ false }, NULL);
        check_alloc_fail_from(-1);
        CHECK_SAYING(rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM,
            "allocation %u: %d", i, rc);
        forget(&n);
    }
    CHECK_OK(rc);
    arena_free(&a);
    close_mesh(w);
}
