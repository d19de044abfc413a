#include "files/diff.h"

#include "core/merge.h"
#include "unit/check.h"
#include "unit/json_make.h"

static void print(struct buf *b, const struct json *v)
{
    buf_clear(b);
    json_print(b, v, JSON_CANONICAL);
    CHECK_OK(buf_status(b));
}

/* A patch as a table shows it: `pointer=value`, or `pointer-`, in order. */
static void put_patch(struct buf *b, const struct leaves *patch)
{
    for (uint32_t i = 0; i < patch->n; i++) {
        buf_put_str(b, i > 0 ? " " : "");
        buf_put_slice(b, patch->e[i].path);
        if (patch->e[i].value.ptr == NULL) {
            buf_put_str(b, "-");
        } else {
            buf_put_str(b, "=");
            buf_put_slice(b, patch->e[i].value);
        }
    }
}

static const struct {
    const char *before, *after, *patch, *pointers;
} rows[] = {
    { "{}", "{}", "", "[]" },
    { "{\"a\":1}", "{\"a\":1}", "", "[]" },
    { "{\"a\":1}", "{\"a\":1.0}", "/a=1.0", "[\"/a\"]" },
    { "{\"a\":1}", "{\"a\":null}", "/a=null", "[\"/a\"]" },
    { "{\"a\":1,\"b\":2}", "{\"b\":2}", "/a-", "[\"/a\"]" },
    { "{\"a\":{\"x\":1}}", "{\"a\":{}}", "/a={} /a/x-", "[\"/a\",\"/a/x\"]" },
    { "{\"a\":{\"x\":1}}", "{}", "={} /a/x-", "[\"\",\"/a/x\"]" },
    { "{\"a\":{\"x\":1},\"b\":1}", "{\"b\":1}", "/a/x-", "[\"/a/x\"]" },
    { "{\"a\":[1,2]}", "{\"a\":[1,3]}", "/a=[1,3]", "[\"/a\"]" },
    { "{\"a\":5}", "{\"a\":{\"x\":1}}", "/a- /a/x=1", "[\"/a\",\"/a/x\"]" },
    { "{\"a\":{\"x\":1}}", "{\"a\":5}", "/a=5 /a/x-", "[\"/a\",\"/a/x\"]" },
    { "5", "{\"a\":1}", "- /a=1", "[\"\",\"/a\"]" },
    { "{\"a\":1}", "5", "=5 /a-", "[\"\",\"/a\"]" },
    { "{\"a/b\":{\"~\":1}}", "{\"a/b\":{\"~\":2}}", "/a~1b/~0=2",
        "[\"/a~1b/~0\"]" },
    { "{\"\\\"\":1}", "{\"\\\"\":2}", "/\"=2", "[\"/\\\"\"]" },
};

TEST(what_changed_and_nothing_else)
{
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct arena a = { 0 };
        struct buf b = { 0 };
        struct leaves patch;

        CHECK_OK(diff(&patch, json_of(slice_str(rows[i].before), &a),
            json_of(slice_str(rows[i].after), &a), &a));
        put_patch(&b, &patch);
        CHECK_SLICE(buf_slice(&b), rows[i].patch);
        buf_clear(&b);
        diff_put_pointers(&b, &patch);
        CHECK_SLICE(buf_slice(&b), rows[i].pointers);
        buf_free(&b);
        arena_free(&a);
    }
}

TEST(of_nothing_everything_is_new)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct leaves patch;
    struct json *v, *doc = json_of(SLICE_LIT("{\"a\":{\"b\":1}}"), &a);

    CHECK_OK(diff(&patch, NULL, doc, &a));
    CHECK_OK(diff_apply(&v, NULL, &patch, &a));
    print(&b, v);
    CHECK_SLICE(buf_slice(&b), "{\"a\":{\"b\":1}}");
    patch.n = 0;
    CHECK_OK(diff_apply(&v, NULL, &patch, &a));
    CHECK(v->type == JSON_OBJECT && v->n == 0);
    buf_free(&b);
    arena_free(&a);
}

