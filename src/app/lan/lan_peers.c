/* The LAN-sync nodes that we call: those that were named, and those that are
 * near. */
#include "app/lan/lan_conns_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/plant.h"

#define PAUSE_US UINT64_C(5000000)
#define FOUND_MAX 64   /* that are near */
#define CALLS_PER_S 20 /* of those whom nobody has met there */

void lan_peer_call_later(struct lan_peer *p, const struct lan_face *f)
{
    uint64_t most = f->opt.dial_max_us;
    uint8_t r = 128;

    (void)!crypto_random(&r, 1);
    if (p->pause_us == 0)
        p->pause_us = PAUSE_US;
    if (p->pause_us > most)
        p->pause_us = most;
    p->again_us = clock_mono_us() + p->pause_us * (192u + r / 2u) / 256;
    p->pause_us *= 2;
}

void lan_peer_left(struct lan_peer *p, const struct lan_conn *c)
{
    const uint16_t ports[] = { p->said, LAN_DISCOVERY_PORT + 1,
        LAN_DISCOVERY_PORT };

    p->dialect = lan_link_dialect(c->link);
    p->conn = NULL;
    p->is_kin = c->is_kin;
    /* It has signed that: it may be another program by now. */
    if (strncmp(c->why, LAN_REFUSED, sizeof LAN_REFUSED - 1) == 0)
        p->can_challenge = false;
    if (lan_link_node(c->link)[0] != 0)
        (void)snprintf(p->met, sizeof p->met, "%s", lan_link_node(c->link));
    if (c->is_kin) {
        p->pause_us = c->face->opt.dial_max_us;
        lan_peer_call_later(p, c->face);
        return;
    }
    if (!c->is_open && c->face->opt.tls == LAN_TLS_BOTH) {
        p->is_plain = !p->is_plain;
        if (p->is_plain) {
            p->again_us = clock_mono_us();
            return;
        }
    }
    if (p->node[0] != 0 && !c->is_open)
        p->port = ports[++p->tries % 3];
    lan_peer_call_later(p, c->face);
}

/* ---- who is told the secret ---- */

bool lan_peer_may_be_told(const struct lan_face *f, const struct lan_peer *p)
{
    const size_t n =
        f->told_us_n < LAN_KNOWN_MAX ? f->told_us_n : LAN_KNOWN_MAX;

    if (f->opt.say_secret != LAN_SAY_KNOWN || PLANTED(R12_LAN_TOLD))
        return f->opt.say_secret != LAN_SAY_NEVER;
    if (p->node[0] == 0 || lan_tls_verifies(f))
        return true;
    for (size_t i = 0; i < n; i++)
        if (netaddr_same_ip(&f->told_us[i], &p->at))
            return true;
    return false;
}

void lan_peers_hear_secret(struct lan_face *f, const struct netaddr *from)
{
    for (size_t i = 0; i < f->told_us_n && i < LAN_KNOWN_MAX; i++)
        if (netaddr_same_ip(&f->told_us[i], from))
            return;
    f->told_us[f->told_us_n++ % LAN_KNOWN_MAX] = *from;
}

/* ---- all of them ---- */

int lan_conns_make(struct lan_face *f)
{
    struct lan_peer **at = &f->peers;

    for (size_t i = 0; i < f->opt.peers_n; i++) {
        struct lan_peer *p = calloc(1, sizeof *p);

        if (p == NULL)
            return SYNCLINE_ENOMEM;
        *at = p;
        at = &p->next;
        p->port = f->opt.peers[i].port;
        p->host = strdup(f->opt.peers[i].host);
        if (p->host == NULL)
            return SYNCLINE_ENOMEM;
    }
    f->opt.peers = NULL;
    return SYNCLINE_OK;
}

static const char *name_of(const struct lan_peer *p)
{
    return p->met[0] != 0 ? p->met : p->node;
}

/* Who was met there before may have made room for another program. */
static bool is_called_there(const struct lan_conn *c, const struct lan_peer *p)
{
    return c->peer != NULL && c->peer->port == p->port &&
        strcmp(c->peer->host, p->host) == 0;
}

/* By whatever connection. */
static bool is_here(const struct lan_face *f, const struct lan_peer *p)
{
    const char *name = name_of(p);

    if (p->conn != NULL && p->conn->is_open)
        return true;
    for (const struct lan_conn *c = f->conns; c != NULL; c = c->next)
        if (c->is_open &&
            (is_called_there(c, p) ||
                (name[0] != 0 && strcmp(lan_link_node(c->link), name) == 0)))
            return true;
    return false;
}

/* Whoever has called us is not called. */
bool lan_peer_is_wanted(const struct lan_face *f, const struct lan_peer *p)
{
    return p->conn == NULL && !p->is_lost && !is_here(f, p);
}

/* ---- anybody can say that he is near ---- */

/* Wherever he likes, under as many names: nobody makes us call many others, nor
 * fill the log. */
