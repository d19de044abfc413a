/* yaml_impl.h - what the parts of files/yaml give each other. Pure. */
#ifndef SYNCLINE_FILES_YAML_IMPL_H
#define SYNCLINE_FILES_YAML_IMPL_H

#include "files/yaml.h"

enum yaml_look {
    LOOK_PLAIN,
    LOOK_SINGLE,
    LOOK_DOUBLE,
    LOOK_BLOCK, /* | or > */
    LOOK_OPAQUE,
    LOOK_ALIAS,
    LOOK_FLOW_LIST,
    LOOK_LIST, /* a mapping or a sequence, in lines */
};

/* A value, where it stands, and of a member or an element where that begins:
 * its key, or the dash. Offsets are into the text without its mark. */
struct yaml_part {
    struct json *v; /* with the key */
    enum yaml_look look;
    bool is_root;
    size_t entry, entry_end; /* its key, or twice its dash; none in flow */
    size_t at, end;
    unsigned line, column; /* from 1 */
    struct yaml_part *kids;
    uint32_t n, cap;
};

/* yaml_tree.c */
NODISCARD int yaml_tree(struct yaml_part *out, struct slice text,
    struct arena *a, struct errmsg *why);
NODISCARD int yaml_refuse(struct errmsg *why, int rc, unsigned line,
    unsigned column, const char *what);

/* yaml_word.c: what plain words mean. */
/* A string where it means nothing else. Errors: EUNSUPPORTED with what it is
 * that JSON has no value for, ENOMEM. */
NODISCARD int yaml_word(
    struct json *out, struct slice word, struct arena *a, const char **what);
/* Would it be read as this string? */
bool yaml_is_plain(struct slice s);

/* yaml_print.c: values as somebody would write them. */
struct yaml_style {
    struct slice newline;
    unsigned unit; /* of indentation */
    unsigned dash; /* of sequences in mappings, from their keys */
    bool no_text;  /* no "|": a comment behind it would be of it */
};
/* A value on one line, strings in the look of what they replace. */
void yaml_print_flow(
    struct buf *b, const struct json *v, enum yaml_look look, bool in_flow);
void yaml_print_key(struct buf *b, struct slice key);
/* The lines of a container that is not empty; the first one has its
 * indentation already. */
void yaml_print_lines(struct buf *b, const struct yaml_style *st,
    const struct json *v, unsigned indent);
/* What stands behind a key's colon or a dash, with the space before it; where
 * the line of key or dash has that indentation. */
void yaml_print_value(struct buf *b, const struct yaml_style *st,
    const struct json *v, enum yaml_look look, unsigned indent);
void yaml_print_indent(struct buf *b, unsigned indent);
bool yaml_is_list(const struct json *v); /* a container that holds something */

#endif
