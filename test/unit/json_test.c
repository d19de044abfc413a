#include "core/json.h"

#include "unit/check.h"

#include <stdlib.h>

#include "base/prng.h"

/* What parse() gave lives until the next test begins. */
static struct arena arena;
static struct buf printed;
static struct errmsg why;

static struct json *parse(const char *text, enum json_mode mode)
{
    struct json *v = NULL;

    CHECK_OK(json_parse(&v, slice_str(text), mode, &arena, &why));
    return v;
}

static struct slice print(const struct json *v, enum json_style style)
{
    buf_clear(&printed);
    json_print(&printed, v, style);
    CHECK_OK(buf_status(&printed));
    return buf_slice(&printed);
}

static struct slice reprint(
    const char *text, enum json_mode mode, enum json_style style)
{
    return print(parse(text, mode), style);
}

static void forget(void)
{
    arena_free(&arena);
    buf_free(&printed);
}

struct refusal {
    const char *text;
    const char *why;
};

static void check_refusals(
    const struct refusal *row, size_t n, enum json_mode mode, int want)
{
    for (size_t i = 0; i < n; i++) {
        struct json *v = NULL;
        int rc = json_parse(&v, slice_str(row[i].text), mode, &arena, &why);

        CHECK_SAYING(rc == want && v == NULL, "%s: gave %d", row[i].text, rc);
        CHECK_SLICE(slice_str(why.text), row[i].why);
    }
    forget();
}

TEST(what_is_no_json)
{
    static const struct refusal rows[] = {
        { "", "the text ends too early at line 1, column 1 (byte 0)" },
        { " \n ", "the text ends too early at line 2, column 2 (byte 3)" },
        { "\xef\xbb\xbf{}",
            "a byte order mark is not allowed at line 1, "
            "column 1 (byte 0)" },
        { "nul", "a value was expected at line 1, column 1 (byte 0)" },
        { "1 2",
            "something follows the document at line 1, column 3 (byte 2)" },
        { "[1,]", "a value was expected at line 1, column 4 (byte 3)" },
        { "[1 2]", "\",\" or \"]\" was expected at line 1, column 4 (byte 3)" },
        { "[1", "the text ends too early at line 1, column 3 (byte 2)" },
        { "{\"a\":1,}",
            "a key in quotes was expected at line 1, column 8 (byte 7)" },
        { "{1:2}",
            "a key in quotes was expected at line 1, column 2 (byte 1)" },
        { "{\"a\" 1}", "\":\" was expected at line 1, column 6 (byte 5)" },
        { "{\"a\":1;}",
            "\",\" or \"}\" was expected at line 1, column 7 (byte 6)" },
        { "{\"a\":", "the text ends too early at line 1, column 6 (byte 5)" },
        { "[\"\xc3\xa9\xe2\x82\xac\",\n\t?]",
            "a value was expected at line 2, column 2 (byte 11)" },
    };

    check_refusals(rows, ARRAY_N(rows), JSON_STRICT, SYNCLINE_EMALFORMED);
    check_refusals(rows, ARRAY_N(rows), JSON_TOLERANT, SYNCLINE_EMALFORMED);
}

TEST(strings_that_are_refused)
{
    static const struct refusal rows[] = {
        { "[\"a]", "the string has no end at line 1, column 2 (byte 1)" },
        { "[\"a\\", "the string has no end at line 1, column 2 (byte 1)" },
        { "\"a\tb\"",
            "a control character in a string at line 1, column 3 (byte 2)" },
        { "\"\\x41\"", "unknown escape at line 1, column 2 (byte 1)" },
        { "\"a\\u12g4\"",
            "\\u needs four hexadecimal digits at line 1, "
            "column 3 (byte 2)" },
        { "\"\\u12\"",
            "\\u needs four hexadecimal digits at line 1, "
            "column 2 (byte 1)" },
        { "\"\xc3\xa9\x80\"", "not valid UTF-8 at line 1, column 3 (byte 3)" },
        { "\"\xc0\x80\"", "not valid UTF-8 at line 1, column 2 (byte 1)" },
        { "\"\xed\xa0\x80\"", "not valid UTF-8 at line 1, column 2 (byte 1)" },
        { "\"\xf4\x90\x80\x80\"",
            "not valid UTF-8 at line 1, column 2 (byte 1)" },
        { "\"ab\xe2\x82\"", "not valid UTF-8 at line 1, column 4 (byte 3)" },
    };

    check_refusals(rows, ARRAY_N(rows), JSON_STRICT, SYNCLINE_EMALFORMED);
    check_refusals(rows, ARRAY_N(rows), JSON_TOLERANT, SYNCLINE_EMALFORMED);
}

