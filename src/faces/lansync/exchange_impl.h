/* exchange_impl.h - what exchange.c (links, and what is told to them),
 * exchange_take.c (what they tell) and exchange_ask.c (what they ask) share. */
#ifndef SYNCLINE_FACES_LANSYNC_EXCHANGE_IMPL_H
#define SYNCLINE_FACES_LANSYNC_EXCHANGE_IMPL_H

#include "base/hash.h"
#include "base/omap.h"
#include "core/item.h"
#include "faces/lansync/exchange.h"

#define TOLD_MAX 10000 /* what a node has told of; then it is forgotten */

/* Items on their way to a node. */
struct lan_batch {
    struct lan_batch *next; /* of those that wait */
    struct arena arena;
    struct json *items;          /* an array; NULL: there is none */
    size_t bytes;                /* on the wire */
    char cursor[LAN_CURSOR_MAX]; /* of the last event that is in it */
};

/* What a node has said of an item last, or was told where the time matters. */
struct lan_told {
    struct hash128 state; /* of its version and value */
    uint64_t time_us;
    bool is_said;
};

struct lan_side {
    struct lan_side *next;
    struct lan_exchange *x;
    uint64_t number; /* of the link, and of the watch */
    struct lan_link *link;
    char node[256];
    char acked[LAN_CURSOR_MAX], asked[LAN_CURSOR_MAX];

    struct lan_batch gathering, sent;
    struct lan_batch *waiting; /* full ones, the oldest first: a watch that is
                                  told to pause has some events left */
    uint64_t push_request;     /* 0: none is on its way */
    char push_id[LAN_UUID_LEN + 1];
    unsigned tries;
    bool is_deaf;        /* it acknowledges nothing */
    const char *trouble; /* NULL: none */
    char refused[256];   /* of its items, the last, and why; "": none */
    bool has_acked, is_live, is_paused;
    bool is_held; /* too much is being written, or asked */
    /* It may have missed deletions: until it has acknowledged all of them, or
     * the first event says that it has not. */
    bool is_behind, is_judged;
    bool has_missed; /* it was so when it came, or nobody knows */
    uint64_t met_us; /* wall */
    bool is_past_asked, is_past_over;
    uint8_t past[KEY_MAX]; /* the last that it was told of */
    size_t past_len;
    struct omap told; /* key: a struct lan_told */

    uint64_t pull_request;
    bool asks_again;                 /* for the first answer */
    char round_from[LAN_CURSOR_MAX]; /* it comes there again: it goes round */
    uint64_t round_n, round_max;     /* answers since, and until it moves */
    const char *round; /* what is wrong with them; NULL: nothing */
    uint64_t again_us; /* when it is asked anew; 0: it need not */
    char next_point[LAN_CURSOR_MAX]; /* of the answer that is being written */
    bool next_more, next_any;
};

#define LAN_ID_ROOM 256
#define LAN_ID_MAX 4096 /* no message with a longer one is taken */

/* An id of somebody else, to be said again as it was: a text, a number, true
 * or false. In a list or an object nobody can look an answer up. */
struct lan_id {
    struct json v;   /* JSON_NULL: there is none */
    uint8_t *longer; /* that has no room; NULL: it has */
    uint8_t room[LAN_ID_ROOM];
};

/* A message whose items are being written. */
struct lan_job {
    struct lan_job *next;
    uint64_t side; /* 0: it is gone */
    uint64_t token;
    uint32_t left; /* items that are not written yet */
    uint32_t taken, refused;
    bool is_pull; /* the answer to a question of ours */
    struct lan_id request_id, data_id;
    char why[200];
};

#define LAN_KEPT_MAX 8

/* The answer to a question, while it is gathered, and as long as it is kept. */
struct lan_query {
    struct lan_query *next;
    struct lan_exchange *x;
    uint64_t watch, side;
    uint64_t state; /* as of which it is asked; 0: it is not to be kept */
    uint64_t limit, since_us;
    bool is_short; /* something could not be told */
    bool more;
    char from[LAN_CURSOR_MAX];
    struct lan_id request_id, sync_id;
    struct lan_batch batch;
};

