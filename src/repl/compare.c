#include "repl/compare.h"

#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/receive_impl.h"

/* Whoever was told something else under one dot (forks.h) would never be sent
 * what it lacks. So at a heartbeat, once it knows that a peer has what it has
 * itself, a node tells a print of its vector and of what is alive (CHECK). A
 * peer with that vector and with other items looks for what differs, as
 * `syncline verify` does, and asks to be shown some of it (SHOW). */

/* What is not told again as long as nothing changes: it may not have fitted
 * what the other had just then. */
#define AGAIN_US ((uint64_t)60 * 1000 * 1000)
#define COMPARE_US ((uint64_t)60 * 1000 * 1000)
#define SHOWN_MAX ((size_t)512 << 10)

static int vector_print(
    const struct node *n, const struct vv *v, uint8_t out[CHECK_PRINT_LEN])
{
    const struct crypto_port *crypto = n->opt.crypto;
    uint8_t hash[SHA256_LEN];
    struct buf b = { 0 };
    struct slice whole;
    int rc;

    put_vv(&b, v);
    whole = buf_slice(&b);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = crypto->hash(crypto->self, hash, &whole, 1);
    if (rc == SYNCLINE_OK)
        memcpy(out, hash, CHECK_PRINT_LEN);
    buf_free(&b);
    return rc;
}

static bool is_settled(const struct session *s)
{
    const struct space *sp = s->space;

    return s->wanted && s->subscribed && !s->refusing && s->awaits == 0 &&
        sp->staging == NULL && !space_is_open(sp) &&
        vv_eq(&sp->have, &s->claims);
}

static int tell(struct node *n, struct conn *c, struct session *s)
{
    const struct space *sp = s->space;
    struct frame f = { .type = FRAME_CHECK,
        .check = {
            .space = sp->token, .alive = sp->s.alive, .sum = sp->s.live } };
    int rc = vector_print(n, &sp->have, f.check.vector);

    if (rc == SYNCLINE_OK)
        rc = conn_send(n, c, &f);
    if (rc != SYNCLINE_OK)
        return rc;
    s->checked_lsn = sp->s.lsn;
    s->checked_us = n->now_us;
    return SYNCLINE_OK;
}

int compare_tick(struct node *n, struct conn *c)
{
    int rc = SYNCLINE_OK;

    if (PLANTED(R20_APART) || access_is_across(n, c))
        return rc;
    for (struct session *s = c->sessions; s != NULL && rc == SYNCLINE_OK;
         s = s->next)
        if (is_settled(s) &&
            (s->checked_lsn != s->space->s.lsn ||
                n->now_us >= s->checked_us + AGAIN_US))
            rc = tell(n, c, s);
    return rc;
}

int compare_on_check(
    struct node *n, struct conn *c, const struct frame_check *f)
{
    struct space *sp = space_by_token(n, &f->space);
    uint8_t mine[CHECK_PRINT_LEN];
    int rc;

    if (sp == NULL || !access_is_shared(n, c, sp) || space_is_open(sp) ||
        access_is_across(n, c) || sp->staging != NULL ||
        n->now_us < c->compare_from_us)
        return SYNCLINE_OK;
    if (f->alive == sp->s.alive &&
        memcmp(&f->sum, &sp->s.live, sizeof f->sum) == 0)
        return SYNCLINE_OK;
    rc = vector_print(n, &sp->have, mine);
    if (rc != SYNCLINE_OK || memcmp(mine, f->vector, sizeof mine) != 0)
        return rc;
    c->compare_from_us = n->now_us + COMPARE_US;
    n->counts.compared++;
    return verify_between(n, c, sp);
}

/* ---- being shown ---- */

int compare_ask(
    struct node *n, struct conn *c, const struct space *sp, struct slice key)
{
    struct frame f = { .type = FRAME_SHOW,
        .show = { .space = sp->token, .key = key } };

    if (c->shows >= SHOWS_MAX)
        return SYNCLINE_OK;
    c->shows++;
    return conn_send(n, c, &f);
}

static int show(struct node *n, struct conn *c, struct space *sp,
    const struct frame_show *asked)
{
    struct frame f = { .type = FRAME_SHOW,
        .show = { .space = sp->token, .key = asked->key } };
    struct buf b = { 0 };
    struct stored st;
    int rc = item_read(n, sp, asked->key, &st);

    if (rc != SYNCLINE_OK || !st.existed)
        return rc;
    put_item(&b, &st.item);
    rc = buf_status(&b);
    f.show.row = buf_slice(&b);
    if (rc == SYNCLINE_OK && b.len <= SHOWN_MAX)
        rc = conn_send(n, c, &f);
    buf_free(&b);
    return rc;
}

int compare_on_show(struct node *n, struct conn *c, const struct frame_show *f)
{
    struct space *sp = space_by_token(n, &f->space);
    struct row_in row;
    int rc;

    if (sp == NULL || !access_is_shared(n, c, sp) || space_is_open(sp) ||
        access_is_across(n, c))
        return SYNCLINE_OK;
    if (f->row.len == 0)
        return key_check(f->key, NULL) == SYNCLINE_OK ? show(n, c, sp, f)
                                                      : SYNCLINE_EMALFORMED;
    if (c->shows == 0)
        return SYNCLINE_OK; /* it was not asked for */
    c->shows--;
    rc = receive_read_row(n, f->key, f->row, row_form(sp, NULL), &row);
    if (rc == REFUSED)
        return SYNCLINE_OK;
    return rc == SYNCLINE_OK ? forks_look(n, sp, f->key, &row.item) : rc;
}
