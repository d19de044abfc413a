/* Watches: each tells what the feed has beyond its cursor. */
#include "base/hash.h"
#include "base/plant.h"
#include "base/text.h"
#include "repl/node_impl.h"

#include <stdlib.h>

#define EVENTS_A_TURN 512
/* Of one watch and of all, but for the event that goes beyond: whoever cannot
 * take so much must be able to say so before there is more. */
#define BYTES_OF_ONE ((size_t)256 << 10)
#define BYTES_OF_ALL ((size_t)8 << 20)
#define MERGED_MAX 1000

/* Where a watch goes on: after an lsn, or within one after a key. A cursor
 * is "replica:lsn" or "replica:lsn:hex of the key". */
struct position {
    uint64_t lsn;
    struct slice tail;
};

static void watch_free(struct watch *w)
{
    free((void *)w->space_name.ptr);
    free((void *)w->prefix.ptr);
    buf_free(&w->at);
    free(w);
}

void watches_free(struct node *n)
{
    while (n->watches != NULL) {
        struct watch *next = n->watches->next;

        watch_free(n->watches);
        n->watches = next;
    }
}

struct watch *watch_by_request(const struct node *n, uint64_t request)
{
    for (struct watch *w = n->watches; w != NULL; w = w->next)
        if (w->request == request)
            return w;
    return NULL;
}

void watch_cancel(struct node *n, uint64_t request)
{
    struct watch **at = &n->watches;

    while (*at != NULL && (*at)->request != request)
        at = &(*at)->next;
    if (*at != NULL) {
        struct watch *w = *at;

        *at = w->next;
        watch_free(w);
    }
}

uint64_t node_watch_mark(const struct node *n, struct slice space)
{
    const struct space *sp = space_by_name(n, space);
    struct hash128 h = { 0 };

    if (sp == NULL || !space_shown(sp))
        return 0;
    hash128_add(&h, rid_slice(&n->replica));
    hash128_add_word(&h, sp->id);
    hash128_add_word(&h, sp->s.lsn);
    hash128_add_word(&h, sp->s.gone);
    return h.lo | 1;
}

/* The space now lives under another number (the mesh changed): whoever
 * watches it is told the whole state again. */
void watches_space_gone(struct node *n, const struct space *sp)
{
    for (struct watch *w = n->watches; w != NULL; w = w->next)
        if (w->space == sp) {
            w->space = NULL;
            w->resync = true;
        }
    n->want_flush = true;
}

static struct slice copy(struct slice s)
{
    uint8_t *p = malloc(s.len + 1);

    if (p == NULL)
        return SLICE_NONE;
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    return SLICE(p, s.len);
}

static int start_at(
    struct watch *w, const struct space *sp, uint64_t lsn, struct slice tail)
{
    w->pos = lsn;
    (void)key_feed(
        &w->at, sp->id, tail.len > 0 ? lsn : lsn + 1, FEED_ITEM, tail);
    if (tail.len > 0)
        buf_put_u8(&w->at, 0);
    return buf_status(&w->at);
}

/* Reads "hex replica:lsn[:hex key]"; false if it is no cursor. */
static bool parse_cursor(
    struct node *n, struct slice text, struct rid *rid, struct position *out)
{
    struct slice rest;
    uint8_t *key;

    *out = (struct position){ 0 };
    if (text.len < RID_LEN * 2 + 2 || text.ptr[RID_LEN * 2] != ':' ||
        hex_decode(rid->b, RID_LEN, SLICE(text.ptr, RID_LEN * 2)) != 0)
        return false;
    rest = slice_from(text, RID_LEN * 2 + 1);
    while (rest.len > 0 && rest.ptr[0] >= '0' && rest.ptr[0] <= '9') {
        if (out->lsn > UINT64_MAX / 16)
            return false;
        out->lsn = out->lsn * 10 + (uint64_t)(rest.ptr[0] - '0');
        rest = slice_from(rest, 1);
    }
    if (rest.len == 0)
        return true;
    rest = slice_from(rest, 1);
    key = arena_alloc(&n->step, rest.len / 2 + 1);
    if (key == NULL || hex_decode(key, rest.len / 2, rest) != SYNCLINE_OK)
        return false;
    out->tail = SLICE(key, rest.len / 2);
    return true;
}

uint64_t watch_told_upto(
    struct node *n, const struct space *sp, struct slice cursor)
{
    struct position p;
    struct rid rid;

