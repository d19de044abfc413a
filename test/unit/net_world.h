/* net_world.h - for tests of io/net: two devices on one loop, who know each
 * other, and what they have been told. */
#ifndef SYNCLINE_TEST_UNIT_NET_WORLD_H
#define SYNCLINE_TEST_UNIT_NET_WORLD_H

#include "unit/check.h"

#include "io/net.h"

/* One device: its net, its answers, what its callbacks were told. */
struct side {
    struct net *net;
    struct identity *identity;
    struct netaddr at; /* where it listens */
    bool admits;       /* members */
    bool admits_pairing;
    unsigned asked; /* how often admit was */

    unsigned ups, downs, plains;
    bool broke;    /* as on_down said */
    uint64_t conn; /* the last one up */
    uint64_t down_conn;
    struct device_id device;
    struct device_id spki_device; /* computed from what was shown */
    struct netaddr remote;
    uint8_t exporter[TLS_EXPORTER_LEN];
    bool inbound, pairing;
    char reason[256];
    uint8_t first; /* byte of the last plain visitor */

    unsigned frames;
    struct buf last;   /* the last frame */
    size_t bytes;      /* of all frames */
    bool echo;         /* send each frame back */
    bool pause_at_one; /* pause at the first frame */
};

struct world {
    uv_loop_t loop;
    uv_timer_t limit;
    bool late;
    struct side a, b;
};

/* a and b listen on 127.0.0.1 (or ::1) and admit everybody. opt may be NULL:
 * limits for both, its loop, identity and events are ignored. */
void world_init(
    struct world *w, const char *listen, const struct net_options *opt);
void world_close(struct world *w);

/* Runs the loop until what is true; fails the test after ten seconds. */
#define AWAIT(w, what)                                    \
    do {                                                  \
        world_limit(w);                                   \
        while (!(what)) {                                 \
            CHECK_SAYING(!(w)->late, "never: %s", #what); \
            uv_run(&(w)->loop, UV_RUN_ONCE);              \
        }                                                 \
    } while (0)
void world_limit(struct world *w);
/* Runs the loop for so long: to see that something does not happen. */
void world_run_ms(struct world *w, uint64_t ms);

/* a dials b as conn 7; both are up afterwards. */
void world_connect(struct world *w);

#endif
