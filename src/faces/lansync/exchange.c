#include "faces/lansync/exchange.h"

#include <stdio.h>
#include <stdlib.h>

#include "faces/lansync/exchange_impl.h"

#define SCRATCH_MAX ((size_t)64 << 10)
#define TRIES_MAX 3
#define TAKES_NONE "it takes no items: "
#define OUTDO_US 2000 /* what has come together is told so much later */

struct lan_side *side_of(struct lan_exchange *x, uint64_t number)
{
    struct lan_side *s = x->sides;

    while (s != NULL && s->number != number)
        s = s->next;
    return s;
}

const char *side_name(const struct lan_side *s)
{
    return s->node[0] != 0 ? s->node : "a node that has not said its name";
}

void side_log(struct lan_side *s, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    if (s->x->port.log == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    s->x->port.log(s->x->port.ctx, text);
}

/* The oldest of those that wait is what is sent. */
static void take_waiting(struct lan_side *s)
{
    struct lan_batch *first = s->waiting;

    arena_free(&s->sent.arena);
    s->waiting = first->next;
    s->sent = *first;
    free(first);
}

static void drop_waiting(struct lan_side *s)
{
    while (s->waiting != NULL)
        take_waiting(s);
}

static void side_free(struct lan_side *s)
{
    drop_waiting(s);
    arena_free(&s->gathering.arena);
    arena_free(&s->sent.arena);
    omap_free(&s->told);
    free(s);
}

int lan_exchange_new(struct lan_exchange **out,
    const struct lan_exchange_port *port, const char *node)
{
    struct lan_exchange *x = calloc(1, sizeof *x);

    if (x == NULL)
        return SYNCLINE_ENOMEM;
    x->port = *port;
    x->node = strdup(node);
    if (x->node == NULL) {
        free(x);
        return SYNCLINE_ENOMEM;
    }
    *out = x;
    return SYNCLINE_OK;
}

void lan_exchange_free(struct lan_exchange *x)
{
    if (x == NULL)
        return;
    while (x->sides != NULL) {
        struct lan_side *next = x->sides->next;

        queries_drop(x, x->sides->number);
        jobs_drop(x, x->sides->number);
        side_free(x->sides);
        x->sides = next;
    }
    while (x->jobs != NULL) {
        struct lan_job *next = x->jobs->next;

        job_free(x->jobs);
        x->jobs = next;
    }
    answers_forget(x);
    arena_free(&x->answer);
    omap_free(&x->authors);
    buf_free(&x->scratch);
    free(x->node);
    free(x);
}

/* ---- what was told ---- */

/* What is small stays for the next time. */
static void scratch_clear(struct lan_exchange *x)
{
    if (x->scratch.cap > SCRATCH_MAX)
        buf_free(&x->scratch);
    buf_clear(&x->scratch);
}

/* Of a state: its version and value. */
static void hash_of(struct lan_exchange *x, struct hash128 *h, uint64_t version,
    const struct json *value)
{
    *h = (struct hash128){ 0 };
    hash128_add_word(h, version);
    if (value != NULL)
        json_print(&x->scratch, value, JSON_CANONICAL);
    hash128_add(h, buf_slice(&x->scratch));
    if (buf_status(&x->scratch) != SYNCLINE_OK)
        *h = (struct hash128){ 0 };
    scratch_clear(x);
}

#define AUTHOR_MAX 256 /* as in the space, which takes no longer one */

/* Forgetting means an echo too many, and no more. */
static void remember(struct omap *m, struct slice key, struct slice value)
{
    if (m->n >= TOLD_MAX)
        omap_clear(m);
    if (omap_put(m, key, value) != SYNCLINE_OK)
        omap_clear(m);
}

void side_told(
    struct lan_side *s, const struct lan_item *item, const struct json *value)
{
    struct lan_told t = { .time_us = item->time_us, .is_said = true };

    if (item->id.len > KEY_MAX || item->node.len > AUTHOR_MAX)
        return; /* it will not be taken */
    hash_of(s->x, &t.state, item->version, value);
    remember(&s->told, item->id, SLICE(&t, sizeof t));
    remember(&s->x->authors, item->id, item->node);
    s->x->said++;
}

static bool get_told(
    struct lan_told *out, const struct lan_side *s, struct slice key)
{
    const struct omap_node *n = omap_get(&s->told, key);

    if (n == NULL || n->value.len != sizeof *out)
        return false;
    memcpy(out, n->value.ptr, sizeof *out);
    return true;
}

static bool is_state(const struct lan_told *t, const struct hash128 *h)
{
    return memcmp(&t->state, h, sizeof *h) == 0;
}

bool side_was_told(const struct lan_side *s, const struct json *event)
{
    struct lan_told t;
    struct hash128 h;

    if (!get_told(&t, s, json_get_str(event, "key")))
        return false;
    hash_of(s->x, &h, (uint64_t)json_get_int(event, "version", 0),
        json_get(event, "value"));
    return t.is_said && is_state(&t, &h);
}

/* Of two states with one time and version it would keep what it has. */
static void outdo(
    struct lan_side *s, struct lan_item *item, const struct json *event)
{
    const uint64_t merged = (uint64_t)json_get_int(event, "merged", 0);
    struct lan_told t = { .time_us = 0 }, now = { .is_said = false };
    const bool is_known = get_told(&t, s, item->id);

    if (!is_known && merged == 0)
        return;
    hash_of(s->x, &now.state, item->version, json_get(event, "value"));
    item->time_us += merged;
    if (is_known && t.time_us >= item->time_us &&
        t.time_us - item->time_us < OUTDO_US)
        item->time_us = t.time_us + !is_state(&t, &now.state);
    now.time_us = item->time_us;
    remember(&s->told, item->id, SLICE(&now, sizeof now));
}

/* ---- batches ---- */

/* An event as an item. False: memory ran out. */
static bool event_item(struct lan_exchange *x, struct lan_item *out,
    const struct json *event, struct arena *a)
{
    const struct json *value = json_get(event, "value");
    const struct omap_node *author;

    *out = (struct lan_item){ .id = json_get_str(event, "key"),
        .type = SLICE_LIT(LAN_ITEM_TYPE),
        .node = slice_str(x->node),
        .time_us = (uint64_t)json_get_int(event, "time", 0),
        .version = (uint64_t)json_get_int(event, "version", 1),
        .is_deleted = value == NULL };
    author = omap_get(&x->authors, out->id);
    if (author != NULL)
        out->node = author->value;
    return value == NULL || lan_item_of(out, value, a) == SYNCLINE_OK;
}

static void tell_lacks(struct lan_side *s, struct slice key, size_t bytes)
{
    if (s->x->port.lacks != NULL)
        s->x->port.lacks(s->x->port.ctx, s->node, key, bytes);
}

static int measure(struct lan_exchange *x, size_t *out, const struct json *v)
{
    int rc;

    json_print(&x->scratch, v, JSON_PLAIN);
    *out = x->scratch.len;
    rc = buf_status(&x->scratch);
    scratch_clear(x);
    return rc;
}

/* Of a message 1/16 is for what is gathered, and one more for what is not
 * items: whatever comes last fits. */
static size_t batch_bytes(const struct lan_side *s)
{
    return lan_link_message_max(s->link) / 16;
}

static size_t item_bytes(const struct lan_side *s)
{
    return lan_link_message_max(s->link) / 8 * 7;
}

bool batch_is_full(const struct lan_side *s, const struct lan_batch *b)
{
    return b->items != NULL &&
        (b->items->n >= LAN_BATCH_MAX || b->bytes >= batch_bytes(s));
}

static int add_kept(struct lan_batch *b, const struct json *made)
{
    if (b->items == NULL)
        b->items = json_new(&b->arena, JSON_ARRAY);
    return json_append(b->items, json_copy(made, &b->arena)) != NULL
        ? SYNCLINE_OK
        : SYNCLINE_ENOMEM;
}

static int add_item(
    struct lan_side *s, struct lan_batch *b, const struct lan_item *item)
{
    struct arena a = { 0 };
    const struct json *made = lan_item_make(item, &a);
    size_t bytes = 0;
    int rc = made != NULL ? measure(s->x, &bytes, made) : SYNCLINE_ENOMEM;

    if (rc == SYNCLINE_OK && bytes > item_bytes(s)) {
        s->x->counts.too_long++;
        tell_lacks(s, item->id, bytes);
        rc = SYNCLINE_ELIMIT;
    } else if (rc == SYNCLINE_OK) {
        rc = add_kept(b, made);
        b->bytes += bytes + 2;
        tell_lacks(s, item->id, 0);
    }
    arena_free(&a);
    return rc;
}

int batch_add(struct lan_side *s, struct lan_batch *b, const struct json *event,
    uint64_t since_us)
{
    struct arena a = { 0 };
    struct lan_item item;
    int rc = event_item(s->x, &item, event, &a) ? SYNCLINE_OK : SYNCLINE_ENOMEM;

    if (rc == SYNCLINE_OK && item.time_us >= since_us) {
        outdo(s, &item, event);
        rc = add_item(s, b, &item);
    }
    arena_free(&a);
    return rc;
}

void batch_init(struct lan_batch *b)
{
    b->arena = (struct arena){ 0 };
    b->items = NULL;
    b->bytes = 0;
    b->cursor[0] = 0;
}

static void batch_clear(struct lan_batch *b)
{
    arena_reset(&b->arena);
    b->items = NULL;
    b->bytes = 0;
}

void batch_note(struct lan_batch *b, const struct json *event)
{
    struct slice cursor = json_get_str(event, "cursor");

    if (cursor.len > 0 && cursor.len < LAN_CURSOR_MAX) {
        memcpy(b->cursor, cursor.ptr, cursor.len);
        b->cursor[cursor.len] = 0;
    }
}

/* ---- pushing ---- */

void side_keep(struct lan_side *s)
{
    s->x->port.keep(s->x->port.ctx, s->node, s->acked, s->asked);
}

static void give_up(struct lan_side *s, const char *why)
{
    s->is_deaf = true;
    s->trouble = why;
    s->x->port.unwatch(s->x->port.ctx, s->number);
    side_log(s, "%s: %s", side_name(s), why);
}

const char *lan_exchange_trouble(const struct lan_exchange *x, uint64_t number)
{
    const struct lan_side *s = x->sides;

    while (s != NULL && s->number != number)
        s = s->next;
    if (s == NULL || s->trouble != NULL || s->round != NULL)
        return s == NULL ? NULL : s->trouble != NULL ? s->trouble : s->round;
    return s->refused[0] != 0 ? s->refused : NULL;
}

/* The same items under the same id, so that who has them already knows. */
static void send_batch(struct lan_side *s, uint64_t now_us)
{
    struct arena a = { 0 };
    struct json *payload = json_new(&a, JSON_OBJECT);
    struct json *items = json_new(&a, JSON_ARRAY);
    const struct lan_draft draft = {
        .type = LAN_SYNC_DATA, .payload = payload, .id = s->push_id
    };
    int rc = SYNCLINE_ENOMEM;

    if (items != NULL) {
        *items = *s->sent.items;
        json_add(payload, SLICE_LIT("data_id"),
            json_new_str(&a, slice_str(s->push_id)));
        json_add(payload, SLICE_LIT("request_id"),
            json_new_str(&a, slice_str(s->push_id)));
        json_add(payload, SLICE_LIT("items"), items);
        if (!a.failed)
            rc = lan_link_request(s->link, &draft, now_us, &s->push_request);
    }
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ECLOSED)
        give_up(s, TAKES_NONE "a message could not be made");
    arena_free(&a);
}

