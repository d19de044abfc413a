#include "files/splice.h"

#include "files/json_parts.h"
#include "unit/check.h"
#include "unit/json_make.h"

static const struct {
    const char *what, *text, *doc, *want;
} rows[] = {
    { "a value, in place", "{\n  \"a\": 1,\n  \"b\": 2\n}\n",
        "{\"a\":1,\"b\":3}", "{\n  \"a\": 1,\n  \"b\": 3\n}\n" },
    { "a number that is spelled oddly stays",
        "{\"a\": 1.0, \"b\": 1e3, \"c\":0}", "{\"a\":1.0,\"b\":1000.0,\"c\":7}",
        "{\"a\": 1.0, \"b\": 1e3, \"c\":7}" },
    { "1.0 is not 1", "{\"a\": 1.0}", "{\"a\":1}", "{\"a\": 1}" },
    { "a new member, at the end, like its neighbours",
        "{\n\t\"z\" : 1,\n\n\t\"b\" : 2\n}",
        "{\"z\":1,\"b\":2,\"a\":{\"k\":[1]}}",
        "{\n\t\"z\" : 1,\n\n\t\"b\" : 2,\n\t\"a\" : {\n\t\t\"k\" : [\n\t\t\t1\n"
        "\t\t]\n\t}\n}" },
    { "on one line", "{\"a\": 1, \"b\": 2}", "{\"a\":1,\"b\":2,\"c\":[3,{}]}",
        "{\"a\": 1, \"b\": 2, \"c\": [3, {}]}" },
    { "compact", "{\"a\":1}", "{\"a\":1,\"b\":{\"c\":1,\"d\":2}}",
        "{\"a\":1,\"b\":{\"c\":1,\"d\":2}}" },
    { "padded", "{ \"a\": { \"x\": 1 } }", "{\"a\":{\"x\":1},\"b\":{\"y\":2}}",
        "{ \"a\": { \"x\": 1 }, \"b\": { \"y\": 2 } }" },
    { "one line among many, as its brothers are",
        "{\n  \"a\": {\"x\": 1},\n  \"b\": {\"x\": 2}\n}\n",
        "{\"a\":{\"x\":1},\"b\":{\"x\":2},\"c\":{\"x\":3}}",
        "{\n  \"a\": {\"x\": 1},\n  \"b\": {\"x\": 2},\n  \"c\": {\"x\": "
        "3}\n}\n" },
    { "the first goes with its comma", "{\n  \"a\": 1,\n  \"b\": 2\n}",
        "{\"b\":2}", "{\n  \"b\": 2\n}" },
    { "the last too", "{\n  \"a\": 1,\n  \"b\": 2\n}", "{\"a\":1}",
        "{\n  \"a\": 1\n}" },
    { "the middle too", "[1, 2,  3]", "[1,3]", "[1,  3]" },
    { "all go", "{ \"a\": { \"x\": 1 } }", "{\"a\":{}}", "{ \"a\": {} }" },
    { "one goes, one comes", "{\n  \"a\": 1\n}", "{\"b\":1}",
        "{\n  \"b\": 1\n}" },
    { "into what was empty",
        "{\n    \"a\": {},\n    \"b\": {\n        \"c\": "
        "0\n    }\n}",
        "{\"a\":{\"x\":1},\"b\":{\"c\":0}}",
        "{\n    \"a\": {\n        \"x\": 1\n    },\n    \"b\": {\n        "
        "\"c\": 0\n    }\n}" },
    { "carriage returns", "{\r\n  \"a\": 1\r\n}\r\n", "{\"a\":1,\"b\":2}",
        "{\r\n  \"a\": 1,\r\n  \"b\": 2\r\n}\r\n" },
    { "a mark at the beginning", "\xef\xbb\xbf{\"a\":1}", "{\"a\":2}",
        "\xef\xbb\xbf{\"a\":2}" },
    { "commas first", "{ \"a\": 1\n, \"b\": 2\n}", "{\"a\":1,\"b\":2,\"c\":3}",
        "{ \"a\": 1\n, \"b\": 2\n, \"c\": 3\n}" },
    { "an element in the middle", "[\n  1,\n  2,\n  4\n]", "[1,2,3,4]",
        "[\n  1,\n  2,\n  3,\n  4\n]" },
    { "an element in front", "[\n  1\n]", "[0,1]", "[\n  0,\n  1\n]" },
    { "an element that changes inside",
        "[ {\"id\": 1,\n \"on\":true}, {\"id\": 2} ]",
        "[{\"id\":1,\"on\":false},{\"id\":2}]",
        "[ {\"id\": 1,\n \"on\":false}, {\"id\": 2} ]" },
    { "who escapes goes on escaping", "{\"a\": \"\\u00fc\"}",
        "{\"a\":\"\xc3\xbc\",\"b\":\"\xc3\xa4\"}",
        "{\"a\": \"\\u00fc\", \"b\": \"\\u00e4\"}" },
    { "who does not, does not", "{\"a\": \"\xc3\xbc\"}",
        "{\"a\":\"\xc3\xbc\",\"b\":\"\xc3\xa4\"}",
        "{\"a\": \"\xc3\xbc\", \"b\": \"\xc3\xa4\"}" },
    { "another kind of value", "{\n  \"a\": [\n    1\n  ]\n}", "{\"a\":null}",
        "{\n  \"a\": null\n}" },
    { "another root", " 1 \n", "[]", " [] \n" },
    { "an empty text", "", "{\"a\":[1]}", "{\n  \"a\": [\n    1\n  ]\n}\n" },
    { "strings that look like JSON", "{\"{\\\"\": \"],\\\\\", \"b\": 1}",
        "{\"{\\\"\":\"],\\\\\",\"b\":2}", "{\"{\\\"\": \"],\\\\\", \"b\": 2}" },
};

