/* socketio_tool.c - the connections of the iSync face alone, told what to do by
 * lines and telling what happens by lines of JSON.
 *
 *   listen              calls are taken on a free port of loopback
 *   dial URL HOW        HOW: upgrade, websocket, polling
 *   emit LINK NAME [JSON VALUES]
 *   hangup LINK
 *   trouble LINK
 *   counts
 *   quit
 *
 * An event `echo` is sent back with its arguments. An argument names a file of
 * authorities for https. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/isync/isync_conns.h"

#define LINE_MAX_BYTES ((size_t)16 << 20)

static struct {
    uv_loop_t loop;
    uv_pipe_t in;
    struct isync_conns *conns;
    struct buf line;
} tool;

static void say(struct buf *b)
{
    buf_put_u8(b, '\n');
    ENSURE(buf_status(b) == SYNCLINE_OK);
    (void)fwrite(b->ptr, 1, b->len, stdout);
    (void)fflush(stdout);
    buf_free(b);
}

static void on_connected(void *ctx, uint64_t link, const struct isync_who *who)
{
    struct buf b = { 0 };

    (void)ctx;
    buf_printf(&b,
        "{\"connected\":%" PRIu64 ",\"called\":%s,\"transport\":\"%s\"}", link,
        who->is_called ? "true" : "false", who->transport);
    say(&b);
}

static void on_event(void *ctx, uint64_t link, const struct sio_event *ev)
{
    struct buf b = { 0 }, args = { 0 };

    (void)ctx;
    buf_printf(&b, "{\"event\":%" PRIu64 ",\"args\":", link);
    buf_put_slice(&b, ev->text);
    buf_put_u8(&b, '}');
    say(&b);
    if (!slice_is(ev->name, "echo"))
        return;
    for (const struct json *v = ev->first; v != NULL; v = v->next) {
        if (v != ev->first)
            buf_put_u8(&args, ',');
        json_print(&args, v, JSON_COMPACT);
    }
    ENSURE(buf_status(&args) == SYNCLINE_OK);
    (void)!isync_conns_emit(tool.conns, link, "echo", buf_slice(&args));
    buf_free(&args);
}

static void on_closed(void *ctx, uint64_t link, const char *why)
{
    struct buf b = { 0 };

    (void)ctx;
    buf_printf(&b, "{\"closed\":%" PRIu64 ",\"why\":", link);
    json_print_string(&b, slice_str(why), true);
    buf_put_u8(&b, '}');
    say(&b);
}

static void on_log(
    void *ctx, enum log_level level, const char *module, const char *text)
{
    (void)ctx;
    (void)fprintf(stderr, "%s %s %s\n", log_level_name(level), module, text);
}

/* ---- orders ---- */

static void do_listen(void)
{
    struct netaddr at = { .family = 4, .addr = { 127, 0, 0, 1 } };
    struct errmsg why = { "" };
    struct netaddr bound;
    struct buf b = { 0 };

    if (isync_conns_listen(tool.conns, &at, &bound, &why) == SYNCLINE_OK)
        buf_printf(&b, "{\"listening\":%u}", (unsigned)bound.port);
    else
        buf_printf(&b, "{\"error\":\"%s\"}", why.text);
    say(&b);
}

static void do_dial(char *args)
{
    char *how = strchr(args, ' ');
    enum isync_transport t = ISYNC_UPGRADE;
    struct errmsg why = { "" };
    struct buf b = { 0 };
    uint64_t link = 0;

    if (how != NULL) {
        *how++ = 0;
        t = strcmp(how, "polling") == 0   ? ISYNC_POLLING
            : strcmp(how, "upgrade") == 0 ? ISYNC_UPGRADE
                                          : ISYNC_WEBSOCKET;
    }
    if (isync_conns_dial(tool.conns, args, t, &link, &why) == SYNCLINE_OK)
        buf_printf(&b, "{\"dialling\":%" PRIu64 "}", link);
    else
        buf_printf(&b, "{\"error\":\"%s\"}", why.text);
    say(&b);
}

