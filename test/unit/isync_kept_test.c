/* What an iSync node keeps: on disk, of others, and when memory runs out. */
#include "faces/isync/held.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"
#include "faces/isync/packet.h"
#include "unit/check.h"
#include "unit/isync_vectors.h"
#include "unit/isync_world.h"

#define THEME "config._id.theme"

/* ---- what is kept on disk ---- */

static struct isync_state *new_state(const char *node)
{
    struct isync_state *s = NULL;

    CHECK_OK(isync_state_new(&s, node));
    return s;
}

static struct isync_stamp random_stamp(struct prng *p)
{
    struct isync_stamp s = { .is_int = prng_one_in(p, 3) };

    if (s.is_int) {
        s.i = (int64_t)(prng_next(p) >> prng_below(p, 60)) | 1;
        return s;
    }
    do {
        uint64_t bits = prng_next(p);

        if (prng_one_in(p, 2))
            s.d = 1.7e9 + (double)(bits >> 20) / 3e4;
        else
            memcpy(&s.d, &bits, sizeof s.d);
    } while (!(s.d > -1e308 && s.d < 1e308) || s.d == 0);
    return s;
}

TEST(stamps_are_saved_and_sent_bit_for_bit)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct prng p = { seed };
        struct arena a = { 0 };
        struct isync_state *s = new_state("A"), *back = new_state("A"), *far;
        struct isync_change c = { .key = SLICE_LIT("k"),
            .node = SLICE_LIT("B"),
            .stamp = random_stamp(&p),
            .value = isync_json(&a, "1") };
        struct isync_register r;
        struct isync_merged done;
        struct isync_cut cut = { 0 };
        struct buf b = { 0 };
        struct json *v = NULL;

        CHECK_OK(isync_state_take(s, &c, 0, WORLD_WALL_US, NULL));
        CHECK_OK(isync_state_save(s, &b));
        CHECK_OK(json_parse(&v, buf_slice(&b), JSON_TOLERANT, &a, NULL));
        CHECK_OK(isync_state_load(back, v, NULL));
        CHECK_OK(isync_state_get(back, SLICE_LIT("k"), &r));
        CHECK(r.stamp.is_int == c.stamp.is_int);
        CHECK(memcmp(&r.stamp.d, &c.stamp.d, 8) == 0);
        far = new_state("C");
        v = isync_state_export(back, &cut, &a);
        CHECK_OK(
            isync_state_merge(far, v, 0, WORLD_WALL_US, NULL, &done, NULL));
        CHECK_OK(isync_state_get(far, SLICE_LIT("k"), &r));
        CHECK(r.stamp.is_int == c.stamp.is_int);
        CHECK(memcmp(&r.stamp.d, &c.stamp.d, 8) == 0);
        buf_free(&b);
        isync_state_free(s);
        isync_state_free(back);
        isync_state_free(far);
        arena_free(&a);
    }
}

TEST(a_node_goes_on_from_what_was_saved)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", NULL, true), b = world_add(&w, "b", "t", false);
    int back = world_add(&w, "a2", NULL, true);
    int third = world_add(&w, "a3", NULL, true);
    struct arena mem = { 0 };
    struct buf first = { 0 }, again = { 0 };
    uint64_t x;

    world_link(&w, b, a);
    x = world_link(&w, -1, a);
    world_put(&w, a, THEME, "'dark'");
    world_put(&w, b, "config._id.sealed", "1");
    world_put(&w, a, "config.r.kind", "'x_id'");
    world_say(&w, x, a, "sync_data",
        "[{'source_node':'p','timestamp':5,'data':{'config':{'_id':{"
        "'id':'_id','x':[1e300,-0.0,123456789012345678901234567890]}}}}]");
    world_run(&w, 5 * SEC);
    CHECK_OK(isync_mesh_save(w.nodes[a].mesh, &first));
    CHECK_OK(isync_mesh_load(w.nodes[back].mesh, buf_slice(&first), NULL));
    CHECK_OK(isync_mesh_save(w.nodes[back].mesh, &again));
    CHECK_UINT(isync_mesh_counts(w.nodes[back].mesh)->held, 1);
    /* That a record has an `_id` somewhere is known again. */
    CHECK_OK(isync_mesh_put(w.nodes[back].mesh, SLICE_LIT("config.r.other"),
        isync_json(&mem, "1"), NULL, 1, true, world_now(&w)));
    CHECK_OK(isync_mesh_load(w.nodes[third].mesh, buf_slice(&first), NULL));
    buf_clear(&again);
    CHECK_OK(isync_mesh_save(w.nodes[third].mesh, &again));
    /* All but whose it is. */
    CHECK_BYTES(slice_from(buf_slice(&again),
                    strlen("{\"format\": 1,\n\"state\": {\"node_id\": \"a3\"")),
        slice_from(buf_slice(&first),
            strlen("{\"format\": 1,\n\"state\": {\"node_id\": \"a\"")));
    buf_free(&first);
    buf_free(&again);
    arena_free(&mem);
    world_free(&w);
}

