/* What carries a connection of LAN sync: TCP of a port of its own, or that we
 * have dialled, plain or by TLS (the first byte of who comes says which); or,
 * of who has come to the port of the mesh, what the net has told from members.
 */
#include "app/lan/lan_face_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define TLS_HELLO 0x16
#define TLS_ALERT 0x15

struct lan_wire {
    struct lan_face *face;
    struct lan_wire_events events;
    struct stream *stream;      /* NULL: it is the net's */
    struct lan_wire *next_node; /* of those */
    uint64_t conn;
    bool is_ending; /* it is the net's, and will tell */
    bool has_come, was_open;
    bool is_begun;   /* something has come by it */
    bool is_refused; /* since it speaks TLS, or does not */
    char why[200];   /* it ends; "": as the stream says */
};

static void refuse(struct lan_wire *w, const char *why)
{
    (void)snprintf(w->why, sizeof w->why, "%s", why);
    lan_wire_close(w);
}

static void refuse_caller(struct lan_wire *w, const char *why)
{
    w->face->counts.refused_tls++;
    w->is_refused = true;
    refuse(w, why);
}

/* In clear, so that who does not speak TLS can read it. */
static void say_tls_is_needed(struct lan_wire *w)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    const struct slice text =
        SLICE_LIT("TLS is needed here (use_ssl, or lansync.tls)");
    struct lan_draft draft = { .type = LAN_ERROR,
        .payload = json_new(&a, JSON_OBJECT) };
    struct json *payload = (struct json *)draft.payload;

    json_add(payload, SLICE_LIT("error"), json_new_str(&a, text));
    json_add(payload, SLICE_LIT("message"), json_new_str(&a, text));
    json_add(payload, SLICE_LIT("code"),
        json_new_str(&a, SLICE_LIT("tls_required")));
    if (!a.failed &&
        lan_protocol_put(w->face->protocol, &b, &draft, LAN_SECOND,
            clock_mono_us()) == SYNCLINE_OK)
        lan_wire_send(w, buf_slice(&b));
    buf_free(&b);
    arena_free(&a);
}

/* A fatal alert: no version of TLS is spoken here. */
static void say_there_is_no_tls(struct lan_wire *w)
{
    static const uint8_t alert[] = { TLS_ALERT, 3, 1, 0, 2, 2, 70 };

    stream_send(w->stream, SLICE(alert, sizeof alert));
}

/* Is what has come for the link? */
static bool is_first_of_plain(struct lan_wire *w, struct slice bytes)
{
    struct tls_rules *rules = lan_tls_rules(w->face);

    if (bytes.ptr[0] == TLS_HELLO && rules == NULL) {
        say_there_is_no_tls(w);
        refuse_caller(w, "it speaks TLS, and lansync.tls is false here");
    } else if (bytes.ptr[0] == TLS_HELLO) {
        if (stream_secure(w->stream, rules, bytes) != SYNCLINE_OK)
            refuse(w, "memory ran out");
    } else if (!lan_tls_takes_plain(w->face)) {
        say_tls_is_needed(w);
        refuse_caller(w, "it does not speak TLS, and lansync.tls is true here");
    } else {
        return true;
    }
    return false;
}

static void on_bytes(void *ctx, struct slice bytes)
{
    struct lan_wire *w = ctx;
    const bool is_first = !w->is_begun;

    w->is_begun = true;
    if (w->why[0] != 0)
        return;
    if (is_first && w->has_come && !is_first_of_plain(w, bytes))
        return;
    if (is_first && !w->has_come && !lan_wire_is_secure(w) &&
        bytes.ptr[0] == TLS_ALERT) {
        refuse(w, "it speaks TLS: set lansync.tls to true or both");
        return;
    }
    w->events.on_bytes(w->events.ctx, bytes);
}

static void on_open(void *ctx)
{
    struct lan_wire *w = ctx;

    w->was_open = true;
    if (w->events.on_open != NULL)
        w->events.on_open(w->events.ctx);
}

/* Some end it so when it is TLS, or a certificate, that they miss; servers of
 * one version do nothing else. */
static void guess_why(struct lan_wire *w, const char *why)
{
    const char *missed = lan_wire_is_secure(w)
        ? "wants another certificate (lansync.tls_cert)"
        : "speaks TLS (lansync.tls)";

    if (w->why[0] == 0 && !w->has_come && w->was_open && !w->is_begun &&
        strncmp(why, "TLS", 3) != 0)
        (void)snprintf(w->why, sizeof w->why,
            LAN_SILENT "it %s, or is of a version that cannot be used", missed);
}

static void on_end(void *ctx, const char *why)
{
    struct lan_wire *w = ctx;

    guess_why(w, why);
    w->events.on_end(w->events.ctx, w->why[0] != 0 ? w->why : why);
    free(w);
}

static int wire_new(struct lan_wire **out, struct lan_face *f,
    const struct lan_wire_events *ev, struct stream_events *of_stream)
{
    struct lan_wire *w = calloc(1, sizeof *w);

    if (w == NULL)
        return SYNCLINE_ENOMEM;
    w->face = f;
    w->events = *ev;
    *of_stream = (struct stream_events){
        .ctx = w, .on_open = on_open, .on_bytes = on_bytes, .on_end = on_end
    };
    *out = w;
    return SYNCLINE_OK;
}

