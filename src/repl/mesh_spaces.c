/* Spaces and policies, items of `_spaces`: what they say is done here. Before
 * format 4 they were items of `_mesh`, where anybody could write them: what a
 * store held of them when it was opened first is kept as records of this node
 * (META_OLD), and counts as long as `_spaces` does not know of it. */
#include "repl/mesh_impl.h"

#include "base/plant.h"
#include "base/text.h"
#include "repl/access_impl.h"
#include "repl/proofs.h"

#include <stdlib.h>

#define SPACE_PREFIX "space/"
#define POLICY_PREFIX "policy/"

bool mesh_is_of_spaces(struct slice key)
{
    return slice_has_prefix(key, SLICE_LIT(SPACE_PREFIX)) ||
        slice_has_prefix(key, SLICE_LIT(POLICY_PREFIX)) ||
        slice_has_prefix(key, SLICE_LIT(SCHEMA_PREFIX));
}

struct space *mesh_space_of(const struct node *n, struct slice key)
{
    return space_by_name(n,
        mesh_is_of_spaces(key) ? SLICE_LIT(SPACES_SPACE)
                               : SLICE_LIT(MESH_SPACE));
}

static struct slice key_old(struct node *n, struct slice key)
{
    buf_clear(&n->key);
    buf_put_str(&n->key, META_OLD);
    buf_put_slice(&n->key, key);
    return buf_slice(&n->key);
}

/* The document of an item of `_mesh` or `_spaces`, or of before `_spaces`. */
int mesh_document(struct node *n, struct slice key, struct slice *out)
{
    struct stored st;
    int rc = item_read(n, mesh_space_of(n, key), key, &st);

    if (rc == SYNCLINE_OK)
        *out = st.was_alive ? st.before : SLICE_NONE;
    if (rc != SYNCLINE_OK || !mesh_is_of_spaces(key) || st.existed)
        return rc;
    rc = txn_get(&n->txn, TABLE_META, key_old(n, key), out);
    if (rc == SYNCLINE_ENOTFOUND)
        return SYNCLINE_OK;
    if (rc == SYNCLINE_OK && out->len > 0) {
        *out = arena_dup(&n->step, *out);
        return out->ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
    }
    *out = SLICE_NONE;
    return rc;
}

