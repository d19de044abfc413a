#include "io/config_file.h"

#include "base/plant.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NEW_MODE 0600
#define NO_LINK (PLANTED(R37_LINKS) ? 0 : O_NOFOLLOW)

static int fail(struct errmsg *why, const char *name)
{
    const int err = errno;
    int rc = SYNCLINE_EIO;

    if (err == EACCES || err == EPERM || err == EROFS)
        rc = SYNCLINE_EDENIED;
    else if (err == ENOSPC || err == EDQUOT)
        rc = SYNCLINE_EFULL;
    else if (err == ENOMEM)
        rc = SYNCLINE_ENOMEM;
    else if (err == ELOOP || err == ENOTDIR)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: a symbolic link, or no folder; links are not followed", name);
    return errmsg_set(why, rc, "%s: %s", name, strerror(err));
}

/* ---- finding it ---- */

bool config_path_ok(const char *path)
{
    if (path[0] == 0 || strlen(path) >= PATH_MAX - 64)
        return false;
    for (const char *at = path;;) {
        const size_t n = strcspn(at, "/");

        if (n == 0 || n > NAME_MAX - 16 || (n == 1 && at[0] == '.') ||
            (n == 2 && at[0] == '.' && at[1] == '.'))
            return false;
        if (at[n] == 0)
            return true;
        at += n + 1;
    }
}

const char *config_file_name(const struct config_file *f)
{
    const char *slash = strrchr(f->path, '/');

    return slash != NULL ? slash + 1 : f->path;
}

int config_file_folder(const struct config_file *f, int *fd, struct errmsg *why)
{
    int at = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *rest = f->path, *slash;

    if (at < 0 && errno == ENOENT)
        return errmsg_set(
            why, SYNCLINE_ENOTFOUND, "%s: there is no such folder", f->root);
    while (at >= 0 && (slash = strchr(rest, '/')) != NULL) {
        char name[NAME_MAX + 1];
        int next;

        (void)snprintf(name, sizeof name, "%.*s", (int)(slash - rest), rest);
        next = openat(at, name, O_RDONLY | O_DIRECTORY | NO_LINK | O_CLOEXEC);
        (void)close(at);
        if (next < 0 && errno == ENOENT)
            return errmsg_set(why, SYNCLINE_ENOTFOUND,
                "%s/%.*s: there is no such folder", f->root,
                (int)(slash - f->path), f->path);
        at = next;
        rest = slash + 1;
    }
    if (at < 0)
        return fail(why, f->path);
    *fd = at;
    return SYNCLINE_OK;
}

/* ---- reading ---- */

/* A lease is given only while nobody has the file open for writing, and who
 * opens it so waits until it is given back. It is of who owns the file; others
 * do not hear of it. A signal that nobody minds, for whoever opens the file
 * just then. */
static enum config_file_use take_lease(int fd)
{
    if (fcntl(fd, F_SETSIG, SIGURG) != 0)
        return CONFIG_FILE_UNSURE;
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
        return CONFIG_FILE_ALONE;
    return errno == EAGAIN ? CONFIG_FILE_BUSY : CONFIG_FILE_UNSURE;
}

static void give_lease_back(int fd)
{
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
}

static bool is_busy(int fd)
{
    const enum config_file_use use = take_lease(fd);

    if (use == CONFIG_FILE_ALONE)
        give_lease_back(fd);
    return use == CONFIG_FILE_BUSY;
}

static int check_kind(
    const struct stat *st, const char *name, size_t max, struct errmsg *why)
{
    if (!S_ISREG(st->st_mode))
        return errmsg_set(
            why, SYNCLINE_EDENIED, "%s: not a regular file", name);
    if (st->st_nlink > 1)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: it has a second name (hard link), which would not follow; "
            "make a copy of its own: cp -p %s %s.new && mv %s.new %s",
            name, name, name, name, name);
    if ((uintmax_t)st->st_size > max && !PLANTED(R37_SIZE))
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "%s: %ju bytes; at most %zu are taken (files.max)", name,
            (uintmax_t)st->st_size, max);
    return SYNCLINE_OK;
}

static int read_all(struct buf *out, int fd, size_t max)
{
    size_t left = PLANTED(R37_SIZE) ? SIZE_MAX : max + 1;

    while (left > 0) {
        const size_t want = left < 65536 ? left : 65536;
        uint8_t *to = buf_reserve(out, want);
        ssize_t n = to != NULL ? read(fd, to, want) : -1;

        if (to == NULL)
            return SYNCLINE_ENOMEM;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SYNCLINE_EIO;
        if (n == 0)
            return SYNCLINE_OK;
        out->len += (size_t)n;
        left -= (size_t)n;
    }
    return SYNCLINE_ELIMIT; /* it grows */
}

