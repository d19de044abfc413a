#include "crypto/code.h"

#include "unit/check.h"

#include "base/codec.h"
#include "base/hash.h"
#include "base/prng.h"
#include "base/text.h"

static struct pair_code sample(void)
{
    struct pair_code code = { .addrs_n = 2 };

    for (size_t i = 0; i < CODE_SECRET_LEN; i++)
        code.secret[i] = (uint8_t)(i + 1);
    memcpy(code.prefix, "\xde\xad\xbe\xef", CODE_PREFIX_LEN);
    CHECK_OK(
        netaddr_parse(&code.addrs[0], SLICE_LIT("192.168.1.5:4748"), 0, NULL));
    CHECK_OK(netaddr_parse(
        &code.addrs[1], SLICE_LIT("[2001:db8::7]:4749"), 0, NULL));
    return code;
}

static bool same(const struct pair_code *a, const struct pair_code *b)
{
    if (memcmp(a->secret, b->secret, CODE_SECRET_LEN) != 0 ||
        memcmp(a->prefix, b->prefix, CODE_PREFIX_LEN) != 0 ||
        a->addrs_n != b->addrs_n)
        return false;
    for (size_t i = 0; i < a->addrs_n; i++)
        if (!netaddr_eq(&a->addrs[i], &b->addrs[i]))
            return false;
    return true;
}

/* Bytes laid out by hand after the header's table. */
TEST(a_code_is_laid_out_as_written_down)
{
    static const uint8_t start[] = { 0x15, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
        12, 13, 0xde, 0xad, 0xbe, 0xef, 192, 168, 1, 5, 0x12, 0x8c, 0x20, 0x01,
        0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0x12, 0x8d };
    struct pair_code code = sample();
    struct buf text = { 0 }, bytes = { 0 };
    struct buf digits = { 0 };

    CHECK_OK(code_encode(&text, &code));
    for (size_t i = 0; i < text.len; i++) {
        CHECK((text.ptr[i] == '-') == (i % 6 == 5));
        if (text.ptr[i] != '-')
            buf_put_u8(&digits, text.ptr[i]);
    }
    CHECK_OK(base32_decode(&bytes, buf_slice(&digits)));
    CHECK_UINT(bytes.len, sizeof start + 4);
    CHECK_BYTES(SLICE(bytes.ptr, sizeof start), SLICE(start, sizeof start));
    buf_free(&text);
    buf_free(&bytes);
    buf_free(&digits);
}

TEST(codes_of_all_shapes_come_back)
{
    struct prng p = { 3 };

    for (int i = 0; i < 2000; i++) {
        struct pair_code code = { .addrs_n = prng_below(&p, 4) }, back;
        struct buf text = { 0 };

        for (size_t k = 0; k < CODE_SECRET_LEN; k++)
            code.secret[k] = (uint8_t)prng_next(&p);
        for (size_t k = 0; k < code.addrs_n; k++) {
            struct netaddr *a = &code.addrs[k];

            a->family = prng_one_in(&p, 2) ? 4 : 6;
            for (size_t j = 0; j < (a->family == 4 ? 4 : 16); j++)
                a->addr[j] = (uint8_t)prng_next(&p);
            a->port = (uint16_t)prng_next(&p);
        }
        CHECK_OK(code_encode(&text, &code));
        CHECK_OK(code_decode(&back, buf_slice(&text), NULL));
        CHECK(same(&code, &back));
        buf_free(&text);
    }
}

TEST(a_code_is_read_however_it_is_typed)
{
    struct pair_code code = sample(), back;
    struct buf text = { 0 }, typed = { 0 };

    CHECK_OK(code_encode(&text, &code));
    buf_put_str(&typed, " ");
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (c == '-')
            continue;
        buf_put_u8(&typed, c >= 'A' && i % 2 == 0 ? c | 0x20 : c);
        if (i % 7 == 0)
            buf_put_str(&typed, i % 3 == 0 ? " - " : "\n");
    }
    CHECK_OK(code_decode(&back, buf_slice(&typed), NULL));
    CHECK(same(&code, &back));
    buf_free(&text);
    buf_free(&typed);
}

