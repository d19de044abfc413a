#include "repl/proofs.h"

/* A bootstrap on its way in is of the space that it is for. */
static const struct space_token *token_of(
    const struct node *n, const struct space *sp)
{
    if (sp->staged)
        for (const struct space *s = n->spaces; s != NULL; s = s->next)
            if (s->staging == sp)
                return &s->token;
    return &sp->token;
}

int cells_of_changes(
    struct cells_of *out, const struct item *it, struct arena *a)
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
    return SYNCLINE_OK;
}

int leaf_maker_init(struct leaf_maker *m, struct node *n,
    const struct space *sp, struct slice key, uint64_t length,
    const struct proof_head *head)
{
    *m = (struct leaf_maker){ .node = n,
        .key = key,
        .h = { .mesh = n->mesh,
            .space = *token_of(n, sp),
            .epoch = head->epoch,
            .length = length } };
    memcpy(m->h.key_id, head->key_id, KEY_ID_LEN);
    return n->opt.crypto->mac_key(
        n->opt.crypto->self, &m->salt, SLICE(head->salt, SALT_LEN));
}

void leaf_maker_free(struct leaf_maker *m)
{
    buf_free(&m->context);
}

int leaf_maker_turn(struct leaf_maker *m, const struct change *c)
{
    const struct crypto_port *crypto = m->node->opt.crypto;
    uint8_t tag[ENVELOPE_TAG_LEN];
    struct slice originals = SLICE_NONE;
    int rc = SYNCLINE_OK;

    buf_clear(&m->context);
    if (c->originals_n > 0) {
        put_change_originals(&m->context, c);
        rc = buf_status(&m->context);
        if (rc == SYNCLINE_OK)
            rc = envelope_originals_tag(
                tag, crypto, &m->salt, buf_slice(&m->context));
        originals = SLICE(tag, sizeof tag);
        buf_clear(&m->context);
    }
    put_change_context(&m->context, c, originals);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&m->context);
    m->h.dot = c->dot;
    m->h.first = c->first;
    m->h.stamp = c->stamp;
    return rc == SYNCLINE_OK
        ? crypto->sha256(crypto->self, m->h.context, buf_slice(&m->context))
        : rc;
}

int leaf_parts(struct leaf_maker *m, const struct cell *cell,
    uint8_t header[ENVELOPE_HEADER_LEN], uint8_t tag[ENVELOPE_TAG_LEN])
{
    const struct crypto_port *crypto = m->node->opt.crypto;
    struct envelope_content c = { .key = m->key };

    m->h.type = CELL_TOMBSTONE;
    if (cell != NULL) {
        c.path = cell->path;
        c.value = cell->value;
        m->h.type = cell->value.ptr != NULL ? CELL_VALUE : CELL_REMOVED;
    }
    envelope_put_header(header, &m->h);
    return envelope_tag(tag, crypto, &m->salt, header, &c);
}

int leaf_make(
    struct leaf_maker *m, const struct cell *cell, struct merkle_hash *out)
{
    uint8_t header[ENVELOPE_HEADER_LEN], tag[ENVELOPE_TAG_LEN];
    int rc = leaf_parts(m, cell, header, tag);

    return rc == SYNCLINE_OK
        ? merkle_leaf(out, m->node->opt.crypto, header, tag)
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
