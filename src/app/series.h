/* series.h - figures of the last minutes, a sample a second: a ring.
 *
 * Pure: what is measured is passed in, as it has grown since the start.
 * Law: of SERIES_MAX samples and SERIES_PEERS members at most there is memory;
 * a sample is what came between two measurements. */
#ifndef SYNCLINE_APP_SERIES_H
#define SYNCLINE_APP_SERIES_H

#include "base/histogram.h"
#include "core/json.h"

#define SERIES_MAX 600
#define SERIES_PEERS 32

/* Since the start. */
struct series_totals {
    uint64_t commits;           /* batches written to the store */
    uint64_t changes;           /* made here */
    uint64_t rows_in, rows_out; /* items, between members */
    uint64_t bytes_in, bytes_out;
    struct histogram arrivals;
};

struct series; /* opaque */

NODISCARD int series_new(struct series **out);
void series_free(struct series *s); /* NULL is fine */

/* The first measurement is where it begins. peers: the node's answer to
 * `peers`, or NULL. */
void series_add(struct series *s, uint64_t wall_us,
    const struct series_totals *now, const struct json *peers);
/* Members of an object: a list each figure, as long as the first, `time`; those
 * of peers in `peers`. Of samples later than since_us. */
void series_print(const struct series *s, struct buf *b, uint64_t since_us);

/* The time that a share of what was counted did not take longer than, in us;
 * between the bounds of a span it is drawn by a line. 0 if nothing was. */
uint64_t histogram_share_us(const struct histogram *h, double share);

#endif
