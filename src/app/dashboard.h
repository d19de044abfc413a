/* dashboard.h - the dashboard's files, built from dashboard/ into the program;
 * none in a build without node (no_dashboard.c).
 *
 * Pure. */
#ifndef SYNCLINE_APP_DASHBOARD_H
#define SYNCLINE_APP_DASHBOARD_H

#include "faces/http/hub.h"

extern const struct hub_page dashboard_pages[];
extern const size_t dashboard_pages_n;

#endif
