#include "files/schema_holds.h"

#include <stdlib.h>

static bool fails(struct check *c, const struct node *n, const struct rule *r,
    const struct place *at, const char *what)
{
    return schema_fails(c, n, r->kw->name, SLICE_NONE, at, "%s", what);
}

/* With what the schema has for the keyword behind it. */
static bool fails_with(struct check *c, const struct node *n,
    const struct rule *r, const struct place *at, const char *what)
{
    struct buf text = { 0 };

    if (c->quiet > 0)
        return false;
    json_print(&text, r->arg, JSON_CANONICAL);
    (void)schema_fails(c, n, r->kw->name, SLICE_NONE, at, "%s %.*s%s", what,
        text.len > 120 ? 120 : (int)text.len,
        text.len > 0 ? (const char *)text.ptr : "",
        text.len > 120 ? "..." : "");
    buf_free(&text);
    return false;
}

static const struct rule *sibling(const struct node *n, const char *name)
{
    for (uint32_t i = 0; i < n->n; i++)
        if (strcmp(n->rules[i].kw->name, name) == 0)
            return &n->rules[i];
    return NULL;
}

static bool holds_quietly(struct check *c, const struct node *n,
    const struct json *v, const struct place *at)
{
    bool ok;

    c->quiet++;
    ok = node_holds(c, n, v, at);
    c->quiet--;
    return ok;
}

static struct place member(const struct place *up, const struct json *m)
{
    return (struct place){ .up = up, .key = m->key, .is_member = true };
}

/* Any value. */

HOLDS(sub)
{
    (void)n;
    return node_holds(c, r->sub, v, at);
}

HOLDS(type)
{
    struct decimal d;
    bool negative;

    if ((r->limit >> v->type & 1) != 0)
        return true;
    if (v->type == JSON_DOUBLE && (r->limit & SCHEMA_INTEGRAL) != 0) {
        number_of(&d, &negative, v);
        if (number_is_integer(&d))
            return true;
    }
    return fails_with(c, n, r, at,
        r->arg->type == JSON_ARRAY ? "must be one of these types:"
                                   : "must be of the type");
}

/* const, too */
HOLDS(enum)
{
    struct slice text;

    buf_clear(&c->text);
    put_normal(&c->text, v);
    c->rc = buf_status(&c->text);
    text = buf_slice(&c->text);
    if (!schema_spend(c, text.len / 16 + r->n))
        return false;
    for (uint32_t i = 0; i < r->n; i++)
        if (slice_eq(text, r->normal[i]))
            return true;
    return fails_with(c, n, r, at,
        strcmp(r->kw->name, "const") == 0 ? "must be" : "must be one of");
}

HOLDS(all)
{
    (void)n;
    for (uint32_t i = 0; i < r->n; i++)
        if (!node_holds(c, r->e[i].sub, v, at))
            return false;
    return true;
}

HOLDS(any)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (holds_quietly(c, r->e[i].sub, v, at))
            return true;
    return schema_fails(c, n, r->kw->name, SLICE_NONE, at,
        "fits none of the %u that it may fit", r->n);
}

HOLDS(one)
{
    uint32_t fits = 0;

    for (uint32_t i = 0; i < r->n && c->rc == SYNCLINE_OK; i++)
        fits += holds_quietly(c, r->e[i].sub, v, at);
    if (fits == 1)
        return true;
    return schema_fails(c, n, r->kw->name, SLICE_NONE, at,
        "fits %u of the %u of which it must fit one", fits, r->n);
}

HOLDS(not_)
{
    bool ok = holds_quietly(c, r->sub, v, at);

    return (!ok && c->rc == SYNCLINE_OK) ||
        fails(c, n, r, at, "is what it must not be");
}

HOLDS(if)
{
    const struct rule *then = sibling(n, "then"), *other = sibling(n, "else");

    if (then == NULL && other == NULL)
        return true;
    if (!holds_quietly(c, r->sub, v, at))
        then = other;
    if (c->rc != SYNCLINE_OK)
        return false;
    return then == NULL || node_holds(c, then->sub, v, at);
}

/* Numbers. */

static int compare(const struct rule *r, const struct json *v)
{
    struct decimal d;
    bool negative;

    number_of(&d, &negative, v);
    return number_cmp(&d, negative, r->number, r->negative);
}

