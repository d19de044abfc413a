#include "app/series.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NO_VALUE UINT32_MAX
#define NAME_MAX_LEN 64
#define DEVICE_MAX_LEN 65

struct sample {
    uint64_t time_us;
    uint32_t commits, changes, rows_in, rows_out;
    uint64_t bytes_in, bytes_out;
    uint32_t p50_us, p99_us, arrivals;
    uint32_t lag[SERIES_PEERS], rtt_us[SERIES_PEERS];
};

struct peer {
    char device[DEVICE_MAX_LEN], name[NAME_MAX_LEN];
};

struct series {
    struct sample sample[SERIES_MAX];
    uint64_t n; /* ever taken */
    struct series_totals last;
    bool begun;
    struct peer peer[SERIES_PEERS];
    unsigned peers_n;
};

int series_new(struct series **out)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

void series_free(struct series *s)
{
    free(s);
}

uint64_t histogram_share_us(const struct histogram *h, double share)
{
    const double wanted = share * (double)h->count;
    double below = 0;

    if (h->count == 0)
        return 0;
    for (size_t i = 0; i < HISTOGRAM_SPANS; i++) {
        const double here = (double)h->n[i];
        const double from = i > 0 ? (double)histogram_bound_us(i - 1) : 0;

        if (here > 0 && below + here >= wanted)
            return (uint64_t)(from +
                ((double)histogram_bound_us(i) - from) *
                    ((wanted - below) / here));
        below += here;
    }
    return histogram_bound_us(HISTOGRAM_SPANS - 1);
}

static struct histogram less(
    const struct histogram *now, const struct histogram *before)
{
    struct histogram h = { .count = now->count - before->count,
        .sum_us = now->sum_us - before->sum_us };

    for (size_t i = 0; i <= HISTOGRAM_SPANS; i++)
        h.n[i] = now->n[i] - before->n[i];
    return h;
}

static uint32_t small(uint64_t n)
{
    return n < NO_VALUE ? (uint32_t)n : NO_VALUE - 1;
}

static void copy_text(char *out, size_t room, struct slice s)
{
    size_t n = s.len < room ? s.len : room - 1;

    while (n > 0 && n < s.len && (s.ptr[n] & 0xc0) == 0x80)
        n--;
    memcpy(out, n > 0 ? (const char *)s.ptr : "", n);
    out[n] = 0;
}

/* SERIES_PEERS: there is no room for it. */
static unsigned peer_of(struct series *s, const struct json *p)
{
    const struct slice device = json_get_str(p, "device");
    unsigned i = 0;

    while (i < s->peers_n && !slice_is(device, s->peer[i].device))
        i++;
    if (i < s->peers_n || i == SERIES_PEERS || device.len >= DEVICE_MAX_LEN)
        return i < s->peers_n ? i : SERIES_PEERS;
    copy_text(s->peer[i].device, DEVICE_MAX_LEN, device);
    copy_text(s->peer[i].name, NAME_MAX_LEN, json_get_str(p, "name"));
    s->peers_n++;
    return i;
}

static void add_peers(
    struct series *s, struct sample *at, const struct json *peers)
{
    for (unsigned i = 0; i < SERIES_PEERS; i++)
        at->lag[i] = at->rtt_us[i] = NO_VALUE;
    for (const struct json *p = peers ? peers->first : NULL; p; p = p->next) {
        const struct json *rtt = json_get(p, "rtt_us");
        const unsigned i = peer_of(s, p);

        if (i == SERIES_PEERS)
            continue;
        at->lag[i] = small((uint64_t)json_get_int(p, "lag", 0));
        if (rtt != NULL && rtt->type == JSON_INT && rtt->i >= 0)
            at->rtt_us[i] = small((uint64_t)rtt->i);
    }
}

