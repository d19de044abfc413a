/* control.h - the client's end of a node's control socket.
 *
 * Blocking. One JSON object a line each way (doc/api.md); requests may be
 * pipelined. Law: a line is lent until the next read. */
#ifndef SYNCLINE_APP_CONTROL_H
#define SYNCLINE_APP_CONTROL_H

#include "core/json.h"

#include <signal.h>

#define CONTROL_LINE_MAX ((size_t)64 << 20)

struct control; /* opaque */

/* Errors: ENOTFOUND (nobody listens there), EDENIED, EIO, ENOMEM. */
NODISCARD int control_open(
    struct control **out, const char *dir, struct errmsg *why);
void control_close(struct control *c); /* NULL is fine */

/* Signals let in while waiting, which end the wait as ETIMEOUT; mask is
 * borrowed. So does the reader of fd going away. */
void control_interrupt(struct control *c, const sigset_t *mask, int fd);

/* Sends a line; the newline is added. ECLOSED when the daemon has gone. */
NODISCARD int control_send(
    struct control *c, struct slice line, struct errmsg *why);
NODISCARD int control_send_json(
    struct control *c, const struct json *request, struct errmsg *why);
/* Waits for a line; timeout_ms below 0 is for ever. Errors: ETIMEOUT,
 * ECLOSED, ELIMIT, EIO. */
NODISCARD int control_read(
    struct control *c, struct slice *line, int timeout_ms, struct errmsg *why);
/* The same, parsed into a; its strings are lent like the line. */
NODISCARD int control_read_json(struct control *c, struct json **answer,
    struct arena *a, int timeout_ms, struct errmsg *why);
/* 0 if the answer says ok, else its code and its sentence. */
NODISCARD int control_status(const struct json *answer, struct errmsg *why);

#endif