TEST(what_was_not_saved_by_us_is_refused)
{
    static const char *const bad[] = { "", "{", "[]", "{}", "{'format':1}",
        "{'format':1,'state':{}}", "{'format':2,'state':{}}",
        ("{'format':2,'state':{'node_id':'a','vector_clock':{},'lww_registers':"
         "{},'deleted_keys':{'elements':[]}}}"),
        ("{'format':1,'state':{'node_id':'a','vector_clock':{},'lww_registers':"
         "{'k':1},'deleted_keys':{'elements':[]}}}"),
        ("{'format':1,'state':{'node_id':'a','vector_clock':{},'lww_registers':"
         "{},'deleted_keys':{'elements':[]}},'packets':[{}]}"),
        ("{'format':1,'state':{'node_id':'a','vector_clock':{},'lww_registers':"
         "{},'deleted_keys':{'elements':[]}},'said':{'p':{'k':'xyz'}}}") };

    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct world w = { 0 };
        struct errmsg why = { "" };
        char text[400];
        int rc;

        world_add(&w, "a", NULL, true);
        (void)snprintf(text, sizeof text, "%s", bad[i]);
        for (char *c = text; *c != 0; c++)
            *c = *c == '\'' ? '"' : *c;
        rc = isync_mesh_load(w.nodes[0].mesh, slice_str(text), &why);
        CHECK_SAYING(
            rc == SYNCLINE_ECORRUPT || rc == SYNCLINE_EVERSION, "%s", bad[i]);
        CHECK(why.text[0] != 0);
        world_free(&w);
    }
}

/* What came after that was saved is known by whom it was written; of what was
 * deleted since, others will tell again. */
TEST(what_was_heard_last_is_recalled)
{
    struct world w = { 0 };
    int a = world_add(&w, "a", NULL, true),
        back = world_add(&w, "z", "t", true);
    struct isync_cut cut = { 0 };
    struct arena mem = { 0 };
    struct buf saved = { 0 };
    struct isync_register r;
    uint64_t x = world_link(&w, -1, a), told;
    const char *const say =
        "[{'source_node':'p','data':{'node_id':'p','vector_clock':{'p':%d},"
        "'lww_registers':{'config.r.%s':{'node_id':'b','value':'x_id',"
        "'timestamp':1728123456.25}},'deleted_keys':{'elements':['%s']}}}]";
    char text[400];

    (void)snprintf(text, sizeof text, say, 1, "kind", "config._id.gone");
    world_say(&w, x, a, "sync_data", text);
    world_run(&w, SEC);
    CHECK_OK(isync_mesh_save(w.nodes[a].mesh, &saved));
    CHECK_OK(isync_mesh_load(w.nodes[back].mesh, buf_slice(&saved), NULL));
    cut.after = isync_state_head(isync_mesh_state(w.nodes[a].mesh));
    (void)snprintf(text, sizeof text, say, 2, "last", "config._id.late");
    world_say(&w, x, a, "sync_data", text);
    world_run(&w, SEC);
    told = w.nodes[back].applied;
    CHECK_OK(isync_mesh_recall(w.nodes[back].mesh,
        isync_state_export(isync_mesh_state(w.nodes[a].mesh), &cut, &mem)));
    CHECK_OK(isync_state_get(
        isync_mesh_state(w.nodes[back].mesh), SLICE_LIT("config.r.last"), &r));
    CHECK_SLICE(r.node, "b");
    CHECK(r.stamp.d == 1728123456.25);
    CHECK(!isync_state_is_deleted(
        isync_mesh_state(w.nodes[back].mesh), SLICE_LIT("config._id.late")));
    CHECK_SLICE(world_value(&w, back, "config.r.last"), "");
    CHECK_UINT(w.nodes[back].applied, told);
    CHECK_INT(isync_mesh_recall(w.nodes[back].mesh, NULL), SYNCLINE_EMALFORMED);
    CHECK_INT(isync_mesh_recall(w.nodes[back].mesh, isync_json(&mem, "{}")),
        SYNCLINE_EMALFORMED);
    CHECK_INT(isync_mesh_recall(w.nodes[back].mesh,
                  isync_json(&mem, "{'a':1,'b':2,'c':3,'d':4}")),
        SYNCLINE_EMALFORMED);
    CHECK_INT(isync_mesh_recall(w.nodes[back].mesh,
                  isync_json(&mem, "{'a':1,'b':2,'c':3,'d':4,'e':5}")),
        SYNCLINE_EMALFORMED);
    buf_free(&saved);
    arena_free(&mem);
    world_free(&w);
}

