/* Who is of this mesh, told to somebody over another system's connection: a tag
 * of some bytes that only a member can make. It names nobody, and says nothing
 * to who has not the mesh's key. */
#include "repl/access_impl.h"

#define INFO "syncline kin v1\n"

static int make_tag(const struct node *n, const struct beacon_key *beacon,
    struct slice of, uint8_t out[NODE_KIN_LEN])
{
    const struct crypto_port *c = n->opt.crypto;
    uint8_t key[KEY_LEN];
    int rc = c->hkdf(c->self, key, KEY_LEN, SLICE(beacon->b, KEY_LEN),
        SLICE_NONE, SLICE_LIT(INFO));

    if (rc == SYNCLINE_OK)
        rc = c->hmac_sha256(c->self, out, SLICE(key, KEY_LEN), of);
    return rc;
}

int node_kin_tag(
    const struct node *n, struct slice of, uint8_t out[NODE_KIN_LEN])
{
    return n->beacon_keys_n == 0 ? SYNCLINE_ENOTFOUND
                                 : make_tag(n, &n->beacon_keys[0], of, out);
}

/* Somebody may not have heard of the newest key yet. */
bool node_is_kin(const struct node *n, struct slice of, struct slice tag)
{
    uint8_t good[NODE_KIN_LEN];
    bool is = false;

    for (uint32_t i = 0; i < n->beacon_keys_n; i++) {
        uint8_t differ = 0;

        if (tag.len != NODE_KIN_LEN ||
            make_tag(n, &n->beacon_keys[i], of, good) != SYNCLINE_OK)
            return false;
        for (size_t k = 0; k < NODE_KIN_LEN; k++)
            differ |= (uint8_t)(good[k] ^ tag.ptr[k]);
        is = is || differ == 0;
    }
    return is;
}

int node_put_beacon(struct node *n, struct buf *out)
{
    const struct beacon b = { .device = n->device, .port = n->opt.port };

    return n->opt.port == 0 ? SYNCLINE_ENOTFOUND
                            : epochs_put_beacon(n, out, &b);
}
