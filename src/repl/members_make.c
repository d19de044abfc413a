/* Records of the membership, made and signed. */
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
    const struct answer *known; /* NULL: nothing is before it */
    enum cert_kind kind;
    const struct device_id *device;
    const struct members_grant *grant; /* of a member */
    const uint8_t *nonce;              /* of the founder */
    struct slice cut;
    const struct keyring_key *key; /* of a key */
    struct slice wraps;
    const uint8_t *kx;
    uint64_t at;
};

/* Members of an object in the order of the canonical form; each begins with a
 * comma but the first. */
static void put_field(struct buf *b, const char *key)
{
    uint8_t last = b->len > 0 ? b->ptr[b->len - 1] : '{';

    buf_printf(b, "%s\"%s\":", last == '{' ? "" : ",", key);
}

static void put_hex_field(struct buf *b, const char *key, struct slice bytes)
{
    put_field(b, key);
    buf_put_u8(b, '"');
    put_hex(b, bytes);
    buf_put_u8(b, '"');
}

static void put_text_field(struct buf *b, const char *key, struct slice text)
{
    put_field(b, key);
    json_print_string(b, text, false);
}

static void put_raw_field(struct buf *b, const char *key, struct slice json)
{
    put_field(b, key);
    buf_put_slice(b, json);
}

static void put_number_field(struct buf *b, const char *key, uint64_t n)
{
    put_field(b, key);
    buf_printf(b, "%llu", (unsigned long long)n);
}

static void put_after(struct buf *b, const struct answer *known)
{
    put_field(b, "after");
    buf_put_u8(b, '[');
    for (size_t i = 0; known != NULL && i < known->heads_n; i++) {
        buf_put_str(b, i > 0 ? ",\"" : "\"");
        put_hex(b, SLICE(known->heads[i]->id.b, SHA256_LEN));
        buf_put_u8(b, '"');
    }
    buf_put_u8(b, ']');
}

static void put_spaces(struct buf *b, const struct members_grant *g)
{
    put_field(b, "spaces");
    buf_put_u8(b, '[');
    for (uint32_t i = 0; i < g->spaces_n; i++) {
        buf_put_str(b, i > 0 ? ",\"" : "\"");
        put_hex(b, SLICE(g->spaces[i].b, SPACE_TOKEN_LEN));
        buf_put_u8(b, '"');
    }
    buf_put_u8(b, ']');
}

static const char *const kinds[] = {
    [CERT_MEMBER] = "member",
    [CERT_REMOVED] = "removed",
    [CERT_ROTATE] = "rotate",
    [CERT_WRAP] = "wrap",
    [CERT_KX] = "kx",
};

static void put_payload(struct buf *b, const struct draft *d)
{
    const struct members_grant *g = d->grant;

    buf_put_u8(b, '{');
    if (d->kind != CERT_KX) {
        put_after(b, d->known);
        put_number_field(b, "at", d->at);
        put_hex_field(b, "by", device_slice(&d->crypto->device));
    }
    if (d->cut.len > 0)
        put_raw_field(b, "cut", d->cut);
    if (d->device != NULL)
        put_hex_field(b, "device", device_slice(d->device));
    if (d->key != NULL) {
        put_number_field(b, "epoch", d->key->epoch);
        put_hex_field(b, "key", SLICE(d->key->id.b, KEY_ID_LEN));
    }
    put_text_field(b, "kind", slice_str(kinds[d->kind]));
    put_hex_field(b, "mesh", SLICE(d->mesh->b, MESH_ID_LEN));
    if (g != NULL)
        put_text_field(b, "name", g->name);
    if (d->nonce != NULL)
        put_hex_field(b, "nonce", SLICE(d->nonce, MEMBERS_NONCE_LEN));
    if (g != NULL)
        put_text_field(b, "role", slice_str(member_role_name(g->role)));
    if (g != NULL && g->some_spaces)
        put_spaces(b, g);
    if (g != NULL)
        put_hex_field(b, "spki", g->spki);
    if (d->key != NULL)
        put_raw_field(b, "wraps", d->wraps);
    if (d->kx != NULL)
        put_hex_field(b, "x25519", SLICE(d->kx, KX_LEN));
    buf_put_u8(b, '}');
}

