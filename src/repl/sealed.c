#include "repl/sealed.h"

#include "base/text.h"
#include "repl/proofs.h"

#include <stdlib.h>

/* ---- names and values ---- */

const struct envelope_keys *sealer_keys(
    const struct sealer *s, uint64_t epoch, const uint8_t id[KEY_ID_LEN])
{
    for (uint32_t i = 0; i < s->keys_n; i++)
        if (s->keys[i].epoch == epoch &&
            (epoch == 0 || memcmp(s->keys[i].id, id, KEY_ID_LEN) == 0))
            return &s->keys[i];
    return NULL;
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

/* A JSON text of digits and, in base64, what seal holds. */
static int take_text(struct slice digits, struct buf *seal, int rc,
    struct slice *out, struct arena *a)
{
    struct buf b = { 0 };
    struct slice made;

    buf_put_u8(&b, '"');
    buf_put_slice(&b, digits);
    put_base64(&b, buf_slice(seal));
    buf_put_u8(&b, '"');
    if (rc == SYNCLINE_OK)
        rc = buf_status(seal);
    buf_free(seal);
    rc = take(&b, rc, &made, a);
    if (rc == SYNCLINE_OK && made.len > VALUE_SEALED_MAX)
        return SYNCLINE_ELIMIT;
    if (rc == SYNCLINE_OK)
        *out = made;
    return rc;
}

int sealed_cell_value(const struct sealer *s, const struct envelope_keys *keys,
    const uint8_t tag[ENVELOPE_TAG_LEN], uint32_t place,
    const struct envelope_content *c, struct slice *out, struct arena *a)
{
    struct buf digits = { 0 }, plain = { 0 }, seal = { 0 };
    int rc;

    buf_put_u8(&digits, c->value.ptr != NULL ? '0' : '1');
    put_sealed_place(&digits, place);
    put_bytes(&plain, c->key);
    put_bytes(&plain, c->path);
    buf_put_slice(&plain, c->value);
    rc = buf_status(&plain);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&digits);
    if (rc == SYNCLINE_OK)
        rc = envelope_seal(&seal, crypto_of(s), keys, tag, buf_slice(&plain));
    buf_free(&plain);
    rc = take_text(buf_slice(&digits), &seal, rc, out, a);
    buf_free(&digits);
    return rc;
}

static int open_seal(const struct sealer *s,
    const struct envelope_seal_head *head, struct slice *out, struct arena *a)
{
    const struct envelope_keys *keys =
        sealer_keys(s, head->epoch, head->key_id);
    struct buf plain = { 0 };

    return keys == NULL
        ? SYNCLINE_ENOTFOUND
        : take(&plain, envelope_open(&plain, crypto_of(s), keys, head), out, a);
}

int sealed_cell_open(const struct sealer *s, struct slice value,
    struct envelope_content *out, struct arena *a)
{
    struct envelope_content c;
    struct sealed_cell cell;
    struct slice plain;
    struct buf b = { 0 };
    struct reader r;
    int rc = sealed_read_cell(&b, value, &cell);

    if (rc == SYNCLINE_OK)
        rc = open_seal(s, &cell.seal, &plain, a);
    buf_free(&b);
    if (rc != SYNCLINE_OK)
        return rc;
    r = reader_of(plain);
    c.key = get_bytes(&r);
    c.path = get_bytes(&r);
    c.value = cell.removed ? SLICE_NONE : r.in;
    if (r.err != 0 || cell.removed != (r.in.len == 0))
        return SYNCLINE_EMALFORMED;
    *out = c;
    return SYNCLINE_OK;
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
    int rc = leaf_parts(&t->maker, from, header, tag);

    to->change = from->change;
    if (rc == SYNCLINE_OK)
        rc = sealed_cell_path(g->by, g->key, from->path, &to->path, g->arena);
    return rc == SYNCLINE_OK ? sealed_cell_value(g->by, t->keys, tag, place, &c,
                                   &to->value, g->arena)
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
    struct buf plain = { 0 }, seal = { 0 };
    int rc = is_tomb ? leaf_parts(&t->maker, NULL, header, tag) : SYNCLINE_OK;

    put_sealed_change(&seal, c->originals_n > 0 ? t->maker.originals : NULL,
        is_tomb ? tag : NULL);
    buf_put(&plain, t->proof.head.salt, SALT_LEN);
    put_bytes(&plain, g->key);
    if (c->originals_n > 0)
        put_change_originals(&plain, c);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&plain);
    if (rc == SYNCLINE_OK)
        rc = envelope_seal(
            &seal, crypto_of(g->by), t->keys, NULL, buf_slice(&plain));
    buf_free(&plain);
    *out = (struct original){ .dot = c->dot, .stamp = c->stamp };
    return take_text(SLICE_NONE, &seal, rc, &out->value, g->arena);
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

