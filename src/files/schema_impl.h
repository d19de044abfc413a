/* schema_impl.h - what the parts of files/schema give each other.
 *
 * A schema is read once into nodes, a node a schema or subschema, and each
 * keyword of it that asserts something into a rule. */
#ifndef SYNCLINE_FILES_SCHEMA_IMPL_H
#define SYNCLINE_FILES_SCHEMA_IMPL_H

#include "base/omap.h"
#include "core/json_number.h"
#include "files/schema.h"

#define IN_PLACE_MAX 64 /* schemas in a row that judge one value */

struct node;
struct regex;

/* A member or an element of a keyword's value. */
struct named {
    struct slice key;
    const struct json *v;
    struct node *sub; /* NULL: no schema */
    struct regex *re; /* patternProperties */
};

struct rule {
    const struct keyword *kw;
    const struct json *arg;
    struct node *sub; /* where arg is a schema */
    struct regex *re; /* pattern */
    struct named *e;  /* where it holds such, or names */
    uint32_t n;
    uint64_t limit; /* a count; of type: what is allowed */
    bool negative;
    struct decimal *number;
    struct slice *normal; /* of const and enum */
};

struct node {
    const struct json *v;
    struct slice pointer; /* in the schema */
    struct slice base;    /* URI that references below are relative to */
    struct rule *rules;
    uint32_t n;
    uint8_t height; /* in-place schemas below; 0: not yet known */
    bool open;      /* its height is being worked out */
    struct node *next;
};

struct schema {
    struct arena arena;
    const struct json *doc;
    struct node *first, *last;
    uint32_t n;
    struct omap nodes; /* pointer -> struct node * */
    struct omap ids;   /* URI -> struct node * */
};

/* Reading one. */
struct build {
    struct schema *s;
    struct errmsg *why;
};

/* Checking one. */
struct regex_run;
struct check {
    struct arena *arena;
    struct schema_fault *fault;
    struct regex_run *run;
    struct buf text; /* scratch */
    uint64_t work;
    unsigned depth;
    unsigned quiet; /* a failure is no fault: a choice, a condition */
    int rc;         /* the check itself failed */
};

struct place {
    const struct place *up; /* NULL: the whole document */
    struct slice key;
    uint32_t ix;
    bool is_member;
};

struct keyword {
    const char *name;
    unsigned types; /* of values that it says something about */
    bool in_place;  /* its schemas judge the same value */
    int (*read)(struct build *b, struct node *n, struct rule *r);
    /* False: not valid, or c->rc is set. */
    bool (*holds)(struct check *c, const struct node *n, const struct rule *r,
        const struct json *v, const struct place *at);
};

extern const struct keyword keywords[];
extern const size_t keywords_n;

/* schema.c */
NODISCARD int schema_wrong(struct build *b, struct slice pointer,
    const char *kw, const char *what) __attribute__((nonnull(1, 4)));
/* The node of v, which stands at n's pointer, keyword and, unless ptr NULL,
 * segment; made if there is none. */
NODISCARD int schema_node(struct build *b, struct node **out,
    const struct json *v, const struct node *n, const char *kw,
    struct slice segment);
bool node_holds(struct check *c, const struct node *n, const struct json *v,
    const struct place *at);
/* Says why, unless in quiet; returns false. */
bool schema_fails(struct check *c, const struct node *n, const char *kw,
    struct slice segment, const struct place *at, const char *fmt, ...)
    PRINTF_LIKE(6, 7);
/* False, and c->rc set, when there was too much of it. */
bool schema_spend(struct check *c, uint64_t work);

/* schema_ref.c: URIs. */
/* Gives n its base, and its place in ids if it has an $id. */
NODISCARD int schema_register(
    struct build *b, struct node *n, struct slice base);
/* What the $ref of n leads to. */
NODISCARD int schema_resolve(
    struct build *b, const struct node *n, struct slice ref, struct node **to);
NODISCARD int schema_node_at(struct build *b, struct node **out,
    const struct json *v, struct slice pointer, struct slice base);

/* schema_number.c: numbers, and values as JSON Schema compares them. */
void number_of(struct decimal *out, bool *negative, const struct json *v);
int number_cmp(const struct decimal *a, bool a_negative,
    const struct decimal *b, bool b_negative);
bool number_is_integer(const struct decimal *d);
/* UINT64_MAX for all that are larger. */
uint64_t number_count(const struct decimal *d);
bool number_is_multiple(const struct decimal *d, const struct decimal *of);
/* The same bytes for the same value: 1 and 1.0 are one, members have no
 * order. */
void put_normal(struct buf *b, const struct json *v);

/* schema_regex.c: patterns. */
NODISCARD int regex_read(
    struct regex **out, struct slice text, struct arena *a, struct errmsg *why);
NODISCARD int regex_run_new(struct regex_run **out);
void regex_run_free(struct regex_run *run);
/* Does it match somewhere in text? Adds to *work. Errors: ELIMIT, ENOMEM. */
NODISCARD int regex_matches(struct regex_run *run, const struct regex *re,
    struct slice text, bool *out, uint64_t *work);

#endif
