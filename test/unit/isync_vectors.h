/* isync_vectors.h - the published examples of iSync, which lie in
 * test/vectors/isync.json and are taken in while building. */
#ifndef SYNCLINE_TEST_UNIT_ISYNC_VECTORS_H
#define SYNCLINE_TEST_UNIT_ISYNC_VECTORS_H

#include "core/json.h"

/* By its id; a test that asks for one that is not there fails. */
struct json *isync_vector(struct arena *a, const char *id);
/* JSON with ' in place of ". */
struct json *isync_json(struct arena *a, const char *text);

#endif
