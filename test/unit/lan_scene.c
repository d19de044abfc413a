#include "unit/lan_scene.h"

#include <stdio.h>

#define KEY "test-secret-key-1234567890123456"
/* ---- the space ---- */

static int on_watch(void *ctx, uint64_t watch, const char *from)
{
    struct scene *s = ctx;

    if (s->is_blind)
        return SYNCLINE_ENOMEM;
    buf_printf(&s->asked, "%s %s;", watch == LINK ? "watch" : "question", from);
    if (watch != LINK)
        s->question = watch;
    return SYNCLINE_OK;
}

static void on_pace(void *ctx, uint64_t watch, bool paused)
{
    (void)watch;
    buf_put_str(&((struct scene *)ctx)->asked, paused ? "pause;" : "go on;");
}

static void on_unwatch(void *ctx, uint64_t watch)
{
    buf_put_str(&((struct scene *)ctx)->asked,
        watch == LINK ? "unwatch;" : "answered;");
}

static uint64_t on_mark(void *ctx)
{
    return ((struct scene *)ctx)->mark;
}

static void on_write(void *ctx, uint64_t token, uint64_t link,
    const struct lan_item *item, const struct json *value)
{
    struct scene *s = ctx;

    CHECK_UINT(link, LINK);
    CHECK(s->tokens_n < TOKENS_MAX);
    CHECK((value == NULL) == item->is_deleted);
    s->tokens[s->tokens_n++] = token;
    buf_printf(&s->asked, "write %.*s v%llu%s;", SLICE_FMT(item->id),
        (unsigned long long)item->version, item->returns ? " returns" : "");
}

static void on_past(void *ctx, uint64_t link, struct slice after)
{
    CHECK_UINT(link, LINK);
    buf_printf(&((struct scene *)ctx)->asked, "past %.*s;", SLICE_FMT(after));
}

static void on_recall(void *ctx, const char *node, char *acked, char *asked)
{
    const struct scene *s = ctx;

    CHECK_SLICE(slice_str(node), s->is_cut ? "" : "node");
    (void)snprintf(acked, LAN_CURSOR_MAX, "%s", s->known_acked);
    (void)snprintf(asked, LAN_CURSOR_MAX, "%s", s->known_asked);
}

static void on_keep(
    void *ctx, const char *node, const char *acked, const char *asked)
{
    struct scene *s = ctx;

    CHECK_SLICE(slice_str(node), s->is_cut ? "" : "node");
    buf_printf(&s->asked, "keep %s %s;", acked, asked);
}

/* ---- the links ---- */

static int draw(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    return crypto_random(out, n);
}

static void on_send_here(void *ctx, struct slice bytes)
{
    buf_put_slice(&((struct scene *)ctx)->to_there, bytes);
}

static void on_send_there(void *ctx, struct slice bytes)
{
    buf_put_slice(&((struct scene *)ctx)->to_here, bytes);
}

static void on_close(void *ctx, const char *why)
{
    (void)ctx;
    CHECK_SAYING(false, "closed: %s", why);
}

static void on_hold_here(void *ctx, bool held)
{
    ((struct scene *)ctx)->is_held = held;
}

static int on_message_here(void *ctx, const struct lan_message *m)
{
    struct scene *s = ctx;

    return lan_exchange_take(s->x, LINK, m, s->now_us);
}

static void on_answer_here(
    void *ctx, uint64_t request, const struct lan_answer *a)
{
    struct scene *s = ctx;

    if (s->x != NULL)
        CHECK(lan_exchange_answered(s->x, LINK, request, a, s->now_us));
}

/* More than a few are counted. */
static void put_items(struct buf *b, const struct json *payload)
{
    const struct json *items = json_get(payload, "items");
    const char *between = "";

    CHECK(items != NULL && items->type == JSON_ARRAY);
    if (items->n > 5)
        buf_printf(b, "%u items", items->n);
    for (const struct json *v = items->first; v != NULL && items->n <= 5;
         v = v->next) {
        buf_printf(b, "%s%s%.*s v%lld", between,
            slice_is(json_get_str(v, "action"), "delete") ? "-" : "",
            SLICE_FMT(json_get_str(v, "item_id")),
            (long long)json_get_int(v, "version", 0));
        between = ",";
    }
}