struct lan_exchange {
    struct lan_exchange_port port;
    char *node;
    struct lan_side *sides;
    struct lan_job *jobs;
    struct lan_query *queries;
    uint32_t jobs_n, queries_n;
    uint64_t next_token, next_query;
    struct omap authors; /* key: the node that has written it there */
    uint64_t said;       /* how often that may have changed */
    struct lan_query *kept[LAN_KEPT_MAX]; /* answers; NULL: none */
    size_t kept_next;                     /* where the next one goes */
    uint64_t again_us;   /* nobody is asked anew before that; 0: nobody is */
    struct arena answer; /* while it is said */
    struct buf scratch;  /* of what is printed to be measured or hashed */
    struct lan_exchange_counts counts;
};

struct lan_side *side_of(struct lan_exchange *x, uint64_t number);
/* For people. */
const char *side_name(const struct lan_side *s);
void side_log(struct lan_side *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void side_ask(struct lan_side *s, uint64_t now_us);
void side_pulled(
    struct lan_side *s, const struct lan_answer *a, uint64_t now_us);
void side_keep(struct lan_side *s);
/* It has told of this. */
void side_told(
    struct lan_side *s, const struct lan_item *item, const struct json *value);

/* Is the event what it has told, and nothing more? */
bool side_was_told(const struct lan_side *s, const struct json *event);

/* What an event tells of an item, unless that is older. ELIMIT: it is too long
 * for any message of that side's; it is told so. */
NODISCARD int batch_add(struct lan_side *s, struct lan_batch *b,
    const struct json *event, uint64_t since_us);
bool batch_is_full(const struct lan_side *s, const struct lan_batch *b);
void batch_init(struct lan_batch *b);
void batch_note(struct lan_batch *b, const struct json *event);

/* ---- exchange_take.c ---- */

/* id: what m's payload has under that name. ELIMIT: it is too long. */
NODISCARD int id_keep(
    struct lan_id *id, const struct lan_message *m, const char *name);
void id_free(struct lan_id *id);
/* To be said, or NULL: there is none that can be said again. */
const struct json *id_of(const struct lan_message *m, const char *name);
/* Unless it is none. */
void id_add(
    struct json *to, const char *name, const struct json *id, struct arena *a);
/* Where somebody is to go on. */
void point_keep(char out[LAN_CURSOR_MAX], struct slice s);
/* Unless it is empty. */
void text_add(
    struct json *to, const char *key, struct slice text, struct arena *a);
/* of: what the payload is in. */
void side_say(struct lan_side *s, const struct lan_draft *draft,
    const struct arena *of, uint64_t now_us);

NODISCARD int take_items(struct lan_side *s, const struct lan_message *m,
    bool is_pull, uint64_t now_us);
void job_free(struct lan_job *job);
void jobs_drop(struct lan_exchange *x, uint64_t side);
/* What it says more waits at its end, until there is room. */
void side_hold(struct lan_side *s, bool held, uint64_t now_us);
/* It is heard on when others have had their turn. */
void side_next_turn(struct lan_side *s, uint64_t now_us);
/* Whoever waits is heard on, if there is room. */
void sides_go_on(struct lan_exchange *x, uint64_t now_us);

/* ---- exchange_ask.c ---- */

int query_begin(
    struct lan_side *s, const struct lan_message *m, uint64_t now_us);
void query_event(
    struct lan_query *q, const struct json *event, uint64_t now_us);
/* It is answered with what is wrong: a node asks again. */
void query_fails(struct lan_query *q, const char *why, uint64_t now_us);
struct lan_query *query_of(struct lan_exchange *x, uint64_t watch);
/* So that whoever asks on has to wait. */
bool queries_are_many(const struct lan_exchange *x);
void queries_drop(struct lan_exchange *x, uint64_t side);
void answers_forget(struct lan_exchange *x);

#endif
