/* schema_holds.h - what each keyword says of a value.
 *
 * Pure. Private to files/schema; the table is in schema_keywords.c. */
#ifndef SYNCLINE_FILES_SCHEMA_HOLDS_H
#define SYNCLINE_FILES_SCHEMA_HOLDS_H

#include "files/schema_impl.h"

#define HOLDS(name)                                          \
    bool holds_##name(struct check *c, const struct node *n, \
        const struct rule *r, const struct json *v, const struct place *at)

HOLDS(sub);
HOLDS(type);
HOLDS(enum);
HOLDS(multiple);
HOLDS(maximum);
HOLDS(below);
HOLDS(minimum);
HOLDS(above);
HOLDS(at_most);
HOLDS(at_least);
HOLDS(pattern);
HOLDS(items);
HOLDS(more_items);
HOLDS(unique);
HOLDS(contains);
HOLDS(required);
HOLDS(properties);
HOLDS(patterns);
HOLDS(more_properties);
HOLDS(names);
HOLDS(dependencies);
HOLDS(if);
HOLDS(all);
HOLDS(any);
HOLDS(one);
HOLDS(not_);

#define SCHEMA_INTEGRAL ((uint64_t)1 << 32) /* of rule.limit */

#endif
