/* project.h - what people see of an item when they open state.db. */
#ifndef SYNCLINE_APP_PROJECT_H
#define SYNCLINE_APP_PROJECT_H

#include "store/store_file.h"

int project_row(void *ctx, const struct store_meta *meta, struct slice key,
    struct slice value, struct store_row *row);

#endif
