#include "files/local.h"

#include "files/diff.h"
#include "unit/check.h"
#include "unit/json_make.h"

#define PARTS_MAX 3

static struct local_parts parts_of(const char *const *text, struct slice *to)
{
    struct local_parts l = { .pointers = to };

    while (l.n < PARTS_MAX && text[l.n] != NULL) {
        to[l.n] = slice_str(text[l.n]);
        l.n++;
    }
    return l;
}

static const struct {
    const char *parts[PARTS_MAX];
    const char *file, *published, *remote, *kept;
} rows[] = {
    { { "/host" }, "{\"host\":\"a\",\"x\":1}", "{\"x\":1}", "{\"x\":2}",
        "{\"host\":\"a\",\"x\":2}" },
    { { "/host" }, "{\"host\":\"a\"}", "{}", "{\"host\":\"b\",\"x\":2}",
        "{\"host\":\"a\",\"x\":2}" },
    { { "/host" }, "{\"x\":1}", "{\"x\":1}", "{\"host\":\"b\",\"x\":2}",
        "{\"x\":2}" },
    { { "/net/host" }, "{\"net\":{\"host\":\"a\",\"port\":1}}",
        "{\"net\":{\"port\":1}}", "{\"net\":{\"port\":2}}",
        "{\"net\":{\"host\":\"a\",\"port\":2}}" },
    { { "/net/host" }, "{\"net\":{\"host\":\"a\"},\"x\":1}", "{\"x\":1}",
        "{\"x\":2}", "{\"net\":{\"host\":\"a\"},\"x\":2}" },
    { { "/net/host" }, "{\"net\":{\"host\":\"a\"}}", "{}", "{\"net\":5}",
        "{\"net\":{\"host\":\"a\"}}" },
    { { "/net/host" }, "{\"net\":{\"host\":\"a\"}}", "{}", "{\"net\":[5]}",
        "{\"net\":{\"host\":\"a\"}}" },
    { { "/net/host" }, "{\"net\":5}", "{\"net\":5}", "{\"net\":{}}",
        "{\"net\":{}}" },
    { { "/a/b", "/a/c" }, "{\"a\":{\"b\":null,\"c\":[1]}}", "{}",
        "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":null,\"c\":[1]}}" },
    { { "/a", "/a/b" }, "{\"a\":{\"b\":1,\"c\":2},\"d\":0}", "{\"d\":0}",
        "{\"a\":7,\"d\":1}", "{\"a\":{\"b\":1,\"c\":2},\"d\":1}" },
    { { "/a~1b" }, "{\"a/b\":1,\"c\":1}", "{\"c\":1}", "{\"c\":2}",
        "{\"a/b\":1,\"c\":2}" },
};

static void check_text(const struct json *v, const char *want)
{
    struct buf b = { 0 };

    json_print(&b, v, JSON_CANONICAL);
    CHECK_SLICE(buf_slice(&b), want);
    buf_free(&b);
}

TEST(local_parts_are_kept_aside_and_put_back)
{
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct slice to[PARTS_MAX];
        struct local_parts l = parts_of(rows[i].parts, to);
        struct arena a = { 0 };
        struct json *file = json_of(slice_str(rows[i].file), &a), *v;
        struct json *remote = json_of(slice_str(rows[i].remote), &a);

        CHECK_OK(local_strip(&v, file, &l, &a, NULL));
        check_text(v, rows[i].published);
        CHECK_OK(local_keep(&v, remote, file, &l, &a, NULL));
        check_text(v, rows[i].kept);
        check_text(file, rows[i].file);
        arena_free(&a);
    }
}

TEST(what_a_pointer_must_look_like)
{
    static const struct {
        const char *pointer;
        int rc;
    } table[] = { { "/a", SYNCLINE_OK }, { "/", SYNCLINE_OK },
        { "/a~0/~1", SYNCLINE_OK }, { "", SYNCLINE_EINVAL },
        { "a", SYNCLINE_EINVAL }, { "/a~", SYNCLINE_EINVAL },
        { "/a~2", SYNCLINE_EINVAL }, { "#/a", SYNCLINE_EINVAL } };

    for (size_t i = 0; i < ARRAY_N(table); i++) {
        struct arena a = { 0 };
        struct errmsg why = { "" };

        CHECK_INT(
            local_check(slice_str(table[i].pointer), &a, &why), table[i].rc);
        CHECK((why.text[0] != 0) == (table[i].rc != SYNCLINE_OK));
        arena_free(&a);
    }
}

