/* vv_fuzz.c - a piece with a vector, then another vector, a dot and a stamp.
 *
 * Holds the law: what is read is written the same; a join covers what either
 * side covered and nothing else, whichever way round. */
#include "core/vv.h"
#include "fuzz/fuzz.h"

static bool read_vv(struct reader *r, struct vv *out, struct arena *a)
{
    struct slice before = r->in;
    struct buf b = { 0 };

    if (get_vv(r, out, a) != SYNCLINE_OK)
        return false;
    put_vv(&b, out);
    ENSURE(slice_eq(written(&b), SLICE(before.ptr, before.len - r->in.len)));
    buf_free(&b);
    return true;
}

static void check_join(const struct vv *x, const struct vv *y, struct arena *a)
{
    struct vv xy = { 0 }, yx = { 0 };

    ENSURE(vv_copy(&xy, x, a) == SYNCLINE_OK && vv_eq(&xy, x));
    ENSURE(vv_join(&xy, y, a) == SYNCLINE_OK);
    ENSURE(vv_copy(&yx, y, a) == SYNCLINE_OK);
    ENSURE(vv_join(&yx, x, a) == SYNCLINE_OK);
    ENSURE(vv_eq(&xy, &yx) && vv_geq(&xy, x) && vv_geq(&xy, y));
    for (uint32_t i = 0; i < xy.n; i++)
        ENSURE(vv_covers(x, &xy.e[i]) || vv_covers(y, &xy.e[i]));
    ENSURE(!vv_geq(x, y) || vv_eq(&xy, x));
}

static void check_dot(struct reader *r)
{
    struct slice before = r->in;
    struct buf b = { 0 };
    struct stamp s;
    struct dot d;

    get_dot(r, &d);
    get_stamp(r, &s);
    if (r->err != SYNCLINE_OK)
        return;
    put_dot(&b, &d);
    put_stamp(&b, &s);
    ENSURE(slice_eq(written(&b), SLICE(before.ptr, before.len - r->in.len)));
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    struct reader first = reader_of(take_piece(&p));
    struct reader second = reader_of(p.in);
    struct arena a = { 0 };
    struct vv x, y;

    if (read_vv(&first, &x, &a) && read_vv(&second, &y, &a)) {
        check_join(&x, &y, &a);
        check_dot(&second);
    }
    arena_free(&a);
    return 0;
}
