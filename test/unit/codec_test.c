#include "base/codec.h"

#include "unit/check.h"

#include "base/prng.h"

static void check_put_varint(uint64_t v, const char *bytes, size_t n)
{
    struct buf b = { 0 };
    struct reader r;

    put_varint(&b, v);
    CHECK_BYTES(buf_slice(&b), SLICE(bytes, n));
    r = reader_of(buf_slice(&b));
    CHECK_UINT(get_varint(&r), v);
    CHECK_OK(reader_end(&r));
    buf_free(&b);
}

TEST(varints_have_one_encoding)
{
    check_put_varint(0, "\x00", 1);
    check_put_varint(1, "\x01", 1);
    check_put_varint(127, "\x7f", 1);
    check_put_varint(128, "\x80\x01", 2);
    check_put_varint(300, "\xac\x02", 2);
    check_put_varint(
        UINT64_C(1) << 63, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 10);
    check_put_varint(
        UINT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
}

TEST(varints_that_are_wrong)
{
    static const struct {
        const char *name;
        uint8_t bytes[12];
        size_t n;
        int err;
    } rows[] = {
        { "nothing", { 0 }, 0, SYNCLINE_ESHORT },
        { "cut", { 0x80 }, 1, SYNCLINE_ESHORT },
        { "cut after nine",
            { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 9,
            SYNCLINE_ESHORT },
        { "zero in two bytes", { 0x80, 0x00 }, 2, SYNCLINE_EMALFORMED },
        { "one in two bytes", { 0x81, 0x00 }, 2, SYNCLINE_EMALFORMED },
        { "one in three bytes", { 0x81, 0x80, 0x00 }, 3, SYNCLINE_EMALFORMED },
        { "two to the 64th",
            { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02 }, 10,
            SYNCLINE_EMALFORMED },
        { "eleven bytes",
            { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81,
                0x01 },
            11, SYNCLINE_EMALFORMED },
        { "ten bytes that end in zero",
            { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00 }, 10,
            SYNCLINE_EMALFORMED },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct reader r = reader_of(SLICE(rows[i].bytes, rows[i].n));

        CHECK_UINT(get_varint(&r), 0);
        CHECK_SAYING(r.err == rows[i].err, "%s: %d", rows[i].name, r.err);
        CHECK_INT(reader_end(&r), rows[i].err);
    }
}

TEST(a_varint_above_its_ceiling_is_malformed)
{
    struct reader r = reader_of(SLICE_LIT("\x05\x06"));

    CHECK_UINT(get_varint_max(&r, 5), 5);
    CHECK_OK(r.err);
    CHECK_UINT(get_varint_max(&r, 5), 0);
    CHECK_INT(r.err, SYNCLINE_EMALFORMED);
}

TEST(an_earlier_error_is_not_replaced)
{
    struct reader r = reader_of(SLICE_NONE);

    (void)get_u8(&r);
    CHECK_INT(r.err, SYNCLINE_ESHORT);
    CHECK_UINT(get_varint_max(&r, 5), 0);
    CHECK_INT(r.err, SYNCLINE_ESHORT);
}

TEST(random_varints_come_back)
{
    struct prng p = { 4 };

    for (int i = 0; i < 20000; i++) {
        uint64_t v = prng_next(&p) >> prng_below(&p, 64);
        struct buf b = { 0 };
        struct reader r;

        put_varint(&b, v);
        r = reader_of(buf_slice(&b));
        CHECK_UINT(get_varint(&r), v);
        CHECK_OK(reader_end(&r));
        buf_free(&b);
    }
}

TEST(numbers_lie_as_promised)
{
    struct buf b = { 0 };
    struct reader r;

    put_u32(&b, 0x01020304);
    put_be32(&b, 0x01020304);
    put_u64(&b, 0x0102030405060708);
    put_be64(&b, 0x0102030405060708);
    CHECK_SLICE(buf_slice(&b),
        "\x04\x03\x02\x01\x01\x02\x03\x04"
        "\x08\x07\x06\x05\x04\x03\x02\x01"
        "\x01\x02\x03\x04\x05\x06\x07\x08");
    r = reader_of(buf_slice(&b));
    CHECK_UINT(get_u32(&r), 0x01020304);
    CHECK_UINT(get_be32(&r), 0x01020304);
    CHECK_UINT(get_u64(&r), 0x0102030405060708);
    CHECK_UINT(get_be64(&r), 0x0102030405060708);
    CHECK_OK(reader_end(&r));
    buf_free(&b);
}

/* Half a number is no number: cut anywhere, the reads give zero. */
TEST(a_cut_number_reads_as_zero)
{
    static const uint8_t ones[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };

    for (size_t n = 0; n < 8; n++) {
        struct reader a = reader_of(SLICE(ones, n));
        struct reader b = a, c = a, d = a;

        CHECK_UINT(get_u64(&a), 0);
        CHECK_INT(a.err, SYNCLINE_ESHORT);
        CHECK_UINT(get_be64(&b), 0);
        CHECK_INT(b.err, SYNCLINE_ESHORT);
        CHECK_UINT(get_u32(&c), n < 4 ? 0 : UINT32_MAX);
        CHECK_UINT(get_be32(&d), n < 4 ? 0 : UINT32_MAX);
    }
}

TEST(big_endian_numbers_sort_as_numbers)
{
    struct prng p = { 5 };

    for (int i = 0; i < 5000; i++) {
        uint64_t x = prng_next(&p) >> prng_below(&p, 64);
        uint64_t y = prng_next(&p) >> prng_below(&p, 64);
        struct buf a = { 0 }, b = { 0 };
        int c;

        put_be64(&a, x);
        put_be64(&b, y);
        c = slice_cmp(buf_slice(&a), buf_slice(&b));
        CHECK((c < 0) == (x < y) && (c > 0) == (x > y));
        buf_free(&a);
        buf_free(&b);
    }
}

TEST(bytes_are_borrowed)
{
    struct buf b = { 0 };
    struct reader r;
    struct slice s;

    put_bytes(&b, SLICE_LIT("abc"));
    put_bytes(&b, SLICE_NONE);
    put_bytes(&b, SLICE_LIT("d"));
    r = reader_of(buf_slice(&b));
    s = get_bytes(&r);
    CHECK_SLICE(s, "abc");
    CHECK(s.ptr == b.ptr + 1);
    CHECK_SLICE(get_bytes(&r), "");
    CHECK_SLICE(get_fixed(&r, 2), "\001d");
    CHECK_OK(reader_end(&r));
    buf_free(&b);
}

TEST(lengths_that_lie)
{
    struct reader r = reader_of(SLICE_LIT("\x04"
                                          "abc"));

    CHECK_UINT(get_bytes(&r).len, 0);
    CHECK_INT(r.err, SYNCLINE_ESHORT);
    r = reader_of(SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                            "abc"));
    CHECK_UINT(get_bytes(&r).len, 0);
    CHECK_INT(r.err, SYNCLINE_ESHORT);
}

TEST(nothing_can_be_read_from_nothing)
{
    struct reader r = reader_of(SLICE_NONE);
    uint8_t four[4] = { 1, 2, 3, 4 };

    CHECK_UINT(get_fixed(&r, 0).len, 0);
    CHECK_OK(reader_end(&r));
    get_into(&r, four, 0);
    CHECK_UINT(four[0], 1);
    get_into(&r, four, 4);
    CHECK_INT(r.err, SYNCLINE_ESHORT);
    CHECK_UINT(four[0] | four[1] | four[2] | four[3], 0);
}

TEST(what_is_left_over_is_malformed)
{
    struct reader r = reader_of(SLICE_LIT("ab"));

    CHECK_UINT(get_u8(&r), 'a');
    CHECK_INT(reader_end(&r), SYNCLINE_EMALFORMED);
    CHECK_UINT(get_u8(&r), 'b');
    CHECK_OK(reader_end(&r));
    CHECK_UINT(get_u8(&r), 0);
    CHECK_INT(reader_end(&r), SYNCLINE_ESHORT);
}

/* Any bytes at all: never beyond the end, and zeros once it failed. */
TEST(random_reads_stay_inside)
{
    struct prng p = { 6 };

    for (int i = 0; i < 5000; i++) {
        uint8_t bytes[24];
        size_t n = prng_below(&p, sizeof bytes + 1);
        struct reader r = reader_of(SLICE(bytes, n));

        for (size_t j = 0; j < n; j++)
            bytes[j] = (uint8_t)(prng_next(&p) >> 7);
        while (r.err == 0) {
            struct slice s = get_bytes(&r);
            uint64_t v = get_varint(&r);

            CHECK(s.len == 0 || (s.ptr >= bytes && s.ptr + s.len <= bytes + n));
            CHECK(r.err == 0 || v == 0);
            CHECK(r.in.ptr + r.in.len == bytes + n);
        }
        CHECK_UINT(get_u32(&r), 0);
    }
}
