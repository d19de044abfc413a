/* project.h - what people see of an item when they open state.db. */
#ifndef SYNCLINE_APP_PROJECT_H
#define SYNCLINE_APP_PROJECT_H

#include "base/arena.h"
#include "base/buf.h"
#include "store/store_file.h"

/* Room for one row, used by one thread at a time. Zeroed is valid. */
struct project {
    struct arena arena;
    struct buf value, name;
};

void project_free(struct project *p);

/* A store_project_fn; ctx is a struct project, which holds what the row lends
 * until the next call. */
int project_row(void *ctx, const struct store_meta *meta, struct slice key,
    struct slice value, struct store_row *row);
/* A store_place_fn: peers are sent items in the order of the feed. */
uint64_t project_place(struct slice value);

#endif
