/* watchers.c - many WebSockets watch what one writer writes; some of them read
 * nothing until it has written all.
 *
 *   watchers DIR HOST PORT N STALLED WARM WRITES RATE
 *
 * DIR is a node's folder: its control socket is written to, its token shown.
 * Of the writes the first WARM are not measured; by then the stalled ones
 * should have as much before them as fits. Each watcher must be told of each
 * write, once and in order, the stalled ones when they read at last. Prints one
 * JSON object. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IN_MAX ((size_t)64 << 10)
#define PAD 4000 /* bytes of a value, so that buffers are full soon */
#define PATIENCE_NS UINT64_C(60000000000)

struct watcher {
    int fd;
    bool is_stalled, is_live;
    char *in;
    size_t len;
    uint64_t told; /* writes, all before it too */
};

struct writer {
    const char *dir;
    uint64_t warm, writes, rate;
    struct samples acked;
    atomic_bool done;
};

static char token[128];
static struct samples seen;
static uint64_t warm;

/* ---- the writer ---- */

static int control(const char *dir)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/control.sock", dir);
    if (fd < 0 || connect(fd, (const void *)&at, sizeof at) != 0)
        die("%s: %s", at.sun_path, strerror(errno));
    return fd;
}

static void write_all(int fd, const char *text, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, text + done, len - done);

        if (n <= 0)
            die("the node hung up: %s", strerror(errno));
        done += (size_t)n;
    }
}

static void await_ok(int fd)
{
    char line[4096];
    size_t len = 0;

    while (len == 0 || line[len - 1] != '\n') {
        ssize_t n = read(fd, line + len, sizeof line - 1 - len);

        if (n <= 0)
            die("the node hung up");
        len += (size_t)n;
    }
    line[len] = 0;
    if (strstr(line, "\"ok\":true") == NULL)
        die("refused: %s", line);
}

static void put_one(int fd, uint64_t number)
{
    static char request[PAD + 2 * VALUE_MAX_BYTES];
    char value[VALUE_MAX_BYTES];
    int n;

    (void)value_make(value, now_ns(), number);
    n = snprintf(request, sizeof request,
        "{\"op\":\"put\",\"key\":\"item/%08llu\",\"value\":{\"of\":%s,"
        "\"pad\":\"%0*d\"}}\n",
        (unsigned long long)number, value, PAD, 0);
    write_all(fd, request, (size_t)n);
    await_ok(fd);
}

static void sleep_until(uint64_t due)
{
    const struct timespec t = { .tv_sec = (time_t)(due / 1000000000),
        .tv_nsec = (long)(due % 1000000000) };

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void *write_paced(void *arg)
{
    struct writer *w = arg;
    int fd = control(w->dir);
    uint64_t start = now_ns();

    for (uint64_t i = 0; i < w->warm + w->writes; i++) {
        uint64_t at;

        sleep_until(start + i * 1000000000 / w->rate);
        at = now_ns();
        put_one(fd, i);
        if (i >= w->warm)
            samples_add(&w->acked, now_ns() - at);
    }
    (void)close(fd);
    atomic_store(&w->done, true);
    return NULL;
}

/* ---- watchers ---- */

static void dial(struct watcher *w, const struct sockaddr_in *at)
{
    int small = 4096;
    char text[1024];
    int n = snprintf(text, sizeof text,
        "GET /v1/socket HTTP/1.1\r\nHost: localhost:%u\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Authorization: Bearer %s\r\n\r\n",
        ntohs(at->sin_port), token);

    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        die("socket: %s", strerror(errno));
    if (w->is_stalled)
        (void)setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (connect(w->fd, (const void *)at, sizeof *at) != 0)
        die("connect: %s", strerror(errno));
    write_all(w->fd, text, (size_t)n);
}

/* A frame as clients send it, under a mask of zeros. */
static void say(struct watcher *w, int opcode, const char *text, size_t len)
{
    char frame[6 + 125] = { (char)(0x80 | opcode), (char)(0x80 | len) };

    memcpy(frame + 6, text, len);
    write_all(w->fd, frame, 6 + len);
}

static void fill(struct watcher *w)
{
    ssize_t n = recv(w->fd, w->in + w->len, IN_MAX - w->len, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        die("a watcher was ended after %llu writes",
            (unsigned long long)w->told);
    w->len += n > 0 ? (size_t)n : 0;
}

static void drop(struct watcher *w, size_t n)
{
    memmove(w->in, w->in + n, w->len - n);
    w->len -= n;
}

static void await_upgrade(struct watcher *w)
{
    static const char ask[] = "{\"id\":1,\"watch\":{}}";
    const char *end;

    while ((end = memmem(w->in, w->len, "\r\n\r\n", 4)) == NULL) {
        ssize_t n = recv(w->fd, w->in + w->len, IN_MAX - w->len, 0);

        if (n <= 0)
            die("no WebSocket: the node hung up");
        w->len += (size_t)n;
    }
    if (memcmp(w->in, "HTTP/1.1 101", 12) != 0)
        die("no WebSocket: %.*s", (int)w->len, w->in);
    drop(w, (size_t)(end + 4 - w->in));
    say(w, 1, ask, sizeof ask - 1);
}

static void on_text(struct watcher *w, const char *text, size_t len)
{
    const uint64_t at = value_at(text, len);
    const char *number = memmem(text, len, "\"number\":", 9);

    if (at == 0) {
        w->is_live =
            w->is_live || memmem(text, len, "\"live\":true", 11) != NULL;
        return;
    }
    if (number == NULL || strtoull(number + 9, NULL, 10) != w->told)
        die("not the write that comes next, %llu: %.*s",
            (unsigned long long)w->told, (int)(len < 500 ? len : 500), text);
    if (w->told >= warm && !w->is_stalled)
        samples_add(&seen, now_ns() - at);
    w->told++;
}

/* Whole frames, of at most 64 KiB. */
static void take_frames(struct watcher *w)
{
    size_t at = 0;

    while (w->len - at >= 4) {
        const unsigned char *f = (const unsigned char *)w->in + at;
        size_t len = f[1] & 127, head = 2;

        if (len == 126) {
            len = (size_t)f[2] << 8 | f[3];
            head = 4;
        }
        if (w->len - at < head + len)
            break;
        if ((f[0] & 15) == 9)
            say(w, 10, w->in + at + head, len);
        else if ((f[0] & 15) == 1)
            on_text(w, w->in + at + head, len);
        else
            die("a frame of kind %d", f[0] & 15);
        at += head + len;
    }
    drop(w, at);
}

static void look_at(int loop, struct watcher *w)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = w };

    if (epoll_ctl(loop, EPOLL_CTL_ADD, w->fd, &ev) != 0)
        die("epoll: %s", strerror(errno));
}