/* base, what one machine made of it, what another did: both win. */
static const struct {
    const char *base, *mine, *theirs, *want;
} both[] = {
    { "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}", "{\"a\":1,\"b\":2}",
        "{\"a\":2,\"b\":2}" },
    { "{\"a\":1,\"b\":1}", "{\"b\":1}", "{\"a\":1,\"b\":1,\"c\":1}",
        "{\"b\":1,\"c\":1}" },
    { "{\"a\":{\"x\":1},\"b\":1}", "{\"b\":1}",
        "{\"a\":{\"x\":1,\"y\":1},\"b\":1}", "{\"a\":{\"y\":1},\"b\":1}" },
    { "{\"a\":{\"x\":1},\"b\":1}", "{\"b\":1}", "{\"a\":{\"x\":1},\"b\":2}",
        "{\"b\":2}" },
    { "{\"a\":{\"x\":1}}", "{\"a\":{}}", "{\"a\":{\"x\":1,\"y\":1}}",
        "{\"a\":{\"y\":1}}" },
    { "{}", "{\"a\":null}", "{\"b\":null}", "{\"a\":null,\"b\":null}" },
    { "{\"a\":{\"x\":1}}", "{\"a\":7}", "{\"a\":{\"x\":1,\"y\":1}}",
        "{\"a\":7}" },
    { "{\"a\":1}", "{\"a\":{\"x\":1}}", "{\"a\":2}", "{\"a\":{\"x\":1}}" },
};

TEST(two_machines_change_different_settings)
{
    for (size_t i = 0; i < ARRAY_N(both); i++) {
        struct arena a = { 0 };
        struct buf b = { 0 };
        struct leaves patch;
        struct json *v;

        CHECK_OK(diff(&patch, json_of(slice_str(both[i].base), &a),
            json_of(slice_str(both[i].mine), &a), &a));
        CHECK_OK(
            diff_apply(&v, json_of(slice_str(both[i].theirs), &a), &patch, &a));
        print(&b, v);
        CHECK_SLICE(buf_slice(&b), both[i].want);
        buf_free(&b);
        arena_free(&a);
    }
}

TEST(the_difference_applied_is_the_other)
{
    for (uint64_t seed = 0; seed < 5000; seed++) {
        struct prng p = { seed };
        struct arena a = { 0 };
        struct leaves patch;
        struct json *from = draw_json(&p, &a, 4), *to, *v;

        to = prng_one_in(&p, 5) ? draw_json(&p, &a, 4)
                                : draw_change(&p, &a, from);
        CHECK_OK(diff(&patch, from, to, &a));
        CHECK_OK(diff_apply(&v, from, &patch, &a));
        CHECK_SAYING(json_equal(v, to), "seed %llu", (unsigned long long)seed);
        CHECK((patch.n == 0) == json_equal(from, to));
        arena_free(&a);
    }
}

/* As what a person sees of an item after a write by that patch. */
static struct json *through_item(
    const struct json *doc, const struct leaves *patch, struct arena *a)
{
    struct author by = { .dot = { .seq = 1 }, .stamp = { .hlc = 1 } };
    struct buf text = { 0 };
    struct json *v;
    struct item it;
    bool wrote;

    item_init(&it);
    CHECK_OK(item_put(&it, doc, &by, &wrote, a));
    by = (struct author){ .dot = { .seq = 2 }, .stamp = { .hlc = 2 } };
    CHECK_OK(item_write(&it, patch, &by, &wrote, a));
    put_document(&text, &it, a);
    v = json_copy(json_of(buf_slice(&text), a), a);
    CHECK(v != NULL);
    buf_free(&text);
    return v;
}

static bool related(const struct leaves *x, const struct leaves *y)
{
    for (uint32_t i = 0; i < x->n; i++)
        for (uint32_t k = 0; k < y->n; k++)
            if (slice_eq(x->e[i].path, y->e[k].path) ||
                path_is_above(x->e[i].path, y->e[k].path) ||
                path_is_above(y->e[k].path, x->e[i].path))
                return true;
    return false;
}

