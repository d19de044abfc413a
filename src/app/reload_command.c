/* Whoever is to know that a bound file was written: a command of the shell,
 * which reads on its standard input what has changed. It has a process group
 * of its own, so that all of it can be ended when it takes too long. What it
 * prints goes where we print, up to a limit: whoever goes on without end fills
 * no log. What it leaves running may print until the files are closed. */
#include "app/engine/engine_files.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PRINTED_MAX ((size_t)64 << 10)

struct reload {
    struct reload *next;
    struct engine_files *files; /* NULL: they are closed */
    struct bound_file *file;    /* NULL: nobody waits */
    uv_process_t process;
    uv_pipe_t in, out;
    size_t printed;
    char name[200]; /* the file's, for the log */
    char bytes[4096];
    uv_timer_t timer;
    uv_write_t write;
    struct buf input;
    unsigned open; /* handles not closed yet */
    int64_t status;
    int signal;
    bool late;
};

static void leave(struct reload *r)
{
    struct reload **at = r->files != NULL ? &r->files->reloads : NULL;

    while (at != NULL && *at != r)
        at = &(*at)->next;
    if (at != NULL)
        *at = r->next;
}

static void on_closed(uv_handle_t *h)
{
    struct reload *r = h->data;

    if (--r->open > 0)
        return;
    leave(r);
    buf_free(&r->input);
    free(r);
}

static void close_one(uv_handle_t *h)
{
    if (!uv_is_closing(h))
        uv_close(h, on_closed);
}

/* What it has left running may still print. */
static void close_ended(struct reload *r)
{
    close_one((uv_handle_t *)&r->process);
    close_one((uv_handle_t *)&r->timer);
    close_one((uv_handle_t *)&r->in);
}

static void close_all(struct reload *r)
{
    close_ended(r);
    close_one((uv_handle_t *)&r->out);
}

/* ---- what it prints ---- */

static void on_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *out)
{
    struct reload *r = h->data;

    (void)wanted;
    *out = uv_buf_init(r->bytes, sizeof r->bytes);
}

static void on_printed(uv_stream_t *h, ssize_t n, const uv_buf_t *b)
{
    struct reload *r = h->data;
    const size_t room = PRINTED_MAX - r->printed;
    size_t shown;

    if (n < 0)
        close_one((uv_handle_t *)h);
    if (n <= 0 || room == 0)
        return;
    shown = (size_t)n < room ? (size_t)n : room;
    r->printed += shown;
    if (write(STDERR_FILENO, b->base, shown) < 0)
        return; /* nobody listens to us either */
    if (r->printed == PRINTED_MAX && r->files != NULL)
        log_line(&r->files->engine->opt.log, LOG_LEVEL_WARN, "files",
            "%s: its command prints more than %zu KiB: what follows is not "
            "shown",
            r->name, PRINTED_MAX >> 10);
}

static void tell(struct reload *r, int rc, const char *why)
{
    struct bound_file *f = r->file;
    const struct binding_event ev = {
        .type = BINDING_RAN, .rc = rc, .why = why
    };

    r->file = NULL;
    if (f == NULL)
        return;
    f->reload = NULL;
    (void)!files_step(f, &ev, NULL);
}

static void on_ended(uv_process_t *p, int64_t status, int sig)
{
    struct reload *r = p->data;
    char why[200];

    if (r->late)
        (void)snprintf(why, sizeof why,
            "the command took longer than %u ms and was ended",
            r->file != NULL ? r->file->setup.timeout_ms : 0);
    else if (sig != 0)
        (void)snprintf(why, sizeof why, "the command died of signal %d", sig);
    else
        (void)snprintf(why, sizeof why, "the command ended with status %lld",
            (long long)status);
    close_ended(r);
    tell(r, r->late || sig != 0 || status != 0 ? SYNCLINE_EIO : SYNCLINE_OK,
        why);
}

static void on_written(uv_write_t *w, int status)
{
    struct reload *r = w->data;

    (void)status; /* it may not care to read */
    if (!uv_is_closing((uv_handle_t *)&r->in))
        uv_close((uv_handle_t *)&r->in, on_closed);
}

