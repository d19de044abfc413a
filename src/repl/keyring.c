#include "repl/keyring.h"

#include <stdlib.h>

#define BEACON_INFO "syncline beacon v1\n"
#define SPACE_INFO "syncline space v1\n"
#define WRAP_INFO "syncline wrap v1\n"

enum part { PART_WHOLE = 0, PART_BEACON = 1, PART_SPACE = 2 };

static int order(
    uint64_t epoch, const struct key_id *id, const struct keyring_key *than)
{
    if (epoch != than->epoch)
        return epoch < than->epoch ? -1 : 1;
    return memcmp(id->b, than->id.b, KEY_ID_LEN);
}

static void key_free(struct keyring_key *key)
{
    volatile uint8_t *at = key->key;

    free(key->spaces);
    for (size_t i = 0; i < sizeof key->key; i++)
        at[i] = 0;
    at = key->beacon;
    for (size_t i = 0; i < sizeof key->beacon; i++)
        at[i] = 0;
}

void keyring_free(struct keyring *k)
{
    for (uint32_t i = 0; i < k->n; i++)
        key_free(&k->e[i]);
    free(k->e);
    *k = (struct keyring){ 0 };
}

int keyring_id_of(struct key_id *out, const struct crypto_port *crypto,
    const uint8_t key[KEY_LEN])
{
    uint8_t mac[SHA256_LEN];
    int rc = crypto->hmac_sha256(
        crypto->self, mac, SLICE(key, KEY_LEN), SLICE_LIT("kid"));

    if (rc == SYNCLINE_OK)
        memcpy(out->b, mac, KEY_ID_LEN);
    return rc;
}

/* Where it is, or would be. */
static uint32_t place(
    const struct keyring *k, uint64_t epoch, const struct key_id *id)
{
    uint32_t ix = 0;

    while (ix < k->n && order(epoch, id, &k->e[ix]) > 0)
        ix++;
    return ix;
}

static bool is_at(const struct keyring *k, uint32_t ix, uint64_t epoch,
    const struct key_id *id)
{
    return ix < k->n && order(epoch, id, &k->e[ix]) == 0;
}

/* NULL: memory ran out. */
static struct keyring_key *find_or_add(
    struct keyring *k, uint64_t epoch, const struct key_id *id)
{
    uint32_t ix = place(k, epoch, id);

    if (is_at(k, ix, epoch, id))
        return &k->e[ix];
    if (k->n == k->cap) {
        uint32_t cap = k->cap == 0 ? 4 : 2 * k->cap;
        struct keyring_key *more = calloc(cap, sizeof *more);

        if (more == NULL)
            return NULL;
        if (k->n > 0) {
            memcpy(more, k->e, k->n * sizeof *more);
            memset(k->e, 0, k->n * sizeof *more);
        }
        free(k->e);
        k->e = more;
        k->cap = cap;
    }
    memmove(&k->e[ix + 1], &k->e[ix], (k->n - ix) * sizeof *k->e);
    k->e[ix] = (struct keyring_key){ .epoch = epoch, .id = *id };
    k->n++;
    return &k->e[ix];
}

int keyring_note(
    struct keyring *k, uint64_t epoch, const struct key_id *id, bool spoiled)
{
    struct keyring_key *key = find_or_add(k, epoch, id);

    if (key == NULL)
        return SYNCLINE_ENOMEM;
    key->spoiled = spoiled;
    return SYNCLINE_OK;
}

int keyring_put(struct keyring *k, const struct crypto_port *crypto,
    uint64_t epoch, const uint8_t bytes[KEY_LEN])
{
    struct keyring_key *key;
    struct key_id id;
    int rc = keyring_id_of(&id, crypto, bytes);

    if (rc != SYNCLINE_OK)
        return rc;
    key = find_or_add(k, epoch, &id);
    if (key == NULL)
        return SYNCLINE_ENOMEM;
    memcpy(key->key, bytes, KEY_LEN);
    key->whole = true;
    return SYNCLINE_OK;
}

const struct keyring_key *keyring_find(
    const struct keyring *k, uint64_t epoch, const struct key_id *id)
{
    uint32_t ix = place(k, epoch, id);

    return is_at(k, ix, epoch, id) ? &k->e[ix] : NULL;
}

/* They are sorted by epoch and id already. */
static bool is_better(const struct keyring_key *a, const struct keyring_key *b)
{
    return a->epoch != b->epoch ? a->epoch > b->epoch
                                : b->spoiled || !a->spoiled;
}

static const struct keyring_key *best(const struct keyring *k, bool held)
{
    const struct keyring_key *found = NULL;

    for (uint32_t i = 0; i < k->n; i++)
        if ((!held || keyring_holds(&k->e[i])) &&
            (found == NULL || is_better(&k->e[i], found)))
            found = &k->e[i];
    return found;
}

