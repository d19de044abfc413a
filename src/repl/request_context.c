/* What an item has seen, as people and programs hold it in their hands. */
#include "base/text.h"
#include "repl/request_admin.h"

int context_print(
    const struct node *n, const struct item *it, char out[CONTEXT_TEXT_LEN + 1])
{
    uint8_t sum[SHA256_LEN] = { 0 };
    struct slice print;
    struct buf b = { 0 };
    int rc;

    put_varint(&b, it->length);
    put_vv(&b, &it->ctx);
    print = buf_slice(&b);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = n->opt.crypto->hash(n->opt.crypto->self, sum, &print, 1);
    buf_free(&b);
    hex_encode(out, SLICE(sum, CONTEXT_TEXT_LEN / 2));
    return rc;
}

static int changed_since(const struct space *sp, struct slice key,
    const char *how, struct errmsg *why)
{
    return errmsg_set(why, SYNCLINE_ECONFLICT,
        "%.*s/%.*s: %s; read it again, then decide", SLICE_FMT(sp->name),
        SLICE_FMT(key), how);
}

int context_check(struct node *n, struct space *sp, struct slice key,
    const struct json *want, struct errmsg *why)
{
    char now[CONTEXT_TEXT_LEN + 1];
    struct stored st;
    int rc;

    if (want == NULL)
        return SYNCLINE_OK;
    if (want->type != JSON_STRING)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "if_context: not a string as `get` tells one");
    rc = item_read(n, sp, key, &st);
    if (rc != SYNCLINE_OK)
        return rc;
    if (!st.was_alive)
        return want->s.len == 0
            ? SYNCLINE_OK
            : changed_since(sp, key, "there is no such item any more", why);
    if (want->s.len == 0)
        return changed_since(sp, key, "there is such an item already", why);
    rc = context_print(n, &st.item, now);
    if (rc != SYNCLINE_OK || slice_is(want->s, "*") || slice_is(want->s, now))
        return rc;
    return changed_since(sp, key, "somebody else has changed it", why);
}