static void acknowledge(struct scene *s, const struct lan_message *m)
{
    struct arena a = { 0 };
    struct json *payload = json_new(&a, JSON_OBJECT);

    json_add(payload, SLICE_LIT("data_id"),
        json_new_str(&a, lan_payload_text(m, "data_id")));
    CHECK_OK(lan_link_reply(s->there, m, s->refuses ? LAN_ERROR : LAN_SYNC_ACK,
        payload, s->now_us));
    arena_free(&a);
}

static void put_ids(struct buf *b, const struct json *payload)
{
    static const char *const ids[] = { "request_id", "data_id", "ack_id",
        "sync_id" };

    for (size_t i = 0; i < ARRAY_N(ids); i++)
        if (json_get(payload, ids[i]) != NULL) {
            buf_printf(b, "%s=", ids[i]);
            json_print(b, json_get(payload, ids[i]), JSON_CANONICAL);
            buf_put_u8(b, ';');
        }
}

static int on_message_there(void *ctx, const struct lan_message *m)
{
    struct scene *s = ctx;
    struct arena a = { 0 };
    struct json *payload = NULL;

    buf_printf(&s->heard, "%.*s ", SLICE_FMT(m->name));
    if (m->type == LAN_SYNC_ACK || m->type == LAN_SYNC_RESPONSE) {
        put_ids(&s->heard, m->member[LAN_PAYLOAD]);
        return SYNCLINE_OK;
    }
    if (m->type == LAN_SYNC_REQUEST) {
        CHECK_INT(json_get_int(m->member[LAN_PAYLOAD], "limit", 0), 100);
        buf_put_slice(&s->heard, lan_payload_text(m, "since"));
    } else {
        put_items(&s->heard, m->member[LAN_PAYLOAD]);
        CHECK_BYTES(lan_payload_text(m, "data_id"), lan_text(m, LAN_ID));
        (void)snprintf(s->push_id, sizeof s->push_id, "%.*s",
            SLICE_FMT(lan_text(m, LAN_ID)));
        if (!s->is_mute)
            acknowledge(s, m);
    }
    buf_put_u8(&s->heard, ';');
    if (m->type == LAN_SYNC_REQUEST && s->answer != NULL) {
        CHECK_OK(
            json_parse(&payload, slice_str(s->answer), JSON_STRICT, &a, NULL));
        CHECK_OK(
            lan_link_reply(s->there, m, LAN_SYNC_RESPONSE, payload, s->now_us));
    }
    arena_free(&a);
    return SYNCLINE_OK;
}

static void on_answer_there(
    void *ctx, uint64_t request, const struct lan_answer *a)
{
    struct scene *s = ctx;
    const struct json *p;

    (void)request;
    CHECK(a->m != NULL);
    p = a->m->member[LAN_PAYLOAD];
    if (a->m->type == LAN_SYNC_ACK) {
        buf_printf(&s->heard, "acked %lld refused %lld %.*s;",
            (long long)json_get_int(p, "items", -1),
            (long long)json_get_int(p, "refused", 0),
            SLICE_FMT(json_get_str(p, "error")));
        return;
    }
    CHECK(a->m->type == LAN_SYNC_RESPONSE);
    if (slice_is(json_get_str(p, "status"), "error")) {
        buf_printf(&s->heard, "answer error %.*s;",
            SLICE_FMT(json_get_str(p, "error")));
        return;
    }
    CHECK_SLICE(json_get_str(p, "status"), "success");
    buf_put_str(&s->heard, "answer ");
    put_items(&s->heard, p);
    buf_printf(&s->heard, " next %.*s%s%.*s;",
        SLICE_FMT(json_get_str(p, "next")),
        json_get_bool(p, "more", true) ? " more" : "",
        SLICE_FMT(json_get_str(p, "sync_id")));
}

