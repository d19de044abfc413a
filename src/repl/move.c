/* Leaving one mesh for another. The old spaces keep their numbers on the
 * disk; their items are replayed from there, a few a step, into the spaces
 * of the same name once these have had their first MARK, and are deleted as
 * they go. So the move can be broken off anywhere and goes on at the next
 * start. */
#include "repl/access_impl.h"
#include "repl/collect_impl.h"
#include "repl/join_impl.h"
#include "repl/mesh_impl.h"

#include <stdlib.h>

#define CHUNK 64 /* in one step, if they are small */

/* A space of the mesh that was left. */
struct leaving {
    struct leaving *next;
    uint32_t id;
    struct slice name; /* in the heap; empty: its items are dropped */
    bool ready;        /* the space of that name has had its MARK */
};

static int leaving_add(struct node *n, uint32_t id, struct slice name)
{
    struct leaving *l = calloc(1, sizeof *l + name.len + 1);

    if (l == NULL)
        return SYNCLINE_ENOMEM;
    if (name.len > 0)
        memcpy(l + 1, name.ptr, name.len);
    l->id = id;
    l->name = SLICE(l + 1, name.len);
    l->ready = name.len == 0;
    l->next = n->replay;
    n->replay = l;
    return SYNCLINE_OK;
}

void replay_free(struct node *n)
{
    while (n->replay != NULL) {
        struct leaving *next = n->replay->next;

        free(n->replay);
        n->replay = next;
    }
}

