/* What is waited for: answers, by an id that the other side says again, and
 * signs of life. */
#include "base/text.h"
#include "faces/lansync/link_impl.h"

#include <stdlib.h>

#define US UINT64_C(1000000)
#define MISSES_MAX 3

/* ---- asking ---- */

/* The members are the draft's, with those before them. The list of the draft
 * is not touched. */
static struct json *add_members(
    struct lan_link *l, const struct lan_draft *d, const char *id)
{
    struct json *payload = json_new(&l->arena, JSON_OBJECT);
    const struct json *from = d->payload;

    for (const struct json *m = from != NULL ? from->first : NULL; m != NULL;
         m = m->next) {
        struct json *copy = arena_alloc(&l->arena, sizeof *copy);

        if (copy == NULL)
            return NULL;
        *copy = *m;
        copy->next = NULL;
        json_add(payload, m->key, copy);
    }
    if (json_get(payload, "request_id") == NULL)
        json_add(payload, SLICE_LIT("request_id"),
            json_new_str(&l->arena, slice_str(id)));
    if (d->type == LAN_SYNC_DATA && json_get(payload, "data_id") == NULL)
        json_add(payload, SLICE_LIT("data_id"),
            json_new_str(&l->arena, slice_str(id)));
    return payload;
}

/* Whether it is whole does not hang on what was made before. */
static struct json *payload_with(
    struct lan_link *l, const struct lan_draft *d, const char *id)
{
    const bool failed = l->arena.failed;
    struct json *payload;

    l->arena.failed = false;
    payload = add_members(l, d, id);
    if (l->arena.failed)
        payload = NULL;
    l->arena.failed = l->arena.failed || failed;
    return payload;
}

/* Where it asks with an id of its own, that is what comes back. */
static bool keep_id(struct lan_waiting *w, const struct json *payload)
{
    struct slice id = json_get_str(payload, "request_id");

    if (id.len == 0 || id.len > LAN_UUID_LEN)
        return false;
    memcpy(w->id, id.ptr, id.len);
    w->id[id.len] = 0;
    return true;
}

int lan_link_request(struct lan_link *l, const struct lan_draft *draft,
    uint64_t now_us, uint64_t *request)
{
    struct lan_waiting *w;
    struct lan_draft d = *draft;
    char id[LAN_UUID_LEN + 1];
    int rc;

    if (l->state == LAN_OVER)
        return SYNCLINE_ECLOSED;
    if (l->waiting_n >= LAN_WAITING_MAX)
        return SYNCLINE_ELIMIT;
    w = calloc(1, sizeof *w);
    if (w == NULL)
        return SYNCLINE_ENOMEM;
    rc = lan_uuid(l->opt.protocol, id);
    d.payload = rc == SYNCLINE_OK ? payload_with(l, draft, id) : NULL;
    if (rc == SYNCLINE_OK && d.payload == NULL)
        rc = SYNCLINE_ENOMEM;
    if (rc == SYNCLINE_OK && !keep_id(w, d.payload))
        rc = SYNCLINE_EINVAL;
    d.id = draft->id != NULL ? draft->id : id;
    if (rc == SYNCLINE_OK)
        rc = lan_link_send(l, &d, now_us);
    if (rc != SYNCLINE_OK) {
        free(w);
        return rc;
    }
    *request = w->number = ++l->next_number;
    w->due_us =
        now_us + (draft->wait_us > 0 ? draft->wait_us : l->opt.request_us);
    *l->last = w;
    l->last = &w->next;
    l->waiting_n++;
    return SYNCLINE_OK;
}

int lan_link_reply(struct lan_link *l, const struct lan_message *m,
    enum lan_type type, struct json *payload, uint64_t now_us)
{
    static const char *const ids[] = { "request_id", "sync_id" };
    struct lan_draft draft = { .type = type, .payload = payload };

