/* The way back: every seal is opened, and it is looked at whether sealing what
 * came out would make what came. Under one key and tag one text has one seal,
 * so that nothing need be encrypted for that: it is enough that names, tags,
 * places and keys are those that would be made. */
#include "repl/sealed.h"

#include "base/plant.h"
#include "base/text.h"
#include "repl/proofs.h"

#include <stdlib.h>

/* What a change shows to everybody, copied from where it was read. */
struct opened_change {
    const struct envelope_keys *keys;
    struct proof proof; /* with its salt */
    bool has_originals, has_tombstone;
    uint8_t originals[ENVELOPE_TAG_LEN], tombstone[ENVELOPE_TAG_LEN];
};

/* A cell in clear, and what it came out of. */
struct opened_cell {
    struct cell cell; /* first, for by_path */
    const struct cell *from;
    uint8_t tag[ENVELOPE_TAG_LEN];
};

/* One after the other; the buffers are filled anew. */
struct opening {
    const struct sealer *by;
    struct arena *arena;
    struct slice key; /* that the first change tells */
    struct opened_change *changes;
    struct opened_cell *cells;
    struct buf text, plain;
};

static void opening_close(struct opening *o)
{
    buf_free(&o->text);
    buf_free(&o->plain);
}

static const struct crypto_port *crypto_of(const struct opening *o)
{
    return o->by->node->opt.crypto;
}

static int kept(struct slice s, struct slice *out, struct arena *a)
{
    struct slice made = arena_dup(a, s);

    if (made.ptr == NULL)
        return SYNCLINE_ENOMEM;
    *out = made;
    return SYNCLINE_OK;
}

/* The head tells all that stands before the seal proper: the keys, which say it
 * in one way, and the tag. */
static int open_seal(struct opening *o, const struct envelope_seal_head *head,
    const struct envelope_keys **keys, struct slice *plain)
{
    int rc;

    *keys = sealer_opens(o->by, head->epoch, head->key_id);
    if (*keys == NULL)
        return SYNCLINE_ENOTFOUND;
    buf_clear(&o->plain);
    rc = envelope_open(&o->plain, crypto_of(o), *keys, head);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&o->plain);
    return rc == SYNCLINE_OK ? kept(buf_slice(&o->plain), plain, o->arena) : rc;
}

/* head: borrows from the value. */
static int open_content(struct opening *o, struct slice value,
    struct envelope_content *out, struct envelope_seal_head *head,
    const struct envelope_keys **keys)
{
    struct envelope_content c;
    struct sealed_cell cell;
    struct slice plain;
    struct reader r;
    int rc = sealed_read_cell(value, &cell);

    if (rc == SYNCLINE_OK)
        rc = open_seal(o, &cell.seal, keys, &plain);
    if (rc != SYNCLINE_OK)
        return rc;
    r = reader_of(plain);
    c.key = get_bytes(&r);
    c.path = get_bytes(&r);
    c.value = cell.removed ? SLICE_NONE : r.in;
    if (r.err != 0 || cell.removed != (r.in.len == 0))
        return SYNCLINE_EMALFORMED;
    *head = cell.seal;
    *out = c;
    return SYNCLINE_OK;
}

int sealed_cell_open(const struct sealer *s, struct slice value,
    struct envelope_content *out, struct arena *a)
{
    struct opening o = { .by = s, .arena = a };
    struct envelope_seal_head head;
    const struct envelope_keys *keys;
    int rc = open_content(&o, value, out, &head, &keys);

    opening_close(&o);
    return rc;
}

/* ---- changes ---- */

static int open_rest(struct opening *o, const struct change *from,
    struct opened_change *to, struct slice *plain)
{
    uint8_t own[ENVELOPE_TAG_LEN];
    const struct envelope_keys *keys;
    struct sealed_change rest;
    int rc = sealed_read_change(from, &rest);

    if (rc == SYNCLINE_OK)
        rc = open_seal(o, &rest.seal, &keys, plain);
    if (rc == SYNCLINE_OK)
        rc = envelope_own_tag(own, crypto_of(o), keys, *plain);
    if (rc != SYNCLINE_OK)
        return rc;
    to->keys = sealer_opens(o->by, to->proof.head.epoch, to->proof.head.key_id);
    if (to->keys == NULL)
        return SYNCLINE_ENOTFOUND;
    if (to->keys != keys || memcmp(own, rest.seal.tag, sizeof own) != 0)
        return SYNCLINE_EDENIED;
    to->has_originals = rest.originals != NULL;
    to->has_tombstone = rest.tombstone != NULL;
    if (to->has_originals)
        memcpy(to->originals, rest.originals, ENVELOPE_TAG_LEN);
    if (to->has_tombstone)
        memcpy(to->tombstone, rest.tombstone, ENVELOPE_TAG_LEN);
    return SYNCLINE_OK;
}

