/* iSync nodes: who is heard, who is told, and what is not said twice. */
#include <stdio.h>
#include <stdlib.h>

#include "faces/isync/mesh.h"
#include "unit/check.h"
#include "unit/isync_vectors.h"
#include "unit/isync_world.h"

#define THEME "config._id.theme"

TEST(only_callers_say_hello_and_only_who_is_called_answers)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false);
    uint64_t caller = world_link(&w, -1, a), called = world_link(&w, a, -1);

    world_say(&w, caller, a, "handshake_response",
        "[{'node_id':'x','status':'accepted'}]");
    world_say(&w, called, a, "peer_handshake", "[{'node_id':'y'}]");
    world_say(&w, called, a, "handshake_response",
        "[{'node_id':'y','status':'full'}]");
    world_run(&w, 5 * SEC);
    CHECK_UINT(isync_mesh_peers(w.nodes[a].mesh), 0);
    world_say(&w, called, a, "handshake_response",
        "[{'node_id':'y','status':'accepted'}]");
    world_run(&w, 5 * SEC);
    CHECK_UINT(isync_mesh_peers(w.nodes[a].mesh), 1);
    CHECK_UINT(w.packets, 1);
    /* Once more is nothing new. */
    world_say(&w, called, a, "handshake_response",
        "[{'node_id':'y','status':'accepted'}]");
    world_run(&w, 5 * SEC);
    CHECK_UINT(w.packets, 1);
    world_free(&w);
}

TEST(who_was_told_just_now_is_not_told_because_another_asks)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false);
    uint64_t x = world_link(&w, -1, a), y = world_link(&w, -1, a);

    world_say(&w, x, a, "peer_handshake", "[{'node_id':'x'}]");
    world_say(&w, y, a, "peer_handshake", "[{'node_id':'y'}]");
    world_run(&w, 10 * SEC);
    world_say(&w, x, a, "request_sync", "[]");
    world_run(&w, 2 * SEC);
    CHECK_UINT(w.packets, 4);
    world_say(&w, x, a, "request_sync", "[]");
    world_run(&w, 10 * SEC);
    CHECK_UINT(w.packets, 5);
    world_free(&w);
}

/* Ten messages of a megabyte a second are what a Syncline says; three times as
 * much is too much, and is not even parsed. */
TEST(what_a_link_says_is_bounded_in_bytes_too)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false);
    uint64_t x = world_link(&w, -1, a);
    struct isync_time now = world_now(&w);
    size_t heard = 0;

    for (int i = 0; i < 200; i++, now.mono_us += 100 * MS)
        CHECK(isync_mesh_hears(w.nodes[a].mesh, x, 1000000, now));
    CHECK_UINT(w.nodes[a].violations, 0);
    for (int i = 0; i < 600; i++, now.mono_us += 34 * MS)
        heard += isync_mesh_hears(w.nodes[a].mesh, x, 1000000, now);
    CHECK(heard > 200 && heard < 300);
    CHECK_UINT(isync_mesh_counts(w.nodes[a].mesh)->dropped, 600 - heard);
    CHECK(w.nodes[a].violations > 0);
    now.mono_us += 10 * SEC;
    CHECK(isync_mesh_hears(w.nodes[a].mesh, x, 1000000, now));
    world_cut(&w, x);
    CHECK(!isync_mesh_hears(w.nodes[a].mesh, x, 10, now));
    world_free(&w);
}

TEST(another_interval_holds_at_once)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false);
    uint64_t x = world_link(&w, -1, a), packets;

    world_say(&w, x, a, "peer_handshake", "[{'node_id':'x'}]");
    world_run(&w, 5 * SEC);
    packets = w.packets;
    isync_mesh_set_interval(w.nodes[a].mesh, 2 * SEC, world_now(&w));
    world_run(&w, 10 * SEC);
    CHECK_UINT(w.packets, packets + 5);
    isync_mesh_set_interval(w.nodes[a].mesh, 0, world_now(&w));
    world_run(&w, 40 * SEC);
    CHECK(w.packets <= packets + 7);
    world_free(&w);
}

/* By one of another time, say; what it passes on of others does not count. */
TEST(who_has_another_token_is_known_as_such)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", "u", false);
    int c = world_add(&w, "c", "t", false);
    uint64_t ab = world_link(&w, b, a), ca;

    world_put(&w, b, THEME, "'dark'");
    world_run(&w, 5 * SEC);
    CHECK(isync_mesh_is_unread(w.nodes[a].mesh, ab));
    ca = world_link(&w, c, a);
    world_put(&w, c, "config._id.x", "1");
    world_run(&w, 5 * SEC);
    CHECK(!isync_mesh_is_unread(w.nodes[a].mesh, ca));
    CHECK(!isync_mesh_is_unread(w.nodes[c].mesh, ca));
    CHECK(isync_mesh_counts(w.nodes[c].mesh)->unread > 0);
    world_token(&w, b, "t");
    world_run(&w, 60 * SEC);
    CHECK(!isync_mesh_is_unread(w.nodes[a].mesh, ab));
    CHECK(!isync_mesh_is_unread(w.nodes[a].mesh, 99));
    world_check_same(&w);
    world_free(&w);
}

