/* Registers, deletions and the clock of iSync, by the published examples and
 * by their laws. */
#include "faces/isync/state.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"
#include "unit/check.h"
#include "unit/isync_vectors.h"

#define NOW_US UINT64_C(1795176000000000)

static struct isync_state *state(const char *node)
{
    struct isync_state *s = NULL;

    CHECK_OK(isync_state_new(&s, node));
    return s;
}

static struct isync_state *loaded(const char *node, const struct json *v)
{
    struct isync_state *s = state(node);
    struct errmsg why = { "" };

    CHECK_SAYING(
        isync_state_load(s, v, &why) == SYNCLINE_OK, "load: %s", why.text);
    return s;
}

static struct json *whole(const struct isync_state *s, struct arena *a)
{
    struct isync_cut cut = { 0 };
    struct json *v = isync_state_export(s, &cut, a);

    CHECK(v != NULL && cut.is_last);
    return v;
}

static struct slice text_of(const struct json *v, struct arena *a)
{
    struct buf b = { 0 };
    struct slice s;

    json_print(&b, v, JSON_CANONICAL);
    CHECK_OK(buf_status(&b));
    s = arena_dup(a, buf_slice(&b));
    buf_free(&b);
    return s;
}

static struct isync_stamp at(double d)
{
    return (struct isync_stamp){ .d = d };
}

static void put(
    struct isync_state *s, const char *key, const char *value, double d)
{
    struct arena a = { 0 };

    CHECK_OK(isync_state_put(
        s, slice_str(key), isync_json(&a, value), at(d), false));
    arena_free(&a);
}

static struct isync_merged merge(
    struct isync_state *s, const struct json *v, const struct isync_watcher *w)
{
    struct isync_merged done = { 0 };

    CHECK_OK(isync_state_merge(s, v, 0, NOW_US, w, &done, NULL));
    return done;
}

/* ---- the examples ---- */

TEST(merges_are_those_of_the_originals)
{
    struct arena a = { 0 };
    const struct json *rows =
        json_get(isync_vector(&a, "I.crdt.merge"), "rows");

    CHECK_INT(rows->n, 10);
    for (const struct json *r = rows->first; r != NULL; r = r->next) {
        const struct json *local = json_get(r, "local");
        char node[16];
        struct isync_state *s;

        (void)snprintf(node, sizeof node, "%.*s",
            SLICE_FMT(json_get_str(local, "node_id")));
        s = loaded(node, local);
        (void)merge(s, json_get(r, "remote"), NULL);
        CHECK_SAYING(json_equal(whole(s, &a), json_get(r, "merged")), "%.*s",
            SLICE_FMT(json_get_str(r, "case")));
        isync_state_free(s);
    }
    arena_free(&a);
}

TEST(a_write_by_a_clock_that_is_behind_is_ignored)
{
    struct arena a = { 0 };
    const struct json *v = isync_vector(&a, "I.crdt.local_update");

    for (const struct json *r = json_get(v, "rows")->first; r != NULL;
         r = r->next) {
        struct isync_state *s = state("A");
        struct isync_register got;
        struct json *value = NULL;
        int rc;

        put(s, "k", "'a'", json_get(v, "start")->d);
        rc = isync_state_put(s, SLICE_LIT("k"), isync_json(&a, "'new'"),
            at(json_get(r, "update_ts")->d), false);
        CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_ECONFLICT);
        CHECK_OK(isync_state_get(s, SLICE_LIT("k"), &got));
        CHECK_OK(json_parse(&value, got.value, JSON_STRICT, &a, NULL));
        CHECK_BYTES(value->s, json_get_str(r, "result"));
        isync_state_free(s);
    }
    arena_free(&a);
}

/* The calls of the example, by its clock; and both printings. */
TEST(a_state_is_written_as_the_originals_write_it)
{
    struct arena a = { 0 };
    const struct json *v = isync_vector(&a, "I.syncstate.to_dict");
    struct isync_state *s = state("icontrol-1728123456");
    struct buf b = { 0 };

    put(s, "config._id.theme", "'dark'", 1728123456.25);
    put(s, "config._id.lang", "'espa\xc3\xb1ol'", 1728123456.5);
    put(s, "config._id.n", "3", 1728123456.75);
    CHECK_OK(isync_state_del(s, SLICE_LIT("config._id.old")));
    CHECK(json_equal(whole(s, &a), json_get(v, "state")));
    json_print(&b, whole(s, &a), JSON_PLAIN);
    CHECK_BYTES(buf_slice(&b), json_get_str(v, "json_default"));
    buf_clear(&b);
    json_print(&b, whole(s, &a), JSON_PLAIN_RAW);
    CHECK_BYTES(buf_slice(&b), json_get_str(v, "json_encrypt_plaintext"));
    buf_clear(&b);
    CHECK_OK(isync_state_save(s, &b));
    CHECK_BYTES(buf_slice(&b), json_get_str(v, "json_encrypt_plaintext"));
    buf_free(&b);
    isync_state_free(s);
    arena_free(&a);
}

