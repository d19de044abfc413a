/* LAN sync through syncline_lan.h by TLS: whom each end trusts. */
#include "unit/lan_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct scene {
    struct both b;
    char dir[64], cert[128], other[128];
    const char *pins[2];
};

static void scene_init(struct scene *x)
{
    *x = (struct scene){ .dir = "/tmp/syncline-lan-tls-XXXXXX" };
    CHECK(mkdtemp(x->dir) != NULL);
    (void)snprintf(x->cert, sizeof x->cert, "%s/node.pem", x->dir);
    (void)snprintf(x->other, sizeof x->other, "%s/other.pem", x->dir);
    both_init(&x->b);
    x->b.config.use_ssl = 1;
    x->b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
}

static char *print_of(struct scene *x)
{
    char *print;

    CHECK_OK(syncline_lan_server_fingerprint(x->b.s, &print));
    return print;
}

static void scene_free(struct scene *x)
{
    both_free(&x->b);
    tree_remove(x->dir);
}

static void check_refused(struct scene *x, int want, const char *words)
{
    both_client(&x->b);
    check_fails(syncline_lan_client_connect(x->b.c, "localhost", x->b.port),
        want, words);
    CHECK_OK(syncline_lan_client_free(x->b.c));
    x->b.c = NULL;
}

static void check_talks(struct scene *x)
{
    both_client(&x->b);
    both_connect(&x->b);
    check_request(&x->b, "SYNC_REQUEST", "{\"data\":\"x\"}", "success");
    CHECK_OK(syncline_lan_client_free(x->b.c));
    x->b.c = NULL;
}

TEST(a_server_is_known_by_its_pin_or_not_at_all)
{
    struct scene x;
    char *print, *clients;

    scene_init(&x);
    both_serve(&x.b, NULL);
    check_refused(&x, SYNCLINE_EDENIED, "its certificate");
    x.b.config.verify_ssl = 0;
    check_talks(&x);
    x.b.config.auth = SYNCLINE_LAN_AUTH_PROOF; /* of that connection */
    check_talks(&x);
    x.b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    x.b.config.verify_ssl = 1;
    x.pins[0] =
        "0000000000000000000000000000000000000000000000000000000000000000";
    x.b.config.ssl_pins = x.pins;
    check_refused(&x, SYNCLINE_EDENIED, "not one that is pinned");
    print = print_of(&x);
    x.pins[0] = print;
    check_talks(&x);
    both_client(&x.b);
    both_connect(&x.b);
    CHECK_OK(syncline_lan_server_clients(x.b.s, &clients));
    CHECK_SAYING(strstr(clients, "\"tls\":true,\"fingerprint\":\"\"") != NULL,
        "%s", clients);
    syncline_free(clients);
    CHECK_OK(syncline_lan_client_free(x.b.c));
    /* Of that object, also when it is started again. */
    x.b.config.sync_port = x.b.port;
    seen_forget(&x.b.client);
    CHECK_OK(syncline_lan_server_stop(x.b.s));
    CHECK_OK(syncline_lan_server_start(x.b.s));
    x.b.port = syncline_lan_server_port(x.b.s);
    check_talks(&x);
    syncline_free(print);
    scene_free(&x);
}

/* A file that was named and made is the same the next time, and vouches for
 * itself. */
TEST(a_certificate_stays_in_its_file)
{
    struct scene x;
    struct stat st;
    char *print, *again;

    scene_init(&x);
    x.b.config.ssl_cert = x.cert;
    both_serve(&x.b, NULL);
    CHECK(stat(x.cert, &st) == 0 && (st.st_mode & 0777) == 0600);
    print = print_of(&x);
    CHECK_OK(syncline_lan_server_free(x.b.s));
    both_serve(&x.b, NULL);
    again = print_of(&x);
    CHECK_SLICE(slice_str(again), print);
    syncline_free(print);
    syncline_free(again);
    x.b.config.ssl_cert = NULL;
    x.b.config.ssl_ca = x.cert;
    both_client(&x.b);
    CHECK_OK(syncline_lan_client_connect(x.b.c, "localhost", x.b.port));
    CHECK_OK(syncline_lan_client_close(x.b.c));
    check_fails(syncline_lan_client_connect(x.b.c, "127.0.0.1", x.b.port),
        SYNCLINE_EDENIED, "its certificate");
    scene_free(&x);
}

TEST(clients_show_certificates_where_they_are_asked)
{
    struct scene x;
    char *print, *clients;

    scene_init(&x);
    x.b.config.ssl_cert = x.other; /* made by a server; the client's then */
    both_serve(&x.b, NULL);
    print = print_of(&x);
    CHECK_OK(syncline_lan_server_free(x.b.s));
    x.pins[0] = print;
    x.b.config.ssl_cert = x.cert;
    x.b.config.ssl_pins = x.pins;
    both_serve(&x.b, NULL);
    x.b.config.ssl_pins = NULL;
    x.b.config.verify_ssl = 0;
    x.b.config.ssl_cert = NULL;
    both_client(&x.b);
    CHECK(syncline_lan_client_connect(x.b.c, "127.0.0.1", x.b.port) < 0);
    CHECK_OK(syncline_lan_client_free(x.b.c));
    x.b.config.ssl_cert = x.other;
    both_client(&x.b);
    both_connect(&x.b);
    CHECK_OK(syncline_lan_server_clients(x.b.s, &clients));
    CHECK_SAYING(strstr(clients, print) != NULL, "%s", clients);
    syncline_free(clients);
    syncline_free(print);
    scene_free(&x);
}

TEST(who_speaks_tls_and_who_does_not_tell_each_other)
{
    struct scene x;
    char *print;

    scene_init(&x);
    both_serve(&x.b, NULL);
    x.b.config.use_ssl = 0;
    check_refused(&x, SYNCLINE_EDENIED, "TLS is needed here");
    CHECK_OK(syncline_lan_server_free(x.b.s));
    both_serve(&x.b, NULL);
    check_fails(syncline_lan_server_fingerprint(x.b.s, &print),
        SYNCLINE_ENOTFOUND, "no TLS");
    x.b.config.use_ssl = 1;
    x.b.config.verify_ssl = 0;
    check_refused(&x, SYNCLINE_EIO, "TLS: it speaks none");
    scene_free(&x);
}

TEST(files_that_are_none_are_told_at_the_start)
{
    struct scene x;
    FILE *file;

    scene_init(&x);
    file = fopen(x.cert, "w");
    CHECK(file != NULL && fputs("no PEM", file) >= 0 && fclose(file) == 0);
    CHECK(chmod(x.cert, 0600) == 0);
    x.b.config.ssl_cert = x.cert;
    CHECK_OK(syncline_lan_server_new(&x.b.s, &x.b.config, x.b.h, NULL, NULL));
    check_fails(
        syncline_lan_server_start(x.b.s), SYNCLINE_EMALFORMED, "ssl_cert");
    CHECK(chmod(x.cert, 0644) == 0);
    check_fails(syncline_lan_server_start(x.b.s), SYNCLINE_EDENIED, "node.pem");
    x.b.config.ssl_cert = x.other; /* of a client it is not made */
    x.b.port = 1;
    check_refused(&x, SYNCLINE_ENOTFOUND, "ssl_cert");
    x.b.config.ssl_cert = NULL;
    x.b.config.ssl_ca = x.cert;
    check_refused(&x, SYNCLINE_EINVAL, "ssl_ca");
    scene_free(&x);
}
