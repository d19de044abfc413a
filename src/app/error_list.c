#include "app/error_list.h"

#include "base/hash.h"
#include "base/plant.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FORMAT 1
#define WHERE_MAX 2048
#define BY_MAX 96

enum error_state { WAITING, OPEN, ACKNOWLEDGED, CLEARED };

static const char *const state_names[] = { "waiting", "open", "acknowledged",
    "cleared" };

struct entry {
    char id[ERROR_ID_LEN + 1];
    char code[24], level[8];
    char what[ERROR_WHAT_MAX], advice[320];
    char by[BY_MAX]; /* who has acknowledged it */
    enum error_state state;
    bool condition, seen;
    uint64_t first_us, last_us, count;
    uint64_t since_us;   /* a condition: when it began */
    uint64_t changed_us; /* acknowledged, cleared */
    size_t where_len;
    char where[];
};

struct error_list {
    struct entry *e[ERRORS_MAX];
    unsigned n, changed;
};

int error_list_new(struct error_list **out)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

void error_list_free(struct error_list *l)
{
    for (unsigned i = 0; l != NULL && i < l->n; i++)
        free(l->e[i]);
    free(l);
}

static void touch(struct error_list *l, unsigned how)
{
    l->changed = l->changed > how ? l->changed : how;
}

/* As much as there is room for, and no half of a character. */
static void copy_text(char *out, size_t room, struct slice s)
{
    s = utf8_cut(s, room - 1);
    memcpy(out, s.len > 0 ? (const char *)s.ptr : "", s.len);
    out[s.len] = 0;
}

/* ---- entries ---- */

static struct slice where_of(const struct entry *e)
{
    return SLICE(e->where, e->where_len);
}

static struct entry *find(
    const struct error_list *l, const char *code, struct slice where)
{
    for (unsigned i = 0; i < l->n; i++)
        if (strcmp(l->e[i]->code, code) == 0 &&
            slice_eq(where_of(l->e[i]), where))
            return l->e[i];
    return NULL;
}

static unsigned count_of(const struct error_list *l, const char *code)
{
    unsigned n = 0;

    for (unsigned i = 0; i < l->n; i++)
        n += strcmp(l->e[i]->code, code) == 0;
    return n;
}

/* What is missed least: what is over, then what somebody knows, then events;
 * of these the oldest. */
static bool is_worth_less(const struct entry *a, const struct entry *b)
{
    static const int worth[] = {
        [CLEARED] = 0, [WAITING] = 0, [ACKNOWLEDGED] = 1, [OPEN] = 2
    };
    const int x = worth[a->state] * 2 + a->condition;
    const int y = worth[b->state] * 2 + b->condition;

    return x < y || (x == y && a->last_us < b->last_us);
}

static void drop(struct error_list *l, unsigned ix)
{
    free(l->e[ix]);
    l->e[ix] = l->e[--l->n];
}

static void make_room(struct error_list *l)
{
    unsigned least = 0;

    if (l->n < ERRORS_MAX)
        return;
    for (unsigned i = 1; i < l->n; i++)
        if (is_worth_less(l->e[i], l->e[least]))
            least = i;
    drop(l, least);
}

static struct entry *entry_new(const char *code, struct slice where)
{
    static const uint8_t key[16] = { 0 };
    struct entry *e = calloc(1, sizeof *e + where.len);
    struct hash128 h;
    struct buf b = { 0 };

    buf_put_str(&b, code);
    buf_put_slice(&b, where);
    if (e == NULL || buf_status(&b) != SYNCLINE_OK) {
        buf_free(&b);
        free(e);
        return NULL;
    }
    h = siphash128(key, buf_slice(&b));
    buf_free(&b);
    (void)snprintf(e->id, sizeof e->id, "%08" PRIx32, (uint32_t)h.lo);
    copy_text(e->code, sizeof e->code, slice_str(code));
    memcpy(e->where, where.ptr, where.len);
    e->where_len = where.len;
    return e;
}

static struct entry *add(
    struct error_list *l, const char *code, struct slice where)
{
    struct entry *e = entry_new(code, where);

    if (e == NULL)
        return NULL;
    make_room(l);
    l->e[l->n++] = e;
    return e;
}

/* The entry of that place; beyond a number of places that of all others. */
static struct entry *find_or_add(
    struct error_list *l, const struct error_report *r)
{
    const struct slice others = SLICE_LIT("{}");
    struct slice where =
        r->where.len == 0 || r->where.len > WHERE_MAX ? others : r->where;
    struct entry *e = find(l, r->code, where);

    if (e == NULL && count_of(l, r->code) >= ERRORS_OF_CODE - 1) {
        where = others;
        e = find(l, r->code, where);
    }
    return e != NULL ? e : add(l, r->code, where);
}

static void describe(struct entry *e, const struct error_report *r)
{
    copy_text(e->level, sizeof e->level, slice_str(r->level));
    copy_text(e->what, sizeof e->what, slice_str(r->what));
    copy_text(e->advice, sizeof e->advice,
        slice_str(r->advice != NULL ? r->advice : ""));
}