    for (size_t i = 0; i < 2; i++) {
        const struct json *id = json_get(m->member[LAN_PAYLOAD], ids[i]);

        if (id != NULL && json_get(payload, ids[i]) == NULL)
            json_add(payload, slice_str(ids[i]), json_copy(id, &l->arena));
    }
    return payload != NULL && !l->arena.failed
        ? lan_link_send(l, &draft, now_us)
        : SYNCLINE_ENOMEM;
}

/* ---- answers ---- */

static struct lan_waiting *unlink_at(
    struct lan_link *l, struct lan_waiting **at)
{
    struct lan_waiting *w = *at;

    *at = w->next;
    if (l->last == &w->next)
        l->last = at;
    l->waiting_n--;
    return w;
}

static void tell(struct lan_link *l, struct lan_waiting *w, int rc,
    const struct lan_message *m)
{
    const struct lan_answer answer = { rc, m };
    uint64_t number = w->number;

    free(w);
    l->opt.events.on_answer(l->opt.events.ctx, number, &answer);
}

/* The second generation takes the id of a message for that of a request. */
static struct lan_waiting **waiting_for(
    struct lan_link *l, const struct lan_message *m)
{
    static const char *const ids[] = { "request_id", "sync_id", "ack_id",
        "data_id" };

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct slice id = lan_payload_text(m, ids[i]);

        if (id.len == 0)
            continue;
        for (struct lan_waiting **at = &l->waiting; *at != NULL;
             at = &(*at)->next)
            if (slice_is(id, (*at)->id))
                return at;
    }
    return NULL;
}

static bool is_answer(enum lan_type type)
{
    return type == LAN_SYNC_RESPONSE || type == LAN_SYNC_ACK ||
        type == LAN_SYNC_COMPLETE || type == LAN_AUTH_RESPONSE ||
        type == LAN_ERROR || type == LAN_OTHER;
}

bool wait_answered(struct lan_link *l, const struct lan_message *m)
{
    struct lan_waiting **at = is_answer(m->type) ? waiting_for(l, m) : NULL;
    struct slice status = lan_payload_text(m, "status");
    bool is_no = m->type == LAN_ERROR ||
        (m->type == LAN_SYNC_RESPONSE && status.len > 0 &&
            !slice_is(status, "success") && !slice_is(status, "ok"));

    if (m->type == LAN_ERROR) {
        if (auth_refused(l, m))
            return true;
        if (at == NULL)
            link_log(l, "it says: %.*s",
                SLICE_FMT(utf8_cut(lan_payload_text(m, "error"), 200)));
    }
    if (at != NULL)
        tell(l, unlink_at(l, at), is_no ? SYNCLINE_EDENIED : SYNCLINE_OK, m);
    return at != NULL || m->type == LAN_ERROR;
}

void wait_end(struct lan_link *l, int rc)
{
    while (l->waiting != NULL)
        tell(l, unlink_at(l, &l->waiting), rc, NULL);
}

/* ---- signs of life ---- */

static bool is_missed(struct lan_link *l)
{
    const unsigned most =
        l->opt.misses_max > 0 ? l->opt.misses_max : MISSES_MAX;

    if (l->answer_due_us == 0)
        return false;
    l->answer_due_us = 0;
    l->heartbeat_id[0] = 0;
    if (++l->missed < most)
        return false;
    link_close(l, "it answers no heartbeat any more");
    return true;
}

/* Who never answers one is not one that answers. */
static void wait_for_answer(struct lan_link *l, uint64_t now_us)
{
    const uint64_t wait_us = l->opt.heartbeat_wait_us;

    if (l->is_answering)
        l->answer_due_us = now_us +
            (wait_us > 0 && wait_us < l->opt.heartbeat_us
                    ? wait_us
                    : l->opt.heartbeat_us);
}

