/* config_vectors.h - the published examples of the config-sync protocol, which
 * lie in test/vectors/config_sync.json and are taken in while building. */
#ifndef SYNCLINE_TEST_UNIT_CONFIG_VECTORS_H
#define SYNCLINE_TEST_UNIT_CONFIG_VECTORS_H

#include "core/json.h"

/* An array of all. */
struct json *config_vectors(struct arena *a);
/* The one of this name; there is one, or the test fails. */
struct json *config_vector(struct arena *a, const char *id);

#endif
