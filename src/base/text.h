/* text.h - numbers and bytes as text: decimals; hex and base32, which people
 * copy, and base64, which nobody does (RFC 4648; lower-case hex, upper-case
 * base32, no padding).
 *
 * Pure. Decoders of what people copy accept both cases and nothing else. */
#ifndef SYNCLINE_BASE_TEXT_H
#define SYNCLINE_BASE_TEXT_H

#include "base/buf.h"

/* Writes 2 * len digits and a NUL to out. */
void hex_encode(char *out, struct slice s);
void put_hex(struct buf *b, struct slice s);
/* Does a text say these bytes, in small digits? */
bool hex_is(struct slice text, struct slice s);
/* Exactly out_len bytes from 2 * out_len digits. */
NODISCARD int hex_decode(uint8_t *out, size_t out_len, struct slice text);

/* As "%llu" does, in a fraction of the time. */
void put_decimal(struct buf *b, uint64_t v);

void put_base32(struct buf *b, struct slice s);
/* Appends the bytes, or nothing; leftover bits must be zero. */
NODISCARD int base32_decode(struct buf *out, struct slice text);

void put_base64(struct buf *b, struct slice s);
/* As base32_decode. */
NODISCARD int base64_decode(struct buf *out, struct slice text);
/* The same with '-' and '_' in place of '+' and '/' (RFC 4648, 5); back to
 * exactly out_len bytes. */
void put_base64url(struct buf *b, struct slice s);
NODISCARD int base64url_decode(uint8_t *out, size_t out_len, struct slice text);

/* Strict UTF-8 (RFC 3629): no overlong forms, surrogates, or above
 * U+10FFFF. */
bool utf8_valid(struct slice s);
/* The same, and no NUL in it: it can be kept as a string of C. */
bool text_is_plain(struct slice s);
/* Of a space, or a token: inert wherever it is shown. */
#define TEXT_NAME_MAX 64
bool text_is_name(struct slice s);
#define TEXT_NAME_RULE \
    "has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or a digit"
/* The beginning, at most max bytes and no half of a character. */
struct slice utf8_cut(struct slice s, size_t max);

/* What a stranger may have written, with nothing in it that a terminal acts
 * on or that begins a line: controls, marks that turn or hide text, and bytes
 * that are no UTF-8 become \uXXXX. */
void put_inert(struct buf *b, struct slice text);

#endif
