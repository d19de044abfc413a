/* lan_scene.h - one side of the exchange of LAN sync by itself: what it asks of
 * its space, what it tells a node, and in which order. The node is a link that
 * says what the test wants. */
#ifndef SYNCLINE_TEST_UNIT_LAN_SCENE_H
#define SYNCLINE_TEST_UNIT_LAN_SCENE_H

#include "faces/lansync/exchange.h"
#include "unit/check.h"

#define SEC UINT64_C(1000000)
#define NOW_US (UINT64_C(1795176000) * SEC) /* 2026-11-20T12:00:00 */
#define TOKENS_MAX 256
#define LINK 1
#define NEW_HERE "watch " LAN_NOWHERE ";" /* of who was never met */

struct scene {
    struct lan_protocol *ours, *theirs;
    struct lan_link *here, *there; /* here is the server */
    struct lan_exchange *x;
    struct buf to_here, to_there;
    struct buf asked; /* of the space: "watch c0;past k;write k v2;" */
    struct buf heard; /* by the node: "SYNC_DATA a v2,-b v3;" */
    const char *known_acked, *known_asked;
    const char *answer; /* of the node to SYNC_REQUEST; NULL: none */
    bool is_mute;       /* the node acknowledges nothing */
    bool refuses;       /* it says that it failed */
    bool has_no_past;
    bool is_cut;       /* we call, and nobody is there: "SYNC_REQUEST v1;" */
    bool is_held;      /* nothing of the node is to be read */
    bool is_blind;     /* no memory is left for a watch */
    char push_id[40];  /* of the last SYNC_DATA */
    uint64_t question; /* the watch of the last one */
    uint64_t mark;     /* of the space; 0: nobody knows */
    uint64_t tokens[TOKENS_MAX], tokens_n;
    uint64_t now_us;
};

/* acked, asked: what is known of the node from before. Then both are open. */
void scene_open(struct scene *s, const char *acked, const char *asked);
void scene_close(struct scene *s);
void scene_settle(struct scene *s);
/* What was said and asked until now is forgotten. */
void scene_forget(struct scene *s);
/* All that was, since the last look. */
void check_asked(struct scene *s, const char *want);
void check_heard(struct scene *s, const char *want);
struct json *scene_parsed(const char *text, struct arena *a);
/* Of the watch for the node, or of that for its question. */
void scene_event(struct scene *s, const char *text);
void scene_found(struct scene *s, const char *text);
/* That question cannot be answered. */
void scene_unseen(struct scene *s, const char *why);
/* The space answers what was deleted; NULL: it does not. */
void scene_past(struct scene *s, const char *text);
/* The node asks, or tells. */
void scene_says(struct scene *s, enum lan_type type, const char *payload);
/* Waits for no answer: of what comes the ids are heard. */
void scene_sends(struct scene *s, enum lan_type type, const char *payload);
/* All that was to be written is. */
void scene_written(struct scene *s);
void scene_pass(struct scene *s, uint64_t us);

#define RESYNC "{\"resync\":true}"
#define LIVE(cursor) "{\"live\":true,\"cursor\":\"" cursor "\"}"
#define PUT(key, cursor)                                               \
    "{\"key\":\"" key "\",\"value\":{\"n\":1},\"version\":2,\"time\":" \
    "1795175000000000,\"cursor\":\"" cursor "\"}"
#define ITEM(key, time)                                               \
    "{\"items\":[{\"item_id\":\"" key "\",\"data\":{},\"version\":1," \
    "\"created_at\":\"" time "\"}]}"

#endif
