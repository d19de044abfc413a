/* Packets, paths and peers of iSync, by the published examples. */
#include "faces/isync/packet.h"

#include <stdio.h>
#include <stdlib.h>

#include "faces/isync/choose.h"
#include "faces/isync/rules.h"
#include "unit/check.h"
#include "unit/isync_vectors.h"

#define WALL_US UINT64_C(1728123456789000)

static struct isync_keys keys_of(const char *token)
{
    const struct isync_secret secret = { .token = slice_str(token) };
    struct isync_keys keys;

    CHECK_OK(isync_keys_at(&keys, &secret, 0));
    return keys;
}

/* ---- paths and records ---- */

TEST(paths_are_kept_the_same_as_by_the_originals)
{
    struct arena a = { 0 };
    const struct json *v = isync_vector(&a, "I.path_filter");

    for (const struct json *r = json_get(v, "rows")->first; r != NULL;
         r = r->next)
        CHECK_SAYING(isync_path_syncs(json_get_str(r, "path")) ==
                json_get_bool(r, "sync", false),
            "%.*s", SLICE_FMT(json_get_str(r, "path")));
    arena_free(&a);
}

TEST(records_are_chosen_as_by_the_original_client)
{
    struct arena a = { 0 };
    const struct json *v = isync_vector(&a, "I.plain_client.select_records");
    const struct json *all = json_get(json_get(v, "db"), "config");
    const struct json *chosen = json_get(json_get(v, "selected"), "config");

    for (const struct json *r = all->first; r != NULL; r = r->next) {
        bool is_chosen = json_get_slice(chosen, r->key) != NULL;

        CHECK_SAYING(
            slice_is(r->key, "n2") || isync_record_is_sent(r) == is_chosen,
            "%.*s", SLICE_FMT(r->key));
    }
    for (const struct json *r = chosen->first; r != NULL; r = r->next)
        CHECK(isync_record_is_sent(r));
    v = isync_vector(&a, "I.plain_client.apply");
    CHECK(isync_record_has_id(json_get(v, "record_after")));
    CHECK(!isync_record_has_id(isync_json(&a, "{'id':'n1','v':'no'}")));
    arena_free(&a);
}

TEST(a_record_that_has_an_id_inside_a_value_has_one)
{
    static const struct {
        const char *text;
        bool has, sent;
    } rows[] = {
        { "{'id':'r','a':{'x':['my_id']}}", true, true },
        { "{'id':'r','a':{'an_id':1}}", true, true },
        { "{'a':'an_id'}", true, false },
        { "{'id':'r','an_id':1}", false, false },
        { "{'id':'r','x._id.y':1}", false, true },
        { "{'id':'r','a':1,'b':null,'c':1.5}", false, false },
        { "[]", false, false },
        { "'_id'", false, false },
    };
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct json *v = isync_json(&a, rows[i].text);

        CHECK_SAYING(isync_record_has_id(v) == rows[i].has &&
                isync_record_is_sent(v) == rows[i].sent,
            "%s", rows[i].text);
    }
    arena_free(&a);
}

TEST(patterns_take_what_they_say)
{
    static const struct {
        const char *pattern, *path;
        bool takes;
    } rows[] = {
        { "", "", true },
        { "", "a", false },
        { "*", "", true },
        { "*", "config.a.b", true },
        { "config.*.theme", "config.a.theme", true },
        { "config.*.theme", "config.a.b.theme", true },
        { "config.*.theme", "config.a.themes", false },
        { "config.?.x", "config.a.x", true },
        { "config.?.x", "config.ab.x", false },
        { "*a*b*c*", "xxaxxbxxcxx", true },
        { "*a*b*c*", "xxaxxcxxbxx", false },
        { "**", "abc", true },
        { "a*", "ba", false },
    };
    char pattern[64], path[2000];

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        CHECK_SAYING(isync_pattern_takes(slice_str(rows[i].pattern),
                         slice_str(rows[i].path)) == rows[i].takes,
            "%s %s", rows[i].pattern, rows[i].path);
    /* It does not take for ever. */
    for (size_t i = 0; i < sizeof pattern; i += 2)
        memcpy(pattern + i, "*a", 2);
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = 'b';
    CHECK(!isync_pattern_takes(
        SLICE(pattern, sizeof pattern), SLICE(path, sizeof path)));
}

