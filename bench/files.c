/* files save SOURCE TARGET N STYLE - saves SOURCE again and again, in the way
 * of STYLE (rename, write), and takes the time until TARGET, the same file on
 * another machine, says so. Prints figures as JSON.
 *
 * files copy SOURCE TARGET - the least that could do it: one process is told
 * by inotify that SOURCE was saved and sends it by TCP to another, which
 * writes it beside TARGET, syncs it and renames it. Until stdin ends. */
#include "bench.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEEN_WITHIN_NS ((uint64_t)60 * 1000000000)
#define REST_US 150000 /* between two saves, and up to as much again */

/* ---- a file ---- */

/* Of the folder that it is in. */
static int watch(const char *path)
{
    char copy[PATH_MAX];
    int fd = inotify_init1(IN_NONBLOCK);

    (void)snprintf(copy, sizeof copy, "%s", path);
    if (fd < 0 ||
        inotify_add_watch(fd, dirname(copy), IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
        die("cannot watch the folder of %s", path);
    return fd;
}

/* Did something happen to the file, once something does? */
static bool is_touched(int fd, const char *path, int wait_ms)
{
    _Alignas(struct inotify_event) char events[65536];
    struct pollfd ready = { fd, POLLIN, 0 };
    char copy[PATH_MAX];
    bool found = false;
    ssize_t n;

    (void)snprintf(copy, sizeof copy, "%s", path);
    if (poll(&ready, 1, wait_ms) != 1)
        return false;
    n = read(fd, events, sizeof events);
    for (const char *at = events; at < events + n;) {
        const struct inotify_event *e = (const void *)at;

        found = found || (e->len > 0 && strcmp(e->name, basename(copy)) == 0);
        at += sizeof *e + e->len;
    }
    return found;
}

static size_t read_file(const char *path, char out[VALUE_MAX_BYTES * 4])
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, out, VALUE_MAX_BYTES * 4 - 1) : 0;

    if (fd >= 0)
        (void)close(fd);
    out[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

static void write_whole(
    const char *path, const char *text, size_t len, bool syncs)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, text, len) != (ssize_t)len ||
        (syncs && fsync(fd) != 0) || close(fd) != 0)
        die("cannot write %s", path);
}

static void put_in_place(
    const char *path, const char *text, size_t len, bool syncs)
{
    char temp[PATH_MAX];

    (void)snprintf(temp, sizeof temp, "%s.new", path);
    write_whole(temp, text, len, syncs);
    if (rename(temp, path) != 0)
        die("cannot rename %s", temp);
}

/* ---- saving ---- */

/* Until the target says what was saved at that time. */
static bool await_target(int fd, const char *path, uint64_t at)
{
    char text[VALUE_MAX_BYTES * 4], want[32];

    (void)snprintf(want, sizeof want, "\"%020" PRIu64 "\"", at);
    while (now_ns() - at < SEEN_WITHIN_NS) {
        const size_t n = read_file(path, text);

        if (memmem(text, n, want, strlen(want)) != NULL)
            return true;
        (void)is_touched(fd, path, 100);
    }
    return false;
}

static void save_all(
    const char *source, const char *target, unsigned n, bool renames)
{
    const int fd = watch(target);
    struct samples seen;
    unsigned missed = 0;

    samples_open(&seen, n);
    for (unsigned i = 0; i < n; i++) {
        char text[VALUE_MAX_BYTES];
        uint64_t at;
        size_t len;

        (void)usleep(REST_US + (unsigned)random() % REST_US);
        at = now_ns();
        len = value_make(text, at, i);
        if (renames)
            put_in_place(source, text, len, false);
        else
            write_whole(source, text, len, false);
        if (await_target(fd, target, at))
            samples_add(&seen, now_ns() - at);
        else
            missed++;
    }
    (void)printf("{");
    samples_print(&seen, "seen_us");
    (void)printf(",\"missed\":%u}\n", missed);
    samples_close(&seen);
    (void)close(fd);
}

/* ---- copying ---- */

static void send_saves(const char *source, int to)
{
    const int fd = watch(source);
    struct pollfd over = { STDIN_FILENO, POLLIN, 0 };

    while (poll(&over, 1, 0) == 0) {
        char text[VALUE_MAX_BYTES * 4];
        uint32_t len;

        if (!is_touched(fd, source, 100))
            continue;
        len = (uint32_t)read_file(source, text);
        if (len > 0 &&
            (write(to, &len, sizeof len) != sizeof len ||
                write(to, text, len) != (ssize_t)len))
            die("the other end has gone");
    }
    (void)close(fd);
}

static void take_saves(const char *target, int from)
{
    char text[VALUE_MAX_BYTES * 4];
    uint32_t len;

    while (recv(from, &len, sizeof len, MSG_WAITALL) == sizeof len &&
        len < sizeof text && recv(from, text, len, MSG_WAITALL) == (int)len)
        put_in_place(target, text, len, true);
}

/* Two ends of a TCP connection. */
static void connect_ends(int end[2])
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof at;
    int door = socket(AF_INET, SOCK_STREAM, 0);

    end[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (door < 0 || end[0] < 0 || bind(door, (void *)&at, len) != 0 ||
        listen(door, 1) != 0 || getsockname(door, (void *)&at, &len) != 0 ||
        connect(end[0], (void *)&at, len) != 0)
        die("cannot connect");
    end[1] = accept(door, NULL, NULL);
    (void)close(door);
}

static void copy(const char *source, const char *target)
{
    int end[2];
    pid_t child;

    connect_ends(end);
    child = fork();
    if (child < 0)
        die("cannot fork");
    if (child == 0) {
        (void)close(end[0]);
        take_saves(target, end[1]);
        _exit(0);
    }
    (void)close(end[1]);
    send_saves(source, end[0]);
    (void)close(end[0]);
    (void)waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc == 4 && strcmp(argv[1], "copy") == 0)
        copy(argv[2], argv[3]);
    else if (argc == 6 && strcmp(argv[1], "save") == 0)
        save_all(argv[2], argv[3], (unsigned)strtoul(argv[4], NULL, 10),
            strcmp(argv[5], "rename") == 0);
    else
        die("files save SOURCE TARGET N rename|write, or files copy SOURCE "
            "TARGET");
    return 0;
}
