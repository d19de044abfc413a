#include "unit/library_world.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 20

static const char *const loopback[] = { "127.0.0.1:0", NULL };

void site_make(struct site *x, const char *name)
{
    *x = (struct site){ .dir = "/tmp/syncline-library-XXXXXX" };
    CHECK(mkdtemp(x->dir) != NULL);
    x->opt.size = sizeof x->opt;
    x->opt.name = name;
    x->opt.listen = loopback;
    x->opt.no_discovery = 1;
}

/* The first address in `status`. */
void site_learn(struct site *x)
{
    char *status, *at, *end;

    CHECK_OK(syncline_status(x->s, &status));
    at = strstr(status, "\"listen\":[\"");
    CHECK(at != NULL);
    at += strlen("\"listen\":[\"");
    end = strchr(at, '"');
    *end = 0;
    (void)snprintf(x->address, sizeof x->address, "%s", at);
    syncline_free(status);
}

void site_open(struct site *x)
{
    x->opt.dir = x->dir;
    CHECK_SAYING(syncline_open(&x->s, &x->opt) == SYNCLINE_OK,
        "syncline_open: %s", syncline_error());
}

void site_start(struct site *x)
{
    site_open(x);
    CHECK_OK(syncline_start(x->s));
    site_learn(x);
}

void site_close(struct site *x)
{
    struct syncline *s = x->s;

    x->s = NULL;
    CHECK_OK(syncline_close(s));
}

static int remove_one(
    const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void tree_remove(const char *dir)
{
    CHECK(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

void site_remove(struct site *x)
{
    site_close(x);
    tree_remove(x->dir);
}

void site_pair(struct site *a, struct site *b)
{
    char *code;

    CHECK_OK(syncline_invite(a->s, 0, &code));
    CHECK_SAYING(syncline_join(b->s, code, a->address) == SYNCLINE_OK,
        "syncline_join: %s", syncline_error());
    syncline_free(code);
}

static bool has_value(struct syncline *s, const char *key, const char *want)
{
    char *value = NULL;
    bool same = syncline_get(s, NULL, key, &value) == SYNCLINE_OK &&
        strcmp(value, want) == 0;

    syncline_free(value);
    return same;
}

void check_value(struct syncline *s, const char *key, const char *want)
{
    char *value;

    CHECK_OK(syncline_get(s, NULL, key, &value));
    CHECK_SLICE(slice_str(value), want);
    syncline_free(value);
}

void await_value(struct syncline *s, const char *key, const char *want)
{
    const struct timespec pause = { .tv_nsec = 2000000 };
    time_t limit = time(NULL) + PATIENCE_S;

    while (!has_value(s, key, want) && time(NULL) <= limit)
        (void)nanosleep(&pause, NULL);
    check_value(s, key, want);
}

void told_init(struct told *t)
{
    *t = (struct told){ .n = 0 };
    CHECK(pthread_mutex_init(&t->lock, NULL) == 0);
    CHECK(pthread_cond_init(&t->more, NULL) == 0);
}

void told_free(struct told *t)
{
    (void)pthread_cond_destroy(&t->more);
    (void)pthread_mutex_destroy(&t->lock);
}

static void keep(char *to, size_t max, const char *text)
{
    (void)snprintf(to, max, "%s", text == NULL ? "" : text);
}

void on_told(void *ctx, const struct syncline_event *ev)
{
    struct told *t = ctx;

    (void)pthread_mutex_lock(&t->lock);
    if (t->n < TOLD_MAX) {
        t->e[t->n].type = ev->type;
        t->e[t->n].status = ev->status;
        keep(t->e[t->n].key, sizeof t->e[0].key, ev->key);
        keep(t->e[t->n].value, sizeof t->e[0].value, ev->value);
        keep(t->e[t->n].cursor, sizeof t->e[0].cursor, ev->cursor);
        t->n++;
    }
    (void)pthread_cond_broadcast(&t->more);
    (void)pthread_mutex_unlock(&t->lock);
}

void count_await(struct told *t, const int *count, int n)
{
    struct timespec limit;
    int rc = 0;

    (void)clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&t->lock);
    while (*count < n && rc == 0)
        rc = pthread_cond_timedwait(&t->more, &t->lock, &limit);
    (void)pthread_mutex_unlock(&t->lock);
    CHECK_SAYING(rc == 0, "%d came, not %d", *count, n);
}

void told_await(struct told *t, unsigned n)
{
    struct timespec limit;
    int rc = 0;

    (void)clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&t->lock);
    while (t->n < n && rc == 0)
        rc = pthread_cond_timedwait(&t->more, &t->lock, &limit);
    (void)pthread_mutex_unlock(&t->lock);
    CHECK_SAYING(rc == 0, "%u events came, not %u", t->n, n);
}
