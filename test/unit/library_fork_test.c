/* fork() in a program that uses the library, amid its work. */
#include "unit/lan_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_S 60

struct scene {
    struct site node;
    struct both b;
    struct syncline_config *config;
    char dir[64];
};

static void scene_make(struct scene *x)
{
    char file[96];

    *x = (struct scene){ .dir = "/tmp/syncline-fork-XXXXXX" };
    CHECK(mkdtemp(x->dir) != NULL);
    (void)snprintf(file, sizeof file, "%s/config.json", x->dir);
    site_make(&x->node, "fork");
    site_start(&x->node);
    both_init(&x->b);
    x->b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_serve(&x->b, NULL);
    both_client(&x->b);
    both_connect(&x->b);
    CHECK_OK(syncline_config_single(&x->config, file, NULL, NULL));
    CHECK_OK(syncline_config_start(x->config));
}

static void scene_end(struct scene *x)
{
    check_request(&x->b, "SYNC_REQUEST", NULL, "success");
    CHECK_OK(syncline_put(x->node.s, NULL, "parent", "1"));
    CHECK_OK(syncline_config_free(x->config));
    both_free(&x->b);
    site_remove(&x->node);
    tree_remove(x->dir);
}

/* 0 in the child. */
static pid_t child(void)
{
    pid_t pid;

    (void)fflush(NULL); /* or it would say it again */
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        (void)alarm(CHILD_S);
    return pid;
}

static void check_ended(pid_t pid, int want)
{
    int status;

    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_SAYING(WIFEXITED(status), "the child ended by %d", status);
    CHECK_INT(WEXITSTATUS(status), want);
}

TEST(a_child_that_does_nothing_ends_as_it_says)
{
    struct scene x;

    scene_make(&x);
    for (int i = 0; i < 5; i++) {
        pid_t pid = child();

        if (pid == 0)
            exit(i);
        check_ended(pid, i);
    }
    scene_end(&x);
}

static void on_watch(void *ctx, const struct syncline_event *event)
{
    (void)ctx;
    (void)event;
}

static void on_config(void *ctx, const char *config)
{
    (void)ctx;
    (void)config;
}

static void on_answer(void *ctx, const char *answer, int more)
{
    (void)ctx;
    (void)answer;
    (void)more;
}

/* How many of them fail in another way than they should. */
static int try_all(struct scene *x, struct syncline_watch *watch)
{
    struct syncline *s = x->node.s;
    struct both *b = &x->b;
    struct syncline_watch *w = NULL;
    char *text = NULL;
    const int got[] = { syncline_put(s, NULL, "child", "1"),
        syncline_get(s, NULL, "k", &text), syncline_start(s),
        syncline_run_once(s),
        syncline_send(s, "{\"op\":\"status\"}", on_answer, NULL, NULL),
        syncline_watch(&w, s, NULL, NULL, NULL, on_watch, NULL),
        syncline_resolve_with(s, NULL, NULL, NULL, NULL, NULL),
        syncline_close(s), syncline_config_status(x->config, &text),
        syncline_config_force(x->config),
        syncline_config_on_update(x->config, on_config, NULL),
        syncline_config_start(x->config), syncline_config_stop(x->config),
        syncline_config_free(x->config), syncline_lan_server_port(b->s),
        syncline_lan_server_clients(b->s, &text),
        syncline_lan_server_send(b->s, NULL, "NEWS", NULL, NULL),
        syncline_lan_server_handle(b->s, NULL, NULL, NULL),
        syncline_lan_server_on_state(b->s, NULL, NULL),
        syncline_lan_server_start(b->s), syncline_lan_server_stop(b->s),
        syncline_lan_server_free(b->s),
        syncline_lan_client_request(b->c, "NEWS", NULL, 0, &text),
        syncline_lan_client_connect(b->c, "127.0.0.1", b->port),
        syncline_lan_client_close(b->c), syncline_lan_client_free(b->c),
        syncline_lan_create_message(b->h, "NEWS", NULL, 1, &text) };
    int wrong = 0;

    syncline_cancel(s, 1);
    syncline_unwatch(watch);
    for (size_t i = 0; i < sizeof got / sizeof *got; i++)
        wrong += got[i] != SYNCLINE_ECLOSED;
    return wrong + (text != NULL) + (w != NULL) +
        (syncline_config_node(x->config) != NULL);
}