const struct keyring_key *keyring_current(const struct keyring *k)
{
    const struct keyring_key *key = best(k, false);

    return key != NULL && keyring_holds(key) ? key : NULL;
}

const struct keyring_key *keyring_best(const struct keyring *k)
{
    return best(k, false);
}

const struct keyring_key *keyring_held(const struct keyring *k)
{
    return best(k, true);
}

/* ---- what is made of a key ---- */

static int derive_space(const uint8_t key[KEY_LEN],
    const struct crypto_port *crypto, const struct space_token *space,
    uint8_t out[KEY_LEN])
{
    uint8_t info[sizeof SPACE_INFO - 1 + SPACE_TOKEN_LEN];

    memcpy(info, SPACE_INFO, sizeof SPACE_INFO - 1);
    memcpy(info + sizeof SPACE_INFO - 1, space->b, SPACE_TOKEN_LEN);
    return crypto->hkdf(crypto->self, out, KEY_LEN, SLICE(key, KEY_LEN),
        SLICE_NONE, SLICE(info, sizeof info));
}

bool keyring_has_space(
    const struct keyring_key *key, const struct space_token *space)
{
    bool has = key->whole;

    for (uint32_t i = 0; i < key->spaces_n && !has; i++)
        has = space_token_eq(&key->spaces[i].space, space);
    return has;
}

int keyring_space_key(const struct keyring_key *key,
    const struct crypto_port *crypto, const struct space_token *space,
    uint8_t out[KEY_LEN])
{
    if (key->whole)
        return derive_space(key->key, crypto, space, out);
    for (uint32_t i = 0; i < key->spaces_n; i++)
        if (space_token_eq(&key->spaces[i].space, space)) {
            memcpy(out, key->spaces[i].key, KEY_LEN);
            return SYNCLINE_OK;
        }
    return SYNCLINE_ENOTFOUND;
}

int keyring_beacon_key(const struct keyring_key *key,
    const struct crypto_port *crypto, uint8_t out[KEY_LEN])
{
    if (key->whole)
        return crypto->hkdf(crypto->self, out, KEY_LEN,
            SLICE(key->key, KEY_LEN), SLICE_NONE, SLICE_LIT(BEACON_INFO));
    if (!key->has_beacon)
        return SYNCLINE_ENOTFOUND;
    memcpy(out, key->beacon, KEY_LEN);
    return SYNCLINE_OK;
}

/* ---- what a member is given ---- */

static void put_info(struct buf *b, const struct wrap *w)
{
    buf_put_str(b, WRAP_INFO);
    buf_put(b, w->from.b, DEVICE_ID_LEN);
    buf_put(b, w->to.b, DEVICE_ID_LEN);
    put_u64(b, w->epoch);
    buf_put(b, w->id.b, KEY_ID_LEN);
}

static int put_parts(struct buf *b, const struct crypto_port *crypto,
    const struct keyring_key *key, const struct entitlement *e)
{
    uint8_t part[KEY_LEN];
    int rc;

    if (e->whole) {
        if (!key->whole)
            return SYNCLINE_ENOTFOUND;
        buf_put_u8(b, PART_WHOLE);
        buf_put(b, key->key, KEY_LEN);
        return buf_status(b);
    }
    rc = keyring_beacon_key(key, crypto, part);
    buf_put_u8(b, PART_BEACON);
    buf_put(b, part, KEY_LEN);
    for (uint32_t i = 0; i < e->spaces_n && rc == SYNCLINE_OK; i++) {
        rc = keyring_space_key(key, crypto, &e->spaces[i], part);
        buf_put_u8(b, PART_SPACE);
        buf_put(b, e->spaces[i].b, SPACE_TOKEN_LEN);
        buf_put(b, part, KEY_LEN);
    }
    return rc == SYNCLINE_OK ? buf_status(b) : rc;
}

int keyring_wrap(struct buf *out, const struct crypto_port *crypto,
    const struct wrap *w, const uint8_t peer[KX_LEN],
    const struct keyring_key *key, const struct entitlement *e)
{
    struct buf info = { 0 }, plain = { 0 };
    uint8_t nonce[GCM_NONCE_LEN], under[KEY_LEN];
    int rc;

    put_info(&info, w);
    rc = buf_status(&info);
    if (rc == SYNCLINE_OK)
        rc = put_parts(&plain, crypto, key, e);
    if (rc == SYNCLINE_OK)
        rc = crypto->kx_shared(crypto->self, peer, buf_slice(&info), under);
    if (rc == SYNCLINE_OK)
        rc = crypto->random(crypto->self, nonce, sizeof nonce);
    if (rc == SYNCLINE_OK) {
        buf_put(out, nonce, sizeof nonce);
        rc = buf_status(out);
    }
    if (rc == SYNCLINE_OK)
        rc = crypto->seal(crypto->self, out, under, nonce, buf_slice(&info),
            buf_slice(&plain));
    buf_free(&info);
    buf_free(&plain);
    return rc;
}

