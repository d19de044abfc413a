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
