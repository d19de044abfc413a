/* Conflicts under the policy `custom`, and the program's callbacks that settle
 * them. */
#include "app/lib/lib.h"

#include <stdlib.h>

#include "core/document.h"
#include "faces/lansync/item.h"

struct lib_resolver {
    struct lib_resolver *next;
    char *space, *prefix, *type; /* type NULL: any */
    syncline_resolve_fn *fn;
    void *ctx;
};

struct question {
    struct slice space, key, path, type;
    const struct json *const *siblings;
    size_t n;
    const struct json *ancestor;
};

/* ---- which one is asked ---- */

static bool fits(const struct lib_resolver *r, const struct question *q)
{
    return slice_is(q->space, r->space) &&
        slice_has_prefix(q->key, slice_str(r->prefix)) &&
        (r->type == NULL || slice_is(q->type, r->type));
}

/* Of those that fit: the longest prefix, then one that names the type. */
static bool is_nearer(
    const struct lib_resolver *r, const struct lib_resolver *o)
{
    size_t a = strlen(r->prefix), b = strlen(o->prefix);

    return a != b ? a > b : r->type != NULL && o->type == NULL;
}

/* Copied, since another may take its place. */
static struct lib_resolver find(struct syncline *s, const struct question *q)
{
    struct lib_resolver found = { .fn = s->resolve, .ctx = s->resolve_ctx };
    const struct lib_resolver *best = NULL;

    (void)pthread_mutex_lock(&s->lock);
    for (const struct lib_resolver *r = s->resolvers; r != NULL; r = r->next)
        if (fits(r, q) && (best == NULL || is_nearer(r, best)))
            best = r;
    if (best != NULL)
        found = *best;
    (void)pthread_mutex_unlock(&s->lock);
    return found;
}

/* What LAN sync calls the type of an item; "" on memory. */
static struct slice type_of(const struct item *it, struct arena *a)
{
    struct lan_item lan = { .type = SLICE_NONE };
    struct buf b = { 0 };
    struct json *doc = NULL;
    struct slice text;

    put_document(&b, it, a);
    text = arena_dup(a, buf_slice(&b));
    buf_free(&b);
    if (text.len == 0 ||
        json_parse(&doc, text, JSON_STRICT, a, NULL) != SYNCLINE_OK ||
        lan_item_of(&lan, doc, a) != SYNCLINE_OK)
        return SLICE_NONE;
    return lan.type;
}

/* ---- asking it ---- */

static void put_question(struct buf *b, const struct question *q)
{
    buf_put_str(b, "{\"space\":");
    json_print_string(b, q->space, false);
    buf_put_str(b, ",\"key\":");
    json_print_string(b, q->key, false);
    buf_put_str(b, ",\"type\":");
    json_print_string(b, q->type, false);
    buf_put_str(b, ",\"path\":");
    json_print_string(b, q->path, false);
    buf_put_str(b, ",\"siblings\":[");
    for (size_t i = 0; i < q->n; i++) {
        buf_put_str(b, i > 0 ? "," : "");
        json_print(b, q->siblings[i], JSON_CANONICAL);
    }
    buf_put_str(b, "],\"ancestor\":");
    if (q->ancestor != NULL)
        json_print(b, q->ancestor, JSON_CANONICAL);
    else
        buf_put_str(b, "null");
    buf_put(b, "}", 2); /* and the NUL */
}

static char *ask(const struct lib_resolver *r, const struct question *q)
{
    struct buf text = { 0 };
    char *answer = NULL;

    put_question(&text, q);
    if (buf_status(&text) == SYNCLINE_OK)
        answer = r->fn(r->ctx, (const char *)text.ptr);
    buf_free(&text);
    return answer;
}

struct json *lib_resolve(
    void *ctx, const struct node_conflict *c, struct arena *a)
{
    struct syncline *s = ctx;
    const struct question q = { c->space, c->key, c->path, type_of(c->item, a),
        c->siblings, c->n, c->ancestor };
    const struct lib_resolver r = find(s, &q);
    struct json *result = NULL;
    struct slice text;
    char *answer = r.fn != NULL ? ask(&r, &q) : NULL;

    if (answer == NULL)
        return NULL;
    text = arena_dup(a, slice_str(answer)); /* what is parsed borrows from it */
    free(answer);
    if (text.ptr == NULL ||
        json_parse(&result, text, JSON_STRICT, a, NULL) != SYNCLINE_OK)
        return NULL;
    return result;
}

/* ---- naming one ---- */

static void resolver_free(struct lib_resolver *r)
{
    if (r == NULL)
        return;
    free(r->space);
    free(r->prefix);
    free(r->type);
    free(r);
}

void lib_resolvers_free(struct syncline *s)
{
    while (s->resolvers != NULL) {
        struct lib_resolver *next = s->resolvers->next;

        resolver_free(s->resolvers);
        s->resolvers = next;
    }
}

static struct lib_resolver *resolver_new(
    const char *space, const char *prefix, const char *type)
{
    struct lib_resolver *r = calloc(1, sizeof *r);

    if (r == NULL)
        return NULL;
    r->space = strdup(space != NULL ? space : "default");
    r->prefix = strdup(prefix != NULL ? prefix : "");
    r->type = type != NULL ? strdup(type) : NULL;
    if (r->space == NULL || r->prefix == NULL ||
        (type != NULL && r->type == NULL)) {
        resolver_free(r);
        return NULL;
    }
    return r;
}

static bool is_same(const struct lib_resolver *a, const struct lib_resolver *b)
{
    return strcmp(a->space, b->space) == 0 &&
        strcmp(a->prefix, b->prefix) == 0 &&
        (a->type == NULL || b->type == NULL ? a->type == b->type
                                            : strcmp(a->type, b->type) == 0);
}

int syncline_resolve_with(struct syncline *s, const char *space,
    const char *prefix, const char *type, syncline_resolve_fn *fn, void *ctx)
{
    struct lib_resolver *r, *old, **at = &s->resolvers;

    if (type != NULL && type[0] == 0)
        return lib_fail(SYNCLINE_EINVAL, "type: NULL, or named");
    if (s->forks != forks_n())
        return lib_check_forks(s->forks);
    r = resolver_new(space, prefix, type);
    if (r == NULL)
        return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    r->fn = fn;
    r->ctx = ctx;
    (void)pthread_mutex_lock(&s->lock);
    while (*at != NULL && !is_same(*at, r))
        at = &(*at)->next;
    old = *at;
    if (old != NULL)
        *at = old->next;
    if (fn != NULL) {
        r->next = s->resolvers;
        s->resolvers = r;
        r = NULL;
    }
    (void)pthread_mutex_unlock(&s->lock);
    resolver_free(old);
    resolver_free(r);
    return SYNCLINE_OK;
}
