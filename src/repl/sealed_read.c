/* What a relay sees: a JSON text,
 *   of a cell     a digit (0 value, 1 removed), six of its leaf's place, a seal
 *   of a change   u8 flags, the tags that they name, a seal
 * where what follows the digits is base64. */
#include "repl/sealed.h"

#include "base/text.h"

enum sealed_flag { SEALED_ORIGINALS = 1, SEALED_TOMBSTONE = 2 };

/* What is between the quotes, less as many digits. */
static int read_text(struct buf *b, struct slice value, size_t digits)
{
    buf_clear(b);
    if (value.len < digits + 2 || value.ptr[0] != '"' ||
        value.ptr[value.len - 1] != '"')
        return SYNCLINE_EMALFORMED;
    return base64_decode(
        b, SLICE(value.ptr + 1 + digits, value.len - 2 - digits));
}

int sealed_read_cell(struct buf *b, struct slice value, struct sealed_cell *out)
{
    struct sealed_cell c;
    int rc = read_text(b, value, 1 + SEALED_PLACE_LEN);

    if (rc == SYNCLINE_OK)
        rc = envelope_read(buf_slice(b), &c.seal);
    if (rc != SYNCLINE_OK)
        return rc;
    c.removed = value.ptr[1] == '1';
    if (!c.removed && value.ptr[1] != '0')
        return SYNCLINE_EMALFORMED;
    *out = c;
    return SYNCLINE_OK;
}

/* As much as a head may have, and what must come behind. */
#define HEAD_BYTES (ENVELOPE_CLEAR_MAX + GCM_TAG_LEN)
#define HEAD_DIGITS ((size_t)(HEAD_BYTES + 2) / 3 * 4)

int sealed_read_head(struct buf *b, struct slice value, struct sealed_cell *out)
{
    const size_t before = 1 + 1 + SEALED_PLACE_LEN, most = before + HEAD_DIGITS;
    struct sealed_cell c;
    int rc;

    if (value.len <= most + 1)
        return sealed_read_cell(b, value, out);
    buf_clear(b);
    rc = base64_decode(b, SLICE(value.ptr + before, HEAD_DIGITS));
    if (rc == SYNCLINE_OK)
        rc = envelope_read(buf_slice(b), &c.seal);
    if (rc != SYNCLINE_OK)
        return rc;
    c.removed = value.ptr[1] == '1';
    *out = c;
    return SYNCLINE_OK;
}

bool sealed_is_removed(const struct contender *c)
{
    return c->value.len > 1 && c->value.ptr[1] == '1';
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

static bool is_sealed_side(struct buf *b, const struct contender *c)
{
    struct sealed_cell cell;

    return c->value.ptr == NULL ||
        (c->path.len == SEALED_PATH_LEN && is_hex(slice_from(c->path, 1)) &&
            sealed_read_cell(b, c->value, &cell) == SYNCLINE_OK);
}

bool sealed_is_record(struct slice key, const struct contender *loser,
    const struct contender *winner)
{
    struct buf b = { 0 };
    bool is = is_hex(key) && loser->path.len > 0 && is_sealed_side(&b, loser) &&
        is_sealed_side(&b, winner);

    buf_free(&b);
    return is;
}

int sealed_read_change(
    struct buf *b, const struct change *c, struct sealed_change *out)
{
    const struct original *o = c->originals;
    struct sealed_change got;
    struct reader r;
    uint8_t flags;
    int rc;

    if (!is_sealed(c))
        return SYNCLINE_EMALFORMED;
    rc = read_text(b, o->value, 0);
    if (rc != SYNCLINE_OK)
        return rc;
    r = reader_of(buf_slice(b));
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
    struct slice from = slice_from(c->value, 2);

    return SLICE(
        from.ptr, from.len < SEALED_PLACE_LEN ? from.len : SEALED_PLACE_LEN);
}

bool sealed_is_at(const struct cell *c, uint32_t place)
{
    const uint8_t bytes[] = { (uint8_t)(place >> 16), (uint8_t)(place >> 8),
        (uint8_t)place };

    return hex_is(sealed_place_of(c), SLICE(bytes, sizeof bytes));
}

void put_sealed_place(struct buf *b, uint32_t place)
{
    const uint8_t bytes[] = { (uint8_t)(place >> 16), (uint8_t)(place >> 8),
        (uint8_t)place };

    put_hex(b, SLICE(bytes, sizeof bytes));
}
