#include "faces/deflate.h"

#include <zlib.h>

#include "base/plant.h"

#define BETWEEN_BLOCKS 128 /* as zlib says it */
#define CHUNK ((size_t)64 << 10)
#define TAIL SLICE_LIT("\0\0\xff\xff") /* of each piece; it is left out */

/* zlib has a raw stream where the window is less than nothing. */
static int window_of(enum deflate_form form, uint8_t bits)
{
    return form == DEFLATE_PIECE ? -(int)bits : (int)bits;
}

/* zlib counts in 32 bits; no message is as long. */
static void give(z_stream *z, struct slice in)
{
    ENSURE(in.len <= UINT32_MAX);
    z->next_in = (Bytef *)(uintptr_t)in.ptr;
    z->avail_in = (uInt)in.len;
}

int deflate_put(struct buf *out, struct slice in, enum deflate_form form,
    enum deflate_speed speed, uint8_t window_bits)
{
    z_stream z = { .next_in = NULL };
    const bool is_piece = form == DEFLATE_PIECE;
    const int level =
        speed == DEFLATE_FAST ? Z_BEST_SPEED : Z_DEFAULT_COMPRESSION;
    const size_t had = out->len;
    uint8_t *to;
    size_t room;

    if (deflateInit2(&z, level, Z_DEFLATED, window_of(form, window_bits), 8,
            Z_DEFAULT_STRATEGY) != Z_OK)
        return SYNCLINE_ENOMEM;
    /* The bound is that of an end; a flush may take a few bytes more. */
    room = deflateBound(&z, (uLong)in.len) + 16;
    to = buf_reserve(out, room);
    if (to != NULL) {
        give(&z, in);
        z.next_out = to;
        z.avail_out = (uInt)room;
        ENSURE(deflate(&z, is_piece ? Z_SYNC_FLUSH : Z_FINISH) ==
                (is_piece ? Z_OK : Z_STREAM_END) &&
            z.avail_in == 0 && z.avail_out > 0);
        out->len = had + room - z.avail_out - (is_piece ? TAIL.len : 0);
    }
    (void)deflateEnd(&z);
    return buf_status(out);
}

/* One turn of zlib; has_ended says whether the stream has. */
static int inflate_some(
    z_stream *z, struct buf *out, size_t most, bool *has_ended)
{
    const size_t room = most < CHUNK ? most : CHUNK;
    uint8_t *to = buf_reserve(out, room + 1);
    int rc;

    if (to == NULL)
        return buf_status(out);
    z->next_out = to;
    z->avail_out = (uInt)room + 1; /* the one shows that it is too much */
    rc = inflate(z, Z_SYNC_FLUSH);
    out->len += room + 1 - z->avail_out;
    if (rc == Z_MEM_ERROR)
        return SYNCLINE_ENOMEM;
    if (rc != Z_OK && rc != Z_BUF_ERROR && rc != Z_STREAM_END)
        return SYNCLINE_EMALFORMED;
    *has_ended = rc == Z_STREAM_END;
    return SYNCLINE_OK;
}

/* All of in; of a piece another stream may begin where one has ended. */
static int inflate_all(z_stream *z, struct buf *out, struct slice in,
    enum deflate_form form, size_t max)
{
    const size_t had = out->len;
    bool more = true, has_ended = false;

    give(z, in);
    while (more) {
        int rc = inflate_some(z, out, max - (out->len - had), &has_ended);

        if (rc != SYNCLINE_OK)
            return rc;
        if (out->len - had > max)
            return SYNCLINE_ELIMIT;
        if (has_ended && form == DEFLATE_WHOLE)
            return z->avail_in == 0 ? SYNCLINE_OK : SYNCLINE_EMALFORMED;
        if (has_ended && inflateReset(z) != Z_OK)
            return SYNCLINE_EMALFORMED;
        more = z->avail_out == 0 || (has_ended && z->avail_in > 0);
    }
    return form == DEFLATE_WHOLE ? SYNCLINE_EMALFORMED : SYNCLINE_OK;
}

size_t inflate_most(size_t len, size_t max)
{
    const size_t most =
        len < max / DEFLATE_RATIO ? len * DEFLATE_RATIO + DEFLATE_FREE : max;

    return most < max ? most : max;
}

int inflate_put(
    struct buf *out, struct slice in, enum deflate_form form, size_t max)
{
    z_stream z = { .next_in = NULL };
    const size_t had = out->len;
    int rc;

    if (!PLANTED(R31_INFLATED))
        max = inflate_most(in.len, max);
    if (inflateInit2(&z, window_of(form, DEFLATE_BITS_MAX)) != Z_OK)
        return SYNCLINE_ENOMEM;
    rc = inflate_all(&z, out, in, form, max);
    if (rc == SYNCLINE_OK && form == DEFLATE_PIECE) {
        rc = inflate_all(&z, out, TAIL, form, max - (out->len - had));
        if (rc == SYNCLINE_OK && (z.data_type & BETWEEN_BLOCKS) == 0)
            rc = SYNCLINE_EMALFORMED;
    }
    (void)inflateEnd(&z);
    return rc;
}
