#include "app/control_server.h"

#include "app/answer.h"
#include "app/control.h"
#include "base/plant.h"
#include "io/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define QUEUE_HIGH ((size_t)1 << 20)
#define QUEUE_LOW ((size_t)128 << 10)
#define CHUNK ((size_t)32 << 10) /* of a client, in one turn of the loop */
/* Of one caller at a time: he may not read the answers. */
#define ASKED_MAX 16

struct client {
    struct client *next;
    struct control_server *server;
    uv_pipe_t pipe;
    struct buf in;
    size_t scanned; /* of in: no newline before */
    struct buf out; /* gathered, not yet given to the loop */
    size_t queued;  /* given to the loop, not yet written */
    struct pending *pending;
    unsigned asked; /* requests under way whose answers may be long */
    struct engine_asker asker;
    bool closing, slow, ending;
    bool deaf; /* its socket is not read */
};

/* A request under way: which client asked, and under which id. */
struct pending {
    struct pending *next;
    struct client *client; /* NULL: it has gone */
    uint64_t request;
    int64_t id;
    bool has_id, streams, asks;
};

struct control_server {
    struct control_server_options opt;
    struct listener listener;
    struct client *clients;
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    unsigned open;
    bool closing, waiting; /* for room in the store */
    struct arena arena;
    char chunk[CHUNK];
};

struct writing {
    uv_write_t req;
    struct client *client;
    struct buf bytes;
};

static void read_requests(struct client *c);
static void listen_again(struct client *c);

/* ---- closing ---- */

static void server_gone(struct control_server *s)
{
    if (--s->open > 0)
        return;
    arena_free(&s->arena);
    free(s);
}

static void on_listener_closed(void *ctx)
{
    server_gone(ctx);
}

static void on_client_closed(uv_handle_t *h)
{
    struct client *c = h->data;
    struct client **at = &c->server->clients;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    buf_free(&c->in);
    buf_free(&c->out);
    server_gone(c->server);
    free(c);
}

/* What it asked for goes with it. */
static void client_close(struct client *c)
{
    if (c->closing)
        return;
    c->closing = true;
    while (c->pending != NULL) {
        struct pending *p = c->pending;

        c->pending = p->next;
        p->client = NULL;
        if (p->request != 0)
            engine_cancel(c->server->opt.engine, p->request);
        free(p);
    }
    uv_close((uv_handle_t *)&c->pipe, on_client_closed);
}

/* ---- writing ---- */

static void pace(struct client *c, bool slow)
{
    if (c->slow == slow)
        return;
    c->slow = slow;
    for (struct pending *p = c->pending; p != NULL; p = p->next)
        if (p->streams && p->request != 0)
            engine_pace(c->server->opt.engine, p->request, slow);
    if (!slow)
        listen_again(c);
}

static void on_written(uv_write_t *req, int status)
{
    struct writing *w = req->data;
    struct client *c = w->client;

    c->queued -= w->bytes.len;
    buf_free(&w->bytes);
    free(w);
    if (c->closing)
        return;
    if (status != 0 || (c->ending && c->queued == 0))
        client_close(c);
    else if (c->queued < QUEUE_LOW)
        pace(c, false);
}

/* Mostly that is all: then the loop need not turn once more to say so. */
static void write_now(struct client *c)
{
    uv_buf_t b = uv_buf_init((char *)c->out.ptr, (unsigned)c->out.len);
    int n;

    if (c->queued > 0 || buf_status(&c->out) != SYNCLINE_OK)
        return;
    n = uv_try_write((uv_stream_t *)&c->pipe, &b, 1);
    if (n > 0)
        buf_consume(&c->out, (size_t)n);
    if (c->out.len == 0 && c->out.cap > QUEUE_LOW)
        buf_free(&c->out); /* of one long answer, not to be kept */
}

static void client_flush(struct client *c)
{
    struct writing *w;
    uv_buf_t b;

    if (c->closing || c->out.len == 0)
        return;
    write_now(c);
    if (c->out.len == 0)
        return;
    w = calloc(1, sizeof *w);
    if (w == NULL || buf_status(&c->out) != SYNCLINE_OK) {
        free(w);
        client_close(c);
        return;
    }
    w->client = c;
    w->req.data = w;
    w->bytes = c->out;
    c->out = (struct buf){ 0 };
    c->queued += w->bytes.len;
    b = uv_buf_init((char *)w->bytes.ptr, (unsigned)w->bytes.len);
    if (uv_write(&w->req, (uv_stream_t *)&c->pipe, &b, 1, on_written) != 0) {
        c->queued -= w->bytes.len;
        buf_free(&w->bytes);
        free(w);
        client_close(c);
        return;
    }
    if (c->queued > QUEUE_HIGH)
        pace(c, true);
}

