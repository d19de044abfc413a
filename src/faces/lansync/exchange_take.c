/* What LAN-sync nodes tell. */
#include "faces/lansync/exchange_impl.h"
#include "faces/lansync/moment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

/* Of messages that are being written; then each node waits that says one. */
#define JOBS_MAX 64
#define ITEMS_MAX 10000

/* What is none of ours, or of theirs, is the start. */
void point_keep(char out[LAN_CURSOR_MAX], struct slice s)
{
    if (s.len >= LAN_CURSOR_MAX || !text_is_plain(s))
        s = SLICE_NONE;
    if (s.len > 0)
        memcpy(out, s.ptr, s.len);
    out[s.len] = 0;
}

void text_add(
    struct json *to, const char *key, struct slice text, struct arena *a)
{
    if (text.len > 0)
        json_add(to, slice_str(key), json_new_str(a, text));
}

/* ---- ids ---- */

static bool is_long(const struct json *v)
{
    return v->type == JSON_STRING || v->type == JSON_BIGINT;
}

const struct json *id_of(const struct lan_message *m, const char *name)
{
    const struct json *v = json_get(m->member[LAN_PAYLOAD], name);

    if (v == NULL || v->type == JSON_NULL || v->type >= JSON_ARRAY ||
        (is_long(v) && v->s.len == 0) ||
        (v->type == JSON_DOUBLE && !isfinite(v->d)))
        return NULL;
    return v;
}

int id_keep(struct lan_id *id, const struct lan_message *m, const char *name)
{
    const struct json *v = id_of(m, name);
    uint8_t *to = id->room;

    id->v = (struct json){ .type = JSON_NULL };
    id->longer = NULL;
    if (v == NULL)
        return SYNCLINE_OK;
    if (is_long(v) && v->s.len > LAN_ID_MAX)
        return SYNCLINE_ELIMIT;
    if (is_long(v) && v->s.len > sizeof id->room) {
        to = id->longer = malloc(v->s.len);
        if (to == NULL)
            return SYNCLINE_ENOMEM;
    }
    id->v = *v;
    if (is_long(v)) {
        memcpy(to, v->s.ptr, v->s.len);
        id->v.s.ptr = to;
    }
    return SYNCLINE_OK;
}

void id_free(struct lan_id *id)
{
    free(id->longer);
    id->longer = NULL;
}

void id_add(
    struct json *to, const char *name, const struct json *id, struct arena *a)
{
    struct json *v =
        id != NULL && id->type != JSON_NULL ? json_new(a, id->type) : NULL;

    if (v == NULL)
        return;
    *v = *id;
    v->next = NULL;
    json_add(to, slice_str(name), v);
}

/* ---- asking ---- */

#define ASK_AGAIN_US UINT64_C(300000000)
#define AGAIN ": it is asked again every five minutes"
#define ROUND "it says again and again that there is more behind one place"
#define NOWHERE "it says that there is more, and not behind which place"
#define NOTHING "it says that there is more, and tells nothing"

static void pull(struct lan_side *s, uint64_t now_us)
{
    struct arena a = { 0 };
    struct json *payload = json_new(&a, JSON_OBJECT);
    const struct lan_draft draft = { .type = LAN_SYNC_REQUEST,
        .payload = payload };

    if (s->asked[0] != 0)
        json_add(
            payload, SLICE_LIT("since"), json_new_str(&a, slice_str(s->asked)));
    json_add(payload, SLICE_LIT("limit"), json_new_int(&a, LAN_BATCH_MAX));
    if (a.failed ||
        lan_link_request(s->link, &draft, now_us, &s->pull_request) !=
            SYNCLINE_OK)
        s->pull_request = 0;
    arena_free(&a);
}

/* From where the last answer ended, as long as there is more. */
void side_ask(struct lan_side *s, uint64_t now_us)
{
    memcpy(s->round_from, s->asked, sizeof s->round_from);
    s->round_n = 0;
    s->round_max = 1;
    pull(s, now_us);
}

/* Has it come back to where it was? What is compared moves on after one step,
 * two, four, ...: no round is too long to be found (Brent, 1980). */
static bool is_round(struct lan_side *s)
{
    if (strcmp(s->next_point, s->round_from) == 0)
        return true;
    if (++s->round_n == s->round_max) {
        memcpy(s->round_from, s->next_point, sizeof s->round_from);
        s->round_n = 0;
        s->round_max *= 2;
    }
    return false;
}

static void ask_later(struct lan_side *s, const char *why, uint64_t now_us)
{
    struct lan_exchange *x = s->x;

    if (s->round == NULL)
        side_log(s, "%s: %s", side_name(s), why);
    s->round = why;
    s->again_us = now_us + ASK_AGAIN_US;
    if (x->again_us == 0)
        x->again_us = s->again_us;
}

