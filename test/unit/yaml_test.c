#include "files/yaml.h"

#include "files/yaml_impl.h"
#include "unit/check.h"
#include "unit/json_make.h"

static const struct {
    const char *text, *doc;
} readings[] = {
    { "", "null" },
    { "# only this\n", "null" },
    { "---\n", "null" },
    { "a: 1\n", "{\"a\":1}" },
    { "\xef\xbb\xbf"
      "a: 1\n",
        "{\"a\":1}" },
    { "---\na:\n  - x\n  - {y: [1, ~]}\n...\n",
        "{\"a\":[\"x\",{\"y\":[1,null]}]}" },
    { "a: on\nb: No\nc: y\nd: TRUE\n",
        "{\"a\":true,\"b\":false,\"c\":\"y\",\"d\":true}" },
    { "a: 0x1F\nb: 017\nc: 0b11\nd: 1_000\ne: +5\nf: -0\ng: 08\nh: 12:30\n"
      "i: 1:00:00\n",
        "{\"a\":31,\"b\":15,\"c\":3,\"d\":1000,\"e\":5,\"f\":0,\"g\":\"08\","
        "\"h\":750,\"i\":3600}" },
    { "a: 1.5\nb: .5\nc: 1.\nd: 1e3\ne: 1.0e+3\nf: -01_0.50\ng: 1:30.5\nh: "
      "1.0e3\n",
        "{\"a\":1.5,\"b\":0.5,\"c\":1.0,\"d\":\"1e3\",\"e\":1000.0,\"f\":-10."
        "5,\"g\":90.5,\"h\":\"1.0e3\"}" },
    { "a: -9223372036854775808\nb: 9223372036854775807\n",
        "{\"a\":-9223372036854775808,\"b\":9223372036854775807}" },
    { "a: '12'\nb: \"on\"\nc: null\nd:\ne: ''\n",
        "{\"a\":\"12\",\"b\":\"on\",\"c\":null,\"d\":null,\"e\":\"\"}" },
    { "a: 2024-01-01\nb: 192.168.1.1\nc: http://x:80/#y\n",
        "{\"a\":\"2024-01-01\",\"b\":\"192.168.1.1\",\"c\":\"http://x:80/"
        "#y\"}" },
    { "1: a\non: b\n~: c\n", "{\"1\":\"a\",\"on\":\"b\",\"~\":\"c\"}" },
    { "a: |\n  x\n  y\nb: >-\n  x\n  y\n",
        "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}" },
    { "a: !secret wifi\nb: !include  x.yaml # c\nc: !x\nd: [!y 1, 2]\n",
        "{\"a\":\"!secret wifi\",\"b\":\"!include  x.yaml\",\"c\":\"!x\","
        "\"d\":[\"!y 1\",2]}" },
    { "a: !y\n  b: 1\n  c: 2\nd: 3\n",
        "{\"a\":\"!y\\n  b: 1\\n  c: 2\",\"d\":3}" },
    { "a: &x {b: 1}\nc: *x\n", "{\"a\":{\"b\":1},\"c\":{\"b\":1}}" },
    { "\xc3\xbc: \xf0\x9f\x98\x80\n", "{\"\xc3\xbc\":\"\xf0\x9f\x98\x80\"}" },
    { "- - 1\n  - 2\n-\n", "[[1,2],null]" },
    { "\"a\\u00fc\": \"\\U0001F600\"\n",
        "{\"a\xc3\xbc\":\"\xf0\x9f\x98\x80\"}" },
};

TEST(what_yaml_says_in_json)
{
    for (size_t i = 0; i < ARRAY_N(readings); i++) {
        struct arena a = { 0 };
        struct errmsg why = { "" };
        struct json *v = NULL;
        struct buf b = { 0 };
        int rc = yaml_read(&v, slice_str(readings[i].text), &a, &why);

        CHECK_SAYING(rc == SYNCLINE_OK, "%s: %s", readings[i].text, why.text);
        json_print(&b, v, JSON_COMPACT);
        CHECK_SAYING(json_equal(v, json_of(slice_str(readings[i].doc), &a)),
            "%s is read as %.*s", readings[i].text, SLICE_FMT(buf_slice(&b)));
        buf_free(&b);
        arena_free(&a);
    }
}