    if (!parse_cursor(n, cursor, &rid, &p) || !rid_eq(&rid, &n->replica) ||
        p.lsn > sp->s.lsn)
        return 0;
    return p.tail.len > 0 && p.lsn > 0 ? p.lsn - 1 : p.lsn;
}

static int place(struct node *n, struct watch *w, struct slice from)
{
    struct position p;
    struct rid rid;

    if (from.len == 0) {
        w->resumed = true;
        return start_at(w, w->space, w->space->s.lsn, SLICE_NONE);
    }
    if (slice_is(from, "start"))
        return start_at(w, w->space, 0, SLICE_NONE);
    if (!parse_cursor(n, from, &rid, &p))
        return SYNCLINE_EINVAL;
    /* A deletion that it has not been told of may have been collected. */
    if (!PLANTED(WATCH_NO_RESYNC) &&
        (!rid_eq(&rid, &n->replica) || p.lsn > w->space->s.lsn ||
            p.lsn < w->space->s.gone)) {
        w->resync = true;
        return start_at(w, w->space, 0, SLICE_NONE);
    }
    w->resumed = true;
    return start_at(
        w, w->space, PLANTED(WATCH_SKIPS) ? p.lsn + 1 : p.lsn, p.tail);
}

int request_watch(struct node *n, uint64_t request, const struct json *args)
{
    struct slice name = json_get_str(args, "space");
    struct watch *w = calloc(1, sizeof *w);
    struct errmsg why = { "" };
    int rc = SYNCLINE_ENOMEM;

    if (w == NULL)
        return SYNCLINE_ENOMEM;
    if (name.len == 0)
        name = SLICE_LIT(DEFAULT_SPACE);
    w->request = request;
    w->space_name = copy(name);
    w->prefix = copy(json_get_str(args, "prefix"));
    w->times = json_get_bool(args, "times", false);
    w->gateway = json_get_bool(args, "gateway", false);
    w->space = space_by_name(n, name);
    if (w->space_name.ptr == NULL || w->prefix.ptr == NULL)
        goto fail;
    if (w->space == NULL || !space_shown(w->space)) {
        rc = errmsg_set(&why, SYNCLINE_ENOTFOUND,
            "%.*s: no such space; `syncline space` lists them",
            SLICE_FMT(name));
        goto fail;
    }
    rc = place(n, w, json_get_str(args, "from"));
    if (rc == SYNCLINE_EINVAL)
        (void)errmsg_set(&why, rc,
            "from: neither \"start\" nor a cursor that a watch has given");
    if (rc != SYNCLINE_OK)
        goto fail;
    w->next = n->watches;
    n->watches = w;
    n->want_flush = true;
    return SYNCLINE_OK;
fail:
    watch_free(w);
    return rc == SYNCLINE_ENOMEM ? rc : fx_error(n, request, rc, &why);
}

/* ---- telling ---- */

struct feed_entry {
    uint64_t lsn;
    enum feed_kind kind;
    struct slice tail, key;
};

struct telling {
    struct node *node;
    struct feed_entry e[EVENTS_A_TURN]; /* not cleared */
    uint32_t n;
    bool more;
    size_t told; /* bytes, in this turn */
};

static int gather(void *ctx, struct slice key, struct slice value)
{
    struct telling *t = ctx;
    struct feed_entry *e = &t->e[t->n];
    int rc;

    (void)value;
    if (t->n == EVENTS_A_TURN) {
        t->more = true;
        return 1;
    }
    e->key = arena_dup(&t->node->step, key);
    if (e->key.ptr == NULL)
        return SYNCLINE_ENOMEM;
    rc = get_feed_key(e->key, &e->lsn, &e->kind, &e->tail);
    t->n++;
    return rc;
}

static void put_cursor(
    const struct node *n, struct buf *b, uint64_t lsn, struct slice tail)
{
    buf_put_str(b, "\"cursor\":\"");
    put_hex(b, rid_slice(&n->replica));
    buf_put_u8(b, ':');
    put_decimal(b, lsn);
    if (tail.len > 0) {
        buf_put_u8(b, ':');
        put_hex(b, tail);
    }
    buf_put_u8(b, '"');
}

static const struct change *newest(const struct item *it)
{
    const struct change *best = NULL;

    for (uint32_t i = 0; i < it->changes_n; i++)
        if (best == NULL || stamp_cmp(&it->changes[i].stamp, &best->stamp) > 0)
            best = &it->changes[i];
    return best;
}