/* Something that nobody knew, or that was over. */
static void open_up(struct error_list *l, struct entry *e, uint64_t now_us)
{
    if (e->count == 0)
        e->first_us = now_us;
    e->count++;
    e->last_us = now_us;
    if (e->state != OPEN)
        touch(l, 2);
    e->state = OPEN;
    e->by[0] = 0;
    e->changed_us = 0;
}

void error_list_event(
    struct error_list *l, uint64_t now_us, const struct error_report *r)
{
    struct entry *e = find_or_add(l, r);

    if (e == NULL)
        return;
    touch(l, e->count == 0 ? 2 : 1);
    describe(e, r);
    e->condition = false;
    open_up(l, e, now_us);
}

/* ---- examinations ---- */

void error_list_begin(struct error_list *l)
{
    for (unsigned i = 0; i < l->n; i++)
        l->e[i]->seen = false;
}

void error_list_condition(
    struct error_list *l, uint64_t now_us, const struct error_report *r)
{
    struct entry *e = find_or_add(l, r);

    if (e == NULL)
        return;
    describe(e, r);
    e->condition = e->seen = true;
    if (e->since_us == 0)
        e->since_us = now_us;
    if (e->state == OPEN || e->state == ACKNOWLEDGED) {
        e->last_us = now_us; /* not worth a write */
    } else if (now_us < e->since_us || now_us - e->since_us >= r->hold_us) {
        open_up(l, e, now_us);
    }
}

static void clear(struct error_list *l, struct entry *e, uint64_t now_us)
{
    e->state = CLEARED;
    e->changed_us = now_us;
    e->by[0] = 0;
    touch(l, 2);
}

void error_list_end(struct error_list *l, uint64_t now_us)
{
    for (unsigned i = l->n; i-- > 0;) {
        struct entry *e = l->e[i];
        const bool over = e->condition
            ? !e->seen
            : now_us > e->last_us && now_us - e->last_us > ERROR_CALM_US;

        if (!over)
            continue;
        e->since_us = 0;
        if (e->count == 0)
            drop(l, i); /* it never was one */
        else if (e->state != CLEARED)
            clear(l, e, now_us);
    }
}

int error_list_ack(struct error_list *l, uint64_t now_us, struct slice id,
    bool ack, const char *by, unsigned *n)
{
    const bool all = slice_is(id, "all");
    const enum error_state from = ack ? OPEN : ACKNOWLEDGED;
    bool known = all;

    *n = 0;
    for (unsigned i = 0; i < l->n; i++) {
        struct entry *e = l->e[i];

        if (!all && !slice_is(id, e->id))
            continue;
        known = known || e->state != WAITING;
        if (e->state != from)
            continue;
        e->state = ack ? ACKNOWLEDGED : OPEN;
        e->changed_us = now_us;
        copy_text(e->by, sizeof e->by, ack ? slice_str(by) : SLICE_NONE);
        touch(l, 2);
        ++*n;
    }
    return known ? SYNCLINE_OK : SYNCLINE_ENOTFOUND;
}

/* ---- telling ---- */

unsigned error_list_open(const struct error_list *l)
{
    unsigned n = 0;

    for (unsigned i = 0; i < l->n; i++)
        n += l->e[i]->state == OPEN;
    return n;
}

static void put_text(struct buf *b, const char *name, const char *text)
{
    buf_printf(b, "\"%s\":", name);
    if (text[0] != 0)
        json_print_said(b, slice_str(text));
    else
        buf_put_str(b, "null");
}

static void put_entry(struct buf *b, const struct entry *e)
{
    buf_printf(b,
        "{\"id\":\"%s\",\"code\":\"%s\",\"level\":\"%s\",\"state\":\"%s\",",
        e->id, e->code, e->level, state_names[e->state]);
    put_text(b, "what", e->what);
    buf_put_u8(b, ',');
    put_text(b, "advice", e->advice);
    buf_put_str(b, ",\"where\":");
    buf_put_slice(b, where_of(e));
    buf_printf(b,
        ",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"count\":%" PRIu64 ",",
        e->first_us, e->last_us, e->count);
    put_text(b, "by", e->by);
    buf_put_str(b, ",\"at\":");
    if (e->changed_us != 0)
        buf_printf(b, "%" PRIu64, e->changed_us);
    else
        buf_put_str(b, "null");
}

static int by_last(const void *a, const void *b)
{
    const struct entry *x = *(struct entry *const *)a;
    const struct entry *y = *(struct entry *const *)b;

    if (x->last_us != y->last_us)
        return x->last_us < y->last_us ? 1 : -1;
    return strcmp(x->id, y->id);
}

void error_list_print(const struct error_list *l, struct buf *b, bool all)
{
    struct entry *sorted[ERRORS_MAX];
    bool any = false;

    memcpy(sorted, l->e, l->n * sizeof *sorted);
    qsort(sorted, l->n, sizeof *sorted, by_last);
    buf_put_u8(b, '[');
    for (unsigned i = 0; i < l->n; i++) {
        const struct entry *e = sorted[i];

        if (e->state == WAITING || (e->state == CLEARED && !all))
            continue;
        buf_put_str(b, any ? "," : "");
        put_entry(b, e);
        buf_put_u8(b, '}');
        any = true;
    }
    buf_put_u8(b, ']');
}

