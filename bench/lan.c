/* lan.c - LAN-sync clients that ask a server for its one item, each as soon as
 * it has been answered.
 *
 *   lan HOST PORT SECRET CLIENTS BYTES SECONDS
 *
 * A request carries BYTES bytes that the server has to check and throw away;
 * the item should be as large. All say SECRET to be let in, and sign, as nodes
 * of the second generation. What the server asks of them is not answered, what
 * it pushes is acknowledged. Prints one JSON object. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD 4
#define ROOM 1024 /* of a message, beside what it carries */
#define NEAR 700  /* as far from either end is looked for an answer's id */
#define WARM_NS UINT64_C(500000000)
#define PATIENCE_MS 60000
#define PATIENCE_NS (PATIENCE_MS * UINT64_C(1000000))
#define SAMPLES_MAX 2000000

struct client {
    int fd;
    uint64_t waits_for; /* the request under way */
    uint64_t asked_at;
    char *in;
    size_t len, room;
    char *out; /* of what was said, what has not left yet */
    size_t out_at, out_len, out_room;
    bool is_waiting; /* to be written to */
};

static const char *secret;
static EVP_MAC_CTX *hmac; /* under the secret */
static char *carried;     /* what each request carries */
static size_t carried_len;
static uint64_t last_id, started, ends, answers, idle_ns;
static struct samples seen;
static int epoll;

/* ---- what is said ---- */

/* The key is worked up once: whoever makes the load is not to be what is
 * measured. */
static void open_hmac(void)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(
                                      OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end() };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    hmac = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    if (hmac == NULL ||
        EVP_MAC_init(hmac, (const uint8_t *)secret, strlen(secret), params) !=
            1)
        die("no HMAC");
}

static const char digits[] = "0123456789abcdef";

static void sign(char out[65], const char *text, size_t len)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    size_t mac_len = 0;

    if (EVP_MAC_init(hmac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(hmac, (const uint8_t *)text, len) != 1 ||
        EVP_MAC_final(hmac, mac, &mac_len, sizeof mac) != 1 || mac_len != 32)
        die("no HMAC");
    for (size_t i = 0; i < mac_len; i++) {
        out[2 * i] = digits[mac[i] >> 4];
        out[2 * i + 1] = digits[mac[i] & 15];
    }
    out[2 * mac_len] = 0;
}

static void reserve(char **text, size_t *room, size_t want)
{
    if (want <= *room)
        return;
    *room = want * 2;
    *text = realloc(*text, *room);
    if (*text == NULL)
        die("memory ran out");
}

static void leave(struct client *c)
{
    struct epoll_event want = { .data.ptr = c };

    while (c->out_at < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
            MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            die("the server hung up: %s", strerror(errno));
        if (n < 0 && errno == EAGAIN)
            break;
        c->out_at += n > 0 ? (size_t)n : 0;
    }
    if ((c->out_at < c->out_len) == c->is_waiting)
        return;
    c->is_waiting = !c->is_waiting;
    want.events = EPOLLIN | (c->is_waiting ? (unsigned)EPOLLOUT : 0);
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &want) != 0)
        die("epoll: %s", strerror(errno));
}

static void stamp(char out[32])
{
    static char second[24];
    static time_t is_of;
    struct timespec t;
    long micros;
    struct tm tm;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    if (t.tv_sec != is_of) {
        is_of = t.tv_sec;
        (void)gmtime_r(&t.tv_sec, &tm);
        (void)strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S.", &tm);
    }
    micros = t.tv_nsec / 1000;
    memcpy(out, second, 20);
    out[26] = 0;
    for (int i = 25; i >= 20; i--, micros /= 10)
        out[i] = digits[micros % 10];
}

/* Where so many bytes can be said, behind what has not left yet. */
static char *room_for(struct client *c, size_t len)
{
    if (c->out_at == c->out_len)
        c->out_at = c->out_len = 0;
    reserve(&c->out, &c->out_room, c->out_len + len + ROOM);
    return c->out + c->out_len + HEAD;
}

/* The members in the order in which they are signed. */
static size_t write_message(char *text, int node, const char *type,
    const char *payload, uint64_t id, const char *at)
{
    int n = sprintf(text,
        "{\"message_id\":\"%016" PRIx64 "\",\"message_type\":\"%s\","
        "\"nonce\":\"%016" PRIx64 "%016" PRIx64 "\",\"payload\":%s,"
        "\"source\":{\"node_id\":\"bench-%04d\"},\"timestamp\":\"%s\"}",
        id, type, started, id, payload, node, at);

    return (size_t)n;
}

