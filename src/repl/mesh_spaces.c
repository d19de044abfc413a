/* Spaces and policies, items of `_spaces`: what they say is done here; and what
 * older versions have left of them in `_mesh`. */
#include "repl/mesh_impl.h"

#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/proofs.h"

#include <stdlib.h>

#define SPACE_PREFIX "space/"
#define POLICY_PREFIX "policy/"

bool mesh_is_of_spaces(struct slice key)
{
    return slice_has_prefix(key, SLICE_LIT(SPACE_PREFIX)) ||
        slice_has_prefix(key, SLICE_LIT(POLICY_PREFIX));
}

struct space *mesh_space_of(const struct node *n, struct slice key)
{
    return space_by_name(n,
        mesh_is_of_spaces(key) ? SLICE_LIT(SPACES_SPACE)
                               : SLICE_LIT(MESH_SPACE));
}

/* The document of an item of either; SLICE_NONE if it is deleted. Of spaces and
 * policies what `_spaces` knows goes first. */
int mesh_document(struct node *n, struct slice key, struct slice *out)
{
    struct stored st;
    int rc = item_load(n, mesh_space_of(n, key), key, &st);

    if (rc == SYNCLINE_OK)
        *out = st.was_alive ? st.before : SLICE_NONE;
    if (rc != SYNCLINE_OK || !mesh_is_of_spaces(key) || st.existed)
        return rc;
    rc = item_load(n, space_by_name(n, SLICE_LIT(MESH_SPACE)), key, &st);
    if (rc == SYNCLINE_OK && st.was_alive &&
        members_was_admin(n->members, &st.last.dot.replica))
        *out = st.before;
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

#define POLICIES_MAX 256 /* of a space */

struct policy_scan {
    struct node *node;
    struct space *space;
    bool old; /* of `_mesh` */
    struct policy_rule rules[POLICIES_MAX + 1];
    uint32_t n;
};

static bool is_of_admins(const struct node *n, const struct item *it)
{
    bool all = true;

    for (uint32_t i = 0; i < it->changes_n; i++)
        all = all && members_was_admin(n->members, &it->changes[i].dot.replica);
    return all;
}

static bool knows_rule(const struct policy_scan *p, struct slice prefix)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (slice_eq(p->rules[i].prefix, prefix))
            return true;
    return false;
}

/* What is no policy any more is noted too, as POLICY_END. */
static int note_policy(void *ctx, struct slice key, struct slice value)
{
    struct policy_scan *p = ctx;
    struct policy_rule *rule = &p->rules[p->n];
    struct slice prefix =
        slice_from(key, 4 + sizeof POLICY_PREFIX - 1 + p->space->name.len + 1);
    struct stored st;
    struct buf doc = { 0 };
    int rc = stored_decode(value, &st, &p->node->step);

    if (rc != SYNCLINE_OK || p->n == POLICIES_MAX || knows_rule(p, prefix) ||
        (p->old && !is_of_admins(p->node, &st.item)))
        return rc;
    *rule = (struct policy_rule){ arena_dup(&p->space->policy_arena, prefix),
        POLICY_END };
    if (item_alive(&st.item))
        put_document(&doc, &st.item, &p->node->step);
    if (doc.len > 2)
        (void)!policy_parse(SLICE(doc.ptr + 1, doc.len - 2), &rule->policy);
    buf_free(&doc);
    p->n++;
    return rule->prefix.ptr == NULL ? SYNCLINE_ENOMEM : SYNCLINE_OK;
}

static int longest_first(const void *a, const void *b)
{
    const struct policy_rule *x = a, *y = b;

    if (x->prefix.len != y->prefix.len)
        return x->prefix.len < y->prefix.len ? 1 : -1;
    return slice_cmp(x->prefix, y->prefix);
}

