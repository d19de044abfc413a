#include "crypto/envelope.h"

#define NAME_MAX_LEN 1024 /* bytes of an item's key */

/* Everything that is derived carries what it is for and for which space. */
static int derive(uint8_t out[KEY_LEN], const struct crypto_port *crypto,
    const uint8_t from[KEY_LEN], const struct envelope_keys *of,
    struct slice what)
{
    uint8_t info[32 + SPACE_TOKEN_LEN];

    memcpy(info, what.ptr, what.len);
    memcpy(info + what.len, of->space.b, SPACE_TOKEN_LEN);
    return crypto->hkdf(crypto->self, out, KEY_LEN, SLICE(from, KEY_LEN),
        SLICE(of->mesh.b, MESH_ID_LEN),
        SLICE(info, what.len + SPACE_TOKEN_LEN));
}

static int derive_mac(struct mac_key *out, const struct crypto_port *crypto,
    const uint8_t from[KEY_LEN], const struct envelope_keys *of,
    struct slice what)
{
    uint8_t key[KEY_LEN] = { 0 };
    int rc = derive(key, crypto, from, of, what);

    if (rc == SYNCLINE_OK)
        rc = crypto->mac_key(crypto->self, out, SLICE(key, sizeof key));
    crypto_wipe(key, sizeof key);
    return rc;
}

int envelope_clear_secret(struct envelope_secret *out,
    const struct crypto_port *crypto, const struct mesh_id *mesh,
    const struct space_token *space)
{
    const struct envelope_keys of = { .mesh = *mesh, .space = *space };
    struct envelope_secret made = { .epoch = 0 };
    uint8_t name[KEY_LEN] = { 0 };
    int rc;

    memcpy(name, mesh->b, MESH_ID_LEN);
    rc = derive(made.key, crypto, name, &of, SLICE_LIT("syncline clear v1\n"));
    memcpy(made.first, made.key, KEY_LEN);
    if (rc == SYNCLINE_OK)
        *out = made;
    return rc;
}

int envelope_keys_make(struct envelope_keys *out,
    const struct crypto_port *crypto, const struct mesh_id *mesh,
    const struct space_token *space, const struct envelope_secret *secret)
{
    struct envelope_keys made = {
        .mesh = *mesh, .space = *space, .epoch = secret->epoch
    };
    int rc = derive(
        made.seal, crypto, secret->key, &made, SLICE_LIT("syncline seal v1\n"));

    memcpy(made.id, secret->id, KEY_ID_LEN);
    if (rc == SYNCLINE_OK)
        rc = derive_mac(&made.siv, crypto, secret->key, &made,
            SLICE_LIT("syncline siv v1\n"));
    if (rc == SYNCLINE_OK)
        rc = derive_mac(&made.index, crypto, secret->first, &made,
            SLICE_LIT("syncline index v1\n"));
    if (rc == SYNCLINE_OK)
        *out = made;
    crypto_wipe(&made, sizeof made);
    return rc;
}

/* A varint of a length, as bytes on the stack. */
struct length {
    uint8_t b[10];
};

static struct slice length_of(struct length *l, size_t len)
{
    size_t n = 0;

