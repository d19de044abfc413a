/* engineio_fuzz.c - a byte says what is read: a packet, a body, what a server
 * says first, or a packet of Socket.IO and its event.
 *
 * Holds the laws: what is read, and put again, is read the same; a body has no
 * more packets than was allowed. */
#include "faces/socketio/engineio.h"

#include "base/text.h"
#include "faces/socketio/socketio.h"
#include "fuzz/fuzz.h"

static void read_packet(struct slice text)
{
    struct eio_packet p;
    struct buf b = { 0 };

    if (eio_read(&p, text) != SYNCLINE_OK)
        return;
    eio_put(&b, &p);
    ENSURE(slice_eq(written(&b), text));
    buf_free(&b);
}

/* What was in it is in the bodies that it is made into again. */
static void same(struct slice body, struct eio_queue *q)
{
    struct buf again = { 0 }, bytes = { 0 }, other = { 0 };
    struct slice rest = SLICE_NONE, piece, mine;
    struct eio_packet a, b;

    while (eio_body_next(&body, &piece)) {
        if (eio_read_piece(&a, piece, &bytes) != SYNCLINE_OK)
            continue;
        if (rest.len == 0) {
            buf_clear(&again);
            eio_queue_body(q, &again, 64);
            rest = written(&again);
        }
        ENSURE(eio_body_next(&rest, &mine));
        ENSURE(eio_read_piece(&b, mine, &other) == SYNCLINE_OK);
        ENSURE(a.type == b.type && a.is_binary == b.is_binary);
        ENSURE(slice_eq(a.data, b.data));
    }
    ENSURE(rest.len == 0 && q->n == 0);
    buf_free(&again);
    buf_free(&bytes);
    buf_free(&other);
}

static void read_body(struct slice body, size_t most)
{
    struct eio_queue q = { .n = 0 };
    struct buf bytes = { 0 };
    struct slice rest = body, piece;
    struct eio_packet p;
    size_t n = 0;

    if (eio_body_check(body, most) != SYNCLINE_OK)
        return;
    for (; eio_body_next(&rest, &piece); n++)
        if (eio_read_piece(&p, piece, &bytes) == SYNCLINE_OK)
            eio_queue_put(&q, &p);
    ENSURE(n <= most || most == 0);
    same(body, &q);
    eio_queue_free(&q);
    buf_free(&bytes);
}

static void read_open(struct slice text)
{
    struct eio_open a, b;
    struct buf out = { 0 };

    if (eio_read_open(&a, text) != SYNCLINE_OK)
        return;
    eio_put_open(&out, &a);
    ENSURE(eio_read_open(&b, written(&out)) == SYNCLINE_OK);
    ENSURE(strcmp(a.sid, b.sid) == 0 && a.upgrades == b.upgrades);
    ENSURE(a.interval_ms == b.interval_ms && a.timeout_ms == b.timeout_ms);
    ENSURE(a.payload_max == b.payload_max);
    buf_free(&out);
}

static void read_event(const struct sio_packet *p)
{
    struct arena a = { 0 };
    struct sio_event ev;
    size_t n = 0;

    if (sio_event_read(&ev, p, &a) == SYNCLINE_OK) {
        for (const struct json *v = ev.first; v != NULL; v = v->next)
            n++;
        ENSURE(n == ev.n && ev.name.len <= SIO_NAME_MAX);
    }
    arena_free(&a);
}

static void read_sio(struct slice text)
{
    struct sio_packet a, b;
    struct buf out = { 0 };

    /* What is for "/" and begins with it, which is no JSON, says so. */
    if (sio_read(&a, text) != SYNCLINE_OK ||
        slice_has_prefix(a.json, SLICE_LIT("/")))
        return;
    ENSURE(a.attachments <= SIO_ATTACHMENTS_MAX);
    ENSURE(a.nsp.len >= 1 && a.nsp.len <= SIO_NAMESPACE_MAX);
    read_event(&a);
    sio_put(&out, &a);
    ENSURE(sio_read(&b, written(&out)) == SYNCLINE_OK);
    ENSURE(a.type == b.type && a.attachments == b.attachments);
    ENSURE(slice_eq(a.nsp, b.nsp) && a.has_id == b.has_id && a.id == b.id);
    ENSURE(slice_eq(a.json, b.json));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);
    unsigned how = take_u8(&p);

    switch (how % 4) {
    case 0:
        read_packet(p.in);
        break;
    case 1:
        read_body(p.in, how / 4 + 1);
        break;
    case 2:
        read_open(p.in);
        break;
    default:
        read_sio(p.in);
        break;
    }
    return 0;
}
