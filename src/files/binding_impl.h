/* binding_impl.h - what the parts of files/binding give each other. Pure. */
#ifndef SYNCLINE_FILES_BINDING_IMPL_H
#define SYNCLINE_FILES_BINDING_IMPL_H

#include "files/binding.h"

#define FX_MAX 24

enum file_state {
    FILE_UNKNOWN,
    FILE_GOOD,
    FILE_TORN, /* there is a text, but no document */
    FILE_GONE,
    FILE_BARRED
};

enum item_state { ITEM_UNKNOWN, ITEM_HERE, ITEM_NONE };

enum doing { NOTHING, READING, GETTING, PUTTING, WRITING, RUNNING };

/* Why the file is written. */
enum errand {
    APPLY,   /* the item says something else */
    RESTORE, /* the same, and the file does not count */
    REPLACE, /* a version is put back: from then on a change of this machine */
    REVERT   /* likewise, as a command failed */
};

struct binding {
    struct binding_options opt;
    struct slice *pointers;
    struct arena kept; /* what options were copied to */
    struct arena arena;
    enum doing doing;
    enum errand errand;

    enum file_state file_state;
    struct buf file;
    enum item_state item_state;
    struct buf item, context;
    char flaw[ERRMSG_MAX]; /* what forbids to take it; "": nothing does */
    bool item_stale;
    bool partly; /* what is being put is not all that the file says */

    bool has_base, has_next;
    struct buf base; /* text of the file when the two last agreed */
    struct buf next; /* what was to be written; perhaps it was */

    /* What is left to do. */
    bool due; /* something is another than when it was decided last */
    bool restore, replace, revert, run, reverted;
    struct buf version;         /* replace */
    struct buf before, after;   /* of the write that may be reverted */
    struct buf changed;         /* pointers of it, as JSON */
    uint64_t touched_us;        /* first of those not dealt with; 0: none */
    bool touched_again;         /* since the reading began */
    bool pressed;               /* all the time: then that is no reason */
    bool hasty;                 /* it is read at once, as it was saved whole */
    uint64_t whole_us;          /* when it was so saved last; 0: never */
    uint64_t read_us, retry_us; /* when; 0: not */
    uint64_t pause_us;          /* before the next try */
    unsigned conflicts; /* in a row: writes before which somebody was there */

    char trouble[BINDING_TROUBLES_N][ERRMSG_MAX];
    char told[BINDING_TROUBLES_N][ERRMSG_MAX];

    uint64_t now_us;
    struct binding_effect fx[FX_MAX];
    size_t fx_n;
    struct buf out, record; /* what effects lend */
};

struct binding_effect *binding_emit(
    struct binding *b, enum binding_effect_type type);
void binding_set_trouble(
    struct binding *b, enum binding_trouble which, const char *text);
/* Copies; what was there is gone even if it fails. */
NODISCARD int binding_copy(struct buf *to, struct slice from);
/* The record is to be kept. */
NODISCARD int binding_save(struct binding *b);

/* binding_text.c */
/* The document of a text, whole. Nothing at all is no document. */
NODISCARD int binding_parse(struct json **out, const struct binding *b,
    struct slice text, struct arena *a, struct errmsg *why);
/* Of what this machine shares. */
NODISCARD int binding_shared(struct json **out, const struct binding *b,
    struct slice text, struct arena *a, struct errmsg *why);
/* The document of a kept version, which is JSON whatever the file is. */
NODISCARD int binding_version(struct json **out, struct binding *b,
    struct slice text, struct errmsg *why);
/* The text that says doc, into b->out; text may be empty. */
NODISCARD int binding_splice(struct binding *b, struct slice text,
    const struct json *doc, struct errmsg *why);
/* What the file would say of the item's document. file may be NULL. EINVAL: it
 * cannot say so, for the parts that are its own. */
NODISCARD int binding_keep_local(struct json **out, struct binding *b,
    const struct json *item, const struct json *file, struct errmsg *why);
NODISCARD int binding_check(
    struct binding *b, const struct json *doc, struct errmsg *why);
/* "2 settings (/a, /b)" */
void binding_say_pointers(struct errmsg *out, const struct json *pointers);

/* binding_decide.c: what is to be done, given what is known. */
NODISCARD int binding_decide(struct binding *b);

#endif