static void check_row(size_t i)
{
    struct arena a = { 0 };
    struct buf out = { 0 };
    struct errmsg why = { "" };
    struct json *doc = json_of(slice_str(rows[i].doc), &a);
    int rc = splice_json(&out, slice_str(rows[i].text), doc, &a, &why);

    CHECK_SAYING(rc == SYNCLINE_OK && slice_is(buf_slice(&out), rows[i].want),
        "%s: %s\ngot:\n%.*s", rows[i].what, why.text,
        SLICE_FMT(buf_slice(&out)));
    buf_free(&out);
    arena_free(&a);
}

TEST(what_changes_is_written_in_its_place)
{
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        check_row(i);
}

TEST(what_is_no_json_is_refused)
{
    static const char *const wrong[] = { " ", "{", "{\"a\":1,\"a\":2}",
        "{\"a\":1,}", "[1e999]", "\xef\xbb\xbf", "{} {}",
        "\xef\xbb\xbf\xef\xbb\xbf{}", "[12345678901234567890]" };

    for (size_t i = 0; i < ARRAY_N(wrong); i++) {
        struct arena a = { 0 };
        struct buf out = { 0 };
        struct errmsg why = { "" };
        struct json *doc = json_of(SLICE_LIT("{}"), &a);
        int rc = splice_json(&out, slice_str(wrong[i]), doc, &a, &why);

        CHECK_SAYING(rc == SYNCLINE_EMALFORMED && out.len == 0 && why.text[0],
            "\"%s\" was taken: %d", wrong[i], rc);
        buf_free(&out);
        arena_free(&a);
    }
}

struct drawn {
    struct prng p;
    struct arena a;
    struct buf text, out;
    struct json *before;
};

/* A document, and a text that says it. */
static void draw(struct drawn *d, uint64_t seed)
{
    struct errmsg why = { "" };
    struct json *v;
    int rc;

    *d = (struct drawn){ .p = { seed } };
    v = draw_json(&d->p, &d->a, 5);
    put_written(&d->text, &d->p, v);
    rc = splice_parse(&d->before, buf_slice(&d->text), &d->a, &why);
    CHECK_SAYING(rc == SYNCLINE_OK && json_equal(v, d->before),
        "seed %llu: %s: %.*s", (unsigned long long)seed, why.text,
        SLICE_FMT(buf_slice(&d->text)));
}

static void undraw(struct drawn *d)
{
    buf_free(&d->text);
    buf_free(&d->out);
    arena_free(&d->a);
}

