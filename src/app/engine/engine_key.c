/* Opening the store and the key that it belongs to. */
#include "app/engine/engine_impl.h"
#include "repl/keys.h"

/* Is there a replica in it, and so a device that it belongs to? */
static int store_is_used(const struct engine *e, bool *used)
{
    struct slice replica;
    int rc = store_get(&e->port, TABLE_META, SLICE_LIT(META_REPLICA), &replica);

    *used = rc == SYNCLINE_OK;
    return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
}

static int make_identity(struct engine *e, struct errmsg *why)
{
    bool used = false;
    int rc = store_is_used(e, &used);

    if (rc == SYNCLINE_OK && used)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s/identity.pem: this key is not there, but the store that "
            "belongs to it is; put it back, or choose another folder",
            e->dir);
    return rc == SYNCLINE_OK ? identity_file_make(&e->identity, e->dir, why)
                             : rc;
}

/* A wrong passphrase leaves the store alone, and with it the mark of a clean
 * stop. But a key is made by who has the folder to himself. */
int engine_open_store(struct engine *e, struct errmsg *why)
{
    const struct identity_source from = { .dir = e->dir,
        .file = e->opt.identity,
        .ask = e->opt.passphrase,
        .ctx = e->opt.passphrase_ctx };
    int rc = identity_file_load(&e->identity, &from, why);
    int opened;

    if (rc != SYNCLINE_OK && (rc != SYNCLINE_ENOTFOUND || from.file != NULL))
        return rc;
    opened = engine_store_open(e, why);
    if (opened != SYNCLINE_OK || rc == SYNCLINE_OK)
        return opened;
    rc = identity_file_load(&e->identity, &from, why); /* made meanwhile? */
    return rc == SYNCLINE_ENOTFOUND ? make_identity(e, why) : rc;
}