static void turn(int loop)
{
    struct epoll_event ev[256];
    int n = epoll_wait(loop, ev, 256, 100);

    for (int i = 0; i < n; i++) {
        fill(ev[i].data.ptr);
        take_frames(ev[i].data.ptr);
    }
}

static bool all_told(
    const struct watcher *all, size_t n, bool stalled, uint64_t writes)
{
    for (size_t i = 0; i < n; i++)
        if (all[i].is_stalled == stalled && all[i].told < writes)
            return false;
    return true;
}

static void turn_until_told(int loop, const struct watcher *all, size_t n,
    bool stalled, uint64_t writes)
{
    const uint64_t limit = now_ns() + PATIENCE_NS;

    while (!all_told(all, n, stalled, writes)) {
        turn(loop);
        if (now_ns() > limit)
            die("not all watchers were told of all writes in a minute");
    }
}

/* Connected, and what they watch is told from now on. */
static void begin(int loop, struct watcher *all, size_t n, size_t stalled,
    const struct sockaddr_in *at)
{
    for (size_t i = 0; i < n; i++) {
        all[i].is_stalled = i < stalled;
        all[i].in = malloc(IN_MAX);
        if (all[i].in == NULL)
            die("memory ran out");
        dial(&all[i], at);
        await_upgrade(&all[i]);
        while (!all[i].is_live) {
            fill(&all[i]);
            take_frames(&all[i]);
        }
        if (!all[i].is_stalled)
            look_at(loop, &all[i]);
    }
}

/* ---- */

static void read_token(const char *dir)
{
    char path[512];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/token", dir);
    f = fopen(path, "r");
    if (f == NULL || fscanf(f, "%127s", token) != 1)
        die("%s: no token", path);
    (void)fclose(f);
}

static void raise_files(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

static uint64_t number_of(const char *text)
{
    char *end;
    const uint64_t n = strtoull(text, &end, 10);

    if (*text == 0 || *end != 0)
        die("%s: not a number", text);
    return n;
}

static void run(
    struct writer *w, const struct sockaddr_in *at, size_t n, size_t stalled)
{
    const uint64_t writes = w->warm + w->writes;
    struct watcher *all = calloc(n, sizeof *all);
    int loop = epoll_create1(0);
    pthread_t thread;
    uint64_t least = UINT64_MAX;

    if (all == NULL || loop < 0)
        die("memory ran out");
    samples_open(&seen, (n - stalled) * w->writes);
    samples_open(&w->acked, w->writes);
    begin(loop, all, n, stalled, at);
    if (pthread_create(&thread, NULL, write_paced, w) != 0)
        die("no thread");
    while (!atomic_load(&w->done))
        turn(loop);
    (void)pthread_join(thread, NULL);
    turn_until_told(loop, all, n, false, writes);
    /* Whoever measures memory does it now. */
    (void)printf("\n");
    (void)fflush(stdout);
    (void)getchar();
    for (size_t i = 0; i < stalled; i++)
        look_at(loop, &all[i]);
    turn_until_told(loop, all, n, true, writes);
    for (size_t i = 0; i < n; i++)
        least = all[i].told < least ? all[i].told : least;
    (void)printf("{\"watchers\":%zu,\"stalled\":%zu,\"told\":%llu,", n, stalled,
        (unsigned long long)least);
    samples_print(&seen, "seen_us");
    (void)printf(",");
    samples_print(&w->acked, "acked_us");
    (void)printf("}\n");
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    struct writer w = { .done = false };

    if (argc != 9 || inet_pton(AF_INET, argv[2], &at.sin_addr) != 1)
        die("usage: see the top of bench/watchers.c");
    at.sin_port = htons((uint16_t)number_of(argv[3]));
    w.dir = argv[1];
    w.warm = warm = number_of(argv[6]);
    w.writes = number_of(argv[7]);
    w.rate = number_of(argv[8]);
    raise_files();
    read_token(w.dir);
    run(&w, &at, (size_t)number_of(argv[4]), (size_t)number_of(argv[5]));
    return 0;
}
