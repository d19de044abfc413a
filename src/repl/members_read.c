/* Records of the membership, read from JSON. */
#include "repl/members_impl.h"

#include <stdlib.h>

#include "base/text.h"
#include "core/json.h"

#define CUT_MAX 65536
#define WRAPS_MAX 4096

static const struct {
    const char *prefix;
    enum cert_kind kind;
    bool old;
} prefixes[] = {
    { CERT_PREFIX, CERT_ROTATE, false },
    { MEMBER_PREFIX, CERT_MEMBER, true },
    { REMOVED_PREFIX, CERT_REMOVED, true },
};

#define PREFIXES_N (sizeof prefixes / sizeof *prefixes)

static const char *const kinds[] = {
    [CERT_MEMBER] = "member",
    [CERT_REMOVED] = "removed",
    [CERT_ROTATE] = "rotate",
    [CERT_WRAP] = "wrap",
    [CERT_KX] = "kx",
};

void cert_free(struct cert *c)
{
    if (c == NULL)
        return;
    arena_free(&c->arena);
    free(c);
}

int members_read_key(
    struct record_key *out, struct slice key, struct errmsg *why)
{
    for (size_t i = 0; i < PREFIXES_N; i++) {
        struct slice prefix = slice_str(prefixes[i].prefix);
        bool is_id = prefixes[i].kind == CERT_ROTATE;

        if (!slice_has_prefix(key, prefix))
            continue;
        *out = (struct record_key){ .kind = prefixes[i].kind,
            .old = prefixes[i].old };
        if (hex_decode(is_id ? out->id.b : out->device.b, DEVICE_ID_LEN,
                slice_from(key, prefix.len)) != SYNCLINE_OK)
            return errmsg_set(
                why, SYNCLINE_EMALFORMED, "the key names no device");
        return SYNCLINE_OK;
    }
    return errmsg_set(why, SYNCLINE_EINVAL, "no membership record");
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

/* ---- lists ---- */

#define OUT_OF_MEMORY "memory" /* stands for ENOMEM among what is wrong */

/* The values of one length in an array of hex texts, sorted, each once. */
static const char *read_ids(struct cert *c, const struct json *list, size_t len,
    uint32_t max, void *to, uint32_t *n)
{
    uint8_t *bytes, *at;

    if (list == NULL || list->type != JSON_ARRAY || list->n > max)
        return "a list is missing or too long";
    at = bytes = arena_alloc(&c->arena, (list->n + 1) * len);
    if (bytes == NULL)
        return OUT_OF_MEMORY;
    for (const struct json *e = list->first; e != NULL; e = e->next, at += len)
        if (e->type != JSON_STRING ||
            hex_decode(at, len, e->s) != SYNCLINE_OK ||
            (at != bytes && memcmp(at - len, at, len) >= 0))
            return "a list is not sorted, or not of hex";
    *(void **)to = bytes;
    *n = list->n;
    return NULL;
}

static const char *read_cut_of(
    struct cert *c, const struct json *of, uint32_t *n)
{
    struct space_token space;

    if (of->type != JSON_OBJECT ||
        hex_decode(space.b, SPACE_TOKEN_LEN, of->key) != SYNCLINE_OK)
        return "its cut names no space";
    for (const struct json *e = of->first; e != NULL; e = e->next) {
        struct cut_entry *to = &c->cut[(*n)++];

        to->space = space;
        if (hex_decode(to->upto.replica.b, RID_LEN, e->key) != SYNCLINE_OK ||
            e->type != JSON_INT || e->i <= 0 || (uint64_t)e->i > SEQ_MAX)
            return "its cut names no change";
        to->upto.seq = (uint64_t)e->i;
    }
    return NULL;
}

static const char *read_cut(struct cert *c, const struct json *v)
{
    const struct json *cut = json_get(v, "cut");
    const char *wrong = NULL;
    uint64_t n = 0;

    if (cut == NULL)
        return NULL;
    if (cut->type != JSON_OBJECT)
        return "its cut is no object";
    for (const struct json *of = cut->first; of != NULL; of = of->next)
        n += of->type == JSON_OBJECT ? of->n : 0;
    if (n > CUT_MAX)
        return "its cut is too long";
    c->cut = arena_alloc(&c->arena, (n + 1) * sizeof *c->cut);
    if (c->cut == NULL)
        return OUT_OF_MEMORY;
    for (const struct json *of = cut->first; of != NULL && wrong == NULL;
         of = of->next)
        wrong = read_cut_of(c, of, &c->cut_n);
    return wrong;
}

/* ---- kinds ---- */

/* What only a member's certificate has. NULL, or what is wrong. */
static const char *read_member(struct cert *c, const struct json *v)
{
    const struct json *named = json_get(v, "name");
    const struct json *spaces = json_get(v, "spaces");

    if (named == NULL || named->type != JSON_STRING ||
        !member_name_fits(named->s))
        return "its name is missing or too long";
    c->name = arena_dup(&c->arena, named->s);
    if (c->name.ptr == NULL)
        return OUT_OF_MEMORY;
    c->role = member_role_parse(json_get_str(v, "role"));
    if (c->role == ROLE_NONE || (c->old && c->role != ROLE_ADMIN))
        return "its role is unknown";
    if (!read_hex(v, "spki", c->spki, sizeof c->spki))
        return "its key is no SPKI";
    c->has_nonce = json_get(v, "nonce") != NULL;
    if (c->has_nonce && !read_hex(v, "nonce", c->nonce, sizeof c->nonce))
        return "its nonce is no hex";
    if (spaces == NULL || c->old)
        return NULL;
    c->some_spaces = true;
    return c->role == ROLE_ADMIN
        ? "an admin of some spaces only"
        : read_ids(c, spaces, SPACE_TOKEN_LEN, MEMBER_SPACES_MAX, &c->spaces,
              &c->spaces_n);
}

static const char *read_wrap(
    struct cert *c, const struct json *v, struct cert_wrap *out)
{
    struct slice what = json_get_str(v, "for"), hex = json_get_str(v, "sealed");
    uint8_t *sealed = arena_alloc(&c->arena, hex.len / 2 + 1);

