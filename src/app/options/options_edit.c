#include "app/options/options_edit.h"

#include "app/options/options_table.h"
#include "base/plant.h"

#include <stdio.h>
#include <yaml.h>

#define NAME_MAX_LEN 64

/* A place in the text, in bytes. */
struct span {
    size_t from, to;
};

/* Where an option stands in the file. */
struct found {
    bool is;
    struct span key, value;
    struct span whole; /* with the groups that hold nothing else */
};

struct search {
    struct slice text;
    yaml_document_t *doc;
    const char *name;
    struct found found;
};

/* ---- where it stands ---- */

/* libyaml counts characters. */
static size_t byte_of(struct slice text, size_t index)
{
    size_t at = 0;

    while (at < text.len && index > 0) {
        at++;
        while (at < text.len && (text.ptr[at] & 0xc0) == 0x80)
            at++;
        index--;
    }
    return at;
}

/* A block's end is told where the next thing begins. */
static size_t end_of(const struct search *s, const yaml_node_t *node)
{
    if (node->type == YAML_SEQUENCE_NODE &&
        node->data.sequence.style == YAML_BLOCK_SEQUENCE_STYLE &&
        node->data.sequence.items.top > node->data.sequence.items.start)
        return end_of(s,
            yaml_document_get_node(s->doc, node->data.sequence.items.top[-1]));
    if (node->type == YAML_MAPPING_NODE &&
        node->data.mapping.style == YAML_BLOCK_MAPPING_STYLE &&
        node->data.mapping.pairs.top > node->data.mapping.pairs.start)
        return end_of(s,
            yaml_document_get_node(
                s->doc, node->data.mapping.pairs.top[-1].value));
    return byte_of(s->text, node->end_mark.index);
}

static struct span span_of(const struct search *s, const yaml_node_t *node)
{
    return (struct span){ byte_of(s->text, node->start_mark.index),
        end_of(s, node) };
}

static bool join_name(
    char out[NAME_MAX_LEN], const char *prefix, const yaml_node_t *key)
{
    int n;

    if (key->type != YAML_SCALAR_NODE)
        return false;
    n = snprintf(out, NAME_MAX_LEN, "%s%s%s", prefix, prefix[0] != 0 ? "." : "",
        (const char *)key->data.scalar.value);
    return n > 0 && n < NAME_MAX_LEN;
}

/* True: it is below this mapping. */
static bool search_in(
    struct search *s, const yaml_node_t *map, const char *prefix, int depth)
{
    const yaml_node_pair_t *at = map->data.mapping.pairs.start;

    for (; at < map->data.mapping.pairs.top; at++) {
        const yaml_node_t *key = yaml_document_get_node(s->doc, at->key);
        const yaml_node_t *value = yaml_document_get_node(s->doc, at->value);
        char name[NAME_MAX_LEN];
        size_t ix;

        if (!join_name(name, prefix, key))
            continue;
        ix = option_index(slice_str(name));
        if (ix < option_rows_n && strcmp(option_rows[ix].name, s->name) == 0) {
            s->found = (struct found){ true, span_of(s, key), span_of(s, value),
                { span_of(s, key).from, span_of(s, value).to } };
            return true;
        }
        if (value->type == YAML_MAPPING_NODE && depth < 3 &&
            search_in(s, value, name, depth + 1)) {
            if (value->data.mapping.pairs.top ==
                value->data.mapping.pairs.start + 1)
                s->found.whole.from = span_of(s, key).from;
            return true;
        }
    }
    return false;
}

static int find(struct slice text, const char *name, struct found *out)
{
    struct search s = { .text = text, .name = name };
    yaml_document_t doc;
    const yaml_node_t *root;
    yaml_parser_t p;
    bool more = true;

    if (!yaml_parser_initialize(&p))
        return SYNCLINE_ENOMEM;
    yaml_parser_set_input_string(
        &p, text.len ? text.ptr : (const unsigned char *)"", text.len);
    while (more && !s.found.is && yaml_parser_load(&p, &doc)) {
        root = yaml_document_get_root_node(&doc);
        s.doc = &doc;
        more = root != NULL;
        if (more && root->type == YAML_MAPPING_NODE)
            (void)search_in(&s, root, "", 0);
        yaml_document_delete(&doc);
    }
    more = p.error != YAML_MEMORY_ERROR;
    yaml_parser_delete(&p);
    *out = s.found;
    return more ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

/* ---- how it is written ---- */

static bool is_plain(struct slice s)
{
    if (s.len == 0 || slice_is(s, "null"))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        const char c = (char)s.ptr[i];
        const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9');

        if (!word && (i == 0 ? c != '/' : strchr("._/-", c) == NULL))
            return false;
    }
    return true;
}

static void put_scalar(struct buf *b, struct slice s)
{
    if (is_plain(s))
        buf_put_slice(b, s);
    else
        json_print_string(b, s, true); /* which YAML reads, too */
}

static void put_value(
    struct buf *b, const struct option_row *row, struct slice text)
{
    bool any = false;

