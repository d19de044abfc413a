#include "sim/network.h"

#include "repl/frames.h"
#include "sim/forge.h"
#include "sim/fork.h"
#include "sim/world.h"

#include <stdlib.h>

#define CONNECT_TIMEOUT_US (10 * SEC_US)
/* Inbound connections are numbered apart from those that a node dials. */
#define INBOUND ((uint64_t)1 << 32)
#define FORGED_MAX 4 /* in a run */

struct netaddr network_addr(const struct machine *m)
{
    return (struct netaddr){ .family = 4,
        .addr = { 10, 0, 0, (uint8_t)(m->ix + 1) },
        .port = SIM_PORT };
}

void network_init(struct world *w)
{
    struct prng *p = &w->draw;

    w->net = (struct network){ .delay_us = 20 + prng_below(p, 400) };
    if (prng_one_in(p, 4))
        w->net.delay_us += prng_below(p, 30 * MS_US);
    w->net.jitter_us = prng_below(p, w->net.delay_us) + 1;
}

static void lane_clear(struct lane *lane)
{
    while (lane->first != NULL) {
        struct cargo *c = lane->first;

        lane->first = c->next;
        free(c);
    }
}

void network_close(struct world *w)
{
    while (w->net.links != NULL) {
        struct link *l = w->net.links;

        w->net.links = l->next;
        lane_clear(&l->lane[0]);
        lane_clear(&l->lane[1]);
        free(l);
    }
}

static void pump(struct world *w, struct happening *h);

/* Something that will happen to a link, which is kept until then. */
static struct happening *link_at(struct world *w, struct link *l,
    uint64_t when_us, void (*fn)(struct world *, struct happening *))
{
    struct happening *h = world_at(w, when_us, NULL, fn);

    h->what = l;
    l->planned++;
    return h;
}

static struct link *link_of(const struct happening *h)
{
    struct link *l = h->what;

    l->planned--;
    return l;
}

static void plan(struct world *w, struct link *l, unsigned i, uint64_t when_us)
{
    if (when_us < w->now_us) /* due while the lane was blocked */
        when_us = w->now_us;
    if (when_us >= l->lane[i].pump_us)
        return;
    l->lane[i].pump_us = when_us;
    link_at(w, l, when_us, pump)->a = i;
}

/* Keeps the lane in order of arrival; equal times in order of sending. */
static void lane_insert(struct lane *lane, struct cargo *c)
{
    struct cargo **at = &lane->first;

    while (*at != NULL && (*at)->due_us <= c->due_us)
        at = &(*at)->next;
    c->next = *at;
    *at = c;
}

static struct cargo *lane_put(struct world *w, struct link *l, unsigned i,
    int type, struct slice bytes, uint64_t delay_us)
{
    struct lane *lane = &l->lane[i];
    struct cargo *c = malloc(sizeof *c + bytes.len);

    ENSURE(c != NULL);
    *c = (struct cargo){ .type = (uint8_t)type, .len = bytes.len };
    if (bytes.len > 0)
        memcpy(c->bytes, bytes.ptr, bytes.len);
    c->due_us = w->now_us + delay_us + prng_below(&l->draw, w->net.jitter_us);
    c->due_us += bytes.len * l->us_per_kib / 1024;
    if (c->due_us < lane->last_due_us)
        c->due_us = lane->last_due_us;
    lane->last_due_us = c->due_us;
    return c;
}

static void lane_send(struct world *w, struct link *l, unsigned i, int type,
    struct slice bytes, uint64_t delay_us)
{
    struct cargo *c;

    if (l->lane[i].ended)
        return;
    c = lane_put(w, l, i, type, bytes, delay_us);
    l->lane[i].ended = type == CARGO_END;
    lane_insert(&l->lane[i], c);
    plan(w, l, i, l->lane[i].first->due_us);
}

/* Drops what the lane holds beyond a random number of pieces. */
static void lane_cut(struct link *l, unsigned i)
{
    struct lane *lane = &l->lane[i];
    struct cargo **at = &lane->first;
    uint64_t keep = prng_below(&l->draw, 8);

    while (*at != NULL && keep-- > 0)
        at = &(*at)->next;
    if (*at != NULL) {
        struct lane rest = { .first = *at };

        *at = NULL;
        lane_clear(&rest);
    }
}

static bool end_is_live(const struct link_end *e)
{
    return e->open && machine_is_up(e->machine) && e->machine->life == e->life;
}

