#include "crypto/code.h"

#include "base/codec.h"
#include "base/hash.h"
#include "base/text.h"

#define GROUP 5
#define BYTES_MAX \
    (1 + CODE_SECRET_LEN + CODE_PREFIX_LEN + CODE_ADDRS_MAX * 18 + 4)
#define DIGITS_MAX ((BYTES_MAX * 8 + 4) / 5)

static void put_port(struct buf *b, uint16_t port)
{
    buf_put_u8(b, (uint8_t)(port >> 8));
    buf_put_u8(b, (uint8_t)port);
}

/* A one, then a bit for each address: so the count needs no field. */
static uint8_t kinds_of(const struct pair_code *code)
{
    unsigned kinds = 1;

    for (size_t i = 0; i < code->addrs_n; i++)
        kinds = kinds << 1 | (code->addrs[i].family == 6);
    return (uint8_t)kinds;
}

static void put_code(struct buf *b, const struct pair_code *code)
{
    buf_put_u8(b, (uint8_t)(CODE_VERSION << 4 | kinds_of(code)));
    buf_put(b, code->secret, CODE_SECRET_LEN);
    buf_put(b, code->prefix, CODE_PREFIX_LEN);
    for (size_t i = 0; i < code->addrs_n; i++) {
        const struct netaddr *addr = &code->addrs[i];

        buf_put(b, addr->addr, addr->family == 6 ? 16 : 4);
        put_port(b, addr->port);
    }
    if (buf_status(b) == SYNCLINE_OK)
        put_be32(b, crc32c(0, buf_slice(b)));
}

int code_encode(struct buf *out, const struct pair_code *code)
{
    struct buf bytes = { 0 }, text = { 0 };
    int rc;

    if (code->addrs_n > CODE_ADDRS_MAX)
        return SYNCLINE_EINVAL;
    for (size_t i = 0; i < code->addrs_n; i++)
        if (code->addrs[i].family != 4 && code->addrs[i].family != 6)
            return SYNCLINE_EINVAL;
    put_code(&bytes, code);
    rc = buf_status(&bytes);
    if (rc != SYNCLINE_OK)
        goto out;
    put_base32(&text, buf_slice(&bytes));
    for (size_t i = 0; i < text.len; i += GROUP) {
        if (i > 0)
            buf_put_u8(out, '-');
        buf_put(out, text.ptr + i, text.len - i < GROUP ? text.len - i : GROUP);
    }
    rc = buf_status(&text) != SYNCLINE_OK ? buf_status(&text) : buf_status(out);
out:
    buf_free(&bytes);
    buf_free(&text);
    return rc;
}

/* Drops what people put between the groups. ELIMIT: longer than any code. */
static int strip(char out[DIGITS_MAX], size_t *n, struct slice text)
{
    *n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.ptr[i];

        if (c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (*n == DIGITS_MAX)
            return SYNCLINE_ELIMIT;
        out[(*n)++] = c;
    }
    return SYNCLINE_OK;
}

static void get_addr(struct reader *r, struct netaddr *out, bool six)
{
    uint8_t high;

    *out = (struct netaddr){ .family = six ? 6 : 4 };
    get_into(r, out->addr, six ? 16 : 4);
    high = get_u8(r);
    out->port = (uint16_t)(high << 8 | get_u8(r));
}

static int get_code(struct pair_code *out, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    struct pair_code code = { 0 };
    unsigned kinds = get_u8(&r) & 15u;
    uint32_t sum;

    while (kinds >> (code.addrs_n + 1) != 0)
        code.addrs_n++;
    if (kinds == 0)
        return SYNCLINE_EMALFORMED;
    get_into(&r, code.secret, CODE_SECRET_LEN);
    get_into(&r, code.prefix, CODE_PREFIX_LEN);
    for (size_t i = 0; i < code.addrs_n; i++)
        get_addr(
            &r, &code.addrs[i], (kinds >> (code.addrs_n - 1 - i) & 1) != 0);
    sum = get_be32(&r);
    if (reader_end(&r) != SYNCLINE_OK ||
        sum != crc32c(0, SLICE(bytes.ptr, bytes.len - 4)))
        return SYNCLINE_EMALFORMED;
    *out = code;
    return SYNCLINE_OK;
}

int code_decode(struct pair_code *out, struct slice text, struct errmsg *why)
{
    static const char mistyped[] =
        "the code is mistyped: compare it, group by group, with the one that "
        "`syncline invite` shows";
    char digits[DIGITS_MAX];
    struct buf bytes = { 0 };
    size_t n;
    int rc = strip(digits, &n, text);

    if (rc == SYNCLINE_OK)
        rc = base32_decode(&bytes, SLICE(digits, n));
    if (rc == SYNCLINE_ENOMEM)
        goto out;
    if (rc != SYNCLINE_OK || bytes.len < 1 + 4) {
        rc = errmsg_set(why, SYNCLINE_EMALFORMED, "%s", mistyped);
        goto out;
    }
    /* The checksum of another version is at the end as well, so a newer code
     * is told from a wrong first digit. */
    if (bytes.ptr[0] >> 4 != CODE_VERSION &&
        get_be32(
            &(struct reader){ .in = SLICE(bytes.ptr + bytes.len - 4, 4) }) ==
            crc32c(0, SLICE(bytes.ptr, bytes.len - 4))) {
        rc = errmsg_set(why, SYNCLINE_EVERSION,
            "the code was made by another version of Syncline; update this "
            "one or that one");
        goto out;
    }
    rc = bytes.ptr[0] >> 4 == CODE_VERSION ? get_code(out, buf_slice(&bytes))
                                           : SYNCLINE_EMALFORMED;
    if (rc != SYNCLINE_OK)
        (void)errmsg_set(why, rc, "%s", mistyped);
out:
    buf_free(&bytes);
    return rc;
}
