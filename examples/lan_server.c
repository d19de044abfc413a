/* lan_server.c - a server of LAN sync: it lets in who has the right token, and
 * answers what it is asked.
 *
 *     lan_server PORT [CERTIFICATE]       (port 0: one that is free)
 *
 * With a certificate's file, which is made if it is not there, it speaks TLS;
 * its first line says where it listens, and the certificate's SHA-256. Lines on
 * standard input: clients, or TYPE JSON, which is sent to all. End of input
 * ends it. LAN_SYNC_NODE_ID and LAN_SYNC_NODE_NAME say who it is.
 *
 *     cc lan_server.c $(pkg-config --cflags --libs syncline) */
#define _POSIX_C_SOURCE 200809L /* for strdup */

#include <syncline_lan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of all nodes: use one of your own. */
#define SECRET "your-32-byte-secret-key"

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, syncline_error());
    return 1;
}

static void on_log(void *ctx, enum syncline_log_level level, const char *module,
    const char *text)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "%s: %s\n", module, text);
}

/* The JSON is as its sender wrote it, with spaces or without. */
static int has_token(const char *payload)
{
    static const char name[] = "\"token\"", token[] = "\"valid-token\"";
    const char *at = strstr(payload, name);

    if (at == NULL)
        return 0;
    at += strlen(name);
    at += strspn(at, " :");
    return strncmp(at, token, strlen(token)) == 0;
}

/* Who may come in. A real one reads the JSON, and knows its users. */
static int authenticate(void *ctx, const char *client_id,
    const struct syncline_lan_message *m, char **auth_data)
{
    (void)ctx;
    (void)client_id;
    if (!has_token(m->payload))
        return 0;
    *auth_data = strdup("{\"user_id\":\"user-123\"}");
    return 1;
}

static int on_sync_request(void *ctx, const char *client_id,
    const struct syncline_lan_message *m, char **reply)
{
    (void)ctx;
    (void)client_id;
    printf("received %s\n", m->payload);
    fflush(stdout);
    *reply = strdup("{\"status\":\"success\",\"data\":\"Processed\"}");
    return *reply != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

static void on_state(void *ctx, const char *client_id,
    enum syncline_lan_state state, const char *why)
{
    static const char *const words[] = { "connected", "open", "gone" };

    (void)ctx;
    printf("%s %s %s\n", words[state], client_id, why);
    fflush(stdout);
}

static int make(struct syncline_lan_server **out, int argc, char **argv)
{
    struct syncline_lan_config config;
    struct syncline_lan_handler *handler;
    int rc;

    syncline_lan_config_init(&config);
    if (syncline_lan_config_env(&config) != SYNCLINE_OK)
        return SYNCLINE_EINVAL;
    config.sync_port = atoi(argv[1]) > 0 ? atoi(argv[1]) : SYNCLINE_ANY_PORT;
    config.use_ssl = argc > 2;
    config.ssl_cert = argc > 2 ? argv[2] : NULL;
    config.log = on_log;
    rc = syncline_lan_handler_new(&handler, &config, SECRET, sizeof SECRET - 1);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = syncline_lan_server_new(out, &config, handler, authenticate, NULL);
    syncline_lan_handler_free(handler); /* the server has its own by now */
    return rc;
}

static void say_where(struct syncline_lan_server *server)
{
    char *print = NULL;

    (void)syncline_lan_server_fingerprint(server, &print);
    printf("listening %d %s\n", syncline_lan_server_port(server),
        print != NULL ? print : "");
    fflush(stdout);
    syncline_free(print);
}

static void obey(struct syncline_lan_server *server, char *line)
{
    char *payload = strchr(line, ' ');
    char *clients;
    unsigned sent;

    if (strcmp(line, "clients") == 0) {
        if (syncline_lan_server_clients(server, &clients) != SYNCLINE_OK) {
            failed(line);
            return;
        }
        printf("clients %s\n", clients);
        syncline_free(clients);
    } else {
        if (payload != NULL)
            *payload++ = 0;
        if (syncline_lan_server_send(server, NULL, line, payload, &sent) !=
            SYNCLINE_OK) {
            failed(line);
            return;
        }
        printf("sent %u\n", sent);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct syncline_lan_server *server;
    char line[65536];

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: lan_server PORT [CERTIFICATE]\n");
        return 2;
    }
    if (make(&server, argc, argv) != SYNCLINE_OK)
        return failed("server");
    if (syncline_lan_server_handle(server, SYNCLINE_LAN_SYNC_REQUEST,
            on_sync_request, NULL) != SYNCLINE_OK ||
        syncline_lan_server_on_state(server, on_state, NULL) != SYNCLINE_OK ||
        syncline_lan_server_start(server) != SYNCLINE_OK) {
        failed("start");
        syncline_lan_server_free(server);
        return 1;
    }
    say_where(server);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = 0;
        obey(server, line);
    }
    return syncline_lan_server_free(server) == SYNCLINE_OK ? 0 : failed("stop");
}
