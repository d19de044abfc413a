#include "repl/peers.h"

#include "base/plant.h"
#include "repl/peers_impl.h"

#include <stdlib.h>

/* A beacon brings a dial forward at most so often: a recorded one can be
 * played back by anybody. */
#define URGE_GAP_US 1000000
/* A connection that lasted so many of the shortest pauses was a good one. */
#define GOOD_PAUSES 4

int peers_new(struct peers **out, const struct peers_options *opt)
{
    struct peers *p = calloc(1, sizeof *p);

    if (p == NULL)
        return SYNCLINE_ENOMEM;
    p->opt = *opt;
    p->prng.state = opt->seed;
    *out = p;
    return SYNCLINE_OK;
}

void peers_free(struct peers *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->n; i++)
        free(p->table[i]);
    for (size_t i = 0; i < p->statics_n; i++)
        free(p->statics[i]);
    free(p->table);
    free(p);
}

static size_t table_ix(const struct peers *p, const struct device_id *device)
{
    size_t from = 0, to = p->n;

    while (from < to) {
        size_t mid = from + (to - from) / 2;

        if (device_cmp(&p->table[mid]->device, device) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

struct peer *peers_find(const struct peers *p, const struct device_id *device)
{
    size_t ix = table_ix(p, device);

    return ix < p->n && device_eq(&p->table[ix]->device, device) ? p->table[ix]
                                                                 : NULL;
}

/* Every entry by number: devices, then static addresses. */
static struct peer *entry_at(const struct peers *p, size_t ix)
{
    if (ix < p->n)
        return p->table[ix];
    ix -= p->n;
    return ix < p->statics_n ? p->statics[ix] : NULL;
}

/* ---- who may be dialled ---- */

static void forget(struct peers *p, struct peer *e)
{
    if (e->dial != 0)
        p->dials--;
    if (e->addrs_n > 0)
        p->changed = true;
    free(e);
}

static struct peer *new_peer(struct peers *p, uint64_t now_us)
{
    struct peer *e = calloc(1, sizeof *e);

    if (e != NULL)
        e->due_us = now_us + prng_below(&p->prng, p->opt.dial_min_us / 4 + 1);
    return e;
}

/* Takes entries over from the old table, which is sorted like ids, and makes
 * those that are missing. */
static int fill(struct peers *p, struct peer **table, size_t *out_n,
    const struct device_id *ids, size_t n, uint64_t now_us)
{
    size_t filled = 0;

    for (size_t i = 0; i < n && filled < PEERS_MAX; i++) {
        struct peer *e = peers_find(p, &ids[i]);

        if (device_eq(&ids[i], &p->opt.self))
            continue;
        if (e == NULL)
            e = new_peer(p, now_us);
        if (e == NULL) {
            *out_n = filled;
            return SYNCLINE_ENOMEM;
        }
        e->device = ids[i];
        e->known = true;
        table[filled++] = e;
    }
    *out_n = filled;
    return SYNCLINE_OK;
}

int peers_set_members(
    struct peers *p, const struct device_id *ids, size_t n, uint64_t now_us)
{
    size_t most = n < PEERS_MAX ? n : PEERS_MAX, filled;
    struct peer **table = calloc(most + 1, sizeof *table), **old = p->table;
    size_t old_n = p->n;
    int rc = table == NULL ? SYNCLINE_ENOMEM
                           : fill(p, table, &filled, ids, n, now_us);

    if (rc != SYNCLINE_OK) {
        for (size_t i = 0; table != NULL && i < filled; i++)
            if (peers_find(p, &table[i]->device) == NULL)
                free(table[i]);
        free(table);
        return rc;
    }
    p->table = table;
    p->n = filled;
    for (size_t i = 0; i < old_n; i++)
        if (peers_find(p, &old[i]->device) == NULL)
            forget(p, old[i]);
    free(old);
    return SYNCLINE_OK;
}

int peers_add_static(
    struct peers *p, const struct netaddr *addr, uint64_t now_us)
{
    struct peer *e;

    for (size_t i = 0; i < p->statics_n; i++)
        if (netaddr_eq(&p->statics[i]->addrs[0].addr, addr))
            return SYNCLINE_OK;
    if (addr->family == 0 || addr->port == 0)
        return SYNCLINE_EINVAL;
    if (p->statics_n == PEERS_STATIC_MAX)
        return SYNCLINE_ELIMIT;
    e = new_peer(p, now_us);
    if (e == NULL)
        return SYNCLINE_ENOMEM;
    e->addrs[0] = (struct candidate){ .addr = *addr, .source = PEER_STATIC };
    e->addrs_n = 1;
    e->fixed = true;
    p->statics[p->statics_n++] = e;
    return SYNCLINE_OK;
}

/* ---- what is heard ---- */

static bool is_up(const struct peer *e)
{
    for (size_t i = 0; i < PEER_CONNS; i++)
        if (e->conns[i] != 0)
            return true;
    return false;
}

void peers_learn(struct peers *p, const struct device_id *device,
    const struct netaddr *addr, enum peer_source source)
{
    struct peer *e = peers_find(p, device);

    if (e == NULL || peer_addr_ix(e, addr) < e->addrs_n)
        return;
    if (peer_addr_add(e, addr, source) < e->addrs_n)
        p->changed = true;
}

void peers_on_beacon(struct peers *p, const struct device_id *device,
    const struct netaddr *addr, uint64_t now_us)
{
    struct peer *e = peers_find(p, device);
    size_t ix;

    if (e == NULL) {
        if (PLANTED(R04_STRANGERS))
            (void)!peers_add_static(p, addr, now_us);
        return;
    }
    peers_learn(p, device, addr, PEER_BEACON);
    ix = peer_addr_ix(e, addr);
    if (ix == e->addrs_n || is_up(e) || e->dial != 0 ||
        (e->urged && now_us - e->urged_us < URGE_GAP_US))
        return;
    e->urged = true;
    e->urged_us = now_us;
    e->next = ix;
    e->rounds = 0;
    e->due_us = now_us;
}

/* ---- dialling ---- */

/* A static address is dialled for itself only as long as it leads to nobody
 * in the table; else it is one of that device's addresses. */
static bool may_dial(const struct peers *p, const struct peer *e)
{
    if (e->dial != 0 || e->addrs_n == 0 || p->dials >= PEERS_DIALS_MAX)
        return false;
    if (!e->fixed)
        return !is_up(e);
    return !e->known || peers_find(p, &e->device) == NULL;
}

bool peers_next(
    struct peers *p, uint64_t now_us, uint64_t conn, struct peers_dial *out)
{
    struct peer *best = NULL, *e;

    for (size_t i = 0; (e = entry_at(p, i)) != NULL; i++)
        if (may_dial(p, e) && e->due_us <= now_us &&
            (best == NULL || e->due_us < best->due_us))
            best = e;
    if (best == NULL)
        return false;
    if (best->next >= best->addrs_n)
        best->next = 0;
    best->dial = conn;
    best->dialled = best->next;
    p->dials++;
    *out = (struct peers_dial){
        .known = !best->fixed,
        .device = best->device,
        .addr = best->addrs[best->next].addr,
    };
    return true;
}

void peers_urge(
    struct peers *p, const struct device_id *device, uint64_t now_us)
{
    struct peer *e;

    for (size_t i = 0; (e = entry_at(p, i)) != NULL; i++) {
        if (is_up(e) || e->dial != 0 || e->addrs_n == 0 ||
            (device != NULL && (!e->known || !device_eq(&e->device, device))))
            continue;
        e->next = 0;
        e->rounds = 0;
        e->due_us = now_us;
    }
}

uint64_t peers_deadline(const struct peers *p)
{
    uint64_t due = UINT64_MAX;
    const struct peer *e;

    for (size_t i = 0; (e = entry_at(p, i)) != NULL; i++)
        if (may_dial(p, e) && e->due_us < due)
            due = e->due_us;
    return due;
}

/* The next pause: doubled each round, less a random part of up to half. */
static void pause_dials(struct peers *p, struct peer *e, uint64_t now_us)
{
    uint64_t pause = p->opt.dial_min_us;

    for (uint32_t i = 0; i < e->rounds && pause < p->opt.dial_max_us; i++)
        pause *= 2;
    if (pause > p->opt.dial_max_us)
        pause = p->opt.dial_max_us;
    pause -= prng_below(&p->prng, pause / 2 + 1);
    if (e->rounds < UINT32_MAX)
        e->rounds++;
    e->next = 0;
    e->due_us = now_us + pause;
}

static void dial_ended(struct peers *p, struct peer *e)
{
    e->dial = 0;
    p->dials--;
}

static void dial_failed(struct peers *p, struct peer *e, uint64_t now_us)
{
    struct candidate *c = &e->addrs[e->dialled];

    dial_ended(p, e);
    if (c->fails < UINT8_MAX)
        c->fails++;
    e->next = e->dialled + 1;
    if (e->next >= e->addrs_n)
        pause_dials(p, e, now_us);
    else
        e->due_us = now_us;
}

/* ---- connections ---- */

/* More than a few to one device are a mistake somewhere; the last ones count.
 */
static void add_conn(struct peer *e, uint64_t conn, uint64_t now_us)
{
    size_t i = 0;

    if (!is_up(e))
        e->up_us = now_us;
    while (i < PEER_CONNS - 1 && e->conns[i] != 0)
        i++;
    e->conns[i] = conn;
}

/* Somebody else lives there now. */
static void wrong_number(struct peers *p, struct peer *e,
    const struct device_id *device, uint64_t now_us)
{
    size_t ix = e->dialled;

    dial_failed(p, e, now_us);
    if (device_eq(device, &p->opt.self) && e->addrs[ix].source != PEER_STATIC)
        peer_addr_drop(e, ix);
}

/* by: the device's entry, or NULL if it has none. */
static void dial_answered(struct peers *p, struct peer *e, struct peer *by,
    const struct device_id *device, uint64_t now_us)
{
    struct candidate c = e->addrs[e->dialled];
    size_t ix;

    if (e->fixed) {
        dial_ended(p, e);
        e->device = *device;
        e->known = by != NULL;
        e->rounds = by != NULL ? 0 : e->rounds;
        pause_dials(p, e, now_us);
    } else if (by == e) {
        dial_ended(p, e);
    } else {
        wrong_number(p, e, device, now_us);
    }
    if (by == NULL)
        return;
    ix = peer_addr_add(by, &c.addr, c.source);
    if (ix < by->addrs_n && peer_addr_worked(by, ix))
        p->changed = true;
}

static struct peer *dialling(const struct peers *p, uint64_t conn)
{
    struct peer *e;

    for (size_t i = 0; conn != 0 && (e = entry_at(p, i)) != NULL; i++)
        if (e->dial == conn)
            return e;
    return NULL;
}

void peers_on_up(struct peers *p, uint64_t conn, const struct device_id *device,
    uint64_t now_us)
{
    struct peer *by = peers_find(p, device), *e = dialling(p, conn);

    if (e != NULL)
        dial_answered(p, e, by, device, now_us);
    if (by != NULL)
        add_conn(by, conn, now_us);
}

static void conn_ended(struct peers *p, struct peer *e, uint64_t now_us)
{
    uint64_t good_us = GOOD_PAUSES * p->opt.dial_min_us;

    if (is_up(e))
        return;
    if (now_us - e->up_us >= good_us)
        e->rounds = 0;
    if (e->dial == 0)
        pause_dials(p, e, now_us);
}

void peers_on_down(struct peers *p, uint64_t conn, uint64_t now_us)
{
    struct peer *e = dialling(p, conn);

    if (conn == 0)
        return;
    if (e != NULL) {
        dial_failed(p, e, now_us);
        return;
    }
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < PEER_CONNS; k++)
            if (p->table[i]->conns[k] == conn) {
                p->table[i]->conns[k] = 0;
                conn_ended(p, p->table[i], now_us);
                return;
            }
}

/* ---- looking ---- */

bool peers_info(const struct peers *p, const struct device_id *device,
    struct peer_info *out)
{
    const struct peer *e = peers_find(p, device);
    struct peer_info info = { .state = PEER_WAITING };

    if (e == NULL)
        return false;
    if (is_up(e))
        info.state = PEER_UP;
    else if (e->dial != 0)
        info.state = PEER_DIALING;
    else if (e->addrs_n == 0)
        info.state = PEER_NO_ADDRESS;
    if (e->addrs_n > 0)
        info.addr = e->addrs[0].addr;
    info.due_us = e->due_us;
    info.rounds = e->rounds;
    *out = info;
    return true;
}

bool peers_take_changed(struct peers *p)
{
    bool changed = p->changed;

    p->changed = false;
    return changed;
}
