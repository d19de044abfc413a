/* metrics.h - what a node tells of itself to Prometheus: its text format, and
 * OpenMetrics.
 *
 * Prints only: the engine gathers (engine_metrics.c). Names are listed in
 * doc/metrics.md.
 * Laws: what others have named (members, spaces) is escaped, so that no name
 * makes a line, a label or an end; of peers and spaces there are at most
 * METRICS_EACH_MAX, of everything else a fixed number. */
#ifndef SYNCLINE_APP_METRICS_H
#define SYNCLINE_APP_METRICS_H

#include "base/histogram.h"
#include "io/net.h"
#include "repl/node.h"
#include "store/store_file.h"

#define METRICS_EACH_MAX 200
#define METRICS_NAME_MAX 64 /* bytes of a name that are shown */

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };

/* What the engine sees of itself and of its process. */
struct metrics_engine {
    uint64_t commits, undurable;      /* since the start; not synced yet */
    uint64_t requests;                /* without their last answer */
    uint64_t checkpoints_failed;      /* since the start */
    uint64_t store_bytes, free_bytes; /* on the disk */
    uint64_t rss_bytes, cpu_us;       /* of the process */
    uint64_t started_us;              /* since the Unix epoch */
    uint64_t datagrams_dropped;
    unsigned multicast, errors_open;
    bool full, stuck; /* writers wait for a checkpoint; the last one failed */
};

struct metrics_view {
    const struct json *status; /* the node's answer to `status` */
    const struct node_counts *counts;
    const struct node_sizes *sizes;
    const struct net_stats *net;
    const struct store_file_stats *store;
    const struct histogram *arrivals, *sync, *checkpoint;
    struct metrics_engine engine;
    bool audit_trouble;
    const struct json *faces; /* what faces of older systems tell; or NULL */
};

void metrics_print(
    struct buf *out, enum metrics_format format, const struct metrics_view *v);

/* Of the answer over HTTP. */
const char *metrics_content_type(enum metrics_format format);

#endif