/* A copy needs nothing of what it was made from. */
TEST(a_copy_stands_by_itself)
{
    static const char text[] =
        "{\"a\":[1,2.5,null,{\"b\":\"\\u00e9x\"}],\"c\":{},\"d\":[],"
        "\"e\":true,\"\":\"\"}";
    struct arena from = { 0 }, to = { 0 };
    struct buf again = { 0 };
    struct json *v, *copy;
    char *lent = strdup(text);

    CHECK_OK(json_parse(&v, slice_str(lent), JSON_STRICT, &from, NULL));
    copy = json_copy(v, &to);
    CHECK(copy != NULL && json_equal(v, copy));
    memset(lent, 'x', strlen(lent));
    free(lent);
    arena_free(&from);
    json_print(&again, copy, JSON_CANONICAL);
    CHECK_SLICE(buf_slice(&again),
        "{\"\":\"\",\"a\":[1,2.5,null,{\"b\":\"\xc3\xa9x\"}],\"c\":{},\"d\":[],"
        "\"e\":true}");
    CHECK(json_add(copy, SLICE_LIT("f"), json_new_int(&to, 1)) != NULL);
    CHECK_INT(json_get_int(copy, "f", 0), 1);
    buf_free(&again);
    arena_free(&to);
}

TEST(numbers_that_are_refused)
{
    static const struct refusal rows[] = {
        { "-", "the text ends too early at line 1, column 2 (byte 1)" },
        { "-a", "a digit was expected at line 1, column 2 (byte 1)" },
        { "01", "a number must not begin with 0 at line 1, column 1 (byte 0)" },
        { "-00",
            "a number must not begin with 0 at line 1, column 2 (byte 1)" },
        { "[1.]", "a digit was expected at line 1, column 4 (byte 3)" },
        { "[1e+]", "a digit was expected at line 1, column 5 (byte 4)" },
        { "+1", "a value was expected at line 1, column 1 (byte 0)" },
        { ".5", "a value was expected at line 1, column 1 (byte 0)" },
    };

    check_refusals(rows, ARRAY_N(rows), JSON_STRICT, SYNCLINE_EMALFORMED);
    check_refusals(rows, ARRAY_N(rows), JSON_TOLERANT, SYNCLINE_EMALFORMED);
}

/* A value that would not survive is refused, not rounded. */
TEST(strict_refuses_what_tolerant_takes)
{
    static const struct refusal rows[] = {
        { "9223372036854775808",
            "the integer does not fit 64 bits at line 1, column 1 (byte 0)" },
        { "[-9223372036854775809]",
            "the integer does not fit 64 bits at line 1, column 2 (byte 1)" },
        { "18446744073709551617",
            "the integer does not fit 64 bits at line 1, column 1 (byte 0)" },
        { "9007199254740993.0",
            "the number has more digits than a double "
            "keeps at line 1, column 1 (byte 0)" },
        { "0.1000000000000000055",
            "the number has more digits than a double "
            "keeps at line 1, column 1 (byte 0)" },
        { "4.9e-324",
            "the number has more digits than a double keeps at "
            "line 1, column 1 (byte 0)" },
        { "1e400",
            "the number is too large for a double at line 1, column 1 "
            "(byte 0)" },
        { "-1e99999999999999999999",
            "the number is too large for a double "
            "at line 1, column 1 (byte 0)" },
        { "1e-400",
            "the number is too small for a double at line 1, column 1 "
            "(byte 0)" },
        { "NaN", "NaN and Infinity are not JSON at line 1, column 1 (byte 0)" },
        { "[-Infinity]",
            "NaN and Infinity are not JSON at line 1, column 2 (byte 1)" },
        { "\"a\\ud800b\"",
            "half of a surrogate pair at line 1, column 3 (byte 2)" },
        { "\"\\udc00\\ud800\"",
            "half of a surrogate pair at line 1, column 2 (byte 1)" },
        { "{\"a\":1,\n \"\\u0061\":2}",
            "the key occurs twice at line 2, column 2 (byte 9)" },
    };

    check_refusals(rows, ARRAY_N(rows), JSON_STRICT, SYNCLINE_EMALFORMED);
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        CHECK(parse(rows[i].text, JSON_TOLERANT) != NULL);
    forget();
}

