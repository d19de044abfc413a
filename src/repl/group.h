/* group.h - writes of one turn of the loop, which share a commit.
 *
 * Pure. They wait for the turn's end, or for whatever else happens before.
 * Law: nobody sees that they waited; if one fails, it fails alone. */
#ifndef SYNCLINE_REPL_GROUP_H
#define SYNCLINE_REPL_GROUP_H

#include "repl/node_impl.h"

struct waiting {
    struct waiting *next;
    uint64_t request;
    struct json *args;
};

/* May it wait for others? (request.c) */
bool request_groups(const struct json *args);

/* False: it does not wait, or memory ran out for that. */
bool group_add(struct node *n, const struct event *ev);
bool group_is_full(const struct node *n);
struct event group_event(const struct waiting *w);
void group_clear(struct node *n);

#endif