/* The original writes its old value again; here what was merged stands, also
 * when the space says it once more. */
TEST(what_was_merged_is_not_asserted_again)
{
    struct arena a = { 0 };
    const struct json *v =
        isync_vector(&a, "I.trap.local_db_reasserts_normal_clock");
    struct isync_state *s = state("A"), *b = state("B");
    struct isync_register r;
    struct json *dark = isync_json(&a, "'dark'");

    CHECK_BYTES(json_get_str(v, "after_merge"), dark->s);
    put(s, "config._id.theme", "'light'", 10);
    put(b, "config._id.theme", "'dark'", 11);
    (void)merge(s, whole(b, &a), NULL);
    CHECK_INT(
        isync_state_put(s, SLICE_LIT("config._id.theme"), dark, at(99), true),
        SYNCLINE_EEXIST);
    CHECK_OK(isync_state_get(s, SLICE_LIT("config._id.theme"), &r));
    CHECK_SLICE(r.value, "\"dark\"");
    CHECK_SLICE(r.node, "B");
    CHECK(r.stamp.d == 11);
    isync_state_free(s);
    isync_state_free(b);
    arena_free(&a);
}

/* ---- laws ---- */

/* A state of random writes of a few nodes, none with the stamp and node of
 * another. */
static struct json *random_state(struct prng *p, struct arena *a)
{
    struct isync_state *s = state("random");
    struct json *v;

    for (uint64_t i = prng_below(p, 12); i > 0; i--) {
        char key[16], node[16], value[32];
        const uint64_t stamp = prng_below(p, 6), who = prng_below(p, 3);
        const uint64_t k = prng_below(p, 5);
        struct isync_change c;
        int rc;

        (void)snprintf(key, sizeof key, "key%d", (int)k);
        (void)snprintf(node, sizeof node, "node%d", (int)who);
        (void)snprintf(
            value, sizeof value, "'%d-%d-%d'", (int)k, (int)stamp, (int)who);
        c = (struct isync_change){ .key = slice_str(key),
            .node = slice_str(node),
            .stamp = at(1 + (double)stamp),
            .value = isync_json(a, value) };
        rc = isync_state_take(s, &c, 0, NOW_US, NULL);
        CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_EEXIST ||
            rc == SYNCLINE_EDENIED);
        rc = SYNCLINE_OK;
        if (prng_one_in(p, 8))
            rc = isync_state_del(s, slice_str(key));
        CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_EEXIST);
    }
    v = json_copy(whole(s, a), a);
    isync_state_free(s);
    return v;
}

/* Registers and deletions, in an order of their own; the clock counts merges,
 * and is left out. */
static struct slice content(const struct isync_state *s, struct arena *a)
{
    struct json *all = json_new(a, JSON_OBJECT);
    struct json *deleted = json_new(a, JSON_ARRAY);
    struct slice key, from = SLICE_NONE;

    json_add(all, SLICE_LIT("registers"),
        json_copy(json_get(whole(s, a), "lww_registers"), a));
    while (isync_state_seek_deleted(s, from, &key)) {
        uint8_t *next = arena_alloc(a, key.len + 1);

        json_append(deleted, json_new_str(a, arena_dup(a, key)));
        memcpy(next, key.ptr, key.len);
        next[key.len] = 0;
        from = SLICE(next, key.len + 1);
    }
    json_add(all, SLICE_LIT("deleted"), deleted);
    return text_of(all, a);
}

TEST(merging_in_any_order_and_again_makes_the_same)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct prng p = { seed };
        struct arena a = { 0 };
        struct json *x = random_state(&p, &a), *y = random_state(&p, &a),
                    *z = random_state(&p, &a);
        struct isync_state *s = state("A"), *t = state("B"), *u = state("C");
        struct slice first;

        (void)merge(s, x, NULL);
        (void)merge(s, y, NULL);
        (void)merge(s, z, NULL);
        (void)merge(t, z, NULL);
        (void)merge(t, x, NULL);
        (void)merge(t, x, NULL);
        (void)merge(t, y, NULL);
        (void)merge(u, y, NULL);
        (void)merge(u, z, NULL);
        (void)merge(s, whole(u, &a), NULL);
        first = content(s, &a);
        CHECK_BYTES(content(t, &a), first);
        (void)merge(u, whole(t, &a), NULL);
        CHECK_BYTES(content(u, &a), first);
        isync_state_free(s);
        isync_state_free(t);
        isync_state_free(u);
        arena_free(&a);
    }
}