/* As they are written, and no other way. */
static int read_originals(struct opening *o, struct slice in, struct change *to)
{
    struct reader r = reader_of(in);

    to->originals = NULL;
    to->originals_n = 0;
    if (in.len == 0)
        return SYNCLINE_OK;
    get_change_originals(&r, to, o->arena);
    if (reader_end(&r) != SYNCLINE_OK)
        return reader_end(&r);
    buf_clear(&o->text);
    put_change_originals(&o->text, to);
    if (buf_status(&o->text) != SYNCLINE_OK)
        return buf_status(&o->text);
    return slice_eq(buf_slice(&o->text), in) ? SYNCLINE_OK : SYNCLINE_EDENIED;
}

static int open_change(struct opening *o, const struct change *from,
    struct opened_change *c, struct change *to)
{
    static const uint8_t no_salt[SALT_LEN];
    struct slice plain, key;
    struct reader r;
    int rc = proof_read(&c->proof, from->proof);

    if (rc == SYNCLINE_OK)
        rc = open_rest(o, from, c, &plain);
    if (rc != SYNCLINE_OK)
        return rc;
    if (memcmp(c->proof.head.salt, no_salt, SALT_LEN) != 0)
        return SYNCLINE_EDENIED;
    r = reader_of(plain);
    get_into(&r, c->proof.head.salt, SALT_LEN);
    key = get_bytes(&r);
    if (r.err != 0)
        return SYNCLINE_EMALFORMED;
    if (o->key.ptr != NULL && !slice_eq(o->key, key))
        return SYNCLINE_EDENIED;
    o->key = key;
    rc = read_originals(o, r.in, to);
    buf_clear(&o->text);
    proof_put(&o->text, &c->proof);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&o->text);
    return rc == SYNCLINE_OK ? kept(buf_slice(&o->text), &to->proof, o->arena)
                             : rc;
}

static int check_name(const struct opening *o, struct slice name)
{
    uint8_t token[SHA256_LEN];
    int rc = envelope_item_token(token, crypto_of(o), &o->by->keys[0], o->key);

    if (rc != SYNCLINE_OK)
        return rc;
    return hex_is(name, SLICE(token, sizeof token)) ? SYNCLINE_OK
                                                    : SYNCLINE_EDENIED;
}

/* ---- cells ---- */

static int open_cell(
    struct opening *o, const struct cell *from, struct opened_cell *to)
{
    uint8_t token[SHA256_LEN];
    struct envelope_content c;
    struct envelope_seal_head head;
    const struct envelope_keys *keys;
    int rc = open_content(o, from->value, &c, &head, &keys);

    if (rc == SYNCLINE_OK && !slice_eq(c.key, o->key))
        rc = SYNCLINE_EDENIED;
    if (rc == SYNCLINE_OK)
        rc = envelope_cell_token(
            token, crypto_of(o), &o->by->keys[0], o->key, c.path);
    if (rc != SYNCLINE_OK)
        return rc;
    if (keys != o->changes[from->change].keys || from->path.len == 0 ||
        from->path.ptr[0] != '/' ||
        !hex_is(slice_from(from->path, 1), SLICE(token, sizeof token)))
        return SYNCLINE_EDENIED;
    to->from = from;
    to->cell = *from;
    to->cell.path = c.path;
    to->cell.value = c.value;
    memcpy(to->tag, head.tag, sizeof to->tag);
    return SYNCLINE_OK;
}

static int by_path(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;

    return path_cmp(x->path, y->path);
}

static int open_cells(
    struct opening *o, const struct item *sealed, struct item *it)
{
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0; i < it->cells_n && rc == SYNCLINE_OK; i++)
        rc = open_cell(o, &sealed->cells[i], &o->cells[i]);
    if (rc != SYNCLINE_OK || it->cells_n == 0)
        return rc;
    qsort(o->cells, it->cells_n, sizeof *o->cells, by_path);
    for (uint32_t i = 0; i < it->cells_n; i++)
        it->cells[i] = o->cells[i].cell;
    return SYNCLINE_OK;
}

/* ---- what they would be sealed to ---- */

static int check_leaf(struct leaf_maker *m, const struct cell *cell,
    const uint8_t tag[ENVELOPE_TAG_LEN])
{
    uint8_t header[ENVELOPE_HEADER_LEN], made[ENVELOPE_TAG_LEN];
    int rc = leaf_parts(m, cell, header, made);

    if (rc != SYNCLINE_OK)
        return rc;
    return memcmp(made, tag, sizeof made) == 0 || PLANTED(R26_SEALS)
        ? SYNCLINE_OK
        : SYNCLINE_EDENIED;
}

