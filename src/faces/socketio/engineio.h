/* engineio.h - packets of Engine.IO, protocol 4, and what carries several of
 * them: text in and out.
 *
 * Pure. A packet is a digit and its data; a WebSocket carries one a message
 * (binary data alone, without a digit), a body of HTTP several, with 0x1E
 * between them (binary data in base64 behind a 'b'). Law: what is put and read
 * again is the same. */
#ifndef SYNCLINE_FACES_SOCKETIO_ENGINEIO_H
#define SYNCLINE_FACES_SOCKETIO_ENGINEIO_H

#include "base/buf.h"

#define EIO_PATH "/socket.io/"
#define EIO_SID_LEN 20
#define EIO_PAYLOAD_MAX ((size_t)1000000)
/* In a body that we send: who reads it in Python takes no more. */
#define EIO_PACKETS_MAX 16
/* In a body that comes: npm's clients send as many as they have. */
#define EIO_PACKETS_TAKEN 256

enum eio_type {
    EIO_OPEN,
    EIO_CLOSE,
    EIO_PING,
    EIO_PONG,
    EIO_MESSAGE,
    EIO_UPGRADE,
    EIO_NOOP
};

struct eio_packet {
    enum eio_type type;
    bool is_binary; /* of a message */
    struct slice data;
};

/* A text message of a WebSocket. EMALFORMED: no packet. */
NODISCARD int eio_read(struct eio_packet *out, struct slice text);
/* As text: not of binary data. */
void eio_put(struct buf *b, const struct eio_packet *p);

/* Before anything of a body is read: EMALFORMED (no UTF-8), ELIMIT (more
 * packets than max). */
NODISCARD int eio_body_check(struct slice body, size_t packets_max);
/* The next piece; false: there is no other. rest begins as the body. */
bool eio_body_next(struct slice *rest, struct slice *piece);
/* A piece, lent; what was in base64 is in bytes. EMALFORMED, ENOMEM. */
NODISCARD int eio_read_piece(
    struct eio_packet *out, struct slice piece, struct buf *bytes);

/* Packets that wait. A zeroed struct is a valid empty one. */
struct eio_queue {
    struct buf bytes;
    size_t n;
};

void eio_queue_free(struct eio_queue *q);
void eio_queue_put(struct eio_queue *q, const struct eio_packet *p);
/* The first one, lent until it is dropped. False: there is none. */
bool eio_queue_peek(const struct eio_queue *q, struct eio_packet *out);
void eio_queue_drop(struct eio_queue *q);
/* Moves as many as a body may hold, and at least one, if there is one. */
void eio_queue_body(struct eio_queue *q, struct buf *body, size_t bytes_max);

/* What a server says first. */
struct eio_open {
    char sid[64];
    bool upgrades; /* to WebSocket */
    uint64_t interval_ms, timeout_ms;
    size_t payload_max;
};

void eio_put_open(struct buf *b, const struct eio_open *o);
/* EMALFORMED: what is no object, or has no sid that can stand in a URL. */
NODISCARD int eio_read_open(struct eio_open *out, struct slice data);

#endif
