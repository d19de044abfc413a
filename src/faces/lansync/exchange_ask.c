/* What LAN-sync nodes ask. Many ask the same: those that look now and then
 * whether there is anything new, and all of them after a start of ours. So what
 * was answered is kept as long as the space has not changed. */
#include "base/plant.h"
#include "faces/lansync/exchange_impl.h"
#include "faces/lansync/moment.h"

#include <stdlib.h>

#define QUERIES_MAX 1024 /* questions that are being answered at once */
#define QUERIES_MANY 4   /* then who asks one more waits for room */
#define QUERY_BIT ((uint64_t)1 << 63) /* their watches, apart from links' */
#define KEPT_BYTES ((size_t)4 << 20)  /* of memory, for all that is kept */

static void query_free(struct lan_query *q)
{
    if (q == NULL)
        return;
    arena_free(&q->batch.arena);
    id_free(&q->request_id);
    id_free(&q->sync_id);
    free(q);
}

bool queries_are_many(const struct lan_exchange *x)
{
    return x->queries_n >= QUERIES_MANY && !PLANTED(R21_LAN_ASKS);
}

static void unlink_query(struct lan_query *query)
{
    struct lan_query **at = &query->x->queries;

    while (*at != query)
        at = &(*at)->next;
    *at = query->next;
    query->x->queries_n--;
}

struct lan_query *query_of(struct lan_exchange *x, uint64_t watch)
{
    struct lan_query *q = x->queries;

    while (q != NULL && q->watch != watch)
        q = q->next;
    return q;
}

void queries_drop(struct lan_exchange *x, uint64_t side)
{
    struct lan_query *q = x->queries;

    while (q != NULL) {
        struct lan_query *next = q->next;

        if (q->side == side) {
            x->port.unwatch(x->port.ctx, q->watch);
            unlink_query(q);
            query_free(q);
        }
        q = next;
    }
}

/* ---- what is kept ---- */

void answers_forget(struct lan_exchange *x)
{
    for (size_t i = 0; i < LAN_KEPT_MAX; i++) {
        query_free(x->kept[i]);
        x->kept[i] = NULL;
    }
}

/* Another number once the same question is answered otherwise; 0: nobody
 * knows. */
static uint64_t state_of(const struct lan_exchange *x)
{
    const uint64_t mark = x->port.mark != NULL ? x->port.mark(x->port.ctx) : 0;
    struct hash128 h = { 0 };

    if (mark == 0)
        return 0;
    hash128_add_word(&h, mark);
    hash128_add_word(&h, x->said);
    return h.lo | 1;
}

/* What a node has told of it is not told to it: it is answered by itself. */
static uint64_t state_for(const struct lan_side *s)
{
    return s->told.n == 0 ? state_of(s->x) : 0;
}

static bool is_same(const struct lan_query *a, const struct lan_query *b)
{
    return a->state == b->state && a->limit == b->limit &&
        a->since_us == b->since_us && strcmp(a->from, b->from) == 0;
}

static const struct lan_query *kept_for(const struct lan_query *q)
{
    for (size_t i = 0; i < LAN_KEPT_MAX && q->state != 0; i++)
        if (q->x->kept[i] != NULL && is_same(q->x->kept[i], q))
            return q->x->kept[i];
    return NULL;
}

static size_t kept_bytes(const struct lan_exchange *x)
{
    size_t bytes = 0;

    for (size_t i = 0; i < LAN_KEPT_MAX; i++)
        bytes += x->kept[i] != NULL ? x->kept[i]->batch.arena.held : 0;
    return bytes;
}

/* The oldest go, one at least, until there is room for so much. */
static void make_room(struct lan_exchange *x, size_t bytes)
{
    for (size_t i = 0; i < LAN_KEPT_MAX; i++) {
        struct lan_query **at = &x->kept[(x->kept_next + i) % LAN_KEPT_MAX];

        if (i > 0 && kept_bytes(x) + bytes <= KEPT_BYTES)
            break;
        query_free(*at);
        *at = NULL;
    }
}

/* False: it is not to be kept. */
static bool keep(struct lan_query *q, const struct lan_side *s)
{
    struct lan_exchange *x = q->x;
    const size_t bytes = q->batch.arena.held;

    if (q->state == 0 || q->is_short || bytes > KEPT_BYTES ||
        q->state != state_for(s))
        return false;
    make_room(x, bytes);
    x->kept[x->kept_next++ % LAN_KEPT_MAX] = q;
    return true;
}

/* ---- questions ---- */

static void answer(struct lan_side *s, const struct lan_query *q,
    const struct json *request_id, const struct json *sync_id, uint64_t now_us)
{
    struct arena *a = &s->x->answer;
    struct json *payload = json_new(a, JSON_OBJECT);
    struct json *items = json_new(a, JSON_ARRAY);
    struct json *data = json_new(a, JSON_OBJECT);
    const struct lan_draft draft = { .type = LAN_SYNC_RESPONSE,
        .payload = payload };

    if (items != NULL && q->batch.items != NULL)
        *items = *q->batch.items;
    s->x->counts.answered += items != NULL ? items->n : 0;
    text_add(payload, "status", SLICE_LIT("success"), a);
    json_add(data, SLICE_LIT("items"),
        json_new_int(a, items != NULL ? items->n : 0));
    json_add(payload, SLICE_LIT("data"), data);
    json_add(payload, SLICE_LIT("items"), items);
    text_add(payload, "next", slice_str(q->batch.cursor), a);
    json_add(payload, SLICE_LIT("more"), json_new_bool(a, q->more));
    id_add(payload, "request_id", request_id, a);
    id_add(payload, "sync_id", sync_id, a);
    side_say(s, &draft, a, now_us);
    arena_reset(a);
}

