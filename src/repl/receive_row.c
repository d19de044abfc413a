/* What a row must be, whoever sends it: readable, canonical, no larger than
 * somebody could have written it. */
#include "base/plant.h"
#include "repl/receive_impl.h"

/* Most values can be seen to be canonical: words, plain strings, integers of
 * up to eighteen digits. */
static bool is_plainly_canonical(struct slice v)
{
    size_t i = v.ptr[0] == '-';

    if (slice_is(v, "true") || slice_is(v, "false") || slice_is(v, "null") ||
        slice_is(v, "{}") || slice_is(v, "0"))
        return true;
    if (v.ptr[0] == '"') {
        uint8_t other = 0; /* no branch, so that many go at once */

        for (i = 1; i + 1 < v.len; i++)
            other |= (uint8_t)((uint8_t)(v.ptr[i] - 0x20) > 0x5e) |
                (uint8_t)(v.ptr[i] == '"') | (uint8_t)(v.ptr[i] == '\\');
        return other == 0 && v.len >= 2 && v.ptr[v.len - 1] == '"';
    }
    if (v.len - i > 18 || i == v.len || v.ptr[i] == '0')
        return false;
    for (; i < v.len; i++)
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return false;
    return true;
}

static int check_value(struct node *n, struct slice value, struct buf *text)
{
    struct json *v;
    int rc;

    if (value.ptr == NULL || is_plainly_canonical(value))
        return SYNCLINE_OK;
    rc = json_parse(&v, value, JSON_STRICT, &n->step, NULL);
    if (rc != SYNCLINE_OK)
        return rc;
    buf_clear(text);
    json_print(text, v, JSON_CANONICAL);
    if (buf_status(text) != SYNCLINE_OK)
        return buf_status(text);
    return slice_eq(buf_slice(text), value) &&
            (v->type != JSON_OBJECT || v->n == 0)
        ? SYNCLINE_OK
        : SYNCLINE_EMALFORMED;
}

/* What a peer sends as a value must be what our own printer would have
 * written for a leaf, or members would print different documents. */
static int check_values(struct node *n, const struct item *row, size_t max)
{
    struct buf text = { 0 };
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0; i < row->cells_n && rc == SYNCLINE_OK; i++)
        rc = row->cells[i].value.len > max
            ? SYNCLINE_EMALFORMED
            : check_value(n, row->cells[i].value, &text);
    for (uint32_t i = 0; i < row->changes_n && rc == SYNCLINE_OK; i++)
        for (uint32_t k = 0;
             k < row->changes[i].originals_n && rc == SYNCLINE_OK; k++)
            rc = row->changes[i].originals[k].value.len > max
                ? SYNCLINE_EMALFORMED
                : check_value(n, row->changes[i].originals[k].value, &text);
    buf_free(&text);
    return rc;
}

/* Sealed it is more, and in each cell stands the key once again. */
#define SEALED_AMOUNT_MAX (3 * VALUE_MAX)

/* Removed, and what removes may remove much. */
static bool is_removed(const struct cell *c, bool sealed)
{
    return c->value.ptr == NULL || (sealed && c->value.ptr[0] == 1);
}

/* No writer puts more into an item at once; joined ones may hold more. */
static int check_amount(
    struct node *n, const struct item *row, size_t row_bytes, bool sealed)
{
    const size_t max = sealed ? SEALED_AMOUNT_MAX : VALUE_MAX;
    uint32_t *cells;
    size_t *bytes;

    if ((row->cells_n <= CELLS_MAX && row_bytes <= max) || PLANTED(R21_CELLS))
        return SYNCLINE_OK;
    cells = arena_zalloc(&n->step, row->changes_n, sizeof *cells);
    bytes = arena_zalloc(&n->step, row->changes_n, sizeof *bytes);
    if (cells == NULL || bytes == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < row->cells_n; i++) {
        const struct cell *c = &row->cells[i];

        if (is_removed(c, sealed))
            continue;
        bytes[c->change] += c->path.len + c->value.len;
        if (++cells[c->change] > CELLS_MAX || bytes[c->change] > max)
            return SYNCLINE_EMALFORMED;
    }
    return SYNCLINE_OK;
}

int receive_opened_row(struct node *n, struct row_in *row)
{
    int rc = key_check(row->key, NULL);

    if (rc == SYNCLINE_OK && sealed_is_other(&row->item, false))
        return SYNCLINE_EMALFORMED;
    if (rc == SYNCLINE_OK)
        rc = item_check_cells(&row->item);
    if (rc == SYNCLINE_OK)
        rc = check_amount(n, &row->item, row->bytes.len, false);
    if (rc == SYNCLINE_OK && !PLANTED(R32_ROWS))
        rc = check_values(n, &row->item, VALUE_MAX);
    return rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM ? rc
                                                      : SYNCLINE_EMALFORMED;
}

int receive_read_row(struct node *n, struct slice key, struct slice bytes,
    enum row_form form, struct row_in *out)
{
    const bool sealed = form != ROW_CLEAR;
    struct reader r = reader_of(bytes);
    int rc = key_check(key, NULL);

    *out = (struct row_in){ .key = key, .bytes = bytes };
    n->counts.rows_received++;
    if (rc == SYNCLINE_OK)
        rc = get_item(&r, &out->item, &n->step);
    if (rc == SYNCLINE_OK)
        rc = reader_end(&r);
    if (rc == SYNCLINE_OK && sealed_is_other(&out->item, sealed))
        return REFUSED;
    if (rc == SYNCLINE_OK && sealed && !sealed_is_named(key, &out->item))
        rc = SYNCLINE_EMALFORMED;
    if (rc == SYNCLINE_OK)
        rc = check_amount(n, &out->item, bytes.len, sealed);
    if (rc == SYNCLINE_OK && !sealed && !PLANTED(R32_ROWS))
        rc = check_values(n, &out->item, VALUE_MAX);
    if (rc == SYNCLINE_OK && form == ROW_SEALED)
        rc = sealed_check(&out->item);
    return rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM ? rc
                                                      : SYNCLINE_EMALFORMED;
}
