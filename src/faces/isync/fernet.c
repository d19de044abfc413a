#include "faces/isync/fernet.h"

#include "base/codec.h"
#include "base/text.h"
#include "crypto/cbc.h"
#include "crypto/crypto.h"

#define VERSION 0x80
#define HEAD_LEN (1 + 8 + FERNET_IV_LEN)
#define KEY_BYTES (2 * FERNET_HALF_LEN)

int fernet_key_of_token(struct fernet_key *out, struct slice token)
{
    uint8_t sum[SHA256_LEN];
    int rc;

    if (token.len == 0)
        return SYNCLINE_EINVAL;
    rc = crypto_sha256(sum, token);
    if (rc == SYNCLINE_OK) {
        memcpy(out->sign, sum, sizeof out->sign);
        memcpy(out->encrypt, sum + sizeof out->sign, sizeof out->encrypt);
    }
    crypto_wipe(sum, sizeof sum);
    return rc;
}

static void put_padded(struct buf *b, struct slice s)
{
    put_base64url(b, s);
    for (size_t n = s.len; n % 3 != 0; n++)
        buf_put_u8(b, '=');
}

void fernet_key_put(struct buf *b, const struct fernet_key *key)
{
    uint8_t both[KEY_BYTES];

    memcpy(both, key->sign, sizeof key->sign);
    memcpy(both + sizeof key->sign, key->encrypt, sizeof key->encrypt);
    put_padded(b, SLICE(both, sizeof both));
    crypto_wipe(both, sizeof both);
}

/* Without the '=' at its end; false: they are not as they must be. */
static bool unpad(struct slice *text, size_t *bytes)
{
    size_t pad = 0;

    if (text->len == 0 || text->len % 4 != 0)
        return false;
    while (pad < 2 && text->ptr[text->len - 1] == '=') {
        text->len--;
        pad++;
    }
    *bytes = (text->len + pad) / 4 * 3 - pad;
    return true;
}

int fernet_key_read(struct fernet_key *out, struct slice text)
{
    uint8_t both[KEY_BYTES];
    size_t n;
    int rc = SYNCLINE_EMALFORMED;

    if (text.len == FERNET_KEY_TEXT_LEN && unpad(&text, &n) && n == KEY_BYTES)
        rc = base64url_decode(both, n, text);
    if (rc == SYNCLINE_OK) {
        memcpy(out->sign, both, sizeof out->sign);
        memcpy(out->encrypt, both + sizeof out->sign, sizeof out->encrypt);
    }
    crypto_wipe(both, sizeof both);
    return rc;
}

static int tag(
    uint8_t out[SHA256_LEN], const struct fernet_key *key, struct slice s)
{
    return crypto_hmac_sha256(out, SLICE(key->sign, sizeof key->sign), s);
}

int fernet_seal(struct buf *out, const struct fernet_key *key, uint64_t time_s,
    const uint8_t iv[FERNET_IV_LEN], struct slice plain)
{
    uint8_t mac[SHA256_LEN];
    struct buf raw = { 0 };
    int rc;

    buf_put_u8(&raw, VERSION);
    put_be64(&raw, time_s);
    buf_put(&raw, iv, FERNET_IV_LEN);
    rc = buf_status(&raw);
    if (rc == SYNCLINE_OK)
        rc = crypto_cbc_seal(&raw, key->encrypt, iv, plain);
    if (rc == SYNCLINE_OK)
        rc = tag(mac, key, buf_slice(&raw));
    if (rc == SYNCLINE_OK) {
        buf_put(&raw, mac, sizeof mac);
        rc = buf_status(&raw);
    }
    if (rc == SYNCLINE_OK) {
        put_padded(out, buf_slice(&raw));
        rc = buf_status(out);
    }
    buf_free(&raw);
    return rc;
}

/* raw: the token's bytes, of a length that may be. */
static int open_raw(struct buf *out, const struct fernet_key *key,
    struct slice raw, uint64_t *time_s)
{
    const struct slice said = SLICE(raw.ptr, raw.len - SHA256_LEN);
    const struct slice sealed =
        SLICE(raw.ptr + HEAD_LEN, said.len - (size_t)HEAD_LEN);
    struct reader r = reader_of(slice_from(raw, 1));
    uint8_t mac[SHA256_LEN];
    int rc = tag(mac, key, said);

    if (rc == SYNCLINE_OK &&
        !crypto_equal(
            SLICE(mac, sizeof mac), slice_from(raw, raw.len - SHA256_LEN)))
        rc = SYNCLINE_EDENIED;
    if (rc == SYNCLINE_OK)
        rc = crypto_cbc_open(
            out, key->encrypt, raw.ptr + HEAD_LEN - FERNET_IV_LEN, sealed);
    if (rc == SYNCLINE_OK && time_s != NULL)
        *time_s = get_be64(&r);
    return rc;
}

int fernet_open(struct buf *out, const struct fernet_key *key,
    struct slice token, uint64_t *time_s)
{
    struct buf raw = { 0 };
    size_t n;
    uint8_t *to;
    int rc = SYNCLINE_EMALFORMED;

    if (!unpad(&token, &n) || n < HEAD_LEN + CBC_BLOCK_LEN + SHA256_LEN ||
        (n - HEAD_LEN - SHA256_LEN) % CBC_BLOCK_LEN != 0)
        return rc;
    to = buf_reserve(&raw, n);
    if (to == NULL)
        return buf_status(&raw);
    rc = base64url_decode(to, n, token);
    if (rc == SYNCLINE_OK && to[0] != VERSION)
        rc = SYNCLINE_EMALFORMED;
    if (rc == SYNCLINE_OK)
        rc = open_raw(out, key, SLICE(to, n), time_s);
    buf_free(&raw);
    return rc;
}
