#include "unit/library_world.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* ---- one node ---- */

TEST(what_was_put_can_be_read_changed_listed_and_deleted)
{
    struct site a;
    char *text;

    site_make(&a, "a");
    site_start(&a);
    CHECK_OK(syncline_put(a.s, NULL, "lamp", "{\"on\":true, \"level\":1}"));
    check_value(a.s, "lamp", "{\"level\":1,\"on\":true}");
    CHECK_OK(syncline_patch(a.s, NULL, "lamp", "{\"level\":2}"));
    check_value(a.s, "lamp", "{\"level\":2,\"on\":true}");
    CHECK_OK(syncline_delete(a.s, NULL, "lamp"));
    CHECK_INT(syncline_get(a.s, NULL, "lamp", &text), SYNCLINE_ENOTFOUND);
    CHECK_OK(syncline_history(a.s, NULL, "lamp", &text));
    CHECK(strstr(text, "\"what\":\"delete\"") != NULL);
    syncline_free(text);
    site_remove(&a);
}

struct listing {
    unsigned n;
    unsigned stop_at;
    char last[64];
};

static int on_item(void *ctx, const char *key, const char *value)
{
    struct listing *l = ctx;

    CHECK(strcmp(l->last, key) < 0); /* in order */
    CHECK(strcmp(value, "1") == 0);
    (void)snprintf(l->last, sizeof l->last, "%s", key);
    return ++l->n == l->stop_at ? 77 : 0;
}

/* More than a page of them, so the listing asks more than once. */
static void put_many(struct syncline *s, unsigned n)
{
    char *ops = malloc(n * 40 + 3), *at = ops;

    CHECK(ops != NULL);
    for (unsigned i = 0; i < n; i++)
        at += sprintf(
            at, "%c{\"key\":\"many/%05u\",\"value\":1}", i == 0 ? '[' : ',', i);
    strcpy(at, "]");
    CHECK_OK(syncline_batch(s, NULL, ops));
    free(ops);
}

TEST(a_list_of_many_pages_is_whole_and_can_be_ended)
{
    struct listing all = { 0 }, some = { .stop_at = 3 };
    struct site a;

    site_make(&a, "a");
    site_start(&a);
    put_many(a.s, 1001);
    CHECK_OK(syncline_put(a.s, NULL, "other", "2"));
    CHECK_OK(syncline_list(a.s, NULL, "many/", on_item, &all));
    CHECK_UINT(all.n, 1001);
    CHECK_INT(syncline_list(a.s, NULL, "many/", on_item, &some), 77);
    CHECK_UINT(some.n, 3);
    site_remove(&a);
}

TEST(a_watch_goes_on_from_its_cursor)
{
    struct syncline_watch *w;
    struct told t;
    struct site a;

    site_make(&a, "a");
    site_start(&a);
    told_init(&t);
    CHECK_OK(syncline_put(a.s, NULL, "k1", "1"));
    CHECK_OK(syncline_put(a.s, NULL, "k2", "2"));
    CHECK_OK(syncline_watch(&w, a.s, NULL, "k", "start", on_told, &t));
    told_await(&t, 3);
    syncline_unwatch(w);
    CHECK_SLICE(slice_str(t.e[0].key), "k1");
    CHECK_SLICE(slice_str(t.e[1].value), "2");
    CHECK_INT(t.e[2].type, SYNCLINE_EVENT_LIVE);

    CHECK_OK(syncline_delete(a.s, NULL, "k1"));
    t.n = 0;
    CHECK_OK(syncline_watch(&w, a.s, NULL, "k", t.e[0].cursor, on_told, &t));
    told_await(&t, 3);
    syncline_unwatch(w);
    CHECK_SLICE(slice_str(t.e[0].key), "k2");
    CHECK_INT(t.e[1].type, SYNCLINE_EVENT_DELETED);
    CHECK_SLICE(slice_str(t.e[1].key), "k1");
    told_free(&t);
    site_remove(&a);
}

TEST(a_watch_that_cannot_be_says_so_and_ends)
{
    struct syncline_watch *space, *cursor;
    struct told t, u;
    struct site a;

    site_make(&a, "a");
    site_start(&a);
    told_init(&t);
    told_init(&u);
    CHECK_OK(syncline_watch(&space, a.s, "nowhere", NULL, NULL, on_told, &t));
    CHECK_OK(syncline_watch(&cursor, a.s, NULL, NULL, "x", on_told, &u));
    told_await(&t, 1);
    told_await(&u, 1);
    CHECK_INT(t.e[0].type, SYNCLINE_EVENT_END);
    CHECK_INT(t.e[0].status, SYNCLINE_ENOTFOUND);
    CHECK_INT(u.e[0].status, SYNCLINE_EINVAL);
    syncline_unwatch(space);
    syncline_unwatch(cursor);
    told_free(&t);
    told_free(&u);
    site_remove(&a);
}

