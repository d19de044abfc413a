/* Bound files by the library. */
#include "unit/library_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 20

struct folder {
    struct site site;
    char etc[96], file[128];
    const char *roots[2];
    pthread_mutex_t lock;
    unsigned told, reverted;
    int refuses;
    char changed[256];
};

static int on_file(
    void *ctx, const char *file, const char *changed, int reverted)
{
    struct folder *f = ctx;
    int refuses;

    (void)pthread_mutex_lock(&f->lock);
    f->told++;
    f->reverted += reverted != 0;
    (void)snprintf(f->changed, sizeof f->changed, "%s", changed);
    refuses = f->refuses && !reverted;
    if (strcmp(file, f->file) != 0)
        f->told = 1000;
    (void)pthread_mutex_unlock(&f->lock);
    return refuses;
}

static void folder_start(struct folder *f, const char *name)
{
    site_make(&f->site, name);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)snprintf(f->etc, sizeof f->etc, "%s/etc", f->site.dir);
    (void)snprintf(f->file, sizeof f->file, "%s/app.json", f->etc);
    CHECK(mkdir(f->etc, 0700) == 0);
    f->roots[0] = f->etc;
    f->site.opt.file_roots = f->roots;
    f->site.opt.on_file = on_file;
    f->site.opt.on_file_ctx = f;
    site_start(&f->site);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK(fclose(file) == 0);
}

static void read_file(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t n;

    CHECK(file != NULL);
    n = fread(out, 1, size - 1, file);
    out[n] = 0;
    CHECK(fclose(file) == 0);
}

static void await_file(const char *path, const char *want)
{
    const struct timespec pause = { .tv_nsec = 2000000 };
    time_t limit = time(NULL) + PATIENCE_S;
    char text[512];

    read_file(path, text, sizeof text);
    while (strcmp(text, want) != 0 && time(NULL) <= limit) {
        (void)nanosleep(&pause, NULL);
        read_file(path, text, sizeof text);
    }
    CHECK_SLICE(slice_str(text), want);
}

static unsigned told(struct folder *f, unsigned *reverted)
{
    unsigned n;

    (void)pthread_mutex_lock(&f->lock);
    n = f->told;
    *reverted = f->reverted;
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

TEST(a_file_is_bound_told_of_and_rolled_back)
{
    struct folder a = { .told = 0 }, b = { .told = 0 };
    char *text;
    unsigned reverted;

    folder_start(&a, "a");
    folder_start(&b, "b");
    site_pair(&a.site, &b.site);
    write_file(a.file, "{ \"x\": 1 }");
    CHECK_OK(syncline_bind(a.site.s, a.file, NULL, "app", NULL));
    await_value(b.site.s, "app", "{\"x\":1}");
    CHECK_OK(syncline_bind(
        b.site.s, b.file, NULL, "app", "{\"revert\":true,\"versions\":3}"));
    CHECK_INT(
        syncline_bind(b.site.s, b.file, NULL, "app", NULL), SYNCLINE_EEXIST);
    CHECK_INT(syncline_bind(b.site.s, "/etc/passwd", NULL, "app", NULL),
        SYNCLINE_EDENIED);
    CHECK_INT(syncline_bind(b.site.s, b.file, NULL, "app", "{\"key\":\"y\"}"),
        SYNCLINE_EINVAL);
    await_file(b.file, "{\n  \"x\": 1\n}\n");
    write_file(a.file, "{ \"x\": 2 }");
    await_file(b.file, "{\n  \"x\": 2\n}\n");
    while (told(&b, &reverted) < 2) /* once the file is there */
        (void)usleep(1000);
    CHECK_UINT(told(&b, &reverted), 2);
    CHECK_SLICE(slice_str(b.changed), "[\"/x\"]");
    CHECK_OK(syncline_version_value(b.site.s, b.file, "latest", &text));
    CHECK_SLICE(slice_str(text), "{\"x\":2}");
    syncline_free(text);
    /* What the program cannot take goes back, everywhere. */
    (void)pthread_mutex_lock(&b.lock);
    b.refuses = 1;
    (void)pthread_mutex_unlock(&b.lock);
    write_file(a.file, "{ \"x\": 3 }");
    await_value(b.site.s, "app", "{\"x\":2}");
    await_file(a.file, "{ \"x\": 2 }");
    while (told(&b, &reverted) < 4) /* the change, and that it went back */
        (void)usleep(1000);
    CHECK_OK(syncline_bindings(b.site.s, &text));
    CHECK(strstr(text, "could not take it") != NULL);
    syncline_free(text);
    CHECK_INT(syncline_rollback(a.site.s, a.file, "config_19700101000000.json"),
        SYNCLINE_ENOTFOUND);
    CHECK_OK(syncline_unbind(b.site.s, b.file));
    CHECK_INT(syncline_unbind(b.site.s, b.file), SYNCLINE_ENOTFOUND);
    (void)told(&b, &reverted);
    CHECK_UINT(reverted, 1);
    site_remove(&a.site);
    site_remove(&b.site);
    (void)pthread_mutex_destroy(&a.lock);
    (void)pthread_mutex_destroy(&b.lock);
}