/* ---- memory that runs out ---- */

static void no_emit(
    void *ctx, uint64_t link, const char *name, const struct json *arg)
{
    (void)ctx;
    (void)link;
    (void)name;
    (void)arg;
}

static void no_change(void *ctx, const struct isync_change *c)
{
    (void)ctx;
    (void)c;
}

static void no_name(void *ctx, uint64_t link, struct slice name)
{
    (void)ctx;
    (void)link;
    (void)name;
}

static void no_drop(void *ctx, uint64_t link, const char *why)
{
    (void)ctx;
    (void)link;
    (void)why;
}

static int no_chance(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    memset(out, 7, n);
    return SYNCLINE_OK;
}

static const struct isync_mesh_options quiet = { .node = "a",
    .is_clear = true,
    .port = { .emit = no_emit,
        .changed = no_change,
        .applied = no_name,
        .peer = no_name,
        .drop = no_drop,
        .random = no_chance } };

/* A session in which the packets of the examples come; from some allocation on
 * all fail, and then it goes on. */
static bool session(long fail_from, const struct json *packets,
    const struct isync_keys *keys, const struct json *value)
{
    const struct isync_time now = { WORLD_WALL_US, SEC };
    const struct isync_time later = { WORLD_WALL_US + 40 * SEC, 41 * SEC };
    struct isync_mesh *m = NULL;
    bool has_failed;
    int rc;

    CHECK_OK(isync_mesh_new(&m, &quiet));
    isync_mesh_keys(m, keys);
    CHECK_OK(isync_mesh_open(m, 1, true, now));
    check_alloc_fail_from(fail_from);
    for (const struct json *p = packets->first; p != NULL; p = p->next)
        isync_mesh_event(
            m, 1, json_get_str(p, "event"), json_get(p, "args"), now);
    rc = isync_mesh_put(
        m, SLICE_LIT("config._id.mine"), value, NULL, 5, true, now);
    isync_mesh_tick(m, later);
    has_failed = check_alloc_failed();
    check_alloc_fail_from(-1);
    CHECK(rc == SYNCLINE_OK || (has_failed && rc == SYNCLINE_ENOMEM));
    for (const struct json *p = packets->first; p != NULL; p = p->next)
        isync_mesh_event(
            m, 1, json_get_str(p, "event"), json_get(p, "args"), later);
    CHECK_UINT(isync_state_counts(isync_mesh_state(m)).registers,
        rc == SYNCLINE_OK ? 6 : 5);
    CHECK_UINT(isync_mesh_counts(m)->held, 1);
    isync_mesh_free(m);
    return has_failed;
}

