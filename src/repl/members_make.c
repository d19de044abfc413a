#include "repl/members_impl.h"

#include "base/text.h"
#include "core/json.h"

#define MESH_PREFIX "syncline mesh v1\n"

int members_mesh_id(struct mesh_id *out, const struct crypto_port *crypto,
    const struct device_id *founder, const uint8_t nonce[MEMBERS_NONCE_LEN])
{
    uint8_t in[sizeof MESH_PREFIX - 1 + DEVICE_ID_LEN + MEMBERS_NONCE_LEN];
    uint8_t sum[SHA256_LEN];
    int rc;

    memcpy(in, MESH_PREFIX, sizeof MESH_PREFIX - 1);
    memcpy(in + sizeof MESH_PREFIX - 1, founder->b, DEVICE_ID_LEN);
    memcpy(in + sizeof in - MEMBERS_NONCE_LEN, nonce, MEMBERS_NONCE_LEN);
    rc = crypto->sha256(crypto->self, sum, SLICE(in, sizeof in));
    if (rc == SYNCLINE_OK)
        memcpy(out->b, sum, MESH_ID_LEN);
    return rc;
}

struct draft {
    const struct crypto_port *crypto;
    const struct mesh_id *mesh;
    const struct device_id *device;
    struct slice name, spki; /* of a member */
    const uint8_t *nonce;    /* of the founder */
    bool removed;
    uint64_t gen, at;
    const struct cert *first; /* the certificate to be carried along */
};

static void put_hex_field(struct buf *b, const char *key, struct slice bytes)
{
    buf_printf(b, ",\"%s\":\"", key);
    put_hex(b, bytes);
    buf_put_u8(b, '"');
}

static void put_payload(struct buf *b, const struct draft *d)
{
    buf_printf(b, "{\"at\":%llu", (unsigned long long)d->at);
    put_hex_field(b, "by", device_slice(&d->crypto->device));
    put_hex_field(b, "device", device_slice(d->device));
    buf_printf(b, ",\"gen\":%llu,\"kind\":\"%s\"", (unsigned long long)d->gen,
        d->removed ? "removed" : "member");
    put_hex_field(b, "mesh", SLICE(d->mesh->b, MESH_ID_LEN));
    if (!d->removed) {
        buf_put_str(b, ",\"name\":");
        json_print_string(b, d->name, false);
        if (d->nonce != NULL)
            put_hex_field(b, "nonce", SLICE(d->nonce, MEMBERS_NONCE_LEN));
        buf_put_str(b, ",\"role\":\"" MEMBER_ROLE_ADMIN "\"");
        put_hex_field(b, "spki", d->spki);
    }
    buf_put_u8(b, '}');
}

static void put_cert(struct buf *b, struct slice payload, const uint8_t *sig)
{
    json_print_string(b, payload, false);
    buf_put_str(b, ",\"");
    put_hex(b, SLICE(sig, ED25519_SIG_LEN));
    buf_put_u8(b, '"');
}

static int finish(const struct draft *d, struct buf *key, struct buf *value)
{
    struct buf text = { 0 };
    uint8_t sig[ED25519_SIG_LEN];
    struct slice payload;
    int rc;

    buf_put_slice(&text, SLICE_LIT(MEMBERS_SIGNED_PREFIX));
    put_payload(&text, d);
    rc = buf_status(&text);
    if (rc == SYNCLINE_OK)
        rc = d->crypto->sign(d->crypto->self, sig, buf_slice(&text));
    if (rc != SYNCLINE_OK)
        goto out;
    payload = slice_from(buf_slice(&text), sizeof MEMBERS_SIGNED_PREFIX - 1);
    buf_put_str(key, d->removed ? REMOVED_PREFIX : MEMBER_PREFIX);
    put_hex(key, device_slice(d->device));
    buf_put_u8(value, '[');
    put_cert(value, payload, sig);
    if (d->first != NULL) {
        buf_put_u8(value, ',');
        put_cert(value, SLICE(d->first->payload, d->first->payload_len),
            d->first->sig);
    }
    buf_put_u8(value, ']');
    rc = buf_status(key) != SYNCLINE_OK ? buf_status(key) : buf_status(value);
out:
    buf_free(&text);
    return rc;
}

int members_make_founder(struct mesh_id *mesh, struct buf *key,
    struct buf *value, const struct crypto_port *crypto, struct slice name,
    uint64_t wall_us)
{
    uint8_t nonce[MEMBERS_NONCE_LEN];
    struct mesh_id made;
    struct draft d = {
        .crypto = crypto,
        .mesh = &made,
        .device = &crypto->device,
        .name = name,
        .spki = crypto->spki,
        .nonce = nonce,
        .gen = 1,
        .at = wall_us,
    };
    int rc;

    if (!member_name_fits(name) || wall_us > INT64_MAX)
        return SYNCLINE_EINVAL;
    rc = crypto->random(crypto->self, nonce, sizeof nonce);
    if (rc == SYNCLINE_OK)
        rc = members_mesh_id(&made, crypto, &crypto->device, nonce);
    if (rc == SYNCLINE_OK)
        rc = finish(&d, key, value);
    if (rc == SYNCLINE_OK)
        *mesh = made;
    return rc;
}

/* The device's first certificate, if it counts. */
static const struct cert *first_of(
    const struct members *m, const struct record *r)
{
    for (size_t i = CERTS_MAX; i-- > 0;)
        if (members_cert_counts(m, r->admitted[i], r))
            return r->admitted[i];
    return NULL;
}

int members_make_member(const struct members *m, struct buf *key,
    struct buf *value, struct slice spki, struct slice name, uint64_t wall_us)
{
    struct device_id device;
    struct draft d = {
        .crypto = m->crypto,
        .mesh = &m->mesh,
        .device = &device,
        .name = name,
        .spki = spki,
        .gen = 1,
        .at = wall_us,
    };
    const struct record *r;
    int rc;

    if (!member_name_fits(name) || spki.len != ED25519_SPKI_LEN ||
        wall_us > INT64_MAX)
        return SYNCLINE_EINVAL;
    rc = m->crypto->sha256(m->crypto->self, device.b, spki);
    if (rc != SYNCLINE_OK)
        return rc;
    if (device_eq(&device, &m->crypto->device))
        return SYNCLINE_EINVAL; /* nobody vouches for himself */
    r = members_record(m, &device);
    if (r != NULL) {
        const struct cert *best = members_best(m, r);
        uint64_t removed = members_removed_up_to(m, r);

        d.gen = best != NULL && best->gen > removed ? best->gen : removed + 1;
        d.first = first_of(m, r);
    }
    return d.gen > MEMBERS_GEN_MAX ? SYNCLINE_ELIMIT : finish(&d, key, value);
}

int members_make_removed(const struct members *m, struct buf *key,
    struct buf *value, const struct device_id *device, uint64_t wall_us)
{
    const struct member *found = members_get(m, device);
    struct draft d = {
        .crypto = m->crypto,
        .mesh = &m->mesh,
        .device = device,
        .removed = true,
        .at = wall_us,
    };

    if (wall_us > INT64_MAX)
        return SYNCLINE_EINVAL;
    if (found == NULL)
        return SYNCLINE_ENOTFOUND;
    d.gen = found->gen;
    return finish(&d, key, value);
}
