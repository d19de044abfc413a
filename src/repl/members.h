/* members.h - who belongs to the mesh, as what, and with which keys: signed
 * records, folded to one answer.
 *
 * Pure. Records are items of `_mesh`. `cert/<id>` holds an array of a payload
 * and its signature; the id is SHA-256 of both, so that a record can neither
 * be replaced nor taken back. Each names the records that its signer
 * knew (`after`: those that none of the others knew of). What a record knew
 * of, by these, comes *before* it. One kind, `kx`, is a device's own word which
 * key it exchanges secrets with. `member/` and `removed/` are of format 2.
 *
 * A record counts if its signer was an admin by the records before it, and no
 * record that counts and takes that from him stands beside it, neither before
 * the other. Of two who take it from each other, his counts who was first made
 * an admin, by the length of the way from the founder; whoever else is drawn
 * into a circle is judged in this order. The founder is bound to the mesh id.
 * What is said of a device last, before nothing else that is said of it,
 * stands; of several the one that allows least (doc/protocol.md).
 *
 * Law: the answer depends on the records alone, not on their order. */
#ifndef SYNCLINE_REPL_MEMBERS_H
#define SYNCLINE_REPL_MEMBERS_H

#include "core/vv.h"
#include "repl/keyring.h"

#define CERT_PREFIX "cert/"
#define MEMBER_PREFIX "member/"   /* format 2 */
#define REMOVED_PREFIX "removed/" /* format 2 */
/* Of the spaces' names and policies: every reader reads it, whatever spaces
 * it was granted, and admins write it. */
#define MEMBERS_ADMINS_SPACE "_spaces"
#define MEMBER_NAME_MAX 128 /* bytes of UTF-8 */
#define MEMBER_SPACES_MAX 256
#define MEMBERS_NONCE_LEN 16

/* Each may what the ones before it may. */
enum member_role {
    ROLE_NONE,
    ROLE_RELAY,  /* forwards what it cannot read */
    ROLE_READER, /* reads */
    ROLE_MEMBER, /* writes */
    ROLE_ADMIN   /* says who may what; in all spaces */
};

/* NULL for ROLE_NONE. */
const char *member_role_name(enum member_role role);
/* ROLE_NONE: no such role. */
enum member_role member_role_parse(struct slice text);

struct members; /* opaque */

struct cert_id {
    uint8_t b[SHA256_LEN];
};

/* Lent, until the next members_set or members_fold. */
struct member {
    struct device_id device;
    struct device_id by; /* who said so last */
    struct slice name;
    struct slice spki;
    enum member_role role;
    bool some_spaces;                 /* these and no other; else all */
    const struct space_token *spaces; /* sorted */
    uint32_t spaces_n;
    uint64_t at; /* by the wall clock of who said so */
};

/* crypto is borrowed and outlives it. */
NODISCARD int members_new(struct members **out,
    const struct crypto_port *crypto, const struct mesh_id *mesh);
void members_free(struct members *m); /* NULL is fine */

/* Is it the key of a record that belongs here? */
bool members_is_key(struct slice key);
/* Would a record be taken there? EMALFORMED: no. One of format 2, under whose
 * key others could be put, only if its signature is good. */
NODISCARD int members_check(
    struct members *m, struct slice key, struct slice value);
/* The record under key is now value, a JSON text; SLICE_NONE: there is none.
 * EMALFORMED says why it is left out, which takes an older one out too:
 * nodes that have seen different pasts must agree. EINVAL: a key of another
 * kind. Takes effect with the next fold. */
NODISCARD int members_set(struct members *m, struct slice key,
    struct slice value, struct errmsg *why);
/* Verifies signatures that it has not seen before. *changed: other records
 * count. ENOMEM leaves the last answer. */
NODISCARD int members_fold(struct members *m, bool *changed);

bool members_has(const struct members *m, const struct device_id *device);
/* NULL if it is none. */
const struct member *members_get(
    const struct members *m, const struct device_id *device);
/* Is it a member, by the very record of that id? */
bool members_stands_by(const struct members *m, const struct device_id *device,
    const struct cert_id *id);
/* Could what stands under that key count, whoever else did what? By the last
 * fold. What could not is of no use to anybody. */
bool members_weighs(const struct members *m, struct slice key);
/* Of the key of such a record. EINVAL: of another kind. */
NODISCARD int members_cert_id(struct cert_id *out, struct slice key);
bool member_has_less(const struct member *now, const struct member *before);
/* Has anybody less than before, or is out, by a fold since it was last
 * asked? */
bool members_lessened(struct members *m);
size_t members_n(const struct members *m);
/* In the order of device ids; NULL beyond the last. */
const struct member *members_at(const struct members *m, size_t ix);
/* Their ids, members_n of them, sorted. Lent like a member. */
const struct device_id *members_ids(const struct members *m);
/* SLICE_NONE if it is none. */
struct slice members_spki(
    const struct members *m, const struct device_id *device);

/* Of a device of which there is a certificate, whether it counts or not. */
struct author_key {
    struct device_id device;
    struct slice spki;
};
/* Whose replica it is. ENOTFOUND: of nobody who was certified. */
NODISCARD int members_author(
    const struct members *m, const struct rid *replica, struct author_key *out);