/* How much has come together that the newest change had not seen: it grows
 * with whatever more does. Who has that change alone, by its time and version,
 * would take this for the same. 0: it had seen all of it. */
static uint64_t merged(const struct item *it, const struct change *last)
{
    uint64_t n = 0;
    bool any = false;

    for (uint32_t i = 0; i < it->changes_n; i++)
        any = any ||
            (&it->changes[i] != last &&
                !vv_covers(&last->ctx, &it->changes[i].dot));
    for (uint32_t i = 0; i < it->ctx.n && any; i++) {
        const struct dot *d = &it->ctx.e[i];
        const uint64_t seen = vv_get(&last->ctx, &d->replica);

        n += d->seq > seen ? d->seq - seen : 0;
        if (n >= MERGED_MAX)
            return MERGED_MAX;
    }
    return n;
}

/* Until the next one: cells are in the order of their paths. */
static struct slice first_segment(struct slice path)
{
    size_t end = 1;

    while (end < path.len && path.ptr[end] != '/')
        end++;
    return path.len > 0 ? SLICE(path.ptr, end) : SLICE_NONE;
}

/* A node of an older system goes by times, and would keep what this has beaten
 * if that were told by a later one: stamps are ahead of the wall clock behind a
 * kill, and where somebody's clock is. */
static uint64_t time_of(const struct watch *w, const struct change *c)
{
    const uint64_t us = hlc_wall_us(c->stamp.hlc);
    const uint64_t stamp_us = us + (hlc_of_wall(us) < c->stamp.hlc);

    return w->gateway && stamp_us > c->wall_us ? stamp_us : c->wall_us;
}

/* By the stamps of what stands: `"times":{"field":microseconds,...}`. */
static int put_times(struct node *n, struct buf *b, const struct item *it)
{
    bool any = false;
    bool *marks;
    int rc = document_visible(it, &marks, &n->step);

    buf_put_str(b, ",\"times\":{");
    for (uint32_t i = 0; i < it->cells_n && rc == SYNCLINE_OK;) {
        const struct slice at = first_segment(it->cells[i].path);
        struct slice rest = at, name;
        uint64_t us = 0;
        bool shows = false;

        for (;
             i < it->cells_n && slice_eq(first_segment(it->cells[i].path), at);
             i++) {
            const struct change *c = &it->changes[it->cells[i].change];

            shows = shows || (marks[i] && at.len > 0);
            if (hlc_wall_us(c->stamp.hlc) > us)
                us = hlc_wall_us(c->stamp.hlc);
        }
        if (!shows)
            continue;
        rc = json_pointer_next(&rest, &name, &n->step);
        buf_put_str(b, any ? "," : "");
        json_print_string(b, name, false);
        buf_printf(b, ":%llu", time_told(us));
        any = true;
    }
    buf_put_u8(b, '}');
    return rc;
}

static int put_event(struct node *n, struct buf *b, const struct watch *w,
    struct slice key, const struct item *it)
{
    int rc = SYNCLINE_OK;

    static const struct rid nobody;
    const struct change *c = newest(it);

    buf_put_str(b, ",\"space\":");
    json_print_string(b, w->space_name, false);
    buf_put_str(b, ",\"key\":");
    json_print_string(b, key, false);
    if (item_alive(it)) {
        buf_put_str(b, ",\"value\":");
        put_document(b, it, &n->step);
        if (w->times)
            rc = put_times(n, b, it);
    } else {
        buf_put_str(b, ",\"deleted\":true");
    }
    buf_put_str(b, ",\"version\":");
    put_decimal(b, it->version);
    buf_put_u8(b, ',');
    if (c == NULL || w->gateway)
        put_who(n, b, c == NULL ? &nobody : &c->first.replica);
    else
        put_writer(n, b, &c->first.replica, &c->stamp);
    buf_put_str(b, ",\"time\":");
    put_decimal(b, time_told(c == NULL ? 0 : time_of(w, c)));
    if (w->gateway && c != NULL && merged(it, c) > 0) {
        buf_put_str(b, ",\"merged\":");
        put_decimal(b, merged(it, c));
    }
    buf_put_u8(b, '}');
    return rc;
}

