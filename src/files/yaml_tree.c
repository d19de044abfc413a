/* libyaml's events, made a tree that knows where each value stands. */
#include "files/yaml_impl.h"

#include <yaml.h>

#include "base/text.h"
#include "core/json_index.h"

struct name {
    struct slice anchor;
    const struct json *v; /* NULL: not yet at its end */
    struct name *next;
};

struct tree {
    struct slice text;
    const uint32_t *at; /* of each character; NULL: all are one byte */
    size_t chars;
    struct arena *arena;
    struct errmsg *why;
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    struct name *names;
    uint32_t nodes;
    unsigned depth;
};

int yaml_refuse(struct errmsg *why, int rc, unsigned line, unsigned column,
    const char *what)
{
    return errmsg_set(why, rc, "%s at line %u, column %u", what, line, column);
}

static int refuse(
    struct tree *t, const yaml_mark_t *m, int rc, const char *what)
{
    return yaml_refuse(
        t->why, rc, (unsigned)m->line + 1, (unsigned)m->column + 1, what);
}

/* The library counts characters. */
static size_t offset(const struct tree *t, const yaml_mark_t *m)
{
    if (t->at == NULL)
        return m->index < t->text.len ? m->index : t->text.len;
    return t->at[m->index < t->chars ? m->index : t->chars];
}

static int find_characters(struct tree *t)
{
    uint32_t *at;
    size_t n = 0;

    for (size_t i = 0; i < t->text.len; i++)
        n += (t->text.ptr[i] & 0xc0) != 0x80;
    t->chars = n;
    if (n == t->text.len)
        return SYNCLINE_OK;
    at = arena_alloc(t->arena, (n + 1) * sizeof *at);
    if (at == NULL)
        return SYNCLINE_ENOMEM;
    n = 0;
    for (size_t i = 0; i < t->text.len; i++)
        if ((t->text.ptr[i] & 0xc0) != 0x80)
            at[n++] = (uint32_t)i;
    at[n] = (uint32_t)t->text.len;
    t->at = at;
    return SYNCLINE_OK;
}

static void drop_event(struct tree *t)
{
    if (t->has_event)
        yaml_event_delete(&t->event);
    t->has_event = false;
}

static int next(struct tree *t)
{
    const yaml_parser_t *p = &t->parser;

    drop_event(t);
    if (yaml_parser_parse(&t->parser, &t->event)) {
        t->has_event = true;
        return SYNCLINE_OK;
    }
    if (p->error == YAML_MEMORY_ERROR)
        return SYNCLINE_ENOMEM;
    return refuse(t, &p->problem_mark, SYNCLINE_EMALFORMED,
        p->problem != NULL ? p->problem : "no YAML");
}

static struct slice keep(struct tree *t, struct slice s)
{
    return arena_dup(t->arena, s.ptr == NULL ? SLICE_LIT("") : s);
}

static struct slice event_text(const struct tree *t)
{
    return SLICE(t->event.data.scalar.value, t->event.data.scalar.length);
}

/* What the event's value is called, and by which tag. */
static const char *anchor_of(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return (const char *)e->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return (const char *)e->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return (const char *)e->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static bool has_tag(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return e->data.scalar.tag != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.tag != NULL;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.tag != NULL;
    default:
        return false;
    }
}

static bool is_flow(const yaml_event_t *e)
{
    return e->type == YAML_MAPPING_START_EVENT
        ? e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
        : e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
}

/* Values. */

static int count_node(struct tree *t, const yaml_mark_t *m)
{
    if (t->nodes++ < YAML_NODES_MAX)
        return SYNCLINE_OK;
    return refuse(t, m, SYNCLINE_ELIMIT, "more values than are read");
}

static enum yaml_look look_of(yaml_scalar_style_t style)
{
    switch (style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        return LOOK_SINGLE;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        return LOOK_DOUBLE;
    case YAML_LITERAL_SCALAR_STYLE:
    case YAML_FOLDED_SCALAR_STYLE:
        return LOOK_BLOCK;
    default:
        return LOOK_PLAIN;
    }
}

/* A block's text is followed by its line's end, and maybe by empty ones. */
static size_t trim(const struct tree *t, size_t from, size_t end)
{
    while (end > from && memchr(" \t\r\n", t->text.ptr[end - 1], 4) != NULL)
        end--;
    return end;
}

