#include "io/config_file.h"

#include "io/dir_watch.h"
#include "io/file_versions.h"
#include "unit/check.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct folder {
    char dir[64], path[96];
    struct config_file file;
};

static void folder_make(struct folder *f)
{
    *f = (struct folder){ .dir = "/tmp/syncline-config-XXXXXX" };
    CHECK(mkdtemp(f->dir) != NULL);
    (void)snprintf(f->path, sizeof f->path, "%s/a.json", f->dir);
    f->file =
        (struct config_file){ .root = f->dir, .path = "a.json", .max = 1000 };
}

static int remove_one(
    const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void folder_remove(struct folder *f)
{
    (void)nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void check_text(const struct folder *f, const char *want)
{
    struct buf b = { 0 };
    enum config_file_use use;

    CHECK_OK(config_file_read(&b, &use, &f->file, NULL));
    CHECK_SLICE(buf_slice(&b), want);
    CHECK_INT(use, CONFIG_FILE_ALONE);
    buf_free(&b);
}

static bool is_there(const struct folder *f, const char *name)
{
    char path[160];

    (void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
    return access(path, F_OK) == 0;
}

TEST(which_paths_are_below_a_root)
{
    static const struct {
        const char *path;
        bool ok;
    } rows[] = { { "a", true }, { "a/b.json", true }, { "..a/.b", true },
        { "", false }, { "/a", false }, { "a/", false }, { "a//b", false },
        { ".", false }, { "a/./b", false }, { "..", false }, { "a/..", false },
        { "a/../b", false } };

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        CHECK_SAYING(
            config_path_ok(rows[i].path) == rows[i].ok, "%s", rows[i].path);
}

TEST(a_file_is_made_and_replaced)
{
    const struct slice one = SLICE_LIT("{\"n\":1}"), two = SLICE_LIT("[2]");
    struct folder f;
    struct stat st;
    struct buf b = { 0 };
    enum config_file_use use;

    folder_make(&f);
    CHECK_INT(config_file_read(&b, &use, &f.file, NULL), SYNCLINE_ENOTFOUND);
    CHECK_OK(config_file_write(&f.file, one, NULL, NULL));
    check_text(&f, "{\"n\":1}");
    CHECK(!is_there(&f, "a.json.backup"));
    CHECK(chmod(f.path, 0640) == 0);
    CHECK_OK(config_file_write(&f.file, two, &one, NULL));
    check_text(&f, "[2]");
    CHECK(stat(f.path, &st) == 0 && (st.st_mode & 0777) == 0640);
    CHECK(is_there(&f, "a.json.backup"));
    CHECK(!is_there(&f, ".a.json.syncline~"));
    folder_remove(&f);
}

TEST(what_is_not_what_was_expected_is_not_replaced)
{
    const struct slice one = SLICE_LIT("1"), two = SLICE_LIT("2");
    struct folder f;

    folder_make(&f);
    put(f.path, "11");
    CHECK_INT(config_file_write(&f.file, two, &one, NULL), SYNCLINE_ECONFLICT);
    CHECK_INT(config_file_write(&f.file, two, NULL, NULL), SYNCLINE_ECONFLICT);
    check_text(&f, "11");
    CHECK(unlink(f.path) == 0);
    CHECK_INT(config_file_write(&f.file, two, &one, NULL), SYNCLINE_ECONFLICT);
    CHECK(!is_there(&f, "a.json"));
    CHECK(!is_there(&f, ".a.json.syncline~"));
    folder_remove(&f);
}

TEST(what_somebody_has_open_for_writing_is_not_replaced)
{
    const struct slice one = SLICE_LIT("1"), two = SLICE_LIT("2");
    struct folder f;
    struct buf b = { 0 };
    enum config_file_use use;
    int fd;

    folder_make(&f);
    put(f.path, "1");
    fd = open(f.path, O_WRONLY);
    CHECK(fd >= 0);
    CHECK_OK(config_file_read(&b, &use, &f.file, NULL));
    CHECK_INT(use, CONFIG_FILE_BUSY);
    CHECK_INT(config_file_write(&f.file, two, &one, NULL), SYNCLINE_ECONFLICT);
    (void)close(fd);
    CHECK_OK(config_file_write(&f.file, two, &one, NULL));
    check_text(&f, "2");
    buf_free(&b);
    folder_remove(&f);
}

static void save_as_editor(const struct folder *f, const char *text)
{
    char temp[128];
    FILE *file;

    (void)snprintf(temp, sizeof temp, "%s/editor", f->dir);
    file = fopen(temp, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0 ||
        rename(temp, f->path) != 0)
        _exit(1);
}

/* Until the folder has a file `stop`; the last text is "end". */
_Noreturn static void save_and_save(const struct folder *f)
{
    char text[32];

    for (unsigned i = 1; !is_there(f, "stop"); i++) {
        (void)snprintf(text, sizeof text, "e%u", i);
        save_as_editor(f, text);
        if (i % 16 == 0)
            (void)usleep(2000);
    }
    save_as_editor(f, "end");
    _exit(0);
}

/* Replaces what is there; its letter tells who made it of which save. */
static int replace_seen(const struct folder *f)
{
    struct buf b = { 0 };
    struct slice seen;
    char text[48];
    enum config_file_use use;
    bool ours;
    int rc;

    CHECK_OK(config_file_read(&b, &use, &f->file, NULL));
    seen = buf_slice(&b);
    ours = seen.ptr[0] == 'm' || seen.ptr[0] == 'n';
    (void)snprintf(text, sizeof text, "%s%.*s", seen.ptr[0] == 'm' ? "n" : "m",
        SLICE_FMT(slice_from(seen, ours)));
    rc = config_file_write(&f->file, slice_str(text), &seen, NULL);
    CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_ECONFLICT);
    buf_free(&b);
    return rc;
}

/* Another process saves all the time, by renaming over. */
TEST(whoever_saves_in_that_moment_loses_nothing)
{
    unsigned wrote = 0, refused = 0;
    struct buf b = { 0 };
    char stop[96];
    struct folder f;
    pid_t child;
    enum config_file_use use;
    int status;

    folder_make(&f);
    put(f.path, "0");
    child = fork();
    CHECK(child >= 0);
    if (child == 0)
        save_and_save(&f);
    while (wrote < 3 || refused < 3) {
        const int rc = replace_seen(&f);

        wrote += rc == SYNCLINE_OK;
        refused += rc != SYNCLINE_OK;
    }
    (void)snprintf(stop, sizeof stop, "%s/stop", f.dir);
    put(stop, "");
    while (waitpid(child, &status, WNOHANG) == 0)
        (void)replace_seen(&f);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* The last save is there, maybe under what was made of it. */
    CHECK_OK(config_file_read(&b, &use, &f.file, NULL));
    buf_put_u8(&b, 0);
    CHECK_SAYING(strstr((const char *)b.ptr, "end") != NULL, "%s", b.ptr);
    buf_free(&b);
    folder_remove(&f);
}

TEST(links_and_what_is_no_file_are_refused)
{
    const struct slice one = SLICE_LIT("1");
    char other[160], target[160];
    struct folder f;
    struct buf b = { 0 };
    enum config_file_use use;

    folder_make(&f);
    (void)snprintf(target, sizeof target, "%s/target", f.dir);
    (void)snprintf(other, sizeof other, "%s/b", f.dir);
    put(target, "1");
    CHECK(symlink(target, f.path) == 0);
    CHECK_INT(config_file_read(&b, &use, &f.file, NULL), SYNCLINE_EDENIED);
    CHECK_INT(config_file_write(&f.file, one, &one, NULL), SYNCLINE_EDENIED);
    CHECK(unlink(f.path) == 0 && link(target, f.path) == 0);
    CHECK_INT(config_file_read(&b, &use, &f.file, NULL), SYNCLINE_EDENIED);
    CHECK(unlink(f.path) == 0 && mkdir(f.path, 0700) == 0);
    CHECK_INT(config_file_read(&b, &use, &f.file, NULL), SYNCLINE_EDENIED);
    CHECK(rmdir(f.path) == 0 && symlink("/etc", other) == 0);
    f.file.path = "b/hostname";
    CHECK_INT(config_file_read(&b, &use, &f.file, NULL), SYNCLINE_EDENIED);
    buf_free(&b);
    folder_remove(&f);
}

TEST(versions_are_kept_in_their_order)
{
    const int64_t at = INT64_C(1795840959) * 1000000;
    struct folder f;
    struct file_versions v = { .folder = FILE_VERSIONS_FOLDER, .keep = 3 };
    struct version *all;
    struct arena a = { 0 };
    struct buf b = { 0 };
    char text[16];
    size_t n;

    folder_make(&f);
    v.file = &f.file;
    CHECK_OK(file_versions_list(&v, &all, &n, &a, NULL));
    CHECK_UINT(n, 0);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(text, sizeof text, "%d", i / 2); /* each twice */
        CHECK_OK(file_versions_keep(
            &v, slice_str(text), at + i / 4 * 1000000, NULL));
    }
    CHECK_OK(file_versions_list(&v, &all, &n, &a, NULL));
    CHECK_UINT(n, 3);
    for (size_t i = 0; i < n; i++) {
        buf_clear(&b);
        (void)snprintf(text, sizeof text, "%zu", i + 2);
        CHECK_OK(file_versions_read(&b, &v, &all[i], NULL));
        CHECK_SLICE(buf_slice(&b), text);
    }
    buf_free(&b);
    arena_free(&a);
    folder_remove(&f);
}

/* ---- watching ---- */

struct seen {
    unsigned named, overflows, gone, closed, moved;
};

static void on_folder(
    void *ctx, int folder, struct slice name, enum dir_change change)
{
    struct seen *s = ctx;
    const bool ours = slice_is(name, "a.json");

    s->named += ours;
    s->overflows += folder < 0;
    s->gone += change == DIR_GONE;
    s->closed += ours && change == DIR_CLOSED;
    s->moved += ours && change == DIR_MOVED;
}

static struct dir_watch *watch(
    uv_loop_t *loop, const struct folder *f, struct seen *s)
{
    struct dir_watch *w;
    int fd = open(f->dir, O_RDONLY | O_DIRECTORY), folder;

    CHECK(uv_loop_init(loop) == 0);
    CHECK_OK(dir_watch_new(&w, loop, on_folder, s));
    CHECK_OK(dir_watch_add(w, fd, &folder));
    (void)close(fd);
    return w;
}

static void end(struct dir_watch *w, uv_loop_t *loop)
{
    dir_watch_free(w);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(loop) == 0);
}

