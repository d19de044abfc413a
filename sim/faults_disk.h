/* faults_disk.h - what goes wrong with a machine's disk. */
#ifndef SYNCLINE_SIM_FAULTS_DISK_H
#define SYNCLINE_SIM_FAULTS_DISK_H

#include "base/error.h"
#include "sim/faults.h"

struct machine;

/* False if it could not strike. */
bool faults_disk_strike(struct world *w, enum fault f, struct machine *m);
/* No room for a while. */
void faults_disk_full(struct world *w, struct machine *m);
/* Opens the disk of a machine that is being switched on. Of one on which a
 * bit flipped: the store must refuse it by name, or not be harmed by it, or
 * be harmed only as far as doc/store.md says it cannot know; then the old
 * copy of the disk is put back, or the bit. */
NODISCARD int faults_open_disk(
    struct world *w, struct machine *m, struct errmsg *why);

#endif