    if (row->type != OPTION_NAMES && row->type != OPTION_ADDRS) {
        put_scalar(b, text);
        return;
    }
    buf_put_u8(b, '[');
    while (text.len > 0) {
        const uint8_t *end = memchr(text.ptr, ',', text.len);
        const size_t n = end != NULL ? (size_t)(end - text.ptr) : text.len;

        if (n > 0) {
            buf_put_str(b, any ? ", " : "");
            json_print_string(b, SLICE(text.ptr, n), true);
            any = true;
        }
        text = slice_from(text, n + (end != NULL));
    }
    buf_put_u8(b, ']');
}

static struct slice part(struct slice text, size_t from, size_t to)
{
    return SLICE(text.ptr + from, to - from);
}

/* From the line's begin on, or from there. */
static size_t line_begin(struct slice text, size_t at)
{
    size_t i = at;

    while (i > 0 && (text.ptr[i - 1] == ' ' || text.ptr[i - 1] == '\t'))
        i--;
    return i == 0 || text.ptr[i - 1] == '\n' ? i : at;
}

static size_t line_end(struct slice text, size_t at)
{
    const uint8_t *end =
        at < text.len ? memchr(text.ptr + at, '\n', text.len - at) : NULL;

    return end != NULL ? (size_t)(end - text.ptr) + 1 : text.len;
}

/* In its place; what was a block becomes a line. */
static void replace(struct buf *out, struct slice text, const struct found *f,
    const struct option_row *row, struct slice value)
{
    const struct slice gap = part(text, f->key.to, f->value.from);
    const bool below = gap.len > 0 && memchr(gap.ptr, '\n', gap.len) != NULL;
    const uint8_t *comment =
        below && gap.len > 0 ? memchr(gap.ptr, '#', gap.len) : NULL;

    if (!below) {
        buf_put_slice(out, part(text, 0, f->value.from));
        put_value(out, row, value);
    } else {
        buf_put_slice(out, part(text, 0, f->key.to));
        buf_put_str(out, ": ");
        put_value(out, row, value);
        if (comment != NULL) {
            const size_t at = (size_t)(comment - text.ptr);

            buf_put_str(out, "  ");
            buf_put_slice(out, part(text, at, line_end(text, at) - 1));
        }
    }
    if (f->value.to > f->value.from && text.ptr[f->value.to - 1] == '\n')
        buf_put_u8(out, '\n'); /* it was a block of text */
    buf_put_slice(out, slice_from(text, f->value.to));
}

static int edit_one(struct buf *out, struct slice text,
    const struct option_edit *e, struct errmsg *why)
{
    const struct option_row *row =
        &option_rows[option_index(slice_str(e->name))];
    struct found f;
    int rc = find(text, e->name, &f);

    if (rc != SYNCLINE_OK)
        return errmsg_set(why, rc, "out of memory");
    if (!f.is && e->unset) {
        buf_put_slice(out, text);
    } else if (f.is && e->unset) {
        buf_put_slice(out, part(text, 0, line_begin(text, f.whole.from)));
        buf_put_slice(out, slice_from(text, line_end(text, f.whole.to)));
    } else if (f.is) {
        replace(out, text, &f, row, e->text);
    } else {
        buf_put_slice(out, text);
        if (text.len > 0 && text.ptr[text.len - 1] != '\n')
            buf_put_u8(out, '\n');
        buf_printf(out, "%s: ", e->name);
        put_value(out, row, e->text);
        buf_put_u8(out, '\n');
    }
    rc = buf_status(out);
    return rc == SYNCLINE_OK
        ? rc
        : errmsg_set(why, rc, "%s: %s", e->name,
              rc == SYNCLINE_ENOMEM ? "out of memory" : "is no UTF-8");
}

/* ---- does it say what was wanted? ---- */

static int read_text(
    struct options **out, struct slice text, struct errmsg *why)
{
    const struct options_host nobody = { "-", "-" };
    struct options *o = NULL;
    int rc = options_new(&o, &nobody, why);

    if (rc == SYNCLINE_OK)
        rc = options_read_yaml(o, text, "syncline.yaml", why);
    if (rc == SYNCLINE_OK)
        *out = o;
    else
        options_free(o);
    return rc;
}

static bool same_option(
    const struct options *a, const struct options *b, const char *name)
{
    struct buf x = { 0 }, y = { 0 };
    bool same;

    options_print(a, name, &x);
    options_print(b, name, &y);
    same = buf_status(&x) == 0 && buf_status(&y) == 0 &&
        slice_eq(buf_slice(&x), buf_slice(&y)) &&
        (strcmp(options_source(a, name), "default") == 0) ==
            (strcmp(options_source(b, name), "default") == 0);
    buf_free(&x);
    buf_free(&y);
    return same;
}

