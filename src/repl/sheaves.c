#include "repl/sheaves.h"

#include "crypto/sheaf.h"
#include "repl/proofs.h"

#include <stdlib.h>

/* ---- sending ---- */

int row_out_make(struct row_out *out, const struct item *it, struct arena *a)
{
    struct buf b = { 0 };
    size_t rest;
    int rc;

    put_item_changes(&b, it);
    rest = b.len;
    put_item_cells(&b, it);
    rc = buf_status(&b);
    out->item = *it;
    out->bytes = arena_dup(a, buf_slice(&b));
    out->rest = slice_from(out->bytes, rest);
    buf_free(&b);
    return rc == SYNCLINE_OK && out->bytes.ptr == NULL ? SYNCLINE_ENOMEM : rc;
}

/* A change with its proof. */
struct stalk {
    const struct change *change;
    struct proof proof;
    uint32_t from, to; /* its span of leaves */
    uint32_t order;    /* among all of the batch */
    uint32_t sheaf;    /* 0: none, else its number plus one */
};

/* A row with those of its changes that have proofs. */
struct swath {
    const struct row_out *row;
    struct stalk *stalks;
    uint32_t n;
};

struct binding {
    struct arena *arena;
    struct swath *swaths;
    struct stalk *stalks, **sorted;
    uint32_t n;
    uint32_t *at; /* of each sheaf: where its last part ended */
    struct bound *out;
};

static int commit_cmp(const struct stalk *x, const struct stalk *y)
{
    int c = memcmp(
        x->change->dot.replica.b, y->change->dot.replica.b, RID_DEVICE_LEN);

    return c != 0
        ? c
        : memcmp(x->proof.head.sig, y->proof.head.sig, ED25519_SIG_LEN);
}

/* By leaves, whatever the rows are called: so most of what a commit wrote makes
 * one sheaf. */
static int by_leaf(const void *a, const void *b)
{
    const struct swath *x = a, *y = b;
    int c = (x->n == 0) - (y->n == 0);

    if (c == 0 && x->n > 0)
        c = commit_cmp(x->stalks, y->stalks);
    if (c == 0 && x->n > 0)
        c = (x->stalks->from > y->stalks->from) -
            (x->stalks->from < y->stalks->from);
    return c != 0 ? c : (x->row > y->row) - (x->row < y->row);
}

static int by_commit(const void *a, const void *b)
{
    const struct stalk *const *x = a, *const *y = b;
    int c = commit_cmp(*x, *y);

    return c != 0 ? c
                  : ((*x)->order > (*y)->order) - ((*x)->order < (*y)->order);
}

/* May y stand in a sheaf just behind x? */
static bool follows(const struct stalk *x, const struct stalk *y)
{
    return memcmp(x->change->dot.replica.b, y->change->dot.replica.b,
               RID_DEVICE_LEN) == 0 &&
        proof_is_of_one(&x->proof, &y->proof) && x->to <= y->from;
}

static int make_binding(struct binding *b, uint32_t rows_n, uint32_t changes_n)
{
    b->swaths = arena_alloc(b->arena, rows_n * sizeof *b->swaths);
    b->stalks = arena_alloc(b->arena, (changes_n + 1) * sizeof *b->stalks);
    b->sorted = arena_alloc(b->arena, (changes_n + 1) * sizeof *b->sorted);
    b->at = arena_zalloc(b->arena, changes_n / 2 + 1, sizeof *b->at);
    return b->swaths == NULL || b->stalks == NULL || b->sorted == NULL ||
            b->at == NULL
        ? SYNCLINE_ENOMEM
        : SYNCLINE_OK;
}

static void gather_row(
    struct binding *b, const struct row_out *row, struct swath *out)
{
    *out = (struct swath){ .row = row, .stalks = &b->stalks[b->n] };
    for (uint32_t i = 0; i < row->item.changes_n; i++) {
        struct stalk *s = &b->stalks[b->n];

        *s = (struct stalk){ .change = &row->item.changes[i] };
        if (proof_read(&s->proof, s->change->proof) != SYNCLINE_OK)
            continue; /* as of a version before signatures */
        proof_span(&s->proof, &s->from, &s->to);
        b->n++;
        out->n++;
    }
}

