/* The local interface, doc/api.md: the versions of an item, in pages from
 * either end. Those of before are records, numbered from 1 on without gaps, of
 * which the oldest go; the present one has the next number. */
#include "base/text.h"
#include "repl/request_admin.h"

struct versions {
    struct node *node;
    const struct space *space;
    struct slice key;
    const struct stored *st;
    struct buf *b;
    uint64_t after, limit, n; /* of a page; limit 0: all */
    uint64_t oldest;          /* 0: there is no record */
    bool values, any, more;
};

void put_author(const struct node *n, struct buf *b, const struct dot *dot,
    const struct stamp *stamp, uint64_t wall_us)
{
    buf_printf(b, "\"time\":%llu,\"stamp\":\"%llu.%016llx.", time_told(wall_us),
        (unsigned long long)stamp->epoch, (unsigned long long)stamp->hlc);
    put_hex(b, rid_slice(&stamp->replica));
    buf_put_str(b, "\",");
    put_writer(n, b, &dot->replica, stamp);
}

static void put_version(struct versions *v, const struct history_entry *e)
{
    static const char *const what[] = { "?", "put", "delete", "lost" };
    struct buf *b = v->b;

    buf_put_str(b, v->n++ > 0 ? "," : "");
    buf_printf(b, "{\"version\":%llu,\"what\":\"%s\",",
        (unsigned long long)e->version, what[e->what & 3]);
    put_author(v->node, b, &e->dot, &e->stamp, e->wall_us);
    if (e->what == HISTORY_LOST) {
        buf_put_str(b, ",\"path\":");
        json_print_string(b, e->path, false);
    }
    if (e->value.len > 0 && v->values) {
        buf_put_str(b, ",\"value\":");
        buf_put_slice(b, e->value);
    } else if (e->value.len > 0) {
        buf_printf(b, ",\"bytes\":%zu", e->value.len);
    }
    buf_put_u8(b, '}');
}

/* The present state as the last version. */
static struct history_entry present(const struct stored *st)
{
    struct history_entry e = { .version = st->revisions + 1,
        .what = st->was_alive ? HISTORY_PUT : HISTORY_DELETE,
        .dot = st->last.first,
        .stamp = st->last.stamp,
        .wall_us = st->last.wall_us,
        .value = st->was_alive ? st->before : SLICE_NONE };

    return e;
}

static bool is_full(const struct versions *v)
{
    return v->limit > 0 && (v->n == v->limit || v->b->len > PAGE_BYTES);
}

static uint64_t number_of(struct slice key)
{
    struct reader tail = reader_of(slice_from(key, key.len - 8));

    return get_be64(&tail);
}

static int scan_versions(
    struct versions *v, uint64_t from, store_scan_fn *each, void *ctx)
{
    struct buf prefix = { 0 }, at = { 0 };
    int rc = store_scan(&v->node->opt.store, TABLE_HISTORY,
        key_history_of(&prefix, v->space->past, v->key),
        key_history(&at, v->space->past, v->key, from), each, ctx);

    buf_free(&prefix);
    buf_free(&at);
    return rc;
}

/* ---- oldest first ---- */

/* False: it is on the next page. */
static bool list_version(struct versions *v, const struct history_entry *e)
{
    v->any = true;
    if (e->version <= v->after)
        return true;
    v->more = is_full(v);
    if (!v->more)
        put_version(v, e);
    return !v->more;
}

static int on_version(void *ctx, struct slice key, struct slice value)
{
    struct versions *v = ctx;
    struct history_entry e = { .version = number_of(key) };
    int rc = history_decode(value, &e);

    if (rc != SYNCLINE_OK)
        return rc;
    return list_version(v, &e) ? buf_status(v->b) : 1;
}

static int list_forwards(struct versions *v)
{
    struct history_entry now;
    int rc = scan_versions(v, v->after, on_version, v);

    v->any = v->any || v->after > 0;
    if (rc != SYNCLINE_OK || !v->st->existed || v->more)
        return rc;
    now = present(v->st);
    (void)list_version(v, &now);
    return SYNCLINE_OK;
}

/* ---- newest first ---- */

static int note_oldest(void *ctx, struct slice key, struct slice value)
{
    struct versions *v = ctx;

    (void)value;
    v->oldest = number_of(key);
    return 1;
}

static int read_version(
    struct versions *v, uint64_t version, struct history_entry *out)
{
    struct buf name = { 0 };
    struct slice value;
    int rc = store_get(&v->node->opt.store, TABLE_HISTORY,
        key_history(&name, v->space->past, v->key, version), &value);

    buf_free(&name);
    out->version = version;
    return rc == SYNCLINE_OK ? history_decode(value, out) : rc;
}

/* before 0: from the present on. */
static int list_backwards(struct versions *v, uint64_t before)
{
    const uint64_t last = v->st->revisions + 1;
    uint64_t at = before == 0 || before > last ? last : before - 1;
    struct history_entry e = { .version = 0 };
    int rc = scan_versions(v, 0, note_oldest, v);

    v->any = v->st->existed || v->oldest > 0;
    if (rc == SYNCLINE_OK && at == last && v->st->existed) {
        e = present(v->st);
        put_version(v, &e);
    }
    if (at == last)
        at--;
    for (; rc == SYNCLINE_OK && v->oldest > 0 && at >= v->oldest; at--) {
        v->more = is_full(v);
        if (v->more)
            return SYNCLINE_OK;
        rc = read_version(v, at, &e);
        if (rc == SYNCLINE_OK)
            put_version(v, &e);
        if (rc == SYNCLINE_ENOTFOUND)
            rc = SYNCLINE_OK; /* it was too large, and is gone: oversize.c */
    }
    return rc;
}

/* ---- both ---- */

int history_tell(struct node *n, const struct space *sp, struct slice key,
    const struct stored *st, const struct json *args, struct buf *b, bool *any,
    struct errmsg *why)
{
    const bool is_backwards = json_get(args, "before") != NULL;
    const int64_t before = json_get_int(args, "before", 0);
    const int64_t after = json_get_int(args, "after", 0);
    const int64_t limit = json_get_int(args, "limit", 0);
    struct versions v = { .node = n,
        .space = sp,
        .key = key,
        .st = st,
        .b = b,
        .after = (uint64_t)after,
        .limit = (uint64_t)limit,
        .values = json_get_bool(args, "values", true) };
    int rc;

    if (limit < 0 || limit > LS_MAX || after < 0 || before < 0 ||
        (is_backwards && json_get(args, "after") != NULL))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "limit: at most %d; after or before, not both: the last version "
            "of the page before",
            LS_MAX);
    buf_put_str(b, "{\"ok\":true,\"versions\":[");
    rc =
        is_backwards ? list_backwards(&v, (uint64_t)before) : list_forwards(&v);
    buf_printf(b, "],\"more_versions\":%s}", v.more ? "true" : "false");
    *any = v.any;
    return rc;
}

int history_find(struct node *n, const struct space *sp, struct slice key,
    const struct stored *st, uint64_t version, struct history_entry *out)
{
    struct versions v = { .node = n, .space = sp, .key = key, .st = st };
    int rc;

    if (st->existed && version == st->revisions + 1) {
        *out = present(st);
        return SYNCLINE_OK;
    }
    rc = read_version(&v, version, out);
    if (rc != SYNCLINE_OK)
        return rc;
    out->value = arena_dup(&n->step, out->value); /* they are the store's */
    out->path = arena_dup(&n->step, out->path);
    return out->value.ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}
