/* identity_file.h - the device's key in its folder: DIR/identity.pem, mode
 * 0600. */
#ifndef SYNCLINE_APP_IDENTITY_FILE_H
#define SYNCLINE_APP_IDENTITY_FILE_H

#include "base/error.h"
#include "crypto/identity.h"

/* Makes the folder and its parents. */
NODISCARD int folder_make(const char *dir, struct errmsg *why);
/* Loads the identity. Where there is none it makes one if it may, which it may
 * not for a store that belongs to another: EDENIED. So is a file that others
 * may read. */
NODISCARD int identity_file_open(
    struct identity **out, const char *dir, bool may_make, struct errmsg *why);

#endif
