/* options.h - the simulator's command line.
 *
 * Law: what is wrong is named, option and value, with what would be right. */
#ifndef SYNCLINE_SIM_OPTIONS_H
#define SYNCLINE_SIM_OPTIONS_H

#include "sim/plan.h"

/* Fills the plan. What is wrong, or asked for, has been printed then: exits
 * with status 2, or 0 after --help. */
void options_read(struct plan *p, int argc, char **argv);

#endif
