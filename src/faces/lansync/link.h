/* link.h - one connection between two LAN-sync nodes, at either end: frames in
 * and out, who may say what, answers that are waited for, heartbeats.
 *
 * Pure: no socket, no clock; bytes go in and come out by the events.
 *
 *     server  GUEST ---AUTH_REQUEST---> OPEN       either ---> OVER
 *     client  GREETING --AUTH_RESPONSE-> OPEN
 *
 * Laws: nothing but a request to be let in and a heartbeat is heard of who was
 * not let in; what is not signed, changed, old or said before is heard of
 * nobody; all that is sent is signed, in the dialect of the other side, which
 * each signature of his tells, an ERROR's too; before that a client that is not
 * answered tries the other. A heartbeat that asks for nothing is never
 * answered: nodes of the first generation answer each, for ever. After `close`
 * nothing more is called; it may come while another link is fed, which shares
 * its halves. No event may free the link. Nothing is compressed
 * that goes to who has not offered it, nor before OPEN (link_deflate.c). */
#ifndef SYNCLINE_FACES_LANSYNC_LINK_H
#define SYNCLINE_FACES_LANSYNC_LINK_H

#include "base/pace.h"
#include "faces/lansync/protocol.h"

#define LAN_MESSAGE_MAX ((size_t)16 << 20)
#define LAN_GUEST_MAX ((size_t)64 << 10) /* of who was not let in */
/* Of messages that are not whole yet, by all links of a node. */
#define LAN_HALVES_MAX ((size_t)128 << 20)
#define LAN_WAITING_MAX 1024 /* answers that are waited for at once */
/* How the reason begins for which a client closes that was refused. */
#define LAN_REFUSED "it does not let us in: "
/* Or that does not answer who would prove the secret. */
#define LAN_UNANSWERED "it answers nothing to who would prove the secret"
/* Or that hears what others have signed. */
#define LAN_OTHER_KEY "it signs with another key than ours"
/* How the reason begins for which a certificate will not do (tls_end.h). */
#define LAN_CERTIFICATE "its certificate"
/* Of who says nothing at all. */
#define LAN_SILENT "it takes connections and closes them without a word: "
/* The reason for which one goes that others need the room of. */
#define LAN_HALF_SAID \
    "it begins messages and does not end them, and others need the room"
#define LAN_BINDING_LEN 32
#define LAN_AUTH_FAILURES 5 /* then the connection goes */

struct lan_link; /* opaque */

struct lan_answer {
    int rc; /* 0: m is the answer; ETIMEOUT, ECLOSED, or the other side said
               no, and m is its ERROR */
    const struct lan_message *m; /* or NULL */
};

struct lan_link_events {
    void *ctx;
    void (*send)(void *ctx, struct slice bytes);
    /* What was sent before it may leave yet. */
    void (*close)(void *ctx, const char *why);
    /* May who asks for it come in? A server's; NULL: who has the key. What
     * auth_data is to say is written to *data, from a. */
    bool (*authenticate)(void *ctx, const struct lan_message *m,
        struct json **data, struct arena *a);
    /* A server's: may somebody try to come in, and: he has failed; node: who
     * he says that he is. May be NULL. */
    bool (*may_try)(void *ctx);
    void (*failed)(void *ctx, struct slice node);
    /* Nothing more is to be fed, or again. May be NULL: what is fed all the
     * same waits in the link. */
    void (*hold)(void *ctx, bool held);
    /* What only the ends of what carries the link know (of TLS); of a proof it
     * becomes a part. ENOTFOUND: it goes in clear. May be NULL: as in clear. */
    int (*binding)(void *ctx, uint8_t out[LAN_BINDING_LEN]);
    /* More members for what a request to come in of that id says, and the
     * answer to it, and what the other side has said there, before on_open. May
     * be NULL. */
    void (*offer)(
        void *ctx, struct slice id, struct json *payload, struct arena *a);
    void (*offered)(void *ctx, struct slice id, const struct lan_message *m);
    /* The other side was let in, or we were. */
    void (*on_open)(void *ctx);
    /* Is there somebody for a type that is none of the twelve? May be NULL. */
    bool (*knows)(void *ctx, struct slice name);
    /* A message that counts and that nobody waits for. EUNSUPPORTED: there is
     * nobody for such; others: it went wrong. Both are told to who sent it. */
    int (*on_message)(void *ctx, const struct lan_message *m);
    void (*on_answer)(void *ctx, uint64_t request, const struct lan_answer *a);
    /* A message does not count: it is too old (ETIMEOUT), not signed with our
     * key (EDENIED), or, of who is in, none that can be read (EMALFORMED);
     * node: who says that it is from him. May be NULL. */
    void (*passed_over)(void *ctx, int rc, const char *why, struct slice node);
    /* Something to be logged. May be NULL. */
    void (*log)(void *ctx, const char *text);
};