static int check(struct slice before, struct slice after,
    const struct option_edit *edits, size_t n, struct errmsg *why)
{
    struct options *want = NULL, *got = NULL;
    struct errmsg what = { "" };
    bool same = true;
    int rc = read_text(&want, before, why);

    for (size_t i = 0; i < n && rc == SYNCLINE_OK; i++) {
        const size_t ix = option_index(slice_str(edits[i].name));

        options_unset(want, ix);
        if (!edits[i].unset)
            rc = options_set(
                want, ix, RANK_FILE, "asked for", edits[i].text, &what);
        if (rc != SYNCLINE_OK)
            (void)errmsg_set(why, rc, "%s: %.400s", edits[i].name, what.text);
    }
    if (rc == SYNCLINE_OK)
        same = read_text(&got, after, NULL) == SYNCLINE_OK;
    for (size_t ix = 0; rc == SYNCLINE_OK && same && ix < option_rows_n; ix++)
        same = same_option(want, got, option_rows[ix].name);
    if (rc == SYNCLINE_OK && !same)
        rc = errmsg_set(why, SYNCLINE_EUNSUPPORTED,
            "the configuration file is written in a way that only a person "
            "can edit (%s)",
            edits[n - 1].name);
    options_free(want);
    options_free(got);
    return rc;
}

int options_edit(struct buf *out, struct slice text,
    const struct option_edit *edits, size_t n, struct errmsg *why)
{
    struct buf now = { 0 };
    int rc;

    buf_put_slice(&now, text);
    rc = buf_status(&now);
    if (rc != SYNCLINE_OK)
        (void)errmsg_set(why, rc, "out of memory");
    for (size_t i = 0; i < n && rc == SYNCLINE_OK; i++) {
        struct buf next = { 0 };

        rc = edit_one(&next, buf_slice(&now), &edits[i], why);
        buf_free(&now);
        now = next;
    }
    if (rc == SYNCLINE_OK)
        rc = check(text, buf_slice(&now), edits, n, why);
    if (rc == SYNCLINE_OK) {
        buf_put_slice(out, buf_slice(&now));
        rc = buf_status(out);
    }
    buf_free(&now);
    return rc;
}

/* ---- what is asked for ---- */

static int text_of(struct slice *out, const struct option_row *row,
    const struct json *v, struct arena *a, struct errmsg *why)
{
    const bool list = row->type == OPTION_NAMES || row->type == OPTION_ADDRS;
    struct buf b = { 0 };
    bool fits = true;
    int rc;

    if (v->type == JSON_ARRAY && list) {
        for (const struct json *e = v->first; e != NULL && fits; e = e->next) {
            fits = e->type == JSON_STRING &&
                (e->s.len == 0 ||
                    (memchr(e->s.ptr, ',', e->s.len) == NULL &&
                        (PLANTED(R10_NUL) ||
                            memchr(e->s.ptr, 0, e->s.len) == NULL)));
            if (fits)
                buf_printf(&b, "%s%.*s", b.len > 0 ? "," : "", SLICE_FMT(e->s));
        }
    } else if (v->type == JSON_STRING) {
        buf_put_slice(&b, v->s);
    } else if (v->type == JSON_INT || v->type == JSON_TRUE ||
        v->type == JSON_FALSE) {
        json_print(&b, v, JSON_CANONICAL);
    } else {
        fits = false;
    }
    rc = buf_status(&b);
    if (!fits)
        rc = errmsg_set(why, SYNCLINE_EINVAL, "%s: wants %s", row->name,
            option_wants(row->type));
    if (rc == SYNCLINE_OK) {
        *out = arena_dup(a, buf_slice(&b));
        rc = out->ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
    }
    buf_free(&b);
    return rc;
}

int options_edits_of(struct option_edit edits[OPTION_CHANGES_MAX], size_t *n,
    const struct json *object, struct arena *a, struct errmsg *why)
{
    int rc = SYNCLINE_OK;

    *n = 0;
    if (object == NULL || object->type != JSON_OBJECT || object->n == 0 ||
        object->n > OPTION_CHANGES_MAX)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "an object of options and their values, as {\"log.level\": "
            "\"debug\"}; null: back to the default");
    for (const struct json *v = object->first; v != NULL && rc == SYNCLINE_OK;
         v = v->next) {
        const size_t ix = option_index(v->key);
        struct option_edit *e = &edits[(*n)++];

        if (ix == option_rows_n)
            return errmsg_set(why, SYNCLINE_EINVAL,
                "%.*s: there is no such option; `syncline config` lists them "
                "all",
                (int)(v->key.len > 60 ? 60 : v->key.len),
                (const char *)v->key.ptr);
        *e = (struct option_edit){ .name = option_rows[ix].name,
            .unset = v->type == JSON_NULL };
        if (!e->unset)
            rc = text_of(&e->text, &option_rows[ix], v, a, why);
    }
    return rc;
}

bool options_is_live(const char *name)
{
    return option_rows[option_index(slice_str(name))].change == OPTION_AT_ONCE;
}

bool options_is_text(const char *name)
{
    const enum option_type type =
        option_rows[option_index(slice_str(name))].type;

    return type == OPTION_STR || type == OPTION_NAMES || type == OPTION_ADDRS;
}
