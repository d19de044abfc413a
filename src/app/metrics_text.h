/* metrics_text.h - the two text formats of metrics.h, line by line.
 *
 * Pure. Law: a family is begun once and its samples follow it at once; a
 * failed buffer stays failed, so that one look at the end suffices. */
#ifndef SYNCLINE_APP_METRICS_TEXT_H
#define SYNCLINE_APP_METRICS_TEXT_H

#include "app/metrics.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_INFO, METRIC_TIMES };

struct metrics_text {
    struct buf *b;
    enum metrics_format format;
    const char *name, *suffix; /* of the family at hand */
    unsigned labels;           /* of the sample at hand */
};

/* name without _total or _info; it ends with the unit, if there is one. */
void metric_family(struct metrics_text *t, enum metric_kind kind,
    const char *name, const char *unit, const char *help);

/* A sample: its begin, its labels, its value. */
void metric_begin(struct metrics_text *t);
void metric_label(struct metrics_text *t, const char *name, struct slice value);
void metric_end(struct metrics_text *t, uint64_t value);
void metric_end_us(struct metrics_text *t, int64_t us); /* told in seconds */

/* A family of one sample. */
void metric_counter(
    struct metrics_text *t, const char *name, const char *help, uint64_t value);
void metric_gauge(
    struct metrics_text *t, const char *name, const char *help, uint64_t value);
void metric_gauge_bytes(
    struct metrics_text *t, const char *name, const char *help, uint64_t value);
void metric_times(struct metrics_text *t, const char *name, const char *help,
    const struct histogram *h);
/* A sample of one label. */
void metric_of(struct metrics_text *t, const char *label, const char *value,
    uint64_t number);

#endif
