/* error_list.h - what went wrong, where, since when and what to do: a list
 * that a person works off.
 *
 * Pure: times are passed in, and whoever has the list keeps it. There are two
 * kinds: conditions, which an examination finds again and again until they are
 * over, and events, which happened. The same one (code and place) is counted,
 * not repeated. OPEN: nobody has seen to it; ACKNOWLEDGED: a person knows;
 * CLEARED: the condition is over, or the event has not come again for a day.
 * What happens again is open again.
 * Laws: at most ERRORS_MAX entries, of one code ERRORS_OF_CODE, beyond which
 * places are no longer told apart; what is open is dropped last; what was saved
 * loads as it was. */
#ifndef SYNCLINE_APP_ERROR_LIST_H
#define SYNCLINE_APP_ERROR_LIST_H

#include "core/json.h"

#define ERRORS_MAX 128
#define ERRORS_OF_CODE 16
#define ERROR_ID_LEN 8
#define ERROR_WHAT_MAX 400 /* of what it says, in bytes */
#define ERROR_CALM_US ((uint64_t)86400 * 1000 * 1000)

struct error_list; /* opaque */

struct error_report {
    const char *code, *level; /* "warn" or "error" */
    struct slice where;       /* a canonical JSON object */
    const char *what, *advice;
    /* A condition must have been there for so long before it is told. */
    uint64_t hold_us;
};

NODISCARD int error_list_new(struct error_list **out);
void error_list_free(struct error_list *l); /* NULL is fine */

/* Something happened. Both pass over what there is no memory for. */
void error_list_event(
    struct error_list *l, uint64_t now_us, const struct error_report *r);
/* An examination: conditions that are not told between the two are over. */
void error_list_begin(struct error_list *l);
void error_list_condition(
    struct error_list *l, uint64_t now_us, const struct error_report *r);
void error_list_end(struct error_list *l, uint64_t now_us);

/* ack false: it is open again. id: of an entry, or "all" that are open. by is
 * who says so. ENOTFOUND; *n: how many were changed. */
NODISCARD int error_list_ack(struct error_list *l, uint64_t now_us,
    struct slice id, bool ack, const char *by, unsigned *n);

unsigned error_list_open(const struct error_list *l);
/* An array of objects, what happened last first; all: those that are cleared,
 * too. */
void error_list_print(const struct error_list *l, struct buf *b, bool all);

/* 0: as it was saved; 1: counts have grown; 2: a person would miss it. */
unsigned error_list_changed(const struct error_list *l);
/* As a file's text, and from then on it counts as saved. */
void error_list_save(struct error_list *l, struct buf *b);
/* ECORRUPT: that is no text which save writes, and nothing is taken from it.
 * What is later than now, a clock that was wrong has told: it was now. */
NODISCARD int error_list_load(
    struct error_list *l, uint64_t now_us, struct slice text);

#endif
