/* Numbers of a schema, compared and divided as the decimals they are. */
#include "files/schema_impl.h"

#include "core/json_index.h"

static void of_int(struct decimal *out, bool *negative, int64_t i)
{
    uint64_t v = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    char text[20];
    size_t at = sizeof text;

    *negative = i < 0;
    for (; v > 0; v /= 10)
        text[--at] = (char)('0' + v % 10);
    out->n = sizeof text - at;
    out->exp = (int64_t)out->n;
    memcpy(out->digits, text + at, out->n);
    while (out->n > 0 && out->digits[out->n - 1] == '0')
        out->n--;
}

/* Minus zero is zero here. */
void number_of(struct decimal *out, bool *negative, const struct json *v)
{
    if (v->type == JSON_INT) {
        of_int(out, negative, v->i);
        return;
    }
    *negative = v->d < 0;
    if (v->d < 0 || v->d > 0)
        decimal_shortest(out, v->d < 0 ? -v->d : v->d);
    else
        of_int(out, negative, 0);
}

static int magnitude_cmp(const struct decimal *a, const struct decimal *b)
{
    if (a->n == 0 || b->n == 0)
        return (a->n > 0) - (b->n > 0);
    if (a->exp != b->exp)
        return a->exp > b->exp ? 1 : -1;
    return slice_cmp(SLICE(a->digits, a->n), SLICE(b->digits, b->n));
}

int number_cmp(const struct decimal *a, bool a_negative,
    const struct decimal *b, bool b_negative)
{
    if (a_negative != b_negative)
        return a_negative ? -1 : 1;
    return a_negative ? magnitude_cmp(b, a) : magnitude_cmp(a, b);
}

bool number_is_integer(const struct decimal *d)
{
    return d->exp >= (int64_t)d->n;
}

uint64_t number_count(const struct decimal *d)
{
    uint64_t v = 0;

    if (d->exp > 18)
        return UINT64_MAX;
    for (int64_t i = 0; i < d->exp; i++)
        v = v * 10 + (i < (int64_t)d->n ? (uint64_t)(d->digits[i] - '0') : 0);
    return v;
}

/* (r * 10 + digit) mod m, where r < m < 2^63. */
static uint64_t shift_in(uint64_t r, uint64_t digit, uint64_t m)
{
    uint64_t twice = (r + r) % m, fourfold = (twice + twice) % m;
    uint64_t tenfold = ((fourfold + fourfold) % m + twice) % m;

    return (tenfold + digit) % m;
}

/* d = D * 10^i and of = E * 10^k, where neither D nor E ends in zero: so it
 * is one iff i >= k and E divides D * 10^(i - k). */
bool number_is_multiple(const struct decimal *d, const struct decimal *of)
{
    int64_t zeros = (d->exp - (int64_t)d->n) - (of->exp - (int64_t)of->n);
    uint64_t m = 0, r = 0;

    if (d->n == 0)
        return true;
    if (zeros < 0)
        return false;
    for (size_t i = 0; i < of->n; i++)
        m = m * 10 + (uint64_t)(of->digits[i] - '0');
    for (size_t i = 0; i < d->n; i++)
        r = shift_in(r, (uint64_t)(d->digits[i] - '0'), m);
    for (; zeros > 0 && r > 0; zeros--)
        r = shift_in(r, 0, m);
    return r == 0;
}

static void put_members(struct buf *b, const struct json *obj)
{
    struct json_index ix;

    if (json_index_init(&ix, obj) != SYNCLINE_OK) {
        b->status = SYNCLINE_ENOMEM;
        return;
    }
    buf_put_u8(b, '{');
    for (size_t i = 0; i < ix.n; i++) {
        json_print_string(b, ix.sorted[i]->key, false);
        put_normal(b, ix.sorted[i]);
    }
    buf_put_u8(b, '}');
    json_index_close(&ix);
}

void put_normal(struct buf *b, const struct json *v)
{
    struct decimal d;
    bool negative;

    switch (v->type) {
    case JSON_INT:
    case JSON_DOUBLE:
        number_of(&d, &negative, v);
        buf_put_str(b, negative ? "-" : "+");
        buf_put(b, d.digits, d.n);
        buf_printf(b, "e%lld;", (long long)(d.n > 0 ? d.exp : 0));
        break;
    case JSON_OBJECT:
        put_members(b, v);
        break;
    case JSON_ARRAY:
        buf_put_u8(b, '[');
        for (const struct json *e = v->first; e != NULL; e = e->next)
            put_normal(b, e);
        buf_put_u8(b, ']');
        break;
    default:
        json_print(b, v, JSON_CANONICAL);
        break;
    }
}
