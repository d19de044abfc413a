/* Callers of iSync that the hub has let in: it has their connections. */
#include "app/isync/isync_conns_impl.h"

#include <stdlib.h>

struct isync_guest {
    struct isync_guest *next;
    uint64_t number;
    struct hub_conn *conn;
};

struct hub_conn *isync_guest_of(const struct isync_conns *c, uint64_t number)
{
    const struct isync_guest *g = c->guests;

    while (g != NULL && g->number != number)
        g = g->next;
    return g != NULL ? g->conn : NULL;
}

static struct isync_conns *conns_of(void *ctx)
{
    struct isync_conns *const *at = ctx;

    return *at;
}

static uint64_t on_open(void *ctx, struct hub_conn *conn)
{
    struct isync_conns *c = conns_of(ctx);
    struct isync_guest *g;

    if (c == NULL || c->is_stopping)
        return 0;
    g = calloc(1, sizeof *g);
    if (g == NULL)
        return 0;
    *g = (struct isync_guest){ c->guests, ++c->last_conn, conn };
    c->guests = g;
    return g->number;
}

static void on_request(void *ctx, uint64_t conn, const struct http_request *r,
    const struct netaddr *from, bool is_whole)
{
    struct isync_conns *c = conns_of(ctx);
    struct eio_server *e = sio_server_eio(c->server);

    if (is_whole)
        eio_server_let_in(e, conn, r, from, clock_mono_us());
    else
        (void)eio_server_head(e, conn, r);
    isync_arm(c);
}

static void on_take(void *ctx, uint64_t conn, bool text, struct slice message)
{
    struct isync_conns *c = conns_of(ctx);

    eio_server_message(
        sio_server_eio(c->server), conn, text, message, clock_mono_us());
    isync_arm(c);
}

static void on_close(void *ctx, uint64_t conn)
{
    struct isync_conns *c = conns_of(ctx);
    struct isync_guest **at = &c->guests, *g;

    while (*at != NULL && (*at)->number != conn)
        at = &(*at)->next;
    g = *at;
    if (g == NULL)
        return;
    *at = g->next;
    free(g);
    eio_server_gone(sio_server_eio(c->server), conn, clock_mono_us());
    isync_arm(c);
}

struct hub_socketio_port isync_conns_hub(
    struct isync_conns *const *at, struct slice space)
{
    return (struct hub_socketio_port){ .ctx = (void *)at,
        .space = space,
        .open = on_open,
        .request = on_request,
        .take = on_take,
        .close = on_close };
}

/* The hub has ended them before, unless it was never started. */
void isync_guests_close(struct isync_conns *c)
{
    while (c->guests != NULL) {
        struct isync_guest *g = c->guests;

        c->guests = g->next;
        free(g);
    }
}
