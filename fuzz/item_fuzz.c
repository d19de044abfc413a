/* item_fuzz.c - a byte; then either a piece with an item as it is stored and
 * sent, and another one, or two items made of the bytes (odd.h).
 *
 * Holds the law: what is read is written the same. Whatever two items are
 * joined, however odd, the result can be written and read, printed and
 * shown; joining the second once more changes nothing. */
#include "core/merge.h"
#include "fuzz/odd.h"

static int read_item(struct slice in, struct item *out, struct arena *a)
{
    struct reader r = reader_of(in);
    int rc = get_item(&r, out, a);

    return rc == SYNCLINE_OK ? reader_end(&r) : rc;
}

static void check_same(const struct item *it, struct slice bytes)
{
    struct buf b = { 0 };

    put_item(&b, it);
    ENSURE(slice_eq(written(&b), bytes));
    buf_free(&b);
}

static void check_readable(const struct item *it, struct arena *a)
{
    struct buf b = { 0 };
    struct item again;

    put_item(&b, it);
    ENSURE(read_item(written(&b), &again, a) == SYNCLINE_OK);
    check_same(&again, buf_slice(&b));
    buf_free(&b);
}

static void check_shown(const struct item *it, struct arena *a)
{
    struct item_print print;
    struct buf b = { 0 };

    put_document(&b, it, a);
    (void)written(&b);
    ENSURE(item_alive(it) || b.len == 0);
    ENSURE(item_print(&print, SLICE_LIT("key"), it) == SYNCLINE_OK);
    buf_free(&b);
}

static int on_conflict(void *ctx, const struct conflict *c)
{
    ENSURE(c->length > 0 && c->loser.path.len <= PATH_MAX_LEN);
    ++*(unsigned *)ctx;
    return SYNCLINE_OK;
}

static int on_lost(void *ctx, const struct change *by, const struct cell *cell,
    uint64_t length)
{
    (void)by;
    (void)length;
    ENSURE(cell->path.len <= PATH_MAX_LEN);
    ++*(unsigned *)ctx;
    return SYNCLINE_OK;
}

static void check_join(
    const struct item *x, const struct item *y, struct arena *a)
{
    static const struct vv nothing;
    unsigned told = 0;
    struct merge_sink sink = { &told, on_conflict, on_lost };
    struct merge_result what;
    struct item joined;
    struct buf before = { 0 };

    ENSURE(item_copy(&joined, x, a) == SYNCLINE_OK);
    ENSURE(item_join(&joined, y, &nothing, &sink, &what, a) == SYNCLINE_OK);
    check_readable(&joined, a);
    check_shown(&joined, a);
    put_item(&before, &joined);
    ENSURE(item_join(&joined, y, &nothing, &sink, &what, a) == SYNCLINE_OK);
    check_same(&joined, written(&before));
    buf_free(&before);
}

static void given(struct pieces *p, struct arena *a)
{
    struct slice first = take_piece(p);
    struct item x, y;

    if (read_item(first, &x, a) != SYNCLINE_OK)
        return;
    check_same(&x, first);
    check_shown(&x, a);
    if (read_item(p->in, &y, a) == SYNCLINE_OK) {
        check_join(&x, &y, a);
        check_join(&y, &x, a);
    }
}

static bool make(const struct odd *o, struct pieces *p, struct item *out)
{
    struct buf b = { 0 };
    struct item again;
    bool ok;

    odd_item(o, p, NULL, out);
    put_item(&b, out);
    ok = read_item(written(&b), &again, o->arena) == SYNCLINE_OK;
    if (ok)
        check_same(&again, buf_slice(&b));
    buf_free(&b);
    return ok;
}

static void made(struct pieces *p, struct arena *a)
{
    struct item x, y;
    struct odd o;

    odd_init(&o, a);
    if (make(&o, p, &x) && make(&o, p, &y)) {
        check_join(&x, &y, a);
        check_join(&y, &x, a);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    struct arena a = { 0 };

    if (take_below(&p, 2) == 0)
        given(&p, &a);
    else
        made(&p, &a);
    arena_free(&a);
    return 0;
}