bool lan_peer_is_due(struct lan_face *f, struct lan_peer *p, uint64_t now_us)
{
    static const struct pace_rule rule = { CALLS_PER_S, FOUND_MAX };
    const bool is_met = p->node[0] == 0 || p->met[0] != 0;
    uint64_t late_us;

    if (p->again_us > now_us)
        return false;
    late_us = is_met ? 0 : pace_late_us(&f->near_calls, &rule, now_us);
    if (late_us > 0 && !PLANTED(R04_LAN_CALLS)) {
        p->again_us = now_us + late_us;
        return false;
    }
    if (!is_met)
        (void)pace_take(&f->near_calls, &rule, 1, now_us);
    return true;
}

/* Some at once, then one a minute: of a clock that is sixty times slower. */
enum log_level lan_near_level(struct lan_face *f, enum log_level level)
{
    static const struct pace_rule rule = { 1, FOUND_MAX };

    return pace_may(&f->near_lines, &rule, 1, clock_mono_us() / 60) ||
            PLANTED(R04_LAN_CALLS)
        ? level
        : LOG_LEVEL_DEBUG;
}

/* ---- who is near ---- */

static struct lan_peer *peer_near(const struct lan_face *f, const char *node)
{
    struct lan_peer *p = f->peers;

    while (p != NULL && strcmp(p->node, node) != 0)
        p = p->next;
    return p;
}

/* Anybody can say that he is near: of so many that did one goes that is not
 * connected. False: there is no room. */
static bool make_room(struct lan_face *f)
{
    struct lan_peer **at = &f->peers, **goes = NULL, *gone;
    size_t n = 0;

    for (; *at != NULL; at = &(*at)->next) {
        const struct lan_peer *p = *at;

        if (p->node[0] == 0)
            continue;
        n++;
        if (p->conn == NULL &&
            (goes == NULL || p->is_lost || !(*goes)->is_lost))
            goes = at;
    }
    if (n < FOUND_MAX || PLANTED(R04_LAN))
        return true;
    if (goes == NULL)
        return false;
    gone = *goes;
    *goes = gone->next;
    free(gone->host);
    free(gone);
    return true;
}

static struct lan_peer *peer_new(struct lan_face *f, const char *node)
{
    struct lan_peer *p = make_room(f) ? calloc(1, sizeof *p) : NULL;

    if (p == NULL)
        return NULL;
    (void)snprintf(p->node, sizeof p->node, "%s", node);
    p->next = f->peers;
    f->peers = p;
    return p;
}

void lan_peer_found(
    struct lan_face *f, const char *node, const struct netaddr *at)
{
    struct lan_peer *p = peer_near(f, node);
    char ip[NETADDR_TEXT];
    char *host;

    if (!lan_door_is_of_admitted(f, at))
        return;
    netaddr_format_ip(ip, at);
    if (p != NULL && p->said == at->port && strcmp(p->host, ip) == 0) {
        p->is_lost = false;
        return;
    }
    host = strdup(ip);
    if (host != NULL && p == NULL)
        p = peer_new(f, node);
    if (host == NULL || p == NULL) {
        free(host);
        return;
    }
    free(p->host);
    p->host = host;
    p->at = *at;
    p->said = p->port = at->port;
    p->tries = 0;
    p->met[0] = 0; /* but not that it need not hear the secret */
    p->wants_secret = false;
    p->is_lost = false;
    p->again_us = p->pause_us = 0;
}

void lan_peer_lost(struct lan_face *f, const char *node)
{
    struct lan_peer *p = peer_near(f, node);

    if (p != NULL)
        p->is_lost = true;
}

static const char *state_of(const struct lan_face *f, const struct lan_peer *p)
{
    if (is_here(f, p))
        return "connected";
    if (p->is_lost)
        return "gone";
    if (p->is_kin)
        return "mesh";
    return p->wants_secret && f->opt.say_secret == LAN_SAY_KNOWN ? "untold"
                                                                 : "away";
}

void lan_peers_put(const struct lan_face *f, struct buf *b)
{
    for (const struct lan_peer *p = f->peers; p != NULL; p = p->next) {
        const bool is_up = is_here(f, p);

        buf_printf(b, "%s{\"found\":%s,\"node_id\":", p != f->peers ? "," : "",
            p->node[0] != 0 ? "true" : "false");
        json_print_said(b, slice_str(name_of(p)));
        buf_put_str(b, ",\"host\":");
        json_print_said(b, slice_str(p->host));
        buf_printf(b,
            ",\"port\":%u,\"connected\":%s,\"state\":\"%s\",\"trouble\":",
            p->port, is_up ? "true" : "false", state_of(f, p));
        if (p->why[0] != 0 && !is_up)
            json_print_said(b, slice_str(p->why));
        else
            buf_put_str(b, "null");
        buf_put_u8(b, '}');
    }
}
