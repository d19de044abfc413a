/* exchange.h - the items of one space and those of LAN-sync nodes, kept the
 * same over links: what changes here is pushed and acknowledged, what they
 * push is written and acknowledged, and each side may ask for all that it
 * lacks.
 *
 * Pure. The space is behind the port: a watch of it for each link that is
 * pushed to, and one for each answer to a question. Laws:
 * - What is acknowledged was written; what was not is pushed again.
 * - No echo: what a node has told of is not told to it again, as long as it is
 *   what has become of the item.
 * - A node that is away is told, when it comes back, what it has not
 *   acknowledged, deletions too.
 * - A node that is behind what is known of deletions is told all of them, and
 *   does not bring back meanwhile what was deleted.
 * - An item that is too long for a message keeps nothing else back. */
#ifndef SYNCLINE_FACES_LANSYNC_EXCHANGE_H
#define SYNCLINE_FACES_LANSYNC_EXCHANGE_H

#include "faces/lansync/item.h"
#include "faces/lansync/link.h"

#define LAN_BATCH_MAX 100
#define LAN_CURSOR_MAX 4096
/* Behind it a watch tells the deletions that there are records of, too, which
 * one of all that is there leaves out. */
#define LAN_NOWHERE "00000000000000000000000000000000:0"

struct lan_exchange; /* opaque */

struct lan_exchange_port {
    void *ctx;
    /* Begins a watch of the space behind a cursor that a watch has told ("":
     * all that is there); its events go to lan_exchange_event. ENOMEM: there
     * is none. */
    int (*watch)(void *ctx, uint64_t watch, const char *from);
    void (*pace)(void *ctx, uint64_t watch, bool paused);
    void (*unwatch)(void *ctx, uint64_t watch);
    /* Another number once a watch would tell something else; 0: nobody knows.
     * NULL: it is always so. */
    uint64_t (*mark)(void *ctx);
    /* lan_exchange_written answers, later. link: who has said it. value NULL:
     * it is deleted. */
    void (*write)(void *ctx, uint64_t token, uint64_t link,
        const struct lan_item *item, const struct json *value);
    /* Asks for items that were deleted, and of which nothing is left, behind
     * that key; lan_exchange_past answers, later. May be NULL. */
    void (*past)(void *ctx, uint64_t link, struct slice after);
    /* What is known of a node from before: how far it has acknowledged, and
     * how far we have asked; and to be known from now on. Room for
     * LAN_CURSOR_MAX. */
    void (*recall)(void *ctx, const char *node, char *acked, char *asked);
    void (*keep)(
        void *ctx, const char *node, const char *acked, const char *asked);
    /* The node is not told of this item: a message that holds it would have
     * so many bytes, and be too long. 0: it is, or need not be. May be NULL. */
    void (*lacks)(void *ctx, const char *node, struct slice key, size_t bytes);
    void (*log)(void *ctx, const char *text); /* may be NULL */
};

struct lan_exchange_counts { /* of items */
    uint64_t pushed, acked, taken, refused, asked, answered, too_long;
};

/* node: our own name, of items that were written here; copied. */
NODISCARD int lan_exchange_new(struct lan_exchange **out,
    const struct lan_exchange_port *port, const char *node);
void lan_exchange_free(struct lan_exchange *x); /* NULL is fine */

/* link is open; number: one that nobody has. Who has not said his name yet is
 * nobody that is known: when he has, it is closed and opened again. */
NODISCARD int lan_exchange_open(struct lan_exchange *x, uint64_t number,
    struct lan_link *link, uint64_t now_us);
/* After lan_link_end, or where the link has closed; it is not used again. */
void lan_exchange_close(struct lan_exchange *x, uint64_t number);

/* What is wrong: it is told nothing more, what it answers has no end, or an
 * item of it is not taken, until it is; NULL: nothing. */
#define LAN_NOT_TAKEN "an item of it is not taken: "
const char *lan_exchange_trouble(const struct lan_exchange *x, uint64_t number);

/* Whoever is to be asked anew is, when it is time; when it is next, 0: never.
 */
uint64_t lan_exchange_tick(struct lan_exchange *x, uint64_t now_us);

/* on_message of a link: EUNSUPPORTED if it is nothing about items. */
int lan_exchange_take(struct lan_exchange *x, uint64_t number,
    const struct lan_message *m, uint64_t now_us);
/* on_answer of a link; false: somebody else has asked. */
bool lan_exchange_answered(struct lan_exchange *x, uint64_t number,
    uint64_t request, const struct lan_answer *a, uint64_t now_us);
/* Of a watch: an event as doc/api.md has it. */
void lan_exchange_event(struct lan_exchange *x, uint64_t watch,
    const struct json *event, uint64_t now_us);
/* Of a watch: that there is nothing to be seen at present. Whoever has asked is
 * answered so; the watch of a link is to go on once there is. */
void lan_exchange_unseen(
    struct lan_exchange *x, uint64_t watch, const char *why, uint64_t now_us);
/* The answer: {deleted: [{key, time, version}], more_items, after}. NULL, or
 * without `deleted`: there is none, and it is asked for again when something
 * else is told. */
void lan_exchange_past(struct lan_exchange *x, uint64_t link,
    const struct json *answer, uint64_t now_us);
/* The write is done, or why not. */
void lan_exchange_written(struct lan_exchange *x, uint64_t token, int rc,
    const char *why, uint64_t now_us);

const struct lan_exchange_counts *lan_exchange_counts(
    const struct lan_exchange *x);

#endif
