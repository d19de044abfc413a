/* Who of the LAN-sync nodes may come, how often, and which of two connections
 * with one of them is kept. */
#include "app/lan/lan_conns_impl.h"

#include <stdio.h>

#include "base/plant.h"

#define CONNS_MAX 1024
#define GUESTS_MAX 256 /* of them who were not let in */
#define GUESTS_OF_ONE 32
#define CALLS_PER_S 20                 /* of an address */
#define UNREAD_MAX ((size_t)256 << 20) /* of all */
#define UNREAD_MUCH ((size_t)1 << 20)

/* ---- room ---- */

/* Of whoever comes so often nothing is heard for a while. */
static bool is_hasty(struct lan_face *f, const struct netaddr *from)
{
    static const struct pace_rule rule = { CALLS_PER_S, 2 * CALLS_PER_S };
    const uint64_t now_us = clock_mono_us();
    struct lan_caller *c;
    uint64_t net = 0;

    if (netaddr_is_loopback(from) || PLANTED(R01_LAN_RATE))
        return false;
    for (unsigned i = 0; i < 8; i++)
        net = net << 8 | from->addr[i];
    net ^= from->family;
    c = &f->callers[(net * UINT64_C(0x9e3779b97f4a7c15)) >> 56];
    if (c->net != net && pace_late_us(&c->calls, &rule, now_us) == 0)
        *c = (struct lan_caller){ .net = net };
    return !pace_may(&c->calls, &rule, 1, now_us);
}

/* Those who have come in need not care how many stand at the door; whoever
 * asks at once is through it before it is his turn to go. */
static void turn_away_oldest(struct lan_conn *oldest)
{
    oldest->face->counts.refused_room++;
    lan_conn_close(oldest, "others want to come in");
}

bool lan_door_has_room(struct lan_face *f, const struct netaddr *from)
{
    size_t all = 0, guests = 0, same = 0;
    struct lan_conn *oldest = NULL;

    if (is_hasty(f, from))
        return false;
    for (struct lan_conn *c = f->conns; c != NULL; c = c->next) {
        all++;
        if (!lan_conn_is_guest(c))
            continue;
        same += netaddr_same_ip(&c->remote, from);
        if (c->is_over)
            continue; /* what it is told last it may not read */
        guests++;
        oldest = c; /* the list begins with the newest */
    }
    if (same >= GUESTS_OF_ONE && !netaddr_is_loopback(from))
        return false;
    if (all < CONNS_MAX && guests < GUESTS_MAX)
        return true;
    if (all >= 2 * CONNS_MAX || oldest == NULL || PLANTED(R01_LAN_ROOM))
        return false;
    turn_away_oldest(oldest);
    return true;
}

bool lan_door_is_of_admitted(
    const struct lan_face *f, const struct netaddr *from)
{
    if (netaddr_is_loopback(from) || PLANTED(R13_LAN))
        return true;
    for (size_t i = 0; i < f->opt.admit_n; i++)
        if (network_has(&f->admit[i], from))
            return true;
    return false;
}

bool lan_door_admits(struct lan_face *f, const struct netaddr *from)
{
    char text[NETADDR_TEXT];

    if (lan_door_is_of_admitted(f, from))
        return true;
    netaddr_format(text, from);
    if (f->counts.refused_network++ == 0)
        log_line(&f->log, LOG_LEVEL_WARN, "lansync",
            "%s was not let in: it is of no network of lansync.admit", text);
    return false;
}

/* ---- who does not read ---- */

/* What is cut is kept until the loop comes to it: it counts still. Who asks has
 * not read what he was told before; who has most goes. */
void lan_door_shed(const struct lan_conn *asks)
{
    struct lan_conn *most = NULL;
    size_t all = 0;

    if (lan_wire_queued(asks->wire) <= UNREAD_MUCH || PLANTED(R33_LAN_CROWD))
        return;
    for (struct lan_conn *c = asks->face->conns; c != NULL; c = c->next) {
        const size_t n = lan_wire_queued(c->wire);

        all += n;
        if (!c->is_cut && (most == NULL || n > lan_wire_queued(most->wire)))
            most = c;
    }
    if (all > UNREAD_MAX && most != NULL)
        lan_conn_cut(most,
            "it does not read, and of what waits for all to be read it has "
            "most");
}

/* ---- which of two ---- */

static struct lan_conn *other_of(const struct lan_conn *c, const char *node)
{
    struct lan_conn *o = c->face->conns;

    while (o != NULL &&
        (o == c || !o->is_open || o->is_over ||
            strcmp(lan_link_node(o->link), node) != 0))
        o = o->next;
    return o;
}

/* Of two that call each other that of the lesser is kept, at both ends. Where
 * one has come twice, the second only if nothing is heard by the first. */
static bool is_better(
    const struct lan_conn *c, const struct lan_conn *o, const char *node)
{
    const struct lan_face *f = c->face;
    const uint64_t quiet_us = f->opt.heartbeat_us + f->opt.heartbeat_wait_us;

    if ((c->peer != NULL) != (o->peer != NULL))
        return (c->peer != NULL) == (strcmp(f->node_id, node) < 0);
    return c->peer == NULL &&
        clock_mono_us() > lan_link_heard_us(o->link) + quiet_us;
}

/* Two machines by one name: the second is never served. (By another family it
 * may be the same one.) */
static void note_twin(struct lan_conn *c, const struct lan_conn *o)
{
    const struct netaddr at =
        o->peer != NULL ? lan_wire_remote(o->wire) : o->remote;
    char ip[NETADDR_TEXT];

    if (c->peer != NULL || at.family != c->remote.family ||
        netaddr_same_ip(&at, &c->remote))
        return;
    netaddr_format_ip(ip, &at);
    (void)snprintf(c->refused, sizeof c->refused,
        "a node of the same node_id is connected from %s: each needs its own",
        ip);
}

bool lan_door_keeps_other(struct lan_conn *c)
{
    const char *node = lan_link_node(c->link);
    struct lan_conn *o;

    if (node[0] == 0)
        return false;
    if (strcmp(node, c->face->node_id) == 0)
        return true; /* who calls himself keeps none */
    o = other_of(c, node);
    if (o == NULL)
        return false;
    if (!is_better(c, o, node)) {
        note_twin(c, o);
        return true;
    }
    lan_conn_close(o, "another connection with it is kept");
    return false;
}

/* ---- who fails to come in ---- */

bool lan_door_may_try(void *ctx)
{
    const struct lan_conn *c = ctx;

    return attempts_wait_us(&c->face->attempts, &c->remote, clock_mono_us()) ==
        0 ||
        PLANTED(R12_LAN_GUESS);
}

void lan_door_failed(void *ctx, struct slice node)
{
    struct lan_conn *c = ctx;

    lan_conn_said_node(c, node);
    (void)snprintf(c->refused, sizeof c->refused, "%s",
        lan_door_may_try(c)
            ? "it does not say the secret that we have"
            : "its address has failed five times to say the secret: nobody "
              "is let in from there until a minute has gone by");
    c->face->counts.failures++;
    attempts_failed(&c->face->attempts, &c->remote, clock_mono_us());
}
