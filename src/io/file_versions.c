#include "io/file_versions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEMP ".syncline~"

static int fail(struct errmsg *why, const char *what)
{
    return errmsg_set(why,
        errno == ENOSPC || errno == EDQUOT ? SYNCLINE_EFULL : SYNCLINE_EIO,
        "versions: %s: %s", what, strerror(errno));
}

int file_versions_time(struct version *out, int64_t wall_us)
{
    const time_t at = (time_t)(wall_us / 1000000);
    struct tm t;

    if (localtime_r(&at, &t) == NULL || t.tm_year < -1900 || t.tm_year > 8099)
        return SYNCLINE_EINVAL;
    *out = (struct version){ .year = (uint16_t)(t.tm_year + 1900),
        .month = (uint8_t)(t.tm_mon + 1),
        .day = (uint8_t)t.tm_mday,
        .hour = (uint8_t)t.tm_hour,
        .minute = (uint8_t)t.tm_min,
        .second = (uint8_t)(t.tm_sec < 60 ? t.tm_sec : 59) };
    return SYNCLINE_OK;
}

/* ---- the folder ---- */

/* Who may read the file may read what it was. */
static mode_t folder_mode(const struct stat *st)
{
    return (mode_t)(0700 | ((st->st_mode & 040) != 0 ? 050 : 0) |
        ((st->st_mode & 04) != 0 ? 05 : 0));
}