static const struct {
    const char *text, *why;
    int rc;
} refused[] = {
    { "a: [1\n", "line 2, column 1", SYNCLINE_EMALFORMED },
    { "a: 1\n b: 2\n", "line 2, column 3", SYNCLINE_EMALFORMED },
    { "a: 1\na: 2\n", "a key that occurs twice, at line 2",
        SYNCLINE_EMALFORMED },
    { "\xff", "no UTF-8", SYNCLINE_EMALFORMED },
    { "a: 1\n---\nb: 2\n", "a second document at line 2, column 1",
        SYNCLINE_EUNSUPPORTED },
    { "a: &x {b: 1}\nc:\n  <<: *x\n", "a merge key at line 3, column 3",
        SYNCLINE_EUNSUPPORTED },
    { "? [1]\n: 2\n", "a key that is no word at line 1, column 3",
        SYNCLINE_EUNSUPPORTED },
    { "!x a: 1\n", "a tag or an anchor at line 1", SYNCLINE_EUNSUPPORTED },
    { "a: *x\n", "an alias of nothing", SYNCLINE_EUNSUPPORTED },
    { "a: &x [*x]\n", "an alias of nothing", SYNCLINE_EUNSUPPORTED },
    { "a: &x !y 1\n", "a tag and an anchor", SYNCLINE_EUNSUPPORTED },
    { "a: .inf\n", "no such number at line 1, column 4",
        SYNCLINE_EUNSUPPORTED },
    { "a: 9223372036854775808\n", "does not fit 64 bits",
        SYNCLINE_EUNSUPPORTED },
    { "a: 1.00000000000000000001\n", "more digits than are kept",
        SYNCLINE_EUNSUPPORTED },
    { "a: \"!b\"\n", "could not be told from a tag at line 1, column 4",
        SYNCLINE_EUNSUPPORTED },
};

TEST(what_is_not_read_is_refused_with_its_place)
{
    for (size_t i = 0; i < ARRAY_N(refused); i++) {
        struct arena a = { 0 };
        struct errmsg why = { "" };
        struct json *v = NULL;
        int rc = yaml_read(&v, slice_str(refused[i].text), &a, &why);

        CHECK_SAYING(rc == refused[i].rc && v == NULL &&
                strstr(why.text, refused[i].why) != NULL,
            "%s: %d %s", refused[i].text, rc, why.text);
        arena_free(&a);
    }
}

/* Each level stands for ten of the one before. */
TEST(aliases_of_aliases_are_bounded)
{
    struct buf b = { 0 };
    struct arena a = { 0 };
    struct errmsg why = { "" };
    struct json *v;

    buf_put_str(&b, "a0: &a0 x\n");
    for (unsigned i = 1; i < 12; i++) {
        buf_printf(&b, "a%u: &a%u [", i, i);
        for (unsigned k = 0; k < 10; k++)
            buf_printf(&b, "*a%u%s", i - 1, k < 9 ? ", " : "]\n");
    }
    CHECK_INT(yaml_read(&v, buf_slice(&b), &a, &why), SYNCLINE_ELIMIT);
    buf_clear(&b);
    for (unsigned i = 0; i < 70; i++)
        buf_put_str(&b, "[");
    CHECK_INT(yaml_read(&v, buf_slice(&b), &a, &why), SYNCLINE_ELIMIT);
    buf_free(&b);
    arena_free(&a);
}

