/* Members that have been silent for longer than the retention are parked, by
 * an item `parked/<device>` of `_mesh`, so that tombstones need not wait for
 * a device that lies in a drawer; when it comes back it is given what it
 * missed (bootstrap.c), and counts again.
 *
 * Only time in which this node was there to listen counts as silence, and by
 * the monotonic clock; and who hears nobody at all is himself away. So neither
 * a machine that was off, nor one that is alone, nor a clock that jumps parks
 * anybody. */
#include "base/text.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"

#include <stdlib.h>

#define SAVES 32 /* within a retention */
#define BOOTSTRAPS_MAX 100
#define BOOTSTRAPS_US ((uint64_t)600 * 1000 * 1000)

static struct silence *find(
    const struct node *n, const struct device_id *device)
{
    for (struct silence *s = n->silences; s != NULL; s = s->next)
        if (device_eq(&s->device, device))
            return s;
    return NULL;
}

static struct silence *find_or_add(
    struct node *n, const struct device_id *device)
{
    struct silence *s = find(n, device);

    if (s != NULL)
        return s;
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->device = *device;
    s->heard_us = n->now_us;
    s->next = n->silences;
    n->silences = s;
    return s;
}

void silences_free(struct node *n)
{
    while (n->silences != NULL) {
        struct silence *next = n->silences->next;

        free(n->silences);
        n->silences = next;
    }
}

/* Longer than the retention is all the same. */
static uint64_t silent_us(const struct node *n, const struct silence *s)
{
    uint64_t us = s->before_us + (n->now_us - s->heard_us);

    return us < n->opt.retention_us ? us : n->opt.retention_us;
}

void silence_heard(struct node *n, const struct device_id *device)
{
    struct silence *s = find(n, device);

    if (s == NULL)
        return;
    s->heard_us = n->now_us;
    s->before_us = 0;
}

bool silence_is_parked(const struct node *n, const struct device_id *device)
{
    const struct silence *s = find(n, device);

    return s != NULL && s->parked;
}

bool silence_may_bootstrap(struct node *n, const struct device_id *device)
{
    struct silence *s = find_or_add(n, device);

    if (s == NULL)
        return false;
    if (n->now_us >= s->bootstraps_from_us + BOOTSTRAPS_US) {
        s->bootstraps_from_us = n->now_us;
        s->bootstraps = 0;
    }
    return s->bootstraps++ < BOOTSTRAPS_MAX;
}

/* Whoever is let in can write it, again and again. */
static int tell_parked(struct node *n, const struct member *m, bool parked)
{
    const struct audit_field fields[] = { AUDIT_DEVICE("device", &m->device),
        AUDIT_TEXT("name", m->name), AUDIT_END };

    if (device_eq(&m->device, &n->device))
        log_line(&n->log, LOG_LEVEL_INFO, "silence",
            parked ? "the others have parked this machine: it was away for "
                     "longer than the retention"
                   : "the others wait for this machine again");
    else
        log_line(&n->log, LOG_LEVEL_INFO, "silence",
            parked ? "%.*s is parked: collection waits for it no longer"
                   : "%.*s is back",
            SLICE_FMT(m->name));
    return node_audit_often(n, parked ? "parked" : "unparked", fields);
}

int silence_parked(struct node *n, struct slice device, bool parked)
{
    struct device_id id;
    struct silence *s;
    int rc = SYNCLINE_OK;

    if (device.len != 2 * DEVICE_ID_LEN ||
        hex_decode(id.b, DEVICE_ID_LEN, device) != SYNCLINE_OK ||
        !members_has(n->members, &id))
        return SYNCLINE_OK; /* nobody's */
    s = find_or_add(n, &id);
    if (s == NULL)
        return SYNCLINE_ENOMEM;
    if (s->parked != parked && members_has(n->members, &id))
        rc = tell_parked(n, members_get(n->members, &id), parked);
    if (rc != SYNCLINE_OK)
        return rc;
    /* What waited for him alone may go when he has it. */
    for (struct space *sp = n->spaces; sp != NULL && s->parked && !parked;
         sp = sp->next)
        sp->collected_upto = (struct vv){ 0 };
    s->parked = parked;
    if (!parked)
        silence_heard(n, &id);
    return SYNCLINE_OK;
}

/* ---- in the store ---- */

static struct slice key_silent(struct buf *b, const struct device_id *device)
{
    buf_clear(b);
    buf_put_str(b, META_SILENT);
    buf_put(b, device->b, DEVICE_ID_LEN);
    return buf_status(b) == SYNCLINE_OK ? buf_slice(b) : STORE_NO_ROOM;
}

