#include "app/identity_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/sealed_key.h"

#define PEM_MAX 16384

static int errno_status(void)
{
    switch (errno) {
    case EACCES:
    case EPERM:
    case EROFS:
        return SYNCLINE_EDENIED;
    case ENOSPC:
    case EDQUOT:
        return SYNCLINE_EFULL;
    case ENOMEM:
        return SYNCLINE_ENOMEM;
    default:
        return SYNCLINE_EIO;
    }
}

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
            return errmsg_set(why, errno_status(),
                "%s: the folder cannot be made: %s; choose another with --dir",
                path, strerror(errno));
        path[i] = kept;
    }
    return SYNCLINE_OK;
}

static int write_whole(int fd, struct slice s)
{
    while (s.len > 0) {
        ssize_t n = write(fd, s.ptr, s.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return SYNCLINE_EIO;
        s = slice_from(s, (size_t)n);
    }
    return fsync(fd) == 0 ? SYNCLINE_OK : SYNCLINE_EIO;
}

/* ---- writing ---- */

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

static int write_new(const char *temp, struct slice pem)
{
    int fd, rc;

    (void)unlink(temp); /* of a try that was cut short */
    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno_status();
    rc = write_whole(fd, pem);
    if (close(fd) != 0 && rc == SYNCLINE_OK)
        rc = errno_status();
    return rc;
}

static int sync_folder(const char *dir)
{
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = folder >= 0 && fsync(folder) == 0 ? SYNCLINE_OK : SYNCLINE_EIO;

    if (folder >= 0)
        (void)close(folder);
    return rc;
}

/* A new key takes no other's place. Not every file system knows how to see to
 * that in one step. */
static int put_in_place(const char *temp, const char *path, bool replace)
{
    if (replace)
        return rename(temp, path);
    if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (access(path, F_OK) != 0)
        return rename(temp, path);
    errno = EEXIST;
    return -1;
}

static int save(const struct identity *id, const char *dir,
    struct slice passphrase, bool replace, struct errmsg *why)
{
    char path[PATH_MAX], temp[PATH_MAX];
    struct buf pem = { 0 };
    int rc;

    if (!path_in(path, sizeof path, dir, "identity.pem") ||
        !path_in(temp, sizeof temp, dir, "identity.pem.new"))
        return too_long(dir, why);
    rc = passphrase.len > 0 ? sealed_key_put(&pem, id, passphrase, NULL, NULL)
                            : identity_to_pem(id, &pem);
    if (rc == SYNCLINE_EINVAL)
        rc = errmsg_set(
            why, rc, "the passphrase is longer than %d bytes", PASSPHRASE_MAX);
    if (rc == SYNCLINE_OK) {
        rc = write_new(temp, buf_slice(&pem));
        if (rc == SYNCLINE_OK && put_in_place(temp, path, replace) != 0)
            rc = errno_status();
        if (rc == SYNCLINE_OK)
            rc = sync_folder(dir);
        if (rc != SYNCLINE_OK)
            (void)errmsg_set(why, rc,
                "%s: the device's key cannot be written: %s", path,
                strerror(errno));
    }
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

/* In one piece of memory, so that wiping it wipes all. */
static int read_pem(
    struct buf *pem, int fd, const char *path, bool ours, struct errmsg *why)
{
    struct stat st;
    uint8_t *to;
    ssize_t n = 1;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return errmsg_set(
            why, SYNCLINE_EDENIED, "%s: not a regular file", path);
    if (ours && (st.st_mode & 077) != 0)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: others may read this key (mode %o); run: chmod 600 %s", path,
            (unsigned)st.st_mode & 0777, path);
    to = buf_reserve(pem, PEM_MAX);
    if (to == NULL)
        return buf_status(pem);
    while (n > 0 && pem->len < PEM_MAX) {
        n = read(fd, to + pem->len, PEM_MAX - pem->len);
        if (n > 0)
            pem->len += (size_t)n;
    }
    return n >= 0
        ? SYNCLINE_OK
        : errmsg_set(why, SYNCLINE_EIO, "%s: %s", path, strerror(errno));
}

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

static int open_key(const struct identity_source *from, char path[PATH_MAX],
    int *fd, struct errmsg *why)
{
    if (from->file != NULL) {
        if (strlen(from->file) >= PATH_MAX)
            return errmsg_set(
                why, SYNCLINE_EINVAL, "the key's file has too long a name");
        (void)stpcpy(path, from->file);
    } else if (!path_in(path, PATH_MAX, from->dir, "identity.pem")) {
        return too_long(from->dir, why);
    }
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd >= 0)
        return SYNCLINE_OK;
    if (errno == ENOENT)
        return SYNCLINE_ENOTFOUND;
    return errmsg_set(why, errno_status(), "%s: %s", path, strerror(errno));
}

int identity_file_load(struct identity **out,
    const struct identity_source *from, struct errmsg *why)
{
    char path[PATH_MAX];
    struct buf pem = { 0 };
    int fd, rc = open_key(from, path, &fd, why);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = read_pem(&pem, fd, path, from->file == NULL, why);
    (void)close(fd);
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
    int fd, rc = open_key(&from, path, &fd, why);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = read_pem(&pem, fd, path, true, why);
    (void)close(fd);
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
