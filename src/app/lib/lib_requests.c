/* syncline.h: each call that asks the node for something, as a request of
 * doc/api.md. */
#include "app/answer.h"
#include "app/lib/lib.h"

#include <stdlib.h>

#define LIST_PAGE 500

/* A request that waits: built in arena, answered in text, parsed in arena
 * again. */
struct call {
    struct arena arena;
    struct json *args;
    struct buf text;
    struct json *answer;
};

static void call_open(struct call *c, const char *op)
{
    *c = (struct call){ 0 };
    c->args = json_new(&c->arena, JSON_OBJECT);
    (void)json_add(
        c->args, SLICE_LIT("op"), json_new_str(&c->arena, slice_str(op)));
}

static void call_close(struct call *c)
{
    arena_free(&c->arena);
    buf_free(&c->text);
}

/* Adds a member; a NULL text adds none. Memory that runs out shows as a NULL
 * args. */
static void add(struct call *c, const char *name, struct json *v)
{
    if (json_add(c->args, slice_str(name), v) == NULL)
        c->args = NULL;
}

static void add_str(struct call *c, const char *name, const char *text)
{
    struct slice copy;

    if (text == NULL)
        return;
    copy = arena_dup(&c->arena, slice_str(text));
    add(c, name, copy.ptr == NULL ? NULL : json_new_str(&c->arena, copy));
}

static int add_json(struct call *c, const char *name, const char *text)
{
    struct errmsg why = { "" };
    struct slice copy = SLICE_NONE;
    struct json *v;
    int rc = SYNCLINE_ENOMEM;

    if (text == NULL)
        return lib_fail(SYNCLINE_EINVAL, "%s: missing", name);
    copy = arena_dup(&c->arena, slice_str(text));
    if (copy.ptr != NULL)
        rc = json_parse(&v, copy, JSON_WRAPPED, &c->arena, &why);
    if (rc != SYNCLINE_OK)
        return lib_fail(rc, "%s: %s", name, why.text);
    add(c, name, v);
    return SYNCLINE_OK;
}

static int call_run(struct syncline *s, struct call *c)
{
    struct errmsg why = { "" };
    int rc = lib_call(s, &c->arena, c->args, &c->text);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = json_parse(
        &c->answer, buf_slice(&c->text), JSON_TOLERANT, &c->arena, &why);
    if (rc == SYNCLINE_OK)
        rc = answer_status(c->answer, &why);
    return rc == SYNCLINE_OK ? rc : lib_fail(rc, "%s", why.text);
}

/* A value as text that is the caller's. */
static int give(const struct json *v, char **out)
{
    struct buf b = { 0 };

    json_print(&b, v, JSON_CANONICAL);
    buf_put_u8(&b, 0);
    if (v == NULL || buf_status(&b) != SYNCLINE_OK) {
        buf_free(&b);
        return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    }
    *out = (char *)b.ptr;
    return SYNCLINE_OK;
}

static int give_str(struct slice s, char **out)
{
    char *copy = malloc(s.len + 1);

    if (copy == NULL)
        return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = 0;
    *out = copy;
    return SYNCLINE_OK;
}

/* ---- items ---- */

/* Most calls: a space, a key, one JSON argument (its name NULL: none), one
 * member of the answer that is given to the caller (NULL: none). */
static int item_call(struct syncline *s, const char *op, const char *space,
    const char *key, const char *name, const char *json, const char *member,
    char **out)
{
    struct call c;
    int rc = SYNCLINE_OK;

    call_open(&c, op);
    add_str(&c, "space", space);
    add_str(&c, "key", key);
    if (name != NULL)
        rc = add_json(&c, name, json);
    if (rc == SYNCLINE_OK)
        rc = call_run(s, &c);
    if (rc == SYNCLINE_OK && member != NULL)
        rc = give(json_get(c.answer, member), out);
    call_close(&c);
    return rc;
}

int syncline_put(
    struct syncline *s, const char *space, const char *key, const char *value)
{
    return item_call(s, "put", space, key, "value", value, NULL, NULL);
}

int syncline_patch(
    struct syncline *s, const char *space, const char *key, const char *patch)
{
    return item_call(s, "patch", space, key, "patch", patch, NULL, NULL);
}

int syncline_delete(struct syncline *s, const char *space, const char *key)
{
    return item_call(s, "del", space, key, NULL, NULL, NULL, NULL);
}

int syncline_batch(struct syncline *s, const char *space, const char *ops)
{
    return item_call(s, "batch", space, NULL, "ops", ops, NULL, NULL);
}

int syncline_get(
    struct syncline *s, const char *space, const char *key, char **value)
{
    return item_call(s, "get", space, key, NULL, NULL, "value", value);
}