static void end_down(struct link_end *e)
{
    struct event ev = { .type = EV_CONN_DOWN, .conn = e->conn };

    e->open = false;
    machine_step(e->machine, &ev);
}

/* Whose key end i sees at the other one. */
static const struct crypto_port *seen_by(
    const struct world *w, const struct link *l, unsigned i)
{
    return l->middle != MIDDLE_NONE ? &w->pairing.middle.crypto
                                    : &l->end[1 - i].machine->crypto;
}

/* Who stands in between has two connections, and each its own exporter. */
static void exporter_of(uint8_t out[32], const struct link *l, unsigned i)
{
    memcpy(out, l->exporter, sizeof l->exporter);
    if (l->middle != MIDDLE_NONE && i == 1)
        out[0] ^= 0x80;
}

static void arrive_up(struct world *w, struct link *l, unsigned to)
{
    struct link_end *e = &l->end[to], *peer = &l->end[1 - to];
    const struct crypto_port *key = seen_by(w, l, to);
    const struct device_id *who = &key->device;
    uint8_t exporter[32];
    struct event ev = { .type = EV_CONN_UP,
        .conn = e->conn,
        .device = *who,
        .spki = key->spki,
        .remote = network_addr(peer->machine),
        .exporter = exporter,
        .inbound = to == 1,
        .pairing = l->pairing };

    exporter_of(exporter, l, to);
    if (!machine_is_up(e->machine) || e->life != e->machine->life ||
        (to == 0 && !e->open) ||
        !node_admits(e->machine->node, who, l->pairing)) {
        lane_send(w, l, to, CARGO_END, SLICE_NONE, l->delay_us);
        if (to == 0 && end_is_live(e))
            end_down(e);
        return;
    }
    e->open = true;
    e->up = true;
    machine_step(e->machine, &ev);
}

static void arrive(
    struct world *w, struct link *l, unsigned to, struct cargo *c)
{
    struct link_end *e = &l->end[to];

    if (c->type == CARGO_UP) {
        arrive_up(w, l, to);
    } else if (!end_is_live(e)) {
        /* What runs there now knows nothing of this connection. */
        if (machine_is_up(e->machine))
            lane_send(w, l, to, CARGO_END, SLICE_NONE, l->delay_us);
    } else if (c->type == CARGO_END) {
        end_down(e);
    } else {
        struct event ev = {
            .type = EV_FRAME, .conn = e->conn, .bytes = SLICE(c->bytes, c->len)
        };
        uint8_t exporter[32];

        exporter_of(exporter, l, 1);
        if (l->middle != MIDDLE_NONE)
            ev.bytes = middle_pass(&w->pairing.middle, l->middle, ev.bytes,
                l->end[1].machine->crypto.spki, exporter);
        if (ev.bytes.len > 0 && ev.bytes.ptr[0] == FRAME_FRAGMENT)
            e->machine->late_us = w->now_us;
        machine_step(e->machine, &ev);
    }
}

/* Until when nothing arrives; UINT64_MAX: until somebody mends it. */
static uint64_t blocked_until(
    const struct world *w, const struct link *l, unsigned i)
{
    const struct machine *from = l->end[i].machine, *to = l->end[1 - i].machine;
    uint64_t until = l->lane[i].stalled_until_us;

    if (w->net.deaf[to->ix][from->ix])
        return UINT64_MAX;
    return until > to->paused_until_us ? until : to->paused_until_us;
}

static void pump(struct world *w, struct happening *h)
{
    struct link *l = link_of(h);
    unsigned i = (unsigned)h->a;
    struct lane *lane = &l->lane[i];

    if (lane->pump_us <= w->now_us)
        lane->pump_us = UINT64_MAX;
    while (lane->first != NULL && !w->failed) {
        struct cargo *c = lane->first;
        uint64_t when = blocked_until(w, l, i);

        if (when < c->due_us)
            when = c->due_us;
        if (when > w->now_us) {
            plan(w, l, i, when);
            return;
        }
        lane->first = c->next;
        arrive(w, l, 1 - i, c);
        free(c);
    }
}

static struct link *find(
    const struct machine *m, uint64_t conn, unsigned *which)
{
    for (struct link *l = m->world->net.links; l != NULL; l = l->next)
        for (unsigned i = 0; i < 2; i++)
            if (l->end[i].machine == m && l->end[i].conn == conn &&
                l->end[i].life == m->life && l->end[i].open) {
                *which = i;
                return l;
            }
    return NULL;
}

