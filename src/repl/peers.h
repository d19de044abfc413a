/* peers.h - the address book, and whom to dial when.
 *
 * Pure: the time (monotonic) is passed in, jitter comes from the seed. Knows
 * members only, and static addresses whose device is not known yet; what is
 * said of others is dropped. A device's addresses are tried in turn, what
 * worked last first, with one dial at a time; after the last one a pause that
 * doubles from dial_min_us to dial_max_us, less a random part of up to half.
 * Law: never dials itself, nor a device that is connected; the tables are
 * bounded whatever comes in. */
#ifndef SYNCLINE_REPL_PEERS_H
#define SYNCLINE_REPL_PEERS_H

#include "base/codec.h"
#include "core/id.h"
#include "core/netaddr.h"

#define PEERS_MAX 1024   /* devices */
#define PEER_ADDRS_MAX 8 /* of one device */
#define PEERS_STATIC_MAX 64
#define PEERS_DIALS_MAX 32 /* under way at once */

enum peer_source {
    PEER_STATIC, /* configured; never dropped */
    PEER_CODE,
    PEER_BEACON,
    PEER_GOSSIP,
    PEER_OBSERVED, /* it connected from there; the port is from its hello */
    PEER_SOURCE_END
};

struct peers; /* opaque */

struct peers_options {
    struct device_id self;
    uint64_t seed;
    uint64_t dial_min_us;
    uint64_t dial_max_us;
};

NODISCARD int peers_new(struct peers **out, const struct peers_options *opt);
void peers_free(struct peers *p); /* NULL is fine */

/* Who may be dialled, sorted and each once (members_ids). Keeps what is known
 * of those who stay. Oneself may be among them. */
NODISCARD int peers_set_members(
    struct peers *p, const struct device_id *ids, size_t n, uint64_t now_us);

/* An address to dial for as long as nobody is connected through it. ELIMIT:
 * too many. */
NODISCARD int peers_add_static(
    struct peers *p, const struct netaddr *addr, uint64_t now_us);
/* A member may be found there. */
void peers_learn(struct peers *p, const struct device_id *device,
    const struct netaddr *addr, enum peer_source source);
/* What is known, for somebody new: appends device and first address of each
 * member that has one, and returns how many. */
uint32_t peers_tell(const struct peers *p, struct buf *out);
/* Reads past n of them. EMALFORMED or ESHORT: they are not. */
NODISCARD int peers_pass_told(struct reader *r, uint32_t n);
/* Appends, in the form of peers_save, who has told of these n, and them. */
void peers_put_told(struct buf *out, const struct device_id *by,
    const struct netaddr *at, struct slice told, uint32_t n);
/* A member may be found there, and is there now: dials at once if it is not
 * connected. */
void peers_on_beacon(struct peers *p, const struct device_id *device,
    const struct netaddr *addr, uint64_t now_us);

struct peers_dial {
    bool known; /* false: a static address, whoever answers */
    struct device_id device;
    struct netaddr addr;
};

/* The next dial that is due, and notes that it is under way as conn. False:
 * none, and conn is not used. */
NODISCARD bool peers_next(
    struct peers *p, uint64_t now_us, uint64_t conn, struct peers_dial *out);
/* Whoever is not connected is dialled at once, from its best address on. NULL:
 * all of them. */
void peers_urge(
    struct peers *p, const struct device_id *device, uint64_t now_us);
/* When peers_next may have one; UINT64_MAX: not before something happens. */
uint64_t peers_deadline(const struct peers *p);

/* A connection, dialled or inbound, turned out to be with device. */
void peers_on_up(struct peers *p, uint64_t conn, const struct device_id *device,
    uint64_t now_us);
/* A connection ended, or a dial came to nothing. */
void peers_on_down(struct peers *p, uint64_t conn, uint64_t now_us);

enum peer_state { PEER_UP, PEER_DIALING, PEER_WAITING, PEER_NO_ADDRESS };

struct peer_info {
    enum peer_state state;
    struct netaddr addr; /* the best one; family 0: none */
    uint64_t due_us;     /* PEER_WAITING: the next dial */
    uint32_t rounds;     /* through all its addresses without success */
};

/* False: not in the table. */
bool peers_info(const struct peers *p, const struct device_id *device,
    struct peer_info *out);

/* True once after the book changed in a way worth keeping. */
bool peers_take_changed(struct peers *p);
/* The addresses learned, without static ones. */
void peers_save(const struct peers *p, struct buf *out);
/* After peers_set_members: addresses of others are skipped. EMALFORMED or
 * ESHORT changes nothing. */
NODISCARD int peers_load(struct peers *p, struct slice bytes);

#endif
