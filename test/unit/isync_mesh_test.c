/* iSync nodes among themselves: what is said when, and what becomes of it. */
#include "unit/isync_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"
#include "unit/check.h"
#include "unit/isync_vectors.h"

#define THEME "config._id.theme"

/* ---- when what is said ---- */

/* The drawing in the specification of the older system, by the millisecond: 5
 * of them each way. */
TEST(a_session_goes_as_drawn)
{
    struct world w = { 0 };
    int client = world_add(&w, "client", "t", false);
    int server = world_add(&w, "server", "t", false);

    w.nodes[client].is_listening = w.nodes[server].is_listening = true;
    world_link(&w, client, server);
    world_run(&w, 70 * SEC);
    CHECK_SLICE(buf_slice(&w.nodes[server].heard),
        "5 peer_handshake;15 request_sync;2015 sync_data;32015 sync_data;"
        "62015 sync_data;");
    CHECK_SLICE(buf_slice(&w.nodes[client].heard),
        "5 node_info;10 handshake_response;20 sync_data;30020 sync_data;"
        "60020 sync_data;");
    CHECK_SLICE(
        slice_str(isync_mesh_node_of(w.nodes[server].mesh, 1)), "client");
    CHECK_SLICE(
        slice_str(isync_mesh_node_of(w.nodes[client].mesh, 1)), "server");
    CHECK_UINT(isync_mesh_peers(w.nodes[server].mesh), 1);
    world_free(&w);
}

/* An original client asks for nothing, and is told a second later. */
TEST(who_asks_for_nothing_is_told_after_a_second)
{
    struct world w = { 0 };
    int server = world_add(&w, "server", "t", false);
    uint64_t link = world_link(&w, -1, server);

    world_say(&w, link, server, "peer_handshake", "[{'node_id':'icontrol-1'}]");
    world_run(&w, 900 * MS);
    CHECK_UINT(w.packets, 0);
    world_run(&w, 200 * MS);
    CHECK_UINT(w.packets, 1);
    world_free(&w);
}

TEST(changes_go_at_once_and_many_as_one)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", "t", false);
    uint64_t packets;

    world_link(&w, a, b);
    world_run(&w, 5 * SEC);
    packets = w.packets;
    for (int i = 0; i < 20; i++) {
        char key[40];

        (void)snprintf(key, sizeof key, "config._id.key%d", i);
        world_put(&w, i % 2 == 0 ? a : b, key, "1");
    }
    world_run(&w, 100 * MS);
    CHECK_UINT(w.packets, packets + 2); /* one each way, and no echo */
    world_check_same(&w);
    world_free(&w);
}

TEST(who_asks_is_told_and_so_are_the_others)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false);
    uint64_t x, y;

    x = world_link(&w, -1, a);
    y = world_link(&w, -1, a);
    world_say(&w, x, a, "peer_handshake", "[{'node_id':'x'}]");
    world_say(&w, y, a, "peer_handshake", "[{'node_id':'y'}]");
    world_run(&w, 10 * SEC);
    CHECK_UINT(w.packets, 2);
    world_say(&w, x, a, "request_sync", "[]");
    world_run(&w, 100 * MS);
    CHECK_UINT(w.packets, 4);
    /* Not as often as one likes. */
    for (int i = 0; i < 20; i++)
        world_say(&w, x, a, "request_sync", "[]");
    world_run(&w, 2 * SEC);
    CHECK_UINT(w.packets, 5);
    world_free(&w);
}

TEST(all_are_told_when_the_user_says_so)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", "t", false);
    uint64_t packets;

    world_link(&w, a, b);
    world_run(&w, 5 * SEC);
    packets = w.packets;
    isync_mesh_push(w.nodes[a].mesh, world_now(&w));
    world_run(&w, 100 * MS);
    CHECK_UINT(w.packets, packets + 1);
    world_free(&w);
}

/* ---- who is who ---- */