const struct machine *network_peer(const struct machine *m, uint64_t conn)
{
    for (const struct link *l = m->world->net.links; l != NULL; l = l->next)
        for (unsigned i = 0; i < 2; i++)
            if (l->end[i].machine == m && l->end[i].conn == conn &&
                l->end[i].life == m->life)
                return l->end[1 - i].machine;
    return NULL;
}

static bool strikes(
    struct world *w, struct prng *p, unsigned one_in, enum fault f)
{
    if (one_in == 0 || w->faults.over || !prng_one_in(p, one_in))
        return false;
    w->tally.struck[f]++;
    return true;
}

/* Who is caught is let in again after a while that doubles: not too often. */
static bool forges(const struct world *w, struct link *l, unsigned i)
{
    return w->net.forge > 0 && !w->faults.over && !l->pairing &&
        w->net.forged < FORGED_MAX && prng_one_in(&l->draw, w->net.forge) &&
        !withhold_is_between(l->end[i].machine, l->end[1 - i].machine);
}

static bool forks(const struct world *w, struct link *l)
{
    return fault_is_on(&w->faults, FAULT_FORK) && !w->faults.over &&
        !l->pairing && prng_one_in(&l->draw, w->net.fork);
}

void network_send(struct machine *from, uint64_t conn, struct slice bytes)
{
    struct world *w = from->world;
    unsigned i;
    struct link *l = find(from, conn, &i);
    struct buf forged = { 0 };
    struct cargo *c;

    if (l == NULL || l->lane[i].ended)
        return; /* it ends, and the node will hear of it */
    if (forges(w, l, i) && forge_frame(from, bytes, &l->draw, &forged)) {
        bytes = buf_slice(&forged);
        w->tally.struck[FAULT_FORGE]++;
        w->net.forged++;
        world_note(w, "machine %u forges something", from->ix);
    } else if (forks(w, l) && fork_frame(from, bytes, &l->draw, &forged)) {
        bytes = buf_slice(&forged);
        w->tally.struck[FAULT_FORK]++;
        world_note(w, "machine %u says something else to machine %u", from->ix,
            l->end[1 - i].machine->ix);
    } else if (withhold_frame(from, l, l->end[1 - i].machine, bytes, &forged)) {
        bytes = buf_slice(&forged);
    }
    if (strikes(w, &l->draw, w->net.frame_loss, FAULT_LOSS))
        goto out;
    c = lane_put(w, l, i, CARGO_FRAME, bytes, l->delay_us);
    if (strikes(w, &l->draw, w->net.frame_reorder, FAULT_REORDER))
        c->due_us += prng_below(&l->draw, 4 * l->delay_us);
    lane_insert(&l->lane[i], c);
    if (strikes(w, &l->draw, w->net.frame_dup, FAULT_DUP)) {
        c = lane_put(w, l, i, CARGO_FRAME, bytes, l->delay_us);
        c->due_us += prng_below(&l->draw, 4 * l->delay_us);
        lane_insert(&l->lane[i], c);
    }
    plan(w, l, i, l->lane[i].first->due_us);
out:
    buf_free(&forged);
}

void network_wait(struct machine *to, uint64_t conn, uint64_t wait_us)
{
    unsigned i;
    struct link *l = find(to, conn, &i);
    uint64_t until_us = to->world->now_us + wait_us;

    if (l != NULL && l->lane[1 - i].stalled_until_us < until_us)
        l->lane[1 - i].stalled_until_us = until_us;
}

static void forget_dead(struct network *net)
{
    struct link **at = &net->links;

    while (*at != NULL) {
        struct link *l = *at;

        if (l->planned == 0 && l->lane[0].first == NULL &&
            l->lane[1].first == NULL && !l->end[0].open && !l->end[1].open) {
            *at = l->next;
            free(l);
        } else {
            at = &l->next;
        }
    }
}

/* The one that closes hears of it too, once its shell is done. */
static void closed(struct world *w, struct happening *h)
{
    struct event ev = { .type = EV_CONN_DOWN, .conn = h->a };

    (void)w;
    machine_step(h->machine, &ev);
}

