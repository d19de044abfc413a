#include "app/options/options.h"

#include "app/options/options_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CONFIG_MAX ((size_t)1 << 20)

struct options {
    struct arena arena;
    struct option_value value[OPTIONS_MAX];    /* what somebody set */
    struct option_value fallback[OPTIONS_MAX]; /* the profile's, the table's */
    const char *hostname;
    const char *dir;
    const char *config;    /* the file that was named, or NULL */
    const char *strangers; /* NULL: none */
    bool folder_is_settled;
    struct slice instead; /* the file's text, if it is not read; or NULL */
};

struct arena *options_arena(struct options *o)
{
    return &o->arena;
}

bool options_folder_is_settled(const struct options *o)
{
    return o->folder_is_settled;
}

static const char *keep(struct options *o, const char *text)
{
    return (const char *)arena_dup(&o->arena, slice_str(text)).ptr;
}

/* "KIND REST" in the arena. */
static const char *name_source(
    struct options *o, const char *kind, const char *rest)
{
    struct buf b = { 0 };
    const char *out = NULL;

    buf_printf(&b, "%s%s", kind, rest);
    if (buf_status(&b) == SYNCLINE_OK)
        out = (const char *)arena_dup(&o->arena, buf_slice(&b)).ptr;
    buf_free(&b);
    return out;
}

static int set_fallback(
    struct options *o, size_t ix, const char *profile, struct errmsg *why)
{
    const struct option_row *row = &option_rows[ix];
    const char *text = option_fallback(row, profile);
    struct option_value value = { .source = "default" };
    int rc;

    if (text != NULL)
        value.source = name_source(o, "profile ", profile);
    else if (strcmp(row->name, "dir") == 0)
        text = o->dir;
    else if (strcmp(row->name, "name") == 0)
        text = o->hostname;
    else
        text = row->fallback != NULL ? row->fallback : "";
    if (value.source == NULL)
        return SYNCLINE_ENOMEM;
    rc = option_parse(&value, row, slice_str(text), &o->arena, why);
    if (rc != SYNCLINE_OK)
        return rc;
    o->fallback[ix] = value;
    return SYNCLINE_OK;
}

static int set_fallbacks(struct options *o, struct errmsg *why)
{
    const char *profile = options_str(o, "profile");

    for (size_t ix = 0; ix < option_rows_n; ix++) {
        int rc = set_fallback(o, ix, profile, why);
        if (rc != SYNCLINE_OK)
            return rc;
    }
    return SYNCLINE_OK;
}

int options_new(
    struct options **out, const struct options_host *host, struct errmsg *why)
{
    struct options *o = calloc(1, sizeof *o);
    int rc = SYNCLINE_ENOMEM;

    if (o == NULL)
        goto fail;
    o->hostname = keep(o, host->hostname);
    o->dir = keep(o, host->dir);
    if (o->hostname == NULL || o->dir == NULL)
        goto fail;
    rc = set_fallback(o, option_index(SLICE_LIT("profile")), "single", why);
    if (rc == SYNCLINE_OK)
        rc = set_fallbacks(o, why);
    if (rc != SYNCLINE_OK)
        goto fail;
    *out = o;
    return SYNCLINE_OK;
fail:
    if (rc == SYNCLINE_ENOMEM)
        errmsg_set(why, rc, "out of memory");
    options_free(o);
    return rc;
}

void options_free(struct options *o)
{
    if (o == NULL)
        return;
    arena_free(&o->arena);
    free(o);
}

const char *options_find(const char *name)
{
    const size_t ix = option_index(slice_str(name));

    return ix < option_rows_n ? option_rows[ix].name : NULL;
}

static bool holds_many(size_t ix)
{
    return option_rows[ix].type == OPTION_NAMES ||
        option_rows[ix].type == OPTION_ADDRS;
}

bool options_is_list(const char *name)
{
    const size_t ix = option_index(slice_str(name));

    return ix < option_rows_n && holds_many(ix);
}