/* By a token that the session has not. */
static struct json *foreign(struct arena *a)
{
    const struct isync_secret secret = { .token = SLICE_LIT("another") };
    const uint8_t iv[FERNET_IV_LEN] = { 1 };
    struct isync_keys keys;
    const struct isync_packet_draft draft = { .node = "q",
        .wall_us = WORLD_WALL_US,
        .state = isync_json(a, "{}"),
        .keys = &keys,
        .iv = iv };
    struct json *packet = NULL;

    CHECK_OK(isync_keys_at(&keys, &secret, 0));
    CHECK_OK(isync_packet_make(&packet, &draft, a));
    return packet;
}

/* Many links at once: they are told all one after the other. */
static uint64_t told;

static void count_emit(
    void *ctx, uint64_t link, const char *name, const struct json *arg)
{
    (void)ctx;
    (void)link;
    (void)arg;
    told += strcmp(name, "sync_data") == 0;
}

TEST(many_who_want_all_wait_for_each_other)
{
    struct isync_mesh_options opt = quiet;
    struct isync_time now = { WORLD_WALL_US, SEC };
    struct isync_mesh *m = NULL;
    struct arena a = { 0 };

    opt.port.emit = count_emit;
    CHECK_OK(isync_mesh_new(&m, &opt));
    for (uint64_t link = 1; link <= 200; link++) {
        char arg[40];

        (void)snprintf(arg, sizeof arg, "[{'node_id':'n%d'}]", (int)link);
        CHECK_OK(isync_mesh_open(m, link, true, now));
        isync_mesh_event(
            m, link, SLICE_LIT("peer_handshake"), isync_json(&a, arg), now);
    }
    now.mono_us += 3 * SEC;
    told = 0;
    isync_mesh_push(m, now);
    CHECK(told > 10 && told < 60);
    for (int i = 0; i < 1000 && isync_mesh_deadline(m) < 20 * SEC; i++) {
        now.mono_us = isync_mesh_deadline(m);
        isync_mesh_tick(m, now);
    }
    CHECK_UINT(told, 200);
    for (uint64_t link = 1; link <= 200; link++)
        isync_mesh_close(m, link);
    for (uint64_t link = 1; link <= ISYNC_LINKS_MAX; link++)
        CHECK_OK(isync_mesh_open(m, link, true, now));
    isync_mesh_free(m);
    arena_free(&a);
}

static void add_event(
    struct json *all, const char *event, struct json *arg, struct arena *a)
{
    struct json *one = json_new(a, JSON_OBJECT);
    struct json *args = json_new(a, JSON_ARRAY);

    json_append(args, arg);
    json_add(one, SLICE_LIT("event"), json_new_str(a, slice_str(event)));
    json_add(one, SLICE_LIT("args"), args);
    CHECK(json_append(all, one) != NULL);
}

TEST(a_mesh_goes_on_when_memory_runs_out)
{
    const struct isync_secret secret = { .token =
                                             SLICE_LIT("my-secret-token") };
    struct arena a = { 0 };
    struct json *all = json_new(&a, JSON_ARRAY), *value = isync_json(&a, "[1]");
    struct isync_keys keys;
    long n = 0;

    CHECK_OK(isync_keys_at(&keys, &secret, 0));
    add_event(all, "peer_handshake", isync_json(&a, "{'node_id':'x'}"), &a);
    add_event(all, "sync_data",
        json_get(isync_vector(&a, "I.packet.encrypted"), "packet"), &a);
    add_event(all, "sync_data",
        json_get(isync_vector(&a, "I.combined_packet"), "packet"), &a);
    add_event(all, "sync_data",
        isync_json(&a,
            "{'source_node':'p','data':{'config':{'r_id':{'x':1,'y':[2]}}}}"),
        &a);
    add_event(all, "sync_data", foreign(&a), &a);
    while (session(n, all, &keys, value))
        n++;
    CHECK(n > 50);
    arena_free(&a);
}

/* ---- held packets alone ---- */

#define WALL (60 * SEC)

static int hold(struct isync_held *h, const char *source, double time,
    const char *text, uint64_t wall_us, uint64_t mono_us)
{
    const struct isync_packet_held p = { .source = slice_str(source),
        .text = slice_str(text),
        .time = { .d = time },
        .from = 1 };

    return isync_held_put(h, &p, wall_us, mono_us);
}

