#include "repl/secret.h"

#include "base/codec.h"
#include "base/plant.h"

#define KEY_INFO "syncline store v1\n"
#define AAD "syncline mesh secret v1\n"
#define BARE_LEN (MESH_ID_LEN + KEY_LEN)
#define SEALED_LEN (MESH_ID_LEN + GCM_NONCE_LEN + KEY_LEN + GCM_TAG_LEN)

static int own_key(const struct crypto_port *crypto, uint8_t key[KEY_LEN])
{
    return crypto->own_key(crypto->self, SLICE_LIT(KEY_INFO), key);
}

static void put_aad(
    uint8_t aad[sizeof AAD - 1 + MESH_ID_LEN], const struct mesh_id *mesh)
{
    memcpy(aad, AAD, sizeof AAD - 1);
    memcpy(aad + sizeof AAD - 1, mesh->b, MESH_ID_LEN);
}

int secret_put(struct buf *out, const struct crypto_port *crypto,
    const struct mesh_id *mesh, const uint8_t secret[KEY_LEN])
{
    uint8_t key[KEY_LEN] = { 0 }, mac[SHA256_LEN], both[BARE_LEN];
    uint8_t aad[sizeof AAD - 1 + MESH_ID_LEN];
    int rc = own_key(crypto, key);

    memcpy(both, mesh->b, MESH_ID_LEN);
    memcpy(both + MESH_ID_LEN, secret, KEY_LEN);
    put_aad(aad, mesh);
    if (rc == SYNCLINE_OK)
        rc = crypto->hmac_sha256(crypto->self, mac, SLICE(key, sizeof key),
            SLICE(both, sizeof both));
    if (rc == SYNCLINE_OK && PLANTED(R16_BARE)) {
        buf_put(out, both, sizeof both);
    } else if (rc == SYNCLINE_OK) {
        buf_put(out, mesh->b, MESH_ID_LEN);
        buf_put(out, mac, GCM_NONCE_LEN);
        rc = crypto->seal(crypto->self, out, key, mac, SLICE(aad, sizeof aad),
            SLICE(secret, KEY_LEN));
    }
    secret_wipe(key, sizeof key);
    secret_wipe(both, sizeof both);
    return rc == SYNCLINE_OK ? buf_status(out) : rc;
}

static int unseal(const struct crypto_port *crypto, const struct mesh_id *mesh,
    struct slice value, uint8_t secret[KEY_LEN])
{
    uint8_t key[KEY_LEN] = { 0 }, aad[sizeof AAD - 1 + MESH_ID_LEN];
    const uint8_t *nonce = value.ptr + MESH_ID_LEN;
    struct buf open = { 0 };
    int rc = own_key(crypto, key);

    put_aad(aad, mesh);
    if (rc == SYNCLINE_OK)
        rc = crypto->open(crypto->self, &open, key, nonce,
            SLICE(aad, sizeof aad),
            slice_from(value, MESH_ID_LEN + GCM_NONCE_LEN));
    if (rc == SYNCLINE_OK) {
        memcpy(secret, open.ptr, KEY_LEN);
        secret_wipe(open.ptr, open.len);
    }
    secret_wipe(key, sizeof key);
    buf_free(&open);
    return rc;
}

int secret_get(struct slice value, const struct crypto_port *crypto,
    struct mesh_id *mesh, uint8_t secret[KEY_LEN], bool *bare)
{
    *bare = value.len == BARE_LEN;
    if (!*bare && value.len != SEALED_LEN)
        return SYNCLINE_ECORRUPT;
    memcpy(mesh->b, value.ptr, MESH_ID_LEN);
    if (!*bare)
        return unseal(crypto, mesh, value, secret);
    memcpy(secret, value.ptr + MESH_ID_LEN, KEY_LEN);
    return SYNCLINE_OK;
}
