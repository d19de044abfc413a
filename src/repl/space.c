/* Spaces: opened, loaded, saved; their vectors, and what of those is durable.
 * */
#include "base/plant.h"
#include "base/text.h"
#include "repl/heads.h"
#include "repl/proofs.h"

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

uint32_t spaces_n(const struct node *n)
{
    uint32_t count = 0;

    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        count++;
    return count;
}

static void release(struct space *sp)
{
    arena_free(&sp->policy_arena);
    arena_free(&sp->schema_arena);
    arena_free(&sp->collect_arena);
    buf_free(&sp->collect_at);
    free((void *)sp->name.ptr);
    free(sp);
}

void space_free(struct node *n, struct space *sp)
{
    struct space **at = &n->spaces;

    if (sp->staging != NULL)
        release(sp->staging);

    while (*at != NULL && *at != sp)
        at = &(*at)->next;
    if (*at == sp)
        *at = sp->next;
    heads_free(&sp->heads);
    release(sp);
}

void spaces_free(struct node *n)
{
    while (n->spaces != NULL)
        space_free(n, n->spaces);
    free(n->pending);
    n->pending = NULL;
}

/* The list is in the order of names. */
static void enlist(struct node *n, struct space *sp)
{
    struct space **at = &n->spaces;

    while (*at != NULL && slice_cmp((*at)->name, sp->name) < 0)
        at = &(*at)->next;
    sp->next = *at;
    *at = sp;
}

static int space_new(struct node *n, uint32_t id, struct slice name,
    const struct space_token *token, struct space **out)
{
    struct space *sp = calloc(1, sizeof *sp);
    uint8_t *copy = malloc(name.len + 1);

    if (sp == NULL || copy == NULL) {
        free(sp);
        free(copy);
        return SYNCLINE_ENOMEM;
    }
    if (name.len > 0)
        memcpy(copy, name.ptr, name.len);
    sp->id = sp->past = id;
    sp->token = *token;
    sp->name = SLICE(copy, name.len);
    enlist(n, sp);
    *out = sp;
    return SYNCLINE_OK;
}

int space_rename(struct node *n, struct space *sp, struct slice name)
{
    struct space **at = &n->spaces;
    uint8_t *copy = malloc(name.len + 1);

    if (copy == NULL)
        return SYNCLINE_ENOMEM;
    memcpy(copy, name.ptr, name.len);
    while (*at != sp)
        at = &(*at)->next;
    *at = sp->next;
    free((void *)sp->name.ptr);
    sp->name = SLICE(copy, name.len);
    enlist(n, sp);
    sp->unsaved = true;
    return SYNCLINE_OK;
}

void space_put_token(
    const struct space_token *token, char out[2 * SPACE_TOKEN_LEN + 1])
{
    hex_encode(out, SLICE(token->b, SPACE_TOKEN_LEN));
}

int space_open_sealed(
    struct node *n, const struct space_token *token, struct space **out)
{
    char name[2 * SPACE_TOKEN_LEN + 1];
    struct space *sp;
    int rc;

