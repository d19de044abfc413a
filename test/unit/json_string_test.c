/* Strings, of which many bytes are looked at at once. */
#include "core/json.h"

#include "unit/check.h"

/* Between others. */
static void check_escape(
    struct slice odd, const char *escaped, size_t before, size_t after)
{
    struct json *again = NULL, v = { .type = JSON_STRING };
    struct buf text = { 0 }, want = { 0 }, printed = { 0 };
    struct arena arena = { 0 };

    for (size_t i = 0; i < before + after; i++) {
        if (i == before)
            buf_put_slice(&text, odd);
        buf_put_u8(&text, 'x');
    }
    if (after == 0)
        buf_put_slice(&text, odd);
    v.s = buf_slice(&text);
    buf_printf(&want, "\"%.*s%s%.*s\"", (int)before, text.ptr, escaped,
        (int)after, (const char *)text.ptr + before + odd.len);
    json_print(&printed, &v, JSON_COMPACT);
    CHECK_BYTES(buf_slice(&printed), buf_slice(&want));
    CHECK_OK(json_parse(&again, buf_slice(&want), JSON_STRICT, &arena, NULL));
    CHECK_BYTES(again->s, v.s);
    buf_free(&text);
    buf_free(&want);
    buf_free(&printed);
    arena_free(&arena);
}

TEST(escapes_at_every_place)
{
    static const struct {
        struct slice odd;
        const char *escaped;
    } rows[] = {
        { { (const uint8_t *)"\x1f", 1 }, "\\u001f" },
        { { (const uint8_t *)" ", 1 }, " " },
        { { (const uint8_t *)"\"", 1 }, "\\\"" },
        { { (const uint8_t *)"\\", 1 }, "\\\\" },
        { { (const uint8_t *)"\x7e", 1 }, "\x7e" },
        { { (const uint8_t *)"\x7f", 1 }, "\\u007f" },
        { { (const uint8_t *)"\xc2\x80", 2 }, "\\u0080" },
    };

    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
        for (size_t before = 0; before < 100; before++)
            for (size_t after = 0; after < 20; after++)
                check_escape(rows[r].odd, rows[r].escaped, before, after);
}

/* A name with half of a surrogate pair in it, as the tolerant parser lets it
 * in, or one that was cut in the middle of a character. */
TEST(what_was_said_is_told_whatever_its_bytes)
{
    static const struct {
        const char *said, *told;
    } rows[] = {
        { "", "\"\"" },
        { "caf\xc3\xa9 \"x\"\n", "\"caf\xc3\xa9 \\\"x\\\"\\n\"" },
        { "a\xed\xa0\x80", "\"a\\\\u00ed\\\\u00a0\\\\u0080\"" },
        { "caf\xc3", "\"caf\\\\u00c3\"" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf b = { 0 };

        json_print_said(&b, slice_str(rows[i].said));
        CHECK_OK(buf_status(&b));
        CHECK_SLICE(buf_slice(&b), rows[i].told);
        buf_free(&b);
    }
}