/* ---- our own writes ---- */

TEST(a_write_that_has_seen_a_stamp_from_far_ahead_beats_it)
{
    struct arena a = { 0 };
    struct isync_state *s = state("A"), *b = state("B");
    struct isync_register r;

    put(b, "k", "'far'", 9e9);
    CHECK_UINT(merge(s, whole(b, &a), NULL).far, 1);
    CHECK_INT(isync_state_put(s, SLICE_LIT("k"), isync_json(&a, "'mine'"),
                  at(1.7e9), false),
        SYNCLINE_ECONFLICT);
    CHECK_OK(isync_state_put(
        s, SLICE_LIT("k"), isync_json(&a, "'mine'"), at(1.7e9), true));
    CHECK_OK(isync_state_get(s, SLICE_LIT("k"), &r));
    CHECK(r.stamp.d > 9e9 && r.stamp.d < 9e9 + 0.001);
    CHECK_SLICE(r.node, "A");
    (void)merge(b, whole(s, &a), NULL);
    CHECK_OK(isync_state_get(b, SLICE_LIT("k"), &r));
    CHECK_SLICE(r.value, "\"mine\"");
    isync_state_free(s);
    isync_state_free(b);
    arena_free(&a);
}

/* Written with the last double, it could not be read from the file again. */
TEST(what_nothing_comes_after_cannot_be_beaten)
{
    struct arena a = { 0 };
    struct isync_state *s = state("A"), *back = state("A");
    struct isync_register r;
    struct json *v = NULL;
    struct buf text = { 0 };

    put(s, "k", "'last'", nextafter(DBL_MAX, 0));
    CHECK_INT(isync_state_put(
                  s, SLICE_LIT("k"), isync_json(&a, "'mine'"), at(1.7e9), true),
        SYNCLINE_ELIMIT);
    CHECK_OK(isync_state_save(s, &text));
    CHECK_OK(json_parse(&v, buf_slice(&text), JSON_TOLERANT, &a, NULL));
    CHECK_OK(isync_state_load(back, v, NULL));
    CHECK_OK(isync_state_get(back, SLICE_LIT("k"), &r));
    CHECK_SLICE(r.value, "\"last\"");
    buf_free(&text);
    isync_state_free(s);
    isync_state_free(back);
    arena_free(&a);
}

TEST(what_is_deleted_never_comes_back)
{
    struct arena a = { 0 };
    struct isync_state *s = state("A"), *b = state("B");
    struct isync_register r;

    put(s, "k", "1", 10);
    CHECK_OK(isync_state_del(s, SLICE_LIT("k")));
    CHECK_INT(isync_state_del(s, SLICE_LIT("k")), SYNCLINE_EEXIST);
    CHECK_INT(
        isync_state_put(s, SLICE_LIT("k"), isync_json(&a, "2"), at(99), true),
        SYNCLINE_EDENIED);
    put(b, "k", "3", 1e9);
    (void)merge(s, whole(b, &a), NULL);
    CHECK_INT(isync_state_get(s, SLICE_LIT("k"), &r), SYNCLINE_EDENIED);
    (void)merge(b, whole(s, &a), NULL);
    CHECK_INT(isync_state_get(b, SLICE_LIT("k"), &r), SYNCLINE_EDENIED);
    CHECK_UINT(isync_state_counts(b).registers, 0);
    isync_state_free(s);
    isync_state_free(b);
    arena_free(&a);
}

/* A space gives an object back with its members in another order. */
TEST(the_same_object_in_another_order_is_no_write)
{
    struct arena a = { 0 };
    struct isync_state *s = state("A");

    put(s, "k", "{'a': 1, 'b': [1.0, 2]}", 10);
    CHECK_INT(isync_state_put(s, SLICE_LIT("k"),
                  isync_json(&a, "{'b': [1.0, 2], 'a': 1}"), at(20), false),
        SYNCLINE_EEXIST);
    CHECK_OK(isync_state_put(s, SLICE_LIT("k"),
        isync_json(&a, "{'b': [1, 2.0], 'a': 1}"), at(20), false));
    isync_state_free(s);
    arena_free(&a);
}

/* ---- what is told of a merge ---- */

struct heard {
    char text[512];
};

