/* Conflict records, sealed for relays and opened. */
#include "repl/sealed.h"

#include "repl/keys.h"

/* Of a deletion, or of a life without cells: it is at no path. */
static bool is_nowhere(const struct contender *c)
{
    return c->path.len == 0 && c->value.ptr == NULL;
}

static int name_of(struct slice key, const struct contender *loser,
    struct slice *out, struct arena *a)
{
    struct buf b = { 0 };
    struct slice tail = key_conflict_tail(&b, key, loser->path, &loser->dot);
    int rc = buf_status(&b);

    if (rc == SYNCLINE_OK) {
        *out = arena_dup(a, tail);
        rc = out->ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
    }
    buf_free(&b);
    return rc;
}

static int take(struct slice key, const struct conflict_record *c,
    struct sealed_record *out, struct arena *a)
{
    struct sealed_record made;
    struct buf b = { 0 };
    int rc = name_of(key, &c->loser, &made.tail, a);

    put_conflict_record(&b, c);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&b);
    if (rc == SYNCLINE_OK) {
        made.bytes = arena_dup(a, buf_slice(&b));
        rc = made.bytes.ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
    }
    buf_free(&b);
    if (rc == SYNCLINE_OK)
        *out = made;
    return rc;
}

static int read_record(const struct sealed_record *in, struct slice *key,
    struct conflict_record *out)
{
    struct reader r = reader_of(in->bytes);
    struct slice path;
    struct dot dot;
    int rc = get_conflict_tail(in->tail, key, &path, &dot);

    if (rc == SYNCLINE_OK)
        rc = get_conflict_record(&r, out);
    if (rc == SYNCLINE_OK)
        rc = reader_end(&r);
    return rc == SYNCLINE_OK && dot_eq(&dot, &out->loser.dot) &&
            slice_eq(path, out->loser.path)
        ? SYNCLINE_OK
        : SYNCLINE_EMALFORMED;
}

/* ---- sealing ---- */

static int seal_side(const struct sealer *s, struct slice key,
    struct contender *c, struct arena *a)
{
    const struct envelope_content content = { key, c->path, c->value };
    int rc;

    if (is_nowhere(c))
        return SYNCLINE_OK;
    rc = sealed_cell_path(s, key, content.path, &c->path, a);
    return rc == SYNCLINE_OK ? sealed_cell_value(s, &s->keys[s->current], NULL,
                                   0, &content, &c->value, a)
                             : rc;
}

int sealed_record_make(const struct sealer *s,
    const struct sealed_record *clear, struct sealed_record *out,
    struct arena *a)
{
    struct conflict_record c;
    struct slice key, name;
    int rc = read_record(clear, &key, &c);

    if (rc == SYNCLINE_OK)
        rc = sealed_item_name(s, key, &name, a);
    if (rc == SYNCLINE_OK) {
        c.state |= CONFLICT_TOLD;
        rc = seal_side(s, key, &c.loser, a);
    }
    if (rc == SYNCLINE_OK)
        rc = seal_side(s, key, &c.winner, a);
    return rc == SYNCLINE_OK ? take(name, &c, out, a) : rc;
}

/* ---- opening ---- */

/* Each stands under its own name, in the item that the first one is of. */
static int open_side(const struct sealer *s, struct slice *key,
    struct contender *c, struct arena *a)
{
    struct envelope_content got;
    struct slice path;
    int rc;

    if (is_nowhere(c))
        return SYNCLINE_OK;
    rc = sealed_cell_open(s, c->value, &got, a);
    if (rc == SYNCLINE_OK)
        rc = sealed_cell_path(s, got.key, got.path, &path, a);
    if (rc != SYNCLINE_OK)
        return rc;
    if (!slice_eq(path, c->path) ||
        (key->ptr != NULL && !slice_eq(*key, got.key)))
        return SYNCLINE_EDENIED;
    *key = got.key;
    c->path = got.path;
    c->value = got.value;
    return SYNCLINE_OK;
}

/* A relay takes for values what was removed, and equal values for two. */
static bool is_conflict(const struct conflict_record *c)
{
    return c->loser.value.ptr != NULL &&
        (c->winner.value.ptr == NULL ||
            !slice_eq(c->loser.value, c->winner.value) ||
            !slice_eq(c->loser.path, c->winner.path));
}