HOLDS(multiple)
{
    struct decimal d;
    bool negative;

    number_of(&d, &negative, v);
    return number_is_multiple(&d, r->number) ||
        fails_with(c, n, r, at, "must be a multiple of");
}

HOLDS(maximum)
{
    return compare(r, v) <= 0 || fails_with(c, n, r, at, "must be at most");
}

HOLDS(below)
{
    return compare(r, v) < 0 || fails_with(c, n, r, at, "must be less than");
}

HOLDS(minimum)
{
    return compare(r, v) >= 0 || fails_with(c, n, r, at, "must be at least");
}

HOLDS(above)
{
    return compare(r, v) > 0 || fails_with(c, n, r, at, "must be more than");
}

/* Strings; and how many there are of what. */

/* A character costs little, but a text may be long and asked for often. */
static bool may_count(struct check *c, const struct json *v)
{
    return v->type != JSON_STRING || schema_spend(c, v->s.len / 64);
}

static uint64_t count(const struct json *v)
{
    uint64_t points = 0;

    if (v->type != JSON_STRING)
        return v->n;
    for (size_t i = 0; i < v->s.len; i++)
        points += (v->s.ptr[i] & 0xc0) != 0x80;
    return points;
}

static const char *counted(const struct json *v)
{
    return v->type == JSON_STRING ? "characters"
        : v->type == JSON_ARRAY   ? "elements"
                                  : "members";
}

HOLDS(at_most)
{
    if (!may_count(c, v))
        return false;
    return count(v) <= r->limit ||
        schema_fails(c, n, r->kw->name, SLICE_NONE, at,
            "has %llu %s, which is more than %llu",
            (unsigned long long)count(v), counted(v),
            (unsigned long long)r->limit);
}

HOLDS(at_least)
{
    if (!may_count(c, v))
        return false;
    return count(v) >= r->limit ||
        schema_fails(c, n, r->kw->name, SLICE_NONE, at,
            "has %llu %s, which is less than %llu",
            (unsigned long long)count(v), counted(v),
            (unsigned long long)r->limit);
}

static bool matches(struct check *c, const struct regex *re, struct slice s)
{
    uint64_t work = 0;
    bool found = false;
    int rc = regex_matches(c->run, re, s, &found, &work);

    if (rc == SYNCLINE_ELIMIT)
        (void)schema_spend(c, SCHEMA_WORK_MAX + 1);
    else if (rc != SYNCLINE_OK)
        c->rc = rc;
    return schema_spend(c, work) && found;
}

HOLDS(pattern)
{
    return matches(c, r->re, v->s) ||
        fails_with(c, n, r, at, "must match the pattern");
}

/* Arrays. */

static bool element_holds(struct check *c, const struct node *sub,
    const struct json *v, const struct place *up, uint32_t ix)
{
    struct place at = { .up = up, .ix = ix };

    return node_holds(c, sub, v, &at);
}

HOLDS(items)
{
    uint32_t ix = 0;

    (void)n;
    for (const struct json *e = v->first; e != NULL; e = e->next, ix++) {
        if (r->sub == NULL && ix == r->n)
            break;
        if (!element_holds(
                c, r->sub != NULL ? r->sub : r->e[ix].sub, e, at, ix))
            return false;
    }
    return true;
}

HOLDS(more_items)
{
    const struct rule *items = sibling(n, "items");
    uint32_t ix = 0;

    if (items == NULL || items->sub != NULL)
        return true;
    for (const struct json *e = v->first; e != NULL; e = e->next, ix++)
        if (ix >= items->n && !element_holds(c, r->sub, e, at, ix))
            return false;
    return true;
}

HOLDS(contains)
{
    uint32_t ix = 0;
    bool found = false;

    c->quiet++;
    for (const struct json *e = v->first;
         e != NULL && !found && c->rc == SYNCLINE_OK; e = e->next, ix++)
        found = element_holds(c, r->sub, e, at, ix);
    c->quiet--;
    return found || fails(c, n, r, at, "has no element such as it must have");
}

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