static const struct {
    const char *what, *text, *doc, *want;
} splices[] = {
    { "a value in place", "# head\na: 1   # one\nb:   2\n\nc: 3\n",
        "{\"a\":1,\"b\":7,\"c\":3}", "# head\na: 1   # one\nb:   7\n\nc: 3\n" },
    { "quotes stay", "a: 'x'\nb: \"y\"\nc: z\n",
        "{\"a\":\"it's\",\"b\":\"v\",\"c\":\"on\"}",
        "a: 'it''s'\nb: \"v\"\nc: \"on\"\n" },
    { "whoever writes on and off", "a: on\nb: Yes\n",
        "{\"a\":false,\"b\":false}", "a: off\nb: No\n" },
    { "a new member behind the others and their comments",
        "light:\n  name: x # here\n  # below\n\nnext: 1\n",
        "{\"light\":{\"name\":\"x\",\"to\":[1,{\"b\":2}]},\"next\":1}",
        "light:\n  name: x # here\n  to:\n    - 1\n    - b: 2\n  # below\n\n"
        "next: 1\n" },
    { "indented as the others are", "a:\n    b: 1\nl:\n- x\n",
        "{\"a\":{\"b\":1,\"c\":{\"d\":1}},\"l\":[\"x\",[1,2]],\"m\":[{\"k\":1,"
        "\"l\":2}]}",
        "a:\n    b: 1\n    c:\n        d: 1\nl:\n- x\n- - 1\n  - 2\nm:\n- k: "
        "1\n  l: 2\n" },
    { "lines go with their comments", "a: 1 # a\n# b\nb:\n  x: 1\nc: 2\n",
        "{\"c\":2}", "# b\nc: 2\n" },
    { "the first of an element", "- a: 1\n  b: 2\n", "[{\"b\":2}]",
        "- b: 2\n" },
    { "an element goes", "- a\n- b # x\n- c\n", "[\"a\",\"c\"]", "- a\n- c\n" },
    { "an element comes", "l:\n  - a # 1\n  - c\n",
        "{\"l\":[\"a\",\"b\",\"c\"]}", "l:\n  - a # 1\n  - b\n  - c\n" },
    { "in front", "l:\n  - b\n", "{\"l\":[{\"x\":1,\"y\":2},\"b\"]}",
        "l:\n  - x: 1\n    y: 2\n  - b\n" },
    { "what was a word", "a: 1 # c\nb: 2\n", "{\"a\":{\"x\":1},\"b\":2}",
        "a:\n  x: 1 # c\nb: 2\n" },
    { "what becomes a word", "a: # c\n  x: 1\n  y: 2 # d\nb: 2\n",
        "{\"a\":5,\"b\":2}", "a: 5 # d\nb: 2\n" },
    { "into what was empty", "a: {}\nb: []\nc:\n",
        "{\"a\":{\"x\":1},\"b\":[1],\"c\":3}",
        "a:\n  x: 1\nb:\n  - 1\nc: 3\n" },
    { "out of what was full", "a:\n  x: 1\nb: 1\n", "{\"a\":{},\"b\":1}",
        "a: {}\nb: 1\n" },
    { "in braces", "a: {x: 1, y: [1, 2]}\n", "{\"a\":{\"x\":1,\"y\":[1,3]}}",
        "a: {x: 1, y: [1, 3]}\n" },
    { "more in braces", "a: {x: 1}\n", "{\"a\":{\"x\":1,\"y\":\"z\"}}",
        "a: {\"x\": 1, \"y\": \"z\"}\n" },
    { "a tag stays and another comes", "a: !secret x\nb: 1\n",
        "{\"a\":\"!secret x\",\"b\":\"!secret y\"}",
        "a: !secret x\nb: !secret y\n" },
    { "a text of lines", "a: |-\n  x\n  y\nb: 1\n",
        "{\"a\":\"x\\n\\nz\\n\",\"b\":1}", "a: |\n  x\n\n  z\nb: 1\n" },
    { "a text of one line after lines", "a: >\n  x\n  y\n\n# c\nb: 1\n",
        "{\"a\":\"z\",\"b\":1}", "a: z\n\n# c\nb: 1\n" },
    { "no line's end at the end", "a: 1", "{\"a\":1,\"b\":2}", "a: 1\nb: 2" },
    { "carriage returns", "a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2,\"c\":3}",
        "a: 1\r\nb: 2\r\nc: 3\r\n" },
    { "behind a comment", "# empty", "{\"a\":1}", "# empty\na: 1\n" },
    { "fractions have their point", "a: 1.5\n", "{\"a\":1e-7}",
        "a: 1.0e-07\n" },
    { "an alias makes room", "a: &x 1\nb: *x\n", "{\"a\":1,\"b\":2}",
        "a: &x 1\nb: 2\n" },
    { "beyond ASCII",
        "\xc3\xbc: \xc3\xa4 # \xe2\x82\xac\nb: 1 # \xe2\x82\xac\n",
        "{\"\xc3\xbc\":\"o\",\"b\":2}",
        "\xc3\xbc: o # \xe2\x82\xac\nb: 2 # \xe2\x82\xac\n" },
    { "nothing of it stays", "x:\n  a: 1\n  # c\ny: 1\n",
        "{\"x\":{\"b\":2},\"y\":1}", "x:\n  b: 2\n  # c\ny: 1\n" },
};

