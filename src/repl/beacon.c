#include "repl/beacon.h"

#include "base/codec.h"

#define ANNOUNCE_INFO "syncline beacon v1\n"
#define FIND_LABEL "syncline find v1\n"
#define HERE_INFO "syncline here v1\n"
#define BODY_LEN (DEVICE_ID_LEN + 3)
#define MAC_LEN 16
#define PORT_LEN 2

_Static_assert(1 + GCM_NONCE_LEN + BODY_LEN + GCM_TAG_LEN == BEACON_LEN,
    "a sealed beacon fills its datagram");

int beacon_kind(struct slice datagram)
{
    if (datagram.len != BEACON_LEN || datagram.ptr[0] < BEACON_ANNOUNCE ||
        datagram.ptr[0] > BEACON_HERE)
        return 0;
    return datagram.ptr[0];
}

static void put_port(uint8_t out[PORT_LEN], uint16_t port)
{
    out[0] = (uint8_t)port;
    out[1] = (uint8_t)(port >> 8);
}

static uint16_t get_port(const uint8_t in[PORT_LEN])
{
    return (uint16_t)(in[0] | in[1] << 8);
}

/* aad begins with the kind, which is also the datagram's first byte. */
static int put_sealed(struct buf *out, const struct crypto_port *crypto,
    const uint8_t key[KEY_LEN], struct slice aad, const struct beacon *b)
{
    uint8_t nonce[GCM_NONCE_LEN], body[BODY_LEN];
    size_t before = out->len;
    int rc = crypto->random(crypto->self, nonce, sizeof nonce);

    if (rc != SYNCLINE_OK)
        return rc;
    memcpy(body, b->device.b, DEVICE_ID_LEN);
    put_port(body + DEVICE_ID_LEN, b->port);
    body[DEVICE_ID_LEN + PORT_LEN] = b->flags;
    buf_put_u8(out, aad.ptr[0]);
    buf_put(out, nonce, sizeof nonce);
    rc = buf_status(out);
    if (rc == SYNCLINE_OK)
        rc = crypto->seal(
            crypto->self, out, key, nonce, aad, SLICE(body, sizeof body));
    if (rc != SYNCLINE_OK)
        out->len = before;
    return rc;
}

static int get_sealed(struct beacon *out, const struct crypto_port *crypto,
    const uint8_t key[KEY_LEN], struct slice aad, struct slice datagram)
{
    struct buf body = { 0 };
    int rc;

    if (beacon_kind(datagram) != aad.ptr[0])
        return SYNCLINE_EMALFORMED;
    rc = crypto->open(crypto->self, &body, key, datagram.ptr + 1, aad,
        slice_from(datagram, 1 + GCM_NONCE_LEN));
    if (rc == SYNCLINE_OK && body.len != BODY_LEN)
        rc = SYNCLINE_EMALFORMED;
    if (rc == SYNCLINE_OK) {
        memcpy(out->device.b, body.ptr, DEVICE_ID_LEN);
        out->port = get_port(body.ptr + DEVICE_ID_LEN);
        out->flags = body.ptr[DEVICE_ID_LEN + PORT_LEN];
    }
    buf_free(&body);
    return rc;
}

/* ---- between members ---- */

int beacon_key_make(struct beacon_key *out, const struct crypto_port *crypto,
    struct slice mesh_secret)
{
    return crypto->hkdf(crypto->self, out->b, KEY_LEN, mesh_secret, SLICE_NONE,
        SLICE_LIT(ANNOUNCE_INFO));
}

static const uint8_t announce_aad[1] = { BEACON_ANNOUNCE };

int beacon_put_announce(struct buf *out, const struct crypto_port *crypto,
    const struct beacon_key *key, const struct beacon *b)
{
    return put_sealed(
        out, crypto, key->b, SLICE(announce_aad, sizeof announce_aad), b);
}

int beacon_get_announce(struct beacon *out, const struct crypto_port *crypto,
    const struct beacon_key *key, struct slice datagram)
{
    return get_sealed(out, crypto, key->b,
        SLICE(announce_aad, sizeof announce_aad), datagram);
}

/* ---- a joiner and its inviter ---- */

static int find_mac(uint8_t out[SHA256_LEN], const struct crypto_port *crypto,
    struct slice code_secret, const struct beacon_find *find)
{
    uint8_t text[sizeof FIND_LABEL - 1 + BEACON_FIND_NONCE_LEN + PORT_LEN];
    uint8_t *at = text + sizeof FIND_LABEL - 1;

