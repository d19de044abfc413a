#include "app/import_isync.h"

#include "repl/keys.h"

/* Of the table `config` what is about iSync itself, and no data. */
static const struct {
    const char *key, *option;
    bool is_secret;
} settings[] = {
    { "node_id", "isync.node_id", false },
    { "peer_discovery_url", "isync.discovery_url", false },
    { "auto_sync_interval", "isync.interval", false },
    { "max_peers", "isync.max_peers", false },
    { "isync_enabled", "isync.enabled", false },
    { "isync_auto_discover", "isync.auto_discover", false },
    { "isync_peer_urls", "isync.peers", false },
    { "isync_token", "isync.token", true },
};

struct reading {
    struct import *im;
    const char *path;
    bool dry;
    uint64_t no;      /* of the record */
    uint64_t history; /* rows of what iSync did */
    struct buf key;
};

static const char *name_for(const struct json *table)
{
    static char text[64];

    (void)snprintf(text, sizeof text, "%.*s",
        (int)(table->key.len < 60 ? table->key.len : 60),
        (const char *)table->key.ptr);
    return text;
}

static int wrong(struct reading *r, const struct json *table, const char *what)
{
    return cli_fail(r->im->c,
        "%s: table %s, record %llu: %s; nothing from it on is stored", r->path,
        name_for(table), (unsigned long long)r->no, what);
}

/* A row of settings becomes options, which are told and not stored. */
static bool tell_setting(
    struct reading *r, const struct json *table, const struct json *row)
{
    const struct slice key = json_get_str(row, "key");
    const struct slice value = json_get_str(row, "value");
    size_t i = 0;

    while (i < sizeof settings / sizeof *settings &&
        !slice_is(key, settings[i].key))
        i++;
    if (i == sizeof settings / sizeof *settings ||
        !slice_is(table->key, "config"))
        return false;
    if (value.len == 0)
        return true;
    if (settings[i].is_secret)
        (void)fprintf(stderr,
            "%s is not stored where all members have it: give it to `syncline "
            "isync key --take`\n",
            settings[i].key);
    else
        (void)fprintf(stderr, "%s is an option here: %s: \"%.*s\"\n",
            settings[i].key, settings[i].option,
            SLICE_FMT(cli_inert(r->im->c, value)));
    return true;
}

/* Whom iSync called, and what it did: nothing that members share. */
static bool tell_own(
    struct reading *r, const struct json *table, const struct json *row)
{
    const struct slice url = json_get_str(row, "url");
    const bool is_peer = slice_is(table->key, "peers") && url.len > 0;
    const bool is_history = slice_is(table->key, "sync_history") &&
        json_get(row, "peer_node_id") != NULL;

    r->history += is_history;
    if (is_peer)
        (void)fprintf(stderr,
            "a node that iSync had saved is not stored, but called, by: "
            "syncline isync connect %.*s\n",
            SLICE_FMT(cli_inert(r->im->c, url)));
    return is_peer || is_history;
}

/* A record of `config` is called by its id, as iSync's paths have it; others by
 * their table, too. */
static int put_key(struct reading *r, const struct json *table, struct slice id,
    struct errmsg *why)
{
    buf_clear(&r->key);
    if (!slice_is(table->key, "config")) {
        buf_put_slice(&r->key, table->key);
        buf_put_u8(&r->key, '/');
    }
    if (id.len > 0)
        buf_put_slice(&r->key, id);
    else
        buf_printf(&r->key, "row-%llu", (unsigned long long)r->no);
    return buf_status(&r->key) == SYNCLINE_OK
        ? key_check(buf_slice(&r->key), why)
        : buf_status(&r->key);
}

static int take_row(struct reading *r, const struct json *table,
    const struct json *row, struct slice id, uint64_t *n)
{
    struct import_line line;
    struct errmsg why = { "memory ran out" };

    r->no++;
    if (row->type != JSON_OBJECT)
        return wrong(r, table, "it is no object");
    if (tell_setting(r, table, row) || tell_own(r, table, row))
        return CLI_DONE;
    if (id.len == 0)
        id = json_get_str(row, "id");
    if (put_key(r, table, id, &why) != SYNCLINE_OK)
        return wrong(r, table, why.text);
    ++*n;
    if (r->dry)
        return CLI_DONE;
    line = (struct import_line){ .key = buf_slice(&r->key), .value = row };
    return import_record(r->im, r->no, &line);
}

/* An object of records by their ids, or, as they once were, a list. */
static int take_table(struct reading *r, const struct json *table)
{
    const bool is_list = table->type == JSON_ARRAY;
    uint64_t n = 0;
    int rc = CLI_DONE;

    r->no = 0;
    if (!is_list && table->type != JSON_OBJECT)
        return cli_fail(r->im->c,
            "%s: %s: no table: neither an object nor a list", r->path,
            name_for(table));
    for (const struct json *row = table->first;
         row != NULL && rc == CLI_DONE && r->im->refused.len == 0;
         row = row->next)
        rc = take_row(r, table, row, is_list ? SLICE_NONE : row->key, &n);
    if (rc == CLI_DONE && r->history > 0)
        (void)fprintf(stderr,
            "%s: %llu rows of what iSync did are not stored\n", name_for(table),
            (unsigned long long)r->history);
    r->history = 0;
    if (rc == CLI_DONE && r->dry)
        (void)printf("%s: %llu records%s\n", name_for(table),
            (unsigned long long)n, is_list ? " (an old list)" : "");
    return rc;
}

int import_isync(struct import *im, const char *path, bool dry)
{
    struct reading r = { .im = im, .path = path, .dry = dry };
    struct errmsg why = { "" };
    struct json *tables = NULL;
    struct slice text;
    int rc = cli_read_all(im->c, path, &text);

    if (rc != CLI_DONE)
        return rc;
    if (text.len == 0)
        return cli_fail(im->c, "%s: it is empty", path);
    if (json_parse(&tables, text, JSON_STRICT, &im->c->arena, &why) !=
        SYNCLINE_OK)
        return cli_fail(im->c, "%s: %s", path, why.text);
    if (tables->type != JSON_OBJECT)
        return cli_fail(im->c,
            "%s: it holds no tables: an object is wanted, as in iSync.iax",
            path);
    for (const struct json *t = tables->first;
         t != NULL && rc == CLI_DONE && im->refused.len == 0; t = t->next)
        rc = take_table(&r, t);
    buf_free(&r.key);
    return rc;
}
