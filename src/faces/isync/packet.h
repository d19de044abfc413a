/* packet.h - the argument of sync_data, of all kinds: the state in clear, the
 * state sealed, records in clear, and the union of them, which everybody reads.
 *
 * Pure. */
#ifndef SYNCLINE_FACES_ISYNC_PACKET_H
#define SYNCLINE_FACES_ISYNC_PACKET_H

#include "faces/isync/keys.h"
#include "faces/isync/state.h"

#define ISYNC_PACKET_MAX ((size_t)1000000) /* what an original takes */
/* So that what wraps a packet, on disk and when it is said, has room. */
#define ISYNC_PACKET_DEPTH_MAX 56
#define ISYNC_TYPE "iSync"

/* Of a state that is too large for one packet, or of what is new in it: which
 * part this is, so that who keeps what he cannot read keeps all of them. Parts
 * of one sweep count from 1; the last of those that are all of the state is
 * marked, and those that follow are what is new since. To the originals it is a
 * member that they do not look at. */
struct isync_part {
    uint64_t sweep; /* 0: the packet is no part; later ones are greater */
    uint64_t n;
    bool is_last;
};

/* What a packet carries; lent from the JSON. */
struct isync_packet {
    struct slice source, type;
    struct isync_stamp time; /* of the packet; now, if it says none */
    bool has_time;
    const struct json *state;   /* NULL: none in clear */
    const struct json *records; /* an object; NULL: none */
    struct slice sealed;        /* `encrypted_data`; empty: none */
    struct isync_part part;
};

/* EMALFORMED: no object, no source, or nothing in it. */
NODISCARD int isync_packet_read(
    struct isync_packet *out, const struct json *v, struct errmsg *why);

struct isync_packet_draft {
    const char *node;
    uint64_t wall_us;
    const struct json *state;   /* a SyncState */
    const struct json *records; /* NULL: none; clear only */
    const struct isync_keys *keys;
    const uint8_t *iv; /* of FERNET_IV_LEN; NULL: it is not sealed */
    bool is_clear;     /* state and records are said in clear too */
    struct isync_part part;
};

/* Lives in a, and lends from state and records. EUNSUPPORTED: neither sealed
 * nor clear, so there is nothing to be sent. */
NODISCARD int isync_packet_make(
    struct json **out, const struct isync_packet_draft *draft, struct arena *a);

/* The records that the registers of `part` (a SyncState) belong to, whole, from
 * s: who takes records replaces them whole. NULL on memory. */
struct json *isync_records_of(
    const struct isync_state *s, const struct json *part, struct arena *a);

/* What `encrypted_data` says. EDENIED: by no key of ours. */
NODISCARD int isync_packet_open(struct json **out, const struct isync_packet *p,
    const struct isync_keys *keys, struct arena *a);

#endif