void control_server_flush(struct control_server *s)
{
    for (struct client *c = s->clients; c != NULL; c = c->next) {
        client_flush(c);
        listen_again(c);
    }
}

/* json is an object; the id goes in after its brace. */
static void put_answer(
    struct client *c, const struct pending *p, struct slice json)
{
    if (p->has_id) {
        buf_printf(&c->out, "{\"id\":%lld%s", (long long)p->id,
            json.len > 2 ? "," : "");
        json = slice_from(json, 1);
    }
    buf_put_slice(&c->out, json);
    buf_put_u8(&c->out, '\n');
}

static void pending_drop(struct client *c, struct pending *p)
{
    struct pending **at = &c->pending;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    c->asked -= p->asks;
    free(p);
}

static void on_reply(void *ctx, struct slice json, bool more)
{
    struct pending *p = ctx;
    struct client *c = p->client;

    put_answer(c, p, json);
    if (!more)
        pending_drop(c, p);
    if (c->out.len > QUEUE_HIGH)
        client_flush(c);
}

/* ---- requests ---- */

static void refuse(
    struct client *c, const struct pending *p, int rc, const struct errmsg *why)
{
    struct buf b = { 0 };

    put_refusal(&b, rc, why);
    put_answer(c, p, buf_slice(&b));
    buf_free(&b);
}

/* All but writes, of which as many as one likes share a sync, and watches,
 * which are held back by themselves. */
static bool may_be_long(struct slice op)
{
    static const char *const brief[] = { "put", "patch", "del", "batch",
        "watch" };

    for (size_t i = 0; i < sizeof brief / sizeof *brief; i++)
        if (slice_is(op, brief[i]))
            return false;
    return true;
}

static void take_request(struct client *c, const struct json *v)
{
    struct control_server *s = c->server;
    struct pending *p = calloc(1, sizeof *p);
    const struct json *id = json_get(v, "id");
    uint64_t request;

    if (p == NULL) {
        client_close(c);
        return;
    }
    p->client = c;
    p->has_id = id != NULL && id->type == JSON_INT;
    p->id = p->has_id ? id->i : 0;
    p->streams = slice_is(json_get_str(v, "op"), "watch");
    p->asks = may_be_long(json_get_str(v, "op"));
    c->asked += p->asks;
    p->next = c->pending;
    c->pending = p;
    request = engine_request(s->opt.engine, v, &c->asker, on_reply, p);
    if (request == 0) {
        refuse(c, p, SYNCLINE_ENOMEM, NULL);
        pending_drop(c, p);
        return;
    }
    p->request = request; /* answers come at the turn's end */
}

static void take_line(struct client *c, struct slice line)
{
    struct control_server *s = c->server;
    struct pending nobody = { .client = c };
    struct errmsg why = { "" };
    struct json *v;
    int rc;

    arena_reset(&s->arena);
    rc = json_parse(&v, line, JSON_WRAPPED, &s->arena, &why);
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOMEM)
        rc = SYNCLINE_EMALFORMED;

    if (rc == SYNCLINE_OK && v->type != JSON_OBJECT)
        rc = errmsg_set(&why, SYNCLINE_EINVAL, "a request is a JSON object");
    if (rc != SYNCLINE_OK)
        refuse(c, &nobody, rc, &why);
    else
        take_request(c, v);
}

static void read_requests(struct client *c)
{
    size_t start = 0;

    while (!c->closing && !c->slow && !c->server->closing &&
        (c->asked < ASKED_MAX || PLANTED(R33_ASKED))) {
        const uint8_t *end;

        if (engine_is_full(c->server->opt.engine)) {
            c->server->waiting = true;
            break;
        }
        end = c->in.len <= c->scanned
            ? NULL
            : memchr(c->in.ptr + c->scanned, '\n', c->in.len - c->scanned);
        if (end == NULL) {
            c->scanned = c->in.len;
            break;
        }
        take_line(
            c, SLICE(c->in.ptr + start, (size_t)(end - c->in.ptr) - start));
        start = c->scanned = (size_t)(end - c->in.ptr) + 1;
    }
    if (c->closing)
        return;
    if (start > 0) {
        buf_consume(&c->in, start);
        c->scanned -= start;
    }
    if (c->in.len > CONTROL_LINE_MAX)
        client_close(c);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
    struct client *c = h->data;

    (void)hint;
    *out = uv_buf_init(c->server->chunk, (unsigned)sizeof c->server->chunk);
    /* Unread requests wait in the socket, not in our memory. */
    if (c->slow || c->server->waiting ||
        (c->asked >= ASKED_MAX && !PLANTED(R33_ASKED)))
        *out = uv_buf_init(NULL, 0);
}

