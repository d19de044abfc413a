#include "faces/http/ws_deflate.h"

#include <strings.h>

#include <zlib.h>

#include "base/plant.h"

#define STANDARD "permessage-deflate"
#define OWN "x-syncline-deflate"
#define NO_SERVER_CONTEXT "server_no_context_takeover"
#define NO_CLIENT_CONTEXT "client_no_context_takeover"
#define SERVER_BITS "server_max_window_bits"
#define CLIENT_BITS "client_max_window_bits"
#define BITS_MIN 9 /* zlib has no raw window of 8 */
#define BITS_MAX 15
#define BETWEEN_BLOCKS 128 /* as zlib says it */
#define CHUNK ((size_t)64 << 10)
#define TAIL SLICE_LIT("\0\0\xff\xff") /* of each message; it is left out */

/* ---- who offers what ---- */

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* What stands before the mark; *s goes on behind it. */
static struct slice next(struct slice *s, char mark)
{
    const uint8_t *at = s->len > 0 ? memchr(s->ptr, mark, s->len) : NULL;
    struct slice piece = *s;

    if (at == NULL) {
        *s = SLICE_NONE;
        return trimmed(piece);
    }
    piece.len = (size_t)(at - s->ptr);
    *s = SLICE(at + 1, s->len - piece.len - 1);
    return trimmed(piece);
}

static bool same_word(struct slice s, const char *word)
{
    return s.len == strlen(word) &&
        strncasecmp((const char *)s.ptr, word, s.len) == 0;
}

/* 8 to 15, in quotes or not; 0: neither. */
static uint8_t bits_of(struct slice s)
{
    if (s.len > 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
        s = SLICE(s.ptr + 1, s.len - 2);
    if (s.len == 1 && (s.ptr[0] == '8' || s.ptr[0] == '9'))
        return (uint8_t)(s.ptr[0] - '0');
    if (s.len == 2 && s.ptr[0] == '1' && s.ptr[1] >= '0' && s.ptr[1] <= '5')
        return (uint8_t)(10 + s.ptr[1] - '0');
    return 0;
}

/* One extension, taken apart. */
struct extension {
    bool is_standard, is_own;
    bool no_server_context, no_client_context, has_client_bits;
    uint8_t server_bits; /* 0: not said */
};

/* False: a parameter that is unknown, there twice, or wrong. */
static bool take_param(struct extension *e, struct slice param)
{
    struct slice value = param, name = next(&value, '=');
    const bool bare = value.ptr == NULL;

    value = trimmed(value);
    if (same_word(name, NO_SERVER_CONTEXT) && bare && !e->no_server_context)
        return e->no_server_context = true;
    if (same_word(name, NO_CLIENT_CONTEXT) && bare && !e->no_client_context)
        return e->no_client_context = true;
    if (same_word(name, CLIENT_BITS) && !e->has_client_bits)
        return (e->has_client_bits = true) && (bare || bits_of(value) != 0);
    if (!same_word(name, SERVER_BITS) || e->server_bits != 0)
        return false;
    e->server_bits = bits_of(value);
    return e->server_bits != 0;
}

static bool read_extension(struct extension *e, struct slice text)
{
    struct slice name = next(&text, ';');
    bool any = text.ptr != NULL;

    *e = (struct extension){ .is_standard = same_word(name, STANDARD),
        .is_own = same_word(name, OWN) };
    while (any && e->is_standard) {
        struct slice param = next(&text, ';');

        any = text.ptr != NULL;
        if (!take_param(e, param))
            return false;
    }
    return e->is_standard || (e->is_own && !any);
}

struct ws_deflate ws_deflate_choose(struct slice offers)
{
    while (offers.ptr != NULL) {
        struct extension e;
        const bool good = read_extension(&e, next(&offers, ','));

        if (good && e.is_own)
            return (struct ws_deflate){ WS_OFFER_OWN, BITS_MAX };
        if (good && (e.server_bits == 0 || e.server_bits >= BITS_MIN))
            return (struct ws_deflate){ WS_OFFER_ALL,
                e.server_bits == 0 ? BITS_MAX : e.server_bits };
    }
    return (struct ws_deflate){ .name = WS_OFFER_NONE };
}

void ws_deflate_put_answer(struct buf *b, const struct ws_deflate *d)
{
    buf_put_str(b,
        d->name == WS_OFFER_OWN ? OWN
                                : STANDARD "; " NO_SERVER_CONTEXT
                                           "; " NO_CLIENT_CONTEXT);
    if (d->window_bits < BITS_MAX)
        buf_printf(b, "; " SERVER_BITS "=%u", (unsigned)d->window_bits);
}

void ws_deflate_put_offer(struct buf *b, enum ws_offer offer)
{
    buf_put_str(b, OWN);
    if (offer == WS_OFFER_ALL)
        buf_put_str(
            b, ", " STANDARD "; " NO_SERVER_CONTEXT "; " NO_CLIENT_CONTEXT);
}

int ws_deflate_agree(
    struct ws_deflate *out, struct slice answer, enum ws_offer offer)
{
    struct extension e;

    if (offer == WS_OFFER_NONE || !read_extension(&e, answer) ||
        e.has_client_bits ||
        (e.is_standard && (offer != WS_OFFER_ALL || !e.no_server_context)))
        return SYNCLINE_EMALFORMED;
    *out =
        (struct ws_deflate){ e.is_own ? WS_OFFER_OWN : WS_OFFER_ALL, BITS_MAX };
    return SYNCLINE_OK;
}

/* ---- the bytes ---- */

/* zlib counts in 32 bits; no message is as long. */
static void give(z_stream *z, struct slice in)
{
    ENSURE(in.len <= UINT32_MAX);
    z->next_in = (Bytef *)(uintptr_t)in.ptr;
    z->avail_in = (uInt)in.len;
}

int ws_deflate(struct buf *out, struct slice message, uint8_t window_bits)
{
    z_stream z = { .next_in = NULL };
    const size_t had = out->len;
    uint8_t *to;
    size_t room;

    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -window_bits, 8,
            Z_DEFAULT_STRATEGY) != Z_OK)
        return SYNCLINE_ENOMEM;
    /* The bound is that of an end; a flush may take a few bytes more. */
    room = deflateBound(&z, (uLong)message.len) + 16;
    to = buf_reserve(out, room);
    if (to != NULL) {
        give(&z, message);
        z.next_out = to;
        z.avail_out = (uInt)room;
        ENSURE(deflate(&z, Z_SYNC_FLUSH) == Z_OK && z.avail_in == 0 &&
            z.avail_out > 0);
        out->len = had + room - z.avail_out - TAIL.len;
    }
    (void)deflateEnd(&z);
    return buf_status(out);
}

