/* One connection of net.h: told apart by its first bytes, TLS, frames in and
 * out. */
#include "io/net_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/plant.h"
#include "io/cut.h"
#include "io/sockaddr.h"

/* Encrypted bytes that may wait in libuv; the rest waits as plaintext. */
#define WRITING_MAX ((size_t)256 << 10)
#define PIECE_MAX ((size_t)128 << 10)
/* A frame cut short by its last byte, and what one reading brings after. */
#define IN_MAX (NET_FRAME_MAX + 4 + 4 * READ_MAX)
#define KEEP_MAX ((size_t)256 << 10) /* a buffer's memory kept while idle */
#define REST_BYTES ((size_t)256 << 10)
#define KEEPALIVE_S 60
#define NODE_FIRST 5 /* bytes that tell an older node */
/* Of a guest that does not read, the system would keep megabytes, and nobody
 * here would notice for long. */
#define GUEST_SEND_BUFFER (256 << 10)

struct write {
    uv_write_t req;
    struct conn *conn;
    size_t len;
    uint8_t bytes[];
};

int conn_new(struct conn **out, struct net *n)
{
    struct conn *c = calloc(1, sizeof *c);

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    if (uv_tcp_init(n->opt.loop, &c->tcp) != 0) {
        free(c);
        return SYNCLINE_ENOMEM;
    }
    n->handles++;
    c->net = n;
    c->tcp.data = c;
    c->in.max = IN_MAX;
    c->out.max = n->opt.queue_max + 2 * (NET_FRAME_MAX + 4);
    *out = c;
    return SYNCLINE_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    struct net *n = c->net;

    tls_sess_free(c->tls);
    buf_free(&c->in);
    buf_free(&c->out);
    free(c);
    net_handle_closed(n);
}

