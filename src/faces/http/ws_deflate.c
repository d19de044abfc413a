#include "faces/http/ws_deflate.h"

#include <strings.h>

#include "faces/deflate.h"

#define STANDARD "permessage-deflate"
#define OWN "x-syncline-deflate"
#define NO_SERVER_CONTEXT "server_no_context_takeover"
#define NO_CLIENT_CONTEXT "client_no_context_takeover"
#define SERVER_BITS "server_max_window_bits"
#define CLIENT_BITS "client_max_window_bits"

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
            return (struct ws_deflate){ WS_OFFER_OWN, DEFLATE_BITS_MAX };
        if (good && (e.server_bits == 0 || e.server_bits >= DEFLATE_BITS_MIN))
            return (struct ws_deflate){ WS_OFFER_ALL,
                e.server_bits == 0 ? DEFLATE_BITS_MAX : e.server_bits };
    }
    return (struct ws_deflate){ .name = WS_OFFER_NONE };
}

void ws_deflate_put_answer(struct buf *b, const struct ws_deflate *d)
{
    buf_put_str(b,
        d->name == WS_OFFER_OWN ? OWN
                                : STANDARD "; " NO_SERVER_CONTEXT
                                           "; " NO_CLIENT_CONTEXT);
    if (d->window_bits < DEFLATE_BITS_MAX)
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
    *out = (struct ws_deflate){ e.is_own ? WS_OFFER_OWN : WS_OFFER_ALL,
        DEFLATE_BITS_MAX };
    return SYNCLINE_OK;
}

/* ---- the bytes ---- */

int ws_deflate(struct buf *out, struct slice message, uint8_t window_bits)
{
    return deflate_put(out, message, DEFLATE_PIECE, DEFLATE_SMALL, window_bits);
}

int ws_inflate(struct buf *out, struct slice in, size_t max)
{
    return inflate_put(out, in, DEFLATE_PIECE, max);
}
