/* Whom config-sync calls: each URL again and again, after pauses that grow. */
#include "app/config/config_face_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "faces/http/ws_client.h"

#define GREETING_MS 10000
#define PING_MS 30000
#define PAUSE_MS 1000
#define QUEUE_MAX (2 * CONFIG_MESSAGE_MAX)

struct config_peer {
    struct config_peer *next;
    struct config_face *face;
    char *text, *token;
    struct ws_url url;
    struct stream *stream; /* NULL: it is not called */
    struct ws_client *ws;
    uint64_t link;                   /* 0: not open */
    bool was_open;                   /* ever */
    char known[CONFIG_HASH_LEN + 1]; /* what it held then */
    bool is_syncline;
    bool is_ended;     /* the stream is closing */
    uint64_t again_ms; /* when it is called again */
    uint64_t pause_ms;
    struct errmsg why; /* it is not open */
};

static uint64_t mono_ms(void)
{
    return clock_mono_us() / 1000;
}

static int on_random(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    return crypto_random(out, n);
}

/* Longer each time, and not at the same moment as others. */
static void call_later(struct config_peer *p)
{
    uint64_t most = p->face->opt.dial_max_us / 1000;
    uint8_t r = 0;

    if (crypto_random(&r, 1) != SYNCLINE_OK)
        r = 128;
    if (p->pause_ms == 0)
        p->pause_ms = PAUSE_MS;
    if (p->pause_ms > most)
        p->pause_ms = most;
    p->again_ms = mono_ms() + p->pause_ms * (192u + r / 2u) / 256;
    p->pause_ms *= 2;
}

static void end(struct config_peer *p, const char *why)
{
    struct config_face *f = p->face;

    if (p->link != 0) {
        (void)snprintf(p->known, sizeof p->known, "%s",
            config_sync_known(f->sync, p->link));
        config_sync_close(f->sync, p->link);
    }
    if (p->link != 0 || strcmp(p->why.text, why) != 0)
        log_line(&f->log, p->link != 0 ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
            "configsync", "%s: %s", p->text, why);
    errmsg_set(&p->why, 0, "%s", why);
    p->link = 0;
    ws_client_free(p->ws);
    p->ws = NULL;
    if (p->stream != NULL)
        stream_drop(p->stream);
    p->stream = NULL;
    call_later(p);
}

/* Gives the stream what it takes; false: it is over. */
static bool pump(struct config_peer *p)
{
    struct buf *out = ws_client_out(p->ws);

    while (out->len > 0 && p->stream != NULL && stream_is_open(p->stream) &&
        stream_queued(p->stream) < FACE_QUEUE_HIGH) {
        size_t n = out->len < FACE_QUEUE_HIGH ? out->len : FACE_QUEUE_HIGH;

        stream_send(p->stream, SLICE(out->ptr, n));
        buf_consume(out, n);
    }
    if (out->len > QUEUE_MAX)
        ws_client_end(p->ws, "it does not read");
    return !ws_client_is_over(p->ws);
}

static void go_on(struct config_peer *p)
{
    struct config_face *f = p->face;

    if (p->ws != NULL && !pump(p)) {
        struct errmsg why = { "" };

        errmsg_set(&why, 0, "%s", ws_client_why(p->ws));
        end(p, why.text);
    }
    face_arm(f);
}

static void on_ws_open(void *ctx, struct slice server)
{
    struct config_peer *p = ctx;
    struct config_face *f = p->face;

    p->is_syncline = slice_has_prefix(server, SLICE_LIT("Syncline/"));
    log_line(&f->log, LOG_LEVEL_INFO, "configsync", "%s: connected%s", p->text,
        p->is_syncline ? "; it is a Syncline, too: pair the two (syncline "
                         "invite), and they keep all spaces the same, encrypted"
                       : "");
    p->why.text[0] = 0;
    p->pause_ms = 0;
    p->link = ++f->next_link;
    if (config_sync_open(f->sync, p->link, false, p->was_open ? p->known : NULL,
            face_now()) != SYNCLINE_OK) {
        p->link = 0;
        ws_client_end(p->ws, "memory ran out");
    }
    p->was_open = true;
}

static void on_ws_message(void *ctx, bool text, struct slice message)
{
    struct config_peer *p = ctx;

    config_sync_take(p->face->sync, p->link, text, message, face_now());
}

static void on_open(void *ctx)
{
    go_on(ctx);
}

static void on_bytes(void *ctx, struct slice bytes)
{
    struct config_peer *p = ctx;

    if (p->ws != NULL)
        ws_client_feed(p->ws, bytes, mono_ms());
    go_on(p);
}

static void on_end(void *ctx, const char *why)
{
    struct config_peer *p = ctx;

    p->stream = NULL; /* it frees itself */
    if (p->ws != NULL)
        end(p, why);
    face_arm(p->face);
}

