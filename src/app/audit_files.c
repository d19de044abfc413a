#include "app/audit_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)64 << 20)
#define CHUNK ((size_t)64 << 10)

bool audit_file_name(char *out, size_t room, const char *dir, unsigned file)
{
    int n = file == 0 ? snprintf(out, room, "%s/audit.log", dir)
                      : snprintf(out, room, "%s/audit.log.%u", dir, file);

    return n > 0 && (size_t)n < room;
}

static int read_all(struct buf *out, int fd)
{
    for (;;) {
        uint8_t *to = buf_reserve(out, CHUNK);
        ssize_t n;

        if (to == NULL)
            return buf_status(out);
        n = read(fd, to, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SYNCLINE_EIO;
        if (n == 0)
            return SYNCLINE_OK;
        out->len += (size_t)n;
    }
}

int audit_file_read(
    struct buf *out, const char *dir, unsigned file, struct errmsg *why)
{
    char path[PATH_MAX];
    struct stat st;
    int fd, rc;

    if (!audit_file_name(path, sizeof path, dir, file))
        return SYNCLINE_EINVAL;
    buf_clear(out);
    out->max = FILE_MAX;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return SYNCLINE_ENOTFOUND;
    if (fd < 0)
        return errmsg_set(
            why, SYNCLINE_EDENIED, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        rc = errmsg_set(why, SYNCLINE_EDENIED, "%s: not a regular file", path);
    else
        rc = read_all(out, fd);
    if (rc == SYNCLINE_EIO)
        (void)errmsg_set(why, rc, "%s: %s", path, strerror(errno));
    if (rc == SYNCLINE_ELIMIT)
        (void)errmsg_set(why, rc, "%s: larger than any audit log", path);
    (void)close(fd);
    return rc;
}

static int each_line(
    struct slice text, unsigned file, audit_line_fn *fn, void *ctx)
{
    struct audit_place at = { .file = file };
    int rc = SYNCLINE_OK;

    while (text.len > 0 && rc == SYNCLINE_OK) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;

        at.line++;
        at.whole = end != NULL;
        rc = fn(ctx, &at, SLICE(text.ptr, len));
        text = slice_from(text, len + 1);
    }
    return rc;
}

int audit_files_read(const char *dir, unsigned from, audit_line_fn *fn,
    void *ctx, struct errmsg *why)
{
    struct buf text = { 0 };
    int rc = SYNCLINE_OK;

    for (unsigned i = from + 1; i-- > 0 && rc == SYNCLINE_OK;) {
        rc = audit_file_read(&text, dir, i, why);
        if (rc == SYNCLINE_OK)
            rc = each_line(buf_slice(&text), i, fn, ctx);
        else if (rc == SYNCLINE_ENOTFOUND)
            rc = SYNCLINE_OK;
    }
    buf_free(&text);
    return rc;
}