HOLDS(unique)
{
    struct slice *s;
    size_t i = 0, from = 0;

    if (r->arg->type == JSON_FALSE || v->n < 2)
        return true;
    s = arena_alloc(c->arena, v->n * sizeof *s);
    if (s == NULL)
        c->rc = SYNCLINE_ENOMEM;
    buf_clear(&c->text);
    for (const struct json *e = v->first; e != NULL && s != NULL; e = e->next) {
        put_normal(&c->text, e);
        s[i++].len = c->text.len;
    }
    if (c->rc == SYNCLINE_OK)
        c->rc = buf_status(&c->text);
    if (!schema_spend(c, c->text.len / 8 + v->n))
        return false;
    for (i = 0; i < v->n; i++) {
        size_t end = s[i].len;

        s[i] = SLICE(c->text.ptr + from, end - from);
        from = end;
    }
    qsort(s, v->n, sizeof *s, by_bytes);
    for (i = 1; i < v->n; i++)
        if (slice_eq(s[i - 1], s[i]))
            return fails(c, n, r, at, "has two equal elements");
    return true;
}

/* Objects. */

static bool has(struct check *c, const struct json *v, struct slice key)
{
    return schema_spend(c, 1 + v->n / 16) && json_get_slice(v, key) != NULL;
}

static bool has_all(struct check *c, const struct node *n, const struct rule *r,
    const struct json *names, const struct json *v, const struct place *at)
{
    for (const struct json *s = names->first; s != NULL; s = s->next)
        if (!has(c, v, s->s))
            return schema_fails(c, n, r->kw->name, SLICE_NONE, at,
                "has no member \"%.*s\", which it must have",
                s->s.len > 200 ? 200 : (int)s->s.len, (const char *)s->s.ptr);
    return true;
}

HOLDS(required)
{
    return has_all(c, n, r, r->arg, v, at);
}

static int key_cmp(const void *key, const void *e)
{
    return slice_cmp(
        *(const struct slice *)key, ((const struct named *)e)->key);
}

static const struct named *find(const struct rule *r, struct slice key)
{
    return r->n == 0 ? NULL : bsearch(&key, r->e, r->n, sizeof *r->e, key_cmp);
}

HOLDS(properties)
{
    (void)n;
    for (const struct json *m = v->first; m != NULL; m = m->next) {
        const struct named *e = find(r, m->key);
        struct place here = member(at, m);

        if (!schema_spend(c, 1) ||
            (e != NULL && !node_holds(c, e->sub, m, &here)))
            return false;
    }
    return true;
}

HOLDS(patterns)
{
    (void)n;
    for (const struct json *m = v->first; m != NULL; m = m->next)
        for (uint32_t i = 0; i < r->n; i++) {
            struct place here = member(at, m);

            if (matches(c, r->e[i].re, m->key) &&
                !node_holds(c, r->e[i].sub, m, &here))
                return false;
            if (c->rc != SYNCLINE_OK)
                return false;
        }
    return true;
}

HOLDS(more_properties)
{
    const struct rule *named = sibling(n, "properties");
    const struct rule *patterns = sibling(n, "patternProperties");

    for (const struct json *m = v->first; m != NULL; m = m->next) {
        struct place here = member(at, m);
        bool known = named != NULL && find(named, m->key) != NULL;

        for (uint32_t i = 0; patterns != NULL && i < patterns->n && !known; i++)
            known = matches(c, patterns->e[i].re, m->key);
        if (c->rc != SYNCLINE_OK || !schema_spend(c, 1))
            return false;
        if (!known && r->arg->type == JSON_FALSE)
            return fails(c, n, r, &here, "is a member that is not known here");
        if (!known && !node_holds(c, r->sub, m, &here))
            return false;
    }
    return true;
}

HOLDS(names)
{
    (void)n;
    for (const struct json *m = v->first; m != NULL; m = m->next) {
        struct place here = member(at, m);
        struct json name = { .type = JSON_STRING, .s = m->key };

        if (!node_holds(c, r->sub, &name, &here))
            return false;
    }
    return true;
}

HOLDS(dependencies)
{
    for (uint32_t i = 0; i < r->n; i++) {
        const struct named *e = &r->e[i];

        if (!has(c, v, e->key))
            continue;
        if (e->sub != NULL ? !node_holds(c, e->sub, v, at)
                           : !has_all(c, n, r, e->v, v, at))
            return false;
    }
    return c->rc == SYNCLINE_OK;
}