void conn_destroy(struct conn *c)
{
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

void conn_doom(struct conn *c, const char *fmt, ...)
{
    va_list ap;

    if (c->state == CONN_DOOMED)
        return;
    if (c->state != CONN_CLOSING) { /* which has its reason already */
        va_start(ap, fmt);
        (void)vsnprintf(c->reason, sizeof c->reason, fmt, ap);
        va_end(ap);
    }
    if (conn_is_half_open(c))
        c->net->stats.half_open--;
    c->state = CONN_DOOMED;
    conn_set_reading(c);
    net_want_turn(c->net);
}

static void on_written(uv_write_t *req, int status)
{
    struct write *w = (struct write *)req;
    struct conn *c = w->conn;

    c->writing -= w->len;
    free(w);
    if (c->net->dying || c->state == CONN_DOOMED)
        return;
    if (status != 0)
        conn_doom(c, "sending failed: %s", uv_strerror(status));
    else if (c->writing == 0)
        conn_flush(c);
}

/* Hands the rest of what could not be written at once to libuv. */
static int write_later(struct conn *c, struct slice rest)
{
    struct write *w = malloc(sizeof *w + rest.len);
    uv_buf_t bytes;
    int rc;

    if (w == NULL)
        return UV_ENOMEM;
    w->conn = c;
    w->len = rest.len;
    memcpy(w->bytes, rest.ptr, rest.len);
    bytes = uv_buf_init((char *)w->bytes, (unsigned)rest.len);
    rc = uv_write(&w->req, (uv_stream_t *)&c->tcp, &bytes, 1, on_written);
    if (rc != 0)
        free(w);
    else
        c->writing += rest.len;
    return rc;
}

/* Sends the scratch buffer, which is empty afterwards. */
static int write_wire(struct conn *c)
{
    struct buf *wire = &c->net->wire;
    struct slice rest = buf_slice(wire);
    int rc = 0;

    if (rest.len == 0)
        goto out;
    c->out_n += rest.len;
    *(c->guest ? &c->net->stats.guest_bytes_out : &c->net->stats.bytes_out) +=
        rest.len;
    if (c->writing == 0) {
        uv_buf_t bytes = uv_buf_init((char *)wire->ptr, (unsigned)wire->len);

        rc = uv_try_write((uv_stream_t *)&c->tcp, &bytes, 1);
        if (rc >= 0)
            rest = slice_from(rest, (size_t)rc);
        rc = rc >= 0 || rc == UV_EAGAIN ? 0 : rc;
    }
    if (rc == 0 && rest.len > 0)
        rc = write_later(c, rest);
out:
    buf_clear(wire);
    return rc;
}

static void trim(struct buf *b)
{
    if (b->len == 0 && b->cap > KEEP_MAX)
        buf_free(b);
}

static void on_shut(uv_shutdown_t *req, int status)
{
    struct conn *c = req->handle->data;

    if (status != 0 && !c->net->dying)
        conn_doom(c, "%s", "");
}

/* Everything was sent. Ends our half only, and waits for the peer to end
 * his: closing while he still sends would reset the connection and could
 * take from him what he has not read yet. */
static void finish(struct conn *c)
{
    c->shut = true;
    buf_clear(&c->net->wire);
    if (c->tls != NULL)
        tls_shut(c->tls, &c->net->wire);
    if (write_wire(c) != 0 ||
        uv_shutdown(&c->shutting, (uv_stream_t *)&c->tcp, on_shut) != 0)
        conn_doom(c, "%s", "");
}

/* To the scratch buffer, as it goes over the wire. */
static int put_wire(struct conn *c, struct slice plain)
{
    if (c->tls != NULL)
        return tls_write(c->tls, plain, &c->net->wire);
    buf_put_slice(&c->net->wire, plain);
    return buf_status(&c->net->wire);
}

void conn_flush(struct conn *c)
{
    size_t done = 0;
    int rc = 0;

    if ((c->state != CONN_UP && c->state != CONN_CLOSING) || c->shut)
        return;
    while (done < c->out.len && c->writing < WRITING_MAX && rc == 0) {
        size_t n =
            c->out.len - done < PIECE_MAX ? c->out.len - done : PIECE_MAX;

        buf_clear(&c->net->wire);
        if (put_wire(c, SLICE(c->out.ptr + done, n)) != SYNCLINE_OK)
            rc = UV_ENOMEM;
        else
            rc = write_wire(c);
        done += n;
    }
    buf_consume(&c->out, done);
    trim(&c->out);
    trim(&c->net->wire);
    if (rc != 0)
        conn_doom(c, "sending failed: %s", uv_strerror(rc));
    else if (c->state == CONN_CLOSING && c->out.len == 0 && c->writing == 0)
        finish(c);
}

void conn_pump(struct conn *c)
{
    const struct net_events *ev = &c->net->opt.events;
    size_t off = 0, len = 0;
    int found = 0;

    if (c->guest)
        return;
    while (c->state == CONN_UP && !c->net->paused && c->wait_ms == 0 &&
        (found = cut_frame(slice_from(buf_slice(&c->in), off), &len)) > 0) {
        ev->on_frame(
            ev->ctx, c->id, SLICE(c->in.ptr + off + CUT_PREFIX_LEN, len));
        off += CUT_PREFIX_LEN + len;
    }
    buf_consume(&c->in, off);
    trim(&c->in);
    c->broke = c->broke || found < 0;
    if (found < 0)
        conn_doom(
            c, "a frame of %zu bytes, %zu are allowed", len, NET_FRAME_MAX);
}

static void come_up(struct conn *c)
{
    struct net *n = c->net;
    struct net_peer peer = {
        .device = *tls_device(c->tls),
        .spki = tls_spki(c->tls),
        .remote = c->remote,
        .exporter = tls_exporter(c->tls),
        .inbound = c->inbound,
        .pairing = tls_is_pairing(c->tls),
    };

    if (c->inbound)
        n->stats.half_open--;
    c->state = CONN_UP;
    c->pairing = peer.pairing;
    c->told = true;
    c->deadline_ms = 0;
    n->stats.sessions++;
    n->stats.sessions_total++;
    n->opt.events.on_up(n->opt.events.ctx, c->id, &peer);
}

static struct netaddr local_of(const uv_tcp_t *tcp)
{
    struct sockaddr_storage sa = { 0 };
    int len = sizeof sa;

    (void)uv_tcp_getsockname(tcp, (struct sockaddr *)&sa, &len);
    return netaddr_of((struct sockaddr *)&sa);
}

/* What was sent before it was known who that is, was a guest's, too. */
static void count_as_guest(struct conn *c)
{
    struct net_stats *n = &c->net->stats;

    n->bytes_in -= c->in_n;
    n->bytes_out -= c->out_n;
    n->guest_bytes_in += c->in_n;
    n->guest_bytes_out += c->out_n;
}

static void become_guest(struct conn *c, const struct net_guests *g)
{
    struct net_guest who = { c->remote, local_of(&c->tcp), c->tls != NULL };
    int size = GUEST_SEND_BUFFER;

    if (g->on_up == NULL || !g->on_up(g->ctx, c->id, &who)) {
        conn_doom(c, "no guests");
        return;
    }
    c->net->stats.half_open--;
    c->net->stats.guests++;
    (void)uv_send_buffer_size((uv_handle_t *)&c->tcp, &size);
    count_as_guest(c);
    c->guest = true;
    c->host = g;
    if (g->queue_max > 0)
        c->out.max = g->queue_max;
    c->state = CONN_UP;
    c->deadline_ms = 0;
}

/* What a guest has said by TLS, or first, if there is any of it. */
static void tell_guest(struct conn *c)
{
    if (!c->guest || c->state != CONN_UP || c->in.len == 0)
        return;
    c->host->on_bytes(c->host->ctx, c->id, buf_slice(&c->in));
    buf_clear(&c->in);
    trim(&c->in);
}

static void feed(struct conn *c, struct slice bytes)
{
    struct errmsg why = { "memory ran out" };
    int rc, sent;

    buf_clear(&c->net->wire);
    rc = tls_feed(c->tls, bytes, &c->in, &c->net->wire, &why);
    sent = write_wire(c);
    if (c->state == CONN_HANDSHAKE && tls_is_up(c->tls)) {
        if (tls_is_web(c->tls))
            become_guest(c, &c->net->opt.guests);
        else
            come_up(c);
        net_want_turn(c->net); /* somebody may wait for the place */
    }
    tell_guest(c);
    conn_pump(c);
    /* Browsers end it so when they do not trust a certificate. */
    c->denied =
        rc != SYNCLINE_OK && rc != SYNCLINE_ENOMEM && !tls_is_web(c->tls);
    if (rc != SYNCLINE_OK)
        conn_doom(c, "%s", why.text);
    else if (sent != 0)
        conn_doom(c, "sending failed: %s", uv_strerror(sent));
    conn_set_reading(c);
}

/* HTTP and JSON come here until faces of their own take them over: whoever
 * wants to know is told, and the connection ends. */
static void refuse_plain(struct conn *c, struct slice first)
{
    const struct net_events *ev = &c->net->opt.events;

    if (ev->on_plain != NULL)
        ev->on_plain(ev->ctx, &c->remote, first);
    conn_doom(c, "plain text, not TLS");
}

/* From elsewhere it comes in clear over a network: no. */
static bool may_be_guest(const struct conn *c, uint8_t first)
{
    return c->net->opt.guests.on_up != NULL && first >= 'A' && first <= 'Z' &&
        (netaddr_is_loopback(&c->remote) || PLANTED(R13_CLEAR));
}

static void begin_handshake(struct conn *c, struct slice first)
{
    if (tls_accept(&c->tls, c->net->tls) != SYNCLINE_OK) {
        conn_doom(c, "memory ran out");
        return;
    }
    c->state = CONN_HANDSHAKE;
    feed(c, first);
}

static void begin_tls(struct conn *c, struct slice first)
{
    switch (net_room(c->net, &c->remote)) {
    case ROOM_NOW:
        begin_handshake(c, first);
        break;
    case ROOM_LATER:
        c->state = CONN_WAITING;
        buf_put_slice(&c->in, first);
        if (buf_status(&c->in) != SYNCLINE_OK)
            conn_doom(c, "memory ran out");
        conn_set_reading(c);
        break;
    case ROOM_NONE:
        conn_doom(c, "too many are at the door");
        break;
    }
}

void conn_go_on(struct conn *c)
{
    struct buf first = c->in;

    c->in = (struct buf){ .max = first.max };
    begin_handshake(c, buf_slice(&first));
    buf_free(&first);
}

/* An older node's: a length, the highest byte first, and an object. */
static bool is_node(struct slice first)
{
    const uint8_t *p = first.ptr;
    size_t len;

    if (first.len < NODE_FIRST || p[4] != '{')
        return false;
    len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    return len >= 2 && len <= NET_NODE_MAX;
}

static void dispatch(struct conn *c, struct slice first)
{
    const struct net_options *opt = &c->net->opt;
    uint8_t b = first.ptr[0];

    if (may_be_guest(c, b)) {
        become_guest(c, &opt->guests);
    } else if (net_is_hasty(c->net, &c->remote)) {
        conn_doom(c, "it calls too often");
    } else if (b == 0x16) {
        begin_tls(c, first);
    } else if (is_node(first) && opt->nodes.on_up != NULL) {
        become_guest(c, &opt->nodes);
    } else if ((b >= 'A' && b <= 'Z') || b <= 1) {
        refuse_plain(c, first);
    } else {
        conn_doom(c, "the first byte, 0x%02x, is of no protocol here", b);
    }
    if (c->guest && c->tls == NULL) {
        c->host->on_bytes(c->host->ctx, c->id, first);
        conn_set_reading(c);
    }
}

/* One byte tells most; a node's are waited for until they tell. */
static void take_first(struct conn *c, struct slice bytes)
{
    struct buf first = c->in;

    if (first.len == 0 && (bytes.ptr[0] > 1 || bytes.len >= NODE_FIRST)) {
        dispatch(c, bytes);
        return;
    }
    buf_put_slice(&first, bytes);
    c->in = first;
    if (buf_status(&first) != SYNCLINE_OK) {
        conn_doom(c, "memory ran out");
        return;
    }
    if (first.len < NODE_FIRST)
        return;
    c->in = (struct buf){ .max = first.max };
    dispatch(c, buf_slice(&first));
    buf_free(&first);
}

/* What a stranger may still make us take in, whatever he calls it. */
static size_t room_for(const struct conn *c)
{
    size_t left = c->net->opt.half_open_bytes - c->taken;

    if (PLANTED(R01_BYTES))
        return READ_MAX;
    if (c->state == CONN_UP || c->state == CONN_CLOSING)
        return READ_MAX;
    if (c->state == CONN_FIRST && left > FIRST_MAX)
        return FIRST_MAX;
    return left < READ_MAX ? left : READ_MAX;
}

/* What it has said so far is seen to, and sent on, before more is read. */
static void rest_now_and_then(struct conn *c, size_t n)
{
    c->read_n += n;
    if (c->read_n < REST_BYTES)
        return;
    c->read_n = 0;
    c->rests = true;
    conn_set_reading(c);
    net_want_turn(c->net);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = stream->data;
    struct slice bytes;

    if (n == 0)
        return;
    if (n == UV_ENOBUFS) {
        conn_doom(c, "more than %zu bytes before the peer was known",
            c->net->opt.half_open_bytes);
        return;
    }
    if (n < 0) {
        conn_doom(c, "%s",
            n == UV_EOF ? "the peer has closed the connection"
                        : uv_strerror((int)n));
        return;
    }
    c->in_n += (uint64_t)n;
    *(c->guest ? &c->net->stats.guest_bytes_in : &c->net->stats.bytes_in) +=
        (uint64_t)n;
    bytes = SLICE(buf->base, (size_t)n);
    if (c->state == CONN_CLOSING)
        return;
    rest_now_and_then(c, bytes.len);
    if (c->state != CONN_UP)
        c->taken += bytes.len;
    if (c->state == CONN_FIRST)
        take_first(c, bytes);
    else if (c->guest && c->tls == NULL)
        c->host->on_bytes(c->host->ctx, c->id, bytes);
    else
        feed(c, bytes);
}

/* One buffer serves all: what it holds is used up before the next reading. */
static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct conn *c = handle->data;

    (void)hint;
    *buf = uv_buf_init((char *)c->net->read, (unsigned)room_for(c));
}

