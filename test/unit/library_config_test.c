/* Configuration sync by the library: as an application uses it. */
#include "unit/library_world.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 20

/* One application. */
struct app {
    char dir[64], file[128];
    struct syncline_config *c;
    struct syncline_config_options opt;
    pthread_mutex_t lock;
    pthread_cond_t more;
    unsigned told;
    char last[256]; /* what it was told last */
    char file_then[256];
    int in_callback[6];
};

static void app_make(struct app *a)
{
    pthread_condattr_t clock;

    *a = (struct app){ .dir = "/tmp/syncline-config-XXXXXX" };
    CHECK(mkdtemp(a->dir) != NULL);
    (void)snprintf(a->file, sizeof a->file, "%s/config.json", a->dir);
    CHECK(pthread_mutex_init(&a->lock, NULL) == 0);
    CHECK(pthread_condattr_init(&clock) == 0);
    CHECK(pthread_condattr_setclock(&clock, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&a->more, &clock) == 0);
    (void)pthread_condattr_destroy(&clock);
    a->opt.size = sizeof a->opt;
    a->opt.path = a->file;
}

static void app_remove(struct app *a)
{
    CHECK_OK(syncline_config_free(a->c));
    tree_remove(a->dir);
    (void)pthread_cond_destroy(&a->more);
    (void)pthread_mutex_destroy(&a->lock);
}

static void read_file(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t n = 0;

    if (file != NULL) {
        n = fread(out, 1, size - 1, file);
        CHECK(fclose(file) == 0);
    }
    out[n] = 0;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK(fclose(file) == 0);
}

static void on_update(void *ctx, const char *config)
{
    struct app *a = ctx;
    char *text = NULL;

    (void)pthread_mutex_lock(&a->lock);
    a->told++;
    (void)snprintf(a->last, sizeof a->last, "%s", config);
    read_file(a->file, a->file_then, sizeof a->file_then);
    a->in_callback[0] = syncline_config_status(a->c, &text);
    syncline_free(text);
    text = NULL;
    a->in_callback[1] = syncline_config_versions(a->c, &text);
    syncline_free(text);
    a->in_callback[2] = syncline_config_force(a->c);
    a->in_callback[3] = syncline_config_stop(a->c);
    a->in_callback[4] = syncline_config_start(a->c);
    a->in_callback[5] = syncline_config_free(a->c);
    (void)pthread_cond_broadcast(&a->more);
    (void)pthread_mutex_unlock(&a->lock);
}

static void app_start(struct app *a)
{
    CHECK_OK(syncline_config_new(&a->c, &a->opt));
    CHECK_OK(syncline_config_on_update(a->c, on_update, a));
    CHECK_SAYING(syncline_config_start(a->c) == SYNCLINE_OK, "start: %s",
        syncline_error());
}

/* Until it was told of this. */
static void await_told(struct app *a, const char *want)
{
    struct timespec limit;
    char last[sizeof a->last];
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&a->lock);
    while (strcmp(a->last, want) != 0 && rc == 0)
        rc = pthread_cond_timedwait(&a->more, &a->lock, &limit);
    memcpy(last, a->last, sizeof last);
    (void)pthread_mutex_unlock(&a->lock);
    CHECK_SLICE(slice_str(last), want);
}

/* What follows "NAME": in a's status, up to the next comma that is no list's.
 */
