#include "app/identity_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "app/private_file.h"
#include "crypto/sealed_key.h"

#define PEM_MAX 16384

int folder_make(const char *dir, struct errmsg *why)
{
    char path[PATH_MAX];
    size_t len = strlen(dir);

    if (len == 0 || len >= sizeof path)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "the folder's name is empty or too long");
    memcpy(path, dir, len + 1);
    for (size_t i = 1; i <= len; i++) {
        char kept = path[i];

        if (kept != '/' && kept != 0)
            continue;
        path[i] = 0;
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return errmsg_set(why, private_file_status(),
                "%s: the folder cannot be made: %s; choose another with --dir",
                path, strerror(errno));
        path[i] = kept;
    }
    return SYNCLINE_OK;
}

static bool path_in(char *out, size_t room, const char *dir, const char *name)
{
    int n = snprintf(out, room, "%s/%s", dir, name);

    return n > 0 && (size_t)n < room;
}

static int too_long(const char *dir, struct errmsg *why)
{
    return errmsg_set(
        why, SYNCLINE_EINVAL, "%s: the folder's name is too long", dir);
}

/* ---- writing ---- */

static int save(const struct identity *id, const char *dir,
    struct slice passphrase, bool replace, struct errmsg *why)
{
    char path[PATH_MAX];
    const struct private_file file = { .path = path, .what = "device's key" };
    struct buf pem = { 0 };
    int rc;

    if (!path_in(path, sizeof path, dir, "identity.pem"))
        return too_long(dir, why);
    rc = passphrase.len > 0 ? sealed_key_put(&pem, id, passphrase, NULL, NULL)
                            : identity_to_pem(id, &pem);
    if (rc == SYNCLINE_EINVAL)
        rc = errmsg_set(
            why, rc, "the passphrase is longer than %d bytes", PASSPHRASE_MAX);
    if (rc == SYNCLINE_OK)
        rc = private_file_write(&file, buf_slice(&pem), replace, why);
    crypto_wipe(pem.ptr, pem.len);
    buf_free(&pem);
    return rc;
}

int identity_file_save(const struct identity *id, const char *dir,
    struct slice passphrase, struct errmsg *why)
{
    return save(id, dir, passphrase, true, why);
}

/* ---- reading ---- */

static int unseal(struct identity **out, struct slice pem,
    const struct identity_source *from, const char *path, struct errmsg *why)
{
    struct buf passphrase = { 0 };
    int rc = SYNCLINE_OK;

    if (from->ask == NULL)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: this key is under a passphrase, which nobody gives here",
            path);
    if (buf_reserve(&passphrase, PASSPHRASE_MAX + 3) == NULL)
        rc = SYNCLINE_ENOMEM;
    if (rc == SYNCLINE_OK)
        rc = from->ask(from->ctx, &passphrase, why);
    if (rc == SYNCLINE_ENOTFOUND) /* that would mean that there is no key */
        rc = SYNCLINE_EDENIED;
    if (rc == SYNCLINE_OK)
        rc = sealed_key_get(out, pem, buf_slice(&passphrase), why);
    crypto_wipe(passphrase.ptr, passphrase.cap);
    buf_free(&passphrase);
    return rc;
}

static int read_identity(struct identity **out, struct slice pem,
    const struct identity_source *from, const char *path, struct errmsg *why)
{
    struct errmsg inner = { "" };
    int rc;

    if (sealed_key_is(pem))
        rc = unseal(out, pem, from, path, &inner);
    else
        rc = identity_from_pem(out, pem, &inner);
    if (rc == SYNCLINE_EMALFORMED)
        return errmsg_set(why, SYNCLINE_ECORRUPT,
            "%s: this is no device key (%s); put the right file back, or move "
            "it away to become a new device",
            path, inner.text);
    if (rc != SYNCLINE_OK && inner.text[0] != 0)
        return errmsg_set(why, rc, "%s", inner.text);
    return rc;
}

static int read_key(const struct identity_source *from, char path[PATH_MAX],
    struct buf *pem, struct errmsg *why)
{
    const struct private_file file = { .path = path,
        .what = "key",
        .max = PEM_MAX,
        .shared = from->file != NULL };

    if (from->file != NULL) {
        if (strlen(from->file) >= PATH_MAX)
            return errmsg_set(
                why, SYNCLINE_EINVAL, "the key's file has too long a name");
        (void)stpcpy(path, from->file);
    } else if (!path_in(path, PATH_MAX, from->dir, "identity.pem")) {
        return too_long(from->dir, why);
    }
    return private_file_read(pem, &file, why);
}

int identity_file_load(struct identity **out,
    const struct identity_source *from, struct errmsg *why)
{
    char path[PATH_MAX];
    struct buf pem = { 0 };
    int rc = read_key(from, path, &pem, why);

    if (rc == SYNCLINE_OK)
        rc = read_identity(out, buf_slice(&pem), from, path, why);
    crypto_wipe(pem.ptr, pem.cap);
    buf_free(&pem);
    return rc;
}

int identity_file_is_sealed(const char *dir, bool *sealed, struct errmsg *why)
{
    const struct identity_source from = { .dir = dir };
    char path[PATH_MAX];
    struct buf pem = { 0 };
    int rc = read_key(&from, path, &pem, why);

    if (rc == SYNCLINE_OK)
        *sealed = sealed_key_is(buf_slice(&pem));
    crypto_wipe(pem.ptr, pem.cap);
    buf_free(&pem);
    return rc;
}

int identity_file_make(
    struct identity **out, const char *dir, struct errmsg *why)
{
    struct identity *id = NULL;
    int rc = identity_generate(&id);

    if (rc == SYNCLINE_OK)
        rc = save(id, dir, SLICE_NONE, false, why);
    if (rc == SYNCLINE_OK)
        *out = id;
    else
        identity_free(id);
    return rc;
}
