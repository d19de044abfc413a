#include "repl/proofs.h"

#include "base/plant.h"
#include "base/text.h"
#include "repl/sealed.h"

#include <stdlib.h>

/* ---- signatures ---- */

/* A root that was found signed is not verified again while it is remembered:
 * the rows of one commit mostly come together. */
static struct verified *place_of(struct node *n, const struct merkle_hash *root)
{
    return &n->verified[root->b[0] % VERIFIED_MAX];
}

static int check_root(struct node *n, const struct author_key *by,
    const struct proof *p, const struct merkle_hash *root)
{
    struct verified *v = place_of(n, root);
    int rc;

    if (v->known && device_eq(&v->device, &by->device) &&
        memcmp(v->root, root->b, sizeof v->root) == 0 &&
        memcmp(v->sig, p->head.sig, sizeof v->sig) == 0)
        return SYNCLINE_OK;
    if (PLANTED(ROOT_UNSIGNED))
        return SYNCLINE_OK;
    rc = merkle_verify(n->opt.crypto, by->spki, p->head.sig, &n->mesh, root);
    n->counts.signatures_checked++;
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_EDENIED;
    v->known = true;
    v->device = by->device;
    memcpy(v->root, root->b, sizeof v->root);
    memcpy(v->sig, p->head.sig, sizeof v->sig);
    return SYNCLINE_OK;
}

/* ---- what others send ---- */

static int refuse(struct node *n, const struct change *c, const char *what)
{
    char text[2 * RID_LEN + 1];

    hex_encode(text, rid_slice(&c->dot.replica));
    n->counts.changes_refused++;
    return errmsg_set(&n->refusal, SYNCLINE_EDENIED,
        "change %llu of replica %s is refused: %s",
        (unsigned long long)c->dot.seq, text, what);
}

const char *refusal_text(const struct node *n, int rc)
{
    if (n->refusal.text[0] != 0)
        return n->refusal.text;
    switch (rc) {
    case SYNCLINE_EMALFORMED:
    case SYNCLINE_ESHORT:
        return "a frame breaks the protocol";
    case SYNCLINE_ELIMIT:
        return "a frame brings more than is allowed";
    case SYNCLINE_EDENIED:
        return "a frame claims what is not believed";
    default:
        return node_status_text(rc);
    }
}

struct checking {
    struct node *node;
    struct space *space;
    const struct row_in *in;
    const struct item *row;
    struct cells_of of;
    struct merkle_hash *leaves; /* NULL: none were needed yet */
};

static int make_room(struct checking *k)
{
    struct arena *a = &k->node->step;
    int rc = k->leaves == NULL
        ? cells_of_changes(&k->of, k->row, k->space->sealed, a)
        : SYNCLINE_OK;

    if (rc == SYNCLINE_OK && k->leaves == NULL)
        k->leaves = arena_alloc(a, (k->row->cells_n + 1) * sizeof *k->leaves);
    return rc == SYNCLINE_OK && k->leaves == NULL ? SYNCLINE_ENOMEM : rc;
}

static int find_root(struct checking *k, uint32_t ix, const struct proof *p,
    struct merkle_hash *out)
{
    struct node *n = k->node;
    struct leaf_maker maker;
    int rc;

    if (k->in->roots != NULL && k->in->roots[ix] != NULL) {
        *out = *k->in->roots[ix];
        return SYNCLINE_OK;
    }
    rc = leaf_maker_init(
        &maker, n, k->space, k->in->key, k->row->length, &p->head);
    if (rc == SYNCLINE_OK)
        rc = make_room(k);
    if (rc == SYNCLINE_OK)
        rc = leaves_make(&maker, k->row, &k->of, ix, k->leaves);
    leaf_maker_free(&maker);
    return rc == SYNCLINE_OK ? proof_root(out, n->opt.crypto, p, k->leaves,
                                   leaves_n(k->row, &k->of, ix))
                             : rc;
}

/* What a relay has not been told it must not be told by halves, and what it
 * puts together later must be in order. */
static int check_sealed(struct checking *k, uint32_t ix, const struct proof *p)
{
    static const uint8_t no_salt[SALT_LEN];
    uint32_t *places, n = 0;
    int rc = make_room(k);

    if (rc != SYNCLINE_OK)
        return rc;
    if (memcmp(p->head.salt, no_salt, SALT_LEN) != 0 ||
        p->living_n != leaves_n(k->row, &k->of, ix))
        return SYNCLINE_EMALFORMED;
    places = arena_alloc(&k->node->step, p->living_n * sizeof *places);
    if (places == NULL)
        return SYNCLINE_ENOMEM;
    proof_places(p, places);
    for (uint32_t i = k->of.from[ix]; i < k->of.from[ix + 1]; i++)
        if (!sealed_is_at(&k->row->cells[k->of.cell[i]], places[n++]) &&
            !PLANTED(R26_PLACES))
            return SYNCLINE_EMALFORMED;
    return SYNCLINE_OK;
}

