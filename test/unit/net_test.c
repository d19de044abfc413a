#include "io/net.h"

#include <stdio.h>

#include "unit/net_world.h"

static struct world w;

static struct slice big(void)
{
    static uint8_t bytes[NET_FRAME_MAX];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 >> 3);
    return SLICE(bytes, sizeof bytes);
}

static void meet(const char *listen)
{
    world_init(&w, listen, NULL);
    world_connect(&w);
    CHECK_UINT(w.a.conn, 7);
    CHECK((w.b.conn & NET_INBOUND) != 0);
    CHECK(!w.a.inbound && w.b.inbound);
    CHECK(!w.a.pairing && !w.b.pairing);
    CHECK(device_eq(&w.a.device, identity_device(w.b.identity)));
    CHECK(device_eq(&w.b.device, identity_device(w.a.identity)));
    CHECK(device_eq(&w.a.device, &w.a.spki_device));
    CHECK(device_eq(&w.b.device, &w.b.spki_device));
    CHECK(netaddr_eq(&w.a.remote, &w.b.at));
    CHECK(netaddr_is_loopback(&w.b.remote));
    CHECK_BYTES(SLICE(w.a.exporter, 32), SLICE(w.b.exporter, 32));
    CHECK(net_stats(w.a.net)->sessions == 1);
    CHECK_OK(net_send(w.a.net, 7, SLICE_LIT("ping")));
    CHECK_OK(net_send(w.b.net, w.b.conn, SLICE_LIT("pong")));
    AWAIT(&w, w.a.frames == 1 && w.b.frames == 1);
    CHECK_SLICE(buf_slice(&w.a.last), "pong");
    CHECK_SLICE(buf_slice(&w.b.last), "ping");
    world_close(&w);
}

TEST(two_devices_meet_over_ipv4)
{
    meet("127.0.0.1:0");
}

TEST(two_devices_meet_over_ipv6)
{
    meet("[::1]:0");
}

TEST(each_connection_has_an_exporter_of_its_own)
{
    uint8_t first[TLS_EXPORTER_LEN];

    world_init(&w, "127.0.0.1:0", NULL);
    world_connect(&w);
    memcpy(first, w.a.exporter, sizeof first);
    CHECK_OK(net_dial(w.a.net, 8, &w.b.at, false));
    AWAIT(&w, w.b.ups == 2);
    CHECK(memcmp(first, w.b.exporter, sizeof first) != 0);
    CHECK_INT(net_dial(w.a.net, 8, &w.b.at, false), SYNCLINE_EEXIST);
    CHECK_INT(
        net_dial(w.a.net, NET_INBOUND | 1, &w.b.at, false), SYNCLINE_EINVAL);
    world_close(&w);
}

TEST(frames_of_all_sizes_there_and_back)
{
    static const size_t sizes[] = { 0, 1, 3, 4, 5, 16383, 16384, 16385, 65535,
        65536, 65537, 500000, NET_FRAME_MAX - 1, NET_FRAME_MAX };
    struct slice all = big();

    world_init(&w, "127.0.0.1:0", NULL);
    world_connect(&w);
    w.b.echo = true;
    for (unsigned i = 0; i < ARRAY_N(sizes); i++) {
        CHECK_OK(net_send(w.a.net, 7, SLICE(all.ptr, sizes[i])));
        AWAIT(&w, w.a.frames == i + 1);
        CHECK(slice_eq(buf_slice(&w.a.last), SLICE(all.ptr, sizes[i])));
    }
    CHECK_INT(net_send(w.a.net, 7, SLICE(all.ptr, NET_FRAME_MAX + 1)),
        SYNCLINE_EINVAL);
    CHECK_UINT(w.a.downs + w.b.downs, 0);
    world_close(&w);
}

/* What is sent in one turn of the loop leaves in few records: a record's
 * overhead of 22 bytes is paid for all of them together. */
