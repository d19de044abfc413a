#include "repl/members_impl.h"

#include <stdlib.h>

#include "base/text.h"
#include "core/json.h"

#define VALUE_MAX 8192

int members_read_key(
    struct record_key *out, struct slice key, struct errmsg *why)
{
    struct slice prefix = SLICE_LIT(MEMBER_PREFIX);
    int rc;

    out->removed = slice_has_prefix(key, SLICE_LIT(REMOVED_PREFIX));
    if (out->removed)
        prefix = SLICE_LIT(REMOVED_PREFIX);
    else if (!slice_has_prefix(key, prefix))
        return errmsg_set(why, SYNCLINE_EINVAL, "no membership record");
    rc = hex_decode(out->device.b, DEVICE_ID_LEN, slice_from(key, prefix.len));
    if (rc != SYNCLINE_OK)
        return errmsg_set(why, SYNCLINE_EMALFORMED, "the key names no device");
    return SYNCLINE_OK;
}

static bool read_hex(
    const struct json *v, const char *key, uint8_t *out, size_t len)
{
    return hex_decode(out, len, json_get_str(v, key)) == SYNCLINE_OK;
}

static bool read_number(
    const struct json *v, const char *key, uint64_t *out, uint64_t max)
{
    int64_t i = json_get_int(v, key, -1);

    if (i < 0 || (uint64_t)i > max)
        return false;
    *out = (uint64_t)i;
    return true;
}

bool member_name_fits(struct slice name)
{
    return name.len <= MEMBER_NAME_MAX && utf8_valid(name);
}

/* What only a member's certificate has. NULL, or what is wrong. */
static const char *read_member(struct cert *c, const struct json *v)
{
    struct slice name = json_get_str(v, "name");
    const struct json *named = json_get(v, "name");

    if (named == NULL || named->type != JSON_STRING || !member_name_fits(name))
        return "its name is missing or too long";
    if (name.len > 0)
        memcpy(c->name, name.ptr, name.len);
    c->name_len = name.len;
    if (!slice_is(json_get_str(v, "role"), MEMBER_ROLE_ADMIN))
        return "its role is unknown";
    if (!read_hex(v, "spki", c->spki, sizeof c->spki))
        return "its key is no SPKI";
    c->has_nonce = json_get(v, "nonce") != NULL;
    if (c->has_nonce && !read_hex(v, "nonce", c->nonce, sizeof c->nonce))
        return "its nonce is no hex";
    return NULL;
}

/* Fields that nobody knows yet are let pass: the signature covers them. */
static const char *read_fields(const struct members *m, struct cert *c,
    const struct json *v, const struct record_key *key)
{
    struct mesh_id mesh;
    struct device_id device;

    if (!slice_is(json_get_str(v, "kind"), key->removed ? "removed" : "member"))
        return "it is of another kind";
    if (!read_hex(v, "mesh", mesh.b, MESH_ID_LEN) ||
        memcmp(mesh.b, m->mesh.b, MESH_ID_LEN) != 0)
        return "it belongs to another mesh";
    if (!read_hex(v, "device", device.b, DEVICE_ID_LEN) ||
        !device_eq(&device, &key->device))
        return "it names another device than its key";
    if (!read_hex(v, "by", c->by.b, DEVICE_ID_LEN))
        return "it does not say who signed it";
    if (!read_number(v, "gen", &c->gen, MEMBERS_GEN_MAX) || c->gen == 0 ||
        !read_number(v, "at", &c->at, INT64_MAX))
        return "a number is missing or out of range";
    return key->removed ? NULL : read_member(c, v);
}

/* The key must be that of the device it speaks of; a nonce must make this
 * very mesh. */
static int check_identity(const struct members *m, struct cert *c,
    const struct record_key *key, struct errmsg *why)
{
    const struct crypto_port *crypto = m->crypto;
    struct device_id device;
    struct mesh_id mesh;
    int rc =
        crypto->sha256(crypto->self, device.b, SLICE(c->spki, sizeof c->spki));

    if (rc != SYNCLINE_OK)
        return rc;
    if (!device_eq(&device, &key->device))
        return errmsg_set(
            why, SYNCLINE_EMALFORMED, "its key is another device's");
    if (!c->has_nonce)
        return SYNCLINE_OK;
    rc = members_mesh_id(&mesh, crypto, &device, c->nonce);
    if (rc != SYNCLINE_OK)
        return rc;
    c->root = device_eq(&c->by, &device) &&
        memcmp(mesh.b, m->mesh.b, MESH_ID_LEN) == 0;
    if (!c->root)
        return errmsg_set(
            why, SYNCLINE_EMALFORMED, "it claims to have founded the mesh");
    return SYNCLINE_OK;
}

static int check_canonical(struct members *m, const struct json *v,
    struct slice text, struct errmsg *why)
{
    int rc;

    buf_clear(&m->scratch);
    json_print(&m->scratch, v, JSON_CANONICAL);
    rc = buf_status(&m->scratch);
    if (rc != SYNCLINE_OK)
        return rc;
    if (!slice_eq(buf_slice(&m->scratch), text))
        return errmsg_set(
            why, SYNCLINE_EMALFORMED, "it is not in canonical form");
    return SYNCLINE_OK;
}

static int read_cert(struct members *m, struct cert **out,
    const struct json *pair, const struct record_key *key, struct arena *a,
    struct errmsg *why)
{
    struct slice payload = pair->s;
    const char *wrong;
    struct json *v;
    struct cert *c;
    int rc = json_parse(&v, payload, JSON_STRICT, a, why);

    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_EMALFORMED;
    c = calloc(1, sizeof *c + payload.len);
    if (c == NULL)
        return SYNCLINE_ENOMEM;
    memcpy(c->payload, payload.ptr, payload.len);
    c->payload_len = payload.len;
    wrong = read_fields(m, c, v, key);
    if (wrong == NULL &&
        hex_decode(c->sig, sizeof c->sig, pair->next->s) != SYNCLINE_OK)
        wrong = "its signature is no hex";
    if (wrong != NULL)
        rc = errmsg_set(why, SYNCLINE_EMALFORMED, "%s", wrong);
    else
        rc = check_canonical(m, v, payload, why);
    if (rc == SYNCLINE_OK && !key->removed)
        rc = check_identity(m, c, key, why);
    if (rc == SYNCLINE_OK)
        *out = c;
    else
        free(c);
    return rc;
}

int members_read_value(struct members *m, struct cert *certs[CERTS_MAX],
    struct slice value, const struct record_key *key, struct errmsg *why)
{
    struct arena a = { 0 };
    const struct json *e;
    struct json *v;
    int rc;

    if (value.len > VALUE_MAX)
        return errmsg_set(why, SYNCLINE_EMALFORMED, "it is too long");
    rc = json_parse(&v, value, JSON_STRICT, &a, why);
    if (rc != SYNCLINE_OK) {
        rc = rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_EMALFORMED;
        goto out;
    }
    rc = errmsg_set(
        why, SYNCLINE_EMALFORMED, "it is no array of payloads and signatures");
    if (v->type != JSON_ARRAY ||
        !(v->n == 2 || (v->n == 2 * CERTS_MAX && !key->removed)))
        goto out;
    for (e = v->first; e != NULL; e = e->next)
        if (e->type != JSON_STRING)
            goto out;
    rc = SYNCLINE_OK;
    e = v->first;
    for (size_t i = 0; e != NULL && rc == SYNCLINE_OK; i++) {
        rc = read_cert(m, &certs[i], e, key, &a, why);
        e = e->next->next;
    }
out:
    arena_free(&a);
    return rc;
}