int sealed_make(const struct sealer *s, struct slice key, const struct item *it,
    struct slice *name, struct item *out, struct arena *a)
{
    struct item made;
    struct sealing g = {
        .by = s, .key = key, .item = it, .out = &made, .arena = a
    };
    struct slice called;
    int rc = item_copy(&made, it, a);

    if (rc == SYNCLINE_OK)
        rc = sealed_item_name(s, key, &called, a);
    if (rc == SYNCLINE_OK)
        rc = cells_of_changes(&g.of, it, false, a);
    for (uint32_t i = 0; i < it->changes_n && rc == SYNCLINE_OK; i++)
        rc = seal_change(&g, i);
    if (rc != SYNCLINE_OK)
        return rc;
    if (made.cells_n > 0)
        qsort(made.cells, made.cells_n, sizeof *made.cells, by_path);
    *name = called;
    *out = made;
    return SYNCLINE_OK;
}

/* ---- opening ---- */

static int open_change(const struct sealer *s, const struct change *from,
    struct slice *key, struct change *to, struct arena *a)
{
    struct sealed_change rest;
    struct slice plain = SLICE_NONE;
    uint8_t salt[SALT_LEN];
    struct buf b = { 0 };
    struct proof p;
    struct reader r;
    int rc = proof_read(&p, from->proof);

    if (rc == SYNCLINE_OK)
        rc = sealed_read_change(&b, from, &rest);
    if (rc == SYNCLINE_OK)
        rc = open_seal(s, &rest.seal, &plain, a);
    buf_free(&b);
    if (rc != SYNCLINE_OK)
        return rc;
    r = reader_of(plain);
    get_into(&r, salt, sizeof salt);
    *key = get_bytes(&r);
    to->originals = NULL;
    to->originals_n = 0;
    if (r.err == 0 && r.in.len > 0)
        get_change_originals(&r, to, a);
    rc = reader_end(&r);
    return rc == SYNCLINE_OK ? put_salt(to, &p, salt, a) : rc;
}

static int open_cells(const struct sealer *s, struct item *it, struct arena *a)
{
    for (uint32_t i = 0; i < it->cells_n; i++) {
        struct envelope_content c;
        int rc = sealed_cell_open(s, it->cells[i].value, &c, a);

        if (rc != SYNCLINE_OK)
            return rc;
        it->cells[i].path = c.path;
        it->cells[i].value = c.value;
    }
    if (it->cells_n > 0)
        qsort(it->cells, it->cells_n, sizeof *it->cells, by_path);
    return SYNCLINE_OK;
}

/* Its bytes, which are those of an item that somebody could have. */
static int take_item(struct item *it, struct slice *bytes, struct arena *a)
{
    struct buf b = { 0 };
    struct reader r;
    int rc;

    put_item(&b, it);
    rc = take(&b, SYNCLINE_OK, bytes, a);
    if (rc != SYNCLINE_OK)
        return rc;
    r = reader_of(*bytes);
    rc = get_item(&r, it, a);
    return rc == SYNCLINE_OK ? reader_end(&r) : rc;
}

/* All that a seal, a name or a place could say otherwise shows here. */
static int check_again(const struct sealer *s, struct slice key,
    const struct item *it, struct slice name, const struct item *sealed,
    struct arena *a)
{
    struct buf want = { 0 }, got = { 0 };
    struct slice called;
    struct item again;
    int rc = sealed_make(s, key, it, &called, &again, a);

    if (rc == SYNCLINE_OK) {
        put_item(&want, &again);
        put_item(&got, sealed);
        rc = buf_status(&want) != 0 ? buf_status(&want) : buf_status(&got);
    }
    if (rc == SYNCLINE_OK &&
        (!slice_eq(called, name) ||
            !slice_eq(buf_slice(&want), buf_slice(&got))))
        rc = SYNCLINE_EDENIED;
    buf_free(&want);
    buf_free(&got);
    return rc;
}

int sealed_open(const struct sealer *s, struct slice name,
    const struct item *it, struct slice *key, struct slice *bytes,
    struct arena *a)
{
    struct slice called = SLICE_NONE, made = SLICE_NONE;
    struct item out;
    int rc = it->changes_n > 0 ? item_copy(&out, it, a) : SYNCLINE_ENOTFOUND;

    for (uint32_t i = 0; i < it->changes_n && rc == SYNCLINE_OK; i++)
        rc = open_change(s, &it->changes[i], &called, &out.changes[i], a);
    if (rc == SYNCLINE_OK)
        rc = open_cells(s, &out, a);
    if (rc == SYNCLINE_OK)
        rc = take_item(&out, &made, a);
    if (rc == SYNCLINE_OK)
        rc = check_again(s, called, &out, name, it, a);
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ESHORT ? SYNCLINE_EMALFORMED : rc;
    *key = called;
    *bytes = made;
    return SYNCLINE_OK;
}