static int check_leaves(struct checking *k, uint32_t ix,
    const struct author_key *by, const struct proof *p)
{
    struct node *n = k->node;
    const struct change *c = &k->row->changes[ix];
    struct merkle_hash root;
    int rc = k->space->sealed ? check_sealed(k, ix, p) : SYNCLINE_OK;

    if (rc == SYNCLINE_OK)
        rc = find_root(k, ix, p, &root);
    if (rc == SYNCLINE_OK)
        rc = check_root(n, by, p, &root);
    return rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM
        ? rc
        : refuse(n, c, "it is not as its author signed it");
}

static int check_change(struct checking *k, uint32_t ix)
{
    struct node *n = k->node;
    const struct change *c = &k->row->changes[ix];
    struct author_key by;
    struct proof p;

    if (!vv_covers(&k->row->ctx, &c->dot))
        return refuse(n, c, "its item does not know of it");
    if (members_author(n->members, &c->dot.replica, &by) != SYNCLINE_OK)
        return AUTHOR_UNKNOWN;
    if (proof_read(&p, c->proof) != SYNCLINE_OK)
        return refuse(n, c, "it is not signed");
    return check_leaves(k, ix, &by, &p);
}

int proofs_check(struct node *n, struct space *sp, const struct row_in *in)
{
    const struct item *row = &in->item;
    struct checking k = { .node = n, .space = sp, .in = in, .row = row };
    int rc = SYNCLINE_OK;

    if (PLANTED(PROOFS_IGNORED) || (PLANTED(R26_SEALS) && !sp->sealed))
        return SYNCLINE_OK;
    for (uint32_t i = 0; i < row->changes_n && rc == SYNCLINE_OK; i++)
        if (sp->staged || !vv_covers(&sp->have, &row->changes[i].dot))
            rc = check_change(&k, i);
    return rc;
}

/* ---- what is left ---- */

struct settling {
    struct node *node;
    struct space *space;
    struct slice key;
    struct stored *stored;
    struct item before;
    struct cells_of of, of_before, of_row;
    bool loaded; /* before and what follows it */
};

static int64_t find_change(const struct item *it, const struct change *c)
{
    for (uint32_t i = 0; it != NULL && i < it->changes_n; i++)
        if (change_cmp(&it->changes[i], c) == 0)
            return i;
    return -1;
}

/* The record of before, once more: the item was changed where it stood. */
static int load_before(struct settling *s)
{
    struct arena *a = &s->node->step;
    struct stored st;
    int rc = SYNCLINE_OK;

    if (s->loaded)
        return rc;
    item_init(&s->before);
    if (s->stored->bytes.len > 0) {
        rc = stored_decode(s->stored->bytes, &st, a);
        if (rc == SYNCLINE_OK)
            s->before = st.item;
    }
    if (rc == SYNCLINE_OK)
        rc = cells_of_changes(&s->of_before, &s->before, s->space->sealed, a);
    if (rc == SYNCLINE_OK && s->stored->row != NULL)
        rc = cells_of_changes(&s->of_row, s->stored->row, s->space->sealed, a);
    s->loaded = rc == SYNCLINE_OK;
    return rc;
}

/* A cell that a proof covers, from whichever side had it. */
struct proven {
    const struct cell **e;
    uint32_t n;
};

static void add_proven(struct proven *p, const struct item *it,
    const struct cells_of *of, int64_t ix)
{
    for (uint32_t i = ix < 0 ? 0 : of->from[ix];
         ix >= 0 && i < of->from[ix + 1]; i++)
        p->e[p->n++] = &it->cells[of->cell[i]];
}

static int by_path(const void *a, const void *b)
{
    const struct cell *const *x = a, *const *y = b;

    return path_cmp((*x)->path, (*y)->path);
}

static int by_place(const void *a, const void *b)
{
    const struct cell *const *x = a, *const *y = b;

    return sealed_place_cmp(*x, *y);
}

/* Both sides' cells, each once, in the order of their leaves. */
static int gather(
    struct settling *s, int64_t mine, int64_t theirs, struct proven *out)
{
    const struct item *row = s->stored->row;
    uint32_t kept = 0;

    out->e = arena_alloc(&s->node->step,
        (s->before.cells_n + (row != NULL ? row->cells_n : 0) + 1) *
            sizeof *out->e);
    if (out->e == NULL)
        return SYNCLINE_ENOMEM;
    out->n = 0;
    add_proven(out, &s->before, &s->of_before, mine);
    add_proven(out, row, &s->of_row, theirs);
    qsort(
        out->e, out->n, sizeof *out->e, s->space->sealed ? by_place : by_path);
    for (uint32_t i = 0; i < out->n; i++)
        if (kept == 0 || !slice_eq(out->e[kept - 1]->path, out->e[i]->path))
            out->e[kept++] = out->e[i];
    out->n = kept;
    return SYNCLINE_OK;
}