static int read_scalar(struct tree *t, struct yaml_part *p)
{
    struct slice text = keep(t, event_text(t));
    const char *what = "";
    int rc = SYNCLINE_OK;

    if (text.ptr == NULL)
        return SYNCLINE_ENOMEM;
    p->look = look_of(t->event.data.scalar.style);
    p->end = offset(t, &t->event.end_mark);
    if (p->look == LOOK_BLOCK)
        p->end = trim(t, p->at, p->end);
    if (p->look != LOOK_PLAIN) {
        p->v->type = JSON_STRING;
        p->v->s = text;
    } else {
        rc = yaml_word(p->v, text, t->arena, &what);
        if (rc == SYNCLINE_EUNSUPPORTED)
            return refuse(t, &t->event.start_mark, rc, what);
    }
    if (rc == SYNCLINE_OK && p->v->type == JSON_STRING && text.len > 0 &&
        text.ptr[0] == '!')
        return refuse(t, &t->event.start_mark, SYNCLINE_EUNSUPPORTED,
            "a string that begins with \"!\" could not be told from a tag");
    return rc;
}

static int read_alias(struct tree *t, struct yaml_part *p)
{
    struct slice anchor = slice_str((const char *)t->event.data.alias.anchor);
    const struct json *v = NULL;
    struct json *copy;

    for (const struct name *n = t->names; n != NULL; n = n->next)
        if (slice_eq(n->anchor, anchor)) {
            v = n->v;
            break;
        }
    if (v == NULL)
        return refuse(t, &t->event.start_mark, SYNCLINE_EUNSUPPORTED,
            "an alias of nothing that is complete before it");
    if (json_depth(v) + t->depth > JSON_DEPTH_MAX)
        return refuse(t, &t->event.start_mark, SYNCLINE_ELIMIT,
            "nested deeper than 64 levels");
    copy = json_copy(v, t->arena);
    if (copy == NULL)
        return SYNCLINE_ENOMEM;
    copy->key = p->v->key;
    *p->v = *copy;
    p->look = LOOK_ALIAS;
    p->end = offset(t, &t->event.end_mark);
    return SYNCLINE_OK;
}

/* How many values an alias brings, before it does. */
static int count_alias(struct tree *t, const struct json *v)
{
    int rc = count_node(t, &t->event.start_mark);

    if (v->type != JSON_OBJECT && v->type != JSON_ARRAY)
        return rc;
    for (const struct json *k = v->first; k != NULL && rc == SYNCLINE_OK;
         k = k->next)
        rc = count_alias(t, k);
    return rc;
}

static int add_name(struct tree *t, struct name **out)
{
    struct name *n = arena_zalloc(t->arena, 1, sizeof *n);
    struct slice anchor = slice_str(anchor_of(&t->event));

    if (n == NULL)
        return SYNCLINE_ENOMEM;
    n->anchor = keep(t, anchor);
    if (n->anchor.ptr == NULL)
        return SYNCLINE_ENOMEM;
    n->next = t->names;
    t->names = n;
    *out = n;
    return SYNCLINE_OK;
}

static int read_part(struct tree *t, struct yaml_part *p);

static struct yaml_part *add_kid(struct tree *t, struct yaml_part *p)
{
    struct yaml_part *kid;

    if (p->n == p->cap) {
        uint32_t cap = p->cap == 0 ? 8 : p->cap * 2;
        struct yaml_part *kids = arena_alloc(t->arena, cap * sizeof *kids);

        if (kids == NULL)
            return NULL;
        if (p->n > 0)
            memcpy(kids, p->kids, p->n * sizeof *kids);
        p->kids = kids;
        p->cap = cap;
    }
    kid = &p->kids[p->n];
    *kid = (struct yaml_part){ .v = json_new(t->arena, JSON_NULL) };
    if (kid->v == NULL)
        return NULL;
    p->n++;
    return kid;
}

