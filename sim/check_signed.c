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

int signed_mesh(struct machine *m, struct mesh_id *out)
{
    struct slice value;
    struct reader r;
    int rc = store_get(&m->port, TABLE_META, SLICE_LIT(META_MESH), &value);

    if (rc != SYNCLINE_OK)
        return rc;
    r = reader_of(value);
    get_into(&r, out->b, sizeof out->b);
    return r.err;
}

static void make_leaf(const struct crypto_port *crypto,
    const struct mac_key *salt, struct envelope_header *h,
    const struct envelope_content *c, struct merkle_hash *out)
{
    uint8_t bytes[ENVELOPE_HEADER_LEN], tag[ENVELOPE_TAG_LEN];

    envelope_put_header(bytes, h);
    ENSURE(envelope_tag(tag, crypto, salt, bytes, c) == SYNCLINE_OK);
    ENSURE(merkle_leaf(out, crypto, bytes, tag) == SYNCLINE_OK);
}

static struct envelope_header header_of(const struct crypto_port *crypto,
    const struct signing_as *as, const struct mac_key *salt,
    const struct item *it, const struct change *c)
{
    struct envelope_header h = { .mesh = as->mesh,
        .space = as->space,
        .epoch = as->head.epoch,
        .dot = c->dot,
        .first = c->first,
        .stamp = c->stamp,
        .length = it->length };
    uint8_t tag[ENVELOPE_TAG_LEN];
    struct buf b = { 0 };
    struct slice context;

    memcpy(h.key_id, as->head.key_id, KEY_ID_LEN);
    put_change_originals(&b, c);
    ENSURE(envelope_originals_tag(tag, crypto, salt, buf_slice(&b)) ==
        SYNCLINE_OK);
    buf_clear(&b);
    put_change_context(
        &b, c, c->originals_n > 0 ? SLICE(tag, sizeof tag) : SLICE_NONE);
    context = buf_slice(&b);
    ENSURE(crypto->hash(crypto->self, h.context, &context, 1) == SYNCLINE_OK);
    buf_free(&b);
    return h;
}

struct merkle_hash *signed_leaves(const struct crypto_port *crypto,
    const struct signing_as *as, struct slice key, const struct item *it,
    uint32_t change, uint32_t *n)
{
    struct mac_key salt;
    struct envelope_header h;
    struct merkle_hash *out = sim_alloc(it->cells_n + 1, sizeof *out);

    ENSURE(crypto->mac_key(crypto->self, &salt,
               SLICE(as->head.salt, SALT_LEN)) == SYNCLINE_OK);
    h = header_of(crypto, as, &salt, it, &it->changes[change]);
    *n = 0;
    for (uint32_t i = 0; i < it->cells_n; i++) {
        const struct cell *cell = &it->cells[i];
        struct envelope_content c = { key, cell->path, cell->value };

        if (cell->change != change)
            continue;
        h.type = cell->value.ptr != NULL ? CELL_VALUE : CELL_REMOVED;
        make_leaf(crypto, &salt, &h, &c, &out[(*n)++]);
    }
    if (it->tomb == (int64_t)change) {
        struct envelope_content c = { .key = key };

        h.type = CELL_TOMBSTONE;
        make_leaf(crypto, &salt, &h, &c, &out[(*n)++]);
    }
    return out;
}

/* What is wrong with it, or NULL. */
static const char *judge(struct machine *m, struct signing_as *as,
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
    as->head = p.head;
    leaves = signed_leaves(&m->crypto, as, key, it, ix, &n);
    rc = proof_root(&root, &m->crypto, &p, leaves, n);
    free(leaves);
    if (rc != SYNCLINE_OK)
        return "whose proof is of other cells";
    return merkle_verify(&m->crypto, by->value, p.head.sig, &as->mesh, &root) ==
            SYNCLINE_OK
        ? NULL
        : "that its author has not signed";
}

/* The same row comes to every machine: one is judged once. */
static bool was_judged(struct world *w, const struct crypto_port *crypto,
    const struct signing_as *as, struct slice key, struct slice row)
{
    const struct slice parts[] = { SLICE(as->mesh.b, MESH_ID_LEN),
        SLICE(as->space.b, SPACE_TOKEN_LEN), key, row };
    uint8_t h[SHA256_LEN];
    const struct slice name = SLICE(h, sizeof h);

    ENSURE(crypto->hash(crypto->self, h, parts, 4) == SYNCLINE_OK);
    if (omap_get(&w->judged, name) != NULL)
        return true;
    ENSURE(omap_put(&w->judged, name, SLICE_NONE) == SYNCLINE_OK);
    return false;
}

void check_signed(struct world *w, struct machine *m,
    const struct space_token *space, struct slice key, struct slice row,
    const struct item *it)
{
    struct signing_as as = { .space = *space };

    if (row.ptr == NULL || signed_mesh(m, &as.mesh) != SYNCLINE_OK ||
        was_judged(w, &m->crypto, &as, key, row))
        return;
    for (uint32_t i = 0; i < it->changes_n; i++) {
        const char *what = judge(m, &as, key, it, i);

        if (what != NULL)
            world_fail(w, "R18", "node %u keeps of %.*s a change (%llu) %s",
                m->ix, SLICE_FMT(key),
                (unsigned long long)it->changes[i].dot.seq, what);
    }
}
