/* pages.h - all items of a space, a page at a time. */
#ifndef SYNCLINE_APP_PAGES_H
#define SYNCLINE_APP_PAGES_H

#include "app/cmd/cli.h"

/* Sees one item {key, version, value?}; CLI_DONE goes on. The arena of c is
 * the page's meanwhile. */
typedef int pages_fn(struct cli *c, const struct json *item);

struct pages {
    const char *space;  /* NULL: default */
    const char *prefix; /* NULL: all */
    const char *after;  /* keys beyond this one; NULL: from the first */
    bool values;
    int64_t limit; /* 0: all */
};

/* Calls each for every item, sorted by key. */
int pages_walk(struct cli *c, const struct pages *p, pages_fn *each);

#endif
