/* Schemas of spaces: the node has their texts, here they are read and
 * documents held against them. A few are kept as read. */
#include "app/engine/engine_impl.h"

#include "files/schema.h"

#include <stdlib.h>

#define KEPT 16

struct kept {
    struct buf text;
    struct schema *schema;
};

struct engine_schemas {
    struct kept kept[KEPT]; /* the one used last first */
};

static void drop(struct kept *k)
{
    buf_free(&k->text);
    schema_free(k->schema);
    *k = (struct kept){ .schema = NULL };
}

static int read_schema(struct kept *out, struct slice text, struct errmsg *why)
{
    struct arena a = { 0 };
    struct json *doc;
    int rc = json_parse(&doc, text, JSON_STRICT, &a, why);

    if (rc == SYNCLINE_OK)
        rc = schema_new(&out->schema, doc, why);
    arena_free(&a);
    if (rc != SYNCLINE_OK)
        return rc;
    buf_put_slice(&out->text, text);
    rc = buf_status(&out->text);
    if (rc != SYNCLINE_OK)
        drop(out);
    return rc;
}

static int find(struct engine_schemas *x, struct slice text,
    const struct schema **out, struct errmsg *why)
{
    struct kept found = { .schema = NULL };
    size_t i = 0;
    int rc = SYNCLINE_OK;

    while (i < KEPT && x->kept[i].schema != NULL &&
        !slice_eq(buf_slice(&x->kept[i].text), text))
        i++;
    if (i < KEPT && x->kept[i].schema != NULL)
        found = x->kept[i];
    else
        rc = read_schema(&found, text, why);
    if (rc != SYNCLINE_OK)
        return rc;
    if (i == KEPT)
        drop(&x->kept[--i]);
    memmove(&x->kept[1], &x->kept[0], i * sizeof x->kept[0]);
    x->kept[0] = found;
    *out = found.schema;
    return SYNCLINE_OK;
}

/* One that cannot be read, as a newer version has made it, forbids nothing. */
int engine_schema(
    void *ctx, struct slice text, const struct json *doc, struct errmsg *why)
{
    struct engine *e = ctx;
    const struct schema *s;
    struct schema_fault fault;
    struct arena a = { 0 };
    int rc;

    if (e->schemas == NULL)
        e->schemas = calloc(1, sizeof *e->schemas);
    if (e->schemas == NULL)
        return SYNCLINE_ENOMEM;
    rc = find(e->schemas, text, &s, why);
    if (doc == NULL || rc == SYNCLINE_ENOMEM)
        return rc;
    if (rc != SYNCLINE_OK)
        return SYNCLINE_OK;
    rc = schema_check(s, doc, &fault, &a);
    if (rc == SYNCLINE_EINVAL || rc == SYNCLINE_ELIMIT)
        schema_fault_say(why, &fault);
    arena_free(&a);
    return rc;
}

void engine_schemas_close(struct engine *e)
{
    for (size_t i = 0; e->schemas != NULL && i < KEPT; i++)
        drop(&e->schemas->kept[i]);
    free(e->schemas);
    e->schemas = NULL;
}
