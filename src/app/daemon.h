/* daemon.h - the node as a service: what `syncline up` runs. */
#ifndef SYNCLINE_APP_DAEMON_H
#define SYNCLINE_APP_DAEMON_H

#include "app/options.h"

/* Runs until told to stop. 0 after a clean stop; what failed is logged. */
NODISCARD int daemon_run(const struct options *o);

#endif
