#include "faces/socketio/sio_server.h"

#include <stdlib.h>

#include "base/text.h"

struct link {
    struct link *next;
    uint64_t session;
    uint64_t number;      /* 0: it has not connected, or has left */
    uint32_t attachments; /* that are still to come, to be dropped */
};

struct sio_server {
    struct sio_server_options opt;
    struct eio_server *eio;
    struct link *links;
    uint64_t last;
    struct arena arena;
};

static struct link *by_session(const struct sio_server *s, uint64_t session)
{
    struct link *l = s->links;

    while (l != NULL && l->session != session)
        l = l->next;
    return l;
}

static struct link *by_number(const struct sio_server *s, uint64_t number)
{
    struct link *l = s->links;

    while (l != NULL && (l->number != number || number == 0))
        l = l->next;
    return l;
}

static void drop(struct sio_server *s, struct link *l)
{
    struct link **at = &s->links;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    free(l);
}

static void send(
    struct sio_server *s, uint64_t session, const struct sio_packet *p)
{
    struct buf b = { 0 };

    sio_put(&b, p);
    if (buf_status(&b) == SYNCLINE_OK)
        eio_server_send(s->eio, session, true, buf_slice(&b));
    else
        eio_server_end(s->eio, session);
    buf_free(&b);
}

/* ---- what comes in ---- */

static void on_close(void *ctx, uint64_t session, const char *why)
{
    struct sio_server *s = ctx;
    struct link *l = by_session(s, session);
    const uint64_t number = l != NULL ? l->number : 0;

    if (l != NULL)
        drop(s, l);
    if (number != 0)
        s->opt.on_closed(s->opt.ctx, number, why);
}

static void give_up(struct sio_server *s, uint64_t session, const char *why)
{
    eio_server_end(s->eio, session);
    on_close(s, session, why);
}

static int put_id(struct sio_server *s, struct buf *b)
{
    const struct eio_port *port = &s->opt.eio.port;
    uint8_t id[15];
    int rc = port->random(port->ctx, id, sizeof id);

    buf_put_str(b, "{\"sid\":\"");
    put_base64url(b, SLICE(id, sizeof id));
    buf_put_str(b, "\"}");
    return rc == SYNCLINE_OK ? buf_status(b) : rc;
}

static void connect_link(struct sio_server *s, struct link *l)
{
    const struct netaddr from = *eio_server_from(s->eio, l->session);
    const uint64_t session = l->session;
    struct buf id = { 0 };
    int rc = put_id(s, &id);

    if (rc == SYNCLINE_OK) {
        const uint64_t number = l->number = ++s->last;

        eio_server_keep(s->eio, session, true);
        send(s, session,
            &(struct sio_packet){ .type = SIO_CONNECT,
                .nsp = SLICE_LIT("/"),
                .json = buf_slice(&id) });
        s->opt.on_connected(s->opt.ctx, number, &from);
    } else {
        give_up(s, session, "memory ran out");
    }
    buf_free(&id);
}

static void refuse(
    struct sio_server *s, uint64_t session, const struct sio_packet *p)
{
    send(s, session,
        &(struct sio_packet){ .type = SIO_CONNECT_ERROR,
            .nsp = p->nsp,
            .json = SLICE_LIT("\"Unable to connect\"") });
}

static void on_connect(
    struct sio_server *s, struct link *l, const struct sio_packet *p)
{
    if (!slice_is(p->nsp, "/"))
        refuse(s, l->session, p);
    else if (l->number == 0)
        connect_link(s, l);
}

static void on_event(
    struct sio_server *s, const struct link *l, const struct sio_packet *p)
{
    const uint64_t number = l->number, session = l->session;
    struct sio_event ev;
    int rc;

    if (number == 0 || !slice_is(p->nsp, "/"))
        return;
    rc = sio_event_read(&ev, p, &s->arena);
    if (rc == SYNCLINE_OK)
        s->opt.on_event(s->opt.ctx, number, &ev);
    if (rc == SYNCLINE_OK && ev.wants_ack && by_number(s, number) != NULL)
        send(s, session,
            &(struct sio_packet){ .type = SIO_ACK,
                .nsp = SLICE_LIT("/"),
                .has_id = true,
                .id = p->id,
                .json = SLICE_LIT("[]") });
    if (rc == SYNCLINE_EMALFORMED)
        give_up(s, session, "it does not speak Socket.IO");
    arena_reset(&s->arena);
}

