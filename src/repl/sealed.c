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

/* What came out of a seal, and where it stood. Under its key and its tag the
 * same would be sealed to the same bytes, so that to compare it need not be. */
struct unsealed {
    struct slice text; /* all of it */
    struct slice
        clear; /* of what it says, what stands before the seal proper */
    struct slice plain;
};

static bool is_again(const struct unsealed *was, struct slice digits,
    struct slice before, struct slice clear, struct slice plain)
{
    return slice_has_prefix(slice_from(was->text, 1), digits) &&
        was->clear.len == before.len + clear.len &&
        slice_has_prefix(was->clear, before) &&
        slice_eq(slice_from(was->clear, before.len), clear) &&
        slice_eq(was->plain, plain);
}

/* What is to be sealed, and what stands before it. */
struct to_seal {
    const struct envelope_keys *keys;
    const uint8_t *tag; /* NULL: the keys' own */
    struct slice digits;
    struct buf before, plain;   /* given back */
    const struct unsealed *was; /* NULL: it is sealed anew */
};

static int compare_again(const struct to_seal *t, struct slice *out)
{
    uint8_t clear[ENVELOPE_CLEAR_MAX];
    size_t n = envelope_put_clear(clear, t->keys, t->tag);

    if (!is_again(t->was, t->digits, buf_slice(&t->before), SLICE(clear, n),
            buf_slice(&t->plain)))
        return SYNCLINE_EDENIED;
    *out = t->was->text;
    return SYNCLINE_OK;
}

static int seal_text(const struct sealer *s, struct to_seal *t,
    struct slice *out, struct arena *a)
{
    uint8_t own[ENVELOPE_TAG_LEN];
    int rc = buf_status(&t->plain);

    if (rc == SYNCLINE_OK)
        rc = buf_status(&t->before);
    if (rc == SYNCLINE_OK && t->tag == NULL) {
        rc = envelope_own_tag(own, crypto_of(s), t->keys, buf_slice(&t->plain));
        t->tag = own;
    }
    if (rc == SYNCLINE_OK && t->was != NULL)
        rc = compare_again(t, out);
    else if (rc == SYNCLINE_OK)
        rc = take_text(t->digits, &t->before,
            envelope_seal(&t->before, crypto_of(s), t->keys, t->tag,
                buf_slice(&t->plain)),
            out, a);
    buf_free(&t->before);
    buf_free(&t->plain);
    return rc;
}

static int cell_value(const struct sealer *s, struct to_seal *t, uint32_t place,
    const struct envelope_content *c, struct slice *out, struct arena *a)
{
    struct buf digits = { 0 };
    int rc;

    buf_put_u8(&digits, c->value.ptr != NULL ? '0' : '1');
    put_sealed_place(&digits, place);
    put_bytes(&t->plain, c->key);
    put_bytes(&t->plain, c->path);
    buf_put_slice(&t->plain, c->value);
    t->digits = buf_slice(&digits);
    rc = seal_text(s, t, out, a);
    if (buf_status(&digits) != SYNCLINE_OK)
        rc = buf_status(&digits);
    buf_free(&digits);
    return rc;
}

int sealed_cell_value(const struct sealer *s, const struct envelope_keys *keys,
    const uint8_t tag[ENVELOPE_TAG_LEN], uint32_t place,
    const struct envelope_content *c, struct slice *out, struct arena *a)
{
    struct to_seal t = { .keys = keys, .tag = tag };

    return cell_value(s, &t, place, c, out, a);
}

/* One after the other; the buffers are filled anew. */
struct opening {
    const struct sealer *by;
    struct arena *arena;
    struct buf text, plain;
};

static void opening_close(struct opening *o)
{
    buf_free(&o->text);
    buf_free(&o->plain);
}

static int copy(struct slice s, struct slice *out, struct arena *a)
{
    struct slice made = arena_dup(a, s);

    if (made.ptr == NULL)
        return SYNCLINE_ENOMEM;
    *out = made;
    return SYNCLINE_OK;
}

/* text says, decoded, o->text, in which the seal is. */
static int open_seal(struct opening *o, struct slice text,
    const struct envelope_seal_head *head, struct unsealed *out)
{
    const struct sealer *s = o->by;
    const struct envelope_keys *keys =
        sealer_keys(s, head->epoch, head->key_id);
    size_t clear = o->text.len - head->sealed.len;
    int rc;

    if (keys == NULL)
        return SYNCLINE_ENOTFOUND;
    buf_clear(&o->plain);
    rc = envelope_open(&o->plain, crypto_of(s), keys, head);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&o->plain);
    out->text = text;
    if (rc == SYNCLINE_OK)
        rc = copy(buf_slice(&o->plain), &out->plain, o->arena);
    return rc == SYNCLINE_OK
        ? copy(SLICE(o->text.ptr, clear), &out->clear, o->arena)
        : rc;
}

static int open_cell(struct opening *o, struct slice value,
    struct envelope_content *out, struct unsealed *was)
{
    struct envelope_content c;
    struct sealed_cell cell;
    struct reader r;
    int rc = sealed_read_cell(&o->text, value, &cell);

