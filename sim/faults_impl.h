/* faults_impl.h - what the files of the faults give each other. */
#ifndef SYNCLINE_SIM_FAULTS_IMPL_H
#define SYNCLINE_SIM_FAULTS_IMPL_H

#include "sim/world.h"

/* Each strikes once; false: there was nothing to strike. */
bool faults_net_strike(struct world *w, enum fault f);
bool faults_machine_strike(struct world *w, enum fault f, struct machine *m);
/* What one machine still suffers from is over; it comes back if it is off. */
void faults_machine_finish(struct world *w, struct machine *m);

#endif