TEST(many_small_frames_leave_together)
{
    uint64_t before;

    world_init(&w, "127.0.0.1:0", NULL);
    world_connect(&w);
    before = net_stats(w.a.net)->bytes_out;
    for (int i = 0; i < 1000; i++)
        CHECK_OK(net_send(w.a.net, 7, SLICE_LIT("0123456789")));
    AWAIT(&w, w.b.frames == 1000);
    CHECK_UINT(net_stats(w.a.net)->bytes_out - before, 14000 + 22);
    world_close(&w);
}

TEST(a_flush_does_not_wait_for_the_turn)
{
    uint64_t before;

    world_init(&w, "127.0.0.1:0", NULL);
    world_connect(&w);
    before = net_stats(w.a.net)->bytes_out;
    CHECK_OK(net_send(w.a.net, 7, SLICE_LIT("now")));
    CHECK_UINT(net_stats(w.a.net)->bytes_out, before);
    net_flush(w.a.net);
    CHECK(net_stats(w.a.net)->bytes_out > before);
    AWAIT(&w, w.b.frames == 1);
    world_close(&w);
}

TEST(closing_sends_what_is_queued_first)
{
    struct slice all = big();

    world_init(&w, "127.0.0.1:0", NULL);
    world_connect(&w);
    CHECK_OK(net_send(w.a.net, 7, all));
    CHECK_OK(net_send(w.a.net, 7, SLICE_LIT("bye")));
    net_close(w.a.net, 7, "finished here");
    CHECK_OK(net_send(w.a.net, 7, SLICE_LIT("too late")));
    CHECK_UINT(w.a.downs, 0); /* never from within a call */
    AWAIT(&w, w.a.downs == 1 && w.b.downs == 1);
    CHECK_UINT(w.b.frames, 2);
    CHECK_SLICE(buf_slice(&w.b.last), "bye");
    CHECK_SLICE(slice_str(w.a.reason), "finished here");
    CHECK(strstr(w.b.reason, "closed") != NULL);
    CHECK_UINT(w.b.down_conn, w.b.conn);
    CHECK_UINT(net_stats(w.a.net)->sessions, 0);
    CHECK_UINT(net_stats(w.b.net)->sessions, 0);
    CHECK_UINT(net_stats(w.b.net)->sessions_total, 1);
    world_close(&w);
}

/* The peer keeps sending while we close: what we said still arrives. */
TEST(closing_while_the_peer_sends_loses_nothing)
{
    struct slice all = big();

    world_init(&w, "127.0.0.1:0", NULL);
    world_connect(&w);
    for (int i = 0; i < 4; i++)
        CHECK_OK(net_send(w.b.net, w.b.conn, all));
    CHECK_OK(net_send(w.a.net, 7, SLICE_LIT("last words")));
    net_close(w.a.net, 7, "enough");
    AWAIT(&w, w.a.downs == 1 && w.b.downs == 1);
    CHECK_SLICE(buf_slice(&w.b.last), "last words");
    CHECK_UINT(w.a.frames, 0);
    world_close(&w);
}

TEST(closing_a_peer_that_does_not_answer_takes_the_linger_only)
{
    struct net_options opt = { .linger_ms = 50 };
    struct slice all = big();

    world_init(&w, "127.0.0.1:0", &opt);
    world_connect(&w);
    net_pause(w.b.net, true);
    for (int i = 0; i < 4; i++)
        CHECK_OK(net_send(w.a.net, 7, all));
    net_close(w.a.net, 7, "enough");
    AWAIT(&w, w.a.downs == 1);
    CHECK_SLICE(slice_str(w.a.reason), "enough");
    world_close(&w);
}

TEST(a_pause_holds_frames_back_and_loses_none)
{
    world_init(&w, "127.0.0.1:0", NULL);
    world_connect(&w);
    w.b.pause_at_one = true;
    for (int i = 0; i < 100; i++)
        CHECK_OK(net_send(w.a.net, 7, SLICE_LIT("frame")));
    AWAIT(&w, w.b.frames == 1);
    for (int i = 0; i < 100; i++)
        CHECK_OK(net_send(w.a.net, 7, SLICE_LIT("frame")));
    world_run_ms(&w, 30);
    CHECK_UINT(w.b.frames, 1);
    w.b.pause_at_one = false;
    net_pause(w.b.net, false);
    CHECK_UINT(w.b.frames, 1);
    AWAIT(&w, w.b.frames == 200);
    world_close(&w);
}

