/* Asking peers for spaces, and asking anew. */
#include "repl/access_impl.h"

int conn_ping(struct node *n, struct conn *c)
{
    struct frame ping = { .type = FRAME_PING, .ping = { n->now_us, 0 } };

    return conn_send(n, c, &ping);
}

/* Where we had asked before, what is under way still answers that, and marks in
 * it may claim rows that we have not taken: nothing is, up to the batch that
 * begins the new answer. */
static int subscribe(
    struct node *n, struct conn *c, struct space *sp, bool anew)
{
    struct frame f = { .type = FRAME_SUBSCRIBE,
        .subscribe = { .space = sp->token, .have = sp->have } };
    struct session *s = session_of(c, sp);
    struct slice value;
    int rc;

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    s->refusing = s->asked;
    s->deaf = false;   /* should we still be behind, it says so again */
    s->left_out_n = 0; /* all of it comes again */
    if (s->asked)
        f.subscribe.flags |= SUBSCRIBE_AGAIN;
    if (vv_geq(&sp->durable, &sp->have)) {
        f.subscribe.flags |= SUBSCRIBE_DURABLE;
        rc = vv_join(&s->acked, &sp->have, &s->acked_arena);
        if (rc != SYNCLINE_OK)
            return rc;
    }
    rc = anew ? SYNCLINE_ENOTFOUND
              : store_get(&n->opt.store, TABLE_META,
                    key_meta_replica(&n->key, META_CURSOR, sp->id, &c->replica),
                    &value);
    if (rc == SYNCLINE_OK) {
        struct reader r = reader_of(value);

        f.subscribe.cursor = get_varint(&r);
        f.subscribe.has_cursor = reader_end(&r) == SYNCLINE_OK;
    } else if (rc != SYNCLINE_ENOTFOUND) {
        return rc;
    }
    rc = conn_send(n, c, &f);
    if (s->asked) /* conn_send has counted it */
        s->awaits = c->sent_no;
    s->asked = true;
    return rc;
}

/* The peer is not told of a space that is not its own. */
int conn_subscribe(struct node *n, struct conn *c, struct space *sp)
{
    return access_is_shared(n, c, sp) ? subscribe(n, c, sp, false)
                                      : SYNCLINE_OK;
}

int conn_subscribe_anew(struct node *n, struct conn *c, struct space *sp)
{
    return access_is_shared(n, c, sp) ? subscribe(n, c, sp, true) : SYNCLINE_OK;
}

int conn_open_session(struct node *n, struct conn *c, struct space *sp)
{
    int rc = conn_subscribe(n, c, sp);

    return rc == SYNCLINE_OK ? early_take(n, c, sp) : rc;
}

int conns_subscribe_all(struct node *n, struct space *sp)
{
    int rc = SYNCLINE_OK;

    for (struct conn *c = n->conns; c != NULL && rc == SYNCLINE_OK;
         c = c->next) {
        if (!c->greeted || c->closing)
            continue;
        rc = conn_open_session(n, c, sp);
    }
    return rc;
}