/* It may connect again. */
static void on_leave(
    struct sio_server *s, struct link *l, const struct sio_packet *p)
{
    const uint64_t number = l->number;

    if (!slice_is(p->nsp, "/") || number == 0)
        return;
    l->number = 0;
    eio_server_keep(s->eio, l->session, false);
    s->opt.on_closed(s->opt.ctx, number, "it has left");
}

static void take(struct sio_server *s, struct link *l, struct slice text)
{
    struct sio_packet p;

    if (sio_read(&p, text) != SYNCLINE_OK) {
        give_up(s, l->session, "it does not speak Socket.IO");
        return;
    }
    l->attachments = p.attachments;
    switch (p.type) {
    case SIO_CONNECT:
        on_connect(s, l, &p);
        break;
    case SIO_DISCONNECT:
        on_leave(s, l, &p);
        break;
    case SIO_EVENT:
        on_event(s, l, &p);
        break;
    default: /* nothing is asked of callers, and binary data is not taken */
        break;
    }
}

static void on_message(
    void *ctx, uint64_t session, bool text, struct slice data)
{
    struct sio_server *s = ctx;
    struct link *l = by_session(s, session);

    if (l == NULL) {
        l = calloc(1, sizeof *l);
        if (l == NULL) {
            eio_server_end(s->eio, session);
            return;
        }
        *l = (struct link){ .next = s->links, .session = session };
        s->links = l;
    }
    if (text)
        take(s, l, data);
    else if (l->attachments > 0)
        l->attachments--;
    else
        give_up(s, session, "it sent binary data that nobody waits for");
}

/* ---- from above ---- */

int sio_server_emit(
    struct sio_server *s, uint64_t link, struct slice name, struct slice args)
{
    const struct link *l = by_number(s, link);
    struct buf b = { 0 };
    int rc;

    if (l == NULL)
        return SYNCLINE_ECLOSED;
    sio_put_event(&b, name, args, NULL);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        eio_server_send(s->eio, l->session, true, buf_slice(&b));
    buf_free(&b);
    return rc;
}

void sio_server_settle(struct sio_server *s, uint64_t link)
{
    const struct link *l = by_number(s, link);

    if (l != NULL)
        eio_server_settle(s->eio, l->session);
}

void sio_server_hang_up(struct sio_server *s, uint64_t link)
{
    struct link *l = by_number(s, link);
    const struct sio_packet bye = { .type = SIO_DISCONNECT,
        .nsp = SLICE_LIT("/") };
    uint64_t session;

    if (l == NULL)
        return;
    session = l->session;
    drop(s, l);
    send(s, session, &bye);
    eio_server_end(s->eio, session);
}

void sio_server_stop(struct sio_server *s)
{
    while (s->links != NULL)
        drop(s, s->links);
    eio_server_stop(s->eio);
}

struct eio_reach sio_server_reach(const struct sio_server *s, uint64_t link)
{
    const struct link *l = by_number(s, link);

    return l != NULL ? eio_server_reach(s->eio, l->session)
                     : (struct eio_reach){ .ws = 0 };
}

bool sio_server_is_websocket(const struct sio_server *s, uint64_t link)
{
    return sio_server_reach(s, link).ws != 0;
}

size_t sio_server_n(const struct sio_server *s)
{
    size_t n = 0;

    for (const struct link *l = s->links; l != NULL; l = l->next)
        n += l->number != 0;
    return n;
}

struct eio_server *sio_server_eio(struct sio_server *s)
{
    return s->eio;
}

/* ---- beginning and end ---- */

int sio_server_new(
    struct sio_server **out, const struct sio_server_options *opt)
{
    struct sio_server *s = calloc(1, sizeof *s);
    struct eio_server_options eio = opt->eio;
    int rc;

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    s->opt = *opt;
    eio.ctx = s;
    eio.on_message = on_message;
    eio.on_close = on_close;
    rc = eio_server_new(&s->eio, &eio);
    if (rc != SYNCLINE_OK) {
        free(s);
        return rc;
    }
    *out = s;
    return SYNCLINE_OK;
}

void sio_server_free(struct sio_server *s)
{
    if (s == NULL)
        return;
    eio_server_free(s->eio);
    while (s->links != NULL)
        drop(s, s->links);
    arena_free(&s->arena);
    free(s);
}
