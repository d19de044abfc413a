/* store_temp.h - a temporary folder with a store in it. */
#ifndef SYNCLINE_TEST_UNIT_STORE_TEMP_H
#define SYNCLINE_TEST_UNIT_STORE_TEMP_H

#include "store/store_file.h"

#define TEMP_MAX 100

/* Makes a folder of its own and writes its path. */
void temp_make(char dir[TEMP_MAX]);
/* Removes it and the files in it. */
void temp_remove(const char *dir);
/* <dir>/<name>, in a buffer of this function. */
const char *temp_path(const char *dir, const char *name);
/* Small files and bounds, so that a test meets them. */
struct store_file_options temp_options(void);

#endif
