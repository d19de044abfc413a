#include "base/text.h"

#include "unit/check.h"

#include "base/prng.h"

TEST(hex_both_ways)
{
    uint8_t back[3];
    char text[7];
    struct buf b = { 0 };

    hex_encode(text, SLICE_LIT("\x00\xab\xff"));
    CHECK_SLICE(slice_str(text), "00abff");
    put_hex(&b, SLICE_LIT("\x00\xab\xff"));
    CHECK_SLICE(buf_slice(&b), "00abff");
    CHECK_OK(hex_decode(back, 3, SLICE_LIT("00aBFf")));
    CHECK_BYTES(SLICE(back, 3), SLICE_LIT("\x00\xab\xff"));
    CHECK_OK(hex_decode(back, 0, SLICE_NONE));
    buf_free(&b);
}

TEST(decimals_are_as_printed)
{
    static const uint64_t values[] = { 0, 1, 9, 10, 99, 100, 1234567890,
        UINT32_MAX, (uint64_t)1 << 63, UINT64_MAX - 1, UINT64_MAX };

    for (size_t i = 0; i < ARRAY_N(values); i++) {
        struct buf b = { 0 }, want = { 0 };

        buf_put_str(&b, "x");
        put_decimal(&b, values[i]);
        buf_printf(&want, "x%llu", (unsigned long long)values[i]);
        CHECK_BYTES(buf_slice(&b), buf_slice(&want));
        buf_free(&b);
        buf_free(&want);
    }
}

TEST(hex_that_is_wrong_writes_nothing)
{
    static const char *const rows[] = { "", "0", "0g", "000", " 0", "0x", "/0",
        ":0", "@0", "G0", "`0", "g0" };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        uint8_t out = 7;

        CHECK_SAYING(
            hex_decode(&out, 1, slice_str(rows[i])) == SYNCLINE_EMALFORMED,
            "\"%s\" was accepted", rows[i]);
        CHECK_UINT(out, 7);
    }
}

TEST(hex_says_these_bytes_in_one_way)
{
    static const char *const other[] = { "", "00ab", "00abfe", "10abff",
        "00aBff", "00abff0", "00abff00" };
    const struct slice bytes = SLICE_LIT("\x00\xab\xff");

    CHECK(hex_is(SLICE_LIT("00abff"), bytes));
    CHECK(hex_is(SLICE_NONE, SLICE_NONE));
    for (size_t i = 0; i < ARRAY_N(other); i++)
        CHECK_SAYING(!hex_is(slice_str(other[i]), bytes), "%s", other[i]);
}

