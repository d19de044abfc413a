/* socketio.h - packets of Socket.IO, protocol 5: text in and out.
 *
 * Pure. Layout: a digit, how many attachments and '-', "/namespace,", the
 * digits of an ack id, JSON; all but the first may be absent. Law: a packet
 * that is read, and written again, is the same bytes, if its writer was plain
 * (no "/," and no zeros before a number). */
#ifndef SYNCLINE_FACES_SOCKETIO_SOCKETIO_H
#define SYNCLINE_FACES_SOCKETIO_SOCKETIO_H

#include "core/json.h"

#define SIO_ATTACHMENTS_MAX 16 /* announced by one packet */
#define SIO_NAMESPACE_MAX 128
#define SIO_NAME_MAX 256 /* of an event */

enum sio_type {
    SIO_CONNECT,
    SIO_DISCONNECT,
    SIO_EVENT,
    SIO_ACK,
    SIO_CONNECT_ERROR,
    SIO_BINARY_EVENT,
    SIO_BINARY_ACK
};

struct sio_packet {
    enum sio_type type;
    uint32_t attachments;
    struct slice nsp; /* begins with '/', "/" by default; a query is cut off */
    bool has_id;
    uint64_t id;
    struct slice json; /* what is left, or NONE; not looked at */
};

/* Lends from text. EMALFORMED: no packet; ELIMIT: too many attachments, too
 * long a namespace, or an id beyond 2^53. */
NODISCARD int sio_read(struct sio_packet *out, struct slice text);
void sio_put(struct buf *b, const struct sio_packet *p);

/* What an event or an ack carries; all is lent. */
struct sio_event {
    struct slice name;        /* "" of an ack */
    const struct json *first; /* argument, the others by ->next; or NULL */
    size_t n;                 /* arguments */
    struct slice text;        /* the whole array, as it came */
    bool wants_ack;           /* it gets an empty one afterwards */
};

/* Reads an event's (or ack's) JSON into a. Numbers, doubled keys and lone
 * surrogates are taken as Python takes them. EMALFORMED, ELIMIT (nested too
 * deep, too long a name), ENOMEM. */
NODISCARD int sio_event_read(
    struct sio_event *out, const struct sio_packet *p, struct arena *a);

/* The packet of an event. args: JSON values with commas between, or NONE. id
 * NULL: no ack is asked for. */
void sio_put_event(
    struct buf *b, struct slice name, struct slice args, const uint64_t *id);

#endif
