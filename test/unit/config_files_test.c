/* The published examples of the config-sync protocol, of its files: what they
 * are written like, which versions stay, which names are theirs. */
#include "unit/library_world.h"

#include "unit/config_vectors.h"

#include "io/file_versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define SEC INT64_C(1000000)

struct folder {
    char dir[64];
    char file[100], kept[100];
};

static void folder_make(struct folder *f)
{
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/syncline-config-XXXXXX");
    CHECK(mkdtemp(f->dir) != NULL);
    (void)snprintf(f->file, sizeof f->file, "%s/config.json", f->dir);
    (void)snprintf(f->kept, sizeof f->kept, "%s/config_versions", f->dir);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK(fclose(file) == 0);
}

static size_t read_file(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t n;

    if (file == NULL)
        return 0;
    n = fread(out, 1, size, file);
    CHECK(fclose(file) == 0);
    return n;
}

/* ---- A.file.config ---- */

static void put_item(struct syncline_config *c, const struct json *value)
{
    struct buf b = { 0 };

    json_print(&b, value, JSON_CANONICAL);
    buf_put_u8(&b, 0);
    CHECK_OK(syncline_put(
        syncline_config_node(c), "config", "config", (const char *)b.ptr));
    buf_free(&b);
}

static void await_text(const char *path, struct slice want)
{
    const struct timespec pause = { .tv_nsec = 2000000 };
    time_t limit = time(NULL) + 20;
    char text[512];
    size_t n = read_file(path, text, sizeof text);

    while (!slice_eq(SLICE(text, n), want) && time(NULL) <= limit) {
        (void)nanosleep(&pause, NULL);
        n = read_file(path, text, sizeof text);
    }
    CHECK_BYTES(SLICE(text, n), want);
}

/* The members of a file keep their order; those of one that is made anew are
 * sorted, which is all that it differs in from theirs. */
TEST(a_file_is_written_as_theirs)
{
    struct arena a = { 0 };
    const struct json *v = config_vector(&a, "A.file.config");
    struct slice want = json_get_str(v, "bytes_utf8");
    struct syncline_config *c;
    struct folder f;

    folder_make(&f);
    write_file(f.file,
        "{\n  \"b\": [\n    1,\n    2,\n    \"\\u00f1\"\n  ],\n  \"c\": 0,\n"
        "  \"a\": {}\n}");
    CHECK_OK(syncline_config_single(&c, f.file, NULL, NULL));
    CHECK_OK(syncline_config_start(c));
    put_item(c, json_get(v, "config"));
    await_text(f.file, want);
    CHECK_OK(syncline_config_free(c));
    tree_remove(f.dir);
    arena_free(&a);
}

TEST(a_file_that_is_made_is_written_as_theirs)
{
    struct arena a = { 0 };
    const struct json *v = config_vector(&a, "A.file.config");
    struct syncline_config *c;
    struct folder f;

    folder_make(&f);
    CHECK_OK(syncline_config_single(&c, f.file, NULL, NULL));
    CHECK_OK(syncline_config_start(c));
    put_item(c, json_get(v, "config"));
    await_text(f.file,
        SLICE_LIT(
            "{\n  \"a\": {},\n  \"b\": [\n    1,\n    \"\\u00f1\"\n  ]\n}"));
    CHECK_OK(syncline_config_free(c));
    tree_remove(f.dir);
    arena_free(&a);
}

/* ---- A.file.cleanup ---- */

static int64_t time_of(const struct version *v)
{
    struct tm t = { .tm_year = v->year - 1900,
        .tm_mon = v->month - 1,
        .tm_mday = v->day,
        .tm_hour = v->hour,
        .tm_min = v->minute,
        .tm_sec = v->second,
        .tm_isdst = -1 };

    return (int64_t)mktime(&t) * SEC;
}

/* Twelve more of the same minute, and that of the day that it was. */
TEST(the_newest_ten_stay)
{
    struct arena a = { 0 };
    const struct json *kept =
        json_get(config_vector(&a, "A.file.cleanup"), "kept");
    struct version v = { 2026, 1, 1, 0, 0, 1, 0 }, *all;
    struct folder f;
    struct config_file at = { f.dir, "config.json", 4096 };
    const struct file_versions versions = {
        .file = &at, .folder = FILE_VERSIONS_FOLDER, .keep = 10
    };
    char text[32];
    size_t n;

    folder_make(&f);
    write_file(f.file, "{}");
    for (; v.second <= 13; v.second++) {
        (void)snprintf(text, sizeof text, "{\"v\": %u}", v.second);
        CHECK_OK(
            file_versions_keep(&versions, slice_str(text), time_of(&v), NULL));
    }
    CHECK_OK(version_parse(&v, kept->first->s));
    CHECK_OK(file_versions_keep(&versions, SLICE_LIT("{}"), time_of(&v), NULL));
    CHECK_OK(file_versions_list(&versions, &all, &n, &a, NULL));
    CHECK_UINT(n, kept->n);
    for (const struct json *name = kept->first; name != NULL;
         name = name->next) {
        char got[VERSION_NAME_SIZE];

        CHECK_OK(version_name(got, &all[--n])); /* theirs: the newest first */
        CHECK_BYTES(slice_str(got), name->s);
    }
    tree_remove(f.dir);
    arena_free(&a);
}

/* ---- A.file.get_version ---- */

