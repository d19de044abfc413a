/* roster.h - who the members were when the audit log last heard of them, so
 * that it is told what other admins did.
 *
 * Pure. What is known when a store is opened, or a mesh entered, is no news.
 * Law: what this device did itself is told where it did it, not here. */
#ifndef SYNCLINE_REPL_ROSTER_H
#define SYNCLINE_REPL_ROSTER_H

#include "base/error.h"
#include "core/id.h"

#include <stdbool.h>
#include <stddef.h>

struct node;
struct roster_entry; /* of one member */

struct roster {
    struct roster_entry *list; /* sorted by device */
    size_t n;
    bool known;
    bool due; /* there may be something to tell */
};

void roster_forget(struct roster *r);
/* If it is due: tells what differs from the members of now, and takes these.
 * For the end of a step, since it cannot be undone. */
NODISCARD int roster_tell(struct node *n);

#endif
