#include "base/plant.h"
#include "repl/node_impl.h"

#include <stdlib.h>

struct space *space_by_name(const struct node *n, struct slice name)
{
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (slice_eq(sp->name, name))
            return sp;
    return NULL;
}

struct space *space_by_token(const struct node *n, const struct space_token *t)
{
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (space_token_eq(&sp->token, t))
            return sp;
    return NULL;
}

void space_free(struct node *n, struct space *sp)
{
    struct space **at = &n->spaces;

    while (*at != NULL && *at != sp)
        at = &(*at)->next;
    if (*at == sp)
        *at = sp->next;
    arena_free(&sp->policy_arena);
    free((void *)sp->name.ptr);
    free(sp);
}

void spaces_free(struct node *n)
{
    while (n->spaces != NULL)
        space_free(n, n->spaces);
    free(n->pending);
    n->pending = NULL;
}

static int space_new(struct node *n, uint32_t id, struct slice name,
    const struct space_token *token, struct space **out)
{
    struct space *sp = calloc(1, sizeof *sp);
    struct space **at = &n->spaces;
    uint8_t *copy = malloc(name.len + 1);

    if (sp == NULL || copy == NULL) {
        free(sp);
        free(copy);
        return SYNCLINE_ENOMEM;
    }
    if (name.len > 0)
        memcpy(copy, name.ptr, name.len);
    sp->id = id;
    sp->token = *token;
    sp->name = SLICE(copy, name.len);
    while (*at != NULL && slice_cmp((*at)->name, name) < 0)
        at = &(*at)->next;
    sp->next = *at;
    *at = sp;
    *out = sp;
    return SYNCLINE_OK;
}

int space_open(struct node *n, struct slice name, struct space **out)
{
    struct space_token token;
    struct space *sp = space_by_name(n, name);
    int rc;

    if (sp != NULL) {
        *out = sp;
        return SYNCLINE_OK;
    }
    rc = mesh_token(n, name, &token);
    if (rc == SYNCLINE_OK)
        rc = space_new(n, n->next_space, name, &token, &sp);
    if (rc != SYNCLINE_OK)
        return rc;
    n->next_space++;
    sp->unsaved = true;
    *out = sp;
    return conns_subscribe_all(n, sp);
}

/* ---- loading ---- */

static void put_state(struct buf *b, const struct space_state *s)
{
    put_varint(b, s->lsn);
    put_varint(b, s->alive);
    put_varint(b, s->deleted);
    put_u64(b, s->live.lo);
    put_u64(b, s->live.hi);
    put_u64(b, s->dead.lo);
    put_u64(b, s->dead.hi);
    put_varint(b, s->floor);
}

static int get_state(struct slice in, struct space_state *s)
{
    struct reader r = reader_of(in);

    s->lsn = get_varint(&r);
    s->alive = get_varint(&r);
    s->deleted = get_varint(&r);
    s->live.lo = get_u64(&r);
    s->live.hi = get_u64(&r);
    s->dead.lo = get_u64(&r);
    s->dead.hi = get_u64(&r);
    s->floor = get_varint(&r);
    return reader_end(&r) == SYNCLINE_OK ? SYNCLINE_OK : SYNCLINE_ECORRUPT;
}

static int load_space(void *ctx, struct slice key, struct slice value)
{
    struct node *n = ctx;
    struct reader k = reader_of(slice_from(key, sizeof META_SPACE - 1));
    struct reader v = reader_of(value);
    struct space_token token;
    struct space *sp;
    uint32_t id = get_be32(&k);

    get_into(&v, token.b, SPACE_TOKEN_LEN);
    if (reader_end(&k) != SYNCLINE_OK || v.err != 0)
        return SYNCLINE_ECORRUPT;
    if (id >= n->next_space)
        n->next_space = id + 1;
    return space_new(n, id, v.in, &token, &sp);
}

struct load_vector {
    struct node *node;
    struct space *space;
};

