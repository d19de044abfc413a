/* What is said, and what is made of what others say. */
#include "app/lib/lib_lan.h"

#include <stdio.h>
#include <stdlib.h>

#define QUEUE_MAX ((size_t)64 << 20)

struct lib_lan_handle {
    struct lib_lan_handle *next;
    char *type; /* NULL: those that have no other */
    syncline_lan_handle_fn *fn;
    void *ctx;
};

struct lib_lan_wait {
    struct lib_lan_wait *next;
    uint64_t request;
    syncline_lan_answer_fn *fn;
    void *ctx;
};

static int no_memory(void)
{
    return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
}

/* ---- who is there for a type ---- */

static bool same_type(const struct lib_lan_handle *h, const char *type)
{
    return h->type == NULL || type == NULL ? h->type == type
                                           : strcmp(h->type, type) == 0;
}

int lib_lan_handle(struct lib_lan_end *e, const char *type,
    syncline_lan_handle_fn *fn, void *ctx)
{
    struct lib_lan_handle *made, **at = &e->handles, *old;

    if (type != NULL && !lib_lan_type_ok(type))
        return lib_fail(SYNCLINE_EINVAL, "type: no name of one");
    if (e->loop.forks != forks_n())
        return lib_check_forks(e->loop.forks);
    made = calloc(1, sizeof *made);
    if (made != NULL && type != NULL)
        made->type = strdup(type);
    if (made == NULL || (type != NULL && made->type == NULL)) {
        free(made);
        return no_memory();
    }
    made->fn = fn;
    made->ctx = ctx;
    (void)pthread_mutex_lock(&e->loop.lock);
    while (*at != NULL && !same_type(*at, type))
        at = &(*at)->next;
    old = *at;
    made->next = old != NULL ? old->next : NULL;
    *at = made;
    (void)pthread_mutex_unlock(&e->loop.lock);
    if (old != NULL)
        free(old->type);
    free(old);
    return SYNCLINE_OK;
}

void lib_lan_handles_free(struct lib_lan_end *e)
{
    while (e->handles != NULL) {
        struct lib_lan_handle *next = e->handles->next;

        free(e->handles->type);
        free(e->handles);
        e->handles = next;
    }
}

/* Copied, since another may take its place. */
static struct lib_lan_handle handle_of(struct lib_lan_end *e, struct slice name)
{
    struct lib_lan_handle found = { .fn = NULL }, other = { .fn = NULL };

    (void)pthread_mutex_lock(&e->loop.lock);
    for (const struct lib_lan_handle *h = e->handles; h != NULL; h = h->next) {
        if (h->type == NULL)
            other = *h;
        else if (slice_is(name, h->type))
            found = *h;
    }
    (void)pthread_mutex_unlock(&e->loop.lock);
    return found.fn != NULL ? found : other;
}

bool lib_lan_knows(struct lib_lan_end *e, struct slice name)
{
    return handle_of(e, name).fn != NULL;
}

/* ---- a message as callbacks see it ---- */

static const char *text_of(struct slice s, struct arena *a)
{
    return (const char *)arena_dup(a, s).ptr;
}

/* The buffer that had the last one is used again. */
static const char *payload_of(
    struct lib_lan_end *e, const struct lan_message *m)
{
    const struct slice said = lan_payload_said(m);
    struct buf *b = &e->payload;

    if (b->cap > LIB_LAN_SCRATCH)
        buf_free(b);
    buf_clear(b);
    if (said.ptr != NULL)
        buf_put_slice(b, said);
    else
        json_print(b, m->member[LAN_PAYLOAD], JSON_COMPACT);
    buf_put_u8(b, 0);
    return buf_status(b) == SYNCLINE_OK ? (const char *)b->ptr : NULL;
}

int lib_lan_view(struct syncline_lan_message *out, struct lib_lan_conn *c,
    const struct lan_message *m, struct arena *a)
{
    *out = (struct syncline_lan_message){ .type = text_of(m->name, a),
        .payload = payload_of(c->end, m),
        .id = text_of(lan_text(m, LAN_ID), a),
        .timestamp = text_of(lan_text(m, LAN_TIMESTAMP), a),
        .source_id = text_of(lan_sender(m), a),
        .source_name =
            text_of(json_get_str(m->member[LAN_SOURCE], "node_name"), a),
        .request_id = text_of(lan_payload_text(m, "request_id"), a),
        .dialect = (enum syncline_lan_dialect)lan_link_dialect(c->link) };
    return out->type != NULL && out->payload != NULL && out->id != NULL &&
            out->timestamp != NULL && out->source_id != NULL &&
            out->source_name != NULL && out->request_id != NULL
        ? SYNCLINE_OK
        : SYNCLINE_ENOMEM;
}

