#include "base/text.h"

#define HEX_ROW(h)                                                            \
    h "0" h "1" h "2" h "3" h "4" h "5" h "6" h "7" h "8" h "9" h "a" h "b" h \
      "c" h "d" h "e" h "f"

/* Two for each byte: they are asked for a pair at a time. */
static const char hex_pairs[] = HEX_ROW("0") HEX_ROW("1") HEX_ROW("2")
    HEX_ROW("3") HEX_ROW("4") HEX_ROW("5") HEX_ROW("6") HEX_ROW("7")
        HEX_ROW("8") HEX_ROW("9") HEX_ROW("a") HEX_ROW("b") HEX_ROW("c")
            HEX_ROW("d") HEX_ROW("e") HEX_ROW("f");
static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hex_encode(char *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        memcpy(out + 2 * i, hex_pairs + 2 * s.ptr[i], 2);
    out[2 * s.len] = 0;
}

void put_hex(struct buf *b, struct slice s)
{
    uint8_t *to = buf_reserve(b, 2 * s.len);

    if (to == NULL)
        return;
    for (size_t i = 0; i < s.len; i++)
        memcpy(to + 2 * i, hex_pairs + 2 * s.ptr[i], 2);
    b->len += 2 * s.len;
}

#define DECIMAL_MAX 20 /* of 64 bits */

void put_decimal(struct buf *b, uint64_t v)
{
    char text[DECIMAL_MAX];
    size_t at = sizeof text;

    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    buf_put(b, text + at, sizeof text - at);
}

/* Reckoned, not looked up, so that many go at once. */
static uint8_t hex_digit(uint8_t v)
{
    return (uint8_t)(v + '0' + (v > 9 ? 'a' - '0' - 10 : 0));
}

bool hex_is(struct slice text, struct slice s)
{
    uint8_t differ = 0;

    if (text.len != 2 * s.len)
        return false;
    for (size_t i = 0; i < s.len; i++)
        differ |= (uint8_t)((text.ptr[2 * i] ^ hex_digit(s.ptr[i] >> 4)) |
            (text.ptr[2 * i + 1] ^ hex_digit(s.ptr[i] & 15)));
    return differ == 0;
}

/* By table, as it is asked for each byte. From '0' on, one more than the value:
 * what is no digit is 0. */
static const uint8_t hex_places[256] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0, 0,
    0, 0, 0, 0, 11, 12, 13, 14, 15, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11, 12, 13, 14, 15, 16 };

static uint8_t hex_place(uint8_t c)
{
    return hex_places[(uint8_t)(c - '0')];
}

int hex_decode(uint8_t *out, size_t out_len, struct slice text)
{
    bool wrong = false;

    if (text.len != out_len * 2)
        return SYNCLINE_EMALFORMED;
    for (size_t i = 0; i < text.len; i++)
        wrong |= hex_place(text.ptr[i]) == 0;
    if (wrong)
        return SYNCLINE_EMALFORMED;
    for (size_t i = 0; i < out_len; i++)
        out[i] = (uint8_t)((hex_place(text.ptr[2 * i]) - 1) << 4 |
            (hex_place(text.ptr[2 * i + 1]) - 1));
    return SYNCLINE_OK;
}

static int base32_value(uint8_t c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= '2' && c <= '7')
        return c - '2' + 26;
    return -1;
}

/* By table, as it is asked for each byte of what is sealed, and what comes is
 * as good as random. From '+' on, one more than the value: what is no digit is
 * 0. */
static const uint8_t base64_places[256] = { 63, 0, 0, 0, 64, 53, 54, 55, 56, 57,
    58, 59, 60, 61, 62, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0, 0, 0, 0, 0,
    0, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44,
    45, 46, 47, 48, 49, 50, 51, 52 };

static uint32_t base64_place(uint8_t c)
{
    return base64_places[(uint8_t)(c - '+')];
}

static int base64_value(uint8_t c)
{
    return (int)base64_place(c) - 1;
}

/* Digits of so many bits each. */
static void put_digits(
    struct buf *b, struct slice s, const char *digits, int width)
{
    const uint32_t mask = (1u << width) - 1;
    uint32_t bits = 0;
    int have = 0;

