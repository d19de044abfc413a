#include "io/stream.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/plant.h"
#include "io/listener.h"
#include "io/sockaddr.h"

#define READ_MAX 65536
#define LINGER_MS 5000 /* who reads nothing for so long will not */
#define LINGERS_MAX 12 /* nor who has not read all by then */

/*  RESOLVING --> CONNECTING --> (TLS) --> OPEN --close--> CLOSING
 *  any of these --failure, drop--> ENDED, freed when libuv lets go; CLOSING
 *  ends by itself, if the other side does not read what is left  */
enum state { RESOLVING, CONNECTING, SHAKING, OPEN, CLOSING, ENDED };

struct stream {
    uv_tcp_t tcp;
    uv_loop_t *loop;
    struct stream_events events;
    enum state state;
    bool is_muted; /* nothing is called back */
    bool is_held, is_reading;
    bool is_resolving; /* its request is libuv's */
    bool is_retrying;  /* its socket is closing, another one follows */
    bool is_closed;    /* libuv has let the socket go */
    bool is_lingering; /* it has the timer */
    unsigned lingers;
    size_t left; /* unread, when it was looked at last */
    uv_timer_t linger;
    uint16_t port;
    struct addrinfo *found, *next; /* of the name; the next to be tried */
    struct tls_end *tls;           /* NULL: plain */
    struct buf plain, wire;
    size_t writing;
    uv_getaddrinfo_t resolving;
    uv_connect_t connecting;
    struct errmsg why;
};

struct piece {
    uv_write_t req;
    struct stream *stream;
    size_t len;
    uint8_t bytes[];
};

static void free_stream(struct stream *s)
{
    if (!s->is_closed || s->is_resolving || s->is_lingering)
        return;
    if (!s->is_muted && s->events.on_end != NULL)
        s->events.on_end(s->events.ctx, s->why.text);
    tls_end_free(s->tls);
    if (s->found != NULL)
        uv_freeaddrinfo(s->found);
    buf_free(&s->plain);
    buf_free(&s->wire);
    free(s);
}

static void on_closed(uv_handle_t *h)
{
    struct stream *s = h->data;

    s->is_closed = true;
    free_stream(s);
}

static void on_linger_closed(uv_handle_t *h)
{
    struct stream *s = h->data;

    s->is_lingering = false;
    free_stream(s);
}

static void end(struct stream *s, const char *why)
{
    if (s->state == ENDED)
        return;
    s->state = ENDED;
    (void)errmsg_set(&s->why, 0, "%s", why);
    if (s->is_resolving)
        (void)uv_cancel((uv_req_t *)&s->resolving);
    if (s->is_lingering)
        uv_close((uv_handle_t *)&s->linger, on_linger_closed);
    if (!s->is_retrying)
        uv_close((uv_handle_t *)&s->tcp, on_closed);
}

/* ---- sending ---- */

static void on_written(uv_write_t *req, int status)
{
    struct piece *p = (struct piece *)req;
    struct stream *s = p->stream;

    s->writing -= p->len;
    free(p);
    if (s->state == ENDED)
        return;
    if (status != 0)
        end(s, uv_strerror(status));
    else if (s->state == CLOSING && s->writing == 0)
        end(s, "closed");
    else if (s->writing == 0 && s->events.on_room != NULL && !s->is_muted)
        s->events.on_room(s->events.ctx);
}

static int write_later(struct stream *s, struct slice rest)
{
    struct piece *p = malloc(sizeof *p + rest.len);
    uv_buf_t bytes;
    int rc;

    if (p == NULL)
        return UV_ENOMEM;
    p->stream = s;
    p->len = rest.len;
    memcpy(p->bytes, rest.ptr, rest.len);
    bytes = uv_buf_init((char *)p->bytes, (unsigned)rest.len);
    rc = uv_write(&p->req, (uv_stream_t *)&s->tcp, &bytes, 1, on_written);
    if (rc != 0)
        free(p);
    else
        s->writing += rest.len;
    return rc;
}

static void write_out(struct stream *s, struct slice bytes)
{
    int rc = 0;

    if (bytes.len == 0 || s->state == ENDED)
        return;
    if (s->writing == 0) {
        uv_buf_t b = uv_buf_init((char *)bytes.ptr, (unsigned)bytes.len);

        rc = uv_try_write((uv_stream_t *)&s->tcp, &b, 1);
        if (rc >= 0)
            bytes = slice_from(bytes, (size_t)rc);
        rc = rc >= 0 || rc == UV_EAGAIN ? 0 : rc;
    }
    if (rc == 0 && bytes.len > 0)
        rc = write_later(s, bytes);
    if (rc != 0)
        end(s, uv_strerror(rc));
}