static void on_changed(void *ctx, const struct isync_change *c)
{
    struct heard *h = ctx;
    size_t n = strlen(h->text);
    struct arena a = { 0 };

    (void)snprintf(h->text + n, sizeof h->text - n,
        "%.*s=%.*s by %.*s at %lld%s%s;", SLICE_FMT(c->key),
        SLICE_FMT(
            c->value != NULL ? text_of(c->value, &a) : SLICE_LIT("nothing")),
        SLICE_FMT(c->node), (long long)(c->time_us / 1000000),
        c->is_same ? " same" : "", c->is_far ? " far" : "");
    arena_free(&a);
}

TEST(a_merge_tells_what_has_changed)
{
    struct arena a = { 0 };
    struct heard h = { "" };
    const struct isync_watcher w = { &h, on_changed };
    struct isync_state *s = state("A");
    const struct json *v = isync_json(&a,
        "{'node_id':'B','vector_clock':{},'lww_registers':{"
        "'new':{'node_id':'B','value':[1],'timestamp':5.5},"
        "'same':{'node_id':'C','value':2,'timestamp':11},"
        "'old':{'node_id':'B','value':3,'timestamp':9},"
        "'far':{'node_id':'B','value':4,'timestamp':99999999999},"
        "'gone':{'node_id':'B','value':5,'timestamp':77}},"
        "'deleted_keys':{'elements':['gone','mine']}}");

    put(s, "same", "2", 10);
    put(s, "old", "1", 10);
    put(s, "mine", "1", 10);
    (void)merge(s, v, &w);
    CHECK_SLICE(slice_str(h.text),
        "gone=nothing by B at 1795176000;mine=nothing by B at 1795176000;"
        "new=[1] by B at 5;same=2 by C at 11 same;"
        "far=4 by B at 1795176000 far;");
    h.text[0] = 0;
    (void)merge(s, v, &w);
    CHECK_SLICE(slice_str(h.text), "");
    isync_state_free(s);
    arena_free(&a);
}

/* To the originals such a stamp is "now"; what says the same as stands here is
 * no write all the same. */
TEST(a_register_without_a_stamp_is_of_now)
{
    static const char *const stamps[] = { "0", "0.0", "null", "-0.0" };
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(stamps); i++) {
        struct isync_state *s = state("A");
        struct isync_merged again;
        struct isync_register r;
        char text[256];

        (void)snprintf(text, sizeof text,
            "{'node_id':'B','vector_clock':{},'lww_registers':{'k':{'node_id':"
            "'B','value':1,'timestamp':%s}},'deleted_keys':{'elements':[]}}",
            stamps[i]);
        CHECK_UINT(merge(s, isync_json(&a, text), NULL).registers, 1);
        CHECK_OK(isync_state_get(s, SLICE_LIT("k"), &r));
        CHECK_UINT(isync_stamp_us(&r.stamp), NOW_US);
        CHECK_OK(isync_state_merge(
            s, isync_json(&a, text), 0, NOW_US + 1000, NULL, &again, NULL));
        CHECK_UINT(again.registers, 0);
        CHECK_OK(isync_state_get(s, SLICE_LIT("k"), &r));
        CHECK_UINT(isync_stamp_us(&r.stamp), NOW_US);
        isync_state_free(s);
    }
    arena_free(&a);
}

TEST(what_is_no_state_changes_nothing)
{
    static const char *const bad[] = { "1", "{}", "[]",
        ("{'node_id':1,'vector_clock':{},'lww_registers':{},'deleted_keys':{"
         "'elements':[]}}"),
        ("{'node_id':'B','vector_clock':[],'lww_registers':{},'deleted_keys':{"
         "'elements':[]}}"),
        ("{'node_id':'B','vector_clock':{},'lww_registers':[],'deleted_keys':{"
         "'elements':[]}}"),
        ("{'node_id':'B','vector_clock':{},'lww_registers':{},'deleted_keys':{}"
         "}"),
        "{'node_id':'B','vector_clock':{},'lww_registers':{}}" };
    struct arena a = { 0 };
    struct isync_state *s = state("A");
    struct isync_merged done = { 0 };
    struct errmsg why = { "" };

    for (size_t i = 0; i < ARRAY_N(bad); i++)
        CHECK_INT(isync_state_merge(
                      s, isync_json(&a, bad[i]), 0, NOW_US, NULL, &done, &why),
            SYNCLINE_EMALFORMED);
    CHECK(why.text[0] != 0);
    CHECK_UINT(isync_state_counts(s).nodes, 0);
    isync_state_free(s);
    arena_free(&a);
}