/* The hashes of what is left out; of what stays they are not asked for. */
static int lost_leaves(struct settling *s, const struct change *c,
    const struct proof *p, const struct proven *cells, bool *keep,
    struct merkle_hash *leaves)
{
    const struct item *now = &s->stored->item;
    struct leaf_maker m;
    int rc =
        leaf_maker_init(&m, s->node, s->space, s->key, now->length, &p->head);

    if (rc == SYNCLINE_OK)
        rc = leaf_maker_turn(&m, c);
    for (uint32_t i = 0; i < cells->n && rc == SYNCLINE_OK; i++) {
        const struct cell *at = item_find(now, cells->e[i]->path);

        keep[i] = at != NULL && &now->changes[at->change] == c;
        if (!keep[i])
            rc = leaf_make(&m, cells->e[i], &leaves[i]);
    }
    leaf_maker_free(&m);
    return rc;
}

static int shrink(struct settling *s, struct change *c, struct slice whole,
    const struct proven *cells)
{
    struct arena *a = &s->node->step;
    bool *keep = arena_zalloc(a, cells->n + 1, sizeof *keep);
    struct merkle_hash *leaves = arena_zalloc(a, cells->n + 1, sizeof *leaves);
    struct buf b = { 0 };
    struct proof p;
    int rc = proof_read(&p, whole);

    if (keep == NULL || leaves == NULL)
        return SYNCLINE_ENOMEM;
    if (rc == SYNCLINE_OK)
        rc = lost_leaves(s, c, &p, cells, keep, leaves);
    if (rc == SYNCLINE_OK)
        rc = proof_shrink(&b, s->node->opt.crypto, &p, leaves, keep, cells->n);
    if (rc == SYNCLINE_OK) {
        c->proof = arena_dup(a, buf_slice(&b));
        rc = c->proof.ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
    }
    s->node->counts.proofs_shrunk++;
    buf_free(&b);
    return rc;
}

static int join_proofs(struct settling *s, const struct change *a,
    const struct change *b, struct slice *out)
{
    struct buf joined = { 0 };
    struct proof p, q;
    int rc = proof_read(&p, a->proof);

    if (rc == SYNCLINE_OK)
        rc = proof_read(&q, b->proof);
    if (rc == SYNCLINE_OK)
        rc = proof_join(&joined, &p, &q);
    if (rc == SYNCLINE_OK) {
        *out = arena_dup(&s->node->step, buf_slice(&joined));
        rc = out->ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
    }
    s->node->counts.proofs_joined++;
    buf_free(&joined);
    return rc;
}

static int settle_change(struct settling *s, uint32_t ix)
{
    struct item *now = &s->stored->item;
    const struct item *row = s->stored->row;
    struct change *c = &now->changes[ix];
    /* Nobody has looked at what a row says once more. */
    bool is_news = !vv_covers(&s->space->have, &c->dot);
    int64_t mine, theirs = is_news ? find_change(row, c) : -1;
    struct slice whole = c->proof;
    struct proven cells;
    struct proof p;
    int rc = proof_read(&p, whole);

    if (rc != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    if (p.living_n == leaves_n(now, &s->of, ix) &&
        (theirs < 0 || slice_eq(row->changes[theirs].proof, whole)))
        return SYNCLINE_OK;
    rc = load_before(s);
    if (rc != SYNCLINE_OK)
        return rc;
    mine = find_change(&s->before, c);
    if (mine >= 0 && theirs >= 0)
        rc = join_proofs(
            s, &s->before.changes[mine], &row->changes[theirs], &whole);
    if (rc == SYNCLINE_OK && now->tomb == (int64_t)ix)
        return rc; /* one leaf, on either side */
    if (rc == SYNCLINE_OK)
        rc = gather(s, mine, theirs, &cells);
    return rc == SYNCLINE_OK ? shrink(s, c, whole, &cells) : rc;
}

int proofs_settle(
    struct node *n, struct space *sp, struct slice key, struct stored *st)
{
    struct settling s = { .node = n, .space = sp, .key = key, .stored = st };
    int rc = cells_of_changes(&s.of, &st->item, sp->sealed, &n->step);

    for (uint32_t i = 0; i < st->item.changes_n && rc == SYNCLINE_OK; i++)
        if (st->item.changes[i].proof.len > 0 && !PLANTED(PROOFS_STAY))
            rc = settle_change(&s, i);
    return rc;
}
