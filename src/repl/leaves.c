/* What of a change is signed: its cells and headers, as leaves of a tree. */
#include "repl/proofs.h"
#include "repl/sealed.h"

#include <stdlib.h>

int sealed_place_cmp(const struct cell *a, const struct cell *b)
{
    return slice_cmp(sealed_place_of(a), sealed_place_of(b));
}

struct placed {
    const struct cell *cell;
    uint32_t ix;
};

static int by_place(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    if (x->cell->change != y->cell->change)
        return x->cell->change < y->cell->change ? -1 : 1;
    return sealed_place_cmp(x->cell, y->cell);
}

static int order_by_place(
    uint32_t *cell, const struct item *it, struct arena *a)
{
    struct placed *sorted = arena_alloc(a, (it->cells_n + 1) * sizeof *sorted);

    if (sorted == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < it->cells_n; i++)
        sorted[i] = (struct placed){ &it->cells[i], i };
    qsort(sorted, it->cells_n, sizeof *sorted, by_place);
    for (uint32_t i = 0; i < it->cells_n; i++)
        cell[i] = sorted[i].ix;
    return SYNCLINE_OK;
}

int cells_of_changes(
    struct cells_of *out, const struct item *it, bool sealed, struct arena *a)
{
    uint32_t *from = arena_zalloc(a, it->changes_n + 2, sizeof *from);
    uint32_t *cell = arena_alloc(a, (it->cells_n + 1) * sizeof *cell);

    if (from == NULL || cell == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < it->cells_n; i++)
        from[it->cells[i].change + 2]++;
    for (uint32_t i = 2; i < it->changes_n + 2; i++)
        from[i] += from[i - 1];
    for (uint32_t i = 0; i < it->cells_n; i++)
        cell[from[it->cells[i].change + 1]++] = i;
    *out = (struct cells_of){ from, cell };
    return sealed ? order_by_place(cell, it, a) : SYNCLINE_OK;
}

int leaf_salt(
    struct mac_key *out, struct node *n, const struct proof_head *head)
{
    int rc;

    if (n->salted.known && memcmp(n->salted.salt, head->salt, SALT_LEN) == 0) {
        *out = n->salted.key;
        return SYNCLINE_OK;
    }
    rc = n->opt.crypto->mac_key(
        n->opt.crypto->self, out, SLICE(head->salt, SALT_LEN));
    n->salted.known = rc == SYNCLINE_OK;
    if (rc == SYNCLINE_OK) {
        memcpy(n->salted.salt, head->salt, SALT_LEN);
        n->salted.key = *out;
    }
    return rc;
}

void leaf_maker_init_salted(struct leaf_maker *m, struct node *n,
    const struct space *sp, struct slice key, uint64_t length,
    const struct proof_head *head, const struct mac_key *salt)
{
    *m = (struct leaf_maker){ .node = n,
        .sealed = sp->sealed,
        .salt = *salt,
        .key = key,
        .h = { .mesh = n->mesh,
            .space = *space_token_of(n, sp),
            .epoch = head->epoch,
            .length = length } };
    memcpy(m->h.key_id, head->key_id, KEY_ID_LEN);
}

int leaf_maker_init(struct leaf_maker *m, struct node *n,
    const struct space *sp, struct slice key, uint64_t length,
    const struct proof_head *head)
{
    struct mac_key salt = { .inner.taken = 0 };
    int rc = leaf_salt(&salt, n, head);

    leaf_maker_init_salted(m, n, sp, key, length, head, &salt);
    return rc;
}

void leaf_maker_free(struct leaf_maker *m)
{
    buf_free(&m->context);
}

static int see_tags(struct leaf_maker *m, const struct change *c, bool *any)
{
    struct sealed_change seen;
    int rc = sealed_read_change(c, &seen);

    if (rc != SYNCLINE_OK)
        return rc;
    *any = seen.originals != NULL;
    m->has_tombstone = seen.tombstone != NULL;
    if (*any)
        memcpy(m->originals, seen.originals, sizeof m->originals);
    if (m->has_tombstone)
        memcpy(m->tombstone, seen.tombstone, sizeof m->tombstone);
    return SYNCLINE_OK;
}

