/* What a relay sees:
 *   of a cell     u8 0 value, 1 removed; its leaf's place, u24, high end first;
 *                 a seal
 *   of a change   u8 flags, the tags that they name, a seal */
#include "repl/sealed.h"

#include "base/text.h"

enum sealed_flag { SEALED_ORIGINALS = 1, SEALED_TOMBSTONE = 2 };

#define CELL_HEAD_LEN (1 + SEALED_PLACE_LEN)

int sealed_read_cell(struct slice value, struct sealed_cell *out)
{
    struct sealed_cell c;
    int rc;

    if (value.len < CELL_HEAD_LEN || value.len > VALUE_SEALED_MAX ||
        value.ptr[0] > 1)
        return SYNCLINE_EMALFORMED;
    c.removed = value.ptr[0] == 1;
    rc = envelope_read(slice_from(value, CELL_HEAD_LEN), &c.seal);
    if (rc == SYNCLINE_OK)
        *out = c;
    return rc;
}

void put_sealed_cell(struct buf *b, bool removed, uint32_t place)
{
    buf_put_u8(b, removed);
    buf_put_u8(b, (uint8_t)(place >> 16));
    buf_put_u8(b, (uint8_t)(place >> 8));
    buf_put_u8(b, (uint8_t)place);
}

bool sealed_is_removed(const struct contender *c)
{
    return c->value.len > 0 && c->value.ptr[0] == 1;
}

static const uint8_t *get_tag(struct reader *r, bool is_there)
{
    return is_there ? get_fixed(r, ENVELOPE_TAG_LEN).ptr : NULL;
}

/* No writer is his own original. */
static bool is_sealed(const struct change *c)
{
    const struct original *o = c->originals;

    return c->originals_n == 1 && dot_eq(&o->dot, &c->dot) &&
        stamp_cmp(&o->stamp, &c->stamp) == 0;
}

bool sealed_is_other(const struct item *it, bool sealed)
{
    bool any = false;

    for (uint32_t i = 0; i < it->changes_n; i++)
        any = any || is_sealed(&it->changes[i]);
    return it->changes_n > 0 && any != sealed;
}

static bool is_hex(struct slice s)
{
    uint8_t wrong = 0; /* no branch, so that many go at once */

    if (s.len != SEALED_NAME_LEN)
        return false;
    for (size_t i = 0; i < SEALED_NAME_LEN; i++)
        wrong |= (uint8_t)((uint8_t)(s.ptr[i] - '0') > 9) &
            (uint8_t)((uint8_t)(s.ptr[i] - 'a') > 5);
    return wrong == 0;
}

bool sealed_is_named(struct slice key, const struct item *it)
{
    bool is = is_hex(key);

    for (uint32_t i = 0; i < it->cells_n && is; i++)
        is = it->cells[i].path.len == SEALED_PATH_LEN &&
            it->cells[i].path.ptr[0] == '/' &&
            is_hex(slice_from(it->cells[i].path, 1));
    return is;
}

static bool is_sealed_side(const struct contender *c)
{
    struct sealed_cell cell;

    return c->value.ptr == NULL ||
        (c->path.len == SEALED_PATH_LEN && is_hex(slice_from(c->path, 1)) &&
            sealed_read_cell(c->value, &cell) == SYNCLINE_OK);
}

bool sealed_is_record(struct slice key, const struct contender *loser,
    const struct contender *winner)
{
    return is_hex(key) && loser->path.len > 0 && is_sealed_side(loser) &&
        is_sealed_side(winner);
}

int sealed_read_change(const struct change *c, struct sealed_change *out)
{
    struct sealed_change got;
    struct reader r;
    uint8_t flags;
    int rc;

    if (!is_sealed(c) || c->originals->value.len > VALUE_SEALED_MAX)
        return SYNCLINE_EMALFORMED;
    r = reader_of(c->originals->value);
    flags = get_u8(&r);
    got.originals = get_tag(&r, (flags & SEALED_ORIGINALS) != 0);
    got.tombstone = get_tag(&r, (flags & SEALED_TOMBSTONE) != 0);
    if (r.err != 0 || flags > (SEALED_ORIGINALS | SEALED_TOMBSTONE))
        return SYNCLINE_EMALFORMED;
    rc = envelope_read(r.in, &got.seal);
    if (rc == SYNCLINE_OK)
        *out = got;
    return rc;
}

int sealed_check(const struct item *it)
{
    struct sealed_change change;
    struct sealed_cell cell;
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0; i < it->changes_n && rc == SYNCLINE_OK; i++)
        rc = sealed_read_change(&it->changes[i], &change);
    for (uint32_t i = 0; i < it->cells_n && rc == SYNCLINE_OK; i++)
        rc = sealed_read_cell(it->cells[i].value, &cell);
    return rc;
}

void put_sealed_change(
    struct buf *b, const uint8_t *originals, const uint8_t *tombstone)
{
    buf_put_u8(b,
        (uint8_t)((originals != NULL ? SEALED_ORIGINALS : 0) |
            (tombstone != NULL ? SEALED_TOMBSTONE : 0)));
    if (originals != NULL)
        buf_put(b, originals, ENVELOPE_TAG_LEN);
    if (tombstone != NULL)
        buf_put(b, tombstone, ENVELOPE_TAG_LEN);
}

struct slice sealed_place_of(const struct cell *c)
{
    struct slice from = slice_from(c->value, c->value.len > 0);

    return SLICE(
        from.ptr, from.len < SEALED_PLACE_LEN ? from.len : SEALED_PLACE_LEN);
}

bool sealed_is_at(const struct cell *c, uint32_t place)
{
    const uint8_t bytes[] = { (uint8_t)(place >> 16), (uint8_t)(place >> 8),
        (uint8_t)place };

    return slice_eq(sealed_place_of(c), SLICE(bytes, sizeof bytes));
}
