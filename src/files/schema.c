#include "files/schema.h"

#include "files/schema_impl.h"

#include <stdio.h>
#include <stdlib.h>

/* Reading. */

/* Of a pointer that is longer than a sentence its end. */
int schema_wrong(
    struct build *b, struct slice pointer, const char *kw, const char *what)
{
    const char *cut = pointer.len > 200 ? "..." : "";

    if (pointer.len > 200)
        pointer = slice_from(pointer, pointer.len - 200);
    return errmsg_set(b->why, SYNCLINE_EINVAL, "schema: %s%.*s%s%s: %s", cut,
        SLICE_FMT(pointer), kw != NULL ? "/" : "", kw != NULL ? kw : "", what);
}

static struct node *known(const struct schema *s, struct slice pointer)
{
    struct omap_node *found = omap_get(&s->nodes, pointer);
    struct node *n = NULL;

    if (found != NULL)
        memcpy(&n, found->value.ptr, sizeof n);
    return n;
}

static const struct keyword *keyword_of(struct slice name)
{
    for (size_t i = 0; i < keywords_n; i++)
        if (slice_is(name, keywords[i].name))
            return &keywords[i];
    return NULL;
}

/* Beside a $ref nothing else counts; but what is defined there may be what it
 * leads to, and have a name. */
static bool counts(const struct node *n, const struct json *m)
{
    return json_get(n->v, "$ref") == NULL || slice_is(m->key, "$ref") ||
        slice_is(m->key, "definitions");
}

static int read_rules(struct build *b, struct node *n)
{
    n->rules = arena_zalloc(&b->s->arena, n->v->n + 1, sizeof *n->rules);
    if (n->rules == NULL)
        return SYNCLINE_ENOMEM;
    for (const struct json *m = n->v->first; m != NULL; m = m->next) {
        const struct keyword *kw = keyword_of(m->key);
        struct rule *r = &n->rules[n->n];
        int rc;

        if (kw == NULL || !counts(n, m))
            continue;
        *r = (struct rule){ .kw = kw, .arg = m };
        n->n++;
        rc = kw->read == NULL ? SYNCLINE_OK : kw->read(b, n, r);
        if (rc != SYNCLINE_OK)
            return rc;
    }
    return SYNCLINE_OK;
}

int schema_node_at(struct build *b, struct node **out, const struct json *v,
    struct slice pointer, struct slice base)
{
    struct schema *s = b->s;
    struct node *n = known(s, pointer);
    int rc;

    *out = n;
    if (n != NULL)
        return SYNCLINE_OK;
    if (v->type != JSON_OBJECT && v->type != JSON_TRUE && v->type != JSON_FALSE)
        return schema_wrong(b, pointer, NULL, "must be a schema");
    if (s->n++ == SCHEMA_NODES_MAX)
        return errmsg_set(b->why, SYNCLINE_ELIMIT,
            "schema: more than %d schemas in it", SCHEMA_NODES_MAX);
    n = arena_zalloc(&s->arena, 1, sizeof *n);
    if (n == NULL)
        return SYNCLINE_ENOMEM;
    *n = (struct node){ .v = v, .pointer = pointer };
    if (s->last != NULL)
        s->last->next = n;
    else
        s->first = n;
    s->last = n;
    *out = n;
    rc = omap_put(&s->nodes, pointer, SLICE(&n, sizeof n));
    if (rc == SYNCLINE_OK)
        rc = schema_register(b, n, base);
    if (rc == SYNCLINE_OK && v->type == JSON_OBJECT)
        rc = read_rules(b, n);
    return rc;
}

int schema_node(struct build *b, struct node **out, const struct json *v,
    const struct node *n, const char *kw, struct slice segment)
{
    struct buf pointer = { 0 };
    struct slice kept;
    int rc;

    buf_put_slice(&pointer, n->pointer);
    json_pointer_put(&pointer, slice_str(kw));
    if (segment.ptr != NULL)
        json_pointer_put(&pointer, segment);
    kept = arena_dup(&b->s->arena, buf_slice(&pointer));
    rc = buf_status(&pointer);
    buf_free(&pointer);
    if (rc != SYNCLINE_OK || kept.ptr == NULL)
        return SYNCLINE_ENOMEM;
    return schema_node_at(b, out, v, kept, n->base);
}