/* The signature goes before the closing brace. */
static void seal(struct client *c, char *text, size_t len)
{
    static const char name[] = ",\"signature\":\"";
    char mac[65], *to = text + len - 1;
    uint32_t head;

    sign(mac, text, len);
    memcpy(to, name, sizeof name - 1);
    to += sizeof name - 1;
    memcpy(to, mac, 64);
    memcpy(to + 64, "\"}", 2);
    len = (size_t)(to + 66 - text);
    head = htonl((uint32_t)len);
    memcpy(text - HEAD, &head, HEAD);
    c->out_len += HEAD + len;
    leave(c);
}

static void say(struct client *c, const char *type, const char *payload)
{
    char at[32], *text = room_for(c, strlen(payload));

    stamp(at);
    last_id++;
    seal(c, text, write_message(text, c->fd, type, payload, last_id, at));
}

/* A request, in which only this differs from one to the next, at these places:
 * to print each anew would take as long as its signature. */
static struct {
    char *text;
    size_t len, id, nonce, request_id, node, at;
} request;

static size_t place_of(const char *what)
{
    const char *at = strstr(request.text, what);

    if (at == NULL)
        die("no %s in a request", what);
    return (size_t)(at - request.text) + strlen(what);
}

static void make_request(void)
{
    char *payload = malloc(carried_len + ROOM);

    request.text = malloc(carried_len + 2 * ROOM);
    if (payload == NULL || request.text == NULL)
        die("memory ran out");
    (void)sprintf(payload,
        "{\"data\":\"%s\",\"limit\":1,\"request_id\":\"%016d\"}", carried, 0);
    request.len = write_message(request.text, 0, "SYNC_REQUEST", payload, 0,
        "2026-01-01T00:00:00.000000");
    request.id = place_of("\"message_id\":\"");
    request.nonce = place_of("\"nonce\":\"") + 16; /* behind what stays */
    request.request_id = place_of("\"request_id\":\"");
    request.node = place_of("\"node_id\":\"bench-");
    request.at = place_of("\"timestamp\":\"");
    free(payload);
}

static void put_hex(char *to, uint64_t v)
{
    for (int i = 15; i >= 0; i--, v >>= 4)
        to[i] = digits[v & 15];
}

static void ask(struct client *c)
{
    char at[32], node[8], *text = room_for(c, request.len);

    c->waits_for = ++last_id;
    c->asked_at = now_ns();
    stamp(at);
    (void)snprintf(node, sizeof node, "%04d", c->fd);
    memcpy(text, request.text, request.len);
    put_hex(text + request.id, last_id);
    put_hex(text + request.nonce, last_id);
    put_hex(text + request.request_id, last_id);
    memcpy(text + request.node, node, 4);
    memcpy(text + request.at, at, strlen(at));
    seal(c, text, request.len);
}

/* ---- what is heard ---- */

/* Where it says so, near either end. */
static const char *find(const char *text, size_t len, const char *what)
{
    const char *at = memmem(text, len < NEAR ? len : NEAR, what, strlen(what));

    if (at == NULL && len > NEAR)
        at = memmem(text + len - NEAR, NEAR, what, strlen(what));
    return at;
}

static void acknowledge(struct client *c, const char *text, size_t len)
{
    static const char name[] = "\"data_id\":";
    const char *at = memmem(text, len, name, sizeof name - 1);
    char payload[128];

    if (at == NULL)
        die("something is pushed under no id");
    at += sizeof name - 1;
    at += strspn(at, " \"");
    (void)snprintf(payload, sizeof payload,
        "{\"data_id\":\"%.36s\",\"status\":\"processed\"}", at);
    say(c, "SYNC_ACK", payload);
}

static void answered(struct client *c, const char *text, size_t len)
{
    uint64_t now = now_ns();
    char id[20];

    id[0] = id[17] = '"';
    id[18] = 0;
    put_hex(id + 1, c->waits_for);
    if (find(text, len, id) == NULL || len < carried_len)
        die("not what was asked for: %.300s", text);
    if (now >= started + WARM_NS && now < ends) {
        answers++;
        samples_add(&seen, now - c->asked_at);
    }
    ask(c);
}

