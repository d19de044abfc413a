/* clocks.h - what people do about clocks in a run: some machines write by
 * theirs however wrong it is, now and then an admin resets the mesh's, and in
 * some runs all clocks are set right in the end. Only where clocks go wrong
 * at all. */
#ifndef SYNCLINE_SIM_CLOCKS_H
#define SYNCLINE_SIM_CLOCKS_H

#include "core/vv.h"

struct world;
struct machine;

#define SIM_EPOCHS 64

struct sim_clocks {
    bool reset;                  /* after that */
    bool mended;                 /* at the end of the faults */
    uint64_t latest[SIM_EPOCHS]; /* date that anybody wrote by, an epoch */
    uint64_t newest;             /* of the epochs */
};

/* The clock of this machine is written by, whatever others say. */
bool clocks_heedless(const struct world *w, unsigned id);
/* Beside the no-th operation. */
void clocks_act(struct world *w, uint64_t no);
/* A machine's date is about to change: what it wrote by it, and was refused,
 * its clock of stamps has seen. */
void clocks_note_date(struct world *w, const struct machine *m);
/* It has written something, in this epoch at least, whatever became of it. */
void clocks_note_author(
    struct world *w, const struct machine *m, uint64_t epoch);
/* The faults are over: sets all clocks right, in some runs. */
void clocks_mend(struct world *w);
/* And then resets the mesh's. */
void clocks_mended(struct world *w);

#endif
