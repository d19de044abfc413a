/* I13: what a node keeps stays within what it means to keep, and what it was
 * asked for; memory within what that takes. */
#include "sim/check.h"

#include "repl/clock_impl.h"
#include "repl/frames.h"
#include "sim/world.h"

#include <inttypes.h>

/* Arenas double, and keep a block. */
#define ARENA_LEAST ((uint64_t)4096)
/* A session's four vectors, each in an arena that grew to it by doubling. */
#define SESSION_BYTES(vector) \
    (8 * ARENA_LEAST + 32 * (vector) * sizeof(struct dot))
/* A step reads, merges and writes so many of the largest frames at once. */
#define STEP_BYTES (16 * (uint64_t)FRAME_MAX)
/* A vector of a space for good, in so many pieces as it grew by. */
#define LASTING_BYTES(spaces, vector) \
    (8 * ARENA_LEAST + 32 * (spaces) * (vector) * sizeof(struct dot))

static void hold(struct world *w, const struct machine *m, const char *what,
    uint64_t now, uint64_t most)
{
    if (now > most)
        world_fail(w, "I13",
            "node %u keeps %s: %" PRIu64 ", of at most %" PRIu64, m->ix, what,
            now, most);
}

static uint64_t asks_open(const struct machine *m)
{
    uint64_t n = 0;

    for (const struct ask *a = m->asks; a != NULL; a = a->next)
        n++;
    return n;
}

/* Every device that there has been, in every space. */
static uint64_t acks_most(const struct world *w, const struct node_sizes *z)
{
    return (relays_all(w) + w->pairing.gone_n) * z->spaces;
}

void check_sizes(
    struct world *w, const struct machine *m, const struct node_sizes *z)
{
    hold(w, m, "connections", z->conns, network_conns(m));
    hold(w, m, "writes that wait", z->waits, asks_open(m));
    hold(w, m, "watches", z->watches, m->watcher.request != 0);
    hold(w, m, "questions to resolvers", z->resolving, m->resolving);
    hold(w, m, "acks of members", z->acks, acks_most(w, z));
    hold(w, m, "devices remembered", z->known,
        relays_all(w) + w->pairing.gone_n);
    if (z->all_durable)
        hold(w, m, "things that wait for the disk", z->pending, 0);
    hold(w, m, "rows held back", z->held_rows, z->held_rows_max);
    hold(w, m, "bytes under way", z->in_flight, z->in_flight_max);
    hold(w, m, "ranges asked for", z->asked_ranges, z->asked_ranges_max);
    hold(w, m, "bytes of early subscriptions", z->early_bytes,
        z->early_bytes_max);
    hold(w, m, "entries of a vector", z->vector, z->vector_max);
    hold(
        w, m, "bytes of a session", z->session_bytes, SESSION_BYTES(z->vector));
    hold(w, m, "bytes of a step", z->step_bytes, STEP_BYTES);
    hold(w, m, "bytes for good", z->lasting_bytes,
        LASTING_BYTES(z->spaces, z->vector));
}

void check_limits(struct world *w, struct machine *m)
{
    struct node_sizes z;

    node_sizes(m->node, &z);
    check_sizes(w, m, &z);
}

/* Records of epochs, with the certificates that prove them: they cannot be
 * parted, have a limit of their own, and grow with each replica that a device
 * has been whose rights were taken. */
static size_t epochs_bytes(struct slice ops)
{
    struct batch_op op;
    size_t bytes = 0;
    int err = SYNCLINE_OK;

    while (batch_next(&ops, &op, &err)) {
        struct slice key = op.table == TABLE_ITEM && op.key.len > 4
            ? slice_from(op.key, 4)
            : op.key;

        if ((op.table == TABLE_META || op.table == TABLE_ITEM) &&
            slice_has_prefix(key, SLICE_LIT(EPOCH_PREFIX)))
            bytes += op.value.len;
    }
    return bytes;
}

void check_commit(struct world *w, const struct machine *m, struct slice ops)
{
    if (m->commit_most > 0 && ops.len > m->commit_most)
        hold(w, m, "for one commit", ops.len - epochs_bytes(ops),
            m->commit_most);
}

/* ---- the history ---- */

struct counting {
    struct world *world;
    const struct machine *machine;
    struct buf item; /* at hand */
    uint64_t n;
};

static int count_version(void *ctx, struct slice key, struct slice value)
{
    struct counting *c = ctx;
    struct slice item = SLICE(key.ptr, key.len - 8); /* but for its number */

    (void)value;
    if (!slice_eq(item, buf_slice(&c->item))) {
        buf_clear(&c->item);
        buf_put_slice(&c->item, item);
        c->n = 0;
    }
    c->n++;
    hold(c->world, c->machine, "versions of an item", c->n,
        c->machine->history_keep + c->machine->history_late);
    return c->world->failed ? 1 : SYNCLINE_OK;
}

void check_history(struct world *w, struct machine *m)
{
    struct counting c = { .world = w, .machine = m };

    ENSURE(store_scan(&m->port, TABLE_HISTORY, SLICE_NONE, SLICE_NONE,
               count_version, &c) == SYNCLINE_OK);
    buf_free(&c.item);
}
