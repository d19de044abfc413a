#include "app/dashboard.h"

const struct hub_page dashboard_pages[1] = { { .path = NULL } };
const size_t dashboard_pages_n = 0;