TEST(the_second_caller_of_a_name_replaces_the_first)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false);
    uint64_t x = world_link(&w, -1, a), y = world_link(&w, -1, a);

    world_say(&w, x, a, "peer_handshake", "[{'node_id':'x'}]");
    world_run(&w, 5 * SEC);
    world_say(&w, y, a, "peer_handshake", "[{'node_id':'x'}]");
    world_run(&w, 5 * SEC);
    CHECK(!w.links[x - 1].is_open && w.links[y - 1].is_open);
    CHECK_UINT(isync_mesh_peers(w.nodes[a].mesh), 1);
    world_free(&w);
}

TEST(handshakes_that_are_none_are_passed_over)
{
    static const char *const bad[] = { "[]", "[{}]", "[{'node_id':7}]",
        "[{'node_id':''}]", "[{'node_id':'a'}]", "[{'node_id':'\\u0000'}]",
        "['x']", "[null]" };
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false);
    uint64_t x = world_link(&w, -1, a);

    for (size_t i = 0; i < ARRAY_N(bad); i++)
        world_say(&w, x, a, "peer_handshake", bad[i]);
    world_say(&w, x, a, "nothing_we_know", "[1,2]");
    world_run(&w, 5 * SEC);
    CHECK_UINT(isync_mesh_peers(w.nodes[a].mesh), 0);
    CHECK(w.links[x - 1].is_open);
    CHECK_UINT(w.nodes[a].violations, 3);
    CHECK_UINT(w.packets, 0);
    world_free(&w);
}

TEST(who_calls_itself_hangs_up)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false);
    uint64_t x = world_link(&w, a, -1);

    world_say(&w, x, a, "node_info", "[{'node_id':'a'}]");
    world_run(&w, SEC);
    CHECK(!w.links[x - 1].is_open);
    world_free(&w);
}

/* ---- what is readable ---- */

TEST(without_a_token_and_not_clear_nothing_is_said)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", NULL, false), b = world_add(&w, "b", "t", false);

    world_link(&w, a, b);
    world_put(&w, a, THEME, "'dark'");
    world_run(&w, 70 * SEC);
    CHECK_UINT(isync_mesh_counts(w.nodes[a].mesh)->sent, 0);
    CHECK_UINT(isync_mesh_counts(w.nodes[b].mesh)->received, 0);
    /* From when it has one it says what it has. */
    world_token(&w, a, "t");
    isync_mesh_tick(w.nodes[a].mesh, world_now(&w));
    world_run(&w, SEC);
    world_check_same(&w);
    world_free(&w);
}

TEST(clear_nodes_understand_each_other_without_a_token)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", NULL, true), b = world_add(&w, "b", NULL, true);

    world_put(&w, a, THEME, "'dark'");
    world_put(&w, b, "config.user_id.value", "{'x':[1.5,null]}");
    world_link(&w, a, b);
    world_run(&w, 5 * SEC);
    world_check_same(&w);
    CHECK_SLICE(world_value(&w, b, THEME), "\"dark\"");
    CHECK_UINT(isync_mesh_counts(w.nodes[b].mesh)->unread, 0);
    world_free(&w);
}

TEST(who_refuses_what_is_clear_reads_what_is_sealed)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", NULL, true);
    int c = world_add(&w, "c", "t", true);

    isync_mesh_set_clear(w.nodes[a].mesh, false, true);
    world_put(&w, b, "config._id.of_b", "1");
    world_put(&w, c, "config._id.of_c", "1");
    world_link(&w, b, a);
    world_run(&w, 5 * SEC);
    CHECK_SLICE(world_value(&w, a, "config._id.of_b"), "");
    world_link(&w, c, a);
    world_run(&w, 5 * SEC);
    CHECK_SLICE(world_value(&w, a, "config._id.of_c"), "1");
    world_free(&w);
}

