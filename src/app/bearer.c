#include "app/bearer.h"

#include "base/text.h"

#define SECRET_LEN 32

int bearer_draw(char *text, uint8_t hash[SHA256_LEN], const char *prefix)
{
    uint8_t secret[SECRET_LEN];
    const size_t size = strlen(prefix) + BEARER_TEXT + 1;
    struct buf b = { 0 };
    int rc = crypto_random(secret, sizeof secret);

    (void)buf_reserve(&b, size); /* one piece, to be wiped */
    buf_put_str(&b, prefix);
    put_base64url(&b, SLICE(secret, sizeof secret));
    buf_put_u8(&b, 0);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = crypto_sha256(hash, SLICE(secret, sizeof secret));
    if (rc == SYNCLINE_OK)
        memcpy(text, b.ptr, size);
    crypto_wipe(secret, sizeof secret);
    crypto_wipe(b.ptr, b.cap);
    buf_free(&b);
    return rc;
}

int bearer_hash(uint8_t hash[SHA256_LEN], struct slice text, const char *prefix)
{
    uint8_t secret[SECRET_LEN] = { 0 };
    const size_t before = strlen(prefix);
    int rc = SYNCLINE_EMALFORMED;

    if (text.len == before + BEARER_TEXT &&
        slice_has_prefix(text, slice_str(prefix)))
        rc = base64url_decode(secret, sizeof secret, slice_from(text, before));
    if (rc == SYNCLINE_OK)
        rc = crypto_sha256(hash, SLICE(secret, sizeof secret));
    crypto_wipe(secret, sizeof secret);
    return rc;
}