    space_put_token(token, name);
    rc = space_new(n, n->next_space, slice_str(name), token, &sp);
    if (rc != SYNCLINE_OK)
        return rc;
    n->next_space++;
    sp->sealed = sp->unsaved = true;
    *out = sp;
    return conns_subscribe_all(n, sp);
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
    sp = rc == SYNCLINE_OK ? space_by_token(n, &token) : NULL;
    if (sp != NULL) { /* it was a relay's, who knows no names */
        *out = sp;
        return space_rename(n, sp, name);
    }
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

static void put_state(struct buf *b, const struct space *sp)
{
    const struct space_state *s = &sp->s;

    put_varint(b, s->lsn);
    put_varint(b, s->alive);
    put_varint(b, s->deleted);
    put_u64(b, s->live.lo);
    put_u64(b, s->live.hi);
    put_u64(b, s->dead.lo);
    put_u64(b, s->dead.hi);
    put_varint(b, s->floors.length);
    put_varint(b, s->floors.version);
    put_stamp(b, &s->floors.fields);
    put_varint(b, s->gone);
    put_varint(b, sp->past);
}

static int get_state(struct slice in, struct space *sp)
{
    struct space_state *s = &sp->s;
    struct reader r = reader_of(in);

    s->lsn = get_varint(&r);
    s->alive = get_varint(&r);
    s->deleted = get_varint(&r);
    s->live.lo = get_u64(&r);
    s->live.hi = get_u64(&r);
    s->dead.lo = get_u64(&r);
    s->dead.hi = get_u64(&r);
    s->floors.length = get_varint(&r);
    if (r.err == 0 && r.in.len == 0)
        return SYNCLINE_OK; /* of format 1 */
    s->floors.version = get_varint(&r);
    get_stamp(&r, &s->floors.fields);
    s->gone = get_varint(&r);
    sp->past = (uint32_t)get_varint_max(&r, UINT32_MAX);
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
    struct vv *into;
    size_t skip; /* of the key: the record's name, the space's number */
};

static int load_entry(void *ctx, struct slice key, struct slice value)
{
    struct load_vector *l = ctx;
    struct reader k = reader_of(slice_from(key, l->skip));
    struct reader v = reader_of(value);
    struct dot d;

    get_into(&k, d.replica.b, RID_LEN);
    d.seq = get_varint(&v);
    if (reader_end(&k) != SYNCLINE_OK || reader_end(&v) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    return vv_add(l->into, &d, &l->node->arena);
}

int space_load_vector(
    struct node *n, const char *name, uint32_t id, struct vv *out)
{
    struct load_vector l = { n, out, strlen(name) + 4 };

    return store_scan(&n->opt.store, TABLE_META,
        key_meta_space(&n->key, name, id), SLICE_NONE, load_entry, &l);
}

static int load_contents(struct node *n, struct space *sp)
{
    struct slice value;
    int rc = store_get(&n->opt.store, TABLE_META,
        key_meta_space(&n->key, META_STATE, sp->id), &value);

    if (rc == SYNCLINE_OK)
        rc = get_state(value, sp);
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND)
        return rc;
    rc = store_get(&n->opt.store, TABLE_META,
        key_meta_space(&n->key, META_SEALED, sp->id), &value);
    /* In an older form it is as good as clear: access.c fetches it anew. */
    sp->sealed = rc == SYNCLINE_OK && slice_is(value, SEALED_FORM);
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND)
        return rc;
    rc = space_load_vector(n, META_SEEN, sp->id, &sp->have);
    if (rc == SYNCLINE_OK)
        rc = space_load_vector(n, META_HORIZON, sp->id, &sp->horizon);
    if (rc == SYNCLINE_OK)
        rc = vv_copy(&sp->durable, &sp->have, &n->arena);
    sp->durable_lsn = sp->s.lsn;
    sp->reissue = true; /* the MARK may have been missed before the stop */
    sp->orphans = true;
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
    space_stir(sp);
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

static struct vv *raised(const struct raise *r)
{
    return r->horizon ? &r->space->horizon : &r->space->have;
}

static int note_raise(struct node *n, const struct raise *r)
{
    const struct dot to = { r->replica, r->to > r->from ? r->to : r->from };
    int rc;

    if (n->raises_n == n->raises_cap) {
        uint32_t cap = n->raises_cap == 0 ? 16 : n->raises_cap * 2;
        struct raise *more = realloc(n->raises, cap * sizeof *more);

        if (more == NULL)
            return SYNCLINE_ENOMEM;
        n->raises = more;
        n->raises_cap = cap;
    }
    space_touch(r->space);
    rc = vv_add(raised(r), &to, &n->arena);
    if (rc == SYNCLINE_OK)
        rc = vv_reserve(&r->space->durable, r->space->have.n, &n->arena);
    if (rc == SYNCLINE_OK)
        n->raises[n->raises_n++] = *r;
    return rc;
}

int space_raise(struct node *n, struct space *sp, const struct dot *d)
{
    const struct raise r = { sp, d->replica, vv_get(&sp->have, &d->replica),
        d->seq, false };

    if (PLANTED(M15) ? r.from == r.to : r.from >= r.to)
        return SYNCLINE_OK;
    return note_raise(n, &r);
}

int space_raise_horizon(struct node *n, struct space *sp, const struct dot *d)
{
    const struct raise r = { sp, d->replica, vv_get(&sp->horizon, &d->replica),
        d->seq, true };

    return r.from >= r.to ? SYNCLINE_OK : note_raise(n, &r);
}

static void lower(struct vv *v, const struct rid *replica, uint64_t to)
{
    for (uint32_t i = 0; i < v->n; i++) {
        if (!rid_eq(&v->e[i].replica, replica))
            continue;
        v->e[i].seq = to;
        if (to == 0) {
            memmove(&v->e[i], &v->e[i + 1], (v->n - i - 1) * sizeof *v->e);
            v->n--;
        }
        return;
    }
}

/* What waits for durability claims no more than that. */
static void lower_pending(
    struct node *n, const struct space *sp, const struct dot *to)
{
    for (uint32_t i = 0; i < n->pending_n; i++) {
        struct pending *p = &n->pending[(n->pending_at + i) % n->pending_cap];

        if (p->space == sp && rid_eq(&p->dot.replica, &to->replica) &&
            p->dot.seq > to->seq)
            p->dot.seq = to->seq;
    }
}

int space_lower(
    struct node *n, struct space *sp, const struct dot *to, bool horizon)
{
    struct vv *v = horizon ? &sp->horizon : &sp->have;
    const struct raise r = { sp, to->replica, vv_get(v, &to->replica), to->seq,
        horizon };

