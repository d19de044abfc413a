/* hub_impl.h - what hub.c, hub_guard.c and hub_answer.c share. */
#ifndef SYNCLINE_FACES_HTTP_HUB_IMPL_H
#define SYNCLINE_FACES_HTTP_HUB_IMPL_H

#include "faces/http/route.h"

#define HUB_BEAT_US ((uint64_t)15 * 1000 * 1000) /* of a quiet stream */

struct hub {
    struct hub_options opt;
    struct http_events events;
};

struct hub_conn {
    struct hub *hub;
    struct http_conn *http;
    struct hub_caller who;
    bool is_stopping; /* nothing more is asked */
    uint64_t now_us;
    const struct route *route; /* of the request under way */
    uint64_t request;          /* asked of the node; 0: nothing */
    uint64_t beat_us;          /* when a quiet stream says that it lives */
    bool streams, slow;
    bool socket;               /* it speaks WebSocket */
    struct hub_watch *watches; /* over that */
    uint64_t instance;         /* that speaks over it; 0: none */
    uint64_t socketio;         /* its number there; 0: none */
    bool is_socketio;          /* its WebSocket is of that */
    char token[HUB_TOKEN_ID];  /* of what is under way; "": none */
    char place[HUB_TOKEN_ID];  /* whose place it has; "": nobody's yet */
    struct buf known; /* entity tags that the caller has already, as they came;
                         empty: he does not say so */
};

#define HUB_ANSWER_MAX ((size_t)64 << 20) /* of one answer */
#define HUB_SLOW ((size_t)1 << 20) /* unsent, and it is told less often */

/* ---- hub_guard.c ---- */

/* The name of the cookie that a session has: of one port, since a browser
 * sends what one port has set to all others of the machine. */
#define HUB_COOKIE "syncline-%u"

/* How often a field is there. */
size_t hub_count_fields(const struct http_request *r, const char *name);
/* R7 and R8. False: it has been answered. */
bool hub_guard_origin(struct hub_conn *c, const struct http_request *r);
/* R10 and R12: the token, what it is good for, the kind of body. m is what the
 * path was found to be. False: it has been answered. */
bool hub_guard_access(struct hub_conn *c, const struct http_request *r,
    const struct matched *m, struct json *args, struct arena *a);

/* Is the body a list of RFC 6902, by its type? */
bool hub_is_json_patch(const struct http_request *r);
/* Is the token by which it was let in still good, for that space? NONE: for
 * whatever it was good for. */
bool hub_guard_again(struct hub_conn *c, struct slice space);
/* Who is let in no longer keeps no place. */
void hub_guard_place(struct hub_conn *c);

/* ---- hub_socket.c ---- */

void hub_socket_take(struct hub_conn *c, bool text, struct slice message);
void hub_socket_pace(struct hub_conn *c, bool slow);
/* Nobody listens any more. */
void hub_socket_end(struct hub_conn *c);

/* ---- hub_instance.c ---- */

void hub_instance_open(struct hub_conn *c, const struct http_request *r);
void hub_instance_take(struct hub_conn *c, bool text, struct slice message);
void hub_instance_end(struct hub_conn *c);

/* ---- hub_socketio.c ---- */

/* False: it is for somebody else. */
bool hub_socketio(
    struct hub_conn *c, const struct http_request *r, bool is_whole);
void hub_socketio_take(struct hub_conn *c, bool text, struct slice message);
/* Who was there asks or hears no more. */
void hub_socketio_gone(struct hub_conn *c);

/* ---- hub_page.c ---- */

/* A file of the dashboard. False: there is none of that path. */
bool hub_page(struct hub_conn *c, const struct http_request *r);

/* ---- hub_answer.c ---- */

/* A problem document (RFC 9457). code: of doc/api.md, or NULL. fields: more of
 * the head, each with its line's end. */
void hub_problem(struct hub_conn *c, unsigned status, const char *code,
    struct slice fields, const char *fmt, ...) PRINTF_LIKE(5, 6);
void hub_respond(struct hub_conn *c, unsigned status, const char *type,
    struct slice fields, struct slice body);
/* Who is told so may come again soon. */
#define HUB_LATER "Retry-After: 5\r\n"
/* The time, in the head of each answer; ctx is the hub. */
void hub_put_date(void *ctx, struct buf *head);
/* It has been given so much that it is told no more until it has read. */
void hub_pace_after_send(struct hub_conn *c);
/* Is the entity tag in a list of them (RFC 9110, 13.1.2)? -1: it is no list. */
int hub_tags_hold(struct slice list, struct slice tag);
/* What the node says, as the route tells it. */
void hub_on_reply(void *ctx, struct slice json, bool more);

#endif
