/* Membership, spaces and policies are items of the space `_mesh`:
 *   cert/<id>                           certificates (members.h)
 *   member/<device>, removed/<device>   those of format 2
 *   space/<name>                        true; deleted: hidden everywhere
 *   policy/<space>/<prefix>             a policy's name
 *   parked/<device>                     true, or false (silence.c)
 *   clock/<epoch>/<device>              a signed record (clock_epochs.c)
 *   fork/<id>                           two changes of one dot (forks.h)  */
#include "base/plant.h"
#include "base/text.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"
#include "repl/secret.h"

#include <stdlib.h>

#define SPACE_PREFIX "space/"
#define POLICY_PREFIX "policy/"
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
    uint8_t mac[SHA256_LEN];
    int rc = n->opt.crypto->hmac_sha256(
        n->opt.crypto->self, mac, SLICE(n->mesh.b, MESH_ID_LEN), name);

    if (rc == SYNCLINE_OK)
        memcpy(out->b, mac, SPACE_TOKEN_LEN);
    return rc;
}

int mesh_put_text(struct node *n, struct slice key, struct slice json)
{
    struct space *sp = space_by_name(n, SLICE_LIT(MESH_SPACE));
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

static const char *const fixed[] = { MESH_SPACE, DEFAULT_SPACE, "config" };

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
    n->mesh_seen = 0;
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

/* The document of an item of `_mesh`; SLICE_NONE if it is deleted. */
static int mesh_document(
    struct node *n, struct space *sp, struct slice key, struct slice *out)
{
    struct stored st;
    int rc = item_load(n, sp, key, &st);

    if (rc == SYNCLINE_OK)
        *out = st.was_alive ? st.before : SLICE_NONE;
    return rc;
}

static int refresh_space(struct node *n, struct slice name, bool alive)
{
    struct space *sp = space_by_name(n, name);
    int rc = SYNCLINE_OK;

    /* Nobody adds such a one by hand: it is made up, and no space. */
    if (sp == NULL && alive && !PLANTED(R21_SPACES) &&
        (!space_name_is_good(name) || spaces_n(n) >= SPACES_MAX)) {
        log_line(&n->log, LOG_LEVEL_WARN, "mesh",
            "a space that a member has added is not opened: there are %u, or "
            "its name is none",
            spaces_n(n));
        return SYNCLINE_OK;
    }
    if (sp == NULL && alive)
        rc = space_open(n, name, &sp);
    if (rc == SYNCLINE_OK && sp != NULL)
        sp->hidden = !alive && !space_is_fixed(name);
    return rc;
}

struct policy_scan {
    struct node *node;
    struct space *space;
    struct policy_rule rules[256];
    uint32_t n;
};

static int note_policy(void *ctx, struct slice key, struct slice value)
{
    struct policy_scan *p = ctx;
    struct policy_rule *rule = &p->rules[p->n];
    struct stored st;
    struct buf doc = { 0 };
    int rc = stored_decode(value, &st, &p->node->step);

    if (rc != SYNCLINE_OK || !item_alive(&st.item) || p->n == 256)
        return rc;
    put_document(&doc, &st.item, &p->node->step);
    if (doc.len > 2 &&
        policy_parse(SLICE(doc.ptr + 1, doc.len - 2), &rule->policy) == 0) {
        size_t skip = 4 + sizeof POLICY_PREFIX - 1 + p->space->name.len + 1;

        rule->prefix =
            arena_dup(&p->space->policy_arena, slice_from(key, skip));
        rc = rule->prefix.ptr == NULL ? SYNCLINE_ENOMEM : SYNCLINE_OK;
        p->n++;
    }
    buf_free(&doc);
    return rc;
}

static int longest_first(const void *a, const void *b)
{
    const struct policy_rule *x = a, *y = b;

    if (x->prefix.len != y->prefix.len)
        return x->prefix.len < y->prefix.len ? 1 : -1;
    return slice_cmp(x->prefix, y->prefix);
}

static int refresh_policies(struct node *n, struct space *sp)
{
    struct space *mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    struct policy_scan p = { .node = n, .space = sp };
    struct buf prefix = { 0 };
    int rc;

    arena_reset(&sp->policy_arena);
    sp->policies_n = 0;
    put_be32(&prefix, mesh->id);
    buf_printf(&prefix, POLICY_PREFIX "%.*s/", SLICE_FMT(sp->name));
    rc = store_scan(&n->opt.store, TABLE_ITEM, buf_slice(&prefix), SLICE_NONE,
        note_policy, &p);
    buf_free(&prefix);
    if (rc != SYNCLINE_OK)
        return rc;
    qsort(p.rules, p.n, sizeof *p.rules, longest_first);
    sp->policies = arena_alloc(&sp->policy_arena, (p.n + 1) * sizeof *p.rules);
    if (sp->policies == NULL)
        return SYNCLINE_ENOMEM;
    memcpy(sp->policies, p.rules, p.n * sizeof *p.rules);
    sp->policies_n = p.n;
    return SYNCLINE_OK;
}

static int refresh_policy_of(struct node *n, struct slice rest)
{
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (slice_has_prefix(rest, sp->name) && rest.len > sp->name.len &&
            rest.ptr[sp->name.len] == '/')
            return refresh_policies(n, sp);
    return SYNCLINE_OK;
}

static bool after_prefix(
    struct slice key, const char *prefix, struct slice *out)
{
    if (!slice_has_prefix(key, slice_str(prefix)))
        return false;
    *out = slice_from(key, strlen(prefix));
    return true;
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

static int refresh_item(struct node *n, struct space *mesh, struct slice key)
{
    struct errmsg why = { "" };
    struct slice doc, rest;
    int rc = mesh_document(n, mesh, key, &doc);

    if (rc != SYNCLINE_OK)
        return rc;
    if (after_prefix(key, SPACE_PREFIX, &rest))
        return refresh_space(n, rest, doc.ptr != NULL);
    if (after_prefix(key, POLICY_PREFIX, &rest))
        return refresh_policy_of(n, rest);
    if (after_prefix(key, EPOCH_PREFIX, &rest))
        return refresh_epoch(n, key, doc);
    if (forks_is_key(key))
        return forks_take(n, key, doc, &n->rights_due);
    if (members_is_key(key)) {
        rc = members_set(n->members, key, doc, &why);
        if (rc == SYNCLINE_EMALFORMED)
            log_line(&n->log, LOG_LEVEL_WARN, "mesh", "%.*s: %s",
                SLICE_FMT(key), why.text);
        return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
    }
    return SYNCLINE_OK;
}

/* Whoever has less now may know one, which would give it back. */
static void forget_invites(struct node *n)
{
    if (members_lessened(n->members))
        invites_forget(n->invites);
}

/* Once it is known who is a member: nobody else can be parked. */
static int refresh_parked(struct node *n, struct space *mesh, struct slice key)
{
    struct slice doc, rest;
    int rc;

    if (!after_prefix(key, PARKED_PREFIX, &rest))
        return SYNCLINE_OK;
    rc = mesh_document(n, mesh, key, &doc);
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
        if (!c->pairing && !members_has(n->members, &c->device))
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

int mesh_refresh(struct node *n)
{
    struct space *mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    struct refresh f = { .node = n };
    struct buf prefix = { 0 };
    bool changed = false;
    int rc;

    f.end = &f.keys;
    rc = store_scan(&n->opt.store, TABLE_FEED, key_space(&prefix, mesh->id),
        key_feed(&n->key, mesh->id, n->mesh_seen + 1, FEED_ITEM, SLICE_NONE),
        note_changed, &f);
    buf_free(&prefix);
    for (struct changed_key *k = f.keys; k != NULL && rc == SYNCLINE_OK;
         k = k->next)
        rc = refresh_item(n, mesh, k->key);
    if (rc == SYNCLINE_OK)
        rc = members_fold(n->members, &changed);
    n->members_changed = n->members_changed || changed;
    if (rc == SYNCLINE_OK && n->members_changed)
        rc = act_on_members(n);
    if (rc == SYNCLINE_OK && changed)
        rc = forks_retry(n, &n->rights_due);
    if (rc == SYNCLINE_OK)
        n->members_changed = false;
    for (struct changed_key *k = f.keys; k != NULL && rc == SYNCLINE_OK;
         k = k->next)
        rc = refresh_parked(n, mesh, k->key);
    if (rc != SYNCLINE_OK)
        return rc;
    n->mesh_changed = n->mesh_due = false;
    n->mesh_seen = mesh->s.lsn;
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
