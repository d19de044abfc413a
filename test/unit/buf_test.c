#include "base/buf.h"

#include "unit/check.h"

#include <stdlib.h>

#include "base/prng.h"

TEST(a_zeroed_buffer_is_empty_and_can_be_freed)
{
    struct buf b = { 0 };

    CHECK_UINT(buf_slice(&b).len, 0);
    CHECK_OK(buf_status(&b));
    buf_put(&b, NULL, 0);
    CHECK_OK(buf_status(&b));
    buf_free(&b);
    buf_free(&b);
}

TEST(what_is_put_is_there)
{
    struct buf b = { 0 };

    buf_put_str(&b, "ab");
    buf_put_u8(&b, 'c');
    buf_put_slice(&b, SLICE_LIT("de"));
    buf_put_slice(&b, SLICE_NONE);
    CHECK_SLICE(buf_slice(&b), "abcde");
    buf_consume(&b, 2);
    CHECK_SLICE(buf_slice(&b), "cde");
    buf_consume(&b, 0);
    buf_consume(&b, 3);
    CHECK_SLICE(buf_slice(&b), "");
    buf_free(&b);
}

TEST(the_ceiling_is_reached_but_not_passed)
{
    struct buf b = { .max = 100 };

    for (int i = 0; i < 100; i++)
        buf_put_u8(&b, 'x');
    CHECK_OK(buf_status(&b));
    CHECK_UINT(b.len, 100);
    buf_put_u8(&b, 'y');
    CHECK_INT(buf_status(&b), SYNCLINE_ELIMIT);
    CHECK_UINT(b.len, 100);
    buf_free(&b);
}

/* Once a write failed, none that follows may leave a hole behind. */
TEST(a_failure_lasts_until_cleared)
{
    struct buf b = { .max = 8 };

    buf_put_str(&b, "1234567");
    buf_put_str(&b, "too long");
    buf_put_str(&b, "8");
    CHECK_SLICE(buf_slice(&b), "1234567");
    CHECK_INT(buf_status(&b), SYNCLINE_ELIMIT);
    CHECK(buf_reserve(&b, 0) == NULL);
    buf_clear(&b);
    buf_put_str(&b, "12345678");
    CHECK_OK(buf_status(&b));
    buf_free(&b);
    CHECK_UINT(b.max, 8);
}

/* Not even a write that makes the buffer grow hides an earlier failure. */
TEST(a_failure_outlasts_growing)
{
    static const uint8_t bytes[60];
    struct buf b = { .max = 100 };

    buf_put(&b, bytes, 60);
    buf_put(&b, bytes, 50);
    buf_put(&b, bytes, 10);
    CHECK_INT(buf_status(&b), SYNCLINE_ELIMIT);
    CHECK_UINT(b.len, 60);
    buf_free(&b);
}

TEST(a_length_that_wraps_is_refused)
{
    struct buf b = { 0 };

    buf_put_u8(&b, 1);
    CHECK(buf_reserve(&b, SIZE_MAX) == NULL);
    CHECK_INT(buf_status(&b), SYNCLINE_ELIMIT);
    CHECK_UINT(b.len, 1);
    buf_free(&b);
}

TEST(reserve_lends_room)
{
    struct buf b = { 0 };
    uint8_t *to = buf_reserve(&b, 1000);

    CHECK(to != NULL);
    memset(to, 'z', 1000);
    CHECK_UINT(b.len, 0);
    b.len += 1000;
    CHECK(buf_slice(&b).ptr[999] == 'z');
    buf_free(&b);
}

TEST(printf_of_every_length)
{
    char text[600];

    memset(text, 'p', sizeof text);
    for (int n = 0; n < 600; n++) {
        struct buf b = { 0 };

        buf_printf(&b, "%.*s", n, text);
        CHECK_OK(buf_status(&b));
        CHECK_BYTES(buf_slice(&b), SLICE(text, (size_t)n));
        buf_free(&b);
    }
}

/* Long text needs room for a NUL; nothing is cut off silently. */
TEST(printf_fills_to_the_ceiling)
{
    char text[400];

    memset(text, 'p', sizeof text);
    for (int n = 200; n < 400; n++) {
        struct buf b = { .max = (size_t)n + (n >= 256) };

        buf_printf(&b, "%.*s", n, text);
        CHECK_OK(buf_status(&b));
        CHECK_BYTES(buf_slice(&b), SLICE(text, (size_t)n));
        buf_printf(&b, "%d", 77);
        CHECK_INT(buf_status(&b), SYNCLINE_ELIMIT);
        buf_free(&b);
    }
}

TEST(no_memory_is_reported_and_nothing_is_lost)
{
    struct buf b = { 0 };

    buf_put_str(&b, "kept");
    check_alloc_fail_from(0);
    CHECK(buf_reserve(&b, 1000) == NULL);
    check_alloc_fail_from(-1);
    CHECK_INT(buf_status(&b), SYNCLINE_ENOMEM);
    CHECK_SLICE(buf_slice(&b), "kept");
    buf_free(&b);
}

TEST(random_puts_match_a_plain_array)
{
    static uint8_t model[1 << 16];
    struct prng p = { 3 };
    struct buf b = { 0 };
    size_t len = 0;

    for (int i = 0; i < 2000; i++) {
        uint8_t piece[64];
        size_t n = prng_below(&p, sizeof piece);

        if (prng_one_in(&p, 4) && len > 0) {
            n = prng_below(&p, len + 1);
            memmove(model, model + n, len - n);
            len -= n;
            buf_consume(&b, n);
        } else if (len + n <= sizeof model) {
            memset(piece, i & 0xff, sizeof piece);
            memcpy(model + len, piece, n);
            len += n;
            buf_put(&b, piece, n);
        }
        CHECK_BYTES(buf_slice(&b), SLICE(model, len));
    }
    buf_free(&b);
}