enum lan_auth {
    LAN_BY_NOTHING, /* a client that asks for nothing */
    LAN_BY_TOKEN,   /* says its token: whoever listens has it */
    LAN_BY_PROOF    /* proves the key; between nodes that both can */
};

/* Bytes of messages that were compressed, and of what has stood for them. */
struct lan_deflated {
    uint64_t sent, sent_as, heard, heard_as;
};

/* What links of one thread hold of messages that are not whole yet. When it is
 * too much, of those who were not let in who has begun first is closed; where
 * none has much, of those who were. max is set by the owner, no less than the
 * longest message; the rest is the links'. */
struct lan_halves {
    size_t max, bytes;
    struct lan_link *first, *last;
};

struct lan_link_options {
    struct lan_protocol *protocol; /* borrowed, outlives the link */
    struct lan_link_events events;
    bool is_server;
    bool needs_auth;    /* server: who is not let in is heard of nothing */
    enum lan_auth auth; /* client */
    struct slice token; /* client; copied */
    /* Client, in place of {"token": ...}: a JSON object without request_id;
     * copied. */
    struct slice credentials;
    struct slice key;             /* for challenges; copied. Empty: none */
    enum lan_dialect dialect;     /* known from before */
    size_t message_max;           /* 0: LAN_MESSAGE_MAX */
    uint64_t auth_us, request_us; /* 0: 10 s */
    uint64_t heartbeat_us;        /* 0: none are sent */
    uint64_t heartbeat_wait_us;   /* for an answer; 0: until the next */
    unsigned misses_max;          /* then it is gone; 0: 3 */
    /* A message, and each 64 KiB of it, counts one. Who says more before he is
     * let in is told so, and closed; whoever is in waits. */
    struct pace_rule guest_pace, pace;
    uint64_t silence_us; /* server: who says nothing so long goes; 0: stays */
    uint64_t session_us; /* how long session tokens count; 0: none are given */
    struct lan_deflated *deflated; /* is counted up; NULL: nothing is */
    struct lan_halves *halves;     /* outlives the link; NULL: it is alone */
};

NODISCARD int lan_link_new(
    struct lan_link **out, const struct lan_link_options *opt, uint64_t now_us);
void lan_link_free(struct lan_link *l); /* NULL is fine; nothing is called */

/* A client says who it is. */
void lan_link_begin(struct lan_link *l, uint64_t now_us);
void lan_link_feed(struct lan_link *l, struct slice bytes, uint64_t now_us);
void lan_link_tick(struct lan_link *l, uint64_t now_us);
uint64_t lan_link_deadline(const struct lan_link *l); /* 0: none */
/* What comes is not taken for a while, or again, from the next tick on. */
void lan_link_hold(struct lan_link *l, bool held, uint64_t now_us);
/* The connection has ended: who waits is told. */
void lan_link_end(struct lan_link *l);

/* ECLOSED: it is over; EMALFORMED: the dialect cannot say it. */
NODISCARD int lan_link_send(
    struct lan_link *l, const struct lan_draft *draft, uint64_t now_us);
/* The same, and an answer is waited for: on_answer, once. request_id is added
 * to the payload, and data_id to that of SYNC_DATA. draft->wait_us: for so
 * long, 0: request_us. ELIMIT: too many wait. */
NODISCARD int lan_link_request(struct lan_link *l,
    const struct lan_draft *draft, uint64_t now_us, uint64_t *request);
/* Both ends have offered it: from OPEN on either may compress, for good. */
void lan_link_deflate(struct lan_link *l);
bool lan_link_deflates(const struct lan_link *l);
/* Answers m by a message of that type: its request_id, and sync_id, are added
 * to the payload, whose members are the caller's to lend. */
NODISCARD int lan_link_reply(struct lan_link *l, const struct lan_message *m,
    enum lan_type type, struct json *payload, uint64_t now_us);

/* An id for what is said; see lan_uuid. */
NODISCARD int lan_link_uuid(struct lan_link *l, char out[LAN_UUID_LEN + 1]);
uint64_t lan_link_wall_us(const struct lan_link *l, uint64_t now_us);
size_t lan_link_message_max(const struct lan_link *l);
bool lan_link_is_open(const struct lan_link *l);
bool lan_link_is_over(const struct lan_link *l);
enum lan_dialect lan_link_dialect(const struct lan_link *l);
/* It has signed something on this connection: the dialect is no guess. */
bool lan_link_is_told(const struct lan_link *l);
/* Of the other side; "" until it has said it in what it has signed, or by which
 * it was let in, or need not sign. */
const char *lan_link_node(const struct lan_link *l);
const char *lan_link_name(const struct lan_link *l);
/* When something was heard last. */
uint64_t lan_link_heard_us(const struct lan_link *l);
/* What the server gave a client that was let in by a challenge; "" if none. */
const char *lan_link_session(const struct lan_link *l);

#endif
