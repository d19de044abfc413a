/* identity_file.h - the device's key in its folder: DIR/identity.pem, mode
 * 0600. */
#ifndef SYNCLINE_APP_IDENTITY_FILE_H
#define SYNCLINE_APP_IDENTITY_FILE_H

#include "base/error.h"
#include "crypto/identity.h"

/* Makes the folder and its parents. */
NODISCARD int folder_make(const char *dir, struct errmsg *why);
/* Loads the identity, or makes one where there is none. A file that others
 * may read is refused: EDENIED. */
NODISCARD int identity_file_open(
    struct identity **out, const char *dir, struct errmsg *why);

#endif
