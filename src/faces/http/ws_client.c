#include "faces/http/ws_client.h"

#include <stdlib.h>
#include <strings.h>

#include "base/text.h"
#include "faces/http/http_head.h"
#include "faces/http/ws.h"

#define HEAD_MAX ((size_t)16 << 10)
#define NORMAL 1000

/*  GREETING --101--> OPEN --close--> CLOSING
 *  any of these --end, refusal, failure--> OVER          */
enum phase { GREETING, OPEN, CLOSING, OVER };

struct ws_client {
    struct ws_client_options opt;
    enum phase phase;
    struct buf in, out;
    size_t scanned;
    char accept[32]; /* that the server is to answer */
    struct ws *ws;
    struct ws_deflate deflate;
    uint64_t now_ms, since_ms;
    bool has_pinged;
    struct errmsg why;
};

static void over(struct ws_client *c, const char *why)
{
    if (c->phase == OVER)
        return;
    c->phase = OVER;
    if (c->why.text[0] == 0)
        errmsg_set(&c->why, 0, "%s", why);
}

/* ---- frames ---- */

static void settle(struct ws_client *c, int rc)
{
    if (rc != SYNCLINE_OK)
        over(c, "it could not go on");
    else if (c->phase != OVER && ws_is_over(c->ws))
        over(c, "the other has closed it");
}

static int on_send(void *ctx, struct slice bytes)
{
    struct ws_client *c = ctx;

    buf_put_slice(&c->out, bytes);
    return buf_status(&c->out);
}

static int on_mask(void *ctx, uint8_t *out, size_t n)
{
    struct ws_client *c = ctx;

    return c->opt.random(c->opt.ctx, out, n);
}

static void on_message(void *ctx, bool text, struct slice message)
{
    struct ws_client *c = ctx;

    if (c->phase == OPEN)
        c->opt.on_message(c->opt.ctx, text, message);
}

static void open_frames(struct ws_client *c, struct slice server)
{
    const struct ws_events events = {
        .ctx = c, .send = on_send, .mask = on_mask, .on_message = on_message
    };

    if (ws_new(&c->ws, &events, c->opt.message_max) != SYNCLINE_OK) {
        over(c, "memory ran out");
        return;
    }
    if (c->deflate.name != WS_OFFER_NONE)
        ws_compress(c->ws, &c->deflate);
    c->phase = OPEN;
    c->opt.on_open(c->opt.ctx, server);
}

/* ---- the greeting ---- */

struct answer {
    bool upgrades, connects, accepts, is_strange;
    struct slice server, extensions;
};

