/* Config-sync instances that the hub has let in: it has their connections. */
#include "app/config/config_face_impl.h"

#include <stdlib.h>

struct config_guest {
    struct config_guest *next;
    uint64_t link;
    struct hub_conn *conn;
};

static uint64_t on_open(void *ctx, struct hub_conn *conn,
    const struct netaddr *from, bool is_syncline)
{
    struct config_face *f = ctx;
    struct config_guest *g;

    if (f->sync == NULL || f->is_stopping)
        return 0;
    g = calloc(1, sizeof *g);
    if (g == NULL)
        return 0;
    *g = (struct config_guest){ f->guests, ++f->next_link, conn };
    f->guests = g;
    if (config_sync_open(f->sync, g->link, true, NULL, face_now()) !=
        SYNCLINE_OK) {
        f->guests = g->next;
        free(g);
        return 0;
    }
    callers_say_come(f, from, is_syncline);
    face_arm(f);
    return g->link;
}

static void on_take(void *ctx, uint64_t link, bool text, struct slice message)
{
    struct config_face *f = ctx;

    config_sync_take(f->sync, link, text, message, face_now());
    face_arm(f);
}

static void on_close(void *ctx, uint64_t link)
{
    struct config_face *f = ctx;
    struct config_guest **at = &f->guests, *g;

    while (*at != NULL && (*at)->link != link)
        at = &(*at)->next;
    g = *at;
    if (g == NULL)
        return;
    *at = g->next;
    free(g);
    config_sync_close(f->sync, link);
    face_arm(f);
}

struct hub_instances config_face_instances(struct config_face *f)
{
    if (f == NULL || !f->opt.serves)
        return (struct hub_instances){ .ctx = NULL };
    return (struct hub_instances){ .ctx = f,
        .space = slice_str(f->space),
        .message_max = CONFIG_MESSAGE_MAX,
        .compresses = f->opt.compress != WS_OFFER_NONE,
        .open = on_open,
        .take = on_take,
        .close = on_close };
}

bool guests_send(struct config_face *f, uint64_t link, struct slice text)
{
    struct config_guest *g = f->guests;

    while (g != NULL && g->link != link)
        g = g->next;
    if (g == NULL)
        return false;
    hub_conn_tell(g->conn, text);
    return true;
}

size_t guests_n(const struct config_face *f)
{
    size_t n = 0;

    for (const struct config_guest *g = f->guests; g != NULL; g = g->next)
        n++;
    return n;
}

/* The hub has ended them before, unless it was never started. */
void guests_close(struct config_face *f)
{
    while (f->guests != NULL)
        on_close(f, f->guests->link);
}
