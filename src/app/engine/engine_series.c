/* The op `recent`: figures of the last ten minutes. Samples are taken only
 * while somebody asks, and for ten minutes after that: a node that nobody
 * looks at does nothing for it, and keeps nothing. */
#include "app/engine/engine_impl.h"

#include "app/series.h"
#include "io/clock.h"

#include <stdlib.h>

#define STEP_US ((uint64_t)1000 * 1000)
#define CALM_US ((uint64_t)SERIES_MAX * STEP_US)

struct engine_series {
    struct series *ring;
    uint64_t next_us, asked_us;
    bool asking;
};

static struct series_totals totals(const struct engine *e)
{
    const struct node_counts *c = node_counts(e->node);
    const struct net_stats *net = net_stats(e->net);

    return (struct series_totals){ .commits = e->measured.commits,
        .changes = c->changes_written,
        .rows_in = c->rows_received,
        .rows_out = c->rows_sent,
        .bytes_in = net->bytes_in,
        .bytes_out = net->bytes_out,
        .arrivals = *node_arrivals(e->node) };
}

static void on_peers(void *ctx, struct slice answer, bool more)
{
    struct engine *e = ctx;
    struct engine_series *s = e->series;
    struct arena a = { 0 };
    struct json *v = NULL;
    struct series_totals now;

    (void)more;
    if (s == NULL || e->node == NULL || e->failed)
        return;
    s->asking = false;
    now = totals(e);
    if (json_parse(&v, answer, JSON_STRICT, &a, NULL) != SYNCLINE_OK)
        v = NULL;
    series_add(s->ring, clock_wall_us(), &now, json_get(v, "peers"));
    arena_free(&a);
}

static void stop(struct engine *e)
{
    if (e->series != NULL)
        series_free(e->series->ring);
    free(e->series);
    e->series = NULL;
}

void engine_series_turn(struct engine *e)
{
    struct engine_series *s = e->series;
    const uint64_t now = clock_mono_us();
    struct arena a = { 0 };
    struct json *args;

    if (s == NULL || s->asking || now < s->next_us)
        return;
    if (now - s->asked_us > CALM_US) {
        stop(e);
        return;
    }
    s->next_us += STEP_US;
    if (s->next_us <= now)
        s->next_us = now + STEP_US; /* it was held up */
    args = json_new(&a, JSON_OBJECT);
    if (json_add(args, SLICE_LIT("op"), json_new_str(&a, SLICE_LIT("peers"))) !=
        NULL)
        s->asking = engine_request(e, args, NULL, on_peers, e) != 0;
    arena_free(&a);
}

uint64_t engine_series_deadline(const struct engine *e)
{
    return e->series == NULL || e->series->asking ? UINT64_MAX
                                                  : e->series->next_us;
}

void engine_series_close(struct engine *e)
{
    stop(e);
}

static int start(struct engine *e)
{
    struct engine_series *s = calloc(1, sizeof *s);
    struct series_totals now;
    int rc = s != NULL ? series_new(&s->ring) : SYNCLINE_ENOMEM;

    if (rc != SYNCLINE_OK) {
        free(s);
        return rc;
    }
    now = totals(e);
    series_add(s->ring, clock_wall_us(), &now, NULL);
    s->next_us = clock_mono_us() + STEP_US;
    e->series = s;
    return SYNCLINE_OK;
}

bool engine_series_take(
    struct engine *e, struct call *c, const struct json *args)
{
    const int64_t since = json_get_int(args, "since", 0);
    struct errmsg why = { "" };
    struct buf b = { 0 };
    int rc = e->series == NULL ? start(e) : SYNCLINE_OK;

    if (rc == SYNCLINE_OK) {
        e->series->asked_us = clock_mono_us();
        buf_put_str(&b, "{\"ok\":true,\"interval_ms\":1000,\"keeps_s\":600,");
        series_print(e->series->ring, &b, since > 0 ? (uint64_t)since : 0);
        buf_put_u8(&b, '}');
    }
    engine_answer_buf(e, c->id, &b, rc, &why);
    return true;
}
