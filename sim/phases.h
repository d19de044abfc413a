/* phases.h - what comes after the work: the faults end and all must agree
 * within a bound (heal); nothing is written, also not by meeting again
 * (quiet, reunion); what is written then reaches everybody (liveness). Before
 * them is chaos: the workload, and the faults. */
#ifndef SYNCLINE_SIM_PHASES_H
#define SYNCLINE_SIM_PHASES_H

struct world;

/* Ends the faults, and goes through all of them; work.over at the end. */
void phases_begin(struct world *w);

#endif