static void on_late(uv_timer_t *t)
{
    struct reload *r = t->data;

    r->late = true;
    (void)kill(-r->process.pid, SIGKILL);
}

static int spawn(struct reload *r, const char *command)
{
    char *args[] = { "sh", "-c", (char *)command, NULL };
    uv_stdio_container_t stdio[3] = {
        { .flags = UV_CREATE_PIPE | UV_READABLE_PIPE,
            .data.stream = (uv_stream_t *)&r->in },
        { .flags = UV_INHERIT_FD },
        { .flags = UV_INHERIT_FD },
    };
    uv_file ends[2];
    const bool has_ends = uv_pipe(ends, UV_NONBLOCK_PIPE, 0) == 0;
    int rc;
    uv_process_options_t opt = { .exit_cb = on_ended,
        .file = "/bin/sh",
        .args = args,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = stdio };

    if (has_ends)
        stdio[1].data.fd = stdio[2].data.fd = ends[1];
    else /* no descriptor is left: it prints nowhere */
        stdio[1].flags = stdio[2].flags = UV_IGNORE;
    rc = uv_spawn(r->files->engine->opt.loop, &r->process, &opt);
    if (!has_ends)
        return rc;
    (void)close(ends[1]);
    if (uv_pipe_open(&r->out, ends[0]) != 0)
        (void)close(ends[0]);
    else if (rc == 0)
        (void)uv_read_start((uv_stream_t *)&r->out, on_alloc, on_printed);
    return rc;
}

static void put_input(struct reload *r, struct slice changed, bool reverted)
{
    const struct file_setup *s = &r->file->setup;

    buf_put_str(&r->input, "{\"file\":");
    json_print_string(&r->input, slice_str(s->file), false);
    buf_put_str(&r->input, ",\"space\":");
    json_print_string(&r->input, slice_str(s->space), false);
    buf_put_str(&r->input, ",\"key\":");
    json_print_string(&r->input, slice_str(s->key), false);
    buf_printf(&r->input, ",\"changed\":%.*s,\"reverted\":%s}\n",
        SLICE_FMT(changed), reverted ? "true" : "false");
}

void reload_run(struct bound_file *f, struct slice changed, bool reverted)
{
    uv_loop_t *loop = f->files->engine->opt.loop;
    struct reload *r = calloc(1, sizeof *r);
    char why[200] = "memory ran out";
    uv_buf_t bytes;
    int rc;

    if (r == NULL) {
        (void)!files_step(f,
            &(struct binding_event){
                .type = BINDING_RAN, .rc = SYNCLINE_ENOMEM, .why = why },
            NULL);
        return;
    }
    r->file = f;
    r->files = f->files;
    r->next = r->files->reloads;
    r->files->reloads = r;
    f->reload = r;
    (void)snprintf(r->name, sizeof r->name, "%s", f->setup.file);
    put_input(r, changed, reverted);
    (void)uv_pipe_init(loop, &r->in, 0);
    (void)uv_pipe_init(loop, &r->out, 0);
    (void)uv_timer_init(loop, &r->timer);
    r->in.data = r->out.data = r->timer.data = r->process.data = r->write.data =
        r;
    r->open = 4;
    rc = spawn(r, f->setup.on_change);
    if (rc != 0) {
        (void)snprintf(
            why, sizeof why, "the command cannot be run: %s", uv_strerror(rc));
        close_all(r);
        tell(r, SYNCLINE_EIO, why);
        return;
    }
    bytes = uv_buf_init((char *)r->input.ptr, (unsigned)r->input.len);
    (void)uv_timer_start(&r->timer, on_late, f->setup.timeout_ms, 0);
    if (uv_write(&r->write, (uv_stream_t *)&r->in, &bytes, 1, on_written) != 0)
        uv_close((uv_handle_t *)&r->in, on_closed);
}

/* The command goes on; how it ends is of no interest. */
void reload_forget(struct reload *r)
{
    if (r == NULL)
        return;
    if (r->file != NULL)
        r->file->reload = NULL;
    r->file = NULL;
}

void reload_close(struct engine_files *x)
{
    for (struct reload *r = x->reloads; r != NULL; r = r->next) {
        reload_forget(r);
        r->files = NULL;
        close_all(r);
    }
    x->reloads = NULL;
}
