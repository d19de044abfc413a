/* cut_fuzz.c - a piece with the sizes in which bytes arrive, then what a
 * connection brings beneath its TLS.
 *
 * Holds the law: which frames are cut out of it, and where it ends for good,
 * does not depend on those sizes. */
#include "fuzz/fuzz.h"
#include "io/cut.h"

struct cutter {
    struct buf in;
    struct buf frames; /* each with its length */
    bool ended;
};

/* As conn_pump does. */
static void arrive(struct cutter *c, struct slice bytes)
{
    size_t off = 0, len = 0;
    int found = 0;

    buf_put_slice(&c->in, bytes);
    (void)written(&c->in);
    while (!c->ended &&
        (found = cut_frame(slice_from(buf_slice(&c->in), off), &len)) > 0) {
        put_bytes(&c->frames, SLICE(c->in.ptr + off + CUT_PREFIX_LEN, len));
        off += CUT_PREFIX_LEN + len;
    }
    c->ended = c->ended || found < 0;
    buf_consume(&c->in, off);
}

static void cutter_free(struct cutter *c)
{
    buf_free(&c->in);
    buf_free(&c->frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    struct pieces sizes = { take_piece(&p) };
    struct cutter whole = { 0 }, cut = { 0 };
    struct slice all = p.in;

    arrive(&whole, all);
    while (take_more(&p))
        arrive(&cut,
            take_bytes(
                &p, take_more(&sizes) ? take_u8(&sizes) + 1u : p.in.len));
    ENSURE(whole.ended == cut.ended);
    ENSURE(slice_eq(written(&whole.frames), written(&cut.frames)));
    ENSURE(whole.ended || slice_eq(buf_slice(&whole.in), buf_slice(&cut.in)));
    cutter_free(&whole);
    cutter_free(&cut);
    return 0;
}
