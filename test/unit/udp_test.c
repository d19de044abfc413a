#include "io/udp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/check.h"

/* Everything stays on the loopback interface. Some containers have no
 * multicast there; what needs it says so and is skipped. */

struct ear {
    struct udp *udp;
    unsigned heard, heard4, heard6, warned;
    struct netaddr from;
    uint8_t last[UDP_DATAGRAM_MAX];
    size_t last_len;
    char warning[256];
};

static uv_loop_t loop;
static uv_timer_t limit;
static bool late;

static void on_limit(uv_timer_t *timer)
{
    (void)timer;
    late = true;
}

static void begin(void)
{
    CHECK_INT(uv_loop_init(&loop), 0);
    CHECK_INT(uv_timer_init(&loop, &limit), 0);
}

static void finish(void)
{
    uv_close((uv_handle_t *)&limit, NULL);
    CHECK_INT(uv_run(&loop, UV_RUN_DEFAULT), 0);
    CHECK_INT(uv_loop_close(&loop), 0);
}

static void run_ms(uint64_t ms)
{
    late = false;
    CHECK_INT(uv_timer_start(&limit, on_limit, ms, 0), 0);
    while (!late)
        uv_run(&loop, UV_RUN_ONCE);
}

#define AWAIT(what)                                              \
    do {                                                         \
        late = false;                                            \
        CHECK_INT(uv_timer_start(&limit, on_limit, 5000, 0), 0); \
        while (!(what)) {                                        \
            CHECK_SAYING(!late, "never: %s", #what);             \
            uv_run(&loop, UV_RUN_ONCE);                          \
        }                                                        \
    } while (0)

static void on_datagram(
    void *ctx, const struct netaddr *from, struct slice bytes)
{
    struct ear *e = ctx;

    e->heard++;
    *(from->family == 4 ? &e->heard4 : &e->heard6) += 1;
    e->from = *from;
    memcpy(e->last, bytes.ptr, bytes.len);
    e->last_len = bytes.len;
}

static void on_warn(void *ctx, const char *text)
{
    struct ear *e = ctx;

    e->warned++;
    snprintf(e->warning, sizeof e->warning, "%s", text);
}

/* Each test process has a port of its own. */
static uint16_t port(void)
{
    return (uint16_t)(20000 + getpid() % 20000);
}

static void listen_to(struct ear *e, const char *interface, uint64_t per_s)
{
    struct udp_options opt = { .loop = &loop,
        .per_s = per_s,
        .per_ip = per_s,
        .port = port(),
        .interface = interface,
        .ctx = e,
        .on_datagram = on_datagram,
        .on_warn = on_warn };
    struct errmsg why;

    memset(e, 0, sizeof *e);
    CHECK_OK(udp_new(&e->udp, &opt, &why));
}

static void listen_on(struct ear *e, const char *interface)
{
    listen_to(e, interface, 1000000);
}

/* Two nodes on one machine share the port and hear each other, and each
 * hears itself. IPv6 is not asked for: on lo few machines route it. */
TEST(a_beacon_is_heard_by_all)
{
    static uint8_t bytes[UDP_DATAGRAM_MAX];
    struct ear a, b;

    memset(bytes, 0xab, sizeof bytes);
    begin();
    listen_on(&a, "lo");
    listen_on(&b, "lo");
    CHECK_UINT(udp_joined(a.udp), udp_joined(b.udp));
    if (udp_joined(a.udp) == 0) {
        printf("# skipped: no multicast on lo here\n");
    } else {
        CHECK_UINT(a.warned, 0);
        CHECK_OK(udp_multicast(a.udp, SLICE(bytes, sizeof bytes)));
        AWAIT(a.heard4 == 1 && b.heard4 == 1);
        CHECK_BYTES(SLICE(b.last, b.last_len), SLICE(bytes, sizeof bytes));
        CHECK_UINT(b.from.port, port());
        CHECK_UINT(b.from.scope, 0);
    }
    udp_free(a.udp);
    udp_free(b.udp);
    finish();
}

TEST(a_datagram_too_large_is_not_sent)
{
    static uint8_t bytes[UDP_DATAGRAM_MAX + 1];
    struct netaddr to = { .family = 4, .addr = { 127, 0, 0, 1 } };
    struct ear a;

    begin();
    listen_on(&a, "lo");
    CHECK_INT(
        udp_multicast(a.udp, SLICE(bytes, sizeof bytes)), SYNCLINE_EINVAL);
    CHECK_INT(
        udp_send(a.udp, &to, SLICE(bytes, sizeof bytes)), SYNCLINE_EINVAL);
    to.family = 0;
    CHECK_INT(udp_send(a.udp, &to, SLICE(bytes, 1)), SYNCLINE_EINVAL);
    udp_free(a.udp);
    finish();
}

static void send_raw(int ttl, size_t len)
{
    static uint8_t bytes[UDP_DATAGRAM_MAX + 1];
    struct sockaddr_in to = { .sin_family = AF_INET,
        .sin_port = htons(port()) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(fd >= 0);
    CHECK(setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl) == 0);
    CHECK(sendto(fd, bytes, len, 0, (struct sockaddr *)&to, sizeof to) ==
        (ssize_t)len);
    (void)close(fd);
}

/* Unicast reaches us, but not with a TTL that may have come from afar, and
 * not what is larger than any beacon. */
TEST(what_may_come_from_afar_is_dropped)
{
    struct ear a;

    begin();
    listen_on(&a, "lo");
    send_raw(64, 10);
    send_raw(2, 10);
    send_raw(255, 10);
    send_raw(1, UDP_DATAGRAM_MAX + 1);
    send_raw(1, 7);
    AWAIT(a.heard > 0);
    run_ms(5);
    CHECK_UINT(a.heard, 1);
    CHECK_UINT(a.last_len, 7);
    udp_free(a.udp);
    finish();
}

TEST(unicast_both_families)
{
    struct netaddr four = { .family = 4, .addr = { 127, 0, 0, 1 } };
    struct netaddr six = { .family = 6, .addr = { [15] = 1 } };
    struct ear a;

    begin();
    listen_on(&a, "lo");
    four.port = six.port = port();
    CHECK_OK(udp_send(a.udp, &four, SLICE_LIT("four")));
    AWAIT(a.heard4 == 1);
    CHECK_SLICE(SLICE(a.last, a.last_len), "four");
    CHECK_OK(udp_send(a.udp, &six, SLICE_LIT("six")));
    AWAIT(a.heard6 == 1);
    CHECK_SLICE(SLICE(a.last, a.last_len), "six");
    udp_free(a.udp);
    finish();
}

TEST(a_storm_does_not_hold_the_loop)
{
    struct ear a;

    begin();
    listen_on(&a, "lo");
    for (int i = 0; i < 300; i++)
        send_raw(1, 20);
    AWAIT(a.heard > 0);
    CHECK(a.heard <= 128); /* the loop had its turn */
    run_ms(20);
    CHECK(a.heard > 128);
    udp_free(a.udp);
    finish();
}

/* Who sends too much is passed over, and told apart from others. */
TEST(a_flood_is_cut)
{
    struct netaddr at = { .family = 6, .addr = { [15] = 1 }, .port = port() };
    struct ear a;

    begin();
    listen_to(&a, "lo", 0);
    for (int i = 0; i < 100; i++)
        send_raw(1, 20);
    AWAIT(udp_dropped(a.udp) + a.heard == 100);
    CHECK(a.heard >= 40 && a.heard < 60);
    CHECK_OK(udp_send(a.udp, &at, SLICE_LIT("six")));
    AWAIT(a.heard6 == 1);
    udp_free(a.udp);
    finish();
}

TEST(no_such_interface_is_said_once_and_harms_nothing)
{
    struct ear a;

    begin();
    listen_on(&a, "nosuchif0");
    CHECK_UINT(udp_joined(a.udp), 0);
    CHECK_UINT(a.warned, 1);
    CHECK(strstr(a.warning, "--interface") != NULL);
    CHECK_OK(udp_multicast(a.udp, SLICE_LIT("nobody")));
    udp_free(a.udp);
    udp_free(NULL);
    finish();
}

TEST(a_port_that_somebody_keeps_to_himself)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    struct udp_options opt = { .loop = &loop, .on_datagram = on_datagram };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof at;
    struct errmsg why = { "" };
    struct udp *u = NULL;

    begin();
    CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    opt.port = ntohs(at.sin_port);
    CHECK_INT(udp_new(&u, &opt, &why), SYNCLINE_EBUSY);
    CHECK(u == NULL && strstr(why.text, "in use") != NULL);
    (void)close(fd);
    finish();
}
