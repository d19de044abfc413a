/* message.h - what LAN-sync nodes say to each other: a JSON object of eight
 * members, signed with a key that all of them have (HMAC-SHA256, RFC 2104).
 *
 * Pure. Two generations of nodes sign different bytes: the first a text with
 * spaces and every absent member as null, the second a compact one without
 * them. Neither understands the other, so that each peer is spoken to in its
 * own dialect. Law: what message_put has written is read as what it was, and
 * its signature counts in its dialect and in no other. */
#ifndef SYNCLINE_FACES_LANSYNC_MESSAGE_H
#define SYNCLINE_FACES_LANSYNC_MESSAGE_H

#include "core/json.h"
#include "crypto/crypto.h"

enum lan_type {
    LAN_OTHER, /* of an application's own */
    LAN_DISCOVERY_BROADCAST,
    LAN_DISCOVERY_RESPONSE,
    LAN_AUTH_REQUEST,
    LAN_AUTH_RESPONSE,
    LAN_AUTH_CHALLENGE,
    LAN_SYNC_REQUEST,
    LAN_SYNC_RESPONSE,
    LAN_SYNC_DATA,
    LAN_SYNC_ACK,
    LAN_SYNC_COMPLETE,
    LAN_HEARTBEAT,
    LAN_ERROR,
    LAN_TYPES
};

enum lan_dialect {
    LAN_UNDECIDED,
    LAN_FIRST, /* v1: sorted, spaced, with nulls */
    LAN_SECOND /* v2: sorted, compact, without */
};

enum lan_member {
    LAN_TYPE,
    LAN_PAYLOAD,
    LAN_ID,
    LAN_TIMESTAMP,
    LAN_NONCE,
    LAN_SIGNATURE,
    LAN_SOURCE,
    LAN_DESTINATION,
    LAN_MEMBERS
};

#define LAN_SIGNATURE_LEN (2 * SHA256_LEN)

struct lan_message {
    enum lan_type type;
    struct slice name; /* of the type, as senders write it */
    /* As they came; NULL: absent or null. The payload is always an object. */
    const struct json *member[LAN_MEMBERS];
    enum lan_dialect looks; /* as of that one, by its nulls */
    bool is_odd;            /* it has a member that is none of the eight */
    bool is_doubled;        /* a key of its text occurs twice */
    struct slice text;      /* that it was read from, if it was */
};

/* "SYNC_DATA"; NULL for LAN_OTHER. */
const char *lan_type_name(enum lan_type type);
enum lan_type lan_type_of(struct slice name);

/* EMALFORMED: no JSON, or no object; EINVAL: it has no type. Members that are
 * not known are passed over. out lends from text and a. */
NODISCARD int lan_message_read(struct lan_message *out, struct slice text,
    struct arena *a, struct errmsg *why);
/* A member that is text, "" if it is none. */
struct slice lan_text(const struct lan_message *m, enum lan_member which);
/* A text in the payload. */
struct slice lan_payload_text(const struct lan_message *m, const char *key);
/* The payload as it came; ptr NULL: it did not come as one text that everybody
 * reads alike, and is to be printed. */
struct slice lan_payload_said(const struct lan_message *m);
/* source.node_id, or "". */
struct slice lan_sender(const struct lan_message *m);

/* The bytes that are signed. */
void lan_message_put_signed(
    struct buf *b, const struct lan_message *m, enum lan_dialect d);
/* The message with that signature (ptr NULL: none), as it goes over the wire:
 * a length of four bytes, most significant first, and JSON. */
void lan_message_put(struct buf *b, const struct lan_message *m,
    enum lan_dialect d, struct slice signature);

/* In small hex digits, with a NUL. */
NODISCARD int lan_message_sign(char out[LAN_SIGNATURE_LEN + 1],
    const struct lan_message *m, enum lan_dialect d, const struct mac_key *key);
/* Appends the message signed, as a frame. The second dialect is said as it is
 * signed, so that it is printed once. */
NODISCARD int lan_message_seal(struct buf *b, const struct lan_message *m,
    enum lan_dialect d, const struct mac_key *key);
/* In which dialect its signature counts; LAN_UNDECIDED: in none. likely is
 * tried first. */
NODISCARD int lan_message_verify(enum lan_dialect *out,
    const struct lan_message *m, enum lan_dialect likely,
    const struct mac_key *key);

/* ---- frames ---- */

#define LAN_FRAME_HEAD 4

/* The length that the first four bytes say. */
uint32_t lan_frame_len(const uint8_t head[LAN_FRAME_HEAD]);

#endif