TEST(what_was_made_before_is_not_there_in_the_child)
{
    struct syncline_watch *w;
    struct scene x;
    pid_t pid;

    scene_make(&x);
    CHECK_OK(syncline_watch(&w, x.node.s, NULL, NULL, NULL, on_watch, NULL));
    pid = child();
    if (pid == 0)
        exit(try_all(&x, w));
    check_ended(pid, 0);
    syncline_unwatch(w);
    scene_end(&x);
}

/* Nor is a node that runs in the caller's loop run by two. */
TEST(a_node_in_the_callers_loop_is_not_run_in_the_child)
{
    struct site a;
    pid_t pid;

    site_make(&a, "a");
    site_open(&a);
    pid = child();
    if (pid == 0)
        exit(syncline_put(a.s, NULL, "k", "1") != SYNCLINE_ECLOSED ||
            syncline_close(a.s) != SYNCLINE_ECLOSED);
    check_ended(pid, 0);
    CHECK_OK(syncline_put(a.s, NULL, "k", "1"));
    site_remove(&a);
}

/* A node, a server and a client of its own, by the parent's handler. */
static int live(struct scene *x)
{
    struct syncline_options opt = { .size = sizeof opt, .no_discovery = 1 };
    struct syncline_lan_server *server;
    struct syncline_lan_client *client;
    struct syncline *s;
    char dir[96], *answer = NULL;

    (void)snprintf(dir, sizeof dir, "%s/child", x->dir);
    opt.dir = dir;
    x->b.config.node_id = "child";
    if (syncline_open(&s, &opt) < 0 || syncline_start(s) < 0 ||
        syncline_put(s, NULL, "k", "1") < 0 || syncline_close(s) < 0)
        return 1;
    if (syncline_lan_server_new(&server, &x->b.config, x->b.h, NULL, NULL) <
            0 ||
        syncline_lan_server_handle(server, NULL, on_seen, &x->b.server) < 0 ||
        syncline_lan_server_start(server) < 0 ||
        syncline_lan_client_new(&client, &x->b.config, x->b.h) < 0 ||
        syncline_lan_client_connect(
            client, "127.0.0.1", syncline_lan_server_port(server)) < 0 ||
        syncline_lan_client_request(client, "SYNC_REQUEST", NULL, 0, &answer) <
            0)
        return 2;
    syncline_free(answer);
    return syncline_lan_client_free(client) < 0 ||
        syncline_lan_server_free(server) < 0;
}

TEST(a_child_may_make_its_own)
{
    struct scene x;
    pid_t pid;

    scene_make(&x);
    pid = child();
    if (pid == 0)
        exit(live(&x));
    check_ended(pid, 0);
    scene_end(&x);
}

TEST(a_child_holds_neither_the_folder_nor_the_ports)
{
    char text[32], address[64];
    const char *listen[] = { address, NULL };
    struct scene x;
    int fds[2];
    pid_t pid;

    scene_make(&x);
    site_learn(&x.node);
    (void)snprintf(address, sizeof address, "%s", x.node.address);
    CHECK(pipe(fds) == 0);
    pid = child();
    if (pid == 0) {
        (void)close(fds[1]);
        _exit(read(fds[0], text, 1) != 0); /* until the parent is done */
    }
    site_close(&x.node);
    x.node.opt.listen = listen;
    site_start(&x.node);
    CHECK_OK(syncline_lan_server_free(x.b.s));
    x.b.config.sync_port = x.b.port;
    CHECK_OK(syncline_lan_client_close(x.b.c));
    both_serve(&x.b, NULL);
    both_connect(&x.b);
    (void)close(fds[1]);
    (void)close(fds[0]);
    check_ended(pid, 0);
    scene_end(&x);
}
