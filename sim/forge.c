#include "sim/forge.h"

#include "repl/frames.h"
#include "sim/signed.h"
#include "sim/world.h"

#include <stdlib.h>

struct forging {
    struct machine *from;
    struct prng *draw;
    struct arena *arena;
    const struct space_token *space;
    struct slice key;
    struct item it;
    bool beside;           /* the row itself goes out as well */
    bool sheaves;          /* proofs of the batch stand for others */
    struct change *change; /* one of it, if it has any */
    struct cell *cell;
};

static void value(struct forging *f)
{
    if (f->cell != NULL)
        f->cell->value = SLICE_LIT("\"forged\"");
}

static void removed(struct forging *f)
{
    if (f->cell != NULL)
        f->cell->value = SLICE_NONE;
}

static void path(struct forging *f)
{
    if (f->it.cells_n == 1)
        f->cell->path = SLICE_LIT("/forged");
}

static void key(struct forging *f)
{
    f->key = SLICE_LIT("forged");
}

static void stamp(struct forging *f)
{
    if (f->change != NULL)
        f->change->stamp.hlc += 1 + prng_below(f->draw, 1u << 20);
}

static void wall(struct forging *f)
{
    if (f->change != NULL)
        f->change->wall_us++;
}

static void first(struct forging *f)
{
    if (f->change != NULL)
        f->change->first.seq++;
}

static void context(struct forging *f)
{
    if (f->change != NULL &&
        vv_add(&f->change->ctx, &f->change->dot, f->arena) != SYNCLINE_OK)
        f->change = NULL;
}

static void seq(struct forging *f)
{
    if (f->change == NULL)
        return;
    f->change->dot.seq += 1 + prng_below(f->draw, 3);
    f->change->first = f->change->dot;
    ENSURE(vv_add(&f->it.ctx, &f->change->dot, f->arena) == SYNCLINE_OK);
}

static const struct machine *another(const struct forging *f)
{
    const struct world *w = f->from->world;
    const struct machine *m = &w->machines[prng_below(f->draw, w->machines_n)];

    return m != f->from && machine_is_up(m) && m->member ? m : NULL;
}

static void name_author(struct forging *f, const struct machine *m)
{
    f->change->dot.replica = *node_replica(m->node);
    f->change->dot.seq += 1000;
    ENSURE(vv_add(&f->it.ctx, &f->change->dot, f->arena) == SYNCLINE_OK);
}

/* Somebody else's change becomes that of a third. */
static void author(struct forging *f)
{
    const struct machine *m = another(f);

    if (m != NULL && f->change != NULL)
        name_author(f, m);
}

static void unsigned_(struct forging *f)
{
    if (f->change != NULL)
        f->change->proof = SLICE_NONE;
}

/* A later life, or an end that nobody has signed. */
static void life(struct forging *f)
{
    f->it.length += 2;
}

/* Not in its place: that would withhold it, which nobody can prove. */
static void bare(struct forging *f)
{
    f->beside = true;
    f->it.length += 1 + prng_below(f->draw, 2);
    f->it.changes_n = f->it.cells_n = 0;
    f->it.tomb = -1;
}

/* With a proof and all, but by the key of who sends it. */
static void as_another(struct forging *f)
{
    const struct machine *m = another(f);
    struct signing_as as = { .space = *f->space };
    struct merkle_hash *leaves;
    struct buf b = { 0 };
    uint32_t n;

    if (m == NULL || f->it.changes_n != 1 || f->it.cells_n != 1 ||
        signed_mesh(f->from, &as.mesh) != SYNCLINE_OK)
        return;
    value(f);
    name_author(f, m);
    f->change->stamp.hlc += 4096;
    leaves = signed_leaves(&f->from->crypto, &as, f->key, &f->it, 0, &n);
    ENSURE(n == 1 &&
        merkle_sign(as.head.sig, &f->from->crypto, &as.mesh, leaves) ==
            SYNCLINE_OK);
    if (f->sheaves)
        put_varint(&b, 0); /* by itself */
    proof_make(&b, &as.head, leaves, 1, 0, 1);
    f->change->proof = arena_dup(f->arena, buf_slice(&b));
    free(leaves);
    buf_free(&b);
}

static void (*const ways[])(struct forging *) = { value, removed, path, key,
    stamp, wall, first, context, seq, author, unsigned_, life, bare,
    as_another };

/* False: it is as it was, or could not be read by anybody. */
static bool forge_row(struct forging *f, struct slice row, struct buf *out)
{
    struct reader r = reader_of(row);

    if (get_item(&r, &f->it, f->arena) != SYNCLINE_OK)
        return false;
    f->change = f->it.changes_n > 0
        ? &f->it.changes[prng_below(f->draw, f->it.changes_n)]
        : NULL;
    f->cell = f->it.cells_n > 0
        ? &f->it.cells[prng_below(f->draw, f->it.cells_n)]
        : NULL;
    ways[prng_below(f->draw, sizeof ways / sizeof *ways)](f);
    if (item_normalise(&f->it, f->arena) != SYNCLINE_OK)
        return false;
    put_item(out, &f->it);
    return buf_status(out) == SYNCLINE_OK && !slice_eq(buf_slice(out), row);
}

static bool forge_rows(
    struct forging *f, struct frame_batch *batch, struct buf *out)
{
    uint32_t which = (uint32_t)prng_below(f->draw, batch->rows_n);
    struct reader r = reader_of(batch->rows);
    bool any = false;

    for (uint32_t i = 0; i < batch->rows_n; i++) {
        struct slice name = get_bytes(&r), row = get_bytes(&r);
        struct buf made = { 0 };

        f->key = name;
        if (i == which) {
            any = forge_row(f, row, &made);
            put_bytes(out, f->key);
            put_bytes(out, buf_slice(&made));
        }
        if (i != which || f->beside) {
            put_bytes(out, name);
            put_bytes(out, row);
        }
        buf_free(&made);
    }
    batch->rows_n += f->beside;
    return any;
}

/* A bit of what rows share. */
static void forge_sheaves(
    struct forging *f, struct frame_batch *batch, struct buf *out)
{
    buf_put_slice(out, batch->sheaves);
    if (out->len > 0)
        out->ptr[prng_below(f->draw, out->len)] ^=
            (uint8_t)(1 << prng_below(f->draw, 8));
    batch->sheaves = buf_slice(out);
}

bool forge_frame(struct machine *from, struct slice frame, struct prng *draw,
    struct buf *out)
{
    struct arena a = { 0 };
    struct buf rows = { 0 }, sheaves = { 0 };
    struct forging f = { .from = from, .draw = draw, .arena = &a };
    struct frame fr;
    bool ok = get_frame(frame, &fr, &a) == SYNCLINE_OK &&
        fr.type == FRAME_BATCH && fr.batch.rows_n > 0;

    f.space = &fr.batch.space;
    f.sheaves = ok && (fr.batch.flags & BATCH_SHEAVES) != 0;
    if (f.sheaves && prng_below(draw, 4) == 0) {
        forge_sheaves(&f, &fr.batch, &sheaves);
    } else if (ok) {
        ok = forge_rows(&f, &fr.batch, &rows);
        fr.batch.rows = buf_slice(&rows);
    }
    if (ok) {
        put_frame(out, &fr);
        ok = buf_status(out) == SYNCLINE_OK;
    }
    buf_free(&rows);
    buf_free(&sheaves);
    arena_free(&a);
    return ok;
}