TEST(rules_are_joined)
{
    static const char *const patterns[] = { "config.*.theme" };
    const struct isync_rules none = { 0 }, more = { patterns, 1 };
    struct arena a = { 0 };
    const struct json *with = isync_json(&a, "{'x':'an_id'}");

    CHECK(isync_rules_take(&none, SLICE_LIT("config._id.theme"), NULL));
    CHECK(!isync_rules_take(&none, SLICE_LIT("config.a.theme"), NULL));
    CHECK(isync_rules_take(&more, SLICE_LIT("config.a.theme"), NULL));
    CHECK(isync_rules_take(&none, SLICE_LIT("config.a.theme"), with));
    CHECK(isync_rules_take(&none, SLICE_LIT("config.user_id.value"), NULL));
    CHECK(!isync_rules_take(&none, SLICE_LIT("peers.user_id.value"), with));
    CHECK(!isync_rules_take(&none, SLICE_LIT("config.user_id"), with));
    arena_free(&a);
}

TEST(a_path_is_split_at_its_dots)
{
    struct slice record, field;

    CHECK(isync_path_split(SLICE_LIT("config._id.theme"), &record, &field));
    CHECK_SLICE(record, "_id");
    CHECK_SLICE(field, "theme");
    CHECK(isync_path_split(SLICE_LIT("config.foo._id.bar"), &record, &field));
    CHECK_SLICE(record, "foo");
    CHECK_SLICE(field, "_id");
    CHECK(!isync_path_split(SLICE_LIT("config."), &record, &field));
    CHECK(!isync_path_split(SLICE_LIT("config._id"), &record, &field));
    CHECK(!isync_path_split(SLICE_LIT("config._id."), &record, &field));
    CHECK(!isync_path_split(SLICE_LIT("config..a"), &record, &field));
    CHECK(!isync_path_split(SLICE_LIT("config.a..b"), &record, &field));
    CHECK(!isync_path_split(SLICE_LIT("peers.a.b"), &record, &field));
}

/* ---- packets ---- */

TEST(the_packet_of_an_original_client_is_read)
{
    struct arena a = { 0 };
    const struct json *v =
        json_get(isync_vector(&a, "I.packet.encrypted"), "packet");
    const struct json *want = isync_vector(&a, "I.fernet.syncstate");
    struct isync_keys right = keys_of("my-secret-token"),
                      wrong = keys_of("another"), none = { 0 };
    struct isync_packet p;
    struct json *state = NULL, *plain = NULL;

    CHECK_OK(isync_packet_read(&p, v, NULL));
    CHECK_SLICE(p.source, "icontrol-1728123456");
    CHECK_SLICE(p.type, "iControl");
    CHECK(p.has_time && p.time.d == 1728123456.789);
    CHECK(p.state == NULL && p.records == NULL);
    CHECK_INT(isync_packet_open(&state, &p, &wrong, &a), SYNCLINE_EDENIED);
    CHECK_INT(isync_packet_open(&state, &p, &none, &a), SYNCLINE_EDENIED);
    CHECK_OK(isync_packet_open(&state, &p, &right, &a));
    CHECK_OK(json_parse(
        &plain, json_get_str(want, "plaintext_utf8"), JSON_STRICT, &a, NULL));
    CHECK(json_equal(state, plain));
    arena_free(&a);
}

/* The union that all originals take, member for member: the same again when it
 * is made here, with the vector of its own seal. */
TEST(the_union_packet_is_made_as_it_was_tried)
{
    struct arena a = { 0 };
    const struct json *v =
        json_get(isync_vector(&a, "I.combined_packet"), "packet");
    struct isync_keys keys = keys_of("my-secret-token");
    static const uint8_t iv[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
        14, 15 };
    struct isync_state *s = NULL;
    struct isync_cut cut = { 0 };
    struct isync_packet_draft d = { .node = "c-node-1",
        .wall_us = WALL_US,
        .keys = &keys,
        .iv = iv,
        .is_clear = true };
    struct isync_packet p;
    struct json *made = NULL, *inner = NULL;

    CHECK_OK(isync_packet_read(&p, v, NULL));
    CHECK(p.state != NULL && p.records == NULL && p.sealed.len > 0);
    CHECK_OK(isync_state_new(&s, "c-node-1"));
    CHECK_OK(isync_state_load(s, p.state, NULL));
    d.state = isync_state_export(s, &cut, &a);
    d.records = isync_records_of(s, d.state, &a);
    CHECK_OK(isync_packet_make(&made, &d, &a));
    CHECK_UINT(made->n, v->n);
    for (const struct json *m = v->first, *w = made->first; m != NULL;
         m = m->next, w = w->next) {
        CHECK_BYTES(w->key, m->key);
        if (!slice_is(m->key, "encrypted_data"))
            CHECK_SAYING(json_equal(w, m), "%.*s", SLICE_FMT(m->key));
    }
    CHECK_OK(isync_packet_read(&p, made, NULL));
    CHECK_OK(isync_packet_open(&inner, &p, &keys, &a));
    CHECK(json_equal(inner, d.state));
    isync_state_free(s);
    arena_free(&a);
}

