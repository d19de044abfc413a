/* What iSync registers, deletions and clocks may take. */
#include "faces/isync/state.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit/check.h"
#include "unit/isync_vectors.h"

#define NOW_US UINT64_C(1795176000000000)

static struct isync_state *state(const char *node)
{
    struct isync_state *s = NULL;

    CHECK_OK(isync_state_new(&s, node));
    return s;
}

static struct json *whole(const struct isync_state *s, struct arena *a)
{
    struct isync_cut cut = { 0 };
    struct json *v = isync_state_export(s, &cut, a);

    CHECK(v != NULL && cut.is_last);
    return v;
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

TEST(what_is_too_large_is_left_out_and_nothing_is_cut_short)
{
    struct arena a = { 0 };
    struct isync_state *s = state("A");
    char *key = calloc(1, ISYNC_KEY_MAX + 2);
    char *value = calloc(1, ISYNC_VALUE_MAX + 2);
    struct json *v;

    memset(key, 'k', ISYNC_KEY_MAX);
    CHECK_OK(
        isync_state_put(s, slice_str(key), isync_json(&a, "1"), at(1), false));
    key[ISYNC_KEY_MAX] = 'k';
    CHECK_INT(
        isync_state_put(s, slice_str(key), isync_json(&a, "1"), at(1), false),
        SYNCLINE_ELIMIT);
    memset(value, 'v', ISYNC_VALUE_MAX - 2);
    v = json_new_str(&a, slice_str(value));
    CHECK_OK(isync_state_put(s, SLICE_LIT("v"), v, at(1), false));
    value[ISYNC_VALUE_MAX - 2] = 'v';
    v = json_new_str(&a, slice_str(value));
    CHECK_INT(
        isync_state_put(s, SLICE_LIT("w"), v, at(1), false), SYNCLINE_ELIMIT);
    CHECK_UINT(isync_state_counts(s).registers, 2);
    memset(value, '[', ISYNC_VALUE_DEPTH_MAX + 1);
    memset(value + ISYNC_VALUE_DEPTH_MAX + 1, ']', ISYNC_VALUE_DEPTH_MAX + 1);
    value[2 * ISYNC_VALUE_DEPTH_MAX + 2] = 0;
    CHECK_INT(
        isync_state_put(s, SLICE_LIT("d"), isync_json(&a, value), at(1), false),
        SYNCLINE_ELIMIT);
    free(key);
    free(value);
    isync_state_free(s);
    arena_free(&a);
}

TEST(registers_are_bounded_and_what_is_in_can_still_change)
{
    struct arena a = { 0 };
    struct isync_state *s = state("A");
    const struct json *one = isync_json(&a, "1"), *two = isync_json(&a, "2");
    char key[32];

    for (int i = 0; i < ISYNC_REGISTERS_MAX; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        CHECK_OK(isync_state_put(s, slice_str(key), one, at(1), false));
    }
    CHECK_INT(isync_state_put(s, SLICE_LIT("more"), one, at(1), false),
        SYNCLINE_ELIMIT);
    CHECK_OK(isync_state_put(s, SLICE_LIT("k7"), two, at(2), false));
    CHECK_OK(isync_state_del(s, SLICE_LIT("k8")));
    CHECK_OK(isync_state_put(s, SLICE_LIT("more"), one, at(1), false));
    isync_state_free(s);
    arena_free(&a);
}

TEST(deletions_are_bounded)
{
    struct isync_state *s = state("A");
    char key[32];

    for (int i = 0; i < ISYNC_DELETED_MAX; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        CHECK_OK(isync_state_del(s, slice_str(key)));
    }
    CHECK_INT(isync_state_del(s, SLICE_LIT("more")), SYNCLINE_ELIMIT);
    isync_state_free(s);
}

/* Of what is kept all is in memory as JSON once, at the start. */
TEST(small_parts_of_values_are_bounded_in_all)
{
    struct arena a = { 0 };
    struct isync_state *s = state("A");
    struct json *many = json_new(&a, JSON_ARRAY);
    char key[32];
    int n = 0, rc;

    for (int i = 0; i < 20000; i++)
        json_append(many, json_new(&a, JSON_NULL));
    do {
        (void)snprintf(key, sizeof key, "k%d", n++);
        rc = isync_state_put(s, slice_str(key), many, at(1), false);
    } while (rc == SYNCLINE_OK && n < 1000);
    CHECK_INT(rc, SYNCLINE_ELIMIT);
    CHECK_UINT((size_t)n - 1, ISYNC_STATE_NODES_MAX / 20001);
    CHECK_OK(
        isync_state_put(s, SLICE_LIT("k0"), isync_json(&a, "1"), at(2), false));
    CHECK_OK(isync_state_put(s, slice_str(key), many, at(2), false));
    isync_state_free(s);
    arena_free(&a);
}

/* What a file could not hold would be lost with the next start. */
TEST(what_is_long_as_text_is_bounded)
{
    struct isync_state *s = state("A");
    char key[ISYNC_KEY_MAX + 1];
    int n = 0, rc;

    memset(key, 1, ISYNC_KEY_MAX);
    do {
        (void)snprintf(key, 8, "%d", n++);
        key[strlen(key)] = 1;
        rc = isync_state_del(s, SLICE(key, ISYNC_KEY_MAX));
    } while (rc == SYNCLINE_OK && n < 100000);
    CHECK_INT(rc, SYNCLINE_ELIMIT);
    CHECK((size_t)n < ISYNC_STATE_TEXT_MAX / 12000);
    isync_state_free(s);
}

TEST(what_was_replaced_takes_no_room)
{
    struct isync_state *s = state("A");
    size_t bytes;

    put(s, "k", "0", 1);
    bytes = isync_state_counts(s).bytes;
    for (int i = 2; i < 9; i++) {
        char value[8];

        (void)snprintf(value, sizeof value, "%d", i);
        put(s, "k", value, i);
    }
    CHECK_UINT(isync_state_counts(s).bytes, bytes);
    isync_state_free(s);
}

TEST(nodes_of_the_clock_are_bounded_and_our_own_is_always_in)
{
    struct arena a = { 0 };
    struct isync_state *s = state("A");
    struct json *v = isync_json(&a,
        "{'node_id':'B','vector_clock':{'A':9223372036854775807},"
        "'lww_registers':{},'deleted_keys':{'elements':[]}}");
    struct json *clock = json_get(v, "vector_clock");

    for (int i = 0; i < 2 * ISYNC_CLOCK_MAX; i++) {
        char node[16];

        (void)snprintf(node, sizeof node, "n%d", i);
        json_add(clock, arena_dup(&a, slice_str(node)), json_new_int(&a, i));
    }
    (void)merge(s, v, NULL);
    CHECK_UINT(isync_state_counts(s).nodes, ISYNC_CLOCK_MAX);
    CHECK(json_get_int(json_get(whole(s, &a), "vector_clock"), "A", 0) ==
        INT64_MAX);
    isync_state_free(s);
    arena_free(&a);
}