static int put_key(const struct draft *d, struct slice payload,
    const uint8_t sig[ED25519_SIG_LEN], struct buf *key)
{
    struct cert_id id;
    int rc = cert_id_of(&id, d->crypto, payload, sig);

    buf_put_str(key, CERT_PREFIX);
    put_hex(key, SLICE(id.b, sizeof id.b));
    return rc == SYNCLINE_OK ? buf_status(key) : rc;
}

static int finish(const struct draft *d, struct buf *key, struct buf *value)
{
    const size_t from = value->len;
    struct buf text = { 0 };
    uint8_t sig[ED25519_SIG_LEN];
    struct slice payload;
    int rc;

    put_payload(&text, d);
    rc = buf_status(&text);
    if (rc == SYNCLINE_OK) { /* in front, so that commas come right */
        struct buf whole = { 0 };

        buf_put_slice(&whole, SLICE_LIT(MEMBERS_SIGNED_PREFIX));
        buf_put_slice(&whole, buf_slice(&text));
        buf_free(&text);
        text = whole;
        rc = buf_status(&text);
    }
    if (rc == SYNCLINE_OK)
        rc = d->crypto->sign(d->crypto->self, sig, buf_slice(&text));
    if (rc != SYNCLINE_OK)
        goto out;
    payload = slice_from(buf_slice(&text), sizeof MEMBERS_SIGNED_PREFIX - 1);
    rc = put_key(d, payload, sig, key);
    buf_put_u8(value, '[');
    json_print_string(value, payload, false);
    buf_put_str(value, ",\"");
    put_hex(value, SLICE(sig, sizeof sig));
    buf_put_str(value, "\"]");
    rc = rc == SYNCLINE_OK ? buf_status(value) : rc;
    /* Nobody would take it, and to the others it would be a fault of ours. */
    if (rc == SYNCLINE_OK && value->len - from > RECORD_MAX)
        rc = SYNCLINE_ELIMIT;
out:
    buf_free(&text);
    return rc;
}