int syncline_history(
    struct syncline *s, const char *space, const char *key, char **versions)
{
    return item_call(
        s, "history", space, key, NULL, NULL, "versions", versions);
}

int syncline_conflicts(struct syncline *s, const char *space, char **conflicts)
{
    return item_call(
        s, "conflicts", space, NULL, NULL, NULL, "conflicts", conflicts);
}

/* One item to the callback; *after is kept for the next page. */
static int list_one(
    const struct json *item, syncline_item_fn *fn, void *ctx, char **after)
{
    char *value = NULL, *key = NULL;
    int rc = give_str(json_get_str(item, "key"), &key);

    if (rc != SYNCLINE_OK)
        return rc;
    free(*after);
    *after = key;
    rc = give(json_get(item, "value"), &value);
    if (rc == SYNCLINE_OK)
        rc = fn(ctx, key, value);
    free(value);
    return rc;
}

static int list_page(struct syncline *s, const char *space, const char *prefix,
    char **after, syncline_item_fn *fn, void *ctx, bool *more)
{
    const struct json *items;
    struct call c;
    int rc;

    call_open(&c, "ls");
    add_str(&c, "space", space);
    add_str(&c, "prefix", prefix);
    add_str(&c, "after", *after);
    add(&c, "limit", json_new_int(&c.arena, LIST_PAGE));
    add(&c, "values", json_new_bool(&c.arena, true));
    rc = call_run(s, &c);
    if (rc == SYNCLINE_OK) {
        items = json_get(c.answer, "items");
        *more = json_get_bool(c.answer, "more_items", false);
        for (const struct json *i = items == NULL ? NULL : items->first;
             i != NULL && rc == SYNCLINE_OK; i = i->next)
            rc = list_one(i, fn, ctx, after);
    }
    call_close(&c);
    return rc;
}

int syncline_list(struct syncline *s, const char *space, const char *prefix,
    syncline_item_fn *fn, void *ctx)
{
    char *after = NULL;
    bool more = true;
    int rc = SYNCLINE_OK;

    while (rc == SYNCLINE_OK && more)
        rc = list_page(s, space, prefix, &after, fn, ctx, &more);
    free(after);
    return rc;
}

/* ---- conflicts, pairing, status ---- */

int syncline_set_policy(struct syncline *s, const char *space,
    const char *prefix, const char *policy)
{
    struct call c;
    int rc;

    call_open(&c, "policy_set");
    add_str(&c, "space", space == NULL ? "default" : space);
    add_str(&c, "prefix", prefix == NULL ? "" : prefix);
    add_str(&c, "policy", policy);
    rc = call_run(s, &c);
    call_close(&c);
    return rc;
}

int syncline_resolve(struct syncline *s, const char *id, const char *value)
{
    struct call c;
    int rc = SYNCLINE_OK;

    call_open(&c, "resolve");
    add_str(&c, "id", id);
    if (value == NULL)
        add_str(&c, "take", "loser");
    else
        rc = add_json(&c, "value", value);
    if (rc == SYNCLINE_OK)
        rc = call_run(s, &c);
    call_close(&c);
    return rc;
}

int syncline_invite(struct syncline *s, unsigned expires_s, char **code)
{
    struct call c;
    int rc;

    call_open(&c, "invite");
    if (expires_s > 0)
        add(&c, "expires_s", json_new_int(&c.arena, expires_s));
    rc = call_run(s, &c);
    if (rc == SYNCLINE_OK)
        rc = give_str(json_get_str(c.answer, "code"), code);
    call_close(&c);
    return rc;
}

int syncline_join(struct syncline *s, const char *code, const char *peer)
{
    struct call c;
    int rc;

    if (code == NULL)
        return lib_fail(SYNCLINE_EINVAL, "code: missing");
    call_open(&c, "join");
    add_str(&c, "code", code);
    add_str(&c, "peer", peer);
    rc = call_run(s, &c);
    call_close(&c);
    return rc;
}

int syncline_status(struct syncline *s, char **status)
{
    struct call c;
    int rc;

    call_open(&c, "status");
    rc = call_run(s, &c);
    if (rc == SYNCLINE_OK)
        rc = give(c.answer, status);
    call_close(&c);
    return rc;
}

/* ---- any request ---- */

static int parse_request(
    struct arena *a, const char *request, bool streams, struct json **out)
{
    struct slice text =
        request == NULL ? SLICE_NONE : arena_dup(a, slice_str(request));
    struct errmsg why = { "" };
    struct json *v;
    struct slice op;
    int rc = request == NULL ? SYNCLINE_EINVAL : SYNCLINE_ENOMEM;