static int load_entry(void *ctx, struct slice key, struct slice value)
{
    struct load_vector *l = ctx;
    struct reader k = reader_of(slice_from(key, sizeof META_SEEN - 1 + 4));
    struct reader v = reader_of(value);
    struct dot d;

    get_into(&k, d.replica.b, RID_LEN);
    d.seq = get_varint(&v);
    if (reader_end(&k) != SYNCLINE_OK || reader_end(&v) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    return vv_add(&l->space->have, &d, &l->node->arena);
}

static int load_contents(struct node *n, struct space *sp)
{
    struct load_vector l = { n, sp };
    struct slice value;
    int rc = store_get(&n->opt.store, TABLE_META,
        key_meta_space(&n->key, META_STATE, sp->id), &value);

    if (rc == SYNCLINE_OK)
        rc = get_state(value, &sp->s);
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND)
        return rc;
    rc = store_scan(&n->opt.store, TABLE_META,
        key_meta_space(&n->key, META_SEEN, sp->id), SLICE_NONE, load_entry, &l);
    if (rc == SYNCLINE_OK)
        rc = vv_copy(&sp->durable, &sp->have, &n->arena);
    sp->durable_lsn = sp->s.lsn;
    sp->reissue = true; /* the MARK may have been missed before the stop */
    return rc;
}

int spaces_load(struct node *n, struct errmsg *why)
{
    int rc = store_scan(&n->opt.store, TABLE_META, SLICE_LIT(META_SPACE),
        SLICE_NONE, load_space, n);

    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next)
        rc = load_contents(n, sp);
    if (rc != SYNCLINE_OK)
        return errmsg_set(why, rc, "the records of the spaces are damaged");
    return SYNCLINE_OK;
}

/* ---- changing ---- */

void space_touch(struct space *sp)
{
    if (sp->touched)
        return;
    sp->touched = true;
    sp->undo = sp->s;
}

uint64_t space_next_lsn(struct space *sp)
{
    space_touch(sp);
    sp->s.lsn = sp->undo.lsn + 1;
    return sp->s.lsn;
}

int space_raise(struct node *n, struct space *sp, const struct dot *d)
{
    uint64_t from = vv_get(&sp->have, &d->replica);
    struct raise *r;

    if (PLANTED(M15) ? from == d->seq : from >= d->seq)
        return SYNCLINE_OK;
    if (n->raises_n == n->raises_cap) {
        uint32_t cap = n->raises_cap == 0 ? 16 : n->raises_cap * 2;
        struct raise *more = realloc(n->raises, cap * sizeof *more);

        if (more == NULL)
            return SYNCLINE_ENOMEM;
        n->raises = more;
        n->raises_cap = cap;
    }
    space_touch(sp);
    r = &n->raises[n->raises_n];
    *r = (struct raise){ sp, d->replica, from, d->seq };
    if (vv_add(&sp->have, d, &n->arena) != SYNCLINE_OK ||
        vv_reserve(&sp->durable, sp->have.n, &n->arena) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    n->raises_n++;
    return SYNCLINE_OK;
}

static void save_name(struct node *n, const struct space *sp)
{
    buf_clear(&n->out);
    buf_put(&n->out, sp->token.b, SPACE_TOKEN_LEN);
    buf_put_slice(&n->out, sp->name);
    txn_put_buf(&n->txn, TABLE_META,
        key_meta_space(&n->key, META_SPACE, sp->id), &n->out);
}

int spaces_save(struct node *n)
{
    for (uint32_t i = 0; i < n->raises_n; i++) {
        const struct raise *r = &n->raises[i];
        bool own = rid_eq(&r->replica, &n->replica);

        if (own ? PLANTED(OWN_UNSAVED) : PLANTED(M25))
            continue;
        buf_clear(&n->out);
        put_varint(&n->out, r->to);
        txn_put_buf(&n->txn, TABLE_META,
            key_meta_replica(&n->key, META_SEEN, r->space->id, &r->replica),
            &n->out);
    }
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next) {
        if (sp->unsaved)
            save_name(n, sp);
        if (!sp->touched || memcmp(&sp->s, &sp->undo, sizeof sp->s) == 0)
            continue;
        buf_clear(&n->out);
        put_state(&n->out, &sp->s);
        txn_put_buf(&n->txn, TABLE_META,
            key_meta_space(&n->key, META_STATE, sp->id), &n->out);
    }
    return txn_status(&n->txn);
}