static int gather(
    struct binding *b, const struct row_out *rows, uint32_t rows_n)
{
    uint32_t n = 0;
    int rc;

    for (uint32_t i = 0; i < rows_n; i++)
        n += rows[i].item.changes_n;
    rc = make_binding(b, rows_n, n);
    if (rc != SYNCLINE_OK)
        return rc;
    for (uint32_t i = 0; i < rows_n; i++)
        gather_row(b, &rows[i], &b->swaths[i]);
    qsort(b->swaths, rows_n, sizeof *b->swaths, by_leaf);
    n = 0;
    for (uint32_t i = 0; i < rows_n; i++)
        for (uint32_t k = 0; k < b->swaths[i].n; k++) {
            b->swaths[i].stalks[k].order = n;
            b->sorted[n++] = &b->swaths[i].stalks[k];
        }
    qsort(b->sorted, b->n, sizeof *b->sorted, by_commit);
    return SYNCLINE_OK;
}

static int put_sheaf(struct binding *b, struct stalk *const *first, uint32_t n)
{
    const struct proof **parts = arena_alloc(b->arena, n * sizeof *parts);
    struct buf made = { 0 };
    int rc;

    if (parts == NULL)
        return SYNCLINE_ENOMEM;
    b->out->sheaves_n++;
    for (uint32_t i = 0; i < n; i++) {
        parts[i] = &first[i]->proof;
        first[i]->sheaf = b->out->sheaves_n;
    }
    rc = sheaf_join(&made, parts, n);
    put_bytes(&b->out->sheaves, buf_slice(&made));
    buf_free(&made);
    return rc == SYNCLINE_OK ? buf_status(&b->out->sheaves) : rc;
}

static int put_sheaves(struct binding *b)
{
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0, end; i < b->n && rc == SYNCLINE_OK; i = end) {
        for (end = i + 1;
             end < b->n && follows(b->sorted[end - 1], b->sorted[end]); end++)
            ;
        if (end - i > 1)
            rc = put_sheaf(b, b->sorted + i, end - i);
    }
    return rc;
}

/* What stands for a proof. */
static int put_part(struct binding *b, struct change *c, const struct stalk *s)
{
    struct buf bytes = { 0 };
    int rc;

    put_varint(&bytes, s != NULL ? s->sheaf : 0);
    if (s != NULL && s->sheaf > 0)
        sheaf_put_part(&bytes, &s->proof, &b->at[s->sheaf - 1]);
    else
        buf_put_slice(&bytes, c->proof);
    rc = buf_status(&bytes);
    c->proof = arena_dup(b->arena, buf_slice(&bytes));
    buf_free(&bytes);
    return rc == SYNCLINE_OK && c->proof.ptr == NULL ? SYNCLINE_ENOMEM : rc;
}

static int put_row(struct binding *b, const struct swath *w)
{
    const struct row_out *row = w->row;
    const struct stalk *s = w->stalks, *end = w->stalks + w->n;
    struct item it = row->item;
    struct buf bytes = { 0 };
    int rc = SYNCLINE_OK;

    it.changes = arena_alloc(b->arena, (it.changes_n + 1) * sizeof *it.changes);
    if (it.changes == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < it.changes_n && rc == SYNCLINE_OK; i++) {
        const bool has = s < end && s->change == &row->item.changes[i];

        it.changes[i] = row->item.changes[i];
        if (it.changes[i].proof.len > 0)
            rc = put_part(b, &it.changes[i], has ? s : NULL);
        s += has;
    }
    if (rc == SYNCLINE_OK) {
        put_item_changes(&bytes, &it);
        buf_put_slice(&bytes, row->rest);
        put_bytes(&b->out->rows, row->key);
        put_bytes(&b->out->rows, buf_slice(&bytes));
        rc = buf_status(&bytes);
    }
    buf_free(&bytes);
    return rc == SYNCLINE_OK ? buf_status(&b->out->rows) : rc;
}

