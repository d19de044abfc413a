#include "files/splice.h"

#include "core/json_index.h"
#include "files/splice_style.h"

struct splice {
    struct slice text;
    size_t at; /* up to here the text has been dealt with */
    struct buf *out;
    struct arena *arena;
};

/* What a container is to hold: from the text, perhaps changed, or new. */
struct entry {
    const struct part *old; /* NULL: new */
    const struct json *v;
};

static const uint8_t mark[] = { 0xef, 0xbb, 0xbf };

static struct slice without_mark(struct slice text)
{
    return slice_has_prefix(text, SLICE(mark, sizeof mark))
        ? SLICE(text.ptr + sizeof mark, text.len - sizeof mark)
        : text;
}

int splice_parse(
    struct json **out, struct slice text, struct arena *a, struct errmsg *why)
{
    return json_parse(out, without_mark(text), JSON_STRICT, a, why);
}

static void copy_to(struct splice *s, size_t end)
{
    buf_put_slice(s->out, between(s->text, s->at, end));
    s->at = end;
}

static int edit(struct splice *s, const struct style *st, const struct part *p,
    const struct json *doc);

/* Of white space with blank lines in it, the last line's end and what follows.
 */
static void put_gap(struct buf *b, const struct style *st, struct slice space)
{
    if (has_newline(space)) {
        buf_put_slice(b, st->newline);
        space = last_line(space);
    }
    buf_put_slice(b, space);
}

/* What parts a new entry from the one before it, as it is between the last
 * two. */
static void put_comma(
    struct splice *s, const struct style *st, const struct part *p)
{
    const struct part *last = &p->kids[p->v->n - 1];
    struct slice lead = between(s->text, last->from, last->key);

    if (p->v->n > 1)
        put_gap(s->out, st, between(s->text, last[-1].end, last->from - 1));
    buf_put_u8(s->out, ',');
    if (p->v->n > 1 || has_newline(lead))
        put_gap(s->out, st, lead);
    else
        buf_put_slice(s->out, st->gap);
}

static int put_entry(struct splice *s, const struct style *st,
    const struct part *p, const struct entry *e, bool first,
    struct slice indent)
{
    if (first)
        buf_put_slice(
            s->out, between(s->text, p->kids[0].from, p->kids[0].key));
    else if (e->old != NULL && e->old != p->kids)
        buf_put_slice(s->out, between(s->text, e->old[-1].end, e->old->key));
    else
        put_comma(s, st, p);
    if (e->old != NULL) {
        int rc;

        s->at = e->old->key;
        rc = edit(s, st, e->old, e->v);
        copy_to(s, e->old->end);
        return rc;
    }
    if (p->v->type == JSON_OBJECT)
        style_print_key(s->out, st, e->v);
    style_print(s->out, st, e->v, indent);
    return SYNCLINE_OK;
}

static int put_entries(struct splice *s, const struct style *st,
    const struct part *p, const struct entry *e, size_t n)
{
    struct style own = style_within(st, s->text, p);
    struct slice indent = indent_at(s->text, p->kids[p->v->n - 1].key);
    int rc = SYNCLINE_OK;

    copy_to(s, p->at + 1);
    for (size_t i = 0; i < n && rc == SYNCLINE_OK; i++)
        rc = put_entry(s, &own, p, &e[i], i == 0, indent);
    s->at = p->kids[p->v->n - 1].end;
    return rc;
}

static struct entry *entries(
    struct splice *s, const struct part *p, const struct json *doc)
{
    return arena_alloc(
        s->arena, ((size_t)p->v->n + doc->n) * sizeof(struct entry));
}

static int edit_object(struct splice *s, const struct style *st,
    const struct part *p, const struct json *doc)
{
    struct entry *e = entries(s, p, doc);
    struct json_index old, new;
    size_t n = 0;
    int rc;

    if (e == NULL)
        return SYNCLINE_ENOMEM;
    rc = json_index_init(&new, doc);
    if (rc != SYNCLINE_OK)
        return rc;
    for (uint32_t i = 0; i < p->v->n; i++) {
        const struct json *v = json_index_find(&new, p->kids[i].v->key);

        if (v != NULL)
            e[n++] = (struct entry){ &p->kids[i], v };
    }
    json_index_close(&new);
    rc = json_index_init(&old, p->v);
    if (rc != SYNCLINE_OK)
        return rc;
    for (const struct json *v = doc->first; v != NULL; v = v->next)
        if (json_index_find(&old, v->key) == NULL)
            e[n++] = (struct entry){ NULL, v };
    json_index_close(&old);
    return put_entries(s, st, p, e, n);
}

/* Equal elements at both ends stay; between, one takes the place of another
 * as long as there are both. */
static int edit_array(struct splice *s, const struct style *st,
    const struct part *p, const struct json *doc)
{
    struct entry *e = entries(s, p, doc);
    const struct json **new = arena_alloc(s->arena, doc->n * sizeof *new);
    uint32_t head = 0, tail = 0, old_n = p->v->n, n = 0;

    if (e == NULL || new == NULL)
        return SYNCLINE_ENOMEM;
    for (const struct json *v = doc->first; v != NULL; v = v->next)
        new[n++] = v;
    while (head < old_n && head < n && json_equal(p->kids[head].v, new[head]))
        head++;
    while (tail < old_n - head && tail < n - head &&
        json_equal(p->kids[old_n - 1 - tail].v, new[n - 1 - tail]))
        tail++;
    for (uint32_t i = 0; i < n; i++) {
        const struct part *old = NULL;

        if (i >= n - tail)
            old = &p->kids[old_n - (n - i)];
        else if (i < old_n - tail)
            old = &p->kids[i];
        e[i] = (struct entry){ old, new[i] };
    }
    return put_entries(s, st, p, e, n);
}

/* Writes what stands before p->end, or leaves that to who copies on. */
static int edit(struct splice *s, const struct style *st, const struct part *p,
    const struct json *doc)
{
    if (json_equal(p->v, doc))
        return SYNCLINE_OK;
    if (p->v->type == doc->type && is_container(doc) && p->v->n > 0 &&
        doc->n > 0)
        return doc->type == JSON_OBJECT ? edit_object(s, st, p, doc)
                                        : edit_array(s, st, p, doc);
    copy_to(s, p->at);
    style_print(s->out, st, doc,
        is_container(doc) ? indent_at(s->text, p->at) : SLICE_LIT(""));
    s->at = p->end;
    return SYNCLINE_OK;
}

int splice_json(struct buf *out, struct slice text, const struct json *doc,
    struct arena *a, struct errmsg *why)
{
    struct splice s = { .text = without_mark(text), .out = out, .arena = a };
    struct json *old;
    struct part root;
    struct style st;
    int rc;

    if (text.len == 0) {
        json_print(out, doc, JSON_PRETTY);
        buf_put_u8(out, '\n');
        return buf_status(out);
    }
    rc = json_parse(&old, s.text, JSON_STRICT, a, why);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = json_parts(&root, s.text, old, a);
    if (rc != SYNCLINE_OK)
        return rc;
    st = style_of(s.text, &root);
    buf_put_slice(out, between(text, 0, text.len - s.text.len));
    rc = edit(&s, &st, &root, doc);
    copy_to(&s, s.text.len);
    return rc != SYNCLINE_OK ? rc : buf_status(out);
}