/* *fd: the file, open. ENOTFOUND. */
static int open_file(int folder, const struct config_file *f, int *fd,
    struct stat *st, struct errmsg *why)
{
    const char *name = config_file_name(f);
    int at = openat(folder, name, O_RDONLY | NO_LINK | O_NONBLOCK | O_CLOEXEC);
    int rc;

    if (at < 0 && errno == ENOENT)
        return SYNCLINE_ENOTFOUND;
    if (at < 0)
        return fail(why, f->path);
    rc = fstat(at, st) == 0 ? check_kind(st, f->path, f->max, why)
                            : fail(why, f->path);
    if (rc != SYNCLINE_OK)
        (void)close(at);
    else
        *fd = at;
    return rc;
}

int config_file_read(struct buf *out, enum config_file_use *use,
    const struct config_file *f, struct errmsg *why)
{
    struct stat st;
    int folder, fd, rc = config_file_folder(f, &folder, why);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = open_file(folder, f, &fd, &st, why);
    (void)close(folder);
    if (rc != SYNCLINE_OK)
        return rc;
    *use = take_lease(fd);
    rc = read_all(out, fd, f->max);
    if (*use == CONFIG_FILE_ALONE)
        give_lease_back(fd);
    if (rc == SYNCLINE_EIO)
        rc = fail(why, f->path);
    if (rc == SYNCLINE_ELIMIT)
        (void)errmsg_set(why, rc, "%s: it grows beyond %zu bytes (files.max)",
            f->path, f->max);
    (void)close(fd);
    return rc;
}

/* ---- writing ---- */

struct replacing {
    const struct config_file *f;
    struct errmsg *why;
    int folder, old; /* the file that is there; -1: none */
    struct stat st;  /* of old */
    ino_t temp_ino;
    char temp[NAME_MAX + 1], backup[NAME_MAX + 1];
};

static int conflict(struct replacing *r)
{
    return errmsg_set(r->why, SYNCLINE_ECONFLICT,
        "%s: somebody has changed it meanwhile", r->f->path);
}

/* Does the open file say this? */
static bool says(int fd, struct slice expected)
{
    uint8_t chunk[16384];
    size_t at = 0;
    ssize_t n;

    while ((n = pread(fd, chunk, sizeof chunk, (off_t)at)) > 0) {
        if ((size_t)n > expected.len - at ||
            memcmp(chunk, expected.ptr + at, (size_t)n) != 0)
            return false;
        at += (size_t)n;
    }
    return n == 0 && at == expected.len;
}

static int open_old(struct replacing *r, const struct slice *expected)
{
    struct stat st;
    int rc = open_file(r->folder, r->f, &r->old, &r->st, r->why);

    if (rc == SYNCLINE_ENOTFOUND) {
        r->old = -1;
        return expected == NULL ? SYNCLINE_OK : conflict(r);
    }
    if (rc != SYNCLINE_OK) {
        r->old = -1;
        return rc;
    }
    if (expected == NULL || !says(r->old, *expected) || is_busy(r->old))
        return conflict(r);
    if (fstatat(r->folder, r->backup, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        !S_ISREG(st.st_mode))
        return errmsg_set(r->why, SYNCLINE_EDENIED,
            "%s%s: is no regular file, and no backup can be there", r->f->path,
            CONFIG_FILE_BACKUP);
    return SYNCLINE_OK;
}

/* As far as the file system and our rights go. */
static void copy_attributes(int from, int to)
{
    char names[4096], value[4096];
    const ssize_t n = flistxattr(from, names, sizeof names);

    for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
        const ssize_t len = fgetxattr(from, names + at, value, sizeof value);

        if (len >= 0)
            (void)!fsetxattr(to, names + at, value, (size_t)len, 0);
    }
}

static int dress(struct replacing *r, int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return fail(r->why, r->temp);
    r->temp_ino = st.st_ino;
    if (r->old < 0)
        return SYNCLINE_OK;
    if ((st.st_uid != r->st.st_uid || st.st_gid != r->st.st_gid) &&
        fchown(fd, r->st.st_uid, r->st.st_gid) != 0)
        return errmsg_set(r->why, SYNCLINE_EDENIED,
            "%s: belongs to uid %lu, gid %lu, and a new file cannot be given "
            "to them: run the daemon as that user, or as root",
            r->f->path, (unsigned long)r->st.st_uid,
            (unsigned long)r->st.st_gid);
    if (fchmod(fd, r->st.st_mode & 07777) != 0)
        return fail(r->why, r->temp);
    copy_attributes(r->old, fd);
    return SYNCLINE_OK;
}

