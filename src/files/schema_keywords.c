/* The table of keywords: how each is read, and what it asserts. */
#include "files/schema_holds.h"

#include <stdio.h>
#include <stdlib.h>

#define ON(type) (1u << (type))
#define ANY 0xffffffffu
#define NUMBERS (ON(JSON_INT) | ON(JSON_DOUBLE))

/* Reading. */

static int wrong(
    struct build *b, const struct node *n, const struct rule *r, const char *s)
{
    return schema_wrong(b, n->pointer, r->kw->name, s);
}

static int read_schema(struct build *b, struct node *n, struct rule *r)
{
    return schema_node(b, &r->sub, r->arg, n, r->kw->name, SLICE_NONE);
}

static int room(struct build *b, struct rule *r)
{
    r->e = arena_zalloc(&b->s->arena, (size_t)r->arg->n + 1, sizeof *r->e);
    return r->e == NULL ? SYNCLINE_ENOMEM : SYNCLINE_OK;
}

static int read_each(struct build *b, struct node *n, struct rule *r)
{
    int rc = room(b, r);

    for (const struct json *v = r->arg->first; v != NULL && rc == SYNCLINE_OK;
         v = v->next) {
        struct named *e = &r->e[r->n];
        char digits[12];
        struct slice segment = v->key;

        if (r->arg->type == JSON_ARRAY) {
            (void)snprintf(digits, sizeof digits, "%u", r->n);
            segment = slice_str(digits);
        }
        *e = (struct named){ .key = v->key, .v = v };
        rc = schema_node(b, &e->sub, v, n, r->kw->name, segment);
        r->n++;
    }
    return rc;
}

static int read_list(struct build *b, struct node *n, struct rule *r)
{
    if (r->arg->type != JSON_ARRAY || r->arg->n == 0)
        return wrong(b, n, r, "must be an array of at least one schema");
    return read_each(b, n, r);
}

static int by_key(const void *a, const void *b)
{
    return slice_cmp(
        ((const struct named *)a)->key, ((const struct named *)b)->key);
}

static int read_map(struct build *b, struct node *n, struct rule *r)
{
    int rc;

    if (r->arg->type != JSON_OBJECT)
        return wrong(b, n, r, "must be an object of schemas");
    rc = read_each(b, n, r);
    if (rc == SYNCLINE_OK && r->n > 1)
        qsort(r->e, r->n, sizeof *r->e, by_key);
    return rc;
}

static int read_patterns(struct build *b, struct node *n, struct rule *r)
{
    struct errmsg why;
    int rc = read_map(b, n, r);

    for (uint32_t i = 0; i < r->n && rc == SYNCLINE_OK; i++) {
        rc = regex_read(&r->e[i].re, r->e[i].key, &b->s->arena, &why);
        if (rc == SYNCLINE_EINVAL || rc == SYNCLINE_ELIMIT)
            rc = wrong(b, n, r, why.text);
    }
    return rc;
}

static int read_pattern(struct build *b, struct node *n, struct rule *r)
{
    struct errmsg why;
    int rc;

    if (r->arg->type != JSON_STRING)
        return wrong(b, n, r, "must be a string");
    rc = regex_read(&r->re, r->arg->s, &b->s->arena, &why);
    if (rc == SYNCLINE_EINVAL || rc == SYNCLINE_ELIMIT)
        rc = wrong(b, n, r, why.text);
    return rc;
}

static int read_items(struct build *b, struct node *n, struct rule *r)
{
    return r->arg->type == JSON_ARRAY ? read_each(b, n, r)
                                      : read_schema(b, n, r);
}

static bool are_strings(const struct json *v)
{
    if (v->type != JSON_ARRAY)
        return false;
    for (const struct json *e = v->first; e != NULL; e = e->next)
        if (e->type != JSON_STRING)
            return false;
    return true;
}

static int read_dependencies(struct build *b, struct node *n, struct rule *r)
{
    int rc;

    if (r->arg->type != JSON_OBJECT)
        return wrong(b, n, r, "must be an object");
    rc = room(b, r);
    for (const struct json *v = r->arg->first; v != NULL && rc == SYNCLINE_OK;
         v = v->next) {
        struct named *e = &r->e[r->n++];

        *e = (struct named){ .key = v->key, .v = v };
        if (v->type != JSON_ARRAY)
            rc = schema_node(b, &e->sub, v, n, r->kw->name, v->key);
        else if (!are_strings(v))
            rc = wrong(b, n, r, "must hold schemas and arrays of strings");
    }
    return rc;
}

static int read_strings(struct build *b, struct node *n, struct rule *r)
{
    return are_strings(r->arg) ? SYNCLINE_OK
                               : wrong(b, n, r, "must be an array of strings");
}

static int read_string(struct build *b, struct node *n, struct rule *r)
{
    return r->arg->type == JSON_STRING ? SYNCLINE_OK
                                       : wrong(b, n, r, "must be a string");
}

static int read_bool(struct build *b, struct node *n, struct rule *r)
{
    return r->arg->type == JSON_TRUE || r->arg->type == JSON_FALSE
        ? SYNCLINE_OK
        : wrong(b, n, r, "must be true or false");
}

static int read_number(struct build *b, struct node *n, struct rule *r)
{
    if ((NUMBERS & ON(r->arg->type)) == 0)
        return wrong(b, n, r, "must be a number");
    r->number = arena_alloc(&b->s->arena, sizeof *r->number);
    if (r->number == NULL)
        return SYNCLINE_ENOMEM;
    number_of(r->number, &r->negative, r->arg);
    return SYNCLINE_OK;
}

static int read_divisor(struct build *b, struct node *n, struct rule *r)
{
    int rc = read_number(b, n, r);

    if (rc == SYNCLINE_OK && (r->negative || r->number->n == 0))
        return wrong(b, n, r, "must be more than 0");
    return rc;
}