void series_add(struct series *s, uint64_t wall_us,
    const struct series_totals *now, const struct json *peers)
{
    struct sample *at = &s->sample[s->n % SERIES_MAX];
    const struct series_totals *was = &s->last;
    struct histogram h;

    if (s->begun) {
        h = less(&now->arrivals, &was->arrivals);
        *at = (struct sample){ .time_us = wall_us,
            .commits = small(now->commits - was->commits),
            .changes = small(now->changes - was->changes),
            .rows_in = small(now->rows_in - was->rows_in),
            .rows_out = small(now->rows_out - was->rows_out),
            .bytes_in = now->bytes_in - was->bytes_in,
            .bytes_out = now->bytes_out - was->bytes_out,
            .arrivals = small(h.count),
            .p50_us =
                h.count == 0 ? NO_VALUE : small(histogram_share_us(&h, 0.5)),
            .p99_us =
                h.count == 0 ? NO_VALUE : small(histogram_share_us(&h, 0.99)) };
        add_peers(s, at, peers);
        s->n++;
    }
    s->begun = true;
    s->last = *now;
}

/* ---- telling ---- */

enum column {
    TIME,
    COMMITS,
    CHANGES,
    ROWS_IN,
    ROWS_OUT,
    BYTES_IN,
    BYTES_OUT,
    ARRIVALS,
    P50,
    P99,
    COLUMNS
};

static uint64_t value_of(const struct sample *s, enum column c)
{
    switch (c) {
    case TIME:
        return s->time_us;
    case COMMITS:
        return s->commits;
    case CHANGES:
        return s->changes;
    case ROWS_IN:
        return s->rows_in;
    case ROWS_OUT:
        return s->rows_out;
    case BYTES_IN:
        return s->bytes_in;
    case BYTES_OUT:
        return s->bytes_out;
    case ARRIVALS:
        return s->arrivals;
    case P50:
        return s->p50_us;
    default:
        return s->p99_us;
    }
}

static void put_number(struct buf *b, bool first, uint64_t n, bool is)
{
    if (is)
        buf_printf(b, first ? "%" PRIu64 : ",%" PRIu64, n);
    else
        buf_put_str(b, first ? "null" : ",null");
}

static void put_peer(
    const struct series *s, struct buf *b, unsigned peer, uint64_t from)
{
    buf_printf(b, "{\"device\":\"%s\",\"name\":", s->peer[peer].device);
    json_print_string(b, slice_str(s->peer[peer].name), false);
    buf_put_str(b, ",\"lag\":[");
    for (uint64_t i = from; i < s->n; i++) {
        const uint32_t v = s->sample[i % SERIES_MAX].lag[peer];

        put_number(b, i == from, v, v != NO_VALUE);
    }
    buf_put_str(b, "],\"rtt_us\":[");
    for (uint64_t i = from; i < s->n; i++) {
        const uint32_t v = s->sample[i % SERIES_MAX].rtt_us[peer];

        put_number(b, i == from, v, v != NO_VALUE);
    }
    buf_put_str(b, "]}");
}

void series_print(const struct series *s, struct buf *b, uint64_t since_us)
{
    static const char *const names[COLUMNS] = { "time", "commits", "changes",
        "items_in", "items_out", "bytes_in", "bytes_out", "arrivals",
        "propagation_p50_us", "propagation_p99_us" };
    uint64_t from = s->n > SERIES_MAX ? s->n - SERIES_MAX : 0;

    while (from < s->n && s->sample[from % SERIES_MAX].time_us <= since_us)
        from++;
    for (int c = 0; c < COLUMNS; c++) {
        buf_printf(b, "\"%s\":[", names[c]);
        for (uint64_t i = from; i < s->n; i++) {
            const uint64_t v =
                value_of(&s->sample[i % SERIES_MAX], (enum column)c);

            put_number(b, i == from, v, c < P50 || v != NO_VALUE);
        }
        buf_put_str(b, "],");
    }
    buf_put_str(b, "\"peers\":[");
    for (unsigned i = 0; i < s->peers_n; i++) {
        buf_put_str(b, i > 0 ? "," : "");
        put_peer(s, b, i, from);
    }
    buf_put_u8(b, ']');
}