/* The published packets, said to a node. */
TEST(all_kinds_of_packets_are_taken)
{
    struct arena mem = { 0 };
    struct world w = { 0 };
    int sealed = world_add(&w, "sealed", "my-secret-token", false);
    int clear = world_add(&w, "clear", NULL, true);
    uint64_t x = world_link(&w, -1, sealed), y = world_link(&w, -1, clear);
    struct json *args = json_new(&mem, JSON_ARRAY);

    json_append(
        args, json_get(isync_vector(&mem, "I.packet.encrypted"), "packet"));
    isync_mesh_event(
        w.nodes[sealed].mesh, x, SLICE_LIT("sync_data"), args, world_now(&w));
    CHECK_SLICE(
        world_value(&w, sealed, "config._id.lang"), "\"espa\xc3\xb1ol\"");
    CHECK(isync_state_is_deleted(
        isync_mesh_state(w.nodes[sealed].mesh), SLICE_LIT("config._id.old")));
    args = json_new(&mem, JSON_ARRAY);
    json_append(
        args, json_get(isync_vector(&mem, "I.combined_packet"), "packet"));
    for (int i = 0; i < 2; i++)
        isync_mesh_event(w.nodes[i].mesh, i == 0 ? x : y,
            SLICE_LIT("sync_data"), args, world_now(&w));
    CHECK_SLICE(world_value(&w, sealed, THEME), "\"blue\"");
    CHECK_SLICE(world_value(&w, clear, THEME), "\"blue\"");
    CHECK_UINT(isync_mesh_counts(w.nodes[clear].mesh)->held, 1);
    CHECK_UINT(isync_mesh_counts(w.nodes[sealed].mesh)->held, 0);
    world_say(&w, y, clear, "sync_data",
        "[{'_encrypted':true,'source_node':'icontrol-1','timestamp':1728123457,"
        "'data':{'config':{'user_id':{'id':'user_id','value':'x'},"
        "'n1':{'id':'n1','v':'ignored'},'bad':7}}}]");
    world_run(&w, SEC);
    CHECK_SLICE(world_value(&w, clear, "config.user_id.value"), "\"x\"");
    CHECK_SLICE(world_value(&w, clear, "config.n1.v"), "");
    CHECK_SLICE(world_value(&w, clear, "config.user_id.id"), "");
    CHECK_UINT(w.nodes[clear].violations, 0);
    CHECK_UINT(w.nodes[clear].applied, 2);
    world_free(&w);
    arena_free(&mem);
}

/* A client that sends all its records again and again, with new times, has not
 * written them again. */
TEST(records_that_are_said_again_are_not_written_again)
{
    static const char old[] =
        "[{'source_node':'p','timestamp':%d,'data':{'config':{'_id':{"
        "'id':'_id','theme':'%s'}}}}]";
    struct world w = { 0 };
    int a = world_add(&w, "a", NULL, true);
    uint64_t x = world_link(&w, -1, a);
    const int start = (int)(WORLD_WALL_US / SEC);
    char text[256];

    (void)snprintf(text, sizeof text, old, start, "dark");
    world_say(&w, x, a, "sync_data", text);
    world_run(&w, 10 * SEC);
    CHECK_SLICE(world_value(&w, a, THEME), "\"dark\"");
    world_put(&w, a, THEME, "'light'");
    (void)snprintf(text, sizeof text, old, start + 30, "dark");
    world_say(&w, x, a, "sync_data", text);
    world_run(&w, 10 * SEC);
    CHECK_SLICE(world_value(&w, a, THEME), "\"light\"");
    (void)snprintf(text, sizeof text, old, start + 60, "blue");
    world_say(&w, x, a, "sync_data", text);
    world_run(&w, 10 * SEC);
    CHECK_SLICE(world_value(&w, a, THEME), "\"blue\"");
    world_free(&w);
}