/* ---- replies ---- */

static enum lan_type reply_type(const struct lan_message *m)
{
    return m->type == LAN_SYNC_DATA ? LAN_SYNC_ACK : LAN_SYNC_RESPONSE;
}

/* In place of what stands there, under the same name. */
static void put_over(struct json *own, const struct json *id, struct arena *a)
{
    struct json *copy = json_copy(id, a);
    const struct json was = *own;

    if (copy == NULL)
        return;
    *own = *copy;
    own->key = was.key;
    own->next = was.next;
}

/* What tells the other side which of its messages it answers: by another id it
 * would wait for ever. What is a question of its own has ids of its own. */
static void echo_ids(struct json *payload, const struct lan_message *m,
    enum lan_type type, struct arena *a)
{
    const bool is_question = type == LAN_SYNC_REQUEST || type == LAN_SYNC_DATA;
    static const char *const ids[] = { "request_id", "sync_id", "data_id" };

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        const struct json *id = json_get(m->member[LAN_PAYLOAD], ids[i]);

        struct json *own = json_get(payload, ids[i]);

        if (id != NULL && own == NULL)
            json_add(payload, slice_str(ids[i]), json_copy(id, a));
        else if (id != NULL && id->type != JSON_NULL && !is_question)
            put_over(own, id, a);
    }
}

static int send_reply(struct lib_lan_conn *c, const struct lan_message *m,
    struct lan_draft *draft, struct json *payload, struct arena *a)
{
    struct slice type = json_get_str(payload, "message_type");
    struct json *inner = json_get(payload, "payload");

    draft->type = reply_type(m);
    if (type.len > 0 && inner != NULL && inner->type == JSON_OBJECT) {
        const char *name = text_of(type, a);

        if (name == NULL)
            return no_memory();
        if (!lib_lan_type_ok(name))
            return lib_fail(
                SYNCLINE_EINVAL, "reply: message_type: no name of one");
        draft->name = slice_str(name);
        draft->type = lan_type_of(draft->name);
        payload = inner;
    }
    echo_ids(payload, m, draft->type, a);
    if (a->failed)
        return no_memory();
    draft->payload = payload;
    return lan_link_send(c->link, draft, clock_mono_us());
}

static int reply_with(struct lib_lan_conn *c, const struct lan_message *m,
    char *text, struct arena *a)
{
    struct lan_draft draft = { .type = LAN_OTHER };
    struct json *payload;
    int rc = lib_lan_object(&payload, text, "reply", a);
    bool is_wrong = rc != SYNCLINE_OK;

    if (rc == SYNCLINE_OK) {
        rc = send_reply(c, m, &draft, payload, a);
        is_wrong = rc == SYNCLINE_EINVAL;
    }
    if (is_wrong)
        log_line(&c->end->log, LOG_LEVEL_ERROR, "lansync",
            "a callback for %.*s: %s", SLICE_FMT(m->name), syncline_error());
    return rc;
}

static int acknowledge(
    struct lib_lan_conn *c, const struct lan_message *m, struct arena *a)
{
    struct lan_draft draft = { .type = LAN_SYNC_ACK };
    struct json *payload = json_new(a, JSON_OBJECT);

    json_add(
        payload, SLICE_LIT("status"), json_new_str(a, SLICE_LIT("processed")));
    return payload != NULL ? send_reply(c, m, &draft, payload, a)
                           : SYNCLINE_ENOMEM;
}

/* Answers that come too late are no requests of somebody. */
static bool is_late(const struct lan_message *m)
{
    return m->type == LAN_SYNC_ACK || m->type == LAN_SYNC_RESPONSE ||
        m->type == LAN_AUTH_RESPONSE;
}

int lib_lan_take(struct lib_lan_conn *c, const struct lan_message *m)
{
    const struct lib_lan_handle h = handle_of(c->end, m->name);
    struct syncline_lan_message view;
    struct arena *a = &c->end->scratch;
    char *reply = NULL;
    int rc;

    if (h.fn == NULL)
        return is_late(m) ? SYNCLINE_OK : SYNCLINE_EUNSUPPORTED;
    arena_reset(a);
    rc = lib_lan_view(&view, c, m, a);
    if (rc == SYNCLINE_OK)
        rc = h.fn(h.ctx, c->id, &view, &reply);
    if (rc > 0)
        rc = SYNCLINE_EINVAL;
    if (rc == SYNCLINE_OK && !c->is_over) {
        if (reply != NULL)
            rc = reply_with(c, m, reply, a);
        else if (m->type == LAN_SYNC_DATA)
            rc = acknowledge(c, m, a);
    }
    free(reply);
    return rc;
}

