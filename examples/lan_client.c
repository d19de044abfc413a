/* lan_client.c - a client of LAN sync: it comes in with a token, asks, and is
 * told what the server sends by itself.
 *
 *     lan_client HOST PORT TOKEN [SHA256]
 *
 * SHA256 is of the server's certificate, and means TLS. A line on standard
 * input, TYPE JSON, is a request, whose answer is printed. End of input ends
 * it. LAN_SYNC_NODE_ID and LAN_SYNC_NODE_NAME say who it is.
 *
 *     cc lan_client.c $(pkg-config --cflags --libs syncline) */
#include <syncline_lan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of all nodes: use one of your own. */
#define SECRET "your-32-byte-secret-key"

static int failed(const char *what)
{
    printf("error %s: %s\n", what, syncline_error());
    fflush(stdout);
    return 1;
}

/* Runs on a thread of the library's; SYNC_DATA is acknowledged by it. */
static int on_pushed(void *ctx, const char *peer,
    const struct syncline_lan_message *m, char **reply)
{
    (void)ctx;
    (void)peer;
    (void)reply;
    printf("pushed %s %s\n", m->type, m->payload);
    fflush(stdout);
    return SYNCLINE_OK;
}

/* It is called again by itself when the connection was lost. */
static void on_state(
    void *ctx, const char *peer, enum syncline_lan_state state, const char *why)
{
    (void)ctx;
    (void)peer;
    printf("%s %s\n", state == SYNCLINE_LAN_OPEN ? "open" : "gone", why);
    fflush(stdout);
}

static int make(struct syncline_lan_client **out, const char *const *pins)
{
    struct syncline_lan_config config;
    struct syncline_lan_handler *handler;
    int rc;

    syncline_lan_config_init(&config);
    if (syncline_lan_config_env(&config) != SYNCLINE_OK)
        return SYNCLINE_EINVAL;
    config.use_ssl = pins[0] != NULL;
    config.ssl_pins = pins;
    config.reconnect_ms = 1000;
    rc = syncline_lan_handler_new(&handler, &config, SECRET, sizeof SECRET - 1);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = syncline_lan_client_new(out, &config, handler);
    syncline_lan_handler_free(handler);
    return rc;
}

static int ask(
    struct syncline_lan_client *client, const char *type, const char *payload)
{
    char *answer;

    if (syncline_lan_client_request(client, type, payload, 0, &answer) !=
        SYNCLINE_OK)
        return failed(type);
    printf("answer %s\n", answer);
    fflush(stdout);
    syncline_free(answer);
    return 0;
}

static int run(struct syncline_lan_client *client, char **argv)
{
    char credentials[1024], line[65536];
    char *auth_data, *payload;

    if (syncline_lan_client_handle(client, NULL, on_pushed, NULL) !=
            SYNCLINE_OK ||
        syncline_lan_client_on_state(client, on_state, NULL) != SYNCLINE_OK ||
        syncline_lan_client_connect(client, argv[1], atoi(argv[2])) !=
            SYNCLINE_OK)
        return failed("connect");
    snprintf(credentials, sizeof credentials, "{\"token\":\"%s\"}", argv[3]);
    if (syncline_lan_authenticate(client, credentials, &auth_data) !=
        SYNCLINE_OK)
        return failed("authenticate");
    printf("authenticated %s\n", auth_data);
    fflush(stdout);
    syncline_free(auth_data);
    if (ask(client, SYNCLINE_LAN_SYNC_REQUEST,
            "{\"data\":\"Hello, world!\"}") != 0)
        return 1;
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = 0;
        payload = strchr(line, ' ');
        if (payload != NULL)
            *payload++ = 0;
        ask(client, line, payload);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *pins[2] = { argc > 4 ? argv[4] : NULL, NULL };
    struct syncline_lan_client *client;
    int status;

    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: lan_client HOST PORT TOKEN [SHA256]\n");
        return 2;
    }
    if (make(&client, pins) != SYNCLINE_OK)
        return failed("client");
    status = run(client, argv);
    if (syncline_lan_client_free(client) != SYNCLINE_OK)
        status = failed("close");
    return status;
}
