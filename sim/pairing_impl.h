/* pairing_impl.h - what the ways in share: pairing.c has that by codes,
 * pairing_digits.c that without. */
#ifndef SYNCLINE_SIM_PAIRING_IMPL_H
#define SYNCLINE_SIM_PAIRING_IMPL_H

#include "core/json.h"
#include "sim/pairing.h"

bool pairing_can_ask(const struct world *w, const struct machine *m);
void pairing_try_again(struct world *w, int rc, const struct json *answer);
/* What came of a join. */
void pairing_joined(
    struct world *w, struct machine *m, int rc, const struct json *answer);
/* Lets p->who in without a code. */
void pairing_by_digits(struct world *w);

#endif