/* Not before it has all: else it would go on behind the rest of it. */
static void note_acked(struct lan_side *s, const char *cursor)
{
    if (s->is_behind || strcmp(s->acked, cursor) == 0)
        return;
    memcpy(s->acked, cursor, sizeof s->acked);
    side_keep(s);
}

/* Is there more of what was deleted that it has to be told? */
static bool tell_past(struct lan_side *s)
{
    if (!s->is_behind || !s->is_judged || !s->is_live)
        return false;
    if (s->is_past_over || s->x->port.past == NULL) {
        s->is_behind = false;
        return false;
    }
    if (!s->is_past_asked) {
        s->is_past_asked = true;
        s->x->port.past(s->x->port.ctx, s->number, SLICE(s->past, s->past_len));
    }
    return true;
}

/* What is gathered is sent; what comes is gathered behind it. */
static void take_gathered(struct lan_side *s)
{
    struct lan_batch emptied = s->sent;

    batch_clear(&emptied);
    s->sent = s->gathering;
    memcpy(emptied.cursor, s->sent.cursor, sizeof emptied.cursor);
    s->gathering = emptied;
}

/* No batch grows beyond what fits one message. */
static int set_aside(struct lan_side *s)
{
    struct lan_batch **at = &s->waiting, *b;

    if (!batch_is_full(s, &s->gathering))
        return SYNCLINE_OK;
    b = malloc(sizeof *b);
    if (b == NULL)
        return SYNCLINE_ENOMEM;
    *b = s->gathering;
    batch_init(&s->gathering);
    memcpy(s->gathering.cursor, b->cursor, sizeof b->cursor);
    while (*at != NULL)
        at = &(*at)->next;
    *at = b;
    return SYNCLINE_OK;
}

