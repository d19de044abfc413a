#include "files/yaml.h"

#include "core/json_index.h"
#include "files/yaml_impl.h"

struct yaml_edit {
    size_t at, end;
    struct slice text;
};

struct splicer {
    struct slice text;
    struct yaml_style st;
    struct arena *arena;
    struct errmsg *why;
    struct buf made; /* of the edit at hand */
    struct yaml_edit *edits;
    uint32_t n, cap;
    const struct yaml_part *first; /* of what changes */
};

static const uint8_t mark[] = { 0xef, 0xbb, 0xbf };

static struct slice without_mark(struct slice text)
{
    return slice_has_prefix(text, SLICE(mark, sizeof mark))
        ? SLICE(text.ptr + sizeof mark, text.len - sizeof mark)
        : text;
}

int yaml_read(
    struct json **out, struct slice text, struct arena *a, struct errmsg *why)
{
    struct yaml_part root;
    int rc = yaml_tree(&root, without_mark(text), a, why);

    if (rc == SYNCLINE_OK)
        *out = root.v;
    return rc;
}

/* Places in the text. */

static size_t line_start(const struct splicer *s, size_t at)
{
    while (at > 0 && s->text.ptr[at - 1] != '\n')
        at--;
    return at;
}

/* Before the line's end. */
static size_t line_end(const struct splicer *s, size_t at)
{
    const size_t from = at;

    while (at < s->text.len && s->text.ptr[at] != '\n')
        at++;
    return at > from && at < s->text.len && s->text.ptr[at - 1] == '\r' ? at - 1
                                                                        : at;
}

static size_t next_line(const struct splicer *s, size_t at)
{
    while (at < s->text.len && s->text.ptr[at] != '\n')
        at++;
    return at < s->text.len ? at + 1 : at;
}

static unsigned column(const struct splicer *s, size_t at)
{
    unsigned n = 0;

    for (size_t i = line_start(s, at); i < at; i++)
        n += (s->text.ptr[i] & 0xc0) != 0x80;
    return n;
}

static bool holds(const struct splicer *s, size_t from, size_t end, char c)
{
    return end > from && memchr(s->text.ptr + from, c, end - from) != NULL;
}

/* Is there nothing but space before it on its line? */
static bool begins_line(const struct splicer *s, size_t at)
{
    for (size_t i = line_start(s, at); i < at; i++)
        if (s->text.ptr[i] != ' ')
            return false;
    return true;
}

/* Is the next that is there, on this line or a later one, a comment? */
static bool comment_follows(const struct splicer *s, size_t at)
{
    while (at < s->text.len && memchr(" \t\r\n", s->text.ptr[at], 4) != NULL)
        at++;
    return at < s->text.len && s->text.ptr[at] == '#';
}

static bool find_style(
    struct splicer *s, const struct yaml_part *p, bool *unit, bool *dash)
{
    for (uint32_t i = 0; i < p->n && p->look == LOOK_LIST; i++) {
        const struct yaml_part *kid = &p->kids[i];
        unsigned own, its;

        if (kid->look != LOOK_LIST || kid->n == 0)
            continue;
        own = column(s, kid->entry);
        its = column(s, kid->kids[0].entry);
        if (p->v->type == JSON_OBJECT && its >= own) {
            if (kid->v->type == JSON_ARRAY && !*dash) {
                s->st.dash = its - own;
                *dash = true;
            } else if (kid->v->type == JSON_OBJECT && !*unit && its > own) {
                s->st.unit = its - own;
                *unit = true;
            }
        }
        if (find_style(s, kid, unit, dash))
            return true;
    }
    return *unit && *dash;
}

/* Edits. */

static int refuse(
    const struct splicer *s, const struct yaml_part *p, const char *what)
{
    return yaml_refuse(s->why, SYNCLINE_EUNSUPPORTED, p->line, p->column, what);
}

