/* frame_fuzz.c - one frame, as a member sends it.
 *
 * Holds the law: what get_frame takes, put_frame writes the same; and neither
 * a frame cut short nor one with a byte too many is taken. */
#include "fuzz/fuzz.h"
#include "repl/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct frame f, other;
    int rc = get_frame(SLICE(data, size), &f, &a);

    if (rc == SYNCLINE_OK) {
        put_frame(&b, &f);
        ENSURE(slice_eq(written(&b), SLICE(data, size)));
        ENSURE(get_frame(SLICE(data, size - 1), &other, &a) != SYNCLINE_OK);
        buf_put_u8(&b, 0);
        ENSURE(get_frame(written(&b), &other, &a) != SYNCLINE_OK);
    } else {
        ENSURE(rc == SYNCLINE_EMALFORMED || rc == SYNCLINE_ESHORT ||
            rc == SYNCLINE_EVERSION);
    }
    buf_free(&b);
    arena_free(&a);
    return 0;
}
