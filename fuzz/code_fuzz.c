/* code_fuzz.c - the texts that people carry from one machine to another: an
 * invite code, a device id. The last byte says how one digit is mistyped.
 *
 * Holds the law: what was read, written, reads again as the same; and with
 * one digit changed it is either refused or still says the same. */
#include "crypto/code.h"
#include "crypto/identity.h"
#include "fuzz/fuzz.h"

static bool code_eq(const struct pair_code *a, const struct pair_code *b)
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

static void mistype(uint8_t *text, size_t len, uint8_t how)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz-";

    text[how % len] = (uint8_t)digits[how / 7 % (sizeof digits - 1)];
}

static void check_code(const struct pair_code *code, uint8_t how)
{
    struct pair_code again;
    struct errmsg why;
    struct buf b = { 0 };

    ENSURE(code_encode(&b, code) == SYNCLINE_OK);
    ENSURE(code_decode(&again, written(&b), &why) == SYNCLINE_OK);
    ENSURE(code_eq(code, &again));
    mistype(b.ptr, b.len, how);
    if (code_decode(&again, buf_slice(&b), &why) == SYNCLINE_OK)
        ENSURE(code_eq(code, &again));
    buf_free(&b);
}

static void check_device(const struct device_id *id, uint8_t how)
{
    struct device_id again;
    struct errmsg why;
    char text[DEVICE_TEXT];

    device_id_format(text, id);
    ENSURE(device_id_parse(&again, slice_str(text), &why) == SYNCLINE_OK);
    ENSURE(device_eq(id, &again));
    mistype((uint8_t *)text, strlen(text), how);
    if (device_id_parse(&again, slice_str(text), &why) == SYNCLINE_OK)
        ENSURE(device_eq(id, &again));
}

/* A code made of the bytes themselves. */
static void from_bytes(struct pieces *p, uint8_t how)
{
    struct pair_code code = { .addrs_n = take_below(p, CODE_ADDRS_MAX + 1) };
    struct device_id id = { { 0 } };
    struct slice s = take_bytes(p, CODE_SECRET_LEN);

    memcpy(code.secret, s.len > 0 ? s.ptr : code.prefix, s.len);
    for (size_t i = 0; i < code.addrs_n; i++) {
        code.addrs[i].family = take_below(p, 2) == 0 ? 4 : 6;
        for (int k = 0; k < (code.addrs[i].family == 4 ? 4 : 16); k++)
            code.addrs[i].addr[k] = take_u8(p);
        code.addrs[i].port = (uint16_t)take_number(p);
    }
    for (size_t i = 0; i < DEVICE_ID_LEN; i++)
        id.b[i] = take_u8(p);
    check_code(&code, how);
    check_device(&id, how);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    struct errmsg why = { "" };
    struct pair_code code;
    struct device_id id;
    uint8_t how = size > 0 ? data[size - 1] : 0;

    if (code_decode(&code, p.in, &why) == SYNCLINE_OK)
        check_code(&code, how);
    else
        ENSURE(why.text[0] != 0);
    why.text[0] = 0;
    if (device_id_parse(&id, p.in, &why) == SYNCLINE_OK)
        check_device(&id, how);
    else
        ENSURE(why.text[0] != 0);
    from_bytes(&p, how);
    return 0;
}