/* Takes what was made in the meantime as what is to stand there. */
static int add_edit(struct splicer *s, size_t at, size_t end)
{
    struct slice text = arena_dup(s->arena, buf_slice(&s->made));

    if (s->made.len == 0)
        text = SLICE_LIT("");
    if (buf_status(&s->made) != SYNCLINE_OK || text.ptr == NULL)
        return buf_status(&s->made) != SYNCLINE_OK ? buf_status(&s->made)
                                                   : SYNCLINE_ENOMEM;
    buf_clear(&s->made);
    if (s->n == s->cap) {
        uint32_t cap = s->cap == 0 ? 16 : s->cap * 2;
        struct yaml_edit *e = arena_alloc(s->arena, cap * sizeof *e);

        if (e == NULL)
            return SYNCLINE_ENOMEM;
        if (s->n > 0)
            memcpy(e, s->edits, s->n * sizeof *e);
        s->edits = e;
        s->cap = cap;
    }
    s->edits[s->n++] = (struct yaml_edit){ at, end, text };
    return SYNCLINE_OK;
}

/* `on` becomes `off`, and `Yes` `No`. */
static const char *other_word(struct slice old, enum json_type type)
{
    static const char *const pairs[][2] = { { "on", "off" }, { "On", "Off" },
        { "ON", "OFF" }, { "yes", "no" }, { "Yes", "No" }, { "YES", "NO" },
        { "True", "False" }, { "TRUE", "FALSE" } };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (size_t k = 0; k < 2; k++)
            if (slice_is(old, pairs[i][k]) &&
                type == (k == 1 ? JSON_TRUE : JSON_FALSE))
                return pairs[i][1 - k];
    return NULL;
}

static struct slice text_of(const struct splicer *s, const struct yaml_part *p)
{
    return SLICE(s->text.ptr + p->at, p->end - p->at);
}

/* Behind the colon of a member or the dash of an element; 0 if it is not where
 * it usually is. */
static size_t behind_entry(const struct splicer *s, const struct yaml_part *p)
{
    size_t at = p->entry_end;

    if (at == p->entry)
        return at < s->text.len && s->text.ptr[at] == '-' ? at + 1 : 0;
    while (at < s->text.len && s->text.ptr[at] == ' ')
        at++;
    return at < s->text.len && s->text.ptr[at] == ':' ? at + 1 : 0;
}

static int replace_root(
    struct splicer *s, const struct yaml_part *p, const struct json *doc)
{
    const bool empty = p->at == p->end;

    if (empty && p->at > 0 && s->text.ptr[p->at - 1] != '\n')
        buf_put_slice(&s->made, s->st.newline);
    s->st.no_text = comment_follows(s, p->end);
    if (yaml_is_list(doc) && p->look != LOOK_FLOW_LIST)
        yaml_print_lines(&s->made, &s->st, doc, 0);
    else
        yaml_print_flow(&s->made, doc, p->look, false);
    if (empty)
        buf_put_slice(&s->made, s->st.newline);
    return add_edit(s, p->at, p->end);
}

static int replace_in_flow(
    struct splicer *s, const struct yaml_part *p, const struct json *doc)
{
    if (p->at == p->end && p->at > 0 && s->text.ptr[p->at - 1] == ':')
        buf_put_u8(&s->made, ' ');
    yaml_print_flow(&s->made, doc, p->look, true);
    return add_edit(s, p->at, p->end);
}

/* p is a member or an element in lines, of which the entry has that
 * indentation. */
static int replace(struct splicer *s, const struct yaml_part *p,
    const struct json *doc, unsigned indent)
{
    const char *word = other_word(text_of(s, p), doc->type);
    size_t from = behind_entry(s, p);
    bool element = p->entry == p->entry_end;

    s->st.no_text = comment_follows(s, p->end);
    if (from == 0)
        return refuse(s, p, "a key in a form that is not changed, with what");
    if (word != NULL && p->look == LOOK_PLAIN) {
        buf_put_str(&s->made, word);
        return add_edit(s, p->at, p->end);
    }
    if (element && yaml_is_list(doc)) {
        buf_put_u8(&s->made, ' ');
        yaml_print_lines(&s->made, &s->st, doc, indent + 2);
    } else {
        yaml_print_value(&s->made, &s->st, doc, p->look, indent);
    }
    /* The space before it stays as it is. */
    if (p->look != LOOK_LIST && !yaml_is_list(doc) && p->at > from &&
        s->made.len > 0 && s->made.ptr[0] == ' ' &&
        !holds(s, from, p->at, '\n')) {
        buf_consume(&s->made, 1);
        from = p->at;
    }
    return add_edit(s, from, p->end);
}