TEST(strict_numbers_keep_their_value)
{
    static const char *const rows[][2] = {
        { "0", "0" },
        { "-0", "0" },
        { "9223372036854775807", "9223372036854775807" },
        { "-9223372036854775808", "-9223372036854775808" },
        { "0.0", "0.0" },
        { "-0.0", "-0.0" },
        { "0e999", "0.0" },
        { "0.1", "0.1" },
        { "1.50", "1.5" },
        { "1E5", "100000.0" },
        { "123.456e-2", "1.23456" },
        { "9007199254740992.0", "9007199254740992.0" },
        { "0.0001", "0.0001" },
        { "0.00001", "1e-05" },
        { "1e15", "1000000000000000.0" },
        { "1e16", "1e+16" },
        { "1.5e300", "1.5e+300" },
        { "5e-324", "5e-324" },
        { "1.7976931348623157e308", "1.7976931348623157e+308" },
        { "2.2250738585072014e-308", "2.2250738585072014e-308" },
        { "1795220724.6696308", "1795220724.6696308" },
        /* Its neighbour below is closer than the one above. */
        { "5.684341886080802e-14", "5.684341886080802e-14" },
        { "9.5367431640625e-07", "9.5367431640625e-07" },
        { "1000000000000000000000e-21", "1.0" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        CHECK_SLICE(
            reprint(rows[i][0], JSON_STRICT, JSON_CANONICAL), rows[i][1]);
    forget();
}

TEST(tolerant_numbers)
{
    static const char *const rows[][2] = {
        { "123456789012345678901234567890", "123456789012345678901234567890" },
        { "-9223372036854775809", "-9223372036854775809" },
        { "9007199254740993.0", "9007199254740992.0" },
        { "1e400", "Infinity" },
        { "-1e400", "-Infinity" },
        { "-1e-400", "-0.0" },
        { "[NaN,Infinity,-Infinity]", "[NaN,Infinity,-Infinity]" },
        { "2.22507385850720113605740979670913197593481954635164564e-308",
            "2.225073858507201e-308" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        CHECK_SLICE(
            reprint(rows[i][0], JSON_TOLERANT, JSON_CANONICAL), rows[i][1]);
    CHECK_INT(parse("9223372036854775808", JSON_TOLERANT)->type, JSON_BIGINT);
    forget();
}

/* A digit far behind decides on which side of halfway a number lies. */
TEST(a_long_literal_is_rounded_right)
{
    static const char half[] = "9007199254740993.";
    char text[1200];

    memset(text, '0', sizeof text);
    memcpy(text, half, sizeof half - 1);
    text[sizeof text - 1] = 0;
    CHECK_SLICE(reprint(text, JSON_TOLERANT, JSON_PLAIN), "9007199254740992.0");
    text[sizeof text - 2] = '1';
    CHECK_SLICE(reprint(text, JSON_TOLERANT, JSON_PLAIN), "9007199254740994.0");
    forget();
}

TEST(integers_of_4300_digits)
{
    char text[4303] = "-";
    struct json *v = NULL;

    memset(text + 1, '7', 4301);
    CHECK_INT(json_parse(&v, SLICE(text, 4302), JSON_TOLERANT, &arena, &why),
        SYNCLINE_ELIMIT);
    CHECK_SLICE(slice_str(why.text),
        "the integer has more than 4300 digits "
        "at line 1, column 1 (byte 0)");
    CHECK_OK(json_parse(&v, SLICE(text, 4301), JSON_TOLERANT, &arena, &why));
    CHECK_BYTES(print(v, JSON_PLAIN), SLICE(text, 4301));
    forget();
}

TEST(depth)
{
    char text[2 * JSON_DEPTH_MAX + 2];
    struct json *v = NULL;

    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    CHECK_INT(
        json_parse(&v, SLICE(text, sizeof text), JSON_STRICT, &arena, &why),
        SYNCLINE_ELIMIT);
    CHECK_SLICE(slice_str(why.text),
        "nested deeper than 64 levels at line 1, column 65 (byte 64)");
    CHECK_OK(json_parse(
        &v, SLICE(text + 1, sizeof text - 2), JSON_TOLERANT, &arena, &why));
    CHECK_BYTES(print(v, JSON_PLAIN), SLICE(text + 1, sizeof text - 2));
    CHECK_OK(
        json_parse(&v, SLICE(text, sizeof text), JSON_MESSAGE, &arena, &why));
    CHECK_UINT(json_depth(v), JSON_DEPTH_MAX + 1);
    forget();
}

/* A message is as tolerant, and deeper, but not without an end. */
TEST(a_message_may_nest_deeper)
{
    char text[2 * JSON_MESSAGE_DEPTH_MAX + 2];
    struct json *v = NULL;

    memset(text, '[', JSON_MESSAGE_DEPTH_MAX + 1);
    memset(text + JSON_MESSAGE_DEPTH_MAX + 1, ']', JSON_MESSAGE_DEPTH_MAX + 1);
    CHECK_INT(
        json_parse(&v, SLICE(text, sizeof text), JSON_MESSAGE, &arena, &why),
        SYNCLINE_ELIMIT);
    CHECK_SLICE(slice_str(why.text),
        "nested deeper than 128 levels at line 1, column 129 (byte 128)");
    CHECK_OK(json_parse(
        &v, SLICE(text + 1, sizeof text - 2), JSON_MESSAGE, &arena, &why));
    CHECK_INT(parse("9223372036854775808", JSON_MESSAGE)->type, JSON_BIGINT);
    forget();
}

TEST(styles)
{
    static const char text[] =
        " { \"b\" : [ 1 , 2.0 , { } , [ ] ] ,\r\n"
        "\t\"\\u00e9\" : \"\\u20ac\\ud83d\\ude00\\u007f\","
        "\"a\" : { \"z\" : null , \"y\" : true } } ";
    static const char *const want[] = {
        [JSON_CANONICAL] = "{\"a\":{\"y\":true,\"z\":null},"
                           "\"b\":[1,2.0,{},[]],"
                           "\"\xc3\xa9\":\"\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}",
        [JSON_SORTED_PLAIN] =
            "{\"a\": {\"y\": true, \"z\": null}, \"b\": [1, 2.0, {}, []], "
            "\"\\u00e9\": \"\\u20ac\\ud83d\\ude00\\u007f\"}",
        [JSON_PLAIN] = "{\"b\": [1, 2.0, {}, []], "
                       "\"\\u00e9\": \"\\u20ac\\ud83d\\ude00\\u007f\", "
                       "\"a\": {\"z\": null, \"y\": true}}",
        [JSON_COMPACT] = "{\"b\":[1,2.0,{},[]],"
                         "\"\\u00e9\":\"\\u20ac\\ud83d\\ude00\\u007f\","
                         "\"a\":{\"z\":null,\"y\":true}}",
        [JSON_PLAIN_RAW] =
            "{\"b\": [1, 2.0, {}, []], "
            "\"\xc3\xa9\": \"\xe2\x82\xac\xf0\x9f\x98\x80\x7f\", "
            "\"a\": {\"z\": null, \"y\": true}}",
        [JSON_PRETTY] = "{\n  \"b\": [\n    1,\n    2.0,\n    {},\n    []\n"
                        "  ],\n"
                        "  \"\xc3\xa9\": \"\xe2\x82\xac\xf0\x9f\x98\x80\x7f\""
                        ",\n  \"a\": {\n    \"z\": null,\n    \"y\": true\n"
                        "  }\n}",
    };

    for (size_t i = 0; i < ARRAY_N(want); i++)
        CHECK_SLICE(reprint(text, JSON_STRICT, (enum json_style)i), want[i]);
    forget();
}

TEST(escapes)
{
    static const char text[] =
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001F\\u0041 tail\"";
    struct json *v = parse(text, JSON_STRICT);

    CHECK_BYTES(v->s,
        SLICE_LIT("\"\\/\b\f\n\r\t\0\x1f"
                  "A tail"));
    CHECK_SLICE(print(v, JSON_CANONICAL),
        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001fA tail\"");
    forget();
}

TEST(strings_without_escapes_are_borrowed)
{
    static const char text[] = "{\"key\":\"value of some length\"}";
    struct json *v = parse(text, JSON_STRICT);

    CHECK((const char *)v->first->key.ptr == text + 2);
    CHECK((const char *)v->first->s.ptr == text + 8);
    forget();
}

/* Half of a pair has an escape but no UTF-8. */
TEST(halves_of_surrogate_pairs)
{
    static const char text[] = "\"x\\udbff\\ud83d\\ude00\\udc00\"";
    struct json *v = parse(text, JSON_TOLERANT);

    CHECK_SLICE(print(v, JSON_PLAIN), text);
    buf_clear(&printed);
    json_print(&printed, v, JSON_CANONICAL);
    CHECK_INT(buf_status(&printed), SYNCLINE_EMALFORMED);
    forget();
}

TEST(broken_utf8_does_not_print)
{
    static const enum json_style rows[] = { JSON_PLAIN, JSON_PLAIN_RAW };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        buf_clear(&printed);
        json_print(
            &printed, json_new_str(&arena, SLICE_LIT("ab\xe2\x82")), rows[i]);
        CHECK_INT(buf_status(&printed), SYNCLINE_EMALFORMED);
    }
    forget();
}

TEST(keys_sort_by_code_point)
{
    CHECK_SLICE(reprint("{\"\\ud83d\\ude00\":1,\"\\uffff\":2,\"b\":3,\"a\":4,"
                        "\"\":5,\"ab\":6}",
                    JSON_STRICT, JSON_SORTED_PLAIN),
        "{\"\": 5, \"a\": 4, \"ab\": 6, \"b\": 3, \"\\uffff\": 2, "
        "\"\\ud83d\\ude00\": 1}");
    forget();
}

TEST(the_last_of_doubled_keys_wins_in_the_first_place)
{
    CHECK_SLICE(reprint("{\"b\":1,\"a\":[2],\"b\":{\"c\":3},\"a\":4,\"d\":5,"
                        "\"b\":6.5}",
                    JSON_TOLERANT, JSON_COMPACT),
        "{\"b\":6.5,\"a\":4,\"d\":5}");
    forget();
}

/* Many members, each key as often as `times`, in no order. */
static void put_many(struct buf *b, unsigned n, unsigned times)
{
    buf_put_u8(b, '{');
    for (unsigned i = 0; i < n * times; i++)
        buf_printf(
            b, "%s\"k%u\": %u", i > 0 ? ",\n" : "", (i % n) * 7919u % n, i);
    buf_put_u8(b, '}');
}

TEST(doubled_keys_in_large_objects)
{
    struct buf text = { 0 };
    struct json *v = NULL;

    put_many(&text, 3000, 1);
    CHECK_OK(json_parse(&v, buf_slice(&text), JSON_STRICT, &arena, &why));
    CHECK_UINT(v->n, 3000);
    text.len--;
    buf_put_str(&text, ",\n \"k\\u0031\": 0}");
    v = NULL;
    CHECK_INT(json_parse(&v, buf_slice(&text), JSON_STRICT, &arena, &why),
        SYNCLINE_EMALFORMED);
    CHECK(slice_has_prefix(slice_str(why.text),
        SLICE_LIT("the key occurs twice at line 3001, column 2 (byte")));
    buf_clear(&text);
    put_many(&text, 1000, 3);
    CHECK_OK(json_parse(&v, buf_slice(&text), JSON_TOLERANT, &arena, &why));
    CHECK_UINT(v->n, 1000);
    CHECK_INT(json_get_int(v, "k0", -1), 2000);
    CHECK_SLICE(v->first->key, "k0");
    CHECK(v->last->next == NULL);
    CHECK_INT(v->last->i, 2999);
    buf_free(&text);
    forget();
}

TEST(getters)
{
    const struct json *v = parse("{\"s\":\"text\",\"i\":-7,\"d\":1.0,"
                                 "\"t\":true,\"f\":false,\"n\":null}",
        JSON_STRICT);

    CHECK_SLICE(json_get_str(v, "s"), "text");
    CHECK(json_get_str(v, "i").ptr == NULL);
    CHECK_INT(json_get_int(v, "i", 1), -7);
    CHECK_INT(json_get_int(v, "d", 1), 1);
    CHECK_INT(json_get_int(v, "none", 1), 1);
    CHECK(json_get_bool(v, "t", false));
    CHECK(!json_get_bool(v, "f", true));
    CHECK(json_get_bool(v, "n", true));
    CHECK_INT(json_get(v, "n")->type, JSON_NULL);
    CHECK(json_get(v, "none") == NULL);
    CHECK(json_get(json_get(v, "s"), "x") == NULL);
    CHECK(json_get(NULL, "x") == NULL);
    forget();
}

TEST(builders)
{
    struct json *obj = json_new(&arena, JSON_OBJECT);
    struct json *arr = json_new(&arena, JSON_ARRAY);

    CHECK(json_append(arr, json_new_int(&arena, 1)) != NULL);
    CHECK(json_append(arr, json_new_bool(&arena, false)) != NULL);
    CHECK(json_append(arr, json_new(&arena, JSON_NULL)) == arr->last);
    CHECK(json_add(obj, SLICE_LIT("list"), arr) == arr);
    CHECK(json_add(obj, SLICE_LIT("text"),
              json_new_str(&arena, SLICE_LIT("a\"b"))) != NULL);
    CHECK_SLICE(print(obj, JSON_PLAIN),
        "{\"list\": [1, false, null], \"text\": \"a\\\"b\"}");
    CHECK(json_add(NULL, SLICE_LIT("k"), arr) == NULL);
    CHECK(json_append(arr, NULL) == NULL);
    CHECK_UINT(arr->n, 3);
    forget();
}

/* What was parsed can be built on, after children were relinked as well. */
TEST(adding_to_what_was_parsed)
{
    struct json *v = parse("[1,2]", JSON_STRICT);

    CHECK(json_append(v, json_new_int(&arena, 3)) != NULL);
    v->last = NULL;
    CHECK(json_append(v, json_new_int(&arena, 4)) != NULL);
    CHECK_SLICE(print(v, JSON_COMPACT), "[1,2,3,4]");
    forget();
}

TEST(equality)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        { "{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", true },
        { "{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false },
        { "{\"a\":1}", "{\"a\":1,\"b\":2}", false },
        { "{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}", false },
        { "[1,2]", "[2,1]", false },
        { "[1]", "[1,1]", false },
        { "1", "1.0", false },
        { "0.0", "-0.0", false },
        { "1E2", "100.0", true },
        { "NaN", "NaN", true },
        { "null", "false", false },
        { "\"a\"", "\"\\u0061\"", true },
        { "99999999999999999999", "99999999999999999999", true },
        { "99999999999999999999", "99999999999999999998", false },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        const struct json *a = parse(rows[i].a, JSON_TOLERANT);
        const struct json *b = parse(rows[i].b, JSON_TOLERANT);

        CHECK_SAYING(json_equal(a, b) == rows[i].equal &&
                json_equal(b, a) == rows[i].equal,
            "%s and %s", rows[i].a, rows[i].b);
    }
    CHECK(!json_equal(NULL, parse("1", JSON_STRICT)));
    forget();
}

/* The examples of RFC 7396, appendix A, and a few more. */
TEST(merge_patch)
{
    static const char *const rows[][3] = {
        { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
        { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
        { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
            "{\"a\":{\"b\":\"d\"}}" },
        { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
        { "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
        { "{\"a\":\"foo\"}", "null", "null" },
        { "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
        { "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
        { "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
        { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
        { "{\"a\":1,\"b\":2,\"c\":3}", "{\"d\":4,\"b\":[null]}",
            "{\"a\":1,\"b\":[null],\"c\":3,\"d\":4}" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        const struct json *target = parse(rows[i][0], JSON_STRICT);
        const struct json *patch = parse(rows[i][1], JSON_STRICT);
        const struct json *out = json_merge_patch(target, patch, &arena);

        CHECK_SLICE(print(out, JSON_COMPACT), rows[i][2]);
        CHECK_SLICE(print(target, JSON_COMPACT), rows[i][0]);
        CHECK_SLICE(print(patch, JSON_COMPACT), rows[i][1]);
    }
    CHECK_SLICE(print(json_merge_patch(NULL,
                          parse("{\"a\":null,\"b\":1}", JSON_STRICT), &arena),
                    JSON_COMPACT),
        "{\"b\":1}");
    forget();
}

/* The examples of RFC 6901, section 5. */
TEST(pointers)
{
    static const char *const rows[][2] = {
        { "/foo", "[\"bar\",\"baz\"]" },
        { "/foo/0", "\"bar\"" },
        { "/foo/1", "\"baz\"" },
        { "/foo/2", NULL },
        { "/foo/-", NULL },
        { "/foo/00", NULL },
        { "/foo/", NULL },
        { "/foo/18446744073709551616", NULL },
        { "/foo/0/x", NULL },
        { "/", "0" },
        { "/a~1b", "1" },
        { "/c%d", "2" },
        { "/e^f", "3" },
        { "/ ", "7" },
        { "/m~0n", "8" },
        { "/m~01", NULL },
        { "/m~n", NULL },
        { "foo", NULL },
        { "/none", NULL },
    };
    const struct json *v =
        parse("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,"
              "\"e^f\":3,\" \":7,\"m~n\":8}",
            JSON_STRICT);

    CHECK(json_pointer_get(v, SLICE_NONE, &arena) == v);
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        const struct json *found =
            json_pointer_get(v, slice_str(rows[i][0]), &arena);

        CHECK_SAYING((found == NULL) == (rows[i][1] == NULL), "pointer \"%s\"",
            rows[i][0]);
        if (found != NULL)
            CHECK_SLICE(print(found, JSON_COMPACT), rows[i][1]);
    }
    forget();
}

TEST(pointers_segment_by_segment)
{
    struct slice p = SLICE_LIT("/a~1b//~0~01"), segment = SLICE_NONE;

    CHECK_OK(json_pointer_next(&p, &segment, &arena));
    CHECK_SLICE(segment, "a/b");
    CHECK_OK(json_pointer_next(&p, &segment, &arena));
    CHECK_SLICE(segment, "");
    CHECK_OK(json_pointer_next(&p, &segment, &arena));
    CHECK_SLICE(segment, "~~1");
    CHECK_INT(json_pointer_next(&p, &segment, &arena), SYNCLINE_ENOTFOUND);
    p = SLICE_LIT("a");
    CHECK_INT(json_pointer_next(&p, &segment, &arena), SYNCLINE_EMALFORMED);
    p = SLICE_LIT("/a~");
    CHECK_INT(json_pointer_next(&p, &segment, &arena), SYNCLINE_EMALFORMED);
    CHECK_SLICE(p, "/a~");
    CHECK_SLICE(segment, "~~1");
    json_pointer_put(&printed, SLICE_LIT("a/b"));
    json_pointer_put(&printed, SLICE_LIT(""));
    json_pointer_put(&printed, SLICE_LIT("~~1"));
    CHECK_SLICE(buf_slice(&printed), "/a~1b//~0~01");
    forget();
}

/* Every bit pattern of a finite double prints so that strict reads it. */
TEST(law_doubles_read_back)
{
    struct prng p = { 11 };

    for (int i = 0; i < 20000; i++) {
        uint64_t bits = prng_next(&p);
        struct json *v, want = { .type = JSON_DOUBLE };

        if ((bits >> 52 & 0x7ff) == 0x7ff)
            continue;
        memcpy(&want.d, &bits, sizeof bits);
        buf_clear(&printed);
        json_print_double(&printed, want.d);
        arena_reset(&arena);
        CHECK_OK(
            json_parse(&v, buf_slice(&printed), JSON_STRICT, &arena, &why));
        CHECK_SAYING(
            json_equal(v, &want), "bits %llx", (unsigned long long)bits);
    }
    forget();
}