static bool same_word(struct slice s, const char *word)
{
    return s.len == strlen(word) &&
        strncasecmp((const char *)s.ptr, word, s.len) == 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* The piece of s before mark; s goes on behind it. */
static struct slice cut(struct slice *s, const char *mark)
{
    size_t n = strlen(mark), i = 0;
    struct slice piece = *s;

    while (i + n <= s->len && memcmp(s->ptr + i, mark, n) != 0)
        i++;
    if (i + n > s->len) {
        *s = SLICE_NONE;
        return piece;
    }
    piece.len = i;
    *s = slice_from(*s, i + n);
    return piece;
}

static bool list_has(struct slice list, const char *word)
{
    while (list.len > 0)
        if (same_word(trimmed(cut(&list, ",")), word))
            return true;
    return false;
}

/* There is one answer to all that was offered. */
static void take_extensions(struct answer *a, struct slice value)
{
    a->is_strange |= a->extensions.len > 0 && value.len > 0;
    if (value.len > 0)
        a->extensions = value;
}

static bool is_agreed(struct ws_client *c, const struct answer *a)
{
    return a->upgrades && a->connects && a->accepts && !a->is_strange &&
        (a->extensions.len == 0 ||
            ws_deflate_agree(&c->deflate, a->extensions, c->opt.offer) ==
                SYNCLINE_OK);
}

static void take_field(
    const struct ws_client *c, struct answer *a, struct slice line)
{
    struct slice value = line, name = cut(&value, ":");

    value = trimmed(value);
    if (same_word(name, "upgrade"))
        a->upgrades = same_word(value, "websocket");
    else if (same_word(name, "connection"))
        a->connects = list_has(value, "upgrade");
    else if (same_word(name, "sec-websocket-accept"))
        a->accepts = slice_is(value, c->accept);
    else if (same_word(name, "sec-websocket-protocol"))
        a->is_strange |= value.len > 0;
    else if (same_word(name, "sec-websocket-extensions"))
        take_extensions(a, value);
    else if (same_word(name, "server"))
        a->server = value;
}

static void take_head(struct ws_client *c, struct slice head)
{
    struct slice status = cut(&head, "\r\n");
    struct answer a = { 0 };

    while (head.len > 0)
        take_field(c, &a, cut(&head, "\r\n"));
    if (!slice_has_prefix(status, SLICE_LIT("HTTP/1.1 101"))) {
        struct buf b = { 0 };

        put_inert(&b, SLICE(status.ptr, status.len < 80 ? status.len : 80));
        errmsg_set(&c->why, 0, "answered with %.*s", SLICE_FMT(buf_slice(&b)));
        buf_free(&b);
        over(c, "");
    } else if (!is_agreed(c, &a)) {
        over(c, "its answer is not that of a WebSocket");
    } else {
        open_frames(c, a.server);
    }
}

static void take_greeting(struct ws_client *c)
{
    int rc = http_head_scan(buf_slice(&c->in), &c->scanned);
    struct buf head = c->in;

    if (rc < 0 || c->in.len > HEAD_MAX + c->opt.message_max ||
        (rc == 0 && c->in.len > HEAD_MAX)) {
        over(c, "what it answers is not HTTP");
        return;
    }
    if (rc == 0)
        return;
    c->in = (struct buf){ 0 };
    take_head(c, SLICE(head.ptr, c->scanned));
    if (c->phase == OPEN)
        settle(c, ws_feed(c->ws, slice_from(buf_slice(&head), c->scanned)));
    buf_free(&head);
}

void ws_client_feed(struct ws_client *c, struct slice in, uint64_t now_ms)
{
    c->now_ms = now_ms;
    if (c->phase == GREETING) {
        buf_put_slice(&c->in, in);
        if (buf_status(&c->in) != SYNCLINE_OK)
            over(c, "memory ran out");
        else
            take_greeting(c);
    } else if (c->phase != OVER) {
        c->since_ms = now_ms;
        c->has_pinged = false;
        settle(c, ws_feed(c->ws, in));
    }
    if (c->phase == OPEN)
        c->since_ms = now_ms;
}

void ws_client_end(struct ws_client *c, const char *why)
{
    over(c, why);
}

void ws_client_tick(struct ws_client *c, uint64_t now_ms)
{
    uint64_t due = ws_client_deadline_ms(c);

    c->now_ms = now_ms;
    if (due == 0 || now_ms < due)
        return;
    if (c->phase != OPEN || c->has_pinged) {
        over(c, c->phase == GREETING ? "it does not answer" : "it is silent");
        return;
    }
    c->has_pinged = true;
    c->since_ms = now_ms;
    settle(c, ws_ping(c->ws));
}

uint64_t ws_client_deadline_ms(const struct ws_client *c)
{
    if (c->phase == OVER)
        return 0;
    return c->since_ms +
        (c->phase == GREETING ? c->opt.greeting_ms : c->opt.ping_ms);
}

void ws_client_send(struct ws_client *c, struct slice text)
{
    if (c->phase == OPEN)
        settle(c, ws_send(c->ws, true, text));
}

void ws_client_close(struct ws_client *c)
{
    if (c->phase != OPEN) {
        over(c, "given up");
        return;
    }
    c->phase = CLOSING;
    settle(c, ws_close(c->ws, NORMAL, NULL));
}

struct buf *ws_client_out(struct ws_client *c)
{
    return &c->out;
}

const struct ws_deflate *ws_client_deflate(const struct ws_client *c)
{
    return &c->deflate;
}

bool ws_client_is_open(const struct ws_client *c)
{
    return c->phase == OPEN;
}

bool ws_client_is_over(const struct ws_client *c)
{
    return c->phase == OVER;
}

const char *ws_client_why(const struct ws_client *c)
{
    return c->why.text;
}

/* ---- beginning and end ---- */

static void put_offer(struct buf *b, enum ws_offer offer)
{
    if (offer == WS_OFFER_NONE)
        return;
    buf_put_str(b, "Sec-WebSocket-Extensions: ");
    ws_deflate_put_offer(b, offer);
    buf_put_str(b, "\r\n");
}

static int greet(struct ws_client *c, const struct ws_client_options *opt)
{
    struct buf key = { 0 }, accept = { 0 };
    uint8_t nonce[16];
    int rc = opt->random(opt->ctx, nonce, sizeof nonce);

    if (rc != SYNCLINE_OK)
        return rc;
    put_base64(&key, SLICE(nonce, sizeof nonce));
    buf_put_str(&key, "==");
    rc = buf_status(&key);
    if (rc == SYNCLINE_OK)
        rc = ws_accept(&accept, buf_slice(&key));
    if (rc == SYNCLINE_OK) {
        memcpy(c->accept, accept.ptr, accept.len);
        buf_printf(&c->out,
            "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: %.*s\r\nUser-Agent: %s\r\n",
            opt->path, opt->host, SLICE_FMT(buf_slice(&key)), opt->agent);
        if (opt->token != NULL)
            buf_printf(&c->out, "Authorization: Bearer %s\r\n", opt->token);
        put_offer(&c->out, opt->offer);
        buf_put_str(&c->out, "\r\n");
        rc = buf_status(&c->out);
    }
    buf_free(&key);
    buf_free(&accept);
    return rc;
}

int ws_client_new(struct ws_client **out, const struct ws_client_options *opt,
    uint64_t now_ms)
{
    struct ws_client *c = calloc(1, sizeof *c);
    int rc;

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    *c =
        (struct ws_client){ .opt = *opt, .now_ms = now_ms, .since_ms = now_ms };
    c->opt.host = c->opt.path = c->opt.agent = c->opt.token = NULL;
    rc = greet(c, opt);
    if (rc != SYNCLINE_OK) {
        ws_client_free(c);
        return rc;
    }
    *out = c;
    return SYNCLINE_OK;
}

void ws_client_free(struct ws_client *c)
{
    if (c == NULL)
        return;
    ws_free(c->ws);
    buf_free(&c->in);
    buf_free(&c->out);
    free(c);
}
