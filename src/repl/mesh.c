/* Membership is items of the space `_mesh`, which every device of the mesh
 * reads and writes:
 *   cert/<id>                           certificates (members.h)
 *   member/<device>, removed/<device>   those of format 2
 *   parked/<device>                     true, or false (silence.c)
 *   clock/<epoch>/<device>              a signed record (clock_epochs.c)
 *   fork/<id>                           two changes of one dot (forks.h)
 * Spaces and policies are items of `_spaces`, which relays do not read, and
 * which admins write:
 *   space/<name>                        true; deleted: hidden everywhere
 *   policy/<space>/<prefix>             a policy's name
 *   schema/<space>/<prefix>             a JSON Schema
 * What stands in `_mesh` under such a key means nothing: anybody writes there.
 */
#include "base/plant.h"
#include "base/text.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"
#include "repl/mesh_impl.h"
#include "repl/secret.h"

#include <stdlib.h>

#define DIALLED_FROM ((uint64_t)1 << 62) /* ids below are the shell's */

int mesh_init(struct node *n)
{
    struct peers_options opt = { .self = n->device,
        .seed = prng_next(&n->prng),
        .dial_min_us = n->opt.dial_min_us,
        .dial_max_us = n->opt.dial_max_us };
    int rc = peers_new(&n->peers, &opt);

    n->next_conn = DIALLED_FROM;
    if (rc == SYNCLINE_OK)
        rc = invites_new(&n->invites, n->opt.crypto);
    for (size_t i = 0; i < n->opt.peers_n && rc == SYNCLINE_OK; i++)
        rc = peers_add_static(n->peers, &n->opt.peers[i], n->now_us);
    return rc;
}

void mesh_free(struct node *n)
{
    members_free(n->members);
    forks_free(n);
    invites_free(n->invites);
    peers_free(n->peers);
    keyring_free(&n->keyring);
    keyring_free(&n->voided);
    copies_free(&n->copies);
    roster_forget(&n->roster);
}

/* ---- who owns which replica ---- */