static void beat(struct lan_link *l, uint64_t now_us)
{
    struct json *payload = json_new(&l->arena, JSON_OBJECT);
    struct lan_draft draft = { .type = LAN_HEARTBEAT, .payload = payload };

    l->heartbeat_due_us = now_us + l->opt.heartbeat_us;
    if (l->opt.is_server && l->dialect == LAN_UNDECIDED)
        return; /* nothing was said yet */
    if (is_missed(l))
        return;
    if (!l->opt.is_server && l->dialect != LAN_FIRST &&
        lan_uuid(l->opt.protocol, l->heartbeat_id) == SYNCLINE_OK) {
        json_add(payload, SLICE_LIT("timestamp"),
            json_new_int(&l->arena, (int64_t)(wall_us(l, now_us) / US)));
        json_add(payload, SLICE_LIT("request_id"),
            json_new_str(&l->arena, slice_str(l->heartbeat_id)));
        wait_for_answer(l, now_us);
    }
    if (payload == NULL || l->arena.failed ||
        lan_link_send(l, &draft, now_us) != SYNCLINE_OK)
        link_close(l, "memory ran out");
}

static void answer_heartbeat(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us)
{
    const struct json *from = m->member[LAN_PAYLOAD];
    const struct json *time = json_get(from, "timestamp");
    struct json *payload = json_new(&l->arena, JSON_OBJECT);
    const struct lan_draft draft = { .type = LAN_HEARTBEAT,
        .payload = payload };

    if (time != NULL)
        json_add(payload, SLICE_LIT("timestamp"), json_copy(time, &l->arena));
    json_add(payload, SLICE_LIT("request_id"),
        json_copy(json_get(from, "request_id"), &l->arena));
    if (payload == NULL || l->arena.failed ||
        lan_link_send(l, &draft, now_us) != SYNCLINE_OK)
        link_close(l, "memory ran out");
}

static bool is_number(const struct json *v)
{
    return v->type == JSON_INT || v->type == JSON_DOUBLE ||
        v->type == JSON_BIGINT;
}

/* An answer to ours is none that is answered again. */
void heartbeat_came(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us)
{
    const struct json *said = json_get(m->member[LAN_PAYLOAD], "request_id");
    struct slice id = lan_payload_text(m, "request_id");

    if (said == NULL || (id.len == 0 && !is_number(said)))
        return;
    if (l->heartbeat_id[0] != 0 && slice_is(id, l->heartbeat_id)) {
        l->heartbeat_id[0] = 0;
        l->is_answering = true;
        l->answer_due_us = 0;
        l->missed = 0;
    } else if (l->opt.is_server) {
        answer_heartbeat(l, m, now_us);
    }
}

static struct lan_waiting **overdue(struct lan_link *l, uint64_t now_us)
{
    struct lan_waiting **at = &l->waiting;

    while (*at != NULL && (*at)->due_us > now_us)
        at = &(*at)->next;
    return *at != NULL ? at : NULL;
}

void wait_tick(struct lan_link *l, uint64_t now_us)
{
    struct lan_waiting **at;

    if (overdue(l, now_us) != NULL)
        link_try_other(l);
    /* Whoever is told may ask again, and change the list. */
    while ((at = overdue(l, now_us)) != NULL)
        tell(l, unlink_at(l, at), SYNCLINE_ETIMEOUT, NULL);
    if (l->state != LAN_OVER && l->answer_due_us != 0 &&
        now_us >= l->answer_due_us && is_missed(l))
        return;
    if (l->state != LAN_OVER && l->heartbeat_due_us != 0 &&
        now_us >= l->heartbeat_due_us)
        beat(l, now_us);
}

uint64_t wait_deadline(const struct lan_link *l)
{
    uint64_t next = l->heartbeat_due_us;

    for (const struct lan_waiting *w = l->waiting; w != NULL; w = w->next)
        if (next == 0 || w->due_us < next)
            next = w->due_us;
    if (l->answer_due_us != 0 && (next == 0 || l->answer_due_us < next))
        next = l->answer_due_us;
    return next;
}