/* One turn of zlib; more says whether there is more to come. */
static int inflate_some(z_stream *z, struct buf *out, size_t most, bool *more)
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
    if (rc == Z_STREAM_END && inflateReset(z) != Z_OK)
        return SYNCLINE_EMALFORMED;
    *more = z->avail_out == 0 || (rc == Z_STREAM_END && z->avail_in > 0);
    return SYNCLINE_OK;
}

static int inflate_all(
    z_stream *z, struct buf *out, struct slice in, size_t max)
{
    const size_t had = out->len;
    bool more = true;

    give(z, in);
    while (more) {
        int rc = inflate_some(z, out, max - (out->len - had), &more);

        if (rc != SYNCLINE_OK)
            return rc;
        if (out->len - had > max)
            return SYNCLINE_ELIMIT;
    }
    return SYNCLINE_OK;
}

size_t ws_inflate_most(size_t len, size_t max)
{
    const size_t most = len < max / WS_INFLATE_RATIO
        ? len * WS_INFLATE_RATIO + WS_INFLATE_FREE
        : max;

    return most < max ? most : max;
}

int ws_inflate(struct buf *out, struct slice in, size_t max)
{
    z_stream z = { .next_in = NULL };
    const size_t had = out->len;
    int rc;

    if (!PLANTED(R31_INFLATED))
        max = ws_inflate_most(in.len, max);
    if (inflateInit2(&z, -BITS_MAX) != Z_OK)
        return SYNCLINE_ENOMEM;
    rc = inflate_all(&z, out, in, max);
    if (rc == SYNCLINE_OK)
        rc = inflate_all(&z, out, TAIL, max - (out->len - had));
    if (rc == SYNCLINE_OK && (z.data_type & BETWEEN_BLOCKS) == 0)
        rc = SYNCLINE_EMALFORMED;
    (void)inflateEnd(&z);
    return rc;
}