int options_set(struct options *o, size_t ix, enum option_rank rank,
    const char *source, struct slice text, struct errmsg *why)
{
    struct option_value value = { .rank = rank, .source = source };
    const struct option_value *old = &o->value[ix];
    int rc;

    /* Flags and elements of one list in the file add up. */
    if (holds_many(ix) && old->rank == rank &&
        (rank == RANK_FLAG || strcmp(old->source, source) == 0)) {
        value.items = old->items;
        value.n = old->n;
    }
    rc = option_parse(&value, &option_rows[ix], text, &o->arena, why);
    if (rc != SYNCLINE_OK)
        return rc;
    if (rank >= old->rank)
        o->value[ix] = value;
    return SYNCLINE_OK;
}

void options_unset(struct options *o, size_t ix)
{
    o->value[ix] = (struct option_value){ 0 };
}

/* Puts in front of why what is wrong where. */
static int complain(
    struct errmsg *why, int rc, const char *where, const char *name)
{
    struct errmsg what;

    if (why == NULL)
        return rc;
    what = *why;
    return errmsg_set(why, rc, "%s%s: %.400s", where, name, what.text);
}

int options_read_flag(
    struct options *o, const char *name, const char *text, struct errmsg *why)
{
    const size_t ix = option_index(slice_str(name));
    const char *source;
    int rc;

    if (ix == option_rows_n)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "there is no option --%.60s", name);
    source = name_source(o, "flag --", option_rows[ix].name);
    if (source == NULL)
        return errmsg_set(why, SYNCLINE_ENOMEM, "out of memory");
    rc = options_set(o, ix, RANK_FLAG, source, slice_str(text), why);
    return rc == SYNCLINE_OK ? rc : complain(why, rc, "--", name);
}

static int note_stranger(struct options *o, const char *name)
{
    struct buf b = { 0 };
    int rc;

    buf_printf(&b, "%s%s%s", options_strangers(o),
        o->strangers != NULL ? " " : "", name);
    o->strangers = (const char *)arena_dup(&o->arena, buf_slice(&b)).ptr;
    rc = o->strangers == NULL ? SYNCLINE_ENOMEM : buf_status(&b);
    buf_free(&b);
    return rc;
}

static int read_variable(struct options *o, const char *entry,
    enum option_name wanted, struct errmsg *why)
{
    const char *equals = strchr(entry, '=');
    struct slice name;
    const char *source;
    enum option_name kind;
    size_t ix;
    int rc;

    /* An empty variable is as good as none. */
    if (equals == NULL || equals[1] == 0)
        return SYNCLINE_OK;
    name = arena_dup(&o->arena, SLICE(entry, (size_t)(equals - entry)));
    if (name.ptr == NULL)
        return errmsg_set(why, SYNCLINE_ENOMEM, "out of memory");
    ix = option_index_env((const char *)name.ptr, &kind);
    if (kind != wanted)
        return SYNCLINE_OK;
    if (ix == option_rows_n)
        return kind != NAME_OURS ? SYNCLINE_OK
                                 : note_stranger(o, (const char *)name.ptr);
    source = name_source(o, "environment ", (const char *)name.ptr);
    if (source == NULL)
        return errmsg_set(why, SYNCLINE_ENOMEM, "out of memory");
    rc = options_set(
        o, ix, RANK_ENVIRONMENT, source, slice_str(equals + 1), why);
    if (rc == SYNCLINE_EINVAL && kind == NAME_OF_ANYBODY)
        return SYNCLINE_OK; /* it was not said to us */
    return rc == SYNCLINE_OK
        ? rc
        : complain(why, rc, "environment ", (const char *)name.ptr);
}

int options_read_env(struct options *o, char *const *envp, struct errmsg *why)
{
    static const enum option_name order[] = { NAME_OF_ANYBODY, NAME_OLDER,
        NAME_OURS };

    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        for (size_t i = 0; envp[i] != NULL; i++) {
            int rc = read_variable(o, envp[i], order[k], why);
            if (rc != SYNCLINE_OK)
                return rc;
        }
    /* A profile may name the folder, which all commands look into. */
    return set_fallbacks(o, why);
}