static int edit(struct splicer *s, const struct yaml_part *p,
    const struct json *doc, unsigned indent);

static int edit_in_flow(
    struct splicer *s, const struct yaml_part *p, const struct json *doc);

/* A container with as many entries as before; of a mapping, are its keys the
 * same? */
static int edit_kids_in_flow(struct splicer *s, const struct yaml_part *p,
    const struct json *doc, bool *same)
{
    const struct json *v = doc->first;
    struct json_index ix;
    int rc = json_index_init(&ix, doc);

    if (rc != SYNCLINE_OK)
        return rc;
    for (uint32_t i = 0; i < p->n && doc->type == JSON_OBJECT && *same; i++)
        *same = json_index_find(&ix, p->kids[i].v->key) != NULL;
    for (uint32_t i = 0; i < p->n && *same && rc == SYNCLINE_OK; i++) {
        if (doc->type == JSON_OBJECT)
            v = json_index_find(&ix, p->kids[i].v->key);
        rc = edit_in_flow(s, &p->kids[i], v);
        v = v->next;
    }
    json_index_close(&ix);
    return rc;
}

static int edit_in_flow(
    struct splicer *s, const struct yaml_part *p, const struct json *doc)
{
    bool same = p->look == LOOK_FLOW_LIST && p->v->type == doc->type &&
        p->n == doc->n && p->n > 0;
    int rc = SYNCLINE_OK;

    if (json_equal(p->v, doc))
        return SYNCLINE_OK;
    if (same)
        rc = edit_kids_in_flow(s, p, doc, &same);
    return rc != SYNCLINE_OK || same ? rc : replace_in_flow(s, p, doc);
}

/* The entries of p from i on of which nothing is kept, up to the next that is
 * (n if none); *next is that one. */
static int drop(struct splicer *s, const struct yaml_part *p,
    const struct json *const *to, uint32_t i, uint32_t *next)
{
    uint32_t k = i;

    if (begins_line(s, p->kids[i].entry)) {
        *next = i + 1;
        return add_edit(
            s, line_start(s, p->kids[i].entry), next_line(s, p->kids[i].end));
    }
    while (k < p->n && to[k] == NULL)
        k++;
    if (k == p->n)
        return refuse(s, &p->kids[i], "nothing would be left of a line");
    for (uint32_t j = i; j < k; j++)
        if (holds(s, p->kids[j].end, p->kids[j + 1].entry, '#'))
            return refuse(
                s, &p->kids[j], "a comment would go with what is removed");
    *next = k;
    return add_edit(s, p->kids[i].entry, p->kids[k].entry);
}

static void print_entry(
    struct splicer *s, const struct json *v, bool member, unsigned indent)
{
    struct json one = { .type = member ? JSON_OBJECT : JSON_ARRAY, .n = 1 };
    struct json alone = *v;

    alone.next = NULL;
    one.first = &alone;
    yaml_print_lines(&s->made, &s->st, &one, indent);
}

/* New entries behind entry i: at its line's end, or, where that line is one
 * that goes, as the lines that follow. */
static int add_behind(struct splicer *s, const struct yaml_part *p, uint32_t i,
    const struct json *const *new, uint32_t n, unsigned indent)
{
    size_t at = line_end(s, p->kids[i].end);
    const bool gone = s->n > 0 && s->edits[s->n - 1].end > at;

    if (n == 0)
        return SYNCLINE_OK;
    if (gone)
        at = s->edits[s->n - 1].end;
    s->st.no_text = comment_follows(s, gone ? at : next_line(s, at));
    for (uint32_t k = 0; k < n; k++) {
        if (!gone || k > 0)
            buf_put_slice(&s->made, s->st.newline);
        yaml_print_indent(&s->made, indent);
        print_entry(s, new[k], p->v->type == JSON_OBJECT, indent);
    }
    if (gone && at > 0 && s->text.ptr[at - 1] == '\n')
        buf_put_slice(&s->made, s->st.newline);
    return add_edit(s, at, at);
}

