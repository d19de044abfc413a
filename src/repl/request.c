/* The local interface, doc/api.md: one handler an op. */
#include "base/text.h"
#include "core/json_patch.h"
#include "repl/access_impl.h"
#include "repl/group.h"
#include "repl/request_admin.h"

#include <stdlib.h>

#define LS_LIMIT 1000
#define BATCH_OPS_MAX 1024
#define BATCH_BYTES_MAX ((size_t)512 << 10)

/* A request being answered. */
struct asking {
    struct node *n;
    uint64_t request;
    const struct json *args;
    struct errmsg why;
};

static int reply(struct asking *q, struct buf *b)
{
    int rc = buf_status(b);

    if (rc == SYNCLINE_OK)
        rc = fx_reply(q->n, q->request, buf_slice(b), false);
    buf_free(b);
    return rc;
}

static int need_space(struct asking *q, struct space **out)
{
    struct slice name = json_get_str(q->args, "space");
    struct space *sp = NULL;

    if (name.len == 0)
        name = SLICE_LIT(DEFAULT_SPACE);
    sp = space_by_name(q->n, name);
    if (carry_is_relay(q->n) && (sp == NULL || !space_is_open(sp)))
        return errmsg_set(&q->why, SYNCLINE_EDENIED,
            "%.*s: this device is a relay: it keeps sealed what others wrote, "
            "and can neither read nor write it; ask a member",
            SLICE_FMT(name));
    if (sp == NULL || !space_shown(sp))
        return errmsg_set(&q->why, SYNCLINE_ENOTFOUND,
            "%.*s: no such space; make it with `syncline space add`, or see "
            "`syncline space`",
            SLICE_FMT(name));
    *out = sp;
    return SYNCLINE_OK;
}

/* A device that was removed sees no space any more, and is told why: to make
 * one would not help it. */
static int need_membership(struct asking *q)
{
    struct slice name = json_get_str(q->args, "space");
    const struct space *sp =
        space_by_name(q->n, name.len > 0 ? name : SLICE_LIT(DEFAULT_SPACE));

    return sp != NULL && sp->barred && !sp->hidden &&
            members_get(q->n->members, &q->n->device) == NULL
        ? access_check_write(q->n, sp, &q->why)
        : SYNCLINE_OK;
}

/* For writes of people: the mesh's own are written by their commands only. */
static int need_writable(struct asking *q, struct space **out)
{
    int rc = need_membership(q);

    if (rc == SYNCLINE_OK)
        rc = need_space(q, out);
    if (rc == SYNCLINE_OK && space_is_inner(*out))
        return errmsg_set(&q->why, SYNCLINE_EDENIED,
            "%.*s: written by invite, remove, space and policy only",
            SLICE_FMT((*out)->name));
    return rc;
}

static int need_key(struct asking *q, struct slice *out)
{
    struct json *key = json_get(q->args, "key");

    if (key == NULL || key->type != JSON_STRING)
        return errmsg_set(
            &q->why, SYNCLINE_EINVAL, "key: missing, or not a string");
    *out = key->s;
    return key_check(key->s, &q->why);
}

static int check_depth(struct asking *q, struct space *sp, struct slice key,
    const struct json *doc)
{
    if (json_depth(doc) <= JSON_DEPTH_MAX)
        return SYNCLINE_OK;
    return errmsg_set(&q->why, SYNCLINE_ELIMIT,
        "%.*s/%.*s: a value nested deeper than %d levels", SLICE_FMT(sp->name),
        SLICE_FMT(key), JSON_DEPTH_MAX);
}

