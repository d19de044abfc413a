/* What `metrics` tells: the node's `status` and counters, and what the engine
 * has measured. */
#include "app/engine/engine_impl.h"

#include "app/answer.h"

#include "app/metrics.h"

#include <sys/resource.h>
#include <sys/statvfs.h>

static uint64_t cpu_us(void)
{
    struct rusage u;

    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0;
    return ((uint64_t)u.ru_utime.tv_sec + (uint64_t)u.ru_stime.tv_sec) *
        1000000 +
        (uint64_t)u.ru_utime.tv_usec + (uint64_t)u.ru_stime.tv_usec;
}

static uint64_t free_bytes(const struct engine *e)
{
    struct statvfs v;

    return statvfs(e->dir, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : 0;
}

static uint64_t calls_n(const struct engine *e)
{
    uint64_t n = 0;

    for (size_t i = 0; i < e->calls_cap; i++)
        for (const struct call *c = e->calls[i]; c != NULL; c = c->next)
            n++;
    return n;
}

static struct metrics_engine look(const struct engine *e)
{
    return (struct metrics_engine){ .commits = e->measured.commits,
        .undurable = store_file_last(e->store) - store_file_durable(e->store),
        .requests = calls_n(e) - 1, /* but this one */
        .store_bytes = engine_store_bytes(e),
        .free_bytes = free_bytes(e),
        .rss_bytes = engine_rss_bytes(),
        .cpu_us = cpu_us(),
        .started_us = e->measured.opened_us,
        .datagrams_dropped = e->udp != NULL ? udp_dropped(e->udp) : 0,
        .multicast = engine_multicast(e),
        .errors_open = engine_errors_n(e),
        .full = e->full,
        .stuck = e->stuck };
}

/* NULL: there are none. */
static const struct json *faces_of(const struct engine *e, struct arena *a)
{
    struct buf b = { 0 };
    struct json *v = NULL;

    buf_put_u8(&b, '{');
    if (e->opt.put_status != NULL)
        e->opt.put_status(e->opt.status_ctx, &b); /* members, each a comma */
    if (b.len > 0 && b.ptr[b.len - 1] == ',')
        b.len--;
    buf_put_u8(&b, '}');
    if (buf_status(&b) == SYNCLINE_OK)
        (void)!json_parse(
            &v, arena_dup(a, buf_slice(&b)), JSON_STRICT, a, NULL);
    buf_free(&b);
    return v;
}

static void print(struct engine *e, enum metrics_format format,
    const struct json *status, struct arena *a, struct buf *out)
{
    struct node_sizes sizes;
    struct store_file_stats store;
    const struct metrics_view v = { .status = status,
        .counts = node_counts(e->node),
        .sizes = &sizes,
        .net = net_stats(e->net),
        .store = &store,
        .arrivals = node_arrivals(e->node),
        .sync = &e->measured.sync,
        .checkpoint = &e->measured.checkpoint,
        .engine = look(e),
        .audit_trouble = engine_audit_trouble(e) != NULL,
        .faces = faces_of(e, a) };

    node_sizes(e->node, &sizes);
    store_file_stats(e->store, &store);
    metrics_print(out, format, &v);
}

static int put_answer(
    struct engine *e, bool open, struct slice status, struct buf *b)
{
    const enum metrics_format format =
        open ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
    struct arena a = { 0 };
    struct buf text = { 0 };
    struct json *v;
    int rc = json_parse(&v, status, JSON_STRICT, &a, NULL);

    if (rc == SYNCLINE_OK) {
        print(e, format, v, &a, &text);
        rc = buf_status(&text);
    }
    if (rc == SYNCLINE_OK) {
        buf_printf(b, "{\"ok\":true,\"content_type\":\"%s\",\"text\":",
            metrics_content_type(format));
        json_print_string(b, buf_slice(&text), false);
        buf_put_u8(b, '}');
        rc = buf_status(b);
    }
    arena_free(&a);
    buf_free(&text);
    return rc;
}

bool engine_metrics_take(
    struct engine *e, struct call *c, const struct json *args)
{
    struct slice format = json_get_str(args, "format");

    c->openmetrics = slice_is(format, "openmetrics");
    if (c->openmetrics || json_get(args, "format") == NULL ||
        slice_is(format, "prometheus"))
        return false;
    engine_answer(e, c->id,
        SLICE_LIT(
            REFUSAL("EINVAL", "format: there are prometheus and openmetrics")),
        false);
    return true;
}

struct slice engine_metrics_answer(
    struct engine *e, const struct call *c, struct slice status, struct buf *b)
{
    if (!slice_has_prefix(status, SLICE_LIT("{\"ok\":true,")))
        return status; /* why there is none */
    return put_answer(e, c->openmetrics, status, b) == SYNCLINE_OK
        ? buf_slice(b)
        : SLICE_LIT(REFUSAL_NO_MEMORY);
}
