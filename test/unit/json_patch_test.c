#include "core/json_patch.h"

#include "base/text.h"
#include "unit/check.h"

#include <stdio.h>

static struct json *parse(const char *text, struct arena *a)
{
    struct json *v = NULL;

    struct errmsg why = { "" };
    int rc = json_parse(&v, slice_str(text), JSON_WRAPPED, a, &why);

    CHECK_SAYING(rc == SYNCLINE_OK, "%s: %s", text, why.text);
    return v;
}

static void check_patch(const char *doc, const char *patch, const char *want)
{
    struct arena a = { 0 };
    struct errmsg why = { "" };
    struct json *target = parse(doc, &a), *out = NULL;
    struct buf before = { 0 }, got = { 0 }, after = { 0 };
    int rc;

    json_print(&before, target, JSON_COMPACT);
    rc = json_patch(&out, target, parse(patch, &a), &a, &why);
    CHECK_SAYING(rc == SYNCLINE_OK, "%s: %s", patch, why.text);
    json_print(&got, out, JSON_CANONICAL);
    CHECK_SLICE(buf_slice(&got), want);
    json_print(&after, target, JSON_COMPACT);
    CHECK_BYTES(buf_slice(&after), buf_slice(&before));
    buf_free(&before);
    buf_free(&got);
    buf_free(&after);
    arena_free(&a);
}

/* The examples of the RFC's appendix, and what it leaves to the reader. */
static const char *const fitting[][3] = {
    { "{\"foo\":\"bar\"}",
        "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
        "{\"baz\":\"qux\",\"foo\":\"bar\"}" },
    { "{\"foo\":[\"bar\",\"baz\"]}",
        "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
        "{\"foo\":[\"bar\",\"qux\",\"baz\"]}" },
    { "{\"baz\":\"qux\",\"foo\":\"bar\"}",
        "[{\"op\":\"remove\",\"path\":\"/baz\"}]", "{\"foo\":\"bar\"}" },
    { "{\"foo\":[\"bar\",\"qux\",\"baz\"]}",
        "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
        "{\"foo\":[\"bar\",\"baz\"]}" },
    { "{\"baz\":\"qux\",\"foo\":\"bar\"}",
        "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
        "{\"baz\":\"boo\",\"foo\":\"bar\"}" },
    { "{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":"
      "\"grault\"}}",
        "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/"
        "thud\"}]",
        "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\","
        "\"thud\":\"fred\"}}" },
    { "{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
        "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
        "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}" },
    { "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
        "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},"
        "{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2}]",
        "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}" },
    { "{\"foo\":\"bar\"}",
        "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{"
        "\"grandchild\":{}}}]",
        "{\"child\":{\"grandchild\":{}},\"foo\":\"bar\"}" },
    { "{\"foo\":\"bar\"}",
        "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":"
        "123}]",
        "{\"baz\":\"qux\",\"foo\":\"bar\"}" },
    { "{\"/\":9,\"~1\":10}",
        "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]",
        "{\"/\":9,\"~1\":10}" },
    { "{\"foo\":[\"bar\"]}",
        "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\","
        "\"def\"]}]",
        "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}" },
    /* The whole document. */
    { "1", "[{\"op\":\"add\",\"path\":\"\",\"value\":{}}]", "{}" },
    { "{\"a\":[1]}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"\"}]",
        "[1]" },
    { "[1]", "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/0\"}]", "[[1],1]" },
    { "2", "[{\"op\":\"replace\",\"path\":\"\",\"value\":null}]", "null" },
    { "2", "[]", "2" },
    /* Names. */
    { "{\"a\":{\"\":1}}", "[{\"op\":\"remove\",\"path\":\"/a/\"}]",
        "{\"a\":{}}" },
    { "{}", "[{\"op\":\"add\",\"path\":\"/~1~0\",\"value\":1}]", "{\"/~\":1}" },
    { "{}", "[{\"op\":\"add\",\"path\":\"/-\",\"value\":1}]", "{\"-\":1}" },
    { "{\"0\":1}", "[{\"op\":\"replace\",\"path\":\"/0\",\"value\":2}]",
        "{\"0\":2}" },
    { "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":2}]",
        "{\"a\":2}" },
    /* The end of an array, by both names. */
    { "[1]", "[{\"op\":\"add\",\"path\":\"/1\",\"value\":2}]", "[1,2]" },
    { "[]", "[{\"op\":\"add\",\"path\":\"/-\",\"value\":2}]", "[2]" },
    { "[1,2]",
        "[{\"op\":\"remove\",\"path\":\"/1\"},"
        "{\"op\":\"add\",\"path\":\"/-\",\"value\":3}]",
        "[1,3]" },
    { "{\"a\":1,\"b\":2}",
        "[{\"op\":\"remove\",\"path\":\"/b\"},"
        "{\"op\":\"add\",\"path\":\"/c\",\"value\":3}]",
        "{\"a\":1,\"c\":3}" },
    { "[1,2]", "[{\"op\":\"move\",\"from\":\"/0\",\"path\":\"/-\"}]", "[2,1]" },
    /* Moved to where it is. */
    { "{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]",
        "{\"a\":1}" },
    { "{\"a\":1,\"ab\":2}",
        "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/ab\"}]", "{\"ab\":1}" },
    /* What is copied is another one from then on. */
    { "{\"a\":{\"x\":1}}",
        "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"},"
        "{\"op\":\"replace\",\"path\":\"/b/x\",\"value\":2}]",
        "{\"a\":{\"x\":1},\"b\":{\"x\":2}}" },
    /* Numbers are what they are worth; order of members is nothing. */
    { "{\"a\":[1,{\"x\":1.0,\"y\":2}]}",
        "[{\"op\":\"test\",\"path\":\"/a\",\"value\":[1.0,{\"y\":2,\"x\":"
        "1}]}]",
        "{\"a\":[1,{\"x\":1.0,\"y\":2}]}" },
    { "0.0", "[{\"op\":\"test\",\"path\":\"\",\"value\":-0.0}]", "0.0" },
};

