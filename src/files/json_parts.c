#include "files/json_parts.h"

struct scan {
    struct slice text; /* which the parser has been through */
    size_t at;
    struct arena *arena;
};

static uint8_t here(const struct scan *s)
{
    return s->at < s->text.len ? s->text.ptr[s->at] : 0;
}

static void skip_space(struct scan *s)
{
    while (
        here(s) == ' ' || here(s) == '\n' || here(s) == '\r' || here(s) == '\t')
        s->at++;
}

/* s is at the opening quote. */
static void skip_string(struct scan *s)
{
    s->at++;
    while (here(s) != '"' && s->at < s->text.len)
        s->at += here(s) == '\\' ? 2 : 1;
    s->at++;
}

/* A number or a word. */
static void skip_rest(struct scan *s)
{
    static const char ends[] = ",]} \n\r\t";

    while (s->at < s->text.len && memchr(ends, here(s), 7) == NULL)
        s->at++;
}

static int scan_value(struct scan *s, struct part *p);

static int scan_kid(struct scan *s, struct part *p, bool member)
{
    p->from = s->at;
    skip_space(s);
    p->key = p->key_end = s->at;
    if (member) {
        skip_string(s);
        p->key_end = s->at;
        skip_space(s);
        s->at++; /* the colon */
        skip_space(s);
    }
    return scan_value(s, p);
}

static int scan_kids(struct scan *s, struct part *p)
{
    struct json *v = p->v->first;
    int rc = SYNCLINE_OK;

    p->kids = arena_alloc(s->arena, (p->v->n + 1) * sizeof *p->kids);
    if (p->kids == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < p->v->n && rc == SYNCLINE_OK; i++, v = v->next) {
        s->at++; /* the bracket or the comma */
        p->kids[i] = (struct part){ .v = v };
        rc = scan_kid(s, &p->kids[i], p->v->type == JSON_OBJECT);
        skip_space(s);
    }
    return rc;
}

static int scan_value(struct scan *s, struct part *p)
{
    int rc = SYNCLINE_OK;

    p->at = s->at;
    if (p->v->type == JSON_OBJECT || p->v->type == JSON_ARRAY) {
        if (p->v->n > 0) {
            rc = scan_kids(s, p);
        } else {
            s->at++;
            skip_space(s);
        }
        s->at++;
    } else if (p->v->type == JSON_STRING) {
        skip_string(s);
    } else {
        skip_rest(s);
    }
    p->end = s->at;
    return rc;
}

int json_parts(
    struct part *out, struct slice text, const struct json *v, struct arena *a)
{
    struct scan s = { .text = text, .arena = a };
    struct part p = { .v = v };
    int rc;

    skip_space(&s);
    p.key = p.key_end = s.at;
    rc = scan_value(&s, &p);
    if (rc == SYNCLINE_OK)
        *out = p;
    return rc;
}