    for (; len >= 0x80; len >>= 7)
        l->b[n++] = (uint8_t)(len | 0x80);
    l->b[n++] = (uint8_t)len;
    return SLICE(l->b, n);
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
    to = put(to, h->item, SHA256_LEN);
    to = put(to, h->cell, SHA256_LEN);
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
    get_into(&r, h.item, SHA256_LEN);
    get_into(&r, h.cell, SHA256_LEN);
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

int envelope_tag(uint8_t out[ENVELOPE_TAG_LEN],
    const struct crypto_port *crypto, const struct envelope_keys *keys,
    const uint8_t header[ENVELOPE_HEADER_LEN], const struct envelope_content *c)
{
    struct length key, path;
    struct slice parts[] = { SLICE(header, ENVELOPE_HEADER_LEN),
        length_of(&key, c->key.len), c->key, length_of(&path, c->path.len),
        c->path, c->value };

    return crypto->mac(crypto->self, out, &keys->siv, parts, 6);
}

static int set_names(struct envelope_header *h,
    const struct crypto_port *crypto, const struct envelope_keys *keys,
    const struct envelope_content *c)
{
    int rc = envelope_item_token(h->item, crypto, keys, c->key);

    h->mesh = keys->mesh;
    h->space = keys->space;
    h->epoch = keys->epoch;
    memcpy(h->key_id, keys->id, KEY_ID_LEN);
    return rc == SYNCLINE_OK
        ? envelope_cell_token(h->cell, crypto, keys, c->key, c->path)
        : rc;
}

int envelope_seal(struct buf *out, const struct crypto_port *crypto,
    const struct envelope_keys *keys, struct envelope_header *h,
    const struct envelope_content *c)
{
    uint8_t bytes[ENVELOPE_HEADER_LEN], tag[ENVELOPE_TAG_LEN];
    struct buf plain = { 0 };
    size_t before = out->len;
    int rc = set_names(h, crypto, keys, c);

    envelope_put_header(bytes, h);
    if (rc == SYNCLINE_OK)
        rc = envelope_tag(tag, crypto, keys, bytes, c);
    if (rc != SYNCLINE_OK)
        return rc;
    put_bytes(&plain, c->key);
    put_bytes(&plain, c->path);
    buf_put_slice(&plain, c->value);
    buf_put(out, bytes, sizeof bytes);
    buf_put(out, tag, sizeof tag);
    rc = buf_status(&plain) != SYNCLINE_OK ? buf_status(&plain)
                                           : buf_status(out);
    if (rc == SYNCLINE_OK)
        rc = crypto->xseal(crypto->self, out, keys->seal, tag,
            SLICE(bytes, sizeof bytes), buf_slice(&plain));
    buf_free(&plain);
    if (rc != SYNCLINE_OK)
        out->len = before;
    return rc;
}

static bool is_of_keys(
    const struct envelope_header *h, const struct envelope_keys *keys)
{
    return h->epoch == keys->epoch &&
        memcmp(h->key_id, keys->id, KEY_ID_LEN) == 0 &&
        memcmp(h->mesh.b, keys->mesh.b, MESH_ID_LEN) == 0 &&
        space_token_eq(&h->space, &keys->space);
}

/* A value has bytes; what holds nothing has none, and a tombstone no path. */
static int get_content(struct envelope_content *out,
    const struct envelope_header *h, struct slice plain)
{
    struct reader r = reader_of(plain);
    struct envelope_content c = { .key = get_bytes(&r), .path = get_bytes(&r) };

    c.value = r.in.len > 0 ? r.in : SLICE_NONE;
    if (r.err != 0 || c.key.len > NAME_MAX_LEN ||
        (h->type == CELL_VALUE) != (c.value.len > 0) ||
        (h->type == CELL_TOMBSTONE && c.path.len > 0))
        return SYNCLINE_EDENIED;
    *out = c;
    return SYNCLINE_OK;
}

/* Do tag and tokens come out again? */
static int check_content(const struct envelope_header *h,
    const struct envelope_content *c, const struct crypto_port *crypto,
    const struct envelope_keys *keys, struct slice bytes)
{
    struct envelope_header again = *h;
    uint8_t tag[ENVELOPE_TAG_LEN];
    int rc = set_names(&again, crypto, keys, c);

    if (rc == SYNCLINE_OK)
        rc = envelope_tag(tag, crypto, keys, bytes.ptr, c);
    if (rc != SYNCLINE_OK)
        return rc;
    return crypto_equal(SLICE(tag, sizeof tag),
               SLICE(bytes.ptr + ENVELOPE_HEADER_LEN, sizeof tag)) &&
            crypto_equal(
                SLICE(again.item, SHA256_LEN), SLICE(h->item, SHA256_LEN)) &&
            crypto_equal(
                SLICE(again.cell, SHA256_LEN), SLICE(h->cell, SHA256_LEN))
        ? SYNCLINE_OK
        : SYNCLINE_EDENIED;
}

int envelope_open(struct envelope_header *h, struct envelope_content *c,
    struct buf *plain, const struct crypto_port *crypto,
    const struct envelope_keys *keys, struct slice bytes)
{
    const size_t clear = ENVELOPE_HEADER_LEN + ENVELOPE_TAG_LEN;
    struct envelope_header head;
    struct envelope_content got;
    size_t before = plain->len;
    int rc;

    if (bytes.len < clear + GCM_TAG_LEN)
        return SYNCLINE_EMALFORMED;
    rc = envelope_get_header(SLICE(bytes.ptr, ENVELOPE_HEADER_LEN), &head);
    if (rc != SYNCLINE_OK)
        return rc;
    if (!is_of_keys(&head, keys))
        return SYNCLINE_ENOTFOUND;
    rc = crypto->xopen(crypto->self, plain, keys->seal,
        bytes.ptr + ENVELOPE_HEADER_LEN, SLICE(bytes.ptr, ENVELOPE_HEADER_LEN),
        slice_from(bytes, clear));
    if (rc != SYNCLINE_OK)
        return rc;
    rc = get_content(
        &got, &head, SLICE(plain->ptr + before, plain->len - before));
    if (rc == SYNCLINE_OK)
        rc = check_content(&head, &got, crypto, keys, bytes);
    if (rc != SYNCLINE_OK) {
        crypto_wipe(plain->ptr + before, plain->len - before);
        plain->len = before;
        return rc;
    }
    *h = head;
    *c = got;
    return SYNCLINE_OK;
}