static int put_as_it_is(struct bound *out, const struct row_out *row)
{
    put_bytes(&out->rows, row->key);
    put_bytes(&out->rows, row->bytes);
    return buf_status(&out->rows);
}

int sheaves_bind(struct bound *out, const struct row_out *rows, uint32_t rows_n,
    struct arena *a)
{
    struct binding b = { .arena = a, .out = out };
    int rc = rows_n > 1 ? gather(&b, rows, rows_n) : SYNCLINE_OK;

    if (rc == SYNCLINE_OK)
        rc = put_sheaves(&b);
    for (uint32_t i = 0; i < rows_n && rc == SYNCLINE_OK; i++)
        rc = out->sheaves_n > 0 ? put_row(&b, &b.swaths[i])
                                : put_as_it_is(out, &rows[i]);
    return rc;
}

void bound_free(struct bound *b)
{
    buf_free(&b->rows);
    buf_free(&b->sheaves);
}

/* ---- receiving ---- */

struct opened {
    struct sheaf sheaf;
    struct mac_key salt;
    uint32_t made; /* of its leaves */
};

/* Which part of which sheaf a change is; sheaf NULL: it has a whole proof. */
struct place {
    struct opened *sheaf;
    struct sheaf_part part;
};

struct opening {
    struct node *node;
    struct space *space;
    bool sealed;
    struct row_in *rows;
    struct cells_of *of;
    struct place **places;
    uint32_t rows_n;
    struct opened *sheaves;
    uint32_t sheaves_n;
};

static int read_sheaf(struct node *n, struct opened *out, struct slice bytes)
{
    int rc = sheaf_read(&out->sheaf, bytes);

    return rc == SYNCLINE_OK ? leaf_salt(&out->salt, n, &out->sheaf.proof.head)
                             : rc;
}

static int read_sheaves(struct opening *o, const struct frame_batch *f)
{
    struct reader r = reader_of(f->sheaves);
    int rc = SYNCLINE_OK;

    if (f->sheaves_n == 0 || f->sheaves_n > f->sheaves.len)
        return SYNCLINE_EMALFORMED;
    o->sheaves = arena_zalloc(&o->node->step, f->sheaves_n, sizeof *o->sheaves);
    if (o->sheaves == NULL)
        return SYNCLINE_ENOMEM;
    o->sheaves_n = f->sheaves_n;
    o->node->counts.sheaves_received += f->sheaves_n;
    for (uint32_t i = 0; i < o->sheaves_n && rc == SYNCLINE_OK; i++)
        rc = read_sheaf(o->node, &o->sheaves[i], get_bytes(&r));
    return rc == SYNCLINE_OK ? reader_end(&r) : rc;
}

static int place_row(struct opening *o, uint32_t ix)
{
    struct arena *a = &o->node->step;
    struct item *it = &o->rows[ix].item;
    int rc = cells_of_changes(&o->of[ix], it, o->sealed, a);

    o->places[ix] = arena_zalloc(a, it->changes_n + 1, sizeof **o->places);
    o->rows[ix].roots =
        arena_zalloc(a, it->changes_n + 1, sizeof *o->rows[ix].roots);
    if (o->places[ix] == NULL || o->rows[ix].roots == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < it->changes_n && rc == SYNCLINE_OK; i++) {
        struct place *p = &o->places[ix][i];
        struct reader r = reader_of(it->changes[i].proof);
        uint64_t which;

        if (r.in.len == 0)
            continue;
        which = get_varint_max(&r, o->sheaves_n);
        if (r.err != 0)
            return SYNCLINE_EMALFORMED;
        it->changes[i].proof = r.in;
        if (which == 0)
            continue;
        p->sheaf = &o->sheaves[which - 1];
        rc = sheaf_get_part(&p->sheaf->sheaf, r.in, &p->part);
        if (rc == SYNCLINE_OK &&
            p->part.living_n != leaves_n(it, &o->of[ix], i))
            rc = SYNCLINE_EMALFORMED;
    }
    return rc;
}

