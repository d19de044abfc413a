/* identity_file.h - the device's key in its folder: DIR/identity.pem, mode
 * 0600, with a passphrase (crypto/sealed_key.h) or without. */
#ifndef SYNCLINE_APP_IDENTITY_FILE_H
#define SYNCLINE_APP_IDENTITY_FILE_H

#include "base/error.h"
#include "crypto/identity.h"

/* Appends the passphrase; whoever asks wipes it. */
typedef int passphrase_fn(void *ctx, struct buf *out, struct errmsg *why);

struct identity_source {
    const char *dir;
    const char *file;   /* a key from elsewhere in place of that in dir; NULL:
                           none */
    passphrase_fn *ask; /* NULL: a key under a passphrase is refused */
    void *ctx;
};

/* Makes the folder and its parents. */
NODISCARD int folder_make(const char *dir, struct errmsg *why);
/* Loads the identity. A file that others may read is refused: EDENIED; so is
 * a wrong passphrase. ENOTFOUND: there is none. */
NODISCARD int identity_file_load(struct identity **out,
    const struct identity_source *from, struct errmsg *why);
/* Makes one where there is none, and loads it. Only for who has the folder
 * to himself. */
NODISCARD int identity_file_make(
    struct identity **out, const char *dir, struct errmsg *why);
/* Puts the key in the place of what is there, whole or not at all; under a
 * passphrase if that is not empty. */
NODISCARD int identity_file_save(const struct identity *id, const char *dir,
    struct slice passphrase, struct errmsg *why);
/* Is it under a passphrase? ENOTFOUND. */
NODISCARD int identity_file_is_sealed(
    const char *dir, bool *sealed, struct errmsg *why);

#endif