    if (text.ptr != NULL)
        rc = json_parse(&v, text, JSON_WRAPPED, a, &why);
    if (rc != SYNCLINE_OK)
        return lib_fail(rc, "the request: %s", why.text);
    op = json_get_str(v, "op");
    if (v->type != JSON_OBJECT || op.len == 0)
        return lib_fail(SYNCLINE_EINVAL, "a request is an object with an op");
    if (!streams && slice_is(op, "watch"))
        return lib_fail(SYNCLINE_EINVAL, "watch has no end; use syncline_send");
    *out = v;
    return SYNCLINE_OK;
}

/* ---- files ---- */

/* Members of how beside those that are arguments. */
static int add_how(struct call *c, const char *how)
{
    struct errmsg why = { "" };
    struct slice copy;
    struct json *v;
    int rc = SYNCLINE_ENOMEM;

    if (how == NULL)
        return SYNCLINE_OK;
    copy = arena_dup(&c->arena, slice_str(how));
    if (copy.ptr != NULL)
        rc = json_parse(&v, copy, JSON_STRICT, &c->arena, &why);
    if (rc != SYNCLINE_OK)
        return lib_fail(rc, "how: %s", why.text);
    if (v->type != JSON_OBJECT)
        return lib_fail(SYNCLINE_EINVAL, "how: no JSON object");
    for (struct json *m = v->first, *next; m != NULL; m = next) {
        next = m->next;
        if (json_get_slice(c->args, m->key) != NULL)
            return lib_fail(SYNCLINE_EINVAL,
                "how: \"%.*s\" is an argument of its own", SLICE_FMT(m->key));
        m->next = NULL;
        if (json_add(c->args, m->key, m) == NULL)
            c->args = NULL;
    }
    return SYNCLINE_OK;
}

int syncline_bind(struct syncline *s, const char *file, const char *space,
    const char *key, const char *how)
{
    struct call c;
    int rc;

    call_open(&c, "bind");
    add_str(&c, "file", file);
    add_str(&c, "space", space);
    add_str(&c, "key", key);
    rc = add_how(&c, how);
    if (rc == SYNCLINE_OK)
        rc = call_run(s, &c);
    call_close(&c);
    return rc;
}

static int file_call(struct syncline *s, const char *op, const char *file,
    const char *version, const char *member, char **out)
{
    struct call c;
    int rc;

    call_open(&c, op);
    add_str(&c, "file", file);
    add_str(&c, "version", version);
    rc = call_run(s, &c);
    if (rc == SYNCLINE_OK && member != NULL)
        rc = give(json_get(c.answer, member), out);
    call_close(&c);
    return rc;
}

int syncline_unbind(struct syncline *s, const char *file)
{
    return file_call(s, "unbind", file, NULL, NULL, NULL);
}

int syncline_bindings(struct syncline *s, char **bindings)
{
    return file_call(s, "bindings", NULL, NULL, "bindings", bindings);
}

int syncline_versions(struct syncline *s, const char *file, char **names)
{
    return file_call(s, "versions", file, NULL, "versions", names);
}

int syncline_version_value(
    struct syncline *s, const char *file, const char *name, char **value)
{
    if (name == NULL)
        return lib_fail(SYNCLINE_EINVAL, "name: missing");
    return file_call(s, "versions", file, name, "value", value);
}

int syncline_rollback(struct syncline *s, const char *file, const char *name)
{
    if (name == NULL)
        return lib_fail(SYNCLINE_EINVAL, "name: missing");
    return file_call(s, "rollback", file, name, NULL, NULL);
}

int syncline_request(struct syncline *s, const char *request, char **answer)
{
    struct arena a = { 0 };
    struct buf text = { 0 };
    struct json *args = NULL;
    int rc = parse_request(&a, request, false, &args);

    if (rc == SYNCLINE_OK)
        rc = lib_call(s, &a, args, &text);
    arena_free(&a);
    if (rc != SYNCLINE_OK) {
        buf_free(&text);
        return rc;
    }
    *answer = (char *)text.ptr;
    return SYNCLINE_OK;
}

int syncline_send(struct syncline *s, const char *request,
    syncline_answer_fn *fn, void *ctx, uint64_t *id)
{
    struct arena a = { 0 };
    struct json *args = NULL;
    int rc = fn == NULL ? lib_fail(SYNCLINE_EINVAL, "fn: missing")
                        : parse_request(&a, request, true, &args);

    if (rc == SYNCLINE_OK)
        rc = lib_post(s, &a, args, fn, ctx, id);
    arena_free(&a);
    return rc;
}

void syncline_cancel(struct syncline *s, uint64_t id)
{
    lib_cancel(s, id);
}
