/* Synclines that meet by LAN sync. What two of one mesh share goes by the mesh:
 * over LAN sync too, it would come back as somebody else's change. So each says
 * with its request to come in, and with the answer, what only who is of its
 * mesh can say of that request (member `syncline` of the payload, which the
 * older nodes pass over), and where it is found by the mesh. Who proves so is
 * not exchanged with, and is looked for there.
 *
 * A claim counts for the connection that makes it and for no other: who lies
 * keeps himself out. */
#include "app/lan/lan_conns_impl.h"

#include <stdio.h>

#include "base/plant.h"
#include "base/text.h"
#include "repl/beacon.h"

#define OFFER "syncline"

/* What is tagged: who says it, in answer to what, of which space. */
static void put_claim(struct buf *b, const struct lan_face *f, bool by_server,
    struct slice node, struct slice id)
{
    buf_put_str(b, by_server ? "lan-sync server" : "lan-sync client");
    buf_put_u8(b, 0);
    buf_put_str(b, f->space);
    buf_put_u8(b, 0);
    buf_put_slice(b, node);
    buf_put_u8(b, 0);
    buf_put_slice(b, id);
}

static void add_hex(
    struct json *to, const char *key, struct slice bytes, struct arena *a)
{
    char hex[2 * BEACON_LEN + 1];
    struct slice text;

    hex_encode(hex, bytes);
    text = arena_dup(a, slice_str(hex));
    json_add(to, slice_str(key), json_new_str(a, text));
}

void lan_kin_offer(
    void *ctx, struct slice id, struct json *payload, struct arena *a)
{
    struct lan_conn *c = ctx;
    struct lan_face *f = c->face;
    struct json *offer = json_new(a, JSON_OBJECT);
    struct buf claim = { 0 }, beacon = { 0 };
    uint8_t tag[NODE_KIN_LEN];

    put_claim(&claim, f, c->peer == NULL, slice_str(f->node_id), id);
    if (buf_status(&claim) == SYNCLINE_OK &&
        engine_kin_tag(f->engine, buf_slice(&claim), tag) == SYNCLINE_OK) {
        add_hex(offer, "kin", SLICE(tag, sizeof tag), a);
        if (engine_put_beacon(f->engine, &beacon) == SYNCLINE_OK &&
            beacon.len == BEACON_LEN)
            add_hex(offer, "beacon", buf_slice(&beacon), a);
    }
    json_add(offer, SLICE_LIT("challenge"), json_new_bool(a, true));
    if (f->opt.compress)
        json_add(offer, SLICE_LIT("deflate"), json_new_bool(a, true));
    json_add(payload, SLICE_LIT(OFFER), offer);
    buf_free(&claim);
    buf_free(&beacon);
}

/* The node looks for it there, if it does not know better. */
static void look_for(struct lan_conn *c, struct slice hex)
{
    struct netaddr from =
        c->peer != NULL ? lan_wire_remote(c->wire) : c->remote;
    uint8_t beacon[BEACON_LEN];

    if (from.family == 4 || !netaddr_is_link_local(&from))
        from.scope = 0;
    if (hex_decode(beacon, sizeof beacon, hex) == SYNCLINE_OK)
        engine_hear(c->face->engine, &from, SLICE(beacon, sizeof beacon));
}

void lan_kin_offered(void *ctx, struct slice id, const struct lan_message *m)
{
    struct lan_conn *c = ctx;
    const struct json *offer = json_get(m->member[LAN_PAYLOAD], OFFER);
    struct buf claim = { 0 };
    uint8_t tag[NODE_KIN_LEN];

    c->is_syncline =
        json_get(offer, "kin") != NULL || json_get(offer, "challenge") != NULL;
    /* A proof may be passed on by who does not know it, and so may a session.
     */
    if (c->peer == NULL &&
        crypto_equal(lan_payload_text(m, "token"), c->face->opt.secret))
        lan_peers_hear_secret(c->face, &c->remote);
    if (c->peer != NULL && json_get_bool(offer, "challenge", false))
        c->peer->can_challenge = true;
    /* Once it can, it can: it may ask to come in again. */
    if (c->face->opt.compress && json_get_bool(offer, "deflate", false))
        lan_link_deflate(c->link);
    if (!c->is_syncline ||
        hex_decode(tag, sizeof tag, json_get_str(offer, "kin")) != SYNCLINE_OK)
        return;
    put_claim(&claim, c->face, c->peer != NULL, lan_sender(m), id);
    c->is_kin = buf_status(&claim) == SYNCLINE_OK &&
        (PLANTED(R12_LAN_KIN) ||
            engine_is_kin(
                c->face->engine, buf_slice(&claim), SLICE(tag, sizeof tag)));
    buf_free(&claim);
    if (c->is_kin)
        look_for(c, json_get_str(offer, "beacon"));
}

bool lan_kin_parts(struct lan_conn *c)
{
    struct lan_peer *p = c->peer;
    struct lan_face *f = c->face;

    if (c->is_syncline && !c->is_kin)
        log_line(&f->log, LOG_LEVEL_INFO, "lansync",
            "%s is a Syncline of another mesh (or with another lansync.space): "
            "pair the two (syncline invite), and they keep all spaces the "
            "same, encrypted",
            lan_link_node(c->link));
    if (!c->is_kin)
        return false;
    if (p == NULL || strcmp(p->why, LAN_KIN_WHY) != 0)
        log_line(&f->log, p != NULL ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
            "lansync",
            "%s is of this mesh: what is shared goes by that, and not by LAN "
            "sync",
            lan_link_node(c->link));
    if (p != NULL)
        (void)snprintf(p->why, sizeof p->why, "%s", LAN_KIN_WHY);
    lan_conn_close_soon(c, LAN_KIN_WHY);
    return true;
}

/* The mesh is another, or has another key: who was of it may not be, and
 * another one may. */
void lan_kin_look(struct lan_face *f)
{
    const uint64_t mark = engine_mesh_mark(f->engine);

    if (mark == f->mesh_mark)
        return;
    f->mesh_mark = mark;
    for (struct lan_conn *c = f->conns; c != NULL; c = c->next)
        if (c->is_syncline)
            lan_conn_close_soon(c,
                "the mesh has changed: who is of it is seen "
                "anew");
    for (struct lan_peer *p = f->peers; p != NULL; p = p->next)
        if (strcmp(p->why, LAN_KIN_WHY) == 0)
            p->again_us = p->pause_us = 0;
}