static int load_leaving(void *ctx, struct slice key, struct slice value)
{
    struct node *n = ctx;
    struct reader r = reader_of(slice_from(key, sizeof META_JOINING - 1));
    uint32_t id = get_be32(&r);

    if (reader_end(&r) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    if (id >= n->next_space)
        n->next_space = id + 1;
    return leaving_add(n, id, value);
}

int join_load(struct node *n)
{
    return store_scan(&n->opt.store, TABLE_META, SLICE_LIT(META_JOINING),
        SLICE_NONE, load_leaving, n);
}

/* ---- the move ---- */

static int leave_space(
    struct node *n, const struct space *sp, bool discard, uint64_t *kept)
{
    bool drop = discard || sp->s.alive == 0 || space_is_inner(sp) || sp->sealed;
    struct slice name = drop ? SLICE_LIT("") : sp->name;
    int rc = SYNCLINE_OK;

    txn_del(&n->txn, TABLE_META, key_meta_space(&n->key, META_SPACE, sp->id));
    txn_put(&n->txn, TABLE_META, key_meta_space(&n->key, META_JOINING, sp->id),
        name);
    if (sp->past != sp->id) /* only its history is there still */
        txn_put(&n->txn, TABLE_META,
            key_meta_space(&n->key, META_JOINING, sp->past), SLICE_LIT(""));
    if (!drop)
        *kept += sp->s.alive;
    if (sp->past != sp->id)
        rc = leaving_add(n, sp->past, SLICE_NONE);
    if (rc == SYNCLINE_OK && sp->staging != NULL)
        rc = leaving_add(n, sp->staging->id, SLICE_NONE);
    return rc == SYNCLINE_OK ? leaving_add(n, sp->id, name) : rc;
}

struct count {
    struct arena arena;
    uint64_t alive;
};

static int count_alive(void *ctx, struct slice key, struct slice value)
{
    struct count *c = ctx;
    struct stored st;
    int rc = stored_decode(value, &st, &c->arena);

    (void)key;
    if (rc == SYNCLINE_OK && item_alive(&st.item))
        c->alive++;
    arena_reset(&c->arena);
    return rc;
}

/* What waits to be written into the mesh that is left now, since nobody of it
 * was met or nothing may be written there, waits for the next one. */
static int take_waiting(struct node *n, bool discard, uint64_t *kept)
{
    struct count c = { .alive = 0 };
    struct buf prefix = { 0 };
    int rc = SYNCLINE_OK;

    for (struct leaving *l = n->replay; l != NULL && rc == SYNCLINE_OK;
         l = l->next) {
        if (l->name.len == 0)
            continue;
        if (discard) {
            txn_put(&n->txn, TABLE_META,
                key_meta_space(&n->key, META_JOINING, l->id), SLICE_LIT(""));
            l->name = SLICE_NONE;
        } else {
            rc = store_scan(&n->opt.store, TABLE_ITEM,
                key_space(&prefix, l->id), SLICE_NONE, count_alive, &c);
        }
        l->ready = discard;
    }
    *kept += c.alive;
    arena_free(&c.arena);
    buf_free(&prefix);
    return rc;
}

/* What still points to the spaces of the old mesh lets go of them. */
static int let_go(struct node *n)
{
    returns_free(n);
    conns_restart(n, "this device moves to another mesh");
    while (n->spaces != NULL) {
        struct space *sp = n->spaces;

        watches_space_gone(n, sp);
        for (struct conn *c = n->conns; c != NULL; c = c->next)
            session_drop(c, sp);
        space_free(n, sp);
    }
    n->pending_n = 0;
    n->raises_n = 0;
    resolves_free(n);
    verifies_free(n);
    return waits_abandon(n);
}

static int enter_mesh(struct node *n, const struct pair_welcome *w,
    struct slice book, bool with_items)
{
    int rc = SYNCLINE_OK;

    if (memcmp(n->mesh.b, w->mesh.b, MESH_ID_LEN) != 0)
        rc = clock_leave(n, with_items);
    if (rc == SYNCLINE_OK && memcmp(n->mesh.b, w->mesh.b, MESH_ID_LEN) != 0)
        rc = mesh_forget_old(n);
    n->mesh = w->mesh;
    memcpy(n->mesh_secret, w->secret, MESH_SECRET_LEN);
    members_free(n->members);
    n->members = NULL;
    roster_forget(&n->roster);
    invites_forget(n->invites);
    door_forget(n);
    silences_free(n);
    keyring_free(&n->keyring);
    keyring_free(&n->voided);
    n->removed_told = false;
    txn_del(&n->txn, TABLE_META, SLICE_LIT(META_REMOVED));
    txn_del(&n->txn, TABLE_META, SLICE_LIT(META_KEYS));
    if (rc == SYNCLINE_OK)
        rc = members_new(&n->members, n->opt.crypto, &n->mesh);
    if (rc == SYNCLINE_OK)
        rc = mesh_take_records(n, w->records);
    if (rc == SYNCLINE_OK)
        rc = mesh_save_identity(n);
    txn_del(&n->txn, TABLE_META, SLICE_LIT(META_WELCOME));
    txn_put(&n->txn, TABLE_META, SLICE_LIT(META_BOOK), book);
    if (rc == SYNCLINE_OK)
        rc = mesh_open_spaces(n);
    if (rc == SYNCLINE_OK)
        rc = node_mint_replica(n);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    return rc == SYNCLINE_OK ? mesh_refresh(n) : rc;
}

/* The store refused: everything is read from it again, as it was. */
static int go_back(struct node *n, int rc)
{
    struct errmsg why = { "" };

    txn_reset(&n->txn);
    clock_undo(n);
    replay_free(n);
    (void)!let_go(n);
    members_free(n->members);
    n->members = NULL;
    roster_forget(&n->roster);
    if (mesh_load(n, &why) != SYNCLINE_OK || mesh_refresh(n) != SYNCLINE_OK ||
        join_load(n) != SYNCLINE_OK || returns_load(n) != SYNCLINE_OK) {
        n->broken = true;
        log_line(&n->log, LOG_LEVEL_ERROR, "join",
            "reading the store again failed: %s", why.text);
    }
    return rc;
}

int move_to_mesh(struct node *n, const struct pair_welcome *w,
    struct slice book, bool discard, uint64_t *kept)
{
    int rc = SYNCLINE_OK;

    *kept = 0;
    n->counts.meshes_left++;
    rc = welcome_keep(n, w);
    if (rc == SYNCLINE_OK)
        rc = returns_run(n, true);
    if (rc == SYNCLINE_OK)
        rc = take_waiting(n, discard, kept);
    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next)
        rc = leave_space(n, sp, discard, kept);
    if (rc == SYNCLINE_OK)
        rc = let_go(n);
    if (rc == SYNCLINE_OK)
        rc = enter_mesh(n, w, book, *kept > 0);
    return rc == SYNCLINE_OK ? rc : go_back(n, rc);
}

