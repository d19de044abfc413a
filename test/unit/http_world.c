#include "unit/http_world.h"

#include <stdio.h>
#include <stdlib.h>

static void on_request(
    void *ctx, struct http_conn *c, const struct http_request *r)
{
    static const char *const methods[] = { "GET", "HEAD", "PUT", "POST",
        "PATCH", "DELETE", "OPTIONS", "OTHER" };
    struct http_world *w = ctx;

    CHECK(c == w->c && w->gone == 0);
    w->requests++;
    w->is_websocket = r->is_websocket;
    buf_clear(&w->line);
    buf_clear(&w->fields);
    buf_clear(&w->body);
    buf_printf(&w->line, "%s %.*s", methods[r->method], SLICE_FMT(r->path));
    if (r->query.ptr != NULL)
        buf_printf(&w->line, "?%.*s", SLICE_FMT(r->query));
    buf_printf(&w->line, " %.*s", SLICE_FMT(r->host));
    for (size_t i = 0; i < r->fields_n; i++)
        buf_printf(&w->fields, "%.*s=%.*s;", SLICE_FMT(r->fields[i].name),
            SLICE_FMT(r->fields[i].value));
    buf_put_slice(&w->body, r->body);
    if (w->answer != NULL)
        w->answer(w, r);
}

static void on_head(
    void *ctx, struct http_conn *c, const struct http_request *r)
{
    struct http_world *w = ctx;

    CHECK(c == w->c && w->gone == 0);
    CHECK(r->has_body && r->body.len == 0);
    w->heads++;
    if (w->judge != NULL)
        w->judge(w, r);
}

static void on_message(
    void *ctx, struct http_conn *c, bool text, struct slice message)
{
    struct http_world *w = ctx;

    CHECK(c == w->c && w->gone == 0);
    buf_put_str(&w->messages, text ? "t:" : "b:");
    buf_put_slice(&w->messages, message);
    buf_put_str(&w->messages, "\n");
}

static void on_gone(void *ctx, struct http_conn *c)
{
    struct http_world *w = ctx;

    CHECK(c == w->c && w->gone == 0);
    CHECK(http_conn_is_over(c));
    w->gone++;
}

int http_world_open(struct http_world *w, const struct http_limits *limits)
{
    const struct http_events events = { .ctx = w,
        .on_request = on_request,
        .on_head = on_head,
        .on_message = on_message,
        .on_gone = on_gone };

    *w = (struct http_world){ .now = 1000000 };
    return http_conn_new(&w->c, &events, limits, w->now);
}

void http_world_close(struct http_world *w)
{
    http_conn_free(w->c);
    buf_free(&w->line);
    buf_free(&w->fields);
    buf_free(&w->body);
    buf_free(&w->messages);
}

void http_world_feed(struct http_world *w, const char *text)
{
    http_conn_feed(w->c, slice_str(text), w->now);
}

struct slice http_world_sent(struct http_world *w)
{
    static uint8_t copy[1 << 16];
    struct buf *out = http_conn_out(w->c);
    size_t n = out->len < sizeof copy ? out->len : sizeof copy;

    if (n > 0)
        memcpy(copy, out->ptr, n);
    buf_consume(out, n);
    return SLICE(copy, n);
}

unsigned http_world_status(struct http_world *w)
{
    struct slice sent = http_world_sent(w);

    if (!slice_has_prefix(sent, SLICE_LIT("HTTP/1.1 ")))
        return 0;
    return (unsigned)strtoul((const char *)sent.ptr + 9, NULL, 10);
}

void http_world_ok(struct http_world *w, const struct http_request *r)
{
    (void)r;
    http_respond(w->c, 200, "text/plain", SLICE_NONE, SLICE_LIT("ok"));
}