TEST(what_is_not_of_the_form_is_counted_and_left_out)
{
    static const char *const bad[] = { "1", "{}", "{'node_id':'B'}",
        "{'node_id':'B','value':1,'timestamp':NaN}",
        "{'node_id':'B','value':1,'timestamp':Infinity}",
        "{'node_id':'B','value':1,'timestamp':1.7976931348623157e308}",
        "{'node_id':'B','value':1,'timestamp':'1'}",
        "{'node_id':'B','value':1,'timestamp':true}",
        "{'node_id':2,'value':1,'timestamp':1}",
        "{'node_id':'B','timestamp':1}",
        "{'node_id':'B','value':[-Infinity],'timestamp':1}",
        "{'node_id':'B','value':'\\ud800','timestamp':1}" };
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct isync_state *s = state("A");
        struct isync_merged done;
        char text[512];

        (void)snprintf(text, sizeof text,
            "{'node_id':'B','vector_clock':{'x':'y','z':1.5},'lww_registers':{"
            "'bad':%s,'good':{'node_id':'B','value':null,'timestamp':1}},"
            "'deleted_keys':{'elements':[7,'']}}",
            bad[i]);
        done = merge(s, isync_json(&a, text), NULL);
        CHECK_SAYING(done.refused == 3 && done.registers == 1, "%s", bad[i]);
        isync_state_free(s);
    }
    arena_free(&a);
}

/* ---- parts ---- */

TEST(a_state_in_parts_is_the_state)
{
    struct arena a = { 0 };
    struct isync_state *s = state("A"), *t = state("B");
    struct isync_cut cut = { .bytes = 500 };
    size_t parts = 0;

    for (int i = 0; i < 100; i++) {
        char key[32];

        (void)snprintf(key, sizeof key, "key%d", i);
        put(s, key, "'some value'", 1 + i);
        if (i % 7 == 0)
            CHECK_OK(isync_state_del(s, slice_str(key)));
    }
    for (; !cut.is_last; parts++) {
        struct json *v = isync_state_export(s, &cut, &a);

        CHECK(v != NULL && cut.n > 0);
        CHECK((json_get(v, "vector_clock")->n > 0) == cut.is_last);
        (void)merge(t, v, NULL);
        CHECK(parts < 100);
    }
    CHECK(parts > 10);
    CHECK_BYTES(content(t, &a), content(s, &a));
    cut = (struct isync_cut){ .after = isync_state_head(s) };
    CHECK(isync_state_export(s, &cut, &a) != NULL);
    CHECK(cut.n == 0 && cut.is_last);
    put(s, "key1", "'another'", 1000);
    CHECK(isync_state_export(s, &cut, &a) != NULL);
    CHECK(cut.n == 1 && cut.is_last);
    isync_state_free(s);
    isync_state_free(t);
    arena_free(&a);
}

TEST(what_a_link_has_brought_is_not_new_to_it)
{
    struct arena a = { 0 };
    struct isync_state *s = state("A"), *b = state("B");
    struct isync_merged done;
    struct isync_cut cut = { .not_of = 5 };

    put(b, "k", "1", 10);
    CHECK_OK(isync_state_merge(s, whole(b, &a), 5, NOW_US, NULL, &done, NULL));
    CHECK(isync_state_export(s, &cut, &a) != NULL);
    CHECK(cut.n == 0 && cut.is_last);
    cut = (struct isync_cut){ .not_of = 6 };
    CHECK(isync_state_export(s, &cut, &a) != NULL);
    CHECK(cut.n == 1);
    isync_state_free(s);
    isync_state_free(b);
    arena_free(&a);
}

/* ---- memory that runs out ---- */

TEST(merging_again_does_what_memory_was_missing_for)
{
    struct arena a = { 0 };
    struct isync_state *want = state("A");
    const struct json *v = isync_json(&a,
        "{'node_id':'B','vector_clock':{'B':3},'lww_registers':{"
        "'a':{'node_id':'B','value':{'x':[1]},'timestamp':5.5},"
        "'b':{'node_id':'C','value':2,'timestamp':11}},"
        "'deleted_keys':{'elements':['c']}}");

    (void)merge(want, v, NULL);
    for (long n = 0;; n++) {
        struct isync_state *s = state("A");
        struct isync_merged done;
        bool has_failed;
        int rc;

        check_alloc_fail_from(n);
        rc = isync_state_merge(s, v, 0, NOW_US, NULL, &done, NULL);
        has_failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        if (has_failed)
            CHECK_INT(rc, SYNCLINE_ENOMEM);
        (void)merge(s, v, NULL);
        CHECK_BYTES(content(s, &a), content(want, &a));
        isync_state_free(s);
        if (!has_failed)
            break;
    }
    isync_state_free(want);
    arena_free(&a);
}