TEST(what_changes_is_written_in_its_place)
{
    for (size_t i = 0; i < ARRAY_N(splices); i++) {
        struct arena a = { 0 };
        struct buf out = { 0 };
        struct errmsg why = { "" };
        int rc = yaml_splice(&out, slice_str(splices[i].text),
            json_of(slice_str(splices[i].doc), &a), &a, &why);

        CHECK_SAYING(
            rc == SYNCLINE_OK && slice_is(buf_slice(&out), splices[i].want),
            "%s: %s\ngot:\n%.*s", splices[i].what, why.text,
            SLICE_FMT(buf_slice(&out)));
        buf_free(&out);
        arena_free(&a);
    }
}

static const struct {
    const char *text, *doc, *why;
} stuck[] = {
    { "a: &x 1\nb: *x\n", "{\"a\":2,\"b\":1}", "line 1, column 4" },
    { "a: &x\n  c: 1\nb: *x\n", "{\"b\":{\"c\":1}}", "line" },
    { "- a: 1 # c\n  b: 2\n", "[{\"b\":2}]",
        "a comment would go with what is removed at line 1, column 6" },
    { "a: 1\n", "{\"a\":\"!x\\nb: 2\"}", "line 1, column 4" },
    { "a: 1\n", "{\"a\":\"! \"}", "line 1, column 4" },
    { "? a\n: 1\n", "{\"a\":2}", "line 2, column 3" },
};

TEST(what_cannot_be_changed_is_refused_with_its_place)
{
    for (size_t i = 0; i < ARRAY_N(stuck); i++) {
        struct arena a = { 0 };
        struct buf out = { 0 };
        struct errmsg why = { "" };
        int rc = yaml_splice(&out, slice_str(stuck[i].text),
            json_of(slice_str(stuck[i].doc), &a), &a, &why);

        CHECK_SAYING(rc == SYNCLINE_EUNSUPPORTED && out.len == 0 &&
                strstr(why.text, stuck[i].why) != NULL,
            "%s: %d %s\n%.*s", stuck[i].text, rc, why.text,
            SLICE_FMT(buf_slice(&out)));
        buf_free(&out);
        arena_free(&a);
    }
}

/* A text that says v, with comments, each with a number of its own. */
struct hand {
    struct prng *p;
    unsigned comments, unit, dash;
};

static void put_comment(struct buf *b, struct hand *h, bool own_line)
{
    if (!prng_one_in(h->p, own_line ? 6 : 5))
        return;
    if (own_line)
        yaml_print_indent(b, (unsigned)prng_below(h->p, 5));
    buf_printf(b, own_line ? "# c%u\n" : " # c%u", h->comments++);
}

