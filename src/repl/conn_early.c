/* SUBSCRIBEs that came before their space was known here. */
#include "repl/access_impl.h"

#include <stdlib.h>

static void early_drop(struct early **at)
{
    struct early *e = *at;

    *at = e->next;
    buf_free(&e->frame);
    free(e);
}

int conn_keep_early(
    struct conn *c, const struct frame_subscribe *f, uint32_t no)
{
    struct frame frame = { .type = FRAME_SUBSCRIBE, .no = no, .subscribe = *f };
    struct early **at = &c->early;
    size_t bytes = 0;

    while (*at != NULL) {
        if (space_token_eq(&(*at)->space, &f->space))
            early_drop(at);
        else {
            bytes += (*at)->frame.len;
            at = &(*at)->next;
        }
    }
    if (bytes >= EARLY_MAX)
        return SYNCLINE_ELIMIT;
    *at = calloc(1, sizeof **at);
    if (*at == NULL)
        return SYNCLINE_ENOMEM;
    (*at)->space = f->space;
    put_frame(&(*at)->frame, &frame);
    return buf_status(&(*at)->frame);
}

int early_take(struct node *n, struct conn *c, const struct space *sp)
{
    struct early **at = &c->early;
    struct slice bytes;
    struct frame f;
    int rc;

    while (*at != NULL && !space_token_eq(&(*at)->space, &sp->token))
        at = &(*at)->next;
    if (*at == NULL)
        return SYNCLINE_OK;
    bytes = arena_dup(&n->step, buf_slice(&(*at)->frame));
    early_drop(at);
    if (bytes.ptr == NULL)
        return SYNCLINE_ENOMEM;
    rc = get_frame(bytes, &f, &n->step);
    return rc == SYNCLINE_OK ? send_on_subscribe(n, c, &f.subscribe, f.no) : rc;
}

bool early_token(const struct conn *c, uint32_t ix, struct space_token *out)
{
    const struct early *e = c->early;

    while (e != NULL && ix-- > 0)
        e = e->next;
    if (e != NULL)
        *out = e->space;
    return e != NULL;
}

void early_free(struct conn *c)
{
    while (c->early != NULL)
        early_drop(&c->early);
}