static int load_one(void *ctx, struct slice key, struct slice value)
{
    struct node *n = ctx;
    struct reader k = reader_of(slice_from(key, sizeof META_SILENT - 1));
    struct reader v = reader_of(value);
    struct device_id device;
    struct silence *s;

    get_into(&k, device.b, DEVICE_ID_LEN);
    if (reader_end(&k) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    s = find_or_add(n, &device);
    if (s == NULL)
        return SYNCLINE_ENOMEM;
    s->before_us = s->saved_us = get_varint(&v);
    s->heard_us = n->now_us;
    return reader_end(&v) == SYNCLINE_OK ? SYNCLINE_OK : SYNCLINE_ECORRUPT;
}

int silences_load(struct node *n)
{
    return store_scan(&n->opt.store, TABLE_META, SLICE_LIT(META_SILENT),
        SLICE_NONE, load_one, n);
}

/* Worth a record? Neither every tick, nor that somebody is here still. */
static bool is_news(
    const struct node *n, const struct silence *s, uint64_t us, bool all)
{
    uint64_t step = n->opt.retention_us / SAVES;

    if (!members_has(n->members, &s->device) ||
        device_eq(&s->device, &n->device))
        return false;
    if (us < s->saved_us)
        return true;
    return us - s->saved_us >= (all ? 1 : step) && us >= step;
}

int silences_save(struct node *n, bool all)
{
    for (struct silence *s = n->silences; s != NULL; s = s->next) {
        uint64_t us = silent_us(n, s);

        if (!is_news(n, s, us, all))
            continue;
        s->saved_us = us;
        buf_clear(&n->out);
        put_varint(&n->out, us);
        txn_put_buf(
            &n->txn, TABLE_META, key_silent(&n->key, &s->device), &n->out);
    }
    return txn_status(&n->txn);
}

/* ---- time ---- */

static int write_parked(struct node *n, struct silence *s, bool parked)
{
    struct buf key = { 0 };
    int rc;

    buf_put_str(&key, PARKED_PREFIX);
    put_hex(&key, SLICE(s->device.b, DEVICE_ID_LEN));
    rc = buf_status(&key);
    if (rc == SYNCLINE_OK)
        rc = mesh_put_text(n, buf_slice(&key),
            parked ? SLICE_LIT("true") : SLICE_LIT("false"));
    buf_free(&key);
    if (rc == SYNCLINE_ELIMIT || rc == SYNCLINE_ECLOSED)
        return SYNCLINE_OK; /* nothing can be written now */
    if (parked)
        n->counts.parked++;
    else
        n->counts.unparked++;
    return rc;
}

/* Has it what was collected here, in every space? */
static bool is_up_to_date(struct conn *c, const struct node *n)
{
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next) {
        struct session *s;

        if (!access_is_shared(n, c, sp))
            continue;
        s = session_of(c, sp);
        if (s == NULL || session_is_behind(s))
            return false;
    }
    return true;
}

/* Is it connected to somebody who is connected to us? */
static bool is_reached(const struct node *n, const struct device_id *device)
{
    for (const struct conn *c = n->conns; c != NULL; c = c->next)
        if (!c->closing && conn_reaches(c, device))
            return true;
    return false;
}

static bool hears_somebody(const struct node *n)
{
    for (const struct conn *c = n->conns; c != NULL; c = c->next)
        if (c->greeted && !c->closing)
            return true;
    return false;
}

static int look_at(struct node *n, const struct device_id *device)
{
    struct silence *s = find_or_add(n, device);
    struct conn *c = conn_of(n, device);

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    if (c != NULL || is_reached(n, device))
        silence_heard(n, device);
    if (c != NULL && s->parked && is_up_to_date(c, n))
        return write_parked(n, s, false);
    if (c == NULL && !s->parked && silent_us(n, s) >= n->opt.retention_us &&
        hears_somebody(n))
        return write_parked(n, s, true);
    return SYNCLINE_OK;
}

int silences_tick(struct node *n)
{
    int rc = SYNCLINE_OK;

    if (n->now_us < n->collect_due_us)
        return SYNCLINE_OK;
    for (size_t i = 0; i < members_n(n->members) && rc == SYNCLINE_OK; i++) {
        const struct member *m = members_at(n->members, i);

        if (m->role != ROLE_RELAY && !device_eq(&m->device, &n->device) &&
            !carry_is_relay(n))
            rc = look_at(n, &m->device);
    }
    return rc == SYNCLINE_OK ? silences_save(n, false) : rc;
}