TEST(a_patch_does_what_it_says)
{
    for (size_t i = 0; i < ARRAY_N(fitting); i++)
        check_patch(fitting[i][0], fitting[i][1], fitting[i][2]);
}

static void check_refused(
    const char *doc, const char *patch, int want, const char *part)
{
    struct arena a = { 0 };
    struct errmsg why = { "" };
    struct json *out = NULL;
    int rc = json_patch(&out, parse(doc, &a), parse(patch, &a), &a, &why);

    CHECK_SAYING(rc == want, "%s: %d %s", patch, rc, why.text);
    CHECK(out == NULL);
    CHECK_SAYING(strstr(why.text, part) != NULL, "%s: %s", patch, why.text);
    arena_free(&a);
}

static const struct {
    const char *doc, *patch;
    int rc;
    const char *part;
} unfit[] = {
    { "{\"baz\":\"qux\"}",
        "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]",
        SYNCLINE_ECONFLICT, "patch[0] test /baz: the value is another" },
    { "{\"/\":9,\"~1\":10}",
        "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]",
        SYNCLINE_ECONFLICT, "/~01" },
    { "{\"foo\":\"bar\"}",
        "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]",
        SYNCLINE_ECONFLICT, "patch[0] add /baz/bat" },
    { "{}",
        "[{\"op\":\"add\",\"path\":\"/a\",\"value\":1},"
        "{\"op\":\"remove\",\"path\":\"/b\"}]",
        SYNCLINE_ECONFLICT, "patch[1] remove /b: there is no such value" },
    { "{}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]",
        SYNCLINE_ECONFLICT, "/a" },
    { "1", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]", SYNCLINE_ECONFLICT,
        "neither object nor array" },
    { "\"x\"", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]",
        SYNCLINE_ECONFLICT, "/a/b" },
    { "[1]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":1}]",
        SYNCLINE_ECONFLICT, "no index" },
    { "[1]", "[{\"op\":\"add\",\"path\":\"/01\",\"value\":1}]",
        SYNCLINE_ECONFLICT, "no index" },
    { "[1]", "[{\"op\":\"add\",\"path\":\"/-1\",\"value\":1}]",
        SYNCLINE_ECONFLICT, "no index" },
    { "[1]", "[{\"op\":\"add\",\"path\":\"/1e0\",\"value\":1}]",
        SYNCLINE_ECONFLICT, "no index" },
    { "[1]", "[{\"op\":\"add\",\"path\":\"/\",\"value\":1}]",
        SYNCLINE_ECONFLICT, "no index" },
    { "[1]",
        "[{\"op\":\"add\",\"path\":\"/18446744073709551616\",\"value\":1}"
        "]",
        SYNCLINE_ECONFLICT, "no index" },
    { "[1]", "[{\"op\":\"remove\",\"path\":\"/-\"}]", SYNCLINE_ECONFLICT,
        "no such value" },
    { "[1]", "[{\"op\":\"replace\",\"path\":\"/1\",\"value\":1}]",
        SYNCLINE_ECONFLICT, "no such value" },
    { "[1]", "[{\"op\":\"test\",\"path\":\"/1\",\"value\":null}]",
        SYNCLINE_ECONFLICT, "no such value" },
    { "{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/c\"}]",
        SYNCLINE_ECONFLICT, "no such value" },
    { "{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/b\"}]",
        SYNCLINE_ECONFLICT, "no such value" },
    { "{\"a\":[1,2]}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":[2,1]}]",
        SYNCLINE_ECONFLICT, "another one" },
    { "9007199254740993",
        "[{\"op\":\"test\",\"path\":\"\",\"value\":9007199254740992.0}]",
        SYNCLINE_ECONFLICT, "another one" },
    { "9223372036854775807",
        "[{\"op\":\"test\",\"path\":\"\",\"value\":9.223372036854776e18}"
        "]",
        SYNCLINE_ECONFLICT, "another one" },
    { "1", "[{\"op\":\"test\",\"path\":\"\",\"value\":true}]",
        SYNCLINE_ECONFLICT, "another one" },
    /* It is no patch. */
    { "{}", "{\"op\":\"add\"}", SYNCLINE_EINVAL, "an array" },
    { "{}", "[1]", SYNCLINE_EINVAL, "patch[0]: an operation" },
    { "{}", "[{\"op\":\"add\",\"value\":1}]", SYNCLINE_EINVAL, "`path`" },
    { "{}", "[{\"op\":\"add\",\"path\":1,\"value\":1}]", SYNCLINE_EINVAL,
        "`path`" },
    { "{}", "[{\"path\":\"/a\",\"value\":1}]", SYNCLINE_EINVAL, "`op`" },
    { "{}", "[{\"op\":\"spam\",\"path\":\"/a\"}]", SYNCLINE_EINVAL,
        "none of add" },
    { "{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", SYNCLINE_EINVAL, "no value" },
    { "{}", "[{\"op\":\"test\",\"path\":\"/a\"}]", SYNCLINE_EINVAL,
        "no value" },
    { "{}", "[{\"op\":\"copy\",\"path\":\"/a\"}]", SYNCLINE_EINVAL, "`from`" },
    { "{}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", SYNCLINE_EINVAL,
        "pointer" },
    { "{}", "[{\"op\":\"add\",\"path\":\"/~\",\"value\":1}]", SYNCLINE_EINVAL,
        "pointer" },
    { "{\"a\":1}", "[{\"op\":\"copy\",\"from\":\"a\",\"path\":\"/b\"}]",
        SYNCLINE_EINVAL, "pointer" },
    { "{\"~2\":1}", "[{\"op\":\"test\",\"path\":\"/~2\",\"value\":1}]",
        SYNCLINE_EINVAL, "pointer" },
    { "{}", "[{\"op\":\"remove\",\"path\":\"\"}]", SYNCLINE_EINVAL,
        "delete the item" },
    { "{\"a\":{\"b\":1}}",
        "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]",
        SYNCLINE_EINVAL, "into itself" },
    { "{\"a\":1}", "[{\"op\":\"move\",\"from\":\"\",\"path\":\"/a\"}]",
        SYNCLINE_EINVAL, "into itself" },
};

