#include "crypto/envelope.h"

#define SEAL_VERSION 1

/* ---- what is signed ---- */

/* A varint, as bytes on the stack. */
struct length {
    uint8_t b[10];
};

static struct slice length_of(struct length *l, uint64_t len)
{
    size_t n = 0;

    for (; len >= 0x80; len >>= 7)
        l->b[n++] = (uint8_t)(len | 0x80);
    l->b[n++] = (uint8_t)len;
    return SLICE(l->b, n);
}

static uint8_t *put(uint8_t *to, const void *from, size_t n)
{
    memcpy(to, from, n);
    return to + n;
}

static uint8_t *put_number(uint8_t *to, uint64_t v)
{
    for (size_t i = 0; i < 8; i++)
        to[i] = (uint8_t)(v >> (8 * i));
    return to + 8;
}

void envelope_put_header(
    uint8_t out[ENVELOPE_HEADER_LEN], const struct envelope_header *h)
{
    uint8_t *to = out;

    *to++ = ENVELOPE_SUITE;
    to = put(to, h->mesh.b, MESH_ID_LEN);
    to = put(to, h->space.b, SPACE_TOKEN_LEN);
    to = put_number(to, h->epoch);
    to = put(to, h->key_id, KEY_ID_LEN);
    to = put(to, h->dot.replica.b, RID_LEN);
    to = put_number(to, h->dot.seq);
    to = put(to, h->first.replica.b, RID_LEN);
    to = put_number(to, h->first.seq);
    to = put_number(to, h->stamp.epoch);
    to = put_number(to, h->stamp.hlc);
    to = put(to, h->stamp.replica.b, RID_LEN);
    to = put_number(to, h->length);
    to = put(to, h->context, SHA256_LEN);
    *to++ = (uint8_t)h->type;
    *to++ = 0; /* flags */
    ENSURE(to == out + ENVELOPE_HEADER_LEN);
}

static void get_long_dot(struct reader *r, struct dot *out)
{
    get_into(r, out->replica.b, RID_LEN);
    out->seq = get_u64(r);
    if (r->err == 0 && (out->seq == 0 || out->seq > SEQ_MAX))
        r->err = SYNCLINE_EMALFORMED;
}

int envelope_get_header(struct slice bytes, struct envelope_header *out)
{
    struct reader r = reader_of(bytes);
    struct envelope_header h;
    uint8_t suite = get_u8(&r), type, flags;

    get_into(&r, h.mesh.b, MESH_ID_LEN);
    get_into(&r, h.space.b, SPACE_TOKEN_LEN);
    h.epoch = get_u64(&r);
    get_into(&r, h.key_id, KEY_ID_LEN);
    get_long_dot(&r, &h.dot);
    get_long_dot(&r, &h.first);
    h.stamp.epoch = get_u64(&r);
    h.stamp.hlc = get_u64(&r);
    get_into(&r, h.stamp.replica.b, RID_LEN);
    h.length = get_u64(&r);
    get_into(&r, h.context, SHA256_LEN);
    type = get_u8(&r);
    flags = get_u8(&r);
    /* The dead have an even causal length. */
    if (reader_end(&r) != SYNCLINE_OK || suite != ENVELOPE_SUITE ||
        type > CELL_TOMBSTONE || flags != 0 || h.length == 0 ||
        (type == CELL_TOMBSTONE) != ((h.length & 1) == 0))
        return SYNCLINE_EMALFORMED;
    h.type = (enum envelope_type)type;
    *out = h;
    return SYNCLINE_OK;
}

int envelope_tag_begin(struct mac_key *out, const struct crypto_port *crypto,
    const struct mac_key *salt, const uint8_t header[ENVELOPE_HEADER_LEN])
{
    return crypto->mac_begin(
        crypto->self, out, salt, SLICE(header, ENVELOPE_COMMON_LEN));
}

int envelope_tag_end(uint8_t out[ENVELOPE_TAG_LEN],
    const struct crypto_port *crypto, const struct mac_key *begun,
    const uint8_t header[ENVELOPE_HEADER_LEN], const struct envelope_content *c)
{
    struct length key, path;
    struct slice parts[] = { slice_from(SLICE(header, ENVELOPE_HEADER_LEN),
                                 ENVELOPE_COMMON_LEN),
        length_of(&key, c->key.len), c->key, length_of(&path, c->path.len),
        c->path, c->value };

    return crypto->mac(crypto->self, out, begun, parts, 6);
}

int envelope_tag(uint8_t out[ENVELOPE_TAG_LEN],
    const struct crypto_port *crypto, const struct mac_key *salt,
    const uint8_t header[ENVELOPE_HEADER_LEN], const struct envelope_content *c)
{
    struct mac_key begun;
    int rc = envelope_tag_begin(&begun, crypto, salt, header);

    return rc == SYNCLINE_OK ? envelope_tag_end(out, crypto, &begun, header, c)
                             : rc;
}

/* No header begins like this. */
int envelope_originals_tag(uint8_t out[ENVELOPE_TAG_LEN],
    const struct crypto_port *crypto, const struct mac_key *salt,
    struct slice originals)
{
    struct slice parts[] = { SLICE_LIT("syncline originals v1\n"), originals };

    return crypto->mac(crypto->self, out, salt, parts, 2);
}

/* ---- keys ---- */

