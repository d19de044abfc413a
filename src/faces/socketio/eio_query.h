/* eio_query.h - what the query of a request below EIO_PATH asks for.
 *
 * Pure. */
#ifndef SYNCLINE_FACES_SOCKETIO_EIO_QUERY_H
#define SYNCLINE_FACES_SOCKETIO_EIO_QUERY_H

#include "faces/http/http_conn.h"

struct eio_query {
    bool is_ws, has_sid;
    bool is_known; /* such a transport */
    bool is_ours;  /* the protocol */
    char sid[64];  /* "": none, or too long */
};

void eio_query_read(struct eio_query *q, const struct http_request *r);

#endif