/* Only now, since what a sheaf says of itself costs nobody a byte. */
static int make_room(struct opening *o)
{
    struct node *n = o->node;

    for (uint32_t i = 0; i < o->sheaves_n; i++) {
        struct opened *s = &o->sheaves[i];
        const struct proof *p = &s->sheaf.proof;

        if (!sheaf_is_whole(&s->sheaf))
            return SYNCLINE_EMALFORMED;
        s->sheaf.leaves =
            arena_alloc(&n->step, p->living_n * sizeof *s->sheaf.leaves);
        if (s->sheaf.leaves == NULL)
            return SYNCLINE_ENOMEM;
    }
    return SYNCLINE_OK;
}

static int make_leaves(struct opening *o, uint32_t ix)
{
    const struct row_in *row = &o->rows[ix];
    struct leaf_maker m = { .node = NULL };
    const struct opened *of = NULL; /* whose leaves m makes */
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0; i < row->item.changes_n && rc == SYNCLINE_OK; i++) {
        struct opened *s = o->places[ix][i].sheaf;

        if (s == NULL)
            continue;
        if (of != s) {
            leaf_maker_free(&m);
            leaf_maker_init_salted(&m, o->node, o->space, row->key,
                row->item.length, &s->sheaf.proof.head, &s->salt);
            m.sealed = o->sealed;
            of = s;
        }
        rc = leaves_make(
            &m, &row->item, &o->of[ix], i, s->sheaf.leaves + s->made);
        s->made += o->places[ix][i].part.living_n;
    }
    leaf_maker_free(&m);
    return rc;
}

static int cut_row(struct opening *o, uint32_t ix, struct buf *b)
{
    struct row_in *row = &o->rows[ix];

    for (uint32_t i = 0; i < row->item.changes_n; i++) {
        const struct place *p = &o->places[ix][i];
        struct change *c = &row->item.changes[i];

        if (p->sheaf == NULL)
            continue;
        buf_clear(b);
        sheaf_cut(b, &p->sheaf->sheaf, &p->part);
        if (buf_status(b) != SYNCLINE_OK)
            return buf_status(b);
        c->proof = arena_dup(&o->node->step, buf_slice(b));
        if (c->proof.ptr == NULL)
            return SYNCLINE_ENOMEM;
        row->roots[i] = sheaf_root(&p->sheaf->sheaf);
    }
    return SYNCLINE_OK;
}

static int open_all(struct opening *o)
{
    struct buf b = { 0 };
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0; i < o->rows_n && rc == SYNCLINE_OK; i++)
        rc = place_row(o, i);
    if (rc == SYNCLINE_OK)
        rc = make_room(o);
    for (uint32_t i = 0; i < o->rows_n && rc == SYNCLINE_OK; i++)
        rc = make_leaves(o, i);
    for (uint32_t i = 0; i < o->sheaves_n && rc == SYNCLINE_OK; i++)
        rc = sheaf_build(
            &o->sheaves[i].sheaf, o->node->opt.crypto, &o->node->step);
    for (uint32_t i = 0; i < o->rows_n && rc == SYNCLINE_OK; i++)
        rc = cut_row(o, i, &b);
    buf_free(&b);
    return rc;
}

int sheaves_open(struct node *n, struct space *sp, bool sealed,
    const struct frame_batch *f, struct row_in *rows)
{
    struct opening o = { .node = n,
        .space = sp,
        .sealed = sealed,
        .rows = rows,
        .rows_n = f->rows_n };
    int rc = read_sheaves(&o, f);

    o.of = arena_alloc(&n->step, (f->rows_n + 1) * sizeof *o.of);
    o.places = arena_alloc(&n->step, (f->rows_n + 1) * sizeof *o.places);
    if (rc == SYNCLINE_OK && (o.of == NULL || o.places == NULL))
        rc = SYNCLINE_ENOMEM;
    return rc == SYNCLINE_OK ? open_all(&o) : rc;
}
