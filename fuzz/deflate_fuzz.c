/* deflate_fuzz.c - a byte for a window, a piece of offers, then a message as a
 * frame of a WebSocket, or of LAN sync, carries it.
 *
 * Holds the laws: what is accepted of offers a client that made them takes for
 * an answer; what is inflated is bounded, and comes back when it is deflated
 * and inflated again. */
#include "faces/deflate.h"
#include "faces/http/ws_deflate.h"
#include "fuzz/fuzz.h"

#define MOST ((size_t)100000)

static void offer(struct slice offers)
{
    const struct ws_deflate chosen = ws_deflate_choose(offers);
    struct ws_deflate agreed;
    struct buf b = { 0 };

    if (chosen.name == WS_OFFER_NONE)
        return;
    ENSURE(chosen.window_bits >= 9 && chosen.window_bits <= 15);
    ws_deflate_put_answer(&b, &chosen);
    ENSURE(
        ws_deflate_agree(&agreed, buf_slice(&b), WS_OFFER_ALL) == SYNCLINE_OK);
    ENSURE(agreed.name == chosen.name);
    ENSURE(ws_deflate_agree(&agreed, buf_slice(&b), WS_OFFER_NONE) ==
        SYNCLINE_EMALFORMED);
    (void)!ws_deflate_agree(&agreed, offers, WS_OFFER_ALL);
    buf_free(&b);
}

static void there_and_back(
    struct slice in, enum deflate_form form, uint8_t bits)
{
    struct buf plain = { 0 }, frame = { 0 }, again = { 0 };
    int rc = inflate_put(&plain, in, form, MOST);

    ENSURE(plain.len <= inflate_most(in.len, MOST) + 1);
    if (rc == SYNCLINE_OK) {
        ENSURE(deflate_put(&frame, buf_slice(&plain), form, DEFLATE_FAST,
                   bits) == SYNCLINE_OK);
        rc = inflate_put(&again, buf_slice(&frame), form, plain.len);
        ENSURE(rc == SYNCLINE_OK
                ? slice_eq(buf_slice(&plain), buf_slice(&again))
                : plain.len > inflate_most(frame.len, plain.len));
    }
    buf_free(&plain);
    buf_free(&frame);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    const uint8_t bits = (uint8_t)(DEFLATE_BITS_MIN + take_below(&p, 7));

    offer(take_piece(&p));
    there_and_back(p.in, DEFLATE_PIECE, bits);
    there_and_back(p.in, DEFLATE_WHOLE, bits);
    return 0;
}
