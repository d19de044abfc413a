/* The local interface, doc/api.md: what was deleted, and what it was, so that
 * many deletions are undone together. A deletion's record goes once everybody
 * has it; the history of this node has what there was. */
#include "base/plant.h"
#include "base/text.h"
#include "repl/request_admin.h"

#define LIMIT_MAX 1000
#define BYTES_SOON ((size_t)4 << 20) /* of an answer, after which it ends */
#define LOOKED_MAX 100000 /* versions; then the next request goes on */

/* An item in the history. */
struct past {
    struct slice key;
    struct slice value; /* its last; ptr NULL: none is known */
    struct rid by;      /* who ended it, and when, if its record is gone */
    struct stamp stamp;
    uint64_t wall_us;
    bool ended;
};

struct search {
    struct admin *q;
    struct space *sp;
    struct past at; /* the item whose versions come */
    struct past *found;
    uint32_t n, limit, looked;
    size_t bytes;
    bool more;
    bool gone; /* those without a record only, and no values */
};

static void end_item(struct search *s)
{
    const bool is_known = s->at.value.ptr != NULL || (s->gone && s->at.ended);

    if (s->at.key.ptr == NULL || !is_known)
        return;
    s->bytes += s->at.value.len;
    s->found[s->n++] = s->at;
}

static bool is_enough(const struct search *s)
{
    return s->n == s->limit || s->bytes > BYTES_SOON || s->looked > LOOKED_MAX;
}

static int on_version(void *ctx, struct slice key, struct slice value)
{
    struct search *s = ctx;
    struct slice name = SLICE(key.ptr + 4, key.len - 4 - 1 - 8);
    struct history_entry e = { .version = 0 };
    struct arena *a = &s->q->n->step;
    int rc = history_decode(value, &e);

    if (rc != SYNCLINE_OK)
        return rc;
    if (!slice_eq(name, s->at.key)) {
        end_item(s);
        s->more = is_enough(s);
        if (s->more)
            return 1;
        s->at = (struct past){ .key = arena_dup(a, name) };
    }
    s->looked++;
    if (e.what == HISTORY_PUT)
        s->at.value = arena_dup(a, e.value);
    if (e.what == HISTORY_DELETE) {
        s->at.by = e.dot.replica;
        s->at.stamp = e.stamp;
        s->at.wall_us = e.wall_us;
        s->at.ended = true;
    }
    return s->at.key.ptr == NULL ||
            (e.what == HISTORY_PUT && s->at.value.ptr == NULL)
        ? SYNCLINE_ENOMEM
        : SYNCLINE_OK;
}

static int look(struct search *s, struct slice prefix, struct slice after)
{
    struct node *n = s->q->n;
    struct buf in = { 0 }, from = { 0 };
    int rc;

    if (after.len > 0) {
        (void)key_history(&from, s->sp->past, after, UINT64_MAX);
        buf_put_u8(&from, 0);
    }
    (void)key_item(&in, s->sp->past, prefix);
    rc = buf_status(&in) != SYNCLINE_OK ? buf_status(&in) : buf_status(&from);
    if (rc == SYNCLINE_OK)
        rc = store_scan(&n->opt.store, TABLE_HISTORY, buf_slice(&in),
            buf_slice(&from), on_version, s);
    if (rc == SYNCLINE_OK && !s->more)
        end_item(s);
    buf_free(&in);
    buf_free(&from);
    return rc;
}

/* ---- the answer ---- */

/* A name, or how an id begins: that of the item as it is told. */
static bool is_of(struct slice who, struct slice told, struct arena *a)
{
    struct json *v = NULL;
    struct buf b = { 0 };
    bool is;

    if (who.len == 0)
        return true;
    buf_printf(&b, "{%.*s}", SLICE_FMT(told));
    if (json_parse(&v, buf_slice(&b), JSON_STRICT, a, NULL) != SYNCLINE_OK)
        v = NULL;
    is = slice_eq(json_get_str(v, "name"), who) ||
        slice_eq(json_get_str(json_get(v, "author"), "node_id"), who) ||
        (who.len >= 7 && slice_has_prefix(json_get_str(v, "device"), who));
    buf_free(&b);
    return is;
}

