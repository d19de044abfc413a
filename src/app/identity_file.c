#include "app/identity_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Whole or not at all: a temporary file, synced, then renamed. */
static int save(const struct identity *id, const char *path, const char *dir,
    struct errmsg *why)
{
    char temp[PATH_MAX + 8];
    struct buf pem = { 0 };
    int rc = identity_to_pem(id, &pem);
    int fd, folder;

    if (rc != SYNCLINE_OK)
        return rc;
    (void)snprintf(temp, sizeof temp, "%s.new", path);
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    rc = fd < 0 ? errno_status() : write_whole(fd, buf_slice(&pem));
    if (fd >= 0 && close(fd) != 0 && rc == SYNCLINE_OK)
        rc = errno_status();
    if (rc == SYNCLINE_OK && rename(temp, path) != 0)
        rc = errno_status();
    if (rc != SYNCLINE_OK)
        (void)errmsg_set(why, rc, "%s: the device's key cannot be written: %s",
            temp, strerror(errno));
    folder = rc == SYNCLINE_OK ? open(dir, O_RDONLY | O_CLOEXEC) : -1;
    if (folder >= 0) {
        (void)!fsync(folder);
        (void)close(folder);
    }
    crypto_wipe(pem.ptr, pem.len);
    buf_free(&pem);
    return rc;
}

static int load(
    struct identity **out, int fd, const char *path, struct errmsg *why)
{
    struct buf pem = { .max = PEM_MAX };
    struct stat st;
    ssize_t n = 0;
    int rc = SYNCLINE_OK;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return errmsg_set(
            why, SYNCLINE_EDENIED, "%s: not a regular file", path);
    if ((st.st_mode & 077) != 0)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: others may read this key (mode %o); run: chmod 600 %s", path,
            (unsigned)st.st_mode & 0777, path);
    while (rc == SYNCLINE_OK) {
        uint8_t *to = buf_reserve(&pem, 1024);

        if (to == NULL) {
            rc = buf_status(&pem);
            break;
        }
        n = read(fd, to, 1024);
        if (n <= 0)
            break;
        pem.len += (size_t)n;
    }
    if (rc == SYNCLINE_OK && n < 0)
        rc = errmsg_set(why, SYNCLINE_EIO, "%s: %s", path, strerror(errno));
    if (rc == SYNCLINE_OK)
        rc = identity_from_pem(out, buf_slice(&pem), why);
    if (rc == SYNCLINE_EMALFORMED)
        rc = errmsg_set(why, SYNCLINE_ECORRUPT,
            "%s: this is no device key; put the right file back, or move it "
            "away to become a new device",
            path);
    crypto_wipe(pem.ptr, pem.cap);
    buf_free(&pem);
    return rc;
}

int identity_file_open(
    struct identity **out, const char *dir, bool may_make, struct errmsg *why)
{
    char path[PATH_MAX];
    struct identity *id = NULL;
    int fd, rc;

    if ((size_t)snprintf(path, sizeof path, "%s/identity.pem", dir) >=
        sizeof path - 8)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "%s: the folder's name is too long", dir);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        rc = load(out, fd, path, why);
        (void)close(fd);
        return rc;
    }
    if (errno != ENOENT)
        return errmsg_set(why, errno_status(), "%s: %s", path, strerror(errno));
    if (!may_make)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: this key is not there, but the store that belongs to it is; "
            "put it back, or choose another folder",
            path);
    rc = identity_generate(&id);
    if (rc == SYNCLINE_OK)
        rc = save(id, path, dir, why);
    if (rc == SYNCLINE_OK)
        *out = id;
    else
        identity_free(id);
    return rc;
}