    if (r.from <= r.to)
        return SYNCLINE_OK;
    if (note_raise(n, &r) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    lower(v, &to->replica, to->seq);
    if (horizon)
        return SYNCLINE_OK;
    if (vv_get(&sp->durable, &to->replica) > to->seq)
        lower(&sp->durable, &to->replica, to->seq);
    lower_pending(n, sp, to);
    return SYNCLINE_OK;
}

void space_raise_floors(
    struct node *n, struct space *sp, const struct floors *to)
{
    struct floors *f = &sp->s.floors;

    space_touch(sp);
    if (to->length > f->length)
        f->length = to->length;
    if (to->version > f->version)
        f->version = to->version;
    if (stamp_cmp(&to->fields, &f->fields) > 0)
        f->fields = to->fields;
    node_see_stamp(n, &to->fields);
}

static void save_name(struct node *n, const struct space *sp)
{
    buf_clear(&n->out);
    buf_put(&n->out, sp->token.b, SPACE_TOKEN_LEN);
    buf_put_slice(&n->out, sp->name);
    txn_put_buf(&n->txn, TABLE_META,
        key_meta_space(&n->key, META_SPACE, sp->id), &n->out);
    if (sp->sealed)
        txn_put(&n->txn, TABLE_META,
            key_meta_space(&n->key, META_SEALED, sp->id),
            SLICE_LIT(SEALED_FORM));
    else
        txn_del(
            &n->txn, TABLE_META, key_meta_space(&n->key, META_SEALED, sp->id));
}

static void save_state(struct node *n, const struct space *sp)
{
    if (!sp->touched || memcmp(&sp->s, &sp->undo, sizeof sp->s) == 0)
        return;
    buf_clear(&n->out);
    put_state(&n->out, sp);
    txn_put_buf(&n->txn, TABLE_META,
        key_meta_space(&n->key, META_STATE, sp->id), &n->out);
}

int spaces_save(struct node *n)
{
    for (uint32_t i = 0; i < n->raises_n; i++) {
        const struct raise *r = &n->raises[i];
        bool own = rid_eq(&r->replica, &n->replica);

        if (!r->horizon && (own ? PLANTED(OWN_UNSAVED) : PLANTED(M25)))
            continue;
        (void)key_meta_replica(&n->key, r->horizon ? META_HORIZON : META_SEEN,
            r->space->id, &r->replica);
        buf_clear(&n->out);
        put_varint(&n->out, r->to);
        if (r->to > 0)
            txn_put_buf(&n->txn, TABLE_META, buf_slice(&n->key), &n->out);
        else
            txn_del(&n->txn, TABLE_META, buf_slice(&n->key));
    }
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next) {
        if (sp->unsaved)
            save_name(n, sp);
        save_state(n, sp);
        if (sp->staging != NULL)
            save_state(n, sp->staging);
    }
    return txn_status(&n->txn);
}

/* Room for an entry that comes back is where it was. */
static void undo_raise(struct node *n, const struct raise *r)
{
    struct dot was = { r->replica, r->from };

    if (r->from > r->to)
        (void)!vv_add(raised(r), &was, &n->arena);
    else
        lower(raised(r), &r->replica, r->from);
}

static void undo_state(struct space *sp)
{
    if (sp->touched) {
        sp->s = sp->undo;
        buf_clear(&sp->collect_at); /* what went in this step has not gone */
        sp->collected_upto = (struct vv){ 0 };
    }
    sp->touched = false;
    space_stir(sp);
}

void spaces_undo(struct node *n)
{
    while (n->raises_n > 0) {
        n->raises_n--;
        undo_raise(n, &n->raises[n->raises_n]);
    }
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next) {
        if (sp->staging != NULL && sp->staging->unsaved)
            space_unstage(n, sp);
        undo_state(sp);
        if (sp->staging != NULL)
            undo_state(sp->staging);
        if (sp->reissue_due)
            sp->reissue = true;
        sp->reissue_due = false;
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

static int state_committed(struct node *n, struct space *sp)
{
    struct pending p = { .commit = n->commit, .space = sp, .lsn = sp->s.lsn };
    bool moved = sp->touched && sp->s.lsn != sp->undo.lsn;

    sp->touched = sp->unsaved = false;
    return moved ? pend(n, &p) : SYNCLINE_OK;
}

int spaces_committed(struct node *n)
{
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0; i < n->raises_n && rc == SYNCLINE_OK; i++) {
        const struct raise *r = &n->raises[i];
        struct pending p = { n->commit, r->space, 0, { r->replica, r->to } };

        if (!r->horizon)
            rc = pend(n, &p);
    }
    n->raises_n = 0;
    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next) {
        rc = state_committed(n, sp);
        if (rc == SYNCLINE_OK && sp->staging != NULL)
            rc = state_committed(n, sp->staging);
    }
    return rc;
}

