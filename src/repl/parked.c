/* Rows whose author is not known yet. His certificate is an item of `_mesh`,
 * and nothing orders it before what he has written: rows of one space pass
 * those of another, and within `_mesh` the index of contexts knows no order.
 * They wait in memory; until they are in, no mark and no cursor of theirs is
 * believed, so that if the connection ends they come again. */
#include "repl/proofs.h"

#include <stdlib.h>

struct parked {
    struct parked *next;
    struct space_token space;
    struct buf key, row;
};

static void free_one(struct parked *p)
{
    buf_free(&p->key);
    buf_free(&p->row);
    free(p);
}

size_t parked_bytes(const struct conn *c)
{
    size_t n = 0;

    for (const struct parked *p = c->parked; p != NULL; p = p->next)
        n += p->key.len + p->row.len + sizeof *p;
    return n;
}

int park_row(struct node *n, struct conn *c, struct space *sp, struct slice key,
    struct slice row)
{
    struct parked *p, **end = &c->parked;

    if (parked_bytes(c) + row.len > PARKED_MAX)
        return SYNCLINE_ELIMIT;
    p = calloc(1, sizeof *p);
    if (p == NULL)
        return SYNCLINE_ENOMEM;
    p->space = sp->token;
    buf_put_slice(&p->key, key);
    buf_put_slice(&p->row, row);
    if (buf_status(&p->key) != SYNCLINE_OK ||
        buf_status(&p->row) != SYNCLINE_OK) {
        free_one(p);
        return SYNCLINE_ENOMEM;
    }
    while (*end != NULL)
        end = &(*end)->next;
    *end = p;
    n->counts.rows_parked++;
    return SYNCLINE_OK;
}

bool has_parked(const struct conn *c, const struct space *sp)
{
    for (const struct parked *p = c->parked; p != NULL; p = p->next)
        if (space_token_eq(&p->space, &sp->token))
            return true;
    return false;
}

bool any_parked(const struct node *n)
{
    for (const struct conn *c = n->conns; c != NULL; c = c->next)
        if (c->parked != NULL)
            return true;
    return false;
}

int park_mark(struct node *n, struct conn *c, struct space *sp,
    const struct frame_batch *f)
{
    struct session *s = session_of(c, sp);

    (void)n;
    if (s == NULL)
        return SYNCLINE_ENOMEM;
    s->late_flags |= f->flags & (BATCH_MARK | BATCH_FLOORS | BATCH_WHOLE);
    if ((f->flags & BATCH_FLOORS) != 0)
        s->late_floors = f->floors;
    return vv_join(&s->late, &f->mark, &s->late_arena);
}

/* The rows are in: now the marks that came after them hold. */
static int apply_late(struct node *n, struct conn *c, struct session *s)
{
    struct frame_batch f = { .space = s->space->token,
        .flags = s->late_flags,
        .floors = s->late_floors };
    int rc;

    if (s->late_flags == 0 || has_parked(c, s->space))
        return SYNCLINE_OK;
    rc = vv_copy(&f.mark, &s->late, &n->step);
    if (rc == SYNCLINE_OK)
        rc = receive_late(n, c, &f);
    if (rc != SYNCLINE_OK)
        return rc;
    s->late_flags = 0;
    s->late = (struct vv){ 0 };
    arena_reset(&s->late_arena);
    return SYNCLINE_OK;
}

/* Some are known now, so there is room for others that were let go. */
static int ask_leaky_again(struct node *n, struct conn *c)
{
    int rc = SYNCLINE_OK;

    for (struct session *s = c->sessions; s != NULL && rc == SYNCLINE_OK;
         s = s->next) {
        if (!s->leaky)
            continue;
        s->leaky = false;
        rc = conn_subscribe_anew(n, c, s->space);
    }
    return rc;
}

static int retry_conn(struct node *n, struct conn *c)
{
    struct parked *list = c->parked;
    size_t before = parked_bytes(c);
    int rc = SYNCLINE_OK;

    c->parked = NULL;
    while (list != NULL) {
        struct parked *p = list;
        struct space *sp = space_by_token(n, &p->space);

        list = p->next;
        if (rc == SYNCLINE_OK && sp != NULL)
            rc =
                receive_again(n, c, sp, buf_slice(&p->key), buf_slice(&p->row));
        free_one(p);
    }
    for (struct session *s = c->sessions; s != NULL && rc == SYNCLINE_OK;
         s = s->next)
        rc = apply_late(n, c, s);
    return rc == SYNCLINE_OK && parked_bytes(c) < before ? ask_leaky_again(n, c)
                                                         : rc;
}

/* What was kept is gone with the try, so if that does not last, nor may what
 * the peer says that it has sent. */
int parked_retry(struct node *n)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next) {
        int rc = SYNCLINE_OK;

        if (c->parked == NULL || c->closing)
            continue;
        rc = retry_conn(n, c);
        if (rc == SYNCLINE_OK)
            rc = node_commit(n);
        if (rc == SYNCLINE_OK)
            continue;
        conn_close(n, c, rc, refusal_text(n, rc));
        parked_free(c);
        return rc;
    }
    return SYNCLINE_OK;
}

void parked_free(struct conn *c)
{
    while (c->parked != NULL) {
        struct parked *p = c->parked;

        c->parked = p->next;
        free_one(p);
    }
}
