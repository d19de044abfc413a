/* story.h - a run in words: what people did, what the world did, what frames
 * said when they arrived. Replicas are called by their machine and a letter
 * for each incarnation: m1b:7 is the seventh change of the second replica of
 * machine 1. What comes every few moments (timers, pings, credits) is left
 * out. */
#ifndef SYNCLINE_SIM_STORY_H
#define SYNCLINE_SIM_STORY_H

#include "repl/node.h"

struct world;

#define STORY_REPLICAS 64

struct story {
    struct world *world;                 /* NULL: nothing is told */
    struct rid replicas[STORY_REPLICAS]; /* as they turned up */
    unsigned replicas_n;
};

void story_event(struct story *s, unsigned machine, const struct event *ev,
    struct slice text);
void story_effect(struct story *s, unsigned machine, const struct effect *fx);

#endif
