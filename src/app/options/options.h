/* options.h - what a person may set, and where each value came from.
 *
 * One table (options_table.c) drives a YAML file, the environment and the
 * flags, in rising order: `log.level` in the file (nested or dotted) is
 * SYNCLINE_LOG_LEVEL and --log.level. Below them stands a default, which the
 * profile may change. Only options_read_file and options_load touch files.
 * Law: the order of reading does not matter, only the rank of the source. */
#ifndef SYNCLINE_APP_OPTIONS_H
#define SYNCLINE_APP_OPTIONS_H

#include "base/error.h"
#include "base/slice.h"
#include "core/json.h"

#define OPTIONS_PORT 4748

/* So many of a list a daemon takes. */
#define OPTIONS_ADDRS_MAX 64
#define OPTIONS_HOSTS_MAX 16
#define OPTIONS_BIND_MAX 8
#define OPTIONS_ADMIT_MAX 16
#define OPTIONS_INSTANCES_MAX 32

struct options; /* opaque */

/* What defaults depend on; strings are copied. */
struct options_host {
    const char *hostname;
    const char *dir;
};

struct option_addr {
    const char *host; /* a name or an address, without brackets */
    uint16_t port;
};

NODISCARD int options_new(
    struct options **out, const struct options_host *host, struct errmsg *why);
void options_free(struct options *o); /* NULL is fine */

/* The name of the option that a flag, a key of the file or an alias means,
 * or NULL. */
const char *options_find(const char *name);
/* Whether the value holds many: its flag may be given again, which appends. */
bool options_is_list(const char *name);

NODISCARD int options_read_flag(
    struct options *o, const char *name, const char *text, struct errmsg *why);
NODISCARD int options_read_env(
    struct options *o, char *const *envp, struct errmsg *why);
/* file is what messages and sources call the text. */
NODISCARD int options_read_yaml(
    struct options *o, struct slice text, const char *file, struct errmsg *why);
/* ENOTFOUND if there is no such file. */
NODISCARD int options_read_file(
    struct options *o, const char *path, struct errmsg *why);
/* After flags and environment: reads config, or DIR/syncline.yaml if that
 * exists and config is NULL, then settles the profile's defaults and checks
 * what options say about each other. */
NODISCARD int options_load(
    struct options *o, const char *config, struct errmsg *why);
/* The same flags and environment, the file read again (SIGHUP). */
NODISCARD int options_reload(
    struct options **out, const struct options *from, struct errmsg *why);

/* The same by a text in the file's place. */
NODISCARD int options_reload_as(struct options **out,
    const struct options *from, struct slice text, struct errmsg *why);
/* The file that was named; NULL: it is DIR/syncline.yaml, if that is there. */
const char *options_file(const struct options *o);

/* Names in the environment that look like options and are none; "" if there
 * are none. */
const char *options_strangers(const struct options *o);

/* Getters. The name must be in the table and of that type; lent strings live
 * as long as o. A string that nobody set is "". */
const char *options_str(const struct options *o, const char *name);
int64_t options_int(const struct options *o, const char *name);
uint64_t options_us(const struct options *o, const char *name);
uint64_t options_size(const struct options *o, const char *name);
bool options_bool(const struct options *o, const char *name);
size_t options_list_n(const struct options *o, const char *name);
const char *options_list(const struct options *o, const char *name, size_t ix);
/* For lists of addresses. */
struct option_addr options_addr(
    const struct options *o, const char *name, size_t ix);

/* Appends the names of options that next has otherwise than o, and that hold
 * after a restart only, with commas between. */
void options_put_waiting(
    struct buf *b, const struct options *o, const struct options *next);

/* "default", "profile P", "file F:LINE", "environment E" or "flag --F". */
const char *options_source(const struct options *o, const char *name);
/* The value as one would write it; appended. */
void options_print(const struct options *o, const char *name, struct buf *b);
/* [{name, value, source, ...}] (doc/api.md) in the table's order; NULL on
 * memory. next: as they are from the next start on; o itself, if that is the
 * same. The strings live as long as all three do. */
struct json *options_describe(
    const struct options *o, const struct options *next, struct arena *a);

/* The table, for --help: false when ix is beyond its end. */
struct option_help {
    const char *name;
    const char *value; /* what stands after the name, e.g. A:P */
    const char *fallback;
    const char *text;
};
bool options_help(size_t ix, struct option_help *out);

#endif
