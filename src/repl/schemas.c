/* Schemas: records of `_spaces` that say what a document must be, for the keys
 * of a space that begin with a prefix. What one is, and whether a document
 * keeps to it, the shell knows. Who writes here is refused what does not; what
 * others have written stands, or members would differ, and is told of. */
#include "repl/mesh_impl.h"

#include <stdlib.h>

#define SCHEMAS_MAX 64 /* of a space */

struct schema_scan {
    struct node *node;
    struct space *space;
    size_t skip; /* of a record's key, before the prefix */
    struct schema_rule rules[SCHEMAS_MAX];
    uint32_t n;
};

static int add_rule(
    struct schema_scan *s, struct slice prefix, struct slice document)
{
    struct schema_rule *rule = &s->rules[s->n];

    if (s->n == SCHEMAS_MAX || document.len == 0 ||
        document.len > SCHEMA_TEXT_MAX)
        return SYNCLINE_OK;
    rule->prefix = arena_dup(&s->space->schema_arena, prefix);
    rule->text = arena_dup(&s->space->schema_arena, document);
    s->n++;
    return rule->prefix.ptr != NULL && rule->text.ptr != NULL ? SYNCLINE_OK
                                                              : SYNCLINE_ENOMEM;
}

static int note_schema(void *ctx, struct slice key, struct slice value)
{
    struct schema_scan *s = ctx;
    struct stored st;
    struct buf doc = { 0 };
    int rc = stored_decode(value, &st, &s->node->step);

    if (rc == SYNCLINE_OK && item_alive(&st.item))
        put_document(&doc, &st.item, &s->node->step);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&doc);
    if (rc == SYNCLINE_OK)
        rc = add_rule(s, slice_from(key, s->skip), buf_slice(&doc));
    buf_free(&doc);
    return rc;
}

static int longest_first(const void *a, const void *b)
{
    const struct schema_rule *x = a, *y = b;

    if (x->prefix.len != y->prefix.len)
        return x->prefix.len < y->prefix.len ? 1 : -1;
    return slice_cmp(x->prefix, y->prefix);
}

static int refresh(struct node *n, struct space *sp)
{
    struct schema_scan s = { .node = n, .space = sp };
    struct buf prefix = { 0 };
    int rc;

    arena_reset(&sp->schema_arena);
    sp->schemas_n = 0;
    put_be32(&prefix, space_by_name(n, SLICE_LIT(SPACES_SPACE))->id);
    buf_printf(&prefix, SCHEMA_PREFIX "%.*s/", SLICE_FMT(sp->name));
    s.skip = prefix.len;
    rc = buf_status(&prefix);
    if (rc == SYNCLINE_OK)
        rc = store_scan(&n->opt.store, TABLE_ITEM, buf_slice(&prefix),
            SLICE_NONE, note_schema, &s);
    buf_free(&prefix);
    if (rc != SYNCLINE_OK || s.n == 0)
        return rc;
    qsort(s.rules, s.n, sizeof *s.rules, longest_first);
    sp->schemas = arena_alloc(&sp->schema_arena, s.n * sizeof *s.rules);
    if (sp->schemas == NULL)
        return SYNCLINE_ENOMEM;
    memcpy(sp->schemas, s.rules, s.n * sizeof *s.rules);
    sp->schemas_n = s.n;
    return SYNCLINE_OK;
}

int schemas_refresh(struct node *n, struct slice rest)
{
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (slice_has_prefix(rest, sp->name) && rest.len > sp->name.len &&
            rest.ptr[sp->name.len] == '/')
            return refresh(n, sp);
    return SYNCLINE_OK;
}

int schemas_read(struct node *n, struct slice text, struct errmsg *why)
{
    if (text.len > SCHEMA_TEXT_MAX)
        return errmsg_set(why, SYNCLINE_ELIMIT, "schema: of more than %d bytes",
            SCHEMA_TEXT_MAX);
    if (n->opt.schema == NULL)
        return errmsg_set(
            why, SYNCLINE_EUNSUPPORTED, "schema: this node knows of none");
    return n->opt.schema(n->opt.schema_ctx, text, NULL, why);
}

int schemas_check(struct node *n, const struct space *sp, struct slice key,
    const struct json *doc, struct errmsg *why)
{
    struct errmsg flaw = { "" };

    for (uint32_t i = 0; i < sp->schemas_n && n->opt.schema != NULL; i++) {
        int rc;

        if (!slice_has_prefix(key, sp->schemas[i].prefix))
            continue;
        rc = n->opt.schema(n->opt.schema_ctx, sp->schemas[i].text, doc, &flaw);
        if (rc == SYNCLINE_EINVAL || rc == SYNCLINE_ELIMIT)
            return errmsg_set(why, SYNCLINE_EINVAL,
                "%.*s/%.*s: the space's schema forbids it: %.380s",
                SLICE_FMT(sp->name), SLICE_FMT(key), flaw.text);
        return rc;
    }
    return SYNCLINE_OK;
}

static int check_text(struct node *n, const struct space *sp, struct slice key,
    struct slice document, struct errmsg *why)
{
    struct json *doc;
    int rc = json_parse(&doc, document, JSON_STRICT, &n->step, NULL);

    return rc == SYNCLINE_OK ? schemas_check(n, sp, key, doc, why) : rc;
}

int schemas_check_item(struct node *n, const struct space *sp, struct slice key,
    const struct item *it, struct errmsg *why)
{
    struct buf document = { 0 };
    int rc;

    if (sp->schemas_n == 0 || !item_alive(it))
        return SYNCLINE_OK;
    put_document(&document, it, &n->step);
    rc = buf_status(&document);
    if (rc == SYNCLINE_OK)
        rc = check_text(n, sp, key, buf_slice(&document), why);
    buf_free(&document);
    return rc;
}

int schemas_put_flaw(struct node *n, struct buf *b, const struct space *sp,
    struct slice key, struct slice document)
{
    struct errmsg why = { "" };
    int rc;

    if (sp->schemas_n == 0)
        return SYNCLINE_OK;
    rc = check_text(n, sp, key, document, &why);
    if (rc != SYNCLINE_EINVAL)
        return rc;
    buf_put_str(b, ",\"invalid\":");
    json_print_string(b, slice_str(why.text), false);
    return SYNCLINE_OK;
}

void schemas_put(struct buf *b, const struct space *sp, bool *any)
{
    for (uint32_t i = 0; i < sp->schemas_n; i++) {
        buf_put_str(b, *any ? ",{\"space\":" : "{\"space\":");
        *any = true;
        json_print_string(b, sp->name, false);
        buf_put_str(b, ",\"prefix\":");
        json_print_string(b, sp->schemas[i].prefix, false);
        buf_put_str(b, ",\"schema\":");
        buf_put_slice(b, sp->schemas[i].text);
        buf_put_u8(b, '}');
    }
}