static int step_into(int *at, const char *name, const struct stat *st)
{
    int next =
        openat(*at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (next < 0 && errno == ENOENT && st != NULL) {
        if (mkdirat(*at, name, folder_mode(st)) == 0)
            (void)!fchownat(
                *at, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
        next =
            openat(*at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    (void)close(*at);
    *at = next;
    return next >= 0 ? 0 : -1;
}

static int open_root(const struct file_versions *v, int *fd, struct errmsg *why)
{
    if (v->root == NULL)
        return config_file_folder(v->file, fd, why);
    *fd = open(v->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd >= 0)
        return SYNCLINE_OK;
    return errno == ENOENT ? SYNCLINE_ENOTFOUND : fail(why, v->root);
}

/* st: of the file; NULL: the folder is not made. ENOTFOUND. */
static int open_folder(const struct file_versions *v, int *fd,
    const struct stat *st, struct errmsg *why)
{
    const char *rest = v->folder;
    int at, rc = open_root(v, &at, why);

    while (rc == SYNCLINE_OK && *rest != 0) {
        const size_t n = strcspn(rest, "/");
        char name[NAME_MAX + 1];

        (void)snprintf(name, sizeof name, "%.*s", (int)n, rest);
        if (step_into(&at, name, st) != 0)
            return errno == ENOENT ? SYNCLINE_ENOTFOUND : fail(why, name);
        rest += n + (rest[n] == '/');
    }
    if (rc == SYNCLINE_OK)
        *fd = at;
    return rc;
}

static int stat_file(const struct file_versions *v, struct stat *st)
{
    struct errmsg why;
    int folder, rc = config_file_folder(v->file, &folder, &why);

    if (rc != SYNCLINE_OK)
        return rc;
    if (fstatat(folder, config_file_name(v->file), st, AT_SYMLINK_NOFOLLOW))
        *st = (struct stat){
            .st_mode = 0600, .st_uid = geteuid(), .st_gid = getegid()
        };
    (void)close(folder);
    return SYNCLINE_OK;
}

/* ---- reading ---- */

static int list(int fd, struct version **out, size_t *n, struct arena *a)
{
    const int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = own >= 0 ? fdopendir(own) : NULL;
    struct version *found = NULL;
    size_t cap = 0;
    struct dirent *e;

    *n = 0;
    if (dir == NULL) {
        if (own >= 0)
            (void)close(own);
        return SYNCLINE_EIO;
    }
    while ((e = readdir(dir)) != NULL) {
        struct version v;

        if (version_parse(&v, slice_str(e->d_name)) != SYNCLINE_OK)
            continue;
        if (*n == cap) {
            struct version *more;

            cap = 2 * cap + 64;
            more = arena_zalloc(a, cap, sizeof *more);
            if (more == NULL)
                break;
            if (*n > 0)
                memcpy(more, found, *n * sizeof *more);
            found = more;
        }
        found[(*n)++] = v;
    }
    (void)closedir(dir);
    versions_sort(found, *n);
    *out = found;
    return e == NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

int file_versions_list(const struct file_versions *v, struct version **out,
    size_t *n, struct arena *a, struct errmsg *why)
{
    int fd, rc = open_folder(v, &fd, NULL, why);

    *n = 0;
    if (rc == SYNCLINE_ENOTFOUND)
        return SYNCLINE_OK;
    if (rc != SYNCLINE_OK)
        return rc;
    rc = list(fd, out, n, a);
    (void)close(fd);
    return rc;
}

static int read_one(struct buf *out, int folder, const struct version *which,
    size_t max, struct errmsg *why)
{
    char name[VERSION_NAME_SIZE];
    struct stat st;
    ssize_t n = 1;
    int fd, rc = version_name(name, which);

    if (rc != SYNCLINE_OK)
        return rc;
    fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? SYNCLINE_ENOTFOUND : fail(why, name);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        (uintmax_t)st.st_size > max) {
        (void)close(fd);
        return errmsg_set(
            why, SYNCLINE_EDENIED, "%s: no regular file, or a large one", name);
    }
    while (n > 0 && rc == SYNCLINE_OK) {
        uint8_t *to = buf_reserve(out, 65536);

        n = to != NULL ? read(fd, to, 65536) : -1;
        if (n > 0)
            out->len += (size_t)n;
        else if (n < 0)
            rc = to == NULL ? SYNCLINE_ENOMEM : fail(why, name);
    }
    (void)close(fd);
    return rc;
}

int file_versions_read(struct buf *out, const struct file_versions *v,
    const struct version *which, struct errmsg *why)
{
    int fd, rc = open_folder(v, &fd, NULL, why);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = read_one(out, fd, which, v->file->max, why);
    (void)close(fd);
    return rc;
}

/* ---- keeping ---- */

static int write_one(int folder, const char *name, struct slice text,
    const struct stat *st, struct errmsg *why)
{
    int rc = SYNCLINE_OK, fd;

    (void)unlinkat(folder, TEMP, 0);
    fd = openat(folder, TEMP,
        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(why, name);
    (void)!fchown(fd, st->st_uid, st->st_gid);
    (void)!fchmod(fd, st->st_mode & 0666);
    while (rc == SYNCLINE_OK && text.len > 0) {
        const ssize_t n = write(fd, text.ptr, text.len);

        if (n > 0)
            text = slice_from(text, (size_t)n);
        else if (n == 0 || errno != EINTR)
            rc = fail(why, name);
    }
    (void)close(fd);
    if (rc == SYNCLINE_OK && renameat(folder, TEMP, folder, name) != 0)
        rc = fail(why, name);
    if (rc != SYNCLINE_OK)
        (void)unlinkat(folder, TEMP, 0);
    return rc;
}

static bool is_newest(int folder, const struct version *all, size_t n,
    struct slice text, size_t max)
{
    struct buf b = { 0 };
    bool same = n > 0 &&
        read_one(&b, folder, &all[n - 1], max, NULL) == SYNCLINE_OK &&
        slice_eq(buf_slice(&b), text);

    buf_free(&b);
    return same;
}

static int keep_in(const struct file_versions *v, int folder, struct slice text,
    const struct version *at, const struct stat *st, struct errmsg *why)
{
    char name[VERSION_NAME_SIZE];
    struct version *all = NULL, next;
    struct arena a = { 0 };
    size_t n = 0, excess;
    int rc = list(folder, &all, &n, &a);

    if (rc == SYNCLINE_OK && is_newest(folder, all, n, text, v->file->max)) {
        arena_free(&a);
        return SYNCLINE_OK;
    }
    if (rc == SYNCLINE_OK)
        rc = versions_next(&next, at, all, n);
    if (rc == SYNCLINE_OK)
        rc = version_name(name, &next);
    if (rc == SYNCLINE_OK)
        rc = write_one(folder, name, text, st, why);
    if (rc == SYNCLINE_OK)
        rc = list(folder, &all, &n, &a);
    excess = rc == SYNCLINE_OK && n > 0
        ? versions_excess(all, n, v->keep, &next)
        : 0;
    for (size_t i = 0; i < excess; i++)
        if (version_name(name, &all[i]) == SYNCLINE_OK)
            (void)unlinkat(folder, name, 0);
    arena_free(&a);
    return rc;
}

int file_versions_keep(const struct file_versions *v, struct slice text,
    int64_t wall_us, struct errmsg *why)
{
    struct version at;
    struct stat st;
    int fd, rc = file_versions_time(&at, wall_us);

    if (rc == SYNCLINE_OK && v->keep == 0)
        return rc;
    if (rc == SYNCLINE_OK)
        rc = stat_file(v, &st);
    if (rc == SYNCLINE_OK)
        rc = open_folder(v, &fd, &st, why);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = keep_in(v, fd, text, &at, &st, why);
    (void)close(fd);
    return rc;
}
