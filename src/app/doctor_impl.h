/* doctor_impl.h - what doctor.c and doctor_older.c (faces of older systems)
 * share. */
#ifndef SYNCLINE_APP_DOCTOR_IMPL_H
#define SYNCLINE_APP_DOCTOR_IMPL_H

#include "app/doctor.h"

/* Who hears what is found. */
struct exam {
    doctor_fn *fn;
    void *ctx;
};

void doctor_put(const struct exam *x, const char *name, const char *level,
    const char *what, const char *advice);
/* where names some members of v, sorted: what is not there is left out. */
void doctor_put_of(const struct exam *x, const struct doctor_finding *f,
    const struct json *v, const char *const *where);

void doctor_check_older(const struct json *status, const struct exam *x);

#endif
