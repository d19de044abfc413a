/* audit_chain.h - the audit log's records and what holds them together
 * (doc/security.md): a line each, canonical JSON, with the number of the
 * record and the SHA-256 of the line before.
 *
 * Pure. Law: a line that was changed, taken out, put in or moved is noticed
 * at it or at the next; a cut at the end by whoever knows the head. */
#ifndef SYNCLINE_APP_AUDIT_CHAIN_H
#define SYNCLINE_APP_AUDIT_CHAIN_H

#include "core/json.h"
#include "crypto/crypto.h"

#define AUDIT_ROTATED "log-rotated" /* kept_from: the first that is kept */
#define AUDIT_TORN "log-torn"       /* bytes, sha256: of the line before */
#define AUDIT_BROKEN "log-broken"   /* why: what was found at a start */
#define AUDIT_DROPPED "log-dropped" /* records: there was no room for */

/* The last record: its number, from 1, and its line's hash. */
struct audit_head {
    uint64_t seq; /* 0: there is none */
    uint8_t hash[SHA256_LEN];
};

struct audit_entry {
    uint64_t wall_us;
    const char *kind;
    struct slice who, details; /* canonical objects */
    uint64_t repeated;         /* so often since; 0: a record of its own */
};

/* Appends the line with its newline, and moves the head on; nothing of both
 * if it fails. */
NODISCARD int audit_put(
    struct buf *out, struct audit_head *head, const struct audit_entry *e);

/* A head as it is kept in the store. */
void put_audit_head(struct buf *b, const struct audit_head *h);
NODISCARD int get_audit_head(struct slice bytes, struct audit_head *out);

struct audit_check {
    struct audit_head head;  /* of what was read so far */
    struct audit_head known; /* elsewhere; seq 0: unknown */
    uint64_t first, kept_from;
    bool odd; /* the line before is no record: the next must say why */
    struct audit_head odd_line; /* seq: its bytes */
};

/* The next line, without its newline. *record lives in the arena; NULL for a
 * line that is none, which the next one must explain. ECORRUPT: why says
 * what is wrong; the check goes on behind it if it is called again. */
NODISCARD int audit_check_line(struct audit_check *c, struct slice line,
    struct arena *a, struct json **record, struct errmsg *why);
/* After the last line. */
NODISCARD int audit_check_end(const struct audit_check *c, struct errmsg *why);

#endif