/* A field counts from when its record has an `_id` somewhere. */
TEST(a_record_that_gets_an_id_is_told_whole)
{
    static const char one[] =
        "[{'source_node':'p','data':{'node_id':'p','vector_clock':{},"
        "'lww_registers':{'config.r.%s':{'node_id':'p','value':'%s',"
        "'timestamp':5}},'deleted_keys':{'elements':[]}}}]";
    struct world w = { 0 };
    int a = world_add(&w, "a", NULL, true);
    uint64_t x = world_link(&w, -1, a);
    char text[256];

    (void)snprintf(text, sizeof text, one, "first", "plain");
    world_say(&w, x, a, "sync_data", text);
    world_run(&w, SEC);
    CHECK_SLICE(world_value(&w, a, "config.r.first"), "");
    (void)snprintf(text, sizeof text, one, "key", "device_id");
    world_say(&w, x, a, "sync_data", text);
    (void)snprintf(text, sizeof text, one, "third", "plain too");
    world_say(&w, x, a, "sync_data", text);
    world_run(&w, SEC);
    CHECK_SLICE(world_value(&w, a, "config.r.first"), "\"plain\"");
    CHECK_SLICE(world_value(&w, a, "config.r.key"), "\"device_id\"");
    CHECK_SLICE(world_value(&w, a, "config.r.third"), "\"plain too\"");
    world_free(&w);
}

TEST(what_the_rules_do_not_take_is_not_written)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false);
    struct arena mem = { 0 };

    CHECK_INT(isync_mesh_put(w.nodes[a].mesh, SLICE_LIT("config.a.theme"),
                  isync_json(&mem, "1"), NULL, 1, true, world_now(&w)),
        SYNCLINE_EUNSUPPORTED);
    CHECK_OK(isync_mesh_put(w.nodes[a].mesh, SLICE_LIT("config.a.theme"),
        isync_json(&mem, "1"), isync_json(&mem, "{'k':'x_id'}"), 1, true,
        world_now(&w)));
    world_free(&w);
    arena_free(&mem);
}

/* n records, together n times 90 KB on the wire. */
static void put_large(struct world *w, int node, int n)
{
    struct buf value = { 0 };

    buf_put_u8(&value, '\'');
    for (int i = 0; i < 15000; i++)
        buf_put_str(&value, "\xc3\xb1"); /* six bytes of ASCII each */
    buf_put(&value, "'\0", 2);
    for (int i = 0; i < n; i++) {
        char key[40];

        (void)snprintf(key, sizeof key, "config._id%d_id.text", i);
        world_put(w, node, key, (const char *)value.ptr);
    }
    buf_free(&value);
}

/* By its path, or as its record has an `_id`; what else stands at such a path
 * is nobody else's. */
TEST(only_what_is_shared_is_deleted)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", NULL, true);
    uint64_t x = world_link(&w, -1, a);

    CHECK_OK(omap_put(
        &w.nodes[a].space, SLICE_LIT("config.lamp.level"), SLICE_LIT("3")));
    CHECK_OK(omap_put(&w.nodes[a].space, SLICE_LIT(THEME), SLICE_LIT("3")));
    world_put(&w, a, "config.prefs.value", "'x_id'");
    world_say(&w, x, a, "sync_data",
        "[{'source_node':'x','data':{'node_id':'x','vector_clock':{},"
        "'lww_registers':{},'deleted_keys':{'elements':['config.lamp.level',"
        "'config._id.theme','config.prefs.value']}}}]");
    world_run(&w, SEC);
    CHECK_SLICE(world_value(&w, a, "config.lamp.level"), "3");
    CHECK_SLICE(world_value(&w, a, THEME), "");
    CHECK_SLICE(world_value(&w, a, "config.prefs.value"), "");
    CHECK(isync_state_is_deleted(isync_mesh_state(w.nodes[a].mesh),
        SLICE_LIT("config.lamp.level"))); /* and is told to others */
    world_free(&w);
}