static int check_cells(struct opening *o, const struct opened_change *c,
    struct leaf_maker *m, const uint32_t *cells, uint32_t n)
{
    uint32_t *places = arena_alloc(o->arena, (n + 1) * sizeof *places);
    int rc = SYNCLINE_OK;

    if (places == NULL)
        return SYNCLINE_ENOMEM;
    if (n > 0)
        proof_places(&c->proof, places);
    for (uint32_t i = 0; i < n && rc == SYNCLINE_OK; i++) {
        const struct opened_cell *at = &o->cells[cells[i]];

        rc = sealed_is_at(at->from, places[i])
            ? check_leaf(m, &at->cell, at->tag)
            : SYNCLINE_EDENIED;
    }
    return rc;
}

/* The maker has turned to it. */
static int check_tags(struct leaf_maker *m, const struct item *it, uint32_t ix,
    const struct opened_change *c)
{
    const bool is_tomb = it->tomb == (int64_t)ix;
    const bool has_originals = it->changes[ix].originals_n > 0;

    if (c->has_originals != has_originals || c->has_tombstone != is_tomb ||
        (has_originals &&
            memcmp(m->originals, c->originals, ENVELOPE_TAG_LEN) != 0))
        return SYNCLINE_EDENIED;
    return is_tomb ? check_leaf(m, NULL, c->tombstone) : SYNCLINE_OK;
}

static int check_change(struct opening *o, const struct item *it,
    const struct cells_of *of, uint32_t ix)
{
    const struct opened_change *c = &o->changes[ix];
    const uint32_t from = of->from[ix], n = of->from[ix + 1] - from;
    struct leaf_maker m;
    int rc;

    if (c->proof.living_n != leaves_n(it, of, ix))
        return SYNCLINE_EMALFORMED;
    rc = leaf_maker_init(
        &m, o->by->node, o->by->space, o->key, it->length, &c->proof.head);
    if (rc == SYNCLINE_OK)
        rc = leaf_maker_turn(&m, &it->changes[ix]);
    if (rc == SYNCLINE_OK)
        rc = check_tags(&m, it, ix, c);
    if (rc == SYNCLINE_OK)
        rc = check_cells(o, c, &m, of->cell + from, n);
    leaf_maker_free(&m);
    return rc;
}

static int open_item(struct opening *o, struct slice name,
    const struct item *sealed, struct item *it)
{
    struct cells_of of;
    int rc = item_copy(it, sealed, o->arena);

    o->changes =
        arena_alloc(o->arena, (sealed->changes_n + 1) * sizeof *o->changes);
    o->cells = arena_alloc(o->arena, (sealed->cells_n + 1) * sizeof *o->cells);
    if (o->changes == NULL || o->cells == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < it->changes_n && rc == SYNCLINE_OK; i++)
        rc = open_change(
            o, &sealed->changes[i], &o->changes[i], &it->changes[i]);
    if (rc == SYNCLINE_OK)
        rc = check_name(o, name);
    if (rc == SYNCLINE_OK)
        rc = open_cells(o, sealed, it);
    if (rc == SYNCLINE_OK)
        rc = cells_of_changes(&of, it, false, o->arena);
    for (uint32_t i = 0; i < it->changes_n && rc == SYNCLINE_OK; i++)
        rc = check_change(o, it, &of, i);
    return rc;
}

int sealed_open_item(const struct sealer *s, struct slice name,
    const struct item *it, struct slice *key, struct item *out, struct arena *a)
{
    struct opening o = { .by = s, .arena = a };
    struct item clear;
    int rc = it->changes_n > 0 ? open_item(&o, name, it, &clear)
                               : SYNCLINE_ENOTFOUND;

    opening_close(&o);
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ESHORT ? SYNCLINE_EMALFORMED : rc;
    *key = o.key;
    *out = clear;
    return SYNCLINE_OK;
}

int sealed_open(const struct sealer *s, struct slice name,
    const struct item *it, struct slice *key, struct slice *bytes,
    struct arena *a)
{
    struct slice called, made;
    struct buf b = { 0 };
    struct item clear;
    int rc = sealed_open_item(s, name, it, &called, &clear, a);

    if (rc != SYNCLINE_OK)
        return rc;
    put_item(&b, &clear);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = kept(buf_slice(&b), &made, a);
    buf_free(&b);
    if (rc != SYNCLINE_OK)
        return rc;
    *key = called;
    *bytes = made;
    return SYNCLINE_OK;
}