    if (sealed == NULL)
        return OUT_OF_MEMORY;
    if (v->type != JSON_OBJECT || what.ptr == NULL ||
        what.len > (MEMBER_SPACES_MAX + 1) * 2 * SPACE_TOKEN_LEN ||
        hex_decode(out->to.b, DEVICE_ID_LEN, v->key) != SYNCLINE_OK ||
        hex_decode(sealed, hex.len / 2, hex) != SYNCLINE_OK)
        return "what it wraps is no hex";
    out->sealed = SLICE(sealed, hex.len / 2);
    out->what = arena_dup(&c->arena, what);
    return out->what.ptr == NULL ? OUT_OF_MEMORY : NULL;
}

static const char *read_keys(struct cert *c, const struct json *v)
{
    const struct json *wraps = json_get(v, "wraps");
    const char *wrong = NULL;

    if (!read_hex(v, "key", c->key_id.b, KEY_ID_LEN) ||
        !read_number(v, "epoch", &c->epoch, KEYRING_EPOCH_MAX) ||
        (c->kind == CERT_ROTATE && c->epoch == 0))
        return "it names no key";
    if (wraps == NULL || wraps->type != JSON_OBJECT || wraps->n > WRAPS_MAX)
        return "it wraps nothing";
    c->wraps = arena_alloc(&c->arena, (wraps->n + 1) * sizeof *c->wraps);
    if (c->wraps == NULL)
        return OUT_OF_MEMORY;
    for (const struct json *e = wraps->first; e != NULL && wrong == NULL;
         e = e->next)
        wrong = read_wrap(c, e, &c->wraps[c->wraps_n++]);
    return wrong;
}

static const char *read_kind(
    struct cert *c, const struct json *v, const struct record_key *key)
{
    struct slice kind = json_get_str(v, "kind");

    c->kind = key->kind;
    if (!key->old) {
        c->kind = CERT_MEMBER;
        while (c->kind <= CERT_KX && !slice_is(kind, kinds[c->kind]))
            c->kind++;
        if (c->kind > CERT_KX)
            return "it is of no kind that is known here";
    }
    return slice_is(kind, kinds[c->kind]) ? NULL : "it is of another kind";
}

/* What hangs on the kind. Format 2 and later differ in how they are ordered. */
static const char *read_rest(
    struct cert *c, const struct json *v, const struct record_key *key)
{
    const char *wrong = NULL;