/* ---- several threads ---- */

#define WRITERS 4
#define WRITES 50

static void *write_some(void *arg)
{
    struct syncline *s = arg;
    char key[64];

    for (int i = 0; i < WRITES; i++) {
        (void)snprintf(
            key, sizeof key, "%lx/%d", (unsigned long)pthread_self(), i);
        if (syncline_put(s, NULL, key, "1") != SYNCLINE_OK)
            return "failed";
    }
    return NULL;
}

TEST(many_threads_may_call_at_once)
{
    pthread_t threads[WRITERS];
    struct listing l = { 0 };
    struct site a;

    site_make(&a, "a");
    site_start(&a);
    for (int i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&threads[i], NULL, write_some, a.s) == 0);
    for (int i = 0; i < WRITERS; i++) {
        void *failed;

        CHECK(pthread_join(threads[i], &failed) == 0);
        CHECK(failed == NULL);
    }
    CHECK_OK(syncline_list(a.s, NULL, NULL, on_item, &l));
    CHECK_UINT(l.n, WRITERS * WRITES);
    site_remove(&a);
}

/* A write that waits for a peer that never comes. */
static void *wait_for_nobody(void *arg)
{
    char *answer = NULL;

    if (syncline_request(arg,
            "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"wait\":1,"
            "\"wait_ms\":600000}",
            &answer) != SYNCLINE_OK)
        return NULL;
    return answer;
}

TEST(closing_ends_what_is_under_way)
{
    struct syncline_watch *w;
    pthread_t waiter;
    struct told t;
    struct site a, b;
    void *answer;

    site_make(&a, "a");
    site_make(&b, "b");
    site_start(&a);
    site_start(&b);
    site_pair(&a, &b);
    site_remove(&b);
    told_init(&t);
    CHECK_OK(syncline_watch(&w, a.s, NULL, NULL, NULL, on_told, &t));
    told_await(&t, 1);
    CHECK(pthread_create(&waiter, NULL, wait_for_nobody, a.s) == 0);
    told_await(&t, 2); /* so the write has been taken */
    site_remove(&a);
    CHECK(pthread_join(waiter, &answer) == 0);
    CHECK(answer != NULL && strstr(answer, "ECLOSED") != NULL);
    syncline_free(answer);
    CHECK_UINT(t.n, 3);
    CHECK_INT(t.e[0].type, SYNCLINE_EVENT_LIVE);
    CHECK_INT(t.e[1].type, SYNCLINE_EVENT_PUT);
    CHECK_INT(t.e[2].type, SYNCLINE_EVENT_END);
    CHECK_INT(t.e[2].status, SYNCLINE_ECLOSED);
    syncline_unwatch(w); /* its node is gone */
    told_free(&t);
}

/* ---- callbacks ---- */

struct chatter {
    struct syncline *s;
    struct told told;
    int put, close, answers;
    uint64_t id;
};

static void on_chat_answer(void *ctx, const char *answer, int more)
{
    struct chatter *c = ctx;

    (void)more;
    (void)pthread_mutex_lock(&c->told.lock);
    c->answers += strstr(answer, "\"ok\":true") != NULL;
    (void)pthread_cond_broadcast(&c->told.more);
    (void)pthread_mutex_unlock(&c->told.lock);
}

static void on_chat_event(void *ctx, const struct syncline_event *ev)
{
    struct chatter *c = ctx;

    if (c->told.n == 0) {
        c->put = syncline_put(c->s, NULL, "b", "1");
        c->close = syncline_close(c->s);
        (void)syncline_send(c->s, "{\"op\":\"put\",\"key\":\"b\",\"value\":1}",
            on_chat_answer, c, NULL);
    }
    on_told(&c->told, ev);
}