TEST(by_default_nothing_is_said_in_clear)
{
    struct arena a = { 0 };
    struct isync_keys keys = keys_of("t"), none = { 0 };
    const uint8_t iv[FERNET_IV_LEN] = { 1 };
    struct isync_packet_draft d = { .node = "n",
        .wall_us = WALL_US,
        .state = isync_json(&a,
            "{'node_id':'n','vector_clock':{},'lww_registers':{},"
            "'deleted_keys':{'elements':[]}}"),
        .keys = &keys,
        .iv = iv };
    struct json *v = NULL;

    CHECK_OK(isync_packet_make(&v, &d, &a));
    CHECK(json_get(v, "data") == NULL && json_get(v, "encrypted_data") != NULL);
    CHECK(json_get_bool(v, "_encrypted", false));
    d.keys = &none;
    CHECK_INT(isync_packet_make(&v, &d, &a), SYNCLINE_EUNSUPPORTED);
    d.is_clear = true;
    CHECK_OK(isync_packet_make(&v, &d, &a));
    CHECK(json_get(v, "data") != NULL && json_get(v, "encrypted_data") == NULL);
    arena_free(&a);
}

TEST(records_are_read_from_the_third_kind)
{
    struct arena a = { 0 };
    struct isync_packet p;
    const struct json *v = isync_json(&a,
        "{'_encrypted':true,'source_node':'icontrol-1','source_type':"
        "'iControl','timestamp':5,'data':{'config':{'_id':{'id':'_id','a':1}}}"
        "}");

    CHECK_OK(isync_packet_read(&p, v, NULL));
    CHECK(p.state == NULL && p.records != NULL && p.records->n == 1);
    CHECK(p.has_time && p.time.is_int && p.time.i == 5);
    arena_free(&a);
}

TEST(what_is_no_packet_is_refused)
{
    static const char *const bad[] = { "1", "[]", "{}", "{'source_node':'a'}",
        "{'source_node':'','data':{}}",
        "{'source_node':1,'encrypted_data':'x'}",
        "{'source_node':'a','encrypted_data':7}",
        "{'source_node':'a','data':[]}", "{'source_node':'a','data':{}}",
        "{'source_node':'a','data':{'config':[]}}",
        "{'source_node':'a\\u0000b','encrypted_data':'x'}" };
    struct arena a = { 0 };
    struct isync_packet p;

    for (size_t i = 0; i < ARRAY_N(bad); i++)
        CHECK_SAYING(isync_packet_read(&p, isync_json(&a, bad[i]), NULL) ==
                SYNCLINE_EMALFORMED,
            "%s", bad[i]);
    arena_free(&a);
}

/* Who takes records replaces them whole: none is sent in part. */
TEST(a_record_is_sent_whole_though_one_field_is_new)
{
    struct arena a = { 0 };
    struct isync_state *s = NULL;
    struct isync_cut cut = { 0 };
    static const char *const keys[] = { "config.x_id.a", "config.x_id.b",
        "config.y.c", "config.x_id.a.deeper", "config.x_id.id" };
    struct json *part, *records;

    CHECK_OK(isync_state_new(&s, "n"));
    for (size_t i = 0; i < ARRAY_N(keys); i++)
        CHECK_OK(isync_state_put(s, slice_str(keys[i]), isync_json(&a, "1"),
            isync_stamp_of(i + 1), false));
    cut.after = isync_state_head(s);
    CHECK_OK(isync_state_put(s, SLICE_LIT("config.x_id.b"), isync_json(&a, "2"),
        isync_stamp_of(99), false));
    part = isync_state_export(s, &cut, &a);
    CHECK_UINT(cut.n, 1);
    records = isync_records_of(s, part, &a);
    CHECK(json_equal(
        records, isync_json(&a, "{'x_id':{'id':'x_id','a':1,'b':2}}")));
    /* Each once, and none that nobody takes (y has no `_id`). */
    cut = (struct isync_cut){ 0 };
    records = isync_records_of(s, isync_state_export(s, &cut, &a), &a);
    CHECK_UINT(records->n, 1);
    isync_state_free(s);
    arena_free(&a);
}

