/* daemon.h - the node as a service: what `syncline up` runs. */
#ifndef SYNCLINE_APP_DAEMON_H
#define SYNCLINE_APP_DAEMON_H

#include "app/options/options.h"

/* What is for one start only, and so no option of a file. */
struct daemon_options {
    const char *passphrase_file; /* of the device's key; NULL: see
                                    passphrase.h */
    bool core_dumps;
};

/* Runs until told to stop. 0 after a clean stop; what failed is logged. */
NODISCARD int daemon_run(
    const struct options *o, const struct daemon_options *start);

#endif
