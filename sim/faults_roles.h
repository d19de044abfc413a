/* faults_roles.h - changes of who may what, drawn apart from the other faults
 * so that their runs stay what they were. */
#ifndef SYNCLINE_SIM_FAULTS_ROLES_H
#define SYNCLINE_SIM_FAULTS_ROLES_H

#include "base/prng.h"

#include <stdbool.h>

struct world;

struct roles {
    struct prng draw;
    bool on;
    unsigned tries;
    void (*done)(struct world *w);
};

void faults_roles_begin(struct world *w);
/* Makes everybody an admin again, then goes on with done. */
void faults_roles_finish(struct world *w, void (*done)(struct world *w));

#endif