const char *options_strangers(const struct options *o)
{
    return o->strangers != NULL ? o->strangers : "";
}

int options_read_file(struct options *o, const char *path, struct errmsg *why)
{
    struct buf text = { .max = CONFIG_MAX };
    FILE *file = fopen(path, "re");
    uint8_t *room;
    int rc;

    if (file == NULL)
        return errmsg_set(why,
            errno == ENOENT ? SYNCLINE_ENOTFOUND : SYNCLINE_EIO,
            "configuration %s: %s", path, strerror(errno));
    do {
        room = buf_reserve(&text, 4096);
        if (room == NULL)
            break;
        text.len += fread(room, 1, 4096, file);
    } while (!feof(file) && !ferror(file));
    if (ferror(file))
        rc = errmsg_set(
            why, SYNCLINE_EIO, "configuration %s: %s", path, strerror(errno));
    else if (room == NULL && buf_status(&text) == SYNCLINE_ENOMEM)
        rc = errmsg_set(
            why, SYNCLINE_ENOMEM, "configuration %s: memory ran out", path);
    else if (room == NULL)
        rc = errmsg_set(
            why, SYNCLINE_ELIMIT, "configuration %s: larger than 1 MiB", path);
    else
        rc = options_read_yaml(o, buf_slice(&text), path, why);
    (void)fclose(file);
    buf_free(&text);
    return rc;
}

static int read_config(struct options *o, struct errmsg *why)
{
    const char *path = o->config;
    int rc;

    if (path != NULL)
        return o->instead.ptr != NULL
            ? options_read_yaml(o, o->instead, path, why)
            : options_read_file(o, path, why);
    path = name_source(o, options_str(o, "dir"), "/syncline.yaml");
    if (path == NULL)
        return errmsg_set(why, SYNCLINE_ENOMEM, "out of memory");
    o->folder_is_settled = true;
    rc = o->instead.ptr != NULL ? options_read_yaml(o, o->instead, path, why)
                                : options_read_file(o, path, why);
    return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
}

static int check_together(const struct options *o, struct errmsg *why)
{
    if (options_str(o, "dir")[0] == 0)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "dir is empty; name a folder, as --dir /var/lib/syncline");
    if (options_str(o, "name")[0] == 0)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "name is empty; give this machine a name, as --name kitchen");
    if (strlen(options_str(o, "name")) > 63)
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "name is longer than 63 bytes (%s)", options_source(o, "name"));
    if (options_us(o, "heartbeat.silence") <=
        options_us(o, "heartbeat.interval"))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "heartbeat.silence (%s) must be longer than heartbeat.interval "
            "(%s), or every peer would seem gone",
            options_source(o, "heartbeat.silence"),
            options_source(o, "heartbeat.interval"));
    return SYNCLINE_OK;
}

int options_load(struct options *o, const char *config, struct errmsg *why)
{
    const size_t dir = option_index(SLICE_LIT("dir"));
    int rc = set_fallbacks(o, why);

    if (rc != SYNCLINE_OK)
        return rc;
    if (config != NULL && (o->config = keep(o, config)) == NULL)
        return errmsg_set(why, SYNCLINE_ENOMEM, "out of memory");
    /* A file that lies in the folder cannot say where the folder is. */
    const struct option_value pinned =
        o->value[dir].rank != RANK_DEFAULT ? o->value[dir] : o->fallback[dir];
    rc = read_config(o, why);
    if (rc == SYNCLINE_OK)
        rc = set_fallbacks(o, why);
    if (rc != SYNCLINE_OK)
        return rc;
    if (o->config == NULL)
        o->fallback[dir] = pinned;
    return check_together(o, why);
}