uint64_t lan_exchange_tick(struct lan_exchange *x, uint64_t now_us)
{
    if (x->again_us == 0 || now_us < x->again_us)
        return x->again_us;
    x->again_us = 0;
    for (struct lan_side *s = x->sides; s != NULL; s = s->next) {
        if (s->again_us != 0 && now_us >= s->again_us) {
            s->again_us = 0;
            side_ask(s, now_us);
        }
        if (s->again_us != 0 && (x->again_us == 0 || s->again_us < x->again_us))
            x->again_us = s->again_us;
    }
    return x->again_us;
}

/* ---- what is told ---- */

static struct lan_job *job_of(struct lan_exchange *x, uint64_t token)
{
    struct lan_job *j = x->jobs;

    while (j != NULL && j->token != token)
        j = j->next;
    return j;
}

void job_free(struct lan_job *job)
{
    id_free(&job->request_id);
    id_free(&job->data_id);
    free(job);
}

static void job_drop(struct lan_exchange *x, struct lan_job *job)
{
    struct lan_job **at = &x->jobs;

    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    x->jobs_n--;
    job_free(job);
}

void jobs_drop(struct lan_exchange *x, uint64_t side)
{
    for (struct lan_job *j = x->jobs; j != NULL; j = j->next)
        if (j->side == side)
            j->side = 0; /* its writes are under way */
}

/* Where the link has closed meanwhile, all of it begins again. */
void side_say(struct lan_side *s, const struct lan_draft *draft,
    const struct arena *of, uint64_t now_us)
{
    int rc =
        of->failed ? SYNCLINE_ENOMEM : lan_link_send(s->link, draft, now_us);

    if (rc != SYNCLINE_OK && rc != SYNCLINE_ECLOSED)
        side_log(s, "%s: a %s could not be made", side_name(s),
            lan_type_name(draft->type));
}

static void acknowledge(
    struct lan_side *s, const struct lan_job *job, uint64_t now_us)
{
    struct arena a = { 0 };
    struct json *payload = json_new(&a, JSON_OBJECT);
    const struct lan_draft draft = { .type = LAN_SYNC_ACK, .payload = payload };

    text_add(payload, "status", slice_str("processed"), &a);
    id_add(payload, "data_id", &job->data_id.v, &a);
    id_add(payload, "ack_id", &job->data_id.v, &a);
    id_add(payload, "request_id", &job->request_id.v, &a);
    json_add(
        payload, SLICE_LIT("items"), json_new_int(&a, (int64_t)job->taken));
    if (job->refused > 0) {
        json_add(payload, SLICE_LIT("refused"),
            json_new_int(&a, (int64_t)job->refused));
        text_add(payload, "error", slice_str(job->why), &a);
    }
    side_say(s, &draft, &a, now_us);
    arena_free(&a);
}

/* All that was asked for is here: the next question goes on behind it. */
static void go_on(struct lan_side *s, uint64_t now_us)
{
    if (s->next_point[0] != 0) {
        memcpy(s->asked, s->next_point, sizeof s->asked);
        side_keep(s);
    }
    if (!s->next_more)
        s->round = NULL;
    else if (!s->next_any)
        ask_later(s, NOTHING AGAIN, now_us);
    else if (s->next_point[0] == 0)
        ask_later(s, NOWHERE AGAIN, now_us);
    else if (is_round(s))
        ask_later(s, ROUND AGAIN, now_us);
    else
        pull(s, now_us);
}

static void job_done(
    struct lan_exchange *x, struct lan_job *job, uint64_t now_us)
{
    struct lan_side *s = job->side != 0 ? side_of(x, job->side) : NULL;

    if (s != NULL && job->is_pull)
        go_on(s, now_us);
    else if (s != NULL)
        acknowledge(s, job, now_us);
    job_drop(x, job);
}

static void note_refusal(
    struct lan_side *s, struct lan_job *job, struct slice id, const char *why)
{
    struct slice text = utf8_cut(slice_str(why), 150);

    job->refused++;
    s->x->counts.refused++;
    id = utf8_valid(id) ? utf8_cut(id, 40) : SLICE_NONE;
    (void)snprintf(job->why, sizeof job->why, "%.*s%s%.*s", SLICE_FMT(id),
        id.len > 0 ? ": " : "", SLICE_FMT(text));
    (void)snprintf(s->refused, sizeof s->refused, LAN_NOT_TAKEN "%s", job->why);
    side_log(s, "%s: an item is not taken: %s", side_name(s), job->why);
}

/* It says once more what was refused last. */
static void forget_refusal(struct lan_side *s, struct slice id)
{
    const char *of = s->refused + strlen(LAN_NOT_TAKEN);

    id = utf8_valid(id) ? utf8_cut(id, 40) : SLICE_NONE;
    if (s->refused[0] != 0 && id.len > 0 &&
        strncmp(of, (const char *)id.ptr, id.len) == 0 &&
        strncmp(of + id.len, ": ", 2) == 0)
        s->refused[0] = 0;
}

static void take_item(
    struct lan_side *s, struct lan_job *job, const struct json *v)
{
    struct errmsg why = { "" };
    struct arena a = { 0 };
    struct lan_item item;
    const struct json *value = NULL;
    int rc = lan_item_read(&item, v, &a, &why);