static int make_tags(struct leaf_maker *m, const struct change *c, bool *any)
{
    const struct crypto_port *crypto = m->node->opt.crypto;
    int rc;

    *any = c->originals_n > 0;
    if (!*any)
        return SYNCLINE_OK;
    buf_clear(&m->context);
    put_change_originals(&m->context, c);
    rc = buf_status(&m->context);
    return rc == SYNCLINE_OK ? envelope_originals_tag(m->originals, crypto,
                                   &m->salt, buf_slice(&m->context))
                             : rc;
}

int leaf_maker_turn(struct leaf_maker *m, const struct change *c)
{
    const struct crypto_port *crypto = m->node->opt.crypto;
    struct slice context;
    bool any = false;
    int rc = m->sealed ? see_tags(m, c, &any) : make_tags(m, c, &any);

    buf_clear(&m->context);
    put_change_context(&m->context, c,
        any ? SLICE(m->originals, sizeof m->originals) : SLICE_NONE);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&m->context);
    m->has_tag_begun = m->has_leaf_begun = false;
    m->h.dot = c->dot;
    m->h.first = c->first;
    m->h.stamp = c->stamp;
    context = buf_slice(&m->context);
    return rc == SYNCLINE_OK
        ? crypto->hash(crypto->self, m->h.context, &context, 1)
        : rc;
}

static int see_parts(struct leaf_maker *m, const struct cell *cell,
    uint8_t header[ENVELOPE_HEADER_LEN], uint8_t tag[ENVELOPE_TAG_LEN])
{
    struct sealed_cell seen = { .removed = false };
    int rc = SYNCLINE_OK;

    if (cell != NULL)
        rc = sealed_read_cell(cell->value, &seen);
    else if (!m->has_tombstone)
        rc = SYNCLINE_EMALFORMED;
    if (rc != SYNCLINE_OK)
        return rc;
    m->h.type = cell == NULL ? CELL_TOMBSTONE
        : seen.removed       ? CELL_REMOVED
                             : CELL_VALUE;
    envelope_put_header(header, &m->h);
    memcpy(tag, cell != NULL ? seen.seal.tag : m->tombstone, ENVELOPE_TAG_LEN);
    return SYNCLINE_OK;
}

int leaf_parts(struct leaf_maker *m, const struct cell *cell,
    uint8_t header[ENVELOPE_HEADER_LEN], uint8_t tag[ENVELOPE_TAG_LEN])
{
    const struct crypto_port *crypto = m->node->opt.crypto;
    struct envelope_content c = { .key = m->key };
    int rc = SYNCLINE_OK;

    if (m->sealed)
        return see_parts(m, cell, header, tag);
    m->h.type = CELL_TOMBSTONE;
    if (cell != NULL) {
        c.path = cell->path;
        c.value = cell->value;
        m->h.type = cell->value.ptr != NULL ? CELL_VALUE : CELL_REMOVED;
    }
    envelope_put_header(header, &m->h);
    if (!m->has_tag_begun)
        rc = envelope_tag_begin(&m->tag_begun, crypto, &m->salt, header);
    m->has_tag_begun = rc == SYNCLINE_OK;
    return rc == SYNCLINE_OK
        ? envelope_tag_end(tag, crypto, &m->tag_begun, header, &c)
        : rc;
}

int leaf_make(
    struct leaf_maker *m, const struct cell *cell, struct merkle_hash *out)
{
    const struct crypto_port *crypto = m->node->opt.crypto;
    uint8_t header[ENVELOPE_HEADER_LEN], tag[ENVELOPE_TAG_LEN];
    int rc = leaf_parts(m, cell, header, tag);

    if (rc == SYNCLINE_OK && !m->has_leaf_begun)
        rc = merkle_leaf_begin(&m->leaf_begun, crypto, header);
    m->has_leaf_begun = m->has_leaf_begun || rc == SYNCLINE_OK;
    return rc == SYNCLINE_OK
        ? merkle_leaf_end(out, crypto, &m->leaf_begun, header, tag)
        : rc;
}

int leaves_make(struct leaf_maker *m, const struct item *it,
    const struct cells_of *of, uint32_t change, struct merkle_hash *out)
{
    int rc = leaf_maker_turn(m, &it->changes[change]);

    if (rc == SYNCLINE_OK && it->tomb == (int64_t)change)
        return leaf_make(m, NULL, out);
    for (uint32_t i = of->from[change];
         i < of->from[change + 1] && rc == SYNCLINE_OK; i++)
        rc = leaf_make(m, &it->cells[of->cell[i]], out++);
    return rc;
}
