/* frames.h - what nodes say to each other on an authenticated connection
 * (doc/protocol.md).
 *
 * Pure. A frame is a type, its number on the connection and a body. Decoded
 * slices are borrowed from the frame, vectors live in the arena given.
 * Law: get_frame(put_*(x)) is x; anything else is refused, never guessed. */
#ifndef SYNCLINE_REPL_FRAMES_H
#define SYNCLINE_REPL_FRAMES_H

#include "base/hash.h"
#include "core/netaddr.h"
#include "core/vv.h"
#include "crypto/port.h"

#define PROTOCOL_VERSION 6
#define FRAME_MAX ((size_t)1 << 20)

enum frame_type {
    FRAME_HELLO = 1,     /* who I am */
    FRAME_SUBSCRIBE = 2, /* what I have of a space; send me the rest */
    FRAME_BATCH = 3,     /* rows, and perhaps a mark */
    FRAME_FRAGMENT = 4,  /* a piece of a large row */
    FRAME_CREDIT = 5,    /* so many bytes of batches are dealt with */
    FRAME_ACK = 6,       /* what is durable at a device */
    FRAME_PING = 7,
    FRAME_PONG = 8,
    FRAME_REACH = 9, /* whom else I am connected to */
    FRAME_ASK = 10,  /* fingerprints of a range, please */
    FRAME_TELL = 11,
    FRAME_BYE = 12,       /* why I close */
    FRAME_BOOTSTRAP = 13, /* my whole state: it begins, it is complete */
    FRAME_EPOCH = 14,     /* in which my clock is, or the proof of one */
    FRAME_CHECK = 15,     /* prints of my vector and of what is alive */
    FRAME_SHOW = 16,      /* an item, please; or there it is */
    FRAME_HEAD = 17,      /* a device's signed word, through a relay */
    FRAME_END
};

struct frame_hello {
    uint32_t version;
    struct mesh_id mesh;
    struct rid replica;
    uint64_t wall_us;
    uint16_t port;
    struct slice name;
};

#define SUBSCRIBE_AGAIN 1   /* answer: I take nothing until BATCH_BEGINS */
#define SUBSCRIBE_DURABLE 2 /* `have` is: it is an ACK, too */
#define SUBSCRIBE_FLAGS 3

struct frame_subscribe {
    struct space_token space;
    struct vv have;
    bool has_cursor;
    uint64_t cursor; /* the receiver's own lsn, as I stored it */
    uint8_t flags;
};

#define BATCH_MARK 1    /* a mark follows the rows */
#define BATCH_CURSOR 2  /* the cursor may be stored */
#define BATCH_HURRY 4   /* my window fills: credit at once, please */
#define BATCH_WHOLE 8   /* the mark leaves nothing out: this is all I have */
#define BATCH_FLOORS 16 /* floors follow */
#define BATCH_BEGINS                                                           \
    32                   /* alone: what follows answers SUBSCRIBE no. `cursor` \
                          */
#define BATCH_SHEAVES 64 /* proofs that rows share come before them */
#define BATCH_FLAGS 127

/* What must be risen above where something has been collected. */
struct floors {
    uint64_t length;     /* the largest causal length of a tombstone */
    uint64_t version;    /* and the largest version */
    struct stamp fields; /* the largest stamp of a removed field */
};

struct frame_batch {
    struct space_token space;
    uint8_t flags;
    uint64_t cursor;
    struct floors floors;
    uint32_t sheaves_n, rows_n, conflicts_n;
    struct slice sheaves;   /* sheaves_n of (bytes proof); see sheaves.h */
    struct slice rows;      /* rows_n of (bytes key, bytes item) */
    struct slice conflicts; /* conflicts_n of (bytes tail, bytes record) */
    struct vv mark;         /* entries that changed since the last mark */
};

struct frame_fragment {
    struct space_token space;
    uint64_t transfer; /* counts large rows on this connection, from 1 */
    uint64_t total;    /* bytes of the whole row */
    uint64_t offset;
    struct slice bytes;
};

#define BOOTSTRAP_BEGINS 0
#define BOOTSTRAP_ENDS 1

struct frame_bootstrap {
    struct space_token space;
    uint8_t stage;
    struct vv vector;     /* begins: my horizon; ends: what you have now */
    struct floors floors; /* ends */
};

struct frame_epoch {
    uint64_t epoch;      /* the sender's */
    struct slice record; /* of one that the receiver lacks, or none */
};

struct frame_ack {
    struct space_token space;
    struct device_id device;
    struct vv durable;
};

struct frame_ping {
    uint64_t sent_us; /* the pinger's monotonic clock, returned as it came */
    uint64_t wall_us; /* PONG: the answerer's wall clock */
};

#define REACH_MAX 1024

struct frame_reach {
    struct slice devices; /* n times: device id, netaddr as bytes */
    uint32_t n;
};

/* A range of keys [from, to): to "" means to the end. */
struct frame_ask {
    uint64_t question;
    struct space_token space;
    struct slice from, to;
};

struct frame_tell {
    uint64_t question;
    struct slice body; /* verify.c */
};

#define CHECK_PRINT_LEN 16

struct frame_check {
    struct space_token space;
    uint8_t vector[CHECK_PRINT_LEN]; /* SHA-256 of its bytes begins so */
    uint64_t alive;
    struct hash128 sum;
};

struct frame_show {
    struct space_token space;
    struct slice key;
    struct slice row; /* empty: it is asked for */
};

#define HEAD_PRINT_LEN 16

/* What a device has on its disk, as far as the relay that it gave this to has
 * it, too (heads.h). */
struct frame_head {
    struct space_token space;
    struct device_id device;
    uint64_t number;               /* rises */
    uint8_t print[HEAD_PRINT_LEN]; /* of what is alive; zeros: not told */
    uint8_t sig[ED25519_SIG_LEN];
    struct vv durable;
};

struct frame_bye {
    int32_t code; /* a syncline_status */
    struct slice text;
};

struct frame {
    enum frame_type type;
    uint32_t no;
    union {
        struct frame_hello hello;
        struct frame_subscribe subscribe;
        struct frame_batch batch;
        struct frame_fragment fragment;
        uint64_t credit;
        struct frame_ack ack;
        struct frame_ping ping; /* and pong */
        struct frame_reach reach;
        struct frame_ask ask;
        struct frame_tell tell;
        struct frame_bye bye;
        struct frame_bootstrap bootstrap;
        struct frame_epoch epoch;
        struct frame_check check;
        struct frame_show show;
        struct frame_head head;
    };
};

/* What a window counts of it. */
static inline size_t batch_bytes(const struct frame_batch *f)
{
    return f->sheaves.len + f->rows.len + f->conflicts.len;
}

void put_floors(struct buf *b, const struct floors *f);
void get_floors(struct reader *r, struct floors *out);

const char *frame_name(enum frame_type type);

void put_frame(struct buf *b, const struct frame *f);
/* EVERSION for a hello of another version (out->hello.version is set),
 * EMALFORMED or ESHORT for the rest. */
NODISCARD int get_frame(struct slice bytes, struct frame *out, struct arena *a);

/* Netaddr as bytes: family, address, port. */
void put_netaddr(struct buf *b, const struct netaddr *addr);
void get_netaddr(struct reader *r, struct netaddr *out);

#endif
