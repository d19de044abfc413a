/* resolver.h - answers FX_RESOLVE: a pure function of the siblings. */
#ifndef SYNCLINE_SIM_RESOLVER_H
#define SYNCLINE_SIM_RESOLVER_H

#include "sim/machine.h"

/* Takes the question; the answer comes after a while. */
void resolver_ask(struct machine *m, const struct effect *fx);

#endif