TEST(the_newest_of_each_source_is_kept)
{
    struct isync_held *h = NULL;
    struct isync_packet_held p;

    CHECK_OK(isync_held_new(&h));
    CHECK_OK(hold(h, "a", 5, "one", WALL, 1));
    CHECK_INT(hold(h, "a", 4, "older", WALL, 1), SYNCLINE_EEXIST);
    CHECK_INT(hold(h, "a", 5, "one", WALL, 1), SYNCLINE_EEXIST);
    CHECK_INT(hold(h, "a", 5, "less", WALL, 1), SYNCLINE_EEXIST);
    CHECK_OK(hold(h, "a", 5, "zero, which is greater", WALL, 1));
    CHECK_OK(hold(h, "a", 1e12, "far ahead", WALL, 1));
    CHECK_OK(hold(h, "a", 6, "of now", WALL, 1));
    CHECK_INT(hold(h, "a", 1e12, "far ahead", WALL, 1), SYNCLINE_EEXIST);
    CHECK_UINT(isync_held_n(h), 1);
    CHECK(!isync_held_next(h, 0, &p));
    isync_held_tick(h, 1);
    CHECK(isync_held_next(h, 0, &p));
    CHECK_SLICE(p.text, "of now");
    CHECK(!isync_held_next(h, p.seq, &p));
    isync_held_free(h);
}

static int hold_part(
    struct isync_held *h, double time, uint64_t sweep, uint64_t n, bool is_last)
{
    char text[40];
    struct isync_packet_held p = { .source = SLICE_LIT("a"),
        .time = { .d = time },
        .from = 1,
        .part = { sweep, n, is_last } };

    (void)snprintf(
        text, sizeof text, "%d-%d-%d", (int)time, (int)sweep, (int)n);
    p.text = slice_str(text);
    return isync_held_put(h, &p, WALL, 1);
}

TEST(parts_are_kept_until_all_has_come_anew)
{
    struct isync_held *h = NULL;

    CHECK_OK(isync_held_new(&h));
    CHECK_OK(hold(h, "b", 1, "of another", WALL, 1));
    CHECK_OK(hold(h, "a", 1, "whole", WALL, 1));
    CHECK_OK(hold_part(h, 2, 100, 1, false));
    CHECK_OK(hold_part(h, 3, 100, 2, false));
    CHECK_UINT(isync_held_n(h), 4);
    CHECK_OK(hold_part(h, 4, 100, 3, true)); /* the whole one goes */
    CHECK_UINT(isync_held_n(h), 4);
    CHECK_OK(hold_part(h, 5, 100, 4, false)); /* news */
    CHECK_OK(hold_part(h, 6, 200, 1, false));
    CHECK_UINT(isync_held_n(h), 6);
    CHECK_OK(hold_part(h, 7, 200, 2, true)); /* all of sweep 100 goes */
    CHECK_UINT(isync_held_n(h), 3);
    CHECK_OK(hold_part(h, 8, 200, 1, false)); /* in its own place */
    CHECK_UINT(isync_held_n(h), 3);
    CHECK_OK(hold_part(h, 20, 300, 1, false));
    CHECK_OK(hold_part(h, 10, 250, 1, true)); /* late: what is newer stays */
    CHECK_UINT(isync_held_n(h), 3);
    CHECK_OK(hold(h, "a", 29, "whole again", WALL, 1));
    CHECK_UINT(isync_held_n(h), 2);
    isync_held_free(h);
}

static int hold_from(struct isync_held *h, const char *source, double time,
    const char *text, uint64_t from)
{
    const struct isync_packet_held p = { .source = slice_str(source),
        .text = slice_str(text),
        .time = { .d = time },
        .from = from };

    return isync_held_put(h, &p, WALL, 1);
}