TEST(a_name_is_told_and_a_folder_that_goes)
{
    struct seen s = { 0 };
    struct folder f;
    uv_loop_t loop;
    struct dir_watch *w;

    folder_make(&f);
    w = watch(&loop, &f, &s);
    put(f.path, "1");
    (void)uv_run(&loop, UV_RUN_ONCE);
    CHECK(s.named > 0 && s.gone == 0);
    folder_remove(&f);
    while (s.gone == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    end(w, &loop);
}

TEST(how_a_file_was_saved_is_told)
{
    struct seen s = { 0 };
    struct folder f;
    uv_loop_t loop;
    struct dir_watch *w;
    FILE *file;

    folder_make(&f);
    w = watch(&loop, &f, &s);
    file = fopen(f.path, "w");
    CHECK(file != NULL && fputs("1", file) >= 0 && fflush(file) == 0);
    (void)uv_run(&loop, UV_RUN_ONCE);
    CHECK(s.named > 0 && s.closed == 0);
    (void)fclose(file);
    (void)uv_run(&loop, UV_RUN_ONCE);
    CHECK(s.closed == 1 && s.moved == 0);
    save_as_editor(&f, "2");
    (void)uv_run(&loop, UV_RUN_ONCE);
    CHECK(s.closed == 1 && s.moved == 1);
    end(w, &loop);
    folder_remove(&f);
}

/* More than the system's queue holds: what is lost is said to be. */
TEST(a_queue_that_runs_over_is_told)
{
    struct seen s = { 0 };
    char other[160];
    struct folder f;
    uv_loop_t loop;
    struct dir_watch *w;

    folder_make(&f);
    (void)snprintf(other, sizeof other, "%s/b.json", f.dir);
    w = watch(&loop, &f, &s);
    for (int i = 0; i < 5000; i++) {
        put(f.path, "1");
        put(other, "1");
    }
    (void)uv_run(&loop, UV_RUN_ONCE);
    CHECK_UINT(s.overflows, 1);
    end(w, &loop);
    folder_remove(&f);
}