TEST(what_does_not_fit_is_told_with_its_place)
{
    for (size_t i = 0; i < ARRAY_N(unfit); i++)
        check_refused(unfit[i].doc, unfit[i].patch, unfit[i].rc, unfit[i].part);
}

static void check_many(
    const char *doc, const char *op, unsigned n, const char *part)
{
    struct buf b = { 0 };

    for (unsigned i = 0; i < n; i++)
        buf_printf(&b, "%s%s", i == 0 ? "[" : ",", op);
    buf_put(&b, "]", 2);
    check_refused(doc, (const char *)b.ptr, SYNCLINE_ELIMIT, part);
    buf_free(&b);
}

/* Doubled each time; as often as there are operations; deeper each time. */
TEST(a_small_patch_makes_no_large_work)
{
    char wide[40000];

    check_many("[\"xxxxxxxxxxxxxxxx\"]",
        "{\"op\":\"copy\",\"from\":\"\",\"path\":\"/-\"}", 40, "more work");
    check_many("{\"a\":{}}",
        "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/x\"}", 100, "too deep");
    check_many("[]", "{\"op\":\"add\",\"path\":\"/-\",\"value\":1}", 1025,
        "at most 1024");
    memset(wide, 'x', sizeof wide);
    memcpy(wide, "[\"", 2);
    memcpy(wide + sizeof wide - 3, "\"]", 3);
    check_many(wide, "{\"op\":\"copy\",\"from\":\"/0\",\"path\":\"/-\"}", 1000,
        "more work");
}