    if (c->kind == CERT_KX) {
        c->by = c->device;
        return read_hex(v, "x25519", c->kx, KX_LEN) ? NULL : "it has no key";
    }
    if (!read_hex(v, "by", c->by.b, DEVICE_ID_LEN))
        return "it does not say who signed it";
    if (!read_number(v, "at", &c->at, INT64_MAX) ||
        (key->old &&
            (!read_number(v, "gen", &c->gen, MEMBERS_GEN_MAX) || c->gen == 0)))
        return "a number is missing or out of range";
    if (!key->old)
        wrong = read_ids(c, json_get(v, "after"), SHA256_LEN, AFTER_MAX,
            &c->after, &c->after_n);
    if (wrong == NULL && !key->old)
        wrong = read_cut(c, v);
    if (wrong == NULL && c->kind == CERT_MEMBER)
        wrong = read_member(c, v);
    if (wrong == NULL && cert_is_of_key(c))
        wrong = read_keys(c, v);
    return wrong;
}

/* Fields that nobody knows yet are let pass: the signature covers them. */
static const char *read_fields(const struct members *m, struct cert *c,
    const struct json *v, const struct record_key *key)
{
    const char *wrong = read_kind(c, v, key);
    struct mesh_id mesh;

    if (wrong != NULL)
        return wrong;
    if (!read_hex(v, "mesh", mesh.b, MESH_ID_LEN) ||
        memcmp(mesh.b, m->mesh.b, MESH_ID_LEN) != 0)
        return "it belongs to another mesh";
    if (!cert_is_of_key(c) &&
        !read_hex(v, "device", c->device.b, DEVICE_ID_LEN))
        return "it names no device";
    if (key->old && !device_eq(&c->device, &key->device))
        return "it names another device than its key";
    return read_rest(c, v, key);
}

/* The key must be that of the device it speaks of; a nonce must make this
 * very mesh. */
static int check_identity(
    const struct members *m, struct cert *c, struct errmsg *why)
{
    const struct crypto_port *crypto = m->crypto;
    const struct slice spki = SLICE(c->spki, sizeof c->spki);
    struct device_id device = c->device;
    struct mesh_id mesh;
    int rc = SYNCLINE_OK;

    if (!slice_eq(members_spki(m, &c->device), spki))
        rc = crypto->sha256(crypto->self, device.b, spki);
    if (rc != SYNCLINE_OK)
        return rc;
    if (!device_eq(&device, &c->device))
        return errmsg_set(
            why, SYNCLINE_EMALFORMED, "its key is another device's");
    if (!c->has_nonce)
        return SYNCLINE_OK;
    rc = members_mesh_id(&mesh, crypto, &device, c->nonce);
    if (rc != SYNCLINE_OK)
        return rc;
    c->root = device_eq(&c->by, &device) && c->role == ROLE_ADMIN &&
        c->after_n == 0 && memcmp(mesh.b, m->mesh.b, MESH_ID_LEN) == 0;
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

int cert_id_of(struct cert_id *out, const struct crypto_port *crypto,
    struct slice payload, const uint8_t sig[ED25519_SIG_LEN])
{
    const struct slice both[] = { payload, SLICE(sig, ED25519_SIG_LEN) };

    return crypto->hash(crypto->self, out->b, both, 2);
}

/* The rest of what must hold of a certificate whose fields are read. */
static int check_cert(struct members *m, struct cert *c, const struct json *v,
    const struct record_key *key, struct errmsg *why)
{
    struct slice payload = SLICE(c->payload, c->payload_len);
    int rc = check_canonical(m, v, payload, why);

    if (rc == SYNCLINE_OK)
        rc = cert_id_of(&c->id, m->crypto, payload, c->sig);
    if (rc == SYNCLINE_OK && !key->old && cert_id_cmp(&c->id, &key->id) != 0)
        rc = errmsg_set(why, SYNCLINE_EMALFORMED,
            "its key is not the hash of what it says and its signature");
    return rc == SYNCLINE_OK && c->kind == CERT_MEMBER
        ? check_identity(m, c, why)
        : rc;
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
    c->old = key->old;
    wrong = read_fields(m, c, v, key);
    if (wrong == NULL &&
        hex_decode(c->sig, sizeof c->sig, pair->next->s) != SYNCLINE_OK)
        wrong = "its signature is no hex";
    if (wrong != NULL)
        rc = slice_is(slice_str(wrong), OUT_OF_MEMORY)
            ? SYNCLINE_ENOMEM
            : errmsg_set(why, SYNCLINE_EMALFORMED, "%s", wrong);
    else
        rc = check_cert(m, c, v, key, why);
    if (rc == SYNCLINE_OK)
        *out = c;
    else
        cert_free(c);
    return rc;
}

int members_read_value(struct members *m, struct cert *certs[CERTS_MAX],
    struct slice value, const struct record_key *key, struct errmsg *why)
{
    bool two = key->old && key->kind == CERT_MEMBER;
    struct arena a = { 0 };
    const struct json *e;
    struct json *v;
    int rc;

    if (value.len > RECORD_MAX)
        return errmsg_set(why, SYNCLINE_EMALFORMED, "it is too long");
    rc = json_parse(&v, value, JSON_STRICT, &a, why);
    if (rc != SYNCLINE_OK) {
        rc = rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_EMALFORMED;
        goto out;
    }
    rc = errmsg_set(
        why, SYNCLINE_EMALFORMED, "it is no array of payloads and signatures");
    if (v->type != JSON_ARRAY || !(v->n == 2 || (v->n == 2 * CERTS_MAX && two)))
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