/* A wrong, missing, doubled or swapped digit never makes another code. */
TEST(a_mistyped_code_is_refused_and_said)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ2345670189!";
    struct pair_code code = sample(), back;
    struct buf text = { 0 };
    struct errmsg why = { "" };

    CHECK_OK(code_encode(&text, &code));
    for (size_t i = 0; i < text.len; i++) {
        uint8_t right = text.ptr[i];

        if (right == '-')
            continue;
        for (size_t k = 0; k < sizeof digits - 1; k++) {
            if (digits[k] == right)
                continue;
            text.ptr[i] = (uint8_t)digits[k];
            CHECK_INT(code_decode(&back, buf_slice(&text), &why),
                SYNCLINE_EMALFORMED);
        }
        text.ptr[i] = right;
    }
    for (size_t n = 0; n < text.len; n++)
        CHECK_INT(
            code_decode(&back, SLICE(text.ptr, n), &why), SYNCLINE_EMALFORMED);
    CHECK(strstr(why.text, "mistyped") != NULL);
    for (size_t i = 0; i + 1 < text.len; i++) {
        uint8_t c = text.ptr[i];

        text.ptr[i] = text.ptr[i + 1];
        text.ptr[i + 1] = c;
        if (c != '-' && text.ptr[i] != '-' && c != text.ptr[i])
            CHECK_INT(code_decode(&back, buf_slice(&text), NULL),
                SYNCLINE_EMALFORMED);
        text.ptr[i + 1] = text.ptr[i];
        text.ptr[i] = c;
    }
    buf_free(&text);
}

static int decode_bytes(
    struct pair_code *out, const uint8_t *p, size_t n, struct errmsg *why)
{
    struct buf bytes = { 0 }, text = { 0 };
    int rc;

    buf_put(&bytes, p, n);
    put_be32(&bytes, crc32c(0, SLICE(p, n)));
    put_base32(&text, buf_slice(&bytes));
    rc = code_decode(out, buf_slice(&text), why);
    buf_free(&bytes);
    buf_free(&text);
    return rc;
}

TEST(a_code_of_another_version_or_shape)
{
    uint8_t bytes[18 + 3 * 18 + 1] = { 0x21 };
    struct pair_code code;
    struct errmsg why = { "" };

    CHECK_INT(decode_bytes(&code, bytes, 18, &why), SYNCLINE_EVERSION);
    CHECK(strstr(why.text, "update") != NULL);
    CHECK_INT(decode_bytes(&code, bytes, 1, NULL), SYNCLINE_EVERSION);
    bytes[0] = 0x11;
    CHECK_OK(decode_bytes(&code, bytes, 18, NULL));
    CHECK_UINT(code.addrs_n, 0);
    CHECK_INT(decode_bytes(&code, bytes, 17, NULL), SYNCLINE_EMALFORMED);
    CHECK_INT(decode_bytes(&code, bytes, 19, NULL), SYNCLINE_EMALFORMED);
    bytes[0] = 0x10;
    CHECK_INT(decode_bytes(&code, bytes, 18, NULL), SYNCLINE_EMALFORMED);
    bytes[0] = 0x1f;
    CHECK_OK(decode_bytes(&code, bytes, 72, NULL));
    CHECK_UINT(code.addrs_n, 3);
    CHECK_INT(decode_bytes(&code, bytes, 73, NULL), SYNCLINE_EMALFORMED);
    CHECK_INT(decode_bytes(&code, bytes, 71, NULL), SYNCLINE_EMALFORMED);
}

TEST(a_code_with_too_much_in_it_is_not_made)
{
    struct pair_code code = sample();
    struct buf text = { 0 };

    code.addrs_n = CODE_ADDRS_MAX + 1;
    CHECK_INT(code_encode(&text, &code), SYNCLINE_EINVAL);
    code.addrs_n = 1;
    code.addrs[0].family = 0;
    CHECK_INT(code_encode(&text, &code), SYNCLINE_EINVAL);
    CHECK_UINT(text.len, 0);
}

TEST(memory_that_runs_out_while_a_code_is_made_or_read)
{
    struct pair_code code = sample(), back;
    struct buf whole = { 0 };
    int rc;

    CHECK_OK(code_encode(&whole, &code));
    for (long n = 0;; n++) {
        struct buf text = { 0 };

        check_alloc_fail_from(n);
        rc = code_encode(&text, &code);
        buf_free(&text);
        if (rc == SYNCLINE_OK)
            rc = code_decode(&back, buf_slice(&whole), NULL);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    CHECK(same(&code, &back));
    buf_free(&whole);
}
