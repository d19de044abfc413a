#include "files/schema.h"

#include "unit/check.h"
#include "unit/json_make.h"

#include <stdio.h>
#include <stdlib.h>

static struct schema *schema_of(const char *text)
{
    struct arena a = { 0 };
    struct errmsg why = { "" };
    struct schema *s = NULL;
    int rc = schema_new(&s, json_of(slice_str(text), &a), &why);

    CHECK_SAYING(rc == SYNCLINE_OK, "%s: %s", text, why.text);
    arena_free(&a);
    return s;
}

/* Whose text is gone: nothing of it is needed. */
static struct schema *schema_of_lent(const char *text)
{
    struct buf copy = { 0 };
    struct arena a = { 0 };
    struct schema *s = NULL;

    buf_put_str(&copy, text);
    CHECK_OK(schema_new(&s, json_of(buf_slice(&copy), &a), NULL));
    memset(copy.ptr, '#', copy.len);
    arena_free(&a);
    buf_free(&copy);
    return s;
}

/* A fault of NULL: it is valid. */
static const struct {
    const char *schema, *doc, *fault;
} rows[] = {
    { "true", "{\"a\":1}", NULL },
    { "false", "1", ": nothing may be here (schema: )" },
    { "{}", "null", NULL },
    { "{\"type\":\"integer\"}", "1.0", NULL },
    { "{\"type\":\"integer\"}", "1e300", NULL },
    { "{\"type\":\"integer\"}", "1.5",
        ": must be of the type \"integer\" (schema: /type)" },
    { "{\"type\":[\"string\",\"null\"]}", "true",
        ": must be one of these types: [\"string\",\"null\"] (schema: "
        "/type)" },
    { "{\"properties\":{\"a/b\":{\"items\":{\"maximum\":5}}}}",
        "{\"a/b\":[1,9]}",
        "/a~1b/1: must be at most 5 (schema: "
        "/properties/a~1b/items/maximum)" },
    { "{\"required\":[\"a\",\"b\"]}", "{\"a\":1}",
        ": has no member \"b\", which it must have (schema: /required)" },
    { "{\"properties\":{\"a\":true},\"additionalProperties\":false}",
        "{\"a\":1,\"b\":2}",
        "/b: is a member that is not known here (schema: "
        "/additionalProperties)" },
    { "{\"definitions\":{\"port\":{\"type\":\"integer\",\"minimum\":1,"
      "\"maximum\":65535}},\"additionalProperties\":{\"$ref\":\"#/"
      "definitions/port\"}}",
        "{\"http\":70000}",
        "/http: must be at most 65535 (schema: "
        "/definitions/port/maximum)" },
    { "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":3}]}", "1",
        ": fits none of the 2 that it may fit (schema: /anyOf)" },
    { "{\"oneOf\":[{\"minimum\":1},{\"minimum\":2}]}", "3",
        ": fits 2 of the 2 of which it must fit one (schema: /oneOf)" },
    { "{\"not\":{\"type\":\"string\"}}", "\"x\"",
        ": is what it must not be (schema: /not)" },
    { "{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":2},\"else\":{"
      "\"minimum\":2}}",
        "\"x\"",
        ": has 1 characters, which is less than 2 (schema: "
        "/then/minLength)" },
    { "{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":2},\"else\":{"
      "\"minimum\":2}}",
        "1", ": must be at least 2 (schema: /else/minimum)" },
    { "{\"const\":{\"a\":[1,0]}}", "{\"a\":[1.0,-0.0]}", NULL },
    { "{\"enum\":[1,\"a\"]}", "true",
        ": must be one of [1,\"a\"] (schema: /enum)" },
    { "{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},3,{\"b\":2.0,\"a\":1}]",
        ": has two equal elements (schema: /uniqueItems)" },
    { "{\"uniqueItems\":true}", "[1,true,\"1\",[1],[true],0,false]", NULL },
    { "{\"dependencies\":{\"user\":[\"password\"]}}", "{\"user\":1}",
        ": has no member \"password\", which it must have (schema: "
        "/dependencies)" },
    { "{\"propertyNames\":{\"maxLength\":2}}", "{\"abc\":1}",
        "/abc: has 3 characters, which is more than 2 (schema: "
        "/propertyNames/maxLength)" },
    { "{\"items\":[true],\"additionalItems\":false}", "[1,2]",
        "/1: nothing may be here (schema: /additionalItems)" },
    { "{\"contains\":{\"const\":7}}", "[1,2]",
        ": has no element such as it must have (schema: /contains)" },
    { "{\"patternProperties\":{\"^s_\":{\"type\":\"string\"}}}", "{\"s_a\":1}",
        "/s_a: must be of the type \"string\" (schema: "
        "/patternProperties/^s_/type)" },
    { "{\"maxLength\":1}", "\"\xf0\x9f\x98\x80\"", NULL },
    { "{\"format\":\"ipv4\"}", "\"no address\"", NULL },
    { "{\"$id\":\"http://a.example/x.json\",\"properties\":{\"n\":{\"$ref\":"
      "\"y.json#in\"}},\"definitions\":{\"y\":{\"$id\":\"y.json\","
      "\"definitions\":{\"z\":{\"$id\":\"#in\",\"type\":\"null\"}}}}}",
        "{\"n\":1}",
        "/n: must be of the type \"null\" (schema: "
        "/definitions/y/definitions/z/type)" },
    { "{\"properties\":{\"next\":{\"$ref\":\"#\"}},\"required\":[\"v\"]}",
        "{\"v\":1,\"next\":{\"v\":2,\"next\":{}}}",
        "/next/next: has no member \"v\", which it must have (schema: "
        "/required)" },
};