static bool carry(struct buf *bytes, struct lan_link *to, uint64_t now_us)
{
    struct buf b = *bytes;
    const bool any = b.len > 0;

    *bytes = (struct buf){ 0 };
    if (any)
        lan_link_feed(to, buf_slice(&b), now_us);
    buf_free(&b);
    return any;
}

/* What nobody hears, and in which dialect. */
static void read_cut(struct scene *s)
{
    struct slice in = buf_slice(&s->to_there);
    struct arena a = { 0 };
    struct mac_key key;

    CHECK_OK(crypto_mac_key(&key, SLICE_LIT(KEY)));
    while (in.len > 0) {
        const size_t len = LAN_FRAME_HEAD + lan_frame_len(in.ptr);
        enum lan_dialect d;
        struct lan_message m;

        CHECK_OK(lan_message_read(&m,
            SLICE(in.ptr + LAN_FRAME_HEAD, len - LAN_FRAME_HEAD), &a, NULL));
        CHECK_OK(lan_message_verify(&d, &m, LAN_UNDECIDED, &key));
        buf_printf(&s->heard, "%.*s v%d;", SLICE_FMT(m.name), d);
        in = slice_from(in, len);
    }
    buf_clear(&s->to_there);
    arena_free(&a);
}

/* Its turn comes again. */
static bool goes_on(struct scene *s)
{
    const uint64_t due_us = s->is_held ? lan_link_deadline(s->here) : 0;

    if (due_us == 0 || due_us > s->now_us)
        return false;
    lan_link_tick(s->here, s->now_us);
    return true;
}

void scene_settle(struct scene *s)
{
    if (s->is_cut) {
        read_cut(s);
        return;
    }
    for (unsigned i = 0; i < 1000; i++) {
        bool any = carry(&s->to_here, s->here, s->now_us);

        any = carry(&s->to_there, s->there, s->now_us) || any;
        any = goes_on(s) || any;
        if (!any)
            return;
    }
    CHECK_SAYING(false, "they never stop");
}

static struct lan_protocol *protocol(const char *name)
{
    const struct lan_protocol_options opt = { .node_id = name,
        .node_name = name,
        .key = SLICE_LIT(KEY),
        .random = draw };
    struct lan_protocol *p = NULL;

    CHECK_OK(lan_protocol_new(&p, &opt));
    return p;
}

static void links_make(struct scene *s)
{
    struct lan_link_options opt = { .protocol = s->ours,
        .is_server = true,
        .needs_auth = true,
        .key = SLICE_LIT(KEY),
        .events = { .ctx = s,
            .send = on_send_here,
            .close = on_close,
            .hold = on_hold_here,
            .on_message = on_message_here,
            .on_answer = on_answer_here } };

    opt.is_server = !s->is_cut;
    CHECK_OK(lan_link_new(&s->here, &opt, s->now_us));
    if (s->is_cut) {
        lan_link_begin(s->here, s->now_us);
        return;
    }
    opt.protocol = s->theirs;
    opt.is_server = false;
    opt.auth = LAN_BY_TOKEN;
    opt.token = SLICE_LIT(KEY);
    opt.events.send = on_send_there;
    opt.events.hold = NULL;
    opt.events.on_message = on_message_there;
    opt.events.on_answer = on_answer_there;
    CHECK_OK(lan_link_new(&s->there, &opt, s->now_us));
    lan_link_begin(s->there, s->now_us);
    scene_settle(s);
    CHECK(lan_link_is_open(s->here) && lan_link_is_open(s->there));
}

void scene_forget(struct scene *s)
{
    buf_clear(&s->asked);
    buf_clear(&s->heard);
}