/* RFC 4648, section 10, without the padding. */
TEST(base32_published_vectors)
{
    static const struct {
        const char *plain, *text;
    } rows[] = {
        { "", "" },
        { "f", "MY" },
        { "fo", "MZXQ" },
        { "foo", "MZXW6" },
        { "foob", "MZXW6YQ" },
        { "fooba", "MZXW6YTB" },
        { "foobar", "MZXW6YTBOI" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf b = { 0 };

        put_base32(&b, slice_str(rows[i].plain));
        CHECK_SLICE(buf_slice(&b), rows[i].text);
        buf_clear(&b);
        CHECK_OK(base32_decode(&b, slice_str(rows[i].text)));
        CHECK_SLICE(buf_slice(&b), rows[i].plain);
        buf_free(&b);
    }
}

/* RFC 4648, without its padding. */
TEST(base64_published_vectors)
{
    static const struct {
        const char *plain, *text;
    } rows[] = {
        { "", "" },
        { "f", "Zg" },
        { "fo", "Zm8" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg" },
        { "fooba", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy" },
        { "\xfb\xff\xbf", "+/+/" },
    };
    static const char *const wrong[] = { "Z", "Zm9vZ", "Zh", "Zm9",
        "Zg==", "Zm 9v", "Zm-_" };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf b = { 0 };

        put_base64(&b, slice_str(rows[i].plain));
        CHECK_SLICE(buf_slice(&b), rows[i].text);
        buf_clear(&b);
        CHECK_OK(base64_decode(&b, slice_str(rows[i].text)));
        CHECK_SLICE(buf_slice(&b), rows[i].plain);
        buf_free(&b);
    }
    for (size_t i = 0; i < ARRAY_N(wrong); i++) {
        struct buf b = { 0 };

        buf_put_str(&b, "before");
        CHECK_SAYING(
            base64_decode(&b, slice_str(wrong[i])) == SYNCLINE_EMALFORMED,
            "\"%s\" was accepted", wrong[i]);
        CHECK_SLICE(buf_slice(&b), "before");
        buf_free(&b);
    }
}

/* RFC 4648, 5: other signs for 62 and 63, and exactly so many bytes. */
TEST(base64url_comes_back_and_nothing_else_is_taken)
{
    static const uint8_t plain[] = { 0xfb, 0xff, 0xbf, 0x3e, 0xff };
    static const char *const wrong[] = { "-_-_Pv", "-_-_Pv8=", "-_-_Pv9",
        "-_-_P+8", "+/+/Pv8", "-_-_Pv8A", "-_ _Pv8", "" };
    uint8_t back[sizeof plain] = { 0 };
    struct buf b = { 0 };

    put_base64url(&b, SLICE(plain, sizeof plain));
    CHECK_SLICE(buf_slice(&b), "-_-_Pv8");
    CHECK_OK(base64url_decode(back, sizeof back, buf_slice(&b)));
    CHECK_BYTES(SLICE(back, sizeof back), SLICE(plain, sizeof plain));
    for (size_t i = 0; i < ARRAY_N(wrong); i++)
        CHECK_SAYING(base64url_decode(back, sizeof back, slice_str(wrong[i])) ==
                SYNCLINE_EMALFORMED,
            "%s", wrong[i]);
    buf_free(&b);
}

TEST(base64_of_any_length_comes_back_and_no_other_byte_is_taken)
{
    uint8_t plain[40];

    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 89 + 7);
    for (size_t n = 0; n <= sizeof plain; n++) {
        struct buf text = { 0 }, back = { 0 };

        put_base64(&text, SLICE(plain, n));
        CHECK_OK(base64_decode(&back, buf_slice(&text)));
        CHECK(slice_eq(buf_slice(&back), SLICE(plain, n)));
        for (size_t i = 0; i < text.len; i++) {
            const uint8_t was = text.ptr[i];

            text.ptr[i] = '=';
            CHECK_INT(
                base64_decode(&back, buf_slice(&text)), SYNCLINE_EMALFORMED);
            text.ptr[i] = 0xff;
            CHECK_INT(
                base64_decode(&back, buf_slice(&text)), SYNCLINE_EMALFORMED);
            text.ptr[i] = was;
        }
        CHECK_UINT(back.len, n);
        buf_free(&text);
        buf_free(&back);
    }
}

TEST(base32_that_is_wrong_appends_nothing)
{
    static const char *const rows[] = {
        "A",             /* five bits are no byte */
        "AAA",           /* fifteen are one, and seven too many */
        "AAAAAA",        /* thirty */
        "MZ",            /* leftover bits that are not zero */
        "MZXW6YR",       /* the same */
        "MZXW6===",      /* padding */
        "MZXW6YTB1A",    /* a digit that looks like another */
        "MZXW6YTBOI A",  /* a blank */
        "MZXW6YTB\xc3Q", /* beyond ASCII */
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf b = { 0 };

        buf_put_str(&b, "before");
        CHECK_SAYING(
            base32_decode(&b, slice_str(rows[i])) == SYNCLINE_EMALFORMED,
            "\"%s\" was accepted", rows[i]);
        CHECK_SLICE(buf_slice(&b), "before");
        buf_free(&b);
    }
}

TEST(base32_of_random_bytes_comes_back_in_either_case)
{
    struct prng p = { 8 };

    for (int i = 0; i < 2000; i++) {
        struct buf text = { 0 }, back = { 0 };
        uint8_t bytes[40];
        size_t n = prng_below(&p, sizeof bytes + 1);

        for (size_t j = 0; j < n; j++)
            bytes[j] = (uint8_t)prng_next(&p);
        put_base32(&text, SLICE(bytes, n));
        for (size_t j = 0; j < text.len; j++)
            if (prng_one_in(&p, 2) && text.ptr[j] >= 'A')
                text.ptr[j] |= 0x20;
        CHECK_OK(base32_decode(&back, buf_slice(&text)));
        CHECK_BYTES(buf_slice(&back), SLICE(bytes, n));
        buf_free(&text);
        buf_free(&back);
    }
}

TEST(utf8_at_its_edges)
{
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        { "", true }, { "plain", true }, { "\x7f", true },
        { "\xc2\x80", true },          /* U+0080 */
        { "\xdf\xbf", true },          /* U+07FF */
        { "\xe0\xa0\x80", true },      /* U+0800 */
        { "\xed\x9f\xbf", true },      /* U+D7FF */
        { "\xee\x80\x80", true },      /* U+E000 */
        { "\xef\xbf\xbf", true },      /* U+FFFF */
        { "\xf0\x90\x80\x80", true },  /* U+10000 */
        { "\xf4\x8f\xbf\xbf", true },  /* U+10FFFF */
        { "a\xe2\x82\xac z", true },   /* amid others */
        { "\x80", false },             /* a stray continuation */
        { "\xbf", false },             /* the same */
        { "\xc0\x80", false },         /* overlong NUL */
        { "\xc1\xbf", false },         /* overlong U+007F */
        { "\xe0\x9f\xbf", false },     /* overlong U+07FF */
        { "\xf0\x8f\xbf\xbf", false }, /* overlong U+FFFF */
        { "\xed\xa0\x80", false },     /* first surrogate */
        { "\xed\xbf\xbf", false },     /* last surrogate */
        { "\xf4\x90\x80\x80", false }, /* U+110000 */
        { "\xf5\x80\x80\x80", false }, /* further */
        { "\xff", false },             /* no beginning */
        { "\xc2", false },             /* cut */
        { "\xe2\x82", false },         /* cut */
        { "\xf0\x9f\x98", false },     /* cut */
        { "\xc2\x41", false },         /* broken off by a letter */
        { "\xe2\x82\xc2\x80", false }, /* broken off by another */
        { "\xf0\x9f\x98\xff", false }, /* last byte wrong */
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        CHECK_SAYING(
            utf8_valid(slice_str(rows[i].text)) == rows[i].valid, "row %zu", i);
    CHECK(utf8_valid(SLICE_LIT("a\0b")));
}

static size_t encode(uint8_t *out, uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (uint8_t)(0xc0 | cp >> 6);
        out[1] = (uint8_t)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (uint8_t)(0xe0 | cp >> 12);
        out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | cp >> 18);
    out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (cp & 0x3f));
    return 4;
}