static int compare_space(const void *a, const void *b)
{
    const struct keyring_space *x = a, *y = b;

    return memcmp(x->space.b, y->space.b, SPACE_TOKEN_LEN);
}

static int put_space(
    struct keyring_key *key, const struct space_token *space, struct slice part)
{
    struct keyring_space *more;

    for (uint32_t i = 0; i < key->spaces_n; i++)
        if (space_token_eq(&key->spaces[i].space, space)) {
            memcpy(key->spaces[i].key, part.ptr, KEY_LEN);
            return SYNCLINE_OK;
        }
    more = realloc(key->spaces, (key->spaces_n + 1) * sizeof *more);
    if (more == NULL)
        return SYNCLINE_ENOMEM;
    key->spaces = more;
    more[key->spaces_n].space = *space;
    memcpy(more[key->spaces_n++].key, part.ptr, KEY_LEN);
    qsort(more, key->spaces_n, sizeof *more, compare_space);
    return SYNCLINE_OK;
}

static int take_part(struct keyring *k, const struct crypto_port *crypto,
    const struct wrap *w, struct reader *r)
{
    struct keyring_key *key = find_or_add(k, w->epoch, &w->id);
    uint8_t kind = get_u8(r);
    struct space_token space = { { 0 } };
    struct slice part;

    if (key == NULL)
        return SYNCLINE_ENOMEM;
    if (kind == PART_SPACE)
        get_into(r, space.b, SPACE_TOKEN_LEN);
    part = get_fixed(r, KEY_LEN);
    if (r->err != SYNCLINE_OK)
        return SYNCLINE_EMALFORMED;
    if (kind == PART_SPACE)
        return put_space(key, &space, part);
    if (kind == PART_BEACON) {
        memcpy(key->beacon, part.ptr, KEY_LEN);
        key->has_beacon = true;
        return SYNCLINE_OK;
    }
    return kind == PART_WHOLE ? keyring_put(k, crypto, w->epoch, part.ptr)
                              : SYNCLINE_EMALFORMED;
}

/* Before anything of it is taken. */
static int check_parts(
    const struct crypto_port *crypto, const struct wrap *w, struct slice plain)
{
    struct reader r = reader_of(plain);

    while (r.err == SYNCLINE_OK && r.in.len > 0) {
        uint8_t kind = get_u8(&r);
        struct key_id id;
        struct slice part;
        int rc;

        if (kind == PART_SPACE)
            (void)get_fixed(&r, SPACE_TOKEN_LEN);
        part = get_fixed(&r, KEY_LEN);
        if (r.err != SYNCLINE_OK || kind > PART_SPACE)
            return SYNCLINE_EMALFORMED;
        if (kind != PART_WHOLE)
            continue;
        rc = keyring_id_of(&id, crypto, part.ptr);
        if (rc != SYNCLINE_OK)
            return rc;
        if (memcmp(id.b, w->id.b, KEY_ID_LEN) != 0)
            return SYNCLINE_EMALFORMED;
    }
    return r.err == SYNCLINE_OK ? SYNCLINE_OK : SYNCLINE_EMALFORMED;
}

int keyring_unwrap(struct keyring *k, const struct crypto_port *crypto,
    const struct wrap *w, const uint8_t peer[KX_LEN], struct slice sealed)
{
    struct buf info = { 0 }, plain = { 0 };
    uint8_t under[KEY_LEN];
    struct reader r;
    int rc;

    if (sealed.len < GCM_NONCE_LEN + GCM_TAG_LEN)
        return SYNCLINE_EMALFORMED;
    put_info(&info, w);
    rc = buf_status(&info);
    if (rc == SYNCLINE_OK)
        rc = crypto->kx_shared(crypto->self, peer, buf_slice(&info), under);
    if (rc == SYNCLINE_OK)
        rc = crypto->open(crypto->self, &plain, under, sealed.ptr,
            buf_slice(&info), slice_from(sealed, GCM_NONCE_LEN));
    if (rc == SYNCLINE_OK)
        rc = check_parts(crypto, w, buf_slice(&plain));
    r = reader_of(buf_slice(&plain));
    while (rc == SYNCLINE_OK && r.in.len > 0)
        rc = take_part(k, crypto, w, &r);
    buf_free(&info);
    buf_free(&plain);
    return rc;
}
