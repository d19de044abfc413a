/* import_isync.h - the files of iSync and iControl (_datos/iSync.iax and
 * iControl.iax), as records for `syncline import`. */
#ifndef SYNCLINE_APP_IMPORT_ISYNC_H
#define SYNCLINE_APP_IMPORT_ISYNC_H

#include "app/import.h"

/* Reads the file and hands its records over; dry: only says what there is.
 * Printed and returned as cli_exit. */
int import_isync(struct import *im, const char *path, bool dry);

#endif
