/* lan_library.c - the server of lan_server.py once more, by syncline_lan.h.
 *
 *   lan_library BYTES SECRET
 *
 * Prints its port, and serves until its input ends. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "syncline.h"
#include "syncline_lan.h"

static char *answer;

static int on_request(void *ctx, const char *peer,
    const struct syncline_lan_message *m, char **reply)
{
    (void)ctx;
    (void)peer;
    (void)m;
    *reply = strdup(answer);
    return *reply != NULL ? 0 : SYNCLINE_ENOMEM;
}

static void make_answer(size_t bytes)
{
    static const char head[] =
        "{\"status\":\"success\",\"items\":[{\"item_id\":\"one\","
        "\"item_type\":\"document\",\"action\":\"create\",\"data\":{\"x\":\"";
    static const char tail[] =
        "\"},\"created_at\":\"2026-11-20T12:34:56\",\"node_id\":\"library\","
        "\"version\":1}],\"next\":\"1\",\"more\":false}";

    answer = malloc(sizeof head + bytes + sizeof tail);
    if (answer == NULL)
        die("memory ran out");
    memcpy(answer, head, sizeof head - 1);
    memset(answer + sizeof head - 1, 'x', bytes);
    memcpy(answer + sizeof head - 1 + bytes, tail, sizeof tail);
}

int main(int argc, char **argv)
{
    struct syncline_lan_config config;
    struct syncline_lan_handler *hand;
    struct syncline_lan_server *server;
    char c;

    if (argc != 3)
        die("usage: lan_library BYTES SECRET");
    make_answer(strtoul(argv[1], NULL, 10));
    syncline_lan_config_init(&config);
    config.host = "127.0.0.1";
    config.sync_port = SYNCLINE_ANY_PORT;
    config.use_ssl = 0;
    config.messages_per_s = 0;
    if (syncline_lan_handler_new(&hand, &config, argv[2], strlen(argv[2])) !=
            0 ||
        syncline_lan_server_new(&server, &config, hand, NULL, NULL) != 0 ||
        syncline_lan_server_handle(
            server, SYNCLINE_LAN_SYNC_REQUEST, on_request, NULL) != 0 ||
        syncline_lan_server_start(server) != 0)
        die("no server: %s", syncline_error());
    printf("%d\n", syncline_lan_server_port(server));
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0)
        ;
    (void)syncline_lan_server_free(server);
    syncline_lan_handler_free(hand);
    free(answer);
    return 0;
}
