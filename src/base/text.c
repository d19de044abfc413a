#include "base/text.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void hex_encode(char *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        *out++ = hex_digits[s.ptr[i] >> 4];
        *out++ = hex_digits[s.ptr[i] & 15];
    }
    *out = 0;
}

void put_hex(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        buf_put_u8(b, (uint8_t)hex_digits[s.ptr[i] >> 4]);
        buf_put_u8(b, (uint8_t)hex_digits[s.ptr[i] & 15]);
    }
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_decode(uint8_t *out, size_t out_len, struct slice text)
{
    if (text.len != out_len * 2)
        return SYNCLINE_EMALFORMED;
    for (size_t i = 0; i < text.len; i++)
        if (hex_value(text.ptr[i]) < 0)
            return SYNCLINE_EMALFORMED;
    for (size_t i = 0; i < out_len; i++)
        out[i] = (uint8_t)(hex_value(text.ptr[2 * i]) << 4 |
            hex_value(text.ptr[2 * i + 1]));
    return SYNCLINE_OK;
}

void put_base32(struct buf *b, struct slice s)
{
    uint32_t bits = 0;
    int have = 0;

    for (size_t i = 0; i < s.len; i++) {
        bits = bits << 8 | s.ptr[i];
        for (have += 8; have >= 5; have -= 5)
            buf_put_u8(b, (uint8_t)base32_digits[bits >> (have - 5) & 31]);
    }
    if (have > 0)
        buf_put_u8(b, (uint8_t)base32_digits[bits << (5 - have) & 31]);
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

int base32_decode(struct buf *out, struct slice text)
{
    size_t before = out->len;
    uint32_t bits = 0;
    int have = 0;

    for (size_t i = 0; i < text.len; i++) {
        int v = base32_value(text.ptr[i]);

        if (v < 0)
            goto malformed;
        bits = bits << 5 | (uint32_t)v;
        have += 5;
        if (have >= 8) {
            have -= 8;
            buf_put_u8(out, (uint8_t)(bits >> have));
        }
    }
    if (have >= 5 || (bits & ((1u << have) - 1)) != 0)
        goto malformed;
    return buf_status(out);
malformed:
    out->len = before;
    return SYNCLINE_EMALFORMED;
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

bool utf8_valid(struct slice s)
{
    size_t i = 0;

    while (i < s.len) {
        uint32_t least = 0, cp;
        size_t n;

        if (s.ptr[i] < 0x80) {
            i++;
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