static int write_one(struct asking *q, struct space *sp, struct slice key,
    const struct json *doc)
{
    const struct json *as = json_get(q->args, "as");
    struct write_op op = { .key = key,
        .doc = doc,
        .unseen = json_get_bool(q->args, "unseen", false) };
    struct write_result result;
    struct foreign whose;
    int rc = doc != NULL ? check_depth(q, sp, key, doc) : SYNCLINE_OK;

    if (rc == SYNCLINE_OK && as != NULL) {
        rc = foreign_read(&whose, as, &q->why);
        op.as = &whose;
    }
    if (rc == SYNCLINE_OK)
        rc = context_check(
            q->n, sp, key, json_get(q->args, "if_context"), &q->why);
    if (rc == SYNCLINE_OK)
        rc = write_local(q->n, sp, &op, 1, &result, &q->why);
    if (rc == SYNCLINE_OK && as != NULL && result.changed > 0)
        rc = author_note(q->n, &whose);
    if (rc == SYNCLINE_OK)
        rc = wait_add(q->n, q->request, q->args, sp, &result, false);
    return rc;
}

static int on_put(struct asking *q)
{
    struct json *doc = json_get(q->args, "value");
    struct space *sp = NULL;
    struct slice key;
    int rc = need_writable(q, &sp);

    if (rc == SYNCLINE_OK)
        rc = need_key(q, &key);
    if (rc == SYNCLINE_OK && doc == NULL)
        rc = errmsg_set(&q->why, SYNCLINE_EINVAL, "value: missing");
    return rc == SYNCLINE_OK ? write_one(q, sp, key, doc) : rc;
}

/* The document that shows, parsed; NULL if the item is not alive. */
static int read_document(struct asking *q, struct space *sp, struct slice key,
    struct stored *st, struct json **out)
{
    int rc = item_read(q->n, sp, key, st);

    *out = NULL;
    if (rc == SYNCLINE_OK && st->was_alive)
        rc = json_parse(out, st->before, JSON_STRICT, &q->n->step, NULL);
    return rc;
}

static int not_found(struct asking *q, const struct space *sp, struct slice key)
{
    return errmsg_set(&q->why, SYNCLINE_ENOTFOUND, "%.*s/%.*s: no such item",
        SLICE_FMT(sp->name), SLICE_FMT(key));
}

/* `patch` is an object of RFC 7396, `json_patch` a list of RFC 6902, which
 * wants something to work upon. */
static int patched(struct asking *q, const struct space *sp, struct slice key,
    struct json **doc)
{
    const struct json *patch = json_get(q->args, "patch");
    const struct json *list = json_get(q->args, "json_patch");

