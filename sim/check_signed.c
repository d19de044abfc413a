/* R18, R26: whatever is kept of a change bears the signature of the device
 * that its dot names, over every cell of it that is there. */
#include "sim/check.h"

#include "repl/keys.h"
#include "sim/peek.h"
#include "sim/signed.h"
#include "sim/world.h"

#include <stdlib.h>

void signed_know(struct world *w, const struct identity *id)
{
    ENSURE(omap_put(&w->devices, SLICE(identity_device(id)->b, RID_DEVICE_LEN),
               identity_spki(id)) == SYNCLINE_OK);
}

/* Derived once a run: they are made of names alone, and a judge asks for them
 * at each commit. */
static int keys_of(struct machine *m, const struct mesh_id *mesh,
    const struct space_token *space, struct envelope_keys *out)
{
    struct envelope_secret secret;
    const struct omap_node *known;
    uint8_t name[sizeof mesh->b + sizeof space->b];
    int rc;

    memcpy(name, mesh->b, sizeof mesh->b);
    memcpy(name + sizeof mesh->b, space->b, sizeof space->b);
    known = omap_get(&m->world->keys, SLICE(name, sizeof name));
    if (known != NULL) {
        memcpy(out, known->value.ptr, sizeof *out);
        return SYNCLINE_OK;
    }
    rc = envelope_clear_secret(&secret, &m->crypto, mesh, space);
    if (rc == SYNCLINE_OK)
        rc = envelope_keys_make(out, &m->crypto, mesh, space, &secret);
    return rc == SYNCLINE_OK
        ? omap_put(&m->world->keys, SLICE(name, sizeof name),
              SLICE(out, sizeof *out))
        : rc;
}

int signed_keys(struct machine *m, const struct space_token *space,
    struct envelope_keys *out)
{
    struct mesh_id mesh;
    struct slice value;
    struct reader r;
    int rc = store_get(&m->port, TABLE_META, SLICE_LIT(META_MESH), &value);

    if (rc != SYNCLINE_OK)
        return rc;
    r = reader_of(value);
    get_into(&r, mesh.b, sizeof mesh.b);
    return keys_of(m, &mesh, space, out);
}

static void make_leaf(const struct crypto_port *crypto,
    const struct envelope_keys *keys, struct envelope_header *h,
    const struct envelope_content *c, struct merkle_hash *out)
{
    uint8_t bytes[ENVELOPE_HEADER_LEN], tag[ENVELOPE_TAG_LEN];

    ENSURE(envelope_cell_token(h->cell, crypto, keys, c->key, c->path) ==
        SYNCLINE_OK);
    envelope_put_header(bytes, h);
    ENSURE(envelope_tag(tag, crypto, keys, bytes, c) == SYNCLINE_OK);
    ENSURE(merkle_leaf(out, crypto, bytes, tag) == SYNCLINE_OK);
}

static struct envelope_header header_of(const struct crypto_port *crypto,
    const struct envelope_keys *keys, struct slice key, const struct item *it,
    const struct change *c)
{
    struct envelope_header h = { .mesh = keys->mesh,
        .space = keys->space,
        .epoch = keys->epoch,
        .dot = c->dot,
        .first = c->first,
        .stamp = c->stamp,
        .length = it->length };
    struct buf b = { 0 };

    memcpy(h.key_id, keys->id, KEY_ID_LEN);
    put_change_context(&b, c);
    ENSURE(crypto_sha256(h.context, buf_slice(&b)) == SYNCLINE_OK);
    ENSURE(envelope_item_token(h.item, crypto, keys, key) == SYNCLINE_OK);
    buf_free(&b);
    return h;
}

struct merkle_hash *signed_leaves(const struct crypto_port *crypto,
    const struct envelope_keys *keys, struct slice key, const struct item *it,
    uint32_t change, uint32_t *n)
{
    struct envelope_header h =
        header_of(crypto, keys, key, it, &it->changes[change]);
    struct merkle_hash *out = sim_alloc(it->cells_n + 1, sizeof *out);

    *n = 0;
    for (uint32_t i = 0; i < it->cells_n; i++) {
        const struct cell *cell = &it->cells[i];
        struct envelope_content c = { key, cell->path, cell->value };

        if (cell->change != change)
            continue;
        h.type = cell->value.ptr != NULL ? CELL_VALUE : CELL_REMOVED;
        make_leaf(crypto, keys, &h, &c, &out[(*n)++]);
    }
    if (it->tomb == (int64_t)change) {
        struct envelope_content c = { .key = key };

        h.type = CELL_TOMBSTONE;
        make_leaf(crypto, keys, &h, &c, &out[(*n)++]);
    }
    return out;
}

/* What is wrong with it, or NULL. */
static const char *judge(struct machine *m, const struct envelope_keys *keys,
    struct slice key, const struct item *it, uint32_t ix)
{
    const struct change *c = &it->changes[ix];
    const struct omap_node *by =
        omap_get(&m->world->devices, SLICE(c->dot.replica.b, RID_DEVICE_LEN));
    struct merkle_hash *leaves, root;
    struct proof p;
    uint32_t n;
    int rc;

    if (by == NULL)
        return "of nobody";
    if (proof_read(&p, c->proof) != SYNCLINE_OK)
        return "without a proof";
    leaves = signed_leaves(&m->crypto, keys, key, it, ix, &n);
    rc = proof_root(&root, &m->crypto, &p, leaves, n);
    free(leaves);
    if (rc != SYNCLINE_OK)
        return "whose proof is of other cells";
    return merkle_verify(&m->crypto, by->value, p.head.sig, &keys->mesh,
               &root) == SYNCLINE_OK
        ? NULL
        : "that its author has not signed";
}

void check_signed(struct world *w, struct machine *m, uint32_t number,
    const struct space_token *space, struct slice key)
{
    struct envelope_keys keys;
    struct arena a = { 0 };
    struct item it;

    if (signed_keys(m, space, &keys) != SYNCLINE_OK ||
        peek_load(&m->port, number, key, &it, &a) != SYNCLINE_OK)
        it.changes_n = 0; /* said elsewhere */
    for (uint32_t i = 0; i < it.changes_n; i++) {
        const char *what = judge(m, &keys, key, &it, i);

        if (what != NULL)
            world_fail(w, "R18", "node %u keeps of %.*s a change (%llu) %s",
                m->ix, SLICE_FMT(key),
                (unsigned long long)it.changes[i].dot.seq, what);
    }
    arena_free(&a);
}
