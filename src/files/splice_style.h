/* splice_style.h - how somebody writes JSON, and how to write on like that.
 *
 * Pure. Private to files/splice. */
#ifndef SYNCLINE_FILES_SPLICE_STYLE_H
#define SYNCLINE_FILES_SPLICE_STYLE_H

#include "files/json_parts.h"

struct style {
    struct slice newline; /* "\n" or "\r\n" */
    struct slice unit;    /* one level of indentation */
    struct slice colon;   /* with the space around it */
    struct slice gap;     /* behind a comma on one line */
    struct slice pad[2];  /* inside the brackets on one line: of arrays, of
                             objects */
    bool many[2];         /* lines, likewise */
    bool ascii;           /* all else is \u */
};

static inline int style_kind(const struct json *v)
{
    return v->type == JSON_OBJECT;
}

static inline bool is_container(const struct json *v)
{
    return v->type == JSON_OBJECT || v->type == JSON_ARRAY;
}

static inline struct slice between(struct slice text, size_t from, size_t to)
{
    return SLICE(text.ptr + from, to - from);
}

/* What of s follows its last line's end; all of it if it has none. */
struct slice last_line(struct slice s);
bool has_newline(struct slice s);
/* The white space that the line begins with on which `at` is. */
struct slice indent_at(struct slice text, size_t at);

/* What the whole of a text is like. */
struct style style_of(struct slice text, const struct part *root);
/* The same as it is for what is written into p: its own members tell most. */
struct style style_within(
    const struct style *st, struct slice text, const struct part *p);

/* A value as a new one is written, where the line begins with indent. */
void style_print(struct buf *b, const struct style *st, const struct json *v,
    struct slice indent);
void style_print_key(
    struct buf *b, const struct style *st, const struct json *v);

#endif