const struct device_id *owner_of(const struct node *n, const struct rid *r)
{
    const struct device_id *ids = members_ids(n->members);
    size_t lo = 0, hi = members_n(n->members);

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (memcmp(ids[mid].b, r->b, RID_DEVICE_LEN) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < members_n(n->members) && rid_is_of(r, &ids[lo]) ? &ids[lo]
                                                                : NULL;
}

/* ---- writing ---- */

int mesh_token(const struct node *n, struct slice name, struct space_token *out)
{
    return members_space_token(out, n->opt.crypto, &n->mesh, name);
}

int mesh_put_text(struct node *n, struct slice key, struct slice json)
{
    struct space *sp = mesh_space_of(n, key);
    struct write_op op = { .key = key };
    struct write_result result;
    struct json *doc = NULL;
    int rc = SYNCLINE_OK;

    if (json.ptr != NULL)
        rc = json_parse(&doc, json, JSON_STRICT, &n->step, NULL);
    op.doc = doc;
    return rc == SYNCLINE_OK ? write_local(n, sp, &op, 1, &result, NULL) : rc;
}

int mesh_save_identity(struct node *n)
{
    int rc;

    buf_clear(&n->out);
    rc = secret_put(&n->out, n->opt.crypto, &n->mesh, n->mesh_secret);
    txn_put_buf(&n->txn, TABLE_META, SLICE_LIT(META_MESH), &n->out);
    return rc == SYNCLINE_OK ? txn_status(&n->txn) : rc;
}

static const char *const fixed[] = { MESH_SPACE, SPACES_SPACE, DEFAULT_SPACE,
    "config" };

#define FIXED_N (int)(sizeof fixed / sizeof *fixed)

bool space_is_fixed(struct slice name)
{
    for (int i = 0; i < FIXED_N; i++)
        if (slice_is(name, fixed[i]))
            return true;
    return false;
}

int mesh_open_spaces(struct node *n)
{
    int rc = SYNCLINE_OK;

    for (int i = 0; i < FIXED_N && rc == SYNCLINE_OK; i++) {
        struct space *sp;

        rc = space_open(n, slice_str(fixed[i]), &sp);
    }
    n->mesh_seen = n->spaces_seen = 0;
    return rc;
}

int mesh_found(struct node *n)
{
    struct buf key = { 0 }, value = { 0 };
    int rc = n->opt.crypto->random(
        n->opt.crypto->self, n->mesh_secret, MESH_SECRET_LEN);

    if (rc == SYNCLINE_OK)
        rc = members_make_founder(
            &n->mesh, &key, &value, n->opt.crypto, n->opt.name, n->wall_us);
    if (rc == SYNCLINE_OK)
        rc = members_new(&n->members, n->opt.crypto, &n->mesh);
    if (rc == SYNCLINE_OK)
        rc = mesh_save_identity(n);
    if (rc == SYNCLINE_OK)
        rc = mesh_open_spaces(n);
    if (rc == SYNCLINE_OK)
        rc = mesh_put_text(n, buf_slice(&key), buf_slice(&value));
    buf_free(&key);
    buf_free(&value);
    return rc;
}

/* ---- loading ---- */

int mesh_take_records(struct node *n, struct slice records)
{
    struct reader r = reader_of(records);

    while (r.in.len > 0) {
        struct slice key, value;

        get_pair_record(&r, &key, &value);
        if (r.err != 0)
            return r.err;
        if (members_set(n->members, key, value, NULL) == SYNCLINE_ENOMEM)
            return SYNCLINE_ENOMEM;
    }
    return SYNCLINE_OK;
}

int mesh_load(struct node *n, struct errmsg *why)
{
    struct slice value;
    bool bare = false;
    int rc = store_get(&n->opt.store, TABLE_META, SLICE_LIT(META_MESH), &value);

    if (rc != SYNCLINE_OK)
        return errmsg_set(why,
            rc == SYNCLINE_ENOTFOUND ? SYNCLINE_ECORRUPT : rc,
            "the store does not say which mesh it belongs to");
    rc = secret_get(value, n->opt.crypto, &n->mesh, n->mesh_secret, &bare);
    if (rc == SYNCLINE_EDENIED || rc == SYNCLINE_ECORRUPT)
        return errmsg_set(why, SYNCLINE_ECORRUPT, "the mesh record is damaged");
    if (rc == SYNCLINE_OK && bare) /* an older store's */
        rc = mesh_save_identity(n);
    if (rc == SYNCLINE_OK)
        rc = members_new(&n->members, n->opt.crypto, &n->mesh);
    if (rc == SYNCLINE_OK)
        rc = store_get(
            &n->opt.store, TABLE_META, SLICE_LIT(META_WELCOME), &value);
    if (rc == SYNCLINE_OK)
        rc = mesh_take_records(n, value);
    if (rc == SYNCLINE_ENOTFOUND)
        rc = SYNCLINE_OK;
    if (rc == SYNCLINE_OK)
        rc = welcome_load(n);
    if (rc == SYNCLINE_OK)
        rc = spaces_load(n, why);
    if (rc == SYNCLINE_OK)
        rc = mesh_open_spaces(n);
    n->mesh_changed = true;
    return rc;
}

/* ---- refreshing ---- */

struct changed_key {
    struct changed_key *next;
    struct slice key;
};

struct refresh {
    struct node *node;
    struct changed_key *keys, **end;
};

static int note_changed(void *ctx, struct slice key, struct slice value)
{
    struct refresh *f = ctx;
    struct changed_key *k = arena_zalloc(&f->node->step, 1, sizeof *k);
    enum feed_kind kind;
    struct slice tail;
    uint64_t lsn;
    int rc = get_feed_key(key, &lsn, &kind, &tail);

    (void)value;
    if (rc != SYNCLINE_OK || kind != FEED_ITEM)
        return rc;
    if (k == NULL)
        return SYNCLINE_ENOMEM;
    k->key = arena_dup(&f->node->step, tail);
    if (k->key.ptr == NULL)
        return SYNCLINE_ENOMEM;
    *f->end = k;
    f->end = &k->next;
    return SYNCLINE_OK;
}

/* What proves nothing, or not yet, is left alone: connections bring the
 * proofs in their order. */
static int refresh_epoch(struct node *n, struct slice key, struct slice doc)
{
    struct errmsg why = { "" };
    bool raised;
    int rc = doc.ptr == NULL ? SYNCLINE_EMALFORMED
                             : epoch_take(n, doc, &raised, &why);

    if (rc == SYNCLINE_EMALFORMED) {
        log_line(&n->log, LOG_LEVEL_DEBUG, "clock", "%.*s: %s", SLICE_FMT(key),
            why.text);
        return SYNCLINE_OK;
    }
    return rc;
}

static int refresh_record(struct node *n, struct slice key)
{
    struct errmsg why = { "" };
    bool epoch = slice_has_prefix(key, SLICE_LIT(EPOCH_PREFIX));
    bool fork = forks_is_key(key);
    struct slice doc;
    int rc;

    if (!epoch && !fork && !members_is_key(key))
        return SYNCLINE_OK;
    rc = mesh_document(n, key, &doc);
    if (rc == SYNCLINE_OK && epoch)
        return refresh_epoch(n, key, doc);
    if (rc == SYNCLINE_OK && fork)
        return forks_take(n, key, doc, &n->rights_due);
    if (rc == SYNCLINE_OK)
        rc = members_set(n->members, key, doc, &why);
    if (rc == SYNCLINE_EMALFORMED)
        log_line(&n->log, LOG_LEVEL_WARN, "mesh", "%.*s: %s", SLICE_FMT(key),
            why.text);
    return rc == SYNCLINE_EMALFORMED || rc == SYNCLINE_EINVAL ? SYNCLINE_OK
                                                              : rc;
}

/* Whoever has less now may know one, which would give it back. */
static void forget_invites(struct node *n)
{
    if (members_lessened(n->members))
        invites_forget(n->invites);
}

/* Once it is known who is a member: nobody else can be parked. */
static int refresh_other(struct node *n, struct slice key)
{
    const struct slice parked = SLICE_LIT(PARKED_PREFIX);
    struct slice doc, rest = slice_from(key, parked.len);
    int rc;

    if (mesh_is_of_spaces(key))
        return mesh_refresh_item(n, key);
    if (!slice_has_prefix(key, parked))
        return SYNCLINE_OK;
    rc = mesh_document(n, key, &doc);
    return rc == SYNCLINE_OK ? silence_parked(n, rest, slice_is(doc, "true"))
                             : rc;
}

static int act_on_members(struct node *n)
{
    int rc = peers_set_members(
        n->peers, members_ids(n->members), members_n(n->members), n->now_us);

    copies_keep(&n->copies, members_ids(n->members), members_n(n->members));
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        sp->orphans = true;
    for (struct conn *c = n->conns; c != NULL; c = c->next)
        if (!c->pairing && !members_has(n->members, &c->device) &&
            !PLANTED(R14_STAYS))
            conn_close(n, c, SYNCLINE_EDENIED, BYE_REMOVED);
    forget_invites(n);
    if (rc == SYNCLINE_OK)
        rc = epochs_load(n);
    n->rights_due = true;
    if (rc == SYNCLINE_OK && fx_add(n, FX_MEMBERS) == NULL)
        rc = SYNCLINE_ENOMEM;
    n->roster.due = true;
    return rc;
}

/* The keys of a space's feed that were not acted on yet. */
static int gather_changed(struct refresh *f, struct space *sp, uint64_t seen)
{
    struct node *n = f->node;
    struct buf prefix = { 0 };
    int rc = store_scan(&n->opt.store, TABLE_FEED, key_space(&prefix, sp->id),
        key_feed(&n->key, sp->id, seen + 1, FEED_ITEM, SLICE_NONE),
        note_changed, f);

    buf_free(&prefix);
    return rc;
}

static int fold_members(struct node *n)
{
    bool changed = false;
    int rc = members_fold(n->members, &changed);

    n->members_changed = n->members_changed || changed;
    if (rc == SYNCLINE_OK && n->members_changed)
        rc = act_on_members(n);
    if (rc == SYNCLINE_OK && changed)
        rc = forks_retry(n, &n->rights_due);
    return rc;
}

int mesh_refresh(struct node *n)
{
    struct space *mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    struct space *spaces = space_by_name(n, SLICE_LIT(SPACES_SPACE));
    struct refresh f = { .node = n };
    int rc;

    f.end = &f.keys;
    rc = gather_changed(&f, mesh, n->mesh_seen);
    if (rc == SYNCLINE_OK)
        rc = gather_changed(&f, spaces, n->spaces_seen);
    for (struct changed_key *k = f.keys; k != NULL && rc == SYNCLINE_OK;
         k = k->next)
        rc = refresh_record(n, k->key);
    if (rc == SYNCLINE_OK)
        rc = fold_members(n);
    if (rc == SYNCLINE_OK)
        n->members_changed = false;
    for (struct changed_key *k = f.keys; k != NULL && rc == SYNCLINE_OK;
         k = k->next)
        rc = refresh_other(n, k->key);
    if (rc == SYNCLINE_OK && n->spaces_seen == 0)
        rc = mesh_refresh_old(n);
    if (rc != SYNCLINE_OK)
        return rc;
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        sp->barred = carry_is_barred(n, sp);
    n->mesh_changed = n->mesh_due = false;
    n->mesh_seen = mesh->s.lsn;
    n->spaces_seen = spaces->s.lsn;
    return SYNCLINE_OK;
}

/* ---- time ---- */

static int send_beacon(struct node *n)
{
    struct beacon b = { .device = n->device, .port = n->opt.port };
    struct effect *fx;
    struct buf out = { 0 };
    int rc;

    n->beacon_due_us = n->now_us + n->opt.beacon_us;
    if (n->opt.port == 0)
        return SYNCLINE_OK;
    rc = epochs_put_beacon(n, &out, &b);
    if (rc == SYNCLINE_ENOTFOUND)
        return SYNCLINE_OK; /* no key has been given to us */
    fx = rc == SYNCLINE_OK ? fx_add(n, FX_DATAGRAM) : NULL;
    if (rc == SYNCLINE_OK)
        rc = fx == NULL ? SYNCLINE_ENOMEM : fx_bytes(n, fx, buf_slice(&out));
    buf_free(&out);
    return rc;
}

static int dial_due(struct node *n)
{
    struct peers_dial d;

    while (peers_next(n->peers, n->now_us, n->next_conn + 1, &d)) {
        struct effect *fx = fx_add(n, FX_DIAL);

        if (fx == NULL)
            return SYNCLINE_ENOMEM;
        fx->conn = ++n->next_conn;
        fx->remote = d.addr;
    }
    return SYNCLINE_OK;
}

int mesh_save_book(struct node *n)
{
    if (!peers_take_changed(n->peers))
        return SYNCLINE_OK;
    buf_clear(&n->out);
    peers_save(n->peers, &n->out);
    txn_put_buf(&n->txn, TABLE_META, SLICE_LIT(META_BOOK), &n->out);
    return txn_status(&n->txn);
}

int mesh_load_book(struct node *n)
{
    struct slice value;
    int rc = store_get(&n->opt.store, TABLE_META, SLICE_LIT(META_BOOK), &value);

    if (rc == SYNCLINE_OK)
        rc = peers_load(n->peers, value);
    return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
}

int mesh_tick(struct node *n)
{
    int rc = SYNCLINE_OK;

    if (n->now_us >= n->beacon_due_us)
        rc = send_beacon(n);
    if (rc == SYNCLINE_OK)
        rc = dial_due(n);
    return rc == SYNCLINE_OK ? mesh_save_book(n) : rc;
}

uint64_t mesh_deadline(const struct node *n)
{
    uint64_t due = peers_deadline(n->peers);

    return n->beacon_due_us < due ? n->beacon_due_us : due;
}