TEST(a_fault_says_where_and_what)
{
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct arena a = { 0 };
        struct schema_fault fault;
        struct errmsg why = { "" };
        struct schema *s;
        int rc;

        s = schema_of_lent(rows[i].schema);
        rc = schema_check(s, json_of(slice_str(rows[i].doc), &a), &fault, &a);
        if (rc != SYNCLINE_OK)
            schema_fault_say(&why, &fault);
        CHECK_SAYING(
            rc == (rows[i].fault == NULL ? SYNCLINE_OK : SYNCLINE_EINVAL) &&
                strcmp(why.text, rows[i].fault ? rows[i].fault : "") == 0,
            "%s of %s: %d %s", rows[i].doc, rows[i].schema, rc, why.text);
        schema_free(s);
        arena_free(&a);
    }
}

static const struct {
    const char *schema, *why;
} refused[] = {
    { "1", "schema: : must be a schema" },
    { "{\"type\":\"number_\"}", "schema: /type: must be null" },
    { "{\"properties\":{\"a\":{\"minimum\":\"x\"}}}",
        "schema: /properties/a/minimum: must be a number" },
    { "{\"multipleOf\":0}", "must be more than 0" },
    { "{\"maxLength\":-1}", "must be a whole number" },
    { "{\"maxLength\":1.5}", "must be a whole number" },
    { "{\"exclusiveMaximum\":true}", "must be a number" },
    { "{\"allOf\":[]}", "at least one schema" },
    { "{\"items\":5}", "schema: /items: must be a schema" },
    { "{\"required\":[1]}", "must be an array of strings" },
    { "{\"dependencies\":{\"a\":[1]}}", "arrays of strings" },
    { "{\"pattern\":\"(\"}", "is no pattern" },
    { "{\"patternProperties\":{\"[\":true}}", "[ without its ]" },
    { "{\"$ref\":\"http://a.example/\"}", "/$ref: leads out of this schema" },
    { "{\"$ref\":\"other.json#/a\"}", "leads out of this schema" },
    { "{\"$ref\":\"#/a\"}", "leads to nothing in this schema" },
    { "{\"$ref\":\"#name\"}", "leads to nothing in this schema" },
    { "{\"$ref\":\"#/title\",\"title\":1}", "must be a schema" },
    { "{\"$ref\":\"#/%4\"}", "is no URI" },
    { "{\"$ref\":1}", "/$ref: must be a string" },
    { "{\"$ref\":\"#\"}", "leads to itself" },
    { "{\"allOf\":[{\"$ref\":\"#/definitions/a\"}],\"definitions\":{\"a\":{"
      "\"if\":true,\"then\":{\"$ref\":\"#\"}}}}",
        "leads to itself" },
    { "{\"properties\":{\"a\":{\"not\":{\"$ref\":\"#/properties/a\"}}}}",
        "leads to itself" },
    { "{\"definitions\":{\"a\":{\"$id\":\"x\"},\"b\":{\"$id\":\"x\"}}}",
        "is the name of another schema too" },
    { "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"}",
        "only http://json-schema.org/draft-07/schema#" },
};