    for (size_t i = 0; i < s.len; i++) {
        bits = bits << 8 | s.ptr[i];
        for (have += 8; have >= width; have -= width)
            buf_put_u8(b, (uint8_t)digits[bits >> (have - width) & mask]);
    }
    if (have > 0)
        buf_put_u8(b, (uint8_t)digits[bits << (width - have) & mask]);
}

static int get_digits(
    struct buf *out, struct slice text, int (*value)(uint8_t c), int width)
{
    uint8_t *to = buf_reserve(out, text.len);
    uint32_t bits = 0;
    size_t n = 0;
    int have = 0;

    if (to == NULL)
        return buf_status(out);
    for (size_t i = 0; i < text.len; i++) {
        int v = value(text.ptr[i]);

        if (v < 0)
            return SYNCLINE_EMALFORMED;
        bits = bits << width | (uint32_t)v;
        have += width;
        if (have >= 8) {
            have -= 8;
            to[n++] = (uint8_t)(bits >> have);
        }
    }
    if (have >= width || (bits & ((1u << have) - 1)) != 0)
        return SYNCLINE_EMALFORMED;
    out->len += n;
    return SYNCLINE_OK;
}

void put_base32(struct buf *b, struct slice s)
{
    put_digits(b, s, base32_digits, 5);
}

int base32_decode(struct buf *out, struct slice text)
{
    return get_digits(out, text, base32_value, 5);
}

/* Three bytes at a time, what is left by the slow way. */
void put_base64(struct buf *b, struct slice s)
{
    const uint8_t *p = s.ptr;
    size_t whole = s.len / 3;
    uint8_t *to = whole > 0 ? buf_reserve(b, whole * 4) : NULL;

    if (to == NULL)
        whole = 0;
    for (size_t i = 0; i < whole; i++, p += 3, to += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

        to[0] = (uint8_t)base64_digits[v >> 18];
        to[1] = (uint8_t)base64_digits[v >> 12 & 63];
        to[2] = (uint8_t)base64_digits[v >> 6 & 63];
        to[3] = (uint8_t)base64_digits[v & 63];
    }
    b->len += whole * 4;
    put_digits(b, slice_from(s, whole * 3), base64_digits, 6);
}

/* Four at a time, what is left by the slow way. */
int base64_decode(struct buf *out, struct slice text)
{
    const uint32_t ones = 1u << 18 | 1u << 12 | 1u << 6 | 1u;
    const size_t before = out->len, whole = text.len / 4;
    const uint8_t *p = text.ptr;
    uint8_t *to = buf_reserve(out, text.len);
    int rc;

    if (to == NULL)
        return buf_status(out);
    for (size_t i = 0; i < whole; i++, p += 4, to += 3) {
        const uint32_t a = base64_place(p[0]), b = base64_place(p[1]);
        const uint32_t c = base64_place(p[2]), d = base64_place(p[3]);
        const uint32_t v = (a << 18) + (b << 12) + (c << 6) + d - ones;

        if (a == 0 || b == 0 || c == 0 || d == 0)
            return SYNCLINE_EMALFORMED;
        to[0] = (uint8_t)(v >> 16);
        to[1] = (uint8_t)(v >> 8);
        to[2] = (uint8_t)v;
    }
    out->len += whole * 3;
    rc = get_digits(out, slice_from(text, whole * 4), base64_value, 6);
    if (rc != SYNCLINE_OK)
        out->len = before;
    return rc;
}

void put_base64url(struct buf *b, struct slice s)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    put_digits(b, s, digits, 6);
}

static int base64url_value(uint8_t c)
{
    if (c == '-')
        return 62;
    if (c == '_')
        return 63;
    return c == '+' || c == '/' ? -1 : base64_value(c);
}