TEST(a_callback_may_send_but_not_wait)
{
    struct chatter c = { 0 };
    struct syncline_watch *w;
    struct site a;

    site_make(&a, "a");
    site_start(&a);
    told_init(&c.told);
    c.s = a.s;
    CHECK_OK(syncline_watch(&w, a.s, NULL, NULL, NULL, on_chat_event, &c));
    told_await(&c.told, 2);
    CHECK_INT(c.put, SYNCLINE_EBUSY);
    CHECK_INT(c.close, SYNCLINE_EBUSY);
    CHECK_SLICE(slice_str(c.told.e[1].key), "b");
    syncline_unwatch(w);
    await_value(a.s, "b", "1");
    count_await(&c.told, &c.answers, 1); /* it may be on its way yet */
    site_remove(&a);
    CHECK_INT(c.answers, 1);
    told_free(&c.told);
}

/* ---- two nodes ---- */

TEST(two_nodes_in_one_process_keep_items_the_same)
{
    struct syncline_watch *w;
    struct site a, b;
    struct told t;

    site_make(&a, "a");
    site_make(&b, "b");
    site_start(&a);
    site_start(&b);
    CHECK_OK(syncline_put(a.s, NULL, "before", "\"pairing\""));
    site_pair(&a, &b);
    await_value(b.s, "before", "\"pairing\"");
    told_init(&t);
    CHECK_OK(syncline_watch(&w, b.s, NULL, NULL, NULL, on_told, &t));
    told_await(&t, 1);
    CHECK_OK(syncline_put(a.s, NULL, "after", "{\"x\":[1,2]}"));
    told_await(&t, 2);
    CHECK_SLICE(slice_str(t.e[1].key), "after");
    CHECK_SLICE(slice_str(t.e[1].value), "{\"x\":[1,2]}");
    CHECK_OK(syncline_put(b.s, NULL, "back", "null"));
    await_value(a.s, "back", "null");
    syncline_unwatch(w);
    told_free(&t);
    site_remove(&b);
    site_remove(&a);
}

/* Keeps both values, as an array in the order in which it was asked. */
static char *keep_all(void *ctx, const char *conflict)
{
    const char *from = strstr(conflict, "\"siblings\":");
    const char *to = strstr(conflict, ",\"ancestor\":");

    atomic_fetch_add((atomic_int *)ctx, 1);
    from += strlen("\"siblings\":");
    return strndup(from, (size_t)(to - from));
}

TEST(a_resolver_settles_what_was_written_apart)
{
    atomic_int asked[2] = { 0, 0 };
    const char *peers[2] = { NULL, NULL };
    struct site a, b;
    char *of_a, *of_b;

    site_make(&a, "a");
    site_make(&b, "b");
    a.opt.resolve = b.opt.resolve = keep_all;
    a.opt.resolve_ctx = &asked[0];
    b.opt.resolve_ctx = &asked[1];
    site_start(&a);
    site_start(&b);
    site_pair(&a, &b);
    CHECK_OK(syncline_set_policy(a.s, NULL, NULL, "custom"));
    CHECK_OK(syncline_put(a.s, NULL, "note", "\"old\""));
    await_value(b.s, "note", "\"old\"");
    site_close(&a);
    CHECK_OK(syncline_put(b.s, NULL, "note", "\"of b\""));
    site_close(&b);
    site_start(&a);
    CHECK_OK(syncline_put(a.s, NULL, "note", "\"of a\""));
    peers[0] = a.address;
    b.opt.peers = peers;
    site_start(&b);
    for (int i = 0; i < 2000 && asked[0] + asked[1] == 0; i++)
        (void)poll(NULL, 0, 10);
    CHECK(asked[0] + asked[1] > 0);
    CHECK_OK(syncline_get(b.s, NULL, "note", &of_b));
    for (int i = 0; i < 2000 && of_b[0] != '['; i++) {
        (void)poll(NULL, 0, 10);
        syncline_free(of_b);
        CHECK_OK(syncline_get(b.s, NULL, "note", &of_b));
    }
    CHECK(strstr(of_b, "of a") != NULL && strstr(of_b, "of b") != NULL);
    await_value(a.s, "note", of_b);
    syncline_free(of_b);
    CHECK_OK(syncline_conflicts(a.s, NULL, &of_a));
    CHECK_SLICE(slice_str(of_a), "[]");
    syncline_free(of_a);
    site_remove(&b);
    site_remove(&a);
}

