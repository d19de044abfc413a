/* lan_gates.h - two nodes that know each other by LAN sync alone, each with a
 * space of its own, joined by nothing but memory. */
#ifndef SYNCLINE_TEST_LAN_GATES_H
#define SYNCLINE_TEST_LAN_GATES_H

#include "faces/lansync/exchange.h"
#include "unit/lone_node.h"

#define ASKED_MAX 8192

struct asked {
    uint64_t number; /* the watch, or the token of a write */
    bool is_write, is_over;
};

struct reply {
    uint64_t request;
    struct buf text;
    bool more;
};

/* A node, its exchange, and its end of the link. */
struct gate {
    struct lone w;
    struct lan_exchange *x;
    struct lan_protocol *protocol;
    struct lan_link *link;
    struct buf out;
    struct asked asked[ASKED_MAX]; /* by request */
    uint64_t asked_n;
    struct buf wanted[ASKED_MAX]; /* requests that are not made yet */
    uint64_t wanted_first[ASKED_MAX];
    uint64_t wanted_n, made_n;
    struct reply replies[ASKED_MAX];
    uint64_t replies_n;
    char acked[LAN_CURSOR_MAX], asked_point[LAN_CURSOR_MAX];
    uint64_t number;             /* of the link */
    size_t lacks_n, lacks_bytes; /* items that the other is not told of */
    size_t batch_most;           /* the most items that came in one message */
};

struct two {
    struct gate *a, *b;
};

struct two two_open(void);
void two_close(struct two *t);
/* Until nobody says anything any more; how many rounds it took. */
unsigned long gates_run(struct gate *a, struct gate *b);
/* a is the server. */
void gates_connect(struct gate *a, struct gate *b);
void gate_cut(struct gate *g);
/* A write of a program beside it; value NULL: a deletion. */
void gate_local(
    struct gate *g, const char *op, const char *key, const char *value);
/* A request, as doc/api.md has it; b is taken. */
void gate_ask(struct gate *g, struct buf *b);
void gate_check_value(struct gate *g, const char *key, const char *want_text);

#endif