int base64url_decode(uint8_t *out, size_t out_len, struct slice text)
{
    uint32_t bits = 0;
    size_t n = 0;
    int held = 0;

    if (text.len != (out_len * 8 + 5) / 6)
        return SYNCLINE_EMALFORMED;
    for (size_t i = 0; i < text.len; i++) {
        const int v = base64url_value(text.ptr[i]);

        if (v < 0)
            return SYNCLINE_EMALFORMED;
        bits = bits << 6 | (uint32_t)v;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[n++] = (uint8_t)(bits >> held);
        }
    }
    return (bits & ((1u << held) - 1)) == 0 ? SYNCLINE_OK : SYNCLINE_EMALFORMED;
}

/* Length of the sequence that begins with c and the smallest code point
 * that may be written so long; 0 if c begins none. */
static size_t utf8_len(uint8_t c, uint32_t *least)
{
    if (c >= 0xc2 && c <= 0xdf) {
        *least = 0x80;
        return 2;
    }
    if (c >= 0xe0 && c <= 0xef) {
        *least = 0x800;
        return 3;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        *least = 0x10000;
        return 4;
    }
    return 0;
}

static bool eight_are_ascii(struct slice s)
{
    uint64_t word;

    if (s.len < sizeof word)
        return false;
    memcpy(&word, s.ptr, sizeof word);
    return (word & 0x8080808080808080u) == 0;
}

bool utf8_valid(struct slice s)
{
    size_t i = 0;

    while (i < s.len) {
        uint32_t least = 0, cp;
        size_t n;

        if (s.ptr[i] < 0x80) {
            i += eight_are_ascii(slice_from(s, i)) ? 8 : 1;
            continue;
        }
        n = utf8_len(s.ptr[i], &least);
        if (n == 0 || s.len - i < n)
            return false;
        cp = s.ptr[i] & (0xffu >> (n + 1));
        for (size_t k = 1; k < n; k++) {
            if ((s.ptr[i + k] & 0xc0) != 0x80)
                return false;
            cp = cp << 6 | (s.ptr[i + k] & 0x3fu);
        }
        if (cp < least || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
            return false;
        i += n;
    }
    return true;
}

bool text_is_plain(struct slice s)
{
    return s.len == 0 || (memchr(s.ptr, 0, s.len) == NULL && utf8_valid(s));
}

bool text_is_name(struct slice s)
{
    bool good = s.len > 0 && s.len <= TEXT_NAME_MAX;

    for (size_t i = 0; i < s.len && good; i++) {
        const uint8_t c = s.ptr[i];

        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || (i > 0 && memchr("-._", c, 3) != NULL);
    }
    return good;
}

struct slice utf8_cut(struct slice s, size_t max)
{
    size_t n = max;

    if (s.len <= max)
        return s;
    while (n > 0 && (s.ptr[n] & 0xc0) == 0x80)
        n--;
    return SLICE(s.ptr, n);
}

/* Of one whole sequence. */
static uint32_t code_point(struct slice s)
{
    static const uint8_t firsts[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t cp = s.ptr[0] & firsts[s.len];

    for (size_t i = 1; i < s.len; i++)
        cp = cp << 6 | (s.ptr[i] & 0x3fu);
    return cp;
}

static bool is_inert(uint32_t cp)
{
    return cp >= 0x20 && (cp < 0x7f || cp > 0x9f) && cp != 0xad &&
        cp != 0x61c && (cp < 0x200b || cp > 0x200f) &&
        (cp < 0x2028 || cp > 0x202e) && (cp < 0x2060 || cp > 0x206f) &&
        cp != 0xfeff && (cp < 0xe0000 || cp > 0xe007f);
}

void put_inert(struct buf *b, struct slice text)
{
    while (text.len > 0) {
        uint32_t least, cp = text.ptr[0];
        size_t n = cp < 0x80 ? 1 : utf8_len(text.ptr[0], &least);
        const bool valid =
            n > 0 && n <= text.len && utf8_valid(SLICE(text.ptr, n));

        if (valid)
            cp = code_point(SLICE(text.ptr, n));
        else
            n = 1;
        if (valid && is_inert(cp))
            buf_put(b, text.ptr, n);
        else
            buf_printf(b, "\\u%04x", (unsigned)cp);
        text = slice_from(text, n);
    }
}