static void put_lines(
    struct buf *b, struct hand *h, const struct json *v, unsigned indent);

static void put_behind(struct buf *b, struct hand *h, const struct json *v,
    unsigned indent, bool element)
{
    static const enum yaml_look looks[] = { LOOK_PLAIN, LOOK_SINGLE,
        LOOK_DOUBLE };
    bool flow = prng_one_in(h->p, 6);

    if (yaml_is_list(v) && !flow && element && prng_one_in(h->p, 2)) {
        buf_put_str(b, " ");
        put_lines(b, h, v, indent + 2);
        return;
    }
    if (yaml_is_list(v) && !flow) {
        unsigned in =
            indent + (v->type == JSON_ARRAY && !element ? h->dash : h->unit);

        put_comment(b, h, false);
        buf_put_str(b, "\n");
        put_comment(b, h, true);
        yaml_print_indent(b, in);
        put_lines(b, h, v, in);
        return;
    }
    if (v->type != JSON_NULL || !prng_one_in(h->p, 2)) {
        buf_put_str(b, prng_one_in(h->p, 5) ? "   " : " ");
        yaml_print_flow(b, v, looks[prng_below(h->p, 3)], false);
    }
    put_comment(b, h, false);
    buf_put_str(b, "\n");
}

static void put_lines(
    struct buf *b, struct hand *h, const struct json *v, unsigned indent)
{
    for (const struct json *k = v->first; k != NULL; k = k->next) {
        if (k != v->first) {
            put_comment(b, h, true);
            if (prng_one_in(h->p, 8))
                buf_put_str(b, "\n");
            yaml_print_indent(b, indent);
        }
        if (v->type == JSON_OBJECT) {
            yaml_print_key(b, k->key);
            buf_put_str(b, ":");
        } else {
            buf_put_str(b, "-");
        }
        put_behind(b, h, k, indent, v->type == JSON_ARRAY);
    }
}

struct drawn {
    struct prng p;
    struct arena a;
    struct buf text, out;
    struct json *before;
};

static void draw(struct drawn *d, uint64_t seed)
{
    struct hand h = { .p = &d->p };
    struct errmsg why = { "" };
    struct json *v;
    int rc;

    *d = (struct drawn){ .p = { seed } };
    h.unit = 1 + (unsigned)prng_below(&d->p, 4);
    h.dash = (unsigned)prng_below(&d->p, 3);
    do {
        v = draw_json(&d->p, &d->a, 5);
    } while (!yaml_is_list(v));
    put_comment(&d->text, &h, true);
    put_lines(&d->text, &h, v, 0);
    rc = yaml_read(&d->before, buf_slice(&d->text), &d->a, &why);
    CHECK_SAYING(rc == SYNCLINE_OK && json_equal(v, d->before),
        "seed %llu: %s:\n%.*s", (unsigned long long)seed, why.text,
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
    unsigned stuck_n = 0;
    const unsigned all = 5000;

    for (uint64_t seed = 0; seed < all; seed++) {
        struct drawn d;
        struct json *want, *got = NULL;
        struct errmsg why = { "" };
        int rc;

        draw(&d, seed);
        want = draw_change(&d.p, &d.a, d.before);
        rc = yaml_splice(&d.out, buf_slice(&d.text), want, &d.a, &why);
        if (rc == SYNCLINE_EUNSUPPORTED) {
            CHECK(strstr(why.text, " at line ") != NULL && d.out.len == 0);
            CHECK_SAYING(strstr(why.text, "comment") != NULL,
                "seed %llu: %s:\n%.*s", (unsigned long long)seed, why.text,
                SLICE_FMT(buf_slice(&d.text)));
            stuck_n++;
        } else {
            if (rc == SYNCLINE_OK)
                rc = yaml_read(&got, buf_slice(&d.out), &d.a, &why);
            CHECK_SAYING(rc == SYNCLINE_OK && json_equal(want, got),
                "seed %llu: %s:\n%.*s", (unsigned long long)seed, why.text,
                SLICE_FMT(buf_slice(&d.text)));
        }
        undraw(&d);
    }
    CHECK_SAYING(stuck_n < all / 20, "%u of %u were refused", stuck_n, all);
}

TEST(an_equal_document_changes_no_byte)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct drawn d;
        struct errmsg why = { "" };
        struct buf canonical = { 0 };

        draw(&d, seed);
        json_print(&canonical, d.before, JSON_CANONICAL);
        CHECK_OK(yaml_splice(&d.out, buf_slice(&d.text),
            json_of(buf_slice(&canonical), &d.a), &d.a, &why));
        CHECK_BYTES(buf_slice(&d.out), buf_slice(&d.text));
        buf_free(&canonical);
        undraw(&d);
    }
}

