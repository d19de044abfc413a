/* lan_near.c - which LAN-sync nodes are near, and where they can be called.
 *
 *     lan_near [PORT]
 *
 * With a port others are told that we listen there. Each node is a line when it
 * is heard first, and when nothing is heard of it any more; end of input ends
 * it. LAN_SYNC_NODE_ID, LAN_SYNC_DISCOVERY_INTERVAL and LAN_SYNC_DEVICE_TIMEOUT
 * count.
 *
 *     cc lan_near.c $(pkg-config --cflags --libs syncline) */
#include <syncline_lan.h>

#include <stdio.h>
#include <stdlib.h>

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, syncline_error());
    return 1;
}

/* What it says was signed by nobody: a hint, and no reason to trust. */
static void on_near(void *ctx, const struct syncline_lan_device *device)
{
    (void)ctx;
    printf("%s %s %s %d\n", device->is_online ? "near" : "gone",
        device->node_id, device->host, device->port);
    fflush(stdout);
}

static int make(struct syncline_lan_discovery **out, int port)
{
    static const char secret[] = "none is needed here";
    struct syncline_lan_config config;
    struct syncline_lan_handler *handler;
    int rc;

    syncline_lan_config_init(&config);
    rc = syncline_lan_config_env(&config);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = syncline_lan_handler_new(&handler, &config, secret, sizeof secret - 1);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = syncline_lan_discovery_new(out, &config, handler, port, on_near, NULL);
    syncline_lan_handler_free(handler);
    return rc;
}

int main(int argc, char **argv)
{
    struct syncline_lan_discovery *discovery;
    char *devices;
    int status = 0;

    if (argc > 2) {
        fprintf(stderr, "usage: lan_near [PORT]\n");
        return 2;
    }
    if (make(&discovery, argc > 1 ? atoi(argv[1]) : 0) != SYNCLINE_OK)
        return failed("discovery");
    if (syncline_lan_discovery_start(discovery) != SYNCLINE_OK)
        status = failed("start");
    while (status == 0 && getchar() != EOF) {
    }
    if (status == 0 &&
        syncline_lan_discovery_devices(discovery, &devices) == SYNCLINE_OK) {
        printf("devices %s\n", devices);
        syncline_free(devices);
    }
    if (syncline_lan_discovery_free(discovery) != SYNCLINE_OK)
        status = failed("stop");
    return status;
}
