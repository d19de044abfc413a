/* mesh_impl.h - what mesh.c (links, handshakes, our own writes), mesh_say.c
 * (what is told and when), mesh_take.c (what comes) and mesh_save.c share. */
#ifndef SYNCLINE_FACES_ISYNC_MESH_IMPL_H
#define SYNCLINE_FACES_ISYNC_MESH_IMPL_H

#include "base/omap.h"
#include "base/pace.h"
#include "faces/isync/held.h"
#include "faces/isync/mesh.h"
#include "faces/isync/packet.h"

struct isync_link {
    struct isync_link *next;
    struct isync_mesh *m;
    uint64_t number;
    bool is_caller, is_peer, is_paused;
    bool is_dropped; /* it is to be closed: nothing is said or heard */
    char node[ISYNC_NODE_MAX + 1];
    struct pace pace, pace_bytes; /* of what it says */
    bool is_noisy;                /* and that it says too much has been told */
    bool is_unread; /* what it said last itself could not be read */

    uint64_t whole_us;      /* when it is told all again; 0: not planned */
    uint64_t began_us;      /* when that was begun last */
    uint64_t swept_us;      /* the same, of a large state */
    bool is_asked;          /* it is told all, however large */
    bool is_whole;          /* it is being told all */
    uint64_t new_us;        /* when it is told what is new; 0: not planned */
    uint64_t next_us;       /* nothing is said before */
    struct isync_part part; /* the last that was said */
    uint64_t told;          /* how far it has been told, by seq of the state */
    uint64_t passed;        /* and of the foreign packets */
};

struct isync_mesh {
    struct isync_mesh_port port;
    struct isync_state *state;
    struct isync_held *held;
    char **patterns;
    size_t patterns_n;
    uint64_t interval_us;
    bool is_clear, refuses_clear;
    struct isync_keys keys;
    bool is_to_retry; /* there are new keys */
    struct isync_link *links;
    size_t links_n;
    struct omap with_id; /* records in which some value had an `_id` */
    uint64_t wall_us;    /* while something is merged */
    struct pace wholes;
    struct omap told; /* key: source, 0, path; a hash of the value it said */
    struct isync_mesh_counts counts;
};

struct isync_link *isync_mesh_link(const struct isync_mesh *m, uint64_t number);
void isync_mesh_log(struct isync_mesh *m, enum log_level level, const char *fmt,
    ...) PRINTF_LIKE(3, 4);
void isync_mesh_dirty(struct isync_mesh *m);
void isync_link_violates(struct isync_link *l, const char *what);

/* ---- mesh_say.c ---- */

/* Is all of it said whenever something is? */
bool isync_mesh_is_small(const struct isync_mesh *m);
/* Everybody is told what is new, soon. */
void isync_mesh_spread(struct isync_mesh *m, struct isync_time now);
/* Says what is due. */
void isync_mesh_pump(struct isync_mesh *m, struct isync_time now);
/* When the link has something to say; UINT64_MAX: nothing is planned. */
uint64_t isync_link_due(const struct isync_link *l);

/* ---- mesh_take.c ---- */

/* A value that stands there now; true: the first with an `_id` in its record.
 */
bool isync_mesh_mark(
    struct isync_mesh *m, struct slice path, const struct json *value);

void isync_take_packet(
    struct isync_link *l, const struct json *v, struct isync_time now);
void isync_take_again(struct isync_mesh *m, struct isync_time now);

#endif