static void lower(struct vv *v, const struct raise *r)
{
    for (uint32_t i = 0; i < v->n; i++) {
        if (!rid_eq(&v->e[i].replica, &r->replica))
            continue;
        v->e[i].seq = r->from;
        if (r->from == 0) {
            memmove(&v->e[i], &v->e[i + 1], (v->n - i - 1) * sizeof *v->e);
            v->n--;
        }
        return;
    }
}

void spaces_undo(struct node *n)
{
    while (n->raises_n > 0) {
        n->raises_n--;
        lower(&n->raises[n->raises_n].space->have, &n->raises[n->raises_n]);
    }
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next) {
        if (sp->touched)
            sp->s = sp->undo;
        if (sp->reissue_due)
            sp->reissue = true;
        sp->touched = sp->reissue_due = false;
    }
}

/* ---- durability ---- */

static int pend(struct node *n, const struct pending *p)
{
    if (n->pending_n == n->pending_cap) {
        uint32_t cap = n->pending_cap == 0 ? 64 : n->pending_cap * 2;
        struct pending *more = malloc(cap * sizeof *more);

        if (more == NULL)
            return SYNCLINE_ENOMEM;
        for (uint32_t i = 0; i < n->pending_n; i++)
            more[i] = n->pending[(n->pending_at + i) % n->pending_cap];
        free(n->pending);
        n->pending = more;
        n->pending_at = 0;
        n->pending_cap = cap;
    }
    n->pending[(n->pending_at + n->pending_n) % n->pending_cap] = *p;
    n->pending_n++;
    return SYNCLINE_OK;
}

int spaces_committed(struct node *n)
{
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0; i < n->raises_n && rc == SYNCLINE_OK; i++) {
        const struct raise *r = &n->raises[i];
        struct pending p = { n->commit, r->space, 0, { r->replica, r->to } };

        rc = pend(n, &p);
    }
    n->raises_n = 0;
    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next) {
        struct pending p = {
            .commit = n->commit, .space = sp, .lsn = sp->s.lsn
        };

        if (sp->touched && sp->s.lsn != sp->undo.lsn)
            rc = pend(n, &p);
        sp->touched = sp->unsaved = false;
    }
    return rc;
}

void spaces_persisted(struct node *n, uint64_t commit)
{
    while (n->pending_n > 0 && n->pending[n->pending_at].commit <= commit) {
        const struct pending *p = &n->pending[n->pending_at];

        /* Room for the entry was made when V got it. */
        if (p->dot.seq > 0)
            (void)!vv_add(&p->space->durable, &p->dot, &n->arena);
        if (p->lsn > p->space->durable_lsn)
            p->space->durable_lsn = p->lsn;
        n->pending_at = (n->pending_at + 1) % n->pending_cap;
        n->pending_n--;
    }
}

/* ---- policies ---- */

static const char *const policy_names[POLICY_END] = { "lww", "merge", "manual",
    "keep-both", "custom" };

const char *policy_name(enum policy p)
{
    return policy_names[p];
}

int policy_parse(struct slice text, enum policy *out)
{
    for (int i = 0; i < POLICY_END; i++)
        if (slice_is(text, policy_names[i])) {
            *out = (enum policy)i;
            return SYNCLINE_OK;
        }
    return SYNCLINE_EINVAL;
}

enum policy space_policy(const struct space *sp, struct slice key)
{
    for (uint32_t i = 0; i < sp->policies_n; i++)
        if (slice_has_prefix(key, sp->policies[i].prefix))
            return sp->policies[i].policy;
    return POLICY_LWW;
}
