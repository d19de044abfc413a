/* stop_mark.h - are a store's files those that its last clean stop left?
 *
 * A folder that was copied, or put back from a backup, holds a replica that
 * has gone on elsewhere: it must not give the same dots once more. What a copy
 * cannot take along is the inode of a file and the time of its last change of
 * state; DIR/stopped keeps both. (A snapshot of a whole file system takes them
 * along, doc/ops.md.) */
#ifndef SYNCLINE_APP_STOP_MARK_H
#define SYNCLINE_APP_STOP_MARK_H

#include "base/error.h"

#include <stdbool.h>

/* The store has been closed, cleanly. Best effort: without it the next start
 * is one after an unclean stop. */
void stop_mark_leave(const char *dir);
/* Takes it away. False: the files are others, or it is not there. */
bool stop_mark_take(const char *dir);

#endif