static void check_name(struct syncline_config *c, const struct json *row)
{
    const struct json *result = json_get(row, "result");
    struct slice name = json_get_str(row, "name");
    char text[64], *value = NULL;
    struct arena a = { 0 };
    struct json *got;
    int rc;

    (void)snprintf(text, sizeof text, "%.*s", SLICE_FMT(name));
    rc = syncline_config_version(c, text, &value);
    if (result->type == JSON_NULL) {
        CHECK_SAYING(rc == SYNCLINE_EINVAL || rc == SYNCLINE_ENOTFOUND,
            "%s: %d", text, rc);
        CHECK(syncline_error()[0] != 0);
    } else {
        CHECK_OK(rc);
        CHECK_OK(json_parse(&got, slice_str(value), JSON_STRICT, &a, NULL));
        CHECK(json_equal(got, result));
    }
    syncline_free(value);
    arena_free(&a);
}

TEST(a_version_by_its_name)
{
    struct arena a = { 0 };
    const struct json *rows =
        json_get(config_vector(&a, "A.file.get_version"), "rows");
    struct syncline_config *c;
    char path[200], *names, *value;
    struct folder f;

    folder_make(&f);
    CHECK(mkdir(f.kept, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s/config_20261120090807.json", f.kept);
    write_file(path, /* as the older system keeps it */
        "{\n    \"b\": [\n        1,\n        \"\\u00f1\"\n    ],\n"
        "    \"a\": {}\n}");
    (void)snprintf(path, sizeof path, "%s/x", f.dir);
    write_file(path, "{}");
    CHECK_OK(syncline_config_single(&c, f.file, NULL, NULL));
    CHECK_UINT(rows->n, 6);
    for (const struct json *row = rows->first; row != NULL; row = row->next)
        check_name(c, row);
    CHECK_OK(syncline_config_versions(c, &names));
    CHECK_SLICE(slice_str(names), "[\"config_20261120090807.json\"]");
    syncline_free(names);
    CHECK_OK(syncline_config_version(c, "latest", &value));
    CHECK_SLICE(slice_str(value), "{\"a\":{},\"b\":[1,\"\xc3\xb1\"]}");
    syncline_free(value);
    CHECK_OK(syncline_config_free(c));
    tree_remove(f.dir);
    arena_free(&a);
}

/* ---- options, by the library ---- */

TEST(what_options_of_an_addon_make)
{
    struct arena a = { 0 };
    const struct json *rows =
        json_get(config_vector(&a, "A.ha_addon_defaults"), "rows");
    struct folder f;

    folder_make(&f);
    for (const struct json *row = rows->first; row != NULL; row = row->next) {
        bool serves = json_get_bool(row, "enable_server", false);
        struct syncline_config *c;
        struct buf b = { 0 }, want = { 0 };
        char *status;

        json_print(&b, json_get(row, "options"), JSON_CANONICAL);
        buf_put_u8(&b, 0);
        CHECK_OK(syncline_config_ha_addon(
            &c, f.file, NULL, (const char *)b.ptr, NULL));
        CHECK_OK(syncline_config_status(c, &status));
        buf_printf(&want,
            "{\"running\":false,\"instance_id\":null,\"server_enabled\":%s,"
            "\"server_port\":",
            serves ? "true" : "false");
        if (serves)
            buf_printf(&want, "%d", (int)json_get_int(row, "sync_port", 0));
        else
            buf_put_str(&want, "null");
        buf_printf(&want,
            ",\"peer_count\":%u,\"peer_urls\":", json_get(row, "peers")->n);
        json_print(&want, json_get(row, "peers"), JSON_CANONICAL);
        buf_put_str(&want, ",\"last_sync_time\":0.0,\"config_versions\":0}");
        CHECK_BYTES(slice_str(status), buf_slice(&want));
        syncline_free(status);
        CHECK_OK(syncline_config_free(c));
        buf_free(&b);
        buf_free(&want);
    }
    tree_remove(f.dir);
    arena_free(&a);
}

TEST(what_options_of_an_addon_are_valid)
{
    struct arena a = { 0 };
    const struct json *rows =
        json_get(config_vector(&a, "A.validate_sync_config"), "rows");

    for (const struct json *row = rows->first; row != NULL; row = row->next) {
        struct buf b = { 0 };

        json_print(&b, json_get(row, "config"), JSON_PLAIN);
        buf_put_u8(&b, 0);
        CHECK_INT(syncline_config_check((const char *)b.ptr),
            json_get_bool(row, "valid", false) ? SYNCLINE_OK : SYNCLINE_EINVAL);
        buf_free(&b);
    }
    CHECK_INT(syncline_config_check("{"), SYNCLINE_EMALFORMED);
    CHECK_INT(syncline_config_check(NULL), SYNCLINE_EINVAL);
    arena_free(&a);
}

/* ---- memory that runs out ---- */

TEST(memory_that_runs_out_makes_none)
{
    static const char options[] = "{\"peer_urls\":[\"ws://a/sync\","
                                  "\"ws://b/sync\"],\"sync_bind\":\"::1\"}";
    struct syncline_config *c = NULL;
    const char *listen[] = { "127.0.0.1:0", NULL };
    const struct syncline_options node = { .size = sizeof node,
        .listen = listen,
        .file_roots = (const char *[]){ "/etc", NULL },
        .name = "n" };
    struct folder f;

    folder_make(&f);
    for (long n = 0;; n++) {
        int rc;

        check_alloc_fail_from(n);
        rc = syncline_config_ha_addon(&c, f.file, f.dir, options, &node);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        CHECK(c == NULL);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(syncline_config_free(c));
    tree_remove(f.dir);
}