static int add_in_front(struct splicer *s, const struct yaml_part *p,
    const struct json *const *new, uint32_t n, unsigned indent)
{
    s->st.no_text = false;
    for (uint32_t k = 0; k < n; k++) {
        print_entry(s, new[k], p->v->type == JSON_OBJECT, indent);
        buf_put_slice(&s->made, s->st.newline);
        yaml_print_indent(&s->made, indent);
    }
    return n == 0 ? SYNCLINE_OK
                  : add_edit(s, p->kids[0].entry, p->kids[0].entry);
}

/* What becomes of each entry (NULL: it goes), and what comes new behind entry
 * number `behind` - 1. */
struct plan {
    const struct json **to, **new;
    uint32_t new_n, behind;
};

static int carry_out(
    struct splicer *s, const struct yaml_part *p, const struct plan *plan)
{
    const unsigned indent = column(s, p->kids[0].entry);
    uint32_t i = 0;
    int rc = SYNCLINE_OK;

    if (plan->behind == 0)
        rc = add_in_front(s, p, plan->new, plan->new_n, indent);
    while (i < p->n && rc == SYNCLINE_OK) {
        if (plan->to[i] == NULL) {
            s->first = s->first != NULL ? s->first : &p->kids[i];
            rc = drop(s, p, plan->to, i, &i);
            continue;
        }
        rc = edit(s, &p->kids[i], plan->to[i], indent);
        if (rc == SYNCLINE_OK && plan->behind == i + 1)
            rc = add_behind(s, p, i, plan->new, plan->new_n, indent);
        i++;
    }
    return rc;
}

static int plan_room(
    struct splicer *s, struct plan *plan, uint32_t old_n, uint32_t new_n)
{
    *plan = (struct plan){ .to = arena_zalloc(
                               s->arena, (size_t)old_n + 1, sizeof *plan->to),
        .new = arena_zalloc(s->arena, (size_t)new_n + 1, sizeof *plan->new) };
    return plan->to == NULL || plan->new == NULL ? SYNCLINE_ENOMEM
                                                 : SYNCLINE_OK;
}

static int edit_map(
    struct splicer *s, const struct yaml_part *p, const struct json *doc)
{
    struct json_index old, new;
    struct plan plan;
    int rc = plan_room(s, &plan, p->n, doc->n);

    if (rc != SYNCLINE_OK || json_index_init(&new, doc) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < p->n; i++) {
        plan.to[i] = json_index_find(&new, p->kids[i].v->key);
        if (plan.to[i] != NULL)
            plan.behind = i + 1;
    }
    json_index_close(&new);
    if (plan.behind == 0) { /* nothing stays */
        s->st.no_text = comment_follows(s, p->end);
        yaml_print_lines(&s->made, &s->st, doc, column(s, p->kids[0].entry));
        return add_edit(s, p->kids[0].entry, p->end);
    }
    if (json_index_init(&old, p->v) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    for (const struct json *v = doc->first; v != NULL; v = v->next)
        if (json_index_find(&old, v->key) == NULL)
            plan.new[plan.new_n++] = v;
    json_index_close(&old);
    return carry_out(s, p, &plan);
}

/* Equal ends stay; between, one takes the place of another as long as there
 * are both. */
static int edit_list(
    struct splicer *s, const struct yaml_part *p, const struct json *doc)
{
    const struct json **all = arena_alloc(s->arena, (doc->n + 1) * sizeof *all);
    uint32_t head = 0, tail = 0, n = 0;
    struct plan plan;
    int rc = plan_room(s, &plan, p->n, doc->n);

