/* A binding's texts in either of their formats, JSON or YAML. */
#include "files/binding_impl.h"

#include "files/splice.h"
#include "files/yaml.h"

#include <stdio.h>

/* What a text is like that the older system has written. */
#define OLDER_LOOK "{\n  \"\\u00e9\": 0\n}"

static bool is_blank(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (memchr(" \t\r\n", text.ptr[i], 4) == NULL)
            return false;
    return true;
}

int binding_parse(struct json **out, const struct binding *b, struct slice text,
    struct arena *a, struct errmsg *why)
{
    int rc;

    if (is_blank(text))
        return errmsg_set(why, SYNCLINE_EMALFORMED, "it is empty");
    rc = b->opt.yaml ? yaml_read(out, text, a, why)
                     : splice_parse(out, text, a, why);
    /* What is left of a file of which only comments are written yet. */
    if (rc == SYNCLINE_OK && b->opt.yaml && (*out)->type == JSON_NULL)
        return errmsg_set(why, SYNCLINE_EMALFORMED, "there is nothing in it");
    return rc;
}

int binding_shared(struct json **out, const struct binding *b,
    struct slice text, struct arena *a, struct errmsg *why)
{
    struct json *v;
    int rc = binding_parse(&v, b, text, a, why);

    return rc == SYNCLINE_OK ? local_strip(out, v, &b->opt.local, a, why) : rc;
}

int binding_version(
    struct json **out, struct binding *b, struct slice text, struct errmsg *why)
{
    return splice_parse(out, text, &b->arena, why);
}

int binding_splice(struct binding *b, struct slice text, const struct json *doc,
    struct errmsg *why)
{
    int rc;

    buf_clear(&b->out);
    if (text.len == 0 && b->opt.ascii)
        text = SLICE_LIT(OLDER_LOOK);
    rc = b->opt.yaml ? yaml_splice(&b->out, text, doc, &b->arena, why)
                     : splice_json(&b->out, text, doc, &b->arena, why);
    return rc == SYNCLINE_OK ? buf_status(&b->out) : rc;
}

int binding_keep_local(struct json **out, struct binding *b,
    const struct json *item, const struct json *file, struct errmsg *why)
{
    const struct json *nothing = json_new(&b->arena, JSON_OBJECT);
    struct json *shared, *theirs;
    int rc;

    if (nothing == NULL)
        return SYNCLINE_ENOMEM;
    rc = local_keep(out, item, file != NULL ? file : nothing, &b->opt.local,
        &b->arena, why);
    if (rc == SYNCLINE_OK)
        rc = local_strip(&shared, *out, &b->opt.local, &b->arena, why);
    if (rc == SYNCLINE_OK)
        rc = local_strip(&theirs, item, &b->opt.local, &b->arena, why);
    if (rc != SYNCLINE_OK || json_equal(shared, theirs))
        return rc;
    return errmsg_set(why, SYNCLINE_EINVAL,
        "the item has something else than an object where this file has parts "
        "of its own");
}

int binding_check(struct binding *b, const struct json *doc, struct errmsg *why)
{
    struct schema_fault fault;
    int rc;

    if (b->opt.schema == NULL)
        return SYNCLINE_OK;
    rc = schema_check(b->opt.schema, doc, &fault, &b->arena);
    if (rc == SYNCLINE_EINVAL || rc == SYNCLINE_ELIMIT)
        schema_fault_say(why, &fault);
    return rc;
}

void binding_say_pointers(struct errmsg *out, const struct json *pointers)
{
    size_t n = 0, shown = 0;

    n += (size_t)snprintf(out->text, sizeof out->text, "%u %s (",
        (unsigned)pointers->n, pointers->n == 1 ? "setting" : "settings");
    for (const struct json *p = pointers->first; p != NULL; p = p->next) {
        if (shown++ == 5 || n > sizeof out->text - 200) {
            n += (size_t)snprintf(out->text + n, sizeof out->text - n, ", ...");
            break;
        }
        n += (size_t)snprintf(out->text + n, sizeof out->text - n, "%s%.*s",
            shown > 1 ? ", " : "", (int)(p->s.len < 60 ? p->s.len : 60),
            p->s.len > 0 ? (const char *)p->s.ptr : "");
        if (p->s.len == 0)
            n += (size_t)snprintf(
                out->text + n, sizeof out->text - n, "all of it");
    }
    (void)snprintf(out->text + n, sizeof out->text - n, ")");
}
