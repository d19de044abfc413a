/* json_plain.h - the part of a string that is itself, printed or parsed.
 *
 * Pure. Private to core/json. */
#ifndef SYNCLINE_CORE_JSON_PLAIN_H
#define SYNCLINE_CORE_JSON_PLAIN_H

#include "base/slice.h"

#define JSON_BLOCK 16
#define JSON_BLOCKS (4 * JSON_BLOCK)
#define JSON_WORD 8

/* Compilers make single instructions of what is done with one, where the
 * machine has them. */
typedef int8_t json_block __attribute__((vector_size(JSON_BLOCK)));

/* So many bytes, the first as the lowest. */
static inline uint64_t json_word(const uint8_t *at, size_t n)
{
    uint64_t w = 0;

    for (size_t i = 0; i < n; i++)
        w |= (uint64_t)at[i] << 8 * i;
    return w;
}

/* Which bytes are below 0x20, quotes, backslashes, or beyond ASCII, which are
 * below zero, or 0x7f if that is odd. */
static inline json_block json_block_odd(const uint8_t *at, bool del_is_odd)
{
    const int8_t del = del_is_odd ? 0x7f : '"';
    json_block b;

    memcpy(&b, at, sizeof b);
    return (b < 0x20) | (b == '"') | (b == '\\') | (b == del);
}

/* How many bytes of a word that is not 0 precede the first that is not. */
static inline size_t json_first(uint64_t in_memory)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(in_memory) / 8;
#else
    return (size_t)__builtin_clzll(in_memory) / 8;
#endif
}

/* How many at its start are plain, of what json_block_odd says. */
static inline size_t json_block_plain(json_block odd)
{
    uint64_t half[2];

    memcpy(half, &odd, sizeof half);
    if ((half[0] | half[1]) == 0)
        return JSON_BLOCK;
    return half[0] != 0 ? json_first(half[0]) : JSON_WORD + json_first(half[1]);
}

/* To ask each block whether it has any takes longer than to look at it. */
static inline bool json_blocks_are_plain(const uint8_t *at, bool del_is_odd)
{
    const int8_t del = del_is_odd ? 0x7f : '"';
    json_block odd = { 0 }, above = ~odd;

    for (size_t i = 0; i < JSON_BLOCKS; i += JSON_BLOCK) {
        json_block b;

        memcpy(&b, at + i, sizeof b);
        above &= b > 0x1f;
        odd |= (b == '"') | (b == '\\') | (b == del);
    }
    return json_block_plain(odd | ~above) == JSON_BLOCK;
}

/* How many at the start of a word are plain. In `odd` a byte's top bit shows
 * each that is not, and perhaps some above it. */
static inline size_t json_word_plain(uint64_t w, bool del_is_odd)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t odd = w | (w + ones * del_is_odd) | (w - ones * 0x20) |
        ((w ^ ones * '"') - ones) | ((w ^ ones * '\\') - ones);

    odd &= ones * 0x80;
    return odd == 0 ? JSON_WORD : (size_t)__builtin_ctzll(odd) / 8;
}

/* Fewer than a block, in two steps that may overlap. */
static inline size_t json_rest_plain(struct slice s, bool del_is_odd)
{
    size_t n = 0;

    if (s.len >= JSON_WORD) {
        n = json_word_plain(json_word(s.ptr, JSON_WORD), del_is_odd);
        if (n < JSON_WORD)
            return n;
        n = s.len - JSON_WORD;
        return n + json_word_plain(json_word(s.ptr + n, JSON_WORD), del_is_odd);
    }
    if (s.len >= JSON_WORD / 2) {
        const size_t half = JSON_WORD / 2;

        n = json_word_plain(json_word(s.ptr, half) |
                json_word(s.ptr + s.len - half, half) << 4 * JSON_WORD,
            del_is_odd);
        return n < half ? n : s.len - JSON_WORD + n;
    }
    while (n < s.len && s.ptr[n] >= 0x20 && s.ptr[n] < 0x80 - del_is_odd &&
        s.ptr[n] != '"' && s.ptr[n] != '\\')
        n++;
    return n;
}

/* The bytes at the start of s that are plain. Most strings end within the first
 * blocks; those that do not are looked at in larger steps. */
static inline size_t json_plain_len(struct slice s, bool del_is_odd)
{
    size_t i = 0;

    for (size_t looked = JSON_BLOCK; s.len - i >= JSON_BLOCK;
         looked += JSON_BLOCK) {
        size_t n = json_block_plain(json_block_odd(s.ptr + i, del_is_odd));

        i += n;
        if (n < JSON_BLOCK)
            return i;
        while (looked % JSON_BLOCKS == 0 && s.len - i >= JSON_BLOCKS &&
            json_blocks_are_plain(s.ptr + i, del_is_odd))
            i += JSON_BLOCKS;
    }
    return i + json_rest_plain(slice_from(s, i), del_is_odd);
}

#endif