/* ---- stamps ---- */

TEST(stamps_are_in_the_order_of_the_numbers)
{
    const struct isync_stamp rising[] = { { .d = -1e300 },
        { .is_int = true, .i = INT64_MIN }, { .d = -2.5 },
        { .is_int = true, .i = -2 }, { .d = 0.5 }, { .is_int = true, .i = 1 },
        { .d = 1.5 }, { .is_int = true, .i = (INT64_C(1) << 53) },
        { .is_int = true, .i = (INT64_C(1) << 53) + 1 },
        { .d = 9007199254740994.0 }, { .is_int = true, .i = INT64_MAX },
        { .d = 9223372036854775808.0 }, { .d = 1e300 } };

    for (size_t i = 0; i < ARRAY_N(rising); i++)
        for (size_t k = 0; k < ARRAY_N(rising); k++) {
            int want = (i > k) - (i < k);

            CHECK_INT(isync_stamp_cmp(&rising[i], &rising[k]), want);
        }
    for (size_t i = 0; i < ARRAY_N(rising); i++) {
        struct isync_stamp next = isync_stamp_after(&rising[i]);

        CHECK_INT(isync_stamp_cmp(&next, &rising[i]), 1);
    }
    for (uint64_t us = WALL_US; us < WALL_US + 1000; us++) {
        struct isync_stamp s = isync_stamp_of(us);

        CHECK_UINT(isync_stamp_us(&s), us);
    }
}

/* ---- peers ---- */

static const char peers[] =
    "[{'name':'delta','url':'http://d','verified':false},"
    "{'name':'beta','verified':true},"
    "{'name':'alpha','url':'http://a','verified':true},"
    "{'url':'http://nameless','verified':1},"
    "{'name':'carol','url':'http://c'}]";

static void check_choice(size_t max, const struct isync_repute *r,
    uint64_t wall_us, const char *want)
{
    struct arena a = { 0 };
    struct isync_peer out[8];
    char text[200] = "";
    size_t n = isync_choose(out, max, isync_json(&a, peers), r, wall_us);

    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(text);

        (void)snprintf(
            text + len, sizeof text - len, "%.*s ", SLICE_FMT(out[i].url));
    }
    CHECK_SLICE(slice_str(text), want);
    arena_free(&a);
}

/* beta has no address: it takes a place, and is dropped then. */
TEST(peers_are_chosen_as_by_the_originals)
{
    check_choice(3, NULL, 0, "http://nameless http://a ");
    check_choice(8, NULL, 0, "http://nameless http://a http://c http://d ");
    check_choice(1, NULL, 0, "http://nameless ");
}

TEST(what_is_no_list_of_peers_is_empty)
{
    static const char *const bad[] = { "{}", "1", "null", "[]", "[1,'a',[]]" };
    struct arena a = { 0 };
    struct isync_peer out[3];

    CHECK_UINT(isync_choose(out, 3, NULL, NULL, 0), 0);
    for (size_t i = 0; i < ARRAY_N(bad); i++)
        CHECK_UINT(isync_choose(out, 3, isync_json(&a, bad[i]), NULL, 0), 0);
    arena_free(&a);
}

TEST(who_fails_or_violates_comes_later_and_is_forgiven)
{
    struct isync_repute *r = NULL, *back = NULL;
    struct arena a = { 0 };
    uint64_t now = UINT64_C(1795176000000000);
    const struct slice nameless = SLICE_LIT("http://nameless"),
                       first = SLICE_LIT("http://a"),
                       carol = SLICE_LIT("http://c");

    CHECK_OK(isync_repute_new(&r));
    isync_repute_note(r, nameless, ISYNC_DEED_FAILED, 0, now);
    isync_repute_note(r, first, ISYNC_DEED_VIOLATED, 0, now);
    check_choice(8, r, now, "http://c http://d http://nameless http://a ");
    CHECK_OK(isync_repute_new(&back));
    isync_repute_load(back, isync_repute_save(r, &a));
    check_choice(8, back, now, "http://c http://d http://nameless http://a ");
    /* Forgotten by half each ten minutes, and each six hours. */
    check_choice(8, r, now + 2 * ISYNC_FAILURE_HALF_US,
        "http://nameless http://c http://d http://a ");
    check_choice(8, r, now + 3 * ISYNC_VIOLATION_HALF_US,
        "http://nameless http://a http://c http://d ");
    isync_repute_note(r, nameless, ISYNC_DEED_ANSWERED, 900000, now);
    isync_repute_note(r, first, ISYNC_DEED_ANSWERED, 20000, now);
    check_choice(8, r, now + 3 * ISYNC_VIOLATION_HALF_US,
        "http://a http://nameless http://c http://d ");
    isync_repute_note(r, carol, ISYNC_DEED_ANSWERED, 500000, now);
    check_choice(8, r, now + 3 * ISYNC_VIOLATION_HALF_US,
        "http://a http://nameless http://d http://c ");
    isync_repute_free(r);
    isync_repute_free(back);
    arena_free(&a);
}