int lan_wire_call(struct lan_wire **out, struct lan_face *f, const char *host,
    uint16_t port, bool secure, const struct lan_wire_events *ev)
{
    struct stream_events events;
    struct lan_wire *w;
    int rc = wire_new(&w, f, ev, &events);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = stream_connect(&w->stream, f->opt.loop, host, port,
        secure ? lan_tls_rules(f) : NULL, &events);
    if (rc != SYNCLINE_OK) {
        free(w);
        return rc;
    }
    *out = w;
    return SYNCLINE_OK;
}

int lan_wire_take(struct lan_wire **out, struct lan_face *f, struct stream *s,
    struct stream_events *of_stream, const struct lan_wire_events *ev)
{
    int rc = wire_new(out, f, ev, of_stream);

    if (rc != SYNCLINE_OK)
        return rc;
    (*out)->stream = s;
    (*out)->has_come = true;
    return SYNCLINE_OK;
}

/* ---- those of the net ---- */

static struct lan_wire *node_of(struct lan_face *f, uint64_t conn)
{
    struct lan_wire *w = f->nodes;

    while (w != NULL && w->conn != conn)
        w = w->next_node;
    return w;
}

static void unlink_node(struct lan_wire *w)
{
    struct lan_wire **at = &w->face->nodes;

    while (*at != w)
        at = &(*at)->next_node;
    *at = w->next_node;
}

int lan_wire_node(struct lan_wire **out, struct lan_face *f, uint64_t conn,
    const struct lan_wire_events *ev)
{
    struct stream_events none;
    int rc = wire_new(out, f, ev, &none);

    if (rc != SYNCLINE_OK)
        return rc;
    (*out)->has_come = true;
    (*out)->conn = conn;
    (*out)->next_node = f->nodes;
    f->nodes = *out;
    return SYNCLINE_OK;
}

static bool on_node(void *ctx, uint64_t conn, const struct net_guest *who)
{
    return lan_conns_node(ctx, conn, &who->remote);
}

static void on_node_bytes(void *ctx, uint64_t conn, struct slice bytes)
{
    struct lan_wire *w = node_of(ctx, conn);

    if (w != NULL && !w->is_ending)
        on_bytes(w, bytes);
}

static void on_node_down(void *ctx, uint64_t conn)
{
    struct lan_wire *w = node_of(ctx, conn);

    if (w == NULL)
        return;
    unlink_node(w);
    on_end(w, "it has closed");
}

struct net_guests lan_face_nodes(struct lan_face *f)
{
    return (struct net_guests){ f, on_node, on_node_bytes, on_node_down,
        LAN_QUEUE_MAX + LAN_MESSAGE_MAX };
}

/* ---- all ---- */

void lan_wire_send(struct lan_wire *w, struct slice bytes)
{
    if (w->stream != NULL)
        stream_send(w->stream, bytes);
    else if (!w->is_ending)
        engine_guest_send(w->face->engine, w->conn, bytes);
}

void lan_wire_hold(struct lan_wire *w, bool held)
{
    if (w->stream != NULL)
        stream_hold(w->stream, held);
    else if (!w->is_ending)
        engine_guest_hold(w->face->engine, w->conn, held);
}

size_t lan_wire_queued(const struct lan_wire *w)
{
    return w->stream != NULL ? stream_queued(w->stream)
                             : engine_guest_queued(w->face->engine, w->conn);
}

bool lan_wire_is_open(const struct lan_wire *w)
{
    return w->stream != NULL ? stream_is_open(w->stream) : !w->is_ending;
}

void lan_wire_close(struct lan_wire *w)
{
    if (w->stream != NULL)
        stream_close(w->stream);
    else if (!w->is_ending)
        engine_guest_close(w->face->engine, w->conn, "LAN sync is over");
    w->is_ending = true;
}

/* When there is no engine any more, there is no such connection either. */
void lan_wire_drop(struct lan_wire *w)
{
    if (w->stream != NULL) {
        stream_drop(w->stream);
    } else {
        unlink_node(w);
        if (w->face->engine != NULL)
            engine_guest_drop(w->face->engine, w->conn, "LAN sync is over");
    }
    free(w);
}

bool lan_wire_is_refused(const struct lan_wire *w)
{
    return w->is_refused;
}

struct netaddr lan_wire_remote(const struct lan_wire *w)
{
    return w->stream != NULL ? stream_remote(w->stream)
                             : (struct netaddr){ .family = 0 };
}

bool lan_wire_is_secure(const struct lan_wire *w)
{
    return w->stream != NULL && stream_is_secure(w->stream);
}

int lan_wire_binding(const struct lan_wire *w, uint8_t out[TLS_BINDING])
{
    return w->stream != NULL ? stream_binding(w->stream, out)
                             : SYNCLINE_EUNSUPPORTED;
}

const char *lan_wire_print(const struct lan_wire *w)
{
    return w->stream != NULL ? stream_print(w->stream) : "";
}