static void stop_listening(struct client *c)
{
    c->deaf = true;
    (void)uv_read_stop((uv_stream_t *)&c->pipe);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct client *c = stream->data;

    if (n == UV_ENOBUFS) {
        stop_listening(c);
        return;
    }
    if (n < 0) {
        client_close(c);
        return;
    }
    buf_put(&c->in, b->base, (size_t)n);
    if (buf_status(&c->in) != SYNCLINE_OK) {
        client_close(c);
        return;
    }
    if ((size_t)n == CHUNK)
        stop_listening(c); /* what this asks for leaves first */
    read_requests(c);
}

/* What held its requests up may be over. */
static void listen_again(struct client *c)
{
    if (c->closing || c->slow || c->server->waiting || c->asked >= ASKED_MAX)
        return;
    read_requests(c);
    if (c->closing || !c->deaf)
        return;
    c->deaf = false;
    if (uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) != 0)
        client_close(c);
}

/* By the kernel's word. */
static struct engine_asker who_is(const uv_pipe_t *pipe)
{
    struct engine_asker who = { .uid = UINT32_MAX, .pid = -1 };
    struct ucred cred;
    socklen_t len = sizeof cred;
    uv_os_fd_t fd;

    if (uv_fileno((const uv_handle_t *)pipe, &fd) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
        who.uid = cred.uid;
        who.pid = cred.pid;
    }
    return who;
}

static int on_come(void *ctx, int fd)
{
    struct control_server *s = ctx;
    struct client *c = calloc(1, sizeof *c);

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    if (uv_pipe_init(s->opt.loop, &c->pipe, 0) != 0) {
        free(c);
        return SYNCLINE_ENOMEM;
    }
    c->server = s;
    c->in.max = CONTROL_LINE_MAX + CHUNK;
    c->pipe.data = c;
    c->next = s->clients;
    s->clients = c;
    s->open++;
    if (uv_pipe_open(&c->pipe, fd) != 0) {
        (void)close(fd);
        client_close(c);
    } else if (uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) != 0) {
        client_close(c);
    } else {
        c->asker = who_is(&c->pipe);
    }
    return SYNCLINE_OK;
}

static void on_full(void *ctx, int error)
{
    const struct control_server *s = ctx;

    log_line(&s->opt.log, LOG_LEVEL_WARN, "daemon",
        "who comes to control.sock has to wait: %s", strerror(error));
}

void control_server_room(struct control_server *s)
{
    struct client *c = s->clients;

    s->waiting = false;
    while (c != NULL) {
        struct client *next = c->next;

        listen_again(c);
        c = next;
    }
}

/* ---- opening ---- */

static int bind_socket(struct control_server *s, struct errmsg *why)
{
    const struct listener_events events = { s, on_come, on_full,
        on_listener_closed };
    mode_t old;
    int rc;

    /* The store's lock is ours, so a socket that is there is a leftover. */
    if (unlink(s->path) != 0 && errno != ENOENT)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: a leftover that cannot be removed: %s", s->path,
            strerror(errno));
    old = umask(0177);
    rc = listener_open_path(&s->listener, s->opt.loop, s->path, &events);
    (void)umask(old);
    if (rc != 0)
        return errmsg_set(why, SYNCLINE_EIO, "%s: cannot listen: %s", s->path,
            uv_strerror(rc));
    return SYNCLINE_OK;
}

int control_server_open(struct control_server **out,
    const struct control_server_options *opt, struct errmsg *why)
{
    const char *dir = engine_dir(opt->engine);
    struct control_server *s;
    int n, rc;

    if (strlen(dir) + sizeof "/control.sock" > sizeof s->path)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "%s: the folder's name is too long for a socket in it (at most "
            "%zu bytes); choose a shorter --dir",
            dir, sizeof s->path - sizeof "/control.sock");
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return SYNCLINE_ENOMEM;
    s->opt = *opt;
    n = snprintf(s->path, sizeof s->path, "%s/control.sock", dir);
    ENSURE(n > 0 && (size_t)n < sizeof s->path);
    s->open = 1;
    rc = bind_socket(s, why);
    if (rc != SYNCLINE_OK) {
        free(s);
        return rc;
    }
    *out = s;
    return SYNCLINE_OK;
}

void control_server_close(struct control_server *s)
{
    struct client *c;

    if (s == NULL || s->closing)
        return;
    s->closing = true;
    (void)unlink(s->path);
    c = s->clients;
    while (c != NULL) {
        struct client *next = c->next;

        c->ending = true;
        client_flush(c);
        if (!c->closing && c->queued == 0)
            client_close(c);
        c = next;
    }
    listener_close(&s->listener);
}