/* The older way to merge documents: both texts, in the order of all. */
static char *join_texts(void *ctx, const char *conflict)
{
    const char *from = strstr(conflict, "\"siblings\":[\"");
    const char *between = from != NULL ? strstr(from, "\",\"") : NULL;
    const char *to = between != NULL ? strstr(between, "\"],") : NULL;
    char text[256];

    atomic_fetch_add((atomic_int *)ctx, 1);
    if (to == NULL || strstr(conflict, "\"type\":\"document\"") == NULL)
        return NULL;
    from += strlen("\"siblings\":[\"");
    (void)snprintf(text, sizeof text, "\"%.*s\\n---\\n%.*s\"",
        (int)(between - from), from, (int)(to - between - 3), between + 3);
    return strdup(text);
}

static char *settle_nothing(void *ctx, const char *conflict)
{
    (void)conflict;
    atomic_fetch_add((atomic_int *)ctx, 1);
    return NULL;
}

static void name_resolvers(struct site *x, atomic_int *asked)
{
    CHECK_OK(syncline_resolve_with(
        x->s, NULL, "n/", "document", join_texts, &asked[0]));
    CHECK_OK(syncline_resolve_with(
        x->s, NULL, "n/", "task", settle_nothing, &asked[1]));
    CHECK_OK(syncline_resolve_with(
        x->s, NULL, NULL, NULL, settle_nothing, &asked[2]));
    CHECK_OK(syncline_resolve_with(
        x->s, NULL, "n/deep/", NULL, settle_nothing, &asked[2]));
    CHECK_OK(syncline_resolve_with(
        x->s, NULL, "n/deep/", NULL, NULL, NULL)); /* taken away */
    CHECK_OK(syncline_resolve_with(
        x->s, "other", "n/deep/", NULL, settle_nothing, &asked[2]));
    CHECK_INT(syncline_resolve_with(x->s, NULL, NULL, "", join_texts, NULL),
        SYNCLINE_EINVAL);
}

static void put_all(struct site *x, const char *who)
{
    static const char *const formats[] = { "{\"content\":\"%s\"}",
        "{\"content\":\"%s\"}",
        "{\"item_type\":\"task\",\"data\":{\"content\":\"%s\"}}",
        "{\"content\":\"%s\"}" };
    static const char *const keys[] = { "n/doc", "n/deep/doc", "n/task",
        "doc" };
    char value[128];

    for (size_t i = 0; i < ARRAY_N(keys); i++) {
        (void)snprintf(value, sizeof value, formats[i], who);
        CHECK_OK(syncline_put(x->s, NULL, keys[i], value));
    }
}

static size_t conflicts_of(struct syncline *s, char **text)
{
    size_t n = 0;

    CHECK_OK(syncline_conflicts(s, NULL, text));
    for (const char *at = *text; (at = strstr(at, "\"id\":")) != NULL; at++)
        n++;
    return n;
}

/* By key and by type; what is left open is told, and the later value stands. */
TEST(items_of_a_type_have_a_resolver_of_their_own)
{
    atomic_int asked[3] = { 0 };
    const char *peers[2] = { NULL, NULL };
    struct site a, b;
    char *merged, *open;
    size_t n = 0;

    site_make(&a, "a");
    site_make(&b, "b");
    site_start(&a);
    site_start(&b);
    site_pair(&a, &b);
    CHECK_OK(syncline_set_policy(a.s, NULL, NULL, "custom"));
    CHECK_OK(syncline_put(a.s, NULL, "last", "1"));
    await_value(b.s, "last", "1");
    site_close(&a);
    put_all(&b, "of b");
    site_close(&b);
    site_open(&a);
    name_resolvers(&a, asked);
    CHECK_OK(syncline_start(a.s));
    site_learn(&a);
    put_all(&a, "of a");
    peers[0] = a.address;
    b.opt.peers = peers;
    site_open(&b);
    name_resolvers(&b, asked);
    CHECK_OK(syncline_start(b.s));
    CHECK_OK(syncline_get(b.s, NULL, "n/deep/doc", &merged));
    for (int i = 0; i < 2000 && strstr(merged, "---") == NULL; i++) {
        (void)poll(NULL, 0, 10);
        syncline_free(merged);
        CHECK_OK(syncline_get(b.s, NULL, "n/deep/doc", &merged));
    }
    CHECK_SAYING(
        strstr(merged, "of a") != NULL && strstr(merged, "of b") != NULL, "%s",
        merged);
    await_value(a.s, "n/deep/doc", merged);
    await_value(a.s, "n/doc", merged);
    await_value(b.s, "n/doc", merged);
    for (int i = 0; i < 2000 && n != 2; i++) {
        n = conflicts_of(a.s, &open);
        syncline_free(open);
        (void)poll(NULL, 0, n != 2 ? 10 : 0);
    }
    CHECK_UINT(n, 2);
    CHECK(asked[0] >= 2 && asked[1] >= 1 && asked[2] >= 1);
    syncline_free(merged);
    site_remove(&b);
    site_remove(&a);
}