int space_pend_all(struct node *n, struct space *sp)
{
    struct pending p = { .commit = n->commit, .space = sp, .lsn = sp->s.lsn };
    int rc = vv_reserve(&sp->durable, sp->have.n, &n->arena);

    if (rc == SYNCLINE_OK)
        rc = pend(n, &p);
    p.lsn = 0;
    for (uint32_t i = 0; i < sp->have.n && rc == SYNCLINE_OK; i++) {
        p.dot = sp->have.e[i];
        rc = pend(n, &p);
    }
    return rc;
}

void space_forget_pending(struct node *n, const struct space *sp)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n->pending_n; i++) {
        const struct pending *p =
            &n->pending[(n->pending_at + i) % n->pending_cap];

        if (p->space != sp)
            n->pending[(n->pending_at + kept++) % n->pending_cap] = *p;
    }
    n->pending_n = kept;
}

/* ---- staging ---- */

int space_stage(struct node *n, struct space *sp)
{
    struct space *st = calloc(1, sizeof *st);

    if (st == NULL)
        return SYNCLINE_ENOMEM;
    st->id = n->next_space++;
    st->past = sp->past;
    st->staged = st->unsaved = true;
    st->sealed = sp->sealed;
    sp->staging = st;
    /* Should it come to nothing, it is deleted like any that was left. */
    txn_put(&n->txn, TABLE_META, key_meta_space(&n->key, META_JOINING, st->id),
        SLICE_LIT(""));
    return txn_status(&n->txn);
}

const struct space_token *space_token_of(
    const struct node *n, const struct space *sp)
{
    if (sp->staged)
        for (const struct space *s = n->spaces; s != NULL; s = s->next)
            if (s->staging == sp)
                return &s->token;
    return &sp->token;
}

void space_unstage(struct node *n, struct space *sp)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n->raises_n; i++)
        if (n->raises[i].space != sp->staging)
            n->raises[kept++] = n->raises[i];
    n->raises_n = kept;
    space_forget_pending(n, sp->staging);
    release(sp->staging);
    sp->staging = NULL;
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
        space_stir(p->space);
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
