#include "repl/border.h"

#include "repl/access_impl.h"
#include "repl/receive_impl.h"
#include "repl/secret.h"

bool border_is_here(
    const struct node *n, const struct conn *c, const struct space *sp)
{
    return !sp->sealed && !space_is_open(sp) &&
        members_role(n->members, &c->device) == ROLE_RELAY;
}

static int add_key(struct node *n, const struct space_token *token,
    const struct keyring_key *key, const uint8_t first[KEY_LEN],
    struct envelope_keys *out)
{
    const struct crypto_port *crypto = n->opt.crypto;
    struct envelope_secret secret = { .epoch = key->epoch };
    int rc = keyring_space_key(key, crypto, token, secret.key);

    memcpy(secret.id, key->id.b, KEY_ID_LEN);
    memcpy(secret.first, first, KEY_LEN);
    if (rc == SYNCLINE_OK)
        rc = envelope_keys_make(out, crypto, &n->mesh, token, &secret);
    secret_wipe(&secret, sizeof secret);
    return rc;
}

/* Names are made with the key of epoch 0. */
int border_first_key(
    struct node *n, const struct space_token *token, uint8_t first[KEY_LEN])
{
    const struct keyring *ring = &n->keyring;

    if (ring->n == 0 || ring->e[0].epoch != 0)
        return SYNCLINE_ENOTFOUND;
    return keyring_space_key(&ring->e[0], n->opt.crypto, token, first);
}

bool border_opens(const struct node *n, const struct space *sp)
{
    const struct keyring *ring = &n->keyring;

    return ring->n > 0 && ring->e[0].epoch == 0 &&
        keyring_has_space(&ring->e[0], space_token_of(n, sp));
}

int border_sealer(struct node *n, const struct space *sp, struct sealer *out)
{
    const struct keyring *ring = &n->keyring;
    const struct keyring_key *current = keyring_current(ring);
    const struct space_token *token = space_token_of(n, sp);
    struct envelope_keys *keys =
        arena_alloc(&n->step, (ring->n + n->voided.n + 1) * sizeof *keys);
    struct sealer s = { .node = n, .space = sp, .keys = keys };
    uint8_t first[KEY_LEN];
    int rc = keys == NULL ? SYNCLINE_ENOMEM : border_first_key(n, token, first);

    for (uint32_t i = 0; i < ring->n && rc == SYNCLINE_OK; i++) {
        rc = add_key(n, token, &ring->e[i], first, &keys[s.keys_n]);
        if (rc == SYNCLINE_OK && (&ring->e[i] == current || current == NULL))
            s.current = s.keys_n;
        s.keys_n += rc == SYNCLINE_OK;
        if (rc == SYNCLINE_ENOTFOUND)
            rc = SYNCLINE_OK;
    }
    for (uint32_t i = 0; i < n->voided.n && rc == SYNCLINE_OK; i++) {
        rc = add_key(
            n, token, &n->voided.e[i], first, &keys[s.keys_n + s.voided_n]);
        s.voided_n += rc == SYNCLINE_OK;
        if (rc == SYNCLINE_ENOTFOUND)
            rc = SYNCLINE_OK;
    }
    secret_wipe(first, sizeof first);
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND)
        return rc;
    *out = s;
    return SYNCLINE_OK;
}

int border_out(const struct sealer *s, struct row_out *row)
{
    struct arena *a = &s->node->step;
    struct row_out sealed;
    struct item it;
    int rc = sealed_make(s, row->key, &row->item, &sealed.key, &it, a);

    if (rc == SYNCLINE_OK)
        rc = row_out_make(&sealed, &it, a);
    if (rc == SYNCLINE_OK)
        *row = sealed;
    return rc;
}

int border_in(const struct sealer *s, struct row_in *row)
{
    struct row_in clear = *row;
    int rc = sealed_open_item(
        s, row->key, &row->item, &clear.key, &clear.item, &s->node->step);

    if (rc == SYNCLINE_OK)
        rc = receive_opened_row(s->node, &clear);
    if (rc != SYNCLINE_OK)
        return rc;
    clear.bytes = SLICE_NONE;
    *row = clear;
    return SYNCLINE_OK;
}