static void heard(struct client *c, char *text, size_t len)
{
    char last = text[len];

    text[len] = 0;
    if (find(text, len, "\"SYNC_RESPONSE\"") != NULL)
        answered(c, text, len);
    else if (find(text, len, "\"AUTH_RESPONSE\"") != NULL)
        ask(c);
    else if (find(text, len, "\"SYNC_DATA\"") != NULL)
        acknowledge(c, text, len);
    else if (find(text, len, "\"ERROR\"") != NULL)
        die("refused: %s", text);
    text[len] = last;
}

static void listen_to(struct client *c)
{
    size_t at = 0;
    ssize_t n;

    reserve(&c->in, &c->room, c->len + ((size_t)256 << 10) + 1);
    n = recv(c->fd, c->in + c->len, c->room - c->len - 1, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        die("the server hung up");
    c->len += n > 0 ? (size_t)n : 0;
    while (c->len - at >= HEAD) {
        uint32_t head, len;

        memcpy(&head, c->in + at, HEAD);
        len = ntohl(head);
        if (c->len - at - HEAD < len)
            break;
        heard(c, c->in + at + HEAD, len);
        at += HEAD + len;
    }
    memmove(c->in, c->in + at, c->len - at);
    c->len -= at;
}

/* ---- all of it ---- */

static void dial(struct client *c, const char *host, int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port) };
    struct epoll_event want = { .events = EPOLLIN, .data.ptr = c };
    char payload[256];
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || inet_pton(AF_INET, host, &at.sin_addr) != 1 ||
        connect(c->fd, (const void *)&at, sizeof at) != 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &want) != 0)
        die("%s:%d: %s", host, port, strerror(errno));
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)snprintf(payload, sizeof payload,
        "{\"request_id\":\"%016" PRIx64 "\",\"token\":\"%s\"}", last_id + 1,
        secret);
    say(c, "AUTH_REQUEST", payload);
}

/* On a core of its own it does not sleep: to wake it would cost the server's
 * core more than half of what an answer does, and its clients are elsewhere.
 * How long nobody had anything to say to it is how far it is from being what
 * holds the server up. */
static void run(void)
{
    const int pause_ms = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 0 : PATIENCE_MS;
    struct epoll_event events[128];
    uint64_t now, heard = now_ns();

    while ((now = now_ns()) < ends) {
        int n = epoll_wait(epoll, events, 128, pause_ms);

        if (n > 0)
            heard = now;
        else
            idle_ns += now_ns() - now;
        if (now - heard > PATIENCE_NS)
            die("nothing is said any more");
        for (int i = 0; i < n; i++) {
            if ((events[i].events & EPOLLOUT) != 0)
                leave(events[i].data.ptr);
            if ((events[i].events & ~(unsigned)EPOLLOUT) != 0)
                listen_to(events[i].data.ptr);
        }
    }
}

int main(int argc, char **argv)
{
    size_t n = argc == 7 ? strtoul(argv[4], NULL, 10) : 0;
    struct client *clients = calloc(n + 1, sizeof *clients);
    uint64_t seconds;

    if (n == 0 || clients == NULL)
        die("usage: lan HOST PORT SECRET CLIENTS BYTES SECONDS");
    secret = argv[3];
    carried_len = strtoul(argv[5], NULL, 10);
    carried = malloc(carried_len + 1);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    open_hmac();
    if (carried == NULL || epoll < 0)
        die("memory ran out");
    memset(carried, 'x', carried_len);
    carried[carried_len] = 0;
    seconds = strtoull(argv[6], NULL, 10);
    started = now_ns();
    make_request();
    ends = started + WARM_NS + seconds * 1000000000;
    samples_open(&seen, SAMPLES_MAX);
    for (size_t i = 0; i < n; i++)
        dial(&clients[i], argv[1], (int)strtol(argv[2], NULL, 10));
    run();
    printf("{\"clients\":%zu,\"bytes\":%zu,\"answers\":%" PRIu64
           ",\"per_second\":%.1f,\"busy\":%.2f,",
        n, carried_len, answers, (double)answers / (double)seconds,
        1 - (double)idle_ns / (double)(ends - started));
    samples_print(&seen, "answered_us");
    printf("}\n");
    return 0;
}