static int tell_item(
    struct search *s, struct buf *b, const struct past *p, bool *any)
{
    const struct admin *q = s->q;
    const uint64_t since_us = (uint64_t)json_get_int(q->args, "since", 0);
    struct stored st;
    struct rid by = p->by;
    struct stamp stamp = p->stamp;
    uint64_t wall_us = p->wall_us;
    struct buf who = { 0 };
    int rc = item_read(q->n, s->sp, p->key, &st);

    if (rc != SYNCLINE_OK || (st.was_alive && !PLANTED(R23_ANEW)) ||
        (st.existed && s->gone))
        return rc;
    if (st.existed && !st.was_alive) {
        by = st.last.first.replica;
        stamp = st.last.stamp;
        wall_us = st.last.wall_us;
    }
    put_writer(q->n, &who, &by, &stamp);
    rc = buf_status(&who);
    if (rc == SYNCLINE_OK && wall_us >= since_us &&
        is_of(json_get_str(q->args, "by"), buf_slice(&who), &q->n->step)) {
        buf_put_str(b, *any ? ",{\"key\":" : "{\"key\":");
        *any = true;
        json_print_string(b, p->key, false);
        buf_printf(b, ",\"time\":%llu,\"version\":%llu,", time_told(wall_us),
            (unsigned long long)(st.existed ? st.item.version
                                            : s->sp->s.floors.version));
        buf_put_slice(b, buf_slice(&who));
        if (!s->gone)
            buf_put_str(b, ",\"value\":");
        if (!s->gone)
            buf_put_slice(b, p->value);
        buf_put_u8(b, '}');
    }
    buf_free(&who);
    return rc;
}

static int put_all(struct search *s, struct buf *b)
{
    bool any = false;
    int rc = SYNCLINE_OK;

    buf_put_str(b, "{\"ok\":true,\"deleted\":[");
    for (uint32_t i = 0; i < s->n && rc == SYNCLINE_OK; i++)
        rc = tell_item(s, b, &s->found[i], &any);
    buf_printf(b, "],\"more_items\":%s,\"after\":", s->more ? "true" : "false");
    json_print_string(b, s->at.key, false);
    buf_put_u8(b, '}');
    return rc;
}

int admin_deleted(struct admin *q)
{
    int64_t limit = json_get_int(q->args, "limit", LIMIT_MAX);
    struct search s = { .q = q,
        .limit = (uint32_t)limit,
        .gone = json_get_bool(q->args, "gone", false) };
    struct buf b = { 0 };
    int rc = admin_find_space(q, json_get_str(q->args, "space"), &s.sp);

    if (rc == SYNCLINE_OK && (limit < 1 || limit > LIMIT_MAX))
        rc = errmsg_set(
            q->why, SYNCLINE_EINVAL, "limit: must be from 1 to %d", LIMIT_MAX);
    if (rc == SYNCLINE_OK && s.sp->sealed)
        rc = errmsg_set(
            q->why, SYNCLINE_EDENIED, "a relay cannot read what it keeps");
    if (rc != SYNCLINE_OK)
        return rc;
    s.found = arena_alloc(&q->n->step, s.limit * sizeof *s.found);
    if (s.found == NULL)
        return SYNCLINE_ENOMEM;
    rc = look(
        &s, json_get_str(q->args, "prefix"), json_get_str(q->args, "after"));
    if (rc == SYNCLINE_OK)
        rc = put_all(&s, &b);
    if (rc != SYNCLINE_OK)
        buf_free(&b);
    return rc == SYNCLINE_OK ? admin_reply(q, &b) : rc;
}