void stream_send(struct stream *s, struct slice bytes)
{
    if (s->state != OPEN)
        return;
    if (s->tls == NULL) {
        write_out(s, bytes);
        return;
    }
    if (tls_end_write(s->tls, bytes, &s->wire) != SYNCLINE_OK)
        end(s, "TLS failed");
    else
        write_out(s, buf_slice(&s->wire));
    buf_clear(&s->wire);
}

bool stream_is_open(const struct stream *s)
{
    return s->state == OPEN;
}

size_t stream_queued(const struct stream *s)
{
    return s->writing;
}

/* ---- receiving ---- */

/* Where something was read to, for the next time: to get so much and to give
 * it back costs more than to read a message. */
static _Atomic(char *) spare;

static void on_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *out)
{
    (void)h;
    (void)wanted;
    out->base = atomic_exchange(&spare, NULL);
    if (out->base == NULL)
        out->base = malloc(READ_MAX);
    out->len = out->base != NULL ? READ_MAX : 0;
}

static void tell_bytes(struct stream *s, struct slice bytes)
{
    if (s->state == OPEN && bytes.len > 0 && !s->is_muted)
        s->events.on_bytes(s->events.ctx, bytes);
}

static void feed_tls(struct stream *s, struct slice in)
{
    struct errmsg why = { "TLS failed" };
    int rc = tls_end_feed(s->tls, in, &s->plain, &s->wire, &why);

    write_out(s, buf_slice(&s->wire));
    buf_clear(&s->wire);
    if (s->state == SHAKING && tls_end_is_up(s->tls)) {
        s->state = OPEN;
        if (!s->is_muted)
            s->events.on_open(s->events.ctx);
    }
    tell_bytes(s, buf_slice(&s->plain));
    buf_clear(&s->plain);
    if (rc != SYNCLINE_OK)
        end(s, rc == SYNCLINE_ECLOSED ? "it has closed" : why.text);
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *b)
{
    struct stream *s = h->data;

    if (n < 0 && s->state != ENDED)
        end(s, n == UV_EOF ? "it has closed" : uv_strerror((int)n));
    else if (n > 0 && s->tls != NULL && s->state != CLOSING)
        feed_tls(s, SLICE(b->base, (size_t)n));
    else if (n > 0)
        tell_bytes(s, SLICE(b->base, (size_t)n));
    free(atomic_exchange(&spare, b->base));
}

static void set_reading(struct stream *s)
{
    bool wants = !s->is_held && s->state >= SHAKING && s->state < ENDED;

    if (wants == s->is_reading)
        return;
    s->is_reading = wants;
    if (!wants)
        (void)uv_read_stop((uv_stream_t *)&s->tcp);
    else if (uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read) != 0)
        end(s, "it cannot be read");
}

void stream_hold(struct stream *s, bool held)
{
    s->is_held = held;
    if (s->state != ENDED)
        set_reading(s);
}

static void on_linger(uv_timer_t *t)
{
    struct stream *s = t->data;
    const size_t left =
        uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp);

    if (s->state == ENDED)
        return;
    if ((left >= s->left || ++s->lingers >= LINGERS_MAX) && !PLANTED(R33_LAN))
        end(s, "it does not read");
    s->left = left;
}

static void begin_linger(struct stream *s)
{
    s->state = CLOSING;
    s->is_held = false; /* so that its end is seen */
    set_reading(s);
    if (s->state == ENDED)
        return;
    s->left = uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp);
    s->linger.data = s;
    (void)uv_timer_init(s->loop, &s->linger); /* neither can fail */
    (void)uv_timer_start(&s->linger, on_linger, LINGER_MS, LINGER_MS);
    s->is_lingering = true;
}

void stream_close(struct stream *s)
{
    if (s->state == ENDED || s->state == CLOSING)
        return;
    if (s->state == OPEN && s->tls != NULL) {
        tls_end_shut(s->tls, &s->wire);
        write_out(s, buf_slice(&s->wire));
        buf_clear(&s->wire);
    }
    if (s->state == OPEN && s->writing > 0)
        begin_linger(s);
    else
        end(s, "closed");
}

void stream_drop(struct stream *s)
{
    s->is_muted = true;
    end(s, "dropped");
}

struct netaddr stream_remote(const struct stream *s)
{
    struct sockaddr_storage sa = { 0 };
    int len = sizeof sa;

