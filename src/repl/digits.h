/* digits.h - pairing without a code: six digits that two people compare, on a
 * TLS connection whose ends do not know each other yet.
 *
 *     joiner                               member
 *       | ---- ASK     commit, name, port --> |  its window is open
 *       | <--- NONCE   nonce_m -------------- |
 *       | ---- REVEAL  nonce_j -------------> |  does it fit the commitment?
 *       |      both show the same six digits  |
 *       | ---- CONFIRM ---------------------> |  a person there says yes
 *       | <--- ADMIT   as WELCOME ----------- |  a person here says yes
 *
 * The digits are of both public keys, the connection's exporter, the
 * commitment and both nonces. The joiner has fixed its nonce before it sees
 * the member's, and the member its own before it sees the joiner's; so
 * whoever stands between two connections can make neither side's digits fit
 * the other's but by one guess in a million, each of which people see.
 * Pure. Law: get(put(x)) is x; equal digits on two connections mean one
 * connection, but for that guess. */
#ifndef SYNCLINE_REPL_DIGITS_H
#define SYNCLINE_REPL_DIGITS_H

#include "repl/pair.h"

#define DIGITS_NONCE_LEN 32
#define DIGITS_N 6

/* Follow those of enum pair_message. */
enum digits_message {
    PAIR_ASK = 4,
    PAIR_NONCE = 5,
    PAIR_REVEAL = 6,
    PAIR_CONFIRM = 7,
    PAIR_STILL = 8, /* the joiner's person has not answered yet */
    PAIR_ADMIT = 9,
    PAIR_PART = 10 /* of a WELCOME or ADMIT */
};

struct digits {
    char text[DIGITS_N + 1]; /* "" before they are known */
};

/* What the joiner commits itself to. */
NODISCARD int digits_commit(uint8_t out[SHA256_LEN],
    const struct crypto_port *crypto, const struct pair_link *link,
    const uint8_t nonce[DIGITS_NONCE_LEN]);

struct digits_seen {
    const uint8_t *commit;  /* SHA256_LEN */
    const uint8_t *nonce_j; /* DIGITS_NONCE_LEN */
    const uint8_t *nonce_m;
};
NODISCARD int digits_make(struct digits *out, const struct crypto_port *crypto,
    const struct pair_link *link, const struct digits_seen *seen);
/* As a person writes them: blanks and dashes do not matter. */
bool digits_are(const struct digits *d, struct slice text);

struct pair_ask {
    uint8_t commit[SHA256_LEN];
    struct slice name; /* borrowed from the message */
    uint16_t port;     /* 0: it does not listen */
};

/* The kind of a message, and whether its version is ours. EVERSION;
 * EMALFORMED: too short to tell. */
NODISCARD int digits_kind(struct slice bytes, uint8_t *kind);

/* EINVAL: a name that is too long. */
NODISCARD int put_pair_ask(struct buf *out, const struct pair_ask *ask);
NODISCARD int get_pair_ask(struct slice bytes, struct pair_ask *out);
/* NONCE and REVEAL. */
NODISCARD int put_pair_nonce(struct buf *out, enum digits_message kind,
    const uint8_t nonce[DIGITS_NONCE_LEN]);
NODISCARD int get_pair_nonce(struct slice bytes, enum digits_message kind,
    uint8_t nonce[DIGITS_NONCE_LEN]);
/* CONFIRM and STILL. */
NODISCARD int put_pair_word(struct buf *out, enum digits_message kind);
NODISCARD int get_pair_word(struct slice bytes, enum digits_message kind);
NODISCARD int put_pair_admit(struct buf *out, const struct pair_welcome *w);
/* EMALFORMED with a sentence. */
NODISCARD int get_pair_admit(
    struct slice bytes, struct pair_welcome *out, struct errmsg *why);

#endif