static int scan_policies(struct policy_scan *p, const char *in)
{
    struct node *n = p->node;
    struct buf prefix = { 0 };
    int rc;

    put_be32(&prefix, space_by_name(n, slice_str(in))->id);
    buf_printf(&prefix, POLICY_PREFIX "%.*s/", SLICE_FMT(p->space->name));
    rc = store_scan(&n->opt.store, TABLE_ITEM, buf_slice(&prefix), SLICE_NONE,
        note_policy, p);
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
    rc = scan_policies(&p, SPACES_SPACE);
    p.old = true;
    if (rc == SYNCLINE_OK)
        rc = scan_policies(&p, MESH_SPACE);
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

struct old_key {
    struct old_key *next;
    struct slice key;
};

struct old_keys {
    struct node *node;
    struct old_key *keys, **end;
};

static bool after_prefix(
    struct slice key, const char *prefix, struct slice *out)
{
    if (!slice_has_prefix(key, slice_str(prefix)))
        return false;
    *out = slice_from(key, strlen(prefix));
    return true;
}

/* Once it is known who is, or was, an admin. */
int mesh_refresh_item(struct node *n, struct slice key)
{
    struct slice doc, rest;
    int rc;

    if (after_prefix(key, POLICY_PREFIX, &rest))
        return refresh_policy_of(n, rest);
    if (!after_prefix(key, SPACE_PREFIX, &rest))
        return SYNCLINE_OK;
    rc = mesh_document(n, key, &doc);
    return rc == SYNCLINE_OK ? refresh_space(n, rest, doc.ptr != NULL) : rc;
}

static int note_old(void *ctx, struct slice key, struct slice value)
{
    struct old_keys *f = ctx;
    struct old_key *k = arena_zalloc(&f->node->step, 1, sizeof *k);

    (void)value;
    if (k == NULL)
        return SYNCLINE_ENOMEM;
    k->key = arena_dup(&f->node->step, slice_from(key, 4));
    if (k->key.ptr == NULL)
        return SYNCLINE_ENOMEM;
    *f->end = k;
    f->end = &k->next;
    return SYNCLINE_OK;
}

/* What stands in `_mesh` of what belongs into `_spaces`. */
static int gather_old(struct old_keys *f)
{
    static const char *const kinds[] = { SPACE_PREFIX, POLICY_PREFIX };
    struct node *n = f->node;
    int rc = SYNCLINE_OK;

    for (int i = 0; i < 2 && rc == SYNCLINE_OK; i++) {
        struct buf prefix = { 0 };

        put_be32(&prefix, space_by_name(n, SLICE_LIT(MESH_SPACE))->id);
        buf_put_str(&prefix, kinds[i]);
        rc = store_scan(&n->opt.store, TABLE_ITEM, buf_slice(&prefix),
            SLICE_NONE, note_old, f);
        buf_free(&prefix);
    }
    return rc;
}

int mesh_refresh_old(struct node *n)
{
    struct old_keys old = { .node = n };
    int rc;

    old.end = &old.keys;
    rc = gather_old(&old);
    for (struct old_key *k = old.keys; k != NULL && rc == SYNCLINE_OK;
         k = k->next)
        rc = mesh_refresh_item(n, k->key);
    return rc;
}

/* ---- what stood in `_mesh` ---- */

/* Two admins' nodes that do it at once write the same, which is no conflict;
 * what one of them has deleted since stays deleted, as nothing of `_spaces` is
 * collected. */
static int move_record(struct node *n, struct slice key, bool *any)
{
    struct stored st;
    struct slice doc = SLICE_NONE;
    int rc = item_load(n, mesh_space_of(n, key), key, &st);

    if (rc == SYNCLINE_OK && !st.existed)
        rc = mesh_document(n, key, &doc);
    if (rc != SYNCLINE_OK || doc.ptr == NULL)
        return rc;
    *any = true;
    return mesh_put_text(n, key, doc);
}

int mesh_move_spaces(struct node *n)
{
    struct old_keys f = { .node = n };
    bool any = false;
    int rc;

    if (!n->spaces_due || n->bad_restart || adopts(n) ||
        members_role(n->members, &n->device) != ROLE_ADMIN)
        return SYNCLINE_OK;
    f.end = &f.keys;
    rc = gather_old(&f);
    for (struct old_key *k = f.keys; k != NULL && rc == SYNCLINE_OK;
         k = k->next)
        rc = move_record(n, k->key, &any);
    if (rc == SYNCLINE_OK && !any)
        n->spaces_due = false; /* nothing was left to be done */
    return rc;
}