static void do_emit(char *args)
{
    char *end;
    uint64_t link = strtoull(args, &end, 10);
    char *name = *end == ' ' ? end + 1 : end;
    char *values = strchr(name, ' ');
    struct buf b = { 0 };

    if (values != NULL)
        *values++ = 0;
    buf_printf(&b, "{\"emitted\":%d}",
        isync_conns_emit(tool.conns, link, name,
            values != NULL ? slice_str(values) : SLICE_NONE));
    say(&b);
}

static void do_trouble(const char *args)
{
    struct buf b = { 0 };

    buf_put_str(&b, "{\"trouble\":");
    json_print_string(&b,
        slice_str(isync_conns_trouble(tool.conns, strtoull(args, NULL, 10))),
        true);
    buf_put_u8(&b, '}');
    say(&b);
}

static void do_counts(void)
{
    struct isync_conns_counts n = isync_conns_counts(tool.conns);
    struct buf b = { 0 };

    buf_printf(&b,
        "{\"callers\":%zu,\"called\":%zu,\"sessions\":%zu,\"refused_page\":"
        "%" PRIu64 ",\"refused_room\":%" PRIu64 "}",
        n.callers, n.called, n.sessions, n.refused_page, n.refused_room);
    say(&b);
}

static void quit(void)
{
    if (tool.conns == NULL)
        return;
    isync_conns_stop(tool.conns);
    isync_conns_close(tool.conns);
    tool.conns = NULL;
    uv_close((uv_handle_t *)&tool.in, NULL);
}

static void obey(char *line)
{
    char *args = strchr(line, ' ');

    if (args != NULL)
        *args++ = 0;
    if (strcmp(line, "listen") == 0)
        do_listen();
    else if (strcmp(line, "dial") == 0 && args != NULL)
        do_dial(args);
    else if (strcmp(line, "emit") == 0 && args != NULL)
        do_emit(args);
    else if (strcmp(line, "hangup") == 0 && args != NULL)
        isync_conns_hang_up(tool.conns, strtoull(args, NULL, 10));
    else if (strcmp(line, "trouble") == 0 && args != NULL)
        do_trouble(args);
    else if (strcmp(line, "counts") == 0)
        do_counts();
    else
        quit();
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *bytes)
{
    uint8_t *end;

    (void)s;
    if (n > 0)
        buf_put(&tool.line, bytes->base, (size_t)n);
    free(bytes->base);
    while (tool.conns != NULL && tool.line.len > 0 &&
        (end = memchr(tool.line.ptr, '\n', tool.line.len)) != NULL) {
        size_t len = (size_t)(end - tool.line.ptr);

        *end = 0;
        obey((char *)tool.line.ptr);
        buf_consume(&tool.line, len + 1);
    }
    if (n < 0)
        quit();
}

static void on_room(uv_handle_t *h, size_t n, uv_buf_t *out)
{
    (void)h;
    out->base = malloc(n);
    out->len = out->base != NULL ? n : 0;
}

int main(int argc, char **argv)
{
    struct isync_conns_options opt = { .loop = &tool.loop,
        .log = { .fn = on_log, .level = LOG_LEVEL_INFO },
        .events = { .on_connected = on_connected,
            .on_event = on_event,
            .on_closed = on_closed },
        .roots = argc > 1 ? argv[1] : NULL };
    sigset_t set;
    int rc;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    tool.line.max = LINE_MAX_BYTES;
    (void)uv_loop_init(&tool.loop);
    if (isync_conns_new(&tool.conns, &opt) != SYNCLINE_OK)
        return 1;
    (void)uv_pipe_init(&tool.loop, &tool.in, 0);
    (void)uv_pipe_open(&tool.in, 0);
    (void)uv_read_start((uv_stream_t *)&tool.in, on_room, on_read);
    (void)uv_run(&tool.loop, UV_RUN_DEFAULT);
    rc = uv_loop_close(&tool.loop);
    buf_free(&tool.line);
    return rc == 0 ? 0 : 2;
}