/* ---- the caller's loop ---- */

/* What a program with a loop of its own does. */
static void turn(struct syncline *s)
{
    struct pollfd p = { .fd = syncline_fd(s), .events = POLLIN };

    (void)poll(&p, 1, syncline_timeout_ms(s));
    CHECK_OK(syncline_run_once(s));
}

static void turn_until(struct syncline *s, const struct told *t, unsigned n)
{
    for (int i = 0; i < 1000 && t->n < n; i++)
        turn(s);
    CHECK_UINT(t->n, n);
}

TEST(a_node_runs_in_the_callers_loop)
{
    struct syncline_watch *w;
    struct site a, b;
    sigset_t before, after;
    struct told t;

    site_make(&a, "a");
    site_make(&b, "b");
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &before) == 0);
    site_start(&a);
    site_open(&b);
    site_pair(&a, &b);
    told_init(&t);
    CHECK_OK(syncline_watch(&w, b.s, NULL, NULL, NULL, on_told, &t));
    turn_until(b.s, &t, 1);
    CHECK_INT(t.e[0].type, SYNCLINE_EVENT_LIVE);
    CHECK_OK(syncline_put(a.s, NULL, "k", "1"));
    turn_until(b.s, &t, 2);
    CHECK_SLICE(slice_str(t.e[1].key), "k");
    CHECK_OK(syncline_put(b.s, NULL, "l", "2")); /* runs it meanwhile */
    turn_until(b.s, &t, 3);
    await_value(a.s, "l", "2");
    CHECK_INT(syncline_run_once(a.s), SYNCLINE_EBUSY);
    CHECK_OK(syncline_start(b.s)); /* changed its mind */
    CHECK_INT(syncline_start(b.s), SYNCLINE_EBUSY);
    check_value(b.s, "l", "2");
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &after) == 0);
    CHECK_INT(sigismember(&after, SIGPIPE), sigismember(&before, SIGPIPE));
    syncline_unwatch(w);
    told_free(&t);
    site_remove(&b);
    site_remove(&a);
}

/* ---- errors ---- */

static void check_error(int got, int want)
{
    CHECK_INT(got, want);
    CHECK(syncline_error()[0] != 0);
}

TEST(what_is_wrong_gets_a_code_and_a_sentence)
{
    struct syncline *second;
    struct site a;
    char *text;

    site_make(&a, "a");
    site_start(&a);
    check_error(syncline_put(a.s, NULL, "k", "{\"x\":"), SYNCLINE_EMALFORMED);
    check_error(syncline_put(a.s, NULL, "k", "1,2"), SYNCLINE_EMALFORMED);
    check_error(syncline_put(a.s, NULL, "k", NULL), SYNCLINE_EINVAL);
    check_error(syncline_put(a.s, NULL, NULL, "1"), SYNCLINE_EINVAL);
    check_error(syncline_put(a.s, "nowhere", "k", "1"), SYNCLINE_ENOTFOUND);
    check_error(syncline_delete(a.s, NULL, "k"), SYNCLINE_ENOTFOUND);
    check_error(syncline_get(a.s, NULL, "k", &text), SYNCLINE_ENOTFOUND);
    check_error(
        syncline_set_policy(a.s, NULL, NULL, "whatever"), SYNCLINE_EINVAL);
    check_error(syncline_join(a.s, "no code", NULL), SYNCLINE_EMALFORMED);
    check_error(syncline_join(a.s, NULL, NULL), SYNCLINE_EINVAL);
    check_error(syncline_request(a.s, "[]", &text), SYNCLINE_EINVAL);
    check_error(syncline_request(a.s, "{", &text), SYNCLINE_EMALFORMED);
    check_error(
        syncline_request(a.s, "{\"op\":\"watch\"}", &text), SYNCLINE_EINVAL);
    check_error(syncline_open(&second, &a.opt), SYNCLINE_EBUSY);
    CHECK_OK(syncline_request(a.s, "{\"op\":\"dance\"}", &text));
    CHECK(strstr(text, "\"ok\":false") != NULL);
    syncline_free(text);
    /* Tokens are the daemon's. */
    CHECK_OK(syncline_request(
        a.s, "{\"op\":\"token_create\",\"name\":\"n\"}", &text));
    CHECK(strstr(text, "EUNSUPPORTED") != NULL);
    syncline_free(text);
    CHECK(syncline_version()[0] != 0);
    site_remove(&a);
}