/* Who writes without a pause is heard all the same. */
TEST(gathering_comes_to_an_end)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", "t", false);

    world_link(&w, a, b);
    world_run(&w, 5 * SEC);
    for (int i = 0; i < 20; i++) {
        char value[8];

        (void)snprintf(value, sizeof value, "%d", i);
        world_put(&w, a, THEME, value);
        world_run(&w, 30 * MS);
    }
    CHECK(world_value(&w, b, THEME).len == 2); /* one of the later ones */
    world_free(&w);
}

TEST(what_one_has_brought_goes_to_the_others_and_not_back)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", "t", false);
    int c = world_add(&w, "c", "t", false);
    uint64_t packets;

    world_link(&w, a, b);
    world_link(&w, c, b);
    world_run(&w, 5 * SEC);
    packets = w.packets;
    world_put(&w, a, THEME, "'dark'");
    world_run(&w, SEC);
    CHECK_SLICE(world_value(&w, c, THEME), "\"dark\"");
    CHECK_UINT(w.packets, packets + 2);
    world_free(&w);
}

TEST(a_foreign_packet_does_not_go_back_to_who_has_brought_it)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", NULL, false);
    int c = world_add(&w, "c", NULL, false);

    world_link(&w, a, b);
    world_link(&w, b, c);
    world_put(&w, a, THEME, "'dark'");
    world_run(&w, 10 * SEC);
    CHECK_UINT(isync_mesh_counts(w.nodes[c].mesh)->held, 1);
    CHECK_UINT(isync_mesh_counts(w.nodes[c].mesh)->relayed, 0);
    CHECK_UINT(isync_mesh_counts(w.nodes[b].mesh)->relayed, 1);
    world_free(&w);
}

TEST(who_comes_back_is_not_told_what_it_has_said_itself)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", NULL, false);
    uint64_t link = world_link(&w, a, b);

    world_run(&w, 10 * SEC);
    world_cut(&w, link);
    world_link(&w, a, b);
    world_run(&w, 10 * SEC);
    CHECK_UINT(isync_mesh_counts(w.nodes[a].mesh)->received, 0);
    world_free(&w);
}

TEST(what_names_us_as_its_source_is_passed_over)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", NULL, true);
    uint64_t x = world_link(&w, -1, a);

    world_say(&w, x, a, "sync_data",
        "[{'source_node':'a','data':{'node_id':'b','vector_clock':{},"
        "'lww_registers':{'config._id.theme':{'node_id':'b','value':1,"
        "'timestamp':5}},'deleted_keys':{'elements':[]}}}]");
    world_run(&w, SEC);
    CHECK_SLICE(world_value(&w, a, THEME), "");
    CHECK_UINT(isync_mesh_counts(w.nodes[a].mesh)->echoes, 1);
    world_free(&w);
}

/* A record that says what stands here is no reason for a new stamp. */
TEST(a_record_that_says_the_same_is_no_write)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", NULL, true);
    uint64_t x = world_link(&w, -1, a);
    struct isync_register r;

    world_put(&w, a, THEME, "'dark'");
    world_run(&w, SEC);
    world_say(&w, x, a, "sync_data",
        "[{'source_node':'p','timestamp':1795176005,'data':{'config':{'_id':{"
        "'id':'_id','theme':'dark'}}}}]");
    world_run(&w, 10 * SEC);
    CHECK_OK(isync_state_get(
        isync_mesh_state(w.nodes[a].mesh), SLICE_LIT(THEME), &r));
    CHECK_SLICE(r.node, "a");
    world_free(&w);
}

/* What no packet can carry in clear is left out of it, and nothing else is;
 * sealed it goes. */
TEST(an_item_that_is_too_large_is_left_out_alone)
{
    struct world w = { 0 };
    int clear = world_add(&w, "clear", "t", true);
    int sealed = world_add(&w, "sealed", "t", false);
    int there = world_add(&w, "there", "t", false);
    struct buf value = { 0 };

    buf_put_u8(&value, '\'');
    for (int i = 0; i < 130000; i++)
        buf_put_str(&value, "\xc3\xb1"); /* six bytes of ASCII each */
    buf_put(&value, "'\0", 2);
    world_put(&w, clear, "config._id.large", (const char *)value.ptr);
    world_put(&w, clear, THEME, "'dark'");
    world_put(&w, sealed, "config._id.other", (const char *)value.ptr);
    world_link(&w, clear, there);
    world_link(&w, sealed, there);
    world_run(&w, 10 * SEC);
    CHECK_SLICE(world_value(&w, there, THEME), "\"dark\"");
    CHECK_SLICE(world_value(&w, there, "config._id.large"), "");
    CHECK(world_value(&w, there, "config._id.other").len > 260000);
    CHECK(isync_mesh_counts(w.nodes[clear].mesh)->left_out > 0);
    buf_free(&value);
    world_free(&w);
}