/* A point that one of our answers named, or a time; else from the start. */
static void read_question(
    struct lan_query *q, struct lan_side *s, const struct json *payload)
{
    struct slice since = json_get_str(payload, "since");
    const int64_t limit = json_get_int(payload, "limit", LAN_BATCH_MAX);

    q->x = s->x;
    q->side = s->number;
    q->state = state_for(s);
    q->limit =
        limit > 0 && limit < LAN_BATCH_MAX ? (uint64_t)limit : LAN_BATCH_MAX;
    q->since_us = 0;
    batch_init(&q->batch);
    q->request_id.longer = q->sync_id.longer = NULL;
    if (moment_read(&q->since_us, since) == SYNCLINE_OK)
        since = SLICE_NONE;
    point_keep(q->from, since);
}

static int begin(struct lan_query *q, const struct lan_message *m)
{
    struct lan_exchange *x = q->x;
    int rc = id_keep(&q->request_id, m, "request_id");

    if (rc == SYNCLINE_OK)
        rc = id_keep(&q->sync_id, m, "sync_id");
    if (rc != SYNCLINE_OK)
        return rc;
    q->watch = ++x->next_query | QUERY_BIT;
    q->is_short = q->more = false;
    memcpy(q->batch.cursor, q->from, strlen(q->from) + 1);
    q->next = x->queries;
    x->queries = q;
    x->queries_n++;
    rc = x->port.watch(x->port.ctx, q->watch, q->from);
    if (rc != SYNCLINE_OK)
        unlink_query(q);
    return rc;
}

int query_begin(
    struct lan_side *s, const struct lan_message *m, uint64_t now_us)
{
    struct lan_exchange *x = s->x;
    const struct lan_query *kept;
    struct lan_query *q;
    int rc = SYNCLINE_OK;

    if (x->queries_n >= QUERIES_MAX)
        return SYNCLINE_EBUSY;
    q = malloc(sizeof *q); /* most of it is room for texts */
    if (q == NULL)
        return SYNCLINE_ENOMEM;
    read_question(q, s, m->member[LAN_PAYLOAD]);
    x->counts.asked++;
    kept = kept_for(q);
    if (kept == NULL)
        rc = begin(q, m);
    else
        answer(s, kept, id_of(m, "request_id"), id_of(m, "sync_id"), now_us);
    if (kept != NULL || rc != SYNCLINE_OK)
        query_free(q);
    if (kept != NULL)
        side_next_turn(s, now_us);
    else if (queries_are_many(x))
        side_hold(s, true, now_us);
    return rc;
}

void query_event(struct lan_query *q, const struct json *event, uint64_t now_us)
{
    struct lan_exchange *x = q->x;
    struct lan_side *s = side_of(x, q->side);
    bool is_live = json_get_bool(event, "live", false);
    int rc = SYNCLINE_OK;

    if (json_get(event, "key") != NULL && !side_was_told(s, event))
        rc = batch_add(s, &q->batch, event, q->since_us);
    q->is_short = q->is_short || rc != SYNCLINE_OK;
    if (rc == SYNCLINE_ELIMIT)
        rc = SYNCLINE_OK;
    if (rc == SYNCLINE_OK)
        batch_note(&q->batch, event);
    if (rc == SYNCLINE_OK && !is_live && !batch_is_full(s, &q->batch) &&
        (q->batch.items == NULL || q->batch.items->n < q->limit))
        return;
    x->port.unwatch(x->port.ctx, q->watch);
    q->more = !is_live;
    answer(s, q, &q->request_id.v, &q->sync_id.v, now_us);
    unlink_query(q);
    if (!keep(q, s))
        query_free(q);
    sides_go_on(x, now_us);
}

void query_fails(struct lan_query *q, const char *why, uint64_t now_us)
{
    struct lan_exchange *x = q->x;
    struct arena *a = &x->answer;
    struct json *payload = json_new(a, JSON_OBJECT);
    const struct lan_draft draft = { .type = LAN_SYNC_RESPONSE,
        .payload = payload };

    x->port.unwatch(x->port.ctx, q->watch);
    text_add(payload, "status", SLICE_LIT("error"), a);
    text_add(payload, "error", slice_str(why), a);
    id_add(payload, "request_id", &q->request_id.v, a);
    id_add(payload, "sync_id", &q->sync_id.v, a);
    side_say(side_of(x, q->side), &draft, a, now_us);
    arena_reset(a);
    unlink_query(q);
    query_free(q);
    sides_go_on(x, now_us);
}
