#include "sim/fork.h"

#include "repl/frames.h"
#include "sim/signed.h"
#include "sim/world.h"

#include <stdlib.h>

/* ---- which there are ---- */

const struct sim_fork *fork_of(
    struct world *w, uint32_t space, const struct change *c)
{
    for (unsigned i = 0; i < w->forks.n; i++) {
        struct sim_fork *f = &w->forks.e[i];
        struct proof p;

        if (f->space != space || !dot_eq(&f->dot, &c->dot) ||
            proof_read(&p, c->proof) != SYNCLINE_OK ||
            memcmp(p.head.sig, f->sig, sizeof f->sig) != 0)
            continue;
        w->tally.sim.forks_met += !f->met;
        f->met = true;
        return f;
    }
    return NULL;
}

bool fork_names(const struct world *w, uint32_t space, const struct dot *dot)
{
    for (unsigned i = 0; i < w->forks.n; i++)
        if (w->forks.e[i].space == space && dot_eq(&w->forks.e[i].dot, dot))
            return true;
    return false;
}

bool fork_contests(
    const struct world *w, const struct machine *m, uint32_t item)
{
    for (uint32_t i = 0; w->forks.n > 0 && i < w->ledger.losses_n; i++)
        if (w->ledger.losses[i].space == w->ledger.items[item].space)
            return true;
    for (unsigned i = 0; i < w->forks.n; i++) {
        const struct sim_fork *f = &w->forks.e[i];

        if (!f->met || f->item != item)
            continue;
        for (unsigned s = 0; s < SIM_SPACES; s++) {
            const struct view_space *vs = &w->ledger.views[m->ix].spaces[s];

            if (vs->used && vs->space == f->space &&
                vv_covers(&vs->have, &f->dot))
                return true;
        }
    }
    return false;
}

/* ---- making one ---- */

struct forking {
    struct machine *from;
    struct arena *arena;
    const struct space_token *token;
    uint32_t space;
    bool sheaves; /* proofs of the batch stand for others */
    struct slice key;
    struct item it;
    uint32_t change, cell; /* which of it */
    struct proof proof;    /* of the half that there is */
};

/* Of its own, and not of spaces that the nodes themselves write. */
static bool find_space(struct forking *f)
{
    const struct ledger *l = &f->from->world->ledger;

    for (f->space = 0; f->space < l->spaces_n; f->space++)
        if (space_token_eq(&l->spaces[f->space].token, f->token))
            return l->spaces[f->space].name.len > 0 &&
                l->spaces[f->space].name.ptr[0] != '_';
    return false;
}

/* By itself, in a batch where most stand for several. */
static bool read_proof(struct forking *f)
{
    struct slice bytes = f->it.changes[f->change].proof;
    struct reader r = reader_of(bytes);

    if (f->sheaves) {
        if (get_varint(&r) != 0 || r.err != SYNCLINE_OK)
            return false;
        bytes = slice_from(bytes, 1);
    }
    return proof_read(&f->proof, bytes) == SYNCLINE_OK;
}

static bool is_fit(struct forking *f)
{
    const struct change *c = &f->it.changes[f->change];

    return rid_is_of(&c->dot.replica, &f->from->crypto.device) &&
        dot_eq(&c->dot, &c->first) &&
        !fork_names(f->from->world, f->space, &c->dot) &&
        ledger_find(&f->from->world->ledger, f->space, &c->dot) !=
        LEDGER_NONE &&
        read_proof(f);
}

/* A value that its author has just written. */
static bool find_cell(struct forking *f)
{
    for (uint32_t i = 0; i < f->it.cells_n; i++) {
        f->cell = i;
        f->change = f->it.cells[i].change;
        if (f->it.cells[i].value.ptr != NULL && is_fit(f))
            return true;
    }
    return false;
}

/* One commit of these cells alone, so that its root is another. */
static void sign(struct forking *f, struct sim_fork *out)
{
    const struct crypto_port *crypto = &f->from->crypto;
    struct signing_as as = { .space = *f->token, .head = f->proof.head };
    struct merkle_hash *leaves, *nodes;
    struct buf b = { 0 };
    uint32_t n;

    ENSURE(signed_mesh(f->from, &as.mesh) == SYNCLINE_OK);
    leaves = signed_leaves(crypto, &as, f->key, &f->it, f->change, &n);
    nodes = sim_alloc(2 * (size_t)n, sizeof *nodes);
    ENSURE(merkle_build(nodes, crypto, leaves, n) == SYNCLINE_OK);
    ENSURE(merkle_sign(as.head.sig, crypto, &as.mesh, nodes) == SYNCLINE_OK);
    memcpy(out->sig, as.head.sig, sizeof out->sig);
    if (f->sheaves)
        put_varint(&b, 0);
    proof_make(&b, &as.head, nodes, n, 0, n);
    f->it.changes[f->change].proof = arena_dup(f->arena, buf_slice(&b));
    free(leaves);
    free(nodes);
    buf_free(&b);
}

