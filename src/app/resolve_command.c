/* The policy `custom` in the daemon: a program reads the conflict as JSON on
 * its standard input and prints the value that shall stand. Whatever goes
 * wrong (no exit 0, no JSON, ten seconds) leaves the conflict open. */
#include "app/engine/engine_impl.h"

#include <signal.h>
#include <stdlib.h>

#define RESOLVE_MS 10000
#define RESULT_MAX ((size_t)16 << 20)

struct run {
    struct engine *engine;
    uint64_t request;
    uv_process_t process;
    uv_pipe_t in, out;
    uv_timer_t timer;
    uv_write_t write;
    struct buf input, result;
    unsigned open; /* handles not closed yet */
    int64_t status;
    bool exited, read_all;
    char chunk[65536];
};

static void on_closed(uv_handle_t *h)
{
    struct run *r = h->data;

    if (--r->open > 0)
        return;
    buf_free(&r->input);
    buf_free(&r->result);
    free(r);
}

static void answer(struct run *r)
{
    struct event ev = { .type = EV_RESOLVED, .request = r->request };
    struct errmsg why = { "" };
    struct arena a = { 0 };
    struct json *v = NULL;

    if (r->status != 0)
        log_line(&r->engine->opt.log, LOG_LEVEL_WARN, "resolve",
            "%s failed (status %lld): the conflict stays open",
            r->engine->opt.resolve_command, (long long)r->status);
    else if (json_parse(&v, buf_slice(&r->result), JSON_STRICT, &a, &why) != 0)
        log_line(&r->engine->opt.log, LOG_LEVEL_WARN, "resolve",
            "%s printed no JSON (%s): the conflict stays open",
            r->engine->opt.resolve_command, why.text);
    ev.args = v;
    engine_step(r->engine, &ev);
    arena_free(&a);
}

static void finish_when_over(struct run *r)
{
    if (!r->exited || !r->read_all || uv_is_closing((uv_handle_t *)&r->timer))
        return;
    answer(r);
    r->engine->resolving--;
    uv_close((uv_handle_t *)&r->timer, on_closed);
    uv_close((uv_handle_t *)&r->process, on_closed);
    uv_close((uv_handle_t *)&r->out, on_closed);
    if (!uv_is_closing((uv_handle_t *)&r->in))
        uv_close((uv_handle_t *)&r->in, on_closed);
}

static void on_program_exit(uv_process_t *p, int64_t status, int signal)
{
    struct run *r = p->data;

    r->exited = true;
    r->status = signal != 0 ? signal : status;
    finish_when_over(r);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
    struct run *r = h->data;

    (void)hint;
    *out = uv_buf_init(r->chunk, sizeof r->chunk);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct run *r = s->data;

    if (n > 0)
        buf_put(&r->result, b->base, (size_t)n);
    if (n < 0 || buf_status(&r->result) != SYNCLINE_OK) {
        (void)uv_read_stop(s);
        r->read_all = true;
        finish_when_over(r);
    }
}

static void on_written(uv_write_t *w, int status)
{
    struct run *r = w->data;

    (void)status;
    if (!uv_is_closing((uv_handle_t *)&r->in))
        uv_close((uv_handle_t *)&r->in, on_closed);
}

static void on_late(uv_timer_t *t)
{
    struct run *r = t->data;

    (void)uv_process_kill(&r->process, SIGKILL);
}

static int spawn(struct run *r)
{
    char *args[] = { (char *)r->engine->opt.resolve_command, NULL };
    uv_stdio_container_t stdio[3] = {
        { .flags = UV_CREATE_PIPE | UV_READABLE_PIPE },
        { .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE },
        { .flags = UV_INHERIT_FD, .data.fd = 2 },
    };
    uv_process_options_t opt = { .exit_cb = on_program_exit,
        .file = args[0],
        .args = args,
        .stdio_count = 3,
        .stdio = stdio };

    stdio[0].data.stream = (uv_stream_t *)&r->in;
    stdio[1].data.stream = (uv_stream_t *)&r->out;
    return uv_spawn(r->engine->opt.loop, &r->process, &opt);
}

void engine_resolve(struct engine *e, const struct effect *fx)
{
    struct run *r =
        e->opt.resolve_command == NULL ? NULL : calloc(1, sizeof *r);
    uv_buf_t bytes;
    int rc;

    if (r == NULL)
        return; /* it stays open, for a person */
    r->engine = e;
    r->request = fx->request;
    r->result.max = RESULT_MAX;
    buf_put_slice(&r->input, fx->bytes);
    (void)uv_pipe_init(e->opt.loop, &r->in, 0);
    (void)uv_pipe_init(e->opt.loop, &r->out, 0);
    (void)uv_timer_init(e->opt.loop, &r->timer);
    r->in.data = r->out.data = r->timer.data = r->process.data = r->write.data =
        r;
    r->open = 4;
    e->resolving++;
    rc = spawn(r);
    if (rc != 0) {
        log_line(&e->opt.log, LOG_LEVEL_ERROR, "resolve",
            "%s cannot be run: %s", e->opt.resolve_command, uv_strerror(rc));
        r->exited = r->read_all = true;
        r->status = -1;
        finish_when_over(r);
        return;
    }
    bytes = uv_buf_init((char *)r->input.ptr, (unsigned)r->input.len);
    (void)uv_timer_start(&r->timer, on_late, RESOLVE_MS, 0);
    (void)uv_read_start((uv_stream_t *)&r->out, on_alloc, on_read);
    (void)uv_write(&r->write, (uv_stream_t *)&r->in, &bytes, 1, on_written);
}