static void put_list(struct buf *b, unsigned n)
{
    buf_put_str(b, "[");
    for (unsigned i = 0; i < n; i++)
        buf_put_str(b, i == 0 ? "0" : ",0");
    buf_put_str(b, "]");
}

/* How many of these operations are carried out upon that document. */
static unsigned steps_done(struct slice doc, const char *op, unsigned n)
{
    struct arena a = { 0 };
    struct errmsg why = { "" };
    struct json *out = NULL, *target = NULL;
    struct buf b = { 0 };
    unsigned done = n;
    int rc;

    for (unsigned i = 0; i < n; i++)
        buf_printf(&b, "%s%s", i == 0 ? "[" : ",", op);
    buf_put(&b, "]", 2);
    CHECK_OK(json_parse(&target, doc, JSON_WRAPPED, &a, &why));
    rc = json_patch(&out, target, parse((const char *)b.ptr, &a), &a, &why);
    if (rc != SYNCLINE_OK) {
        CHECK_INT(rc, SYNCLINE_ELIMIT);
        CHECK_SAYING(strstr(why.text, "more work") != NULL, "%s", why.text);
        CHECK_INT(sscanf(why.text, "patch[%u]", &done), 1);
    }
    buf_free(&b);
    arena_free(&a);
    return done;
}

/* Each value that is looked at counts, however often it is moved. */
TEST(what_is_moved_is_charged_each_time)
{
    const unsigned n = 20000, most = JSON_PATCH_WORK_MAX / n;
    struct buf doc = { 0 };
    unsigned done;

    buf_put_str(&doc, "[");
    put_list(&doc, n);
    buf_put_str(&doc, ",0]");
    done = steps_done(buf_slice(&doc),
        "{\"op\":\"move\",\"from\":\"/0\",\"path\":\"/-\"},"
        "{\"op\":\"move\",\"from\":\"/1\",\"path\":\"/0\"}",
        512);
    CHECK_SAYING(done + 5 > most && done <= most + 5, "%u of %u", done, most);
    buf_free(&doc);
}

