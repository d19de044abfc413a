/* discovery.h - LAN-sync nodes that are near: the datagram by which each of
 * them says where it is, and a list of who was heard and when.
 *
 * Pure: the caller passes the time. Nothing here is signed, so that it is a
 * hint whom to call, never a reason to trust. Law: of more nodes than
 * DEVICES_MAX who was silent for longest is forgotten. */
#ifndef SYNCLINE_FACES_LANSYNC_DISCOVERY_H
#define SYNCLINE_FACES_LANSYNC_DISCOVERY_H

#include "core/json.h"
#include "core/netaddr.h"

#define LAN_GROUP "239.255.43.21"
#define LAN_GROUP6                                            \
    "ff12::efff:2b15" /* ours: the older nodes know IPv4 only \
                       */
#define LAN_DISCOVERY_PORT 5000
#define LAN_DATAGRAM_MAX 4096
#define LAN_NAME_MAX 256
#define DEVICES_MAX 256

struct lan_beacon {
    struct slice node_id, node_name;
    uint16_t port;                   /* where it says that it listens */
    const struct json *capabilities; /* an array of texts, or NULL */
};

/* EMALFORMED: it is none. out lends from text and a. */
NODISCARD int lan_beacon_read(
    struct lan_beacon *out, struct slice text, struct arena *a);
void lan_beacon_put(
    struct buf *b, const struct lan_beacon *beacon, uint64_t now_us);

struct lan_device {
    char node_id[LAN_NAME_MAX], node_name[LAN_NAME_MAX];
    struct netaddr at; /* whence it was heard, and the port that it named */
    uint64_t heard_us; /* 0: nobody */
    uint64_t four_us;  /* the same by IPv4, which then is where it is */
    bool is_online;    /* was, when it was looked at last */
};

struct lan_devices {
    struct lan_device e[DEVICES_MAX];
    uint64_t timeout_us; /* silent for so long is offline */
};

enum lan_heard { LAN_HEARD_AGAIN, LAN_HEARD_NEW, LAN_HEARD_BACK };

/* Notes who was heard; NULL: an id that is too long, or no text. */
struct lan_device *lan_devices_hear(struct lan_devices *d,
    const struct lan_beacon *b, const struct netaddr *from, uint64_t now_us,
    enum lan_heard *what);
/* The next that went offline since the last look, or NULL. */
struct lan_device *lan_devices_lost(struct lan_devices *d, uint64_t now_us);
/* When the next one may; 0: none is online. */
uint64_t lan_devices_deadline(const struct lan_devices *d);

#endif
