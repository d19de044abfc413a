/* join_impl.h - what the files that pair two machines share.
 *
 *   join.c    who is at the door, and who comes in by a code
 *   welcome.c what he is told then
 *   joiner.c  the machine that wants in, by a code or by digits
 *   door.c    who asks at the door without a code
 *
 * Pure. */
#ifndef SYNCLINE_REPL_JOIN_IMPL_H
#define SYNCLINE_REPL_JOIN_IMPL_H

#include "repl/digits.h"
#include "repl/node_impl.h"

/* Once somebody is at the door people have so long. */
#define ASK_US ((uint64_t)120 * 1000 * 1000)
/* By this a search asks for whoever lets others ask: no secret. */
#define OPEN_SECRET SLICE_LIT("syncline open")

_Static_assert(sizeof "syncline open" - 1 == CODE_SECRET_LEN,
    "it takes the place of a code's secret");

/* ---- join.c ---- */

struct pair_link pair_link_of(const struct node *n, const struct conn *c);
NODISCARD int pair_send(struct node *n, struct conn *c, const struct buf *b);
/* Says why, and closes. */
NODISCARD int pair_refuse(
    struct node *n, struct conn *c, enum pair_refusal why);
/* Writes the certificate of who is at the other end, on these terms. */
NODISCARD int pair_admit(struct node *n, struct conn *c, struct slice name,
    uint16_t port, const struct pair_terms *terms, struct cert_id *made);
/* to NULL: multicast. */
NODISCARD int pair_cast(
    struct node *n, const struct buf *b, const struct netaddr *to);

/* ---- welcome.c ---- */

/* ELIMIT: it is too long to be sent, so that nobody can be let in. */
NODISCARD int welcome_check(struct node *n);
/* Once the certificate is durable: what the new member must know; invite 0:
 * digits were compared. Closes. */
NODISCARD int pair_welcome(struct node *n, struct conn *c, uint64_t invite);
/* The message that is told by these bytes, or by the parts of it that have
 * come with them, which lend it; SLICE_NONE: more are to come. EMALFORMED. */
NODISCARD int welcome_gather(
    struct buf *parts, struct slice bytes, struct slice *whole);

/* ---- joiner.c ---- */

/* Is this a device that it has dialled to pair with? */
bool joiner_expects(const struct node *n, const struct device_id *device);
NODISCARD int joiner_on_conn(struct node *n, struct conn *c);
NODISCARD int joiner_on_frame(
    struct node *n, struct conn *c, struct slice bytes);
NODISCARD int joiner_on_down(struct node *n, uint64_t conn);
NODISCARD int joiner_on_here(struct node *n, const struct event *ev);
NODISCARD int joiner_persisted(struct node *n);
NODISCARD int joiner_tick(struct node *n);
uint64_t joiner_deadline(const struct node *n);
void joiner_cancel(struct node *n, uint64_t request);
void joiner_free(struct node *n);

/* ---- door.c ---- */

/* May a stranger come to the door without a code, or does one stand there? */
bool door_expects(const struct node *n);
NODISCARD int door_on_frame(struct node *n, struct conn *c, struct slice bytes);
/* It is not at the door any more, and why. */
NODISCARD int door_gone(struct node *n, uint64_t conn, enum pair_refusal why);
/* EDENIED: no answer. */
NODISCARD int door_answer_find(
    struct node *n, struct slice datagram, struct buf *out);
NODISCARD int door_persisted(struct node *n);
NODISCARD int door_tick(struct node *n);
uint64_t door_deadline(const struct node *n);
void door_cancel(struct node *n, uint64_t request);
/* Nobody may come in any more: the mesh was left. */
void door_forget(struct node *n);
void door_free(struct node *n);

#endif