/* ---- saying ---- */

struct asking {
    struct lib_lan_loop *loop;
    lib_lan_judge_fn *judge;
    bool is_done;
    int rc;
    struct buf answer;
    struct errmsg why;
};

static syncline_lan_answer_fn on_asked;

void lib_lan_waits_free(struct lib_lan_conn *c)
{
    while (c->waits != NULL) {
        struct lib_lan_wait *next = c->waits->next;

        free(c->waits);
        c->waits = next;
    }
}

static const char *ended_by(const struct lib_lan_conn *c)
{
    return c->why[0] != 0 ? c->why : c->said;
}

void lib_lan_answered(
    struct lib_lan_conn *c, uint64_t request, const struct lan_answer *answer)
{
    struct lib_lan_wait **at = &c->waits, *w;
    struct syncline_lan_message view;
    struct arena a = { 0 };
    int rc = answer->rc;

    while (*at != NULL && (*at)->request != request)
        at = &(*at)->next;
    w = *at;
    if (w == NULL)
        return;
    *at = w->next;
    if (answer->m != NULL &&
        lib_lan_view(&view, c, answer->m, &a) != SYNCLINE_OK)
        rc = SYNCLINE_ENOMEM;
    if (w->fn == on_asked && rc == SYNCLINE_ECLOSED && ended_by(c)[0] != 0)
        errmsg_set(&((struct asking *)w->ctx)->why, 0,
            "the connection was closed: %s", ended_by(c));
    w->fn(
        w->ctx, rc, answer->m != NULL && rc != SYNCLINE_ENOMEM ? &view : NULL);
    arena_free(&a);
    free(w);
}

static int told(int rc)
{
    switch (rc) {
    case SYNCLINE_OK:
        return rc;
    case SYNCLINE_ECLOSED:
        return lib_fail(rc, "the connection is closed");
    case SYNCLINE_ELIMIT:
        return lib_fail(rc, "too long, or too many wait for answers");
    case SYNCLINE_ENOMEM:
        return no_memory();
    case SYNCLINE_EINVAL:
        return lib_fail(
            rc, "request_id: a text of at most %d bytes", LAN_UUID_LEN);
    default:
        return lib_fail(rc, "the message cannot be said in that dialect");
    }
}

static int ask_one(struct lib_lan_saying *s, struct lib_lan_conn *c,
    const struct lan_draft *draft)
{
    struct lib_lan_wait *w = calloc(1, sizeof *w);
    int rc = w != NULL
        ? lan_link_request(c->link, draft, clock_mono_us(), &w->request)
        : SYNCLINE_ENOMEM;

    if (rc != SYNCLINE_OK) {
        free(w);
        return rc;
    }
    w->fn = s->fn;
    w->ctx = s->ctx;
    w->next = c->waits;
    c->waits = w;
    return SYNCLINE_OK;
}

static int say_to(struct lib_lan_saying *s, struct lib_lan_conn *c)
{
    const struct lan_draft draft = { .type = lan_type_of(slice_str(s->type)),
        .name = slice_str(s->type),
        .payload = s->value,
        .wait_us = s->timeout_ms * UINT64_C(1000) };
    int rc;

    if (c->is_over)
        return lib_fail(SYNCLINE_ECLOSED, "the connection is closed");
    if (stream_queued(c->stream) > QUEUE_MAX)
        return lib_fail(SYNCLINE_EBUSY, "the other side does not read");
    lan_protocol_set_wall(c->end->protocol, clock_wall_us(), clock_mono_us());
    rc = s->fn != NULL ? ask_one(s, c, &draft)
                       : lan_link_send(c->link, &draft, clock_mono_us());
    s->sent += rc == SYNCLINE_OK;
    lib_lan_arm_for(c);
    return told(rc);
}

static bool may_hear(const struct lib_lan_conn *c)
{
    return !c->is_over &&
        (c->is_open ||
            (c->end->is_server && c->end->config.require_authentication == 0));
}

static int say_to_all(struct lib_lan_saying *s)
{
    int rc = SYNCLINE_OK;

    for (struct lib_lan_conn *c = s->end->conns; c != NULL; c = c->next)
        if (may_hear(c)) {
            int one = say_to(s, c);

            if (one != SYNCLINE_OK && one != SYNCLINE_ECLOSED)
                rc = one;
        }
    return rc;
}

