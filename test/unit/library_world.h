/* library_world.h - for tests of the library: nodes in folders of their own,
 * and a watcher that remembers what it was told.
 *
 * Uses nothing but syncline.h, as any program would. */
#ifndef SYNCLINE_TEST_UNIT_LIBRARY_WORLD_H
#define SYNCLINE_TEST_UNIT_LIBRARY_WORLD_H

#include "unit/check.h"

#include "syncline.h"

#include <pthread.h>

#define SITE_MAX 4
#define TOLD_MAX 4096

/* One machine. */
struct site {
    char dir[64];
    char address[64]; /* where it listens */
    struct syncline *s;
    struct syncline_options opt; /* for the next site_open */
};

/* Makes the folder; listens on loopback, finds nobody by itself. */
void site_make(struct site *x, const char *name);
void site_open(struct site *x);  /* not started */
void site_start(struct site *x); /* open, with its own thread */
void site_learn(struct site *x); /* where it listens, once it runs */
void site_close(struct site *x);
void site_remove(struct site *x); /* closes it if it is open */
/* A folder, and all that is in it. */
void tree_remove(const char *dir);
/* b joins a; both are started, or b runs in the caller's loop. */
void site_pair(struct site *a, struct site *b);

/* Fails the test unless the item's value is (becomes within 20 s) this. */
void check_value(struct syncline *s, const char *key, const char *want);
void await_value(struct syncline *s, const char *key, const char *want);

/* What a watch has told so far; keeps everything. */
struct told {
    pthread_mutex_t lock;
    pthread_cond_t more;
    unsigned n;
    struct {
        enum syncline_event_type type;
        int status;
        char key[64], value[256], cursor[256];
    } e[TOLD_MAX];
};

void told_init(struct told *t);
void told_free(struct told *t);
/* A syncline_watch_fn; ctx is a struct told. */
void on_told(void *ctx, const struct syncline_event *ev);
/* Waits until n events have come; fails after 20 s. */
/* Until a number that changes under its lock is at least n. */
void count_await(struct told *t, const int *count, int n);
void told_await(struct told *t, unsigned n);

#endif