static char *member(struct app *a, const char *name, char *out, size_t size)
{
    char *status, *at, *end, quoted[64];

    CHECK_OK(syncline_config_status(a->c, &status));
    (void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
    at = strstr(status, quoted);
    CHECK_SAYING(at != NULL, "no %s in %s", name, status);
    at += strlen(quoted);
    end = at + strcspn(at, *at == '[' ? "]" : ",}");
    (void)snprintf(out, size, "%.*s", (int)(end - at), at);
    syncline_free(status);
    return out;
}

static void check_member(struct app *a, const char *name, const char *want)
{
    char got[256];

    CHECK_SLICE(slice_str(member(a, name, got, sizeof got)), want);
}

static void await_member(struct app *a, const char *name, const char *want)
{
    const struct timespec pause = { .tv_nsec = 2000000 };
    time_t limit = time(NULL) + PATIENCE_S;
    char got[256];

    while (strcmp(member(a, name, got, sizeof got), want) != 0 &&
        time(NULL) <= limit)
        (void)nanosleep(&pause, NULL);
    check_member(a, name, want);
}

/* ---- one ---- */

TEST(what_is_wrong_is_said_before_anything_is_made)
{
    struct syncline_config *c = NULL;
    struct syncline_config_options opt = { .size = sizeof opt };
    const char *bad[] = { "http://x", NULL };

    CHECK_INT(syncline_config_new(&c, NULL), SYNCLINE_EINVAL);
    CHECK_INT(syncline_config_new(&c, &opt), SYNCLINE_EINVAL);
    opt.path = "/nowhere/at/all/config.json";
    CHECK_INT(syncline_config_new(&c, &opt), SYNCLINE_ENOTFOUND);
    opt.path = "/tmp/";
    CHECK_INT(syncline_config_new(&c, &opt), SYNCLINE_EINVAL);
    opt.path = "/tmp/\377.json";
    CHECK_INT(syncline_config_new(&c, &opt), SYNCLINE_EINVAL);
    opt.path = "/tmp/config.json";
    opt.port = 65536;
    CHECK_INT(syncline_config_new(&c, &opt), SYNCLINE_EINVAL);
    opt.port = 0;
    opt.peers = bad;
    CHECK_INT(syncline_config_new(&c, &opt), SYNCLINE_EINVAL);
    CHECK(strstr(syncline_error(), "peers") != NULL);
    opt.peers = NULL;
    opt.bind = bad;
    CHECK_INT(syncline_config_new(&c, &opt), SYNCLINE_EINVAL);
    opt.bind = NULL;
    opt.admit = bad;
    CHECK_INT(syncline_config_new(&c, &opt), SYNCLINE_EINVAL);
    opt.admit = NULL;
    opt.versions = 1001;
    CHECK_INT(syncline_config_new(&c, &opt), SYNCLINE_EINVAL);
    opt.versions = 0;
    opt.size++;
    CHECK_INT(syncline_config_new(&c, &opt), SYNCLINE_EINVAL);
    CHECK_INT(syncline_config_ha_addon(&c, "/tmp/c.json", NULL, "{", NULL),
        SYNCLINE_EMALFORMED);
    CHECK_INT(syncline_config_ha_addon(
                  &c, "/tmp/c.json", NULL, "{\"sync_port\":0}", NULL),
        SYNCLINE_EINVAL);
    CHECK(strstr(syncline_error(), "sync_port") != NULL);
    CHECK(c == NULL);
    CHECK_OK(syncline_config_free(NULL));
}

TEST(one_alone_is_told_of_its_file_and_keeps_what_it_was)
{
    char *names, *value, instance[128], again[128];
    struct app a;

    app_make(&a);
    write_file(a.file, "{\"x\": 1}");
    CHECK_OK(syncline_config_single(&a.c, a.file, a.dir, NULL));
    CHECK_OK(syncline_config_on_update(a.c, on_update, &a));
    check_member(&a, "running", "false");
    check_member(&a, "instance_id", "null");
    CHECK(syncline_config_node(a.c) == NULL);
    CHECK_INT(syncline_config_force(a.c), SYNCLINE_ECLOSED);
    CHECK_INT(
        syncline_config_version(a.c, "latest", &value), SYNCLINE_ENOTFOUND);
    CHECK_OK(syncline_config_start(a.c));
    CHECK_INT(syncline_config_start(a.c), SYNCLINE_EBUSY);
    await_told(&a, "{\"x\":1}");
    for (int i = 0; i < 6; i++)
        CHECK_INT(a.in_callback[i], i < 3 ? SYNCLINE_OK : SYNCLINE_EBUSY);
    check_member(&a, "running", "true");
    check_member(&a, "server_enabled", "false");
    check_member(&a, "server_port", "null");
    check_member(&a, "peer_count", "0");
    check_member(&a, "last_sync_time", "0.0");
    check_member(&a, "config_versions", "1");
    (void)member(&a, "instance_id", instance, sizeof instance);
    CHECK(strncmp(instance, "\"syncline_", 10) == 0);
    write_file(a.file, "{\"x\": 2}");
    await_told(&a, "{\"x\":2}");
    CHECK_SLICE(slice_str(a.file_then), "{\"x\": 2}");
    check_member(&a, "config_versions", "2");
    CHECK_OK(syncline_put(
        syncline_config_node(a.c), "config", "config", "{\"x\":3}"));
    await_told(&a, "{\"x\":3}");
    CHECK_SLICE(slice_str(a.file_then), "{\"x\": 3}");
    CHECK_UINT(a.told, 3);
    CHECK_OK(syncline_config_stop(a.c));
    CHECK_OK(syncline_config_stop(a.c));
    check_member(&a, "running", "false");
    CHECK_SLICE(
        slice_str(member(&a, "instance_id", again, sizeof again)), instance);
    check_member(&a, "config_versions", "3");
    CHECK_OK(syncline_config_versions(a.c, &names));
    CHECK(strstr(names, "_001.json\",\"") != NULL ||
        strstr(names, ".json\",\"config_") != NULL);
    syncline_free(names);
    CHECK_OK(syncline_config_version(a.c, "latest", &value));
    CHECK_SLICE(slice_str(value), "{\"x\":3}");
    syncline_free(value);
    /* Changed while nothing ran. */
    write_file(a.file, "{\"x\": 4}");
    CHECK_OK(syncline_config_start(a.c));
    await_told(&a, "{\"x\":4}");
    app_remove(&a);
}

TEST(a_file_that_is_no_json_or_a_port_that_is_taken_starts_nothing)
{
    struct app a, b;

    app_make(&a);
    write_file(a.file, "{\"x\": ");
    CHECK_OK(syncline_config_single(&a.c, a.file, NULL, NULL));
    CHECK_INT(syncline_config_start(a.c), SYNCLINE_EMALFORMED);
    CHECK(strstr(syncline_error(), "config.json") != NULL);
    CHECK(syncline_config_node(a.c) == NULL);
    write_file(a.file, "{\"x\": 1}");
    CHECK_OK(syncline_config_free(a.c));
    a.opt.server = 1;
    a.opt.port = SYNCLINE_ANY_PORT;
    app_start(&a);
    app_make(&b);
    b.opt.server = 1;
    {
        char port[16];

        b.opt.port = atoi(member(&a, "server_port", port, sizeof port));
    }
    CHECK_OK(syncline_config_new(&b.c, &b.opt));
    CHECK_INT(syncline_config_start(b.c), SYNCLINE_EBUSY);
    CHECK(syncline_config_node(b.c) == NULL);
    CHECK_OK(syncline_config_stop(a.c));
    CHECK_OK(syncline_config_start(b.c));
    /* Of one folder there is one at a time. */
    CHECK_OK(syncline_config_free(a.c));
    a.opt.base_dir = b.dir;
    CHECK_OK(syncline_config_new(&a.c, &a.opt));
    CHECK_INT(syncline_config_start(a.c), SYNCLINE_EBUSY);
    app_remove(&b);
    app_remove(&a);
}

/* Another path in the same folder: the file of before is left alone. */
TEST(the_folder_has_one_file_at_a_time)
{
    char other[128], text[64];
    struct app a;

    app_make(&a);
    write_file(a.file, "{\"x\": 1}");
    app_start(&a);
    await_told(&a, "{\"x\":1}");
    CHECK_OK(syncline_config_free(a.c));
    (void)snprintf(other, sizeof other, "%s/other.json", a.dir);
    a.opt.path = other;
    a.opt.versions = 2;
    app_start(&a);
    CHECK_OK(syncline_put(
        syncline_config_node(a.c), "config", "config", "{\"x\":2}"));
    await_told(&a, "{\"x\":2}");
    CHECK_OK(syncline_put(
        syncline_config_node(a.c), "config", "config", "{\"x\":3}"));
    await_told(&a, "{\"x\":3}");
    check_member(&a, "config_versions", "2");
    read_file(a.file, text, sizeof text);
    CHECK_SLICE(slice_str(text), "{\"x\": 1}");
    read_file(other, text, sizeof text);
    CHECK_SLICE(slice_str(text), "{\n  \"x\": 3\n}");
    app_remove(&a);
}

/* Also after a start with another one, which counts from then on. */
TEST(what_a_schema_forbids_is_not_taken)
{
    static const char digits[] = "{\"properties\":{\"x\":{\"type\":"
                                 "\"integer\"}}}";
    char *bindings, text[64];
    struct app a;

    app_make(&a);
    write_file(a.file, "{\"x\": \"no\"}");
    a.opt.schema = "{\"type\":";
    CHECK_INT(syncline_config_new(&a.c, &a.opt), SYNCLINE_EMALFORMED);
    a.opt.schema = "{\"type\":7}";
    CHECK_INT(syncline_config_new(&a.c, &a.opt), SYNCLINE_EINVAL);
    a.opt.schema = digits;
    CHECK_OK(syncline_config_new(&a.c, &a.opt));
    CHECK_INT(syncline_config_start(a.c), SYNCLINE_EINVAL);
    CHECK(strstr(syncline_error(), "/x") != NULL);
    write_file(a.file, "{\"x\": 1}");
    CHECK_OK(syncline_config_on_update(a.c, on_update, &a));
    CHECK_OK(syncline_config_start(a.c));
    await_told(&a, "{\"x\":1}");
    CHECK_OK(syncline_put(
        syncline_config_node(a.c), "config", "config", "{\"x\":\"no\"}"));
    do {
        CHECK_OK(syncline_bindings(syncline_config_node(a.c), &bindings));
        (void)snprintf(text, sizeof text, "%s",
            strstr(bindings, "file-item-refused") != NULL ? "refused" : "");
        syncline_free(bindings);
    } while (text[0] == 0);
    read_file(a.file, text, sizeof text);
    CHECK_SLICE(slice_str(text), "{\"x\": 1}");
    CHECK_OK(syncline_config_free(a.c));
    a.opt.schema = NULL;
    CHECK_OK(syncline_config_new(&a.c, &a.opt));
    CHECK_OK(syncline_config_on_update(a.c, on_update, &a));
    CHECK_OK(syncline_config_start(a.c));
    app_remove(&a);
}

/* ---- two ---- */

TEST(a_server_and_a_client_say_the_same)
{
    const char *peers[2] = { NULL, NULL };
    char url[64], port[16], base[128], text[80];
    struct app a, b;

    app_make(&a);
    app_make(&b);
    a.opt.server = 1;
    a.opt.port = SYNCLINE_ANY_PORT;
    a.opt.instance = "hub";
    write_file(a.file, "{\"x\": 1}");
    app_start(&a);
    check_member(&a, "instance_id", "\"hub\"");
    (void)snprintf(url, sizeof url, "ws://127.0.0.1:%s/sync",
        member(&a, "server_port", port, sizeof port));
    peers[0] = url;
    b.opt.peers = peers;
    (void)snprintf(base, sizeof base, "%s/base", b.dir);
    CHECK(mkdir(base, 0700) == 0);
    b.opt.base_dir = base;
    app_start(&b);
    (void)snprintf(text, sizeof text, "[\"%s\"", url);
    check_member(&b, "peer_urls", text);
    peers[0] = "ws://nowhere/sync"; /* they were copied */
    await_told(&b, "{\"x\":1}");
    CHECK_SLICE(slice_str(b.file_then), "{\n  \"x\": 1\n}");
    check_member(&b, "peer_count", "1");
    check_member(&b, "config_versions", "1");
    CHECK(strcmp(member(&b, "last_sync_time", text, sizeof text), "0.0") != 0);
    check_member(&a, "last_sync_time", "0.0");
    write_file(b.file, "{\"x\": 2, \"y\": 1}");
    await_told(&a, "{\"x\":2,\"y\":1}");
    write_file(a.file, "{\"x\": 3}");
    await_told(&b, "{\"x\":3}");
    CHECK_OK(syncline_config_force(a.c));
    CHECK_OK(syncline_config_force(b.c));
    /* Changed while they were apart. */
    CHECK_OK(syncline_config_stop(b.c));
    CHECK(strcmp(member(&b, "last_sync_time", text, sizeof text), "0.0") != 0);
    write_file(b.file, "{\"x\": 4}");
    CHECK_OK(syncline_config_start(b.c));
    check_member(&b, "last_sync_time", "0.0");
    await_told(&a, "{\"x\":4}");
    await_member(&a, "config_versions", "4");
    app_remove(&b);
    app_remove(&a);
}

/* Whoever is called is a socket that takes down what he is asked. */
TEST(a_peer_that_wants_a_token_is_shown_it)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t at_len = sizeof at;
    const char *peers[2] = { NULL, NULL };
    char url[64], path[128], line[128], head[2048] = "";
    int door = socket(AF_INET, SOCK_STREAM, 0), caller;
    struct app a;

    CHECK(bind(door, (const struct sockaddr *)&at, sizeof at) == 0);
    CHECK(listen(door, 8) == 0);
    CHECK(getsockname(door, (struct sockaddr *)&at, &at_len) == 0);
    (void)snprintf(
        url, sizeof url, "ws://127.0.0.1:%u/sync", ntohs(at.sin_port));
    peers[0] = url;
    app_make(&a);
    (void)snprintf(path, sizeof path, "%s/tokens", a.dir);
    a.opt.peers = peers;
    a.opt.tokens = path;
    CHECK_INT(syncline_config_new(&a.c, &a.opt), SYNCLINE_ENOTFOUND);
    write_file(path, "ws://elsewhere/sync sync_secret\n");
    CHECK(chmod(path, 0644) == 0);
    CHECK_INT(syncline_config_new(&a.c, &a.opt), SYNCLINE_EDENIED);
    CHECK(chmod(path, 0600) == 0);
    CHECK_INT(syncline_config_new(&a.c, &a.opt), SYNCLINE_EINVAL);
    CHECK(strstr(syncline_error(), "line 1") != NULL);
    CHECK(strstr(syncline_error(), "sync_secret") == NULL);
    (void)snprintf(line, sizeof line, "# of it\n%s sync_secret\n", url);
    write_file(path, line);
    write_file(a.file, "{\"x\": 1}");
    CHECK_OK(syncline_config_new(&a.c, &a.opt));
    CHECK_OK(syncline_config_start(a.c));
    caller = accept(door, NULL, NULL);
    CHECK(caller >= 0);
    for (size_t n = 0; strstr(head, "\r\n\r\n") == NULL;) {
        ssize_t got = read(caller, head + n, sizeof head - 1 - n);

        CHECK(got > 0);
        n += (size_t)got;
    }
    CHECK(strstr(head, "Authorization: Bearer sync_secret\r\n") != NULL);
    CHECK(close(caller) == 0);
    CHECK(close(door) == 0);
    app_remove(&a);
}

