/* In place of the page's files where it is built without them. */
#include "app/dashboard.h"

const struct hub_page dashboard_pages[1] = { { .path = NULL } };
const size_t dashboard_pages_n = 0;