    if (rc == SYNCLINE_OK && item.node.len == 0)
        item.node = slice_str(s->node);
    if (rc == SYNCLINE_OK && !item.is_deleted) {
        value = lan_item_value(&item, &a);
        rc = value != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
    }
    if (rc == SYNCLINE_OK) {
        item.returns =
            s->is_behind || (s->has_missed && item.time_us < s->met_us);
        side_told(s, &item, value);
        forget_refusal(s, item.id);
        job->left++;
        s->x->port.write(s->x->port.ctx, job->token, s->number, &item, value);
    } else {
        note_refusal(s, job, json_get_str(v, "item_id"),
            why.text[0] != 0 ? why.text : "memory ran out");
    }
    arena_free(&a);
}

static int job_new(
    struct lan_job **out, struct lan_side *s, const struct lan_message *m)
{
    struct lan_job *job = calloc(1, sizeof *job);
    int rc = job != NULL ? id_keep(&job->request_id, m, "request_id")
                         : SYNCLINE_ENOMEM;

    if (rc == SYNCLINE_OK)
        rc = id_keep(&job->data_id, m, "data_id");
    if (rc != SYNCLINE_OK && job != NULL)
        job_free(job);
    if (rc != SYNCLINE_OK)
        return rc;
    job->side = s->number;
    job->token = ++s->x->next_token;
    job->next = s->x->jobs;
    s->x->jobs = job;
    s->x->jobs_n++;
    *out = job;
    return SYNCLINE_OK;
}

/* It is told nothing: what it says more waits at its end. */
void side_hold(struct lan_side *s, bool held, uint64_t now_us)
{
    s->is_held = held;
    lan_link_hold(s->link, held, now_us);
}

void side_next_turn(struct lan_side *s, uint64_t now_us)
{
    if (s->is_held)
        return;
    lan_link_hold(s->link, true, now_us);
    lan_link_hold(s->link, false, now_us);
}

void sides_go_on(struct lan_exchange *x, uint64_t now_us)
{
    if (x->jobs_n >= JOBS_MAX || queries_are_many(x))
        return;
    for (struct lan_side *s = x->sides; s != NULL; s = s->next)
        if (s->is_held)
            side_hold(s, false, now_us);
}

/* Without items it is something else that they say: it is acknowledged. */
int take_items(struct lan_side *s, const struct lan_message *m, bool is_pull,
    uint64_t now_us)
{
    const struct json *payload = m->member[LAN_PAYLOAD];
    const struct json *items = json_get(payload, "items");
    struct lan_job *job = NULL;
    int rc;

    if (items != NULL && (items->type != JSON_ARRAY || items->n > ITEMS_MAX))
        return SYNCLINE_EMALFORMED;
    rc = job_new(&job, s, m);
    if (rc != SYNCLINE_OK)
        return rc;
    job->is_pull = is_pull;
    if (is_pull) {
        point_keep(s->next_point, json_get_str(payload, "next"));
        s->next_more = json_get_bool(payload, "more", false);
        s->next_any = items->n > 0;
    }
    job->left = 1; /* until all are on their way */
    for (const struct json *v = items != NULL ? items->first : NULL; v != NULL;
         v = v->next)
        take_item(s, job, v);
    if (--job->left == 0)
        job_done(s->x, job, now_us);
    else if (s->x->jobs_n >= JOBS_MAX)
        side_hold(s, true, now_us);
    return SYNCLINE_OK;
}

/* Who knows nothing of items says so, or nothing. */
void side_pulled(
    struct lan_side *s, const struct lan_answer *a, uint64_t now_us)
{
    s->pull_request = 0;
    if (a->rc == SYNCLINE_ETIMEOUT && !lan_link_is_told(s->link) &&
        !s->asks_again) {
        s->asks_again = true; /* now in the other dialect */
        pull(s, now_us);
        return;
    }
    if (a->rc == SYNCLINE_OK &&
        json_get(a->m->member[LAN_PAYLOAD], "items") != NULL &&
        take_items(s, a->m, true, now_us) != SYNCLINE_OK)
        side_log(s, "what %s has answered could not be taken", side_name(s));
    else if (s->round != NULL && s->again_us == 0 && a->rc != SYNCLINE_OK &&
        a->rc != SYNCLINE_ECLOSED)
        ask_later(s, s->round, now_us);
}

/* Something newer stands there: then it was told, and lost. */
void lan_exchange_written(struct lan_exchange *x, uint64_t token, int rc,
    const char *why, uint64_t now_us)
{
    struct lan_job *job = job_of(x, token);
    struct lan_side *s;

    if (job == NULL)
        return;
    s = job->side != 0 ? side_of(x, job->side) : NULL;
    if (rc == SYNCLINE_OK || rc == SYNCLINE_ECONFLICT ||
        rc == SYNCLINE_ENOTFOUND) {
        job->taken++;
        x->counts.taken++;
    } else if (s != NULL) {
        note_refusal(s, job, SLICE_NONE, why);
    }
    if (--job->left > 0)
        return;
    job_done(x, job, now_us);
    sides_go_on(x, now_us);
}