static int write_temp(struct replacing *r, struct slice text)
{
    int fd, rc;

    (void)unlinkat(r->folder, r->temp, 0); /* of a try that was cut short */
    fd = openat(r->folder, r->temp,
        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, NEW_MODE);
    if (fd < 0)
        return fail(r->why, r->temp);
    rc = dress(r, fd);
    while (rc == SYNCLINE_OK && text.len > 0) {
        const ssize_t n = write(fd, text.ptr, text.len);

        if (n > 0)
            text = slice_from(text, (size_t)n);
        else if (n == 0 || errno != EINTR)
            rc = fail(r->why, r->temp);
    }
    if (rc == SYNCLINE_OK && fsync(fd) != 0)
        rc = fail(r->why, r->temp);
    if (close(fd) != 0 && rc == SYNCLINE_OK)
        rc = fail(r->why, r->temp);
    return rc;
}

static int put_first(struct replacing *r)
{
    const char *name = config_file_name(r->f);

    /* link, which takes no other's place, where rename has no word for it */
    if (renameat2(r->folder, r->temp, r->folder, name, RENAME_NOREPLACE) == 0)
        return SYNCLINE_OK;
    if ((errno == EINVAL || errno == ENOSYS) &&
        linkat(r->folder, r->temp, r->folder, name, 0) == 0) {
        (void)unlinkat(r->folder, r->temp, 0);
        return SYNCLINE_OK;
    }
    return errno == EEXIST ? conflict(r) : fail(r->why, r->f->path);
}

/* Where the two cannot change places: the backup is made first. */
static int put_over(struct replacing *r, struct slice expected)
{
    const char *name = config_file_name(r->f);

    (void)unlinkat(r->folder, r->backup, 0);
    if (linkat(r->folder, name, r->folder, r->backup, 0) != 0)
        return fail(r->why, r->backup);
    if (!says(r->old, expected) || is_busy(r->old))
        return conflict(r);
    if (renameat(r->folder, r->temp, r->folder, name) != 0)
        return fail(r->why, r->f->path);
    return SYNCLINE_OK;
}

/* Whoever was quicker than we gets his back; who saved once more in that
 * moment, the last. */
static void give_back(struct replacing *r)
{
    const char *name = config_file_name(r->f);
    struct stat out;

    if (renameat2(r->folder, r->temp, r->folder, name, RENAME_EXCHANGE) != 0)
        (void)!renameat2(r->folder, r->temp, r->folder, name, RENAME_NOREPLACE);
    else if (fstatat(r->folder, r->temp, &out, AT_SYMLINK_NOFOLLOW) == 0 &&
        out.st_ino != r->temp_ino)
        (void)!renameat2(r->folder, r->temp, r->folder, name, RENAME_EXCHANGE);
}

/* The two change places, and it is looked at what came out. */
static int put_in_place(struct replacing *r, struct slice expected)
{
    const char *name = config_file_name(r->f);
    struct stat out;

    if (renameat2(r->folder, r->temp, r->folder, name, RENAME_EXCHANGE) != 0)
        return errno == EINVAL || errno == ENOSYS ? put_over(r, expected)
            : errno == ENOENT                     ? conflict(r)
                                                  : fail(r->why, r->f->path);
    if (fstatat(r->folder, r->temp, &out, AT_SYMLINK_NOFOLLOW) != 0 ||
        out.st_ino != r->st.st_ino || out.st_dev != r->st.st_dev ||
        !says(r->old, expected) || is_busy(r->old)) {
        give_back(r);
        return conflict(r);
    }
    if (renameat(r->folder, r->temp, r->folder, r->backup) != 0)
        return fail(r->why, r->backup);
    return SYNCLINE_OK;
}

int config_file_write(const struct config_file *f, struct slice text,
    const struct slice *expected, struct errmsg *why)
{
    struct replacing r = { .f = f, .why = why, .old = -1 };
    int rc = config_file_folder(f, &r.folder, why);

    if (rc != SYNCLINE_OK)
        return rc;
    (void)snprintf(r.temp, sizeof r.temp, ".%.200s%s", config_file_name(f),
        CONFIG_FILE_TEMP);
    (void)snprintf(r.backup, sizeof r.backup, "%.240s%s", config_file_name(f),
        CONFIG_FILE_BACKUP);
    rc = open_old(&r, expected);
    if (rc == SYNCLINE_OK)
        rc = write_temp(&r, text);
    if (rc == SYNCLINE_OK)
        rc = r.old < 0 ? put_first(&r) : put_in_place(&r, *expected);
    if (rc == SYNCLINE_OK && fsync(r.folder) != 0)
        rc = fail(why, f->path);
    if (rc != SYNCLINE_OK)
        (void)unlinkat(r.folder, r.temp, 0);
    if (r.old >= 0)
        (void)close(r.old);
    (void)close(r.folder);
    return rc;
}
