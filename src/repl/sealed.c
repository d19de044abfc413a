#include "repl/sealed.h"

#include "base/text.h"
#include "repl/proofs.h"

#include <stdlib.h>

/* ---- names and values ---- */

static const struct envelope_keys *find(const struct sealer *s, uint32_t n,
    uint64_t epoch, const uint8_t id[KEY_ID_LEN])
{
    for (uint32_t i = 0; i < n; i++)
        if (s->keys[i].epoch == epoch &&
            (epoch == 0 || memcmp(s->keys[i].id, id, KEY_ID_LEN) == 0))
            return &s->keys[i];
    return NULL;
}

const struct envelope_keys *sealer_keys(
    const struct sealer *s, uint64_t epoch, const uint8_t id[KEY_ID_LEN])
{
    return find(s, s->keys_n, epoch, id);
}

const struct envelope_keys *sealer_opens(
    const struct sealer *s, uint64_t epoch, const uint8_t id[KEY_ID_LEN])
{
    return find(s, s->keys_n + s->voided_n, epoch, id);
}

static const struct crypto_port *crypto_of(const struct sealer *s)
{
    return s->node->opt.crypto;
}

/* What was built in a buffer, which is given back. */
static int take(struct buf *b, int rc, struct slice *out, struct arena *a)
{
    struct slice made = SLICE_NONE;

    if (rc == SYNCLINE_OK)
        rc = buf_status(b);
    if (rc == SYNCLINE_OK) {
        made = arena_dup(a, buf_slice(b));
        rc = made.ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
    }
    if (rc == SYNCLINE_OK)
        *out = made;
    buf_free(b);
    return rc;
}

int sealed_item_name(const struct sealer *s, struct slice key,
    struct slice *out, struct arena *a)
{
    uint8_t token[SHA256_LEN] = { 0 };
    struct buf b = { 0 };
    int rc = s->keys_n == 0
        ? SYNCLINE_ENOTFOUND
        : envelope_item_token(token, crypto_of(s), &s->keys[0], key);

    put_hex(&b, SLICE(token, sizeof token));
    return take(&b, rc, out, a);
}

int sealed_cell_path(const struct sealer *s, struct slice key,
    struct slice path, struct slice *out, struct arena *a)
{
    uint8_t token[SHA256_LEN] = { 0 };
    struct buf b = { 0 };
    int rc = envelope_cell_token(token, crypto_of(s), &s->keys[0], key, path);

    buf_put_u8(&b, '/');
    put_hex(&b, SLICE(token, sizeof token));
    return take(&b, rc, out, a);
}

/* What is to be sealed, and what stands before it. */
struct to_seal {
    const struct envelope_keys *keys;
    const uint8_t *tag;       /* NULL: the keys' own */
    struct buf before, plain; /* given back */
};

static int seal_value(const struct sealer *s, struct to_seal *t,
    struct slice *out, struct arena *a)
{
    struct slice made;
    int rc = buf_status(&t->plain);

    if (rc == SYNCLINE_OK)
        rc = buf_status(&t->before);
    if (rc == SYNCLINE_OK)
        rc = envelope_seal(
            &t->before, crypto_of(s), t->keys, t->tag, buf_slice(&t->plain));
    buf_free(&t->plain);
    rc = take(&t->before, rc, &made, a);
    if (rc == SYNCLINE_OK && made.len > VALUE_SEALED_MAX)
        return SYNCLINE_ELIMIT;
    if (rc == SYNCLINE_OK)
        *out = made;
    return rc;
}

static int cell_value(const struct sealer *s, struct to_seal *t, uint32_t place,
    const struct envelope_content *c, struct slice *out, struct arena *a)
{
    put_sealed_cell(&t->before, c->value.ptr == NULL, place);
    put_bytes(&t->plain, c->key);
    put_bytes(&t->plain, c->path);
    buf_put_slice(&t->plain, c->value);
    return seal_value(s, t, out, a);
}

int sealed_cell_value(const struct sealer *s, const struct envelope_keys *keys,
    const uint8_t tag[ENVELOPE_TAG_LEN], uint32_t place,
    const struct envelope_content *c, struct slice *out, struct arena *a)
{
    struct to_seal t = { .keys = keys, .tag = tag };

    return cell_value(s, &t, place, c, out, a);
}

/* ---- sealing ---- */

static int by_path(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;

    return path_cmp(x->path, y->path);
}

struct sealing {
    const struct sealer *by;
    struct slice key;
    const struct item *item;
    struct item *out;
    struct cells_of of;
    struct arena *arena;
};

/* One change on its way. */
struct turn {
    uint32_t ix;
    const struct envelope_keys *keys;
    struct proof proof;
    struct leaf_maker maker;
};

static int seal_cell(
    struct sealing *g, struct turn *t, uint32_t cell, uint32_t place)
{
    const struct cell *from = &g->item->cells[cell];
    const struct envelope_content c = { g->key, from->path, from->value };
    struct cell *to = &g->out->cells[cell];
    uint8_t header[ENVELOPE_HEADER_LEN], tag[ENVELOPE_TAG_LEN];
    struct to_seal seal = { .keys = t->keys, .tag = tag };
    int rc = leaf_parts(&t->maker, from, header, tag);