TEST(a_schema_that_is_wrong_is_refused)
{
    for (size_t i = 0; i < ARRAY_N(refused); i++) {
        struct arena a = { 0 };
        struct errmsg why = { "" };
        struct schema *s = NULL;
        int rc =
            schema_new(&s, json_of(slice_str(refused[i].schema), &a), &why);

        CHECK_SAYING(rc == SYNCLINE_EINVAL && s == NULL &&
                strstr(why.text, refused[i].why) != NULL,
            "%s: %d %s", refused[i].schema, rc, why.text);
        arena_free(&a);
    }
}

static int check(const char *schema, const char *doc)
{
    struct arena a = { 0 };
    struct schema_fault fault;
    struct schema *s = schema_of(schema);
    int rc = schema_check(s, json_of(slice_str(doc), &a), &fault, &a);

    CHECK((fault.what.text[0] == 0) == (rc == SYNCLINE_OK));
    schema_free(s);
    arena_free(&a);
    return rc;
}

/* Of what doubles would get wrong. */
static const struct {
    const char *schema, *doc;
    bool valid;
} numbers[] = {
    { "{\"multipleOf\":0.01}", "4.35", true },
    { "{\"multipleOf\":0.01}", "4.355", false },
    { "{\"multipleOf\":0.0001}", "0.0075", true },
    { "{\"multipleOf\":0.1}", "1e22", true },
    { "{\"multipleOf\":1e-300}", "1e300", true },
    { "{\"multipleOf\":3}", "1e300", false },
    { "{\"multipleOf\":3e-300}", "9e299", true },
    { "{\"multipleOf\":1e300}", "1", false },
    { "{\"multipleOf\":1e300}", "0", true },
    { "{\"multipleOf\":10}", "100", true },
    { "{\"multipleOf\":20}", "-100", true },
    { "{\"multipleOf\":20}", "110", false },
    { "{\"multipleOf\":9223372036854775807}", "9223372036854775807", true },
    { "{\"multipleOf\":9223372036854775806}", "9223372036854775807", false },
    { "{\"maximum\":9223372036854775806}", "9223372036854775807", false },
    { "{\"exclusiveMaximum\":9007199254740993}", "9007199254740992", true },
    { "{\"exclusiveMaximum\":9007199254740993}", "9007199254740993", false },
    { "{\"minimum\":-9223372036854775808}", "-9223372036854775808", true },
    { "{\"exclusiveMinimum\":-9223372036854775808}", "-9223372036854775807",
        true },
    { "{\"minimum\":0}", "-0.0", true },
    { "{\"exclusiveMinimum\":-0.0}", "0", false },
    { "{\"maximum\":0.1}", "0.1", true },
    { "{\"maximum\":-1}", "-1.5", true },
    { "{\"maximum\":-1}", "-0.5", false },
    { "{\"maximum\":100}", "1e2", true },
    { "{\"minimum\":1e-5}", "0.00001", true },
    { "{\"maxItems\":2.0}", "[1,2]", true },
    { "{\"const\":1e1}", "10", true },
    { "{\"const\":1}", "true", false },
};

TEST(numbers_are_the_decimals_that_were_written)
{
    for (size_t i = 0; i < ARRAY_N(numbers); i++) {
        int rc = check(numbers[i].schema, numbers[i].doc);

        CHECK_SAYING(rc == (numbers[i].valid ? SYNCLINE_OK : SYNCLINE_EINVAL),
            "%s of %s: %d", numbers[i].doc, numbers[i].schema, rc);
    }
}