/* ---- foreign packets ---- */

/* a and c share a token; b, between them, has none: it stores and passes on
 * what it cannot read. */
TEST(a_node_without_the_token_passes_on_what_it_cannot_read)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", NULL, false);
    int c;

    world_link(&w, a, b);
    world_put(&w, a, THEME, "'dark'");
    world_run(&w, 5 * SEC);
    CHECK_UINT(isync_mesh_counts(w.nodes[b].mesh)->held, 1);
    CHECK_SLICE(world_value(&w, b, THEME), "");
    /* Who comes later is told what was kept. */
    c = world_add(&w, "c", "t", false);
    world_link(&w, c, b);
    world_run(&w, 5 * SEC);
    CHECK_SLICE(world_value(&w, c, THEME), "\"dark\"");
    world_put(&w, c, THEME, "'light'");
    world_run(&w, 5 * SEC);
    CHECK_SLICE(world_value(&w, a, THEME), "\"light\"");
    world_del(&w, a, THEME);
    world_run(&w, 5 * SEC);
    CHECK_SLICE(world_value(&w, c, THEME), "");
    CHECK_UINT(isync_mesh_counts(w.nodes[b].mesh)->held, 2);
    CHECK_UINT(isync_mesh_counts(w.nodes[b].mesh)->merged, 0);
    CHECK_UINT(isync_mesh_counts(w.nodes[a].mesh)->echoes, 0);
    CHECK_UINT(w.nodes[a].parts + w.nodes[c].parts, 0);
    world_free(&w);
}

TEST(what_was_kept_is_read_when_the_token_comes)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", "u", false);

    world_link(&w, a, b);
    world_put(&w, a, THEME, "'dark'");
    world_run(&w, 5 * SEC);
    CHECK_SLICE(world_value(&w, b, THEME), "");
    world_cut(&w, 1);
    world_token(&w, b, "t");
    world_run(&w, SEC);
    CHECK_SLICE(world_value(&w, b, THEME), "\"dark\"");
    CHECK_UINT(isync_mesh_counts(w.nodes[b].mesh)->held, 0);
    world_free(&w);
}

TEST(who_has_another_token_is_known_until_it_can_be_read)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", "x", false);
    uint64_t link = world_link(&w, b, a);
    struct slice of = SLICE_NONE;

    world_put(&w, b, THEME, "1");
    world_run(&w, 5 * SEC);
    CHECK(isync_mesh_is_unread(w.nodes[a].mesh, link));
    CHECK_UINT(isync_mesh_unread(w.nodes[a].mesh, &of, 1), 1);
    CHECK(slice_is(of, "b"));
    CHECK_UINT(isync_mesh_unread(w.nodes[a].mesh, NULL, 0), 1);
    world_token(&w, b, "t");
    world_put(&w, b, THEME, "2");
    world_run(&w, 5 * SEC);
    CHECK(!isync_mesh_is_unread(w.nodes[a].mesh, link));
    CHECK_UINT(isync_mesh_unread(w.nodes[a].mesh, NULL, 0), 0);
    world_free(&w);
}

/* Three in a ring, one of them without the token: nothing goes round. */
TEST(nothing_goes_round_in_a_ring)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", NULL, false);
    int c = world_add(&w, "c", NULL, false), d = world_add(&w, "d", "t", false);
    uint64_t packets;

    world_link(&w, a, b);
    world_link(&w, b, c);
    world_link(&w, c, a);
    world_link(&w, d, b);
    world_link(&w, d, c);
    world_put(&w, a, THEME, "'dark'");
    world_run(&w, 10 * SEC);
    CHECK_SLICE(world_value(&w, d, THEME), "\"dark\"");
    packets = w.packets;
    world_run(&w, 600 * SEC);
    /* In ten minutes a and d say 20 things to each of their two neighbours;
     * b and c pass each on to the two others that they have, once. */
    CHECK(w.packets - packets <= 2 * 2 * 20 * (1 + 2 + 2));
    CHECK(w.packets - packets >= 2 * 2 * 20);
    world_free(&w);
}

