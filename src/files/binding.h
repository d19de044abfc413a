/* binding.h - a configuration file and an item that are kept the same.
 *
 * Pure: one binding, without the file and without the node. Events go in (what
 * the file says, what the item says, what came of what was asked for), effects
 * come out; the daemon and the simulator drive the same machine. It asks for
 * one thing at a time and is told what came of it before it asks for another.
 *
 * The base is the file's text when file and item last agreed. What the file
 * says otherwise since is a change of this machine: it is put on top of the
 * item as that is now. What the item says otherwise once that is done came
 * from elsewhere, and is spliced into the file's text. Whoever restarts gives
 * the machine its record back, so that nothing is taken for a change twice.
 *
 * Laws: a text that is torn (empty, half written, no document) is never
 * published, and never written over; what is written is a whole valid text,
 * and only over what was read; what the machine wrote itself, known by what it
 * says, is no change; at quiet file and item agree, or a trouble says why
 * not. */
#ifndef SYNCLINE_FILES_BINDING_H
#define SYNCLINE_FILES_BINDING_H

#include "files/local.h"
#include "files/schema.h"

struct binding; /* opaque */

/* Which of the two counts if they differ and have never agreed. */
enum binding_prefer {
    PREFER_ASK, /* neither: they stay as they are until somebody says */
    PREFER_FILE,
    PREFER_ITEM,
    PREFER_MERGE /* what only one of them has stays; else the item's */
};

struct binding_options {
    bool yaml;
    bool ascii; /* a JSON file that is made anew is written as the older system
                   does: ASCII, and no line's end behind it */
    enum binding_prefer prefer;
    size_t max;                  /* bytes of the file; 0: any number */
    struct local_parts local;    /* copied */
    const struct schema *schema; /* lent; NULL: any document is valid */
    bool runs;                   /* somebody is told of what was written */
    bool reverts;                /* and if that fails it is taken back */

    /* 0 takes the default in brackets. */
    uint64_t quiet_us; /* so long untouched before a file is read that was not
                          saved in one go [100 ms, of YAML, half of which is
                          valid too, 1 s] */
    uint64_t hold_us;  /* a file that is gone or torn may be on its way [2 s] */
    uint64_t busy_us;  /* one that never rests is read after all [5 s] */
    uint64_t retry_us; /* first pause after something failed [2 s] */
};

/* How a file was touched, as far as that is known. */
enum binding_save {
    BINDING_SAVE_SOMEHOW,
    BINDING_SAVE_CLOSED, /* written, and closed by who wrote it */
    BINDING_SAVE_MOVED   /* another has taken its name, in one go */
};

enum binding_event_type {
    BINDING_START,   /* first of all */
    BINDING_TOUCHED, /* something happened to the file, or may have: save */
    BINDING_READ,    /* text; busy: somebody has it open for writing;
                      alone: it is known that nobody had, all the while */
    BINDING_GONE,    /* there is no file */
    BINDING_BARRED,  /* there is one that is not read: why */
    BINDING_ITEM_TOUCHED, /* the item has changed, or may have */
    BINDING_ITEM,         /* text: its document, and context; neither: there is
                           none; why: what forbids to take it; with rc: why
                           it cannot be told */
    BINDING_PUT,          /* rc, why; ECONFLICT: the item is another by now */
    BINDING_WRITTEN,      /* rc, why; ECONFLICT: the file is another by now */
    BINDING_RAN,          /* rc, why */
    BINDING_REPLACE,      /* text: a version, in JSON, that it shall be again */
    BINDING_RESTORE,      /* the file shall say what the item says, whatever it
                           says or is now */
    BINDING_TIMER         /* binding_deadline_us has come */
};

struct binding_event {
    enum binding_event_type type;
    uint64_t now_us; /* monotonic, never 0 */
    struct slice text, context;
    enum binding_save save;
    bool busy, alone;
    int rc;
    const char *why; /* may be NULL */
};

enum binding_effect_type {
    BINDING_FX_READ,   /* answer READ, GONE or BARRED */
    BINDING_FX_GET,    /* answer ITEM */
    BINDING_FX_PUT,    /* text: the document, if the item's context is this
                        ("": there is none); unseen: fields of it, written by
                        somebody who had not seen the item; answer PUT once it
                        is durable */
    BINDING_FX_SAVE,   /* text: the record, durable before what follows */
    BINDING_FX_WRITE,  /* text, at once or not at all, if the file says expected
                        (exists false: if there is none), then durable; answer
                        WRITTEN */
    BINDING_FX_KEEP,   /* text: a version worth keeping */
    BINDING_FX_RUN,    /* text: a JSON array of the pointers that changed;
                        reverted: back to what it was; answer RAN */
    BINDING_FX_TROUBLE /* trouble, text: what, or nothing: it is over */
};

enum binding_trouble {
    BINDING_UNDECIDED,    /* they differ, and nobody has said which counts */
    BINDING_NEITHER,      /* there is no file and no item */
    BINDING_FILE_INVALID, /* no document, or none that the schema allows */
    BINDING_FILE_MISSING,
    BINDING_FILE_BARRED,
    BINDING_FILE_REFUSED, /* the item cannot be what the file wants */
    BINDING_ITEM_REFUSED, /* the file cannot be what the item says */
    BINDING_ITEM_MISSING, /* it was deleted */
    BINDING_WRITE_FAILED,
    BINDING_RUN_FAILED,
    BINDING_TROUBLES_N
};

struct binding_effect {
    enum binding_effect_type type;
    struct slice text, context, expected; /* valid until the next step */
    bool exists, reverted, unseen;
    enum binding_trouble trouble;
};

NODISCARD int binding_new(
    struct binding **out, const struct binding_options *opt);
void binding_free(struct binding *b); /* NULL is fine */

/* Before BINDING_START: what BINDING_FX_SAVE gave last. ECORRUPT: it is none;
 * then file and item have never agreed. */
NODISCARD int binding_load(struct binding *b, struct slice record);

/* Effects are carried out in their order. EINVAL, of REPLACE and RESTORE
 * alone: why not. ENOMEM: the machine goes on when its deadline comes. */
NODISCARD int binding_step(struct binding *b, const struct binding_event *ev,
    const struct binding_effect **fx, size_t *fx_n, struct errmsg *why);
uint64_t binding_deadline_us(const struct binding *b); /* UINT64_MAX: none */

/* Nothing is under way, and nothing that is known is left to do. */
bool binding_is_quiet(const struct binding *b);
/* File and item have agreed since they were bound. */
bool binding_has_agreed(const struct binding *b);
/* What is wrong; "" if it is not. */
const char *binding_trouble(
    const struct binding *b, enum binding_trouble which);
const char *binding_trouble_name(enum binding_trouble which);

#endif
