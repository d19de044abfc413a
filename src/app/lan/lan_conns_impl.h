/* lan_conns_impl.h - what lan_conns.c (connections), lan_peers.c (whom we
 * call), lan_kin.c (who is of our mesh) and lan_door.c (who may come, and how
 * often) share. */
#ifndef SYNCLINE_APP_LAN_CONNS_IMPL_H
#define SYNCLINE_APP_LAN_CONNS_IMPL_H

#include "app/lan/lan_face_impl.h"
#include "faces/lansync/discovery.h"

struct lan_conn {
    struct lan_conn *next;
    struct lan_face *face;
    struct lan_peer *peer; /* that we call; NULL: it has come */
    struct lan_wire *wire;
    struct lan_link *link;
    uint64_t number, since_us;
    struct netaddr remote; /* of who has come */
    bool is_open, is_over, is_held;
    bool is_cut;   /* it is over, and what it has not read is not kept */
    bool has_name; /* the exchange knows who it is */
    bool is_syncline, is_kin; /* as is the other end; of our mesh */
    bool is_heard;            /* something of it has counted */
    bool is_untold;           /* it may not be told the secret */
    bool is_unread;           /* it was told that it says what cannot be read */
    char why[200];
    char refused[200];   /* why it is not heard, just now; "": it is */
    char said_node[256]; /* who that says that he is */
};

/* One that was named, or that is near: then it is tried where it says, and
 * where others of its kind are. */
struct lan_peer {
    struct lan_peer *next;
    char *host;
    uint16_t port;
    char node[LAN_NAME_MAX]; /* of one that is near; "": it was named */
    struct netaddr at;       /* where it says that it is */
    uint16_t said;           /* the port that it says */
    unsigned tries;
    bool is_lost;
    bool is_kin;           /* it was of our mesh */
    bool wants_secret;     /* it would let us in if it were told */
    bool is_plain;         /* TLS has failed, and both are to be tried */
    struct lan_conn *conn; /* NULL: it is not called */
    bool can_challenge;    /* it need not hear the secret; who says that he is
                              it, elsewhere, does not either */
    enum lan_dialect dialect;
    uint64_t again_us, pause_us;
    char met[LAN_NAME_MAX]; /* who it was last; "": nobody yet */
    char why[200];
};

/* What was sent leaves yet; then its wire ends. */
void lan_conn_close_soon(struct lan_conn *c, const char *why);
void lan_conn_close(struct lan_conn *c, const char *why);
/* What was sent is not kept for it. */
void lan_conn_cut(struct lan_conn *c, const char *why);

static inline bool lan_conn_is_guest(const struct lan_conn *c)
{
    return c->peer == NULL && c->face->opt.needs_auth &&
        !lan_link_is_open(c->link);
}

/* ---- lan_peers.c ---- */

/* After a pause that grows. */
void lan_peer_call_later(struct lan_peer *p, const struct lan_face *f);
/* Its connection is over. */
void lan_peer_left(struct lan_peer *p, const struct lan_conn *c);
/* May it be told the secret? */
bool lan_peer_may_be_told(const struct lan_face *f, const struct lan_peer *p);
/* Whoever has said the secret to us knows it. */
void lan_peers_hear_secret(struct lan_face *f, const struct netaddr *from);
/* Nobody of that name is connected already. */
bool lan_peer_is_wanted(const struct lan_face *f, const struct lan_peer *p);
/* Is it time, and its turn? */
bool lan_peer_is_due(struct lan_face *f, struct lan_peer *p, uint64_t now_us);

/* ---- lan_refused.c ---- */

/* Who it says that it is, where it does not count. */
void lan_conn_said_node(struct lan_conn *c, struct slice node);
/* c, which has come, is over, and was not served: c->refused says why. */
void lan_refused_note(struct lan_conn *c);
/* It is served. */
void lan_refused_forget(const struct lan_conn *c);

/* ---- lan_kin.c ---- */

#define LAN_KIN_WHY "it is of this mesh: what is shared goes by that"

/* Events of a link. */
void lan_kin_offer(
    void *ctx, struct slice id, struct json *payload, struct arena *a);
void lan_kin_offered(void *ctx, struct slice id, const struct lan_message *m);
/* True: the other end is of our mesh, and the connection ends. */
bool lan_kin_parts(struct lan_conn *c);
void lan_kin_look(struct lan_face *f);

/* ---- lan_door.c ---- */

/* May somebody from there come now? Of guests who take too much room the
 * oldest goes. */
bool lan_door_is_of_admitted(
    const struct lan_face *f, const struct netaddr *from);
bool lan_door_admits(struct lan_face *f, const struct netaddr *from);
bool lan_door_has_room(struct lan_face *f, const struct netaddr *from);
/* c is to be sent something: what all have not read yet is not too much, or
 * somebody is cut. */
void lan_door_shed(const struct lan_conn *c);
/* An open connection with the same node, that is to be kept instead; the other
 * one, if there is one, is closed. */
bool lan_door_keeps_other(struct lan_conn *c);
/* Events of a link. */
bool lan_door_may_try(void *ctx);
void lan_door_failed(void *ctx, struct slice node);

#endif