/* Who keeps a packet keeps all that stood there, though one value was new. */
TEST(the_newest_packet_has_all_of_a_small_state)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", NULL, false);
    int c = world_add(&w, "c", "t", false);
    uint64_t link = world_link(&w, a, b);

    world_put(&w, a, "config._id.old", "1");
    world_run(&w, 5 * SEC);
    world_put(&w, a, THEME, "'dark'");
    world_run(&w, SEC);
    world_cut(&w, link);
    world_link(&w, c, b);
    world_run(&w, 5 * SEC);
    CHECK_UINT(isync_mesh_counts(w.nodes[b].mesh)->held, 2); /* a's, c's */
    CHECK_SLICE(world_value(&w, c, "config._id.old"), "1");
    CHECK_SLICE(world_value(&w, c, THEME), "\"dark\"");
    world_free(&w);
}

/* A state of many packets too, and what was new after them. */
TEST(a_large_state_goes_by_a_node_without_the_token)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", NULL, false);
    int c = world_add(&w, "c", "t", false), d;
    uint64_t link = world_link(&w, a, b), parts;

    put_large(&w, a, 40);
    world_link(&w, c, b);
    world_run(&w, 20 * SEC);
    world_put(&w, a, THEME, "'dark'");
    world_run(&w, 5 * SEC);
    world_put(&w, a, THEME, "'light'");
    world_run(&w, 5 * SEC);
    CHECK_UINT(w.nodes[c].space.n, 41);
    parts = isync_mesh_counts(w.nodes[b].mesh)->held;
    CHECK(parts > 5 && parts < 20);
    world_cut(&w, link);
    d = world_add(&w, "d", "t", false);
    world_link(&w, d, b);
    world_run(&w, 20 * SEC);
    CHECK_UINT(w.nodes[d].space.n, 41);
    CHECK_SLICE(world_value(&w, d, THEME), "\"light\"");
    /* Parts of an older sweep go. */
    world_link(&w, a, b);
    world_run(&w, 30 * SEC);
    CHECK(isync_mesh_counts(w.nodes[b].mesh)->held <= parts + 30);
    world_free(&w);
}

/* ---- many nodes, cables that are out ---- */

TEST(three_nodes_that_were_apart_agree)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct world w = { 0 };
        struct prng p = { seed };
        uint64_t cut;

        world_add(&w, "a", "t", seed % 2 == 0);
        world_add(&w, "b", "t", seed % 3 == 0);
        world_add(&w, "c", "t", false);
        cut = world_link(&w, 0, 1);
        world_link(&w, 1, 2);
        if (seed % 4 == 0)
            world_link(&w, 2, 0);
        for (int i = 0; i < 120; i++) {
            int node = (int)prng_below(&p, 3);
            char key[40], value[20];

            (void)snprintf(
                key, sizeof key, "config._id.k%d", (int)prng_below(&p, 20));
            (void)snprintf(value, sizeof value, "%d", i);
            if (i == 40)
                world_cut(&w, cut);
            if (i == 80)
                world_link(&w, 1, 0);
            if (isync_state_is_deleted(
                    isync_mesh_state(w.nodes[node].mesh), slice_str(key)))
                continue;
            if (prng_one_in(&p, 15))
                world_del(&w, node, key);
            else
                world_put(&w, node, key, value);
            world_run(&w, prng_below(&p, 300) * MS);
        }
        world_run(&w, 40 * SEC);
        world_check_same(&w);
        CHECK_UINT(isync_mesh_counts(w.nodes[0].mesh)->dropped, 0);
        world_free(&w);
    }
}

/* ---- what is large ---- */