/* Sends what was gathered, if nothing is on its way. */
static void side_push(struct lan_side *s, uint64_t now_us)
{
    if (s->is_deaf || s->push_request != 0)
        return;
    if (s->waiting != NULL) {
        take_waiting(s);
    } else if (s->gathering.items != NULL) {
        take_gathered(s);
    } else {
        if (!tell_past(s))
            note_acked(s, s->gathering.cursor);
        return;
    }
    s->tries = 0;
    s->x->counts.pushed += s->sent.items->n;
    if (lan_link_uuid(s->link, s->push_id) != SYNCLINE_OK)
        give_up(s, TAKES_NONE "no random bytes");
    else
        send_batch(s, now_us);
    if (s->is_paused && s->waiting == NULL &&
        !batch_is_full(s, &s->gathering)) {
        s->is_paused = false;
        s->x->port.pace(s->x->port.ctx, s->number, false);
    }
}

static int gather(struct lan_side *s, const struct json *event)
{
    int rc = set_aside(s);

    return rc == SYNCLINE_OK ? batch_add(s, &s->gathering, event, 0) : rc;
}

static void push_event(
    struct lan_side *s, const struct json *event, uint64_t now_us)
{
    int rc = SYNCLINE_OK;
    const bool resync = json_get_bool(event, "resync", false);