    if ((patch == NULL) == (list == NULL))
        return errmsg_set(&q->why, SYNCLINE_EINVAL,
            "patch: missing, and so is json_patch; or both are there");
    if (list != NULL && *doc == NULL)
        return not_found(q, sp, key);
    if (list != NULL)
        return json_patch(doc, *doc, list, &q->n->step, &q->why);
    *doc = json_merge_patch(*doc, patch, &q->n->step);
    return *doc != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

static int on_patch(struct asking *q)
{
    struct json *doc = NULL;
    struct stored st;
    struct space *sp = NULL;
    struct slice key;
    int rc = need_writable(q, &sp);

    if (rc == SYNCLINE_OK)
        rc = need_key(q, &key);
    if (rc == SYNCLINE_OK)
        rc = read_document(q, sp, key, &st, &doc);
    if (rc == SYNCLINE_OK)
        rc = patched(q, sp, key, &doc);
    return rc == SYNCLINE_OK ? write_one(q, sp, key, doc) : rc;
}

static int on_del(struct asking *q)
{
    struct stored st;
    struct space *sp = NULL;
    struct slice key;
    int rc = need_writable(q, &sp);

    if (rc == SYNCLINE_OK)
        rc = need_key(q, &key);
    if (rc == SYNCLINE_OK)
        rc = context_check(
            q->n, sp, key, json_get(q->args, "if_context"), &q->why);
    if (rc == SYNCLINE_OK)
        rc = item_read(q->n, sp, key, &st);
    if (rc == SYNCLINE_OK && !st.was_alive)
        rc = not_found(q, sp, key);
    return rc == SYNCLINE_OK ? write_one(q, sp, key, NULL) : rc;
}

static int read_op(struct asking *q, struct space *sp, const struct json *v,
    uint32_t ix, struct write_op *op)
{
    *op = (struct write_op){ .key = json_get_str(v, "key"),
        .doc = json_get(v, "value"),
        .only_new = json_get_bool(v, "new", false) };
    if (op->key.ptr == NULL ||
        (op->doc == NULL) != json_get_bool(v, "delete", false))
        return errmsg_set(&q->why, SYNCLINE_EINVAL,
            "ops[%u]: needs a key, and either a value or delete", ix);
    return op->doc != NULL ? check_depth(q, sp, op->key, op->doc) : SYNCLINE_OK;
}

static int on_batch(struct asking *q)
{
    struct json *list = json_get(q->args, "ops");
    struct write_result result;
    struct write_op *ops;
    struct space *sp = NULL;
    uint32_t n = 0;
    int rc = need_writable(q, &sp);

    if (rc != SYNCLINE_OK)
        return rc;
    if (list == NULL || list->type != JSON_ARRAY || list->n == 0 ||
        list->n > BATCH_OPS_MAX)
        return errmsg_set(&q->why, SYNCLINE_EINVAL,
            "ops: needs an array of 1 to %d operations", BATCH_OPS_MAX);
    ops = arena_alloc(&q->n->step, list->n * sizeof *ops);
    if (ops == NULL)
        return SYNCLINE_ENOMEM;
    for (struct json *v = list->first; v != NULL && rc == SYNCLINE_OK;
         v = v->next, n++)
        rc = read_op(q, sp, v, n, &ops[n]);
    if (rc == SYNCLINE_OK)
        rc = write_local(q->n, sp, ops, n, &result, &q->why);
    if (rc == SYNCLINE_OK && n > 1 &&
        q->n->txn.batch.ops.len > BATCH_BYTES_MAX * 4)
        rc = errmsg_set(&q->why, SYNCLINE_ELIMIT,
            "ops: more than fits one batch; make several of it");
    if (rc == SYNCLINE_OK)
        rc = wait_add(q->n, q->request, q->args, sp, &result, true);
    return rc;
}

static int on_get(struct asking *q)
{
    char context[CONTEXT_TEXT_LEN + 1];
    struct buf b = { 0 };
    struct stored st;
    struct space *sp = NULL;
    struct slice key;
    int rc = need_space(q, &sp);

    if (rc == SYNCLINE_OK)
        rc = need_key(q, &key);
    if (rc == SYNCLINE_OK)
        rc = item_read(q->n, sp, key, &st);
    if (rc == SYNCLINE_OK && !st.was_alive)
        rc = not_found(q, sp, key);
    if (rc == SYNCLINE_OK)
        rc = context_print(q->n, &st.item, context);
    if (rc != SYNCLINE_OK)
        return rc;
    buf_put_str(&b, "{\"ok\":true,\"value\":");
    buf_put_slice(&b, st.before);
    buf_printf(&b, ",\"version\":%llu,\"context\":\"%s\",",
        (unsigned long long)st.item.version, context);
    put_author(q->n, &b, &st.last.first, &st.last.stamp, st.last.wall_us);
    rc = put_siblings(q->n, &b, sp, key);
    if (rc == SYNCLINE_OK)
        rc = schemas_put_flaw(q->n, &b, sp, key, st.before);
    buf_put_str(&b, "}");
    if (rc != SYNCLINE_OK)
        buf_free(&b);
    return rc == SYNCLINE_OK ? reply(q, &b) : rc;
}

struct listing {
    struct asking *q;
    struct buf b;
    struct arena scratch;
    struct slice after;
    int64_t limit, preview;
    bool values, more;
    int64_t n;
};

/* The first characters of a document, and how long all of it is. */
static void put_preview(struct listing *l, const struct item *it)
{
    struct buf doc = { 0 };
    size_t n = 0;

    put_document(&doc, it, &l->scratch);
    for (int64_t left = l->preview; n < doc.len && left > 0; left--)
        for (n++; n < doc.len && (doc.ptr[n] & 0xc0) == 0x80; n++)
            ;
    buf_printf(&l->b, ",\"bytes\":%zu,\"preview\":", doc.len);
    json_print_string(&l->b, SLICE(doc.ptr, n), false);
    if (buf_status(&doc) != SYNCLINE_OK)
        l->b.status = buf_status(&doc);
    buf_free(&doc);
}

static int list_item(void *ctx, struct slice key, struct slice value)
{
    struct listing *l = ctx;
    struct stored st;
    int rc;

    key = slice_from(key, 4);
    if (slice_eq(key, l->after))
        return SYNCLINE_OK;
    if (l->n == l->limit || l->b.len > PAGE_BYTES) {
        l->more = true;
        return 1;
    }
    arena_reset(&l->scratch);
    rc = stored_decode(value, &st, &l->scratch);
    if (rc != SYNCLINE_OK || !item_alive(&st.item))
        return rc;
    buf_put_str(&l->b, l->n++ > 0 ? ",{\"key\":" : "{\"key\":");
    json_print_string(&l->b, key, false);
    buf_printf(&l->b, ",\"version\":%llu", (unsigned long long)st.item.version);
    if (l->values) {
        buf_put_str(&l->b, ",\"value\":");
        put_document(&l->b, &st.item, &l->scratch);
    }
    if (l->preview > 0)
        put_preview(l, &st.item);
    buf_put_u8(&l->b, '}');
    return buf_status(&l->b);
}

static int on_ls(struct asking *q)
{
    struct listing l = { .q = q,
        .after = json_get_str(q->args, "after"),
        .limit = json_get_int(q->args, "limit", LS_LIMIT),
        .preview = json_get_int(q->args, "preview", 0),
        .values = json_get_bool(q->args, "values", false) };
    struct slice prefix = json_get_str(q->args, "prefix");
    struct buf from = { 0 }, pre = { 0 };
    struct space *sp = NULL;
    int rc = need_space(q, &sp);

    if (rc == SYNCLINE_OK &&
        (l.limit < 1 || l.limit > LS_MAX || l.preview < 0 ||
            l.preview > LS_MAX))
        rc = errmsg_set(&q->why, SYNCLINE_EINVAL,
            "limit: must be from 1 to %d; preview: at most that", LS_MAX);
    if (rc != SYNCLINE_OK)
        return rc;
    buf_put_str(&l.b, "{\"ok\":true,\"items\":[");
    rc =
        store_scan(&q->n->opt.store, TABLE_ITEM, key_item(&pre, sp->id, prefix),
            key_item(&from, sp->id, l.after), list_item, &l);
    buf_printf(&l.b, "],\"more_items\":%s}", l.more ? "true" : "false");
    buf_free(&from);
    buf_free(&pre);
    arena_free(&l.scratch);
    if (rc != SYNCLINE_OK)
        buf_free(&l.b);
    return rc == SYNCLINE_OK ? reply(q, &l.b) : rc;
}

/* ---- history ---- */

static int on_history(struct asking *q)
{
    struct buf b = { 0 };
    struct stored st;
    struct space *sp = NULL;
    struct slice key;
    bool any = false;
    int rc = need_space(q, &sp);

    if (rc == SYNCLINE_OK)
        rc = need_key(q, &key);
    if (rc == SYNCLINE_OK)
        rc = item_read(q->n, sp, key, &st);
    if (rc == SYNCLINE_OK)
        rc = history_count(q->n, sp, key, &st);
    if (rc == SYNCLINE_OK)
        rc = history_tell(q->n, sp, key, &st, q->args, &b, &any, &q->why);
    if (rc == SYNCLINE_OK && !any)
        rc = not_found(q, sp, key);
    if (rc != SYNCLINE_OK)
        buf_free(&b);
    return rc == SYNCLINE_OK ? reply(q, &b) : rc;
}

/* A lost value goes back to its path; anything else is the whole. */
static int restore_entry(struct asking *q, struct space *sp, struct slice key,
    const struct history_entry *e)
{
    struct leaf leaf = { e->path, e->value };
    struct cells_write w = { key, { &leaf, 1, 1 }, .why = &q->why };
    struct write_result result = { { q->n->replica, 0 }, 0, 0 };
    struct json *doc;
    struct stored st;
    bool wrote;
    int rc;

    if (e->what == HISTORY_DELETE)
        return write_one(q, sp, key, NULL);
    if (e->what == HISTORY_PUT) {
        rc = json_parse(&doc, e->value, JSON_STRICT, &q->n->step, &q->why);
        return rc == SYNCLINE_OK ? write_one(q, sp, key, doc) : rc;
    }
    rc = write_cells(q->n, sp, &w, &wrote);
    if (rc == SYNCLINE_OK)
        rc = item_read(q->n, sp, key, &st);
    if (rc != SYNCLINE_OK)
        return rc;
    result.dot.seq = vv_get(&sp->have, &q->n->replica);
    result.changed = wrote;
    result.version = st.item.version;
    return wait_add(q->n, q->request, q->args, sp, &result, false);
}

static int on_restore(struct asking *q)
{
    int64_t version = json_get_int(q->args, "version", 0);
    struct history_entry found = { .version = 0 };
    struct stored st;
    struct space *sp = NULL;
    struct slice key;
    int rc = need_writable(q, &sp);

    if (rc == SYNCLINE_OK)
        rc = need_key(q, &key);
    if (rc == SYNCLINE_OK && version < 1)
        rc = errmsg_set(&q->why, SYNCLINE_EINVAL,
            "version: a number that `syncline history` shows");
    if (rc == SYNCLINE_OK)
        rc = item_read(q->n, sp, key, &st);
    if (rc == SYNCLINE_OK)
        rc = history_count(q->n, sp, key, &st);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = history_find(q->n, sp, key, &st, (uint64_t)version, &found);
    if (rc == SYNCLINE_ENOTFOUND)
        rc = errmsg_set(&q->why, SYNCLINE_ENOTFOUND,
            "%.*s/%.*s: no version %lld; `syncline history` shows them",
            SLICE_FMT(sp->name), SLICE_FMT(key), (long long)version);
    return rc == SYNCLINE_OK ? restore_entry(q, sp, key, &found) : rc;
}

/* ---- dispatch ---- */

static int on_watch(struct asking *q)
{
    return request_watch(q->n, q->request, q->args);
}

static int on_invite(struct asking *q)
{
    return request_invite(q->n, q->request, q->args);
}

static int on_join(struct asking *q)
{
    return request_join(q->n, q->request, q->args);
}

static int on_confirm(struct asking *q)
{
    return request_confirm(q->n, q->request, q->args);
}

static int on_verify(struct asking *q)
{
    return request_verify(q->n, q->request, q->args);
}

static int on_admin(struct asking *q)
{
    return request_admin(q->n, q->request, q->args, &q->why);
}

static const struct {
    const char *op;
    int (*on)(struct asking *q);
} ops[] = {
    { "put", on_put },
    { "get", on_get },
    { "del", on_del },
    { "patch", on_patch },
    { "batch", on_batch },
    { "ls", on_ls },
    { "history", on_history },
    { "restore", on_restore },
    { "watch", on_watch },
    { "invite", on_invite },
    { "join", on_join },
    { "confirm", on_confirm },
    { "verify", on_verify },
};

bool request_groups(const struct json *args)
{
    struct slice op = json_get_str(args, "op");

    return slice_is(op, "put") || slice_is(op, "del") || slice_is(op, "patch");
}

int request_on(struct node *n, const struct event *ev)
{
    struct asking q = { .n = n, .request = ev->request, .args = ev->args };
    struct slice op = json_get_str(ev->args, "op");
    size_t i = 0;
    int rc;

    while (i < sizeof ops / sizeof *ops && !slice_is(op, ops[i].op))
        i++;
    rc = wait_check(n, ev->args, &q.why);
    if (rc == SYNCLINE_OK)
        rc = clock_check_op(n, op, &q.why);
    if (rc == SYNCLINE_OK)
        rc = i < sizeof ops / sizeof *ops ? ops[i].on(&q) : on_admin(&q);
    if (rc == SYNCLINE_OK || q.why.text[0] == 0 || n->grouping)
        return rc; /* done, or the step fails as a whole */
    node_undo_writes(n);
    waits_undo(n);
    return fx_error(n, ev->request, rc, &q.why);
}