/* Descriptors run out, and not memory. */
TEST(no_descriptors_are_told_of_as_such)
{
    struct syncline *s = NULL;
    struct rlimit all, none;
    struct site a;
    int rc;

    site_make(&a, "a");
    CHECK(getrlimit(RLIMIT_NOFILE, &all) == 0);
    none = (struct rlimit){ .rlim_cur = 3, .rlim_max = all.rlim_max };
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    rc = syncline_open(&s, &a.opt);
    CHECK(setrlimit(RLIMIT_NOFILE, &all) == 0);
    check_error(rc, SYNCLINE_EIO);
    CHECK(strstr(syncline_error(), "open files") != NULL);
    CHECK(s == NULL);
    site_start(&a);
    site_remove(&a);
}

/* Lines of the log by module. */
struct logged {
    atomic_uint security, others, odd;
};

static void on_log(void *ctx, enum syncline_log_level level, const char *module,
    const char *text)
{
    struct logged *l = ctx;

    if (text[0] == 0 || strchr(text, '\n') != NULL ||
        level > SYNCLINE_LOG_DEBUG)
        atomic_fetch_add(&l->odd, 1);
    if (strcmp(module, "security") == 0)
        atomic_fetch_add(&l->security, 1);
    else
        atomic_fetch_add(&l->others, 1);
}

TEST(each_module_of_the_log_has_its_level)
{
    struct logged heard = { 0 };
    struct site a, b;
    char *code;

    site_make(&a, "a");
    a.opt.log = on_log;
    a.opt.log_ctx = &heard;
    a.opt.log_levels = "error,security=info";
    site_start(&a);
    CHECK_UINT(atomic_load(&heard.others), 0);
    CHECK_OK(syncline_invite(a.s, 0, &code));
    syncline_free(code);
    CHECK_UINT(atomic_load(&heard.security), 1);
    CHECK_OK(syncline_log_level(a.s, "security", "ERROR"));
    CHECK_OK(syncline_log_level(a.s, "conn", "debug"));
    site_make(&b, "b");
    site_start(&b);
    site_pair(&a, &b);
    CHECK_UINT(atomic_load(&heard.security), 1);
    CHECK(atomic_load(&heard.others) > 0);
    CHECK_OK(syncline_log_level(a.s, NULL, "default"));
    CHECK_OK(syncline_invite(a.s, 0, &code));
    syncline_free(code);
    CHECK_UINT(atomic_load(&heard.security), 2);
    CHECK_UINT(atomic_load(&heard.odd), 0);
    check_error(syncline_log_level(a.s, "nte", "debug"), SYNCLINE_EINVAL);
    check_error(syncline_log_level(a.s, "", "debug"), SYNCLINE_EINVAL);
    check_error(syncline_log_level(a.s, NULL, "loud"), SYNCLINE_EINVAL);
    check_error(syncline_log_level(a.s, NULL, NULL), SYNCLINE_EINVAL);
    site_remove(&b);
    site_remove(&a);
}

TEST(options_are_checked_and_may_be_those_of_another_version)
{
    const char *bad[] = { "not an address:x", NULL };
    struct syncline_options opt = { .size = sizeof opt };
    struct site a;

    site_make(&a, "a");
    check_error(syncline_open(&a.s, &opt), SYNCLINE_EINVAL);
    check_error(syncline_open(&a.s, NULL), SYNCLINE_EINVAL);
    a.opt.dir = a.dir;
    a.opt.size = sizeof opt + 1;
    check_error(syncline_open(&a.s, &a.opt), SYNCLINE_EINVAL);
    a.opt.size = sizeof opt;
    a.opt.log_levels = "nte=debug";
    check_error(syncline_open(&a.s, &a.opt), SYNCLINE_EINVAL);
    a.opt.log_levels = NULL;
    a.opt.listen = bad;
    check_error(syncline_open(&a.s, &a.opt), SYNCLINE_EINVAL);
    a.opt.size = offsetof(struct syncline_options, listen); /* an old one */
    site_open(&a);
    CHECK_OK(syncline_put(a.s, NULL, "k", "1"));
    site_remove(&a);
}

TEST(closing_nothing_is_fine)
{
    CHECK_OK(syncline_close(NULL));
    syncline_unwatch(NULL);
    syncline_free(NULL);
}
