/* http_conn_impl.h - what the sources of a connection share: http_conn.c, which
 * has the requests, and http_websocket.c. */
#ifndef SYNCLINE_FACES_HTTP_CONN_IMPL_H
#define SYNCLINE_FACES_HTTP_CONN_IMPL_H

#include "faces/http/http_conn.h"
#include "faces/http/http_head.h"
#include "faces/http/ws.h"

/*  HEAD --> BODY --on_request--> BUSY --respond--> HEAD
 *            `--on_head, respond--> OVER
 *                                  |--stream--> STREAM --end--> HEAD
 *                                  `--upgrade--> WEBSOCKET --close--> CLOSING
 *  any of these --refusal, close, failure--> OVER             */
enum phase {
    PHASE_HEAD,
    PHASE_BODY,
    PHASE_BUSY,
    PHASE_STREAM,
    PHASE_WEBSOCKET,
    PHASE_CLOSING, /* we have said so, the other has not */
    PHASE_OVER,
};

struct http_conn {
    struct http_events events;
    struct http_limits limits;
    void *user;
    enum phase phase;
    bool is_calling; /* feed, end or tick is at work */
    bool is_owed;    /* an on_gone, if it ends now */

    struct http_parse *parse;
    struct buf in, head, body, out;
    size_t taken;   /* of in, dropped when the call ends */
    size_t scanned; /* of what follows, for the end of a head */
    bool has_skipped;
    struct http_head request; /* lends from head: until on_request returns */
    bool is_head, is_old, closes;
    bool is_shown; /* on_head has seen it, or need not */
    char key[25];  /* of the WebSocket that is asked for, or "" */

    struct ws *ws;
    bool is_in_message; /* on_message is at work */
    bool is_in_frames;  /* ws_feed is: what it sends by itself is an echo */
    bool has_pinged;
    size_t echoed; /* answers to its pings since it last took something */

    uint64_t now_ms;
    uint64_t since_ms; /* in the phase, or for the first byte of a head */
    bool is_held;      /* requests wait until answers are read */
    bool is_stale;     /* since_ms; nobody knew the time */
    uint64_t added;    /* to out, ever */
    uint64_t sent;     /* of that, when it was last looked at */
    uint64_t sent_ms;  /* when that was less, or nothing waited */
    bool is_sent_stale;
};

/* What has come and was not taken yet; whoever takes adds to taken. */
struct slice http_conn_rest(const struct http_conn *c);
void http_conn_enter(struct http_conn *c, enum phase phase);
/* Ends it without another word: there is no memory for one, or nobody to read
 * it. */
/* Every function that writes ends with it: had is the length before. */
void http_conn_written(struct http_conn *c, size_t had);
/* The first lines of an answer. */
void http_conn_begin_answer(struct http_conn *c, unsigned status);
/* May an answer of this phase be given? Not, if it comes too late. */
bool http_conn_is_asked(const struct http_conn *c, enum phase phase);

/* In http_websocket.c: of a WebSocket that is open, or closing. */
bool http_conn_has_websocket(const struct http_conn *c);
void http_conn_take_frames(struct http_conn *c);
/* Nothing has come for ping_ms. */
void http_conn_silence(struct http_conn *c);

#endif
