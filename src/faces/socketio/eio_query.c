#include "faces/socketio/eio_query.h"

#include "base/text.h"

void eio_query_read(struct eio_query *q, const struct http_request *r)
{
    struct buf b = { 0 };
    int rc = http_query(r, "transport", &b);

    *q = (struct eio_query){ .has_sid = false };
    q->is_ws = rc == SYNCLINE_OK && slice_is(buf_slice(&b), "websocket");
    q->is_known = rc == SYNCLINE_ENOTFOUND || q->is_ws ||
        (rc == SYNCLINE_OK && slice_is(buf_slice(&b), "polling"));
    buf_clear(&b);
    rc = http_query(r, "sid", &b);
    q->has_sid = rc != SYNCLINE_ENOTFOUND;
    if (rc == SYNCLINE_OK && b.len > 0 && b.len < sizeof q->sid)
        memcpy(q->sid, b.ptr, b.len);
    buf_clear(&b);
    rc = http_query(r, "EIO", &b);
    q->is_ours = rc == SYNCLINE_OK && slice_is(buf_slice(&b), "4");
    buf_free(&b);
}
