/* trace.h - what happened in a run: one number for all of it, and, if
 * somebody wants to read it, a line for each step.
 *
 * Law: two runs of one seed have the same number. */
#ifndef SYNCLINE_SIM_TRACE_H
#define SYNCLINE_SIM_TRACE_H

#include "base/buf.h"
#include "sim/story.h"

#include <stdio.h>

struct trace {
    FILE *to;      /* NULL: only the number */
    uint64_t hash; /* 0 all along, unless it is numbered */
    bool numbered; /* somebody wants to know: it takes a while */
    uint64_t events, effects;
    struct buf text;
    struct story story; /* instead of the lines */
};

void trace_free(struct trace *t);
/* What the world gives a machine's node, and what comes back. */
void trace_event(struct trace *t, uint64_t now_us, unsigned machine,
    const struct event *ev, struct slice text);
void trace_effect(struct trace *t, uint64_t now_us, unsigned machine,
    const struct effect *fx);
/* A line about the world itself: a fault, a phase. */
void trace_note(struct trace *t, uint64_t now_us, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* A line of a node's log. */
void trace_log(struct trace *t, uint64_t now_us, unsigned machine,
    enum log_level level, const char *module, const char *text);

#endif