static int tell_event(struct node *n, struct watch *w, struct telling *t,
    const struct feed_entry *e, bool last_of_lsn)
{
    struct buf b = { 0 };
    struct slice value;
    struct stored st;
    int rc;

    if (e->kind != FEED_ITEM || !slice_has_prefix(e->tail, w->prefix))
        return SYNCLINE_OK;
    rc = store_get(&n->opt.store, TABLE_ITEM,
        key_item(&n->key, w->space->id, e->tail), &value);
    if (rc == SYNCLINE_ENOTFOUND)
        return SYNCLINE_OK;
    if (rc != SYNCLINE_OK)
        return rc;
    value = arena_dup(&n->step, value);
    if (value.ptr == NULL)
        return SYNCLINE_ENOMEM;
    rc = stored_decode(value, &st, &n->step);
    if (rc != SYNCLINE_OK)
        return rc;
    if (!item_alive(&st.item) && !w->resumed && !w->told_live)
        return SYNCLINE_OK; /* of the state, not of its past */
    buf_put_str(&b, "{\"more\":true,");
    put_cursor(n, &b, e->lsn, last_of_lsn ? SLICE_NONE : e->tail);
    rc = put_event(n, &b, w, e->tail, &st.item);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = fx_reply(n, w->request, buf_slice(&b), true);
    n->counts.watch_events++;
    t->told += b.len;
    buf_free(&b);
    return rc;
}

static int tell_sign(struct node *n, struct watch *w, const char *sign)
{
    struct buf b = { 0 };
    int rc;

    buf_printf(&b, "{\"more\":true,\"%s\":true,", sign);
    put_cursor(n, &b, w->pos, SLICE_NONE);
    buf_put_str(&b, "}");
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = fx_reply(n, w->request, buf_slice(&b), true);
    buf_free(&b);
    return rc;
}

static int begin_resync(struct node *n, struct watch *w)
{
    int rc = SYNCLINE_OK;

    w->space = space_by_name(n, w->space_name);
    if (w->space == NULL)
        return SYNCLINE_OK;
    w->resync = w->told_live = false;
    w->resumed = w->gateway; /* it may hold what was deleted since */
    n->counts.watch_resyncs++;
    rc = start_at(w, w->space, 0, SLICE_NONE);
    return rc == SYNCLINE_OK ? tell_sign(n, w, "resync") : rc;
}

static int flush_watch(struct node *n, struct watch *w, struct telling *t)
{
    const size_t had = t->told;
    struct buf prefix = { 0 };
    int rc = SYNCLINE_OK;

    if (w->resync)
        rc = begin_resync(n, w);
    if (rc != SYNCLINE_OK || w->space == NULL ||
        (w->told_live && w->pos == w->space->s.lsn))
        return rc;
    t->node = n;
    t->n = 0;
    t->more = false;
    rc = store_scan(&n->opt.store, TABLE_FEED, key_space(&prefix, w->space->id),
        buf_slice(&w->at), gather, t);
    buf_free(&prefix);
    for (uint32_t i = 0; i < t->n && rc == SYNCLINE_OK; i++) {
        bool last = i + 1 < t->n ? t->e[i + 1].lsn != t->e[i].lsn : !t->more;

        rc = tell_event(n, w, t, &t->e[i], last);
        buf_clear(&w->at);
        buf_put_slice(&w->at, t->e[i].key);
        buf_put_u8(&w->at, 0);
        if (t->told - had >= BYTES_OF_ONE && i + 1 < t->n) {
            t->more = true;
            break;
        }
    }
    if (rc != SYNCLINE_OK || t->more) {
        n->want_flush = true;
        return rc;
    }
    rc = start_at(w, w->space, w->space->s.lsn, SLICE_NONE);
    if (rc == SYNCLINE_OK && !w->told_live) {
        w->told_live = true;
        rc = tell_sign(n, w, "live");
    }
    return rc;
}

/* The next turn begins behind it. */
static void go_on_behind(struct node *n, struct watch *w)
{
    struct watch *last = w;

    if (w->next == NULL)
        return;
    while (last->next != NULL)
        last = last->next;
    last->next = n->watches;
    n->watches = w->next;
    w->next = NULL;
}

int watches_flush(struct node *n)
{
    struct telling t;
    int rc = SYNCLINE_OK;

    t.told = 0;
    for (struct watch *w = n->watches; w != NULL && rc == SYNCLINE_OK;
         w = w->next) {
        if (!w->paused)
            rc = flush_watch(n, w, &t);
        if (t.told >= BYTES_OF_ALL) {
            n->want_flush = true;
            go_on_behind(n, w);
            break;
        }
    }
    return rc;
}
