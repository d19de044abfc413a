/* Writes that are not answered yet, since they are to be durable first: here,
 * or with other members (acks.c). */
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"
#include "repl/heads.h"

#include <stdlib.h>

#define WAIT_DEFAULT_MS 10000
#define WAIT_MAX_MS 3600000

/*  waits (for the disk here, oldest first) --EV_PERSISTED--> answered
 *                                        \--> acking (for other members)
 *  acking --acks, or the time is up--> answered                        */

static void wait_free(struct wait *w)
{
    free(w->also);
    free(w);
}

void waits_free(struct node *n)
{
    struct wait *lists[2] = { n->waits, n->acking };

    for (int i = 0; i < 2; i++)
        while (lists[i] != NULL) {
            struct wait *next = lists[i]->next;

            wait_free(lists[i]);
            lists[i] = next;
        }
}

/* Beside this device. A relay is asked by nobody. */
static size_t readers_n(const struct node *n)
{
    size_t count = 0;

    for (size_t i = 0; i < members_n(n->members); i++) {
        const struct member *m = members_at(n->members, i);

        count += m->role >= ROLE_READER && !device_eq(&m->device, &n->device);
    }
    return count;
}

int wait_check(
    const struct node *n, const struct json *args, struct errmsg *why)
{
    const struct json *want = json_get(args, "wait");
    const struct json *ms = json_get(args, "wait_ms");
    size_t others = readers_n(n);

    if (ms != NULL &&
        (ms->type != JSON_INT || ms->i < 0 || ms->i > WAIT_MAX_MS))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "wait_ms: a number of milliseconds up to %d; nothing was written",
            WAIT_MAX_MS);
    if (want == NULL || (want->type == JSON_STRING && slice_is(want->s, "all")))
        return SYNCLINE_OK;
    if (want->type != JSON_INT || want->i < 0)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "wait: neither a number nor \"all\"");
    if ((uint64_t)want->i <= others)
        return SYNCLINE_OK;
    return errmsg_set(why, SYNCLINE_EINVAL,
        "wait: %lld others are wanted, and the mesh has %zu; nothing was "
        "written",
        (long long)want->i, others);
}

int wait_add(struct node *n, uint64_t request, const struct json *args,
    struct space *sp, const struct write_result *r, bool batch)
{
    struct json *want = json_get(args, "wait");
    int64_t ms = json_get_int(args, "wait_ms", WAIT_DEFAULT_MS);
    struct wait *w = calloc(1, sizeof *w);
    bool wrote;

    if (w == NULL)
        return SYNCLINE_ENOMEM;
    w->request = request;
    w->space = sp;
    w->version = r->version;
    w->changed = r->changed;
    w->batch = batch;
    w->dot = r->dot;
    /* What changed nothing may stand on what the same commit writes. */
    wrote = r->changed > 0 || (n->grouping && n->group_wrote);
    w->commit = wrote && !PLANTED(M4) ? n->commit + 1 : n->commit;
    w->all = json_get_str(args, "wait").len > 0;
    if (want != NULL && want->type == JSON_INT && want->i > 0)
        w->want = want->i > REACH_MAX ? REACH_MAX : (uint32_t)want->i;
    w->deadline_us = n->now_us + (uint64_t)(ms < 0 ? 0 : ms) * 1000;
    if (n->waits == NULL)
        n->waits_end = &n->waits;
    *n->waits_end = w;
    n->waits_end = &w->next;
    n->waits_added++;
    n->group_wrote = n->group_wrote || r->changed > 0;
    return SYNCLINE_OK;
}

int wait_also(struct node *n, struct slice members)
{
    struct wait *w = n->waits;

    while (w->next != NULL)
        w = w->next;
    w->also = malloc(members.len + 1);
    if (w->also == NULL)
        return SYNCLINE_ENOMEM;
    memcpy(w->also, members.ptr, members.len);
    w->also[members.len] = 0;
    return SYNCLINE_OK;
}

