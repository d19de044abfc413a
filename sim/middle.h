/* middle.h - a machine that stands between a joiner and the member that it
 * dials without a code: it has a key of its own, a connection to each, and
 * passes on or replaces what they say.
 *
 * Law: it knows no secret of either, and everything of the protocol. */
#ifndef SYNCLINE_SIM_MIDDLE_H
#define SYNCLINE_SIM_MIDDLE_H

#include "crypto/port.h"
#include "repl/digits.h"

enum middle_way {
    MIDDLE_NONE,
    MIDDLE_PASSES,  /* on both sides what the other one says */
    MIDDLE_OWN,     /* to the member a nonce of its own */
    MIDDLE_CHOOSES, /* and one that it did not commit itself to */
    MIDDLE_WAYS
};

/* Zeroed: it has never acted. */
struct middle {
    struct identity *identity;
    struct crypto_port crypto;
    struct crypto_self self;
    enum middle_way way; /* of the joiner's next connections */
    struct buf said;     /* instead of what came */
};

/* It gets its key when it first stands anywhere, which it seldom does. */
void middle_act(struct middle *m, enum middle_way way);
void middle_free(struct middle *m);
/* What arrives in place of bytes, which the joiner or the member has said;
 * lent until the next. exporter: of the connection to the member, whose key
 * is given. */
struct slice middle_pass(struct middle *m, enum middle_way way,
    struct slice bytes, struct slice member_spki, const uint8_t *exporter);

#endif
