#include "repl/proofs.h"

#include "repl/keyring.h"

#include <stdlib.h>

/* ---- keys ---- */

struct space_key {
    struct space_key *next;
    struct envelope_keys keys;
};

void space_forget_keys(struct space *sp)
{
    while (sp->keys != NULL) {
        struct space_key *k = sp->keys;

        sp->keys = k->next;
        crypto_wipe(k, sizeof *k);
        free(k);
    }
}

/* Keys of epoch 0 stand for cells that nobody seals: they come from the mesh's
 * id, so that every member has them from the beginning, whatever it may read.
 * Under the mesh's own keys, later ones, sealed cells will be signed. */
static int secret_of(struct node *n, const struct space_token *space,
    uint64_t epoch, const uint8_t id[KEY_ID_LEN], struct envelope_secret *out)
{
    const struct keyring_key *key = NULL;
    struct key_id of;
    int rc = envelope_clear_secret(out, n->opt.crypto, &n->mesh, space);

    if (epoch == 0 || rc != SYNCLINE_OK)
        return rc;
    memcpy(of.b, id, KEY_ID_LEN);
    key = keyring_find(&n->keyring, epoch, &of);
    if (key == NULL)
        return SYNCLINE_ENOTFOUND;
    out->epoch = epoch;
    memcpy(out->id, id, KEY_ID_LEN);
    return keyring_space_key(key, n->opt.crypto, space, out->key);
}

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

int space_keys(struct node *n, struct space *sp, uint64_t epoch,
    const uint8_t id[KEY_ID_LEN], const struct envelope_keys **out)
{
    const struct space_token *token = token_of(n, sp);
    struct envelope_secret secret = { .epoch = 0 };
    struct space_key *k = sp->keys;
    int rc;

    while (k != NULL &&
        (k->keys.epoch != epoch ||
            (epoch != 0 && memcmp(k->keys.id, id, KEY_ID_LEN) != 0) ||
            memcmp(&k->keys.mesh, &n->mesh, sizeof n->mesh) != 0 ||
            !space_token_eq(&k->keys.space, token)))
        k = k->next;
    if (k != NULL) {
        *out = &k->keys;
        return SYNCLINE_OK;
    }
    k = calloc(1, sizeof *k);
    if (k == NULL)
        return SYNCLINE_ENOMEM;
    rc = secret_of(n, token, epoch, id, &secret);
    if (rc == SYNCLINE_OK)
        rc = envelope_keys_make(
            &k->keys, n->opt.crypto, &n->mesh, token, &secret);
    crypto_wipe(&secret, sizeof secret);
    if (rc != SYNCLINE_OK) {
        free(k);
        return rc;
    }
    k->next = sp->keys;
    sp->keys = k;
    *out = &k->keys;
    return SYNCLINE_OK;
}

/* ---- leaves ---- */

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
    const struct envelope_keys *keys, struct slice key, uint64_t length)
{
    *m = (struct leaf_maker){ .node = n,
        .keys = keys,
        .key = key,
        .h = { .mesh = keys->mesh,
            .space = keys->space,
            .epoch = keys->epoch,
            .length = length } };
    memcpy(m->h.key_id, keys->id, KEY_ID_LEN);
    return envelope_item_token(m->h.item, n->opt.crypto, keys, key);
}

void leaf_maker_free(struct leaf_maker *m)
{
    buf_free(&m->context);
}

int leaf_maker_turn(struct leaf_maker *m, const struct change *c)
{
    const struct crypto_port *crypto = m->node->opt.crypto;

    buf_clear(&m->context);
    put_change_context(&m->context, c);
    if (buf_status(&m->context) != SYNCLINE_OK)
        return buf_status(&m->context);
    m->h.dot = c->dot;
    m->h.first = c->first;
    m->h.stamp = c->stamp;
    return crypto->sha256(crypto->self, m->h.context, buf_slice(&m->context));
}

int leaf_parts(struct leaf_maker *m, const struct cell *cell,
    uint8_t header[ENVELOPE_HEADER_LEN], uint8_t tag[ENVELOPE_TAG_LEN])
{
    const struct crypto_port *crypto = m->node->opt.crypto;
    struct envelope_content c = { .key = m->key };
    int rc;

    m->h.type = CELL_TOMBSTONE;
    if (cell != NULL) {
        c.path = cell->path;
        c.value = cell->value;
        m->h.type = cell->value.ptr != NULL ? CELL_VALUE : CELL_REMOVED;
    }
    rc = envelope_cell_token(m->h.cell, crypto, m->keys, m->key, c.path);
    envelope_put_header(header, &m->h);
    return rc == SYNCLINE_OK ? envelope_tag(tag, crypto, m->keys, header, &c)
                             : rc;
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