void conn_set_reading(struct conn *c)
{
    bool want = c->state == CONN_FIRST || c->state == CONN_HANDSHAKE ||
        c->state == CONN_CLOSING ||
        (c->state == CONN_UP && !c->net->paused && !c->held && !c->rests &&
            c->wait_ms == 0);
    int rc;

    if (want == c->reading)
        return;
    c->reading = want;
    if (!want) {
        uv_read_stop((uv_stream_t *)&c->tcp);
        return;
    }
    rc = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (rc != 0)
        conn_doom(c, "reading failed: %s", uv_strerror(rc));
}

/* Small frames leave at once; a peer whose machine has died is noticed even
 * where nothing is said. Failing either harms nobody. */
static void set_options(struct conn *c)
{
    (void)uv_tcp_nodelay(&c->tcp, 1);
    (void)uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S);
}

void conn_begin(struct conn *c)
{
    set_options(c);
    c->state = CONN_FIRST;
    c->net->stats.half_open++;
    conn_set_reading(c);
}

static void on_connect(uv_connect_t *req, int status)
{
    struct conn *c = req->handle->data;

    if (c->net->dying || c->state == CONN_DOOMED)
        return;
    if (status != 0) {
        conn_doom(c, "%s", uv_strerror(status));
        return;
    }
    set_options(c);
    if (tls_connect(&c->tls, c->net->tls, c->pairing) != SYNCLINE_OK) {
        conn_doom(c, "memory ran out");
        return;
    }
    c->state = CONN_HANDSHAKE;
    feed(c, SLICE_NONE); /* makes the hello */
}

void conn_dial(struct conn *c)
{
    struct sockaddr_storage to;
    int rc;

    c->state = CONN_DIALLING;
    c->told = true;
    rc = sockaddr_of(&to, &c->remote) ? uv_tcp_connect(&c->connecting, &c->tcp,
                                            (struct sockaddr *)&to, on_connect)
                                      : UV_EINVAL;
    if (rc != 0)
        conn_doom(c, "%s", uv_strerror(rc));
}