/* Everything that is derived carries what it is for and for which space. */
static int derive(uint8_t out[KEY_LEN], const struct crypto_port *crypto,
    const uint8_t from[KEY_LEN], const struct mesh_id *mesh,
    const struct space_token *space, struct slice what)
{
    uint8_t info[32 + SPACE_TOKEN_LEN];

    memcpy(info, what.ptr, what.len);
    memcpy(info + what.len, space->b, SPACE_TOKEN_LEN);
    return crypto->hkdf(crypto->self, out, KEY_LEN, SLICE(from, KEY_LEN),
        SLICE(mesh->b, MESH_ID_LEN), SLICE(info, what.len + SPACE_TOKEN_LEN));
}

static int derive_mac(struct mac_key *out, const struct crypto_port *crypto,
    const uint8_t from[KEY_LEN], const struct mesh_id *mesh,
    const struct space_token *space, struct slice what)
{
    uint8_t key[KEY_LEN] = { 0 };
    int rc = derive(key, crypto, from, mesh, space, what);

    if (rc == SYNCLINE_OK)
        rc = crypto->mac_key(crypto->self, out, SLICE(key, sizeof key));
    crypto_wipe(key, sizeof key);
    return rc;
}

int envelope_keys_make(struct envelope_keys *out,
    const struct crypto_port *crypto, const struct mesh_id *mesh,
    const struct space_token *space, const struct envelope_secret *secret)
{
    struct envelope_keys made = { .epoch = secret->epoch };
    int rc = derive(made.seal, crypto, secret->key, mesh, space,
        SLICE_LIT("syncline seal v1\n"));

    memcpy(made.id, secret->id, KEY_ID_LEN);
    if (rc == SYNCLINE_OK)
        rc = derive_mac(&made.siv, crypto, secret->key, mesh, space,
            SLICE_LIT("syncline siv v1\n"));
    if (rc == SYNCLINE_OK)
        rc = derive_mac(&made.index, crypto, secret->first, mesh, space,
            SLICE_LIT("syncline index v1\n"));
    if (rc == SYNCLINE_OK)
        *out = made;
    crypto_wipe(&made, sizeof made);
    return rc;
}

int envelope_item_token(uint8_t out[SHA256_LEN],
    const struct crypto_port *crypto, const struct envelope_keys *keys,
    struct slice key)
{
    return crypto->mac(crypto->self, out, &keys->index, &key, 1);
}

/* With its length, so that no other key and path make the same bytes. */
int envelope_cell_token(uint8_t out[SHA256_LEN],
    const struct crypto_port *crypto, const struct envelope_keys *keys,
    struct slice key, struct slice path)
{
    struct length l;
    struct slice parts[] = { length_of(&l, key.len), key, path };

    return crypto->mac(crypto->self, out, &keys->index, parts, 3);
}

/* ---- what is sealed ---- */

int envelope_own_tag(uint8_t out[ENVELOPE_TAG_LEN],
    const struct crypto_port *crypto, const struct envelope_keys *keys,
    struct slice plain)
{
    return crypto->mac(crypto->self, out, &keys->siv, &plain, 1);
}

int envelope_read(struct slice bytes, struct envelope_seal_head *out)
{
    struct reader r = reader_of(bytes);
    struct envelope_seal_head h = { .epoch = 0 };
    uint8_t version = get_u8(&r);

    h.epoch = get_varint(&r);
    if (h.epoch != 0)
        get_into(&r, h.key_id, KEY_ID_LEN);
    get_into(&r, h.tag, ENVELOPE_TAG_LEN);
    if (r.err != 0 || version != SEAL_VERSION || r.in.len < GCM_TAG_LEN)
        return SYNCLINE_EMALFORMED;
    h.clear = SLICE(bytes.ptr, bytes.len - r.in.len);
    h.sealed = r.in;
    *out = h;
    return SYNCLINE_OK;
}

/* What stands before what is sealed under this tag; its length. */
static size_t envelope_put_clear(uint8_t out[ENVELOPE_CLEAR_MAX],
    const struct envelope_keys *keys, const uint8_t tag[ENVELOPE_TAG_LEN])
{
    struct length epoch;
    struct slice digits = length_of(&epoch, keys->epoch);
    uint8_t *to = out;

    *to++ = SEAL_VERSION;
    to = put(to, digits.ptr, digits.len);
    if (keys->epoch != 0)
        to = put(to, keys->id, KEY_ID_LEN);
    to = put(to, tag, ENVELOPE_TAG_LEN);
    return (size_t)(to - out);
}

int envelope_seal(struct buf *out, const struct crypto_port *crypto,
    const struct envelope_keys *keys, const uint8_t tag[ENVELOPE_TAG_LEN],
    struct slice plain)
{
    uint8_t own[ENVELOPE_TAG_LEN], clear[ENVELOPE_CLEAR_MAX];
    size_t before = out->len, n;
    int rc = SYNCLINE_OK;

    if (tag == NULL)
        rc = envelope_own_tag(own, crypto, keys, plain);
    if (rc != SYNCLINE_OK)
        return rc;
    tag = tag != NULL ? tag : own;
    n = envelope_put_clear(clear, keys, tag);
    buf_put(out, clear, n);
    rc = buf_status(out);
    if (rc == SYNCLINE_OK)
        rc = crypto->xseal(
            crypto->self, out, keys->seal, tag, SLICE(clear, n), plain);
    if (rc != SYNCLINE_OK)
        out->len = before;
    return rc;
}

int envelope_open(struct buf *plain, const struct crypto_port *crypto,
    const struct envelope_keys *keys, const struct envelope_seal_head *h)
{
    if (h->epoch != keys->epoch ||
        (h->epoch != 0 && memcmp(h->key_id, keys->id, KEY_ID_LEN) != 0))
        return SYNCLINE_ENOTFOUND;
    return crypto->xopen(
        crypto->self, plain, keys->seal, h->tag, h->clear, h->sealed);
}
