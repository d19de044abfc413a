/* proxy.c - relays TCP connections and counts their bytes.
 *
 *   proxy LISTEN TARGET [LISTEN TARGET]...   addresses as 127.0.0.1:4748
 *
 * Answers each line on standard input with {"bytes":..,"connections":..}
 * since the last one; ends with it. */
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK ((size_t)256 << 10)

static atomic_ullong bytes, connections;

struct route {
    int listener;
    struct sockaddr_in target;
};

struct pipe {
    int from, to;
};

static struct sockaddr_in address(const char *text)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    char host[32] = "";
    unsigned port = 0;

    if (sscanf(text, "%31[0-9.]:%u", host, &port) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &a.sin_addr) != 1)
        die("%s: not an address", text);
    a.sin_port = htons((uint16_t)port);
    return a;
}

static void *carry(void *arg)
{
    struct pipe p = *(struct pipe *)arg;
    char *chunk = malloc(CHUNK);
    ssize_t n = 0;

    free(arg);
    while (chunk != NULL && (n = recv(p.from, chunk, CHUNK, 0)) > 0) {
        ssize_t sent = 0, m = 0;

        (void)atomic_fetch_add(&bytes, (unsigned long long)n);
        while (sent < n &&
            (m = send(p.to, chunk + sent, (size_t)(n - sent), 0)) > 0)
            sent += m;
        if (m <= 0)
            break;
    }
    (void)shutdown(p.to, SHUT_WR);
    (void)shutdown(p.from, SHUT_RD);
    free(chunk);
    return NULL; /* sockets are few and go with the process */
}

static void spawn(void *(*run)(void *), void *arg)
{
    pthread_t t;

    if (pthread_create(&t, NULL, run, arg) != 0)
        die("no thread to be had");
    (void)pthread_detach(t);
}

static void carry_on(int from, int to)
{
    struct pipe *p = malloc(sizeof *p);

    if (p == NULL)
        die("memory ran out");
    *p = (struct pipe){ from, to };
    spawn(carry, p);
}

static void *accept_all(void *arg)
{
    const struct route *r = arg;
    const int yes = 1;

    for (;;) {
        int in = accept(r->listener, NULL, NULL);
        int out = socket(AF_INET, SOCK_STREAM, 0);

        if (in < 0 || out < 0)
            die("accept failed");
        if (connect(out, (const void *)&r->target, sizeof r->target) != 0) {
            (void)close(in);
            (void)close(out);
            continue;
        }
        (void)setsockopt(in, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        (void)setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        (void)atomic_fetch_add(&connections, 1);
        carry_on(in, out);
        carry_on(out, in);
    }
}

static void route_open(const char *listen_at, const char *target)
{
    struct route *r = calloc(1, sizeof *r);
    struct sockaddr_in at = address(listen_at);
    const int yes = 1;

    if (r == NULL)
        die("memory ran out");
    r->target = address(target);
    r->listener = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(r->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(r->listener, (const void *)&at, sizeof at) != 0 ||
        listen(r->listener, 16) != 0)
        die("%s: cannot listen", listen_at);
    spawn(accept_all, r);
}

int main(int argc, char **argv)
{
    char line[64];

    (void)signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i + 1 < argc; i += 2)
        route_open(argv[i], argv[i + 1]);
    while (fgets(line, sizeof line, stdin) != NULL) {
        (void)printf("{\"bytes\":%llu,\"connections\":%llu}\n",
            atomic_exchange(&bytes, 0), atomic_exchange(&connections, 0));
        (void)fflush(stdout);
    }
    return 0;
}