void network_hang_up(struct machine *from, uint64_t conn)
{
    struct world *w = from->world;
    unsigned i;
    struct link *l = find(from, conn, &i);

    if (l == NULL)
        return;
    l->end[i].open = false;
    lane_clear(&l->lane[1 - i]);
    /* A reset instead of an orderly end. */
    if (fault_is_on(&w->faults, FAULT_CUT) &&
        strikes(w, &l->draw, 4, FAULT_CUT))
        lane_cut(l, i);
    lane_send(w, l, i, CARGO_END, SLICE_NONE, l->delay_us);
    world_at(w, w->now_us + prng_below(&l->draw, MS_US), from, closed)->a =
        conn;
}

static struct machine *listener(struct world *w, const struct netaddr *addr)
{
    for (unsigned i = 0; i < relays_all(w); i++) {
        struct netaddr own = network_addr(&w->machines[i]);

        if (netaddr_eq(&own, addr))
            return &w->machines[i];
    }
    return NULL;
}

/* Who comes in has to reach whoever lets him in. */
static bool are_apart(
    const struct world *w, const struct link *l, unsigned a, unsigned b)
{
    return w->relays.apart[a][b] && !l->pairing;
}

/* The first packet of a connection reaches the listener, or nobody. */
static void knock(struct world *w, struct happening *h)
{
    struct link *l = link_of(h);
    struct link_end *from = &l->end[0], *to = &l->end[1];

    if (!end_is_live(from) || to->machine == NULL ||
        w->net.deaf[to->machine->ix][from->machine->ix] ||
        w->net.deaf[from->machine->ix][to->machine->ix] ||
        are_apart(w, l, from->machine->ix, to->machine->ix))
        return;
    if (!machine_is_up(to->machine) || to->machine == from->machine) {
        lane_send(w, l, 1, CARGO_END, SLICE_NONE, l->delay_us);
        return;
    }
    to->life = to->machine->life;
    to->conn = INBOUND | ++w->net.conns;
    for (size_t i = 0; i < sizeof l->exporter; i++)
        l->exporter[i] = (uint8_t)prng_next(&l->draw);
    lane_send(w, l, 0, CARGO_UP, SLICE_NONE, 2 * l->delay_us);
    lane_send(w, l, 1, CARGO_UP, SLICE_NONE, l->delay_us);
}

static void give_up(struct world *w, struct happening *h)
{
    struct link *l = link_of(h);

    if (l->end[0].up || !end_is_live(&l->end[0]))
        return;
    lane_send(w, l, 0, CARGO_END, SLICE_NONE, l->delay_us);
    end_down(&l->end[0]);
}

void network_dial(struct machine *from, const struct effect *fx)
{
    struct world *w = from->world;
    struct link *l = sim_alloc(1, sizeof *l);

    forget_dead(&w->net);
    l->end[0] = (struct link_end){
        .machine = from, .life = from->life, .conn = fx->conn, .open = true
    };
    l->end[1].machine = listener(w, &fx->remote);
    l->pairing = fx->pairing;
    l->middle = fx->pairing && from == w->pairing.who ? w->pairing.middle.way
                                                      : MIDDLE_NONE;
    l->draw = draw_from(
        w->opt.seed, DRAW_LINK, (uint64_t)from->id << 32 | ++from->dials);
    l->delay_us = w->net.delay_us;
    l->us_per_kib = w->net.us_per_kib;
    l->lane[0].pump_us = l->lane[1].pump_us = UINT64_MAX;
    l->next = w->net.links;
    w->net.links = l;
    (void)link_at(w, l, w->now_us + l->delay_us, knock);
    (void)link_at(w, l, w->now_us + CONNECT_TIMEOUT_US, give_up);
}

static void hear(struct world *w, struct happening *h)
{
    struct event ev = { .type = EV_DATAGRAM,
        .bytes = buf_slice(&h->bytes),
        .remote = network_addr(&w->machines[h->a]) };

    if (!w->net.deaf[h->machine->ix][h->a] &&
        !(w->relays.apart[h->machine->ix][h->a] && !w->pairing.under_way))
        machine_step(h->machine, &ev);
}

static void cast_to(
    struct machine *from, struct machine *to, struct slice bytes)
{
    struct world *w = from->world;
    struct happening *h = world_at(w,
        w->now_us + w->net.delay_us +
            prng_below(&from->net_draw, 4 * w->net.delay_us),
        to, hear);

    h->a = from->ix;
    buf_put_slice(&h->bytes, bytes);
    ENSURE(buf_status(&h->bytes) == SYNCLINE_OK);
}