    (void)uv_tcp_getpeername(&s->tcp, (struct sockaddr *)&sa, &len);
    return netaddr_of((const struct sockaddr *)&sa);
}

bool stream_is_secure(const struct stream *s)
{
    return s->tls != NULL;
}

const char *stream_print(const struct stream *s)
{
    return s->tls != NULL ? tls_end_print(s->tls) : "";
}

int stream_binding(const struct stream *s, uint8_t out[TLS_BINDING])
{
    return s->tls != NULL ? tls_end_binding(s->tls, out)
                          : SYNCLINE_EUNSUPPORTED;
}

int stream_secure(struct stream *s, struct tls_rules *rules, struct slice first)
{
    int rc = s->state == OPEN && s->tls == NULL ? tls_end_accept(&s->tls, rules)
                                                : SYNCLINE_ECLOSED;

    if (rc != SYNCLINE_OK)
        return rc;
    s->state = SHAKING;
    feed_tls(s, first);
    return SYNCLINE_OK;
}

/* ---- calling ---- */

static void connect_next(struct stream *s);

static void on_retry(uv_handle_t *h)
{
    struct stream *s = h->data;

    s->is_retrying = false;
    if (s->state == ENDED) {
        on_closed(h);
        return;
    }
    (void)uv_tcp_init(s->loop, &s->tcp); /* without a socket it cannot fail */
    connect_next(s);
}

/* A name may have several addresses, of which one answers. */
static void try_next(struct stream *s, const char *why)
{
    if (s->next == NULL) {
        end(s, why);
        return;
    }
    s->is_retrying = true;
    uv_close((uv_handle_t *)&s->tcp, on_retry);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct stream *s = req->data;

    if (s->state == ENDED)
        return;
    if (status != 0) {
        if (!s->is_retrying)
            try_next(s, uv_strerror(status));
        return;
    }
    (void)uv_tcp_nodelay(&s->tcp, 1);
    s->state = s->tls != NULL ? SHAKING : OPEN;
    set_reading(s);
    if (s->tls != NULL)
        feed_tls(s, SLICE_NONE);
    else if (s->state == OPEN)
        s->events.on_open(s->events.ctx);
}

static void connect_next(struct stream *s)
{
    struct sockaddr_storage to;
    struct netaddr at = netaddr_of(s->next->ai_addr);
    const char *no = NULL;
    int rc;

    s->next = s->next->ai_next;
    at.port = s->port;
    s->connecting.data = s;
    s->state = CONNECTING;
    if (s->events.on_address != NULL)
        no = s->events.on_address(s->events.ctx, &at);
    if (no != NULL) {
        try_next(s, no);
        return;
    }
    rc = sockaddr_of(&to, &at) ? uv_tcp_connect(&s->connecting, &s->tcp,
                                     (const struct sockaddr *)&to, on_connected)
                               : UV_EINVAL;
    if (rc != 0)
        try_next(s, uv_strerror(rc));
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *ai)
{
    struct stream *s = req->data;

    s->is_resolving = false;
    s->found = s->next = ai;
    if (s->state == ENDED)
        free_stream(s);
    else if (status != 0 || ai == NULL)
        end(s, uv_strerror(status != 0 ? status : UV_EAI_NODATA));
    else
        connect_next(s);
}

/* A program of the library may return from main while its threads go on. Then
 * libuv takes the threads that resolve names down, and whoever asks for one
 * after that ends the process: so nobody does, from the moment before. */
static pthread_mutex_t leaving = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t hooked = PTHREAD_ONCE_INIT;
static bool is_leaving;
static bool has_threads, has_lost_threads; /* libuv, those */

static void before_fork(void)
{
    (void)pthread_mutex_lock(&leaving);
}

static void after_fork(void)
{
    (void)pthread_mutex_unlock(&leaving);
}

static void in_child(void)
{
    has_lost_threads = has_lost_threads || has_threads;
    has_threads = false;
    (void)pthread_mutex_unlock(&leaving);
}

static void hook(void)
{
    (void)pthread_atfork(before_fork, after_fork, in_child);
}

static void do_nothing(uv_work_t *work)
{
    (void)work;
}

/* In a child of fork() they are not there, which libuv only notices when it is
 * asked for something; when it takes them down it would fall over them. */