/* Who once was a member and is none now, in the order of device ids: name,
 * key, when and by whom it was removed. False beyond the last. */
bool members_removed_at(const struct members *m, size_t ix, struct member *out);

/* ---- who may what ---- */

enum member_role members_role(
    const struct members *m, const struct device_id *device);
bool members_may_read(const struct members *m, const struct device_id *device,
    const struct space_token *space);
bool members_may_write(const struct members *m, const struct device_id *device,
    const struct space_token *space);
/* Does it keep the space for others, as a relay that cannot read it? */
bool members_carries(const struct members *m, const struct device_id *device,
    const struct space_token *space);
/* May a device write there that has a role and these spaces, if not all? */
bool members_lets_write(const struct members *m, enum member_role role,
    bool some_spaces, const struct space_token *spaces, uint32_t spaces_n,
    const struct space_token *space);
/* First 16 bytes of HMAC-SHA256(mesh, name). */
NODISCARD int members_space_token(struct space_token *out,
    const struct crypto_port *crypto, const struct mesh_id *mesh,
    struct slice name);
/* Up to which sequence number a replica's changes in a space count: all, if
 * its device may write there; else those that whoever took that from it knew
 * of. *known false: no record speaks of such a device. */
uint64_t members_bound(const struct members *m, const struct rid *replica,
    const struct space_token *space, bool *known);
static inline bool member_reads_all(const struct member *m)
{
    return m->role >= ROLE_READER && !m->some_spaces;
}
/* How many admins there are. */
size_t members_admins(const struct members *m);

/* ---- keys ---- */

/* The device's own word; NULL: it has given none yet. */
const uint8_t *members_kx(
    const struct members *m, const struct device_id *device);
/* Is that key of the mesh held by somebody who may not read all of it? */
bool members_key_spoiled(
    const struct members *m, uint64_t epoch, const struct key_id *id);
/* What is wrapped for a device. */
struct members_wrap {
    struct wrap wrap;
    struct slice sealed;
};
/* The keys of the mesh but that of epoch 0, one after the other. False beyond
 * the last. */
bool members_key_at(
    const struct members *m, size_t ix, uint64_t *epoch, struct key_id *id);
/* All that is wrapped for a device, one after the other. */
bool members_wrap_at(const struct members *m, const struct device_id *to,
    size_t ix, struct members_wrap *out);
/* The same of keys that do not count, though whoever made them was an admin
 * once: nothing is put under them any more. A key may be there twice, and be
 * one that counts; wraps that count are the last ones. */
bool members_voided_key_at(
    const struct members *m, size_t ix, uint64_t *epoch, struct key_id *id);
bool members_voided_wrap_at(const struct members *m, const struct device_id *to,
    size_t ix, struct members_wrap *out);
/* Has it been given all of that key which it may have? */
bool members_key_given(const struct members *m, const struct member *to,
    uint64_t epoch, const struct key_id *id);

/* First 16 bytes of SHA-256("syncline mesh v1\n", founder, nonce). */
NODISCARD int members_mesh_id(struct mesh_id *out,
    const struct crypto_port *crypto, const struct device_id *founder,
    const uint8_t nonce[MEMBERS_NONCE_LEN]);

/* ---- makers: append a record's key and JSON text, signed by the port's
 * device, after all that counts. EDENIED: it is no admin. ELIMIT: longer than
 * anybody would take. ---- */

/* What is said of a device. */
struct members_grant {
    struct slice spki, name;
    enum member_role role;
    bool some_spaces;
    const struct space_token *spaces; /* sorted, each once */
    uint32_t spaces_n;
    struct slice cut; /* see members_cut; empty: none */
};

/* EINVAL: a name that is too long or no UTF-8, a key that is no SPKI. */
NODISCARD int members_make_founder(struct mesh_id *mesh, struct buf *key,
    struct buf *value, const struct crypto_port *crypto, struct slice name,
    uint64_t wall_us);
/* EINVAL too for an admin of some spaces. */
NODISCARD int members_make_member(const struct members *m, struct buf *key,
    struct buf *value, const struct members_grant *g, uint64_t wall_us);
/* ENOTFOUND: no member. */
NODISCARD int members_make_removed(const struct members *m, struct buf *key,
    struct buf *value, const struct device_id *device, struct slice cut,
    uint64_t wall_us);
NODISCARD int members_make_kx(
    const struct members *m, struct buf *key, struct buf *value);

/* A cut as its JSON text: {"<token>":{"<replica>":seq,...},...}, to be built
 * in the order of tokens, and of replicas therein. */
struct members_cut {
    struct buf text;
    struct space_token space;
    bool any;
    uint32_t n; /* of replicas, in all spaces */
};
void members_cut_add(struct members_cut *c, const struct space_token *space,
    const struct dot *upto);
struct slice members_cut_end(struct members_cut *c);

/* A new key, or one of the mesh for more devices. `wraps` are built by
 * members_wraps_add in the order of devices. */
struct members_wraps {
    struct buf text;
};
NODISCARD int members_wraps_add(struct members_wraps *w,
    const struct members *m, const struct member *to,
    const struct keyring_key *key);
NODISCARD int members_make_key(const struct members *m, struct buf *key,
    struct buf *value, bool rotate, const struct keyring_key *of,
    struct members_wraps *wraps, uint64_t wall_us);

#endif
