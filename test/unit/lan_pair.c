#include "unit/lan_pair.h"

#include <stdlib.h>

#include "base/text.h"

static int draw(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    return crypto_random(out, n);
}

static void on_send(void *ctx, struct slice bytes)
{
    buf_put_slice(&((struct end *)ctx)->out, bytes);
}

static void on_close(void *ctx, const char *why)
{
    buf_put_str(&((struct end *)ctx)->closed, why);
}

static void on_open(void *ctx)
{
    ((struct end *)ctx)->opened++;
}

static void on_hold(void *ctx, bool held)
{
    ((struct end *)ctx)->held = held;
}

static bool may_try(void *ctx)
{
    struct end *e = ctx;

    e->tries++;
    return !e->may_not;
}

static int on_binding(void *ctx, uint8_t out[LAN_BINDING_LEN])
{
    const struct end *e = ctx;

    if (e->channel == NULL)
        return SYNCLINE_ENOTFOUND;
    if (e->channel[0] == 0)
        return SYNCLINE_EUNSUPPORTED;
    memset(out, e->channel[0], LAN_BINDING_LEN);
    return SYNCLINE_OK;
}

static void on_failed(void *ctx, struct slice node)
{
    (void)node;
    ((struct end *)ctx)->failures++;
}

static bool knows(void *ctx, struct slice name)
{
    (void)ctx;
    return slice_has_prefix(name, SLICE_LIT("MODEL_UPDATE"));
}

static int on_message(void *ctx, const struct lan_message *m)
{
    struct end *e = ctx;
    struct arena a = { 0 };
    struct json *reply = json_new(&a, JSON_OBJECT);

    buf_printf(&e->heard, "%.*s %.*s;", SLICE_FMT(m->name),
        SLICE_FMT(lan_payload_text(m, "data")));
    if (e->replies) {
        json_add(
            reply, SLICE_LIT("status"), json_new_str(&a, SLICE_LIT("success")));
        CHECK_OK(
            lan_link_reply(e->link, m, LAN_SYNC_RESPONSE, reply, *e->now_us));
    }
    arena_free(&a);
    return e->on_message_rc;
}

static void on_answer(void *ctx, uint64_t request, const struct lan_answer *a)
{
    struct end *e = ctx;

    CHECK(request > 0);
    e->answered++;
    e->answer_rc = a->rc;
    buf_clear(&e->answer);
    if (a->m != NULL)
        json_print(&e->answer, a->m->member[LAN_PAYLOAD], JSON_CANONICAL);
}

void end_make(
    struct end *e, struct pair *p, const char *key, struct lan_link_options opt)
{
    const struct lan_protocol_options protocol = {
        .node_id = opt.is_server ? "server" : "client",
        .node_name = "A node",
        .key = slice_str(key),
        .random = draw
    };

    e->now_us = &p->now_us;
    CHECK_OK(lan_protocol_new(&e->protocol, &protocol));
    opt.protocol = e->protocol;
    opt.key = slice_str(key);
    opt.events = (struct lan_link_events){ .ctx = e,
        .send = on_send,
        .close = on_close,
        .on_open = on_open,
        .hold = on_hold,
        .may_try = may_try,
        .failed = on_failed,
        .binding = on_binding,
        .knows = knows,
        .on_message = on_message,
        .on_answer = on_answer };
    CHECK_OK(lan_link_new(&e->link, &opt, p->now_us));
}

void pair_init(struct pair *p, struct lan_link_options server,
    struct lan_link_options client, const char *clients_key)
{
    *p = (struct pair){ .now_us = UINT64_C(1795176000) * SEC };
    server.is_server = true;
    end_make(&p->server, p, KEY, server);
    end_make(&p->client, p, clients_key, client);
    lan_link_begin(p->client.link, p->now_us);
}

void end_free(struct end *e)
{
    lan_link_free(e->link);
    lan_protocol_free(e->protocol);
    buf_free(&e->out);
    buf_free(&e->heard);
    buf_free(&e->closed);
    buf_free(&e->answer);
}

void pair_close(struct pair *p)
{
    end_free(&p->server);
    end_free(&p->client);
}

/* In pieces of so many bytes; 0: as they were sent. False: nothing was. */
bool pair_carry(struct end *from, struct end *to, size_t piece)
{
    struct buf b = from->out;

    from->out = (struct buf){ 0 };
    for (size_t i = 0; i < b.len; i += piece == 0 ? b.len : piece) {
        size_t n = b.len - i;

        lan_link_feed(to->link,
            SLICE(b.ptr + i, piece == 0 || piece > n ? n : piece), *to->now_us);
    }
    piece = b.len;
    buf_free(&b);
    return piece > 0;
}

/* Nobody talks for ever. */
void pair_settle(struct pair *p, size_t piece)
{
    for (unsigned i = 0; i < 100; i++) {
        bool any = pair_carry(&p->client, &p->server, piece);

        any = pair_carry(&p->server, &p->client, piece) || any;
        if (!any)
            return;
    }
    CHECK_SAYING(false, "they never stop");
}

void pair_pass(struct pair *p, uint64_t us)
{
    p->now_us += us;
    lan_link_tick(p->server.link, p->now_us);
    lan_link_tick(p->client.link, p->now_us);
}

uint64_t pair_ask(struct pair *p, enum lan_type type, const char *data)
{
    struct arena a = { 0 };
    struct json *payload = json_new(&a, JSON_OBJECT);
    const struct lan_draft draft = { .type = type, .payload = payload };
    uint64_t request = 0;

    json_add(payload, SLICE_LIT("data"), json_new_str(&a, slice_str(data)));
    CHECK_OK(lan_link_request(p->client.link, &draft, p->now_us, &request));
    CHECK_UINT(payload->n, 1);
    arena_free(&a);
    return request;
}

void end_feed(struct end *e, const char *json)
{
    uint8_t head[LAN_FRAME_HEAD] = { 0 };
    size_t n = strlen(json);

    for (unsigned i = 0; i < 4; i++)
        head[i] = (uint8_t)(n >> (24 - 8 * i));
    lan_link_feed(e->link, SLICE(head, sizeof head), *e->now_us);
    lan_link_feed(e->link, SLICE(json, n), *e->now_us);
}

void end_check_error(struct end *e, const char *error, const char *code)
{
    struct arena a = { 0 };
    struct lan_message m;

    CHECK(e->out.len > LAN_FRAME_HEAD);
    CHECK_OK(lan_message_read(
        &m, slice_from(buf_slice(&e->out), LAN_FRAME_HEAD), &a, NULL));
    CHECK(m.type == LAN_ERROR);
    CHECK_SLICE(lan_payload_text(&m, "error"), error);
    CHECK_SLICE(lan_payload_text(&m, "code"), code);
    CHECK_UINT(lan_text(&m, LAN_SIGNATURE).len, LAN_SIGNATURE_LEN);
    arena_free(&a);
}