void network_cast(struct machine *from, const struct effect *fx)
{
    struct world *w = from->world;
    struct machine *only =
        fx->remote.port != 0 ? listener(w, &fx->remote) : NULL;

    for (unsigned i = 0; i < relays_all(w); i++) {
        struct machine *to = &w->machines[i];

        if (to == from || !machine_is_up(to) ||
            (fx->remote.port != 0 && to != only) ||
            strikes(w, &from->net_draw, w->net.datagram_loss, FAULT_LOSS))
            continue;
        cast_to(from, to, fx->bytes);
        if (strikes(w, &from->net_draw, w->net.datagram_dup, FAULT_DUP))
            cast_to(from, to, fx->bytes);
    }
}

void network_review(struct machine *m)
{
    struct world *w = m->world;

    for (struct link *l = w->net.links; l != NULL; l = l->next)
        for (unsigned i = 0; i < 2; i++) {
            struct link_end *e = &l->end[i];

            if (e->machine != m || !end_is_live(e) || !e->up ||
                node_admits(m->node, &seen_by(w, l, i)->device, l->pairing))
                continue;
            /* The shell closes it, and tells the node as for any other. */
            lane_send(w, l, i, CARGO_END, SLICE_NONE, l->delay_us);
            lane_send(w, l, 1 - i, CARGO_END, SLICE_NONE, 0);
        }
}

void network_machine_down(struct machine *m, bool told)
{
    struct world *w = m->world;

    for (struct link *l = w->net.links; l != NULL; l = l->next)
        for (unsigned i = 0; i < 2; i++)
            if (l->end[i].machine == m && l->end[i].open) {
                l->end[i].open = false;
                lane_cut(l, i);
                if (told)
                    lane_send(w, l, i, CARGO_END, SLICE_NONE, l->delay_us);
            }
}

void network_cut(struct world *w, struct link *l)
{
    for (unsigned i = 0; i < 2; i++) {
        lane_cut(l, i);
        lane_send(
            w, l, i, CARGO_END, SLICE_NONE, prng_below(&l->draw, 10 * MS_US));
    }
}

void network_stall(struct world *w, struct link *l, unsigned i, uint64_t us)
{
    l->lane[i].stalled_until_us = w->now_us + us;
}

static void wake_all(struct world *w)
{
    for (struct link *l = w->net.links; l != NULL; l = l->next)
        for (unsigned i = 0; i < 2; i++)
            if (l->lane[i].first != NULL)
                plan(w, l, i, w->now_us);
}

void network_regroup(struct world *w, const unsigned *groups, unsigned bridge)
{
    for (unsigned a = 0; a < SIM_MACHINES; a++)
        for (unsigned b = 0; b < SIM_MACHINES; b++)
            w->net.deaf[a][b] =
                groups[a] != groups[b] && a != bridge && b != bridge;
    wake_all(w);
}

void network_part(struct world *w)
{
    for (struct link *l = w->net.links; l != NULL; l = l->next)
        if (l->end[1].machine != NULL &&
            are_apart(w, l, l->end[0].machine->ix, l->end[1].machine->ix))
            network_cut(w, l);
}

void network_one_way(struct world *w, unsigned from, unsigned to, bool broken)
{
    w->net.deaf[to][from] = broken;
    wake_all(w);
}

void network_mend(struct world *w, struct link *l)
{
    l->us_per_kib = 0;
    l->delay_us = w->net.delay_us;
}

void network_heal(struct world *w)
{
    memset(w->net.deaf, 0, sizeof w->net.deaf);
    for (struct link *l = w->net.links; l != NULL; l = l->next)
        l->lane[0].stalled_until_us = l->lane[1].stalled_until_us = 0;
    wake_all(w);
}

static bool is_up(const struct link *l)
{
    return end_is_live(&l->end[0]) && end_is_live(&l->end[1]);
}

unsigned network_links(const struct world *w)
{
    unsigned n = 0;

    for (const struct link *l = w->net.links; l != NULL; l = l->next)
        n += is_up(l);
    return n;
}

unsigned network_conns(const struct machine *m)
{
    unsigned n = 0;

    for (const struct link *l = m->world->net.links; l != NULL; l = l->next)
        for (unsigned i = 0; i < 2; i++)
            n += l->end[i].machine == m && l->end[i].life == m->life &&
                l->end[i].open && l->end[i].up;
    return n;
}

struct link *network_pick(struct world *w, uint64_t i)
{
    for (struct link *l = w->net.links; l != NULL; l = l->next)
        if (is_up(l) && i-- == 0)
            return l;
    return NULL;
}