/* ---- many threads ---- */

struct crowd {
    struct syncline_config *c;
    atomic_bool over;
    atomic_uint answers;
};

static void *ask_all_the_time(void *arg)
{
    struct crowd *x = arg;

    while (!atomic_load(&x->over)) {
        char *text = NULL;
        int rc = syncline_config_status(x->c, &text);

        if (rc == SYNCLINE_OK)
            atomic_fetch_add(&x->answers, 1);
        else if (rc != SYNCLINE_ECLOSED)
            return x;
        syncline_free(text);
        rc = syncline_config_force(x->c);
        if (rc != SYNCLINE_OK && rc != SYNCLINE_ECLOSED)
            return x;
    }
    return NULL;
}

TEST(it_is_asked_by_many_while_it_starts_and_stops)
{
    struct crowd x = { .over = false };
    pthread_t threads[3];
    struct app a;

    app_make(&a);
    write_file(a.file, "{\"x\": 1}");
    CHECK_OK(syncline_config_new(&a.c, &a.opt));
    x.c = a.c;
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, ask_all_the_time, &x) == 0);
    for (int i = 0; i < 4; i++) {
        unsigned seen = atomic_load(&x.answers);

        CHECK_SAYING(syncline_config_start(a.c) == SYNCLINE_OK, "start: %s",
            syncline_error());
        while (atomic_load(&x.answers) < seen + 20)
            (void)usleep(1000);
        CHECK_OK(syncline_config_stop(a.c));
    }
    atomic_store(&x.over, true);
    for (int i = 0; i < 3; i++) {
        void *wrong = NULL;

        CHECK(pthread_join(threads[i], &wrong) == 0);
        CHECK(wrong == NULL);
    }
    app_remove(&a);
}

/* ---- the last callback ---- */

struct last {
    struct syncline_config *c;
    int start, stop, free;
};

static void on_last(void *ctx, const struct syncline_event *event)
{
    struct last *x = ctx;

    if (event->type != SYNCLINE_EVENT_END)
        return;
    x->start = syncline_config_start(x->c);
    x->stop = syncline_config_stop(x->c);
    x->free = syncline_config_free(x->c);
}

/* Its node is being closed by then, and it is another thread's to end it. */
TEST(the_last_callback_cannot_end_it_either)
{
    struct syncline_watch *w;
    struct last x;
    struct app a;

    app_make(&a);
    app_start(&a);
    x = (struct last){ .c = a.c };
    CHECK_OK(syncline_watch(
        &w, syncline_config_node(a.c), NULL, NULL, NULL, on_last, &x));
    CHECK_OK(syncline_config_stop(a.c));
    syncline_unwatch(w);
    CHECK_INT(x.start, SYNCLINE_EBUSY);
    CHECK_INT(x.stop, SYNCLINE_EBUSY);
    CHECK_INT(x.free, SYNCLINE_EBUSY);
    CHECK_OK(syncline_config_start(a.c));
    app_remove(&a);
}