TEST(any_text_says_what_it_is_made_to_say)
{
    for (uint64_t seed = 0; seed < 6000; seed++) {
        struct drawn d;
        struct json *want, *got = NULL;
        struct errmsg why = { "" };
        int rc;

        draw(&d, seed);
        want = draw_change(&d.p, &d.a, d.before);
        rc = splice_json(&d.out, buf_slice(&d.text), want, &d.a, &why);
        if (rc == SYNCLINE_OK)
            rc = splice_parse(&got, buf_slice(&d.out), &d.a, &why);
        CHECK_SAYING(rc == SYNCLINE_OK && json_equal(want, got),
            "seed %llu: %s: %.*s\nbecame\n%.*s", (unsigned long long)seed,
            why.text, SLICE_FMT(buf_slice(&d.text)),
            SLICE_FMT(buf_slice(&d.out)));
        undraw(&d);
    }
}

TEST(an_equal_document_changes_no_byte)
{
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct drawn d;
        struct errmsg why = { "" };
        struct buf canonical = { 0 };

        draw(&d, seed);
        json_print(&canonical, d.before, JSON_CANONICAL);
        CHECK_OK(splice_json(&d.out, buf_slice(&d.text),
            json_of(buf_slice(&canonical), &d.a), &d.a, &why));
        CHECK_BYTES(buf_slice(&d.out), buf_slice(&d.text));
        buf_free(&canonical);
        undraw(&d);
    }
}

/* Any value below v that is no container; NULL if there is none. */
static const struct part *any_scalar(struct prng *p, const struct part *root)
{
    while (root != NULL &&
        (root->v->type == JSON_OBJECT || root->v->type == JSON_ARRAY))
        root = root->v->n == 0 ? NULL : &root->kids[prng_below(p, root->v->n)];
    return root;
}

TEST(one_value_that_changes_is_all_that_changes)
{
    unsigned looked_at = 0;

    for (uint64_t seed = 0; seed < 4000; seed++) {
        struct drawn d;
        struct errmsg why = { "" };
        struct part root;
        const struct part *leaf;
        struct buf want = { 0 };
        struct slice text;

        draw(&d, seed);
        text = buf_slice(&d.text);
        if (text.len > 0 && text.ptr[0] == 0xef)
            text = slice_from(text, 3);
        CHECK_OK(json_parse(&d.before, text, JSON_STRICT, &d.a, &why));
        CHECK_OK(json_parts(&root, text, d.before, &d.a));
        leaf = any_scalar(&d.p, &root);
        if (leaf != NULL) {
            buf_put(&want, text.ptr, leaf->at);
            buf_put_str(&want, "4711");
            buf_put_slice(&want, slice_from(text, leaf->end));
            CHECK_OK(splice_json(
                &d.out, text, json_of(buf_slice(&want), &d.a), &d.a, &why));
            CHECK_BYTES(buf_slice(&d.out), buf_slice(&want));
            looked_at++;
        }
        buf_free(&want);
        undraw(&d);
    }
    CHECK(looked_at > 1000);
}

/* What is added and removed again leaves nothing behind. */
TEST(a_member_that_came_and_went)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct drawn d;
        struct errmsg why = { "" };
        struct json *more;
        struct buf back = { 0 };

        draw(&d, seed);
        if (d.before->type == JSON_OBJECT && d.before->n > 0) {
            more = json_copy(d.before, &d.a);
            CHECK(json_add(more, SLICE_LIT("new"), draw_json(&d.p, &d.a, 2)) !=
                NULL);
            CHECK_OK(splice_json(&d.out, buf_slice(&d.text), more, &d.a, &why));
            CHECK_OK(
                splice_json(&back, buf_slice(&d.out), d.before, &d.a, &why));
            CHECK_BYTES(buf_slice(&back), buf_slice(&d.text));
        }
        buf_free(&back);
        undraw(&d);
    }
}

TEST(memory_that_runs_out_is_told)
{
    static const char text[] = "{\n  \"a\": [1, 2],\n  \"b\": {}\n}\n";

    for (long n = 0;; n++) {
        struct arena a = { 0 }, made = { 0 };
        struct buf out = { 0 };
        struct json *doc =
            json_of(SLICE_LIT("{\"a\":[1,{\"x\":2}],\"c\":3}"), &made);
        bool failed;
        int rc;

        check_alloc_fail_from(n);
        rc = splice_json(&out, slice_str(text), doc, &a, NULL);
        failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        CHECK_INT(rc, failed ? SYNCLINE_ENOMEM : SYNCLINE_OK);
        buf_free(&out);
        arena_free(&a);
        arena_free(&made);
        if (!failed)
            break;
    }
}