void scene_open(struct scene *s, const char *acked, const char *asked)
{
    const struct lan_exchange_port port = { .ctx = s,
        .watch = on_watch,
        .pace = on_pace,
        .unwatch = on_unwatch,
        .mark = on_mark,
        .write = on_write,
        .past = s->has_no_past ? NULL : on_past,
        .recall = on_recall,
        .keep = on_keep };

    s->known_acked = acked;
    s->known_asked = asked;
    s->now_us = NOW_US;
    s->ours = protocol("ours");
    s->theirs = protocol("node");
    CHECK_OK(lan_exchange_new(&s->x, &port, "ours"));
    links_make(s);
    CHECK_OK(lan_exchange_open(s->x, LINK, s->here, s->now_us));
    scene_settle(s);
}

void scene_close(struct scene *s)
{
    struct lan_exchange *x = s->x;

    lan_exchange_close(x, LINK);
    s->x = NULL; /* whoever waits is told */
    lan_link_end(s->here);
    lan_link_free(s->here);
    lan_link_free(s->there);
    lan_exchange_free(x);
    lan_protocol_free(s->ours);
    lan_protocol_free(s->theirs);
    buf_free(&s->to_here);
    buf_free(&s->to_there);
    buf_free(&s->asked);
    buf_free(&s->heard);
}

void check_asked(struct scene *s, const char *want)
{
    CHECK_SLICE(buf_slice(&s->asked), want);
    buf_clear(&s->asked);
}

void check_heard(struct scene *s, const char *want)
{
    CHECK_SLICE(buf_slice(&s->heard), want);
    buf_clear(&s->heard);
}

struct json *scene_parsed(const char *text, struct arena *a)
{
    struct json *v = NULL;

    CHECK_OK(json_parse(&v, slice_str(text), JSON_WRAPPED, a, NULL));
    return v;
}

static void event_of(struct scene *s, uint64_t watch, const char *text)
{
    struct arena a = { 0 };

    lan_exchange_event(s->x, watch, scene_parsed(text, &a), s->now_us);
    scene_settle(s);
    arena_free(&a);
}

void scene_event(struct scene *s, const char *text)
{
    event_of(s, LINK, text);
}

void scene_found(struct scene *s, const char *text)
{
    event_of(s, s->question, text);
}

void scene_unseen(struct scene *s, const char *why)
{
    lan_exchange_unseen(s->x, s->question, why, s->now_us);
    scene_settle(s);
}

void scene_past(struct scene *s, const char *text)
{
    struct arena a = { 0 };

    lan_exchange_past(
        s->x, LINK, text != NULL ? scene_parsed(text, &a) : NULL, s->now_us);
    scene_settle(s);
    arena_free(&a);
}

void scene_says(struct scene *s, enum lan_type type, const char *payload)
{
    struct arena a = { 0 };
    const struct lan_draft draft = { .type = type,
        .payload = scene_parsed(payload, &a) };
    uint64_t request;

    CHECK_OK(lan_link_request(s->there, &draft, s->now_us, &request));
    scene_settle(s);
    arena_free(&a);
}

void scene_sends(struct scene *s, enum lan_type type, const char *payload)
{
    struct arena a = { 0 };
    struct lan_draft draft = { .type = type };
    struct json *v = NULL;

    CHECK_OK(json_parse(&v, slice_str(payload), JSON_TOLERANT, &a, NULL));
    draft.payload = v;
    CHECK_OK(lan_link_send(s->there, &draft, s->now_us));
    scene_settle(s);
    arena_free(&a);
}

void scene_written(struct scene *s)
{
    const uint64_t n = s->tokens_n;

    s->tokens_n = 0;
    for (uint64_t i = 0; i < n; i++)
        lan_exchange_written(s->x, s->tokens[i], SYNCLINE_OK, "", s->now_us);
    scene_settle(s);
}

void scene_pass(struct scene *s, uint64_t us)
{
    s->now_us += us;
    lan_link_tick(s->here, s->now_us);
    scene_settle(s);
}