    to->change = from->change;
    if (rc == SYNCLINE_OK)
        rc = sealed_cell_path(g->by, g->key, from->path, &to->path, g->arena);
    return rc == SYNCLINE_OK
        ? cell_value(g->by, &seal, place, &c, &to->value, g->arena)
        : rc;
}

static int seal_cells(struct sealing *g, struct turn *t)
{
    uint32_t from = g->of.from[t->ix], n = g->of.from[t->ix + 1] - from;
    uint32_t *places = arena_alloc(g->arena, (n + 1) * sizeof *places);
    int rc = SYNCLINE_OK;

    if (places == NULL)
        return SYNCLINE_ENOMEM;
    if (n > 0)
        proof_places(&t->proof, places);
    for (uint32_t i = 0; i < n && rc == SYNCLINE_OK; i++)
        rc = seal_cell(g, t, g->of.cell[from + i], places[i]);
    return rc;
}

/* What else a change says that a relay may not read: salt, key, originals; and
 * the tags that its leaves need. */
static int seal_rest(struct sealing *g, struct turn *t, struct original *out)
{
    const struct change *c = &g->item->changes[t->ix];
    uint8_t header[ENVELOPE_HEADER_LEN], tag[ENVELOPE_TAG_LEN] = { 0 };
    bool is_tomb = g->item->tomb == (int64_t)t->ix;
    struct to_seal seal = { .keys = t->keys };
    int rc = is_tomb ? leaf_parts(&t->maker, NULL, header, tag) : SYNCLINE_OK;

    *out = (struct original){ .dot = c->dot, .stamp = c->stamp };
    if (rc != SYNCLINE_OK)
        return rc;
    put_sealed_change(&seal.before,
        c->originals_n > 0 ? t->maker.originals : NULL, is_tomb ? tag : NULL);
    buf_put(&seal.plain, t->proof.head.salt, SALT_LEN);
    put_bytes(&seal.plain, g->key);
    if (c->originals_n > 0)
        put_change_originals(&seal.plain, c);
    return seal_value(g->by, &seal, &out->value, g->arena);
}

static int put_salt(struct change *c, const struct proof *p,
    const uint8_t salt[SALT_LEN], struct arena *a)
{
    struct proof with = *p;
    struct buf b = { 0 };

    memcpy(with.head.salt, salt, SALT_LEN);
    proof_put(&b, &with);
    return take(&b, SYNCLINE_OK, &c->proof, a);
}

static const uint8_t no_salt[SALT_LEN];

static int seal_turn(struct sealing *g, struct turn *t)
{
    struct change *to = &g->out->changes[t->ix];
    struct original *rest = arena_zalloc(g->arena, 1, sizeof *rest);
    int rc = leaf_maker_init(&t->maker, g->by->node, g->by->space, g->key,
        g->item->length, &t->proof.head);

    if (rest == NULL)
        return SYNCLINE_ENOMEM;
    if (rc == SYNCLINE_OK)
        rc = leaf_maker_turn(&t->maker, &g->item->changes[t->ix]);
    if (rc == SYNCLINE_OK)
        rc = seal_cells(g, t);
    if (rc == SYNCLINE_OK)
        rc = seal_rest(g, t, rest);
    to->originals = rest;
    to->originals_n = 1;
    return rc == SYNCLINE_OK ? put_salt(to, &t->proof, no_salt, g->arena) : rc;
}

static int seal_change(struct sealing *g, uint32_t ix)
{
    struct turn t = { .ix = ix };
    int rc;

    if (proof_read(&t.proof, g->item->changes[ix].proof) != SYNCLINE_OK)
        return SYNCLINE_ENOTFOUND;
    t.keys = sealer_keys(g->by, t.proof.head.epoch, t.proof.head.key_id);
    if (t.keys == NULL)
        return SYNCLINE_ENOTFOUND;
    if (t.proof.living_n != leaves_n(g->item, &g->of, ix))
        return SYNCLINE_EMALFORMED;
    rc = seal_turn(g, &t);
    leaf_maker_free(&t.maker);
    return rc;
}

static int seal_item(struct sealing *g, struct slice *name)
{
    const struct item *it = g->item;
    int rc = item_copy(g->out, it, g->arena);

    if (rc == SYNCLINE_OK)
        rc = sealed_item_name(g->by, g->key, name, g->arena);
    if (rc == SYNCLINE_OK)
        rc = cells_of_changes(&g->of, it, false, g->arena);
    for (uint32_t i = 0; i < it->changes_n && rc == SYNCLINE_OK; i++)
        rc = seal_change(g, i);
    if (rc == SYNCLINE_OK && it->cells_n > 0)
        qsort(g->out->cells, it->cells_n, sizeof *it->cells, by_path);
    return rc;
}

int sealed_make(const struct sealer *s, struct slice key, const struct item *it,
    struct slice *name, struct item *out, struct arena *a)
{
    struct item made;
    struct sealing g = {
        .by = s, .key = key, .item = it, .out = &made, .arena = a
    };
    struct slice called;
    int rc = seal_item(&g, &called);

    if (rc != SYNCLINE_OK)
        return rc;
    *name = called;
    *out = made;
    return SYNCLINE_OK;
}
