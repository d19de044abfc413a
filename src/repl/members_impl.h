/* members_impl.h - the inside of the table of members: members_read.c reads
 * records, members.c keeps them and answers, members_fold.c finds which of
 * them count, members_make.c makes new ones.
 *
 * Pure. Law: a certificate never changes but for its verdict, so that is
 * found once. */
#ifndef SYNCLINE_REPL_MEMBERS_IMPL_H
#define SYNCLINE_REPL_MEMBERS_IMPL_H

#include "repl/members.h"

#define MEMBERS_SIGNED_PREFIX "syncline membership v1\n"
#define MEMBERS_GEN_MAX ((uint64_t)1 << 40)
#define RECORD_MAX ((size_t)1 << 20) /* bytes of its JSON text */
#define CERTS_MAX 2
#define AFTER_MAX 8192

enum verdict { UNTRIED, GOOD, BAD };
enum cert_kind { CERT_MEMBER, CERT_REMOVED, CERT_ROTATE, CERT_WRAP, CERT_KX };

struct cut_entry {
    struct space_token space;
    struct dot upto;
};

struct cert_wrap {
    struct device_id to;
    struct slice what; /* "*", or the spaces' tokens one after the other */
    struct slice sealed;
};

/* One certificate, in a block of memory of its own. */
struct cert {
    struct cert *next; /* among the dead */
    struct arena arena;
    enum cert_kind kind;
    bool old; /* of format 2: it has no `after`, but a gen */
    struct cert_id id;
    struct device_id device; /* of whom it speaks; of a key: none */
    struct device_id by;
    uint64_t gen, at;
    enum verdict verdict; /* of the signature; the signer's key never changes */
    bool root;            /* made the mesh */
    bool has_nonce;
    uint8_t nonce[MEMBERS_NONCE_LEN];
    uint8_t sig[ED25519_SIG_LEN];
    uint8_t spki[ED25519_SPKI_LEN];
    struct slice name;
    enum member_role role;
    bool some_spaces;
    struct space_token *spaces;
    uint32_t spaces_n;
    struct cert_id *after;
    uint32_t after_n;
    struct cut_entry *cut;
    uint32_t cut_n;
    uint64_t epoch;
    struct key_id key_id;
    struct cert_wrap *wraps;
    uint32_t wraps_n;
    uint8_t kx[KX_LEN];
    /* Of the fold at hand. */
    bool ready;      /* it could count, and all that it names is here */
    bool structural; /* it could; then: its signer was made an admin before */
    bool decided, counts;
    uint32_t height, ix;
    size_t payload_len;
    uint8_t payload[];
};

/* What stands under one key. */
struct record {
    struct slice key;              /* in the heap */
    struct cert *certs[CERTS_MAX]; /* format 2: the newest first */
};

/* What is said of a device last. */
struct standing {
    struct device_id device;
    const struct cert *top;   /* of those the one that allows least */
    const struct cert **tops; /* which are before nothing that is said of it */
    uint32_t tops_n;
    const struct cert *named; /* the last that says its name */
};

/* The answer, in an arena of its own. */
struct answer {
    struct arena arena;
    struct member *list; /* sorted by device */
    struct device_id *ids;
    size_t n;
    struct standing *standings; /* sorted by device */
    size_t standings_n;
    const struct cert **counting; /* sorted by id */
    size_t counting_n;
    const struct cert **heads; /* of those, which are before no other */
    size_t heads_n;
    const struct cert **voided; /* of keys: could have counted; by id */
    size_t voided_n;
};

struct members {
    const struct crypto_port *crypto;
    struct mesh_id mesh;
    struct space_token admins; /* MEMBERS_ADMINS_SPACE */
    struct record *records;    /* sorted by key */
    size_t records_n, records_cap;
    struct answer answer;
    struct cert *dead; /* replaced; the answer may still lend from them */
    struct buf scratch;
    bool lessened; /* somebody has less than was known before */
};

struct record_key {
    enum cert_kind kind;
    bool old;
    struct device_id device; /* but of CERT_ROTATE: any kind of today */
    struct cert_id id;
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
void cert_free(struct cert *c); /* NULL is fine */
/* Of payload and signature: were it of the payload alone, whoever writes in
 * `_mesh` could put another signature under it, and so void it. */
NODISCARD int cert_id_of(struct cert_id *out, const struct crypto_port *crypto,
    struct slice payload, const uint8_t sig[ED25519_SIG_LEN]);

/* ---- members_fold.c ---- */

/* Sets its verdict, once. */
NODISCARD int cert_verify(
    struct members *m, struct cert *c, const uint8_t spki[ED25519_SPKI_LEN]);
NODISCARD int fold_answer(struct members *m, struct answer *out);

/* ---- members.c ---- */

const struct standing *members_standing(
    const struct members *m, const struct device_id *device);
/* What a member may have of a key, as cert_wrap tells it. */
void members_put_what(
    struct buf *b, const struct members *m, const struct member *who);
/* The spaces that somebody who does not read all of them has keys of, sorted:
 * those that he was granted, and the names of all. */
uint32_t members_spaces_of(const struct members *m, const struct member *who,
    struct space_token out[MEMBER_SPACES_MAX + 1]);
static inline int cert_id_cmp(const struct cert_id *a, const struct cert_id *b)
{
    return memcmp(a->b, b->b, SHA256_LEN);
}
static inline bool cert_is_of_key(const struct cert *c)
{
    return c->kind == CERT_ROTATE || c->kind == CERT_WRAP;
}

#endif
