#include "files/splice_style.h"

struct slice last_line(struct slice s)
{
    static const char ends[] = "\n\r";

    for (size_t i = 0; i < 2 && s.len > 0; i++) {
        const uint8_t *end = memrchr(s.ptr, ends[i], s.len);

        if (end != NULL)
            s = SLICE(end + 1, s.len - (size_t)(end + 1 - s.ptr));
    }
    return s;
}

bool has_newline(struct slice s)
{
    return s.len > 0 &&
        (memchr(s.ptr, '\n', s.len) != NULL ||
            memchr(s.ptr, '\r', s.len) != NULL);
}

struct slice indent_at(struct slice text, size_t at)
{
    struct slice line = last_line(SLICE(text.ptr, at));
    size_t n = 0;

    while (n < line.len && (line.ptr[n] == ' ' || line.ptr[n] == '\t'))
        n++;
    return SLICE(line.ptr, n);
}

static struct slice newline_of(struct slice text)
{
    const uint8_t *at = text.len == 0 ? NULL : memchr(text.ptr, '\n', text.len);

    if (at == NULL)
        return text.len > 0 && memchr(text.ptr, '\r', text.len) != NULL
            ? SLICE_LIT("\r")
            : SLICE_LIT("\n");
    return at > text.ptr && at[-1] == '\r' ? SLICE_LIT("\r\n")
                                           : SLICE_LIT("\n");
}

/* Escapes where raw UTF-8 would do, and none of that. */
static bool writes_ascii(struct slice text)
{
    bool escapes = false;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= 0x80)
            return false;
        if (text.ptr[i] != '\\')
            continue;
        i++;
        if (text.len - i >= 5 && text.ptr[i] == 'u' &&
            !(text.ptr[i + 1] == '0' && text.ptr[i + 2] == '0' &&
                text.ptr[i + 3] < '8'))
            escapes = true;
    }
    return escapes;
}

/* What was seen of a style so far. */
struct seen {
    struct slice text;
    struct style *st;
    bool unit, colon, gap, kind[2];
};

static void see_unit(
    struct seen *s, const struct part *p, const struct part *kid)
{
    struct slice own = indent_at(s->text, p->at);
    struct slice its = last_line(between(s->text, kid->from, kid->key));

    if (s->unit || its.len <= own.len)
        return;
    s->unit = true;
    s->st->unit = slice_has_prefix(its, own) ? slice_from(its, own.len) : its;
}

static void see_kids(struct seen *s, const struct part *p, bool is_root)
{
    const struct part *kid = &p->kids[0];
    struct slice lead = between(s->text, kid->from, kid->key);
    const int kind = style_kind(p->v);
    const bool many = has_newline(lead);

    if (many)
        see_unit(s, p, kid);
    if (!s->kind[kind] && !is_root) {
        s->kind[kind] = true;
        s->st->many[kind] = many;
        if (!many)
            s->st->pad[kind] = lead;
    }
    if (kind == 1 && !s->colon) {
        s->colon = true;
        s->st->colon = between(s->text, kid->key_end, kid->at);
    }
    for (uint32_t i = 1; i < p->v->n && !s->gap; i++) {
        lead = between(s->text, p->kids[i].from, p->kids[i].key);
        s->gap = !has_newline(lead);
        if (s->gap)
            s->st->gap = lead;
    }
}

static void see(struct seen *s, const struct part *p, bool is_root)
{
    if (!is_container(p->v) || p->v->n == 0)
        return;
    see_kids(s, p, is_root);
    for (uint32_t i = 0; i < p->v->n; i++)
        see(s, &p->kids[i], false);
}

struct style style_of(struct slice text, const struct part *root)
{
    struct style st = { .newline = newline_of(text),
        .unit = SLICE_LIT("  "),
        .colon = SLICE_LIT(": "),
        .gap = SLICE_LIT(" "),
        .pad = { SLICE_LIT(""), SLICE_LIT("") },
        .ascii = writes_ascii(text) };
    struct seen s = { .text = text, .st = &st };
    bool many = true;

    if (is_container(root->v) && root->v->n > 0)
        many =
            has_newline(between(text, root->kids[0].from, root->kids[0].key));
    st.many[0] = st.many[1] = many;
    see(&s, root, true);
    if (!s.gap && st.colon.ptr[st.colon.len - 1] == ':')
        st.gap = SLICE_LIT("");
    return st;
}

struct style style_within(
    const struct style *st, struct slice text, const struct part *p)
{
    struct style own = *st;
    struct seen s = { .text = text, .st = &own, .unit = true };

    if (p->v->n == 0)
        return own;
    see_kids(&s, p, true);
    s.gap = s.colon = true;
    for (uint32_t i = p->v->n; i-- > 0;) {
        const struct part *kid = &p->kids[i];

        if (is_container(kid->v) && kid->v->n > 0)
            see_kids(&s, kid, false);
    }
    /* On one line there is room for one line only. */
    if (!has_newline(between(text, p->kids[0].from, p->kids[0].key)))
        own.many[0] = own.many[1] = false;
    return own;
}

/* Writing. */

void style_print_key(
    struct buf *b, const struct style *st, const struct json *v)
{
    json_print_string(b, v->key, st->ascii);
    buf_put_slice(b, st->colon);
}

static void print_at(struct buf *b, const struct style *st,
    const struct json *v, struct slice indent, unsigned level, bool one_line);

static void new_line(
    struct buf *b, const struct style *st, struct slice indent, unsigned level)
{
    buf_put_slice(b, st->newline);
    buf_put_slice(b, indent);
    for (; level > 0; level--)
        buf_put_slice(b, st->unit);
}

static void print_kids(struct buf *b, const struct style *st,
    const struct json *v, struct slice indent, unsigned level, bool one_line)
{
    const int kind = style_kind(v);

    for (const struct json *k = v->first;
         k != NULL && buf_status(b) == SYNCLINE_OK; k = k->next) {
        if (k != v->first)
            buf_put_u8(b, ',');
        if (!one_line)
            new_line(b, st, indent, level + 1);
        else
            buf_put_slice(b, k == v->first ? st->pad[kind] : st->gap);
        if (kind == 1)
            style_print_key(b, st, k);
        print_at(b, st, k, indent, level + 1, one_line);
    }
    if (!one_line)
        new_line(b, st, indent, level);
    else
        buf_put_slice(b, st->pad[kind]);
}

static void print_at(struct buf *b, const struct style *st,
    const struct json *v, struct slice indent, unsigned level, bool one_line)
{
    if (!is_container(v)) {
        json_print(b, v, st->ascii ? JSON_COMPACT : JSON_PLAIN_RAW);
        return;
    }
    buf_put_u8(b, v->type == JSON_OBJECT ? '{' : '[');
    if (v->n > 0)
        print_kids(
            b, st, v, indent, level, one_line || !st->many[style_kind(v)]);
    buf_put_u8(b, v->type == JSON_OBJECT ? '}' : ']');
}

void style_print(struct buf *b, const struct style *st, const struct json *v,
    struct slice indent)
{
    print_at(b, st, v, indent, 0, false);
}