TEST(a_violation_weighs_more_than_a_failure_and_an_answer_mends_that)
{
    struct isync_repute *r = NULL;
    const struct slice a = SLICE_LIT("http://a"), c = SLICE_LIT("http://c");
    const uint64_t now = WALL_US;

    CHECK_OK(isync_repute_new(&r));
    isync_repute_note(r, a, ISYNC_DEED_VIOLATED, 0, now);
    isync_repute_note(r, c, ISYNC_DEED_FAILED, 0, now);
    isync_repute_note(r, c, ISYNC_DEED_FAILED, 0, now);
    check_choice(8, r, now, "http://nameless http://d http://c http://a ");
    /* A clock that was set back forgives nothing, and condemns nobody. */
    check_choice(8, r, now - ISYNC_VIOLATION_HALF_US * 20,
        "http://nameless http://d http://c http://a ");
    isync_repute_note(r, c, ISYNC_DEED_ANSWERED, 100, now);
    CHECK(isync_repute_of(r, c, now).failures <= 0);
    CHECK_UINT(isync_repute_of(r, c, now).latency_us, 100);
    isync_repute_free(r);
}

/* Those that people have named have no names, and none is verified: what is
 * known of them decides, and then who stands first. By the same rule, and the
 * same weights, as those of a list. */
TEST(named_peers_are_ranked_as_listed_ones)
{
    const struct slice a = SLICE_LIT("http://a"), b = SLICE_LIT("http://b"),
                       c = SLICE_LIT("http://c"), d = SLICE_LIT("http://d");
    struct isync_peer named[] = { { .url = d }, { .url = c }, { .url = b },
        { .url = a } };
    struct isync_repute *r = NULL;
    const uint64_t now = WALL_US;
    char text[64] = "";

    isync_rank(named, ARRAY_N(named), NULL, now);
    CHECK_BYTES(named[0].url, d);
    CHECK_OK(isync_repute_new(&r));
    isync_repute_note(r, d, ISYNC_DEED_VIOLATED, 0, now);
    isync_repute_note(r, c, ISYNC_DEED_FAILED, 0, now);
    isync_repute_note(r, c, ISYNC_DEED_FAILED, 0, now);
    isync_repute_note(r, b, ISYNC_DEED_ANSWERED, 900000, now);
    isync_repute_note(r, a, ISYNC_DEED_ANSWERED, 20000, now);
    isync_rank(named, ARRAY_N(named), r, now);
    for (size_t i = 0; i < ARRAY_N(named); i++)
        (void)snprintf(text + i, 2, "%c", named[i].url.ptr[7]);
    CHECK_SLICE(slice_str(text), "abcd");
    /* A third failure weighs as much as the violation: who stood first is. */
    isync_repute_note(r, c, ISYNC_DEED_FAILED, 0, now);
    isync_rank(named, ARRAY_N(named), r, now);
    CHECK_BYTES(named[2].url, c);
    isync_repute_note(r, c, ISYNC_DEED_FAILED, 0, now);
    isync_rank(named, ARRAY_N(named), r, now);
    CHECK_BYTES(named[2].url, d);
    isync_rank(NULL, 0, r, now);
    isync_repute_free(r);
}

TEST(what_is_known_of_peers_is_bounded)
{
    struct isync_repute *r = NULL;
    char url[64];

    CHECK_OK(isync_repute_new(&r));
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(url, sizeof url, "http://%d", i);
        isync_repute_note(
            r, slice_str(url), ISYNC_DEED_FAILED, 0, 1000 + (uint64_t)i);
    }
    CHECK(isync_repute_of(r, SLICE_LIT("http://0"), 4000).last_us == 0);
    CHECK(isync_repute_of(r, SLICE_LIT("http://2999"), 4000).failures > 0.9);
    isync_repute_free(r);
}
