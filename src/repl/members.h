/* members.h - who belongs to the mesh: signed records, folded to one answer.
 *
 * Pure. Records are items of `_mesh`. `member/<device>` holds an array of one
 * or two certificates, each a payload and its signature, the newest first;
 * the other one is the device's first, so that re-admission by somebody whom
 * the device itself had admitted closes no circle. `removed/<device>` holds
 * one. A payload is canonical JSON (doc/protocol.md); the signature is that
 * of "syncline membership v1\n" and the payload.
 *
 * A certificate counts if its signer has one that counts, whether removed
 * since or not, and the chain ends at the founder, to whom the mesh id
 * commits. Nobody else vouches for himself. A device is a member iff it has a
 * counting certificate whose gen is above that of its counting removal.
 *
 * Law: the answer depends on the records alone, not on their order. */
#ifndef SYNCLINE_REPL_MEMBERS_H
#define SYNCLINE_REPL_MEMBERS_H

#include "base/buf.h"
#include "crypto/port.h"

#define MEMBER_PREFIX "member/"
#define REMOVED_PREFIX "removed/"
#define MEMBER_NAME_MAX 128 /* bytes of UTF-8 */
#define MEMBER_ROLE_ADMIN "admin"
#define MEMBERS_NONCE_LEN 16

struct members; /* opaque */

/* Lent, until the next members_set or members_fold. */
struct member {
    struct device_id device;
    struct device_id by; /* who admitted it */
    struct slice name;
    struct slice spki;
    struct slice role;
    uint64_t gen;
    uint64_t at; /* by the wall clock of who admitted it */
};

/* crypto is borrowed and outlives it. */
NODISCARD int members_new(struct members **out,
    const struct crypto_port *crypto, const struct mesh_id *mesh);
void members_free(struct members *m); /* NULL is fine */

/* The record under key is now value, a JSON text; SLICE_NONE: there is none.
 * EMALFORMED says why it is left out, which takes an older one out too:
 * nodes that have seen different pasts must agree. EINVAL: a key of another
 * kind. Takes effect with the next fold. */
NODISCARD int members_set(struct members *m, struct slice key,
    struct slice value, struct errmsg *why);
/* Verifies signatures that it has not seen before. *changed: who is a member,
 * or what a member's record says. ENOMEM leaves the last answer. */
NODISCARD int members_fold(struct members *m, bool *changed);

bool members_has(const struct members *m, const struct device_id *device);
/* NULL if it is none. */
const struct member *members_get(
    const struct members *m, const struct device_id *device);
size_t members_n(const struct members *m);
/* In the order of device ids; NULL beyond the last. */
const struct member *members_at(const struct members *m, size_t ix);
/* Their ids, members_n of them, sorted. Lent like a member. */
const struct device_id *members_ids(const struct members *m);
/* SLICE_NONE if it is none. */
struct slice members_spki(
    const struct members *m, const struct device_id *device);

/* Who once was a member and is none now, in the order of device ids: name,
 * key, when and by whom it was removed. False beyond the last. */
bool members_removed_at(const struct members *m, size_t ix, struct member *out);

/* First 16 bytes of SHA-256("syncline mesh v1\n", founder, nonce). */
NODISCARD int members_mesh_id(struct mesh_id *out,
    const struct crypto_port *crypto, const struct device_id *founder,
    const uint8_t nonce[MEMBERS_NONCE_LEN]);

/* Builders append a record's key and JSON text, signed by the port's device.
 * EINVAL: a name that is too long or no UTF-8, a key that is no SPKI. */
NODISCARD int members_make_founder(struct mesh_id *mesh, struct buf *key,
    struct buf *value, const struct crypto_port *crypto, struct slice name,
    uint64_t wall_us);
/* Above every removal that counts; renews the record of a present member.
 * EINVAL for oneself. */
NODISCARD int members_make_member(const struct members *m, struct buf *key,
    struct buf *value, struct slice spki, struct slice name, uint64_t wall_us);
/* ENOTFOUND: no member. */
NODISCARD int members_make_removed(const struct members *m, struct buf *key,
    struct buf *value, const struct device_id *device, uint64_t wall_us);

#endif