/* ---- the replay ---- */

struct chunk {
    struct node *node;
    struct slice keys[CHUNK], values[CHUNK];
    uint32_t n;
    size_t bytes;
};

static int gather(void *ctx, struct slice key, struct slice value)
{
    struct chunk *c = ctx;

    if (c->n == CHUNK || (c->n > 0 && c->bytes > c->node->opt.commit_bytes))
        return 1;
    c->bytes += key.len + value.len;
    c->keys[c->n] = arena_dup(&c->node->step, key);
    c->values[c->n] = arena_dup(&c->node->step, value);
    if (c->keys[c->n].ptr == NULL || c->values[c->n].ptr == NULL)
        return SYNCLINE_ENOMEM;
    c->n++;
    return SYNCLINE_OK;
}

static int replay_items(struct node *n, const struct leaving *l,
    struct space *into, const struct chunk *c)
{
    struct dot dot = { n->replica, 0 };
    uint64_t lsn = 0;
    int rc = SYNCLINE_OK;

    if (into != NULL) {
        dot.seq = vv_get(&into->have, &n->replica) + 1;
        lsn = space_next_lsn(into);
    }
    for (uint32_t i = 0; i < c->n && rc == SYNCLINE_OK; i++) {
        struct slice key = slice_from(c->keys[i], 4);
        struct stored st;

        if (i > 0 && node_has_enough(n))
            break; /* the rest is there in the next step */

        rc = stored_decode(c->values[i], &st, &n->step);
        if (rc == SYNCLINE_OK && into != NULL && item_alive(&st.item))
            rc = write_replay(n, into, key, &st.item, &dot, lsn);
        if (rc == SYNCLINE_OK)
            rc = item_drop(n, l->id, key, &st);
    }
    if (rc == SYNCLINE_OK)
        rc = resolve_settle(n);
    return rc == SYNCLINE_OK && into != NULL ? space_raise(n, into, &dot) : rc;
}

/* A space that has been bootstrapped keeps its history under the number that
 * it had before. */
static bool is_past_of_some(const struct node *n, uint32_t id)
{
    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (sp->past == id)
            return true;
    return false;
}

/* What is left of an old space once its items have gone. */
static int drop_rest(struct node *n, const struct leaving *l, bool *empty)
{
    static const struct {
        enum store_table table;
        const char *meta;
    } kinds[] = { { TABLE_FEED, NULL }, { TABLE_SEEN, NULL },
        { TABLE_CONFLICT, NULL }, { TABLE_META, META_SEEN },
        { TABLE_META, META_CURSOR }, { TABLE_META, META_HORIZON },
        { TABLE_META, META_DEAD }, { TABLE_HISTORY, NULL } };
    size_t kinds_n = sizeof kinds / sizeof *kinds;
    struct chunk c = { .node = n };
    struct buf prefix = { 0 };
    int rc = SYNCLINE_OK;

    if (is_past_of_some(n, l->id))
        kinds_n--;
    for (size_t k = 0; k < kinds_n && rc == SYNCLINE_OK && c.n == 0; k++) {
        struct slice of = kinds[k].meta != NULL
            ? key_meta_space(&prefix, kinds[k].meta, l->id)
            : key_space(&prefix, l->id);

        rc = store_scan(
            &n->opt.store, kinds[k].table, of, SLICE_NONE, gather, &c);
        for (uint32_t i = 0; i < c.n && rc == SYNCLINE_OK; i++)
            txn_del(&n->txn, kinds[k].table, c.keys[i]);
    }
    *empty = c.n == 0;
    buf_free(&prefix);
    return rc;
}

