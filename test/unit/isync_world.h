/* isync_world.h - iSync nodes, links between them that take a while and can be
 * cut, and one clock for all. */
#ifndef SYNCLINE_TEST_UNIT_ISYNC_WORLD_H
#define SYNCLINE_TEST_UNIT_ISYNC_WORLD_H

#include "base/omap.h"
#include "faces/isync/mesh.h"

#define WORLD_NODES 5
#define WORLD_LINKS 16
#define WORLD_WALL_US UINT64_C(1795176000000000)
#define MS UINT64_C(1000)
#define SEC UINT64_C(1000000)

/* Something that was said. */
struct said {
    struct said *next;
    uint64_t at_us; /* when it arrives */
    uint64_t link;
    bool to_caller;
    struct slice name, args;
    uint8_t bytes[];
};

struct world_node {
    struct world *w;
    struct isync_mesh *mesh;
    const char *name;
    struct omap space; /* key: its value as JSON */
    struct buf heard;  /* what was said to it, if is_listening */
    bool is_listening;
    uint64_t applied, violations, dirty, drawn;
    size_t largest; /* packet that it has said */
    uint64_t parts; /* packets that were parts */
};

/* Number n is link n + 1, at both ends. */
struct world_link {
    int caller, called; /* -1: nobody of ours, for tests that speak */
    bool is_open;
};

struct world {
    struct world_node nodes[WORLD_NODES];
    struct world_link links[WORLD_LINKS];
    int nodes_n, links_n;
    uint64_t now_us;
    struct said *first, *last;
    uint64_t packets; /* sync_data that was said */
};

/* token NULL: none. */
int world_add(
    struct world *w, const char *name, const char *token, bool is_clear);
void world_token(struct world *w, int node, const char *token);
void world_free(struct world *w);
struct isync_time world_now(const struct world *w);

/* The link's number. */
uint64_t world_link(struct world *w, int caller, int called);
void world_cut(struct world *w, uint64_t link);
/* Until then all is said and heard. */
void world_run(struct world *w, uint64_t us);

/* JSON with ' in place of ". */
void world_put(struct world *w, int node, const char *key, const char *value);
void world_del(struct world *w, int node, const char *key);
/* Somebody who is no node says it. args: JSON. */
void world_say(
    struct world *w, uint64_t link, int to, const char *name, const char *args);

/* "": it has none. */
struct slice world_value(const struct world *w, int node, const char *key);
/* All have the same, in their spaces and their states. */
void world_check_same(const struct world *w);

#endif