static void find_threads(void)
{
    uv_loop_t loop;
    uv_work_t work;

    if (uv_loop_init(&loop) != 0)
        return;
    if (uv_queue_work(&loop, &work, do_nothing, NULL) == 0)
        (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
}

__attribute__((destructor)) static void leave(void)
{
    (void)pthread_mutex_lock(&leaving);
    is_leaving = true;
    if (has_lost_threads && !has_threads)
        find_threads();
    (void)pthread_mutex_unlock(&leaving);
}

/* The first name makes libuv's threads, on which no signal of the program's is
 * to arrive. */
static int resolve(struct stream *s, const char *host)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_ADDRCONFIG };
    sigset_t signals, before;
    int rc = UV_ECANCELED;

    (void)sigfillset(&signals);
    (void)pthread_sigmask(SIG_SETMASK, &signals, &before);
    (void)pthread_once(&hooked, hook);
    (void)pthread_mutex_lock(&leaving);
    if (!is_leaving) {
        rc = uv_getaddrinfo(
            s->loop, &s->resolving, on_resolved, host, NULL, &hints);
        has_threads = true;
    }
    (void)pthread_mutex_unlock(&leaving);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? SYNCLINE_OK : SYNCLINE_EINVAL;
}

static int stream_new(struct stream **out, uv_loop_t *loop)
{
    struct stream *s = calloc(1, sizeof *s);

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    if (uv_tcp_init(loop, &s->tcp) != 0) {
        free(s);
        return SYNCLINE_ENOMEM;
    }
    s->tcp.data = s;
    s->loop = loop;
    *out = s;
    return SYNCLINE_OK;
}

int stream_connect(struct stream **out, uv_loop_t *loop, const char *host,
    uint16_t port, struct tls_rules *rules, const struct stream_events *events)
{
    struct stream *s = NULL;
    int rc = stream_new(&s, loop);

    if (rc != SYNCLINE_OK)
        return rc;
    s->events = *events;
    s->port = port;
    s->resolving.data = s;
    if (rules != NULL)
        rc = tls_end_call(&s->tls, rules, host);
    if (rc == SYNCLINE_OK)
        rc = resolve(s, host);
    if (rc != SYNCLINE_OK) {
        stream_drop(s);
        return rc;
    }
    s->is_resolving = true;
    *out = s;
    return SYNCLINE_OK;
}

int stream_local(const struct stream *s, struct netaddr *out)
{
    struct sockaddr_storage at;
    int len = sizeof at;

    if (uv_tcp_getsockname(&s->tcp, (struct sockaddr *)&at, &len) != 0)
        return SYNCLINE_EIO;
    *out = netaddr_of((const struct sockaddr *)&at);
    return SYNCLINE_OK;
}

/* ---- listening ---- */

struct stream_listener {
    struct listener socket;
    stream_accept_fn *fn;
    void *ctx;
};

static int on_come(void *ctx, int fd)
{
    struct stream_listener *l = ctx;
    struct sockaddr_storage from;
    int len = sizeof from;
    struct netaddr remote;
    struct stream *s;

    if (stream_new(&s, l->socket.poll.loop) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    s->state = OPEN;
    if (uv_tcp_open(&s->tcp, fd) != 0) {
        (void)close(fd);
        stream_drop(s);
        return SYNCLINE_OK;
    }
    (void)uv_tcp_nodelay(&s->tcp, 1);
    if (uv_tcp_getpeername(&s->tcp, (struct sockaddr *)&from, &len) != 0) {
        stream_drop(s);
        return SYNCLINE_OK;
    }
    remote = netaddr_of((const struct sockaddr *)&from);
    if (l->fn(l->ctx, s, &remote, &s->events))
        set_reading(s);
    else
        stream_drop(s);
    return SYNCLINE_OK;
}

int stream_listen(struct stream_listener **out, uv_loop_t *loop,
    const struct netaddr *at, stream_accept_fn *fn, void *ctx,
    struct netaddr *bound, struct errmsg *why)
{
    struct stream_listener *l = calloc(1, sizeof *l);
    const struct listener_events events = {
        .ctx = l, .on_come = on_come, .on_closed = free
    };
    char text[NETADDR_TEXT];
    int rc;

    if (l == NULL)
        return SYNCLINE_ENOMEM;
    l->fn = fn;
    l->ctx = ctx;
    rc = listener_open(&l->socket, loop, at, &events, bound);
    if (rc != 0) {
        netaddr_format(text, at);
        free(l);
        return errmsg_set(why,
            rc == UV_EADDRINUSE ? SYNCLINE_EBUSY : SYNCLINE_EIO,
            "listening on %s failed: %s", text, uv_strerror(rc));
    }
    *out = l;
    return SYNCLINE_OK;
}

void stream_listener_close(struct stream_listener *l)
{
    if (l != NULL)
        listener_close(&l->socket);
}
