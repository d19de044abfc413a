/* The port of os.h on a real system. */
#include "store/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int status_of(int e)
{
    switch (e) {
    case ENOSPC:
    case EDQUOT:
        return SYNCLINE_EFULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return SYNCLINE_EDENIED;
    case ENOENT:
        return SYNCLINE_ENOTFOUND;
    case EEXIST:
        return SYNCLINE_EEXIST;
    default:
        return SYNCLINE_EIO;
    }
}

/* What a call that gives -1 on failure comes to. */
static int result(int rc)
{
    return rc < 0 ? status_of(errno) : SYNCLINE_OK;
}

static int posix_open_file(
    void *self, const char *path, enum os_open how, int *fd)
{
    int flags = O_CLOEXEC | O_NOFOLLOW;
    int got;

    (void)self;
    if (how == OS_OPEN_CREATE)
        flags |= O_RDWR | O_CREAT | O_EXCL;
    else
        flags |= how == OS_OPEN_WRITE ? O_RDWR : O_RDONLY;
    got = open(path, flags, 0600);
    if (got < 0)
        return result(got);
    *fd = got;
    return SYNCLINE_OK;
}

static void posix_close(void *self, int fd)
{
    (void)self;
    /* A child of fork() that has it too does not hold a lock of ours. */
    (void)flock(fd, LOCK_UN);
    (void)close(fd);
}

static int posix_read_at(
    void *self, int fd, void *p, size_t n, uint64_t at, size_t *got)
{
    size_t done = 0;

    (void)self;
    while (done < n) {
        ssize_t r = pread(fd, (char *)p + done, n - done, (off_t)(at + done));

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return result(-1);
        if (r == 0)
            break;
        done += (size_t)r;
    }
    *got = done;
    return SYNCLINE_OK;
}

static int posix_write_at(
    void *self, int fd, const void *p, size_t n, uint64_t at)
{
    size_t done = 0;

    (void)self;
    while (done < n) {
        ssize_t r =
            pwrite(fd, (const char *)p + done, n - done, (off_t)(at + done));

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return result(-1);
        done += (size_t)r;
    }
    return SYNCLINE_OK;
}

static int posix_sync(void *self, int fd)
{
    (void)self;
    return result(fdatasync(fd));
}

static int posix_reserve(void *self, int fd, uint64_t n)
{
    int e;

    (void)self;
    do
        e = posix_fallocate(fd, 0, (off_t)n);
    while (e == EINTR);
    errno = e;
    return e == 0 ? SYNCLINE_OK : status_of(e);
}

static int posix_truncate(void *self, int fd, uint64_t n)
{
    (void)self;
    return result(ftruncate(fd, (off_t)n));
}

static int posix_size(void *self, int fd, uint64_t *n)
{
    struct stat st;

    (void)self;
    if (fstat(fd, &st) < 0)
        return result(-1);
    *n = (uint64_t)st.st_size;
    return SYNCLINE_OK;
}

static int posix_rename(void *self, const char *from, const char *to)
{
    (void)self;
    return result(rename(from, to));
}

static int posix_unlink(void *self, const char *path)
{
    (void)self;
    return result(unlink(path));
}

static int posix_list(void *self, const char *dir, os_name_fn *fn, void *ctx)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    int rc = SYNCLINE_OK;

    (void)self;
    if (d == NULL)
        return result(-1);
    while (rc == 0 && (errno = 0, e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = fn(ctx, e->d_name);
    if (rc == 0 && errno != 0)
        rc = status_of(errno);
    (void)closedir(d);
    return rc;
}

static int posix_make_dir(void *self, const char *path)
{
    struct stat st;

    (void)self;
    if (mkdir(path, 0700) == 0)
        return SYNCLINE_OK;
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return SYNCLINE_OK;
    return result(-1);
}

static int posix_sync_dir(void *self, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc;

    (void)self;
    if (fd < 0)
        return result(fd);
    rc = result(fsync(fd));
    (void)close(fd);
    return rc;
}

/* The lock file holds its owner's process id, for people and messages. */
static int64_t read_holder(int fd)
{
    char text[24] = "";

    if (pread(fd, text, sizeof text - 1, 0) <= 0)
        return 0;
    return strtoll(text, NULL, 10);
}

static int posix_lock(void *self, const char *path, int *fd, int64_t *holder)
{
    int got = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    (void)self;
    if (got < 0)
        return result(got);
    if (flock(got, LOCK_EX | LOCK_NB) < 0) {
        bool taken = errno == EWOULDBLOCK;

        *holder = taken ? read_holder(got) : 0;
        (void)close(got);
        return taken ? SYNCLINE_EBUSY : SYNCLINE_EIO;
    }
    /* Only a courtesy to whoever is refused: a full disk must not matter. */
    if (ftruncate(got, 0) == 0)
        (void)dprintf(got, "%ld\n", (long)getpid());
    *fd = got;
    return SYNCLINE_OK;
}

const struct os_port *os_posix(void)
{
    static const struct os_port port = {
        .open = posix_open_file,
        .close = posix_close,
        .read_at = posix_read_at,
        .write_at = posix_write_at,
        .sync = posix_sync,
        .reserve = posix_reserve,
        .truncate = posix_truncate,
        .size = posix_size,
        .rename = posix_rename,
        .unlink = posix_unlink,
        .list = posix_list,
        .make_dir = posix_make_dir,
        .sync_dir = posix_sync_dir,
        .lock = posix_lock,
    };

    return &port;
}
