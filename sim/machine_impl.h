/* machine_impl.h - what the files of the machine give each other. */
#ifndef SYNCLINE_SIM_MACHINE_IMPL_H
#define SYNCLINE_SIM_MACHINE_IMPL_H

#include "sim/world.h"

/* As machine_step; text: the request as it was asked, for the trace. */
void machine_step_saying(
    struct machine *m, struct event *ev, struct slice text);

/* What the node answers goes to whoever asked. */
void machine_take_reply(struct machine *m, const struct effect *fx);
/* The machine went down: nobody gets an answer. */
void machine_close_asks(struct machine *m);

#endif