/* Is it sealed under a key that the mesh has, whether it is held or not? */
static int has_key(const struct sealer *s, const struct contender *c, bool *has)
{
    struct sealed_cell cell;
    struct key_id id;
    int rc = sealed_read_cell(c->value, &cell);

    *has = rc != SYNCLINE_OK || cell.seal.epoch == 0;
    if (!*has) {
        memcpy(id.b, cell.seal.key_id, KEY_ID_LEN);
        *has = keyring_find(&s->node->keyring, cell.seal.epoch, &id) != NULL;
    }
    return rc;
}

/* What shows no key is nothing that could be opened ever. */
static int look_at_side(const struct sealer *s, const struct contender *c,
    bool *locked, bool *counts)
{
    struct sealed_cell cell;
    bool has = true;
    int rc =
        is_nowhere(c) ? SYNCLINE_EMALFORMED : sealed_read_cell(c->value, &cell);

    *locked = rc == SYNCLINE_OK &&
        sealer_opens(s, cell.seal.epoch, cell.seal.key_id) == NULL;
    if (*locked)
        rc = has_key(s, c, &has);
    *counts = *counts || (*locked && has);
    return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
}

int sealed_record_lock(const struct sealer *s,
    const struct sealed_record *sealed, struct sealed_lock *out, bool *locked)
{
    const struct conflict_record *r = &out->record;
    bool won = false;
    int rc = read_record(sealed, &out->name, &out->record);

    out->counts = out->lost = false;
    if (rc == SYNCLINE_OK && !is_nowhere(&r->loser) &&
        !vv_covers(&s->space->have, &r->loser.dot)) {
        rc = look_at_side(s, &r->loser, &out->lost, &out->counts);
        if (rc == SYNCLINE_OK)
            rc = look_at_side(s, &r->winner, &won, &out->counts);
    }
    *locked = rc == SYNCLINE_OK && (out->lost || won);
    return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
}

int sealed_record_voided(
    const struct sealer *s, const struct sealed_record *sealed, bool *voided)
{
    struct conflict_record c;
    struct slice name;
    bool lost = true, won = true;
    int rc = read_record(sealed, &name, &c);

    if (rc == SYNCLINE_OK && !is_nowhere(&c.loser))
        rc = has_key(s, &c.loser, &lost);
    if (rc == SYNCLINE_OK && !is_nowhere(&c.winner))
        rc = has_key(s, &c.winner, &won);
    *voided = !lost || !won;
    return rc;
}

/* ENOTFOUND: it may be opened yet. */
static int leave_out(const struct sealer *s, struct contender *winner,
    bool same_path, const struct contender *loser)
{
    bool has;
    int rc = has_key(s, winner, &has);

    if (rc == SYNCLINE_OK && has)
        rc = SYNCLINE_ENOTFOUND;
    if (rc != SYNCLINE_OK)
        return rc;
    winner->path = same_path ? loser->path : SLICE_LIT("");
    winner->value = SLICE_NONE;
    return SYNCLINE_OK;
}

static int open_record(const struct sealer *s,
    const struct sealed_record *sealed, bool loser_only,
    struct sealed_record *out, struct arena *a)
{
    struct slice key = SLICE_NONE, called, name;
    struct conflict_record c;
    bool same_path;
    int rc = read_record(sealed, &called, &c);

    if (rc == SYNCLINE_OK && is_nowhere(&c.loser))
        rc = SYNCLINE_EMALFORMED;
    same_path = rc == SYNCLINE_OK && slice_eq(c.loser.path, c.winner.path);
    if (rc == SYNCLINE_OK)
        rc = open_side(s, &key, &c.loser, a);
    if (rc == SYNCLINE_OK) {
        rc = open_side(s, &key, &c.winner, a);
        if (rc == SYNCLINE_ENOTFOUND && loser_only)
            rc = leave_out(s, &c.winner, same_path, &c.loser);
    }
    if (rc == SYNCLINE_OK)
        rc = sealed_item_name(s, key, &name, a);
    if (rc == SYNCLINE_OK && !slice_eq(name, called))
        rc = SYNCLINE_EDENIED;
    if (rc != SYNCLINE_OK)
        return rc;
    c.state &= (uint8_t)~CONFLICT_TOLD;
    if (is_conflict(&c))
        return take(key, &c, out, a);
    *out = (struct sealed_record){ .tail = SLICE_NONE };
    return SYNCLINE_OK;
}

int sealed_record_open(const struct sealer *s,
    const struct sealed_record *sealed, struct sealed_record *out,
    struct arena *a)
{
    return open_record(s, sealed, false, out, a);
}

int sealed_record_open_loser(const struct sealer *s,
    const struct sealed_record *sealed, struct sealed_record *out,
    struct arena *a)
{
    return open_record(s, sealed, true, out, a);
}