void waits_undo(struct node *n)
{
    struct wait **at = &n->waits, *w;
    uint32_t kept = 0;

    if (n->waits_added == 0)
        return;
    for (w = n->waits; w != NULL; w = w->next)
        kept++;
    for (kept -= n->waits_added; kept > 0; kept--)
        at = &(*at)->next;
    w = *at;
    *at = NULL;
    n->waits_end = at;
    n->waits_added = 0;
    while (w != NULL) {
        struct wait *next = w->next;

        wait_free(w);
        w = next;
    }
}

/* How many other members have it on their disks; *all if none lacks it. */
static uint32_t count_acks(
    const struct node *n, const struct wait *w, bool *all)
{
    uint32_t n_acks = 0;

    *all = true;
    for (size_t i = 0; i < members_n(n->members); i++) {
        const struct device_id *d = &members_at(n->members, i)->device;
        const struct member_ack *a;

        if (device_eq(d, &n->device) || !access_may_read(n, d, w->space))
            continue;
        a = acks_of(n, d, w->space);
        if ((a != NULL && vv_covers(&a->durable, &w->dot)) ||
            heads_cover(n, d, w->space, &w->dot))
            n_acks++;
        else
            *all = false;
    }
    return n_acks;
}

static int answer(struct node *n, const struct wait *w, uint32_t acks)
{
    struct buf b = { 0 };
    int rc;

    buf_put_str(&b, "{\"ok\":true,");
    if (w->batch)
        buf_printf(&b, "\"changed\":%u", w->changed);
    else
        buf_printf(&b, "\"version\":%llu,\"changed\":%s",
            (unsigned long long)w->version, w->changed > 0 ? "true" : "false");
    buf_printf(&b, ",\"acks\":%u%s}", acks, w->also != NULL ? w->also : "");
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = fx_reply(n, w->request, buf_slice(&b), false);
    buf_free(&b);
    return rc;
}

static int answer_late(struct node *n, const struct wait *w, uint32_t acks)
{
    struct buf b = { 0 };
    int rc;

    buf_printf(&b,
        "{\"ok\":false,\"code\":\"ETIMEOUT\",\"acks\":%u,\"error\":"
        "\"written and durable here; of the other members %u confirmed in "
        "time, the rest get it when they are back\"}",
        acks, acks);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = fx_reply(n, w->request, buf_slice(&b), false);
    buf_free(&b);
    return rc;
}

int waits_acked(struct node *n)
{
    struct wait **at = &n->acking;
    int rc = SYNCLINE_OK;

    while (*at != NULL && rc == SYNCLINE_OK) {
        struct wait *w = *at;
        bool all;
        uint32_t acks = count_acks(n, w, &all);

        if ((w->all ? all : acks >= w->want) || PLANTED(WAIT_ALONE)) {
            rc = answer(n, w, acks);
        } else if (w->deadline_us <= n->now_us) {
            rc = answer_late(n, w, acks);
        } else {
            at = &w->next;
            continue;
        }
        *at = w->next;
        wait_free(w);
    }
    return rc;
}

int waits_check(struct node *n)
{
    int rc = SYNCLINE_OK;

    while (n->waits != NULL && n->waits->commit <= n->persisted &&
        rc == SYNCLINE_OK) {
        struct wait *w = n->waits;

        n->waits = w->next;
        if (w->want == 0 && !w->all) {
            rc = answer(n, w, 0);
            wait_free(w);
        } else {
            w->next = n->acking;
            n->acking = w;
        }
    }
    if (n->waits == NULL)
        n->waits_end = &n->waits;
    return rc == SYNCLINE_OK ? waits_acked(n) : rc;
}

uint64_t waits_deadline(const struct node *n)
{
    uint64_t due = UINT64_MAX;

    for (const struct wait *w = n->acking; w != NULL; w = w->next)
        if (w->deadline_us < due)
            due = w->deadline_us;
    return due;
}

int waits_abandon(struct node *n)
{
    int rc = SYNCLINE_OK;

    while (n->acking != NULL && rc == SYNCLINE_OK) {
        struct wait *w = n->acking;

        n->acking = w->next;
        rc = answer_late(n, w, 0);
        wait_free(w);
    }
    for (struct wait *w = n->waits; w != NULL; w = w->next) {
        w->space = NULL;
        w->all = false;
        w->want = 0;
    }
    acks_free(n);
    return rc;
}