int members_make_founder(struct mesh_id *mesh, struct buf *key,
    struct buf *value, const struct crypto_port *crypto, struct slice name,
    uint64_t wall_us)
{
    const struct members_grant g = {
        .spki = crypto->spki, .name = name, .role = ROLE_ADMIN
    };
    uint8_t nonce[MEMBERS_NONCE_LEN];
    struct mesh_id made;
    struct draft d = {
        .crypto = crypto,
        .mesh = &made,
        .kind = CERT_MEMBER,
        .device = &crypto->device,
        .grant = &g,
        .nonce = nonce,
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

static struct draft draft_of(
    const struct members *m, enum cert_kind kind, uint64_t wall_us)
{
    return (struct draft){ .crypto = m->crypto,
        .mesh = &m->mesh,
        .known = &m->answer,
        .kind = kind,
        .at = wall_us };
}

static int check_maker(const struct members *m, uint64_t wall_us)
{
    if (wall_us > INT64_MAX)
        return SYNCLINE_EINVAL;
    if (m->answer.heads_n > AFTER_MAX)
        return SYNCLINE_ELIMIT;
    return members_role(m, &m->crypto->device) == ROLE_ADMIN ? SYNCLINE_OK
                                                             : SYNCLINE_EDENIED;
}

int members_make_member(const struct members *m, struct buf *key,
    struct buf *value, const struct members_grant *g, uint64_t wall_us)
{
    struct draft d = draft_of(m, CERT_MEMBER, wall_us);
    struct device_id device;
    int rc = check_maker(m, wall_us);

    if (rc != SYNCLINE_OK)
        return rc;
    if (!member_name_fits(g->name) || g->spki.len != ED25519_SPKI_LEN ||
        g->role == ROLE_NONE || g->spaces_n > MEMBER_SPACES_MAX ||
        (g->role == ROLE_ADMIN && g->some_spaces))
        return SYNCLINE_EINVAL;
    rc = m->crypto->sha256(m->crypto->self, device.b, g->spki);
    if (rc != SYNCLINE_OK)
        return rc;
    d.device = &device;
    d.grant = g;
    d.cut = g->cut;
    return finish(&d, key, value);
}

int members_make_removed(const struct members *m, struct buf *key,
    struct buf *value, const struct device_id *device, struct slice cut,
    uint64_t wall_us)
{
    struct draft d = draft_of(m, CERT_REMOVED, wall_us);
    int rc = check_maker(m, wall_us);

    d.device = device;
    d.cut = cut;
    if (rc == SYNCLINE_OK && !members_has(m, device))
        rc = SYNCLINE_ENOTFOUND;
    return rc == SYNCLINE_OK ? finish(&d, key, value) : rc;
}

int members_make_kx(const struct members *m, struct buf *key, struct buf *value)
{
    struct draft d = draft_of(m, CERT_KX, 0);
    uint8_t kx[KX_LEN];
    int rc = m->crypto->kx_public(m->crypto->self, kx);

    d.device = &m->crypto->device;
    d.kx = kx;
    return rc == SYNCLINE_OK ? finish(&d, key, value) : rc;
}

/* ---- cuts ---- */

void members_cut_add(struct members_cut *c, const struct space_token *space,
    const struct dot *upto)
{
    bool next = !c->any || !space_token_eq(&c->space, space);

    if (next) {
        buf_put_str(&c->text, c->any ? "},\"" : "{\"");
        put_hex(&c->text, SLICE(space->b, SPACE_TOKEN_LEN));
        buf_put_str(&c->text, "\":{");
    }
    buf_put_str(&c->text, next ? "\"" : ",\"");
    put_hex(&c->text, rid_slice(&upto->replica));
    buf_printf(&c->text, "\":%llu", (unsigned long long)upto->seq);
    c->space = *space;
    c->any = true;
    c->n++;
}

struct slice members_cut_end(struct members_cut *c)
{
    if (c->any)
        buf_put_str(&c->text, "}}");
    return buf_slice(&c->text);
}

/* ---- keys ---- */

int members_wraps_add(struct members_wraps *w, const struct members *m,
    const struct member *to, const struct keyring_key *key)
{
    const uint8_t *peer = members_kx(m, &to->device);
    struct space_token spaces[MEMBER_SPACES_MAX + 1];
    const struct entitlement e = { .whole = member_reads_all(to),
        .spaces = spaces,
        .spaces_n = members_spaces_of(m, to, spaces) };
    const struct wrap wrap = { m->crypto->device, to->device, key->epoch,
        key->id };
    struct buf what = { 0 }, sealed = { 0 };
    int rc = SYNCLINE_ENOTFOUND;

    if (peer == NULL)
        return rc;
    members_put_what(&what, m, to);
    rc = buf_status(&what);
    if (rc == SYNCLINE_OK)
        rc = keyring_wrap(&sealed, m->crypto, &wrap, peer, key, &e);
    if (rc == SYNCLINE_OK) {
        buf_put_str(&w->text, w->text.len == 0 ? "{\"" : ",\"");
        put_hex(&w->text, device_slice(&to->device));
        buf_put_str(&w->text, "\":{\"for\":\"");
        buf_put_slice(&w->text, buf_slice(&what));
        buf_put_str(&w->text, "\",\"sealed\":\"");
        put_hex(&w->text, buf_slice(&sealed));
        buf_put_str(&w->text, "\"}");
        rc = buf_status(&w->text);
    }
    buf_free(&what);
    buf_free(&sealed);
    return rc;
}

int members_make_key(const struct members *m, struct buf *key,
    struct buf *value, bool rotate, const struct keyring_key *of,
    struct members_wraps *wraps, uint64_t wall_us)
{
    struct draft d = draft_of(m, rotate ? CERT_ROTATE : CERT_WRAP, wall_us);
    int rc = check_maker(m, wall_us);

    buf_put_str(&wraps->text, wraps->text.len == 0 ? "{}" : "}");
    if (rc == SYNCLINE_OK)
        rc = buf_status(&wraps->text);
    d.key = of;
    d.wraps = buf_slice(&wraps->text);
    return rc == SYNCLINE_OK ? finish(&d, key, value) : rc;
}
