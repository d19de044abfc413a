/* pair.h - pairing by a one-time code (digits.h: without), on a TLS connection
 * whose ends do not know each other yet.
 *
 *     joiner                             inviter
 *       | ---- JOIN    mac_j, name, port ---> |
 *       | <--- WELCOME mac_i, mesh, secret,   |
 *       |              membership records --- |  or REFUSE code, text
 *
 * Each side proves that it knows the code, over both public keys and the
 * connection's exporter, so a proof is of no use on another connection.
 * Pure: the time is passed in. Law: a joiner believes nothing before mac_i
 * holds; an inviter tells nothing before mac_j does; three wrong proofs spoil
 * every open code. */
#ifndef SYNCLINE_REPL_PAIR_H
#define SYNCLINE_REPL_PAIR_H

#include "base/codec.h"
#include "core/netaddr.h"
#include "crypto/code.h"
#include "crypto/port.h"
#include "repl/members.h"

#define PAIR_VERSION 2
#define PAIR_EXPORTER_LEN 32
#define PAIR_MESH_SECRET_LEN 32
#define PAIR_NAME_MAX 128
#define INVITES_MAX 8
#define INVITE_TRIES 3
#define INVITE_US_DEFAULT (600 * (uint64_t)1000000)
#define PAIR_DOOR_US (30 * (uint64_t)1000000) /* from knock to WELCOME */

/* As what a code lets in. */
#define INVITE_SPACES_MAX 32

struct pair_terms {
    enum member_role role;
    bool some_spaces;
    struct space_token spaces[INVITE_SPACES_MAX]; /* sorted, each once */
    uint32_t spaces_n;
};

enum pair_message { PAIR_JOIN = 1, PAIR_WELCOME = 2, PAIR_REFUSE = 3 };

/* Numbers are on the wire. */
enum pair_refusal {
    PAIR_ACCEPTED = 0,
    PAIR_WRONG_CODE = 1,
    PAIR_EXPIRED = 2,
    PAIR_USED = 3,
    PAIR_SPOILED = 4, /* too many wrong tries */
    PAIR_OTHER_VERSION = 5,
    PAIR_WRONG_DEVICE = 6, /* the joiner's own: not whom the code names */
    PAIR_BUSY = 7,         /* somebody else is at the door */
    PAIR_BROKEN = 8,       /* a message that breaks its format */
    PAIR_FAILED = 9,       /* the inviter's trouble */
    PAIR_TOO_LATE = 10,    /* the door's time is over */
    PAIR_CLOSED = 11,      /* without a code nobody may ask now */
    PAIR_DENIED = 12,      /* by a person */
    PAIR_UNCONFIRMED = 13  /* the joiner's: its person did not say yes */
};

/* A sentence: what, and what to do. */
const char *pair_refusal_text(enum pair_refusal refusal);
/* The syncline_status that fits it. */
int pair_refusal_status(enum pair_refusal refusal);

/* The connection, the same on both sides. */
struct pair_link {
    struct slice joiner_spki, inviter_spki;
    const uint8_t *exporter; /* PAIR_EXPORTER_LEN */
};

/* ---- the inviter ---- */

struct invites; /* opaque */

/* crypto is borrowed and outlives it. */
NODISCARD int invites_new(
    struct invites **out, const struct crypto_port *crypto);
void invites_free(struct invites *in); /* NULL is fine */

/* Appends the text of a new code that is good for lasts_us (0: the default).
 * ELIMIT: eight are open. EINVAL: addresses that a code cannot hold. */
NODISCARD int invite_open(struct invites *in, uint64_t now_us,
    uint64_t lasts_us, const struct netaddr *addrs, size_t addrs_n,
    struct buf *code);
/* Binds the code that was opened last; else it lets in an admin. */
void invite_bind(struct invites *in, const struct pair_terms *terms);
size_t invites_open_n(const struct invites *in, uint64_t now_us);
/* Is there a code that somebody may use, or one that ended so lately that he
 * should hear why? Else nobody unknown need be let in. */
bool invites_expect(const struct invites *in, uint64_t now_us);
/* A stranger's connection is up: one at a time. */
NODISCARD enum pair_refusal invites_knock(
    struct invites *in, uint64_t conn, uint64_t now_us);
/* His connection is gone. */
void invites_leave(struct invites *in, uint64_t conn);
/* Who is at the door may stay until then. */
void invites_stay(struct invites *in, uint64_t conn, uint64_t until_us);
/* The connection at the door whose time is over, to be refused with
 * PAIR_TOO_LATE and closed; 0: none. */
uint64_t invites_overdue(const struct invites *in, uint64_t now_us);
/* When to ask invites_overdue; UINT64_MAX: never. */
uint64_t invites_deadline(const struct invites *in);
/* Nobody may use any of them any more: the mesh was left. */
void invites_forget(struct invites *in);

struct pair_join {
    uint64_t invite;         /* for pair_put_welcome */
    struct pair_terms terms; /* what the code is bound to */
    bool is_signed;          /* he was let in by it: sign nothing again */
    struct cert_id cert;     /* that certificate */
    struct device_id device; /* who wants to join */
    struct slice name;       /* borrowed from the message */
    uint16_t port;           /* 0: it does not listen */
};

/* Reads JOIN. Accepting uses the code up, but for the same device, whose
 * WELCOME may have been lost. EDENIED: *refusal says why; else ENOMEM. */
NODISCARD int pair_on_join(struct invites *in, const struct pair_link *link,
    uint64_t now_us, struct slice bytes, struct pair_join *out,
    enum pair_refusal *refusal);

/* Whoever used that code was let in by that certificate. */
void invite_signed(
    struct invites *in, uint64_t invite, const struct cert_id *cert);

struct pair_welcome {
    struct mesh_id mesh;
    uint8_t secret[PAIR_MESH_SECRET_LEN]; /* of the mesh */
    struct slice name;                    /* the inviter's */
    struct slice peers;                   /* peers_n of peers_tell */
    uint32_t peers_n;
    struct slice records; /* records_n of put_pair_record */
    uint32_t records_n;
};

/* A membership record as part of pair_welcome.records. */
void put_pair_record(struct buf *b, struct slice key, struct slice value);
/* Sets r->err beyond the last. */
void get_pair_record(struct reader *r, struct slice *key, struct slice *value);

/* Appends WELCOME. ENOTFOUND: that invite is gone. */
NODISCARD int pair_put_welcome(const struct invites *in, uint64_t invite,
    const struct pair_link *link, const struct pair_welcome *w,
    struct buf *out);
/* Appends REFUSE. */
void pair_put_refuse(struct buf *out, enum pair_refusal refusal);

/* Answers a joiner's multicast search (beacon.h) if it knows an open code:
 * appends the datagram, which tells the port. EDENIED: it does not. */
NODISCARD int invites_answer_find(const struct invites *in, uint64_t now_us,
    struct slice datagram, uint16_t port, struct buf *out);

/* ---- the joiner ---- */

/* Appends JOIN. EDENIED with a sentence: the other end is not whom the code
 * names; nothing is told to it. */
NODISCARD int pair_put_join(const struct crypto_port *crypto,
    const struct pair_code *code, const struct pair_link *link,
    struct slice name, uint16_t port, struct buf *out, struct errmsg *why);
/* Reads WELCOME or REFUSE; out borrows from bytes. EDENIED, EVERSION, EBUSY,
 * ETIMEOUT or EMALFORMED with a sentence. */
NODISCARD int pair_on_answer(const struct crypto_port *crypto,
    const struct pair_code *code, const struct pair_link *link,
    struct slice bytes, struct pair_welcome *out, struct errmsg *why);

#endif