    if (rc != SYNCLINE_OK || all == NULL)
        return SYNCLINE_ENOMEM;
    for (const struct json *v = doc->first; v != NULL; v = v->next)
        all[n++] = v;
    while (head < p->n && head < n && json_equal(p->kids[head].v, all[head]))
        head++;
    while (tail < p->n - head && tail < n - head &&
        json_equal(p->kids[p->n - 1 - tail].v, all[n - 1 - tail]))
        tail++;
    for (uint32_t i = 0; i < p->n; i++) {
        if (i >= p->n - tail)
            plan.to[i] = all[n - (p->n - i)];
        else if (i < n - tail)
            plan.to[i] = all[i];
    }
    if (n > p->n) {
        plan.behind = p->n - tail;
        plan.new_n = n - p->n;
        memcpy(plan.new, all + plan.behind, plan.new_n * sizeof *all);
    } else {
        plan.behind = UINT32_MAX; /* nothing new */
    }
    return carry_out(s, p, &plan);
}

static int edit(struct splicer *s, const struct yaml_part *p,
    const struct json *doc, unsigned indent)
{
    if (json_equal(p->v, doc))
        return SYNCLINE_OK;
    if (p->look == LOOK_LIST && p->v->type == doc->type && doc->n > 0 &&
        p->n > 0)
        return doc->type == JSON_OBJECT ? edit_map(s, p, doc)
                                        : edit_list(s, p, doc);
    s->first = s->first != NULL ? s->first : p;
    if (p->look == LOOK_FLOW_LIST && p->v->type == doc->type && doc->n > 0 &&
        p->n > 0)
        return edit_in_flow(s, p, doc);
    if (p->is_root)
        return replace_root(s, p, doc);
    return replace(s, p, doc, indent);
}

static int refuse_all(struct splicer *s, const struct yaml_part *root)
{
    return refuse(s, s->first != NULL ? s->first : root,
        "the text is written in a way in which this cannot be changed, from "
        "what is");
}

/* Parts are by lines, and a lone carriage return ends one for the parser: then
 * one edit may reach into another. */
static bool are_in_order(const struct splicer *s)
{
    size_t at = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        if (s->edits[i].at < at || s->edits[i].end < s->edits[i].at)
            return false;
        at = s->edits[i].end;
    }
    return true;
}

/* The text with its edits; they are in its order. */
static int put_edits(struct buf *out, const struct splicer *s)
{
    size_t at = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        const struct yaml_edit *e = &s->edits[i];

        buf_put(out, s->text.ptr + at, e->at - at);
        buf_put_slice(out, e->text);
        at = e->end;
    }
    if (s->text.len > at)
        buf_put(out, s->text.ptr + at, s->text.len - at);
    return buf_status(out);
}

/* What names share, and tags that are none, show only now. */
static int check(struct splicer *s, const struct yaml_part *root,
    struct slice text, const struct json *doc)
{
    struct yaml_part now;
    int rc = yaml_tree(&now, text, s->arena, NULL);

    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (rc == SYNCLINE_OK && json_equal(now.v, doc))
        return SYNCLINE_OK;
    return refuse_all(s, root);
}

static int splice(struct splicer *s, struct buf *made,
    const struct yaml_part *root, const struct json *doc)
{
    bool unit = false, dash = false;
    int rc;

    s->st =
        (struct yaml_style){ .newline = SLICE_LIT("\n"), .unit = 2, .dash = 2 };
    if (s->text.len > 0) {
        size_t first = line_end(s, 0);

        if (first < s->text.len && s->text.ptr[first] == '\r')
            s->st.newline = SLICE_LIT("\r\n");
    }
    (void)find_style(s, root, &unit, &dash);
    rc = edit(s, root, doc, 0);
    if (rc == SYNCLINE_OK && !are_in_order(s))
        rc = refuse_all(s, root);
    if (rc == SYNCLINE_OK)
        rc = put_edits(made, s);
    if (rc == SYNCLINE_OK && s->n > 0)
        rc = check(s, root, buf_slice(made), doc);
    return rc;
}

int yaml_splice(struct buf *out, struct slice text, const struct json *doc,
    struct arena *a, struct errmsg *why)
{
    struct splicer s = { .text = without_mark(text), .arena = a, .why = why };
    struct buf made = { 0 };
    struct yaml_part root;
    int rc = yaml_tree(&root, s.text, a, why);

    if (rc == SYNCLINE_OK)
        rc = splice(&s, &made, &root, doc);
    if (rc == SYNCLINE_OK) {
        buf_put(out, text.ptr, text.len - s.text.len);
        buf_put_slice(out, buf_slice(&made));
        rc = buf_status(out);
    }
    buf_free(&made);
    buf_free(&s.made);
    return rc;
}