/* What the half says, beside what the ledger has under its dot. */
static void note(struct forking *f, struct sim_fork *out)
{
    struct ledger *l = &f->from->world->ledger;
    const struct change *c = &f->it.changes[f->change];
    const uint32_t first = ledger_find(l, f->space, &c->dot);
    const struct bits *past;

    out->space = f->space;
    out->dot = c->dot;
    out->item = ledger_item(l, f->space, f->key);
    out->change = ledger_new_half(l, first);
    for (uint32_t i = 0; i < f->it.cells_n; i++) {
        struct led_cell cell = { .slot = ledger_slot(
                                     l, out->item, f->it.cells[i].path, false),
            .life = f->it.length,
            .stamp = c->stamp,
            .first = c->first };

        if (f->it.cells[i].change != f->change)
            continue;
        if (f->it.cells[i].value.ptr != NULL)
            cell.value = arena_dup(&l->arena, f->it.cells[i].value);
        if (i == f->cell)
            out->slot = cell.slot;
        ledger_add_cell(&l->changes[out->change], &cell);
    }
    past = ledger_past(&l->changes[first], out->item);
    if (past != NULL)
        ledger_set_past(&l->changes[out->change], out->item, past);
}

/* JSON of that length, which nobody else writes. */
static struct slice other_value(struct forking *f, size_t len)
{
    const unsigned n = f->from->world->forks.n;
    uint8_t *v = arena_alloc(f->arena, len + 1);

    ENSURE(v != NULL && len > 0);
    memset(v, 'x', len);
    v[0] = v[len - 1] = '"';
    if (len < 3)
        v[0] = '6', v[len - 1] = (uint8_t)('6' + n);
    else
        v[1] = (uint8_t)('6' + n);
    return SLICE(v, len);
}

/* As long as the true one, since whoever sends counts what is taken. */
static void alter(
    struct forking *f, struct slice row, struct sim_fork *made, struct buf *out)
{
    size_t len = f->it.cells[f->cell].value.len;

    for (int tries = 0; tries < 3 && out->len != row.len; tries++) {
        if (out->len > 0 && len + row.len > out->len)
            len = len + row.len - out->len;
        f->it.cells[f->cell].value = other_value(f, len);
        sign(f, made);
        buf_clear(out);
        put_item(out, &f->it);
        ENSURE(buf_status(out) == SYNCLINE_OK);
    }
}

static bool fork_row(struct forking *f, struct slice row, struct buf *out)
{
    struct world *w = f->from->world;
    struct sim_fork *made = &w->forks.e[w->forks.n];
    struct reader r = reader_of(row);
    struct slice was;

    if (get_item(&r, &f->it, f->arena) != SYNCLINE_OK || !find_cell(f))
        return false;
    *made = (struct sim_fork){ .met = false };
    was = f->it.cells[f->cell].value;
    alter(f, row, made, out);
    if (slice_eq(was, f->it.cells[f->cell].value))
        return false;
    note(f, made);
    w->forks.n++;
    return true;
}

static bool fork_rows(struct forking *f, struct frame_batch *batch,
    struct prng *draw, struct buf *out)
{
    struct reader r = reader_of(batch->rows);
    bool beside = prng_one_in(draw, 4), any = false;
    const uint32_t rows_n = batch->rows_n;

    for (uint32_t i = 0; i < rows_n; i++) {
        struct slice row;
        struct buf made = { 0 };
        bool now;

        f->key = get_bytes(&r);
        row = get_bytes(&r);
        now = !any && fork_row(f, row, &made);
        if (now) {
            put_bytes(out, f->key);
            put_bytes(out, buf_slice(&made));
            batch->rows_n += beside;
        }
        if (!now || beside) {
            put_bytes(out, f->key);
            put_bytes(out, row);
        }
        any = any || now;
        buf_free(&made);
    }
    return any;
}

bool fork_frame(struct machine *from, struct slice frame, struct prng *draw,
    struct buf *out)
{
    struct arena a = { 0 };
    struct buf rows = { 0 };
    struct forking f = { .from = from, .arena = &a };
    struct frame fr;
    bool ok = from->world->forks.n < SIM_FORKS &&
        get_frame(frame, &fr, &a) == SYNCLINE_OK && fr.type == FRAME_BATCH;

    if (ok) {
        f.token = &fr.batch.space;
        f.sheaves = (fr.batch.flags & BATCH_SHEAVES) != 0;
        ok = find_space(&f) && fork_rows(&f, &fr.batch, draw, &rows);
    }
    if (ok) {
        fr.batch.rows = buf_slice(&rows);
        put_frame(out, &fr);
        ENSURE(buf_status(out) == SYNCLINE_OK);
    }
    buf_free(&rows);
    arena_free(&a);
    return ok;
}