/* As JSON texts: pattern, subject. */
static const struct {
    const char *pattern, *subject;
    bool matches;
} patterns[] = {
    { "a", "bab", true },
    { "^a$", "a\\n", false }, /* not before a line's end */
    { "^.$", "\\u2028", false },
    { "^.$", "\\r", false },
    { "^.$", "\\ud83d\\ude00", true },
    { "^\\\\s$", "\\u00a0", true },
    { "^\\\\s$", "\\ufeff", true },
    { "^\\\\S$", "\\u2003", false },
    { "^[\\\\s]$", "\\u3000", true },
    { "^[\\\\s\\\\S]$", "\\u3000", true },
    { "^\\\\w$", "\\u00e9", false },
    { "^\\\\d$", "\\u0661", false },
    { "^\\\\v$", "\\u000b", true },
    { "^\\\\v$", "\\n", false },
    { "^\\\\cA$", "\\u0001", true },
    { "^\\\\u00e9$", "\\u00e9", true },
    { "^\\\\ud83d\\\\ude00$", "\\ud83d\\ude00", true },
    { "^\\\\u{1f600}$", "\\ud83d\\ude00", true },
    { "^\\\\x41\\\\0$", "A\\u0000", true },
    { "^[]", "a", false },
    { "^[^]$", "\\n", true },
    { "^[[:alpha:]]$", "a]", true }, /* no class of POSIX */
    { "^[[:alpha:]]$", "b", false },
    { "^a{,2}$", "a{,2}", true },
    { "^a{1,2}$", "aa", true },
    { "^{$", "{", true },
    { "^(a)\\\\1$", "aa", true },
    { "^(?<x>a)\\\\k<x>$", "aa", true },
    { "^(?:(a)|b)\\\\1$", "b", true }, /* of what took no part: nothing */
    { "^(?!a)b", "b", true },
    { "(?<=a)b", "ab", true },
    { "^\\\\p{Letter}$", "\\u00e9", true },
    { "^\\\\p{Script=Greek}+$", "\\u03b1\\u03b2", true },
    { "^\\\\P{Lu}$", "A", false },
    { "^\\\\/\\\\-\\\\.$", "/-.", true },
    { "^a+?b??$", "aa", true },
    { "^[\\\\b]$", "\\b", true },
    { "", "", true },
};

TEST(patterns_mean_what_they_mean_in_ecma_262)
{
    for (size_t i = 0; i < ARRAY_N(patterns); i++) {
        struct buf schema = { 0 }, doc = { 0 };
        int rc;

        buf_printf(&schema, "{\"pattern\":\"%s\"}", patterns[i].pattern);
        buf_printf(&doc, "\"%s\"", patterns[i].subject);
        buf_put_u8(&schema, 0);
        buf_put_u8(&doc, 0);
        CHECK_OK(buf_status(&doc));
        rc = check((const char *)schema.ptr, (const char *)doc.ptr);
        CHECK_SAYING(
            rc == (patterns[i].matches ? SYNCLINE_OK : SYNCLINE_EINVAL),
            "%s on %s: %d", patterns[i].pattern, patterns[i].subject, rc);
        buf_free(&schema);
        buf_free(&doc);
    }
}

TEST(what_only_pcre_knows_is_refused)
{
    static const char *const table[] = { "\\\\A", "\\\\Z", "\\\\a", "\\\\e",
        "\\\\h", "\\\\K", "\\\\R", "\\\\Qa\\\\E", "a++", "a*+", "a{1}+",
        "(?>a)", "(?i)a", "(?P<x>a)", "(?#x)", "(?R)", "(*FAIL)", "(?|a)", "[a",
        "\\\\x4", "\\\\ud800", "\\\\u{110000}", "\\\\07", "[\\\\1]", "\\\\1",
        "*a", "a**", "\\\\pL", "\\\\" };

    for (size_t i = 0; i < ARRAY_N(table); i++) {
        struct arena a = { 0 };
        struct buf text = { 0 };
        struct errmsg why = { "" };
        struct schema *s = NULL;
        int rc;

        buf_printf(&text, "{\"pattern\":\"%s\"}", table[i]);
        rc = schema_new(&s, json_of(buf_slice(&text), &a), &why);
        CHECK_SAYING(
            rc == SYNCLINE_EINVAL && strstr(why.text, "is no pattern") != NULL,
            "%s: %d %s", table[i], rc, why.text);
        buf_free(&text);
        arena_free(&a);
    }
}

/* Each level asks the one below twice. */
static void put_doubling(struct buf *b, unsigned levels)
{
    buf_put_str(b, "{\"$ref\":\"#/definitions/d0\",\"definitions\":{");
    for (unsigned i = 0; i < levels; i++)
        buf_printf(b,
            "\"d%u\":{\"anyOf\":[{\"$ref\":\"#/definitions/d%u\"},{\"$ref\":"
            "\"#/definitions/d%u\"}]},",
            i, i + 1, i + 1);
    buf_printf(b, "\"d%u\":false}}", levels);
    buf_put_u8(b, 0);
    CHECK_OK(buf_status(b));
}

