/* members_impl.h - the inside of the table of members: members_read.c reads
 * records, members.c keeps and folds them, members_make.c makes new ones.
 *
 * Pure. Law: a certificate never changes but for its verdict, so that is
 * found once. */
#ifndef SYNCLINE_REPL_MEMBERS_IMPL_H
#define SYNCLINE_REPL_MEMBERS_IMPL_H

#include "repl/members.h"

#define MEMBERS_SIGNED_PREFIX "syncline membership v1\n"
/* Leaves room above for whoever must be admitted again. */
#define MEMBERS_GEN_MAX ((uint64_t)1 << 40)
#define CERTS_MAX 2

enum verdict { UNTRIED, GOOD, BAD };

/* One certificate, in a block of memory of its own. */
struct cert {
    struct cert *next; /* among the dead */
    struct device_id by;
    uint64_t gen, at;
    enum verdict verdict; /* of the signature; the signer's key never changes */
    bool root;            /* made the mesh */
    bool has_nonce;
    uint8_t nonce[MEMBERS_NONCE_LEN];
    uint8_t sig[ED25519_SIG_LEN];
    uint8_t spki[ED25519_SPKI_LEN];
    uint8_t name[MEMBER_NAME_MAX];
    size_t name_len;
    size_t payload_len;
    uint8_t payload[];
};

struct record {
    struct device_id device;
    struct cert *admitted[CERTS_MAX]; /* the newest first */
    struct cert *removed;
    bool counts; /* has a certificate that does */
};

struct members {
    const struct crypto_port *crypto;
    struct mesh_id mesh;
    struct record *records; /* sorted by device */
    size_t records_n, records_cap;
    struct member *list; /* the answer, sorted by device */
    struct device_id *ids;
    size_t n;
    struct cert *dead; /* replaced; the answer may still lend from them */
    struct buf scratch;
};

struct record_key {
    bool removed;
    struct device_id device;
};

/* ---- members_read.c ---- */

bool member_name_fits(struct slice name);
NODISCARD int members_read_key(
    struct record_key *out, struct slice key, struct errmsg *why);
/* Fills certs from an array of payloads and signatures; on failure too, what
 * was filled is the caller's to free. */
NODISCARD int members_read_value(struct members *m,
    struct cert *certs[CERTS_MAX], struct slice value,
    const struct record_key *key, struct errmsg *why);

/* ---- members.c ---- */

struct record *members_record(
    const struct members *m, const struct device_id *device);
bool members_cert_counts(
    const struct members *m, const struct cert *c, const struct record *r);
/* The counting certificate with the highest gen, or NULL. */
const struct cert *members_best(
    const struct members *m, const struct record *r);
/* Up to which gen it is removed; 0: it never was. */
uint64_t members_removed_up_to(const struct members *m, const struct record *r);

#endif
