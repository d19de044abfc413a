/* What a commit writes under dots of this device is signed as one: a tree of
 * all its cells, one signature, and in each change the proof of its own part.
 * Until then the records of those items are kept out of the batch, so that
 * each goes into it once. */
#include "repl/proofs.h"

bool is_to_sign(
    const struct node *n, const struct space *sp, const struct change *c)
{
    return c->proof.len == 0 && rid_eq(&c->dot.replica, &n->replica) &&
        !vv_covers(&sp->have, &c->dot);
}

void sign_later(struct node *n, struct space *sp, struct slice key,
    const struct buf *record, const struct stored *st, uint64_t lsn)
{
    struct stored *read =
        st->lasts ? arena_alloc(&n->step, sizeof *read) : NULL;

    if (read != NULL) { /* else it is decoded */
        *read = *st;
        read->lsn = lsn;
    }
    txn_hold(&n->txn, TABLE_ITEM, key_item(&n->key, sp->id, key), record,
        vv_get(&sp->have, &n->replica), read);
}

struct row {
    struct row *next;
    struct slice key; /* of the record: the space's number, the item's key */
    struct stored st; /* its item, lsn and revisions */
};

struct signing {
    struct node *node;
    struct row *rows, **end;
    struct part {
        struct part *next;
        struct change *change;
        uint32_t from, to;
    } * parts, **parts_end;
    struct merkle_hash *leaves;
    uint32_t n, cap;
    struct proof_head head; /* without its signature yet */
    struct mac_key salt;
};

static int make_room(struct signing *s, uint32_t more)
{
    uint32_t cap = s->cap == 0 ? 64 : s->cap;
    struct merkle_hash *room;

    if (more > MERKLE_LEAVES_MAX - s->n)
        return SYNCLINE_ELIMIT;
    while (cap < s->n + more)
        cap *= 2;
    if (cap == s->cap)
        return SYNCLINE_OK;
    room = arena_alloc(&s->node->step, cap * sizeof *room);
    if (room == NULL)
        return SYNCLINE_ENOMEM;
    if (s->n > 0)
        memcpy(room, s->leaves, s->n * sizeof *room);
    s->leaves = room;
    s->cap = cap;
    return SYNCLINE_OK;
}

static int add_change(struct signing *s, struct leaf_maker *m, struct item *it,
    const struct cells_of *of, uint32_t ix)
{
    struct part *p = arena_zalloc(&s->node->step, 1, sizeof *p);
    uint32_t n = leaves_n(it, of, ix);
    int rc = p == NULL ? SYNCLINE_ENOMEM : make_room(s, n);

    if (rc == SYNCLINE_OK)
        rc = leaves_make(m, it, of, ix, s->leaves + s->n);
    if (rc != SYNCLINE_OK)
        return rc;
    *p = (struct part){
        .change = &it->changes[ix], .from = s->n, .to = s->n + n
    };
    s->n += n;
    *s->parts_end = p;
    s->parts_end = &p->next;
    return SYNCLINE_OK;
}

static struct space *space_by_number(const struct node *n, uint32_t id)
{
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (sp->id == id)
            return sp;
    return NULL;
}

static int add_row(struct signing *s, const struct txn_held *held)
{
    struct node *n = s->node;
    struct row *row = arena_zalloc(&n->step, 1, sizeof *row);
    struct reader r = reader_of(held->key);
    struct space *sp = space_by_number(n, get_be32(&r));
    struct leaf_maker m;
    struct cells_of of;
    struct item *it;
    int rc = SYNCLINE_OK;

    if (row == NULL)
        return SYNCLINE_ENOMEM;
    if (sp == NULL) { /* it has been left since */
        txn_put(&n->txn, TABLE_ITEM, held->key, held->value);
        return txn_status(&n->txn);
    }
    row->key = held->key;
    it = &row->st.item;
    if (held->read != NULL) /* a lone write, as most are */
        row->st = *(const struct stored *)held->read;
    else
        rc = stored_decode(held->value, &row->st, &n->step);
    if (rc == SYNCLINE_OK)
        rc = cells_of_changes(&of, it, false, &n->step);
    if (rc != SYNCLINE_OK)
        return rc;
    leaf_maker_init_salted(&m, n, sp, r.in, it->length, &s->head, &s->salt);
    for (uint32_t i = 0; i < it->changes_n && rc == SYNCLINE_OK; i++) {
        const struct change *c = &it->changes[i];

        if (c->proof.len == 0 && rid_eq(&c->dot.replica, &n->replica) &&
            c->dot.seq > held->above)
            rc = add_change(s, &m, it, &of, i);
    }
    leaf_maker_free(&m);
    *s->end = row;
    s->end = &row->next;
    return rc;
}

static int prove_parts(struct signing *s)
{
    struct node *n = s->node;
    struct merkle_hash *nodes = arena_alloc(&n->step, 2 * s->n * sizeof *nodes);
    struct buf b = { 0 };
    int rc = nodes == NULL
        ? SYNCLINE_ENOMEM
        : merkle_build(nodes, n->opt.crypto, s->leaves, s->n);

    if (rc == SYNCLINE_OK)
        rc = merkle_sign(s->head.sig, n->opt.crypto, &n->mesh, nodes);
    n->counts.commits_signed++;
    for (struct part *p = s->parts; p != NULL && rc == SYNCLINE_OK;
         p = p->next) {
        buf_clear(&b);
        proof_make(&b, &s->head, nodes, s->n, p->from, p->to);
        rc = buf_status(&b);
        if (rc == SYNCLINE_OK)
            p->change->proof = arena_dup(&n->step, buf_slice(&b));
        if (rc == SYNCLINE_OK && p->change->proof.ptr == NULL)
            rc = SYNCLINE_ENOMEM;
    }
    buf_free(&b);
    return rc;
}

static int put_row(struct node *n, const struct row *row)
{
    buf_clear(&n->out);
    put_be64(&n->out, row->st.lsn);
    put_varint(&n->out, row->st.revisions);
    put_item(&n->out, &row->st.item);
    txn_put_buf(&n->txn, TABLE_ITEM, row->key, &n->out);
    return txn_status(&n->txn);
}

/* The key is named, not used: who seals what is written here for others must
 * have it. It is the mesh's current one, be it ours already or not. */
static int begin_head(struct node *n, struct proof_head *out)
{
    const struct keyring_key *key = keyring_best(&n->keyring);

    if (key != NULL && key->epoch > 0) {
        out->epoch = key->epoch;
        memcpy(out->key_id, key->id.b, KEY_ID_LEN);
    }
    return n->opt.crypto->random(n->opt.crypto->self, out->salt, SALT_LEN);
}

int sign_step(struct node *n)
{
    struct signing s = { .node = n };
    struct txn_held *held;
    int rc = txn_take_held(&n->txn, &held, &n->step);

    if (rc == SYNCLINE_OK && held != NULL)
        rc = begin_head(n, &s.head);
    if (rc == SYNCLINE_OK && held != NULL)
        rc = leaf_salt(&s.salt, n, &s.head);

    s.end = &s.rows;
    s.parts_end = &s.parts;
    for (; held != NULL && rc == SYNCLINE_OK; held = held->next)
        rc = add_row(&s, held);
    if (rc == SYNCLINE_OK && s.n > 0)
        rc = prove_parts(&s);
    for (struct row *row = s.rows; row != NULL && rc == SYNCLINE_OK;
         row = row->next)
        rc = put_row(n, row);
    return rc;
}