static int read_count(struct build *b, struct node *n, struct rule *r)
{
    int rc = read_number(b, n, r);

    if (rc != SYNCLINE_OK)
        return rc;
    if (r->negative || !number_is_integer(r->number))
        return wrong(b, n, r, "must be a whole number, not below 0");
    r->limit = number_count(r->number);
    return SYNCLINE_OK;
}

static const struct {
    const char *name;
    uint64_t types;
} type_names[] = {
    { "null", ON(JSON_NULL) },
    { "boolean", ON(JSON_FALSE) | ON(JSON_TRUE) },
    { "integer", ON(JSON_INT) | SCHEMA_INTEGRAL },
    { "number", NUMBERS },
    { "string", ON(JSON_STRING) },
    { "array", ON(JSON_ARRAY) },
    { "object", ON(JSON_OBJECT) },
};

static int add_type(
    struct build *b, struct node *n, struct rule *r, const struct json *name)
{
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (name->type == JSON_STRING &&
            slice_is(name->s, type_names[i].name)) {
            r->limit |= type_names[i].types;
            return SYNCLINE_OK;
        }
    return wrong(b, n, r,
        "must be null, boolean, integer, number, string, array or object, or "
        "an array of such");
}

static int read_type(struct build *b, struct node *n, struct rule *r)
{
    int rc = SYNCLINE_OK;

    if (r->arg->type != JSON_ARRAY)
        return add_type(b, n, r, r->arg);
    for (const struct json *v = r->arg->first; v != NULL && rc == SYNCLINE_OK;
         v = v->next)
        rc = add_type(b, n, r, v);
    return rc;
}

static int keep_normal(struct build *b, struct rule *r, const struct json *v)
{
    struct buf text = { 0 };
    int rc;

    put_normal(&text, v);
    rc = buf_status(&text);
    if (rc == SYNCLINE_OK) {
        r->normal[r->n] = arena_dup(&b->s->arena, buf_slice(&text));
        rc = r->normal[r->n++].ptr == NULL ? SYNCLINE_ENOMEM : SYNCLINE_OK;
    }
    buf_free(&text);
    return rc;
}

static int read_const(struct build *b, struct node *n, struct rule *r)
{
    (void)n;
    r->normal = arena_zalloc(&b->s->arena, 1, sizeof *r->normal);
    return r->normal == NULL ? SYNCLINE_ENOMEM : keep_normal(b, r, r->arg);
}

static int read_enum(struct build *b, struct node *n, struct rule *r)
{
    int rc = SYNCLINE_OK;

    if (r->arg->type != JSON_ARRAY)
        return wrong(b, n, r, "must be an array");
    r->normal =
        arena_zalloc(&b->s->arena, (size_t)r->arg->n + 1, sizeof *r->normal);
    if (r->normal == NULL)
        return SYNCLINE_ENOMEM;
    for (const struct json *v = r->arg->first; v != NULL && rc == SYNCLINE_OK;
         v = v->next)
        rc = keep_normal(b, r, v);
    return rc;
}

const struct keyword keywords[] = {
    { "$ref", ANY, true, read_string, holds_sub },
    { "type", ANY, false, read_type, holds_type },
    { "enum", ANY, false, read_enum, holds_enum },
    { "const", ANY, false, read_const, holds_enum },
    { "multipleOf", NUMBERS, false, read_divisor, holds_multiple },
    { "maximum", NUMBERS, false, read_number, holds_maximum },
    { "exclusiveMaximum", NUMBERS, false, read_number, holds_below },
    { "minimum", NUMBERS, false, read_number, holds_minimum },
    { "exclusiveMinimum", NUMBERS, false, read_number, holds_above },
    { "maxLength", ON(JSON_STRING), false, read_count, holds_at_most },
    { "minLength", ON(JSON_STRING), false, read_count, holds_at_least },
    { "pattern", ON(JSON_STRING), false, read_pattern, holds_pattern },
    { "items", ON(JSON_ARRAY), false, read_items, holds_items },
    { "additionalItems", ON(JSON_ARRAY), false, read_schema, holds_more_items },
    { "maxItems", ON(JSON_ARRAY), false, read_count, holds_at_most },
    { "minItems", ON(JSON_ARRAY), false, read_count, holds_at_least },
    { "uniqueItems", ON(JSON_ARRAY), false, read_bool, holds_unique },
    { "contains", ON(JSON_ARRAY), false, read_schema, holds_contains },
    { "maxProperties", ON(JSON_OBJECT), false, read_count, holds_at_most },
    { "minProperties", ON(JSON_OBJECT), false, read_count, holds_at_least },
    { "required", ON(JSON_OBJECT), false, read_strings, holds_required },
    { "properties", ON(JSON_OBJECT), false, read_map, holds_properties },
    { "patternProperties", ON(JSON_OBJECT), false, read_patterns,
        holds_patterns },
    { "additionalProperties", ON(JSON_OBJECT), false, read_schema,
        holds_more_properties },
    { "propertyNames", ON(JSON_OBJECT), false, read_schema, holds_names },
    { "dependencies", ON(JSON_OBJECT), true, read_dependencies,
        holds_dependencies },
    { "if", ANY, true, read_schema, holds_if },
    { "then", ANY, true, read_schema, NULL },
    { "else", ANY, true, read_schema, NULL },
    { "allOf", ANY, true, read_list, holds_all },
    { "anyOf", ANY, true, read_list, holds_any },
    { "oneOf", ANY, true, read_list, holds_one },
    { "not", ANY, true, read_schema, holds_not_ },
    { "definitions", ANY, false, read_map, NULL },
};
const size_t keywords_n = sizeof keywords / sizeof *keywords;