    if (resync)
        s->gathering.cursor[0] = 0;
    if (resync || !s->is_judged) {
        s->has_missed = resync || s->acked[0] == 0;
        s->is_behind = resync && (s->acked[0] != 0 || s->is_judged);
        s->is_past_over = false;
        s->past_len = 0;
    }
    s->is_judged = true;
    if (json_get(event, "key") != NULL && side_was_told(s, event))
        tell_lacks(s, json_get_str(event, "key"), 0);
    else if (json_get(event, "key") != NULL)
        rc = gather(s, event);
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ELIMIT) {
        give_up(s, TAKES_NONE "memory ran out");
        return;
    }
    batch_note(&s->gathering, event);
    s->is_live = s->is_live || json_get_bool(event, "live", false);
    if (s->is_live || batch_is_full(s, &s->gathering))
        side_push(s, now_us);
    if (batch_is_full(s, &s->gathering) && !s->is_paused && !s->is_deaf) {
        s->is_paused = true;
        s->x->port.pace(s->x->port.ctx, s->number, true);
    }
}

static void pushed(
    struct lan_side *s, const struct lan_answer *a, uint64_t now_us)
{
    s->push_request = 0;
    if (a->rc == SYNCLINE_OK) {
        s->x->counts.acked += s->sent.items->n;
        s->has_acked = true;
        note_acked(s, s->sent.cursor);
        batch_clear(&s->sent);
        side_push(s, now_us);
    } else if (a->rc == SYNCLINE_ECLOSED) {
        return;
    } else if (++s->tries < TRIES_MAX ||
        (s->has_acked && a->rc == SYNCLINE_ETIMEOUT)) {
        send_batch(s, now_us);
    } else {
        give_up(s,
            a->rc == SYNCLINE_ETIMEOUT ? TAKES_NONE "it answers nothing"
                                       : TAKES_NONE "it refuses them");
    }
}

/* ---- events in ---- */

int lan_exchange_open(struct lan_exchange *x, uint64_t number,
    struct lan_link *link, uint64_t now_us)
{
    struct lan_side *s = calloc(1, sizeof *s);
    int rc;

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    s->x = x;
    s->number = number;
    s->link = link;
    (void)snprintf(s->node, sizeof s->node, "%s", lan_link_node(link));
    x->port.recall(x->port.ctx, s->node, s->acked, s->asked);
    memcpy(s->gathering.cursor, s->acked, sizeof s->acked);
    s->is_behind = s->acked[0] != 0;
    s->has_missed = true;
    s->met_us = lan_link_wall_us(link, now_us);
    /* Who was never met may have been told of items elsewhere. */
    rc = x->port.watch(
        x->port.ctx, number, s->acked[0] != 0 ? s->acked : LAN_NOWHERE);
    if (rc != SYNCLINE_OK) {
        side_free(s);
        return rc;
    }
    s->next = x->sides;
    x->sides = s;
    side_ask(s, now_us);
    return SYNCLINE_OK;
}