/* The event is a member's key. */
static int read_key(struct tree *t, struct yaml_part *kid)
{
    const yaml_mark_t *m = &t->event.start_mark;

    if (t->event.type != YAML_SCALAR_EVENT)
        return refuse(t, m, SYNCLINE_EUNSUPPORTED, "a key that is no word");
    if (has_tag(&t->event) || anchor_of(&t->event) != NULL)
        return refuse(
            t, m, SYNCLINE_EUNSUPPORTED, "a key with a tag or an anchor");
    if (slice_is(event_text(t), "<<") &&
        t->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return refuse(t, m, SYNCLINE_EUNSUPPORTED, "a merge key");
    kid->entry = offset(t, m);
    kid->entry_end = offset(t, &t->event.end_mark);
    kid->v->key = keep(t, event_text(t));
    return kid->v->key.ptr == NULL ? SYNCLINE_ENOMEM : SYNCLINE_OK;
}

/* What stands before an element: a name or a tag of all, space, comments, and
 * its dash. */
static size_t find_dash(const struct tree *t, size_t at)
{
    bool comment = false, word = false;

    for (; at < t->text.len; at++) {
        uint8_t c = t->text.ptr[at];

        if (c == '\n' || c == '\r')
            comment = word = false;
        else if (comment)
            continue;
        else if (word)
            word = c != ' ' && c != '\t';
        else if (c == '-')
            break;
        else if (c == '#')
            comment = true;
        else
            word = c == '&' || c == '!';
    }
    return at;
}

static int read_kids(struct tree *t, struct yaml_part *p)
{
    const bool map = p->v->type == JSON_OBJECT;
    size_t at = p->at;
    int rc = next(t);

    while (rc == SYNCLINE_OK && t->event.type != YAML_MAPPING_END_EVENT &&
        t->event.type != YAML_SEQUENCE_END_EVENT) {
        struct yaml_part *kid = add_kid(t, p);

        if (kid == NULL)
            return SYNCLINE_ENOMEM;
        if (map) {
            rc = read_key(t, kid);
            if (rc == SYNCLINE_OK)
                rc = next(t);
        } else if (p->look == LOOK_LIST) {
            kid->entry = kid->entry_end = find_dash(t, at);
        }
        if (rc == SYNCLINE_OK)
            rc = read_part(t, kid);
        if (rc != SYNCLINE_OK)
            return rc;
        at = kid->end;
        (void)json_add(p->v, kid->v->key, kid->v);
        rc = next(t);
    }
    return rc;
}

static int check_doubled(struct tree *t, const struct yaml_part *p)
{
    struct json_index ix;
    const struct json *doubled = NULL;

    if (json_index_init(&ix, p->v) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    for (size_t i = 1; i < ix.n && doubled == NULL; i++)
        if (slice_eq(ix.sorted[i - 1]->key, ix.sorted[i]->key))
            doubled = ix.sorted[i];
    json_index_close(&ix);
    for (uint32_t i = 0; doubled != NULL && i < p->n; i++)
        if (p->kids[i].v == doubled)
            return yaml_refuse(t->why, SYNCLINE_EMALFORMED, p->kids[i].line,
                p->kids[i].column, "the value of a key that occurs twice,");
    return SYNCLINE_OK;
}

static int read_list(struct tree *t, struct yaml_part *p)
{
    int rc;

    if (t->depth == JSON_DEPTH_MAX)
        return refuse(t, &t->event.start_mark, SYNCLINE_ELIMIT,
            "nested deeper than 64 levels");
    p->v->type =
        t->event.type == YAML_MAPPING_START_EVENT ? JSON_OBJECT : JSON_ARRAY;
    p->v->n = 0;
    p->v->first = p->v->last = NULL;
    p->look = is_flow(&t->event) ? LOOK_FLOW_LIST : LOOK_LIST;
    t->depth++;
    rc = read_kids(t, p);
    t->depth--;
    if (rc == SYNCLINE_OK)
        rc = check_doubled(t, p);
    if (rc != SYNCLINE_OK)
        return rc;
    p->end = p->look == LOOK_FLOW_LIST ? offset(t, &t->event.end_mark)
        : p->n > 0                     ? p->kids[p->n - 1].end
                                       : p->at;
    return SYNCLINE_OK;
}

/* The text of p, whatever it is, is its value. */
static int make_opaque(struct tree *t, struct yaml_part *p)
{
    p->v->type = JSON_STRING;
    p->v->s = keep(t, SLICE(t->text.ptr + p->at, p->end - p->at));
    p->look = LOOK_OPAQUE;
    p->n = 0;
    return p->v->s.ptr == NULL ? SYNCLINE_ENOMEM : SYNCLINE_OK;
}

static int read_value(struct tree *t, struct yaml_part *p)
{
    struct slice anchor;
    int rc;

    switch (t->event.type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(t, p);
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        return read_list(t, p);
    case YAML_ALIAS_EVENT:
        anchor = slice_str((const char *)t->event.data.alias.anchor);
        for (const struct name *n = t->names; n != NULL; n = n->next)
            if (slice_eq(n->anchor, anchor) && n->v != NULL) {
                rc = count_alias(t, n->v);
                if (rc != SYNCLINE_OK)
                    return rc;
                break;
            }
        return read_alias(t, p);
    default:
        return refuse(t, &t->event.start_mark, SYNCLINE_EMALFORMED,
            "a value was expected");
    }
}

static int read_part(struct tree *t, struct yaml_part *p)
{
    const bool tagged = has_tag(&t->event);
    const char *anchor = anchor_of(&t->event);
    struct name *name = NULL;
    int rc = count_node(t, &t->event.start_mark);

    p->at = offset(t, &t->event.start_mark);
    p->line = (unsigned)t->event.start_mark.line + 1;
    p->column = (unsigned)t->event.start_mark.column + 1;
    if (rc == SYNCLINE_OK && tagged && anchor != NULL)
        rc = refuse(t, &t->event.start_mark, SYNCLINE_EUNSUPPORTED,
            "a tag and an anchor on one value");
    if (rc == SYNCLINE_OK && anchor != NULL)
        rc = add_name(t, &name);
    if (rc == SYNCLINE_OK)
        rc = read_value(t, p);
    if (rc == SYNCLINE_OK && tagged)
        rc = make_opaque(t, p);
    if (name != NULL)
        name->v = p->v;
    return rc;
}

/* The one document, and nothing after it. */
static int read_document(struct tree *t, struct yaml_part *p)
{
    int rc = next(t); /* the stream begins */

    if (rc == SYNCLINE_OK)
        rc = next(t);
    if (rc == SYNCLINE_OK && t->event.type == YAML_STREAM_END_EVENT) {
        p->look = LOOK_PLAIN;
        p->at = p->end = t->text.len;
        p->line = p->column = 1;
        return SYNCLINE_OK;
    }
    if (rc == SYNCLINE_OK)
        rc = next(t);
    if (rc == SYNCLINE_OK)
        rc = read_part(t, p);
    if (rc == SYNCLINE_OK)
        rc = next(t); /* the document ends */
    if (rc == SYNCLINE_OK)
        rc = next(t);
    if (rc == SYNCLINE_OK && t->event.type != YAML_STREAM_END_EVENT)
        rc = refuse(t, &t->event.start_mark, SYNCLINE_EUNSUPPORTED,
            "a second document");
    return rc;
}

int yaml_tree(struct yaml_part *out, struct slice text, struct arena *a,
    struct errmsg *why)
{
    struct tree t = { .text = text, .arena = a, .why = why };
    struct yaml_part p = { .v = json_new(a, JSON_NULL), .is_root = true };
    int rc = p.v == NULL ? SYNCLINE_ENOMEM : find_characters(&t);

    if (rc == SYNCLINE_OK && !utf8_valid(text))
        rc = errmsg_set(why, SYNCLINE_EMALFORMED, "the text is no UTF-8");
    if (rc == SYNCLINE_OK && text.len > UINT32_MAX / 2)
        rc = errmsg_set(why, SYNCLINE_ELIMIT, "the text is too long");
    if (rc != SYNCLINE_OK || !yaml_parser_initialize(&t.parser))
        return rc != SYNCLINE_OK ? rc : SYNCLINE_ENOMEM;
    yaml_parser_set_encoding(&t.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&t.parser,
        text.len > 0 ? text.ptr : (const unsigned char *)"", text.len);
    rc = read_document(&t, &p);
    drop_event(&t);
    yaml_parser_delete(&t.parser);
    if (rc == SYNCLINE_OK)
        *out = p;
    return rc;
}