TEST(what_others_say_under_a_name_stands_beside_it)
{
    struct isync_held *h = NULL;
    char text[20];

    CHECK_OK(isync_held_new(&h));
    CHECK_OK(hold_from(h, "a", 5, "its own", 1));
    CHECK_OK(hold_from(h, "a", 61, "of another link", 2));
    CHECK_OK(hold_from(h, "a", 6, "its own, later", 1));
    CHECK_UINT(isync_held_n(h), 2);
    isync_held_left(h, 2);
    CHECK_INT(hold_from(h, "a", 60, "older", 3), SYNCLINE_EEXIST);
    CHECK_OK(hold_from(h, "a", 61.5, "newer than of who is gone", 3));
    CHECK_UINT(isync_held_n(h), 2);
    /* Who says most loses his own. */
    CHECK_OK(hold_from(h, "b", 1, "long ago", 0));
    for (int i = 0; i < 2 * ISYNC_HELD_MAX; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        CHECK_OK(hold_from(h, text, 1, text, 4));
    }
    CHECK_UINT(isync_held_n(h), ISYNC_HELD_MAX);
    CHECK_INT(hold_from(h, "a", 5.5, "no news", 1), SYNCLINE_EEXIST);
    CHECK_INT(hold_from(h, "b", 0, "no news", 1), SYNCLINE_EEXIST);
    isync_held_free(h);
}

TEST(what_was_read_since_is_kept_no_more)
{
    const struct isync_packet_held now = {
        .source = SLICE_LIT("a"), .time = { .d = 200 }, .from = 1
    };
    struct isync_held *h = NULL;

    CHECK_OK(isync_held_new(&h));
    CHECK_OK(hold(h, "a", 100, "1", 0, 1));
    CHECK_OK(hold(h, "b", 100, "2", 0, 1));
    isync_held_supersede(h, &now);
    CHECK_UINT(isync_held_n(h), 1);
    CHECK_OK(hold(h, "a", 300, "3", 0, 1)); /* and later ones are */
    isync_held_supersede(h, &now);
    CHECK_UINT(isync_held_n(h), 2);
    isync_held_free(h);
}

TEST(a_source_is_passed_on_once_a_second)
{
    struct isync_held *h = NULL;
    struct isync_packet_held p;
    char text[20];
    uint64_t passed = 0, seq = 0;

    CHECK_OK(isync_held_new(&h));
    for (uint64_t ms = 1; ms <= 10000; ms += 10) {
        (void)snprintf(text, sizeof text, "%d", (int)ms);
        CHECK_OK(hold(h, "a", (double)ms, text, UINT64_MAX / 2, ms * MS));
        isync_held_tick(h, ms * MS);
        while (isync_held_next(h, seq, &p)) {
            seq = p.seq;
            passed++;
        }
    }
    CHECK(passed >= 9 && passed <= 11);
    isync_held_free(h);
}

TEST(held_packets_are_bounded)
{
    struct isync_held *h = NULL;
    char source[20], text[20];
    char *large = calloc(1, ISYNC_HELD_BYTES_MAX / 4);
    struct isync_packet_held p;

    CHECK_OK(isync_held_new(&h));
    for (int i = 0; i < 3 * ISYNC_HELD_MAX; i++) {
        (void)snprintf(source, sizeof source, "s%d", i);
        (void)snprintf(text, sizeof text, "t%d", i);
        CHECK_OK(hold(h, source, 1, text, 0, (uint64_t)i + 1));
    }
    CHECK_UINT(isync_held_n(h), ISYNC_HELD_MAX);
    memset(large, 'x', ISYNC_HELD_BYTES_MAX / 4 - 1);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(source, sizeof source, "l%d", i);
        large[0] = (char)('a' + i);
        CHECK_OK(hold(h, source, 1, large, 0, 10000 + (uint64_t)i));
    }
    CHECK(isync_held_n(h) <= ISYNC_HELD_MAX);
    isync_held_at(h, 0, &p);
    CHECK(p.text.len > 0);
    /* What was replaced takes no room. */
    CHECK_OK(hold(h, "small", 1, "stays", 0, 20000));
    for (int i = 0; i < 20; i++) {
        large[1] = (char)('a' + i);
        CHECK_OK(hold(h, "l9", 2 + i, large, 0, 20001));
    }
    CHECK_INT(hold(h, "small", 0, "is older", 0, 20002), SYNCLINE_EEXIST);
    free(large);
    isync_held_free(h);
}