/* The walk to a list's end counts, and is walked where the end is not known
 * alone: of 400 times to the last value and away it is half. */
TEST(the_way_to_a_lists_end_is_charged)
{
    const unsigned n = 20000, most = JSON_PATCH_WORK_MAX / n;
    struct buf doc = { 0 };
    unsigned done;

    put_list(&doc, n);
    done = steps_done(buf_slice(&doc),
        "{\"op\":\"move\",\"from\":\"/19999\",\"path\":\"/-\"}", 1024);
    CHECK_SAYING(done + 5 > most / 2 && done < most / 2 + 5, "%u", done);
    done = steps_done(buf_slice(&doc),
        "{\"op\":\"move\",\"from\":\"/0\",\"path\":\"/-\"}", 1024);
    CHECK_INT(done, 1024);
    buf_free(&doc);
}

/* Of a long pointer as much is told as there is room for, in whole letters. */
TEST(a_refusal_is_cut_between_letters)
{
    struct arena a = { 0 };
    struct errmsg why = { "" };
    struct json *out = NULL;
    struct buf b = { 0 };

    buf_put_str(&b, "[{\"op\":\"xxxxxxxxxxxxxxx\xc3\xbcx\",\"path\":\"/");
    for (unsigned i = 0; i < 300; i++)
        buf_put_str(&b, "\xe2\x82\xac");
    buf_put(&b, "\"}]", 4);
    CHECK_INT(json_patch(&out, parse("{}", &a), parse((const char *)b.ptr, &a),
                  &a, &why),
        SYNCLINE_EINVAL);
    CHECK(utf8_valid(slice_str(why.text)));
    CHECK_SAYING(strstr(why.text, "none of add") != NULL, "%s", why.text);
    buf_free(&b);
    arena_free(&a);
}

TEST(a_document_may_be_as_deep_as_any)
{
    struct buf doc = { 0 }, path = { 0 }, patch = { 0 };

    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        buf_put_str(&doc, "[");
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        buf_put_str(&doc, "]");
    for (int i = 1; i < JSON_DEPTH_MAX; i++)
        buf_put_str(&path, "/0");
    buf_put_u8(&doc, 0);
    buf_put_u8(&path, 0);
    buf_printf(&patch, "[{\"op\":\"add\",\"path\":\"%s/0\",\"value\":[]}]%c",
        (const char *)path.ptr, 0);
    check_refused((const char *)doc.ptr, (const char *)patch.ptr,
        SYNCLINE_ELIMIT, "too deep");
    buf_clear(&patch);
    buf_printf(&patch,
        "[{\"op\":\"add\",\"path\":\"%s/0\",\"value\":1},"
        "{\"op\":\"remove\",\"path\":\"%s/0\"}]%c",
        (const char *)path.ptr, (const char *)path.ptr, 0);
    doc.len--;
    buf_put_u8(&doc, 0);
    check_patch(
        (const char *)doc.ptr, (const char *)patch.ptr, (const char *)doc.ptr);
    buf_free(&doc);
    buf_free(&path);
    buf_free(&patch);
}

TEST(memory_that_runs_out_leaves_the_document)
{
    struct arena a = { 0 };
    struct json *doc = parse("{\"a\":{\"b\":[1,2,3]}}", &a);
    struct json *patch =
        parse("[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},"
              "{\"op\":\"test\",\"path\":\"/c\",\"value\":{\"b\":[1,2,3]}}]",
            &a);

    for (long n = 0;; n++) {
        struct arena scratch = { 0 };
        struct json *out = NULL;
        int rc;

        check_alloc_fail_from(n);
        rc = json_patch(&out, doc, patch, &scratch, NULL);
        arena_free(&scratch);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        CHECK(out == NULL);
    }
    check_alloc_fail_from(-1);
    arena_free(&a);
}
