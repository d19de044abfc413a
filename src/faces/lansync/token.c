#include "faces/lansync/token.h"

#include "base/text.h"
#include "crypto/crypto.h"

#define US UINT64_C(1000000)
#define TOKEN_MAX 8192
#define SESSION_FOR "lan-sync session"
#define HEAD "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static int sign(uint8_t out[SHA256_LEN], struct slice text, struct slice secret)
{
    struct mac_key key;
    int rc = crypto_mac_key(&key, secret);

    if (rc == SYNCLINE_OK)
        rc = crypto_mac(out, &key, &text, 1);
    crypto_wipe(&key, sizeof key);
    return rc;
}

int lan_token_put(
    struct buf *out, const struct json *claims, struct slice secret)
{
    uint8_t mac[SHA256_LEN];
    struct buf body = { 0 };
    size_t at = out->len;
    int rc;

    json_print(&body, claims, JSON_COMPACT);
    put_base64url(out, SLICE_LIT(HEAD));
    buf_put_u8(out, '.');
    put_base64url(out, buf_slice(&body));
    rc = buf_status(&body) != SYNCLINE_OK ? buf_status(&body) : buf_status(out);
    if (rc == SYNCLINE_OK)
        rc = sign(mac, slice_from(buf_slice(out), at), secret);
    if (rc == SYNCLINE_OK) {
        buf_put_u8(out, '.');
        put_base64url(out, SLICE(mac, sizeof mac));
        rc = buf_status(out);
    }
    buf_free(&body);
    return rc;
}

/* Splits off what is before the next '.'. */
static bool part(struct slice *rest, struct slice *out)
{
    const uint8_t *dot =
        rest->len > 0 ? memchr(rest->ptr, '.', rest->len) : NULL;

    if (dot == NULL)
        return false;
    *out = SLICE(rest->ptr, (size_t)(dot - rest->ptr));
    *rest = slice_from(*rest, out->len + 1);
    return true;
}

static int decode(struct json **out, struct slice text, struct arena *a)
{
    size_t n = text.len * 3 / 4;
    uint8_t *bytes = arena_alloc(a, n + 1);

    if (bytes == NULL)
        return SYNCLINE_ENOMEM;
    if (base64url_decode(bytes, n, text) != SYNCLINE_OK)
        return SYNCLINE_EMALFORMED;
    return json_parse(out, SLICE(bytes, n), JSON_TOLERANT, a, NULL);
}

static int check_end(const struct json *claims, uint64_t now_us)
{
    const struct json *end = json_get(claims, "exp");
    double at = end == NULL        ? 0
        : end->type == JSON_INT    ? (double)end->i
        : end->type == JSON_DOUBLE ? end->d
                                   : 0;

    return (double)now_us / (double)US < at ? SYNCLINE_OK : SYNCLINE_ETIMEOUT;
}

int lan_token_read(struct json **claims, struct slice token,
    struct slice secret, uint64_t now_us, struct arena *a)
{
    struct slice rest = token, head, body;
    uint8_t mac[SHA256_LEN], said[SHA256_LEN];
    struct json *v = NULL;
    int rc;

    if (token.len > TOKEN_MAX || !part(&rest, &head) || !part(&rest, &body) ||
        base64url_decode(said, sizeof said, rest) != SYNCLINE_OK)
        return SYNCLINE_EMALFORMED;
    rc = decode(&v, head, a);
    if (rc == SYNCLINE_OK && !slice_is(json_get_str(v, "alg"), "HS256"))
        rc = SYNCLINE_EDENIED;
    if (rc == SYNCLINE_OK)
        rc = sign(mac, SLICE(token.ptr, head.len + 1 + body.len), secret);
    if (rc == SYNCLINE_OK &&
        !crypto_equal(SLICE(mac, sizeof mac), SLICE(said, sizeof said)))
        rc = SYNCLINE_EDENIED;
    if (rc == SYNCLINE_OK)
        rc = decode(&v, body, a);
    if (rc == SYNCLINE_OK && v->type != JSON_OBJECT)
        rc = SYNCLINE_EMALFORMED;
    if (rc == SYNCLINE_OK)
        rc = check_end(v, now_us);
    if (rc == SYNCLINE_OK)
        *claims = v;
    return rc;
}

/* ---- sessions ---- */

static int session_secret(char out[2 * SHA256_LEN + 1], struct slice secret)
{
    const struct slice text = SLICE_LIT(SESSION_FOR);
    uint8_t mac[SHA256_LEN];
    struct mac_key key;
    int rc = crypto_mac_key(&key, secret);

    if (rc == SYNCLINE_OK)
        rc = crypto_mac(mac, &key, &text, 1);
    if (rc == SYNCLINE_OK)
        hex_encode(out, SLICE(mac, sizeof mac));
    crypto_wipe(&key, sizeof key);
    crypto_wipe(mac, sizeof mac);
    return rc;
}

int lan_session_put(struct buf *out, struct slice node, struct slice server,
    struct slice secret, uint64_t now_us, uint64_t lasts_us, struct arena *a)
{
    struct json *claims = json_new(a, JSON_OBJECT);
    char derived[2 * SHA256_LEN + 1] = "";
    int rc = session_secret(derived, secret);

    json_add(claims, SLICE_LIT("sub"), json_new_str(a, node));
    json_add(claims, SLICE_LIT("iat"), json_new_int(a, (int64_t)(now_us / US)));
    json_add(claims, SLICE_LIT("exp"),
        json_new_int(a, (int64_t)((now_us + lasts_us) / US)));
    json_add(claims, SLICE_LIT("aud"), json_new_str(a, server));
    if (rc == SYNCLINE_OK && (claims == NULL || claims->n != 4))
        rc = SYNCLINE_ENOMEM;
    if (rc == SYNCLINE_OK)
        rc = lan_token_put(out, claims, slice_str(derived));
    crypto_wipe(derived, sizeof derived);
    return rc;
}

int lan_session_read(struct json **claims, struct slice token,
    struct slice secret, uint64_t now_us, struct arena *a)
{
    char derived[2 * SHA256_LEN + 1] = "";
    int rc = session_secret(derived, secret);

    if (rc == SYNCLINE_OK)
        rc = lan_token_read(claims, token, slice_str(derived), now_us, a);
    crypto_wipe(derived, sizeof derived);
    return rc;
}