TEST(a_pause_does_not_hold_up_a_handshake)
{
    world_init(&w, "127.0.0.1:0", NULL);
    net_pause(w.b.net, true);
    net_pause(w.a.net, true);
    world_connect(&w);
    CHECK_OK(net_send(w.a.net, 7, SLICE_LIT("x")));
    world_run_ms(&w, 30);
    CHECK_UINT(w.b.frames, 0);
    net_pause(w.b.net, false);
    AWAIT(&w, w.b.frames == 1);
    world_close(&w);
}

/* R33: at most the bound and one frame wait, then the reader is dropped. */
TEST(a_stalled_reader_is_dropped)
{
    struct net_options opt = { .queue_max = 1 << 20 };
    struct slice all = big();
    int sent = 0;

    world_init(&w, "127.0.0.1:0", &opt);
    world_connect(&w);
    net_pause(w.b.net, true);
    world_run_ms(&w, 5);
    for (; w.a.downs == 0 && sent < 100; sent++) {
        CHECK_OK(net_send(w.a.net, 7, all));
        uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    CHECK(w.a.downs == 1);
    CHECK(sent >= 2);
    CHECK(strstr(w.a.reason, "too slowly") != NULL);
    net_pause(w.b.net, false);
    AWAIT(&w, w.b.downs == 1);
    world_close(&w);
}

TEST(a_dial_that_finds_nobody_ends_in_on_down)
{
    struct netaddr gone;

    world_init(&w, "127.0.0.1:0", NULL);
    gone = w.b.at;
    net_free(w.b.net);
    w.b.net = NULL;
    CHECK_OK(net_dial(w.a.net, 3, &gone, false));
    CHECK_UINT(w.a.downs, 0);
    AWAIT(&w, w.a.downs == 1);
    CHECK_UINT(w.a.down_conn, 3);
    CHECK(strstr(w.a.reason, "refused") != NULL);
    gone.family = 0;
    CHECK_OK(net_dial(w.a.net, 3, &gone, false));
    CHECK_UINT(w.a.downs, 1);
    AWAIT(&w, w.a.downs == 2);
    world_close(&w);
}

TEST(a_dial_can_be_called_off)
{
    world_init(&w, "127.0.0.1:0", NULL);
    CHECK_OK(net_dial(w.a.net, 3, &w.b.at, false));
    net_close(w.a.net, 3, "called off");
    AWAIT(&w, w.a.downs == 1);
    CHECK_SLICE(slice_str(w.a.reason), "called off");
    CHECK_UINT(w.a.ups, 0);
    world_close(&w);
}

TEST(a_port_in_use_is_said)
{
    struct errmsg why = { "" };
    char at[NETADDR_TEXT];

    world_init(&w, "127.0.0.1:0", NULL);
    CHECK_INT(net_listen(w.a.net, &w.b.at, NULL, &why), SYNCLINE_EBUSY);
    netaddr_format(at, &w.b.at);
    CHECK(strstr(why.text, at) != NULL);
    CHECK(strstr(why.text, "in use") != NULL);
    world_close(&w);
}

TEST(both_families_on_one_port)
{
    struct netaddr six;

    world_init(&w, "0.0.0.0:0", NULL);
    CHECK_OK(netaddr_parse(&six, SLICE_LIT("::"), w.b.at.port, NULL));
    CHECK_OK(net_listen(w.b.net, &six, &six, NULL));
    CHECK_UINT(six.port, w.b.at.port);
    CHECK_OK(netaddr_parse(&w.b.at, SLICE_LIT("127.0.0.1"), six.port, NULL));
    CHECK_OK(netaddr_parse(&six, SLICE_LIT("::1"), six.port, NULL));
    CHECK_OK(net_dial(w.a.net, 1, &w.b.at, false));
    AWAIT(&w, w.b.ups == 1);
    CHECK_UINT(w.b.remote.family, 4);
    CHECK_OK(net_dial(w.a.net, 2, &six, false));
    AWAIT(&w, w.b.ups == 2);
    CHECK_UINT(w.b.remote.family, 6);
    world_close(&w);
}

/* R14: a member that is removed loses its sessions. */
TEST(a_removed_member_is_dropped)
{
    world_init(&w, "127.0.0.1:0", NULL);
    world_connect(&w);
    net_recheck(w.b.net);
    world_run_ms(&w, 20);
    CHECK_UINT(w.b.downs, 0);
    w.b.admits = false;
    net_recheck(w.b.net);
    AWAIT(&w, w.a.downs == 1 && w.b.downs == 1);
    CHECK(strstr(w.b.reason, "no longer admitted") != NULL);
    world_close(&w);
}

/* R1: the server never comes up; the client, whose own handshake ends first,
 * gets no byte and learns why. */
TEST(an_unpinned_client_gets_nothing)
{
    world_init(&w, "127.0.0.1:0", NULL);
    w.b.admits = false;
    CHECK_OK(net_dial(w.a.net, 7, &w.b.at, false));
    AWAIT(&w, w.a.downs == 1);
    CHECK_UINT(w.b.ups, 0);
    CHECK_UINT(w.b.downs, 0);
    CHECK_UINT(w.a.frames, 0);
    CHECK(w.b.asked > 0);
    CHECK(strstr(w.a.reason, "does not admit") != NULL);
    CHECK_UINT(net_stats(w.b.net)->refused, 1);
    CHECK_UINT(net_stats(w.b.net)->half_open, 0);
    world_close(&w);
}

TEST(an_unpinned_server_gets_nothing)
{
    world_init(&w, "127.0.0.1:0", NULL);
    w.a.admits = false;
    CHECK_OK(net_dial(w.a.net, 7, &w.b.at, false));
    AWAIT(&w, w.a.downs == 1);
    CHECK_UINT(w.a.ups, 0);
    CHECK(strstr(w.a.reason, "not a member") != NULL);
    AWAIT(&w, net_stats(w.b.net)->refused == 1);
    CHECK_UINT(w.b.ups, 0);
    world_close(&w);
}

TEST(pairing_is_admitted_apart)
{
    world_init(&w, "127.0.0.1:0", NULL);
    w.a.admits = w.b.admits = false;
    CHECK_OK(net_dial(w.a.net, 7, &w.b.at, true));
    AWAIT(&w, w.a.ups == 1 && w.b.ups == 1);
    CHECK(w.a.pairing && w.b.pairing);
    CHECK_BYTES(SLICE(w.a.exporter, 32), SLICE(w.b.exporter, 32));
    w.b.admits_pairing = false;
    CHECK_OK(net_dial(w.a.net, 8, &w.b.at, true));
    AWAIT(&w, w.a.downs == 1);
    CHECK_UINT(w.a.down_conn, 8);
    CHECK_UINT(w.b.ups, 1);
    w.b.admits = true; /* which does not let pairing in */
    CHECK_OK(net_dial(w.a.net, 9, &w.b.at, true));
    AWAIT(&w, w.a.downs == 2);
    CHECK_UINT(w.b.ups, 1);
    world_close(&w);
}

TEST(freeing_a_net_with_everything_under_way)
{
    world_init(&w, "127.0.0.1:0", NULL);
    world_connect(&w);
    CHECK_OK(net_dial(w.a.net, 8, &w.b.at, false));
    CHECK_OK(net_send(w.a.net, 7, big()));
    net_flush(w.a.net);
    net_close(w.a.net, 7, "x");
    CHECK_OK(net_send(w.b.net, w.b.conn, big()));
    world_close(&w);
    net_free(NULL);
}