TEST(work_is_bounded)
{
    struct buf b = { 0 };
    char many[60];

    put_doubling(&b, 4);
    CHECK_INT(check((const char *)b.ptr, "1"), SYNCLINE_EINVAL);
    buf_clear(&b);
    put_doubling(&b, 30);
    CHECK_INT(check((const char *)b.ptr, "1"), SYNCLINE_ELIMIT);
    buf_free(&b);
    memset(many, 'a', sizeof many);
    many[0] = many[58] = '"';
    many[57] = '!';
    many[59] = 0;
    CHECK_INT(check("{\"pattern\":\"^(a+)+$\"}", many), SYNCLINE_ELIMIT);
    /* Nor does a choice hide that no answer was found. */
    CHECK_INT(
        check("{\"not\":{\"pattern\":\"^(a+)+$\"}}", many), SYNCLINE_ELIMIT);
    CHECK_INT(check("{\"anyOf\":[{\"pattern\":\"^(a+)+$\"},true]}", many),
        SYNCLINE_ELIMIT);
}

/* A text of n times c, and behind it a '!'. */
static int check_long(const char *schema, char c, size_t n)
{
    char *doc = malloc(n + 4);
    int rc;

    doc[0] = doc[n + 2] = '"';
    memset(doc + 1, c, n);
    doc[n + 1] = '!';
    doc[n + 3] = 0;
    rc = check(schema, doc);
    free(doc);
    return rc;
}

/* A match may start at each character, and each start be cheap enough. */
TEST(work_on_long_texts_is_bounded)
{
    static const char *const dear[] = { "\\\\s+$", "a*[bc]", "(?:a?){9}a{9}$",
        "(a+)\\\\1[bc]", "a{60000}[bc]", "(?=a*[bc]).", "a*?[bc]" };
    static const char *const cheap[] = { "^a+!$", "a!$", "[^b]!", "^(?:a|!)" };
    char schema[64];
    int rc;

    for (size_t i = 0; i < sizeof dear / sizeof *dear; i++) {
        (void)snprintf(schema, sizeof schema, "{\"pattern\":\"%s\"}", dear[i]);
        rc = check_long(schema, i == 0 ? ' ' : 'a', 900000);
        CHECK_SAYING(rc == SYNCLINE_ELIMIT, "%s: %d", schema, rc);
    }
    for (size_t i = 0; i < sizeof cheap / sizeof *cheap; i++) {
        (void)snprintf(schema, sizeof schema, "{\"pattern\":\"%s\"}", cheap[i]);
        CHECK_OK(check_long(schema, 'a', 900000));
    }
    CHECK_INT(
        check_long("{\"pattern\":\"[0-9]x\"}", 'a', 900000), SYNCLINE_EINVAL);
}

static int read_chain(unsigned n)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct errmsg why = { "" };
    struct schema *s = NULL;
    int rc;

    buf_put_str(&b, "{\"$ref\":\"#/definitions/0\",\"definitions\":{");
    for (unsigned i = 0; i < n; i++)
        buf_printf(&b, "\"%u\":{\"$ref\":\"#/definitions/%u\"},", i, i + 1);
    buf_printf(&b, "\"%u\":true}}", n);
    rc = schema_new(&s, json_of(buf_slice(&b), &a), &why);
    schema_free(s);
    buf_free(&b);
    arena_free(&a);
    return rc;
}

TEST(chains_are_bounded)
{
    CHECK_OK(read_chain(50));
    CHECK_INT(read_chain(70), SYNCLINE_ELIMIT);
    CHECK_INT(read_chain(5000), SYNCLINE_ELIMIT);
}

TEST(memory_that_runs_out_is_told)
{
    static const char text[] = "{\"properties\":{\"a\":{\"pattern\":\"^x\","
                               "\"enum\":[\"xy\",1]},\"b\":{\"$ref\":\"#/"
                               "properties/a\"}},\"uniqueItems\":true}";

    for (long n = 0;; n++) {
        struct arena a = { 0 }, made = { 0 };
        struct json *doc = json_of(slice_str(text), &made);
        struct json *v = json_of(SLICE_LIT("{\"a\":\"xy\",\"b\":1}"), &made);
        struct schema *s = NULL;
        struct schema_fault fault;
        bool failed;
        int rc;

        check_alloc_fail_from(n);
        rc = schema_new(&s, doc, NULL);
        if (rc == SYNCLINE_OK)
            rc = schema_check(s, v, &fault, &a);
        failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        CHECK_INT(rc, failed ? SYNCLINE_ENOMEM : SYNCLINE_OK);
        schema_free(s);
        arena_free(&a);
        arena_free(&made);
        if (!failed)
            break;
    }
}