/* ---- keeping ---- */

unsigned error_list_changed(const struct error_list *l)
{
    return l->changed;
}

void error_list_save(struct error_list *l, struct buf *b)
{
    bool any = false;

    buf_printf(b, "{\"format\":%d,\"errors\":[", FORMAT);
    for (unsigned i = 0; i < l->n; i++) {
        if (l->e[i]->state == WAITING)
            continue;
        buf_put_str(b, any ? ",\n" : "\n");
        put_entry(b, l->e[i]);
        buf_printf(
            b, ",\"condition\":%s}", l->e[i]->condition ? "true" : "false");
        any = true;
    }
    buf_put_str(b, "\n]}\n");
    l->changed = 0;
}

static uint64_t number(const struct json *v, const char *name)
{
    int64_t i = json_get_int(v, name, 0);

    return i > 0 ? (uint64_t)i : 0;
}

static uint64_t time_of(const struct json *v, const char *name, uint64_t now_us)
{
    const uint64_t us = number(v, name);

    return us < now_us ? us : now_us;
}

static bool is_word(struct slice s, size_t room)
{
    for (size_t i = 0; i < s.len; i++)
        if ((s.ptr[i] < 'a' || s.ptr[i] > 'z') && s.ptr[i] != '-')
            return false;
    return s.len > 0 && s.len < room;
}

static bool read_state(enum error_state *out, struct slice text)
{
    for (unsigned i = OPEN; i <= CLEARED; i++)
        if (slice_is(text, state_names[i])) {
            *out = (enum error_state)i;
            return true;
        }
    return false;
}

/* Its name says its code and place, and nothing else has that name. */
static int add_kept(struct entry **out, struct error_list *l,
    const struct json *v, const char *code)
{
    const struct json *where = json_get(v, "where");
    struct buf b = { 0 };
    int rc;

    json_print(&b, where, JSON_CANONICAL);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK &&
        (b.len > WHERE_MAX || find(l, code, buf_slice(&b)) != NULL ||
            count_of(l, code) == ERRORS_OF_CODE))
        rc = SYNCLINE_ECORRUPT;
    if (rc == SYNCLINE_OK) {
        *out = add(l, code, buf_slice(&b));
        rc = *out != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
    }
    buf_free(&b);
    return rc == SYNCLINE_OK && !PLANTED(R38_FORGED) &&
            !slice_is(json_get_str(v, "id"), (*out)->id)
        ? SYNCLINE_ECORRUPT
        : rc;
}

static int load_one(struct error_list *l, uint64_t now_us, const struct json *v)
{
    const struct slice code = json_get_str(v, "code");
    const struct slice level = json_get_str(v, "level");
    const struct json *where = json_get(v, "where");
    enum error_state state;
    struct entry *e = NULL;
    char name[sizeof e->code];
    int rc;

    if (!is_word(code, sizeof e->code) || !is_word(level, sizeof e->level) ||
        !read_state(&state, json_get_str(v, "state")) || where == NULL ||
        where->type != JSON_OBJECT || l->n == ERRORS_MAX ||
        number(v, "first") > number(v, "last") || number(v, "count") == 0)
        return SYNCLINE_ECORRUPT;
    copy_text(name, sizeof name, code);
    rc = add_kept(&e, l, v, name);
    if (rc != SYNCLINE_OK)
        return rc;
    copy_text(e->level, sizeof e->level, level);
    copy_text(e->what, sizeof e->what, json_get_str(v, "what"));
    copy_text(e->advice, sizeof e->advice, json_get_str(v, "advice"));
    copy_text(e->by, sizeof e->by, json_get_str(v, "by"));
    e->state = state;
    e->condition = json_get_bool(v, "condition", false);
    e->first_us = e->since_us = time_of(v, "first", now_us);
    e->last_us = time_of(v, "last", now_us);
    e->count = number(v, "count");
    e->changed_us = time_of(v, "at", now_us);
    return SYNCLINE_OK;
}

int error_list_load(struct error_list *l, uint64_t now_us, struct slice text)
{
    struct arena a = { 0 };
    struct json *v = NULL;
    const struct json *list;
    int rc = json_parse(&v, text, JSON_STRICT, &a, NULL);

    if (rc == SYNCLINE_OK && json_get_int(v, "format", 0) != FORMAT)
        rc = SYNCLINE_ECORRUPT;
    list = rc == SYNCLINE_OK ? json_get(v, "errors") : NULL;
    if (rc == SYNCLINE_OK && (list == NULL || list->type != JSON_ARRAY))
        rc = SYNCLINE_ECORRUPT;
    for (const struct json *e = list ? list->first : NULL;
         e != NULL && rc == SYNCLINE_OK; e = e->next)
        rc = load_one(l, now_us, e);
    while (rc != SYNCLINE_OK && l->n > 0)
        drop(l, l->n - 1);
    arena_free(&a);
    l->changed = 0;
    return rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_ECORRUPT;
}