static int refresh_space(struct node *n, struct slice name, bool alive)
{
    struct space *sp = space_by_name(n, name);
    int rc = SYNCLINE_OK;

    /* Nobody adds such a one by hand: it is made up, and no space. */
    if (sp == NULL && alive && !PLANTED(R21_SPACES) &&
        (!text_is_name(name) || spaces_n(n) >= SPACES_MAX)) {
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

#define POLICIES_MAX 256 /* of a space */

struct policy_scan {
    struct node *node;
    struct space *space;
    size_t skip; /* of a record's key, before the prefix */
    struct policy_rule rules[POLICIES_MAX + 1];
    uint32_t n;
};

static bool knows_rule(const struct policy_scan *p, struct slice prefix)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (slice_eq(p->rules[i].prefix, prefix))
            return true;
    return false;
}

/* What is no policy any more is noted too, as POLICY_END. */
static int add_rule(
    struct policy_scan *p, struct slice prefix, struct slice document)
{
    struct policy_rule *rule = &p->rules[p->n];

    if (p->n == POLICIES_MAX || knows_rule(p, prefix))
        return SYNCLINE_OK;
    *rule = (struct policy_rule){ arena_dup(&p->space->policy_arena, prefix),
        POLICY_END };
    if (document.len > 2)
        (void)!policy_parse(
            SLICE(document.ptr + 1, document.len - 2), &rule->policy);
    p->n++;
    return rule->prefix.ptr == NULL ? SYNCLINE_ENOMEM : SYNCLINE_OK;
}

static int note_policy(void *ctx, struct slice key, struct slice value)
{
    struct policy_scan *p = ctx;
    struct stored st;
    struct buf doc = { 0 };
    int rc = stored_decode(value, &st, &p->node->step);

    if (rc == SYNCLINE_OK && item_alive(&st.item))
        put_document(&doc, &st.item, &p->node->step);
    if (rc == SYNCLINE_OK)
        rc = add_rule(p, slice_from(key, p->skip), buf_slice(&doc));
    buf_free(&doc);
    return rc;
}

static int note_old_policy(void *ctx, struct slice key, struct slice value)
{
    struct policy_scan *p = ctx;

    return add_rule(p, slice_from(key, p->skip), value);
}

static int longest_first(const void *a, const void *b)
{
    const struct policy_rule *x = a, *y = b;

    if (x->prefix.len != y->prefix.len)
        return x->prefix.len < y->prefix.len ? 1 : -1;
    return slice_cmp(x->prefix, y->prefix);
}

static int scan_policies(struct policy_scan *p)
{
    struct node *n = p->node;
    struct buf name = { 0 }, prefix = { 0 };
    int rc;

    buf_printf(&name, POLICY_PREFIX "%.*s/", SLICE_FMT(p->space->name));
    put_be32(&prefix, space_by_name(n, SLICE_LIT(SPACES_SPACE))->id);
    buf_put_slice(&prefix, buf_slice(&name));
    p->skip = prefix.len;
    rc = store_scan(&n->opt.store, TABLE_ITEM, buf_slice(&prefix), SLICE_NONE,
        note_policy, p);
    buf_clear(&prefix);
    buf_put_str(&prefix, META_OLD);
    buf_put_slice(&prefix, buf_slice(&name));
    p->skip = prefix.len;
    if (rc == SYNCLINE_OK)
        rc = store_scan(&n->opt.store, TABLE_META, buf_slice(&prefix),
            SLICE_NONE, note_old_policy, p);
    buf_free(&name);
    buf_free(&prefix);
    return rc;
}

static int refresh_policies(struct node *n, struct space *sp)
{
    struct policy_scan p = { .node = n, .space = sp };
    uint32_t kept = 0;
    int rc;

    arena_reset(&sp->policy_arena);
    sp->policies_n = 0;
    rc = scan_policies(&p);
    if (rc != SYNCLINE_OK)
        return rc;
    for (uint32_t i = 0; i < p.n; i++)
        if (p.rules[i].policy != POLICY_END)
            p.rules[kept++] = p.rules[i];
    qsort(p.rules, kept, sizeof *p.rules, longest_first);
    sp->policies = arena_alloc(&sp->policy_arena, (kept + 1) * sizeof *p.rules);
    if (sp->policies == NULL)
        return SYNCLINE_ENOMEM;
    memcpy(sp->policies, p.rules, kept * sizeof *p.rules);
    sp->policies_n = kept;
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

int mesh_refresh_item(struct node *n, struct slice key)
{
    struct slice doc, rest;
    int rc;

    if (after_prefix(key, POLICY_PREFIX, &rest))
        return refresh_policy_of(n, rest);
    if (after_prefix(key, SCHEMA_PREFIX, &rest))
        return schemas_refresh(n, rest);
    if (!after_prefix(key, SPACE_PREFIX, &rest))
        return SYNCLINE_OK;
    rc = mesh_document(n, key, &doc);
    return rc == SYNCLINE_OK ? refresh_space(n, rest, doc.ptr != NULL) : rc;
}

/* ---- what stood in `_mesh` ---- */

struct old_key {
    struct old_key *next;
    struct slice key, document; /* of `_mesh` */
};

struct old_keys {
    struct node *node;
    struct old_key *list;
};

static int add_old(struct old_keys *f, struct slice key, struct slice document)
{
    struct old_key *k = arena_zalloc(&f->node->step, 1, sizeof *k);

    if (k == NULL)
        return SYNCLINE_ENOMEM;
    k->key = arena_dup(&f->node->step, key);
    k->document = arena_dup(&f->node->step, document);
    if (k->key.ptr == NULL || k->document.ptr == NULL)
        return SYNCLINE_ENOMEM;
    k->next = f->list;
    f->list = k;
    return SYNCLINE_OK;
}

static int note_item(void *ctx, struct slice key, struct slice value)
{
    struct old_keys *f = ctx;
    struct stored st;
    struct buf doc = { 0 };
    int rc = stored_decode(value, &st, &f->node->step);

    if (rc == SYNCLINE_OK && item_alive(&st.item))
        put_document(&doc, &st.item, &f->node->step);
    if (rc == SYNCLINE_OK)
        rc = add_old(f, slice_from(key, 4), buf_slice(&doc));
    buf_free(&doc);
    return rc;
}

static int note_record(void *ctx, struct slice key, struct slice value)
{
    return add_old(ctx, slice_from(key, sizeof META_OLD - 1), value);
}

int mesh_keep_old(struct node *n)
{
    static const char *const kinds[] = { SPACE_PREFIX, POLICY_PREFIX };
    struct old_keys old = { .node = n };
    int rc = SYNCLINE_OK;

    for (int i = 0; i < 2 && rc == SYNCLINE_OK; i++) {
        struct buf prefix = { 0 };

        put_be32(&prefix, space_by_name(n, SLICE_LIT(MESH_SPACE))->id);
        buf_put_str(&prefix, kinds[i]);
        rc = store_scan(&n->opt.store, TABLE_ITEM, buf_slice(&prefix),
            SLICE_NONE, note_item, &old);
        buf_free(&prefix);
    }
    for (struct old_key *k = old.list; k != NULL && rc == SYNCLINE_OK;
         k = k->next)
        txn_put(&n->txn, TABLE_META, key_old(n, k->key), k->document);
    return rc == SYNCLINE_OK ? txn_status(&n->txn) : rc;
}

static int gather_old(struct old_keys *out)
{
    return store_scan(&out->node->opt.store, TABLE_META, SLICE_LIT(META_OLD),
        SLICE_NONE, note_record, out);
}

int mesh_refresh_old(struct node *n)
{
    struct old_keys old = { .node = n };
    int rc = gather_old(&old);

    for (struct old_key *k = old.list; k != NULL && rc == SYNCLINE_OK;
         k = k->next)
        rc = mesh_refresh_item(n, k->key);
    n->spaces_due = old.list != NULL;
    return rc;
}

/* Two admins' nodes that do it at once write the same, which is no conflict;
 * what one of them has deleted since stays deleted, as nothing of `_spaces` is
 * collected. */
static int move_record(struct node *n, const struct old_key *k, bool *any)
{
    struct stored st;
    int rc = item_read(n, mesh_space_of(n, k->key), k->key, &st);

    if (rc != SYNCLINE_OK || st.existed || k->document.len == 0)
        return rc;
    *any = true;
    return mesh_put_text(n, k->key, k->document);
}

int mesh_move_spaces(struct node *n)
{
    struct old_keys old = { .node = n };
    bool any = false;
    int rc;

    if (!n->spaces_due || n->bad_restart || adopts(n) ||
        members_role(n->members, &n->device) != ROLE_ADMIN)
        return SYNCLINE_OK;
    rc = gather_old(&old);
    for (struct old_key *k = old.list; k != NULL && rc == SYNCLINE_OK;
         k = k->next)
        rc = move_record(n, k, &any);
    if (rc == SYNCLINE_OK && !any)
        n->spaces_due = false; /* nothing was left to be done */
    return rc;
}

int mesh_forget_old(struct node *n)
{
    struct old_keys old = { .node = n };
    int rc = gather_old(&old);

    for (struct old_key *k = old.list; k != NULL && rc == SYNCLINE_OK;
         k = k->next)
        txn_del(&n->txn, TABLE_META, key_old(n, k->key));
    return rc == SYNCLINE_OK ? txn_status(&n->txn) : rc;
}