TEST(utf8_of_every_code_point)
{
    for (uint32_t cp = 0; cp < 0x120000; cp++) {
        uint8_t bytes[4];
        bool valid = cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff);
        size_t n = encode(bytes, cp);

        CHECK_SAYING(
            utf8_valid(SLICE(bytes, n)) == valid, "U+%04X", (unsigned)cp);
    }
}

/* What a terminal acts on, what hides, and what is no UTF-8. */
TEST(what_is_inert_stays)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "", "" },
        { "caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80" },
        { "a\nb\x1b[2J\x7f", "a\\u000ab\\u001b[2J\\u007f" },
        { "\xc2\x9b\xe2\x80\xae\xf3\xa0\x80\x81", "\\u009b\\u202e\\ue0001" },
        { "\xff\xc3", "\\u00ff\\u00c3" },
        { "\xe2\x82", "\\u00e2\\u0082" },
        { "\xed\xa0\x80", "\\u00ed\\u00a0\\u0080" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf b = { 0 };

        put_inert(&b, slice_str(rows[i].in));
        CHECK_SLICE(buf_slice(&b), rows[i].out);
        buf_free(&b);
    }
}

/* What can be kept as a string of C, and told as JSON. */
TEST(what_is_no_text_is_not_plain)
{
    CHECK(text_is_plain(SLICE_NONE));
    CHECK(text_is_plain(SLICE_LIT("caf\xc3\xa9\n")));
    CHECK(!text_is_plain(SLICE_LIT("a\0b")));
    CHECK(!text_is_plain(SLICE_LIT("\xed\xa0\x80"))); /* half of a pair */
    CHECK(!text_is_plain(SLICE_LIT("caf\xc3")));
}