    if (rc == SYNCLINE_OK)
        rc = open_seal(o, value, &cell.seal, was);
    if (rc != SYNCLINE_OK)
        return rc;
    r = reader_of(was->plain);
    c.key = get_bytes(&r);
    c.path = get_bytes(&r);
    c.value = cell.removed ? SLICE_NONE : r.in;
    if (r.err != 0 || cell.removed != (r.in.len == 0))
        return SYNCLINE_EMALFORMED;
    *out = c;
    return SYNCLINE_OK;
}

int sealed_cell_open(const struct sealer *s, struct slice value,
    struct envelope_content *out, struct arena *a)
{
    struct opening o = { .by = s, .arena = a };
    struct unsealed was;
    int rc = open_cell(&o, value, out, &was);

    opening_close(&o);
    return rc;
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
    /* Of changes and cells, where it is done to compare: else NULL. */
    const struct unsealed *changes, *cells;
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
    struct to_seal seal = { .keys = t->keys,
        .tag = tag,
        .was = g->cells != NULL ? &g->cells[cell] : NULL };
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
    struct to_seal seal = { .keys = t->keys,
        .was = g->changes != NULL ? &g->changes[t->ix] : NULL };
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
    return seal_text(g->by, &seal, &out->value, g->arena);
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

/* ---- opening ---- */

static int open_change(struct opening *o, const struct change *from,
    struct slice *key, struct change *to, struct unsealed *was)
{
    struct sealed_change rest;
    uint8_t salt[SALT_LEN];
    struct proof p;
    struct reader r;
    int rc = proof_read(&p, from->proof);

    if (rc == SYNCLINE_OK)
        rc = sealed_read_change(&o->text, from, &rest);
    if (rc == SYNCLINE_OK)
        rc = open_seal(o, from->originals->value, &rest.seal, was);
    if (rc != SYNCLINE_OK)
        return rc;
    r = reader_of(was->plain);
    get_into(&r, salt, sizeof salt);
    *key = get_bytes(&r);
    to->originals = NULL;
    to->originals_n = 0;
    if (r.err == 0 && r.in.len > 0)
        get_change_originals(&r, to, o->arena);
    rc = reader_end(&r);
    return rc == SYNCLINE_OK ? put_salt(to, &p, salt, o->arena) : rc;
}

/* A cell, and what it came out of. */
struct opened {
    struct cell cell; /* first, for by_path */
    struct unsealed was;
};

static int open_cells(struct opening *o, struct item *it, struct unsealed *was)
{
    struct opened *e = arena_alloc(o->arena, (it->cells_n + 1) * sizeof *e);

    if (e == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < it->cells_n; i++) {
        struct envelope_content c;
        int rc = open_cell(o, it->cells[i].value, &c, &e[i].was);

        if (rc != SYNCLINE_OK)
            return rc;
        e[i].cell = it->cells[i];
        e[i].cell.path = c.path;
        e[i].cell.value = c.value;
    }
    if (it->cells_n > 0)
        qsort(e, it->cells_n, sizeof *e, by_path);
    for (uint32_t i = 0; i < it->cells_n; i++) {
        it->cells[i] = e[i].cell;
        was[i] = e[i].was;
    }
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
static int check_again(
    struct sealing *again, struct slice name, const struct item *sealed)
{
    struct buf want = { 0 }, got = { 0 };
    struct slice called;
    int rc = seal_item(again, &called);

    if (rc == SYNCLINE_OK) {
        put_item(&want, again->out);
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

static int open_item(struct opening *o, const struct item *it,
    struct slice *key, struct item *out, struct sealing *again)
{
    struct unsealed *was = arena_alloc(
        o->arena, ((size_t)it->changes_n + it->cells_n + 1) * sizeof *was);
    int rc = was != NULL ? item_copy(out, it, o->arena) : SYNCLINE_ENOMEM;

    for (uint32_t i = 0; i < it->changes_n && rc == SYNCLINE_OK; i++)
        rc = open_change(o, &it->changes[i], key, &out->changes[i], &was[i]);
    if (rc == SYNCLINE_OK)
        rc = open_cells(o, out, was + it->changes_n);
    again->changes = was;
    again->cells = was + it->changes_n;
    return rc;
}

int sealed_open(const struct sealer *s, struct slice name,
    const struct item *it, struct slice *key, struct slice *bytes,
    struct arena *a)
{
    struct slice called = SLICE_NONE, made = SLICE_NONE;
    struct item out, sealed;
    struct opening o = { .by = s, .arena = a };
    struct sealing again = {
        .by = s, .item = &out, .out = &sealed, .arena = a
    };
    int rc = it->changes_n > 0 ? open_item(&o, it, &called, &out, &again)
                               : SYNCLINE_ENOTFOUND;

    opening_close(&o);
    again.key = called;
    if (rc == SYNCLINE_OK)
        rc = take_item(&out, &made, a);
    if (rc == SYNCLINE_OK)
        rc = check_again(&again, name, it);
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ESHORT ? SYNCLINE_EMALFORMED : rc;
    *key = called;
    *bytes = made;
    return SYNCLINE_OK;
}
