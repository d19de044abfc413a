/* network.h - the simulated network: connections that keep order, and
 * datagrams that do not.
 *
 * A machine i listens at 10.0.0.(i+1):4748. Machines reach each other while
 * they are in one group. What is under way on a connection when the groups
 * part waits until they meet, as TCP's would.
 * Law: without faults, frames arrive whole, once and in order. */
#ifndef SYNCLINE_SIM_NETWORK_H
#define SYNCLINE_SIM_NETWORK_H

#include "base/prng.h"
#include "sim/limits.h"
#include "sim/machine.h"
#include "sim/middle.h"

struct world;

/* Something on its way over a connection. */
struct cargo {
    struct cargo *next;
    uint64_t due_us;
    enum { CARGO_FRAME, CARGO_UP, CARGO_END } type;
    size_t len;
    uint8_t bytes[];
};

struct link_end {
    struct machine *machine;
    uint32_t life;
    uint64_t conn;
    bool open; /* its node knows it and has not closed it */
    bool up;   /* and was told that it is up */
};

/* Where what is sent by an end waits. */
struct lane {
    struct cargo *first;
    uint64_t last_due_us;
    uint64_t stalled_until_us;
    uint64_t pump_us; /* when it is looked at next; UINT64_MAX: not planned */
    bool ended;       /* nothing more will come */
};

struct link {
    struct link *next;
    struct link_end end[2]; /* 0 dialled */
    struct lane lane[2];    /* lane i: from end i to the other */
    struct prng draw;
    uint8_t exporter[32];
    bool pairing;
    enum middle_way middle; /* who stands in between */
    unsigned planned;       /* happenings that will look at it */
    uint64_t delay_us;
    uint64_t us_per_kib; /* slow links */
};

struct network {
    struct link *links;
    bool deaf[SIM_MACHINES][SIM_MACHINES]; /* [to][from]: nothing arrives */
    uint64_t conns; /* numbers given to inbound connections */
    uint64_t delay_us, jitter_us;
    uint64_t us_per_kib;
    /* One in so many; 0 is never. */
    unsigned frame_loss, frame_dup, frame_reorder, datagram_loss, datagram_dup;
    unsigned forge, forged; /* and how often it was */
    unsigned fork;
};

void network_init(struct world *w);
void network_close(struct world *w);

struct netaddr network_addr(const struct machine *m);

/* Who is at the other end; NULL: that is over. */
const struct machine *network_peer(const struct machine *m, uint64_t conn);

/* A node's effects. */
void network_send(struct machine *from, uint64_t conn, struct slice bytes);
void network_hang_up(struct machine *from, uint64_t conn);
void network_dial(struct machine *from, const struct effect *fx);
void network_cast(struct machine *from, const struct effect *fx);
/* Nothing comes to it by this connection for so long. */
void network_wait(struct machine *to, uint64_t conn, uint64_t wait_us);
/* FX_MEMBERS: closes what the machine does not admit any more. */
void network_review(struct machine *m);

/* A machine went down; told: its peers hear of it, as from a kernel that
 * still runs. */
void network_machine_down(struct machine *m, bool told);

/* Faults. */
void network_cut(struct world *w, struct link *l);
void network_stall(struct world *w, struct link *l, unsigned lane, uint64_t us);
/* Only machines of one group reach each other, but for the bridge, which
 * reaches all; SIM_MACHINES: there is none. */
void network_regroup(struct world *w, const unsigned *groups, unsigned bridge);
/* Ends the connections of those that are apart (relays.h). */
void network_part(struct world *w);
void network_one_way(struct world *w, unsigned from, unsigned to, bool broken);
/* As fast as connections are without faults. */
void network_mend(struct world *w, struct link *l);
void network_heal(struct world *w);
/* The i-th connection that is up, or NULL. */
struct link *network_pick(struct world *w, uint64_t i);
unsigned network_links(const struct world *w);
/* How many of them its node knows of. */
unsigned network_conns(const struct machine *m);

#endif
