/* protocol.h - one node's hand in LAN sync: it makes messages, signs them, and
 * says of those that come whether they count.
 *
 * Pure: time and chance are the caller's; now_us is of a clock that never goes
 * back, from which the time of day is so far as was said last. Laws: no signed
 * message counts twice, however the time of day is set; none counts that is
 * older than its time to live, or was changed by anybody without the key. A bad
 * signature uses no nonce up. */
#ifndef SYNCLINE_FACES_LANSYNC_PROTOCOL_H
#define SYNCLINE_FACES_LANSYNC_PROTOCOL_H

#include "faces/lansync/message.h"

#define LAN_UUID_LEN 36
#define LAN_NONCE_LEN 32
#define LAN_TTL_US UINT64_C(60000000)

struct lan_protocol; /* opaque */

struct lan_protocol_options {
    const char *node_id, *node_name; /* copied, as is the key */
    struct slice key;
    uint64_t ttl_us;   /* 0: LAN_TTL_US */
    uint64_t ahead_us; /* of a clock that runs ahead; 0: any, within reason:
                          of those that are far ahead few are taken */
    void *ctx;
    int (*random)(void *ctx, uint8_t *out, size_t n);
};

NODISCARD int lan_protocol_new(
    struct lan_protocol **out, const struct lan_protocol_options *opt);
void lan_protocol_free(struct lan_protocol *p); /* NULL is fine */
/* What the time of day is at now_us. Until it is said: now_us. */
void lan_protocol_set_wall(
    struct lan_protocol *p, uint64_t wall_us, uint64_t now_us);
/* When that was said first: of what counted before it nothing is known. 0: it
 * was not said. */
uint64_t lan_protocol_begun(const struct lan_protocol *p);
uint64_t lan_protocol_wall(const struct lan_protocol *p, uint64_t now_us);
const char *lan_protocol_node(const struct lan_protocol *p);

/* A UUID of version 4 (RFC 9562), with a NUL. */
NODISCARD int lan_uuid(struct lan_protocol *p, char out[LAN_UUID_LEN + 1]);

struct lan_draft {
    enum lan_type type;
    struct slice name;                        /* if it is LAN_OTHER */
    const struct json *payload, *destination; /* NULL: {}, and none */
    const char *id;                           /* NULL: a new one */
    bool is_unsigned;
    uint64_t wait_us; /* of a request, see link.h */
};

/* Appends the frame. EMALFORMED: the dialect cannot say it. LAN_UNDECIDED is
 * as LAN_SECOND. */
NODISCARD int lan_protocol_put(struct lan_protocol *p, struct buf *out,
    const struct lan_draft *draft, enum lan_dialect d, uint64_t now_us);

/* Was it made by p? Who has no key can still send back what he was sent. */
bool lan_protocol_made(
    const struct lan_protocol *p, const struct lan_message *m);

/* Does it count? *d: the peer's dialect, LAN_UNDECIDED if it is not known; it
 * is known after a signature that is right. If not, why says so as the older
 * nodes do. EINVAL: something is missing; ETIMEOUT: it is too old, too new, or
 * its time cannot be read; ENOTFOUND: it is not signed, and needs_signature;
 * EDENIED: signed by somebody else; EEXIST: it counted before; ELIMIT: there
 * are too many. */
NODISCARD int lan_protocol_check(struct lan_protocol *p,
    const struct lan_message *m, bool needs_signature, uint64_t now_us,
    enum lan_dialect *d, struct errmsg *why);
/* The same; *is_signed: with our key. Without needs_signature others count,
 * too. */
NODISCARD int lan_protocol_judge(struct lan_protocol *p,
    const struct lan_message *m, bool needs_signature, uint64_t now_us,
    enum lan_dialect *d, bool *is_signed, struct errmsg *why);

/* Of a signed message: what time it says; 0: none that can be read. */
uint64_t lan_protocol_said_us(const struct lan_message *m);
/* ETIMEOUT, and why, as older nodes say it. */
int lan_protocol_expired(
    const struct lan_message *m, enum lan_dialect d, struct errmsg *why);

#endif