/* Any value below v that is no container, as 4711; its container. */
static bool change_scalar(struct prng *p, struct json *v)
{
    struct json *k = v;

    while (yaml_is_list(k)) {
        uint64_t n = prng_below(p, k->n);

        for (k = k->first; n > 0; n--)
            k = k->next;
    }
    if (k->type == JSON_OBJECT || k->type == JSON_ARRAY)
        return false;
    k->type = JSON_INT;
    k->i = 4711;
    return true;
}

TEST(one_value_that_changes_is_all_that_changes)
{
    unsigned looked_at = 0;

    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct drawn d;
        struct errmsg why = { "" };
        struct json *want;

        draw(&d, seed);
        want = json_copy(d.before, &d.a);
        if (change_scalar(&d.p, want) && !json_equal(want, d.before)) {
            struct slice text = buf_slice(&d.text), out;
            size_t head = 0, tail = 0;

            CHECK_OK(yaml_splice(&d.out, text, want, &d.a, &why));
            out = buf_slice(&d.out);
            while (head < text.len && head < out.len &&
                text.ptr[head] == out.ptr[head])
                head++;
            while (tail < text.len - head && tail < out.len - head &&
                text.ptr[text.len - 1 - tail] == out.ptr[out.len - 1 - tail])
                tail++;
            CHECK(out.len - head - tail <= 5);
            CHECK(memchr(text.ptr + head, '#', text.len - head - tail) == NULL);
            looked_at++;
        }
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
        if (d.before->type == JSON_OBJECT) {
            more = json_copy(d.before, &d.a);
            CHECK(json_add(more, SLICE_LIT("new"), draw_json(&d.p, &d.a, 2)) !=
                NULL);
            CHECK_OK(yaml_splice(&d.out, buf_slice(&d.text), more, &d.a, &why));
            CHECK_OK(
                yaml_splice(&back, buf_slice(&d.out), d.before, &d.a, &why));
            CHECK_BYTES(buf_slice(&back), buf_slice(&d.text));
        }
        buf_free(&back);
        undraw(&d);
    }
}

/* Of ours: what the library takes is its own. */
TEST(memory_that_runs_out_is_told)
{
    static const char text[] = "a: [1, &x 2]\nb:\n  - c: *x\nd: '\xc3\xbc'\n";

    for (long n = 0;; n++) {
        struct arena a = { 0 }, made = { 0 };
        struct buf out = { 0 };
        struct json *doc = json_of(
            SLICE_LIT("{\"a\":[1,2],\"b\":[{\"c\":2},{\"e\":1.5}],\"f\":1}"),
            &made);
        bool failed;
        int rc;

        check_alloc_fail_from(n);
        rc = yaml_splice(&out, slice_str(text), doc, &a, NULL);
        failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        CHECK_INT(rc, failed ? SYNCLINE_ENOMEM : SYNCLINE_OK);
        CHECK((out.len == 0) == failed);
        buf_free(&out);
        arena_free(&a);
        arena_free(&made);
        if (!failed)
            break;
    }
}