/* Publishing the array would publish what is local in it. */
TEST(an_array_is_one_value)
{
    static const char *const text[PARTS_MAX] = { "/a/0/x", NULL };
    struct slice to[PARTS_MAX];
    struct local_parts l = parts_of(text, to);
    struct arena a = { 0 };
    struct errmsg why = { "" };
    struct json *file = json_of(SLICE_LIT("{\"a\":[{\"x\":1}]}"), &a);
    struct json *other = json_of(SLICE_LIT("{\"b\":1}"), &a), *v = NULL;

    CHECK_INT(local_strip(&v, file, &l, &a, &why), SYNCLINE_EINVAL);
    CHECK(strstr(why.text, "/a/0/x") != NULL && v == NULL);
    CHECK_INT(local_keep(&v, other, file, &l, &a, &why), SYNCLINE_EINVAL);
    CHECK_OK(local_keep(&v, file, other, &l, &a, &why));
    arena_free(&a);
}

static const char *const pointers[] = { "/a", "/b", "/c/a", "/c/b", "/a/name",
    "/name/a/b", "/a~1b", "/~0", "/", "/a/b/c", "/0" };

/* Through objects only. */
static const struct json *part_of(
    const struct json *v, struct slice pointer, struct arena *a)
{
    struct slice segment;

    while (v != NULL && pointer.len > 0) {
        CHECK_OK(json_pointer_next(&pointer, &segment, a));
        v = json_get_slice(v, segment);
    }
    return v;
}

/* May the part at a pointer of the remote document have to make room? */
static bool in_the_way(
    const struct json *remote, struct slice pointer, struct arena *a)
{
    const struct json *v = remote;
    struct slice segment;

    while (v != NULL && v->type == JSON_OBJECT && pointer.len > 0) {
        CHECK_OK(json_pointer_next(&pointer, &segment, a));
        v = json_get_slice(v, segment);
    }
    return v != NULL && pointer.len > 0;
}

static bool names(const struct local_parts *l, struct slice path)
{
    for (size_t i = 0; i < l->n; i++)
        if (slice_eq(l->pointers[i], path) ||
            path_is_above(l->pointers[i], path))
            return true;
    return false;
}

static void check_laws(struct prng *p, struct arena *a, unsigned *looked_at)
{
    struct slice to[PARTS_MAX];
    struct local_parts l = { .pointers = to,
        .n = 1 + prng_below(p, PARTS_MAX) };
    struct json *file = draw_object(p, a, 4), *remote, *edited;
    struct json *was, *is, *kept, *back, *bare;
    struct leaves patch;
    bool room = false;

    for (size_t i = 0; i < l.n; i++)
        to[i] = slice_str(pointers[prng_below(p, ARRAY_N(pointers))]);
    remote = prng_one_in(p, 4) ? draw_json(p, a, 4) : draw_change(p, a, file);
    edited = draw_change(p, a, file);
    if (local_strip(&was, file, &l, a, NULL) != SYNCLINE_OK ||
        local_strip(&is, edited, &l, a, NULL) != SYNCLINE_OK)
        return;
    CHECK_OK(diff(&patch, was, is, a));
    for (uint32_t i = 0; i < patch.n; i++)
        CHECK_SAYING(!names(&l, patch.e[i].path), "%.*s is published",
            SLICE_FMT(patch.e[i].path));
    CHECK_OK(local_keep(&kept, remote, file, &l, a, NULL));
    for (size_t i = 0; i < l.n; i++) {
        const struct json *x = part_of(file, to[i], a);
        const struct json *y = part_of(kept, to[i], a);

        CHECK(x == NULL ? y == NULL : json_equal(x, y));
        room = room || in_the_way(remote, to[i], a);
    }
    if (room)
        return;
    CHECK_OK(local_strip(&back, kept, &l, a, NULL));
    CHECK_OK(local_strip(&bare, remote, &l, a, NULL));
    CHECK(json_equal(back, bare));
    (*looked_at)++;
}

TEST(local_parts_are_never_published_and_always_survive)
{
    unsigned looked_at = 0;

    for (uint64_t seed = 0; seed < 8000; seed++) {
        struct prng p = { seed };
        struct arena a = { 0 };

        check_laws(&p, &a, &looked_at);
        arena_free(&a);
    }
    CHECK(looked_at > 2000);
}
