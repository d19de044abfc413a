#include "app/private_file.h"

#include "base/plant.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int private_file_status(void)
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
    case EEXIST:
        return SYNCLINE_EEXIST;
    default:
        return SYNCLINE_EIO;
    }
}

/* ---- reading ---- */

static int read_open(
    struct buf *out, int fd, const struct private_file *f, struct errmsg *why)
{
    const size_t before = out->len;
    struct stat st;
    uint8_t *to;
    ssize_t n = 1;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return errmsg_set(
            why, SYNCLINE_EDENIED, "%s: not a regular file", f->path);
    if (!f->shared && (st.st_mode & 077) != 0 && !PLANTED(R16_MODE))
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: others may read this %s (mode %o); run: chmod 600 %s", f->path,
            f->what, (unsigned)st.st_mode & 0777, f->path);
    to = buf_reserve(out, f->max);
    if (to == NULL)
        return buf_status(out);
    while (n > 0 && out->len - before < f->max) {
        n = read(fd, to + (out->len - before), f->max - (out->len - before));
        if (n > 0)
            out->len += (size_t)n;
    }
    return n >= 0
        ? SYNCLINE_OK
        : errmsg_set(why, SYNCLINE_EIO, "%s: %s", f->path, strerror(errno));
}

int private_file_read(
    struct buf *out, const struct private_file *f, struct errmsg *why)
{
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

    if (fd < 0 && errno == ENOENT)
        return SYNCLINE_ENOTFOUND;
    if (fd < 0)
        return errmsg_set(
            why, private_file_status(), "%s: %s", f->path, strerror(errno));
    rc = read_open(out, fd, f, why);
    (void)close(fd);
    return rc;
}

/* ---- writing ---- */

static int write_whole(int fd, struct slice s)
{
    while (s.len > 0) {
        ssize_t n = write(fd, s.ptr, s.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? private_file_status() : SYNCLINE_EIO;
        s = slice_from(s, (size_t)n);
    }
    return fsync(fd) == 0 ? SYNCLINE_OK : private_file_status();
}

static int write_new(const char *temp, struct slice bytes)
{
    int fd, rc;

    (void)unlink(temp); /* of a try that was cut short */
    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return private_file_status();
    rc = write_whole(fd, bytes);
    if (close(fd) != 0 && rc == SYNCLINE_OK)
        rc = private_file_status();
    return rc;
}

/* Not every file system knows how to take no other's place in one step. */
static int put_in_place(const char *temp, const char *path, bool replace)
{
    if (replace)
        return rename(temp, path);
    if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (access(path, F_OK) == 0)
        errno = EEXIST;
    return errno == ENOENT ? rename(temp, path) : -1;
}

static int sync_folder_of(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    int folder, rc;

    (void)snprintf(dir, sizeof dir, "%.*s", n == 0 ? 1 : (int)n,
        slash == NULL ? "." : path);
    folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc =
        folder >= 0 && fsync(folder) == 0 ? SYNCLINE_OK : private_file_status();
    if (folder >= 0)
        (void)close(folder);
    return rc;
}

int private_file_write(const struct private_file *f, struct slice bytes,
    bool replace, struct errmsg *why)
{
    char temp[PATH_MAX];
    int n = snprintf(temp, sizeof temp, "%s.new", f->path), rc;

    if (n < 0 || (size_t)n >= sizeof temp)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "%s: the name is too long", f->path);
    rc = write_new(temp, bytes);
    if (rc == SYNCLINE_OK && put_in_place(temp, f->path, replace) != 0)
        rc = private_file_status();
    if (rc == SYNCLINE_OK)
        return sync_folder_of(f->path) == SYNCLINE_OK
            ? SYNCLINE_OK
            : errmsg_set(why, SYNCLINE_EIO, "%s: its folder: %s", f->path,
                  strerror(errno));
    (void)errmsg_set(why, rc, "%s: the %s cannot be written: %s", f->path,
        f->what, strerror(errno));
    (void)unlink(temp);
    return rc;
}
