/* What a step hands to the shell: effects, answers, refusals. */
#include "repl/node_impl.h"

#include <stdlib.h>

struct effect *fx_add(struct node *n, enum effect_type type)
{
    if (n->fx_n == n->fx_cap) {
        size_t cap = n->fx_cap == 0 ? 32 : n->fx_cap * 2;
        struct effect *more = realloc(n->fx, cap * sizeof *more);

        if (more == NULL)
            return NULL;
        n->fx = more;
        n->fx_cap = cap;
    }
    n->fx[n->fx_n] = (struct effect){ .type = type };
    return &n->fx[n->fx_n++];
}

int fx_bytes(struct node *n, struct effect *fx, struct slice bytes)
{
    fx->bytes = arena_dup(&n->step, bytes);
    if (fx->bytes.ptr != NULL)
        return SYNCLINE_OK;
    n->fx_n -= fx == &n->fx[n->fx_n - 1]; /* half told is not told */
    return SYNCLINE_ENOMEM;
}

int fx_reply(struct node *n, uint64_t request, struct slice json, bool more)
{
    struct effect *fx = fx_add(n, FX_REPLY);

    if (fx == NULL)
        return SYNCLINE_ENOMEM;
    fx->request = request;
    fx->more = more;
    return fx_bytes(n, fx, json);
}

const char *node_status_text(int rc)
{
    switch (rc) {
    case SYNCLINE_ENOMEM:
        return "memory ran out";
    case SYNCLINE_ELIMIT:
        return "that is more than can be written at once";
    case SYNCLINE_EFULL:
        return "the disk is full; make room and try again";
    case SYNCLINE_EIO:
        return "writing to the store failed; see the log";
    case SYNCLINE_ECORRUPT:
        return "a record of the store is damaged";
    default:
        return "the request failed";
    }
}

int fx_error(struct node *n, uint64_t request, int rc, const struct errmsg *why)
{
    const char *text =
        why != NULL && why->text[0] != 0 ? why->text : node_status_text(rc);
    struct buf b = { 0 };
    int err;

    buf_printf(&b, "{\"ok\":false,\"code\":\"%s\",\"error\":", error_name(rc));
    json_print_string(&b, slice_str(text), false);
    if (rc == SYNCLINE_ELIMIT && n->again_us > 0)
        buf_printf(&b, ",\"again_ms\":%llu",
            (unsigned long long)((n->again_us + 999) / 1000));
    n->again_us = 0;
    buf_put_str(&b, "}");
    err = buf_status(&b);
    if (err == SYNCLINE_OK)
        err = fx_reply(n, request, buf_slice(&b), false);
    buf_free(&b);
    return err;
}
