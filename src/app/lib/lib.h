/* lib.h - the inside of a library handle, shared by the files of the public
 * interface (syncline.h).
 *
 * Everything the engine does happens on the thread that runs the loop. A call
 * is an `ask`: it waits in a queue until the loop takes it, then it is under
 * way until its last answer. The lock guards the two lists and the flags; it
 * is never held while a callback runs. */
#ifndef SYNCLINE_APP_LIB_H
#define SYNCLINE_APP_LIB_H

#include "app/config/config_face.h"
#include "app/engine/engine.h"
#include "io/forks.h"

#include <pthread.h>

#define LIB_ADDRS_MAX 64

struct lib_addrs {
    struct netaddr e[LIB_ADDRS_MAX];
    size_t n;
};

struct ask {
    struct ask *next, **at; /* at: what points here, once under way */
    struct syncline *owner;
    uint64_t id;
    uint64_t request; /* the engine's; 0: it has not been given to it */
    struct arena arena;
    const struct json *args; /* in arena, until the engine has it */
    syncline_answer_fn *fn;
    void *ctx;
    bool muted;   /* cancelled: fn is not called any more */
    bool running; /* fn is being called */
};

struct lib_resolver;

struct syncline {
    uv_loop_t loop;
    uv_async_t wake;
    struct engine *engine;
    pthread_t thread;
    bool started;
    unsigned forks; /* as of forks_n, when it was opened */

    /* Options that outlive syncline_open. */
    struct lib_addrs listen, peers, advertise;
    char *name, *interface;
    syncline_log_fn *log;
    void *log_ctx;
    struct log_levels levels, first_levels;
    syncline_resolve_fn *resolve;
    void *resolve_ctx;
    struct lib_resolver *resolvers; /* under the lock */
    syncline_file_fn *on_file;
    void *on_file_ctx;
    struct slice *roots;
    size_t roots_n;

    struct config_face *face;       /* NULL: none; the loop's */
    struct syncline_config *config; /* whose node it is; NULL: nobody's */

    struct buf text; /* of the answer being given; the loop's */
    bool failed;     /* the store did; the loop's */
    int close_rc;    /* how the engine closed */

    pthread_mutex_t lock;
    pthread_cond_t quiet; /* a muted callback returned, or the last caller */
    struct ask *queue, **queue_end;
    struct ask *under_way;
    struct syncline_watch *watches;
    uint64_t next_id;
    unsigned callers; /* that wait for an answer */
    bool closing, any_muted;
};

/* ---- syncline.c ---- */

/* Keeps the sentence for syncline_error and returns rc. */
int lib_fail(int rc, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same for what libuv says. */
int lib_fail_uv(int uv);
/* ECLOSED in a child of fork(), for what its parent has made. */
NODISCARD int lib_check_forks(unsigned forks);
/* True on the thread that runs this node, in one of its callbacks. */
bool lib_inside(const struct syncline *s);
/* Runs the loop on the caller's thread. */
void lib_run(struct syncline *s, uv_run_mode mode);

/* ---- lib_watch.c ---- */

/* The handle goes; what still watches it may be freed later. */
void lib_orphan_watches(struct syncline *s);

/* ---- lib_options.c ---- */

/* Reads options of this or an earlier version into s and out; out borrows
 * from both. */
NODISCARD int lib_options(struct syncline *s,
    const struct syncline_options *given, struct engine_options *out);

struct log lib_log(struct syncline *s);

/* ---- lib_resolve.c ---- */

/* Of a struct syncline. */
struct json *lib_resolve(
    void *ctx, const struct node_conflict *c, struct arena *a);
void lib_resolvers_free(struct syncline *s);

/* ---- lib_config.c ---- */

/* A file has come to agree with its item; on the loop. */
void lib_config_kept(
    struct syncline_config *c, const char *file, struct slice json);

/* ---- lib_calls.c ---- */

/* Queues a request; args live in a, whose content goes along (a is empty
 * afterwards, also on failure). Errors: ECLOSED, ENOMEM. */
NODISCARD int lib_post(struct syncline *s, struct arena *a,
    const struct json *args, syncline_answer_fn *fn, void *ctx, uint64_t *id);
void lib_cancel(struct syncline *s, uint64_t id);
/* Queues it and waits for its one answer, appended to text with a NUL that
 * does not count. */
NODISCARD int lib_call(struct syncline *s, struct arena *a,
    const struct json *args, struct buf *text);
/* On the loop: gives the engine what it can take and ends what was
 * cancelled. */
void lib_take(struct syncline *s);
/* On the loop: whoever still waits is told why there is no answer. */
void lib_refuse_all(struct syncline *s, int rc, const char *why);

#endif
