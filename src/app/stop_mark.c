#include "app/stop_mark.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_MAX 128

static bool path_in(char *out, const char *dir, const char *name)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);

    return n > 0 && n < PATH_MAX;
}

/* What names the database's file and no copy of it. */
static bool describe(char *out, const char *dir)
{
    char path[PATH_MAX];
    struct stat st;

    if (!path_in(path, dir, "state.db") || stat(path, &st) != 0)
        return false;
    (void)snprintf(out, MARK_MAX, "1 %llu %lld %lld.%09ld\n",
        (unsigned long long)st.st_ino, (long long)st.st_size,
        (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
    return true;
}

void stop_mark_leave(const char *dir)
{
    char path[PATH_MAX], mark[MARK_MAX];
    int fd;

    if (!describe(mark, dir) || !path_in(path, dir, "stopped"))
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (write(fd, mark, strlen(mark)) != (ssize_t)strlen(mark))
        (void)unlink(path);
    (void)fsync(fd);
    (void)close(fd);
}

bool stop_mark_take(const char *dir)
{
    char path[PATH_MAX], mark[MARK_MAX], left[MARK_MAX];
    ssize_t n;
    int fd;

    if (!path_in(path, dir, "stopped"))
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, left, sizeof left - 1);
    (void)close(fd);
    (void)unlink(path);
    if (n <= 0 || !describe(mark, dir))
        return false;
    left[n] = 0;
    return strcmp(left, mark) == 0;
}
