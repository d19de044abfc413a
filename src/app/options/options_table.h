/* options_table.h - the table of options and how a value is read.
 *
 * Pure. Only the options_*.c files include it. */
#ifndef SYNCLINE_APP_OPTIONS_TABLE_H
#define SYNCLINE_APP_OPTIONS_TABLE_H

#include "app/options/options.h"

enum option_type {
    OPTION_STR,
    OPTION_INT,
    OPTION_DURATION, /* microseconds */
    OPTION_SIZE,     /* bytes */
    OPTION_BOOL,
    OPTION_ENUM,
    OPTION_NAMES, /* a list of words */
    OPTION_ADDRS, /* a list of host:port */
    OPTION_LOG    /* levels of the log, as text */
};

/* When a change of the file holds. What could be used to run something, to read
 * a file, or to lose the folder, is changed by whoever can edit the file, and
 * by nobody who only knows a token; so is what sets one of these (profile). */
enum option_change { OPTION_ON_RESTART, OPTION_AT_ONCE, OPTION_BY_HAND };

struct option_row {
    const char *name;
    const char *value; /* its placeholder in --help */
    const char *fallback;
    const char *choices; /* OPTION_ENUM: "a|b|c" */
    const char *aliases; /* blank between; capitals: in the environment */
    const char *help;
    int64_t min, max; /* numbers; the port of OPTION_ADDRS is >= min */
    uint16_t port;    /* of OPTION_ADDRS, where none is said; 0: the mesh's */
    enum option_type type;
    enum option_change change;
    bool is_space;  /* a text that can be the name of one */
    bool is_secret; /* it is told of that it is set, not what it is */
};

#define OPTIONS_MAX 144

extern const struct option_row option_rows[];
extern const size_t option_rows_n;

enum option_rank { RANK_DEFAULT, RANK_FILE, RANK_ENVIRONMENT, RANK_FLAG };

struct option_item {
    const char *text; /* canonical */
    struct option_addr addr;
};

struct option_value {
    enum option_rank rank;
    const char *source;
    const char *text; /* strings and enums */
    int64_t number;   /* the rest */
    struct option_item *items;
    size_t n;
};

/* The index of a row by its name or an alias; option_rows_n if none. */
size_t option_index(struct slice name);
/* Names in the environment, in the order in which they count: what stands
 * behind another one wins. */
enum option_name { NAME_OF_ANYBODY, NAME_OLDER, NAME_OURS };
/* The same by the name of an environment variable. */
size_t option_index_env(const char *name, enum option_name *kind);
/* What a profile puts in place of the row's default. */
const char *option_fallback(const struct option_row *row, const char *profile);
/* "a duration, as 250ms, 5s, 10m, 1h or 7d" */
const char *option_wants(enum option_type type);

/* Reads text into out (text, number or items; for lists what stands between
 * commas is appended). Everything lives in a. */
NODISCARD int option_parse(struct option_value *out,
    const struct option_row *row, struct slice text, struct arena *a,
    struct errmsg *why);
void option_print_number(struct buf *b, enum option_type type, int64_t number);

/* Sets an option unless something of a higher rank did. source must live as
 * long as o. */
NODISCARD int options_set(struct options *o, size_t ix, enum option_rank rank,
    const char *source, struct slice text, struct errmsg *why);
/* As if nobody had set it. */
void options_unset(struct options *o, size_t ix);
/* What a row's type is called, for programs. */
const char *option_type_name(enum option_type type);
struct arena *options_arena(struct options *o);
/* True while the file is read that lies in the folder. */
bool options_folder_is_settled(const struct options *o);

#endif