    memcpy(text, FIND_LABEL, sizeof FIND_LABEL - 1);
    memcpy(at, find->nonce, BEACON_FIND_NONCE_LEN);
    put_port(at + BEACON_FIND_NONCE_LEN, find->port);
    return crypto->hmac_sha256(
        crypto->self, out, code_secret, SLICE(text, sizeof text));
}

int beacon_put_find(struct buf *out, const struct crypto_port *crypto,
    struct slice code_secret, struct beacon_find *find)
{
    struct beacon_find made = { .port = find->port };
    uint8_t datagram[BEACON_LEN] = { BEACON_FIND }, mac[SHA256_LEN];
    uint8_t *at = datagram + 1;
    int rc = crypto->random(crypto->self, made.nonce, sizeof made.nonce);

    if (rc == SYNCLINE_OK)
        rc = find_mac(mac, crypto, code_secret, &made);
    if (rc != SYNCLINE_OK)
        return rc;
    memcpy(at, made.nonce, BEACON_FIND_NONCE_LEN);
    memcpy(at + BEACON_FIND_NONCE_LEN, mac, MAC_LEN);
    put_port(at + BEACON_FIND_NONCE_LEN + MAC_LEN, made.port);
    buf_put(out, datagram, sizeof datagram);
    if (buf_status(out) == SYNCLINE_OK)
        *find = made;
    return buf_status(out);
}

int beacon_get_find(struct beacon_find *out, const struct crypto_port *crypto,
    struct slice code_secret, struct slice datagram)
{
    static const uint8_t zeros[BEACON_LEN];
    struct beacon_find find;
    uint8_t mac[SHA256_LEN], differ = 0;
    struct reader r = reader_of(datagram);
    struct slice their, port;
    int rc;

    if (beacon_kind(datagram) != BEACON_FIND)
        return SYNCLINE_EMALFORMED;
    (void)get_u8(&r);
    get_into(&r, find.nonce, BEACON_FIND_NONCE_LEN);
    their = get_fixed(&r, MAC_LEN);
    port = get_fixed(&r, PORT_LEN);
    if (!slice_eq(r.in, SLICE(zeros, r.in.len)))
        return SYNCLINE_EMALFORMED;
    find.port = get_port(port.ptr);
    rc = find_mac(mac, crypto, code_secret, &find);
    if (rc != SYNCLINE_OK)
        return rc;
    for (size_t i = 0; i < MAC_LEN; i++)
        differ |= (uint8_t)(mac[i] ^ their.ptr[i]);
    if (differ != 0)
        return SYNCLINE_EDENIED;
    *out = find;
    return SYNCLINE_OK;
}

/* The answer is for this question only. */
static void here_aad(
    uint8_t out[1 + BEACON_FIND_NONCE_LEN], const struct beacon_find *find)
{
    out[0] = BEACON_HERE;
    memcpy(out + 1, find->nonce, BEACON_FIND_NONCE_LEN);
}

static int here_key(uint8_t out[KEY_LEN], const struct crypto_port *crypto,
    struct slice code_secret)
{
    return crypto->hkdf(crypto->self, out, KEY_LEN, code_secret, SLICE_NONE,
        SLICE_LIT(HERE_INFO));
}

int beacon_put_here(struct buf *out, const struct crypto_port *crypto,
    struct slice code_secret, const struct beacon_find *find,
    const struct beacon *b)
{
    uint8_t key[KEY_LEN], aad[1 + BEACON_FIND_NONCE_LEN];
    int rc = here_key(key, crypto, code_secret);

    here_aad(aad, find);
    if (rc == SYNCLINE_OK)
        rc = put_sealed(out, crypto, key, SLICE(aad, sizeof aad), b);
    return rc;
}

int beacon_get_here(struct beacon *out, const struct crypto_port *crypto,
    struct slice code_secret, const struct beacon_find *find,
    struct slice datagram)
{
    uint8_t key[KEY_LEN], aad[1 + BEACON_FIND_NONCE_LEN];
    int rc = here_key(key, crypto, code_secret);

    here_aad(aad, find);
    if (rc == SYNCLINE_OK)
        rc = get_sealed(out, crypto, key, SLICE(aad, sizeof aad), datagram);
    return rc;
}