static int copy_value(struct options *o, size_t ix,
    const struct option_value *from, struct errmsg *why)
{
    const char *source = keep(o, from->source);
    struct buf text = { 0 };
    int rc;

    if (from->text != NULL)
        buf_put_str(&text, from->text);
    else if (option_rows[ix].type == OPTION_BOOL)
        buf_put_str(&text, from->number != 0 ? "true" : "false");
    else if (!holds_many(ix))
        option_print_number(&text, option_rows[ix].type, from->number);
    for (size_t i = 0; i < from->n; i++)
        buf_printf(&text, "%s,", from->items[i].text);
    rc = source == NULL ? SYNCLINE_ENOMEM : buf_status(&text);
    if (rc == SYNCLINE_OK)
        rc = options_set(o, ix, from->rank, source, buf_slice(&text), why);
    buf_free(&text);
    return rc;
}

int options_reload_as(struct options **out, const struct options *from,
    struct slice text, struct errmsg *why)
{
    const struct options_host host = { from->hostname, from->dir };
    struct options *o = NULL;
    int rc = options_new(&o, &host, why);

    for (size_t ix = 0; rc == SYNCLINE_OK && ix < option_rows_n; ix++)
        if (from->value[ix].rank >= RANK_ENVIRONMENT)
            rc = copy_value(o, ix, &from->value[ix], why);
    if (rc == SYNCLINE_OK) {
        o->instead = text;
        rc = options_load(o, from->config, why);
        o->instead = SLICE_NONE;
    }
    if (rc == SYNCLINE_OK)
        *out = o;
    else
        options_free(o);
    return rc;
}

int options_reload(
    struct options **out, const struct options *from, struct errmsg *why)
{
    return options_reload_as(out, from, SLICE_NONE, why);
}

const char *options_file(const struct options *o)
{
    return o->config;
}

/* What is in force. */
static const struct option_value *value_of(
    const struct options *o, const char *name, size_t *ix)
{
    *ix = option_index(slice_str(name));
    ENSURE(*ix < option_rows_n);
    return o->value[*ix].rank != RANK_DEFAULT ? &o->value[*ix]
                                              : &o->fallback[*ix];
}

static const struct option_value *value_as(
    const struct options *o, const char *name, enum option_type type)
{
    size_t ix;
    const struct option_value *v = value_of(o, name, &ix);

    ENSURE(option_rows[ix].type == type);
    return v;
}

const char *options_str(const struct options *o, const char *name)
{
    size_t ix;
    const struct option_value *v = value_of(o, name, &ix);

    ENSURE(option_rows[ix].type == OPTION_STR ||
        option_rows[ix].type == OPTION_ENUM ||
        option_rows[ix].type == OPTION_LOG);
    return v->text != NULL ? v->text : "";
}

int64_t options_int(const struct options *o, const char *name)
{
    return value_as(o, name, OPTION_INT)->number;
}

uint64_t options_us(const struct options *o, const char *name)
{
    return (uint64_t)value_as(o, name, OPTION_DURATION)->number;
}

uint64_t options_size(const struct options *o, const char *name)
{
    return (uint64_t)value_as(o, name, OPTION_SIZE)->number;
}

bool options_bool(const struct options *o, const char *name)
{
    return value_as(o, name, OPTION_BOOL)->number != 0;
}

size_t options_list_n(const struct options *o, const char *name)
{
    size_t ix;
    const struct option_value *v = value_of(o, name, &ix);

    ENSURE(holds_many(ix));
    return v->n;
}

const char *options_list(const struct options *o, const char *name, size_t at)
{
    size_t ix;
    const struct option_value *v = value_of(o, name, &ix);

    ENSURE(holds_many(ix) && at < v->n);
    return v->items[at].text;
}

struct option_addr options_addr(
    const struct options *o, const char *name, size_t ix)
{
    const struct option_value *v = value_as(o, name, OPTION_ADDRS);

    ENSURE(ix < v->n);
    return v->items[ix].addr;
}

const char *options_source(const struct options *o, const char *name)
{
    size_t ix;

    return value_of(o, name, &ix)->source;
}
