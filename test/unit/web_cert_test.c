#include "crypto/web_cert.h"

#include "unit/check.h"

#define DAY_US (UINT64_C(86400) * 1000000)
#define NOW_US (UINT64_C(20000) * DAY_US)

static struct slice names[4];

static void set_names(void)
{
    names[0] = SLICE_LIT("attic");
    names[1] = SLICE_LIT("attic.local");
    names[2] = SLICE_LIT("192.168.1.7");
    names[3] = SLICE_LIT("::1");
}

/* The key is what stands before the certificate. */
static struct slice key_of(const struct buf *pem)
{
    const uint8_t *end = memmem(pem->ptr, pem->len, "-----BEGIN CERT", 15);

    CHECK(end != NULL);
    return SLICE(pem->ptr, (size_t)(end - pem->ptr));
}

TEST(is_good_for_its_names_alone)
{
    const struct slice part[] = { SLICE_LIT("ATTIC"), SLICE_LIT("0:0::1") };
    const struct slice none[] = { SLICE_LIT("cellar") };
    const struct slice other[] = { SLICE_LIT("192.168.1.8") };
    const struct slice below[] = { SLICE_LIT("x.attic") };
    struct buf pem = { 0 };

    set_names();
    CHECK_OK(web_cert_make(&pem, SLICE_NONE, names, ARRAY_N(names), NOW_US));
    CHECK_OK(web_cert_covers(buf_slice(&pem), names, ARRAY_N(names)));
    CHECK_OK(web_cert_covers(buf_slice(&pem), part, 2));
    CHECK_INT(web_cert_covers(buf_slice(&pem), none, 1), SYNCLINE_ENOTFOUND);
    CHECK_INT(web_cert_covers(buf_slice(&pem), other, 1), SYNCLINE_ENOTFOUND);
    CHECK_INT(web_cert_covers(buf_slice(&pem), below, 1), SYNCLINE_ENOTFOUND);
    CHECK_INT(
        web_cert_covers(SLICE_LIT("no PEM"), NULL, 0), SYNCLINE_EMALFORMED);
    buf_free(&pem);
}

/* What somebody has named to us is no part of a list of OpenSSL's. */
TEST(what_is_no_name_is_passed_over)
{
    const struct slice odd[] = { SLICE_LIT("a,DNS:evil"), SLICE_LIT("b c"),
        SLICE_LIT(""), SLICE_LIT("@section"), SLICE_LIT("good"),
        SLICE_LIT("1.2.3.4.5/8"), SLICE_LIT("*") };
    const struct slice evil[] = { SLICE_LIT("evil") };
    struct buf pem = { 0 };

    CHECK_OK(web_cert_make(&pem, SLICE_NONE, odd, ARRAY_N(odd), NOW_US));
    CHECK_OK(web_cert_covers(buf_slice(&pem), odd + 4, 1));
    CHECK_INT(web_cert_covers(buf_slice(&pem), evil, 1), SYNCLINE_ENOTFOUND);
    buf_free(&pem);
}

TEST(another_one_keeps_the_key)
{
    struct buf first = { 0 }, second = { 0 }, third = { 0 };
    struct web_cert_facts a, b;

    set_names();
    CHECK_OK(web_cert_make(&first, SLICE_NONE, names, 1, NOW_US));
    CHECK_OK(web_cert_make(
        &second, buf_slice(&first), names, ARRAY_N(names), NOW_US + DAY_US));
    CHECK_OK(web_cert_make(&third, SLICE_LIT("rubbish"), names, 1, NOW_US));
    CHECK(slice_eq(key_of(&first), key_of(&second)));
    CHECK(!slice_eq(key_of(&first), key_of(&third)));
    CHECK_OK(web_cert_read(buf_slice(&first), &a, NULL));
    CHECK_OK(web_cert_read(buf_slice(&second), &b, NULL));
    CHECK_UINT(strlen(a.sha256), 95);
    CHECK(strcmp(a.sha256, b.sha256) != 0);
    CHECK_UINT(a.from_us, NOW_US - DAY_US);
    CHECK_UINT(a.until_us, NOW_US + (WEB_CERT_DAYS - 1) * DAY_US);
    CHECK_UINT(b.until_us, a.until_us + DAY_US);
    buf_free(&first);
    buf_free(&second);
    buf_free(&third);
}

/* OpenSSL fails, and says nothing of it: no memory has run out. */
#define SILENT                            \
    "-----BEGIN CERTIFICATE-----\nMIG:\n" \
    "-----END CERTIFICATE-----\n"

TEST(what_is_no_certificate_is_said)
{
    struct web_cert_facts facts;
    struct errmsg why;

    CHECK_INT(web_cert_read(SLICE_LIT("-----BEGIN CERTIFICATE-----\nAAAA\n"
                                      "-----END CERTIFICATE-----\n"),
                  &facts, &why),
        SYNCLINE_EMALFORMED);
    CHECK(strstr(why.text, "certificate") != NULL);
    CHECK_INT(web_cert_read(SLICE_NONE, &facts, &why), SYNCLINE_EMALFORMED);
    CHECK_INT(
        web_cert_read(SLICE_LIT(SILENT), &facts, &why), SYNCLINE_EMALFORMED);
}