/* The list grows while it is walked: what a reference leads to may be no
 * schema yet. */
static int resolve_all(struct build *b)
{
    for (struct node *n = b->s->first; n != NULL; n = n->next)
        for (uint32_t i = 0; i < n->n; i++) {
            struct rule *r = &n->rules[i];
            int rc;

            if (strcmp(r->kw->name, "$ref") != 0)
                continue;
            rc = schema_resolve(b, n, r->arg->s, &r->sub);
            if (rc != SYNCLINE_OK)
                return rc;
        }
    return SYNCLINE_OK;
}

static int measure(struct build *b, struct node *n, unsigned above);

static int measure_below(
    struct build *b, struct node *n, struct node *sub, unsigned above)
{
    int rc = SYNCLINE_OK;

    if (sub == NULL)
        return SYNCLINE_OK;
    if (sub->open)
        return schema_wrong(b, n->pointer, NULL,
            "leads to itself for the same value, so that no answer would "
            "ever come");
    if (sub->height == 0)
        rc = measure(b, sub, above + 1);
    if (rc == SYNCLINE_OK && sub->height >= n->height)
        n->height = (uint8_t)(sub->height + 1);
    return rc;
}

/* How many schemas judge one value in a row, at most. */
static int measure(struct build *b, struct node *n, unsigned above)
{
    int rc = SYNCLINE_OK;

    if (above > IN_PLACE_MAX)
        return errmsg_set(b->why, SYNCLINE_ELIMIT,
            "schema: more than %d schemas in a row for one value",
            IN_PLACE_MAX);
    n->open = true;
    n->height = 1;
    for (uint32_t i = 0; i < n->n && rc == SYNCLINE_OK; i++) {
        const struct rule *r = &n->rules[i];

        if (!r->kw->in_place)
            continue;
        rc = measure_below(b, n, r->sub, above);
        for (uint32_t k = 0; k < r->n && rc == SYNCLINE_OK; k++)
            rc = measure_below(b, n, r->e[k].sub, above);
    }
    n->open = false;
    if (rc == SYNCLINE_OK && n->height > IN_PLACE_MAX)
        return errmsg_set(b->why, SYNCLINE_ELIMIT,
            "schema: more than %d schemas in a row for one value",
            IN_PLACE_MAX);
    return rc;
}

static int read_all(struct build *b)
{
    struct slice draft = json_get_str(b->s->doc, "$schema");
    struct node *root;
    int rc;

    while (draft.len > 0 && draft.ptr[draft.len - 1] == '#')
        draft.len--;
    if (draft.len > 0 &&
        !slice_is(draft, "http://json-schema.org/draft-07/schema"))
        return errmsg_set(b->why, SYNCLINE_EINVAL,
            "schema: /$schema: only http://json-schema.org/draft-07/schema# "
            "is understood");
    rc = schema_node_at(b, &root, b->s->doc, SLICE_LIT(""), SLICE_LIT(""));
    if (rc == SYNCLINE_OK)
        rc = resolve_all(b);
    for (struct node *n = b->s->first; n != NULL && rc == SYNCLINE_OK;
         n = n->next)
        if (n->height == 0)
            rc = measure(b, n, 1);
    return rc;
}

int schema_new(struct schema **out, const struct json *doc, struct errmsg *why)
{
    struct schema *s = calloc(1, sizeof *s);
    struct build b = { .s = s, .why = why };
    int rc = SYNCLINE_ENOMEM;

    if (s == NULL)
        return errmsg_set(why, rc, "schema: memory ran out");
    s->doc = json_copy(doc, &s->arena);
    if (s->doc != NULL)
        rc = read_all(&b);
    if (rc == SYNCLINE_ENOMEM)
        rc = errmsg_set(why, rc, "schema: memory ran out");
    if (rc == SYNCLINE_OK)
        *out = s;
    else
        schema_free(s);
    return rc;
}

void schema_free(struct schema *s)
{
    if (s == NULL)
        return;
    omap_free(&s->nodes);
    omap_free(&s->ids);
    arena_free(&s->arena);
    free(s);
}

/* Checking. */

static bool stop(struct check *c, int rc, const char *what)
{
    c->rc = rc;
    if (rc != SYNCLINE_ENOMEM)
        c->fault->instance = c->fault->schema = SLICE_LIT("");
    (void)errmsg_set(&c->fault->what, rc, "%s", what);
    return false;
}