TEST(a_large_state_goes_in_packets_that_an_original_takes)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", true), b = world_add(&w, "b", "t", false);
    uint64_t packets, sent;

    put_large(&w, a, 25);
    world_link(&w, b, a);
    world_run(&w, 150 * MS);
    CHECK(w.nodes[a].parts > 0 && w.nodes[a].parts <= 2); /* not all at once */
    world_run(&w, 20 * SEC);
    world_check_same(&w);
    CHECK(w.nodes[a].parts > 3);
    CHECK(w.nodes[a].largest > 100000 && w.nodes[a].largest < 1000000);
    /* From then on only what is new, but for all of it now and then. */
    packets = w.packets;
    sent = isync_mesh_counts(w.nodes[a].mesh)->sent;
    world_put(&w, a, THEME, "'dark'");
    world_run(&w, 120 * SEC);
    CHECK_SLICE(world_value(&w, b, THEME), "\"dark\"");
    CHECK(isync_mesh_counts(w.nodes[a].mesh)->sent <= sent + 2);
    CHECK(w.packets - packets < 10);
    world_run(&w, 600 * SEC);
    CHECK(isync_mesh_counts(w.nodes[a].mesh)->sent > sent + 5);
    world_free(&w);
}

TEST(who_asks_again_and_again_sees_the_end)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", true), b = world_add(&w, "b", "t", false);
    uint64_t link;

    put_large(&w, a, 25);
    link = world_link(&w, b, a);
    for (int i = 0; i < 60; i++) {
        world_say(&w, link, a, "request_sync", "[]");
        world_run(&w, 200 * MS);
    }
    world_check_same(&w);
    world_free(&w);
}

TEST(who_says_too_much_is_not_heard_and_told_of_once)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false);
    uint64_t x = world_link(&w, -1, a);

    for (int i = 0; i < 1000; i++)
        world_say(&w, x, a, "request_sync", "[]");
    world_run(&w, SEC);
    CHECK_UINT(w.nodes[a].violations, 1);
    CHECK(isync_mesh_counts(w.nodes[a].mesh)->dropped >= 890);
    world_run(&w, 10 * SEC);
    world_say(&w, x, a, "peer_handshake", "[{'node_id':'x'}]");
    world_run(&w, SEC);
    CHECK_UINT(isync_mesh_peers(w.nodes[a].mesh), 1);
    world_free(&w);
}

TEST(what_waits_while_a_link_is_slow_is_said_as_one)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false), b = world_add(&w, "b", "t", false);
    uint64_t link = world_link(&w, a, b), packets;

    world_run(&w, 5 * SEC);
    isync_mesh_pace(w.nodes[a].mesh, link, true);
    packets = isync_mesh_counts(w.nodes[a].mesh)->sent;
    for (int i = 0; i < 10; i++) {
        world_put(&w, a, THEME, i % 2 == 0 ? "'dark'" : "'light'");
        world_run(&w, SEC);
    }
    CHECK_UINT(isync_mesh_counts(w.nodes[a].mesh)->sent, packets);
    isync_mesh_pace(w.nodes[a].mesh, link, false);
    world_run(&w, SEC);
    CHECK_UINT(isync_mesh_counts(w.nodes[a].mesh)->sent, packets + 1);
    world_check_same(&w);
    world_free(&w);
}

TEST(links_are_bounded)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", "t", false);

    for (uint64_t i = 0; i < WORLD_LINKS; i++)
        world_link(&w, -1, a);
    w.links[0].is_open = true;
    for (uint64_t i = WORLD_LINKS + 1; i <= ISYNC_LINKS_MAX; i++) {
        /* All at the end of one cable, for the world's sake. */
        CHECK(isync_mesh_open(w.nodes[a].mesh, 1, true, world_now(&w)) ==
            SYNCLINE_OK);
    }
    CHECK_INT(isync_mesh_open(w.nodes[a].mesh, 1, true, world_now(&w)),
        SYNCLINE_ELIMIT);
    world_free(&w);
}
