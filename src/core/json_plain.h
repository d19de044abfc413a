/* json_plain.h - the part of a string that is itself, printed or parsed.
 *
 * Pure. Private to core/json. */
#ifndef SYNCLINE_CORE_JSON_PLAIN_H
#define SYNCLINE_CORE_JSON_PLAIN_H

#include "base/slice.h"

/* Of the bytes at the start of s, as many as are found to be plain eight at a
 * time. In `odd` a byte's top bit shows at least one that is below 0x20, a
 * quote, a backslash, beyond ASCII, or 0x7f if that is odd, if there is any. */
static inline size_t json_plain_words(struct slice s, bool del_is_odd)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    size_t i = 0;

    for (; s.len - i >= 8; i += 8) {
        uint64_t w, odd;

        memcpy(&w, s.ptr + i, sizeof w);
        odd = w | (w + ones * del_is_odd) | (w - ones * 0x20) |
            ((w ^ ones * '"') - ones) | ((w ^ ones * '\\') - ones);
        if ((odd & ones * 0x80) != 0)
            break;
    }
    return i;
}

#endif
