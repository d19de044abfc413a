/* options_change.c - a change that is asked for while it runs, or by the
 * command line: is it allowed, and the file that holds it. */
#include "app/options/options_edit.h"

#include "app/options/options_table.h"
#include "base/plant.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX ((size_t)1 << 20)

/* Would the file have a say in it? */
static int check_allowed(
    const struct options *from, const struct option_edit *e, struct errmsg *why)
{
    const size_t ix = option_index(slice_str(e->name));
    const char *source = options_source(from, e->name);

    if (option_rows[ix].change == OPTION_BY_HAND && !PLANTED(R10_BY_HAND))
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: is changed by hand only, in the configuration file or on the "
            "command line",
            e->name);
    if (strncmp(source, "flag ", 5) == 0 ||
        strncmp(source, "environment ", 12) == 0)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: is set by %s, which weighs more than the file; change it "
            "there",
            e->name, source);
    return SYNCLINE_OK;
}

/* Where the file really is, if it is there and a link. */
static int find_file(
    const struct options *o, char path[PATH_MAX], struct errmsg *why)
{
    const char *named = options_file(o);
    char name[PATH_MAX];
    int n = named != NULL ? snprintf(name, sizeof name, "%s", named)
                          : snprintf(name, sizeof name, "%s/syncline.yaml",
                                options_str(o, "dir"));

    if (n < 0 || (size_t)n >= sizeof name)
        return errmsg_set(why, SYNCLINE_EINVAL, "the file's name is too long");
    if (realpath(name, path) != NULL)
        return SYNCLINE_OK;
    if (errno != ENOENT)
        return errmsg_set(
            why, SYNCLINE_EIO, "configuration %s: %s", name, strerror(errno));
    (void)snprintf(path, PATH_MAX, "%s", name);
    return SYNCLINE_OK;
}

static int read_file(
    struct buf *out, const char *path, struct stat *st, struct errmsg *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = 1;

    if (fd < 0 && errno == ENOENT) {
        *st = (struct stat){
            .st_mode = S_IFREG | 0600, .st_uid = geteuid(), .st_gid = getegid()
        };
        buf_put_str(out, "");
        return SYNCLINE_OK;
    }
    out->max = CONFIG_MAX;
    if (fd >= 0 && (fstat(fd, st) != 0 || !S_ISREG(st->st_mode)))
        errno = EINVAL, n = -1;
    while (fd >= 0 && n > 0) {
        uint8_t *room = buf_reserve(out, 4096);

        n = room != NULL ? read(fd, room, 4096) : 0;
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            out->len += (size_t)n;
    }
    if (fd < 0 || n < 0)
        (void)errmsg_set(
            why, SYNCLINE_EIO, "configuration %s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return fd < 0 || n < 0 ? SYNCLINE_EIO : buf_status(out);
}

static bool write_all(int fd, struct slice s)
{
    while (s.len > 0) {
        ssize_t n = write(fd, s.ptr, s.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s = slice_from(s, (size_t)n);
    }
    return fsync(fd) == 0;
}

/* Whole or not at all, for whom it was before. */
static int write_file(const char *path, struct slice text,
    const struct stat *was, struct errmsg *why)
{
    char temp[PATH_MAX];
    int n = snprintf(
            temp, sizeof temp, PLANTED(R10_TORN) ? "%s" : "%s.new", path),
        fd;
    bool done;

    if (n < 0 || (size_t)n >= sizeof temp)
        return errmsg_set(why, SYNCLINE_EINVAL, "the file's name is too long");
    (void)unlink(temp); /* of a try that was cut short */
    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    done = fd >= 0 && write_all(fd, text) &&
        ((was->st_uid == geteuid() && was->st_gid == getegid()) ||
            fchown(fd, was->st_uid, was->st_gid) == 0) &&
        fchmod(fd, was->st_mode & 07777) == 0;
    if (fd >= 0 && close(fd) != 0)
        done = false;
    if (done && rename(temp, path) == 0)
        return SYNCLINE_OK;
    (void)errmsg_set(why, errno == ENOSPC ? SYNCLINE_EFULL : SYNCLINE_EDENIED,
        "configuration %s: cannot be written: %s", path, strerror(errno));
    (void)unlink(temp);
    return errno == ENOSPC ? SYNCLINE_EFULL : SYNCLINE_EDENIED;
}

int options_change(struct options **out, const struct options *from,
    const struct option_edit *edits, size_t n, struct errmsg *why)
{
    struct options *changed = NULL;
    struct buf text = { 0 }, edited = { 0 };
    char path[PATH_MAX];
    struct stat st;
    int rc = SYNCLINE_OK;

    for (size_t i = 0; i < n && rc == SYNCLINE_OK; i++)
        rc = check_allowed(from, &edits[i], why);
    if (rc == SYNCLINE_OK)
        rc = find_file(from, path, why);
    if (rc == SYNCLINE_OK)
        rc = read_file(&text, path, &st, why);
    if (rc == SYNCLINE_OK)
        rc = options_edit(&edited, buf_slice(&text), edits, n, why);
    if (rc == SYNCLINE_OK)
        rc = options_reload_as(&changed, from,
            edited.len > 0 ? buf_slice(&edited) : SLICE_LIT(""), why);
    if (rc == SYNCLINE_OK)
        rc = options_check_start(changed, edits, n, why);
    if (rc == SYNCLINE_OK)
        rc = write_file(path, buf_slice(&edited), &st, why);
    if (rc == SYNCLINE_OK)
        *out = changed;
    else
        options_free(changed);
    buf_free(&text);
    buf_free(&edited);
    return rc;
}