static int on_say(void *arg)
{
    struct lib_lan_saying *s = arg;
    struct lib_lan_conn *c = s->end->conns;
    int rc;

    if (s->end->is_server && s->client_id == NULL) {
        rc = say_to_all(s);
    } else {
        while (c != NULL && s->client_id != NULL &&
            strcmp(c->id, s->client_id) != 0)
            c = c->next;
        if (c == NULL)
            return s->client_id != NULL
                ? lib_fail(
                      SYNCLINE_ENOTFOUND, "%s: no such client", s->client_id)
                : lib_fail(SYNCLINE_ECLOSED, "it is not connected just now");
        if (!may_hear(c))
            return s->client_id != NULL
                ? lib_fail(SYNCLINE_EDENIED, "it was not let in")
                : lib_fail(SYNCLINE_ECLOSED, "we are not let in yet");
        rc = say_to(s, c);
    }
    return rc;
}

int lib_lan_say(struct lib_lan_saying *s)
{
    int rc;

    if (!lib_lan_type_ok(s->type))
        return lib_fail(SYNCLINE_EINVAL, "type: no name of one");
    rc = lib_lan_object(&s->value, s->payload, "payload", &s->arena);
    if (rc == SYNCLINE_OK)
        rc = lib_lan_loop_call(&s->end->loop, on_say, s);
    arena_free(&s->arena);
    return rc;
}

/* ---- and waiting for the answer ---- */

static int judge_answer(int status, const struct syncline_lan_message *m,
    struct buf *answer, struct errmsg *why)
{
    struct arena a = { 0 };
    struct json *v = NULL;
    struct slice text;

    if (status == SYNCLINE_OK) {
        buf_put_str(answer, m->payload);
        return SYNCLINE_OK;
    }
    if (m == NULL && why->text[0] != 0)
        return status;
    if (m == NULL)
        return errmsg_set(why, status, "%s",
            status == SYNCLINE_ETIMEOUT      ? "no answer in time"
                : status == SYNCLINE_ECLOSED ? "the connection was closed"
                                             : "memory ran out");
    (void)!json_parse(&v, slice_str(m->payload), JSON_TOLERANT, &a, NULL);
    text = json_get_str(v, "error");
    if (text.len == 0)
        text = json_get_str(v, "message");
    errmsg_set(why, 0, "%.*s",
        SLICE_FMT(text.len > 0 ? text : slice_str("it says no")));
    arena_free(&a);
    return status;
}

static void on_asked(
    void *ctx, int status, const struct syncline_lan_message *m)
{
    struct asking *q = ctx;
    int rc = q->judge(status, m, &q->answer, &q->why);

    (void)pthread_mutex_lock(&q->loop->lock);
    q->rc = rc;
    q->is_done = true;
    (void)pthread_cond_broadcast(&q->loop->done);
    (void)pthread_mutex_unlock(&q->loop->lock);
}

static int ask_and_wait(
    struct lib_lan_saying *s, struct asking *q, char **answer)
{
    int rc = lib_lan_say(s);

    if (rc != SYNCLINE_OK)
        return rc;
    (void)pthread_mutex_lock(&q->loop->lock);
    while (!q->is_done)
        (void)pthread_cond_wait(&q->loop->done, &q->loop->lock);
    (void)pthread_mutex_unlock(&q->loop->lock);
    return q->rc == SYNCLINE_OK ? lib_lan_text(answer, &q->answer)
                                : lib_fail(q->rc, "%s", q->why.text);
}

int lib_lan_ask(
    struct lib_lan_saying *s, lib_lan_judge_fn *judge, char **answer)
{
    struct asking q = { .loop = &s->end->loop,
        .judge = judge != NULL ? judge : judge_answer };
    struct lib_lan_loop *before;
    int rc;

    if (lib_lan_loop_inside(q.loop))
        return lib_fail(SYNCLINE_EBUSY, "not from a callback");
    rc = lib_lan_wait_begin(q.loop, &before);
    if (rc != SYNCLINE_OK)
        return rc;
    s->fn = on_asked;
    s->ctx = &q;
    rc = lib_lan_loop_enter(q.loop);
    if (rc == SYNCLINE_OK) {
        rc = ask_and_wait(s, &q, answer);
        lib_lan_loop_leave(q.loop);
    }
    buf_free(&q.answer);
    lib_lan_wait_end(before);
    return rc;
}
