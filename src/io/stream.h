/* stream.h - a TCP connection as a stream of bytes, on a caller's loop: one
 * that has come to a listener, or one that calls a name, by TLS if need be.
 * For systems of others; peers of the mesh come by net.h.
 *
 * Laws: on_end exactly once for each stream, and nothing after it, but none
 * after stream_drop; callbacks come from the loop only, never from within a
 * function of this header. All on the loop's thread, where SIGPIPE is blocked
 * (net.h). */
#ifndef SYNCLINE_IO_STREAM_H
#define SYNCLINE_IO_STREAM_H

#include <uv.h>

#include "core/netaddr.h"
#include "io/tls_end.h"

struct stream; /* opaque; frees itself */

struct stream_events {
    void *ctx;
    void (*on_open)(void *ctx); /* of one that calls, or goes on by TLS; it may
                                   be sent to */
    void (*on_bytes)(void *ctx, struct slice bytes);
    void (*on_room)(void *ctx); /* all that was queued has left; or NULL */
    void (*on_end)(void *ctx, const char *why);
    /* Of one that calls, for each address that its name has, before it is
     * tried: NULL, or why it is not. Or NULL. */
    const char *(*on_address)(void *ctx, const struct netaddr *at);
};

/* rules NULL: plain TCP. host: a name, of whose addresses one after the other
 * is tried, or an address without brackets. The outcome comes as on_open or
 * on_end. */
NODISCARD int stream_connect(struct stream **out, uv_loop_t *loop,
    const char *host, uint16_t port, struct tls_rules *rules,
    const struct stream_events *events);
/* One that has come goes on by TLS, of which first has been read already:
 * on_open, or on_end, and no on_bytes before. From within on_bytes, too. */
NODISCARD int stream_secure(
    struct stream *s, struct tls_rules *rules, struct slice first);
/* The other end; family 0: it is not connected. */
struct netaddr stream_remote(const struct stream *s);
bool stream_is_secure(const struct stream *s);
/* Of the certificate that the other end has shown; "" if none. */
const char *stream_print(const struct stream *s);
/* As tls_end_binding; EUNSUPPORTED in clear, too. */
NODISCARD int stream_binding(const struct stream *s, uint8_t out[TLS_BINDING]);
/* Only when it is open: of one that calls, after on_open. */
void stream_send(struct stream *s, struct slice bytes);
bool stream_is_open(const struct stream *s);
/* Of what was given, so much has not left yet. */
size_t stream_queued(const struct stream *s);
/* Nothing of it is read, or again. */
void stream_hold(struct stream *s, bool held);
/* What is queued is sent; then on_end. No more on_bytes. */
void stream_close(struct stream *s);
/* At once, and nothing is called back any more. */
void stream_drop(struct stream *s);

/* Our own end of it. EIO: it has none. */
NODISCARD int stream_local(const struct stream *s, struct netaddr *out);

struct stream_listener; /* opaque */

/* remote has come: events are to be set, or false: it goes. */
typedef bool stream_accept_fn(void *ctx, struct stream *s,
    const struct netaddr *remote, struct stream_events *events);

/* Port 0 takes a free one; *bound is where it really listens. */
NODISCARD int stream_listen(struct stream_listener **out, uv_loop_t *loop,
    const struct netaddr *at, stream_accept_fn *fn, void *ctx,
    struct netaddr *bound, struct errmsg *why);
/* The memory goes when the loop has run the closing. NULL is fine. */
void stream_listener_close(struct stream_listener *l);

#endif
