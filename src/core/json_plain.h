/* json_plain.h - the part of a string that is itself, printed or parsed.
 *
 * Pure. Private to core/json. */
#ifndef SYNCLINE_CORE_JSON_PLAIN_H
#define SYNCLINE_CORE_JSON_PLAIN_H

#include "base/slice.h"

#define JSON_BLOCK 16
#define JSON_WORD 8

/* Compilers make single instructions of what is done with one, where the
 * machine has them. */
typedef int8_t json_block __attribute__((vector_size(JSON_BLOCK)));

/* Is there none below 0x20, no quote, no backslash, none beyond ASCII, which
 * are below zero, and no 0x7f if that is odd? */
static inline bool json_block_is_plain(const uint8_t *at, bool del_is_odd)
{
    const int8_t del = del_is_odd ? 0x7f : '"';
    json_block b;
    uint64_t odd[2];

    memcpy(&b, at, sizeof b);
    b = (b < 0x20) | (b == '"') | (b == '\\') | (b == del);
    memcpy(odd, &b, sizeof odd);
    return (odd[0] | odd[1]) == 0;
}

/* How many at its start are plain. In `odd` a byte's top bit shows each that is
 * not, and perhaps some above it. */
static inline size_t json_word_plain(const uint8_t *at, bool del_is_odd)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t w = 0, odd;

    for (size_t i = 0; i < JSON_WORD; i++)
        w |= (uint64_t)at[i] << 8 * i;
    odd = w | (w + ones * del_is_odd) | (w - ones * 0x20) |
        ((w ^ ones * '"') - ones) | ((w ^ ones * '\\') - ones);
    odd &= ones * 0x80;
    return odd == 0 ? JSON_WORD : (size_t)__builtin_ctzll(odd) / 8;
}

static inline bool json_is_plain(uint8_t c, bool del_is_odd)
{
    return c >= 0x20 && c < 0x80 - del_is_odd && c != '"' && c != '\\';
}

/* The bytes at the start of s that are plain. */
static inline size_t json_plain_len(struct slice s, bool del_is_odd)
{
    size_t i = 0, n;

    while (
        s.len - i >= JSON_BLOCK && json_block_is_plain(s.ptr + i, del_is_odd))
        i += JSON_BLOCK;
    for (; s.len - i >= JSON_WORD; i += JSON_WORD) {
        n = json_word_plain(s.ptr + i, del_is_odd);
        if (n < JSON_WORD)
            return i + n;
    }
    while (i < s.len && json_is_plain(s.ptr[i], del_is_odd))
        i++;
    return i;
}

#endif
