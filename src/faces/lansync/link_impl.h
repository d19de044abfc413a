/* link_impl.h - what link.c (frames, rules), link_auth.c (who may come in),
 * link_wait.c (answers, heartbeats), link_deflate.c (what is compressed) and
 * link_half.c (what is not whole yet) share. */
#ifndef SYNCLINE_FACES_LANSYNC_LINK_IMPL_H
#define SYNCLINE_FACES_LANSYNC_LINK_IMPL_H

#include "faces/lansync/link.h"

#define LAN_CHALLENGE_LEN 32 /* bytes */
#define LAN_PEER_MAX 256
#define LAN_HELD UINT64_MAX

enum lan_state { LAN_GUEST, LAN_GREETING, LAN_OPEN, LAN_OVER };

struct lan_waiting {
    struct lan_waiting *next;
    uint64_t number, due_us;
    char id[LAN_UUID_LEN + 1];
};

/* Of a link that has begun a message: its place among those. */
struct lan_half {
    struct lan_link *before, *after;
    size_t bytes; /* 0: it is not among them */
};

struct lan_link {
    struct lan_link_options opt;
    enum lan_state state;
    enum lan_dialect dialect;
    bool is_told;       /* it is known by a signature, and no guess */
    struct buf in, out; /* what is no whole frame yet; what is being sent */
    struct lan_half half;
    struct arena arena; /* of one message */
    char node[LAN_PEER_MAX], name[LAN_PEER_MAX];
    uint64_t heard_us;
    struct pace said;
    uint64_t held_us; /* until then nothing is taken; 0: it is; LAN_HELD: until
                         it is said */
    bool deflates;    /* both ends have offered it */

    /* link_auth.c */
    char *token;
    struct buf key, credentials;
    char auth_id[LAN_UUID_LEN + 1]; /* client: the request that is under way */
    uint64_t auth_due_us;           /* 0: it is not waited for */
    uint64_t auth_end_us;           /* then it is not any more */
    uint8_t challenge[LAN_CHALLENGE_LEN];
    uint64_t asked_us;      /* when it was sent, or the request under auth_id */
    uint64_t not_before_us; /* by the other clock: our start; 0: anything */
    bool is_signed;         /* what is heard just now */
    bool is_challenged;
    unsigned failures;
    struct buf session;

    /* link_wait.c */
    struct lan_waiting *waiting, **last;
    uint32_t waiting_n;
    uint64_t next_number;
    uint64_t heartbeat_due_us; /* 0: none is due */
    char heartbeat_id[LAN_UUID_LEN + 1];
    bool is_answering; /* it answers heartbeats, so that a missing one tells */
    unsigned missed;
    uint64_t answer_due_us; /* of the last one; 0: none is waited for */
};

void link_log(struct lan_link *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
void link_close(struct lan_link *l, const char *why);
void link_open(struct lan_link *l, uint64_t now_us);
/* A client that nobody has answered: he may not understand us. */
void link_try_other(struct lan_link *l);
/* Unless it has a name, it is who says m. */
void link_note_name(struct lan_link *l, const struct lan_message *m);

static inline uint64_t wall_us(const struct lan_link *l, uint64_t now_us)
{
    return lan_protocol_wall(l->opt.protocol, now_us);
}

/* ---- link_auth.c ---- */

NODISCARD int auth_keep(struct lan_link *l);
void auth_free(struct lan_link *l);
void auth_begin(struct lan_link *l, uint64_t now_us);
void auth_asked(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us);
/* Client: an answer while it waits to be let in; false: it is none. */
bool auth_answered(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us);
/* Client: what it says later may tell that it has not. */
bool auth_refused(struct lan_link *l, const struct lan_message *m);
void auth_tick(struct lan_link *l, uint64_t now_us);

/* ---- link_wait.c ---- */

/* True: m is what somebody waited for, and he was told. */
bool wait_answered(struct lan_link *l, const struct lan_message *m);
void wait_end(struct lan_link *l, int rc);
void wait_tick(struct lan_link *l, uint64_t now_us);
uint64_t wait_deadline(const struct lan_link *l);
void heartbeat_came(
    struct lan_link *l, const struct lan_message *m, uint64_t now_us);

/* ---- link_half.c ---- */

/* Of what was in `in` that is left, or comes to it. */
void half_keep(struct lan_link *l, struct slice rest);
/* `in` has changed; is_new: what is in it has begun just now. */
void half_note(struct lan_link *l, bool is_new);
/* Nothing more will come to it. */
void half_drop(struct lan_link *l);

/* ---- link_deflate.c ---- */

/* The frame, or a shorter one that stands for it, in packed. */
struct slice link_pack(
    struct lan_link *l, struct slice frame, struct buf *packed);
/* *text, as it has come, becomes what it says, in made. Why it cannot be read,
 * or NULL. */
NODISCARD const char *link_unpack(
    struct lan_link *l, struct slice *text, struct buf *made);

#endif