static int drop_meta(struct node *n, const struct leaving *l)
{
    txn_del(&n->txn, TABLE_META, key_meta_space(&n->key, META_STATE, l->id));
    txn_del(&n->txn, TABLE_META, key_meta_space(&n->key, META_SEALED, l->id));
    txn_del(&n->txn, TABLE_META, key_meta_space(&n->key, META_BURIED, l->id));
    txn_del(&n->txn, TABLE_META, key_meta_space(&n->key, META_JOINING, l->id));
    return txn_status(&n->txn);
}

int leaving_drop(struct node *n, uint32_t id)
{
    return leaving_add(n, id, SLICE_NONE);
}

static void forget(struct node *n, struct leaving *l)
{
    struct leaving **at = &n->replay;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    free(l);
}

bool replay_waits(const struct node *n)
{
    for (const struct leaving *l = n->replay; l != NULL; l = l->next)
        if (l->name.len > 0)
            return true;
    return false;
}

/* Where nothing may be written, or the space is not there, since the step
 * that made it was undone, what was brought along waits. */
static bool may_go(const struct node *n, const struct leaving *l)
{
    const struct space *sp = l->name.len > 0 ? space_by_name(n, l->name) : NULL;

    return l->ready &&
        (l->name.len == 0 || (sp != NULL && access_may_write(n, sp)));
}

static struct leaving *first_ready(const struct node *n)
{
    for (struct leaving *l = n->replay; l != NULL; l = l->next)
        if (may_go(n, l))
            return l;
    return NULL;
}

bool replay_wants_tick(const struct node *n)
{
    return first_ready(n) != NULL;
}

int replay_tick(struct node *n)
{
    struct leaving *l = first_ready(n);
    struct chunk c = { .node = n };
    struct buf prefix = { 0 };
    bool empty = false;
    int rc;

    if (l == NULL || n->bad_restart)
        return SYNCLINE_OK;
    rc = store_scan(&n->opt.store, TABLE_ITEM, key_space(&prefix, l->id),
        SLICE_NONE, gather, &c);
    buf_free(&prefix);
    if (rc == SYNCLINE_OK && c.n > 0)
        return replay_items(
            n, l, l->name.len > 0 ? space_by_name(n, l->name) : NULL, &c);
    if (rc == SYNCLINE_OK)
        rc = drop_rest(n, l, &empty);
    if (rc != SYNCLINE_OK || !empty)
        return rc;
    rc = drop_meta(n, l);
    if (rc == SYNCLINE_OK)
        forget(n, l);
    return rc;
}

/* A space that the new mesh lacks is made there. */
static int make_missing(struct node *n)
{
    for (struct leaving *l = n->replay; l != NULL; l = l->next) {
        struct buf key = { 0 };
        int rc;

        if (l->name.len == 0 || space_by_name(n, l->name) != NULL ||
            members_role(n->members, &n->device) != ROLE_ADMIN)
            continue;
        buf_printf(&key, "space/%.*s", SLICE_FMT(l->name));
        rc = mesh_put_text(n, buf_slice(&key), SLICE_LIT("true"));
        buf_free(&key);
        if (rc != SYNCLINE_OK)
            return rc;
        l->ready = true; /* nobody else can have items of it yet */
    }
    return SYNCLINE_OK;
}

int join_on_mark(struct node *n, struct space *sp)
{
    if (slice_is(sp->name, SPACES_SPACE) && n->replay != NULL)
        return make_missing(n);
    for (struct leaving *l = n->replay; l != NULL; l = l->next)
        if (l->name.len > 0 && slice_eq(l->name, sp->name))
            l->ready = true;
    return SYNCLINE_OK;
}
