/* lan_leaver.c - a program of syncline_lan.h that returns from main while its
 * client calls again, by TLS, and its server answers: it frees nothing.
 *
 * usage: lan-leaver MICROSECONDS */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "syncline_lan.h"

#define SECRET "your-32-byte-secret-key"

static struct syncline_lan_handler *h; /* stays reachable */

static int failed(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, syncline_error());
    return 1;
}

static int begin(struct syncline_lan_config *config)
{
    struct syncline_lan_server *s;
    struct syncline_lan_client *c;

    if (syncline_lan_handler_new(&h, config, SECRET, sizeof SECRET - 1) < 0 ||
        syncline_lan_server_new(&s, config, h, NULL, NULL) < 0 ||
        syncline_lan_server_start(s) < 0)
        return failed("server");
    config->verify_ssl = 0;
    for (int i = 0; i < 4; i++)
        if (syncline_lan_client_new(&c, config, h) < 0 ||
            syncline_lan_client_connect(
                c, "127.0.0.1", syncline_lan_server_port(s)) < 0)
            return failed("client");
    config->sync_port = syncline_lan_server_port(s);
    if (syncline_lan_server_free(s) < 0 ||
        syncline_lan_server_new(&s, config, h, NULL, NULL) < 0 ||
        syncline_lan_server_start(s) < 0)
        return failed("server again");
    return 0;
}

int main(int argc, char **argv)
{
    const long us = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    const struct timespec pause = { us / 1000000, us % 1000000 * 1000 };
    struct syncline_lan_config config;

    syncline_lan_config_init(&config);
    config.host = "127.0.0.1";
    config.sync_port = SYNCLINE_ANY_PORT;
    config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    config.reconnect_ms = config.reconnect_max_ms = 1;
    if (begin(&config) != 0)
        return 1;
    (void)nanosleep(&pause, NULL);
    return 0;
}