TEST(unrelated_changes_commute_and_are_what_the_item_shows)
{
    unsigned unrelated = 0;

    for (uint64_t seed = 0; seed < 6000; seed++) {
        struct prng p = { seed };
        struct arena a = { 0 };
        struct leaves mine, theirs;
        struct json *base = draw_object(&p, &a, 4), *one, *two, *ab, *ba;

        one = draw_change(&p, &a, base);
        two = draw_change(&p, &a, base);
        CHECK_OK(diff(&mine, base, one, &a));
        CHECK_OK(diff(&theirs, base, two, &a));
        CHECK_OK(diff_apply(&ab, one, &theirs, &a));
        CHECK_OK(diff_apply(&ba, two, &mine, &a));
        CHECK(json_equal(ab, through_item(one, &theirs, &a)));
        if (!related(&mine, &theirs)) {
            CHECK_SAYING(
                json_equal(ab, ba), "seed %llu", (unsigned long long)seed);
            unrelated += mine.n > 0 && theirs.n > 0;
        }
        arena_free(&a);
    }
    CHECK(unrelated > 100);
}

TEST(what_no_item_can_hold_is_refused)
{
    struct arena a = { 0 };
    struct json *doc = json_new(&a, JSON_OBJECT);
    struct leaves patch;

    for (int i = 0; i <= CELLS_MAX; i++) {
        char *key = arena_alloc(&a, 8);

        CHECK(key != NULL);
        memset(key, 'k', 8);
        for (int n = i, at = 7; at > 1; at--, n /= 10)
            key[at] = (char)('0' + n % 10);
        CHECK(json_add(doc, SLICE(key, 8), json_new_int(&a, 1)) != NULL);
    }
    CHECK_INT(diff(&patch, NULL, doc, &a), SYNCLINE_ELIMIT);
    arena_free(&a);
}

/* What of the first is contested by the second: patches of {"a":1,"o":{"x":1},
 * "l":[1]}. */
static const struct {
    const char *ours, *theirs, *contested;
} contests[] = {
    { "{\"a\":2,\"o\":{\"x\":1},\"l\":[1]}",
        "{\"a\":1,\"o\":{\"x\":2},\"l\":[1]}", "" },
    { "{\"a\":2,\"o\":{\"x\":1},\"l\":[1]}",
        "{\"a\":2,\"o\":{\"x\":1},\"l\":[1]}", "" },
    { "{\"a\":2,\"o\":{\"x\":1},\"l\":[1]}",
        "{\"a\":3,\"o\":{\"x\":1},\"l\":[1]}", "/a=2" },
    { "{\"o\":{\"x\":1},\"l\":[1]}", "{\"a\":3,\"o\":{\"x\":1},\"l\":[1]}",
        "/a-" },
    { "{\"o\":{\"x\":1},\"l\":[1]}", "{\"o\":{\"x\":1},\"l\":[1]}", "" },
    { "{\"a\":1,\"o\":{\"x\":1},\"l\":[1,2]}",
        "{\"a\":1,\"o\":{\"x\":1},\"l\":[1,3]}", "/l=[1,2]" },
    { "{\"a\":1,\"o\":{\"x\":1,\"y\":1},\"l\":[1]}",
        "{\"a\":1,\"o\":{\"x\":1,\"z\":1},\"l\":[1]}", "" },
    { "{\"a\":1,\"o\":7,\"l\":[1]}",
        "{\"a\":1,\"o\":{\"x\":1,\"z\":1},\"l\":[1]}", "/o=7" },
    { "{\"a\":1,\"o\":{\"x\":1,\"z\":1},\"l\":[1]}",
        "{\"a\":1,\"o\":7,\"l\":[1]}", "/o/z=1" },
    { "{\"a\":1,\"o\":{},\"l\":[1]}",
        "{\"a\":1,\"o\":{\"x\":1,\"z\":1},\"l\":[1]}", "" },
};

TEST(what_both_change_is_contested)
{
    for (size_t i = 0; i < ARRAY_N(contests); i++) {
        struct arena a = { 0 };
        struct json *base =
            json_of(SLICE_LIT("{\"a\":1,\"o\":{\"x\":1},\"l\":[1]}"), &a);
        struct leaves ours, theirs, free, contested;
        struct buf got = { 0 };

        CHECK_OK(
            diff(&ours, base, json_of(slice_str(contests[i].ours), &a), &a));
        CHECK_OK(diff(
            &theirs, base, json_of(slice_str(contests[i].theirs), &a), &a));
        CHECK_OK(diff_part(&free, &contested, &ours, &theirs, &a));
        CHECK_UINT(free.n + contested.n, ours.n);
        put_patch(&got, &contested);
        CHECK_SLICE(buf_slice(&got), contests[i].contested);
        buf_free(&got);
        arena_free(&a);
    }
}