bool schema_spend(struct check *c, uint64_t work)
{
    if (c->rc != SYNCLINE_OK)
        return false;
    c->work += work;
    return c->work <= SCHEMA_WORK_MAX ||
        stop(c, SYNCLINE_ELIMIT,
            "the schema asks for more work than is allowed");
}

static void put_place(struct buf *b, const struct place *at)
{
    char digits[12];

    if (at == NULL)
        return;
    put_place(b, at->up);
    if (at->is_member) {
        json_pointer_put(b, at->key);
        return;
    }
    (void)snprintf(digits, sizeof digits, "%u", at->ix);
    json_pointer_put(b, slice_str(digits));
}

static void keep(struct check *c, struct buf *b, struct slice *out)
{
    *out = arena_dup(c->arena, buf_slice(b));
    if (buf_status(b) != SYNCLINE_OK || out->ptr == NULL)
        (void)stop(c, SYNCLINE_ENOMEM, "memory ran out");
    buf_clear(b);
}

bool schema_fails(struct check *c, const struct node *n, const char *kw,
    struct slice segment, const struct place *at, const char *fmt, ...)
{
    struct buf b = { 0 };
    va_list ap;

    if (c->quiet > 0 || c->rc != SYNCLINE_OK)
        return false;
    va_start(ap, fmt);
    (void)vsnprintf(c->fault->what.text, sizeof c->fault->what.text, fmt, ap);
    va_end(ap);
    put_place(&b, at);
    keep(c, &b, &c->fault->instance);
    buf_put_slice(&b, n->pointer);
    if (kw != NULL)
        json_pointer_put(&b, slice_str(kw));
    if (segment.ptr != NULL)
        json_pointer_put(&b, segment);
    keep(c, &b, &c->fault->schema);
    buf_free(&b);
    return false;
}

static bool rules_hold(struct check *c, const struct node *n,
    const struct json *v, const struct place *at)
{
    for (uint32_t i = 0; i < n->n; i++) {
        const struct rule *r = &n->rules[i];

        if (r->kw->holds == NULL || (r->kw->types & 1u << v->type) == 0)
            continue;
        if (!schema_spend(c, 1) || !r->kw->holds(c, n, r, v, at) ||
            c->rc != SYNCLINE_OK)
            return false;
    }
    return true;
}

bool node_holds(struct check *c, const struct node *n, const struct json *v,
    const struct place *at)
{
    bool ok;

    if (!schema_spend(c, 1))
        return false;
    if (n->v->type == JSON_FALSE)
        return schema_fails(c, n, NULL, SLICE_NONE, at, "nothing may be here");
    if (c->depth == SCHEMA_DEPTH_MAX)
        return stop(
            c, SYNCLINE_ELIMIT, "the schema goes deeper than is allowed");
    c->depth++;
    ok = rules_hold(c, n, v, at);
    c->depth--;
    return ok;
}

int schema_check(const struct schema *s, const struct json *doc,
    struct schema_fault *fault, struct arena *a)
{
    struct check c = { .arena = a, .fault = fault };
    int rc = regex_run_new(&c.run);

    *fault = (struct schema_fault){ .instance = SLICE_LIT(""),
        .schema = SLICE_LIT("") };
    if (rc != SYNCLINE_OK)
        return errmsg_set(&fault->what, rc, "memory ran out");
    if (!node_holds(&c, s->first, doc, NULL))
        rc = c.rc != SYNCLINE_OK ? c.rc : SYNCLINE_EINVAL;
    if (rc == SYNCLINE_ENOMEM)
        (void)errmsg_set(&fault->what, rc, "memory ran out");
    regex_run_free(c.run);
    buf_free(&c.text);
    return rc;
}

void schema_fault_say(struct errmsg *why, const struct schema_fault *fault)
{
    (void)errmsg_set(why, SYNCLINE_EINVAL, "%.*s: %.250s (schema: %.*s)",
        fault->instance.len > 100 ? 100 : (int)fault->instance.len,
        fault->instance.len > 0 ? (const char *)fault->instance.ptr : "",
        fault->what.text,
        fault->schema.len > 100 ? 100 : (int)fault->schema.len,
        fault->schema.len > 0 ? (const char *)fault->schema.ptr : "");
}