void lan_exchange_close(struct lan_exchange *x, uint64_t number)
{
    struct lan_side **at = &x->sides, *s;

    while (*at != NULL && (*at)->number != number)
        at = &(*at)->next;
    s = *at;
    if (s == NULL)
        return;
    *at = s->next;
    if (!s->is_deaf)
        x->port.unwatch(x->port.ctx, number);
    queries_drop(x, number);
    jobs_drop(x, number);
    sides_go_on(x, lan_link_heard_us(s->link)); /* any time that has been */
    side_free(s);
}

int lan_exchange_take(struct lan_exchange *x, uint64_t number,
    const struct lan_message *m, uint64_t now_us)
{
    struct lan_side *s = side_of(x, number);
    int rc = SYNCLINE_EUNSUPPORTED;

    if (s == NULL)
        return rc;
    if (m->type == LAN_SYNC_REQUEST)
        rc = query_begin(s, m, now_us);
    else if (m->type == LAN_SYNC_DATA)
        rc = take_items(s, m, false, now_us);
    else if (m->type == LAN_SYNC_ACK || m->type == LAN_SYNC_RESPONSE)
        rc = SYNCLINE_OK; /* too late */
    if (rc == SYNCLINE_ELIMIT)
        side_log(s, "%s: a message is not taken: its id has more than %d bytes",
            side_name(s), LAN_ID_MAX);
    return rc;
}

bool lan_exchange_answered(struct lan_exchange *x, uint64_t number,
    uint64_t request, const struct lan_answer *a, uint64_t now_us)
{
    struct lan_side *s = side_of(x, number);

    if (s != NULL && request == s->push_request)
        pushed(s, a, now_us);
    else if (s != NULL && request == s->pull_request)
        side_pulled(s, a, now_us);
    else
        return false;
    return true;
}

void lan_exchange_event(struct lan_exchange *x, uint64_t watch,
    const struct json *event, uint64_t now_us)
{
    struct lan_side *s = side_of(x, watch);
    struct lan_query *q;

    if (s != NULL) {
        if (!s->is_deaf)
            push_event(s, event, now_us);
        return;
    }
    q = query_of(x, watch);
    if (q != NULL)
        query_event(q, event, now_us);
}

void lan_exchange_unseen(
    struct lan_exchange *x, uint64_t watch, const char *why, uint64_t now_us)
{
    struct lan_query *q = query_of(x, watch);

    if (q != NULL)
        query_fails(q, why, now_us);
}

/* One of the list, as an event tells it. */
static int add_past(struct lan_side *s, const struct json *v)
{
    const struct slice key = json_get_str(v, "key");
    int rc;

    if (key.len == 0 || key.len > sizeof s->past)
        return SYNCLINE_OK;
    rc = batch_add(s, &s->gathering, v, 0);
    if (rc == SYNCLINE_OK) {
        memcpy(s->past, key.ptr, key.len);
        s->past_len = key.len;
    }
    return rc;
}

/* As many as there is room for. False: not all of them. */
static bool add_all_past(struct lan_side *s, const struct json *list)
{
    for (const struct json *v = list->first; v != NULL; v = v->next)
        if (batch_is_full(s, &s->gathering) || add_past(s, v) != SYNCLINE_OK)
            return false;
    return true;
}

void lan_exchange_past(struct lan_exchange *x, uint64_t link,
    const struct json *answer, uint64_t now_us)
{
    struct lan_side *s = side_of(x, link);
    const struct json *list = json_get(answer, "deleted");
    const struct slice after = json_get_str(answer, "after");
    bool all;

    if (s == NULL || !s->is_past_asked)
        return;
    s->is_past_asked = false;
    if (list == NULL)
        return; /* what comes next asks again */
    all = add_all_past(s, list);
    if (all && json_get_bool(answer, "more_items", false)) {
        all = after.len == 0 || after.len > sizeof s->past;
        if (!all) {
            memcpy(s->past, after.ptr, after.len);
            s->past_len = after.len;
        }
    }
    s->is_past_over = all;
    side_push(s, now_us);
}

const struct lan_exchange_counts *lan_exchange_counts(
    const struct lan_exchange *x)
{
    return &x->counts;
}