static int call(struct config_peer *p)
{
    struct config_face *f = p->face;
    const struct ws_client_options opt = { .host = p->url.named,
        .path = p->url.path,
        .agent = FACE_AGENT,
        .token = p->token,
        .offer = f->opt.compress,
        .message_max = CONFIG_MESSAGE_MAX,
        .greeting_ms = GREETING_MS,
        .ping_ms = PING_MS,
        .ctx = p,
        .on_open = on_ws_open,
        .on_message = on_ws_message,
        .random = on_random };
    const struct stream_events events = { .ctx = p,
        .on_open = on_open,
        .on_bytes = on_bytes,
        .on_room = on_open,
        .on_end = on_end };
    int rc = ws_client_new(&p->ws, &opt, mono_ms());

    if (rc == SYNCLINE_OK)
        rc = stream_connect(&p->stream, f->opt.loop, p->url.host, p->url.port,
            p->url.is_secure ? f->roots : NULL, &events);
    return rc;
}

/* ---- all of them ---- */

int peers_make(struct config_face *f)
{
    struct config_peer **at = &f->peers;

    for (size_t i = 0; i < f->opt.peers_n; i++) {
        struct config_peer *p = calloc(1, sizeof *p);

        if (p == NULL)
            return SYNCLINE_ENOMEM;
        *at = p;
        at = &p->next;
        p->face = f;
        p->url = f->opt.peers[i];
        p->text = strdup(f->opt.peer_texts[i]);
        if (f->opt.peer_tokens != NULL && f->opt.peer_tokens[i] != NULL) {
            p->token = strdup(f->opt.peer_tokens[i]);
            if (p->token == NULL)
                return SYNCLINE_ENOMEM;
        }
        if (p->text == NULL)
            return SYNCLINE_ENOMEM;
    }
    return SYNCLINE_OK;
}

bool peers_send(struct config_face *f, uint64_t link, struct slice text)
{
    struct config_peer *p = f->peers;

    while (p != NULL && p->link != link)
        p = p->next;
    if (p == NULL)
        return false;
    ws_client_send(p->ws, text);
    /* What is left, and an end, come with the tick: we may be in its feed. */
    (void)pump(p);
    face_arm(f);
    return true;
}

uint64_t peers_tick(struct config_face *f, uint64_t now_ms)
{
    uint64_t next = 0;

    for (struct config_peer *p = f->peers; p != NULL; p = p->next) {
        uint64_t due;

        if (p->ws == NULL && !f->is_stopping && p->again_ms <= now_ms &&
            call(p) != SYNCLINE_OK)
            end(p, "it cannot be called: memory ran out, or it has no name");
        if (p->ws != NULL) {
            ws_client_tick(p->ws, now_ms);
            if (!pump(p))
                end(p, ws_client_why(p->ws));
        }
        due = p->ws != NULL ? ws_client_deadline_ms(p->ws) : p->again_ms;
        if (next == 0 || due < next)
            next = due;
    }
    return next;
}

void peers_stop(struct config_face *f)
{
    for (struct config_peer *p = f->peers; p != NULL; p = p->next) {
        if (p->ws == NULL || p->stream == NULL)
            continue;
        if (p->link != 0)
            config_sync_close(f->sync, p->link);
        p->link = 0;
        ws_client_close(p->ws);
        (void)pump(p);
        stream_close(p->stream);
        ws_client_free(p->ws);
        p->ws = NULL;
    }
}

void peers_close(struct config_face *f)
{
    while (f->peers != NULL) {
        struct config_peer *p = f->peers;

        f->peers = p->next;
        if (p->stream != NULL)
            stream_drop(p->stream);
        ws_client_free(p->ws);
        if (p->token != NULL)
            crypto_wipe(p->token, strlen(p->token));
        free(p->token);
        free(p->text);
        free(p);
    }
}

void peers_put(const struct config_face *f, struct buf *b, bool urls)
{
    for (const struct config_peer *p = f->peers; p != NULL; p = p->next) {
        if (p != f->peers)
            buf_put_u8(b, ',');
        if (urls) {
            json_print_string(b, slice_str(p->text), false);
            continue;
        }
        buf_put_str(b, "{\"url\":");
        json_print_string(b, slice_str(p->text), false);
        buf_printf(b,
            ",\"connected\":%s,\"syncline\":%s,\"compressed\":%s,"
            "\"trouble\":",
            p->link != 0 ? "true" : "false", p->is_syncline ? "true" : "false",
            p->link != 0 && ws_client_deflate(p->ws)->name != WS_OFFER_NONE
                ? "true"
                : "false");
        if (p->link == 0 && p->why.text[0] != 0)
            json_print_said(b, slice_str(p->why.text));
        else
            buf_put_str(b, "null");
        buf_put_u8(b, '}');
    }
}
